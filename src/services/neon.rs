//! Neon's API, as far as restore points need it: <https://api-docs.neon.tech>.
//!
//! Reads are tried again after any failure that goes away by itself. What changes something is tried again only when
//! the answer says that nothing was done (423, 429, 503); a lost answer is [`NeonError::Unclear`], and the caller looks
//! at what is there before anything is sent a second time.

mod failure;
mod operations;
pub mod wire;

pub use self::{
    failure::NeonError,
    operations::{Deadline, Polling, Stage, stage},
    wire::{Id, Lsn},
};

use std::{
    fmt,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use reqwest::{Method, Url, header::HeaderValue};
use serde::{Serialize, de::DeserializeOwned};
use tokio::time;
use uuid::Uuid;

use super::http::{self, Advice, Failure, Patience, Repeat};
use crate::{
    config,
    report::progress::{Event, Observe, Quiet},
    secret::{self, Secret},
};

/// For one request, from the first byte out to the last byte in.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// Between two requests: Neon allows 700 a minute, about 11 a second; we stay below.
const SPACING: Duration = Duration::from_millis(125);
/// What is asked for per page, and how many pages are read at most.
const PAGE: &str = "1000";
const MOST_PAGES: usize = 100;

/// One project, seen with one key.
pub struct Neon {
    base: Url,
    project: Id,
    key: HeaderValue,
    client: reqwest::Client,
    observe: Arc<dyn Observe>,
    pub patience: Patience,
    pub polling: Polling,
    /// When the next request may be sent.
    next: Mutex<Instant>,
}

impl fmt::Debug for Neon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Neon({} at {})", self.project, http::shown(&self.base))
    }
}

/// Whether a request changes something.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Read,
    Change,
}

impl Neon {
    /// Checks what the configuration says; asks nobody yet.
    pub fn open(settings: &config::Neon) -> Result<Self, NeonError> {
        let base = Url::parse(settings.api_url.trim_end_matches('/')).map_err(|_| NeonError::Address)?;
        if !http::is_protected(&base) || base.cannot_be_a_base() || base.query().is_some() || base.fragment().is_some()
        {
            return Err(NeonError::Address);
        }
        let project = Id::parse(&settings.project).ok_or(NeonError::MalformedId { what: "project" })?;
        let bearer = format!("Bearer {}", settings.api_key.expose().trim());
        let mut key = HeaderValue::try_from(bearer).map_err(|_| NeonError::MalformedKey)?;
        key.set_sensitive(true);
        Ok(Self {
            base,
            project,
            key,
            client: http::client(),
            observe: Arc::new(Quiet),
            patience: Patience::default(),
            polling: Polling::default(),
            next: Mutex::new(Instant::now()),
        })
    }

    /// Says what it waits for.
    pub fn observed(self, observe: Arc<dyn Observe>) -> Self {
        Self { observe, ..self }
    }

    pub fn project_id(&self) -> &Id {
        &self.project
    }

    fn notice(&self, message: String) {
        self.observe.event(Event::Notice { message });
    }

    pub async fn auth(&self) -> Result<wire::Auth, NeonError> {
        let text = self.send(Method::GET, &self.url(&["auth"], &[]), None::<&()>, "ask whose key it is").await?;
        read("whose key it is", &text)
    }

    pub async fn project(&self) -> Result<wire::Project, NeonError> {
        let url = self.below(&[], &[]);
        let text = self.send(Method::GET, &url, None::<&()>, "read the project").await?;
        Ok(read::<wire::ProjectAnswer>("reading the project", &text)?.project)
    }

    pub async fn branch(&self, id: &Id) -> Result<wire::BranchAnswer, NeonError> {
        let url = self.below(&["branches", id], &[]);
        let text = self.send(Method::GET, &url, None::<&()>, "read the branch").await?;
        read("reading the branch", &text)
    }

    /// The branch of the configuration, by its id or as the project's default; never by a name.
    pub async fn configured(&self, branch: &config::NeonBranch) -> Result<wire::Branch, NeonError> {
        match branch {
            config::NeonBranch::Id(id) => {
                let id = Id::parse(id).ok_or(NeonError::MalformedId { what: "branch" })?;
                // It is only after a second look that a branch which a person has named is not there.
                let looking = &mut Deadline::of(&self.polling);
                match self.branch(&id).await {
                    Err(error) if error.is_not_found() => looking.pause().await,
                    other => return Ok(other?.branch),
                }
                Ok(self.branch(&id).await?.branch)
            }
            config::NeonBranch::Default => {
                let all = self.branches(None).await?;
                let default = all.into_iter().map(|it| it.0).find(|it| it.default);
                default.ok_or_else(|| NeonError::NoDefault { project: self.project.to_string() })
            }
        }
    }

    /// All branches, or those whose name or id has `search` in it, with what was noted on them.
    pub async fn branches(&self, search: Option<&str>) -> Result<Vec<(wire::Branch, wire::Annotation)>, NeonError> {
        let mut found: Vec<(wire::Branch, wire::Annotation)> = Vec::new();
        let mut cursors: Vec<String> = Vec::new();
        for _ in 0..MOST_PAGES {
            let mut query = vec![("limit", PAGE), ("sort_by", "created_at"), ("sort_order", "desc")];
            query.extend(search.map(|it| ("search", it)));
            query.extend(cursors.last().map(|it| ("cursor", it.as_str())));
            let url = self.below(&["branches"], &query);
            let text = self.send(Method::GET, &url, None::<&()>, "list the branches").await?;
            let list: wire::BranchList = read("listing the branches", &text)?;
            let mut annotations = list.annotations.unwrap_or_default();
            let is_empty = list.branches.is_empty();
            for branch in list.branches {
                // What changes while pages are turned may be shown twice.
                if found.iter().all(|it| it.0.id != branch.id) {
                    let annotation = annotations.remove(&*branch.id).unwrap_or_default();
                    found.push((branch, annotation));
                }
            }
            match list.pagination.and_then(|it| it.next).filter(|it| !it.is_empty()) {
                Some(next) if !is_empty && !cursors.contains(&next) => cursors.push(next),
                Some(_) | None => return Ok(found),
            }
        }
        Err(NeonError::Answer { what: "listing the branches".to_owned(), reason: "the list has no end".to_owned() })
    }

    /// The one branch with exactly this name.
    pub async fn branch_named(&self, name: &str) -> Result<Option<(wire::Branch, wire::Annotation)>, NeonError> {
        Ok(self.branches(Some(name)).await?.into_iter().find(|it| it.0.name == name))
    }

    pub async fn branch_count(&self) -> Result<u64, NeonError> {
        let url = self.below(&["branches", "count"], &[]);
        let text = self.send(Method::GET, &url, None::<&()>, "count the branches").await?;
        Ok(read::<wire::Counted>("counting the branches", &text)?.count)
    }

    pub async fn create_branch(&self, body: &wire::CreateBranch) -> Result<wire::BranchAnswer, NeonError> {
        let what = format!("make branch `{}`", body.branch.name);
        let text = self.send(Method::POST, &self.below(&["branches"], &[]), Some(body), &what).await?;
        read_change(&what, &text)
    }

    /// The operations of it; none when the branch was gone already.
    pub async fn delete_branch(&self, id: &Id) -> Result<Vec<wire::Operation>, NeonError> {
        let url = self.below(&["branches", id], &[]);
        let text = self.send(Method::DELETE, &url, None::<&()>, "delete the branch").await?;
        begun("delete the branch", &text)
    }

    pub async fn restore_branch(
        &self,
        target: &Id,
        body: &wire::RestoreBranch,
    ) -> Result<wire::BranchAnswer, NeonError> {
        let what = format!("restore branch {target}");
        let url = self.below(&["branches", target, "restore"], &[]);
        let text = self.send(Method::POST, &url, Some(body), &what).await?;
        read_change(&what, &text)
    }

    pub async fn endpoints(&self, branch: &Id) -> Result<Vec<wire::Endpoint>, NeonError> {
        let url = self.below(&["branches", branch, "endpoints"], &[]);
        let text = self.send(Method::GET, &url, None::<&()>, "list the branch's computes").await?;
        Ok(read::<wire::EndpointList>("listing the branch's computes", &text)?.endpoints)
    }

    /// Of all branches.
    pub async fn all_endpoints(&self) -> Result<Vec<wire::Endpoint>, NeonError> {
        let text = self.send(Method::GET, &self.below(&["endpoints"], &[]), None::<&()>, "list the computes").await?;
        Ok(read::<wire::EndpointList>("listing the computes", &text)?.endpoints)
    }

    pub async fn create_endpoint(&self, body: &wire::CreateEndpoint) -> Result<wire::EndpointAnswer, NeonError> {
        let what = "start a compute";
        let text = self.send(Method::POST, &self.below(&["endpoints"], &[]), Some(body), what).await?;
        read_change(what, &text)
    }

    /// The operations of it; none when it was gone already.
    pub async fn delete_endpoint(&self, id: &Id) -> Result<Vec<wire::Operation>, NeonError> {
        let url = self.below(&["endpoints", id], &[]);
        let text = self.send(Method::DELETE, &url, None::<&()>, "delete the compute").await?;
        begun("delete the compute", &text)
    }

    /// How to connect to a branch directly. It holds a password, another one than the parent's perhaps.
    pub async fn connection_uri(&self, branch: &Id, database: &str, role: &str) -> Result<Secret, NeonError> {
        let query = [("branch_id", &**branch), ("database_name", database), ("role_name", role), ("pooled", "false")];
        let url = self.below(&["connection_uri"], &query);
        let text = self.send(Method::GET, &url, None::<&()>, "ask how to connect to the branch").await?;
        Ok(Secret::new(read::<wire::ConnectionUri>("asking how to connect to the branch", &text)?.uri))
    }

    /// The host of the branch's own compute, without a pooler.
    pub async fn direct_host(&self, branch: &Id) -> Result<Option<String>, NeonError> {
        let endpoints = self.endpoints(branch).await?;
        let writes = endpoints.into_iter().find(|it| it.kind == "read_write" && !it.host.is_empty());
        Ok(writes.map(|it| it.host))
    }

    pub async fn operation(&self, id: &Id) -> Result<wire::Operation, NeonError> {
        let url = self.below(&["operations", id], &[]);
        let text = self.send(Method::GET, &url, None::<&()>, "look at the operation").await?;
        Ok(read::<wire::OperationAnswer>("looking at the operation", &text)?.operation)
    }

    async fn recent_operations(&self) -> Result<Vec<wire::Operation>, NeonError> {
        let url = self.below(&["operations"], &[("limit", "100")]);
        let text = self.send(Method::GET, &url, None::<&()>, "list the operations").await?;
        Ok(read::<wire::OperationList>("listing the operations", &text)?.operations)
    }

    /// Below the project.
    fn below(&self, path: &[&str], query: &[(&str, &str)]) -> Url {
        let path: Vec<&str> = ["projects", &self.project].into_iter().chain(path.iter().copied()).collect();
        self.url(&path, query)
    }

    fn url(&self, path: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.base.clone();
        url.path_segments_mut().expect("checked when it was opened").extend(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    /// The answer's text. `what` completes "we wanted to …".
    async fn send(
        &self,
        method: Method,
        url: &Url,
        body: Option<&impl Serialize>,
        what: &str,
    ) -> Result<String, NeonError> {
        let kind = if method == Method::GET { Kind::Read } else { Kind::Change };
        let attempt = async || {
            self.pace().await;
            let request = self
                .client
                .request(method.clone(), url.clone())
                .header("authorization", self.key.clone())
                .header("accept", "application/json")
                .header("x-request-id", Uuid::new_v4().to_string());
            let request = match body {
                Some(body) => request.json(body),
                None => request,
            };
            let response = http::sent(request, REQUEST_TIMEOUT, Timestamp::now(), said).await?;
            // An answer that breaks off in the middle is a lost answer.
            response.text().await.map_err(|error| match http::unanswered_within(&error, REQUEST_TIMEOUT) {
                Failure::Unreachable { reason } => Failure::Broken { reason },
                other => other,
            })
        };
        let mut told = false;
        let tell = |failure: &Failure, pause: Duration| {
            if !told && pause > Duration::from_millis(200) {
                told = true;
                self.notice(format!("Neon: to {what} must wait: {failure}"));
            }
        };
        let answer = http::persist(&self.patience, attempt, |it| advice(it, kind), tell).await;
        answer.map_err(|failure| explained(failure, kind, what.to_owned()))
    }

    /// Keeps requests apart, so that the service never has to.
    async fn pace(&self) {
        let at = {
            let mut next = self.next.lock().expect("nothing panics while it is held");
            let at = (*next).max(Instant::now());
            *next = at + SPACING;
            at
        };
        time::sleep_until(at.into()).await;
    }
}

/// The table of [`http::advice`], and the one refusal of Neon's that goes away by itself.
fn advice(failure: &Failure, kind: Kind) -> Advice {
    let repeat = match kind {
        Kind::Read => Repeat::Harmless,
        Kind::Change => Repeat::Doubtful,
    };
    match failure {
        Failure::Status { status: 422, body, .. } if body.contains("not ready yet") => Advice::Retry,
        _ => http::advice(failure, repeat),
    }
}

/// Errors are told apart by their status first: the `code` is often empty.
fn explained(failure: Failure, kind: Kind, what: String) -> NeonError {
    match (advice(&failure, kind), &failure) {
        (Advice::Reconcile, _) => NeonError::Unclear { what, failure },
        (_, Failure::Status { status, body, .. }) => match status {
            401 | 403 => NeonError::Denied { what, failure },
            404 => NeonError::NotFound { what, failure },
            423 | 425 | 429 | 503 => NeonError::Busy { what, failure },
            500.. | 408 => NeonError::Unanswered { what, failure },
            422 if body.contains("not ready yet") => NeonError::Busy { what, failure },
            _ if is_quota(body) => NeonError::Quota { what, failure },
            _ => NeonError::Refused { what, failure },
        },
        (_, Failure::Unreachable { .. } | Failure::Timeout { .. } | Failure::Broken { .. }) => {
            NeonError::Unanswered { what, failure }
        }
    }
}

fn is_quota(body: &str) -> bool {
    body.contains("limit exceeded") || body.contains("LIMIT_EXCEEDED") || body.contains("maximum number of")
}

/// An error's body in one short line: `message (CODE; request …)`; what is no JSON of Neon's, as it is, without markup.
fn said(body: &str) -> String {
    #[derive(serde::Deserialize)]
    struct Body {
        message: Option<String>,
        code: Option<String>,
        request_id: Option<String>,
    }
    let Ok(Body { message: Some(message), code, request_id }) = serde_json::from_str(body) else {
        return http::readable(body);
    };
    let code = code.filter(|it| !it.is_empty());
    let request = request_id.filter(|it| !it.is_empty()).map(|it| format!("request {it}"));
    let more = code.into_iter().chain(request).collect::<Vec<_>>().join("; ");
    let more = if more.is_empty() { more } else { http::readable(&format!(" ({more})")) };
    format!("{} {more}", http::readable(&message)).trim_end().to_owned()
}

fn read<T: DeserializeOwned>(what: &str, text: &str) -> Result<T, NeonError> {
    // The cause may quote the answer, in which there may be a password.
    let reason = |error: serde_json::Error| secret::scrub(&format!("line {}, column {}", error.line(), error.column()));
    serde_json::from_str(text).map_err(|error| NeonError::Answer { what: what.to_owned(), reason: reason(error) })
}

/// What was asked for has been done; when its answer cannot be read, it has to be looked for.
fn read_change<T: DeserializeOwned>(what: &str, text: &str) -> Result<T, NeonError> {
    read(what, text).map_err(|error| NeonError::Unclear {
        what: what.to_owned(),
        failure: Failure::Broken { reason: error.to_string() },
    })
}

/// What is under way after a deletion; an empty answer means that nothing had to be done.
fn begun(what: &str, text: &str) -> Result<Vec<wire::Operation>, NeonError> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    Ok(read::<wire::Begun>(what, text)?.operations.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(api_url: &str, project: &str, key: &str) -> config::Neon {
        config::Neon {
            project: project.to_owned(),
            branch: config::NeonBranch::Default,
            api_key: Secret::new(key),
            api_url: api_url.to_owned(),
        }
    }

    #[test]
    fn what_the_configuration_may_not_say_is_refused_without_showing_the_key() {
        for (api_url, project, key, expected) in [
            ("https://console.neon.tech/api/v2", "calm-river-1", "hunter2", ""),
            ("https://console.neon.tech/api/v2/", "calm-river-1", " hunter2\n", ""),
            ("http://127.0.0.1:1/api/v2", "calm-river-1", "hunter2", ""),
            ("http://console.neon.tech/api/v2", "calm-river-1", "hunter2", "neon::address"),
            ("ftp://console.neon.tech", "calm-river-1", "hunter2", "neon::address"),
            ("console.neon.tech", "calm-river-1", "hunter2", "neon::address"),
            ("https://console.neon.tech/api/v2", "", "hunter2", "neon::malformed_id"),
            ("https://console.neon.tech/api/v2", "../x", "hunter2", "neon::malformed_id"),
            ("https://console.neon.tech/api/v2", "calm-river-1", "hunter2\nx", "neon::malformed_key"),
        ] {
            let opened = Neon::open(&settings(api_url, project, key));
            let code = opened.as_ref().err().and_then(miette::Diagnostic::code).map(|it| it.to_string());
            assert_eq!(code.unwrap_or_default(), expected, "{api_url} {project}");
            assert!(!format!("{opened:?}").contains("hunter2"));
        }
    }

    #[test]
    fn paths_and_queries_hold_what_was_meant() {
        let neon = Neon::open(&settings("https://console.neon.tech/api/v2", "calm-river-1", "k")).unwrap();
        let url = neon.below(&["branches"], &[("search", "liftlock/a b#c&d")]);
        assert_eq!(
            url.as_str(),
            "https://console.neon.tech/api/v2/projects/calm-river-1/branches?search=liftlock%2Fa+b%23c%26d"
        );
    }

    #[test]
    fn an_error_is_told_by_its_message_whatever_form_its_body_has() {
        for (body, expected) in [
            (
                r#"{"request_id":"r1","code":"BRANCHES_LIMIT_EXCEEDED","message":"branches limit exceeded"}"#,
                "branches limit exceeded (BRANCHES_LIMIT_EXCEEDED; request r1)",
            ),
            (r#"{"code":"","message":"branch not found"}"#, "branch not found"),
            (r#"{"message":"see postgres://me:hunter2@h/db"}"#, "see postgres://***@h/db"),
            (r#"{"error":"x"}"#, r#"{"error":"x"}"#),
            ("<html><title>524</title>A timeout occurred</html>", "524 A timeout occurred"),
            ("", ""),
        ] {
            assert_eq!(said(body), expected, "{body}");
        }
    }

    #[test]
    fn every_failure_is_explained_by_what_to_do() {
        let status = |status: u16, body: &str| Failure::Status { status, retry_after: None, body: body.to_owned() };
        let lost = || Failure::Broken { reason: "reset".to_owned() };
        for (failure, read, change) in [
            (status(301, ""), "neon::refused", "neon::refused"),
            (status(400, "settings must not be nil"), "neon::refused", "neon::refused"),
            (status(401, ""), "neon::denied", "neon::denied"),
            (status(403, ""), "neon::denied", "neon::denied"),
            (status(404, "branch not found"), "neon::not_found", "neon::not_found"),
            (status(409, "branch already exists"), "neon::refused", "neon::refused"),
            (status(422, "branches limit exceeded"), "neon::quota", "neon::quota"),
            (status(422, "maximum number of protected branches"), "neon::quota", "neon::quota"),
            (status(422, "branch not ready yet"), "neon::busy", "neon::busy"),
            (status(422, "expires_at is not allowed"), "neon::refused", "neon::refused"),
            (status(423, "project already has running conflicting operations"), "neon::busy", "neon::busy"),
            (status(429, ""), "neon::busy", "neon::busy"),
            (status(503, ""), "neon::busy", "neon::busy"),
            (status(500, ""), "neon::unanswered", "neon::unclear"),
            (status(502, ""), "neon::unanswered", "neon::unclear"),
            (status(504, ""), "neon::unanswered", "neon::unclear"),
            (status(524, "A timeout occurred"), "neon::unanswered", "neon::unclear"),
            (lost(), "neon::unanswered", "neon::unclear"),
            (Failure::Unreachable { reason: "refused".to_owned() }, "neon::unanswered", "neon::unanswered"),
        ] {
            for (kind, expected) in [(Kind::Read, read), (Kind::Change, change)] {
                let error = explained(failure.clone(), kind, "try".to_owned());
                let code = miette::Diagnostic::code(&error).map(|it| it.to_string());
                assert_eq!(code.as_deref(), Some(expected), "{failure}");
            }
        }
    }
}
