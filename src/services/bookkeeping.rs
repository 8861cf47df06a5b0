//! Schema `liftlock` in the target database: made on first use, versioned, read without changing anything.

use miette::Diagnostic;
use thiserror::Error;

use super::postgres::{Client, FailureKind, PostgresError, quote_identifier};
use crate::exit::Exit;

/// The tables, in blocks `-- version N`.
const SQL: &str = include_str!("bookkeeping.sql");

/// Held while the schema is made or brought up to date: `bookkeep` in ASCII.
const LOCK: i64 = i64::from_be_bytes(*b"bookkeep");

#[derive(Debug, Error, Diagnostic)]
pub enum BookkeepingError {
    #[error(transparent)]
    #[diagnostic(transparent)]
    Postgres(#[from] PostgresError),

    #[error("schema `liftlock` of {database} is of version {found}; this liftlock knows versions up to {known}")]
    #[diagnostic(
        code(bookkeeping::too_new),
        help("a newer liftlock has been at work there: update this one (`liftlock --version` shows what it is)")
    )]
    TooNew { database: String, found: i32, known: i32 },

    #[error("role `{role}` may not keep liftlock's records in {database}")]
    #[diagnostic(
        code(bookkeeping::permission),
        help("liftlock keeps its journal in schema `liftlock`; as the database's owner, run:\n{grants}")
    )]
    Permission { role: String, database: String, grants: String },

    #[error("{database} is read-only for role `{role}`")]
    #[diagnostic(
        code(bookkeeping::read_only),
        help(
            "use the URL of the primary, and a role without `default_transaction_read_only`; liftlock must write its \
             journal before it changes anything"
        )
    )]
    ReadOnly { role: String, database: String },

    #[error("schema `liftlock` exists in {database}, and liftlock did not make it")]
    #[diagnostic(
        code(bookkeeping::foreign_schema),
        help("rename it (`alter schema liftlock rename to …`), then run the command again")
    )]
    ForeignSchema { database: String },
}

impl BookkeepingError {
    /// Says what to run so that `role` may keep the records.
    pub fn permission(role: String, database: String) -> Self {
        let to = quote_identifier(&role);
        let grants = format!(
            "  create schema if not exists liftlock;\n  grant usage, create on schema liftlock to {to};\n  \
             grant select, insert, update, delete on all tables in schema liftlock to {to};"
        );
        Self::Permission { role, database, grants }
    }

    pub fn exit(&self) -> Exit {
        match self {
            Self::Postgres(error) => error.exit(),
            Self::TooNew { .. } | Self::ForeignSchema { .. } => Exit::Usage,
            Self::Permission { .. } | Self::ReadOnly { .. } => Exit::Service,
        }
    }
}

/// Makes the schema or brings it up to date; does nothing when it is. Two at once: one waits.
pub async fn ensure(client: &mut Client) -> Result<(), BookkeepingError> {
    if version(client).await? == Some(latest()) {
        return may_write(client).await;
    }
    match migrate(client).await {
        Ok(()) => may_write(client).await,
        Err(BookkeepingError::Postgres(error)) => Err(explained(client, error).await),
        Err(error) => Err(error),
    }
}

/// Makes the sync's tables again when somebody dropped one; says whether it had to. They hold nothing that the
/// mirror does not tell as well, unlike the others.
pub async fn remake_ledger(client: &mut Client) -> Result<bool, PostgresError> {
    const TABLES: [&str; 2] = ["sync_tables", "sync_ledger"];
    let transaction = client.transaction().await?;
    transaction.query_one("select pg_advisory_xact_lock($1)", &[&LOCK]).await?;
    let sql = "select count(*) from pg_class where relnamespace = 'liftlock'::regnamespace and relname = any ($1)";
    let found: i64 = transaction.query_one(sql, &[&TABLES.as_slice()]).await?.get(0);
    if found == 2 {
        return Ok(false);
    }
    // One without the other is worth nothing.
    let mut sql = String::from("drop table if exists liftlock.sync_tables, liftlock.sync_ledger;");
    TABLES.iter().for_each(|it| sql.push_str(definition(it)));
    transaction.batch_execute(&sql).await?;
    transaction.commit().await?;
    Ok(true)
}

/// The statement of [`SQL`] that makes a table.
fn definition(table: &str) -> &'static str {
    let start = SQL.find(&format!("create table liftlock.{table} (")).expect("every table is made there");
    let length = SQL[start..].find("\n);").expect("every table's definition ends so");
    &SQL[start..start + length + 3]
}

/// The schema is there and readable, so that `status` and `plan` may ask it. Changes nothing.
pub async fn exists(client: &Client) -> Result<bool, BookkeepingError> {
    Ok(version(client).await?.is_some())
}

/// The version of the schema; `None` when there is none. Refuses one that is newer than we know.
pub async fn version(client: &Client) -> Result<Option<i32>, BookkeepingError> {
    let row = client.query_one(THERE, &[]).await.map_err(PostgresError::from)?;
    let database: String = row.get(2);
    match (row.get(0), row.get(1)) {
        (_, true) => {}
        // Without a table in it, an operator made it for us beforehand.
        (0i64, false) => return Ok(None),
        (_, false) => return Err(BookkeepingError::ForeignSchema { database }),
    }
    let row = client.query_one("select max(number) from liftlock.versions", &[]).await.map_err(PostgresError::from)?;
    match row.get(0) {
        Some(found) if found > latest() => Err(BookkeepingError::TooNew { database, found, known: latest() }),
        found => Ok(found),
    }
}

/// How many tables and the like there are, whether ours is among them, and where. Asked of the catalog's tables
/// and not with `to_regclass`: that answers from a cache which may not have seen what another session just made.
const THERE: &str = "
    select count(c.oid), coalesce(bool_or(c.relname = 'versions'), false), current_database()::text
    from pg_namespace n join pg_class c on c.relnamespace = n.oid where n.nspname = 'liftlock'";

/// The blocks of [`SQL`] with their numbers, in order.
fn blocks() -> Vec<(i32, &'static str)> {
    let parts = SQL.split("\n-- version ").skip(1);
    let numbered = parts.filter_map(|it| {
        let (number, sql) = it.split_once('\n')?;
        Some((number.trim().parse().ok()?, sql))
    });
    numbered.collect()
}

/// The version that this liftlock makes.
pub fn latest() -> i32 {
    blocks().last().map_or(0, |it| it.0)
}

async fn migrate(client: &mut Client) -> Result<(), BookkeepingError> {
    let transaction = client.transaction().await.map_err(PostgresError::from)?;
    transaction.query_one("select pg_advisory_xact_lock($1)", &[&LOCK]).await.map_err(PostgresError::from)?;
    // Again, now that nobody else can be at it.
    let current = version(transaction.client()).await?;
    let mut sql = String::from("set local statement_timeout = 0; set local search_path = pg_catalog;");
    if current.is_none() {
        let there = "select exists (select from pg_namespace where nspname = 'liftlock')";
        let row = transaction.query_one(there, &[]).await.map_err(PostgresError::from)?;
        // Asking first: `if not exists` demands the privilege to create schemas even when it is there.
        if !row.get::<_, bool>(0) {
            sql.push_str(
                "create schema liftlock;
                 comment on schema liftlock is 'Journal, history, audit outbox of liftlock. Do not change by hand.';",
            );
        }
        sql.push_str(
            "create table liftlock.versions (
               number integer primary key, tool_version text not null, made_at timestamptz not null default clock_timestamp());",
        );
    }
    for (number, block) in blocks().into_iter().filter(|it| Some(it.0) > current) {
        sql.push_str(block);
        let tool = env!("CARGO_PKG_VERSION");
        sql.push_str(&format!(";insert into liftlock.versions (number, tool_version) values ({number}, '{tool}');"));
    }
    transaction.batch_execute(&sql).await.map_err(PostgresError::from)?;
    transaction.commit().await.map_err(PostgresError::from)?;
    Ok(())
}

/// The schema may have been made by another role.
async fn may_write(client: &Client) -> Result<(), BookkeepingError> {
    let sql = "select has_schema_privilege('liftlock', 'usage') and coalesce((
        select bool_and(has_table_privilege(oid, 'select') and has_table_privilege(oid, 'insert')
          and has_table_privilege(oid, 'update') and has_table_privilege(oid, 'delete'))
        from pg_class where relnamespace = 'liftlock'::regnamespace and relkind = 'r'), true),
      current_setting('transaction_read_only')::bool or pg_is_in_recovery()";
    let row = client.query_one(sql, &[]).await.map_err(PostgresError::from)?;
    let (role, database) = place(client).await?;
    if row.get(1) {
        return Err(BookkeepingError::ReadOnly { role, database });
    }
    if !row.get::<_, bool>(0) {
        return Err(BookkeepingError::permission(role, database));
    }
    Ok(())
}

/// The server's refusal, with what to run against it.
async fn explained(client: &Client, error: PostgresError) -> BookkeepingError {
    let Ok((role, database)) = place(client).await else { return error.into() };
    match error.kind() {
        FailureKind::Permission => BookkeepingError::permission(role, database),
        FailureKind::ReadOnly => BookkeepingError::ReadOnly { role, database },
        _ => error.into(),
    }
}

async fn place(client: &Client) -> Result<(String, String), PostgresError> {
    let row = client.query_one("select current_user::text, current_database()::text", &[]).await?;
    Ok((row.get(0), row.get(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_numbered_from_one_without_gaps() {
        let numbers: Vec<i32> = blocks().iter().map(|it| it.0).collect();
        assert!(!numbers.is_empty());
        assert_eq!(numbers, (1..=latest()).collect::<Vec<_>>());
    }
}
