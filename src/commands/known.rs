//! What a database holds, for `validate --live` and `--snapshot`; and `liftlock snapshot`, which writes it down.

use std::collections::BTreeMap;

use camino::Utf8Path;
use jiff::Timestamp;

use super::{Shell, plan};
use crate::{
    catalog::{
        Catalog,
        snapshot::{self, Applied, Snapshot},
    },
    cli,
    config::{Config, Environment, PostgresMajor},
    error::Error,
    migration::MigrationId,
    promote::survey,
    report::{Report, Section},
    services::postgres::catalog as reading,
};

/// How long reading may take, all together, before the server stops it.
const PATIENCE: &str = "set statement_timeout = '60s'";

/// A database as it was read, now or earlier.
pub struct Known {
    pub catalog: Catalog,
    /// The server's, when it is one that is known here.
    pub postgres: Option<PostgresMajor>,
    /// Ids and checksums of what is applied; `None`: nobody recorded it there.
    applied: Option<BTreeMap<String, String>>,
    /// Where it comes from and of when it is.
    line: String,
    notes: Vec<String>,
}

/// `liftlock snapshot`: one document on stdout.
pub async fn snapshot(shell: &Shell, arguments: &cli::Env) -> Result<Report, Error> {
    let config = shell.config()?;
    let environment = shell.environment(&config, &arguments.environment)?;
    let snapshot = read(environment).await?;
    Ok(Report::pass("snapshot").with(Section::Raw(snapshot::write(&snapshot))))
}

/// What `--live` and `--snapshot` ask for; `None` without them, and then nothing is connected to.
pub async fn known(shell: &Shell, config: Option<&Config>, arguments: &cli::Judged) -> Result<Option<Known>, Error> {
    match (&arguments.snapshot, config, &arguments.to) {
        (Some(path), _, _) => {
            let snapshot = file(path)?;
            let age = age(&snapshot.taken_at, shell.now());
            let origin = format!("snapshot of {}, {age}", described(&snapshot));
            Ok(Some(Known::of(&snapshot, origin)))
        }
        (None, Some(config), Some(name)) if arguments.live => {
            let snapshot = read(shell.environment(config, name)?).await?;
            let at = snapshot.taken_at.get(11..16).unwrap_or_default();
            let origin = format!("live, {}, read {at} UTC", described(&snapshot));
            Ok(Some(Known::of(&snapshot, origin)))
        }
        _ => Ok(None),
    }
}

async fn read(environment: &Environment) -> Result<Snapshot, Error> {
    let session = plan::open_read_only(environment).await?;
    session.batch_execute(PATIENCE).await.map_err(|it| session.failure(it))?;
    let mut snapshot = reading::read(&session, &environment.name).await?;
    let records = survey::records(&session).await?;
    session.close().await;
    if records.bookkeeping == survey::Bookkeeping::Present {
        let done = records.history.iter().filter(|it| it.done);
        let applied = done.map(|it| Applied { id: it.id.clone(), checksum: it.checksum.clone() });
        snapshot.applied = Some(applied.collect());
    }
    Ok(snapshot)
}

fn file(path: &Utf8Path) -> Result<Snapshot, Error> {
    let text = std::fs::read(path).map_err(|source| Error::File { action: "read", path: path.to_string(), source })?;
    Ok(snapshot::read(path.as_str(), &String::from_utf8_lossy(&text))?)
}

/// `production (ep-cool-1.neon.tech/app), PostgreSQL 17.5`.
fn described(snapshot: &Snapshot) -> String {
    format!("{} ({}), PostgreSQL {}", snapshot.environment, snapshot.target, snapshot.server)
}

/// `3 days old`.
fn age(taken_at: &str, now: Timestamp) -> String {
    let Ok(taken) = taken_at.parse::<Timestamp>() else { return "of an unknown day".to_owned() };
    let seconds = now.duration_since(taken).as_secs();
    let (number, unit) = match seconds {
        ..120 => return "just taken".to_owned(),
        120..7_200 => (seconds / 60, "minutes"),
        7_200..172_800 => (seconds / 3_600, "hours"),
        _ => (seconds / 86_400, "days"),
    };
    format!("{number} {unit} old")
}

impl Known {
    fn of(snapshot: &Snapshot, line: String) -> Self {
        let major = u8::try_from(snapshot.server_version / 10_000).ok().and_then(PostgresMajor::new);
        let applied = snapshot.applied.as_ref();
        let applied = applied.map(|all| all.iter().map(|it| (it.id.clone(), it.checksum.clone())).collect());
        let mut notes = Vec::new();
        if applied.is_none() {
            notes.push("nothing is recorded there of what is applied, so every file is judged".to_owned());
        }
        if snapshot.hidden_sessions > 0 {
            notes.push(format!(
                "of {} sessions the role may not see whether a transaction is open: `grant pg_read_all_stats to ROLE`",
                snapshot.hidden_sessions
            ));
        }
        Self { catalog: snapshot.catalog(&snapshot.environment), postgres: major, applied, line, notes }
    }

    /// It is applied there, whatever its bytes were then.
    pub fn has(&self, id: &MigrationId) -> bool {
        self.applied.as_ref().is_some_and(|it| it.contains_key(&id.0))
    }

    /// The major version to judge for: as typed, else the server's, else as configured. Says so when they differ.
    pub fn major(&mut self, typed: Option<PostgresMajor>, configured: Option<PostgresMajor>) -> Option<PostgresMajor> {
        let number = |it: PostgresMajor| it.number();
        match (typed, self.postgres, configured) {
            (Some(typed), Some(server), _) if typed != server => self.notes.push(format!(
                "the server is of version {}; judged for {}, as `--postgres` says",
                number(server),
                number(typed)
            )),
            (None, Some(server), Some(configured)) if configured != server => self.notes.push(format!(
                "liftlock.yml says PostgreSQL {}; judged for {}, which the server is",
                number(configured),
                number(server)
            )),
            (_, None, _) => self.notes.push("the server is of a version that this liftlock does not know".to_owned()),
            _ => {}
        }
        typed.or(self.postgres).or(configured)
    }

    /// `catalog: live, production (…), PostgreSQL 17.5, read 12:03 UTC`, and what is to be known besides.
    /// `skipped` counts the files that were not judged because they are applied.
    pub fn section(&self, skipped: usize) -> Section {
        let mut lines = vec![format!("catalog: {}", self.line)];
        lines.extend(self.notes.iter().cloned());
        match skipped {
            0 => {}
            1 => lines.push("1 file is applied there, and not judged".to_owned()),
            _ => lines.push(format!("{skipped} files are applied there, and not judged")),
        }
        Section::Text { title: "Catalog".to_owned(), body: lines.join("\n") }
    }
}

#[cfg(test)]
mod tests {
    use super::age;

    #[test]
    fn a_snapshots_age_is_told_in_one_unit() {
        let now = "2026-03-05T12:00:00Z".parse().unwrap();
        let cases = [
            ("2026-03-05T11:59:30Z", "just taken"),
            ("2026-03-05T11:15:00Z", "45 minutes old"),
            ("2026-03-05T00:00:00Z", "12 hours old"),
            ("2026-03-02T12:00:00Z", "3 days old"),
            ("2027-03-02T12:00:00Z", "just taken"),
            ("yesterday", "of an unknown day"),
        ];
        for (taken_at, expected) in cases {
            assert_eq!(age(taken_at, now), expected, "{taken_at}");
        }
    }
}
