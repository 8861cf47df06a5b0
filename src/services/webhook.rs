//! Where audit events go: `Sink`, to a webhook (Standard Webhooks 1.0) or to a file; and how a receiver checks them.
//!
//! A sink may get the same event twice (an answer can be lost), always under the same id.

mod file;
mod signature;

pub use file::FileSink;
pub use signature::{Forged, Signed, TOLERANCE, verify_signature};

use std::{fmt, io, time::Duration};

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use miette::Diagnostic;
use reqwest::Url;
use thiserror::Error;

use crate::{
    config,
    exit::Exit,
    secret::Secret,
    services::http::{self, Advice, Failure, Repeat},
};
use signature::{Key, keys, signatures};

/// Content type of a CloudEvent in structured mode.
pub const CLOUD_EVENT: &str = "application/cloudevents+json";

const SECRET_HELP: &str = "make one with `echo whsec_$(openssl rand -base64 32)`, give it to the receiver too, and put it \
                           into the variable that `audit.secret` names";

#[derive(Debug, Error, Diagnostic)]
pub enum WebhookError {
    #[error("the audit webhook's URL is malformed: {reason}")]
    #[diagnostic(code(webhook::malformed_url), help("write `https://host/path`, or `file:audit.jsonl` for a file"))]
    Malformed { reason: String },

    #[error("the audit webhook at {place} would not be encrypted")]
    #[diagnostic(
        code(webhook::unencrypted),
        help("use https; plain http is for this machine only (127.0.0.1, localhost)")
    )]
    Unencrypted { place: String },

    #[error("the audit webhook's secret is not `whsec_` and 24 to 64 bytes in base64")]
    #[diagnostic(code(webhook::malformed_secret), help("{SECRET_HELP}"))]
    Secret,

    #[error("the audit webhook has no secret to sign with")]
    #[diagnostic(code(webhook::no_secret), help("{SECRET_HELP}"))]
    NoSecret,

    #[error("the webhook at {place} did not take an event: {failure}")]
    #[diagnostic(code(webhook::not_taken), help("{}", what_to_do(failure)))]
    NotTaken { place: String, failure: Failure },

    #[error("cannot write audit events to `{path}`")]
    #[diagnostic(
        code(webhook::file),
        help("check that the folder exists, that you may write to it and that the disk has room")
    )]
    File { path: Utf8PathBuf, source: io::Error },

    #[error("`{path}` is not a file of audit events: line {line} is something else")]
    #[diagnostic(code(webhook::other_file), help("name another file in `audit.webhook`; this one was not touched"))]
    OtherFile { path: Utf8PathBuf, line: usize },
}

impl WebhookError {
    pub fn exit(&self) -> Exit {
        match self {
            Self::Malformed { .. }
            | Self::Unencrypted { .. }
            | Self::Secret
            | Self::NoSecret
            | Self::OtherFile { .. } => Exit::Usage,
            Self::NotTaken { .. } | Self::File { .. } => Exit::Service,
        }
    }

    /// What to do about it: events carry their id, so sending one again is harmless.
    pub fn advice(&self) -> Advice {
        match self {
            Self::NotTaken { failure, .. } => http::advice(failure, Repeat::Harmless),
            Self::File { .. } => Advice::Retry,
            Self::Malformed { .. }
            | Self::Unencrypted { .. }
            | Self::Secret
            | Self::NoSecret
            | Self::OtherFile { .. } => Advice::Ask,
        }
    }

    /// How long the receiver asked us to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::NotTaken { failure, .. } => failure.retry_after(),
            _ => None,
        }
    }

    /// The failure alone, for where its place is known.
    pub fn reason(&self) -> String {
        match self {
            Self::NotTaken { failure, .. } => failure.to_string(),
            other => other.to_string(),
        }
    }

    /// Whether only this one message was refused, and the next may well be taken.
    pub fn is_about_the_message(&self) -> bool {
        matches!(self, Self::NotTaken { failure: Failure::Status { status: 400 | 409 | 413 | 422, .. }, .. })
    }
}

fn what_to_do(failure: &Failure) -> &'static str {
    match failure {
        Failure::Status { status, .. } => match status {
            300..=399 => "redirects are not followed: put the final URL into `audit.webhook`",
            401 | 403 => {
                "do both sides have the same secret? During a rotation `audit.secret` may hold two, separated by a space"
            }
            404 | 405 => "is the path in `audit.webhook` right?",
            410 => "the receiver wants no more events: name another one in `audit.webhook`",
            413 | 415 | 422 | 400 => {
                "the receiver must take CloudEvents 1.0 JSON (`application/cloudevents+json`) of up to 20 kB"
            }
            _ => "look into the receiver's log",
        },
        Failure::Unreachable { .. } | Failure::Timeout { .. } | Failure::Broken { .. } => {
            "is the receiver up, and may this machine reach it?"
        }
    }
}

/// Takes audit events.
#[expect(async_fn_in_trait, reason = "used through generics in this crate only; nobody needs it to be `Send`")]
pub trait Sink {
    /// Returns once the other side has the event durably. Sending the same id again is harmless.
    async fn send(&self, id: &str, body: &str) -> Result<(), WebhookError>;
    /// Where events go, for people, without secrets.
    fn place(&self) -> String;
}

/// The sink that a configuration names: `https://…`, or `file:…` below the configuration's folder.
pub fn open(audit: &config::Audit, root: &Utf8Path) -> Result<AnySink, WebhookError> {
    match audit.webhook.expose().strip_prefix("file:") {
        Some(rest) => Ok(AnySink::File(FileSink::at(root.join(rest.strip_prefix("//").unwrap_or(rest))))),
        None => {
            let secret = audit.secret.as_ref().ok_or(WebhookError::NoSecret)?;
            HttpSink::open(&audit.webhook, secret).map(AnySink::Http)
        }
    }
}

/// What a user chose.
#[derive(Debug)]
pub enum AnySink {
    Http(HttpSink),
    File(FileSink),
}

impl AnySink {
    /// Whether somebody is there, in a sentence. Sends nothing that could be taken for an event; any answer of a
    /// web server is one, for receivers commonly answer nothing but POST.
    pub async fn probe(&self) -> Result<String, WebhookError> {
        let sink = match self {
            Self::File(_) => return Ok(format!("events go to {}", self.place())),
            Self::Http(sink) => sink,
        };
        match http::answered(sink.client.head(sink.url.clone()).send().await, Timestamp::now()).await {
            Ok(_) | Err(Failure::Status { .. }) => Ok(format!("{} answers", self.place())),
            Err(failure) => Err(WebhookError::NotTaken { place: self.place(), failure }),
        }
    }
}

impl Sink for AnySink {
    async fn send(&self, id: &str, body: &str) -> Result<(), WebhookError> {
        match self {
            Self::Http(sink) => sink.send(id, body).await,
            Self::File(sink) => sink.send(id, body).await,
        }
    }

    fn place(&self) -> String {
        match self {
            Self::Http(sink) => sink.place(),
            Self::File(sink) => sink.place(),
        }
    }
}

/// A webhook as Standard Webhooks 1.0 describes it.
pub struct HttpSink {
    url: Url,
    /// All of them sign; more than one during a rotation.
    keys: Vec<Key>,
    client: reqwest::Client,
}

impl fmt::Debug for HttpSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HttpSink").field(&self.place()).finish()
    }
}

impl HttpSink {
    /// `url` is https, or http to this machine; `secret` is one `whsec_…` or several separated by spaces.
    pub fn open(url: &Secret, secret: &Secret) -> Result<Self, WebhookError> {
        let parsed = Url::parse(url.expose()).map_err(|error| WebhookError::Malformed { reason: error.to_string() })?;
        match parsed.scheme() {
            "https" => {}
            "http" if http::is_loopback(&parsed) => {}
            "http" => return Err(WebhookError::Unencrypted { place: origin(&parsed) }),
            other => return Err(WebhookError::Malformed { reason: format!("`{other}` is neither https nor file") }),
        }
        Ok(Self { url: parsed, keys: keys(secret)?, client: http::client() })
    }
}

impl Sink for HttpSink {
    async fn send(&self, id: &str, body: &str) -> Result<(), WebhookError> {
        let now = Timestamp::now();
        let timestamp = now.as_second();
        let request = self
            .client
            .post(self.url.clone())
            .header("content-type", CLOUD_EVENT)
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signatures(&self.keys, id, &timestamp.to_string(), body.as_bytes()))
            .body(body.to_string());
        match http::answered(request.send().await, now).await {
            Ok(_) => Ok(()),
            Err(failure) => Err(WebhookError::NotTaken { place: self.place(), failure }),
        }
    }

    fn place(&self) -> String {
        origin(&self.url)
    }
}

/// Scheme, host and port only: the path of a webhook is often its password.
fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_bGlmdGxvY2sgc2lnbnMgdGhpcyBpbiB0ZXN0cw==";

    #[test]
    fn what_cannot_be_a_webhook_is_refused_by_name() {
        for (url, secret, expected) in [
            ("https://joe:s3cret@example.com/s3cret?s3cret", SECRET, None),
            ("http://127.0.0.1:8080/hook", SECRET, None),
            ("http://[::1]:8080/hook", SECRET, None),
            ("http://localhost/hook", SECRET, None),
            ("http://example.com/s3cret", SECRET, Some("webhook::unencrypted")),
            ("http://127.0.0.1.example.com/", SECRET, Some("webhook::unencrypted")),
            ("http://localhost.example.com/", SECRET, Some("webhook::unencrypted")),
            ("ftp://example.com", SECRET, Some("webhook::malformed_url")),
            ("example.com/s3cret", SECRET, Some("webhook::malformed_url")),
            ("", SECRET, Some("webhook::malformed_url")),
            ("https://example.com", "", Some("webhook::no_secret")),
            ("https://example.com", "whsec_s3cret", Some("webhook::malformed_secret")),
            ("https://example.com", "whsec_c2hvcnQ=", Some("webhook::malformed_secret")),
        ] {
            let opened = HttpSink::open(&Secret::new(url), &Secret::new(secret));
            let code = opened.as_ref().err().and_then(|error| Some(error.code()?.to_string()));
            assert_eq!(code.as_deref(), expected, "{url}");
            let shown = format!("{opened:?} {}", opened.as_ref().err().map(ToString::to_string).unwrap_or_default());
            assert!(!shown.contains("s3cret"), "{shown}");
        }
    }
}
