//! Tables, their columns, constraints and indexes.

use super::{
    super::{
        Span,
        names::{Ident, ObjectName},
    },
    Expression, Outputs, SequenceOptions,
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
    pub partition_by: Option<PartitionBy>,
    pub inherits: Vec<ObjectName>,
    /// Tables of `LIKE`.
    pub like: Vec<ObjectName>,
    /// The last word on each option of the `LIKE` clauses, upper case: `INCLUDING INDEXES`, `EXCLUDING ALL`.
    pub like_options: Vec<String>,
    /// `OF type`.
    pub of_type: Option<ObjectName>,
    /// `WITH (…)`.
    pub options: Options,
    pub method: Option<Ident>,
    pub tablespace: Option<Ident>,
    /// What the query of `AS` and `INTO` reads.
    pub reads: Vec<ObjectName>,
    /// What that query gives, in order; `None` where tokens do not tell.
    pub outputs: Option<Box<Outputs>>,
    /// `WITH NO DATA`: the query is not run.
    pub without_data: bool,
}

/// Storage parameters and the like, names in lower case, values as written.
pub type Options = Vec<(String, Option<String>)>;

#[derive(Debug, Clone, PartialEq)]
pub struct PartitionOf {
    pub parent: ObjectName,
    pub default: bool,
    pub bound: PartitionBound,
}

/// `PARTITION BY strategy (keys)`.
#[derive(Debug, Clone, PartialEq)]
pub struct PartitionBy {
    /// Lower case: `range`, `list`, `hash`.
    pub strategy: String,
    pub keys: Vec<IndexKey>,
}

/// `DEFAULT` or `FOR VALUES …`, and where it stands.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PartitionBound {
    pub span: Span,
    pub kind: BoundKind,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub enum BoundKind {
    #[default]
    Default,
    In(Vec<Expression>),
    /// `MINVALUE` and `MAXVALUE` are names in their expressions.
    Range {
        from: Vec<Expression>,
        to: Vec<Expression>,
    },
    /// `None` for what is no number, which Postgres refuses.
    Hash {
        modulus: Option<u32>,
        remainder: Option<u32>,
    },
}

/// A column as `CREATE TABLE` and `ADD COLUMN` define it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Column {
    pub name: Ident,
    /// From the name to the end of the definition.
    pub span: Span,
    /// The type as written, lower case, one space between words: `character varying(20)`, `int[]`.
    pub data_type: String,
    pub type_span: Span,
    pub collation: Option<ObjectName>,
    pub not_null: bool,
    pub default: Option<Expression>,
    /// `DEFAULT` and its expression.
    pub default_span: Option<Span>,
    pub generated: Option<Generated>,
    /// What a generated column computes.
    pub generated_as: Option<Expression>,
    /// The sequence of an identity.
    pub sequence: Option<Box<SequenceOptions>>,
    pub primary_key: bool,
    pub unique: bool,
    pub check: Vec<Expression>,
    pub references: Option<ObjectName>,
    /// The column's own constraints, `not_null` to `references` once more, each whole and with its place.
    pub constraints: Vec<Constraint>,
    /// `STORAGE` and `COMPRESSION`, upper case, and their words as written.
    pub storage: Options,
}

impl Column {
    /// `serial` and its sisters: a volatile default in disguise.
    pub fn is_serial(&self) -> bool {
        is_serial(&self.data_type)
    }

    /// The type that `serial` and its sisters stand for.
    pub fn serial_type(&self) -> Option<&'static str> {
        serial_type(&self.data_type)
    }

    /// One of its checks is looked at for every row: not all are `NOT ENFORCED`.
    pub fn is_checked(&self) -> bool {
        let checks = |it: &Constraint| matches!(it.kind, ConstraintKind::Check { .. }) && !it.not_enforced;
        self.constraints.iter().any(checks)
    }

    /// What it references is looked up for every row: not all of it is `NOT ENFORCED`. Also for `default null`: Postgres
    /// looks at whether a default is written, not at what it says.
    pub fn is_looked_up(&self) -> bool {
        let references = |it: &Constraint| matches!(it.kind, ConstraintKind::ForeignKey { .. }) && !it.not_enforced;
        self.default.is_some() && self.constraints.iter().any(references)
    }
}

/// No type, but a way to write a new column: an integer, a sequence and a default.
pub fn is_serial(data_type: &str) -> bool {
    serial_type(data_type).is_some()
}

fn serial_type(data_type: &str) -> Option<&'static str> {
    match data_type {
        "smallserial" | "serial2" => Some("smallint"),
        "serial" | "serial4" => Some("integer"),
        "bigserial" | "serial8" => Some("bigint"),
        _ => None,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Generated {
    Stored,
    Virtual,
    Identity,
}

/// A table constraint.
#[derive(Debug, Clone, PartialEq)]
pub struct Constraint {
    pub name: Option<Ident>,
    pub kind: ConstraintKind,
    pub not_valid: bool,
    /// `NOT ENFORCED` (Postgres 18).
    pub not_enforced: bool,
    pub no_inherit: bool,
    /// `DEFERRABLE`, also when only `INITIALLY DEFERRED` says so.
    pub deferrable: bool,
    pub initially_deferred: bool,
    /// From `CONSTRAINT`, or what it is, to its end.
    pub span: Span,
    /// Of `NOT VALID`.
    pub not_valid_span: Option<Span>,
    /// `INCLUDE (…)` of a key.
    pub include: Vec<Ident>,
    pub nulls_not_distinct: bool,
    /// `WITH (…)` of the index behind it.
    pub options: Options,
    /// `USING INDEX TABLESPACE`.
    pub tablespace: Option<Ident>,
}

impl Constraint {
    /// One of which nothing more is written.
    pub fn of(name: Option<Ident>, kind: ConstraintKind) -> Self {
        Self {
            name,
            kind,
            not_valid: false,
            not_enforced: false,
            no_inherit: false,
            deferrable: false,
            initially_deferred: false,
            span: Span::default(),
            not_valid_span: None,
            include: Vec::new(),
            nulls_not_distinct: false,
            options: Vec::new(),
            tablespace: None,
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub enum ConstraintKind {
    Check {
        expression: Option<Expression>,
    },
    ForeignKey {
        columns: Vec<Ident>,
        references: ObjectName,
        /// Empty when not written: the primary key of the other table.
        referenced: Vec<Ident>,
        on_delete: ReferentialAction,
        on_update: ReferentialAction,
        /// The columns of `ON DELETE SET NULL (…)` and `SET DEFAULT (…)`.
        set_columns: Vec<Ident>,
        match_full: bool,
    },
    Unique {
        columns: Vec<Ident>,
        using_index: Option<Ident>,
    },
    PrimaryKey {
        columns: Vec<Ident>,
        using_index: Option<Ident>,
    },
    Exclude {
        /// Lower case; `None` when not written (btree).
        method: Option<String>,
        /// Each key and the operator behind its `WITH`.
        elements: Vec<(IndexKey, String)>,
        predicate: Option<Expression>,
    },
    /// `NOT NULL column` as a table constraint.
    NotNull {
        column: Ident,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReferentialAction {
    #[default]
    NoAction,
    Restrict,
    Cascade,
    SetNull,
    SetDefault,
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
    /// `None` where nothing is said.
    AlterConstraint {
        name: Ident,
        deferrable: Option<bool>,
        initially_deferred: Option<bool>,
        enforced: Option<bool>,
        inherit: Option<bool>,
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
        type_span: Span,
        collate: bool,
        collation: Option<ObjectName>,
        using: Option<Expression>,
    },
    SetExpression {
        column: Ident,
        expression: Expression,
    },
    DropExpression {
        column: Ident,
    },
    AddIdentity {
        column: Ident,
        sequence: Box<SequenceOptions>,
    },
    SetIdentity {
        column: Ident,
        sequence: Box<SequenceOptions>,
    },
    DropIdentity {
        column: Ident,
    },
    /// `SET STATISTICS`, `SET STORAGE`, `SET COMPRESSION`, `SET (…)`, `RESET (…)` of a column.
    ColumnOption {
        column: Ident,
        option: String,
        /// What is set, by name in lower case: `statistics`, `storage`, or the options in brackets.
        values: Options,
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
        bound: PartitionBound,
    },
    DetachPartition {
        partition: ObjectName,
        concurrently: bool,
        finalize: bool,
    },
    /// `ENABLE` / `DISABLE` of trigger, rule, row level security, and `[NO] FORCE`; words in upper case.
    Toggle {
        words: String,
        /// The trigger or rule; `all` and `user` stand for all of them.
        name: Option<Ident>,
    },
    ReplicaIdentity {
        identity: ReplicaIdentity,
    },
    ClusterOn {
        index: Ident,
    },
    SetWithoutCluster,
    /// `SET LOGGED` (`true`) or `SET UNLOGGED` (`false`).
    SetLogged {
        logged: bool,
    },
    SetTablespace {
        tablespace: Ident,
    },
    /// `DEFAULT` is the method `default`.
    SetAccessMethod {
        method: Ident,
    },
    /// `SET (…)` and `RESET (…)` of the table.
    StorageOptions {
        options: Options,
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

impl ActionKind {
    /// What `ALTER TABLE` does before it adds anything, wherever the two stand (`AlterTablePass` in tablecmds.c).
    pub fn drops_before_adding(&self) -> bool {
        matches!(self, Self::DropConstraint { .. } | Self::DropColumn { .. })
    }
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
    /// The same keys in their parts.
    pub parts: Vec<IndexKey>,
    /// `INCLUDE (…)`.
    pub include: Vec<Ident>,
    pub nulls_not_distinct: bool,
    /// A `WHERE` predicate is present.
    pub partial: bool,
    pub predicate: Option<Expression>,
    /// `WITH (…)`.
    pub options: Options,
    pub tablespace: Option<Ident>,
    pub span: Span,
    /// Of the word `INDEX`: behind it stands `CONCURRENTLY`, or should.
    pub index_span: Span,
}

/// One key of an index, an exclusion or a partitioned table.
#[derive(Debug, Clone, PartialEq)]
pub struct IndexKey {
    pub span: Span,
    /// A plain column; `None` for an expression.
    pub column: Option<Ident>,
    pub expression: Expression,
    pub collation: Option<ObjectName>,
    /// Operator class.
    pub class: Option<ObjectName>,
    pub descending: bool,
    /// `None` when not written.
    pub nulls_first: Option<bool>,
}

/// What a replica knows a changed row by.
#[derive(Debug, Clone, PartialEq)]
pub enum ReplicaIdentity {
    Default,
    Full,
    Nothing,
    Index(Ident),
}
