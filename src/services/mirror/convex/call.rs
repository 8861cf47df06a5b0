//! One call over plain HTTP: <https://docs.convex.dev/http-api>. Tried once; what is to be done after a failure is in
//! the error.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use jiff::Timestamp;
use reqwest::{Client, Method, Response, header};
use serde::Serialize;
use serde_json::Value;

use super::failure::{Asked, ConvexError, judge};
use crate::{
    config::{Convex, ConvexAuth},
    services::http::{self, Failure},
};

/// The server itself tries a write that conflicts several times before it answers.
const TIMEOUT: Duration = Duration::from_secs(90);

/// Convex's own most, and some room for the envelope.
const LARGEST_ANSWER: usize = 20 * 1024 * 1024;

/// Must be a name that Convex does not know, a hyphen and a semantic version.
const CLIENT: &str = concat!("liftlock-", env!("CARGO_PKG_VERSION"));

/// Numbers, bytes and big integers arrive as they were sent.
const FORMAT: &str = "convex_encoded_json";

/// What a function is: Convex has an endpoint for each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Query,
    Mutation,
}

/// A deployment and how it knows us.
#[derive(Debug, Clone)]
pub struct Deployment {
    client: Client,
    settings: Convex,
    deprecation: Arc<OnceLock<String>>,
}

#[derive(Serialize)]
struct Body<'a, A> {
    path: &'a str,
    args: A,
    format: &'a str,
}

impl Deployment {
    pub fn of(settings: &Convex) -> Self {
        Self { client: http::client(), settings: settings.clone(), deprecation: Arc::default() }
    }

    /// Where it is; there is no secret in it.
    pub fn place(&self) -> &str {
        &self.settings.url
    }

    /// What an answer said of the end of this client's days: the first that did.
    pub fn deprecation(&self) -> Option<&str> {
        self.deprecation.get().map(String::as_str)
    }

    pub fn auth(&self) -> &ConvexAuth {
        &self.settings.auth
    }

    /// The shared key, which goes with the arguments; `None` with a deploy key, which goes in a header.
    pub fn shared_key(&self) -> Option<&str> {
        match &self.settings.auth {
            ConvexAuth::DeployKey(_) => None,
            ConvexAuth::SyncAuthKey(key) => Some(key.expose()),
        }
    }

    /// Path of one of our functions: the internal one, or the public one that the shared key opens.
    pub fn path(&self, function: &str) -> String {
        let door = if self.shared_key().is_some() { "WithKey" } else { "" };
        format!("{}:{function}{door}", self.settings.functions)
    }

    /// Calls one of our functions. `table` is its name at the source, for people.
    pub async fn call(
        &self,
        kind: Kind,
        function: &str,
        table: &str,
        args: &impl Serialize,
    ) -> Result<Value, ConvexError> {
        let path = self.path(function);
        self.function(kind, &path, table, args).await
    }

    /// Calls any function by its path: `_system/cli/tables`.
    pub async fn function(
        &self,
        kind: Kind,
        path: &str,
        table: &str,
        args: &impl Serialize,
    ) -> Result<Value, ConvexError> {
        let body = serde_json::to_vec(&Body { path, args, format: FORMAT }).expect("arguments are JSON");
        let endpoint = match kind {
            Kind::Query => "/api/query",
            Kind::Mutation => "/api/mutation",
        };
        let asked = Asked { place: self.place(), path, table, bytes: body.len() };
        let (status, answer) = self.send(Method::POST, endpoint, Some(body)).await?;
        judge(asked, status, &answer)
    }

    /// Asks the server itself: `/version`.
    pub async fn get(&self, endpoint: &str) -> Result<(u16, Vec<u8>), ConvexError> {
        self.send(Method::GET, endpoint, None).await
    }

    async fn send(&self, method: Method, endpoint: &str, body: Option<Vec<u8>>) -> Result<(u16, Vec<u8>), ConvexError> {
        let url = format!("{}{endpoint}", self.settings.url);
        let mut request = self.client.request(method, url).timeout(TIMEOUT).header("Convex-Client", CLIENT);
        if let ConvexAuth::DeployKey(key) = &self.settings.auth {
            request = request.header(header::AUTHORIZATION, format!("Convex {}", key.expose()));
        }
        if let Some(body) = body {
            request = request.header(header::CONTENT_TYPE, "application/json").body(body);
        }
        match request.send().await {
            Ok(response) => self.read(response).await,
            Err(error) => Err(self.lost(error).await),
        }
    }

    async fn read(&self, mut response: Response) -> Result<(u16, Vec<u8>), ConvexError> {
        let status = response.status().as_u16();
        if let Some(said) = deprecation(response.headers()) {
            self.deprecation.get_or_init(|| said);
        }
        let mut bytes = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if bytes.len() + chunk.len() <= LARGEST_ANSWER => bytes.extend_from_slice(&chunk),
                Ok(Some(_)) => return Err(ConvexError::Unreadable { reason: "it is over 20 MiB".to_owned() }),
                Ok(None) => return Ok((status, bytes)),
                Err(error) => return Err(self.lost(error).await),
            }
        }
    }

    async fn lost(&self, error: reqwest::Error) -> ConvexError {
        let failure = match http::answered(Err(error), Timestamp::now()).await {
            Err(Failure::Timeout { .. }) => Failure::Timeout { limit: TIMEOUT },
            Err(failure) => failure,
            Ok(_) => Failure::Broken { reason: "no reason was given".to_owned() },
        };
        ConvexError::Unanswered { place: self.place().to_owned(), reason: failure.to_string() }
    }
}

/// `x-convex-deprecation-state` and `…-message`, as the open server sends them to clients that it wants to be newer.
/// Text of somebody else: shown as plain words, and not without end.
fn deprecation(headers: &header::HeaderMap) -> Option<String> {
    let text = |name: &str| {
        let text = headers.get(name).and_then(|it| it.to_str().ok()).unwrap_or_default();
        text.chars().filter(|it| it.is_ascii_graphic() || *it == ' ').take(200).collect::<String>().trim().to_owned()
    };
    let (state, message) = (text("x-convex-deprecation-state"), text("x-convex-deprecation-message"));
    let said = if message.is_empty() { state } else { message };
    (!said.is_empty()).then(|| format!("Convex says of this version of liftlock: {said}"))
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

    use super::deprecation;

    #[test]
    fn what_convex_says_of_our_days_is_shown_as_plain_words() {
        let check = |given: &[(&'static str, &str)], expected: Option<&str>| {
            let header = |(name, value): &(&'static str, &str)| {
                (HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap())
            };
            let headers: HeaderMap = given.iter().map(header).collect();
            assert_eq!(deprecation(&headers).as_deref(), expected, "{given:?}");
        };
        let (state, message) = ("x-convex-deprecation-state", "x-convex-deprecation-message");
        check(&[], None);
        check(&[(state, ""), (message, " ")], None);
        check(&[(state, "Deprecated")], Some("Convex says of this version of liftlock: Deprecated"));
        check(&[(state, "Deprecated"), (message, "too\told")], Some("Convex says of this version of liftlock: tooold"));
        check(&[(message, "\u{fffd}")], None);
        let long = "x".repeat(1000);
        assert_eq!(
            deprecation(&[(HeaderName::from_static(message), long.parse().unwrap())].into_iter().collect())
                .unwrap()
                .len(),
            241
        );
    }
}
