//! What the history of changes has built: tables, columns, indexes, constraints, types, views, routines.
//!
//! The catalog knows what the files say, not what a database holds: an object that it does not know may exist.
//! Where files leave it open whether something happened (`IF NOT EXISTS`, a `DO` block), it says so in
//! [`Origin::certain`].

mod bounds;
mod gone;
mod linked;
mod measures;
mod names;
mod objects;
mod proof;
mod queries;
mod replay;
mod shared;
pub mod snapshot;
mod standing;

pub use bounds::Bounds;
pub use gone::{Gone, Namespace, namespace};
pub use linked::{Change, Linked, Links, Standing, Stands};
pub use measures::{Measures, OpenTransaction, Size, Writes};
pub use names::Names;
pub use objects::{
    Bound, Column, Constraint, DefaultPrivilege, ForeignKey, Grant, Index, PartitionKey, Policy, Publication,
    ReplicaIdentity, Routine, RowSecurity, Sequence, Strategy, Table, Trigger, Type, Validity, View, ViewColumn,
};
pub use proof::{Place, Proof};
pub use replay::replay;
pub use shared::Shared;

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use crate::sql::{
    self, Statement,
    change::{Expression, ObjectKind},
    data_type::{self, DataType},
    names::{Ident, ObjectName},
};

/// The schema that stands for the session's temporary one.
const TEMPORARY: &str = "pg_temp";

/// Everything that is known, keyed by resolved name: always with a schema.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    pub tables: Linked<Table>,
    pub indexes: Linked<Index>,
    /// Those that a statement has dropped, not what went with its table, and which one.
    pub dropped_indexes: Shared<Vec<(Index, Origin)>>,
    pub types: Shared<BTreeMap<ObjectName, Type>>,
    pub views: Linked<View>,
    pub routines: Shared<BTreeMap<ObjectName, Vec<Routine>>>,
    pub sequences: Linked<Sequence>,
    pub schemas: BTreeMap<String, Origin>,
    pub triggers: Standing<Trigger>,
    pub policies: Standing<Policy>,
    /// By what they are on, which is not always a table.
    pub grants: Standing<Grant>,
    pub default_privileges: Vec<DefaultPrivilege>,
    pub publications: BTreeMap<String, Publication>,
    /// Policies, extensions, publications, roles, …
    pub others: Shared<BTreeMap<Other, Origin>>,
    /// Where an unqualified name is looked up and created; empty: `public`.
    pub search_path: Vec<String>,
    /// What it is again when the transaction ends that has `SET LOCAL` it.
    pub session_path: Option<Vec<String>>,
    /// The last time zone that a migration has set for its session.
    pub time_zone: Option<String>,
    /// What may be gone, or be called otherwise: a statement that perhaps ran has dropped, renamed or moved it.
    pub doubted: Shared<BTreeSet<ObjectName>>,
    /// What was there and is gone for certain, since the last thing that no file tells.
    pub gone: Shared<BTreeMap<(Namespace, ObjectName), Gone>>,
    /// The last migration with something that no file tells: unread, or run by a text that is put together. What is
    /// older may be gone, too.
    pub opaque: Option<usize>,
    /// Names of the migrations that were replayed, by [`Origin::migration`].
    pub migrations: Shared<Names>,
    /// Types of columns as they are written, read once.
    pub spellings: Shared<HashMap<Arc<str>, Arc<DataType>>>,
    /// Defaults of columns by their texts.
    pub defaults: Shared<HashMap<Box<str>, Expression>>,
    /// What was measured in a database; `None` when only files are known.
    pub measures: Option<Arc<Measures>>,
}

/// Kind, name, the table for what stands on one.
pub type Other = (ObjectKind, ObjectName, Option<ObjectName>);

/// Who made something, and whether for sure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    pub release: Release,
    /// Counts migrations in the order in which they are replayed.
    pub migration: usize,
    /// `false` for `IF NOT EXISTS` and inside a `DO` block: another thing of that name may have been there.
    pub certain: bool,
}

/// Which files made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// Those before the ones that are judged.
    History,
    /// Those before the ones that are judged, which the database that is judged for has not applied: what they make
    /// is new there, too.
    Pending,
    /// Those that are judged.
    Judged,
}

impl Catalog {
    /// The name with its schema: as written, else where the search path finds or would create it.
    pub fn resolve(&self, name: &ObjectName) -> ObjectName {
        self.resolved(name).into_owned()
    }

    /// The same while a table is being made or changed, which then is not among the others.
    fn resolve_beside(&self, name: &ObjectName, own: &ObjectName) -> ObjectName {
        let is_own = |schema: &str| in_schema(name, schema) == *own;
        let mut path = self.search_path.iter();
        let found = path.find(|it| is_own(it) || self.knows(&in_schema(name, it)));
        let first = found.map_or(self.search_path.is_empty() && is_own("public"), |it| is_own(it));
        if name.parts.len() == 1 && first { own.clone() } else { self.resolve(name) }
    }

    /// The same, without a copy where the name is its own.
    pub fn resolved<'n>(&self, name: &'n ObjectName) -> Cow<'n, ObjectName> {
        if name.parts.len() != 1 {
            return Cow::Borrowed(name);
        }
        if self.tables.has_temporary() {
            let temporary = in_schema(name, TEMPORARY);
            if self.tables.contains_key(&temporary) {
                return Cow::Owned(temporary);
            }
        }
        if self.search_path.is_empty() {
            return Cow::Borrowed(name);
        }
        let known = self.search_path.iter().map(|schema| in_schema(name, schema)).find(|it| self.knows(it));
        Cow::Owned(known.unwrap_or_else(|| self.target(name)))
    }

    /// Where an unqualified name is created.
    pub fn target(&self, name: &ObjectName) -> ObjectName {
        match self.search_path.first() {
            Some(schema) if name.parts.len() == 1 => in_schema(name, schema),
            _ => name.clone(),
        }
    }

    /// A type as written here: one of the files' own by the schema that the search path finds it in.
    pub fn read_type(&self, written: &str) -> DataType {
        let mut read = data_type::read(written);
        if !self.search_path.is_empty() && !read.name.contains('.') {
            let plain = ObjectName::of(Ident { name: read.name.clone(), ..Ident::default() });
            let resolved = self.resolve(&plain);
            let known = self.types.contains_key(&resolved) || self.tables.contains_key(&resolved);
            if known && !matches!(resolved.schema(), "public" | TEMPORARY) {
                read.name = format!("{}.{}", resolved.schema(), resolved.last());
            }
        }
        read
    }

    /// The same for a column, with the text: most columns share a few types.
    fn shared_type(&mut self, written: &str) -> (Arc<str>, Arc<DataType>) {
        if !self.search_path.is_empty() {
            return (written.into(), self.read_type(written).into());
        }
        if let Some((text, read)) = self.spellings.get_key_value(written) {
            return (Arc::clone(text), Arc::clone(read));
        }
        let (text, read) = (Arc::from(written), Arc::new(data_type::read(written)));
        self.spellings.insert(Arc::clone(&text), Arc::clone(&read));
        (text, read)
    }

    /// A default as another column has it: what it says hangs on its text alone, and most are `now()` or `false`.
    fn shared_default(&mut self, written: &Expression) -> Expression {
        if let Some(known) = self.defaults.get(written.text.as_str()) {
            return Expression::clone(known);
        }
        self.defaults.insert(written.text.as_str().into(), Expression::clone(written));
        Expression::clone(written)
    }

    fn knows(&self, name: &ObjectName) -> bool {
        self.tables.contains_key(name)
            || self.views.contains_key(name)
            || self.types.contains_key(name)
            || self.routines.contains_key(name)
            || self.sequences.contains_key(name)
            || self.indexes.contains_key(name)
    }

    pub fn table(&self, name: &ObjectName) -> Option<&Table> {
        self.tables.get(&self.resolved(name))
    }

    pub fn index(&self, name: &ObjectName) -> Option<&Index> {
        self.indexes.get(&self.resolved(name))
    }

    pub fn routine(&self, name: &ObjectName) -> &[Routine] {
        self.routines.get(&*self.resolved(name)).map_or(&[], Vec::as_slice)
    }

    /// A type, domain or enum that the files created.
    pub fn data_type(&self, name: &ObjectName) -> Option<&Type> {
        self.types.get(&*self.resolved(name))
    }

    /// The table, its partitions and the tables that inherit from it, at any depth: where rows of that name are.
    pub fn family(&self, name: &ObjectName) -> BTreeSet<ObjectName> {
        let mut family = BTreeSet::new();
        let mut open = vec![self.resolve(name)];
        while let Some(next) = open.pop() {
            let heirs =
                self.tables.linked_to(&next).filter(|(_, it)| it.inherits.contains(&next)).map(|(name, _)| name);
            let partitions = self.tables.get(&next).map_or(&[][..], |it| &it.partitions);
            if !family.contains(&next) {
                open.extend(heirs.chain(partitions).cloned());
                family.insert(next);
            }
        }
        family
    }

    /// All rows that a write to this name reaches came with the release: it is no view and no foreign table, whose
    /// rows are elsewhere, and has no partition or heir that was there before. `is_new` says how sure that must be.
    pub fn holds_only_new_rows(&self, name: &ObjectName, is_new: fn(Origin) -> bool) -> bool {
        self.family(name).iter().all(|member| match (self.tables.get(member), self.views.get(member)) {
            (Some(table), _) => is_new(table.origin) && !table.foreign,
            (None, Some(view)) => is_new(view.origin) && view.materialized,
            (None, None) => false,
        })
    }

    /// The elements of `CREATE SCHEMA name …` are made in that schema, and find their names there first. Gives the
    /// search path that holds again behind them.
    pub fn enter(&mut self, statement: &Statement) -> Option<Vec<String>> {
        let sql::Change::CreateSchema { name: Some(name), .. } = &statement.change else { return None };
        if statement.inner.is_empty() {
            return None;
        }
        let outer = self.search_path.clone();
        let behind = if outer.is_empty() { vec!["public".to_owned()] } else { outer.clone() };
        self.search_path = std::iter::once(name.name.clone()).chain(behind).collect();
        Some(outer)
    }

    /// Behind the elements.
    pub fn leave(&mut self, outer: Option<Vec<String>>) {
        if let Some(outer) = outer {
            self.search_path = outer;
        }
    }

    /// What was the session's alone goes with it: temporary tables and views, and the search path.
    pub fn end_session(&mut self) {
        self.search_path.clear();
        self.session_path = None;
        self.drop_temporary();
    }

    fn drop_temporary(&mut self) {
        if !(self.tables.has_temporary() || self.views.has_temporary() || self.indexes.has_temporary()) {
            return;
        }
        self.tables.remove_in_schema(TEMPORARY, |_| true);
        self.views.remove_in_schema(TEMPORARY, |_| true);
        self.indexes.remove_in_schema(TEMPORARY, |_| true);
        self.triggers.remove_in_schema(TEMPORARY);
    }

    /// Temporary tables made with `ON COMMIT DROP` go with their transaction, and what is `SET LOCAL`.
    pub fn end_transaction(&mut self) {
        if let Some(path) = self.session_path.take() {
            self.search_path = path;
        }
        if self.tables.has_temporary() {
            self.tables.remove_in_schema(TEMPORARY, |it| it.until_commit);
        }
    }

    /// A table or materialized view that the judged release creates, or a temporary table.
    pub fn is_new(&self, name: &ObjectName) -> bool {
        self.relation_origin(name).is_some_and(Origin::is_new)
    }

    /// The same, and for sure: `IF NOT EXISTS` may have found one with data in it.
    pub fn is_surely_new(&self, name: &ObjectName) -> bool {
        self.relation_origin(name).is_some_and(Origin::is_surely_new)
    }

    fn relation_origin(&self, name: &ObjectName) -> Option<Origin> {
        let name = self.resolved(name);
        let table = self.tables.get(&name).map(|table| table.origin);
        table.or_else(|| self.views.get(&name).map(|view| view.origin))
    }
}

impl Origin {
    /// Made by the judged release, and certainly not there before.
    pub fn is_surely_new(self) -> bool {
        self.is_new() && self.certain
    }

    /// Made by files that the database has not applied: the judged release, and what must go before it.
    pub fn is_new(self) -> bool {
        self.release != Release::History
    }
}

fn in_schema(name: &ObjectName, schema: &str) -> ObjectName {
    let schema = Ident { name: schema.to_owned(), span: name.span() };
    let last = name.parts.last().cloned().unwrap_or_default();
    ObjectName { parts: Arc::new([schema, last]) }
}
