//! What `create database` does not copy: owner, privileges, settings, connection limit.

use crate::services::postgres::{PostgresError, Row, Session, quote_identifier, quote_literal};

/// SQL that gives `to` what `from` has.
pub async fn copied(session: &Session, from: &str, to: &str) -> Result<String, PostgresError> {
    let sql = "select pg_get_userbyid(datdba)::text, datconnlimit, datacl is not null, datistemplate
        from pg_database where datname = $1";
    let row = session.query_one(sql, &[&from]).await?;
    let (owner, limit, has_privileges, is_template): (String, i32, bool, bool) =
        (row.get(0), row.get(1), row.get(2), row.get(3));
    let name = quote_identifier(to);
    let mut sql = vec![format!("alter database {name} connection limit {limit} is_template {is_template}")];
    if has_privileges {
        sql.push(format!("revoke all on database {name} from public"));
        sql.extend(session.query(PRIVILEGES, &[&from]).await?.iter().map(|it| granted(it, &name)));
    }
    sql.extend(session.query(SETTINGS, &[&from]).await?.iter().map(|it| set(it, &name)));
    // Last: afterwards the database may no longer be ours to change.
    sql.push(format!("alter database {name} owner to {}", quote_identifier(&owner)));
    Ok(sql.join(";\n"))
}

/// The owner's own privileges follow the owner; `oid 0` is everybody.
const PRIVILEGES: &str = "
    select case when a.grantee = 0 then null else pg_get_userbyid(a.grantee)::text end, a.privilege_type, a.is_grantable
    from pg_database d, aclexplode(d.datacl) a where d.datname = $1 and a.grantee <> d.datdba";

fn granted(row: &Row, database: &str) -> String {
    let (grantee, privilege, grantable): (Option<String>, String, bool) = (row.get(0), row.get(1), row.get(2));
    let grantee = grantee.map_or_else(|| "public".to_owned(), |it| quote_identifier(&it));
    let option = if grantable { " with grant option" } else { "" };
    format!("grant {privilege} on database {database} to {grantee}{option}")
}

const SETTINGS: &str = "
    select r.rolname::text, split_part(c, '=', 1), substr(c, strpos(c, '=') + 1)
    from pg_db_role_setting s join pg_database d on d.oid = s.setdatabase left join pg_roles r on r.oid = s.setrole,
      unnest(s.setconfig) c where d.datname = $1";

/// Their values are stored as lists of quoted names, as they are typed.
const LISTS: [&str; 6] = [
    "search_path",
    "temp_tablespaces",
    "local_preload_libraries",
    "session_preload_libraries",
    "shared_preload_libraries",
    "unix_socket_directories",
];

fn set(row: &Row, database: &str) -> String {
    let (role, name, value): (Option<String>, String, String) = (row.get(0), row.get(1), row.get(2));
    let value = match LISTS.contains(&name.as_str()) {
        // An empty name cannot be typed in double quotes.
        true => value.replace("\"\"", "''"),
        false => quote_literal(&value),
    };
    // Settings of extensions have a dot in their names: both sides are names of their own.
    let name = name.split('.').map(quote_identifier).collect::<Vec<_>>().join(".");
    match role {
        None => format!("alter database {database} set {name} = {value}"),
        Some(role) => format!("alter role {} in database {database} set {name} = {value}", quote_identifier(&role)),
    }
}
