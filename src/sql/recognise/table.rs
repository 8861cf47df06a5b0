//! Columns and constraints, as `CREATE TABLE` and `ALTER TABLE … ADD` define them.

use super::{
    super::{
        change::{Column, Constraint, ConstraintKind, Expression, Generated},
        names::{Ident, ObjectName},
        scan::TokenKind,
    },
    cursor::{Cursor, Result},
};

/// Words that end a type or a default: the next clause of a column.
const CLAUSES: &[&str] = &[
    "CHECK",
    "COLLATE",
    "COMPRESSION",
    "CONSTRAINT",
    "DEFAULT",
    "DEFERRABLE",
    "ENFORCED",
    "GENERATED",
    "INITIALLY",
    "NOT",
    "NULL",
    "OPTIONS",
    "PRIMARY",
    "REFERENCES",
    "STORAGE",
    "UNIQUE",
    "USING",
];

/// Passes a type and gives it as written, in lower case, one space between words; empty when none stands here.
pub fn data_type(cursor: &mut Cursor<'_>) -> String {
    const WORDS: &[&str] = &[
        "ARRAY",
        "CHAR",
        "CHARACTER",
        "DAY",
        "HOUR",
        "MINUTE",
        "MONTH",
        "PRECISION",
        "SECOND",
        "TO",
        "VARYING",
        "YEAR",
    ];
    let start = cursor.at;
    if cursor.is_one_of(0, CLAUSES) || cursor.is("WITH OPTIONS") {
        return String::new();
    }
    cursor.eat("SETOF");
    if cursor.name().is_err() {
        cursor.at = start;
        return String::new();
    }
    while cursor.eat("WITH TIME ZONE")
        || cursor.eat("WITHOUT TIME ZONE")
        || cursor.eat_one_of(WORDS).is_some()
        || cursor.parentheses().is_some()
        || (cursor.is_symbol(0, "[") && cursor.brackets().is_some())
    {}
    type_text(&cursor.range(start, cursor.at))
}

fn type_text(cursor: &Cursor<'_>) -> String {
    let mut text = String::new();
    let is_wordy = |kind| matches!(kind, TokenKind::Word | TokenKind::Quoted | TokenKind::Number | TokenKind::String);
    let mut wordy_before = false;
    for at in cursor.at..cursor.end {
        let kind = cursor.tokens[at].kind;
        if is_wordy(kind) && (wordy_before || text.ends_with([')', ']'])) {
            text.push(' ');
        }
        match kind {
            TokenKind::Word => text.push_str(&cursor.text_at(at).to_ascii_lowercase()),
            _ => text.push_str(cursor.text_at(at)),
        }
        wordy_before = is_wordy(kind);
    }
    text
}

/// A default's expression: at least one token, up to the next clause outside brackets and `CASE … END`.
pub fn default(cursor: &mut Cursor<'_>) -> Result<Expression> {
    let start = cursor.at;
    let mut cases = 0_usize;
    while !cursor.done() {
        let behind_is = cursor.at > start && cursor.range(cursor.at - 1, cursor.end).is_word(0, "IS");
        if cursor.at > start && cases == 0 && !behind_is && (cursor.is_one_of(0, CLAUSES) || cursor.is_symbol(0, ",")) {
            break;
        }
        if cursor.is_word(0, "CASE") {
            cases += 1;
        } else if cursor.is_word(0, "END") {
            cases = cases.saturating_sub(1);
        }
        cursor.skip();
    }
    if cursor.at == start {
        return Err(cursor.expected("an expression"));
    }
    Ok(cursor.range(start, cursor.at).expression())
}

/// `name type [clause …]`, up to the cursor's end. `typed` columns, of typed tables and partitions, have no type.
pub fn column(mut cursor: Cursor<'_>, typed: bool) -> Result<Column> {
    let span = cursor.span();
    let name = cursor.ident()?;
    let data_type = data_type(&mut cursor);
    if data_type.is_empty() && !typed {
        return Err(cursor.expected("a type"));
    }
    cursor.eat("WITH OPTIONS");
    let mut column = Column {
        name,
        span,
        data_type,
        not_null: false,
        default: None,
        generated: None,
        primary_key: false,
        unique: false,
        check: Vec::new(),
        references: None,
    };
    while !cursor.done() {
        clause(&mut cursor, &mut column)?;
    }
    Ok(column)
}

fn clause(cursor: &mut Cursor<'_>, column: &mut Column) -> Result<()> {
    if cursor.eat("CONSTRAINT") {
        cursor.ident()?;
        if cursor.done() {
            return Err(cursor.expected("a constraint"));
        }
    }
    if cursor.eat("NOT NULL") {
        column.not_null = true;
    } else if cursor.eat("DEFAULT") {
        column.default = Some(default(cursor)?);
    } else if cursor.eat("PRIMARY KEY") {
        column.primary_key = true;
    } else if cursor.eat("UNIQUE") {
        column.unique = true;
        let _ = cursor.eat("NULLS NOT DISTINCT") || cursor.eat("NULLS DISTINCT");
    } else if cursor.eat("CHECK") {
        column.check.push(cursor.expect_parentheses()?.expression());
    } else if cursor.eat("REFERENCES") {
        column.references = Some(references(cursor)?);
    } else if cursor.eat("GENERATED") {
        column.generated = Some(generated(cursor)?);
    } else if cursor.eat("COLLATE") {
        cursor.name()?;
    } else if cursor.eat_one_of(&["STORAGE", "COMPRESSION"]).is_some() {
        cursor.at += 1;
    } else if cursor.eat("OPTIONS") {
        cursor.expect_parentheses()?;
    } else if !cursor.eat("NULL") && !attribute(cursor)? {
        return Err(cursor.expected("a column's clause"));
    }
    Ok(())
}

/// `ALWAYS AS (…) [STORED]`, `{ALWAYS | BY DEFAULT} AS IDENTITY [(…)]`.
fn generated(cursor: &mut Cursor<'_>) -> Result<Generated> {
    if !cursor.eat("ALWAYS") {
        cursor.expect("BY DEFAULT")?;
    }
    cursor.expect("AS")?;
    if cursor.eat("IDENTITY") {
        cursor.parentheses();
        return Ok(Generated::Identity);
    }
    cursor.expect_parentheses()?;
    if cursor.eat("STORED") {
        return Ok(Generated::Stored);
    }
    cursor.eat("VIRTUAL");
    Ok(Generated::Virtual)
}

/// What may follow any constraint; `false` when nothing of it comes next.
fn attribute(cursor: &mut Cursor<'_>) -> Result<bool> {
    const PLAIN: &[&str] = &[
        "NOT VALID",
        "NOT ENFORCED",
        "ENFORCED",
        "NOT DEFERRABLE",
        "DEFERRABLE",
        "INITIALLY DEFERRED",
        "INITIALLY IMMEDIATE",
        "NO INHERIT",
    ];
    if PLAIN.iter().any(|words| cursor.eat(words)) {
        return Ok(true);
    }
    if cursor.eat("USING INDEX TABLESPACE") {
        cursor.ident()?;
        return Ok(true);
    }
    if cursor.eat_one_of(&["INCLUDE", "WITH", "WHERE"]).is_some() {
        cursor.expect_parentheses()?;
        return Ok(true);
    }
    Ok(false)
}

/// The table behind `REFERENCES`, and what follows it.
fn references(cursor: &mut Cursor<'_>) -> Result<ObjectName> {
    let table = cursor.name()?;
    cursor.parentheses();
    loop {
        if cursor.eat("MATCH") {
            cursor.at += 1;
        } else if cursor.eat("ON DELETE") || cursor.eat("ON UPDATE") {
            if cursor.eat("SET NULL") || cursor.eat("SET DEFAULT") {
                cursor.parentheses();
            } else if !(cursor.eat("NO ACTION") || cursor.eat("RESTRICT") || cursor.eat("CASCADE")) {
                return Err(cursor.expected("an action"));
            }
        } else {
            return Ok(table);
        }
    }
}

/// Whether a table constraint starts here, not a column.
pub fn is_constraint(cursor: &Cursor<'_>) -> bool {
    cursor.is_one_of(0, &["CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"])
        || cursor.is("NOT NULL")
        || (cursor.is_word(0, "EXCLUDE") && (cursor.is_word(1, "USING") || cursor.is_symbol(1, "(")))
}

/// `[CONSTRAINT name] …`, up to the cursor's end.
pub fn constraint(mut cursor: Cursor<'_>) -> Result<Constraint> {
    let span = cursor.span();
    let name = if cursor.eat("CONSTRAINT") { Some(cursor.ident()?) } else { None };
    let kind = constraint_kind(&mut cursor)?;
    let tail = cursor;
    while !cursor.done() {
        if !attribute(&mut cursor)? {
            return Err(cursor.expected("the constraint's end"));
        }
    }
    let (not_valid, not_enforced) = (tail.has("NOT VALID"), tail.has("NOT ENFORCED"));
    Ok(Constraint { name, kind, not_valid, not_enforced, span })
}

fn constraint_kind(cursor: &mut Cursor<'_>) -> Result<ConstraintKind> {
    if cursor.eat("CHECK") {
        let expression = Some(cursor.expect_parentheses()?.expression());
        return Ok(ConstraintKind::Check { expression });
    }
    if cursor.eat("UNIQUE") {
        let _ = cursor.eat("NULLS NOT DISTINCT") || cursor.eat("NULLS DISTINCT");
        let (columns, using_index) = key(cursor)?;
        return Ok(ConstraintKind::Unique { columns, using_index });
    }
    if cursor.eat("PRIMARY KEY") {
        let (columns, using_index) = key(cursor)?;
        return Ok(ConstraintKind::PrimaryKey { columns, using_index });
    }
    if cursor.eat("FOREIGN KEY") {
        let columns = columns(cursor.expect_parentheses()?)?;
        cursor.expect("REFERENCES")?;
        return Ok(ConstraintKind::ForeignKey { columns, references: references(cursor)? });
    }
    if cursor.eat("EXCLUDE") {
        if cursor.eat("USING") {
            cursor.ident()?;
        }
        cursor.expect_parentheses()?;
        return Ok(ConstraintKind::Exclude);
    }
    if cursor.eat("NOT NULL") {
        // A domain has one value and no columns: Postgres calls it VALUE.
        let column = cursor.try_ident()?.unwrap_or_else(|| Ident { name: "value".to_owned(), span: cursor.span() });
        return Ok(ConstraintKind::NotNull { column });
    }
    Err(cursor.expected("a constraint"))
}

/// `(a, b)` or `USING INDEX name`.
fn key(cursor: &mut Cursor<'_>) -> Result<(Vec<Ident>, Option<Ident>)> {
    if cursor.eat("USING INDEX") {
        return Ok((Vec::new(), Some(cursor.ident()?)));
    }
    Ok((columns(cursor.expect_parentheses()?)?, None))
}

/// `a, b, [PERIOD] c [WITHOUT OVERLAPS]`.
pub fn columns(inside: Cursor<'_>) -> Result<Vec<Ident>> {
    let mut columns = Vec::new();
    for mut part in inside.split() {
        if part.is_word(0, "PERIOD") && part.token(1).is_some() {
            part.at += 1;
        }
        columns.push(part.ident()?);
        part.eat("WITHOUT OVERLAPS");
        part.finish()?;
    }
    Ok(columns)
}
