//! `ALTER TABLE`: the level of each action is that of `AlterTableGetLockLevel` in `tablecmds.c`.

use crate::{
    catalog::{Constraint as KnownConstraint, Table},
    sql::{
        change::{ActionKind, AlterTable, Constraint, ConstraintKind, Generated},
        names::{Ident, ObjectName},
    },
};

use super::{Chance, LockMode, added_column, draft::Draft, partition, proof, type_change};

/// All actions run under the strongest lock that one of them needs.
pub fn table(draft: &mut Draft, alter: &AlterTable) {
    let name = &alter.table;
    let lock = alter.actions.iter().map(|it| level(&it.kind)).max().unwrap_or(LockMode::AccessExclusive);
    let alone = alter.only || alter.actions.iter().all(|it| stays_with_the_table(draft, name, &it.kind));
    if alone {
        draft.lock(name, lock);
    } else if alter.actions.iter().all(|it| builds_indexes_below(draft, name, &it.kind)) {
        draft.lock_family(name, LockMode::Share);
        draft.lock(name, lock);
    } else {
        draft.lock_family(name, lock);
    }
    for action in &alter.actions {
        self::action(draft, alter, &action.kind);
    }
}

fn level(action: &ActionKind) -> LockMode {
    match action {
        ActionKind::ValidateConstraint { .. }
        | ActionKind::ClusterOn { .. }
        | ActionKind::SetWithoutCluster
        | ActionKind::AttachPartition { .. }
        | ActionKind::DetachPartition { concurrently: true, .. }
        | ActionKind::DetachPartition { finalize: true, .. } => LockMode::ShareUpdateExclusive,
        ActionKind::StorageOptions { options, .. } => {
            match options.iter().any(|(key, _)| key == "user_catalog_table") {
                true => LockMode::AccessExclusive,
                false => LockMode::ShareUpdateExclusive,
            }
        }
        ActionKind::ColumnOption { option, .. } if is_statistics(option) => LockMode::ShareUpdateExclusive,
        ActionKind::AddConstraint(Constraint { kind: ConstraintKind::ForeignKey { .. }, .. }) => {
            LockMode::ShareRowExclusive
        }
        ActionKind::Toggle { words, .. } if words.contains("TRIGGER") => LockMode::ShareRowExclusive,
        _ => LockMode::AccessExclusive,
    }
}

/// `SET STATISTICS` and `SET (n_distinct = …)`, as opposed to `SET STORAGE` and `SET COMPRESSION`.
fn is_statistics(option: &str) -> bool {
    let option = option.to_uppercase();
    !option.contains("STORAGE") && !option.contains("COMPRESSION")
}

/// Actions that do not go down to partitions and heirs.
fn stays_with_the_table(draft: &Draft, name: &ObjectName, action: &ActionKind) -> bool {
    let already = |column: &Ident| draft.table(name).and_then(|it| it.column(column)).is_some_and(|it| it.not_null);
    match action {
        // Since Postgres 18 the heirs are locked, too, though nothing comes to them.
        ActionKind::AddConstraint(constraint) if constraint.no_inherit => draft.context.postgres.number() < 18,
        ActionKind::SetNotNull { column } if already(column) => true,
        _ => is_of_one_table(action),
    }
}

/// Before Postgres 18 partitions get their part of a key as if an index was built on them, unless columns become `NOT NULL`:
/// then they are locked as the whole is.
fn builds_indexes_below(draft: &Draft, name: &ObjectName, action: &ActionKind) -> bool {
    let partitioned = draft.table(name).filter(|it| it.partitioned && draft.context.postgres.number() < 18);
    let Some(table) = partitioned else { return false };
    let ActionKind::AddConstraint(constraint) = action else { return false };
    match &constraint.kind {
        ConstraintKind::Unique { .. } | ConstraintKind::Exclude { .. } => true,
        ConstraintKind::PrimaryKey { columns, .. } => {
            columns.iter().all(|it| table.column(it).is_some_and(|it| it.not_null))
        }
        _ => false,
    }
}

fn is_of_one_table(action: &ActionKind) -> bool {
    matches!(
        action,
        ActionKind::RenameTable { .. }
            | ActionKind::SetSchema { .. }
            | ActionKind::OwnerTo { .. }
            | ActionKind::AttachPartition { .. }
            | ActionKind::DetachPartition { .. }
            | ActionKind::ReplicaIdentity { .. }
            | ActionKind::ClusterOn { .. }
            | ActionKind::SetWithoutCluster
            | ActionKind::SetLogged { .. }
            | ActionKind::SetTablespace { .. }
            | ActionKind::SetAccessMethod { .. }
            | ActionKind::StorageOptions { .. }
            | ActionKind::Inherit { .. }
            | ActionKind::NoInherit { .. }
            | ActionKind::OfType { .. }
            | ActionKind::NotOf
            | ActionKind::ForeignOptions
            | ActionKind::RenameConstraint { .. }
            | ActionKind::SetDefault { .. }
            | ActionKind::DropDefault { .. }
    ) || matches!(action, ActionKind::Toggle { words, .. } if !words.contains("TRIGGER"))
}

fn action(draft: &mut Draft, alter: &AlterTable, action: &ActionKind) {
    let name = &alter.table;
    match action {
        ActionKind::AddColumn { column, if_not_exists } => {
            added_column::effects(draft, name, column, *if_not_exists);
        }
        ActionKind::DropColumn { column, cascade, .. } => dropped_column(draft, name, column, *cascade),
        ActionKind::AddConstraint(constraint) => added_constraint(draft, alter, constraint),
        ActionKind::DropConstraint { name: constraint, cascade, .. } => {
            dropped_constraint(draft, name, constraint, *cascade);
        }
        ActionKind::ValidateConstraint { name: constraint } => validated(draft, name, constraint),
        ActionKind::AlterConstraint { name: constraint, enforced: Some(true), .. } => enforced(draft, name, constraint),
        ActionKind::SetNotNull { column } => {
            let chance = proof::not_null(draft.context, name, column, &alter.actions).chance();
            draft.scan(name, chance);
        }
        ActionKind::SetType { .. } => type_change::effects(draft, name, action),
        ActionKind::SetExpression { column, .. } => set_expression(draft, name, column),
        ActionKind::SetLogged { logged } => {
            let changes = draft.table(name).map(|it| it.unlogged == *logged);
            draft.rewrite(name, changes.map_or(Chance::Sure, |it| if it { Chance::Sure } else { Chance::No }));
        }
        // Where nearly every table is already, so that nothing moves.
        ActionKind::SetTablespace { tablespace: to } if to.name == "pg_default" => {}
        ActionKind::SetAccessMethod { method: to } if ["heap", "default"].contains(&to.name.as_str()) => {}
        // A partitioned table has no rows of its own to move, and hands nothing down.
        ActionKind::SetTablespace { .. } | ActionKind::SetAccessMethod { .. }
            if draft.table(name).is_none_or(|it| !it.partitioned) =>
        {
            draft.rewrite(name, Chance::Sure);
        }
        ActionKind::AttachPartition { partition, bound, .. } => partition::attached(draft, name, partition, bound),
        ActionKind::DetachPartition { partition, concurrently, finalize } => {
            let gently = *concurrently || *finalize;
            partition::detached(draft, name, partition, gently);
        }
        ActionKind::Inherit { parent } => draft.lock(parent, LockMode::ShareUpdateExclusive),
        ActionKind::NoInherit { parent } => draft.lock(parent, LockMode::AccessShare),
        _ => {}
    }
}

/// A stored column is computed again in every row; a virtual one (Postgres 18) only when it is read.
fn set_expression(draft: &mut Draft, name: &ObjectName, column: &Ident) {
    let known = draft.table(name).and_then(|it| it.column(column));
    match known.and_then(|it| it.generated) {
        Some(Generated::Virtual) => {}
        _ => draft.rewrite(name, Chance::Sure),
    }
}

fn added_constraint(draft: &mut Draft, alter: &AlterTable, constraint: &Constraint) {
    let name = &alter.table;
    let checked = !constraint.not_valid && !constraint.not_enforced;
    let scanned = if checked { Chance::Sure } else { Chance::No };
    match &constraint.kind {
        ConstraintKind::Check { .. } if constraint.no_inherit => draft.scan_alone(name, scanned),
        ConstraintKind::Check { .. } => draft.scan(name, scanned),
        ConstraintKind::ForeignKey { references, columns, .. } => {
            draft.lock_family(references, LockMode::ShareRowExclusive);
            draft.scan(name, scanned);
            // A new column is null in every row: there is nothing to look up.
            let null = |of: &Ident| {
                alter.actions.iter().any(|it| {
                    matches!(&it.kind, ActionKind::AddColumn { column, .. } if column.name == *of && !added_column::has_value(column))
                })
            };
            // Neither is there in a table that has no rows yet.
            if !columns.iter().any(null) && !draft.context.is_new(name) {
                draft.scan(references, scanned);
            }
        }
        ConstraintKind::Unique { using_index: None, .. }
        | ConstraintKind::PrimaryKey { using_index: None, .. }
        | ConstraintKind::Exclude { .. } => draft.scan(name, Chance::Sure),
        ConstraintKind::Unique { .. } => {}
        ConstraintKind::PrimaryKey { .. } => {
            for column in proof::made_not_null(draft.context, name, constraint) {
                let chance = proof::not_null(draft.context, name, &column, &alter.actions).chance();
                draft.scan(name, chance);
            }
        }
        ConstraintKind::NotNull { column } => {
            if checked {
                let chance = proof::not_null(draft.context, name, column, &alter.actions).chance();
                draft.scan(name, chance);
            }
        }
    }
}

fn dropped_column(draft: &mut Draft, name: &ObjectName, column: &Ident, cascade: bool) {
    let Some(table) = draft.table(name) else { return };
    if cascade {
        let catalog = draft.context.catalog;
        let views = catalog.views_reading(&table.name, &column.name).map(|(view, _)| view.clone());
        views.collect::<Vec<_>>().iter().for_each(|it| draft.lock_readers(it));
        let points = |columns: &[Ident]| columns.is_empty() || columns.contains(column);
        let keys = catalog.foreign_keys_to(&table.name).filter(
            |key| matches!(&key.constraint.kind, ConstraintKind::ForeignKey { referenced, .. } if points(referenced)),
        );
        let keyed = |it: &[String]| it.contains(&column.name);
        let pointing = keys.filter(|_| table.primary_key().is_some_and(keyed)).map(|key| key.table.name.clone());
        pointing.collect::<Vec<_>>().iter().for_each(|it| draft.lock_family(it, LockMode::AccessExclusive));
    }
    for parent in table.constraints.iter().filter_map(|it| points_from(it, column)) {
        draft.lock_family(parent, LockMode::AccessExclusive);
    }
}

/// The table that a foreign key of this column points to.
fn points_from<'t>(constraint: &'t KnownConstraint, column: &Ident) -> Option<&'t ObjectName> {
    match &constraint.kind {
        ConstraintKind::ForeignKey { columns, references, .. } => columns.contains(column).then_some(references),
        _ => None,
    }
}

fn dropped_constraint(draft: &mut Draft, name: &ObjectName, constraint: &Ident, cascade: bool) {
    let Some(known) = draft.table(name).and_then(|it| it.constraint(constraint)) else { return };
    match &known.kind {
        ConstraintKind::ForeignKey { references, .. } => draft.lock_family(references, LockMode::AccessExclusive),
        ConstraintKind::Unique { .. } | ConstraintKind::PrimaryKey { .. } if cascade => {
            let referencing = draft.context.catalog.referencing(name).map(|it| it.name.clone()).collect::<Vec<_>>();
            for child in referencing {
                draft.lock_family(&child, LockMode::AccessExclusive);
            }
        }
        _ => {}
    }
}

/// A constraint that is valid already is not looked at again.
fn validated(draft: &mut Draft, name: &ObjectName, constraint: &Ident) {
    let known = draft.table(name).and_then(|it: &Table| it.constraint(constraint));
    if known.is_some_and(|it| it.validated) {
        return;
    }
    draft.scan(name, Chance::Sure);
    if let Some(ConstraintKind::ForeignKey { references, .. }) = known.map(|it| &it.kind) {
        draft.lock_family(references, LockMode::RowShare);
        draft.scan(references, Chance::Sure);
    }
}

/// A foreign key that begins to hold is looked up for every row (Postgres 18).
fn enforced(draft: &mut Draft, name: &ObjectName, constraint: &Ident) {
    let known = draft.table(name).and_then(|it| it.constraint(constraint));
    if known.is_some_and(|it| it.enforced) {
        return;
    }
    draft.scan(name, Chance::Sure);
    if let Some(ConstraintKind::ForeignKey { references, .. }) = known.map(|it| &it.kind) {
        draft.lock_family(references, LockMode::ShareRowExclusive);
        draft.scan(references, Chance::Sure);
    }
}
