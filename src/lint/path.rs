//! How a statement came to run: at the top of a migration, in a block, in a routine that is called.

use crate::sql::{Directive, Span, names::ObjectName};

/// A [`Path`] that is kept until the end of the transaction.
pub struct Way {
    pub directives: Vec<Directive>,
    pub inside_do: bool,
    /// The routines that are called at the step's place.
    pub routines: Vec<ObjectName>,
}

/// How a statement came to run.
#[derive(Clone, Copy)]
pub struct Path<'p> {
    /// Directives on it and on the statements around it.
    pub directives: &'p [&'p Directive],
    pub around: Around<'p>,
}

#[derive(Clone, Copy)]
pub enum Around<'p> {
    Nothing,
    Do,
    /// In a routine that is called at this place; innermost last.
    Call {
        at: Span,
        routines: &'p [ObjectName],
    },
}
