//! GitHub as its REST API shows itself, on this machine: one repository whose state requests change, strict in what
//! it takes. <https://docs.github.com/en/rest>. Every request is remembered; one that GitHub would not know fails
//! the test that ends with `assert_proper`.

mod routes;
mod world;

pub use world::{Environment, Fault, Level, TOKEN, Told, World};

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, runtime, sync::oneshot};

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Logged {
    pub method: String,
    /// Path with query.
    pub target: String,
    /// Who sent it: the login that the token stands for.
    pub login: Option<String>,
    pub accept: String,
    pub body: String,
    pub status: u16,
}

pub struct GitHub {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
}

#[derive(Default)]
struct Shared {
    world: Mutex<World>,
    log: Mutex<Vec<Logged>>,
    /// Requests that GitHub's API does not have.
    improper: Mutex<Vec<String>>,
}

impl GitHub {
    /// Serves this world on a thread of its own, so that tests may block.
    pub fn start(world: World) -> Self {
        let shared = Arc::new(Shared { world: Mutex::new(world), ..Shared::default() });
        let served = Arc::clone(&shared);
        let (stop, stopped) = oneshot::channel::<()>();
        let (bound, address) = std::sync::mpsc::channel();
        thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
                bound.send(listener.local_addr().unwrap()).unwrap();
                let routes = Router::new().fallback(answer).with_state(served);
                tokio::select! {
                    served = async { axum::serve(listener, routes).await } => served.unwrap(),
                    _ = stopped => {}
                }
            });
        });
        Self { address: address.recv().unwrap(), shared, stop: Some(stop) }
    }

    /// For `GITHUB_API_URL`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What GitHub knows; changes are seen by the next request.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.shared.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn log(&self) -> Vec<Logged> {
        self.shared.log.lock().unwrap().clone()
    }

    /// Requests by method whose target begins so.
    pub fn asked(&self, method: &str, below: &str) -> usize {
        let target = format!("/repos/{}{below}", self.world().repository);
        self.log().iter().filter(|it| it.method == method && it.target.starts_with(&target)).count()
    }

    /// Nothing was asked that GitHub does not have, and nobody was told to wait and did not.
    pub fn assert_proper(&self) {
        let improper = self.shared.improper.lock().unwrap();
        assert!(improper.is_empty(), "{improper:#?}");
    }

    /// What a step of a job has in its environment.
    pub fn variables(&self, run: u64) -> Vec<(String, String)> {
        let world = self.world();
        let it = &world.runs[&run];
        let set = |name: &str, value: String| (name.to_owned(), value);
        vec![
            set("GITHUB_ACTIONS", "true".to_owned()),
            set("GITHUB_API_URL", self.url()),
            set("GITHUB_TOKEN", world::TOKEN.to_owned()),
            set("GITHUB_REPOSITORY", world.repository.clone()),
            set("GITHUB_RUN_ID", run.to_string()),
            set("GITHUB_RUN_ATTEMPT", it.attempt.to_string()),
            set("GITHUB_SHA", it.head_sha.clone()),
            set("GITHUB_REF", format!("refs/heads/{}", it.head_branch)),
            set("GITHUB_EVENT_NAME", it.event.clone()),
            set("GITHUB_ACTOR", it.actor.clone()),
            set("GITHUB_SERVER_URL", "https://github.com".to_owned()),
        ]
    }
}

impl Drop for GitHub {
    fn drop(&mut self) {
        // The thread has ended by itself when nobody listens any more.
        let _ = self.stop.take().map(|it| it.send(()));
    }
}

/// A request, taken apart.
pub struct Asked {
    pub method: String,
    /// Decoded.
    pub segments: Vec<String>,
    pub query: Vec<(String, String)>,
    pub accept: String,
    pub body: String,
    /// Scheme, host and port, for links.
    pub origin: String,
    pub told: Told,
}

/// An answer, before it is one.
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
    /// What nobody who knows the API would have asked.
    pub improper: Option<String>,
}

impl Reply {
    pub fn json(status: u16, body: &Value) -> Self {
        Self { status, headers: Vec::new(), body: body.to_string(), improper: None }
    }

    pub fn refused(status: u16, message: &str) -> Self {
        Self::json(status, &json!({ "message": message, "documentation_url": "https://docs.github.com/rest" }))
    }

    pub fn improper(status: u16, message: &str, why: String) -> Self {
        Self { improper: Some(why), ..Self::refused(status, message) }
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = String::from_utf8_lossy(&to_bytes(body, usize::MAX).await.unwrap_or_default()).into_owned();
    let target = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let method = parts.method.to_string();
    let header = |name: &str| text(&parts.headers, name);
    let mut world = shared.world.lock().unwrap_or_else(PoisonError::into_inner);
    let token = header("authorization");
    let token = token.strip_prefix("Bearer ").or_else(|| token.strip_prefix("token ")).unwrap_or_default();
    let told = world.tokens.get(token).cloned();
    let login = told.as_ref().map(|it| it.login.clone());
    let reply = match (world.fault(&method, &target), told) {
        (Some(Fault { hang_up: true, done: false, .. }), _) => {
            drop(world);
            let accept = header("accept");
            shared.log.lock().unwrap().push(Logged { method, target, login, accept, body, status: 0 });
            return Body::from_stream(futures_util::stream::once(async {
                Err::<String, _>(std::io::Error::other(""))
            }))
            .into_response();
        }
        (Some(fault), Some(told)) if fault.done => {
            let asked = asked(&method, &target, &parts.headers, &body, told);
            routes::reply(&mut world, &asked);
            fault.reply()
        }
        (Some(fault), _) => fault.reply(),
        (None, _) if header("user-agent").is_empty() => {
            Reply::improper(403, "Request forbidden by administrative rules.", "no User-Agent".to_owned())
        }
        (None, None) => Reply::refused(401, "Bad credentials"),
        (None, Some(told)) => routes::reply(&mut world, &asked(&method, &target, &parts.headers, &body, told)),
    };
    drop(world);
    if let Some(why) = &reply.improper {
        shared.improper.lock().unwrap().push(format!("{method} {target}: {why}"));
    }
    let (status, accept) = (reply.status, header("accept"));
    shared.log.lock().unwrap().push(Logged { method, target, login, accept, body, status });
    let mut response = (StatusCode::from_u16(status).unwrap(), reply.body).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, "application/json; charset=utf-8".parse().unwrap());
    for (name, value) in reply.headers {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}

fn text(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

fn asked(method: &str, target: &str, headers: &HeaderMap, body: &str, told: Told) -> Asked {
    let origin = format!("http://{}", text(headers, "host"));
    let url = url::Url::parse(&origin).unwrap().join(target).unwrap();
    let segments = url.path_segments().unwrap().map(decoded).collect();
    let query = url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    let (method, body) = (method.to_owned(), body.to_owned());
    Asked { method, segments, query, accept: text(headers, "accept"), body, origin, told }
}

/// `%2F` → `/`; query decoding would also turn `+` into a space.
fn decoded(segment: &str) -> String {
    let plain = segment.replace('+', "%2B");
    url::form_urlencoded::parse(format!("x={plain}").as_bytes()).next().map(|it| it.1.into_owned()).unwrap_or_default()
}
