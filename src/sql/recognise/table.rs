//! Columns and constraints, as `CREATE TABLE` and `ALTER TABLE … ADD` define them.

use super::{
    super::{
        Span,
        change::{
            BoundKind, Column, Constraint, ConstraintKind, Expression, Generated, IndexKey, Options, PartitionBound,
            SequenceOptions,
        },
        names::Ident,
    },
    cursor::{Cursor, Result},
    references::references,
    sequence,
    types::{data_type, starts_clause},
};

/// A default's expression: at least one token, up to the next clause outside brackets and `CASE … END`.
pub fn default(cursor: &mut Cursor<'_>) -> Result<Expression> {
    let start = cursor.at;
    let mut cases = 0_usize;
    while !cursor.done() {
        let behind_is = cursor.at > start && cursor.range(cursor.at - 1, cursor.end).is_word(0, "IS");
        if cursor.at > start && cases == 0 && !behind_is && (starts_clause(cursor) || cursor.is_symbol(0, ",")) {
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
    let start = cursor.at;
    let data_type = data_type(&mut cursor);
    if data_type.is_empty() && !typed {
        return Err(cursor.expected("a type"));
    }
    let type_span = cursor.range(start, cursor.at).span();
    cursor.eat("WITH OPTIONS");
    let mut column = Column { span, type_span, ..column_of(name, data_type) };
    clauses(&mut cursor, &mut column)?;
    Ok(column)
}

/// A column of which nothing more is written.
pub fn column_of(name: Ident, data_type: String) -> Column {
    Column {
        name,
        span: Span::default(),
        data_type,
        type_span: Span::default(),
        collation: None,
        not_null: false,
        default: None,
        default_span: None,
        generated: None,
        generated_as: None,
        sequence: None,
        primary_key: false,
        unique: false,
        check: Vec::new(),
        references: None,
        constraints: Vec::new(),
        storage: Vec::new(),
    }
}

/// The clauses of a column or domain, up to the cursor's end.
pub fn clauses(cursor: &mut Cursor<'_>, column: &mut Column) -> Result<()> {
    while !cursor.done() {
        clause(cursor, column)?;
    }
    Ok(())
}

fn clause(cursor: &mut Cursor<'_>, column: &mut Column) -> Result<()> {
    let start = cursor.at;
    let mut name = None;
    if cursor.eat("CONSTRAINT") {
        name = Some(cursor.ident()?);
        if cursor.done() {
            return Err(cursor.expected("a constraint"));
        }
    }
    if let Some(kind) = column_constraint(cursor, column)? {
        let mut constraint = Constraint::of(name, kind);
        // Postgres takes NOT VALID only behind a constraint of the table.
        while !cursor.is("NOT VALID") && attribute(cursor, &mut constraint)? {}
        constraint.span = cursor.span_from(start, cursor.at);
        column.constraints.push(constraint);
    } else if cursor.eat("DEFAULT") {
        let default = default(cursor)?;
        column.default_span = Some(Span { end: default.span.end, ..cursor.span_from(start, start) });
        column.default = Some(default);
    } else if cursor.eat("GENERATED") {
        generated(cursor, column)?;
    } else if cursor.eat("COLLATE") {
        column.collation = Some(cursor.name()?);
    } else if let Some(word) = cursor.eat_one_of(&["STORAGE", "COMPRESSION"]) {
        column.storage.push((word.to_owned(), Some(cursor.ident()?.name)));
    } else if cursor.eat("OPTIONS") {
        cursor.expect_parentheses()?;
    } else if !cursor.eat("NULL") {
        // An attribute that is not behind its constraint.
        let mut spare = Constraint::of(None, ConstraintKind::Check { expression: None });
        let last = column.constraints.last_mut().unwrap_or(&mut spare);
        if cursor.is("NOT VALID") || !attribute(cursor, last)? {
            return Err(cursor.expected("a column's clause"));
        }
    }
    Ok(())
}

/// A constraint among a column's clauses.
fn column_constraint(cursor: &mut Cursor<'_>, column: &mut Column) -> Result<Option<ConstraintKind>> {
    let columns = || vec![column.name.clone()];
    let kind = if cursor.eat("NOT NULL") {
        let name = column.name.clone();
        column.not_null = true;
        ConstraintKind::NotNull { column: name }
    } else if cursor.eat("PRIMARY KEY") {
        let columns = columns();
        column.primary_key = true;
        ConstraintKind::PrimaryKey { columns, using_index: None }
    } else if cursor.eat("UNIQUE") {
        let columns = columns();
        column.unique = true;
        ConstraintKind::Unique { columns, using_index: None }
    } else if cursor.eat("CHECK") {
        let check = cursor.expect_parentheses()?.expression();
        column.check.push(check.clone());
        ConstraintKind::Check { expression: Some(check) }
    } else if cursor.eat("REFERENCES") {
        let kind = references(cursor, columns())?;
        if let ConstraintKind::ForeignKey { references, .. } = &kind {
            column.references = Some(references.clone());
        }
        kind
    } else {
        return Ok(None);
    };
    Ok(Some(kind))
}

/// `ALWAYS AS (…) [STORED]`, `{ALWAYS | BY DEFAULT} AS IDENTITY [(…)]`.
fn generated(cursor: &mut Cursor<'_>, column: &mut Column) -> Result<()> {
    let always = cursor.eat("ALWAYS");
    if !always {
        cursor.expect("BY DEFAULT")?;
    }
    cursor.expect("AS")?;
    if cursor.eat("IDENTITY") {
        let mut options = match cursor.parentheses() {
            Some(inside) => sequence::options(inside)?,
            None => SequenceOptions::default(),
        };
        options.always = Some(always);
        column.generated = Some(Generated::Identity);
        column.sequence = Some(Box::new(options));
        return Ok(());
    }
    column.generated_as = Some(cursor.expect_parentheses()?.expression());
    let stored = cursor.eat("STORED");
    column.generated = Some(if stored { Generated::Stored } else { Generated::Virtual });
    cursor.eat("VIRTUAL");
    Ok(())
}

/// What may follow any constraint; `false` when nothing of it comes next.
fn attribute(cursor: &mut Cursor<'_>, constraint: &mut Constraint) -> Result<bool> {
    let start = cursor.at;
    match () {
        () if cursor.eat("NOT VALID") => {
            constraint.not_valid = true;
            constraint.not_valid_span = Some(cursor.span_from(start, cursor.at));
        }
        () if cursor.eat("NOT ENFORCED") => constraint.not_enforced = true,
        () if cursor.eat("ENFORCED") => {}
        () if cursor.eat("NOT DEFERRABLE") => {}
        () if cursor.eat("DEFERRABLE") => constraint.deferrable = true,
        () if cursor.eat("INITIALLY DEFERRED") => {
            (constraint.deferrable, constraint.initially_deferred) = (true, true);
        }
        () if cursor.eat("INITIALLY IMMEDIATE") => {}
        () if cursor.eat("NO INHERIT") => constraint.no_inherit = true,
        () if cursor.eat("NULLS NOT DISTINCT") => constraint.nulls_not_distinct = true,
        () if cursor.eat("NULLS DISTINCT") => {}
        () if cursor.eat("USING INDEX TABLESPACE") => constraint.tablespace = Some(cursor.ident()?),
        () if cursor.eat("INCLUDE") => constraint.include = columns(cursor.expect_parentheses()?)?,
        () if cursor.eat("WITH") => constraint.options = options(cursor.expect_parentheses()?)?,
        () if cursor.eat("WHERE") => {
            let condition = cursor.expect_parentheses()?.expression();
            if let ConstraintKind::Exclude { predicate, .. } = &mut constraint.kind {
                *predicate = Some(condition);
            }
        }
        () => return Ok(false),
    }
    Ok(true)
}

/// `name [= value], …`.
pub fn options(inside: Cursor<'_>) -> Result<Options> {
    let mut options = Vec::new();
    if inside.done() {
        return Ok(options);
    }
    for mut part in inside.split() {
        let name = part.name()?.to_string();
        let value = if part.eat_symbol("=") { Some(part.text()) } else { None };
        options.push((name, value));
    }
    Ok(options)
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
    let mut constraint = Constraint::of(name, ConstraintKind::Check { expression: None });
    constraint.span = span;
    constraint.kind = constraint_kind(&mut cursor, &mut constraint)?;
    while !cursor.done() {
        if !attribute(&mut cursor, &mut constraint)? {
            return Err(cursor.expected("the constraint's end"));
        }
    }
    Ok(constraint)
}

fn constraint_kind(cursor: &mut Cursor<'_>, constraint: &mut Constraint) -> Result<ConstraintKind> {
    if cursor.eat("CHECK") {
        let expression = Some(cursor.expect_parentheses()?.expression());
        return Ok(ConstraintKind::Check { expression });
    }
    if cursor.eat("UNIQUE") {
        constraint.nulls_not_distinct = cursor.eat("NULLS NOT DISTINCT");
        cursor.eat("NULLS DISTINCT");
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
        return references(cursor, columns);
    }
    if cursor.eat("EXCLUDE") {
        let method = if cursor.eat("USING") { Some(cursor.ident()?.name) } else { None };
        let mut elements = Vec::new();
        for part in cursor.expect_parentheses()?.split() {
            elements.push(element(part)?);
        }
        return Ok(ConstraintKind::Exclude { method, elements, predicate: None });
    }
    if cursor.eat("NOT NULL") {
        // A domain has one value and no columns: Postgres calls it VALUE.
        let value = |cursor: &Cursor<'_>| Ident { name: "value".to_owned(), span: cursor.span() };
        let is_attribute = cursor.is_one_of(0, &["NOT", "DEFERRABLE", "INITIALLY"]);
        let column = if is_attribute { None } else { cursor.try_ident()? };
        return Ok(ConstraintKind::NotNull { column: column.unwrap_or_else(|| value(cursor)) });
    }
    Err(cursor.expected("a constraint"))
}

/// `key WITH operator` of an exclusion.
fn element(part: Cursor<'_>) -> Result<(IndexKey, String)> {
    let mut end = part;
    if !end.skip_to(&["WITH"]) {
        return Err(end.expected("`WITH`"));
    }
    let key = index_key(part.range(part.at, end.at))?;
    end.at += 1;
    Ok((key, end.text()))
}

/// `column` or an expression, then `[COLLATE name] [class [(…)]] [ASC | DESC] [NULLS {FIRST | LAST}]`.
pub fn index_key(mut part: Cursor<'_>) -> Result<IndexKey> {
    let span = part.span();
    let start = part.at;
    let mut column = None;
    if part.parentheses().is_none() {
        let name = part.name()?;
        let called = part.is_symbol(0, "(") && part.parentheses().is_some();
        column = if called { None } else { name.parts.first().cloned() };
    }
    let expression = part.range(start, part.at).expression();
    let collation = if part.eat("COLLATE") { Some(part.name()?) } else { None };
    let ends = part.done() || part.is_one_of(0, &["ASC", "DESC"]) || part.is("NULLS FIRST") || part.is("NULLS LAST");
    let class = if ends { None } else { Some(part.name()?) };
    if class.is_some() {
        part.parentheses();
    }
    let descending = part.eat_one_of(&["ASC", "DESC"]) == Some("DESC");
    let nulls_first = match () {
        () if part.eat("NULLS FIRST") => Some(true),
        () if part.eat("NULLS LAST") => Some(false),
        () => None,
    };
    part.finish()?;
    Ok(IndexKey { span, column, expression, collation, class, descending, nulls_first })
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
        if part.is_word(0, "PERIOD") && part.token(1).is_some() && !part.is("PERIOD WITHOUT") {
            part.at += 1;
        }
        columns.push(part.ident()?);
        part.eat("WITHOUT OVERLAPS");
        part.finish()?;
    }
    Ok(columns)
}

/// `DEFAULT` or `FOR VALUES …`.
pub fn partition_bound(cursor: &mut Cursor<'_>) -> Result<PartitionBound> {
    let start = cursor.at;
    let kind = if cursor.eat("DEFAULT") {
        BoundKind::Default
    } else {
        cursor.expect("FOR VALUES")?;
        match cursor.eat_one_of(&["IN", "FROM", "WITH"]) {
            Some("IN") => BoundKind::In(values(cursor)?),
            Some("FROM") => {
                let from = values(cursor)?;
                cursor.expect("TO")?;
                BoundKind::Range { from, to: values(cursor)? }
            }
            Some(_) => hash_bound(cursor.expect_parentheses()?),
            None => return Err(cursor.expected("a partition's bound")),
        }
    };
    Ok(PartitionBound { span: cursor.span_from(start, cursor.at), kind })
}

fn values(cursor: &mut Cursor<'_>) -> Result<Vec<Expression>> {
    Ok(cursor.expect_parentheses()?.split().iter().map(Cursor::expression).collect())
}

fn hash_bound(inside: Cursor<'_>) -> BoundKind {
    let (mut modulus, mut remainder) = (None, None);
    for mut part in inside.split() {
        let word = part.eat_one_of(&["MODULUS", "REMAINDER"]);
        let number = part.text().parse().ok();
        if word == Some("MODULUS") { modulus = number } else { remainder = number }
    }
    BoundKind::Hash { modulus, remainder }
}
