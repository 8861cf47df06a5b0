//! Tables, their columns, constraints and indexes.

use super::super::{
    Span,
    names::{Ident, ObjectName},
};

/// `CREATE TABLE`, also `CREATE TABLE … AS`, `SELECT … INTO`, `PARTITION OF` and `CREATE FOREIGN TABLE`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CreateTable {
    pub name: ObjectName,
    pub if_not_exists: bool,
    pub temporary: bool,
    /// `ON COMMIT DROP`.
    pub until_commit: bool,
    pub unlogged: bool,
    pub foreign: bool,
    pub columns: Vec<Column>,
    pub constraints: Vec<Constraint>,
    /// `AS SELECT …` or `SELECT … INTO`.
    pub from_query: bool,
    /// Parent and whether this is its `DEFAULT` partition.
    pub partition_of: Option<PartitionOf>,
    /// `PARTITION BY` stands in it.
    pub partitioned: bool,
    pub inherits: Vec<ObjectName>,
    /// Tables of `LIKE`.
    pub like: Vec<ObjectName>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct PartitionOf {
    pub parent: ObjectName,
    pub default: bool,
}

/// A column as `CREATE TABLE` and `ADD COLUMN` define it.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    pub name: Ident,
    /// From the name to the end of the definition.
    pub span: Span,
    /// The type as written, lower case, one space between words: `character varying(20)`, `int[]`.
    pub data_type: String,
    pub not_null: bool,
    pub default: Option<Expression>,
    pub generated: Option<Generated>,
    pub primary_key: bool,
    pub unique: bool,
    pub check: Vec<Expression>,
    pub references: Option<ObjectName>,
}

impl Column {
    /// `serial` and its sisters: a volatile default in disguise.
    pub fn is_serial(&self) -> bool {
        matches!(self.data_type.as_str(), "serial" | "bigserial" | "smallserial" | "serial2" | "serial4" | "serial8")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Generated {
    Stored,
    Virtual,
    Identity,
}

/// An expression, read only as far as rules ask: what it calls.
#[derive(Debug, Clone, PartialEq)]
pub struct Expression {
    pub span: Span,
    /// The text as written, comments blanked.
    pub text: String,
    /// Functions called, in order; SQL's own such as `current_timestamp` by their lower-case word.
    pub calls: Vec<ObjectName>,
}

/// A table constraint.
#[derive(Debug, Clone, PartialEq)]
pub struct Constraint {
    pub name: Option<Ident>,
    pub kind: ConstraintKind,
    pub not_valid: bool,
    /// `NOT ENFORCED` (Postgres 18).
    pub not_enforced: bool,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub enum ConstraintKind {
    Check {
        expression: Option<Expression>,
    },
    ForeignKey {
        columns: Vec<Ident>,
        references: ObjectName,
    },
    Unique {
        columns: Vec<Ident>,
        using_index: Option<Ident>,
    },
    PrimaryKey {
        columns: Vec<Ident>,
        using_index: Option<Ident>,
    },
    Exclude,
    /// `NOT NULL column` as a table constraint.
    NotNull {
        column: Ident,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub struct AlterTable {
    pub table: ObjectName,
    pub if_exists: bool,
    pub only: bool,
    /// `ALTER FOREIGN TABLE`.
    pub foreign: bool,
    pub actions: Vec<TableAction>,
}

/// One comma-separated action of `ALTER TABLE`, and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct TableAction {
    pub span: Span,
    pub kind: ActionKind,
}

#[derive(Debug, Clone, PartialEq)]
pub enum ActionKind {
    AddColumn {
        column: Box<Column>,
        if_not_exists: bool,
    },
    DropColumn {
        column: Ident,
        if_exists: bool,
        cascade: bool,
    },
    AddConstraint(Constraint),
    DropConstraint {
        name: Ident,
        if_exists: bool,
        cascade: bool,
    },
    ValidateConstraint {
        name: Ident,
    },
    AlterConstraint {
        name: Ident,
    },
    SetNotNull {
        column: Ident,
    },
    DropNotNull {
        column: Ident,
    },
    SetDefault {
        column: Ident,
        default: Option<Expression>,
    },
    DropDefault {
        column: Ident,
    },
    /// `using` when a `USING` expression is written.
    SetType {
        column: Ident,
        data_type: String,
        collate: bool,
        using: Option<Expression>,
    },
    SetExpression {
        column: Ident,
    },
    DropExpression {
        column: Ident,
    },
    AddIdentity {
        column: Ident,
    },
    SetIdentity {
        column: Ident,
    },
    DropIdentity {
        column: Ident,
    },
    /// `SET STATISTICS`, `SET STORAGE`, `SET COMPRESSION`, `SET (…)`, `RESET (…)` of a column.
    ColumnOption {
        column: Ident,
        option: String,
    },
    RenameTable {
        to: Ident,
    },
    RenameColumn {
        from: Ident,
        to: Ident,
    },
    RenameConstraint {
        from: Ident,
        to: Ident,
    },
    SetSchema {
        to: Ident,
    },
    OwnerTo {
        role: Option<Ident>,
    },
    AttachPartition {
        partition: ObjectName,
        default: bool,
    },
    DetachPartition {
        partition: ObjectName,
        concurrently: bool,
        finalize: bool,
    },
    /// `ENABLE` / `DISABLE` of trigger, rule, row level security, and `[NO] FORCE`; words in upper case.
    Toggle {
        words: String,
    },
    ReplicaIdentity,
    ClusterOn,
    SetWithoutCluster,
    /// `SET LOGGED` (`true`) or `SET UNLOGGED` (`false`).
    SetLogged {
        logged: bool,
    },
    SetTablespace,
    SetAccessMethod,
    /// `SET (…)` and `RESET (…)` of the table.
    StorageOptions {
        options: Vec<(String, Option<String>)>,
        reset: bool,
    },
    Inherit {
        parent: ObjectName,
    },
    NoInherit {
        parent: ObjectName,
    },
    OfType {
        name: ObjectName,
    },
    NotOf,
    /// `OPTIONS (…)` of foreign tables and columns.
    ForeignOptions,
}

#[derive(Debug, Clone, PartialEq)]
pub struct CreateIndex {
    pub name: Option<Ident>,
    pub table: ObjectName,
    pub unique: bool,
    pub concurrently: bool,
    pub if_not_exists: bool,
    /// `ON ONLY`: the partitioned parent alone.
    pub only: bool,
    /// Access method in lower case, `None` when not written (btree).
    pub method: Option<String>,
    /// Plain columns by name, expressions as text.
    pub keys: Vec<String>,
    /// A `WHERE` predicate is present.
    pub partial: bool,
    pub span: Span,
}
