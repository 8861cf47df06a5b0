//! `liftlock plan`: what `promote` would do; changes nothing.

use nix::unistd::{User, getuid};
use uuid::Uuid;

use super::Shell;
use crate::{
    cli,
    config::{Config, Environment},
    error::Error,
    migration::{self, Migration, discover},
    promote::{
        approval::{Purpose, look::Approving},
        emergency::Emergency,
        neon,
        plan::{self as planning, Decision},
        prepare::{self, Prepared, Question},
    },
    report::{Report, Section},
    services::postgres::{self, Access, Address, Options, Session},
};

pub async fn plan(shell: &Shell, arguments: &cli::Plan) -> Result<Report, Error> {
    let config = shell.config()?;
    let (environment, audit) = config.promotion(&arguments.to.environment)?;
    let files = files(&config)?;
    let actor = actor(shell);
    let commit = commit(shell);
    let emergency = emergency(&arguments.emergency);
    let approving = Approving::here(Purpose::Show, &|name| shell.variable(name));
    let question = Question {
        run: Uuid::now_v7(),
        now: shell.now(),
        config: &config,
        environment,
        webhook: audit.is_some(),
        promotion_type: arguments.promotion_type.into(),
        actor: &actor,
        files: &files,
        commit: commit.as_deref(),
        emergency: emergency.as_ref(),
        approving: &approving,
    };
    let elsewhere = prepare::elsewhere(&config, environment).await;
    let session = open_read_only(environment).await?;
    let prepared = prepare::prepare(question, &elsewhere, &session).await?;
    session.close().await;
    let decision = planning::plan(&prepared.request());
    Ok(report("plan", &prepared, &decision))
}

/// What a decision says, with what to try next.
pub fn report(command: &'static str, prepared: &Prepared<'_>, decision: &Decision) -> Report {
    let request = prepared.request();
    let name = &request.environment.name;
    let view = Section::Plan(planning::view(&request, decision));
    match &decision.plan {
        Ok(plan) if plan.is_empty() && plan.steps.is_empty() => Report::pass(command)
            .with(view)
            .then(format!("liftlock status --to {name}"), "what is applied there")
            .then("liftlock new NAME", "begin a new migration"),
        Ok(plan) => Report::pass(command).with(view).then(crate::promote::command(plan), "do it"),
        Err(_) => Report::fail(command)
            .with(view)
            .then(format!("liftlock plan --to {name}"), "look again when that is put right"),
    }
}

/// All migrations of the folder, read.
pub fn files(config: &Config) -> Result<Vec<Migration>, Error> {
    let folder = discover::whole(&config.migrations, config.layout)?;
    Ok(folder.files.into_iter().map(migration::read).collect())
}

/// Haste and its reasons; `None` when nobody asked for it.
pub fn emergency(arguments: &cli::Emergency) -> Option<Emergency> {
    let (incident, reason) = (arguments.incident.clone()?, arguments.reason.clone()?);
    arguments.emergency.then_some(Emergency { incident, reason })
}

/// Who asks: the CI actor, or the operating system's user.
pub fn actor(shell: &Shell) -> String {
    let named = ["LIFTLOCK_ACTOR", "GITHUB_ACTOR", "GITLAB_USER_LOGIN", "USER", "LOGNAME"];
    named
        .into_iter()
        .find_map(|name| shell.variable(name).filter(|it| !it.is_empty()))
        .or_else(|| User::from_uid(getuid()).ok().flatten().map(|user| user.name))
        .unwrap_or_else(|| "unknown".to_owned())
}

/// The commit that CI has checked out.
pub fn commit(shell: &Shell) -> Option<String> {
    let named = ["LIFTLOCK_COMMIT", "GITHUB_SHA", "CI_COMMIT_SHA"];
    named.into_iter().find_map(|name| shell.variable(name).filter(|it| !it.is_empty()))
}

/// A session that cannot change anything.
pub async fn open_read_only(environment: &Environment) -> Result<Session, Error> {
    let address = Address::parse(&environment.database)?;
    let options = Options { access: Access::ReadOnly, ..Options::default() };
    match postgres::connect(&address, &options).await {
        Ok(session) => Ok(session),
        Err(error) => Err(neon::with_direct_host(error, environment).await.into()),
    }
}
