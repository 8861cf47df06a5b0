//! Where audit events go: `Sink`, to a webhook (Standard Webhooks 1.0) or to a file; and how a receiver checks them.
//!
//! A sink may get the same event twice (an answer can be lost), always under the same id.

use std::{
    collections::HashSet,
    fmt,
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use camino::{Utf8Path, Utf8PathBuf};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use miette::Diagnostic;
use reqwest::Url;
use serde::Deserialize;
use sha2::Sha256;
use thiserror::Error;

use crate::{
    config,
    error::Exit,
    secret::Secret,
    services::http::{self, Advice, Failure, Repeat},
};

/// Content type of a CloudEvent in structured mode.
pub const CLOUD_EVENT: &str = "application/cloudevents+json";
/// How far a receiver lets a message's timestamp be from its own clock (Standard Webhooks).
pub const TOLERANCE: Duration = Duration::from_secs(5 * 60);

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
        None => HttpSink::open(&audit.webhook, &audit.secret).map(AnySink::Http),
    }
}

/// What a user chose.
#[derive(Debug)]
pub enum AnySink {
    Http(HttpSink),
    File(FileSink),
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

/// A webhook as Standard Webhooks 1.0 describes it: https://github.com/standard-webhooks/standard-webhooks
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
            "http" if is_loopback(&parsed) => {}
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

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// No `Debug`: it has no way into text.
struct Key(Vec<u8>);

fn keys(secret: &Secret) -> Result<Vec<Key>, WebhookError> {
    let keys: Result<Vec<Key>, WebhookError> = secret.expose().split_whitespace().map(key).collect();
    match keys {
        Ok(keys) if keys.is_empty() => Err(WebhookError::NoSecret),
        other => other,
    }
}

fn key(secret: &str) -> Result<Key, WebhookError> {
    let encoded = secret.strip_prefix("whsec_").unwrap_or(secret);
    let bytes = STANDARD.decode(encoded).map_err(|_| WebhookError::Secret)?;
    if (24..=64).contains(&bytes.len()) { Ok(Key(bytes)) } else { Err(WebhookError::Secret) }
}

/// The message authentication code of `id.timestamp.body`.
fn code(key: &Key, id: &str, timestamp: &str, body: &[u8]) -> Hmac<Sha256> {
    let mut code = Hmac::<Sha256>::new_from_slice(&key.0).expect("HMAC takes keys of every length");
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        code.update(part);
    }
    code
}

fn signatures(keys: &[Key], id: &str, timestamp: &str, body: &[u8]) -> String {
    let signed: Vec<String> = keys
        .iter()
        .map(|key| format!("v1,{}", STANDARD.encode(code(key, id, timestamp, body).finalize().into_bytes())))
        .collect();
    signed.join(" ")
}

/// The three headers of a message, as received.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    /// `webhook-id`
    pub id: &'a str,
    /// `webhook-timestamp`, seconds since 1970
    pub timestamp: &'a str,
    /// `webhook-signature`
    pub signature: &'a str,
}

/// Why a receiver must not believe a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Forged {
    #[error("the receiver's own secret is malformed")]
    Secret,
    #[error("the timestamp is not a number of seconds")]
    Timestamp,
    #[error("the message is too old or from the future")]
    Stale,
    #[error("no signature fits the message")]
    Signature,
}

/// The receiver's half: `Ok` when one of the signatures was made with one of the secrets, over these very bytes,
/// within [`TOLERANCE`] of `now`.
pub fn verify_signature(secret: &Secret, signed: Signed<'_>, body: &[u8], now: Timestamp) -> Result<(), Forged> {
    let keys = keys(secret).map_err(|_| Forged::Secret)?;
    let seconds: i64 = signed.timestamp.parse().map_err(|_| Forged::Timestamp)?;
    if now.as_second().abs_diff(seconds) > TOLERANCE.as_secs() {
        return Err(Forged::Stale);
    }
    let genuine =
        signed.signature.split(' ').filter_map(|signature| STANDARD.decode(signature.strip_prefix("v1,")?).ok()).any(
            |bytes| keys.iter().any(|key| code(key, signed.id, signed.timestamp, body).verify_slice(&bytes).is_ok()),
        );
    if genuine { Ok(()) } else { Err(Forged::Signature) }
}

/// A file of JSON lines, one event each; an event that is there already is not written again.
#[derive(Debug)]
pub struct FileSink {
    path: Utf8PathBuf,
    seen: Arc<Mutex<Seen>>,
}

/// What was read of the file so far.
#[derive(Debug, Default)]
struct Seen {
    bytes: u64,
    lines: usize,
    ids: HashSet<String>,
}

#[derive(Deserialize)]
struct Line {
    id: String,
}

impl FileSink {
    /// The file is made by the first event.
    pub fn at(path: Utf8PathBuf) -> Self {
        Self { path, seen: Arc::default() }
    }
}

impl Sink for FileSink {
    async fn send(&self, id: &str, body: &str) -> Result<(), WebhookError> {
        let (path, seen) = (self.path.clone(), Arc::clone(&self.seen));
        let (id, line) = (id.to_string(), format!("{body}\n"));
        let written = tokio::task::spawn_blocking(move || {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            append(&path, &mut seen, id, &line)
        });
        written.await.expect("writing a line does not panic and is not aborted")
    }

    fn place(&self) -> String {
        self.path.to_string()
    }
}

fn append(path: &Utf8Path, seen: &mut Seen, id: String, line: &str) -> Result<(), WebhookError> {
    let failed = |source| WebhookError::File { path: path.to_owned(), source };
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
    // Held until the file is closed: of two processes one waits.
    file.lock().map_err(failed)?;
    let torn = catch_up(&mut file, seen, path)?;
    if torn {
        // Half a line of a writer that was killed; its event was never acknowledged and comes again.
        file.set_len(seen.bytes).map_err(failed)?;
    }
    if seen.ids.contains(&id) {
        return Ok(());
    }
    file.seek(SeekFrom::Start(seen.bytes)).map_err(failed)?;
    file.write_all(line.as_bytes()).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    seen.bytes += line.len() as u64;
    seen.lines += 1;
    seen.ids.insert(id);
    Ok(())
}

/// Reads what others have written since; says whether half a line stands at the end.
fn catch_up(file: &mut File, seen: &mut Seen, path: &Utf8Path) -> Result<bool, WebhookError> {
    let failed = |source| WebhookError::File { path: path.to_owned(), source };
    if file.metadata().map_err(failed)?.len() < seen.bytes {
        // Rotated or emptied behind our back.
        *seen = Seen::default();
    }
    file.seek(SeekFrom::Start(seen.bytes)).map_err(failed)?;
    let mut text = Vec::new();
    file.read_to_end(&mut text).map_err(failed)?;
    let other = |lines| WebhookError::OtherFile { path: path.to_owned(), line: lines + 1 };
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        if !line.ends_with(b"\n") {
            let begins = b"{\"data\":";
            let ours = line.starts_with(begins) || begins.starts_with(line);
            return if ours { Ok(true) } else { Err(other(seen.lines)) };
        }
        let Line { id } = serde_json::from_slice(line).map_err(|_| other(seen.lines))?;
        seen.bytes += line.len() as u64;
        seen.lines += 1;
        seen.ids.insert(id);
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    const OTHER: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk";
    const BODY: &str = r#"{"email":"test@example.com","username":"test_user"}"#;
    const SIGNATURE: &str = "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=";

    #[test]
    fn the_published_test_vector_is_signed_and_verified() {
        let secret = Secret::new(SECRET);
        assert_eq!(signatures(&keys(&secret).unwrap(), ID, "1649367553", BODY.as_bytes()), SIGNATURE);
    }

    #[test]
    fn only_the_very_message_is_believed() {
        let both = format!("v1a,xx v1,bm8= {SIGNATURE}");
        let rotated = format!("{OTHER} {SECRET}");
        for (secret, id, timestamp, signature, body, now, expected) in [
            (SECRET, ID, "1649367553", SIGNATURE, BODY, 1_649_367_553, Ok(())),
            (SECRET, ID, "1649367553", SIGNATURE, BODY, 1_649_367_853, Ok(())),
            (SECRET, ID, "1649367553", both.as_str(), BODY, 1_649_367_553, Ok(())),
            (rotated.as_str(), ID, "1649367553", SIGNATURE, BODY, 1_649_367_553, Ok(())),
            (SECRET, ID, "1649367553", SIGNATURE, BODY, 1_649_367_854, Err(Forged::Stale)),
            (SECRET, ID, "1649367553", SIGNATURE, BODY, 1_649_367_252, Err(Forged::Stale)),
            (SECRET, ID, "1649367554", SIGNATURE, BODY, 1_649_367_553, Err(Forged::Signature)),
            (SECRET, "msg_other", "1649367553", SIGNATURE, BODY, 1_649_367_553, Err(Forged::Signature)),
            (SECRET, ID, "1649367553", SIGNATURE, "{}", 1_649_367_553, Err(Forged::Signature)),
            (SECRET, ID, "1649367553", "", BODY, 1_649_367_553, Err(Forged::Signature)),
            (SECRET, ID, "1649367553", "v1,", BODY, 1_649_367_553, Err(Forged::Signature)),
            (OTHER, ID, "1649367553", SIGNATURE, BODY, 1_649_367_553, Err(Forged::Signature)),
            (SECRET, ID, "now", SIGNATURE, BODY, 1_649_367_553, Err(Forged::Timestamp)),
            ("", ID, "1649367553", SIGNATURE, BODY, 1_649_367_553, Err(Forged::Secret)),
        ] {
            let signed = Signed { id, timestamp, signature };
            let now = Timestamp::from_second(now).unwrap();
            assert_eq!(verify_signature(&Secret::new(secret), signed, body.as_bytes(), now), expected, "{signed:?}");
        }
    }

    #[test]
    fn while_a_secret_is_rotated_both_sign() {
        let keys = keys(&Secret::new(format!("{OTHER} {SECRET}"))).unwrap();
        let text = signatures(&keys, ID, "1649367553", BODY.as_bytes());
        assert_eq!(text.split(' ').count(), 2);
        assert!(text.ends_with(SIGNATURE), "{text}");
    }

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
