//! How Neon's API can fail us, told apart by what a person must do. No message holds a key or a connection URL.

use std::time::Duration;

use miette::Diagnostic;
use thiserror::Error;

use super::wire::Operation;
use crate::{exit::Exit, services::http::Failure};

#[derive(Debug, Error, Diagnostic)]
pub enum NeonError {
    #[error("`{what}` of the environment's `neon:` is not one of Neon's ids")]
    #[diagnostic(
        code(neon::malformed_id),
        help(
            "ids are like `calm-river-123456` and `br-wispy-field-123456`; the Neon console shows them under Settings and Branches"
        )
    )]
    MalformedId { what: &'static str },

    #[error("the Neon API's address would carry the key in clear, or is no address")]
    #[diagnostic(
        code(neon::address),
        help(
            "leave `neon.api_url` out, or write `https://…`; plain http is for this machine only (127.0.0.1, localhost)"
        )
    )]
    Address,

    #[error("the Neon API key has a character in it that no key has")]
    #[diagnostic(
        code(neon::malformed_key),
        help("look at the variable that `neon.api_key` names: is a line break in it?")
    )]
    MalformedKey,

    #[error("Neon refused the key while we wanted to {what}: {failure}")]
    #[diagnostic(
        code(neon::denied),
        help(
            "the variable that `neon.api_key` names must hold a key that may edit the project: a project-scoped key is \
             enough. Make one in the Neon console under Account settings, API keys"
        )
    )]
    Denied { what: String, failure: Failure },

    #[error("Neon knows nothing of what we wanted to {what}: {failure}")]
    #[diagnostic(
        code(neon::not_found),
        help(
            "it is not there, or the key may not see it (Neon answers both alike): check `neon.project`, `neon.branch` and the key"
        )
    )]
    NotFound { what: String, failure: Failure },

    #[error("Neon has no room left to {what}: {failure}")]
    #[diagnostic(
        code(neon::quota),
        help(
            "free a place: `liftlock backup list --env ENV` and `liftlock backup delete NAME --env ENV` for ours, the Neon \
             console for others; or raise the plan"
        )
    )]
    Quota { what: String, failure: Failure },

    #[error("Neon would not {what}: {failure}")]
    #[diagnostic(code(neon::refused), help("{}", refusal(failure)))]
    Refused { what: String, failure: Failure },

    #[error("Neon could not {what} in time: {failure}")]
    #[diagnostic(
        code(neon::busy),
        help(
            "nothing of it was done; something else is at work on the project, or there is too much to do. Run the command again"
        )
    )]
    Busy { what: String, failure: Failure },

    #[error("Neon did not answer when we wanted to {what}: {failure}")]
    #[diagnostic(
        code(neon::unanswered),
        help("is https://neonstatus.com quiet, and may this machine reach the API? Run the command again")
    )]
    Unanswered { what: String, failure: Failure },

    #[error("nobody knows whether Neon did {what}: {failure}")]
    #[diagnostic(
        code(neon::unclear),
        help(
            "it was looked for and not found yet; it was not asked for twice. Run the same command again: it looks first"
        )
    )]
    Unclear { what: String, failure: Failure },

    #[error("Neon's answer to {what} is not what was asked for: {reason}")]
    #[diagnostic(code(neon::answer), help("please report this with the version of liftlock"))]
    Answer { what: String, reason: String },

    #[error("Neon's operation {} ({}) ended as `{}`{}", operation.action, operation.id, operation.status, said(operation))]
    #[diagnostic(
        code(neon::operation_failed),
        help("the Neon console shows it under Operations; run the command again, it looks first at what is there")
    )]
    OperationFailed { operation: Box<Operation> },

    #[error("Neon's operation {} ({}) is still `{}` after {} s", operation.action, operation.id, operation.status, waited.as_secs())]
    #[diagnostic(
        code(neon::operation_unfinished),
        help("wait until the Neon console shows it as done, then run the same command again: it goes on from there")
    )]
    OperationUnfinished { operation: Box<Operation>, waited: Duration },

    #[error("branch `{branch}` is still `{state}` after {} s", waited.as_secs())]
    #[diagnostic(
        code(neon::branch_unfinished),
        help("wait until the Neon console shows it as ready, then run the same command again: it goes on from there")
    )]
    BranchUnfinished { branch: String, state: String, waited: Duration },

    #[error("project `{project}` shows no branch as its default")]
    #[diagnostic(code(neon::no_default), help("name the branch itself: `neon: {{ branch: br-… }}`"))]
    NoDefault { project: String },
}

impl NeonError {
    /// The number that the process leaves with.
    pub fn exit(&self) -> Exit {
        match self {
            Self::MalformedId { .. } | Self::Address | Self::MalformedKey | Self::NoDefault { .. } => Exit::Usage,
            Self::Denied { .. }
            | Self::NotFound { .. }
            | Self::Quota { .. }
            | Self::Refused { .. }
            | Self::Busy { .. }
            | Self::Unanswered { .. }
            | Self::Answer { .. }
            | Self::OperationFailed { .. } => Exit::Service,
            Self::Unclear { .. } | Self::OperationUnfinished { .. } | Self::BranchUnfinished { .. } => Exit::Half,
        }
    }

    /// The request may have been carried out all the same.
    pub fn is_unknown_outcome(&self) -> bool {
        matches!(self, Self::Unclear { .. })
    }

    /// The name is taken, or the same thing is there already.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Refused { failure: Failure::Status { status: 409, .. }, .. })
    }

    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }
}

fn said(operation: &Operation) -> String {
    operation.error.as_deref().filter(|it| !it.is_empty()).map(|it| format!(": {it}")).unwrap_or_default()
}

/// Known by their words: <https://api-docs.neon.tech> gives these no codes.
fn refusal(failure: &Failure) -> &'static str {
    const KNOWN: [(&str, &str); 6] = [
        (
            "expires_at",
            "this plan or project does not take an expiry; nothing was changed. Ask Neon's support, or use a paid plan",
        ),
        (
            "restore from snapshot",
            "a snapshot is still being restored onto this branch, for up to 24 h; wait until it is over",
        ),
        (
            "protected",
            "the branch is protected. Unprotect it in the Neon console if you mean it; liftlock never does so",
        ),
        (
            "lsn",
            "the point is outside the project's history; `neon: history` in the Neon console under Settings, Storage",
        ),
        ("redirect", "`neon.api_url` must be the API itself"),
        ("already exists", "look at it in the Neon console; liftlock takes nothing over that it did not make"),
    ];
    let Failure::Status { body, status, .. } = failure else { return "run the command again" };
    if (300..400).contains(status) {
        return KNOWN[4].1;
    }
    let body = body.to_lowercase();
    KNOWN.iter().find(|it| body.contains(it.0)).map_or("nothing was changed; the answer above says why", |it| it.1)
}
