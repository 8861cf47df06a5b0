//! A catalog as sorted lines that can be compared: everything that both sides can know, and nothing that only one can.

use std::collections::{BTreeMap, BTreeSet};

use liftlock::{
    catalog::{Catalog, Constraint, Table, Validity, snapshot::Snapshot},
    sql::{
        change::{ConstraintKind, TypeKind},
        data_type,
        names::ObjectName,
    },
};

fn name(name: &ObjectName) -> String {
    format!("{}.{}", name.schema(), name.last())
}

/// How many tables, columns, constraints, indexes, types and views there are.
pub fn counts(snapshot: &Snapshot) -> [usize; 6] {
    [
        snapshot.tables.len(),
        snapshot.tables.iter().map(|it| it.columns.len()).sum(),
        snapshot.tables.iter().map(|it| it.constraints.len()).sum(),
        snapshot.indexes.len(),
        snapshot.types.len(),
        snapshot.views.len(),
    ]
}

pub fn counted(catalog: &Catalog) -> [usize; 6] {
    [
        catalog.tables.len(),
        catalog.tables.values().map(|it| it.columns.len()).sum(),
        catalog.tables.values().map(|it| it.constraints.len()).sum(),
        catalog.indexes.len(),
        catalog.types.len(),
        catalog.views.len(),
    ]
}

pub fn lines(catalog: &Catalog) -> Vec<String> {
    let mut lines = Vec::new();
    for table in catalog.tables.values().filter(|it| !it.temporary) {
        table_lines(catalog, table, &mut lines);
    }
    for it in
        catalog.indexes.values().filter(|it| it.table.schema() != "pg_temp" && !catalog.views.contains_key(&it.table))
    {
        let valid = it.validity != Validity::Invalid;
        let (include, condition) = (it.include.join(","), if it.partial { " where" } else { "" });
        let keys = it.keys.iter().map(|key| if it.columns.contains(key) { key.clone() } else { "(…)".to_owned() });
        lines.push(format!(
            "index {} on {} {}({}) include ({include}){condition} unique={} distinct={} valid={valid} of {:?} in {:?}",
            name(&it.name),
            name(&it.table),
            it.method.as_deref().unwrap_or("btree"),
            keys.collect::<Vec<_>>().join(","),
            it.unique,
            it.nulls_not_distinct,
            it.constraint,
            it.parent.as_ref().map(name),
        ));
    }
    for (of, it) in catalog.types.iter() {
        let what = match &it.kind {
            TypeKind::Enum { values } => format!("enum {values:?}"),
            TypeKind::Domain { data_type, default, .. } => format!(
                "domain of {} not null {} default {}",
                data_type::read(data_type),
                it.not_null,
                default.is_some()
            ),
            TypeKind::Composite { .. } => "composite".to_owned(),
            TypeKind::Range { .. } => "range".to_owned(),
            TypeKind::Other => "other".to_owned(),
        };
        lines.push(format!("type {} {what}", name(of)));
        for constraint in &it.constraints {
            lines.push(format!("type {} has {} validated {}", name(of), constraint.name, constraint.validated));
        }
    }
    for (of, it) in catalog.views.iter().filter(|(of, _)| of.schema() != "pg_temp") {
        let mut reads = it.reads.iter().map(name).collect::<Vec<_>>();
        reads.sort();
        reads.dedup();
        lines.push(format!("view {} materialized {} reads {reads:?}", name(of), it.materialized));
    }
    for (of, overloads) in catalog.routines.iter() {
        for it in overloads {
            let arguments = it.arguments.iter().flatten().map(|it| data_type::read(it).to_string());
            let arguments = arguments.collect::<Vec<_>>().join(", ");
            lines.push(format!("{:?} {}({arguments}) {:?} {}", it.kind, name(of), it.volatility, it.language));
        }
    }
    for (of, it) in catalog.sequences.iter().filter(|(of, _)| of.schema() != "pg_temp") {
        let owner = it.owned_by.as_ref().map(|(table, column)| format!("{}.{column}", name(table)));
        let data_type = data_type::read(it.data_type.as_deref().unwrap_or("bigint"));
        lines.push(format!("sequence {} {data_type} owned by {owner:?}", name(of)));
    }
    for it in catalog.triggers.iter().filter(|it| it.table.schema() != "pg_temp") {
        let routine = it.routine.as_ref().map(name);
        lines.push(format!("trigger {} on {} runs {routine:?} enabled {}", it.name, name(&it.table), it.enabled));
    }
    for it in catalog.policies.iter().filter(|it| it.table.schema() != "pg_temp") {
        lines.push(format!(
            "policy {} on {} {} to {:?} permissive {}",
            it.name,
            name(&it.table),
            it.command,
            it.roles,
            it.permissive
        ));
    }
    let mut grants = BTreeMap::<_, BTreeSet<String>>::new();
    for it in catalog.grants.iter().filter(|it| it.name.last() != "public") {
        let key = format!("grant {:?} {} to {}", it.kind, name(&it.name), it.role);
        // Those on single columns are not read from a database.
        let whole = it.privileges.iter().filter(|it| !it.contains('(')).cloned().collect::<Vec<_>>();
        if !whole.is_empty() && it.name.schema() != "pg_temp" {
            grants.entry(key).or_default().extend(whole);
        }
    }
    lines.extend(grants.into_iter().map(|(of, privileges)| format!("{of} {privileges:?}")));
    lines.extend(catalog.schemas.keys().filter(|it| *it != "public").map(|it| format!("schema {it}")));
    lines.sort();
    lines
}

fn table_lines(catalog: &Catalog, table: &Table, lines: &mut Vec<String>) {
    let own = name(&table.name);
    let mut inherits = table.inherits.iter().map(name).collect::<Vec<_>>();
    inherits.sort();
    let strategy = table.partition_key.as_ref().map(|it| (it.strategy, it.keys.clone()));
    lines.push(format!(
        "table {own} unlogged {} partitioned {strategy:?} of {:?} inherits {inherits:?}",
        table.unlogged,
        table.partition_of.as_ref().map(name),
    ));
    lines.push(format!("table {own} security {:?} identity {:?}", table.row_security, table.replica_identity));
    if !table.options.is_empty() {
        lines.push(format!("table {own} options {:?}", table.options));
    }
    if let Some(bound) = &table.bound {
        lines.push(format!(
            "table {own} is {}",
            std::mem::discriminant(&**bound) == std::mem::discriminant(&liftlock::catalog::Bound::Default)
        ));
    }
    if let Some(rest) = &table.default_partition {
        lines.push(format!("table {own} default partition {}", name(rest)));
    }
    let mut partitions = table.partitions.iter().map(name).collect::<Vec<_>>();
    partitions.sort();
    if !partitions.is_empty() {
        lines.push(format!("table {own} partitions {partitions:?}"));
    }
    for it in &table.columns {
        lines.push(format!(
            "column {own}.{} {} not null {} default {} generated {:?}",
            it.name,
            it.resolved,
            it.not_null,
            it.default.is_some(),
            it.generated
        ));
    }
    for it in &table.constraints {
        // What only Postgres 18 writes down.
        if !matches!(it.kind, ConstraintKind::NotNull { .. }) {
            lines.push(format!("constraint {own} {} {} validated {}", it.name, kind(it), it.validated));
        }
    }
    for key in catalog.foreign_keys_to(&table.name) {
        lines.push(format!("referenced {own} by {} of {}", key.constraint.name, name(&key.table.name)));
    }
}

fn kind(constraint: &Constraint) -> String {
    let mut columns = constraint.columns.clone();
    match &constraint.kind {
        ConstraintKind::Check { .. } => {
            columns.sort();
            format!("check on {columns:?}")
        }
        ConstraintKind::ForeignKey { references, .. } => format!("foreign key {columns:?} to {}", name(references)),
        ConstraintKind::Unique { .. } => format!("unique {columns:?}"),
        ConstraintKind::PrimaryKey { .. } => format!("primary key {columns:?}"),
        ConstraintKind::Exclude { .. } => "exclude".to_owned(),
        ConstraintKind::NotNull { .. } => format!("not null {columns:?}"),
    }
}
