//! SQL of other database systems, by words that Postgres does not have where they stand.

use crate::sql::{Token, TokenKind, change::Unread, tokens};

const MYSQL: &str = "MySQL";
const SQLITE: &str = "SQLite";
const SQL_SERVER: &str = "SQL Server";

/// Words that hardly stand in a statement of Postgres, <https://dev.mysql.com/doc/refman/8.4/en/keywords.html>,
/// <https://www.sqlite.org/lang_keywords.html>.
const WORDS: &[(&str, &str)] = &[
    ("AUTOINCREMENT", SQLITE),
    ("AUTO_INCREMENT", MYSQL),
    ("LONGTEXT", MYSQL),
    ("MEDIUMTEXT", MYSQL),
    ("NVARCHAR", SQL_SERVER),
    ("PRAGMA", SQLITE),
    ("UNSIGNED", MYSQL),
];

/// What shows that a statement which cannot be read was written for another system: "`PRAGMA` is SQLite".
pub fn sign(text: &str, reason: &Unread) -> Option<String> {
    if !matches!(reason, Unread::Malformed { .. } | Unread::MalformedTable { .. } | Unread::UnknownStatement { .. }) {
        return None;
    }
    let tokens = tokens(text);
    (0..tokens.len()).find_map(|at| sign_at(text, &tokens[..=at], &tokens[at + 1..]))
}

/// The same, at the last of the tokens `passed`.
fn sign_at(text: &str, passed: &[Token], next: &[Token]) -> Option<String> {
    let written = |token: &Token| &text[token.span.start..token.span.end];
    let (last, before) = passed.split_last()?;
    let next_is = |ahead: usize, symbol: &str| next.get(ahead).is_some_and(|it| written(it) == symbol);
    let word = written(last);
    match last.kind {
        TokenKind::Word if word.eq_ignore_ascii_case("ENGINE") && next_is(0, "=") => {
            Some(format!("`{word}` is {MYSQL}"))
        }
        TokenKind::Word if word.eq_ignore_ascii_case("OR") => {
            let inserts = before.last().is_some_and(|it| written(it).eq_ignore_ascii_case("INSERT"));
            inserts.then(|| format!("`INSERT OR …` is {SQLITE}"))
        }
        TokenKind::Word => {
            let (_, system) = WORDS.iter().find(|(it, _)| word.eq_ignore_ascii_case(it))?;
            Some(format!("`{word}` is {system}"))
        }
        _ if word == "`" => Some(format!("a name in backticks is {MYSQL} or {SQLITE}")),
        _ if word == "[" && next_is(1, "]") && next_is(2, ".") => Some(format!("a name in brackets is {SQL_SERVER}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::sign;
    use crate::sql::{Change, read};

    fn check(sql: &str, expected: Option<&str>) {
        let statement = read(sql).remove(0);
        let Change::Unread { reason } = &statement.change else { panic!("{sql} can be read") };
        assert_eq!(sign(sql, reason).as_deref(), expected, "{sql}");
    }

    #[test]
    fn other_systems_are_known_by_their_words() {
        check("create table a (id integer primary key autoincrement)", Some("`autoincrement` is SQLite"));
        check("CREATE TABLE a (id INT NOT NULL AUTO_INCREMENT)", Some("`AUTO_INCREMENT` is MySQL"));
        check("create table a (id int) engine=InnoDB", Some("`engine` is MySQL"));
        check("create table `a` (id int)", Some("a name in backticks is MySQL or SQLite"));
        check("insert or ignore into a values (1)", Some("`INSERT OR …` is SQLite"));
        check("pragma foreign_keys = off", Some("`pragma` is SQLite"));
        check("alter table [dbo].[a] drop column [b]", Some("a name in brackets is SQL Server"));
        check("alter table a ad column engine text", None);
        check("create table a (engine text, id int primary)", None);
        check("frobnicate a", None);
    }
}
