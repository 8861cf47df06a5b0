//! What a catalog holds: one struct for each kind of object.

use std::{collections::BTreeMap, sync::Arc};

use super::{Bounds, Links, Origin, Stands};
use crate::sql::{
    Statement, Words,
    change::{ConstraintKind, CreateIndex, Expression, Generated, ObjectKind, TypeKind, Volatility},
    data_type::DataType,
    names::{Ident, ObjectName},
};

#[derive(Debug, Clone)]
pub struct Table {
    pub name: ObjectName,
    pub origin: Origin,
    pub columns: Vec<Column>,
    pub constraints: Vec<Constraint>,
    pub temporary: bool,
    /// `ON COMMIT DROP`.
    pub until_commit: bool,
    pub foreign: bool,
    pub unlogged: bool,
    /// `PARTITION BY`.
    pub partitioned: bool,
    /// How and by what; `None` also when it is partitioned and no file says how.
    pub partition_key: Option<Box<PartitionKey>>,
    pub partition_of: Option<ObjectName>,
    /// Which rows of its parent it holds; `None` when that is not known, or it is no partition.
    pub bound: Option<Box<Bound>>,
    pub partitions: Vec<ObjectName>,
    /// Which rows those hold; `None` where there are none.
    pub bounds: Option<Box<Bounds>>,
    pub default_partition: Option<ObjectName>,
    pub inherits: Vec<ObjectName>,
    /// `OF type`.
    pub of_type: Option<ObjectName>,
    pub row_security: RowSecurity,
    pub replica_identity: ReplicaIdentity,
    /// `WITH (…)` and `SET (…)`, lower case: `fillfactor`, `autovacuum_enabled`.
    pub options: BTreeMap<String, String>,
    /// Its columns are not all known: `AS SELECT`, `LIKE`, or created by no file that was read.
    pub partial: bool,
    /// `CLUSTER … USING`, or `CLUSTER ON`: what a bare `CLUSTER` writes again.
    pub clustered: bool,
    /// No file that was read creates it: a statement that alters it says that there is such a thing.
    pub outside: bool,
}

/// `PARTITION BY`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionKey {
    pub strategy: Strategy,
    /// Columns by name, expressions as text.
    pub keys: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    List,
    Range,
    Hash,
}

/// `FOR VALUES …` or `DEFAULT`, as text: lower case outside quotes, one space between words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    Default,
    /// `in ('a', 'b')`: the values.
    In(Vec<String>),
    /// `from (…) to (…)`: both lists, one value for each key.
    Range {
        from: Vec<String>,
        to: Vec<String>,
    },
    Hash {
        modulus: String,
        remainder: String,
    },
}

/// Row level security of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RowSecurity {
    pub enabled: bool,
    /// For the table's owner, too.
    pub forced: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ReplicaIdentity {
    /// The primary key.
    #[default]
    Default,
    Full,
    Nothing,
    Index(String),
}

#[derive(Debug, Clone)]
pub struct Column {
    pub name: String,
    /// As written, lower case.
    pub data_type: Arc<str>,
    /// The same with its spelling resolved and its modifiers apart.
    pub resolved: Arc<DataType>,
    pub not_null: bool,
    /// For `serial` columns the `nextval(…)` that stands behind them.
    pub default: Option<Expression>,
    pub generated: Option<Generated>,
    /// An identity takes no other values: `GENERATED ALWAYS`.
    pub always: bool,
    /// Columns that a generated column is computed from.
    pub computed_from: Box<[String]>,
    /// `COLLATE`; `None`: that of its type.
    pub collation: Option<Box<str>>,
    pub origin: Origin,
}

#[derive(Debug, Clone)]
pub struct Constraint {
    /// As written, or as Postgres names it when nobody did.
    pub name: String,
    pub kind: ConstraintKind,
    /// What it stands on: its columns, those that a check's expression names.
    pub columns: Vec<String>,
    /// `false` after `NOT VALID` until it is validated, and for `NOT ENFORCED`.
    pub validated: bool,
    pub enforced: bool,
    /// Checked at the end of a transaction, or may be.
    pub deferrable: bool,
    /// A check that the table keeps from its heirs.
    pub no_inherit: bool,
    pub origin: Origin,
    /// The migration that validated it; the one that added it when it was never `NOT VALID`.
    /// [`super::Catalog::migration`] has its name.
    pub validated_by: Option<usize>,
}

/// A foreign key as both ends see it.
#[derive(Debug, Clone, Copy)]
pub struct ForeignKey<'c> {
    pub table: &'c Table,
    pub constraint: &'c Constraint,
    pub columns: &'c [Ident],
    pub references: &'c ObjectName,
}

#[derive(Debug, Clone)]
pub struct Index {
    pub name: ObjectName,
    pub table: ObjectName,
    pub unique: bool,
    /// Plain columns by name, expressions as text.
    pub keys: Vec<String>,
    /// Columns of `INCLUDE`.
    pub include: Box<[String]>,
    pub partial: bool,
    /// The condition of `WHERE`.
    pub predicate: Option<Box<str>>,
    /// `btree` when `None`.
    pub method: Option<Box<str>>,
    /// Its keys are sorted as their types sort by themselves: no operator class, no collation, ascending.
    pub plain: bool,
    /// The same but for their order: no operator class and no collation.
    pub unclassed: bool,
    /// Columns that its keys, expressions and condition name, and those that it includes.
    pub columns: Vec<String>,
    pub nulls_not_distinct: bool,
    pub validity: Validity,
    /// The index of the partitioned table that it is a part of.
    pub parent: Option<ObjectName>,
    pub origin: Origin,
    /// The constraint it carries, by name.
    pub constraint: Option<String>,
}

/// Whether an index may be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    Valid,
    /// `ON ONLY` a partitioned table, until every partition has one attached; or seen to be so in a database.
    Invalid,
    /// Built `CONCURRENTLY`: only the database knows whether that came to its end.
    Unknown,
}

#[derive(Debug, Clone)]
pub struct Type {
    pub kind: TypeKind,
    /// Of a domain.
    pub constraints: Vec<Constraint>,
    pub not_null: bool,
    pub origin: Origin,
}

#[derive(Debug, Clone)]
pub struct View {
    pub materialized: bool,
    /// Relations that it reads, resolved.
    pub reads: Vec<ObjectName>,
    /// Words of its query that may be columns; `None`: all columns of what it reads (`*`), or unknown.
    pub mentions: Option<Words>,
    /// Its columns in order; `None` where that is not known.
    pub columns: Option<Vec<ViewColumn>>,
    pub origin: Origin,
}

/// A column of a view, as far as its query tells it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ViewColumn {
    pub name: Option<String>,
    pub data_type: Option<Arc<DataType>>,
}

/// One definition of a function or procedure; overloads are several of one name.
#[derive(Debug, Clone)]
pub struct Routine {
    pub kind: ObjectKind,
    /// Types of its arguments that count for the overload, as written; `None` when not known.
    pub arguments: Option<Vec<String>>,
    /// The same arguments' names, in that order; empty when not known.
    pub names: Vec<Option<String>>,
    /// How many of them have a default: the last ones.
    pub defaults: usize,
    /// What is behind `RETURNS`, its spelling resolved; `None` when nothing is, or it is not known.
    pub returns: Option<String>,
    /// Words of its body, folded; empty when Postgres knows itself what it depends on.
    pub words: Words,
    pub volatility: Volatility,
    /// Lower case: `sql`, `plpgsql`.
    pub language: String,
    /// What runs when it is called; places are those of the file that created it.
    pub body: Arc<[Statement]>,
    /// Postgres puts its one expression where the call stands, so that only what that calls matters.
    pub inlined: bool,
    pub origin: Origin,
}

#[derive(Debug, Clone)]
pub struct Sequence {
    /// The column that it goes away with: table and column.
    pub owned_by: Option<(ObjectName, String)>,
    /// `smallint`, `integer`; `bigint` when nobody says.
    pub data_type: Option<String>,
    pub origin: Origin,
}

#[derive(Debug, Clone)]
pub struct Trigger {
    pub name: String,
    pub table: ObjectName,
    pub routine: Option<ObjectName>,
    /// Those of `UPDATE OF`, and what its condition names.
    pub columns: Vec<String>,
    pub enabled: bool,
    pub origin: Origin,
}

/// A row level security policy.
#[derive(Debug, Clone)]
pub struct Policy {
    pub name: String,
    pub table: ObjectName,
    /// `ALL`, `SELECT`, `INSERT`, `UPDATE`, `DELETE`.
    pub command: String,
    /// Empty: everybody.
    pub roles: Vec<String>,
    pub permissive: bool,
    /// What its conditions name: columns of the table, and words that are none.
    pub columns: Vec<String>,
    /// What a query in its conditions names: relations, columns, and words that are neither.
    pub queried: Vec<String>,
    pub origin: Origin,
}

/// Privileges on one object for one role.
#[derive(Debug, Clone)]
pub struct Grant {
    pub kind: ObjectKind,
    pub name: ObjectName,
    /// `public` for everybody.
    pub role: String,
    /// Upper case: `SELECT`, `ALL`.
    pub privileges: Vec<String>,
    pub origin: Origin,
}

/// `ALTER DEFAULT PRIVILEGES … GRANT`.
#[derive(Debug, Clone)]
pub struct DefaultPrivilege {
    /// `None`: of every schema.
    pub schema: Option<String>,
    /// Of which role's objects; `None`: of whoever runs the migration.
    pub creator: Option<String>,
    /// `Table`, `Sequence`, `Function`, `Type`, `Schema`.
    pub kind: ObjectKind,
    pub role: String,
    /// Upper case: `SELECT`, `ALL`.
    pub privileges: Vec<String>,
    pub origin: Origin,
}

/// `CREATE PUBLICATION`.
#[derive(Debug, Clone)]
pub struct Publication {
    pub all_tables: bool,
    pub tables: Vec<ObjectName>,
    pub schemas: Vec<String>,
    pub origin: Origin,
}

impl Links for Table {
    fn targets(&self) -> impl Iterator<Item = &ObjectName> {
        let referenced = self.constraints.iter().filter_map(|it| match &it.kind {
            ConstraintKind::ForeignKey { references, .. } => Some(references),
            _ => None,
        });
        // Its partitions point to it: there may be thousands, and each would be learnt again with every change.
        referenced.chain(&self.inherits).chain(&self.partition_of).chain(&self.of_type)
    }

    fn parts(&self) -> impl Iterator<Item = &str> {
        self.constraints.iter().map(|it| it.name.as_str())
    }
}

impl Links for Index {
    fn targets(&self) -> impl Iterator<Item = &ObjectName> {
        std::iter::once(&self.table).chain(&self.parent)
    }
}

impl Links for View {
    fn targets(&self) -> impl Iterator<Item = &ObjectName> {
        self.reads.iter()
    }
}

impl Links for Sequence {
    fn targets(&self) -> impl Iterator<Item = &ObjectName> {
        self.owned_by.iter().map(|(table, _)| table)
    }
}

impl Stands for Trigger {
    fn stands_on(&self) -> &ObjectName {
        &self.table
    }
}

impl Stands for Policy {
    fn stands_on(&self) -> &ObjectName {
        &self.table
    }
}

impl Stands for Grant {
    fn stands_on(&self) -> &ObjectName {
        &self.name
    }
}

impl Table {
    pub fn column(&self, name: &Ident) -> Option<&Column> {
        self.column_named(&name.name)
    }

    pub fn column_named(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    pub fn constraint(&self, name: &Ident) -> Option<&Constraint> {
        self.constraints.iter().find(|constraint| constraint.name == name.name)
    }

    /// The primary key's columns.
    pub fn primary_key(&self) -> Option<&[String]> {
        let key = self.constraints.iter().find(|it| matches!(it.kind, ConstraintKind::PrimaryKey { .. }));
        key.map(|it| it.columns.as_slice())
    }
}

impl Index {
    /// On a table that becomes a partition, it can be this index's part: nothing need be built.
    pub fn fits(&self, parent: &Self) -> bool {
        self.parent.is_none()
            && (&self.keys, &self.include, self.unique, &self.method, self.partial)
                == (&parent.keys, &parent.include, parent.unique, &parent.method, parent.partial)
            && (self.constraint.is_some() || parent.constraint.is_none())
    }

    /// On a partition, it becomes the part of this new index of the whole: nothing is built there
    /// (`CompareIndexInfo` in index.c, which asks for the same classes and collations, not for the same order).
    pub fn is_part_of(&self, new: &CreateIndex) -> bool {
        let plain = new.parts.iter().all(|it| it.class.is_none() && it.collation.is_none());
        let included = new.include.iter().map(|it| &it.name);
        self.parent.is_none()
            && self.validity != Validity::Invalid
            && self.origin.certain
            && (&self.keys, self.unique, self.method.as_deref()) == (&new.keys, new.unique, new.method.as_deref())
            && (self.nulls_not_distinct, self.partial, self.unclassed) == (new.nulls_not_distinct, false, true)
            && (new.partial, plain) == (false, true)
            && self.include.iter().eq(included)
    }
}

impl Column {
    /// An insert that does not name it gets a value.
    pub fn has_default(&self) -> bool {
        self.default.is_some() || self.generated.is_some()
    }
}
