//! `liftlock status`: applied, pending, changed since applied, unknown to the files; the last promotion.

use std::collections::BTreeSet;

use super::{Shell, plan as showing};
use crate::{
    cli,
    error::Error,
    migration::{self, Migration, Pending},
    promote::{
        plan::Target,
        survey::{self, Bookkeeping, HistoryRow, Promotion, Records},
    },
    report::{MigrationState, MigrationView, Report, Section, StatusView},
};

pub async fn status(shell: &Shell, arguments: &cli::To) -> Result<Report, Error> {
    let config = shell.config()?;
    let environment = shell.environment(&config, &arguments.environment)?;
    let files = showing::files(&config)?;
    let session = showing::open_read_only(environment).await?;
    let identity = session.identity().await?;
    let records = survey::records(&session).await?;
    let at_work = survey::lock_holders(&session).await?;
    session.close().await;
    let pending = migration::pending(&files, &records.applied());
    let name = &environment.name;
    let view = StatusView {
        environment: name.clone(),
        target: Target::of(&identity).shown(),
        migrations: migrations(&files, &records, &pending),
        last_promotion: records.promotions.iter().find(|it| it.state != "running").map(promotion),
        unfinished: records.unfinished().map(|it| unfinished(it, !at_work.is_empty())),
        undelivered_events: usize::try_from(records.undelivered).unwrap_or(usize::MAX),
    };
    let mut report = Report::pass("status").with(Section::Status(view));
    if records.bookkeeping == Bookkeeping::Unreadable {
        report = report.with(Section::Text {
            title: "Not everything could be read".to_owned(),
            body: "The role may not read schema liftlock, so nothing is known of what is applied. As its owner: \
                   `grant usage on schema liftlock to ROLE; grant select on all tables in schema liftlock to ROLE`"
                .to_owned(),
        });
    }
    if !pending.to_apply.is_empty() {
        report = report.then(format!("liftlock plan --to {name}"), "what promoting them would do");
    }
    if records.undelivered > 0 && config.audit.is_some() {
        report = report.then(format!("liftlock audit flush --env {name}"), "deliver the events that wait");
    }
    Ok(report)
}

fn promotion(it: &Promotion) -> String {
    let when = it.ended_at.as_ref().unwrap_or(&it.started_at);
    format!("{} ({}) {} {when} by {}", it.run, it.kind, it.state, it.actor)
}

fn unfinished(it: &Promotion, at_work: bool) -> String {
    let what = format!("{} ({}), begun {} by {}", it.run, it.kind, it.started_at, it.actor);
    match at_work {
        true => format!("{what}: at work at this moment"),
        false => format!("{what}: stopped half-way; `liftlock promote --to {}` goes on with it", it.environment),
    }
}

fn migrations(files: &[Migration], records: &Records, pending: &Pending) -> Vec<MigrationView> {
    let changed: BTreeSet<&str> = pending.changed.iter().map(|it| it.0.as_str()).collect();
    let out_of_order: BTreeSet<&str> = pending.out_of_order.iter().map(|it| it.0.as_str()).collect();
    let known = |file: &Migration| {
        let id = file.id.0.as_str();
        let row = records.history.iter().find(|it| it.id == id);
        let (state, note) = match row {
            Some(row) if row.done && changed.contains(id) => {
                (MigrationState::Changed, Some("the file is not what was applied".to_owned()))
            }
            Some(row) if row.done => (MigrationState::Applied, None),
            Some(row) => (MigrationState::Running, Some(progress(row))),
            None if out_of_order.contains(id) => {
                (MigrationState::OutOfOrder, Some("comes before one that is applied".to_owned()))
            }
            None => (MigrationState::Pending, None),
        };
        MigrationView { id: id.to_owned(), state, applied_at: row.and_then(|it| it.applied_at.clone()), note }
    };
    let gone = |id: &migration::MigrationId| MigrationView {
        id: id.0.clone(),
        state: MigrationState::Missing,
        applied_at: records.history.iter().find(|it| it.id == id.0).and_then(|it| it.applied_at.clone()),
        note: Some(match records.history.iter().find(|it| it.id == id.0 && !it.done) {
            Some(row) => format!("{}, and no file has this id", progress(row)),
            None => "applied, and no file has this id".to_owned(),
        }),
    };
    files.iter().map(known).chain(pending.missing.iter().map(gone)).collect()
}

fn progress(row: &HistoryRow) -> String {
    format!("{} of {} statements are done", row.applied, row.total)
}
