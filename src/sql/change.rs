//! `Change`: our own small, complete vocabulary of what a statement does.
//!
//! Every rule, the catalog and the planner see only this, never a parser's tree: the parser can be wrong,
//! late or replaced in one folder. Names are already folded as Postgres folds them, every part that a
//! message may point at carries a [`Span`].

use super::{
    Span,
    names::{Ident, ObjectName},
};

/// What one statement does to the database.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    CreateTable(CreateTable),
    AlterTable(AlterTable),
    CreateIndex(CreateIndex),
    /// `ALTER INDEX`, `ALTER VIEW`, `ALTER SEQUENCE`, `ALTER TYPE`, `ALTER DOMAIN`, … of any kind but tables.
    AlterObject(AlterObject),
    /// Any `DROP`, one statement may name several objects of one kind.
    Drop(Drop),
    /// `DROP OWNED BY`: drops whatever the roles own, so nothing can be said of what is lost.
    DropOwned {
        roles: Vec<Ident>,
    },
    Truncate(Truncate),
    Delete(Dml),
    Update(Dml),
    Insert(Insert),
    /// `MERGE INTO`; `deletes` when one of its `WHEN` branches deletes.
    Merge {
        table: ObjectName,
        deletes: bool,
    },
    /// `CREATE [MATERIALIZED] VIEW`.
    CreateView(CreateView),
    CreateType(CreateType),
    /// `CREATE [OR REPLACE] FUNCTION | PROCEDURE`; what its body holds is in the statement's `inner`.
    CreateRoutine(CreateRoutine),
    /// `CREATE [OR REPLACE] [CONSTRAINT] TRIGGER name … ON table … EXECUTE FUNCTION routine`.
    CreateTrigger {
        name: Ident,
        table: ObjectName,
        or_replace: bool,
        routine: Option<ObjectName>,
    },
    CreatePolicy {
        name: Ident,
        table: ObjectName,
    },
    CreateSequence {
        name: ObjectName,
        if_not_exists: bool,
    },
    CreateSchema {
        name: Option<Ident>,
        if_not_exists: bool,
    },
    CreateExtension {
        name: Ident,
        if_not_exists: bool,
    },
    /// Any other `CREATE`: role, publication, server, cast, aggregate, statistics, rule, …
    CreateOther {
        kind: ObjectKind,
        name: Option<ObjectName>,
        or_replace: bool,
        /// The table of a rule.
        on: Option<ObjectName>,
    },
    Grant {
        revoke: bool,
        /** Kind of the objects, `None` for role membership. */
        kind: Option<ObjectKind>,
        names: Vec<ObjectName>,
    },
    AlterDefaultPrivileges,
    Comment {
        kind: ObjectKind,
        name: Option<ObjectName>,
    },
    Set(Set),
    Transaction(Transaction),
    /// `DO`; its statements are in the statement's `inner`, what is not analysable is in `body`.
    Do {
        body: Body,
    },
    /// `CALL name(…)`.
    Call {
        routine: ObjectName,
    },
    /// `SELECT`, `VALUES`, `TABLE`: reads, but may call `routines`. Writes behind `WITH` are in `inner`.
    Query {
        routines: Vec<ObjectName>,
    },
    /// `EXPLAIN`; with `analyze` it runs its statement, which then stands in `inner`.
    Explain {
        analyze: bool,
    },
    Copy(Copy),
    Refresh {
        view: ObjectName,
        concurrently: bool,
        with_data: bool,
    },
    Reindex {
        target: ReindexTarget,
        name: Option<ObjectName>,
        concurrently: bool,
    },
    Cluster {
        table: Option<ObjectName>,
    },
    Vacuum {
        full: bool,
        tables: Vec<ObjectName>,
    },
    Analyze {
        tables: Vec<ObjectName>,
    },
    Lock {
        tables: Vec<ObjectName>,
        /** Upper case, `ACCESS EXCLUSIVE` when not written. */
        mode: String,
    },
    /// `PREPARE`, its statement in `inner`; `EXECUTE`, `DEALLOCATE`.
    Prepared {
        verb: &'static str,
    },
    /// `ALTER SYSTEM`, `CREATE DATABASE`, `ALTER DATABASE`, `CREATE TABLESPACE`, `ALTER … ALL IN TABLESPACE`: acts
    /// beyond one object, or beyond this database.
    Server {
        verb: String,
    },
    /// Known, and of no interest to any rule: `LISTEN`, `NOTIFY`, `CHECKPOINT`, `SECURITY LABEL`, …
    Harmless {
        verb: String,
    },
    /// Nothing silently unread: what we cannot say with certainty is said to be so.
    Unread {
        reason: Unread,
    },
}

/// Why a statement was not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unread {
    /// First word is no statement we know.
    UnknownStatement { word: String },
    /// Known statement, but what follows is not what Postgres accepts there.
    Malformed { detail: String },
    /// Our two readers gave two answers.
    Disagreement { parser: String, recogniser: String },
    /// A string, comment, dollar quote or quoted name that never ends; `span` is where it was opened.
    Unterminated { what: &'static str, opened: Span },
    /// A backslash line: psql runs it, no server does.
    PsqlCommand { command: String },
    /// psql's `:name`, or a template's `{{ … }}` and `${…}`.
    Placeholder { text: String },
    /// `EXECUTE` of anything but one plain literal.
    DynamicSql,
    /// A body in a language that we do not read.
    ForeignLanguage { language: String },
    /// `COPY … FROM stdin`: needs a client that streams the data.
    CopyFromStdin,
    /// The rest of a file after `standard_conforming_strings = off`.
    NonStandardStrings,
    /// Nested deeper or chained longer than either reader goes.
    TooComplex,
}

/// The kinds of object that `DROP`, `ALTER`, `COMMENT` and `GRANT` name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKind {
    AccessMethod,
    Aggregate,
    Cast,
    Collation,
    Column,
    Constraint,
    Conversion,
    Database,
    Domain,
    EventTrigger,
    Extension,
    ForeignDataWrapper,
    ForeignTable,
    Function,
    Index,
    Language,
    LargeObject,
    MaterializedView,
    Operator,
    OperatorClass,
    OperatorFamily,
    Parameter,
    Policy,
    Procedure,
    Publication,
    Role,
    Routine,
    Rule,
    Schema,
    Sequence,
    Server,
    Statistics,
    Subscription,
    Table,
    Tablespace,
    TextSearch,
    Transform,
    Trigger,
    Type,
    UserMapping,
    View,
}

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

/// `ALTER` of anything but a table.
#[derive(Debug, Clone, PartialEq)]
pub struct AlterObject {
    pub kind: ObjectKind,
    pub name: Option<ObjectName>,
    pub if_exists: bool,
    pub action: ObjectAction,
}

#[derive(Debug, Clone, PartialEq)]
pub enum ObjectAction {
    Rename {
        to: Ident,
    },
    /// `RENAME COLUMN` of a view, `RENAME ATTRIBUTE` of a type.
    RenamePart {
        from: Ident,
        to: Ident,
    },
    SetSchema {
        to: Ident,
    },
    OwnerTo,
    /// `ALTER TYPE … ADD VALUE`.
    AddValue {
        value: String,
        if_not_exists: bool,
    },
    RenameValue {
        from: String,
        to: String,
    },
    AddAttribute {
        name: Ident,
    },
    DropAttribute {
        name: Ident,
        cascade: bool,
    },
    AlterAttribute {
        name: Ident,
    },
    /// `ALTER DOMAIN … ADD`.
    AddConstraint(Constraint),
    DropConstraint {
        name: Ident,
    },
    ValidateConstraint {
        name: Ident,
    },
    SetNotNull,
    DropNotNull,
    SetDefault,
    DropDefault,
    AttachPartition {
        index: ObjectName,
    },
    /// Anything else, by its leading words in upper case: `RESTART`, `SET (…)`, `DEPENDS ON EXTENSION`, …
    Other {
        words: String,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub struct Drop {
    pub kind: ObjectKind,
    pub names: Vec<ObjectName>,
    /// The table of `DROP TRIGGER | RULE | POLICY name ON table`.
    pub on: Option<ObjectName>,
    pub if_exists: bool,
    pub cascade: bool,
    pub concurrently: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Truncate {
    pub tables: Vec<ObjectName>,
    pub cascade: bool,
}

/// `DELETE` or `UPDATE`.
#[derive(Debug, Clone, PartialEq)]
pub struct Dml {
    pub table: ObjectName,
    pub filter: Filter,
}

/// How a `DELETE` or `UPDATE` is bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// No `WHERE`, or one that is always true (`WHERE true`, `WHERE 1 = 1`).
    None,
    Where,
    /// `WHERE CURRENT OF cursor`.
    Cursor,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Insert {
    pub table: ObjectName,
    pub on_conflict: Option<OnConflict>,
    pub source: InsertSource,
    pub columns: Vec<Ident>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnConflict {
    DoNothing,
    DoUpdate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InsertSource {
    Values,
    Query,
    Default,
}

#[derive(Debug, Clone, PartialEq)]
pub struct CreateView {
    pub name: ObjectName,
    pub or_replace: bool,
    pub materialized: bool,
    pub if_not_exists: bool,
    pub temporary: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct CreateType {
    pub name: ObjectName,
    pub kind: TypeKind,
}

#[derive(Debug, Clone, PartialEq)]
pub enum TypeKind {
    Enum {
        values: Vec<String>,
    },
    Composite,
    Range,
    /// `data_type` is what it is made of, as [`Column::data_type`]; `constrained` when it has a `CHECK` or `NOT NULL`.
    Domain {
        data_type: String,
        default: Option<Expression>,
        constrained: bool,
    },
    /// Shell and base types.
    Other,
}

#[derive(Debug, Clone, PartialEq)]
pub struct CreateRoutine {
    /// `Function` or `Procedure`.
    pub kind: ObjectKind,
    pub name: ObjectName,
    pub or_replace: bool,
    pub volatility: Volatility,
    pub security_definer: bool,
    /// Settings of `SET name = …` clauses, lower case.
    pub sets: Vec<String>,
    pub body: Body,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Volatility {
    Immutable,
    Stable,
    Volatile,
}

/// A `DO` block's or a routine's body; its statements stand in the outer statement's `inner`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Body {
    /// Lower case; `plpgsql` when a `DO` does not name one.
    pub language: String,
    /// The body's text within the file, without its quotes; `None` for C functions and the like.
    pub span: Option<Span>,
    /// One expression, `SELECT f(x)` or `RETURN f(x)`: Postgres may put it where the call stands.
    pub expression: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Set {
    /// Lower case: `lock_timeout`, `search_path`, `role`.
    pub name: String,
    /// Raw value without quotes; `None` for `DEFAULT` and for `RESET`.
    pub value: Option<String>,
    pub scope: SetScope,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetScope {
    Session,
    Local,
    Reset,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transaction {
    Begin,
    Commit,
    Rollback,
    Savepoint,
    Release,
    RollbackTo,
    PrepareTransaction,
    CommitPrepared,
    RollbackPrepared,
    /// `SET TRANSACTION`, `SET CONSTRAINTS`.
    Characteristics,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Copy {
    pub table: Option<ObjectName>,
    /// `true` for `FROM`.
    pub from: bool,
    pub source: CopySource,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopySource {
    Stdio,
    File,
    Program,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReindexTarget {
    Index,
    Table,
    Schema,
    Database,
    System,
}
