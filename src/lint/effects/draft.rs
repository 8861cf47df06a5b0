//! Effects while they are gathered.

use std::collections::BTreeSet;

use crate::{
    catalog::Table,
    sql::{Change, Statement, names::ObjectName},
};

use super::{Chance, Effects, LockMode, Relation, alter, domain, objects, rows};
use crate::lint::Context;

/// Keeps the strongest of what is said of each relation, and nothing of those that are new.
pub struct Draft<'c> {
    pub context: &'c Context<'c>,
    effects: Effects,
}

impl<'c> Draft<'c> {
    pub fn of(context: &'c Context<'c>) -> Self {
        Self { context, effects: Effects::default() }
    }

    pub fn finish(self) -> Effects {
        self.effects
    }

    pub fn statement(&mut self, statement: &Statement) {
        match &statement.change {
            Change::AlterTable(alter) => alter::table(self, alter),
            Change::AlterObject(alter) => {
                objects::altered(self, alter);
                domain::altered(self, alter);
            }
            Change::CreateTable(table) => objects::created(self, table),
            Change::Drop(drop) => objects::dropped(self, drop),
            change => {
                objects::other(self, change);
                rows::change(self, statement);
            }
        }
    }

    pub fn table(&self, name: &ObjectName) -> Option<&'c Table> {
        self.context.catalog.table(name)
    }

    /// A lock on this relation alone.
    pub fn lock(&mut self, name: &ObjectName, mode: LockMode) {
        if let Some(relation) = self.relation(name, mode) {
            relation.lock = relation.lock.max(mode);
        }
    }

    /// A lock on a table, its partitions and the tables that inherit from it.
    pub fn lock_family(&mut self, name: &ObjectName, mode: LockMode) {
        // Most tables of a release are its own, and have nothing below them.
        if self.is_new_alone(name) {
            return;
        }
        for member in self.context.catalog.family(name) {
            self.lock(&member, mode);
        }
    }

    /// A view that goes, with all that read it.
    pub fn lock_readers(&mut self, view: &ObjectName) {
        let mut open = vec![self.context.catalog.resolve(view)];
        let mut known = BTreeSet::new();
        while let Some(next) = open.pop() {
            if known.insert(next.clone()) {
                self.lock(&next, LockMode::AccessExclusive);
                open.extend(self.context.catalog.views_on(&next).map(|(reader, _)| reader.clone()));
            }
        }
    }

    /// The rows that a table has itself are read.
    pub fn scan_alone(&mut self, name: &ObjectName, chance: Chance) {
        if let Some(relation) = self.relation(name, LockMode::AccessShare) {
            relation.scanned = relation.scanned.max(chance);
        }
    }

    /// All rows of this name are read under a lock that is said apart.
    pub fn scan(&mut self, name: &ObjectName, chance: Chance) {
        for member in self.holding_rows(name) {
            if let Some(relation) = self.relation(&member, LockMode::AccessShare) {
                relation.scanned = relation.scanned.max(chance);
            }
        }
    }

    /// All rows of this name are written again, and with them all indexes.
    pub fn rewrite(&mut self, name: &ObjectName, chance: Chance) {
        for member in self.holding_rows(name) {
            let indexes = self.context.catalog.indexes_of(&member).map(|it| it.name.clone()).collect::<Vec<_>>();
            let Some(relation) = self.relation(&member, LockMode::AccessExclusive) else { continue };
            relation.lock = LockMode::AccessExclusive;
            relation.scanned = relation.scanned.max(chance);
            relation.rewritten = relation.rewritten.max(chance);
            if chance.is_likely() {
                relation.rebuilt.extend(indexes);
            }
        }
    }

    /// One index is built again, by reading its table.
    pub fn rebuild(&mut self, index: &ObjectName) {
        let Some(table) = self.context.catalog.index(index).map(|it| it.table.clone()) else { return };
        if let Some(relation) = self.relation(&table, LockMode::AccessShare) {
            relation.scanned = Chance::Sure;
            relation.rebuilt.insert(index.clone());
        }
    }

    fn is_new_alone(&self, name: &ObjectName) -> bool {
        self.context.is_new(name) && self.table(name).is_some_and(|it| it.partitions.is_empty())
    }

    /// Members of the family that have rows of their own.
    fn holding_rows(&self, name: &ObjectName) -> Vec<ObjectName> {
        if self.is_new_alone(name) || self.context.is_emptied(name) {
            return Vec::new();
        }
        let family = self.context.catalog.family(name).into_iter();
        family.filter(|it| self.table(it).is_none_or(|it| !it.partitioned && !it.foreign)).collect()
    }

    /// `None` for what the release has made itself.
    fn relation(&mut self, name: &ObjectName, mode: LockMode) -> Option<&mut Relation> {
        if self.context.is_new(name) {
            return None;
        }
        let name = self.context.catalog.resolve(name);
        let unknown = || Relation { lock: mode, scanned: Chance::No, rewritten: Chance::No, rebuilt: BTreeSet::new() };
        Some(self.effects.relations.entry(name).or_insert_with(unknown))
    }
}
