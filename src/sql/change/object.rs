//! Everything else that a database consists of: views, types, routines; and `ALTER` and `DROP` of any kind.

use super::super::{
    Span,
    names::{Ident, ObjectName},
};
use super::{Constraint, Expression, ObjectKind};

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
