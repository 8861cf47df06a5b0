//! One HTTP client for the whole program, and the one table that says what to do after a failure.
//!
//! The client never follows redirects (a redirect would carry signatures and tokens to whoever is named there),
//! gives up in time and trusts Mozilla's roots. No failure shows a query string, a user or a password.

use std::{
    fmt,
    sync::{Arc, LazyLock},
    time::Duration,
};

use jiff::{Timestamp, fmt::rfc2822};
use reqwest::{Client, Response, StatusCode, Url, header, redirect::Policy};
use rustls::{ClientConfig, RootCertStore};

use crate::secret;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a request may take from the first byte out to the last byte in (Standard Webhooks: 15 to 30 s).
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
/// What is read of an error's body, in bytes, and what is shown of it, in characters.
const BODY_READ: usize = 16 * 1024;
const BODY_SHOWN: usize = 200;

/// The client. Cheap to clone: clones share their connections.
pub fn client() -> Client {
    static CLIENT: LazyLock<Client> = LazyLock::new(build);
    CLIENT.clone()
}

fn build() -> Client {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring speaks TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(Policy::none())
        // reqwest would resend on its own; the table below decides that, once.
        .retry(reqwest::retry::never())
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(REQUEST_TIMEOUT)
        .user_agent(concat!("liftlock/", env!("CARGO_PKG_VERSION")))
        .build()
        .expect("the settings are constants that a test builds")
}

/// What sending a request a second time does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// Nothing: it only reads, or carries a key by which the other side knows it again.
    Harmless,
    /// Perhaps the same thing twice.
    Doubtful,
}

/// What to do after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// Send it again after a while.
    Retry,
    /// Nobody knows whether it was done: look before sending again.
    Reconcile,
    /// It will fail again until someone changes something: a key, a URL, a setting, our code.
    Ask,
    /// The other side wants nothing more from us, ever.
    Never,
}

/// How a request failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// An answer that is not 2xx.
    Status { status: u16, retry_after: Option<Duration>, body: String },
    /// Nothing was sent: no address, no connection, no trust in the certificate.
    Unreachable { reason: String },
    /// Sent perhaps, and no answer in time.
    Timeout { limit: Duration },
    /// Sent perhaps, and the connection broke.
    Broken { reason: String },
}

/// The table.
pub fn advice(failure: &Failure, repeat: Repeat) -> Advice {
    let unknown = match repeat {
        Repeat::Harmless => Advice::Retry,
        Repeat::Doubtful => Advice::Reconcile,
    };
    match failure {
        Failure::Unreachable { .. } => Advice::Retry,
        Failure::Timeout { .. } | Failure::Broken { .. } => unknown,
        Failure::Status { status, .. } => match status {
            410 => Advice::Never,
            // Refused before anything was done: too early, locked, too many, unavailable.
            423 | 425 | 429 | 503 => Advice::Retry,
            // The answer of a proxy, perhaps, after the server behind it did the work.
            408 | 500..=599 => unknown,
            _ => Advice::Ask,
        },
    }
}

impl Failure {
    /// How long the other side asked us to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            Self::Unreachable { .. } | Self::Timeout { .. } | Self::Broken { .. } => None,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status { status, body, .. } => {
                write!(f, "it answered {status}")?;
                if let Some(reason) = StatusCode::from_u16(*status).ok().and_then(|it| it.canonical_reason()) {
                    write!(f, " {reason}")?;
                }
                if !body.is_empty() {
                    write!(f, ": {body}")?;
                }
                Ok(())
            }
            Self::Unreachable { reason } => write!(f, "it cannot be reached: {reason}"),
            Self::Timeout { limit } => write!(f, "it did not answer within {} s", limit.as_secs()),
            Self::Broken { reason } => write!(f, "the connection broke: {reason}"),
        }
    }
}

/// An answer: the response when it is 2xx, else the failure with what its body says, cut.
pub async fn answered(sent: Result<Response, reqwest::Error>, now: Timestamp) -> Result<Response, Failure> {
    let mut response = sent.map_err(|error| unanswered(&error))?;
    if response.status().is_success() {
        return Ok(response);
    }
    let after = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after = after.and_then(|value| retry_after(value, now));
    let mut bytes = Vec::new();
    while bytes.len() < BODY_READ {
        match response.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) | Err(_) => break,
        }
    }
    let body = readable(&String::from_utf8_lossy(&bytes));
    Err(Failure::Status { status: response.status().as_u16(), retry_after, body })
}

/// A request that got no answer.
pub fn unanswered(error: &reqwest::Error) -> Failure {
    // The chain of causes says what happened; the error itself only repeats the URL.
    let mut reasons: Vec<String> = Vec::new();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let text = secret::scrub(&inner.to_string());
        if reasons.last().is_none_or(|last| !last.contains(&text)) {
            reasons.push(text);
        }
        cause = inner.source();
    }
    let reason = reasons.pop().unwrap_or_else(|| "no reason was given".to_string());
    if error.is_connect() {
        Failure::Unreachable { reason }
    } else if error.is_timeout() {
        Failure::Timeout { limit: REQUEST_TIMEOUT }
    } else if error.is_builder() {
        Failure::Unreachable { reason: "the request could not be built".to_string() }
    } else {
        Failure::Broken { reason }
    }
}

/// `Retry-After`: seconds, or a date (RFC 9110 §10.2.3).
pub fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = rfc2822::DateTimeParser::new().parse_timestamp(value).ok()?;
    Some(Duration::try_from(date.duration_since(now)).unwrap_or(Duration::ZERO))
}

/// An error's body as one short line: markup dropped, white space folded, credentials blanked.
pub fn readable(body: &str) -> String {
    let mut text = String::with_capacity(body.len());
    let mut in_tag = false;
    let markup = body.trim_start().starts_with('<');
    for character in body.chars() {
        match character {
            '<' if markup => in_tag = true,
            '>' if in_tag => {
                in_tag = false;
                text.push(' ');
            }
            _ if in_tag => {}
            _ if character.is_control() => text.push(' '),
            _ => text.push(character),
        }
    }
    let folded = secret::scrub(&text.split_whitespace().collect::<Vec<_>>().join(" "));
    match folded.char_indices().nth(BODY_SHOWN) {
        Some((end, _)) => format!("{}…", &folded[..end]),
        None => folded,
    }
}

/// This machine itself: the only place where plain http is good enough.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// A URL for people: without user, password, query and fragment, any of which may be a secret.
pub fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // Both fail only for URLs that cannot have a user, which then have none.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(status: u16) -> Failure {
        Failure::Status { status, retry_after: None, body: String::new() }
    }

    #[test]
    fn the_client_can_be_built() {
        client();
    }

    #[test]
    fn every_failure_has_its_advice() {
        use Advice::{Ask, Never, Reconcile, Retry};
        let broken = Failure::Broken { reason: "reset".to_string() };
        let unreachable = Failure::Unreachable { reason: "refused".to_string() };
        for (failure, harmless, doubtful) in [
            (unreachable, Retry, Retry),
            (broken, Retry, Reconcile),
            (Failure::Timeout { limit: REQUEST_TIMEOUT }, Retry, Reconcile),
            (status(301), Ask, Ask),
            (status(400), Ask, Ask),
            (status(401), Ask, Ask),
            (status(404), Ask, Ask),
            (status(408), Retry, Reconcile),
            (status(409), Ask, Ask),
            (status(410), Never, Never),
            (status(422), Ask, Ask),
            (status(423), Retry, Retry),
            (status(429), Retry, Retry),
            (status(500), Retry, Reconcile),
            (status(502), Retry, Reconcile),
            (status(503), Retry, Retry),
            (status(524), Retry, Reconcile),
        ] {
            assert_eq!(advice(&failure, Repeat::Harmless), harmless, "{failure}");
            assert_eq!(advice(&failure, Repeat::Doubtful), doubtful, "{failure}");
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now: Timestamp = "2026-10-21T07:27:30Z".parse().unwrap();
        for (value, seconds) in [
            ("0", Some(0)),
            (" 120 ", Some(120)),
            ("Wed, 21 Oct 2026 07:28:00 GMT", Some(30)),
            ("Wed, 21 Oct 2020 07:28:00 GMT", Some(0)),
            ("soon", None),
            ("-5", None),
            ("", None),
        ] {
            assert_eq!(retry_after(value, now), seconds.map(Duration::from_secs), "{value:?}");
        }
    }

    #[test]
    fn an_error_body_is_one_short_line_without_markup_and_secrets() {
        for (body, expected) in [
            ("", ""),
            ("queue is full\n", "queue is full"),
            ("{\"error\":  \"bad\"}", "{\"error\": \"bad\"}"),
            ("<html><head><title>524</title></head>\n<body>A timeout occurred</body></html>", "524 A timeout occurred"),
            ("a < b and c > d", "a < b and c > d"),
            ("cannot store at postgres://joe:hunter2@db/x", "cannot store at postgres://***@db/x"),
            ("\u{1b}[31mred\u{7}", "[31mred"),
        ] {
            assert_eq!(readable(body), expected, "{body:?}");
        }
        assert_eq!(readable(&"é".repeat(1000)).chars().count(), BODY_SHOWN + 1);
    }

    #[test]
    fn a_shown_url_has_neither_user_nor_query() {
        for (url, expected) in [
            ("https://joe:pw@example.com/hook?token=x#y", "https://example.com/hook"),
            ("https://example.com", "https://example.com/"),
            ("file:///tmp/audit.jsonl?x=1", "file:///tmp/audit.jsonl"),
        ] {
            assert_eq!(shown(&Url::parse(url).unwrap()), expected);
        }
    }
}
