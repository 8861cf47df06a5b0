//! From a snapshot to the catalog that a release starts from.
//!
//! What has a form in SQL is written as SQL and replayed, so that a table that was read from a database and one that
//! files have made are the same; what SQL would lose is put in afterwards.

use std::sync::Arc;

use super::{
    super::{
        self as catalog, Catalog, DefaultPrivilege, Grant, Measures, OpenTransaction, Origin, Policy, Publication,
        Release, Routine, Sequence, Size, Trigger, Validity, View, Writes,
    },
    Name, Snapshot, Table,
};
use crate::sql::{
    self, Words,
    change::{ObjectKind, Volatility},
    names::{Ident, ObjectName},
};

/// All of it was there before; it counts as made by one migration, which is called `what`.
pub fn catalog(snapshot: &Snapshot, what: &str) -> Catalog {
    let origin = Origin { release: Release::History, migration: 0, certain: true };
    let mut catalog = Catalog::default();
    catalog.migrations.push(what);
    for statement in sql::read(&script(snapshot)) {
        catalog::replay(&mut catalog, &statement, origin);
    }
    for index in &snapshot.indexes {
        if let Some(mut known) = catalog.indexes.get_mut(&name(&index.name)) {
            known.validity = if index.valid { Validity::Valid } else { Validity::Invalid };
            known.parent = index.parent.as_ref().map(name);
            known.constraint.clone_from(&index.constraint);
        }
    }
    rest(snapshot, &mut catalog, origin);
    catalog.measures = Some(Arc::new(measures(snapshot)));
    catalog
}

/// Objects that are not written as SQL.
fn rest(snapshot: &Snapshot, catalog: &mut Catalog, origin: Origin) {
    for view in &snapshot.views {
        let reads = view.reads.iter().map(|(relation, _)| name(relation)).collect();
        let mentions = Some(view.reads.iter().flat_map(|(_, columns)| columns).map(String::as_str).collect());
        catalog
            .views
            .insert(name(&view.name), View { materialized: view.materialized, reads, mentions, columns: None, origin });
    }
    for it in &snapshot.sequences {
        let owned_by = it.owned_by.as_ref().map(|(table, column)| (name(table), column.clone()));
        let data_type = Some(it.data_type.clone());
        catalog.sequences.insert(name(&it.name), Sequence { owned_by, data_type, origin });
    }
    // Those of range types are among those that were read.
    catalog.routines.clear();
    for it in &snapshot.routines {
        let kind = match it.kind.as_str() {
            "procedure" => ObjectKind::Procedure,
            "aggregate" => ObjectKind::Aggregate,
            _ => ObjectKind::Function,
        };
        let volatility = match it.volatility.as_str() {
            "immutable" => Volatility::Immutable,
            "stable" => Volatility::Stable,
            _ => Volatility::Volatile,
        };
        let (arguments, language) = (Some(it.arguments.clone()), it.language.clone());
        let routine = Routine {
            kind,
            arguments,
            names: Vec::new(),
            defaults: 0,
            returns: None,
            words: Words::default(),
            volatility,
            language,
            body: Arc::from([]),
            inlined: false,
            origin,
        };
        catalog.routines.entry(name(&it.name)).or_default().push(routine);
    }
    catalog.triggers.extend(snapshot.triggers.iter().map(|it| Trigger {
        name: it.name.clone(),
        table: name(&it.table),
        routine: Some(name(&it.routine)),
        columns: Vec::new(),
        enabled: it.enabled,
        origin,
    }));
    catalog.policies.extend(snapshot.policies.iter().map(|it| Policy {
        name: it.name.clone(),
        table: name(&it.table),
        command: it.command.clone(),
        roles: it.roles.clone(),
        permissive: it.permissive,
        // The server is asked for neither.
        columns: Vec::new(),
        queried: Vec::new(),
        origin,
    }));
    for it in &snapshot.policies {
        let key = (ObjectKind::Policy, ObjectName::of(ident(&it.name)), Some(name(&it.table)));
        catalog.others.insert(key, origin);
    }
    catalog.grants.extend(snapshot.grants.iter().map(|it| Grant {
        kind: kind(&it.kind),
        name: name(&it.name),
        role: it.role.clone(),
        privileges: it.privileges.clone(),
        origin,
    }));
    catalog.default_privileges.extend(snapshot.default_privileges.iter().map(|it| DefaultPrivilege {
        schema: it.schema.clone(),
        creator: Some(it.creator.clone()),
        kind: kind(&it.kind),
        role: it.role.clone(),
        privileges: it.privileges.clone(),
        origin,
    }));
    for it in &snapshot.publications {
        let tables = it.tables.iter().map(name).collect();
        let publication = Publication { all_tables: it.all_tables, tables, schemas: it.schemas.clone(), origin };
        catalog.publications.insert(it.name.clone(), publication);
        catalog.others.insert((ObjectKind::Publication, ObjectName::of(ident(&it.name)), None), origin);
    }
}

pub fn measures(snapshot: &Snapshot) -> Measures {
    let tables = snapshot.tables.iter().filter_map(|it| Some((name(&it.name), it.size?)));
    let views = snapshot.views.iter().filter_map(|it| Some((name(&it.name), it.size?)));
    let sizes = tables.chain(views).map(|(name, it)| {
        let writes = it.inserts + it.updates + it.deletes;
        // A minute is too short to say anything.
        let writes = (it.seconds >= 60).then(|| Writes { per_second: writes as f64 / it.seconds as f64 });
        let (rows, heap_bytes, index_bytes, total_bytes) = (it.rows, it.heap_bytes, it.index_bytes, it.total_bytes);
        (name, Size { rows, heap_bytes, index_bytes, total_bytes, writes })
    });
    let transactions = snapshot.transactions.iter().map(|it| OpenTransaction {
        application_name: it.application_name.clone(),
        state: it.state.clone(),
        seconds: it.seconds,
        locks: it.locks.iter().map(name).collect(),
    });
    Measures {
        sizes: sizes.collect(),
        transactions: transactions.collect(),
        settings: snapshot.settings.clone(),
        server_version: snapshot.server_version,
    }
}

/// Schemas, extensions, types, tables, constraints, indexes.
fn script(snapshot: &Snapshot) -> String {
    let mut lines = Vec::new();
    lines.extend(snapshot.schemas.iter().map(|it| format!("create schema {};", quoted(it))));
    lines.extend(snapshot.extensions.iter().map(|it| format!("create extension {};", quoted(it))));
    for it in &snapshot.types {
        let name = written(&it.name);
        lines.push(match it.kind.as_str() {
            "enum" => {
                let values = it.values.iter().map(|it| format!("'{}'", it.replace('\'', "''"))).collect::<Vec<_>>();
                format!("create type {name} as enum ({});", values.join(", "))
            }
            "domain" => {
                let default = it.default.as_ref().map(|it| format!(" default {it}")).unwrap_or_default();
                let not_null = if it.not_null { " not null" } else { "" };
                format!("create domain {name} as {}{default}{not_null};", it.data_type)
            }
            "composite" => format!("create type {name} as (unread text);"),
            "range" => format!("create type {name} as range (subtype = int4);"),
            _ => format!("create type {name};"),
        });
        let constraints = it.constraints.iter();
        lines.extend(
            constraints.map(|of| format!("alter domain {name} add constraint {} {};", quoted(&of.name), of.definition)),
        );
    }
    lines.extend(snapshot.tables.iter().map(table));
    for it in &snapshot.tables {
        let name = written(&it.name);
        if let (Some(parent), Some(bound)) = (&it.partition_of, &it.bound) {
            lines.push(format!("alter table {} attach partition {name} {bound};", written(parent)));
        }
        lines.extend(it.inherits.iter().map(|parent| format!("alter table {name} inherit {};", written(parent))));
    }
    for it in &snapshot.tables {
        let (name, constraints) = (written(&it.name), it.constraints.iter());
        lines.extend(
            constraints.map(|of| format!("alter table {name} add constraint {} {};", quoted(&of.name), of.definition)),
        );
    }
    let plain = snapshot.indexes.iter().filter(|it| it.constraint.is_none());
    lines.extend(plain.map(|it| format!("{};", it.definition)));
    lines.join("\n")
}

fn table(table: &Table) -> String {
    let name = written(&table.name);
    let columns = table.columns.iter().map(|it| {
        let not_null = if it.not_null { " not null" } else { "" };
        // `DEFAULT NULL` of a type with a length is written down; it is none all the same.
        let default = it.default.as_deref().filter(|it| !it.starts_with("NULL::"));
        let default = match (it.generated.as_str(), default) {
            ("stored", it) => format!(" generated always as ({}) stored", it.unwrap_or("null")),
            ("virtual", it) => format!(" generated always as ({}) virtual", it.unwrap_or("null")),
            ("", Some(it)) => format!(" default {it}"),
            ("", None) => String::new(),
            (identity, _) => format!(" generated {identity} as identity"),
        };
        format!("{} {}{default}{not_null}", quoted(&it.name), it.data_type)
    });
    let unlogged = if table.unlogged { "unlogged " } else { "" };
    let (foreign, server) = if table.kind == "foreign" { ("foreign ", " server unread") } else { ("", "") };
    let key = table.partition_key.as_ref().map(|it| format!(" partition by {it}")).unwrap_or_default();
    let options =
        if table.options.is_empty() { String::new() } else { format!(" with ({})", table.options.join(", ")) };
    let columns = columns.collect::<Vec<_>>().join(", ");
    let mut text = format!("create {unlogged}{foreign}table {name} ({columns}){server}{key}{options};");
    let mut alter = |words: &str| text.push_str(&format!("alter table {name} {words};"));
    if table.row_security {
        alter("enable row level security");
    }
    if table.forced_row_security {
        alter("force row level security");
    }
    match table.replica_identity.as_str() {
        "" | "default" => {}
        "full" | "nothing" => alter(&format!("replica identity {}", table.replica_identity)),
        index => alter(&format!("replica identity using index {}", quoted(index))),
    }
    text
}

fn kind(word: &str) -> ObjectKind {
    match word {
        "sequence" => ObjectKind::Sequence,
        "function" => ObjectKind::Function,
        "schema" => ObjectKind::Schema,
        "type" => ObjectKind::Type,
        _ => ObjectKind::Table,
    }
}

fn ident(name: &str) -> Ident {
    Ident { name: name.to_owned(), ..Ident::default() }
}

/// Without `public`, as migrations mostly write it, so that messages read alike.
fn name(Name(schema, name): &Name) -> ObjectName {
    let parts = [schema, name].into_iter().skip(usize::from(schema == "public"));
    ObjectName { parts: parts.map(|it| ident(it)).collect() }
}

fn written(Name(schema, name): &Name) -> String {
    match schema.as_str() {
        "public" => quoted(name),
        _ => format!("{}.{}", quoted(schema), quoted(name)),
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
