//! sqlparser's tree → the [`Shape`] of a change, to be compared with what the recogniser reads.
//!
//! Where sqlparser reads a statement, its parse of every expression and clause is a second opinion. Kinds of
//! which it knows little give their name only. Never ask the tree for a span or its text: spans are empty for
//! most statements and overflow the stack on long chains.

use std::ops::ControlFlow;

use sqlparser::ast::{
    self, AlterColumnOperation, AlterIndexOperation, AlterTableOperation, AlterTypeOperation, BinaryOperator,
    CascadeOption, ColumnDef, ColumnOption, CopySource, DropBehavior, Expr, FromTable, GeneratedAs, MergeAction,
    ObjectNamePart, ObjectType, OnConflictAction, OnInsert, ReferentialAction, RenameTableNameKind, SchemaName, Set,
    SetExpr, Statement, TableConstraint, TableFactor, TableObject, UnaryOperator, UserDefinedTypeRepresentation, Value,
    visit_statements,
};

use super::{
    change::ObjectKind,
    names::cut,
    shape::{Shape, dropped, flags, line, list},
};

/// `None` for a tree of which nothing is said.
pub(super) fn shape(statement: &Statement) -> Option<Shape> {
    match statement {
        Statement::Query(query) => self::query(query),
        Statement::Insert(_) | Statement::Update(_) | Statement::Delete(_) | Statement::Merge(_) => {
            Some(write(statement)?.with_writes(writes(statement, verb_of_write(statement))))
        }
        Statement::Copy { source, to, .. } => {
            let table = match source {
                CopySource::Table { table_name, .. } => name(table_name)?,
                CopySource::Query(_) => String::new(),
            };
            let shape = Shape::new("COPY", line(&[&table, if *to { "to" } else { "from" }]));
            Some(shape.with_writes(writes(statement, None)))
        }
        Statement::Explain { analyze: true, .. } => {
            Some(Shape::new("EXPLAIN", "analyze").with_writes(writes(statement, None)))
        }
        Statement::Explain { options: None, .. } => Some(Shape::new("EXPLAIN", "")),
        Statement::Explain { .. } => Some(Shape::named("EXPLAIN")),
        Statement::Prepare { .. } => Some(Shape::new("PREPARE", "").with_writes(writes(statement, None))),
        Statement::Truncate(truncate) => {
            let tables: Option<Vec<String>> = truncate.table_names.iter().map(|table| name(&table.name)).collect();
            let cascade = matches!(truncate.cascade, Some(CascadeOption::Cascade));
            Some(Shape::new("TRUNCATE", line(&[&list(tables?), &flags(&[(cascade, "cascade")])])))
        }
        Statement::CreateTable(table) => create_table(statement, table),
        Statement::AlterTable(table) => alter_table(table),
        _ => create(statement).or_else(|| drop(statement)).or_else(|| other(statement)),
    }
}

fn query(query: &ast::Query) -> Option<Shape> {
    let mut body = query.body.as_ref();
    // INTO stands in the first of several selects.
    while let SetExpr::Query(_) | SetExpr::SetOperation { .. } = body {
        body = match body {
            SetExpr::Query(inside) => inside.body.as_ref(),
            SetExpr::SetOperation { left, .. } => left.as_ref(),
            _ => break,
        };
    }
    match body {
        SetExpr::Insert(statement)
        | SetExpr::Update(statement)
        | SetExpr::Delete(statement)
        | SetExpr::Merge(statement) => Some(write(statement)?.with_writes(writes(query, verb_of_write(statement)))),
        SetExpr::Select(select) if let Some(into) = &select.into => {
            let table = match into.targets.as_slice() {
                [Expr::Identifier(part)] => ident(part),
                [Expr::CompoundIdentifier(parts)] => parts.iter().map(ident).collect::<Vec<_>>().join("."),
                _ => return Some(Shape::named("CREATE TABLE")),
            };
            let before = flags(&[(into.temporary, "temporary"), (into.unlogged, "unlogged")]);
            Some(Shape::new("CREATE TABLE", line(&[&before, &table, "as"])).with_writes(writes(query, None)))
        }
        _ => Some(Shape::new("SELECT", "").with_writes(writes(query, None))),
    }
}

fn verb_of_write(statement: &Statement) -> Option<&'static str> {
    match statement {
        Statement::Insert(_) => Some("INSERT"),
        Statement::Update(_) => Some("UPDATE"),
        Statement::Delete(_) => Some("DELETE"),
        Statement::Merge(_) => Some("MERGE"),
        _ => None,
    }
}

/// The writes in a tree but its own, `own`.
fn writes<V: ast::Visit>(tree: &V, own: Option<&str>) -> Vec<String> {
    let mut found = Vec::new();
    let _: ControlFlow<()> = visit_statements(tree, |statement| {
        found.extend(verb_of_write(statement).map(str::to_owned));
        ControlFlow::Continue(())
    });
    if let Some(at) = found.iter().position(|verb| Some(verb.as_str()) == own) {
        found.remove(at);
    }
    found
}

fn write(statement: &Statement) -> Option<Shape> {
    let verb = verb_of_write(statement)?;
    let detail = match statement {
        Statement::Insert(insert) => {
            let TableObject::TableName(table) = &insert.table else { return Some(Shape::named(verb)) };
            let conflict = match &insert.on {
                None => "",
                Some(OnInsert::OnConflict(conflict)) => match conflict.action {
                    OnConflictAction::DoNothing => "do nothing",
                    OnConflictAction::DoUpdate(_) => "do update",
                },
                Some(_) => return Some(Shape::named(verb)),
            };
            line(&[&name(table)?, conflict])
        }
        Statement::Update(update) => bounded(&update.table.relation, update.selection.as_ref())?,
        Statement::Delete(delete) => {
            let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
            bounded(&from.first()?.relation, delete.selection.as_ref())?
        }
        Statement::Merge(merge) => {
            let TableFactor::Table { name: table, .. } = &merge.table else { return Some(Shape::named(verb)) };
            let deletes = merge.clauses.iter().any(|clause| matches!(clause.action, MergeAction::Delete { .. }));
            line(&[&name(table)?, &flags(&[(deletes, "deletes")])])
        }
        _ => return None,
    };
    Some(Shape::new(verb, detail))
}

fn bounded(table: &TableFactor, selection: Option<&Expr>) -> Option<String> {
    let TableFactor::Table { name: table, .. } = table else { return None };
    let bounds = selection.is_some_and(|condition| !is_always_true(condition));
    Some(line(&[&name(table)?, &flags(&[(bounds, "where")])]))
}

fn is_always_true(mut condition: &Expr) -> bool {
    while let Expr::Nested(inside) = condition {
        condition = inside;
    }
    match condition {
        Expr::Value(value) => match &value.value {
            Value::Boolean(value) => *value,
            Value::SingleQuotedString(text) => matches!(text.as_str(), "t" | "true"),
            _ => false,
        },
        Expr::UnaryOp { op: UnaryOperator::Not, expr } => {
            matches!(expr.as_ref(), Expr::Value(value) if value.value == Value::Boolean(false))
        }
        Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => match (left.as_ref(), right.as_ref()) {
            (Expr::Value(left), Expr::Value(right)) => left.value == right.value,
            _ => false,
        },
        _ => false,
    }
}

fn ident(ident: &ast::Ident) -> String {
    cut(if ident.quote_style.is_some() { ident.value.clone() } else { ident.value.to_ascii_lowercase() })
}

/// Words that Postgres reserves and sqlparser takes for names: what it read there is something else.
fn is_misread(ident: &ast::Ident) -> bool {
    const WORDS: [&str; 7] = ["only", "like", "analyze", "analyse", "freeze", "full", "verbose"];
    ident.quote_style.is_none() && WORDS.iter().any(|word| ident.value.eq_ignore_ascii_case(word))
}

fn name(name: &ast::ObjectName) -> Option<String> {
    let parts: Option<Vec<String>> = name
        .0
        .iter()
        .map(|part| match part {
            ObjectNamePart::Identifier(part) if !is_misread(part) => Some(ident(part)),
            ObjectNamePart::Identifier(_) | ObjectNamePart::Function(_) => None,
        })
        .collect();
    parts.map(|parts| parts.join("."))
}

fn column(column: &ColumnDef) -> Option<String> {
    if is_misread(&column.name) {
        return None;
    }
    let is = |test: fn(&ColumnOption) -> bool| column.options.iter().any(|option| test(&option.option));
    let identity = is(|option| {
        matches!(
            option,
            ColumnOption::Generated {
                generated_as: GeneratedAs::Always | GeneratedAs::ByDefault,
                generation_expr: None,
                ..
            }
        )
    });
    let words = flags(&[
        (is(|option| matches!(option, ColumnOption::NotNull)), "not null"),
        (is(|option| matches!(option, ColumnOption::Default(_))), "default"),
        (!identity && is(|option| matches!(option, ColumnOption::Generated { .. })), "generated"),
        (identity, "identity"),
        (is(|option| matches!(option, ColumnOption::PrimaryKey(_))), "primary key"),
        (is(|option| matches!(option, ColumnOption::Unique(_))), "unique"),
    ]);
    let mut references = String::new();
    for option in &column.options {
        if let ColumnOption::ForeignKey(key) = &option.option {
            references = format!("references {}", name(&key.foreign_table)?);
        }
    }
    Some(line(&[&ident(&column.name), &words, &references]))
}

fn constraint(constraint: &TableConstraint, not_valid: bool) -> Option<String> {
    let (given, kind) = match constraint {
        TableConstraint::Unique(unique) => (&unique.name, "unique".to_owned()),
        TableConstraint::PrimaryKey(key) => (&key.name, "primary key".to_owned()),
        TableConstraint::ForeignKey(key) => (&key.name, format!("foreign key to {}", name(&key.foreign_table)?)),
        TableConstraint::Check(check) => (&check.name, "check".to_owned()),
        TableConstraint::PrimaryKeyUsingIndex(key) => {
            (&key.name, format!("primary key using {}", ident(&key.index_name)))
        }
        TableConstraint::UniqueUsingIndex(key) => (&key.name, format!("unique using {}", ident(&key.index_name))),
        TableConstraint::Exclude(exclude) => (&exclude.name, "exclude".to_owned()),
        TableConstraint::Index(_) | TableConstraint::FulltextOrSpatial(_) => return None,
    };
    let enforced = match constraint {
        TableConstraint::Check(check) => check.enforced,
        TableConstraint::ForeignKey(key) => key.characteristics.as_ref().and_then(|it| it.enforced),
        _ => None,
    };
    let given = given.as_ref().map(ident).unwrap_or_default();
    let flags = flags(&[(not_valid, "not valid"), (enforced == Some(false), "not enforced")]);
    Some(line(&["constraint", &given, &kind, &flags]))
}

fn create_table(statement: &Statement, table: &ast::CreateTable) -> Option<Shape> {
    let verb = "CREATE TABLE";
    // LIKE and partition bounds are read by the recogniser alone.
    if table.like.is_some() || table.partition_of.is_some() || table.external {
        return Some(Shape::named(verb));
    }
    let before =
        flags(&[(table.temporary, "temporary"), (table.unlogged, "unlogged"), (table.if_not_exists, "if not exists")]);
    let mut elements = Vec::new();
    for each in &table.columns {
        elements.push(column(each)?);
    }
    for each in &table.constraints {
        elements.push(constraint(each, false)?);
    }
    let elements = if elements.is_empty() { String::new() } else { format!("({})", elements.join(", ")) };
    let inherits = match &table.inherits {
        Some(parents) => format!("inherits {}", list(parents.iter().map(name).collect::<Option<Vec<_>>>()?)),
        None => String::new(),
    };
    let after = flags(&[(table.partition_by.is_some(), "partitioned"), (table.query.is_some(), "as")]);
    let shape = Shape::new(verb, line(&[&before, &name(&table.name)?, &elements, &inherits, &after]));
    Some(if table.query.is_some() { shape.with_writes(writes(statement, None)) } else { shape })
}

fn alter_table(table: &ast::AlterTable) -> Option<Shape> {
    let before = flags(&[(table.if_exists, "if exists"), (table.only, "only")]);
    let actions: Option<Vec<String>> = table.operations.iter().map(action).collect();
    let Some(actions) = actions else { return Some(Shape::named("ALTER TABLE")) };
    let head = line(&[&before, &name(&table.name)?]);
    Some(Shape::new("ALTER TABLE", format!("{head}: {}", actions.join(", "))))
}

fn cascades(behaviour: Option<DropBehavior>) -> bool {
    matches!(behaviour, Some(DropBehavior::Cascade))
}

fn action(operation: &AlterTableOperation) -> Option<String> {
    let text = match operation {
        AlterTableOperation::AddConstraint { constraint: added, not_valid } => {
            format!("add {}", constraint(added, *not_valid)?)
        }
        AlterTableOperation::AddColumn { if_not_exists, column_def, .. } => {
            line(&["add", &flags(&[(*if_not_exists, "if not exists")]), &column(column_def)?])
        }
        AlterTableOperation::DropColumn { column_names, if_exists, drop_behavior, .. } => {
            let [column] = column_names.as_slice() else { return None };
            dropped("drop", *if_exists, ident(column), cascades(*drop_behavior))
        }
        AlterTableOperation::DropConstraint { if_exists, name, drop_behavior } => {
            dropped("drop constraint", *if_exists, ident(name), cascades(*drop_behavior))
        }
        AlterTableOperation::RenameColumn { old_column_name, new_column_name } => {
            format!("rename {} to {}", ident(old_column_name), ident(new_column_name))
        }
        AlterTableOperation::RenameConstraint { old_name, new_name } => {
            format!("rename constraint {} to {}", ident(old_name), ident(new_name))
        }
        AlterTableOperation::RenameTable { table_name: RenameTableNameKind::To(to) | RenameTableNameKind::As(to) } => {
            format!("rename to {}", name(to)?)
        }
        AlterTableOperation::AlterColumn { column_name, op } => alter_column(&ident(column_name), op),
        AlterTableOperation::ValidateConstraint { name } => format!("validate {}", ident(name)),
        AlterTableOperation::OwnerTo { .. } => "owner".to_owned(),
        AlterTableOperation::EnableRowLevelSecurity => "enable row level security".to_owned(),
        AlterTableOperation::DisableRowLevelSecurity => "disable row level security".to_owned(),
        AlterTableOperation::ForceRowLevelSecurity => "force row level security".to_owned(),
        AlterTableOperation::NoForceRowLevelSecurity => "no force row level security".to_owned(),
        AlterTableOperation::EnableTrigger { .. } => "enable trigger".to_owned(),
        AlterTableOperation::DisableTrigger { .. } => "disable trigger".to_owned(),
        AlterTableOperation::ReplicaIdentity { .. } => "replica identity".to_owned(),
        AlterTableOperation::SetLogged => "set logged".to_owned(),
        AlterTableOperation::SetUnlogged => "set unlogged".to_owned(),
        AlterTableOperation::SetOptionsParens { .. } => "set (…)".to_owned(),
        _ => return None,
    };
    Some(text)
}

fn alter_column(column: &str, operation: &AlterColumnOperation) -> String {
    match operation {
        AlterColumnOperation::SetNotNull => format!("set not null {column}"),
        AlterColumnOperation::DropNotNull => format!("drop not null {column}"),
        AlterColumnOperation::SetDefault { .. } => format!("set default {column}"),
        AlterColumnOperation::DropDefault => format!("drop default {column}"),
        AlterColumnOperation::SetDataType { using, .. } => {
            line(&["type", column, &flags(&[(using.is_some(), "using")])])
        }
        AlterColumnOperation::AddGenerated { .. } => format!("add identity {column}"),
    }
}

fn create(statement: &Statement) -> Option<Shape> {
    let shape = match statement {
        Statement::CreateView(view) => {
            let before = flags(&[
                (view.or_replace, "or replace"),
                (view.temporary, "temporary"),
                (view.if_not_exists, "if not exists"),
            ]);
            let verb = if view.materialized { "CREATE MATERIALIZED VIEW" } else { "CREATE VIEW" };
            Shape::new(verb, line(&[&before, &name(&view.name)?]))
        }
        Statement::CreateIndex(index) => {
            let verb = if index.concurrently { "CREATE INDEX CONCURRENTLY" } else { "CREATE INDEX" };
            let before = flags(&[(index.unique, "unique"), (index.if_not_exists, "if not exists")]);
            let given = index.name.as_ref().map(name).unwrap_or_default().unwrap_or_default();
            let keys = format!("{} keys", index.columns.len());
            let partial = flags(&[(index.predicate.is_some(), "where")]);
            Shape::new(verb, line(&[&before, &given, "on", &name(&index.table_name)?, &keys, &partial]))
        }
        Statement::CreateFunction(function) => {
            let replaces = flags(&[(function.or_replace, "or replace")]);
            Shape::new("CREATE FUNCTION", line(&[&replaces, &name(&function.name)?]))
        }
        Statement::CreateTrigger(trigger) => {
            let replaces = flags(&[(trigger.or_replace, "or replace")]);
            Shape::new("CREATE TRIGGER", line(&[&replaces, &name(&trigger.name)?, "on", &name(&trigger.table_name)?]))
        }
        Statement::CreatePolicy(policy) => {
            Shape::new("CREATE POLICY", line(&[&ident(&policy.name), "on", &name(&policy.table_name)?]))
        }
        Statement::CreateType { name: given, representation } => {
            let kind = match representation {
                Some(UserDefinedTypeRepresentation::Enum { .. }) => "enum",
                Some(UserDefinedTypeRepresentation::Composite { .. }) => "composite",
                Some(UserDefinedTypeRepresentation::Range { .. }) => "range",
                Some(UserDefinedTypeRepresentation::SqlDefinition { .. }) | None => "",
            };
            Shape::new("CREATE TYPE", line(&[&name(given)?, kind]))
        }
        Statement::CreateDomain(domain) => Shape::new("CREATE TYPE", line(&[&name(&domain.name)?, "domain"])),
        Statement::CreateExtension(extension) => {
            let before = flags(&[(extension.if_not_exists, "if not exists")]);
            Shape::new("CREATE EXTENSION", line(&[&before, &ident(&extension.name)]))
        }
        Statement::CreateSequence { if_not_exists, name: given, .. } => {
            let before = flags(&[(*if_not_exists, "if not exists")]);
            Shape::new("CREATE SEQUENCE", line(&[&before, &name(given)?]))
        }
        Statement::CreateSchema { schema_name, if_not_exists, .. } => {
            let given = match schema_name {
                SchemaName::Simple(given) | SchemaName::NamedAuthorization(given, _) => name(given)?,
                SchemaName::UnnamedAuthorization(_) => String::new(),
            };
            Shape::new("CREATE SCHEMA", line(&[&flags(&[(*if_not_exists, "if not exists")]), &given]))
        }
        _ => return None,
    };
    Some(shape)
}

fn referential_cascades(action: Option<ReferentialAction>) -> bool {
    matches!(action, Some(ReferentialAction::Cascade))
}

/// Every `DROP`, which sqlparser spreads over many variants.
fn drop(statement: &Statement) -> Option<Shape> {
    let all = |names: &[ast::ObjectName]| names.iter().map(name).collect::<Option<Vec<_>>>().map(list);
    let (kind, if_exists, names, on, cascade) = match statement {
        Statement::Drop { object_type, if_exists, names, cascade, table, .. } => {
            (object_kind(*object_type)?, *if_exists, all(names)?, table.as_ref(), *cascade)
        }
        Statement::DropFunction(drop) => {
            let names: Option<Vec<_>> = drop.func_desc.iter().map(|routine| name(&routine.name)).collect();
            (ObjectKind::Function, drop.if_exists, list(names?), None, cascades(drop.drop_behavior))
        }
        Statement::DropProcedure { if_exists, proc_desc, drop_behavior } => {
            let names: Option<Vec<_>> = proc_desc.iter().map(|routine| name(&routine.name)).collect();
            (ObjectKind::Procedure, *if_exists, list(names?), None, cascades(*drop_behavior))
        }
        Statement::DropDomain(drop) => {
            (ObjectKind::Domain, drop.if_exists, name(&drop.name)?, None, cascades(drop.drop_behavior))
        }
        Statement::DropTrigger(drop) => {
            let cascade = referential_cascades(drop.option);
            (ObjectKind::Trigger, drop.if_exists, name(&drop.trigger_name)?, drop.table_name.as_ref(), cascade)
        }
        Statement::DropPolicy(drop) => {
            let cascade = cascades(drop.drop_behavior);
            (ObjectKind::Policy, drop.if_exists, ident(&drop.name), Some(&drop.table_name), cascade)
        }
        Statement::DropExtension(drop) => {
            let cascade = referential_cascades(drop.cascade_or_restrict);
            (ObjectKind::Extension, drop.if_exists, list(drop.names.iter().map(ident)), None, cascade)
        }
        Statement::DropOperator(drop) => {
            (ObjectKind::Operator, drop.if_exists, String::new(), None, cascades(drop.drop_behavior))
        }
        Statement::DropOperatorClass(drop) => {
            (ObjectKind::OperatorClass, drop.if_exists, all(&drop.names)?, None, cascades(drop.drop_behavior))
        }
        Statement::DropOperatorFamily(drop) => {
            (ObjectKind::OperatorFamily, drop.if_exists, all(&drop.names)?, None, cascades(drop.drop_behavior))
        }
        _ => return None,
    };
    let on = match on {
        Some(table) => format!("on {}", name(table)?),
        None => String::new(),
    };
    let detail = line(&[&flags(&[(if_exists, "if exists")]), &names, &on, &flags(&[(cascade, "cascade")])]);
    Some(Shape::new(format!("DROP {}", kind.words()), detail))
}

fn object_kind(kind: ObjectType) -> Option<ObjectKind> {
    match kind {
        ObjectType::Collation => Some(ObjectKind::Collation),
        ObjectType::Table => Some(ObjectKind::Table),
        ObjectType::View => Some(ObjectKind::View),
        ObjectType::MaterializedView => Some(ObjectKind::MaterializedView),
        ObjectType::Index => Some(ObjectKind::Index),
        ObjectType::Schema => Some(ObjectKind::Schema),
        ObjectType::Database => Some(ObjectKind::Database),
        ObjectType::Role | ObjectType::User => Some(ObjectKind::Role),
        ObjectType::Sequence => Some(ObjectKind::Sequence),
        ObjectType::Type => Some(ObjectKind::Type),
        ObjectType::Stage | ObjectType::Stream | ObjectType::Warehouse => None,
    }
}

fn other(statement: &Statement) -> Option<Shape> {
    let shape = match statement {
        Statement::AlterIndex { name: index, operation: AlterIndexOperation::RenameIndex { index_name } } => {
            Shape::new("ALTER INDEX", format!("{}: rename to {}", name(index)?, name(index_name)?))
        }
        Statement::AlterType(alter) => {
            let action = match &alter.operation {
                AlterTypeOperation::Rename(rename) => format!("rename to {}", ident(&rename.new_name)),
                AlterTypeOperation::AddValue(add) => {
                    line(&["add value", &flags(&[(add.if_not_exists, "if not exists")])])
                }
                AlterTypeOperation::RenameValue(_) => "rename value".to_owned(),
            };
            Shape::new("ALTER TYPE", format!("{}: {action}", name(&alter.name)?))
        }
        Statement::Call(function) => Shape::new("CALL", name(&function.name)?),
        Statement::Set(set) => return set_shape(set),
        Statement::Reset(_) => Shape::named("RESET"),
        Statement::StartTransaction { .. } => Shape::new("BEGIN", ""),
        Statement::Commit { .. } => Shape::new("COMMIT", ""),
        Statement::Rollback { savepoint: None, .. } => Shape::new("ROLLBACK", ""),
        Statement::Rollback { savepoint: Some(_), .. } => Shape::new("ROLLBACK TO SAVEPOINT", ""),
        Statement::Savepoint { .. } => Shape::new("SAVEPOINT", ""),
        Statement::ReleaseSavepoint { .. } => Shape::new("RELEASE SAVEPOINT", ""),
        Statement::Grant(_) => Shape::named("GRANT"),
        Statement::Revoke(_) => Shape::named("REVOKE"),
        Statement::Comment { .. } => Shape::named("COMMENT"),
        Statement::Lock(_) => Shape::named("LOCK TABLE"),
        Statement::Analyze(_) => Shape::named("ANALYZE"),
        Statement::Vacuum(vacuum) => Shape::new(
            "VACUUM",
            line(&[
                &flags(&[(vacuum.full, "full")]),
                &vacuum.table_name.as_ref().map(name).unwrap_or_default().unwrap_or_default(),
            ]),
        ),
        Statement::Execute { .. } => Shape::new("EXECUTE", ""),
        Statement::Deallocate { .. } => Shape::new("DEALLOCATE", ""),
        Statement::Declare { .. } => Shape::named("DECLARE"),
        Statement::Fetch { .. } => Shape::named("FETCH"),
        Statement::Close { .. } => Shape::named("CLOSE"),
        Statement::CreateDatabase { .. } => Shape::named("CREATE DATABASE"),
        Statement::CreateProcedure { .. } => Shape::named("CREATE PROCEDURE"),
        Statement::CreateServer(_) => Shape::named("CREATE SERVER"),
        Statement::CreateCollation(_) => Shape::named("CREATE COLLATION"),
        Statement::CreateRole(_) | Statement::CreateUser(_) => Shape::named("CREATE ROLE"),
        Statement::AlterRole { .. } | Statement::AlterUser(_) => Shape::named("ALTER ROLE"),
        Statement::AlterSchema(_) => Shape::named("ALTER SCHEMA"),
        Statement::AlterPolicy(_) => Shape::named("ALTER POLICY"),
        _ => return None,
    };
    Some(shape)
}

fn set_shape(set: &Set) -> Option<Shape> {
    let local =
        |scope: &Option<ast::ContextModifier>| flags(&[(matches!(scope, Some(ast::ContextModifier::Local)), "local")]);
    let detail = match set {
        Set::SingleAssignment { scope, variable, .. } => line(&[&local(scope), &name(variable)?.to_lowercase()]),
        Set::SetTimeZone { local, .. } => line(&[&flags(&[(*local, "local")]), "timezone"]),
        Set::SetRole { context_modifier, .. } => line(&[&local(context_modifier), "role"]),
        Set::SetTransaction { .. } => return Some(Shape::named("SET TRANSACTION")),
        _ => return None,
    };
    Some(Shape::new("SET", detail))
}
