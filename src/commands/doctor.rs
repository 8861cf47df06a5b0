//! `liftlock doctor`: everything that a promotion will need, tried out beforehand. Changes nothing.

mod environment;

use camino::Utf8Path;
use futures_util::future::join_all;

use self::environment::Examined;
use super::{Shell, convex::check::deployment};
use crate::{
    config::{Audit, Config, Incomplete, MirrorTarget, Part, ProfileName},
    error::{Error, explained},
    migration::discover::{self, DiscoverError},
    report::{Check, CheckState, Report, Section, Verdict},
    services::{postgres::same_database, webhook},
    sync::{self, Request},
};

pub async fn doctor(shell: &Shell) -> Result<Report, Error> {
    let config = shell.config()?;
    let mut checks = vec![ok("configuration", format!("`{}` is sound", config.path))];
    checks.push(migrations(&config));
    let examined = join_all(config.environments.values().map(environment::examine));
    // A host that does not answer takes its time; whoever waits may have seen enough.
    let examined = tokio::select! {
        examined = examined => examined,
        () = shell.cancel.cancelled() => return Err(Error::Interrupted),
    };
    checks.extend(config.incomplete.values().map(unset));
    checks.extend(examined.iter().flat_map(|it| it.checks.iter().cloned()));
    checks.extend(same(&examined));
    checks.extend(audit(&config).await);
    checks.extend(sync(&config).await);
    let failed = checks.iter().any(|it| it.state == CheckState::Failed);
    let report = Report::pass("doctor").with(Section::Checks(checks));
    Ok(match failed {
        true => Report { verdict: Verdict::Fail, ..report },
        false => match config.names().last() {
            Some(name) => report.then(format!("liftlock plan --to {name}"), "what a promotion would do"),
            None => report,
        },
    })
}

fn migrations(config: &Config) -> Check {
    // Read whole: a file that `promote` could not read is better known now.
    match discover::folder(&config.migrations) {
        Ok(files) => ok("migrations", format!("{} in `{}`", counted(files.len(), "migration"), config.migrations)),
        Err(DiscoverError::None { .. }) => warning(
            "migrations",
            format!("`{}` holds none yet", config.migrations),
            "make the first with `liftlock new NAME`, or correct `migrations:`",
        ),
        Err(error) => failed("migrations", &Error::from(error)),
    }
}

/// Nobody has the variables of every environment, so this is no failure.
fn unset(incomplete: &Incomplete) -> Check {
    let lacks: Vec<String> = incomplete.lacks.iter().chain(&incomplete.neon).map(ToString::to_string).collect();
    Check {
        name: format!("{}: not examined", incomplete.name),
        state: CheckState::Warning,
        message: lacks.join("; "),
        fix: Some("set what is missing, where this environment is promoted to".to_owned()),
    }
}

/// A promotion to staging that reaches production is the worst that a wrong URL can do.
fn same(examined: &[Examined]) -> Vec<Check> {
    let known: Vec<_> = examined.iter().filter_map(|it| Some((&it.name, it.identity.as_ref()?))).collect();
    let mut checks = Vec::new();
    for (at, (name, identity)) in known.iter().enumerate() {
        for (other, identity_of_other) in &known[at + 1..] {
            if same_database(identity, identity_of_other) {
                checks.push(Check {
                    name: format!("{name} and {other}"),
                    state: CheckState::Failed,
                    message: format!("both lead to one database, `{}`", identity.database),
                    fix: Some("one of the two URLs is wrong: look where its variable is set".to_owned()),
                });
            }
        }
    }
    if checks.is_empty() && known.len() > 1 {
        checks.push(ok("environments", format!("{} different databases", known.len())));
    }
    checks
}

async fn audit(config: &Config) -> Vec<Check> {
    let name = "audit";
    let production = |config: &Config| config.environments.values().any(|it| it.profile == ProfileName::Production);
    match &config.audit {
        None if production(config) => vec![warning(
            name,
            "no receiver is configured: events stay in the database that they are about".to_owned(),
            "name one: `audit: { webhook: \"${AUDIT_WEBHOOK_URL}\", secret: \"${AUDIT_WEBHOOK_SECRET}\" }`",
        )],
        None => Vec::new(),
        Some(Part::Lacking(lacks)) => {
            let lacks: Vec<String> = lacks.iter().map(ToString::to_string).collect();
            vec![warning(name, lacks.join("; "), "set what is missing, where promotions run")]
        }
        Some(Part::Complete(settings)) => vec![receiver(settings, &config.root).await],
    }
}

async fn receiver(settings: &Audit, root: &Utf8Path) -> Check {
    let sink = match webhook::open(settings, root) {
        Ok(sink) => sink,
        Err(error) => return failed("audit", &Error::from(error)),
    };
    match sink.probe().await {
        Ok(answer) => ok("audit", answer),
        // It blocks no promotion: events are kept until they are delivered.
        Err(error) => Check { state: CheckState::Warning, ..failed("audit", &Error::from(error)) },
    }
}

async fn sync(config: &Config) -> Vec<Check> {
    let settings = match &config.sync {
        None => return Vec::new(),
        Some(Part::Lacking(lacks)) => {
            let lacks: Vec<String> = lacks.iter().map(ToString::to_string).collect();
            return vec![warning("sync: mirror", lacks.join("; "), "set what is missing, where `liftlock sync` runs")];
        }
        Some(Part::Complete(settings)) => settings,
    };
    let mut checks = Vec::new();
    if let MirrorTarget::Folder(folder) = &settings.to {
        checks.push(writable("sync: mirror", folder));
    }
    let Ok(environment) = config.environment(&settings.from) else { return checks };
    if let MirrorTarget::Convex(convex) = &settings.to {
        let found = deployment(convex, environment.profile, &settings.tables).await;
        checks.extend(found.into_iter().map(|it| Check { name: format!("sync: {}", it.name), ..it }));
    }
    let request = Request::of(environment, settings);
    // A database that cannot be reached has its own check.
    let Ok(planned) = sync::planned(&request, &settings.to).await else { return checks };
    let refused = planned.tables.iter().filter(|it| !it.errors.is_empty());
    checks.extend(refused.flat_map(|table| {
        table.errors.iter().map(|error| Check {
            name: format!("sync: {}", table.table),
            state: CheckState::Failed,
            message: error.message.clone(),
            fix: error.hint.clone(),
        })
    }));
    let sound = planned.tables.iter().filter(|it| it.errors.is_empty()).count();
    checks.push(match sound {
        0 => warning(
            "sync: tables",
            format!("`{}` has no table that could be carried to the mirror", environment.name),
            "name tables with a primary key in `sync.tables`, or take `sync:` out until there are some",
        ),
        _ => ok("sync: tables", format!("{} can be read", counted(sound, "table"))),
    });
    checks
}

/// Tried with a file that is gone at once, in the folder or in the nearest one above that exists.
fn writable(name: &str, folder: &Utf8Path) -> Check {
    let place = folder.ancestors().find(|it| it.is_dir()).unwrap_or(Utf8Path::new("."));
    match tempfile::tempfile_in(place) {
        Ok(_) => ok(name, format!("`{folder}` can be written")),
        Err(source) => failed(name, &Error::File { action: "write to", path: place.to_string(), source }),
    }
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn ok(name: &str, message: String) -> Check {
    Check { name: name.to_owned(), state: CheckState::Ok, message, fix: None }
}

fn warning(name: &str, message: String, fix: &str) -> Check {
    Check { name: name.to_owned(), state: CheckState::Warning, message, fix: Some(fix.to_owned()) }
}

fn failed(name: &str, error: &Error) -> Check {
    let (message, fix) = explained(error);
    Check { name: name.to_owned(), state: CheckState::Failed, message, fix }
}
