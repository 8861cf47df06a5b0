//! What a role may do, asked beforehand and all at once.

use super::{PostgresError, Session};

/// Of the session's role, in the session's database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Privileges {
    pub role: String,
    pub is_superuser: bool,
    /// Schema `liftlock` can be made, or is there and can be used.
    pub keeps_records: bool,
    pub creates_databases: bool,
    /// Or is a member of the role that owns it.
    pub owns_database: bool,
    /// Sees what other sessions do, so that blockers can be named.
    pub sees_other_sessions: bool,
    /// Schemas whose tables it may not look into, at most five.
    pub closed_schemas: Vec<String>,
    /// The session, or the whole server, changes nothing.
    pub is_read_only: bool,
}

const PRIVILEGES: &str = "
    select current_user::text, r.rolsuper,
      has_database_privilege(current_database(), 'create') or coalesce((select has_schema_privilege(oid, 'usage, create')
        from pg_namespace where nspname = 'liftlock'), false),
      r.rolcreatedb or r.rolsuper, pg_has_role(d.datdba, 'usage'),
      pg_has_role('pg_read_all_stats', 'usage'),
      array(select nspname::text from pg_namespace where nspname !~ '^(pg_|information_schema$|liftlock$)'
        and not has_schema_privilege(oid, 'usage') order by 1 limit 5),
      pg_is_in_recovery() or current_setting('transaction_read_only')::bool
    from pg_roles r, pg_database d where r.rolname = current_user and d.datname = current_database()";

impl Session {
    /// What this session's role may do.
    pub async fn privileges(&self) -> Result<Privileges, PostgresError> {
        let row = self.query_one(PRIVILEGES, &[]).await.map_err(|it| self.failure(it))?;
        Ok(Privileges {
            role: row.get(0),
            is_superuser: row.get(1),
            keeps_records: row.get(2),
            creates_databases: row.get(3),
            owns_database: row.get(4),
            sees_other_sessions: row.get(5),
            closed_schemas: row.get(6),
            is_read_only: row.get(7),
        })
    }
}
