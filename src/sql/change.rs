//! `Change`: our own small, complete vocabulary of what a statement does.
//!
//! Every rule, the catalog and the planner see only this, never a parser's tree: the parser can be wrong,
//! late or replaced in one folder. Names are already folded as Postgres folds them, every part that a
//! message may point at carries a [`Span`].

mod expression;
mod object;
mod privilege;
mod rows;
mod sequence;
mod session;
mod table;
mod trigger;

use super::{
    Span,
    names::{Ident, ObjectName},
};
pub use expression::{Argument, Call, Cast, Expression, Operand, OperandKind, Parts};
pub use object::{
    AlterObject, Body, CreateRoutine, CreateType, CreateView, Drop, ObjectAction, Output, Outputs, RoutineArgument,
    TypeKind, Volatility,
};
pub use privilege::{DefaultPrivileges, PolicyTerms, Terms};
pub use rows::{Arbiter, Copy, CopySource, Dml, Filter, Insert, InsertSource, OnConflict, Truncate};
pub use sequence::{Bound, OwnedBy, Restart, SequenceOptions};
pub use session::{ReindexTarget, Set, SetScope, Transaction};
pub use table::{
    ActionKind, AlterTable, BoundKind, Column, Constraint, ConstraintKind, CreateIndex, CreateTable, Generated,
    IndexKey, Options, PartitionBound, PartitionBy, PartitionOf, ReferentialAction, ReplicaIdentity, TableAction,
    is_serial,
};
pub use trigger::{Firing, Timing, TriggerEvent};

/// What one statement does to the database.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    CreateTable(Box<CreateTable>),
    AlterTable(AlterTable),
    CreateIndex(Box<CreateIndex>),
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
    CreateView(Box<CreateView>),
    CreateType(CreateType),
    /// `CREATE [OR REPLACE] FUNCTION | PROCEDURE`; what its body holds is in the statement's `inner`.
    CreateRoutine(Box<CreateRoutine>),
    /// `CREATE [OR REPLACE] [CONSTRAINT] TRIGGER name … ON table … EXECUTE FUNCTION routine`.
    CreateTrigger {
        name: Ident,
        table: ObjectName,
        or_replace: bool,
        routine: Option<ObjectName>,
        firing: Box<Firing>,
    },
    CreatePolicy {
        name: Ident,
        table: ObjectName,
        terms: Box<PolicyTerms>,
    },
    CreateSequence {
        name: ObjectName,
        if_not_exists: bool,
        temporary: bool,
        options: Box<SequenceOptions>,
    },
    CreateSchema {
        name: Option<Ident>,
        if_not_exists: bool,
    },
    CreateExtension {
        name: Ident,
        if_not_exists: bool,
        schema: Option<Ident>,
        cascade: bool,
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
        terms: Terms,
    },
    AlterDefaultPrivileges(DefaultPrivileges),
    Comment {
        kind: ObjectKind,
        /// Of a constraint, trigger, rule or policy: what it is on.
        name: Option<ObjectName>,
        /// The constraint, trigger, rule or policy itself.
        part: Option<Ident>,
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
        /// The same calls with their arguments, where the query is a statement of its own.
        calls: Vec<Call>,
        /// Tables and views that it reads.
        reads: Vec<ObjectName>,
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
        name: Option<ObjectName>,
        /// What `ALTER DATABASE … SET` and `ALTER SYSTEM SET` set.
        setting: Option<Set>,
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
#[derive(Debug, Clone, PartialEq)]
pub enum Unread {
    /// First word is no statement we know.
    UnknownStatement { word: String },
    /// Known statement, but what follows is not what Postgres accepts there.
    Malformed { detail: String },
    /// The same of a `CREATE TABLE`, with its head alone: whatever its columns are, it was not there before.
    MalformedTable { table: Box<CreateTable>, detail: String },
    /// Our two readers gave two answers.
    Disagreement { parser: String, recogniser: String },
    /// A string, comment, dollar quote or quoted name that never ends; `span` is where it was opened.
    Unterminated { what: &'static str, opened: Span },
    /// A backslash line: psql runs it, no server does.
    PsqlCommand { command: String },
    /// psql's `:name`, or a template's `{{ … }}` and `${…}`.
    /// `table` is the head of a `CREATE TABLE`, when its name is plain.
    Placeholder { text: String, table: Option<Box<CreateTable>> },
    /// `EXECUTE` of anything but one plain literal.
    DynamicSql,
    /// A body in a language that we do not read.
    ForeignLanguage { language: String },
    /// `COPY … FROM stdin`: needs a client that streams the data.
    CopyFromStdin,
    /// The rows behind it, to `\.`: part of no statement.
    CopyData,
    /// The rest of a file after `standard_conforming_strings = off`.
    NonStandardStrings,
    /// Bytes of the file that belong to no character; the first of them stands there.
    NotUtf8 { offset: usize },
    /// Nested deeper or chained longer than either reader goes.
    TooComplex,
}

impl Unread {
    /// In one or two words, to be counted.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::UnknownStatement { .. } => "unknown statement",
            Self::Malformed { .. } | Self::MalformedTable { .. } => "syntax error",
            Self::Disagreement { .. } => "two readings",
            Self::Unterminated { .. } => "never ends",
            Self::PsqlCommand { .. } => "psql command",
            Self::Placeholder { .. } => "placeholder",
            Self::DynamicSql => "dynamic EXECUTE",
            Self::ForeignLanguage { .. } => "foreign language",
            Self::CopyFromStdin => "COPY FROM stdin",
            Self::CopyData => "COPY data",
            Self::NonStandardStrings => "non-standard strings",
            Self::NotUtf8 { .. } => "broken text",
            Self::TooComplex => "too complex",
        }
    }
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
