//! A change applied to a catalog.

mod column;
mod constraint;
mod heirs;
mod index;
mod naming;
mod object;
mod partition;
mod privilege;
mod removal;
mod rename;
mod table;
mod twins;
mod view;

use super::{Catalog, Origin, Sequence, Trigger, in_schema};
use crate::sql::{
    Change, Statement,
    change::{Dml, Insert, ObjectKind, SetScope, Unread},
    names::{Ident, ObjectName},
};

/// What happens to the catalog when a statement runs; its inner statements are replayed by whoever walks them,
/// but for a routine's body, which is kept for its calls.
pub fn replay(catalog: &mut Catalog, statement: &Statement, origin: Origin) {
    let mortal = catalog.mortal(statement, origin);
    change(catalog, statement, origin);
    catalog.unearth(statement);
    catalog.bury(mortal, origin);
}

fn change(catalog: &mut Catalog, statement: &Statement, origin: Origin) {
    match &statement.change {
        Change::CreateTable(table) => table::create_table(catalog, table, origin),
        Change::AlterTable(alter) => table::alter_table(catalog, alter, origin),
        Change::CreateIndex(index) => index::create_index(catalog, index, origin),
        Change::AlterObject(alter) => object::alter_object(catalog, alter, origin),
        Change::Drop(drop) => removal::drop_objects(catalog, drop, origin),
        Change::CreateView(view) => view::create_view(catalog, view, origin),
        Change::CreateType(new) => object::create_type(catalog, new, origin),
        Change::CreateRoutine(routine) => object::create_routine(catalog, routine, &statement.inner, origin),
        Change::CreateTrigger { name, table, routine, firing, .. } => {
            let table = catalog.resolve(table);
            catalog.triggers.retain_on(&table, |it| it.name != name.name);
            let routine = routine.as_ref().map(|it| catalog.resolve(it));
            let (name, columns) = (name.name.clone(), object::columns_of_trigger(firing));
            catalog.triggers.push(Trigger { name, table, routine, columns, enabled: true, origin });
        }
        // A temporary one is the session's own, and nothing later asks for it.
        Change::CreateSequence { temporary: true, .. } => {}
        Change::CreateSequence { name, if_not_exists, options, .. } => {
            let name = catalog.target(name);
            if !(*if_not_exists && catalog.sequences.contains_key(&name)) {
                let new = Sequence { owned_by: None, data_type: None, origin: origin.unless(*if_not_exists) };
                catalog.sequences.insert(name.clone(), new);
                object::alter_sequence(catalog, &name, options);
            }
        }
        Change::CreateSchema { name: Some(name), if_not_exists } => {
            catalog.schemas.entry(name.name.clone()).or_insert(origin.unless(*if_not_exists));
        }
        Change::CreateExtension { name, if_not_exists, .. } => {
            // What it brings along may be called like anything that was there.
            catalog.gone.clear();
            let key = (ObjectKind::Extension, plain(name), None);
            catalog.others.entry(key).or_insert(origin.unless(*if_not_exists));
        }
        Change::CreatePolicy { name, table, terms } => privilege::create_policy(catalog, name, table, terms, origin),
        Change::Grant { revoke, kind, names, terms } => {
            privilege::grant(catalog, *revoke, *kind, names, terms, origin);
        }
        Change::AlterDefaultPrivileges(new) => privilege::default_privileges(catalog, new, origin),
        // A cast has no name: that there is one is all that is asked.
        Change::CreateOther { kind: ObjectKind::Cast, .. } => {
            catalog.others.insert((ObjectKind::Cast, ObjectName::default(), None), origin);
        }
        Change::CreateOther { kind, name: Some(name), or_replace, on } => {
            if let Some(table) = on {
                object::create_rule(catalog, name, table, &statement.inner, origin);
            }
            let key = (*kind, name.clone(), None);
            let origin = origin.unless(*or_replace);
            catalog.others.entry(key).or_insert(origin);
        }
        Change::Set(set) if set.name == "search_path" => {
            let value = if set.scope == SetScope::Reset { None } else { set.value.as_deref() };
            let before = std::mem::replace(&mut catalog.search_path, value.map(search_path).unwrap_or_default());
            catalog.session_path = match set.scope {
                SetScope::Local => catalog.session_path.take().or(Some(before)),
                SetScope::Session | SetScope::Reset => None,
            };
        }
        Change::Set(set) if set.name == "timezone" && set.scope == SetScope::Session => {
            catalog.time_zone.clone_from(&set.value);
        }
        Change::Cluster { table: Some(table) } => {
            let name = catalog.resolve(table);
            if let Some(mut table) = catalog.tables.get_mut(&name) {
                table.clustered = true;
            }
        }
        // Their own tables tell what everything is: labels, columns, constraints.
        Change::Insert(Insert { table, .. })
        | Change::Update(Dml { table, .. })
        | Change::Delete(Dml { table, .. })
            if is_of_postgres(table) =>
        {
            catalog.lose_sight(origin.migration);
        }
        Change::DropOwned { .. } => catalog.lose_sight(origin.migration),
        Change::Unread { reason } if hides(reason) => {
            catalog.lose_sight(origin.migration);
            if let Unread::MalformedTable { table, .. } | Unread::Placeholder { table: Some(table), .. } = reason {
                table::create_unread(catalog, table, origin);
            }
        }
        Change::Harmless { verb } if verb == "IMPORT FOREIGN SCHEMA" => catalog.gone.clear(),
        Change::Harmless { verb } if verb == "DISCARD ALL" => catalog.end_session(),
        Change::Harmless { verb } if verb.starts_with("DISCARD TEMP") => catalog.drop_temporary(),
        // Neither data nor settings change what exists.
        _ => {}
    }
}

fn is_of_postgres(table: &ObjectName) -> bool {
    (table.parts.len() == 1 || table.schema() == "pg_catalog") && table.last().starts_with("pg_")
}

/// Whether what is not read may have changed what exists: anything but rows, and commands of psql that run no file.
fn hides(reason: &Unread) -> bool {
    match reason {
        Unread::CopyData | Unread::CopyFromStdin => false,
        Unread::PsqlCommand { command } => command.trim_start_matches('\\').starts_with('i'),
        _ => true,
    }
}

impl Origin {
    /// Not for sure when the statement says `IF NOT EXISTS` or `OR REPLACE`.
    fn unless(self, conditional: bool) -> Self {
        Self { certain: self.certain && !conditional, ..self }
    }
}

fn plain(name: &Ident) -> ObjectName {
    ObjectName::of(name.clone())
}

fn search_path(value: &str) -> Vec<String> {
    let schemas = value.split(',').map(|it| it.trim().trim_matches(['"', '\'']));
    schemas.filter(|it| !it.is_empty() && *it != "$user").map(str::to_owned).collect()
}

/// A name in the schema of another.
fn plain_beside(beside: &ObjectName, name: &Ident) -> ObjectName {
    match beside.parts.len() {
        0 | 1 => plain(name),
        _ => in_schema(&plain(name), beside.schema()),
    }
}
