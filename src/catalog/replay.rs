//! A change applied to a catalog.

use std::sync::Arc;

use crate::sql::{
    Change, Place, Statement,
    change::{
        ActionKind, AlterObject, AlterTable, Column as NewColumn, Constraint as NewConstraint, ConstraintKind,
        CreateIndex, CreateRoutine, CreateTable, CreateView, Drop, Generated, ObjectAction, ObjectKind, SetScope,
        TypeKind, Volatility,
    },
    names::{Ident, ObjectName},
};

use super::{
    Catalog, Column, Constraint, Index, Origin, Release, Routine, Sequence, TEMPORARY, Table, Trigger, Type, View,
    in_schema,
};

/// What happens to the catalog when a statement runs; its inner statements are replayed by whoever walks them,
/// but for a routine's body, which is kept for its calls.
pub fn replay(catalog: &mut Catalog, statement: &Statement, origin: Origin) {
    match &statement.change {
        Change::CreateTable(table) => create_table(catalog, table, origin),
        Change::AlterTable(alter) => alter_table(catalog, alter, origin),
        Change::CreateIndex(index) => create_index(catalog, index, origin),
        Change::AlterObject(alter) => alter_object(catalog, alter),
        Change::Drop(drop) => drop_objects(catalog, drop, origin),
        Change::CreateView(view) => create_view(catalog, view, origin),
        Change::CreateType(new) => {
            let name = catalog.target(&new.name);
            catalog.types.insert(name, Type { kind: new.kind.clone(), origin });
        }
        Change::CreateRoutine(routine) => create_routine(catalog, routine, &statement.inner, origin),
        Change::CreateTrigger { name, table, routine, .. } => {
            let table = catalog.resolve(table);
            catalog.triggers.retain(|it| it.name != name.name || it.table != table);
            let routine = routine.as_ref().map(|it| catalog.resolve(it));
            catalog.triggers.push(Trigger { name: name.name.clone(), table, routine, origin });
        }
        Change::CreateSequence { name, if_not_exists } => {
            let name = catalog.target(name);
            if !(*if_not_exists && catalog.sequences.contains_key(&name)) {
                catalog.sequences.insert(name, Sequence { origin: origin.unless(*if_not_exists) });
            }
        }
        Change::CreateSchema { name: Some(name), if_not_exists } => {
            catalog.schemas.entry(name.name.clone()).or_insert(origin.unless(*if_not_exists));
        }
        Change::CreateExtension { name, if_not_exists } => {
            let key = (ObjectKind::Extension, plain(name), None);
            catalog.others.entry(key).or_insert(origin.unless(*if_not_exists));
        }
        Change::CreatePolicy { name, table } => {
            let key = (ObjectKind::Policy, plain(name), Some(catalog.resolve(table)));
            catalog.others.insert(key, origin);
        }
        Change::CreateOther { kind, name: Some(name), or_replace, on } => {
            if let Some(table) = on {
                create_rule(catalog, name, table, &statement.inner, origin);
            }
            let key = (*kind, name.clone(), None);
            let origin = origin.unless(*or_replace);
            catalog.others.entry(key).or_insert(origin);
        }
        Change::Set(set) if set.name == "search_path" => {
            let value = if set.scope == SetScope::Reset { None } else { set.value.as_deref() };
            catalog.search_path = value.map(search_path).unwrap_or_default();
        }
        Change::Harmless { verb } if verb == "DISCARD ALL" => catalog.end_session(),
        Change::Harmless { verb } if verb.starts_with("DISCARD TEMP") => catalog.drop_temporary(),
        // Neither data nor settings change what exists.
        _ => {}
    }
}

impl Origin {
    /// Not for sure when the statement says `IF NOT EXISTS` or `OR REPLACE`.
    fn unless(self, conditional: bool) -> Self {
        Self { certain: self.certain && !conditional, ..self }
    }
}

fn plain(name: &Ident) -> ObjectName {
    ObjectName { parts: vec![name.clone()], span: name.span }
}

fn search_path(value: &str) -> Vec<String> {
    let schemas = value.split(',').map(|it| it.trim().trim_matches(['"', '\'']));
    schemas.filter(|it| !it.is_empty() && *it != "$user").map(str::to_owned).collect()
}

fn create_table(catalog: &mut Catalog, new: &CreateTable, origin: Origin) {
    let name = if new.temporary { in_schema(&new.name, TEMPORARY) } else { catalog.target(&new.name) };
    if catalog.tables.contains_key(&name) && (new.if_not_exists || !origin.certain) {
        return;
    }
    // A temporary table is the session's own: whoever made it, it is new here.
    let release = if new.temporary { Release::Judged } else { origin.release };
    let origin = Origin { release, ..origin.unless(new.if_not_exists) };
    let mut table = Table {
        temporary: new.temporary,
        until_commit: new.until_commit,
        foreign: new.foreign,
        unlogged: new.unlogged,
        partitioned: new.partitioned,
        partition_of: new.partition_of.as_ref().map(|it| catalog.resolve(&it.parent)),
        inherits: new.inherits.iter().map(|it| catalog.resolve(it)).collect(),
        partial: new.from_query || !new.like.is_empty(),
        ..unknown_table(&name, origin)
    };
    let parents = new.like.iter().chain(&new.inherits).chain(new.partition_of.iter().map(|it| &it.parent));
    for parent in parents {
        let parent = catalog.table(parent);
        table.columns.extend(parent.into_iter().flat_map(|it| it.columns.clone()).map(|it| Column { origin, ..it }));
        table.partial |= parent.is_none_or(|it| it.partial);
    }
    if let Some(partition) = &new.partition_of {
        attach(catalog, &partition.parent, &name, partition.default);
    }
    let mut indexes = Vec::new();
    for column in &new.columns {
        add_column(catalog, &mut table, column, origin, &mut indexes);
    }
    for constraint in &new.constraints {
        add_constraint(catalog, &mut table, constraint, origin, &mut indexes);
    }
    catalog.tables.insert(name, table);
    catalog.indexes.extend(indexes);
}

/// A table that no file creates: it is altered, so it is there. Whatever it is called later, it is not new.
fn unknown_table(name: &ObjectName, origin: Origin) -> Table {
    Table {
        name: name.clone(),
        origin,
        columns: Vec::new(),
        constraints: Vec::new(),
        temporary: false,
        until_commit: false,
        foreign: false,
        unlogged: false,
        partitioned: false,
        partition_of: None,
        partitions: Vec::new(),
        default_partition: None,
        inherits: Vec::new(),
        partial: true,
    }
}

/// Adds a column and what stands behind it: `PRIMARY KEY`, `UNIQUE`, `CHECK`, `REFERENCES`.
fn add_column(
    catalog: &Catalog,
    table: &mut Table,
    new: &NewColumn,
    origin: Origin,
    indexes: &mut Vec<(ObjectName, Index)>,
) {
    table.columns.push(Column {
        name: new.name.name.clone(),
        data_type: new.data_type.clone(),
        not_null: new.not_null || new.primary_key || new.is_serial() || new.generated == Some(Generated::Identity),
        default: new.default.clone(),
        generated: new.generated,
        origin,
    });
    let columns = || vec![new.name.clone()];
    let mut kinds = Vec::new();
    if new.primary_key {
        kinds.push(ConstraintKind::PrimaryKey { columns: columns(), using_index: None });
    }
    if new.unique {
        kinds.push(ConstraintKind::Unique { columns: columns(), using_index: None });
    }
    if let Some(references) = &new.references {
        kinds.push(ConstraintKind::ForeignKey { columns: columns(), references: references.clone() });
    }
    kinds.extend(new.check.iter().map(|it| ConstraintKind::Check { expression: Some(it.clone()) }));
    for kind in kinds {
        let name = automatic_name(table, &kind, Some(&new.name));
        let span = new.span;
        let constraint =
            NewConstraint { name: Some(Ident { name, span }), kind, not_valid: false, not_enforced: false, span };
        add_constraint(catalog, table, &constraint, origin, indexes);
    }
}

fn add_constraint(
    catalog: &Catalog,
    table: &mut Table,
    new: &NewConstraint,
    origin: Origin,
    indexes: &mut Vec<(ObjectName, Index)>,
) {
    let name = new.name.as_ref().map(|it| it.name.clone());
    let name = name.unwrap_or_else(|| automatic_name(table, &new.kind, None));
    let validated = !new.not_valid && !new.not_enforced;
    let kind = match &new.kind {
        ConstraintKind::ForeignKey { columns, references } => {
            ConstraintKind::ForeignKey { columns: columns.clone(), references: catalog.resolve(references) }
        }
        kind => kind.clone(),
    };
    match &kind {
        ConstraintKind::PrimaryKey { columns, using_index: None } => {
            set_not_null(table, columns);
            indexes.push(constraint_index(table, &name, columns, origin));
        }
        ConstraintKind::Unique { columns, using_index: None } => {
            indexes.push(constraint_index(table, &name, columns, origin));
        }
        ConstraintKind::PrimaryKey { using_index: Some(index), .. } => {
            let keys = catalog.index(&plain_beside(&table.name, index)).map(|it| it.keys.clone()).unwrap_or_default();
            let columns = keys.into_iter().map(|name| Ident { name, span: new.span }).collect::<Vec<_>>();
            set_not_null(table, &columns);
        }
        ConstraintKind::NotNull { column } if validated => set_not_null(table, std::slice::from_ref(column)),
        ConstraintKind::NotNull { .. }
        | ConstraintKind::Unique { .. }
        | ConstraintKind::Check { .. }
        | ConstraintKind::ForeignKey { .. }
        | ConstraintKind::Exclude => {}
    }
    table.constraints.push(Constraint {
        name,
        kind,
        validated,
        enforced: !new.not_enforced,
        origin,
        validated_by: validated.then_some(origin.migration),
    });
}

fn set_not_null(table: &mut Table, columns: &[Ident]) {
    for column in table.columns.iter_mut().filter(|it| columns.iter().any(|name| name.name == it.name)) {
        column.not_null = true;
    }
}

fn constraint_index(table: &Table, name: &str, columns: &[Ident], origin: Origin) -> (ObjectName, Index) {
    let index_name = plain_beside(&table.name, &Ident { name: name.to_owned(), span: table.name.span });
    let index = Index {
        name: index_name.clone(),
        table: table.name.clone(),
        unique: true,
        keys: columns.iter().map(|it| it.name.clone()).collect(),
        partial: false,
        method: None,
        origin,
        constraint: Some(name.to_owned()),
    };
    (index_name, index)
}

/// A name in the schema of another.
fn plain_beside(beside: &ObjectName, name: &Ident) -> ObjectName {
    match beside.parts.len() {
        0 | 1 => plain(name),
        _ => in_schema(&plain(name), beside.schema()),
    }
}

/// What Postgres calls a constraint that nobody named (`ChooseConstraintName`), without the cut at 63 bytes.
fn automatic_name(table: &Table, kind: &ConstraintKind, column: Option<&Ident>) -> String {
    let joined = |columns: &[Ident]| columns.iter().map(|it| it.name.as_str()).collect::<Vec<_>>().join("_");
    let own = table.name.last();
    let base = match kind {
        ConstraintKind::PrimaryKey { .. } => format!("{own}_pkey"),
        ConstraintKind::Unique { columns, .. } => format!("{own}_{}_key", joined(columns)),
        ConstraintKind::ForeignKey { columns, .. } => format!("{own}_{}_fkey", joined(columns)),
        ConstraintKind::Check { .. } => match column {
            Some(column) => format!("{own}_{column}_check"),
            None => format!("{own}_check"),
        },
        ConstraintKind::NotNull { column } => format!("{own}_{column}_not_null"),
        ConstraintKind::Exclude => format!("{own}_excl"),
    };
    let taken = |name: &String| table.constraints.iter().any(|it| it.name == *name);
    let numbered = (1..).map(|number| format!("{base}{number}"));
    std::iter::once(base.clone()).chain(numbered).find(|name| !taken(name)).expect("numbers do not run out")
}

fn alter_table(catalog: &mut Catalog, alter: &AlterTable, origin: Origin) {
    let name = catalog.resolve(&alter.table);
    if !catalog.tables.contains_key(&name) && !catalog.views.contains_key(&name) {
        let found = Origin { release: Release::History, ..origin };
        catalog.tables.insert(name.clone(), unknown_table(&name, found));
    }
    for action in &alter.actions {
        match &action.kind {
            ActionKind::RenameTable { to } => {
                let new = plain_beside(&name, to);
                return rename_relation(catalog, &name, &new);
            }
            ActionKind::SetSchema { to } => {
                let new = in_schema(&name, &to.name);
                return rename_relation(catalog, &name, &new);
            }
            ActionKind::AttachPartition { partition, default } => {
                let partition = catalog.resolve(partition);
                attach(catalog, &name, &partition, *default);
            }
            ActionKind::DetachPartition { partition, .. } => {
                let partition = catalog.resolve(partition);
                detach(catalog, &name, &partition);
            }
            kind => {
                // Taken out while it changes, so that the catalog can be asked meanwhile.
                let Some(mut table) = catalog.tables.remove(&name) else { continue };
                let mut indexes = Vec::new();
                alter_columns(catalog, &mut table, kind, origin, &mut indexes);
                catalog.tables.insert(name.clone(), table);
                catalog.indexes.extend(indexes);
            }
        }
    }
}

fn alter_columns(
    catalog: &mut Catalog,
    table: &mut Table,
    action: &ActionKind,
    origin: Origin,
    indexes: &mut Vec<(ObjectName, Index)>,
) {
    match action {
        ActionKind::AddColumn { column, if_not_exists } => {
            if table.column(&column.name).is_none() {
                add_column(catalog, table, column, origin.unless(*if_not_exists), indexes);
            }
        }
        ActionKind::DropColumn { column, .. } if origin.certain => drop_column(catalog, table, column),
        ActionKind::AddConstraint(constraint) => add_constraint(catalog, table, constraint, origin, indexes),
        ActionKind::DropConstraint { name, .. } => {
            table.constraints.retain(|it| it.name != name.name);
            let own = &table.name;
            catalog.indexes.retain(|_, it| it.table != *own || it.constraint.as_ref() != Some(&name.name));
        }
        ActionKind::ValidateConstraint { name } if origin.certain => {
            let mut proven = None;
            for it in table.constraints.iter_mut().filter(|it| it.name == name.name && it.enforced) {
                it.validated = true;
                it.validated_by = Some(origin.migration);
                if let ConstraintKind::NotNull { column } = &it.kind {
                    proven = Some(column.clone());
                }
            }
            set_not_null(table, proven.as_slice());
        }
        ActionKind::RenameConstraint { from, to } => {
            for it in table.constraints.iter_mut().filter(|it| it.name == from.name) {
                it.name.clone_from(&to.name);
            }
        }
        ActionKind::SetLogged { logged } => table.unlogged = !logged,
        ActionKind::Inherit { parent } => table.inherits.push(catalog.resolve(parent)),
        ActionKind::NoInherit { parent } => {
            let parent = catalog.resolve(parent);
            table.inherits.retain(|it| *it != parent);
        }
        ActionKind::RenameColumn { from, to } => rename_column(catalog, table, from, to),
        ActionKind::SetType { column, data_type, .. } if table.partial && table.column(column).is_none() => {
            table.columns.push(unknown_column(column, data_type, table.origin));
        }
        action => alter_column(table, action, origin),
    }
}

/// A column that no file creates: all that is known is what it becomes.
fn unknown_column(name: &Ident, data_type: &str, origin: Origin) -> Column {
    let (name, data_type) = (name.name.clone(), data_type.to_owned());
    Column { name, data_type, not_null: false, default: None, generated: None, origin }
}

fn alter_column(table: &mut Table, action: &ActionKind, origin: Origin) {
    let mut each = |name: &Ident, change: &dyn Fn(&mut Column)| {
        table.columns.iter_mut().filter(|it| it.name == name.name).for_each(change);
    };
    match action {
        // Behind an IF nobody knows; the weaker answer is kept.
        ActionKind::SetNotNull { column } if origin.certain => each(column, &|it| it.not_null = true),
        ActionKind::DropNotNull { column } => each(column, &|it| it.not_null = false),
        ActionKind::SetDefault { column, default } => each(column, &|it| it.default.clone_from(default)),
        ActionKind::DropDefault { column } => each(column, &|it| it.default = None),
        ActionKind::SetType { column, data_type, .. } => each(column, &|it| it.data_type.clone_from(data_type)),
        ActionKind::AddIdentity { column } => each(column, &|it| it.generated = Some(Generated::Identity)),
        ActionKind::DropIdentity { column } | ActionKind::DropExpression { column } => {
            each(column, &|it| it.generated = None);
        }
        _ => {}
    }
}

/// A column goes with the constraints and indexes that name it.
fn drop_column(catalog: &mut Catalog, table: &mut Table, column: &Ident) {
    table.columns.retain(|it| it.name != column.name);
    table.constraints.retain(|it| !constrains(&it.kind, column));
    let own = &table.name;
    catalog.indexes.retain(|_, it| it.table != *own || !it.keys.contains(&column.name));
}

fn constrains(kind: &ConstraintKind, column: &Ident) -> bool {
    match kind {
        ConstraintKind::ForeignKey { columns, .. }
        | ConstraintKind::Unique { columns, .. }
        | ConstraintKind::PrimaryKey { columns, .. } => columns.contains(column),
        ConstraintKind::NotNull { column: own } => own == column,
        ConstraintKind::Check { .. } | ConstraintKind::Exclude => false,
    }
}

fn rename_column(catalog: &mut Catalog, table: &mut Table, from: &Ident, to: &Ident) {
    for column in table.columns.iter_mut().filter(|it| it.name == from.name) {
        column.name.clone_from(&to.name);
    }
    for constraint in &mut table.constraints {
        match &mut constraint.kind {
            ConstraintKind::ForeignKey { columns, .. }
            | ConstraintKind::Unique { columns, .. }
            | ConstraintKind::PrimaryKey { columns, .. } => {
                columns.iter_mut().filter(|it| it.name == from.name).for_each(|it| it.name.clone_from(&to.name));
            }
            ConstraintKind::NotNull { column } if column.name == from.name => column.name.clone_from(&to.name),
            // Its text names the old column now, so it proves nothing about the new one: on the safe side.
            ConstraintKind::Check { .. } | ConstraintKind::NotNull { .. } | ConstraintKind::Exclude => {}
        }
    }
    for index in catalog.indexes.values_mut().filter(|it| it.table == table.name) {
        index.keys.iter_mut().filter(|it| **it == from.name).for_each(|it| it.clone_from(&to.name));
    }
}

fn attach(catalog: &mut Catalog, parent: &ObjectName, partition: &ObjectName, default: bool) {
    let parent = catalog.resolve(parent);
    if let Some(table) = catalog.tables.get_mut(&parent) {
        table.partitions.push(partition.clone());
        if default {
            table.default_partition = Some(partition.clone());
        }
    }
    if let Some(table) = catalog.tables.get_mut(partition) {
        table.partition_of = Some(parent);
    }
}

fn detach(catalog: &mut Catalog, parent: &ObjectName, partition: &ObjectName) {
    if let Some(table) = catalog.tables.get_mut(parent) {
        table.partitions.retain(|it| it != partition);
        table.default_partition.take_if(|it| it == partition);
    }
    if let Some(table) = catalog.tables.get_mut(partition) {
        table.partition_of = None;
    }
}

fn create_index(catalog: &mut Catalog, new: &CreateIndex, origin: Origin) {
    let table = catalog.resolve(&new.table);
    let keys = new.keys.join("_");
    let automatic = || Ident { name: format!("{}_{keys}_idx", table.last()), span: new.span };
    let name = plain_beside(&table, &new.name.clone().unwrap_or_else(automatic));
    if new.if_not_exists && catalog.indexes.contains_key(&name) {
        return;
    }
    let index = Index {
        name: name.clone(),
        table,
        unique: new.unique,
        keys: new.keys.clone(),
        partial: new.partial,
        method: new.method.clone(),
        origin: origin.unless(new.if_not_exists),
        constraint: None,
    };
    catalog.indexes.insert(name, index);
}

fn create_view(catalog: &mut Catalog, new: &CreateView, origin: Origin) {
    let name = if new.temporary { in_schema(&new.name, TEMPORARY) } else { catalog.target(&new.name) };
    if catalog.views.contains_key(&name) && (new.if_not_exists || new.or_replace) {
        return;
    }
    let origin = origin.unless(new.if_not_exists || new.or_replace);
    catalog.views.insert(name, View { materialized: new.materialized, origin });
}

/// `OR REPLACE` may replace a definition or add an overload; which one its arguments say, and those are not
/// kept. All definitions stay until a `DROP`, so that a call never runs something unseen.
fn create_routine(catalog: &mut Catalog, new: &CreateRoutine, inner: &[Statement], origin: Origin) {
    let name = catalog.target(&new.name);
    let body = inner.iter().filter(|it| matches!(it.place, Place::Routine(_))).cloned().collect::<Vec<_>>();
    let routine = Routine {
        kind: new.kind,
        volatility: new.volatility,
        language: new.body.language.clone(),
        body: Arc::from(body),
        inlined: new.body.expression && new.body.language == "sql" && !new.security_definer && new.sets.is_empty(),
        origin: origin.unless(new.or_replace),
    };
    catalog.routines.entry(name).or_default().push(routine);
}

/// A rule is a trigger whose routine is its actions; that routine has a name that no other has.
fn create_rule(catalog: &mut Catalog, name: &ObjectName, table: &ObjectName, actions: &[Statement], origin: Origin) {
    let table = catalog.resolve(table);
    let actions_of = in_schema(name, &format!("rule on {table}"));
    let routine = Routine {
        kind: ObjectKind::Rule,
        volatility: Volatility::Volatile,
        language: "sql".to_owned(),
        body: Arc::from(actions),
        inlined: false,
        origin,
    };
    catalog.routines.insert(actions_of.clone(), vec![routine]);
    catalog.triggers.retain(|it| it.name != name.last() || it.table != table);
    let name = name.last().to_owned();
    catalog.triggers.push(Trigger { name, table, routine: Some(actions_of), origin });
}

fn alter_object(catalog: &mut Catalog, alter: &AlterObject) {
    let Some(name) = alter.name.as_ref().map(|it| catalog.resolve(it)) else { return };
    let known = catalog.types.get_mut(&name).map(|it| &mut it.kind);
    if let Some(TypeKind::Domain { constrained, default, .. }) = known {
        match alter.action {
            ObjectAction::AddConstraint(_) | ObjectAction::SetNotNull => *constrained = true,
            ObjectAction::DropDefault => *default = None,
            _ => {}
        }
    }
    let new = match &alter.action {
        ObjectAction::Rename { to } => plain_beside(&name, to),
        ObjectAction::SetSchema { to } => in_schema(&name, &to.name),
        _ => return,
    };
    match alter.kind {
        ObjectKind::Schema => {
            let origin = catalog.schemas.remove(name.last());
            catalog.schemas.extend(origin.map(|it| (new.last().to_owned(), it)));
        }
        ObjectKind::Index => {
            let index = catalog.indexes.remove(&name);
            catalog.indexes.extend(index.map(|it| (new.clone(), Index { name: new, ..it })));
        }
        ObjectKind::Type | ObjectKind::Domain => {
            let kept = catalog.types.remove(&name);
            catalog.types.extend(kept.map(|it| (new, it)));
        }
        ObjectKind::Sequence => {
            let kept = catalog.sequences.remove(&name);
            catalog.sequences.extend(kept.map(|it| (new, it)));
        }
        ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Routine => {
            let kept = catalog.routines.remove(&name);
            catalog.routines.extend(kept.map(|it| (new, it)));
        }
        ObjectKind::View | ObjectKind::MaterializedView => rename_relation(catalog, &name, &new),
        _ => {}
    }
}

fn rename_relation(catalog: &mut Catalog, old: &ObjectName, new: &ObjectName) {
    let view = catalog.views.remove(old);
    catalog.views.extend(view.map(|it| (new.clone(), it)));
    let Some(mut table) = catalog.tables.remove(old) else { return };
    table.name = new.clone();
    catalog.tables.insert(new.clone(), table);
    for index in catalog.indexes.values_mut().filter(|it| it.table == *old) {
        index.table = new.clone();
    }
    for trigger in catalog.triggers.iter_mut().filter(|it| it.table == *old) {
        trigger.table = new.clone();
    }
    for table in catalog.tables.values_mut() {
        for name in table.partitions.iter_mut().chain(&mut table.partition_of).chain(&mut table.inherits) {
            if name == old {
                *name = new.clone();
            }
        }
        if table.default_partition.as_ref() == Some(old) {
            table.default_partition = Some(new.clone());
        }
        for constraint in &mut table.constraints {
            if let ConstraintKind::ForeignKey { references, .. } = &mut constraint.kind
                && references == old
            {
                *references = new.clone();
            }
        }
    }
}

fn drop_objects(catalog: &mut Catalog, drop: &Drop, origin: Origin) {
    // What is perhaps dropped is kept: forgetting it would hide what later statements do to it.
    if !origin.certain {
        return;
    }
    let on = drop.on.as_ref().map(|it| catalog.resolve(it));
    for name in &drop.names {
        let name = catalog.resolve(name);
        match drop.kind {
            ObjectKind::Table | ObjectKind::ForeignTable => drop_table(catalog, &name),
            ObjectKind::Index => drop_entry(&mut catalog.indexes, &name),
            ObjectKind::View | ObjectKind::MaterializedView => drop_entry(&mut catalog.views, &name),
            ObjectKind::Type | ObjectKind::Domain => drop_entry(&mut catalog.types, &name),
            ObjectKind::Sequence => drop_entry(&mut catalog.sequences, &name),
            ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Routine => {
                drop_entry(&mut catalog.routines, &name);
            }
            ObjectKind::Schema => drop_schema(catalog, name.last()),
            ObjectKind::Trigger => {
                catalog.triggers.retain(|it| it.name != name.last() || Some(&it.table) != on.as_ref());
            }
            kind => {
                catalog.others.remove(&(kind, name, on.clone()));
            }
        }
    }
}

fn drop_entry<V>(entries: &mut std::collections::BTreeMap<ObjectName, V>, name: &ObjectName) {
    entries.remove(name);
}

fn drop_table(catalog: &mut Catalog, name: &ObjectName) {
    let Some(table) = catalog.tables.remove(name) else { return };
    catalog.indexes.retain(|_, it| it.table != *name);
    catalog.triggers.retain(|it| it.table != *name);
    if let Some(parent) = table.partition_of {
        detach(catalog, &parent, name);
    }
    for partition in table.partitions {
        drop_table(catalog, &partition);
    }
}

fn drop_schema(catalog: &mut Catalog, schema: &str) {
    catalog.schemas.remove(schema);
    catalog.tables.retain(|name, _| name.schema() != schema);
    catalog.indexes.retain(|name, _| name.schema() != schema);
    catalog.views.retain(|name, _| name.schema() != schema);
    catalog.types.retain(|name, _| name.schema() != schema);
    catalog.routines.retain(|name, _| name.schema() != schema);
    catalog.sequences.retain(|name, _| name.schema() != schema);
    catalog.triggers.retain(|it| it.table.schema() != schema);
}
