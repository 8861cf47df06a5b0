//! PostgreSQL's own grammar (`pg_query`) against our reading of every SQL text of this project: the same statements,
//! of the same kinds, with the same facts. Only with `--features oracle`; `tests/run` installs what that needs.

#![expect(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in test functions only, and the rest here is for tests, too"
)]

mod facts;

use std::{
    fs,
    path::{Path, PathBuf},
};

use liftlock::sql::{
    self, Change,
    change::{TypeKind, Unread},
};
use pg_query::{NodeEnum, ParserOptions};
use proptest::prelude::{ProptestConfig, Strategy, prop, prop_assert_eq, proptest};

/// Files with SQL: migrations, forms, and documentation.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|it| ["sql", "rs", "md", "txt"].iter().any(|kind| it == *kind)) {
            found.push(path);
        }
    }
}

/// The SQL texts of a file: all of a migration, the left sides of forms, the blocks of documentation.
fn texts(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    match path.extension().and_then(|it| it.to_str()) {
        Some("sql") => vec![text],
        Some("txt") if path.ends_with("forms.txt") => {
            text.lines().filter_map(|line| line.split_once("  =>  ")).map(|(sql, _)| sql.to_owned()).collect()
        }
        Some("rs" | "md") => blocks(&text),
        _ => Vec::new(),
    }
}

fn blocks(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open: Option<String> = None;
    for line in text.lines() {
        let line = line.trim_start();
        let line = line.strip_prefix("//!").or_else(|| line.strip_prefix("///")).unwrap_or(line);
        let line = line.strip_prefix(' ').unwrap_or(line);
        match &mut open {
            None if line.starts_with("```sql") => open = Some(String::new()),
            None => {}
            Some(_) if line.starts_with("```") => found.extend(open.take()),
            Some(block) => {
                block.push_str(line);
                block.push('\n');
            }
        }
    }
    found
}

/// What may stay unread although the grammar takes it.
fn is_unanalysable(reason: &Unread) -> bool {
    matches!(
        reason,
        Unread::CopyFromStdin
            | Unread::CopyData
            | Unread::NonStandardStrings
            | Unread::TooComplex
            | Unread::Placeholder { .. }
    )
}

fn is_domain(change: &Change) -> bool {
    matches!(change, Change::CreateType(created) if matches!(created.kind, TypeKind::Domain { .. }))
}

/// What differs between the grammar's reading of one statement and ours; `None` when the grammar refuses it.
fn difference(piece: &str) -> Option<String> {
    let parsed = pg_query::parse(piece, ParserOptions::default()).ok()?;
    let [statement] = parsed.protobuf.stmts.as_slice() else { return None };
    let node: &NodeEnum = statement.stmt.as_ref()?.node.as_ref()?;
    let ours = sql::read(piece);
    let [ours] = ours.as_slice() else { return Some(format!("{} statements: {piece}", ours.len())) };
    if let Change::Unread { reason } = &ours.change {
        return (!is_unanalysable(reason)).then(|| format!("unread, {reason:?}: {piece}"));
    }
    let (theirs, own) = (facts::theirs(node), facts::ours(ours, is_domain(&ours.change)));
    (theirs != own).then(|| format!("`{theirs}` is read as `{own}`: {piece}"))
}

#[test]
fn every_sql_text_of_the_project_is_read_as_postgres_reads_it() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = vec![project.join("README.md")];
    for folder in ["src", "fixtures", "tests"] {
        files(&project.join(folder), &mut paths);
    }
    let (mut statements, mut wrong) = (0, Vec::new());
    for path in &paths {
        for text in texts(path) {
            let Ok(pieces) = pg_query::split_with_scanner(&text) else { continue };
            for piece in pieces {
                statements += 1;
                wrong.extend(difference(piece).map(|it| format!("{}: {it}", path.display())));
            }
        }
    }
    assert!(statements > 1_000, "only {statements} statements were found");
    assert!(wrong.is_empty(), "{} of {statements} differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// Pieces of which lexers make different things.
const FRAGMENTS: &[&str] = &[
    "'", "''", "\"", "$$", "$a$", "$1", "--", "/*", "*/", "\n", "\r", "E'", "U&'", "U&\"", "N'", "B'", "X'", ";", "~",
    "@", "-", "<", ">", "|", "#", "?", "%", "&", "é", "\u{a0}", "1e5", "0x1F", " ", "a",
];

fn soup() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(FRAGMENTS), 3..14).prop_map(|fragments| fragments.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn statements_end_where_postgres_ends_them(text in soup()) {
        if let Ok(scan) = pg_query::scan(&text) {
            let semicolon = pg_query::protobuf::Token::Ascii59 as i32;
            let theirs: Vec<usize> = scan
                .tokens
                .iter()
                .filter(|token| token.token == semicolon)
                .map(|token| usize::try_from(token.start).unwrap())
                .collect();
            let ours: Vec<usize> = sql::tokens(&text)
                .iter()
                .filter(|token| &text[token.span.start..token.span.end] == ";")
                .map(|token| token.span.start)
                .collect();
            prop_assert_eq!(ours, theirs, "{:?}", text);
        }
    }
}
