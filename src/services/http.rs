//! One HTTP client for the whole program, and the one table that says what to do after a failure.
//!
//! The client never follows redirects (a redirect would carry signatures and tokens to whoever is named there),
//! gives up in time and trusts Mozilla's roots. No failure shows a query string, a user or a password.

use std::{
    fmt,
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};

use jiff::{Timestamp, fmt::rfc2822};
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url, header, redirect::Policy};
use rustls::{ClientConfig, RootCertStore};
use tokio::time;

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

/// How long failures that go away by themselves are waited out, from the first attempt on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// 423: somebody else's work is under way, which may take minutes.
    pub locked: Duration,
    /// 429, 503, and for what may be repeated also a lost answer.
    pub busy: Duration,
    /// Nothing listens there, or the name is wrong.
    pub unreachable: Duration,
    /// The first pause is at most this long; each next one at most twice as long as the one before.
    pub first_pause: Duration,
    pub longest_pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            locked: Duration::from_secs(300),
            busy: Duration::from_secs(60),
            unreachable: Duration::from_secs(20),
            first_pause: Duration::from_millis(250),
            longest_pause: Duration::from_secs(10),
        }
    }
}

impl Patience {
    fn of(&self, failure: &Failure) -> Duration {
        match failure {
            Failure::Status { status: 423, .. } => self.locked,
            Failure::Unreachable { .. } => self.unreachable,
            Failure::Status { .. } | Failure::Timeout { .. } | Failure::Broken { .. } => self.busy,
        }
    }

    /// How long to wait before the next attempt, the first being number 0; `None`: give up. `chance` is from 0 to
    /// 1: with full jitter, those who failed together do not come back together
    /// (<https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>). What the other side asked for
    /// is a minimum, and more than there is left of the budget ends it.
    pub fn pause(&self, failure: &Failure, attempt: u32, elapsed: Duration, chance: f64) -> Option<Duration> {
        let left = self.of(failure).checked_sub(elapsed)?;
        let ceiling = self.first_pause.saturating_mul(2u32.saturating_pow(attempt)).min(self.longest_pause);
        let jittered = ceiling.mul_f64(chance.clamp(0.0, 1.0));
        let pause = match failure.retry_after() {
            Some(asked) if asked > left => return None,
            Some(asked) => asked.saturating_add(jittered).min(left.max(asked)),
            None => jittered,
        };
        (pause < left || failure.retry_after().is_some()).then_some(pause)
    }
}

/// Sends, and sends again as long as `judge` advises it and `patience` lasts. `make` builds and sends the request
/// anew each time; `tell` hears of every failure that is tried again, with the pause before that.
pub async fn persist<T>(
    patience: &Patience,
    mut make: impl AsyncFnMut() -> Result<T, Failure>,
    judge: impl Fn(&Failure) -> Advice,
    mut tell: impl FnMut(&Failure, Duration),
) -> Result<T, Failure> {
    let began = Instant::now();
    let mut attempt = 0;
    loop {
        let failure = match make().await {
            Ok(answer) => return Ok(answer),
            Err(failure) => failure,
        };
        let pause = match judge(&failure) {
            Advice::Retry => patience.pause(&failure, attempt, began.elapsed(), rand::random()),
            Advice::Reconcile | Advice::Ask | Advice::Never => None,
        };
        let Some(pause) = pause else { return Err(failure) };
        tell(&failure, pause);
        time::sleep(pause).await;
        attempt += 1;
    }
}

/// An answer: the response when it is 2xx, else the failure with what its body says, cut.
pub async fn answered(sent: Result<Response, reqwest::Error>, now: Timestamp) -> Result<Response, Failure> {
    answer(sent, REQUEST_TIMEOUT, now, readable).await
}

/// Sends a request that has another time limit; `said` makes one short line of an error's body.
pub async fn sent(
    request: RequestBuilder,
    limit: Duration,
    now: Timestamp,
    said: impl Fn(&str) -> String,
) -> Result<Response, Failure> {
    answer(request.timeout(limit).send().await, limit, now, said).await
}

async fn answer(
    sent: Result<Response, reqwest::Error>,
    limit: Duration,
    now: Timestamp,
    said: impl Fn(&str) -> String,
) -> Result<Response, Failure> {
    let mut response = sent.map_err(|error| unanswered_within(&error, limit))?;
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
    let body = said(&String::from_utf8_lossy(&bytes));
    Err(Failure::Status { status: response.status().as_u16(), retry_after, body })
}

/// A request that got no answer.
pub fn unanswered(error: &reqwest::Error) -> Failure {
    unanswered_within(error, REQUEST_TIMEOUT)
}

/// A request with another time limit that got no answer.
pub fn unanswered_within(error: &reqwest::Error, limit: Duration) -> Failure {
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
        Failure::Timeout { limit }
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

/// `https`, or `http` to this machine: nothing secret travels in clear over a network.
pub fn is_protected(url: &Url) -> bool {
    url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url))
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
    fn failures_are_waited_out_within_their_budgets() {
        let patience = Patience::default();
        let after = |status: u16, seconds: u64| Failure::Status {
            status,
            retry_after: Some(Duration::from_secs(seconds)),
            body: String::new(),
        };
        let unreachable = Failure::Unreachable { reason: "refused".to_string() };
        // Elapsed seconds, number of the attempt, chance; milliseconds to wait.
        for (failure, elapsed, attempt, chance, expected) in [
            (status(423), 0, 0, 1.0, Some(250)),
            (status(423), 0, 0, 0.5, Some(125)),
            (status(423), 0, 0, 0.0, Some(0)),
            (status(423), 0, 3, 1.0, Some(2_000)),
            (status(423), 0, 40, 1.0, Some(10_000)),
            (status(423), 289, 9, 1.0, Some(10_000)),
            (status(423), 291, 9, 1.0, None),
            (status(423), 301, 9, 0.0, None),
            (status(429), 59, 0, 1.0, Some(250)),
            (status(429), 60, 0, 1.0, None),
            (status(503), 61, 0, 0.0, None),
            (unreachable, 20, 0, 1.0, None),
            (after(429, 7), 0, 0, 1.0, Some(7_250)),
            (after(429, 60), 0, 9, 1.0, Some(60_000)),
            (after(429, 61), 0, 0, 0.0, None),
            (after(503, 30), 31, 0, 0.0, None),
            (after(423, 200), 50, 0, 0.0, Some(200_000)),
        ] {
            let pause = patience.pause(&failure, attempt, Duration::from_secs(elapsed), chance);
            assert_eq!(pause, expected.map(Duration::from_millis), "{failure} after {elapsed} s, attempt {attempt}");
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
