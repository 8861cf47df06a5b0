//! An expression, read as far as rules ask: what it calls, casts and names. It is not parsed into a tree.

use std::{ops::Deref, sync::Arc};

use super::super::{
    Span,
    names::{Ident, ObjectName},
};

/// An expression, shared by all that hold it: the change that says it and what a catalog keeps of that.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Expression(Arc<Parts>);

impl Deref for Expression {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl From<Parts> for Expression {
    fn from(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

/// What stands in an expression, at any depth and in order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Parts {
    pub span: Span,
    /// The text as written, comments blanked.
    pub text: String,
    /// Functions called; SQL's own such as `current_timestamp` by their lower-case word.
    pub calls: Vec<ObjectName>,
    /// The same calls with their arguments.
    pub invocations: Vec<Call>,
    pub casts: Vec<Cast>,
    /// `+`, `||`, `->>`; also `LIKE` and its like, which are functions by another name. Not `AND`, `IS`, `IN`.
    pub operators: Vec<String>,
    /// Columns and whatever else is neither called nor a type: `a`, `t.a`.
    pub names: Vec<ObjectName>,
    /// A `SELECT` stands in it.
    pub subquery: bool,
    /// What it is as a whole, brackets around it left out.
    pub whole: Operand,
}

/// A function and what it is called with.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    pub name: ObjectName,
    /// From the name to the closing bracket.
    pub span: Span,
    /// None for `current_timestamp` and its like. `ORDER BY`, `DISTINCT` and SQL's own words belong to their argument.
    pub arguments: Vec<Argument>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Argument {
    /// `name => …`.
    pub name: Option<Ident>,
    pub span: Span,
    pub operand: Operand,
}

/// What a part of an expression is, as far as a few tokens tell.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Operand {
    pub kind: OperandKind,
    /// The type of the cast around it, as [`Column::data_type`](super::Column::data_type): `'a'::text`, `date 'now'`.
    pub cast: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub enum OperandKind {
    /// A string's value. Values may be secrets: compare them, never show them.
    Text(String),
    /// As written, with its sign.
    Number(String),
    Boolean(bool),
    Null,
    /// `$1`.
    Parameter,
    Column(ObjectName),
    Call(ObjectName),
    /// Anything that is put together.
    #[default]
    Other,
}

impl Operand {
    /// A constant, cast or not.
    pub fn is_literal(&self) -> bool {
        use OperandKind::{Boolean, Null, Number, Text};
        matches!(self.kind, Text(_) | Number(_) | Boolean(_) | Null)
    }
}

/// `… :: type`, `CAST(… AS type)`, `type '…'`.
#[derive(Debug, Clone, PartialEq)]
pub struct Cast {
    /// As [`Column::data_type`](super::Column::data_type).
    pub to: String,
    /// Of the type.
    pub span: Span,
    /// Of a literal: `'…'::type`.
    pub of_literal: bool,
}
