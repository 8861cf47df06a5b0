//! From bytes to calls and back: who may ask, what is asked for, what goes wrong on the way, and the log of it all.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    extract::State as Shared,
    http::{HeaderMap, Method, Response, StatusCode, Uri, header},
};
use futures_util::{StreamExt, stream};
use jiff::{SignedDuration, fmt::rfc2822};
use serde_json::{Value, json};
use tokio::time;
use uuid::Uuid;

use super::{
    clusters::Clusters,
    faults::{Access, Answer, Call, Done, How, Look, Pages, RetryAfter, Verdict},
    operations::{self, Job},
    routes,
    state::{Request, State},
};

/// Where all paths begin.
pub const PREFIX: &str = "/api/v2";

/// Everything behind the server.
pub struct Inner {
    pub state: Mutex<State>,
    pub clusters: Clusters,
    pub key: String,
}

impl Inner {
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

/// A status and a body; none with 204.
pub type Answered = Result<(u16, Option<Value>), Refusal>;

/// Query parameters.
pub type Query = BTreeMap<String, String>;

/// How a mutation answers.
pub enum Reply {
    Now(u16, Option<Value>),
    /// When its operations have begun.
    Later(Started),
}

/// Makes an answer of the state and of the operations that were begun.
pub type Shown = Box<dyn FnOnce(&State, Vec<Value>) -> (u16, Option<Value>) + Send>;

/// What a mutation has set going.
pub struct Started {
    pub ids: Vec<Uuid>,
    pub jobs: Vec<(Uuid, Job)>,
    /// The answer shows what the work has found out.
    pub waits: bool,
    pub answer: Shown,
}

/// An answer that is no. [S: `code` and `message` are required; F: `code` is often empty]
#[derive(Debug, Clone)]
pub struct Refusal {
    pub status: u16,
    pub code: &'static str,
    pub message: String,
}

impl Refusal {
    pub fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, code: "", message: message.into() }
    }

    pub fn coded(self, code: &'static str) -> Self {
        Self { code, ..self }
    }
}

pub fn not_found(what: &str) -> Refusal {
    Refusal::new(404, format!("{what} not found"))
}

/// A request, taken apart.
pub struct Received {
    pub method: Method,
    /// `["projects", "p", "branches"]`.
    pub segments: Vec<String>,
    pub query: Query,
    pub body: Option<Value>,
}

impl Received {
    pub fn segments(&self) -> Vec<&str> {
        self.segments.iter().map(String::as_str).collect()
    }

    fn is(&self, call: Call) -> bool {
        let reads = self.method == Method::GET;
        match call {
            Call::Any => true,
            Call::AnyRead => reads,
            Call::AnyMutation => !reads,
            call => routes::call(self) == Some(call),
        }
    }
}

pub async fn receive(
    Shared(inner): Shared<Arc<Inner>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response<Body> {
    let header = |name: &str| headers.get(name).and_then(|it| it.to_str().ok()).unwrap_or_default().to_owned();
    let path = uri.path().strip_prefix(PREFIX).unwrap_or_default().to_owned();
    let body: Result<Option<Value>, _> =
        if bytes.is_empty() { Ok(None) } else { serde_json::from_slice(&bytes).map(Some) };
    let at = note(&inner, &method, &path, &uri, body.as_ref().ok().cloned().flatten(), header("user-agent"));
    let authorized = header("authorization") == format!("Bearer {}", inner.key);
    let call = Received {
        segments: path.split('/').skip(1).map(str::to_owned).collect(),
        query: url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect(),
        body: body.as_ref().ok().cloned().flatten(),
        method,
    };
    let id = Some(header("x-request-id")).filter(|it| !it.is_empty()).unwrap_or_else(|| Uuid::new_v4().to_string());
    let fault = take_fault(&inner, &call);
    let response = if uri.path().contains("//") {
        // [F] An id that was left out leads somewhere else, not to an error.
        let whole = uri.path().replace("//", "/");
        Some(Response::builder().status(308).header(header::LOCATION, whole).body(Body::empty()).unwrap())
    } else if !authorized {
        Some(spoken(&inner, &id, Err(Refusal::new(401, "authentication required")), RetryAfter::Absent))
    } else if let Err(error) = body {
        Some(spoken(&inner, &id, Err(Refusal::new(400, format!("malformed body: {error}"))), RetryAfter::Absent))
    } else {
        answer(&inner, &id, call, fault).await
    };
    inner.state().requests[at].status = response.as_ref().map(|it| it.status().as_u16());
    // Without the panic hook: ends this connection's task, as a dying proxy would.
    response.unwrap_or_else(|| std::panic::resume_unwind(Box::new("hanging up, as the test wants it")))
}

fn note(inner: &Inner, method: &Method, path: &str, uri: &Uri, body: Option<Value>, user_agent: String) -> usize {
    let mut state = inner.state();
    state.requests.push(Request {
        method: method.to_string(),
        path: path.to_owned(),
        query: uri.query().unwrap_or_default().to_owned(),
        body,
        user_agent,
        status: None,
    });
    state.requests.len() - 1
}

/// The first fault that this request runs into.
fn take_fault(inner: &Inner, call: &Received) -> Option<How> {
    let mut state = inner.state();
    for at in 0..state.faults.len() {
        let fault = &mut state.faults[at];
        if !call.is(fault.on) {
            continue;
        }
        if fault.after > 0 {
            fault.after -= 1;
            continue;
        }
        fault.times -= 1;
        let how = fault.how.clone();
        if fault.times == 0 {
            state.faults.remove(at);
        }
        return Some(how);
    }
    None
}

async fn answer(inner: &Arc<Inner>, id: &str, call: Received, fault: Option<How>) -> Option<Response<Body>> {
    let look = match fault {
        None => None,
        Some(How::Refuse(Answer { status, message, retry_after })) => {
            return Some(spoken(inner, id, Err(Refusal::new(status, message)), retry_after));
        }
        Some(How::Lose(Done::No, look)) => return lost(look),
        Some(How::Lose(Done::Yes, look)) => Some(look),
    };
    // In a task of its own: what has begun goes on when the client is killed.
    let acting = Arc::clone(inner);
    let answered = tokio::spawn(async move { act(&acting, &call).await }).await;
    let answered = answered.unwrap_or_else(|_| Err(Refusal::new(500, "the fake itself failed; see stderr")));
    match look {
        Some(look) => lost(look),
        None => Some(spoken(inner, id, answered, RetryAfter::Absent)),
    }
}

async fn act(inner: &Arc<Inner>, call: &Received) -> Answered {
    let started = {
        let mut state = inner.state();
        state.settle();
        let reads = call.method == Method::GET;
        match state.switches.access {
            Access::Hidden => return Err(not_found("project")),
            Access::Forbidden => return Err(Refusal::new(403, "access denied")),
            Access::ReadOnly if !reads => return Err(Refusal::new(403, "permission denied")),
            Access::Full | Access::ReadOnly => {}
        }
        if reads {
            return routes::read(inner, &state, call);
        }
        match routes::start(&mut state, call)? {
            Reply::Later(started) => started,
            Reply::Now(status, body) => return Ok((status, body)),
        }
    };
    let working = operations::perform(inner, started.jobs);
    if started.waits {
        let _ = working.await;
    }
    let state = inner.state();
    let shown = match state.switches.operations_named {
        Verdict::Allowed => state.operations_shown(&started.ids),
        Verdict::Refused => Vec::new(),
    };
    Ok((started.answer)(&state, shown))
}

fn spoken(inner: &Inner, id: &str, answered: Answered, retry_after: RetryAfter) -> Response<Body> {
    let now = inner.state().now();
    let (status, body) = match answered {
        Ok(answer) => answer,
        Err(Refusal { status, code, message }) => {
            let code = inner.state().code(code);
            (status, Some(json!({ "request_id": id, "code": code, "message": message })))
        }
    };
    let mut response = Response::builder().status(status).header("x-request-id", id);
    let after = match retry_after {
        RetryAfter::Absent => None,
        RetryAfter::Seconds(seconds) => Some(seconds.to_string()),
        RetryAfter::Text(text) => Some(text.to_owned()),
        RetryAfter::Date(seconds) => {
            let at = now + SignedDuration::from_secs(i64::try_from(seconds).unwrap());
            Some(rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&at).unwrap())
        }
    };
    if let Some(after) = after {
        response = response.header(header::RETRY_AFTER, after);
    }
    match body {
        None => response.body(Body::empty()).unwrap(),
        Some(body) => {
            response.header(header::CONTENT_TYPE, "application/json").body(Body::from(body.to_string())).unwrap()
        }
    }
}

fn lost(look: Look) -> Option<Response<Body>> {
    let page = "<!DOCTYPE html>\n<html><head><title>console.example | 524: A timeout occurred</title></head>\
                <body><h1>Error 524</h1></body></html>";
    let plain = |status: u16, kind: &'static str, body: &'static str| {
        Response::builder().status(status).header(header::CONTENT_TYPE, kind).body(Body::from(body)).unwrap()
    };
    match look {
        Look::HangUp => None,
        Look::Truncated => {
            let pieces = [Ok(Bytes::from_static(b"{\"branch\":{")), Err(io::Error::other("cut off"))];
            // Status and headers must have left before it breaks.
            let paced = stream::iter(pieces).then(|piece: Result<Bytes, io::Error>| async {
                if piece.is_err() {
                    time::sleep(Duration::from_millis(50)).await;
                }
                piece
            });
            let body = Body::from_stream(paced);
            Some(Response::builder().status(StatusCode::CREATED).body(body).unwrap())
        }
        Look::Html524 => Some(plain(524, "text/html", page)),
        Look::Text502 => Some(plain(502, "text/plain", "Bad Gateway")),
        Look::Empty504 => Some(plain(504, "text/plain", "")),
        Look::Json500 => {
            let body = r#"{"request_id":"x","code":"","message":"internal error"}"#;
            Some(plain(500, "application/json", body))
        }
    }
}

impl State {
    /// One page, with the place of the next under the key that this list uses. [S]
    pub fn page(&self, mut all: Vec<Value>, name: &str, key: &str, query: &Query) -> Answered {
        let wished = query.get("limit").map_or(Ok(100), |it| it.parse::<usize>());
        let wished = wished.ok().filter(|it| (1..=10_000).contains(it));
        let wished = wished.ok_or_else(|| Refusal::new(400, "limit is out of range"))?;
        let length = wished.min(self.switches.page_length);
        let cursor = query.get("cursor").map_or(Ok(0), |it| it.trim_start_matches("c-").parse::<usize>());
        let from = cursor.map_err(|_| Refusal::new(400, "malformed cursor"))?.min(all.len());
        let total = all.len();
        let to = total.min(from + length);
        let page: Vec<Value> = all.drain(from..to).collect();
        let next = match self.switches.pages {
            Pages::Plain => (to < total).then(|| format!("c-{to}")),
            Pages::TrailingEmpty => (!page.is_empty()).then(|| format!("c-{to}")),
            Pages::Repeating => Some("c-0".to_owned()),
        };
        let pagination = next.map_or_else(|| json!({}), |next| json!({ key: next }));
        Ok((200, Some(json!({ name: page, "pagination": pagination }))))
    }
}
