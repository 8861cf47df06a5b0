//! What a database holds, read from its system catalogs: schema, sizes, writes, open transactions, settings.
//!
//! Reads only, in one short read-only transaction, and works for any role: what a role may not see is left out, never
//! an error. Rows, statistics of values, comments and texts of queries are not asked for. The queries run on
//! PostgreSQL 14 to 18.

mod queries;

use std::collections::BTreeMap;

use self::queries::{
    COLUMNS, CONSTRAINTS, DEFAULT_PRIVILEGES, DOMAIN_CONSTRAINTS, ESTIMATED, GRANTS, INDEXES, INHERITS, MEASURED,
    POLICIES, PUBLICATIONS, ROUTINES, SEQUENCES, SIZES, TABLES, TRIGGERS, TYPES, VIEWS,
};
use super::{Client, PostgresError, Row, Session};
use crate::catalog::snapshot::{
    Column, Configured, Constraint, DefaultPrivilege, Grant, Index, Name, Policy, Publication, Routine, Sequence, Size,
    Snapshot, Table, Transaction, Trigger, Type, View, masked,
};

/// Settings that say how a migration waits and how it reads what is written; none of them is a secret.
const SETTINGS: &[&str] = &[
    "default_table_access_method",
    "default_transaction_isolation",
    "default_transaction_read_only",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "lock_timeout",
    "max_locks_per_transaction",
    "row_security",
    "search_path",
    "statement_timeout",
    "timezone",
    "transaction_timeout",
    "wal_level",
];

/// Schemas that are the server's own.
const OWN: &str = "n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'liftlock')";

/// Part of an extension: it comes and goes with that.
const EXTENSION: &str = "exists (select from pg_depend x where x.classid = 'CLASS'::regclass and x.objid = OID
    and x.deptype = 'e')";

/// Reads everything. `environment` is what the configuration calls the database.
pub async fn read(session: &Session, environment: &str) -> Result<Snapshot, PostgresError> {
    let target = format!("{}/{}", session.address().host(), session.address().database);
    let begin = "begin isolation level repeatable read read only";
    session.batch_execute(begin).await.map_err(|it| session.failure(it))?;
    let transaction: &Client = session;
    // Names are written with their schema, whatever the session's path is. Sizes ask for a lock.
    let settings = "set local search_path = pg_catalog; set local lock_timeout = '3s'; set local timezone = 'UTC'";
    transaction.batch_execute(settings).await?;
    let mut snapshot = Snapshot { environment: environment.to_owned(), target, ..Snapshot::default() };
    server(transaction, &mut snapshot).await?;
    activity(transaction, &mut snapshot).await?;
    relations(transaction, &mut snapshot).await?;
    objects(transaction, &mut snapshot).await?;
    privileges(transaction, &mut snapshot).await?;
    sizes(transaction, &mut snapshot).await?;
    transaction.batch_execute("commit").await?;
    Ok(snapshot)
}

/// Rows of a query in which `OWN` and `EXTENSION(class, oid)` stand for the conditions above.
async fn query(client: &Client, sql: &str) -> Result<Vec<Row>, PostgresError> {
    let mut sql = sql.replace("OWN", OWN);
    while let Some(start) = sql.find("EXTENSION(") {
        let end = start + sql[start..].find(')').expect("every call is closed");
        let (class, oid) = sql[start + 10..end].split_once(", ").expect("a class and an oid");
        let condition = EXTENSION.replace("CLASS", class).replace("OID", oid);
        sql.replace_range(start..=end, &condition);
    }
    Ok(client.query(&sql, &[]).await?)
}

fn named(row: &Row, at: usize) -> Name {
    Name(row.get(at), row.get(at + 1))
}

/// Two columns that are null together.
fn perhaps_named(row: &Row, at: usize) -> Option<Name> {
    Some(Name(row.get::<_, Option<String>>(at)?, row.get(at + 1)))
}

fn text(row: &Row, at: usize) -> Option<String> {
    row.get::<_, Option<String>>(at).map(|it| masked(&it))
}

async fn server(client: &Client, snapshot: &mut Snapshot) -> Result<(), PostgresError> {
    let sql = "select current_setting('server_version_num')::int,
        split_part(current_setting('server_version'), ' ', 1),
        to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'),
        (select to_char(stats_reset at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')
         from pg_stat_database where datname = current_database())";
    let row = client.query_one(sql, &[]).await?;
    snapshot.server_version = row.get::<_, i32>(0).unsigned_abs();
    snapshot.server = row.get(1);
    snapshot.taken_at = row.get(2);
    snapshot.counted_since = row.get(3);
    // What a session starts with; this one has set some of them for itself.
    let sql = "select name, reset_val from pg_settings where lower(name) = any ($1) and reset_val is not null";
    for row in client.query(sql, &[&SETTINGS]).await? {
        snapshot.settings.insert(row.get(0), row.get(1));
    }
    let sql = "select r.rolname::text, s.setdatabase <> 0, split_part(it, '=', 1), substr(it, strpos(it, '=') + 1)
        from pg_db_role_setting s left join pg_roles r on r.oid = s.setrole, unnest(s.setconfig) as it
        where s.setdatabase in (0, (select oid from pg_database where datname = current_database()))
          and lower(split_part(it, '=', 1)) = any ($1)
        order by 1 nulls first, 2, 3";
    let configured = |row: &Row| Configured { role: row.get(0), here: row.get(1), name: row.get(2), value: row.get(3) };
    snapshot.configured = client.query(sql, &[&SETTINGS]).await?.iter().map(configured).collect();
    Ok(())
}

/// Open transactions, the oldest first, with the tables that they have locked.
async fn activity(client: &Client, snapshot: &mut Snapshot) -> Result<(), PostgresError> {
    let sql = "
        with open as (
          select pid, coalesce(application_name, '') as application_name, coalesce(state, '') as state,
            greatest(0, extract(epoch from clock_timestamp() - xact_start))::bigint as seconds
          from pg_stat_activity
          where datname = current_database() and pid <> pg_backend_pid() and xact_start is not null
          union all
          select null, '', 'prepared', greatest(0, extract(epoch from clock_timestamp() - prepared))::bigint
          from pg_prepared_xacts where database = current_database())
        select o.application_name, o.state, o.seconds, held.schemas, held.names
        from open o, lateral (
          select coalesce(array_agg(it.nspname order by it.nspname, it.relname), '{}') as schemas,
            coalesce(array_agg(it.relname order by it.nspname, it.relname), '{}') as names
          from (
            select distinct n.nspname::text, c.relname::text
            from pg_locks l join pg_class c on c.oid = l.relation join pg_namespace n on n.oid = c.relnamespace
            where l.pid = o.pid and l.granted and l.locktype = 'relation' and c.relkind in ('r', 'p', 'm', 'f')
              and l.database = (select oid from pg_database where datname = current_database()) and OWN) it) held
        order by o.seconds desc, o.application_name, o.state limit 100";
    let transaction = |row: &Row| {
        let (schemas, names): (Vec<String>, Vec<String>) = (row.get(3), row.get(4));
        Transaction {
            application_name: row.get(0),
            state: row.get(1),
            seconds: row.get::<_, i64>(2).unsigned_abs(),
            locks: schemas.into_iter().zip(names).map(|(schema, name)| Name(schema, name)).collect(),
        }
    };
    snapshot.transactions = query(client, sql).await?.iter().map(transaction).collect();
    // The server blanks what other roles do, unless this one is a member of pg_read_all_stats.
    let sql = "select count(*) from pg_stat_activity
        where datname = current_database() and state is null and backend_type is distinct from 'autovacuum worker'";
    let hidden: i64 = client.query_one(sql, &[]).await?.get(0);
    snapshot.hidden_sessions = u32::try_from(hidden).unwrap_or(u32::MAX);
    Ok(())
}

async fn relations(client: &Client, snapshot: &mut Snapshot) -> Result<(), PostgresError> {
    let mut tables = BTreeMap::new();
    for row in query(client, TABLES).await? {
        let oid: u32 = row.get(0);
        let table = Table {
            name: named(&row, 1),
            kind: row.get(3),
            unlogged: row.get(4),
            columns: Vec::new(),
            constraints: Vec::new(),
            partition_key: row.get(5),
            partition_of: perhaps_named(&row, 6),
            bound: text(&row, 8),
            inherits: Vec::new(),
            row_security: row.get(9),
            forced_row_security: row.get(10),
            replica_identity: row.get(11),
            options: row.get(12),
            size: None,
        };
        tables.insert(oid, table);
    }
    for row in query(client, COLUMNS).await? {
        let column = Column {
            name: row.get(1),
            data_type: row.get(2),
            not_null: row.get(3),
            default: text(&row, 4),
            generated: row.get(5),
        };
        if let Some(table) = tables.get_mut(&row.get::<_, u32>(0)) {
            table.columns.push(column);
        }
    }
    for row in query(client, CONSTRAINTS).await? {
        if let Some(table) = tables.get_mut(&row.get::<_, u32>(0)) {
            table.constraints.push(constraint(&row));
        }
    }
    for row in query(client, INHERITS).await? {
        if let Some(table) = tables.get_mut(&row.get::<_, u32>(0)) {
            table.inherits.push(named(&row, 1));
        }
    }
    snapshot.tables = tables.into_values().collect();
    snapshot.tables.sort_by(|one, other| one.name.cmp(&other.name));
    let index = |row: &Row| Index {
        name: named(row, 0),
        table: named(row, 2),
        definition: masked(row.get(4)),
        valid: row.get(5),
        constraint: row.get(6),
        parent: perhaps_named(row, 7),
    };
    snapshot.indexes = query(client, INDEXES).await?.iter().map(index).collect();
    let mut views: Vec<View> = Vec::new();
    for row in query(client, VIEWS).await? {
        let name = named(&row, 0);
        if views.last().is_none_or(|it| it.name != name) {
            views.push(View { name, materialized: row.get(2), reads: Vec::new(), size: None });
        }
        if let (Some(relation), Some(view)) = (perhaps_named(&row, 3), views.last_mut()) {
            view.reads.push((relation, row.get(5)));
        }
    }
    snapshot.views = views;
    Ok(())
}

fn constraint(row: &Row) -> Constraint {
    Constraint { name: row.get(1), definition: masked(row.get(2)), validated: row.get(3) }
}

async fn objects(client: &Client, snapshot: &mut Snapshot) -> Result<(), PostgresError> {
    let names = |rows: Vec<Row>| rows.iter().map(|it| it.get(0)).collect::<Vec<String>>();
    snapshot.schemas = names(query(client, "select nspname::text from pg_namespace n where OWN order by 1").await?);
    snapshot.extensions = names(query(client, "select extname::text from pg_extension order by 1").await?);
    let mut types = BTreeMap::new();
    for row in query(client, TYPES).await? {
        let found = Type {
            name: named(&row, 1),
            kind: row.get(3),
            values: row.get(4),
            data_type: row.get(5),
            not_null: row.get(6),
            default: text(&row, 7),
            constraints: Vec::new(),
        };
        types.insert(row.get::<_, u32>(0), found);
    }
    for row in query(client, DOMAIN_CONSTRAINTS).await? {
        if let Some(domain) = types.get_mut(&row.get::<_, u32>(0)) {
            domain.constraints.push(constraint(&row));
        }
    }
    snapshot.types = types.into_values().collect();
    snapshot.types.sort_by(|one, other| one.name.cmp(&other.name));
    let sequence = |row: &Row| Sequence {
        name: named(row, 0),
        data_type: row.get(2),
        owned_by: perhaps_named(row, 3).map(|it| (it, row.get(5))),
    };
    snapshot.sequences = query(client, SEQUENCES).await?.iter().map(sequence).collect();
    let routine = |row: &Row| Routine {
        name: named(row, 0),
        kind: row.get(2),
        arguments: row.get(3),
        volatility: row.get(4),
        language: row.get(5),
    };
    snapshot.routines = query(client, ROUTINES).await?.iter().map(routine).collect();
    let trigger =
        |row: &Row| Trigger { name: row.get(0), table: named(row, 1), routine: named(row, 3), enabled: row.get(5) };
    snapshot.triggers = query(client, TRIGGERS).await?.iter().map(trigger).collect();
    let policy = |row: &Row| Policy {
        name: row.get(0),
        table: named(row, 1),
        command: row.get(3),
        roles: row.get(4),
        permissive: row.get(5),
    };
    snapshot.policies = query(client, POLICIES).await?.iter().map(policy).collect();
    let publication = |row: &Row| {
        let (schemas, names): (Vec<String>, Vec<String>) = (row.get(2), row.get(3));
        let tables = schemas.into_iter().zip(names).map(|(schema, name)| Name(schema, name)).collect();
        Publication { name: row.get(0), all_tables: row.get(1), tables, schemas: Vec::new() }
    };
    snapshot.publications = query(client, PUBLICATIONS).await?.iter().map(publication).collect();
    Ok(())
}

async fn privileges(client: &Client, snapshot: &mut Snapshot) -> Result<(), PostgresError> {
    let grant = |row: &Row| Grant { kind: row.get(0), name: named(row, 1), role: row.get(3), privileges: row.get(4) };
    snapshot.grants = query(client, GRANTS).await?.iter().map(grant).collect();
    let default = |row: &Row| DefaultPrivilege {
        schema: row.get(0),
        creator: row.get(1),
        kind: row.get(2),
        role: row.get(3),
        privileges: row.get(4),
    };
    snapshot.default_privileges = query(client, DEFAULT_PRIVILEGES).await?.iter().map(default).collect();
    Ok(())
}

/// Sizes of what holds rows. One that is locked by others just now is told by what the last vacuum has counted.
async fn sizes(client: &Client, snapshot: &mut Snapshot) -> Result<(), PostgresError> {
    client.batch_execute("savepoint sizes").await?;
    let rows = match query(client, &SIZES.replace("MEASURE", MEASURED)).await {
        Ok(rows) => rows,
        Err(_) => {
            client.batch_execute("rollback to savepoint sizes").await?;
            query(client, &SIZES.replace("MEASURE", ESTIMATED)).await?
        }
    };
    let number = |row: &Row, at: usize| row.get::<_, i64>(at).unsigned_abs();
    let mut found = BTreeMap::new();
    for row in &rows {
        let size = Size {
            rows: row.get::<_, Option<i64>>(2).map(i64::unsigned_abs),
            heap_bytes: number(row, 3),
            index_bytes: number(row, 4),
            total_bytes: number(row, 5),
            inserts: number(row, 6),
            updates: number(row, 7),
            deletes: number(row, 8),
            seconds: number(row, 9),
        };
        found.insert(named(row, 0), size);
    }
    for table in &mut snapshot.tables {
        table.size = found.get(&table.name).copied();
    }
    for view in &mut snapshot.views {
        view.size = found.get(&view.name).copied();
    }
    Ok(())
}
