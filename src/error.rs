//! `Error`: whatever kept a command from doing its job, gathered from all modules. Only the shell knows it.

use miette::Diagnostic;
use thiserror::Error;

use crate::{
    catalog::snapshot::SnapshotError,
    commands::{
        convex::init::ConvexInitError, init::InitError, new::NewError, report::ReportError, rules::RulesError,
        validate::ValidateError,
    },
    config::ConfigErrors,
    exit::Exit,
    migration::discover::DiscoverError,
    promote::{PromoteError, outbox::OutboxError},
    services::{
        bookkeeping::BookkeepingError, branches::BranchError, forge::ForgeError, postgres::PostgresError,
        sandbox::SandboxError, webhook::WebhookError,
    },
    sync::SyncError,
};

/// Anything that kept a command from doing its job. Each module's enum says with which [`Exit`] it leaves.
#[derive(Debug, Error, Diagnostic)]
pub enum Error {
    /// A file that the user named, or the output, could not be read or written.
    #[error("cannot {action} `{path}`")]
    #[diagnostic(code(file::inaccessible), help("check that the path exists and that you may access it"))]
    File { action: &'static str, path: String, source: std::io::Error },
    /// A question came up and nobody sits at a terminal.
    #[error("this needs a yes, and there is no terminal to ask on")]
    #[diagnostic(code(terminal::nobody_to_ask), help("add `--yes` to go ahead without being asked"))]
    NobodyToAsk,
    /// Such a format tells findings, and this command has none.
    #[error("`--format {format}` tells what is wrong in migrations, and this command judges none")]
    #[diagnostic(
        code(format::no_findings),
        help("`validate` and `report` take it; here say `--format text`, `json` or `markdown`")
    )]
    NoFindings { format: &'static str },
    /// What came from the editor was no language server protocol.
    #[error("the editor's messages cannot be read: {why}")]
    #[diagnostic(
        code(lsp::protocol),
        help("`liftlock lsp` is started by an editor; in a terminal say `liftlock validate --watch`")
    )]
    Editor { why: String },
    /// No `liftlock.yml` here or above.
    #[error("no liftlock.yml here or in a folder above")]
    #[diagnostic(code(config::not_found), help("write one with `liftlock init`, or name it with `--config FILE`"))]
    NoConfiguration,
    /// The configuration is wrong, or lacks what was asked for.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Config(#[from] ConfigErrors),
    /// The migrations folder could not be read.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Discover(#[from] DiscoverError),
    /// A snapshot of a catalog was changed, or is none.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Snapshot(#[from] SnapshotError),
    /// No configuration was written.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Init(#[from] InitError),
    /// The app's files were left as they are.
    #[error(transparent)]
    #[diagnostic(transparent)]
    ConvexInit(#[from] ConvexInitError),
    /// No migration was made.
    #[error(transparent)]
    #[diagnostic(transparent)]
    New(#[from] NewError),
    /// The schema `liftlock` could not be made or is of another version.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Bookkeeping(#[from] BookkeepingError),
    /// A restore point could not be made, found or put back.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Branch(#[from] BranchError),
    /// A database failed, or its URL is wrong.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Postgres(#[from] PostgresError),
    /// GitHub did not answer, or refused.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Forge(#[from] ForgeError),
    /// The audit webhook is misconfigured.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Webhook(#[from] WebhookError),
    /// Audit events could not be delivered.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Outbox(#[from] OutboxError),
    /// A promotion did not come to its end.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Promote(#[from] PromoteError),
    /// The throw-away Postgres did not start.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Sandbox(#[from] SandboxError),
    /// What was to be reported cannot be read.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Report(#[from] ReportError),
    /// Nothing that could be judged was named.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Validate(#[from] ValidateError),
    /// No such rule.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Rules(#[from] RulesError),
    /// Ctrl-C during something that leaves nothing behind.
    #[error("stopped by Ctrl-C; nothing is left behind")]
    #[diagnostic(code(interrupted))]
    Interrupted,
    /// The sync did not reach its end.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Sync(#[from] SyncError),
    /// The operating system gave us no threads.
    #[error("cannot start the runtime")]
    #[diagnostic(code(runtime::not_started))]
    Runtime { source: std::io::Error },
}

impl Error {
    /// The number that the process leaves with.
    pub fn exit(&self) -> Exit {
        match self {
            Self::File { .. } | Self::NobodyToAsk | Self::NoFindings { .. } | Self::NoConfiguration => Exit::Usage,
            Self::Config(errors) => errors.exit(),
            Self::Discover(error) => error.exit(),
            Self::Snapshot(error) => error.exit(),
            Self::Init(error) => error.exit(),
            Self::ConvexInit(error) => error.exit(),
            Self::New(error) => error.exit(),
            Self::Bookkeeping(error) => error.exit(),
            Self::Branch(error) => error.exit(),
            Self::Validate(error) => error.exit(),
            Self::Rules(error) => error.exit(),
            Self::Report(error) => error.exit(),
            Self::Postgres(error) => error.exit(),
            Self::Forge(error) => error.exit(),
            Self::Webhook(error) => error.exit(),
            Self::Outbox(error) => error.exit(),
            Self::Promote(error) => error.exit(),
            Self::Sandbox(error) => error.exit(),
            Self::Sync(error) => error.exit(),
            Self::Editor { .. } => Exit::Usage,
            Self::Interrupted | Self::Runtime { .. } => Exit::Service,
        }
    }
}

/// `postgres::unreachable`; empty for the few that have none.
pub fn code(error: &Error) -> String {
    error.code().map(|it| it.to_string()).unwrap_or_default()
}

/// An error in two sentences: what went wrong with its causes, and what to do about it. An error that gathers
/// several is explained by all of them.
pub fn explained(error: &Error) -> (String, Option<String>) {
    let mut message = error.to_string();
    let related: Vec<&dyn Diagnostic> = error.related().into_iter().flatten().collect();
    let causes = std::iter::successors(std::error::Error::source(error), |it| it.source()).map(ToString::to_string);
    let gathered = related.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    for text in causes.chain([gathered]) {
        if !message.contains(&text) {
            message = format!("{message}: {text}");
        }
    }
    let mut helps: Vec<String> = error.help().iter().map(ToString::to_string).collect();
    for help in related.iter().filter_map(|it| it.help()).map(|it| it.to_string()) {
        if !helps.contains(&help) {
            helps.push(help);
        }
    }
    (message, (!helps.is_empty()).then(|| helps.join("; ")))
}
