//! `CREATE` of tables, indexes, views, types and the smaller things.

use super::{
    super::{
        Place, Words,
        change::{
            BoundKind, Change, Constraint, ConstraintKind, CreateIndex, CreateTable, CreateType, CreateView,
            ObjectKind, PartitionBound, PartitionBy, PartitionOf, TypeKind, Unread,
        },
        names::{Ident, ObjectName},
    },
    Reading, create_routine,
    cursor::{Cursor, Result},
    kinds, operand, outputs, privilege, query, relations, sequence, table, types,
};

/// The words between `CREATE` and the kind.
#[derive(Debug, Clone, Copy, Default)]
pub struct Before {
    pub or_replace: bool,
    temporary: bool,
    unlogged: bool,
    unique: bool,
}

fn before_kind(cursor: &mut Cursor<'_>) -> Before {
    let mut before = Before { or_replace: cursor.eat("OR REPLACE"), ..Before::default() };
    while let Some(word) =
        cursor.eat_one_of(&["GLOBAL", "LOCAL", "TEMP", "TEMPORARY", "UNLOGGED", "UNIQUE", "RECURSIVE", "TRUSTED"])
    {
        match word {
            "TEMP" | "TEMPORARY" => before.temporary = true,
            "UNLOGGED" => before.unlogged = true,
            "UNIQUE" => before.unique = true,
            _ => {}
        }
    }
    before
}

/// What a statement says before a table's columns, where it creates one.
pub fn table_head(mut cursor: Cursor<'_>) -> Option<CreateTable> {
    if !cursor.eat("CREATE") {
        return None;
    }
    let before = before_kind(&mut cursor);
    let head = cursor.eat("TABLE").then(|| head(&mut cursor, before, false))?.ok()?;
    cursor.is_symbol(0, "(").then_some(head)
}

fn head(cursor: &mut Cursor<'_>, before: Before, foreign: bool) -> Result<CreateTable> {
    let if_not_exists = cursor.eat("IF NOT EXISTS");
    Ok(CreateTable {
        name: cursor.name()?,
        if_not_exists,
        temporary: before.temporary,
        unlogged: before.unlogged,
        foreign,
        from_query: cursor.has("AS"),
        ..CreateTable::default()
    })
}

pub fn create(mut cursor: Cursor<'_>) -> Result<Reading> {
    let span_from = cursor.at - 1;
    let before = before_kind(&mut cursor);
    let constraint = cursor.eat("CONSTRAINT");
    if cursor.eat("DEFAULT CONVERSION") {
        return other(cursor, ObjectKind::Conversion, before);
    }
    let kind_at = cursor.at;
    let whole = cursor.range(span_from, cursor.end);
    let Some(kind) = kinds::try_kind(&mut cursor) else { return Err(cursor.expected("a kind of object")) };
    match kind {
        ObjectKind::Table => create_table(cursor, before, false),
        ObjectKind::ForeignTable => create_table(cursor, before, true),
        ObjectKind::Index => create_index(cursor, before, whole, kind_at),
        ObjectKind::View => view(cursor, before, false),
        ObjectKind::MaterializedView => view(cursor, before, true),
        ObjectKind::Type => create_type(cursor),
        ObjectKind::Domain => domain(cursor),
        ObjectKind::Function | ObjectKind::Procedure => create_routine::routine(cursor, kind, before.or_replace),
        ObjectKind::Trigger => create_routine::trigger(cursor, before.or_replace, constraint),
        ObjectKind::Rule => create_routine::rule(cursor, before.or_replace),
        ObjectKind::Policy => privilege::policy(cursor),
        ObjectKind::Sequence => {
            let if_not_exists = cursor.eat("IF NOT EXISTS");
            let name = cursor.name()?;
            let options = Box::new(sequence::options(cursor)?);
            Ok(Change::CreateSequence { name, if_not_exists, temporary: before.temporary, options }.into())
        }
        ObjectKind::Schema => schema(cursor),
        ObjectKind::Extension => {
            let if_not_exists = cursor.eat("IF NOT EXISTS");
            let name = cursor.ident()?;
            let cascade = cursor.has("CASCADE");
            let schema = cursor.skip_to(&["SCHEMA"]).then(|| cursor.range(cursor.at + 1, cursor.end).ident());
            Ok(Change::CreateExtension { name, if_not_exists, schema: schema.transpose()?, cascade }.into())
        }
        ObjectKind::Language if !cursor.has("HANDLER") && !cursor.is_string() => {
            Ok(Change::CreateExtension { name: cursor.ident()?, if_not_exists: false, schema: None, cascade: false }
                .into())
        }
        ObjectKind::Database | ObjectKind::Tablespace => {
            let name = Some(cursor.name()?);
            let kind = if kind == ObjectKind::Database { "DATABASE" } else { "TABLESPACE" };
            Ok(Change::Server { verb: format!("CREATE {kind}"), name, setting: None }.into())
        }
        kind => other(cursor, kind, before),
    }
}

fn other(mut cursor: Cursor<'_>, kind: ObjectKind, before: Before) -> Result<Reading> {
    cursor.eat("IF NOT EXISTS");
    let name = match kind {
        ObjectKind::Cast => {
            cursor.expect_parentheses()?;
            None
        }
        ObjectKind::Transform => None,
        ObjectKind::UserMapping => {
            cursor.eat("IF NOT EXISTS");
            cursor.expect("FOR")?;
            None
        }
        ObjectKind::Statistics if cursor.is_word(0, "ON") || cursor.is_symbol(0, "(") => None,
        // Its name is no word.
        ObjectKind::Operator => None,
        ObjectKind::Language if cursor.is_string() => None,
        ObjectKind::Column | ObjectKind::Constraint | ObjectKind::LargeObject | ObjectKind::Routine => {
            return Err(cursor.expected("a kind of object"));
        }
        _ => Some(cursor.name()?),
    };
    Ok(Change::CreateOther { kind, name, or_replace: before.or_replace, on: None }.into())
}

fn create_table(mut cursor: Cursor<'_>, before: Before, foreign: bool) -> Result<Reading> {
    let head = head(&mut cursor, before, foreign)?;
    table_of(cursor, head.clone()).map_err(|reason| match reason {
        Unread::Malformed { detail } => Unread::MalformedTable { table: Box::new(head), detail },
        other => other,
    })
}

/// What follows the name of a table.
fn table_of(mut cursor: Cursor<'_>, mut created: CreateTable) -> Result<Reading> {
    let typed = cursor.eat("OF");
    if typed {
        created.of_type = Some(cursor.name()?);
    } else if cursor.eat("PARTITION OF") {
        let parent = cursor.name()?;
        created.partition_of = Some(PartitionOf { parent, default: false, bound: PartitionBound::default() });
    }
    let lenient = typed || created.partition_of.is_some() || created.from_query;
    match cursor.parentheses() {
        Some(inside) => elements(inside, &mut created, lenient)?,
        None if !lenient => return Err(cursor.expected("`(`")),
        None => {}
    }
    if let Some(partition) = &mut created.partition_of {
        partition.bound = table::partition_bound(&mut cursor)?;
        partition.default = partition.bound.kind == BoundKind::Default;
    }
    let inner = table_tail(cursor, &mut created)?;
    Ok(Reading { change: Change::CreateTable(Box::new(created)), inner })
}

fn elements(inside: Cursor<'_>, created: &mut CreateTable, lenient: bool) -> Result<()> {
    if inside.done() {
        return Ok(());
    }
    for mut part in inside.split() {
        if part.eat("LIKE") {
            created.like.push(part.name()?);
            while let Some(word) = part.eat_one_of(&["INCLUDING", "EXCLUDING"]) {
                let what = part.ident()?.name.to_ascii_uppercase();
                created.like_options.push(format!("{word} {what}"));
            }
            part.finish()?;
        } else if table::is_constraint(&part) {
            created.constraints.push(table::constraint(part)?);
        } else {
            created.columns.push(table::column(part, lenient)?);
        }
    }
    Ok(())
}

/// What follows the columns: `INHERITS`, `PARTITION BY`, options, and the query of `AS`.
fn table_tail(mut cursor: Cursor<'_>, created: &mut CreateTable) -> Result<Vec<super::super::Statement>> {
    while !cursor.done() {
        match () {
            () if cursor.eat("AS") => return source_query(cursor, created),
            () if cursor.eat("INHERITS") => created.inherits = cursor.expect_parentheses()?.names()?,
            () if cursor.eat("PARTITION BY") => {
                let strategy = cursor.ident()?.name;
                let keys = cursor.expect_parentheses()?.split().into_iter().map(table::index_key);
                created.partition_by = Some(PartitionBy { strategy, keys: keys.collect::<Result<_>>()? });
                created.partitioned = true;
            }
            () if cursor.eat("WITH") => created.options = table::options(cursor.expect_parentheses()?)?,
            () if cursor.eat("OPTIONS") => {
                cursor.expect_parentheses()?;
            }
            () if cursor.eat("USING") => created.method = Some(cursor.ident()?),
            () if cursor.eat("TABLESPACE") => created.tablespace = Some(cursor.ident()?),
            () if cursor.eat("SERVER") => {
                cursor.name()?;
            }
            () if cursor.eat("ON COMMIT DROP") => created.until_commit = true,
            () if cursor.eat("WITHOUT OIDS") => {}
            () if cursor.eat("ON COMMIT DELETE ROWS") || cursor.eat("ON COMMIT PRESERVE ROWS") => {}
            () => return Err(cursor.expected("the statement's end")),
        }
    }
    Ok(Vec::new())
}

fn ends_without_data(cursor: Cursor<'_>) -> bool {
    cursor.end.checked_sub(3).is_some_and(|at| cursor.range(at.max(cursor.at), cursor.end).is("WITH NO DATA"))
}

/// The query behind `AS`, and what is in it.
fn source_query(mut cursor: Cursor<'_>, created: &mut CreateTable) -> Result<Vec<super::super::Statement>> {
    created.without_data = ends_without_data(cursor);
    if cursor.eat("EXECUTE") {
        cursor.ident()?;
        return Ok(Vec::new());
    }
    if !query::is_query(cursor) {
        return Err(cursor.expected("a query"));
    }
    created.reads = relations::read(cursor);
    created.outputs = outputs::read(cursor).map(Box::new);
    let mut inner = query::writes_within(cursor)?;
    inner.extend(query::called_within(cursor));
    Ok(inner)
}

fn create_index(mut cursor: Cursor<'_>, before: Before, whole: Cursor<'_>, index_at: usize) -> Result<Reading> {
    // CONCURRENTLY is no index's name unless quoted: Postgres reserves it here.
    let concurrently = cursor.eat("CONCURRENTLY");
    let if_not_exists = cursor.eat("IF NOT EXISTS");
    let name = if cursor.is_word(0, "ON") { None } else { Some(cursor.ident()?) };
    cursor.expect("ON")?;
    let (table, only) = cursor.relation()?;
    let method = if cursor.eat("USING") { Some(cursor.ident()?.name) } else { None };
    let parts = cursor.expect_parentheses()?.split();
    let keys = parts.iter().map(|part| key(*part)).collect();
    let mut index = CreateIndex {
        name,
        table,
        unique: before.unique,
        concurrently,
        if_not_exists,
        only,
        method,
        keys,
        parts: parts.into_iter().map(table::index_key).collect::<Result<_>>()?,
        include: Vec::new(),
        nulls_not_distinct: false,
        partial: false,
        predicate: None,
        options: Vec::new(),
        tablespace: None,
        span: whole.span(),
        index_span: whole.span_from(index_at, index_at + 1),
    };
    while !cursor.done() {
        match () {
            () if cursor.eat("WHERE") => {
                index.predicate = Some(cursor.expression());
                index.partial = true;
                cursor.at = cursor.end;
            }
            () if cursor.eat("INCLUDE") => {
                let parts = cursor.expect_parentheses()?.split().into_iter();
                index.include = parts.map(included).collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
            }
            () if cursor.eat("WITH") => index.options = table::options(cursor.expect_parentheses()?)?,
            () if cursor.eat("TABLESPACE") => index.tablespace = Some(cursor.ident()?),
            () if cursor.eat("NULLS NOT DISTINCT") => index.nulls_not_distinct = true,
            () if cursor.eat("NULLS DISTINCT") => {}
            () => return Err(cursor.expected("the statement's end")),
        }
    }
    Ok(Change::CreateIndex(Box::new(index)).into())
}

/// A column of `INCLUDE`; `None` for an expression, which Postgres refuses later.
fn included(part: Cursor<'_>) -> Result<Option<Ident>> {
    table::index_key(part).map(|key| key.column)
}

/// A plain column by its name, anything else as written. Parentheses around one change nothing.
pub fn key(part: Cursor<'_>) -> String {
    let mut plain = part;
    if let Some(mut inside) = plain.parentheses()
        && let Ok(column) = inside.ident()
        && inside.done()
        && (plain.done() || plain.word(0).is_some())
    {
        return column.name;
    }
    plain = part;
    match plain.ident() {
        Ok(column) if plain.done() || plain.word(0).is_some() => column.name,
        _ => part.text(),
    }
}

fn view(mut cursor: Cursor<'_>, before: Before, materialized: bool) -> Result<Reading> {
    let if_not_exists = cursor.eat("IF NOT EXISTS");
    let name = cursor.name()?;
    let columns = match cursor.parentheses() {
        Some(mut inside) => inside.idents()?,
        None => Vec::new(),
    };
    let mut options = Vec::new();
    let mut clause = cursor;
    while !clause.done() && !clause.is_word(0, "AS") {
        match clause.eat("WITH") {
            true => options = table::options(clause.expect_parentheses()?)?,
            false => clause.at += 1,
        }
    }
    cursor.skip_to(&["AS"]);
    cursor.expect("AS")?;
    if !query::is_query(cursor) {
        return Err(cursor.expected("a query"));
    }
    let Before { or_replace, temporary, .. } = before;
    let mentions = mentions(cursor);
    let change = Change::CreateView(Box::new(CreateView {
        name,
        or_replace,
        materialized,
        if_not_exists,
        temporary,
        columns,
        query: cursor.span(),
        reads: relations::read(cursor),
        names: operand::expression(cursor).names,
        options,
        without_data: materialized && ends_without_data(cursor),
        mentions,
        outputs: outputs::read(cursor),
    }));
    // A materialized view calls them now, a view when it is read: nobody waits long for that.
    Ok(Reading { change, inner: query::called_within(cursor).into_iter().collect() })
}

/// Names in a query, `None` when it takes all columns of something.
fn mentions(cursor: Cursor<'_>) -> Option<Words> {
    let mut found = Vec::new();
    for at in cursor.at..cursor.end {
        let mut here = cursor.range(at, cursor.end);
        let before = cursor.range(at.saturating_sub(1).max(cursor.at), at);
        if here.is_symbol(0, "*")
            && (before.is_one_of(0, &["SELECT", "ALL", "DISTINCT"])
                || before.is_symbol(0, ".")
                || before.is_symbol(0, ","))
        {
            return None;
        }
        if let Ok(Some(name)) = here.try_ident() {
            found.push(name.name);
        }
    }
    Some(found.iter().map(String::as_str).collect())
}

fn create_type(mut cursor: Cursor<'_>) -> Result<Reading> {
    let name = cursor.name()?;
    let kind = if cursor.eat("AS ENUM") {
        let inside = cursor.expect_parentheses()?;
        let mut values = Vec::new();
        for mut part in inside.split() {
            if !part.done() {
                values.push(part.string()?);
                part.finish()?;
            }
        }
        TypeKind::Enum { values }
    } else if cursor.eat("AS RANGE") {
        let (mut subtype, mut multirange) = (None, None);
        for mut part in cursor.expect_parentheses()?.split() {
            if part.eat("SUBTYPE") && part.eat_symbol("=") {
                subtype = Some(types::data_type(&mut part)).filter(|it| !it.is_empty());
            } else if part.eat("MULTIRANGE_TYPE_NAME") && part.eat_symbol("=") {
                multirange = part.name().ok();
            }
        }
        TypeKind::Range { subtype, multirange }
    } else if cursor.eat("AS") {
        let inside = cursor.expect_parentheses()?;
        let parts = if inside.done() { Vec::new() } else { inside.split() };
        let attributes = parts.into_iter().map(|part| table::column(part, false));
        TypeKind::Composite { attributes: attributes.collect::<Result<_>>()? }
    } else {
        cursor.parentheses();
        TypeKind::Other
    };
    cursor.finish()?;
    Ok(Change::CreateType(CreateType { name, kind }).into())
}

fn domain(mut cursor: Cursor<'_>) -> Result<Reading> {
    let name = cursor.name()?;
    cursor.eat("AS");
    let data_type = types::data_type(&mut cursor);
    if data_type.is_empty() {
        return Err(cursor.expected("a type"));
    }
    let mut column = table::column_of(name.parts.last().cloned().unwrap_or_default(), data_type);
    table::clauses(&mut cursor, &mut column)?;
    let is_check = |it: &Constraint| matches!(it.kind, ConstraintKind::Check { .. });
    let kind = TypeKind::Domain {
        constrained: column.not_null || column.constraints.iter().any(is_check),
        data_type: column.data_type,
        default: column.default.map(Box::new),
        constraints: column.constraints,
    };
    Ok(Change::CreateType(CreateType { name, kind }).into())
}

fn schema(mut cursor: Cursor<'_>) -> Result<Reading> {
    let if_not_exists = cursor.eat("IF NOT EXISTS");
    let name = if cursor.is_word(0, "AUTHORIZATION") { None } else { Some(cursor.ident()?) };
    if cursor.eat("AUTHORIZATION") {
        cursor.ident()?;
    }
    // Further statements follow without `;`, each from its CREATE or GRANT to the next.
    let mut inner = Vec::new();
    while !cursor.done() {
        if !cursor.is_one_of(0, &["CREATE", "GRANT"]) {
            return Err(cursor.expected("`CREATE` or `GRANT`"));
        }
        let start = cursor.at;
        cursor.at += 1;
        cursor.skip_to(&["CREATE", "GRANT"]);
        let mut element = super::inner(cursor.range(start, cursor.at.min(cursor.end)), Place::Within);
        name.iter().for_each(|it| place_in(&mut element.change, it));
        inner.push(element);
    }
    Ok(Reading { change: Change::CreateSchema { name, if_not_exists }, inner })
}

/// An element of `CREATE SCHEMA` is made in that schema.
fn place_in(change: &mut Change, schema: &super::super::names::Ident) {
    let names: Vec<&mut ObjectName> = match change {
        Change::CreateTable(new) => vec![&mut new.name],
        Change::CreateView(new) => vec![&mut new.name],
        Change::CreateIndex(new) => vec![&mut new.table],
        Change::CreateSequence { name, .. } => vec![name],
        Change::CreateTrigger { table, .. } => vec![table],
        Change::Grant { names, .. } => names.iter_mut().collect(),
        _ => Vec::new(),
    };
    for name in names.into_iter().filter(|it| it.parts.len() == 1) {
        // Not where the schema is named: the name would reach from there to here.
        let schema = Ident { span: name.span(), ..schema.clone() };
        name.parts = [&schema].into_iter().chain(&*name.parts).cloned().collect();
    }
}

/// A name of one part, for what a rule's or routine's body belongs to.
pub fn owner(name: &super::super::names::Ident) -> ObjectName {
    ObjectName::of(name.clone())
}
