//! `liftlock audit`: list the events, walk their chain, send what waits.

use super::Shell;
use crate::{
    cli::{self, AuditCommand},
    config::Environment,
    error::Error,
    promote::outbox::{self, Chain, Delivery, Event, OutboxError, Stopped, Terms},
    report::{AuditView, EventView, Report, Section},
    services::{
        postgres::{self, Access, Address, Options, Session},
        webhook::{self, Sink},
    },
};

pub async fn audit(shell: &Shell, arguments: &cli::Audit) -> Result<Report, Error> {
    match &arguments.command {
        AuditCommand::List(env) => list(shell, env).await,
        AuditCommand::Verify(env) => verify(shell, env).await,
        AuditCommand::Flush(env) => flush(shell, env).await,
    }
}

async fn list(shell: &Shell, env: &cli::Env) -> Result<Report, Error> {
    const COMMAND: &str = "audit list";
    let config = shell.config()?;
    let environment = shell.environment(&config, &env.environment)?;
    let session = open(environment, Access::ReadOnly).await?;
    if !outbox::exists(&*session).await? {
        return Ok(without_outbox(COMMAND, environment));
    }
    let events = outbox::list(&*session).await?;
    session.close().await;
    let waiting = events.iter().filter(|event| event.delivered_at.is_none()).count();
    let name = &environment.name;
    let mut report = Report::pass(COMMAND)
        .with(Section::Audit(AuditView {
            environment: name.clone(),
            delivered: events.len() - waiting,
            waiting,
            chain: None,
            events: events.iter().map(view).collect(),
        }))
        .then(format!("liftlock audit verify --env {name}"), "walk the hash chain");
    if waiting > 0 {
        report = report.then(format!("liftlock audit flush --env {name}"), "deliver what waits");
    }
    Ok(report)
}

async fn verify(shell: &Shell, env: &cli::Env) -> Result<Report, Error> {
    const COMMAND: &str = "audit verify";
    let config = shell.config()?;
    let environment = shell.environment(&config, &env.environment)?;
    let session = open(environment, Access::ReadOnly).await?;
    if !outbox::exists(&*session).await? {
        return Ok(without_outbox(COMMAND, environment));
    }
    let chain = outbox::verify(&*session).await?;
    let (waiting, total) = (outbox::waiting(&*session).await?, outbox::count(&*session).await?);
    session.close().await;
    let report = if chain.broken.is_none() { Report::pass(COMMAND) } else { Report::fail(COMMAND) };
    Ok(report.with(Section::Audit(AuditView {
        environment: environment.name.clone(),
        events: Vec::new(),
        chain: Some(said(&chain)),
        delivered: total - waiting,
        waiting,
    })))
}

/// The answer in words.
fn said(chain: &Chain) -> String {
    let events = if chain.sound == 1 { "event" } else { "events" };
    match &chain.broken {
        None => format!("the chain holds: {} {events}, head sha256:{}", chain.sound, chain.head),
        Some(place) => {
            let before = match chain.sound {
                0 => String::new(),
                sound => format!("The {sound} {events} before hold together, up to sha256:{}. ", chain.head),
            };
            format!(
                "the chain is broken: {place}. {before}Somebody with write access to schema liftlock changed it; compare it \
                 with what the webhook's receiver has"
            )
        }
    }
}

async fn flush(shell: &Shell, env: &cli::Env) -> Result<Report, Error> {
    const COMMAND: &str = "audit flush";
    let config = shell.config()?;
    let environment = shell.environment(&config, &env.environment)?;
    let audit = config.audit()?;
    let session = open(environment, Access::ReadWrite).await?;
    if !outbox::exists(&*session).await? {
        return Ok(without_outbox(COMMAND, environment));
    }
    let Some(audit) = audit else {
        return match outbox::waiting(&*session).await? {
            0 => Ok(Report::pass(COMMAND).with(Section::Audit(flushed(environment, 0, 0)))),
            waiting => Err(OutboxError::NoWebhook { waiting }.into()),
        };
    };
    let sink = webhook::open(audit, &config.root)?;
    let sent = outbox::deliver(&session, &sink, Terms::ASKED, &*shell.observe, &shell.cancel).await?;
    session.close().await;
    report_on(sent, environment, &sink.place(), COMMAND)
}

fn report_on(sent: Delivery, environment: &Environment, place: &str, command: &'static str) -> Result<Report, Error> {
    let Delivery { delivered, waiting, stopped } = sent;
    let cause = match stopped {
        None => return Ok(Report::pass(command).with(Section::Audit(flushed(environment, delivered, waiting)))),
        Some(Stopped::Refused(cause)) => cause,
        Some(other @ (Stopped::Elsewhere | Stopped::NotDue(_) | Stopped::Cancelled | Stopped::OutOfTime)) => {
            let view =
                AuditView { chain: Some(format!("stopped: {other}")), ..flushed(environment, delivered, waiting) };
            let again = format!("liftlock audit flush --env {}", environment.name);
            return Ok(Report::fail(command).with(Section::Audit(view)).then(again, "deliver what waits"));
        }
    };
    let (environment, place) = (environment.name.clone(), place.to_owned());
    Err(OutboxError::Undelivered { environment, waiting, place, source: Box::new(cause) }.into())
}

fn flushed(environment: &Environment, delivered: usize, waiting: usize) -> AuditView {
    AuditView { environment: environment.name.clone(), events: Vec::new(), chain: None, delivered, waiting }
}

async fn open(environment: &Environment, access: Access) -> Result<Session, Error> {
    let address = Address::parse(&environment.database)?;
    Ok(postgres::connect(&address, &Options { access, ..Options::default() }).await?)
}

fn without_outbox(command: &'static str, environment: &Environment) -> Report {
    let body = format!("No audit events in {}: nothing was promoted there yet.", environment.name);
    Report::pass(command)
        .with(Section::Text { title: String::new(), body })
        .then(format!("liftlock plan --to {}", environment.name), "what a promotion would do")
}

fn view(event: &Event) -> EventView {
    EventView {
        sequence: event.sequence.unsigned_abs(),
        id: event.id.to_string(),
        kind: event.kind.trim_start_matches("dev.liftlock.").to_owned(),
        time: event.created_at.clone(),
        delivered: event.delivered_at.is_some(),
        attempts: event.attempts.unsigned_abs(),
        last_error: event.last_error.clone(),
    }
}
