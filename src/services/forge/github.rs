//! GitHub by its REST API. octocrab carries the requests on the one HTTP client of the program; it is built without
//! its retries, which would send a POST again on any 5xx. The types are our own, because octocrab's lack what the
//! gate must know (attempt, actors, approvals, environments).
//!
//! Rate limits: <https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api>.

use std::{fmt, time::Duration};

use camino::Utf8PathBuf;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;
use octocrab::Octocrab;
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue};
use serde::de::DeserializeOwned;
use serde_json::json;
use url::Url;

use super::{
    Account, Approval, Comment, Comments, Environment, Forge, ForgeError, Lineage, Review, Run,
    answers::{
        ApprovalAnswer, CommentAnswer, EnvironmentAnswer, PermissionAnswer, ReviewAnswer, RunAnswer, UserAnswer,
    },
    lineage,
};
use crate::{
    secret::{self, Secret},
    services::http::{self, Advice, Failure, Repeat},
};

const JSON: &str = "application/vnd.github+json";
const RAW: &str = "application/vnd.github.raw+json";

/// How often a request is sent when GitHub has trouble.
const ATTEMPTS: u32 = 4;
/// The first pause between them; each next one is twice as long.
const PAUSE: Duration = Duration::from_millis(300);
/// GitHub's word for a refusal without headers that is a limit all the same: wait at least a minute.
const SECONDARY_PAUSE: Duration = Duration::from_secs(60);
/// Requests under way at once: GitHub's secondary limit is a hundred, for everybody with this token.
pub(super) const AT_ONCE: usize = 6;
/// Pages of one list; a hundred entries each.
const PAGES: usize = 200;

pub(super) const ACTIONS: &str = "actions: read";
pub(super) const CONTENTS: &str = "contents: read";
pub(super) const PULLS: &str = "pull-requests: read";
const COMMENTS: &str = "pull-requests: write";
const METADATA: &str = "metadata: read";

/// One repository on GitHub.
pub struct GitHub {
    json: Octocrab,
    /// The same, asking for files as they are: octocrab has one `Accept` per client.
    raw: Octocrab,
    /// `/repos/owner/name`.
    base: String,
    origin: Url,
    /// Blanked in whatever the other side says.
    token: Secret,
    /// How long all waiting for rate limits may take together, per request.
    pub patience: Duration,
}

impl fmt::Debug for GitHub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("GitHub").field(&self.base).finish()
    }
}

/// What a request is about, for messages.
#[derive(Debug, Clone, Copy)]
pub(super) struct About<'a> {
    /// `read the approvals of run 5`.
    pub action: &'a str,
    /// The permission that it takes.
    pub scope: &'static str,
}

/// A request.
#[derive(Debug, Clone)]
enum Ask {
    Get,
    /// A file as it is.
    Raw,
    Post(serde_json::Value),
    Patch(serde_json::Value),
}

struct Answer {
    text: String,
    /// The next page, below the API's root.
    next: Option<String>,
}

impl GitHub {
    /// The repository `owner/name`, with `GITHUB_TOKEN` (or `GH_TOKEN`), at `GITHUB_API_URL` or github.com.
    pub fn open(repository: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, ForgeError> {
        let set = |name: &str| variable(name).filter(|it| !it.trim().is_empty());
        let token = set("GITHUB_TOKEN").or_else(|| set("GH_TOKEN")).ok_or(ForgeError::NoToken)?;
        let url = set("GITHUB_API_URL").unwrap_or_else(|| "https://api.github.com".to_owned());
        Self::at(&url, repository, &Secret::new(token.trim()))
    }

    /// The repository `owner/name` at the API with this URL.
    pub fn at(api: &str, repository: &str, token: &Secret) -> Result<Self, ForgeError> {
        let wrong = |name, reason: &str| ForgeError::Setting { name, reason: reason.to_owned() };
        let origin = Url::parse(api).map_err(|error| wrong("GITHUB_API_URL", &error.to_string()))?;
        if origin.scheme() != "https" && !(origin.scheme() == "http" && http::is_loopback(&origin)) {
            return Err(wrong("GITHUB_API_URL", "it must be https, or http to this machine"));
        }
        let parts: Vec<&str> = repository.split('/').collect();
        let [owner, name] = parts.as_slice() else {
            return Err(wrong("GITHUB_REPOSITORY", "it must be `owner/name`"));
        };
        if [owner, name].iter().any(|it| it.is_empty() || **it == "." || **it == "..") {
            return Err(wrong("GITHUB_REPOSITORY", "it must be `owner/name`"));
        }
        if HeaderValue::from_str(token.expose()).is_err() {
            return Err(wrong("GITHUB_TOKEN", "it has characters that no token has"));
        }
        let base = path(&["repos", owner, name], &[]);
        let accepting = |media: &str| {
            Octocrab::builder()
                .base_uri(api.trim_end_matches('/'))
                .map_err(|_| wrong("GITHUB_API_URL", "it is not a URI"))?
                .personal_token(token.expose())
                .add_header(ACCEPT, media.to_owned())
                .build_with_reqwest(http::client())
                .map_err(|_| wrong("GITHUB_TOKEN", "it cannot be sent"))
        };
        let (json, raw) = (accepting(JSON)?, accepting(RAW)?);
        Ok(Self { json, raw, base, origin, token: token.clone(), patience: Duration::from_secs(90) })
    }

    /// Below the repository: `["actions", "runs", "5"]`.
    pub(super) fn below(&self, segments: &[&str], query: &[(&str, &str)]) -> String {
        format!("{}{}", self.base, path(segments, query))
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str, about: About<'_>) -> Result<T, ForgeError> {
        let answer = self.send(path, &Ask::Get, about).await?;
        parsed(&answer.text, about)
    }

    /// A file's text, whatever its size.
    pub(super) async fn raw(&self, path: &str, about: About<'_>) -> Result<Option<String>, ForgeError> {
        found(self.send(path, &Ask::Raw, about).await.map(|it| it.text))
    }

    /// All pages.
    pub(super) async fn all<T: DeserializeOwned>(&self, path: &str, about: About<'_>) -> Result<Vec<T>, ForgeError> {
        let mut found = Vec::new();
        let mut next = Some(path.to_owned());
        for _ in 0..PAGES {
            let Some(page) = next else { return Ok(found) };
            let answer = self.send(&page, &Ask::Get, about).await?;
            found.extend(parsed::<Vec<T>>(&answer.text, about)?);
            next = answer.next;
        }
        match next {
            None => Ok(found),
            Some(_) => Err(malformed(about, format!("more than {PAGES} pages"))),
        }
    }

    /// Sends it until there is an answer, within the limits that the retry table and GitHub's headers set.
    async fn send(&self, path: &str, ask: &Ask, about: About<'_>) -> Result<Answer, ForgeError> {
        let repeat = match ask {
            // An edit says how the comment shall read: twice is once.
            Ask::Get | Ask::Raw | Ask::Patch(_) => Repeat::Harmless,
            Ask::Post(_) => Repeat::Doubtful,
        };
        let (mut waited, mut pause, mut attempt) = (Duration::ZERO, PAUSE, 1);
        loop {
            let refusal = match self.once(path, ask, about).await {
                Ok(answer) => return Ok(answer),
                Err(refusal) => refusal,
            };
            let wait = match refusal {
                Refusal::Final(error) => return Err(error),
                Refusal::Limit(wait) if waited + wait > self.patience => {
                    return Err(ForgeError::RateLimited { action: about.action.to_owned(), seconds: wait.as_secs() });
                }
                Refusal::Limit(wait) => wait,
                Refusal::Failed(failure) => {
                    if attempt == ATTEMPTS || http::advice(&failure, repeat) != Advice::Retry {
                        return Err(ForgeError::Failed { action: about.action.to_owned(), failure, repeat });
                    }
                    attempt += 1;
                    pause *= 2;
                    // Jitter: a matrix of jobs does not come back in step.
                    let jittered = pause / 2 + pause.mul_f64(rand::random::<f64>() / 2.0);
                    failure.retry_after().unwrap_or(jittered).min(self.patience)
                }
            };
            waited += wait;
            tokio::time::sleep(wait).await;
        }
    }

    async fn once(&self, path: &str, ask: &Ask, about: About<'_>) -> Result<Answer, Refusal> {
        let sent = match ask {
            Ask::Get => self.json._get(path).await,
            Ask::Raw => self.raw._get(path).await,
            Ask::Post(body) => self.json._post(path, Some(body)).await,
            Ask::Patch(body) => self.json._patch(path, Some(body)).await,
        };
        let response = sent.map_err(|error| Refusal::Failed(unanswered(&error)))?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let text = self.json.body_to_string(response).await;
        match status {
            200..=299 => {
                let text = text.map_err(|error| Refusal::Failed(unanswered(&error)))?;
                let next = next_page(&headers, &self.origin).map_err(|it| Refusal::Final(malformed(about, it)))?;
                Ok(Answer { text, next })
            }
            _ => {
                let text = text.unwrap_or_default().replace(self.token.expose(), "***");
                Err(refusal(status, &headers, &text, about))
            }
        }
    }
}

/// Why there is no answer.
enum Refusal {
    Final(ForgeError),
    /// Wait so long, then send it again: nothing was done.
    Limit(Duration),
    Failed(Failure),
}

/// A 403 is a limit or a missing permission; only its headers and words tell which.
fn refusal(status: u16, headers: &HeaderMap, body: &str, about: About<'_>) -> Refusal {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let now = Timestamp::now();
    let action = about.action.to_owned();
    match status {
        403 | 429 => {
            if let Some(wait) = header("retry-after").and_then(|value| http::retry_after(value, now)) {
                return Refusal::Limit(wait);
            }
            if header("x-ratelimit-remaining") == Some("0") {
                let reset = header("x-ratelimit-reset").and_then(|it| it.parse::<i64>().ok());
                let seconds = reset.map_or(60, |it| (it - now.as_second()).max(0) + 1);
                return Refusal::Limit(Duration::from_secs(seconds.unsigned_abs()));
            }
            if status == 429 || body.contains("secondary rate limit") {
                return Refusal::Limit(SECONDARY_PAUSE);
            }
            let needed = header("x-accepted-github-permissions").map(secret::scrub);
            Refusal::Final(ForgeError::Permission { action, needed, scope: about.scope })
        }
        401 => Refusal::Final(ForgeError::Token),
        404 | 410 => Refusal::Final(ForgeError::NotFound { action, scope: about.scope }),
        _ => {
            let retry_after = header("retry-after").and_then(|value| http::retry_after(value, now));
            Refusal::Failed(Failure::Status { status, retry_after, body: http::readable(&message(body)) })
        }
    }
}

/// What an error's body says, when it is GitHub's.
fn message(body: &str) -> String {
    let said = serde_json::from_str::<serde_json::Value>(body).ok();
    said.and_then(|it| it["message"].as_str().map(str::to_owned)).unwrap_or_else(|| body.to_owned())
}

/// octocrab's own text repeats what was sent; only what the HTTP client says is shown.
fn unanswered(error: &octocrab::Error) -> Failure {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(inner) = cause {
        if let Some(error) = inner.downcast_ref::<reqwest::Error>() {
            return http::unanswered(error);
        }
        cause = inner.source();
    }
    Failure::Broken { reason: "the request could not be sent".to_owned() }
}

/// `Link: <https://…?page=2>; rel="next"`, as a path: <https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api>.
/// Another host than the API's would get the token, so it is refused.
fn next_page(headers: &HeaderMap, origin: &Url) -> Result<Option<String>, String> {
    let Some(link) = headers.get("link").and_then(|value| value.to_str().ok()) else { return Ok(None) };
    let Some(next) = link.split(',').find(|it| it.contains("rel=\"next\"")) else { return Ok(None) };
    let target = next.split_once('<').and_then(|it| it.1.split_once('>')).map(|it| it.0);
    let target = target.ok_or("a link without a target")?;
    let url = origin.join(target).map_err(|error| error.to_string())?;
    if url.origin() != origin.origin() {
        return Err("the next page lies on another host".to_owned());
    }
    let query = url.query().map(|it| format!("?{it}")).unwrap_or_default();
    Ok(Some(format!("{}{query}", url.path())))
}

/// A path of segments, each encoded.
fn path(segments: &[&str], query: &[(&str, &str)]) -> String {
    let mut url = Url::parse("https://github.invalid").expect("it is well formed");
    url.path_segments_mut().expect("https has a path").clear().extend(segments);
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    let query = url.query().map(|it| format!("?{it}")).unwrap_or_default();
    format!("{}{query}", url.path().trim_end_matches('/'))
}

fn parsed<T: DeserializeOwned>(text: &str, about: About<'_>) -> Result<T, ForgeError> {
    // serde's words may quote values; the place and kind of the mistake are enough.
    serde_json::from_str(text).map_err(|error| {
        let kind = match error.classify() {
            serde_json::error::Category::Data => "a field is missing or has another type",
            serde_json::error::Category::Eof => "it breaks off",
            serde_json::error::Category::Io | serde_json::error::Category::Syntax => "it is not JSON",
        };
        malformed(about, format!("{kind}, in line {} column {}", error.line(), error.column()))
    })
}

fn malformed(about: About<'_>, reason: String) -> ForgeError {
    ForgeError::Malformed { action: about.action.to_owned(), reason }
}

/// What is not there is an answer, where that was the question.
pub(super) fn found<T>(result: Result<T, ForgeError>) -> Result<Option<T>, ForgeError> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(ForgeError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

impl Forge for GitHub {
    async fn run(&self, run: u64) -> Result<Run, ForgeError> {
        let action = format!("read run {run}");
        let about = About { action: &action, scope: ACTIONS };
        let path = self.below(&["actions", "runs", &run.to_string()], &[]);
        let found: Run = self.get::<RunAnswer>(&path, about).await?.into();
        let earlier = stream::iter(1..found.attempt.unwrap_or(1)).map(|attempt| self.starter(run, attempt));
        let earlier = earlier.buffered(AT_ONCE).try_collect().await?;
        Ok(Run { earlier, ..found })
    }

    async fn environment(&self, name: &str) -> Result<Option<Environment>, ForgeError> {
        let action = format!("read environment `{name}`");
        let about = About { action: &action, scope: ACTIONS };
        let path = self.below(&["environments", name], &[]);
        Ok(found(self.get::<EnvironmentAnswer>(&path, about).await)?.map(Environment::from))
    }

    async fn approvals(&self, run: u64) -> Result<Vec<Approval>, ForgeError> {
        let action = format!("read the approvals of run {run}");
        let about = About { action: &action, scope: ACTIONS };
        let path = self.below(&["actions", "runs", &run.to_string(), "approvals"], &[]);
        Ok(self.all::<ApprovalAnswer>(&path, about).await?.into_iter().map(Approval::from).collect())
    }

    async fn lineage(&self, commit: &str, head: &str, files: &[Utf8PathBuf]) -> Result<Lineage, ForgeError> {
        lineage::read(self, commit, head, files).await
    }

    async fn reviews(&self, pull: u64) -> Result<Vec<Review>, ForgeError> {
        let action = format!("read the reviews of pull request {pull}");
        let about = About { action: &action, scope: PULLS };
        let path = self.below(&["pulls", &pull.to_string(), "reviews"], &[("per_page", "100")]);
        let mut reviews: Vec<Review> =
            self.all::<ReviewAnswer>(&path, about).await?.into_iter().map(Review::from).collect();
        let mut asked: Vec<(Account, Option<String>)> = Vec::new();
        for review in reviews.iter_mut().filter(|it| it.state != "COMMENTED") {
            review.permission = match asked.iter().find(|it| it.0 == review.user) {
                Some(known) => known.1.clone(),
                None => {
                    let permission = self.permission(&review.user.login).await?;
                    asked.push((review.user.clone(), permission.clone()));
                    permission
                }
            };
        }
        Ok(reviews)
    }
}

impl GitHub {
    /// Who started an attempt: <https://docs.github.com/en/rest/actions/workflow-runs#get-a-workflow-run-attempt>.
    async fn starter(&self, run: u64, attempt: u64) -> Result<Option<Account>, ForgeError> {
        let action = format!("read attempt {attempt} of run {run}");
        let about = About { action: &action, scope: ACTIONS };
        let path = self.below(&["actions", "runs", &run.to_string(), "attempts", &attempt.to_string()], &[]);
        Ok(Run::from(self.get::<RunAnswer>(&path, about).await?).triggering_actor)
    }

    /// What somebody may do in the repository; `None` for a stranger.
    async fn permission(&self, login: &str) -> Result<Option<String>, ForgeError> {
        let action = format!("read what {login} may do");
        let about = About { action: &action, scope: METADATA };
        let path = self.below(&["collaborators", login, "permission"], &[]);
        let answer = found(self.get::<PermissionAnswer>(&path, about).await)?;
        Ok(answer.and_then(|it| it.role_name.or(it.permission)))
    }

    async fn write(&self, path: &str, ask: Ask, action: &str) -> Result<Comment, ForgeError> {
        let about = About { action, scope: COMMENTS };
        let answer = self.send(path, &ask, about).await?;
        Ok(parsed::<CommentAnswer>(&answer.text, about)?.into())
    }
}

impl Comments for GitHub {
    async fn author(&self) -> Result<Option<Account>, ForgeError> {
        let about = About { action: "read whose token it is", scope: METADATA };
        match self.get::<UserAnswer>("/user", about).await {
            Ok(user) => Ok(Some(user.into())),
            Err(ForgeError::Permission { .. } | ForgeError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn list(&self, number: u64) -> Result<Vec<Comment>, ForgeError> {
        let action = format!("read the comments on #{number}");
        let about = About { action: &action, scope: COMMENTS };
        let path = self.below(&["issues", &number.to_string(), "comments"], &[("per_page", "100")]);
        Ok(self.all::<CommentAnswer>(&path, about).await?.into_iter().map(Comment::from).collect())
    }

    async fn create(&self, number: u64, body: &str) -> Result<Comment, ForgeError> {
        let path = self.below(&["issues", &number.to_string(), "comments"], &[]);
        self.write(&path, Ask::Post(json!({ "body": body })), &format!("write a comment on #{number}")).await
    }

    async fn edit(&self, id: u64, body: &str) -> Result<Comment, ForgeError> {
        let path = self.below(&["issues", "comments", &id.to_string()], &[]);
        self.write(&path, Ask::Patch(json!({ "body": body })), &format!("edit comment {id}")).await
    }
}
