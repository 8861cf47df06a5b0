//! Who may do what: `GRANT`, `REVOKE`, `ALTER DEFAULT PRIVILEGES`, `CREATE POLICY`.

use super::{super::names::Ident, Expression, ObjectKind};

/// Privileges, and the roles that get or lose them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Terms {
    /// Upper case: `SELECT`, `ALL`, `UPDATE (…)` for some columns; names of roles where membership is given.
    pub privileges: Vec<String>,
    /// Those columns.
    pub columns: Vec<Ident>,
    /// `public` for everybody.
    pub roles: Vec<String>,
    /// `WITH GRANT OPTION`, `GRANT OPTION FOR`, `WITH ADMIN OPTION`.
    pub option: bool,
    /// `ON ALL … IN SCHEMA`: what is named are schemas.
    pub in_schemas: bool,
}

/// `ALTER DEFAULT PRIVILEGES`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefaultPrivileges {
    pub revoke: bool,
    /// `IN SCHEMA`; empty: in all.
    pub schemas: Vec<String>,
    /// `FOR ROLE`; empty: for whoever runs it.
    pub creators: Vec<String>,
    /// `Table`, `Sequence`, `Function`, `Type`, `Schema`.
    pub kind: ObjectKind,
    pub terms: Terms,
}

/// What a policy lets through.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyTerms {
    pub permissive: bool,
    /// `ALL`, `SELECT`, `INSERT`, `UPDATE`, `DELETE`.
    pub command: String,
    /// Empty: everybody.
    pub roles: Vec<String>,
    /// Rows that are seen.
    pub using: Option<Expression>,
    /// Rows that may be written.
    pub check: Option<Expression>,
}
