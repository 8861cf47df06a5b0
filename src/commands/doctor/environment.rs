//! What can be found out about one environment's database.

use std::time::Duration;

use jiff::Timestamp;

use super::{failed, ok, warning};
use crate::{
    config::{Environment, ProfileName},
    error::Error,
    promote::{
        neon::{self, Sight},
        survey::Obstacle,
    },
    report::{Check, CheckState},
    services::{
        bookkeeping::{self, BookkeepingError},
        postgres::{
            self, Access, Address, Encryption, Identity, Options, PostgresError, Privileges, RUNNER_LOCK, Roots,
            Session, quote_identifier,
        },
    },
};

/// The oldest server that everything here works with: 14.0.
const OLDEST: i32 = 140_000;

/// Its own, so that a promotion that is under way is not disturbed: `lldoctor` in ASCII.
const TRIAL_LOCK: i64 = i64::from_be_bytes(*b"lldoctor");

/// What was found out about one environment.
pub struct Examined {
    pub name: String,
    pub checks: Vec<Check>,
    /// `None` when it could not be reached.
    pub identity: Option<Identity>,
}

pub async fn examine(environment: &Environment) -> Examined {
    let name = environment.name.clone();
    let sight = match Address::parse(&environment.database) {
        Ok(address) => neon::look(environment, &address, Timestamp::now()).await,
        Err(_) => None,
    };
    let mut examined = match look(environment, sight.as_ref()).await {
        Ok((checks, identity)) => Examined { name, checks, identity: Some(identity) },
        Err(error) => {
            let error = neon::with_direct_host(error, environment).await;
            let checks = vec![failed(&format!("{name}: connection"), &Error::from(error))];
            Examined { name, checks, identity: None }
        }
    };
    examined.checks.extend(sight.map(|it| project(environment, it, examined.identity.as_ref())));
    examined
}

/// What Neon says of the project, and whether the connection says the same.
fn project(environment: &Environment, sight: Sight, identity: Option<&Identity>) -> Check {
    let name = format!("{}: Neon", environment.name);
    let refused = |why: Obstacle| Check {
        name: name.clone(),
        state: CheckState::Failed,
        message: why.evidence,
        fix: Some(why.fix),
    };
    let expected = match sight.identity {
        Ok(expected) => expected,
        Err(why) => return refused(why),
    };
    let says = |it: &Identity| (it.neon_project.clone(), it.neon_branch.clone());
    match identity.map(says) {
        Some((Some(project), Some(branch))) if project == expected.project && branch == expected.branch => {}
        None => {}
        Some((project, branch)) => {
            let named = |it: Option<String>| it.unwrap_or_else(|| "(none)".to_owned());
            return refused(Obstacle {
                evidence: format!(
                    "the URL leads to branch {} of project {}, not to {expected}",
                    named(branch),
                    named(project)
                ),
                fix: "correct the URL, or `project` and `branch` of `neon:`; the Neon console shows both".to_owned(),
            });
        }
    }
    match sight.restore_point {
        Ok(how) => ok(&name, format!("a restore point would be {how}")),
        Err(why) => refused(why),
    }
}

async fn look(environment: &Environment, by_neon: Option<&Sight>) -> Result<(Vec<Check>, Identity), PostgresError> {
    let address = Address::parse(&environment.database)?;
    let options = Options {
        application_name: "liftlock doctor".to_owned(),
        // A read-only session would hide that the role's sessions are read-only by themselves.
        access: Access::ReadWrite,
        retry_for: Duration::from_secs(10),
        statement_timeout: Some(Duration::from_secs(10)),
        ..Options::default()
    };
    let session = postgres::connect(&address, &options).await?;
    let identity = session.identity().await?;
    let name = |what: &str| format!("{}: {what}", environment.name);
    let mut checks = vec![connection(&name("connection"), &address, &identity)];
    let privileges = session.privileges().await?;
    checks.push(server(&name("server"), &identity, &privileges));
    checks.push(records(&name("records"), &session, &privileges).await);
    if by_neon.is_none() {
        checks.push(restore_points(&name("restore points"), environment, &address, &privileges));
    }
    checks.push(lock(&name("lock"), &session).await);
    checks.extend(sight(&name("other sessions"), &privileges));
    checks.extend(closed(&name("schemas"), &privileges));
    session.close().await;
    Ok((checks, identity))
}

fn connection(name: &str, address: &Address, identity: &Identity) -> Check {
    let protected = match &address.encryption {
        Encryption::None => "on this machine",
        Encryption::Verified(Roots::Public) => "encrypted, certificate verified",
        Encryption::Verified(Roots::File(_)) => "encrypted, certificate verified against `sslrootcert`",
    };
    ok(name, format!("{address}, PostgreSQL {}, {protected}", identity.server_version))
}

fn server(name: &str, identity: &Identity, privileges: &Privileges) -> Check {
    let failed = |message: String, fix: &str| Check {
        name: name.to_owned(),
        state: CheckState::Failed,
        message,
        fix: Some(fix.to_owned()),
    };
    if identity.server_version_number < OLDEST {
        return failed(
            format!("PostgreSQL {} is too old", identity.server_version),
            "14 is the oldest that works; upgrade the server",
        );
    }
    if identity.is_standby {
        return failed("this is a standby, which takes no changes".to_owned(), "use the URL of the primary");
    }
    if privileges.is_read_only {
        let fix = format!("alter role {} reset default_transaction_read_only", quote_identifier(&privileges.role));
        return failed(format!("sessions of role `{}` are read-only", privileges.role), &fix);
    }
    match &identity.system_identifier {
        Some(system) => ok(name, format!("system {system}, database {}", identity.database_oid)),
        None => warning(
            name,
            "its system identifier is hidden, so databases are told apart by other facts".to_owned(),
            "nothing needs to be done; `grant execute on function pg_control_system() to …` shows it",
        ),
    }
}

async fn records(name: &str, session: &Session, privileges: &Privileges) -> Check {
    let version = match bookkeeping::version(session).await {
        Ok(version) => version,
        Err(error) => return failed(name, &Error::from(error)),
    };
    if !privileges.keeps_records {
        let (role, database) = (privileges.role.clone(), session.address().database.clone());
        return failed(name, &BookkeepingError::permission(role, database).into());
    }
    match version {
        None => ok(name, "schema `liftlock` is made by the first promotion".to_owned()),
        Some(version) => match unfinished(session).await {
            Ok(0) => ok(name, format!("schema `liftlock` is of version {version}")),
            Ok(_) => warning(
                name,
                "a promotion was stopped half-way".to_owned(),
                "`liftlock promote` goes on with it; `liftlock status` shows how far it came",
            ),
            Err(error) => failed(name, &Error::from(error)),
        },
    }
}

async fn unfinished(session: &Session) -> Result<i64, PostgresError> {
    let sql = "select count(*) from liftlock.promotions where state = 'running'";
    Ok(session.query_one(sql, &[]).await?.get(0))
}

/// A restore point is a copy of the whole database, made by its owner.
fn restore_points(name: &str, environment: &Environment, address: &Address, privileges: &Privileges) -> Check {
    let role = quote_identifier(&privileges.role);
    let (message, fix) = match (privileges.creates_databases, privileges.owns_database) {
        (true, true) => return ok(name, "can be made".to_owned()),
        (false, _) => (
            format!("role `{}` may not create databases, which is how they are made", privileges.role),
            format!("as a superuser: `alter role {role} createdb`"),
        ),
        (true, false) => (
            format!("role `{}` does not own `{}`, so it may not copy it", privileges.role, address.database),
            format!("as a superuser: `alter database {} owner to {role}`", quote_identifier(&address.database)),
        ),
    };
    // Without one nothing is applied in production; elsewhere it is a loss of comfort.
    let state = match environment.profile {
        ProfileName::Production => CheckState::Failed,
        ProfileName::Staging | ProfileName::Dev => CheckState::Warning,
    };
    Check { name: name.to_owned(), state, message, fix: Some(fix) }
}

/// Takes a lock, proves that this session holds it, and gives it back: behind a pooler this fails.
async fn lock(name: &str, session: &Session) -> Check {
    if let Err(error) = session.lock(TRIAL_LOCK, Duration::from_secs(2), |_| {}).await {
        return failed(name, &Error::from(error));
    }
    let released = session.unlock(TRIAL_LOCK).await;
    match (released, session.lock_holders(RUNNER_LOCK).await) {
        (Err(error), _) | (_, Err(error)) => failed(name, &Error::from(error)),
        (Ok(()), Ok(holders)) => match holders.first() {
            None => ok(name, "session locks hold, and nobody promotes at this moment".to_owned()),
            Some(holder) => warning(
                name,
                format!("a promotion is under way: {holder}"),
                "wait until it is done, or end its session when nobody owns it any more",
            ),
        },
    }
}

fn sight(name: &str, privileges: &Privileges) -> Option<Check> {
    let role = quote_identifier(&privileges.role);
    (!privileges.sees_other_sessions).then(|| {
        warning(
            name,
            "what others do is hidden, so who blocks a migration cannot be named".to_owned(),
            &format!("as a superuser: `grant pg_read_all_stats to {role}`"),
        )
    })
}

fn closed(name: &str, privileges: &Privileges) -> Option<Check> {
    let role = quote_identifier(&privileges.role);
    let first = quote_identifier(privileges.closed_schemas.first()?);
    Some(warning(
        name,
        format!("closed to role `{}`: {}", privileges.role, privileges.closed_schemas.join(", ")),
        &format!("if migrations touch them: `grant usage on schema {first} to {role}`"),
    ))
}
