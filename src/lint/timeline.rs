//! What is locked from when to when: the statements of one transaction, with what each does to the relations that
//! are there already.
//!
//! Postgres releases a lock only at the end of the transaction, so a statement that takes an instant keeps its tables
//! locked for as long as everything behind it takes.

use std::collections::{BTreeMap, BTreeSet};

use crate::sql::{
    Change, Span, Statement,
    change::{ActionKind, Drop, ObjectKind},
    names::{Ident, ObjectName},
};

use super::{
    Context,
    effects::{self, Effects, LockMode, Waits},
    timeouts::{self, Timeout},
};

/// One transaction that is judged, in the order in which its statements run.
#[derive(Debug, Clone, Copy)]
pub struct Timeline<'t> {
    pub steps: &'t [Step],
    /// Locks that earlier migrations hold, when all that are pending share one transaction.
    pub carried: &'t [Held],
    /// Orders in which earlier transactions of the release took their locks.
    pub orders: &'t Orders,
}

/// One statement that runs.
#[derive(Debug, Clone)]
pub struct Step {
    /// Where a finding stands: the statement, or the call that leads to it.
    pub span: Span,
    /// Of that place, from 1.
    pub line: usize,
    pub effects: Effects,
    pub work: Option<Work>,
    /// It validates a constraint of this table, and another of its actions keeps others away meanwhile.
    pub validates: Option<(ObjectName, Waits)>,
    /// When it starts.
    pub lock_timeout: Timeout,
    /// Relations that are gone afterwards: nobody waits for them, everybody fails.
    gone: BTreeSet<ObjectName>,
}

/// What a statement spends its time with: it grows with a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    pub table: ObjectName,
    /// What happens to the table, after its name: `is rewritten`.
    pub verb: &'static str,
}

/// A lock that is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    pub table: ObjectName,
    pub lock: LockMode,
    pub waits: Waits,
    /// File and line of the statement that took it.
    pub file: String,
    pub line: usize,
}

/// Pairs of tables and the place where the second was locked while the first was held.
#[derive(Debug, Clone, Default)]
pub struct Orders(BTreeMap<(ObjectName, ObjectName), (String, usize)>);

impl Orders {
    /// Where an earlier transaction locked `second` while it held `first`.
    pub fn place(&self, first: &ObjectName, second: &ObjectName) -> Option<&(String, usize)> {
        self.0.get(&(first.clone(), second.clone()))
    }

    /// Remembers a transaction's order; of many tables only the first few, since pairs grow with the square.
    pub fn learn(&mut self, steps: &[Step], file: &str) {
        let taken = order(steps);
        for (at, (_, second)) in taken.iter().enumerate() {
            for (_, first) in &taken[..at] {
                let pair = ((*first).clone(), (*second).clone());
                self.0.entry(pair).or_insert_with(|| (file.to_owned(), steps[taken[at].0].line));
            }
        }
    }
}

/// How many tables of a transaction are compared by order.
const COMPARED: usize = 12;

/// Tables in the order in which they are first locked with `SHARE ROW EXCLUSIVE` or more, with the step.
pub fn order(steps: &[Step]) -> Vec<(usize, &ObjectName)> {
    let mut known = BTreeSet::new();
    let mut taken = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        let strong = step.effects.relations.iter().filter(|(_, it)| it.lock >= LockMode::ShareRowExclusive);
        taken.extend(strong.map(|(name, _)| name).filter(|name| known.insert(*name)).map(|name| (at, name)));
        if taken.len() >= COMPARED {
            break;
        }
    }
    taken
}

impl Step {
    /// `None` for what touches nothing that was there before.
    pub fn of(context: &Context, statement: &Statement, (span, line): (Span, usize)) -> Option<Self> {
        let effects = effects::of(context, statement);
        if effects.relations.is_empty() {
            return None;
        }
        let work = work(context, statement, &effects);
        let gone = match &statement.change {
            Change::Drop(Drop { kind, names, .. }) if *kind != ObjectKind::Index => {
                names.iter().map(|it| context.catalog.resolve(it)).collect()
            }
            _ => BTreeSet::new(),
        };
        let lock_timeout = timeouts::in_force(context, "lock_timeout");
        let validates = validates(context, statement, &effects);
        Some(Self { span, line, effects, work, validates, lock_timeout, gone })
    }

    /// Locks that it takes and that others wait for, of what is still there afterwards.
    pub fn takes(&self) -> impl Iterator<Item = (&ObjectName, LockMode, Waits)> {
        let relations = self.effects.relations.iter().filter(|(name, _)| !self.gone.contains(name));
        relations.filter_map(|(name, it)| Some((name, it.lock, it.lock.waits()?)))
    }

    /// How strongly it locks a relation itself.
    pub fn waits(&self, table: &ObjectName) -> Option<Waits> {
        self.effects.relations.get(table)?.lock.waits()
    }
}

fn work(context: &Context, statement: &Statement, effects: &Effects) -> Option<Work> {
    if effects.fails.is_some() {
        return None;
    }
    let worked = effects.slow().filter(|(name, _)| !is_bounded(context, statement, name));
    let (table, relation) = worked.max_by_key(|(_, it)| (it.rewritten, it.rebuilt.len(), it.scanned, it.lock))?;
    let verb = match &statement.change {
        Change::Update(_) => "is updated",
        Change::Delete(_) => "is deleted from",
        Change::Merge { .. } => "is merged into",
        Change::CreateIndex(_) => "is indexed",
        Change::Refresh { .. } => "is refreshed",
        Change::Copy(_) | Change::Insert(_) => "is copied",
        Change::AlterTable(alter) => {
            let validates = |kind: &ActionKind| matches!(kind, ActionKind::ValidateConstraint { .. });
            match alter.actions.iter().any(|it| validates(&it.kind)) {
                _ if relation.rewritten.is_likely() => "is rewritten",
                true => "is validated",
                false => "is read to its end",
            }
        }
        _ if relation.rewritten.is_likely() => "is rewritten",
        _ if !relation.rebuilt.is_empty() => "is indexed again",
        _ => "is read to its end",
    };
    Some(Work { table: table.clone(), verb })
}

/// `ALTER TABLE` takes the strongest lock that one of its actions needs, for all of them.
fn validates(context: &Context, statement: &Statement, effects: &Effects) -> Option<(ObjectName, Waits)> {
    let Change::AlterTable(alter) = &statement.change else { return None };
    let known = context.catalog.table(&alter.table);
    let unproved = |name: &Ident| known.and_then(|it| it.constraint(name)).is_none_or(|it| !it.validated);
    alter.actions.iter().find(|it| matches!(&it.kind, ActionKind::ValidateConstraint { name } if unproved(name)))?;
    let table = context.catalog.resolve(&alter.table);
    let waits = effects.relations.get(&table)?.lock.waits()?;
    Some((table, waits))
}

/// Changes of rows in a table that holds configuration are few.
fn is_bounded(context: &Context, statement: &Statement, table: &ObjectName) -> bool {
    let rows = matches!(statement.change, Change::Update(_) | Change::Delete(_) | Change::Merge { .. });
    rows && (context.is_config_table(table) || context.is_bookkeeping(table))
}

/// What a transaction's steps hold at its end, with who took it where.
pub fn held_after(steps: &[Step], carried: &[Held], file: &str) -> Vec<Held> {
    let mut held = carried.to_vec();
    for step in steps {
        for (table, lock, waits) in step.takes() {
            match held.iter_mut().find(|it| it.table == *table) {
                Some(known) if known.waits >= waits => {}
                known => {
                    let new = Held { table: table.clone(), lock, waits, file: file.to_owned(), line: step.line };
                    match known {
                        Some(known) => *known = new,
                        None => held.push(new),
                    }
                }
            }
        }
    }
    held
}
