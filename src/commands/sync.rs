//! `liftlock sync`.

use super::Shell;
use crate::{
    cli,
    error::Error,
    report::{Report, Section},
    services::mirror,
    sync::{self, Foreign, Request, SyncError},
};

/// Carries the tables to the mirror, or says what that would be.
pub async fn sync(shell: &Shell, arguments: &cli::Sync) -> Result<Report, Error> {
    let config = shell.config()?;
    let settings = config.sync()?.ok_or(SyncError::NotConfigured)?;
    let environment = shell.environment(&config, &settings.from)?;
    let tables = if arguments.tables.is_empty() { &settings.tables } else { &arguments.tables };
    let request = Request {
        tables: tables.clone(),
        foreign: if arguments.adopt { Foreign::Adopt } else { Foreign::Refuse },
        ..Request::of(environment, settings)
    };
    if arguments.plan {
        let planned = sync::planned(&request, &settings.to).await?;
        let report = if sync::is_whole(&planned) { Report::pass("sync") } else { Report::fail("sync") };
        return Ok(report.with(Section::Sync(planned)).then("liftlock sync", "do it"));
    }
    let mirror = mirror::open(&settings.to, environment.profile).map_err(SyncError::Mirror)?;
    let done = sync::run(&request, &mirror, shell.observe.as_ref(), &shell.cancel).await?;
    let report = if sync::is_whole(&done) { Report::pass("sync") } else { Report::fail("sync") };
    Ok(report.with(Section::Sync(done)))
}
