//! `liftlock convex check`: everything that a sync will need of the deployment, tried out beforehand. Writes nothing.

use super::Shell;
use crate::{
    config::{Config, Convex, MirrorTarget, ProfileName, Sync},
    error::{Error, explained},
    report::{Check, CheckState, Report, Section, Verdict},
    services::mirror::{ConvexMirror, convex::preflight},
    sync::{self, Request, SyncError},
};

/// Names what is missing, each with what to do.
pub async fn check(shell: &Shell) -> Result<Report, Error> {
    let config = shell.config()?;
    let settings = config.sync()?.ok_or(SyncError::NotConfigured)?;
    let MirrorTarget::Convex(convex) = &settings.to else { return Err(SyncError::NotConvex.into()) };
    let profile = config.profile(&settings.from)?;
    let examined = async {
        let (wanted, unknown) = wanted(&config, settings).await;
        let mut checks = deployment(convex, profile, &wanted).await;
        checks.extend(unknown);
        checks
    };
    let checks = tokio::select! {
        checks = examined => checks,
        () = shell.cancel.cancelled() => return Err(Error::Interrupted),
    };
    let failed = checks.iter().any(|it| it.state == CheckState::Failed);
    let report = Report::pass("convex check").with(Section::Checks(checks));
    Ok(match failed {
        true => Report { verdict: Verdict::Fail, ..report },
        false => report.then("liftlock sync", "carry the tables"),
    })
}

/// What of the deployment is as a sync needs it, and what is not. `wanted`: tables at the source; empty when nobody
/// knows them.
pub async fn deployment(convex: &Convex, profile: ProfileName, wanted: &[String]) -> Vec<Check> {
    match ConvexMirror::open(convex, profile) {
        Ok(mirror) => preflight(&mirror, wanted).await,
        Err(error) => {
            let (message, fix) = error.explained();
            vec![Check { name: "key".to_owned(), state: CheckState::Failed, message, fix }]
        }
    }
}

/// The tables that a sync would carry, as the database has them; without it, those that are configured.
async fn wanted(config: &Config, settings: &Sync) -> (Vec<String>, Option<Check>) {
    let planned = async {
        let environment = config.environment(&settings.from)?;
        let request = Request::of(environment, settings);
        Ok::<_, Error>(sync::plan(&request).await?)
    };
    match planned.await {
        Ok(plan) => (plan.tables.into_iter().map(|it| it.name).collect(), None),
        Err(error) => {
            let (message, fix) = explained(&error);
            let message = format!("`{}` cannot be asked which tables there are: {message}", settings.from);
            let check = Check { name: "source".to_owned(), state: CheckState::Warning, message, fix };
            (settings.tables.clone(), Some(check))
        }
    }
}
