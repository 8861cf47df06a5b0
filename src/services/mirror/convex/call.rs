//! One call over plain HTTP: <https://docs.convex.dev/http-api>. Tried once; what is to be done after a failure is in
//! the error.

use std::time::Duration;

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
}

#[derive(Serialize)]
struct Body<'a, A> {
    path: &'a str,
    args: A,
    format: &'a str,
}

impl Deployment {
    pub fn of(settings: &Convex) -> Self {
        Self { client: http::client(), settings: settings.clone() }
    }

    /// Where it is; there is no secret in it.
    pub fn place(&self) -> &str {
        &self.settings.url
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
