//! Everything else that a database consists of: views, types, routines; and `ALTER` and `DROP` of any kind.

use super::super::{
    Span, Words,
    names::{Ident, ObjectName},
};
use super::{Column, Constraint, Expression, ObjectKind, Options, SequenceOptions, Set};

/// `ALTER` of anything but a table.
#[derive(Debug, Clone, PartialEq)]
pub struct AlterObject {
    pub kind: ObjectKind,
    pub name: Option<ObjectName>,
    /// The table of a trigger, rule or policy.
    pub on: Option<ObjectName>,
    pub if_exists: bool,
    /// Of a routine the text between its brackets; `None` without brackets.
    pub arguments: Option<String>,
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
    OwnerTo {
        role: Ident,
    },
    /// `ALTER TYPE … ADD VALUE`.
    AddValue {
        value: String,
        if_not_exists: bool,
        /// The value that `BEFORE` (`true`) or `AFTER` names.
        beside: Option<(bool, String)>,
    },
    RenameValue {
        from: String,
        to: String,
    },
    AddAttribute {
        name: Ident,
        data_type: String,
    },
    DropAttribute {
        name: Ident,
        cascade: bool,
    },
    AlterAttribute {
        name: Ident,
        data_type: String,
    },
    /// `ALTER DOMAIN … ADD`.
    AddConstraint(Box<Constraint>),
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
        /// Of `ALTER SEQUENCE`.
        sequence: Option<Box<SequenceOptions>>,
        /// Of `SET` and `RESET` of a role or routine.
        setting: Option<Box<Set>>,
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
    /// Of the kind: behind `INDEX` stands `CONCURRENTLY`, or should.
    pub kind_span: Span,
    pub cascade_span: Option<Span>,
    /// For each name of a routine the text between its brackets; `None` without brackets.
    pub arguments: Vec<Option<String>>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct CreateView {
    pub name: ObjectName,
    pub or_replace: bool,
    pub materialized: bool,
    pub if_not_exists: bool,
    pub temporary: bool,
    /// Names given to its columns; empty when not written.
    pub columns: Vec<Ident>,
    /// Its query.
    pub query: Span,
    /// Tables and views that the query reads.
    pub reads: Vec<ObjectName>,
    /// Columns, and aliases, that the query names, as far as tokens tell; `*` is none.
    pub names: Vec<ObjectName>,
    /// `WITH (…)`.
    pub options: Options,
    /// `WITH NO DATA` of a materialized view.
    pub without_data: bool,
    /// Words of its query that may be columns, folded; `None` where `*` takes them all.
    pub mentions: Option<Words>,
    /// What its query gives, in order; `None` where tokens do not tell.
    pub outputs: Option<Outputs>,
}

/// The columns that a `SELECT` gives.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outputs {
    pub columns: Vec<Output>,
    /// It reads relations by their names only, no query inside it, so that a column's name tells whose it is.
    pub flat: bool,
    /// It reads one relation, and that once.
    pub alone: bool,
    /// What that one is called in it.
    pub called: Option<String>,
    /// Columns that stand for themselves, without a table before them, and where.
    pub plain: Vec<(String, Span)>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// `*`: all columns of the one relation that is read.
    All,
    Column {
        /// What it is called; `None` where Postgres makes up a name.
        name: Option<String>,
        /// The column that it is, when it is one.
        of: Option<String>,
        /// The type of the cast around it, as [`Column::data_type`].
        cast: Option<String>,
    },
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
    Composite {
        attributes: Vec<Column>,
    },
    /// `multirange` is what the type of several of them is called; `None`: as Postgres calls it.
    Range {
        /// As [`Column::data_type`].
        subtype: Option<String>,
        multirange: Option<ObjectName>,
    },
    /// `data_type` is what it is made of, as [`Column::data_type`]; `constrained` when it has a `CHECK` or `NOT NULL`.
    Domain {
        data_type: String,
        default: Option<Box<Expression>>,
        constrained: bool,
        constraints: Vec<Constraint>,
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
    pub arguments: Vec<RoutineArgument>,
    /// The type behind `RETURNS`, as [`Column::data_type`]; `table` for a table.
    pub returns: Option<String>,
    pub strict: bool,
    pub volatility: Volatility,
    pub security_definer: bool,
    /// Settings of `SET name = …` clauses, lower case.
    pub sets: Vec<String>,
    pub body: Body,
}

#[derive(Debug, Clone, PartialEq)]
pub struct RoutineArgument {
    /// Upper case: `IN`, `OUT`, `INOUT`, `VARIADIC`.
    pub mode: &'static str,
    pub name: Option<Ident>,
    /// As [`Column::data_type`].
    pub data_type: String,
    pub default: Option<Expression>,
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
    /// Its words that may be names, folded, each once; of a routine whose body is text: Postgres looks them up when it
    /// runs.
    pub words: Words,
}
