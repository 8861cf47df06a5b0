//! Which database it really is, whatever its URL says.

use std::fmt;

use super::{PostgresError, Session};

/// Which database this really is, whatever its URL says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Set at initdb, kept by physical copies; `None` when the role may not read it.
    pub system_identifier: Option<String>,
    pub database_oid: u32,
    pub database: String,
    /// As in the URL.
    pub host: String,
    /// As the server sees itself: `10.0.0.5:5432`; `None` on a unix socket.
    pub server_address: Option<String>,
    /// When the server process started: tells copies of one cluster apart, and is the same on every way in.
    pub server_started: String,
    /// Neon's branches share the system identifier; this tells them apart.
    pub neon_branch: Option<String>,
    pub neon_project: Option<String>,
    /// `17.10`.
    pub server_version: String,
    /// `170010`.
    pub server_version_number: i32,
    pub is_standby: bool,
}

/// What a connection to a branch of Neon's says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeonIdentity {
    pub project: String,
    pub branch: String,
}

impl fmt::Display for NeonIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "branch {} of project {}", self.branch, self.project)
    }
}

/// Whether two connections lead to one database, also when their URLs differ.
pub fn same_database(a: &Identity, b: &Identity) -> bool {
    let unlike = |a: &Option<String>, b: &Option<String>| matches!((a, b), (Some(a), Some(b)) if a != b);
    if a.database_oid != b.database_oid || a.database != b.database || a.neon_branch != b.neon_branch {
        return false;
    }
    if unlike(&a.system_identifier, &b.system_identifier) {
        return false;
    }
    let same_address = a.server_address.is_some() && a.server_address == b.server_address;
    let primary_and_standby = a.is_standby != b.is_standby && a.system_identifier.is_some();
    a.server_started == b.server_started || same_address || a.host == b.host || primary_and_standby
}

/// What a connection says of a setting of Neon's. One that a database, a role or the URL sets is no word of the
/// server's: anybody may write `alter database … set`. Such a connection says nothing.
const NEON: &str = "
    select current_setting('neon.project_id', true), current_setting('neon.branch_id', true)
    where not exists (
      select from pg_db_role_setting, unnest(setconfig) as it where lower(it) ~ '^neon[.](project|branch)_id=')";

const IDENTITY: &str = "
    select d.oid, d.datname::text, host(inet_server_addr()) || ':' || inet_server_port(),
      pg_postmaster_start_time()::timestamptz at time zone 'UTC' || '',
      split_part(current_setting('server_version'), ' ', 1), current_setting('server_version_num')::int, pg_is_in_recovery()
    from pg_database d where d.datname = current_database()";

impl Session {
    /// Which database this really is.
    pub async fn identity(&self) -> Result<Identity, PostgresError> {
        let row = self.query_one(IDENTITY, &[]).await.map_err(|it| self.failure(it))?;
        let neon = self.said_of_neon().await?;
        // Managed services revoke it; then the other facts must do.
        let control = self.query_one("select system_identifier::text from pg_control_system()", &[]).await;
        Ok(Identity {
            system_identifier: control.ok().map(|it| it.get(0)),
            database_oid: row.get(0),
            database: row.get(1),
            host: self.address.host().to_owned(),
            server_address: row.get(2),
            server_started: row.get(3),
            neon_branch: Some(neon.branch).filter(|it| !it.is_empty()),
            neon_project: Some(neon.project).filter(|it| !it.is_empty()),
            server_version: row.get(4),
            server_version_number: row.get(5),
            is_standby: row.get(6),
        })
    }

    /// Fails unless this very connection leads to this branch of Neon's. A server that does not say so is another.
    pub async fn prove_neon(&self, expected: &NeonIdentity) -> Result<(), PostgresError> {
        let found = self.said_of_neon().await?;
        if found == *expected {
            return Ok(());
        }
        let found = (!found.project.is_empty() || !found.branch.is_empty()).then_some(found);
        Err(PostgresError::OtherBranch { address: self.address.shown(), expected: expected.clone(), found })
    }

    /// Empty where nothing is said.
    async fn said_of_neon(&self) -> Result<NeonIdentity, PostgresError> {
        let row = self.query_opt(NEON, &[]).await.map_err(|it| self.failure(it))?;
        let text = |at: usize| row.as_ref().and_then(|it| it.get::<_, Option<String>>(at)).unwrap_or_default();
        Ok(NeonIdentity { project: text(0), branch: text(1) })
    }
}
