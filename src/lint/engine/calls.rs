//! What a statement calls: routines that it names, those of triggers that it fires, of defaults and of checks.

use super::Engine;
use crate::{
    catalog::{self, Origin},
    lint::{types, volatility},
    sql::{
        Change, Place, Statement,
        change::{ActionKind, Column, Constraint, ConstraintKind, Expression},
        names::ObjectName,
    },
};

impl Engine<'_> {
    /// Routines that the statement calls itself, and those of new triggers that it fires.
    pub(super) fn called(&self, statement: &Statement) -> Vec<ObjectName> {
        let fired = |table: &ObjectName| {
            let triggers = self.catalog.triggers_on(table).filter(|it| it.origin.is_new());
            triggers.filter_map(|it| it.routine.clone()).collect::<Vec<_>>()
        };
        match &statement.change {
            Change::Query { routines, .. } => routines.iter().map(|it| self.catalog.resolve(it)).collect(),
            Change::Call { routine } => vec![self.catalog.resolve(routine)],
            Change::Insert(insert) => self.evaluated(&insert.table).chain(fired(&insert.table)).collect(),
            Change::Update(dml) => self.evaluated(&dml.table).chain(fired(&dml.table)).collect(),
            Change::Delete(dml) => fired(&dml.table),
            Change::AlterTable(alter) => alter.actions.iter().flat_map(|it| self.computed(&it.kind)).collect(),
            Change::Merge { table, .. } => self.evaluated(table).chain(fired(table)).collect(),
            _ => Vec::new(),
        }
    }

    /// A call of a routine that is not Postgres's own may do anything: `select create_hypertable('orders', 'at')`.
    pub(super) fn watch(&mut self, statement: &Statement, origin: Origin) {
        let foreign = |name: &ObjectName| {
            let own = name.parts.len() == 1 || name.schema() == "pg_catalog";
            !(own && volatility::is_volatile(name.last()).is_some())
        };
        let acts = match &statement.change {
            Change::Query { routines, .. } if statement.place != Place::Within => routines.iter().any(foreign),
            Change::Call { .. } => true,
            _ => false,
        };
        if acts {
            self.catalog.lose_sight(origin.migration);
        }
    }

    /// What a new row calls: defaults of its columns, checks of the table and of its columns' domains. Those that were
    /// there before the release are no part of it.
    fn evaluated(&self, table: &ObjectName) -> impl Iterator<Item = ObjectName> {
        let table = self.catalog.table(table);
        let columns = table.map_or(&[][..], |it| &it.columns);
        let checks_of = |it: &catalog::Constraint| match &it.kind {
            ConstraintKind::Check { expression: Some(check), .. } => check.calls.clone(),
            _ => Vec::new(),
        };
        let new = columns.iter().filter(|it| it.origin.is_new()).filter_map(|it| it.default.as_ref());
        let of_new = new.flat_map(|it| &it.calls).map(|it| self.catalog.resolve(it));
        let defaults = columns.iter().filter_map(|it| it.default.as_ref()).flat_map(|it| it.calls.clone());
        let of_table = table.into_iter().flat_map(|it| &it.constraints).flat_map(checks_of);
        let domains = columns.iter().filter_map(|it| types::of(&self.catalog, &it.resolved));
        let of_domains = domains.flat_map(|it| &it.constraints).flat_map(checks_of);
        let called = defaults.chain(of_table).chain(of_domains).map(|it| self.catalog.resolve(&it));
        of_new.chain(called.filter(|it| self.catalog.routine(it).iter().any(|it| it.origin.is_new())))
    }

    /// What is called for the rows that are there already.
    fn computed(&self, action: &ActionKind) -> Vec<ObjectName> {
        let expressions: Vec<&Expression> = match action {
            ActionKind::AddColumn { column, .. } => of_column(column),
            ActionKind::AddConstraint(new) if !new.not_valid => check(new).into_iter().collect(),
            ActionKind::SetType { using, .. } => using.iter().collect(),
            _ => Vec::new(),
        };
        expressions.iter().flat_map(|it| &it.calls).map(|it| self.catalog.resolve(it)).collect()
    }
}

fn of_column(column: &Column) -> Vec<&Expression> {
    column.default.iter().chain(&column.generated_as).chain(column.constraints.iter().filter_map(check)).collect()
}

fn check(constraint: &Constraint) -> Option<&Expression> {
    match &constraint.kind {
        ConstraintKind::Check { expression } => expression.as_ref(),
        _ => None,
    }
}
