//! A partition, an heir and a typed table fit what they belong to: same columns, same types, room of their own.
//!
//! A table that lacks a column of its parent, has it with another type or null where the parent's is not, or, as a
//! partition, has one more, is refused. So is a second default partition, and one whose bounds another has already.
//!
//! ```sql setup
//! create table events (id bigint not null, at int not null) partition by range (at);
//! create table events_1 partition of events for values from (0) to (1000);
//! create table events_rest partition of events default;
//! create table events_2 (id bigint not null, at bigint not null);
//! create table events_3 (id bigint not null, at int not null, note text);
//! create table bases (id bigint not null, state text);
//! create table heirs (id bigint not null);
//! create table likes (id bigint, state text);
//! create type place as (x int, y int);
//! create table places (x int, z int);
//! ```
//!
//! ```sql bad fails=42804 also=partition-scan
//! alter table events attach partition events_2 for values from (1000) to (2000);
//! ```
//!
//! ```sql bad fails=42804 also=partition-scan
//! alter table events attach partition events_3 for values from (1000) to (2000);
//! ```
//!
//! ```sql bad fails=42P17 also=partition-scan
//! create table events_2025 partition of events for values from (500) to (1500);
//! ```
//!
//! ```sql bad fails=42P17
//! create table events_other partition of events default;
//! ```
//!
//! ```sql bad fails=42804 also=changed-inheritance
//! alter table heirs inherit bases;
//! ```
//!
//! ```sql bad fails=42804 also=changed-inheritance
//! alter table likes inherit bases;
//! ```
//!
//! ```sql bad fails=42804
//! alter table places of place;
//! ```
//!
//! ```sql good
//! create table more_events (id bigint, at int, primary key (id, at)) partition by range (at);
//! create table more_events_1 partition of more_events for values from (0) to (1000);
//! create table more_events_2 partition of more_events for values from (1000) to (2000);
//! ```

use crate::{
    catalog::{Bound, Catalog, Table},
    lint::{Check, Context, Problem, Rule, Severities, Waivable, types},
    report::Harm,
    sql::{
        Change, Span, Statement,
        change::{ActionKind, TypeKind},
        data_type::{self, DataType},
        names::ObjectName,
    },
};

pub static RULE: Rule = Rule {
    name: "unfit-parent",
    harm: Harm::Fails,
    severity: Severities::ERROR,
    waivable: Waivable::WithReason,
    source: include_str!("unfit_parent.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    if !context.certainly_runs(statement) {
        return Vec::new();
    }
    let catalog = context.catalog;
    let found: Vec<(Span, Option<String>)> = match &statement.change {
        Change::CreateTable(new) if !new.if_not_exists => {
            let of = new.partition_of.iter();
            of.map(|it| (it.bound.span, taken(catalog, &it.parent, &Bound::of(&it.bound)))).collect()
        }
        Change::AlterTable(alter) => {
            let each = alter.actions.iter().map(|action| {
                let why = match &action.kind {
                    ActionKind::AttachPartition { partition, bound, .. } => attached(catalog, &alter.table, partition)
                        .or_else(|| taken(catalog, &alter.table, &Bound::of(bound))),
                    ActionKind::Inherit { parent } => {
                        catalog.told(&alter.table).zip(catalog.told(parent)).and_then(|(own, of)| lacks(own, of))
                    }
                    ActionKind::OfType { name } => catalog.told(&alter.table).and_then(|it| typed(catalog, it, name)),
                    _ => None,
                };
                (action.span, why)
            });
            each.collect()
        }
        _ => Vec::new(),
    };
    let problem = |(span, why): (Span, Option<String>)| {
        Some(
            Problem::at(span)
                .says(format!("{}: this fails when it runs", why?))
                .help("make the two alike first, in migrations of their own where rows are there"),
        )
    };
    found.into_iter().filter_map(problem).collect()
}

fn attached(catalog: &Catalog, parent: &ObjectName, partition: &ObjectName) -> Option<String> {
    let (parent, own) = (catalog.told(parent)?, catalog.told(partition)?);
    if !parent.partitioned {
        return Some(format!("`{}` is not partitioned", parent.name));
    }
    if let Some(of) = &own.partition_of {
        return Some(format!("`{}` is a partition of `{of}` already", own.name));
    }
    let more = own.columns.iter().find(|it| parent.column_named(&it.name).is_none());
    let more = more.map(|it| format!("`{}` has a column `{}`, which `{}` has not", own.name, it.name, parent.name));
    lacks(own, parent).or(more)
}

/// What a table lacks to inherit from another (`MergeAttributesIntoExisting` in tablecmds.c).
fn lacks(own: &Table, parent: &Table) -> Option<String> {
    parent.columns.iter().find_map(|of| {
        let (name, here, there) = (&of.name, &own.name, &parent.name);
        let Some(column) = own.column_named(name) else {
            return Some(format!("`{here}` has no column `{name}`, which `{there}` has"));
        };
        if differ(&column.resolved, &of.resolved) {
            return Some(format!("`{name}` is `{}` in `{here}` and `{}` in `{there}`", column.resolved, of.resolved));
        }
        let nullable = of.not_null && !column.not_null && column.origin.certain && of.origin.certain;
        nullable.then(|| format!("`{name}` may be null in `{here}`, and not in `{there}`"))
    })
}

fn differ(one: &DataType, other: &DataType) -> bool {
    one != other && types::is_built_in(one) && types::is_built_in(other)
}

/// What a table lacks to be made of a type (`ATExecAddOf` in tablecmds.c).
fn typed(catalog: &Catalog, own: &Table, name: &ObjectName) -> Option<String> {
    let known = catalog.data_type(name).filter(|it| catalog.is_there(name, it.origin))?;
    let TypeKind::Composite { attributes } = &known.kind else {
        return Some(format!("`{name}` is no composite type"));
    };
    let mut columns = own.columns.iter();
    for attribute in attributes {
        match columns.next() {
            Some(it) if it.name != attribute.name.name => {
                return Some(format!("`{}` has `{}` where `{name}` has `{}`", own.name, it.name, attribute.name));
            }
            Some(it) if differ(&it.resolved, &data_type::read(&attribute.data_type)) => {
                return Some(format!("`{}` of `{}` is not of the type that `{name}` says", it.name, own.name));
            }
            Some(_) => {}
            None => return Some(format!("`{}` has no column `{}`, which `{name}` has", own.name, attribute.name)),
        }
    }
    columns.next().map(|it| format!("`{}` has a column `{}`, which `{name}` has not", own.name, it.name))
}

/// A partition that has these rows already.
fn taken(catalog: &Catalog, parent: &ObjectName, bound: &Bound) -> Option<String> {
    let parent = catalog.told(parent)?;
    if !parent.partitioned {
        return Some(format!("`{}` is not partitioned", parent.name));
    }
    if *bound == Bound::Default {
        let rest = parent.default_partition.as_ref().filter(|it| catalog.told(it).is_some())?;
        return Some(format!("`{}` has the default partition `{rest}`", parent.name));
    }
    if bound.holds_nothing() {
        return Some("its bounds hold nothing".to_owned());
    }
    let other = parent.bounds.as_ref()?.meeting(bound).filter(|it| catalog.told(it).is_some())?;
    Some(format!("these rows are those of partition `{other}`"))
}
