//! What `lint::effects` says that a probe does, in the form of a measurement.

use std::sync::OnceLock;

use liftlock::{
    catalog::{self, Catalog, Origin, Release},
    config::{PostgresMajor, ProfileName},
    lint::{Context, OpenTransaction, OpenedBy, effects, running},
    migration::Migration,
    sql::{Statement, names::ObjectName},
};

use super::{
    measure::{MODES, Measurement, SHARE_UPDATE_EXCLUSIVE},
    probes::Probe,
    verdict,
};

/// What was measured and what is predicted, both without what cannot be compared: locks that nobody notices, locks on
/// indexes, and where the probe runs on its own, all but the locks on its tables.
pub fn compared(probe: &Probe, measured: &Measurement, major: PostgresMajor) -> (Measurement, Measurement) {
    let mut catalog = everything().clone();
    if !probe.setup.is_empty() {
        let own = verdict::migration("20260102000000_setup", &format!("{};\n", probe.setup));
        replay(&mut catalog, &own.statements, origin(Release::History, 1));
    }
    let is_index = |name: &str| catalog.indexes.keys().any(|it| it.to_string() == name);
    let notable = |it: &mut Measurement| {
        it.locks.retain(|name, mode| *mode >= SHARE_UPDATE_EXCLUSIVE && !is_index(name));
        // Nothing is read where no rows are: those of `animals` are its heirs'.
        it.scanned.retain(|name| !["vacant", "animals"].contains(&name.as_str()));
        if let Some(tables) = &probe.alone {
            it.locks.retain(|name, _| tables.contains(name));
            it.scanned.clear();
        }
        if it.failed.is_some() {
            *it = Measurement { failed: it.failed.clone(), ..Measurement::default() };
        }
    };
    let (mut measured, mut predicted) =
        (measured.clone(), predict(&mut catalog.clone(), probe, &measured.clone(), major));
    notable(&mut measured);
    notable(&mut predicted);
    (measured, predicted)
}

/// The catalog after the setup of all probes.
fn everything() -> &'static Catalog {
    static CATALOG: OnceLock<Catalog> = OnceLock::new();
    CATALOG.get_or_init(|| {
        let mut catalog = Catalog::default();
        replay(&mut catalog, &verdict::everything().statements, origin(Release::History, 0));
        catalog
    })
}

fn origin(release: Release, migration: usize) -> Origin {
    Origin { release, migration, certain: true }
}

fn replay(catalog: &mut Catalog, statements: &[Statement], origin: Origin) {
    for statement in statements {
        running(statement).into_iter().for_each(|it| catalog::replay(catalog, it, origin));
    }
}

fn predict(catalog: &mut Catalog, probe: &Probe, measured: &Measurement, major: PostgresMajor) -> Measurement {
    let migration = verdict::migration("20260103000000_probe", &verdict::judged(probe, measured));
    let inside = probe.alone.is_none() || measured.failed.as_deref() == Some("25001");
    let open = OpenTransaction { migration: 0, statement: 0, opened_by: OpenedBy::Begin };
    let mut predicted = Measurement::default();
    for (index, top) in migration.statements.iter().enumerate() {
        for statement in running(top) {
            let context = context(catalog, &migration, index, major, inside.then_some(open));
            add(&mut predicted, &effects::of(&context, statement));
            catalog::replay(catalog, statement, origin(Release::Judged, 2));
        }
    }
    predicted
}

fn context<'c>(
    catalog: &'c Catalog,
    migration: &'c Migration,
    index: usize,
    postgres: PostgresMajor,
    transaction: Option<OpenTransaction>,
) -> Context<'c> {
    let profile = ProfileName::Production;
    Context {
        catalog,
        profile,
        postgres,
        promotion: None,
        config_tables: &[],
        migration,
        of_another_dialect: false,
        index,
        before: &[],
        transaction,
    }
}

fn add(predicted: &mut Measurement, effects: &effects::Effects) {
    for (name, relation) in &effects.relations {
        let name = name.to_string().trim_start_matches("public.").to_owned();
        let mode = MODES.iter().position(|it| it.2 == relation.lock.name()).expect("the modes are the same eight");
        let strongest = predicted.locks.entry(name.clone()).or_insert(mode);
        *strongest = mode.max(*strongest);
        if relation.scanned.is_likely() {
            predicted.scanned.insert(name.clone());
        }
        if relation.rewritten.is_likely() {
            predicted.rewritten.insert(name);
        }
        predicted.rebuilt.extend(relation.rebuilt.iter().map(ObjectName::to_string));
    }
    if let Some(failure) = &effects.fails {
        predicted.failed.get_or_insert_with(|| failure.sqlstate.to_owned());
    }
}
