//! One statement as a line of facts, from either reading.

use liftlock::sql::{
    Change, Statement,
    change::{ActionKind, ConstraintKind, Filter, ObjectKind, OnConflict},
};
use pg_query::{
    NodeEnum,
    protobuf::{AlterTableStmt, AlterTableType, ConstrType, DropBehavior, Node, ObjectType, OnConflictAction},
};

fn line(words: &[(bool, &str)]) -> String {
    words.iter().filter(|(holds, _)| *holds).map(|(_, word)| *word).collect::<Vec<_>>().join(" ")
}

/// What the grammar reads. Kinds of which no more is compared than their being read are empty.
pub fn theirs(node: &NodeEnum) -> String {
    let cascade = |behaviour: i32| behaviour == DropBehavior::DropCascade as i32;
    match node {
        NodeEnum::IndexStmt(index) => line(&[
            (true, "create index"),
            (index.unique, "unique"),
            (index.concurrent, "concurrently"),
            (index.if_not_exists, "if not exists"),
            (index.relation.as_ref().is_some_and(|it| !it.inh), "only"),
            (index.nulls_not_distinct, "nulls not distinct"),
            (index.where_clause.is_some(), "where"),
            (index.index_including_params.iter().any(is_column), "include"),
        ]),
        NodeEnum::DropStmt(drop) => line(&[
            (true, "drop"),
            (drop.concurrent, "concurrently"),
            (drop.missing_ok, "if exists"),
            (cascade(drop.behavior), "cascade"),
        ]),
        NodeEnum::TruncateStmt(truncate) => {
            let words = line(&[(cascade(truncate.behavior), "cascade"), (truncate.restart_seqs, "restart")]);
            format!("truncate {} {words}", truncate.relations.len())
        }
        NodeEnum::DeleteStmt(delete) => line(&[(true, "delete"), (delete.where_clause.is_some(), "where")]),
        NodeEnum::UpdateStmt(update) => line(&[(true, "update"), (update.where_clause.is_some(), "where")]),
        NodeEnum::InsertStmt(insert) => {
            let action = insert.on_conflict_clause.as_ref().map_or(0, |it| it.action);
            line(&[
                (true, "insert"),
                (action == OnConflictAction::OnconflictNothing as i32, "do nothing"),
                (action == OnConflictAction::OnconflictUpdate as i32, "do update"),
            ])
        }
        NodeEnum::CreateStmt(table) => {
            format!(
                "create table {}",
                line(&[(table.if_not_exists, "if not exists"), (table.partspec.is_some(), "partitioned")])
            )
        }
        NodeEnum::AlterTableStmt(alter) => {
            if alter.objtype == ObjectType::ObjectTable as i32 {
                alter_table(alter)
            } else {
                String::new()
            }
        }
        NodeEnum::CreateTableAsStmt(created) if created.objtype == ObjectType::ObjectTable as i32 => {
            "create table as".to_owned()
        }
        NodeEnum::SelectStmt(select) if select.into_clause.is_some() => "create table as".to_owned(),
        NodeEnum::SelectStmt(_) => "select".to_owned(),
        NodeEnum::MergeStmt(_) => "merge".to_owned(),
        NodeEnum::DoStmt(_) => "do".to_owned(),
        NodeEnum::CreateTrigStmt(_) => "create trigger".to_owned(),
        NodeEnum::CreateFunctionStmt(_) => "create routine".to_owned(),
        NodeEnum::ViewStmt(_) => "create view".to_owned(),
        // What belongs to the server is one kind to us, whatever is done to it.
        NodeEnum::RenameStmt(rename)
            if rename.rename_type == ObjectType::ObjectTablespace as i32
                || rename.rename_type == ObjectType::ObjectDatabase as i32 =>
        {
            String::new()
        }
        NodeEnum::RenameStmt(_) => "rename".to_owned(),
        NodeEnum::RefreshMatViewStmt(refresh) => {
            line(&[(true, "refresh"), (refresh.concurrent, "concurrently"), (refresh.skip_data, "no data")])
        }
        NodeEnum::LockStmt(_) => "lock".to_owned(),
        NodeEnum::CommentStmt(_) => "comment".to_owned(),
        NodeEnum::GrantStmt(grant) => if grant.is_grant { "grant" } else { "revoke" }.to_owned(),
        NodeEnum::CreateDomainStmt(_) => "create domain".to_owned(),
        _ => String::new(),
    }
}

/// Expressions may be written in `INCLUDE`, and are refused later.
fn is_column(node: &Node) -> bool {
    matches!(&node.node, Some(NodeEnum::IndexElem(element)) if !element.name.is_empty())
}

fn alter_table(alter: &AlterTableStmt) -> String {
    let only = alter.relation.as_ref().is_some_and(|it| !it.inh);
    let head = line(&[(true, "alter table"), (alter.missing_ok, "if exists"), (only, "only")]);
    let actions: Vec<String> = alter.cmds.iter().map(their_action).collect();
    format!("{head}: {}", actions.join(", "))
}

fn their_action(node: &Node) -> String {
    let Some(NodeEnum::AlterTableCmd(command)) = &node.node else { return String::new() };
    let definition = command.def.as_ref().and_then(|it| it.node.as_ref());
    let cascade = command.behavior == DropBehavior::DropCascade as i32;
    match AlterTableType::try_from(command.subtype).unwrap() {
        AlterTableType::AtAddColumn => {
            let Some(NodeEnum::ColumnDef(column)) = definition else { return "add column".to_owned() };
            let has = |kind: ConstrType| {
                column.constraints.iter().any(|it| {
                    matches!(&it.node, Some(NodeEnum::Constraint(constraint)) if constraint.contype == kind as i32)
                })
            };
            line(&[
                (true, "add column"),
                (command.missing_ok, "if not exists"),
                (has(ConstrType::ConstrNotnull), "not null"),
                (has(ConstrType::ConstrDefault), "default"),
                (has(ConstrType::ConstrPrimary), "primary key"),
                (has(ConstrType::ConstrForeign), "references"),
            ])
        }
        AlterTableType::AtDropColumn => {
            line(&[(true, "drop column"), (command.missing_ok, "if exists"), (cascade, "cascade")])
        }
        AlterTableType::AtAddConstraint => {
            let Some(NodeEnum::Constraint(constraint)) = definition else { return "add constraint".to_owned() };
            line(&[
                (true, "add constraint"),
                (constraint.skip_validation && constraint.is_enforced, "not valid"),
                (!constraint.indexname.is_empty(), "using index"),
                (constraint.deferrable, "deferrable"),
            ])
        }
        AlterTableType::AtDropConstraint => {
            line(&[(true, "drop constraint"), (command.missing_ok, "if exists"), (cascade, "cascade")])
        }
        AlterTableType::AtSetNotNull => "set not null".to_owned(),
        AlterTableType::AtDropNotNull => "drop not null".to_owned(),
        AlterTableType::AtColumnDefault => if definition.is_some() { "set default" } else { "drop default" }.to_owned(),
        AlterTableType::AtAlterColumnType => {
            let using = matches!(definition, Some(NodeEnum::ColumnDef(column)) if column.raw_default.is_some());
            line(&[(true, "type"), (using, "using")])
        }
        AlterTableType::AtValidateConstraint => "validate".to_owned(),
        AlterTableType::AtAttachPartition => "attach".to_owned(),
        AlterTableType::AtDetachPartition | AlterTableType::AtDetachPartitionFinalize => {
            let Some(NodeEnum::PartitionCmd(partition)) = definition else { return "detach".to_owned() };
            line(&[(true, "detach"), (partition.concurrent, "concurrently")])
        }
        _ => "other".to_owned(),
    }
}

/// What we read, in the same words.
pub fn ours(statement: &Statement, is_domain: bool) -> String {
    match &statement.change {
        Change::CreateIndex(index) => line(&[
            (true, "create index"),
            (index.unique, "unique"),
            (index.concurrently, "concurrently"),
            (index.if_not_exists, "if not exists"),
            (index.only, "only"),
            (index.nulls_not_distinct, "nulls not distinct"),
            (index.partial, "where"),
            (!index.include.is_empty(), "include"),
        ]),
        Change::Drop(drop) if is_plain(drop.kind) => line(&[
            (true, "drop"),
            (drop.concurrently, "concurrently"),
            (drop.if_exists, "if exists"),
            (drop.cascade, "cascade"),
        ]),
        Change::Truncate(truncate) => {
            let words = line(&[(truncate.cascade, "cascade"), (truncate.restart_identity, "restart")]);
            format!("truncate {} {words}", truncate.tables.len())
        }
        // A condition that is always true is none to us, but one to the grammar.
        Change::Delete(delete) => {
            line(&[(true, "delete"), (delete.filter != Filter::None || delete.condition.is_some(), "where")])
        }
        Change::Update(update) => {
            line(&[(true, "update"), (update.filter != Filter::None || update.condition.is_some(), "where")])
        }
        Change::Insert(insert) => line(&[
            (true, "insert"),
            (insert.on_conflict == Some(OnConflict::DoNothing), "do nothing"),
            (insert.on_conflict == Some(OnConflict::DoUpdate), "do update"),
        ]),
        Change::CreateTable(table) if table.foreign => String::new(),
        Change::CreateTable(table) if table.from_query => "create table as".to_owned(),
        Change::CreateTable(table) => {
            format!(
                "create table {}",
                line(&[(table.if_not_exists, "if not exists"), (table.partitioned, "partitioned")])
            )
        }
        Change::AlterTable(alter) if alter.foreign => String::new(),
        Change::AlterTable(alter) => {
            if let [action] = alter.actions.as_slice() {
                match &action.kind {
                    ActionKind::RenameTable { .. }
                    | ActionKind::RenameColumn { .. }
                    | ActionKind::RenameConstraint { .. } => return "rename".to_owned(),
                    ActionKind::SetSchema { .. } => return String::new(),
                    _ => {}
                }
            }
            let head = line(&[(true, "alter table"), (alter.if_exists, "if exists"), (alter.only, "only")]);
            let actions: Vec<String> = alter.actions.iter().map(|it| our_action(&it.kind)).collect();
            format!("{head}: {}", actions.join(", "))
        }
        Change::Query { .. } => "select".to_owned(),
        Change::Merge { .. } => "merge".to_owned(),
        Change::Do { .. } => "do".to_owned(),
        Change::CreateTrigger { .. } => "create trigger".to_owned(),
        Change::CreateRoutine(_) => "create routine".to_owned(),
        Change::CreateView(view) if !view.materialized => "create view".to_owned(),
        Change::AlterObject(object) => match object.action {
            liftlock::sql::change::ObjectAction::Rename { .. }
            | liftlock::sql::change::ObjectAction::RenamePart { .. } => "rename".to_owned(),
            _ => String::new(),
        },
        Change::Refresh { concurrently, with_data, .. } => {
            line(&[(true, "refresh"), (*concurrently, "concurrently"), (!with_data, "no data")])
        }
        Change::Lock { .. } => "lock".to_owned(),
        Change::Comment { .. } => "comment".to_owned(),
        Change::Grant { kind: Some(_), revoke, .. } => if *revoke { "revoke" } else { "grant" }.to_owned(),
        Change::CreateType(_) if is_domain => "create domain".to_owned(),
        _ => String::new(),
    }
}

/// What the grammar drops with its one `DropStmt`.
fn is_plain(kind: ObjectKind) -> bool {
    !matches!(
        kind,
        ObjectKind::Database
            | ObjectKind::Role
            | ObjectKind::Subscription
            | ObjectKind::Tablespace
            | ObjectKind::UserMapping
    )
}

fn our_action(action: &ActionKind) -> String {
    match action {
        ActionKind::AddColumn { column, if_not_exists } => line(&[
            (true, "add column"),
            (*if_not_exists, "if not exists"),
            (column.not_null, "not null"),
            (column.default.is_some(), "default"),
            (column.primary_key, "primary key"),
            (column.references.is_some(), "references"),
        ]),
        ActionKind::DropColumn { if_exists, cascade, .. } => {
            line(&[(true, "drop column"), (*if_exists, "if exists"), (*cascade, "cascade")])
        }
        ActionKind::AddConstraint(added) => {
            let using_index = matches!(
                &added.kind,
                ConstraintKind::Unique { using_index: Some(_), .. }
                    | ConstraintKind::PrimaryKey { using_index: Some(_), .. }
            );
            line(&[
                (true, "add constraint"),
                (added.not_valid, "not valid"),
                (using_index, "using index"),
                (added.deferrable, "deferrable"),
            ])
        }
        ActionKind::DropConstraint { if_exists, cascade, .. } => {
            line(&[(true, "drop constraint"), (*if_exists, "if exists"), (*cascade, "cascade")])
        }
        ActionKind::SetNotNull { .. } => "set not null".to_owned(),
        ActionKind::DropNotNull { .. } => "drop not null".to_owned(),
        ActionKind::SetDefault { .. } => "set default".to_owned(),
        ActionKind::DropDefault { .. } => "drop default".to_owned(),
        ActionKind::SetType { using, .. } => line(&[(true, "type"), (using.is_some(), "using")]),
        ActionKind::ValidateConstraint { .. } => "validate".to_owned(),
        ActionKind::AttachPartition { .. } => "attach".to_owned(),
        ActionKind::DetachPartition { concurrently, .. } => line(&[(true, "detach"), (*concurrently, "concurrently")]),
        _ => "other".to_owned(),
    }
}
