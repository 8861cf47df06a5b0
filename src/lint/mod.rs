//! `lint(history, judged, profile)` → findings.
//!
//! The engine walks every statement that runs, in the order in which it runs, with the catalog as it is just
//! before, and asks every rule. Rules say what is wrong and where; names, severities, waivers, lines and files
//! are added by the engine.

mod actions;
mod added;
pub mod baseline;
mod casts;
mod cells;
mod columns;
mod context;
mod directives;
pub mod effects;
mod engine;
pub mod evidence;
pub mod fixes;
mod foreign;
mod header;
mod levels;
mod literals;
mod mutability;
mod named;
mod path;
mod profile;
mod remedy;
mod rule;
pub mod rules;
mod sources;
#[cfg(test)]
mod tests;
pub mod timeline;
pub mod timeouts;
pub mod types;
pub mod volatility;
mod weight;

use std::borrow::Cow;

pub use context::{Context, OpenTransaction, OpenedBy, running};
pub use fixes::{Fix, FixStep, Run};
pub use levels::{complaints, severity};
pub use remedy::Remedy;
pub use rule::{Check, DirectiveUse, Docs, Example, ExampleKind, Problem, Rule, Severities, Verdict, Waivable};

use crate::{
    catalog::{Catalog, Release},
    config::{PostgresMajor, ProfileName, PromotionType, RuleLevels},
    migration::Migration,
    report::Validation,
    sql::names::ObjectName,
};

/// What is to be judged, and how.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// What came before, in order; it is replayed, not judged.
    pub history: &'a [Migration],
    /// The release, in order.
    pub judged: &'a [Migration],
    pub profile: ProfileName,
    /// The server that it is judged for.
    pub postgres: PostgresMajor,
    /// `None`: nobody said what kind of promotion this is for.
    pub promotion: Option<PromotionType>,
    pub conventions: Conventions,
    /// Lifts the findings of rules that a hotfix lifts, for this reason.
    pub emergency: Option<&'a str>,
    /// What `config_only` promotions may change, as the configuration says it: `site_settings`, `app.flags`.
    pub config_tables: &'a [String],
    /// Findings that are shown with an excerpt: so many of those that stand, the first by file and place, have a text in
    /// [`Validation::sources`].
    pub excerpts: usize,
    /// Whether findings carry their fix.
    pub fixes: bool,
    /// Whether they carry [`crate::report::Finding::fingerprint`].
    pub fingerprints: bool,
    /// What is there before the first migration, as it was read from a database; `None`: nothing.
    pub found: Option<&'a Catalog>,
    /// Rules whose severity is configured.
    pub levels: &'a [RuleLevels],
}

/// Whose conventions hold for names and headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conventions {
    /// Those of teams that promote with liftlock: there is a configuration.
    Ours,
    /// Nobody's: rules that ask for a name or a header say nothing.
    None,
}

impl Request<'_> {
    /// Nothing yet, for a profile: fields that are not named otherwise are taken from here.
    pub fn of(profile: ProfileName) -> Self {
        Self {
            history: &[],
            judged: &[],
            profile,
            postgres: PostgresMajor::default(),
            promotion: None,
            conventions: Conventions::Ours,
            emergency: None,
            config_tables: &[],
            excerpts: usize::MAX,
            fixes: true,
            fingerprints: true,
            found: None,
            levels: &[],
        }
    }
}

/// Judges a release after its history.
pub fn lint(request: &Request) -> Validation {
    let history = request.history.iter().map(|it| (Release::History, Cow::Borrowed(it)));
    let judged = request.judged.iter().map(|it| (Release::Judged, Cow::Borrowed(it)));
    lint_in_order(history.chain(judged), request)
}

/// The same for a release that is not the end of its folder: judged files and history as they follow each
/// other; each may be forgotten as soon as the next is asked for. `request` says how; its own lists are not looked at.
pub fn lint_in_order<'a>(
    migrations: impl IntoIterator<Item = (Release, Cow<'a, Migration>)>,
    request: &Request,
) -> Validation {
    let config_tables = request.config_tables.iter().map(|it| ObjectName::dotted(it)).collect::<Vec<_>>();
    let mut engine = engine::Engine::new(request, &config_tables);
    let (mut done, mut bytes) = (Vec::new(), 0);
    for (release, migration) in migrations {
        if let Some(Cow::Owned(migration)) = engine.run(release, migration) {
            bytes += migration.text.len();
            done.push(migration);
        }
        if done.len() == FORGOTTEN_TOGETHER || bytes > BYTES_FORGOTTEN_TOGETHER {
            forget(std::mem::take(&mut done));
            bytes = 0;
        }
    }
    let (validation, catalog) = engine.finish();
    if catalog.migrations.len() > FORGOTTEN_TOGETHER {
        forget(catalog);
    }
    validation
}

/// How many migrations are freed at once, and bytes of text from which on there are enough of them.
const FORGOTTEN_TOGETHER: usize = 32;
const BYTES_FORGOTTEN_TOGETHER: usize = 16 * 1024;

/// Frees on another core what takes long to free.
fn forget(of: impl Send + 'static) {
    rayon::spawn(move || drop(of));
}

/// What a history builds. With it as [`Request::found`] releases are judged without replaying it each time.
pub fn replayed<'a>(history: impl IntoIterator<Item = &'a Migration>) -> Catalog {
    let mut engine = engine::Engine::new(&Request::of(ProfileName::Production), &[]);
    for migration in history {
        engine.run(Release::History, Cow::Borrowed(migration));
    }
    engine.into_catalog()
}
