//! A webhook receiver on this machine that answers as a test tells it to, and remembers what it got.

use std::{
    collections::VecDeque,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use jiff::Timestamp;
use liftlock::{
    secret::Secret,
    services::webhook::{CLOUD_EVENT, Signed, verify_signature},
};
use tokio::{net::TcpListener, task::JoinHandle};

/// What both sides know, unless a test says otherwise.
pub const SECRET: &str = "whsec_bGlmdGxvY2sgc2lnbnMgdGhpcyBpbiB0ZXN0cw==";

/// One answer; when a script is over, everything is taken.
#[derive(Debug, Clone, Copy)]
pub enum Answer {
    /// Kept, and acknowledged.
    Take,
    /// Kept, but the acknowledgement is lost: the connection breaks.
    TakeAndHangUp,
    /// Not kept.
    Status(u16),
    /// Not kept, with `Retry-After` in seconds.
    Later(u16, u64),
    /// Not kept: `Location` names another place.
    Redirect,
    /// No answer for a long time.
    Silence,
}

/// A message as it was received and believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub id: String,
    pub body: String,
}

#[derive(Default)]
struct Memory {
    script: VecDeque<Answer>,
    taken: Vec<Message>,
    /// Requests of any kind, those without a valid signature too.
    requests: usize,
    /// Requests at the place that redirects lead to.
    elsewhere: usize,
}

pub struct Receiver {
    pub address: SocketAddr,
    memory: Arc<Mutex<Memory>>,
    server: JoinHandle<()>,
}

impl Receiver {
    /// Believes messages signed with `secret` and answers with `script`, then takes everything.
    pub async fn start(secret: &str, script: &[Answer]) -> Self {
        let memory = Arc::new(Mutex::new(Memory { script: script.iter().copied().collect(), ..Memory::default() }));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = (Arc::clone(&memory), Secret::new(secret));
        let routes = Router::new().route("/hook", post(receive)).route("/elsewhere", post(elsewhere)).with_state(state);
        let server = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { address, memory, server }
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// What was kept, in the order in which it came.
    pub fn taken(&self) -> Vec<Message> {
        self.memory.lock().unwrap().taken.clone()
    }

    pub fn requests(&self) -> usize {
        self.memory.lock().unwrap().requests
    }

    /// Requests that followed a redirect.
    pub fn followed(&self) -> usize {
        self.memory.lock().unwrap().elsewhere
    }

    /// From now on it answers so.
    pub fn answer(&self, script: &[Answer]) {
        self.memory.lock().unwrap().script = script.iter().copied().collect();
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

type Shared = (Arc<Mutex<Memory>>, Secret);

async fn elsewhere(State((memory, _)): State<Shared>) -> StatusCode {
    memory.lock().unwrap().elsewhere += 1;
    StatusCode::NO_CONTENT
}

async fn receive(State((memory, secret)): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let (id, timestamp, signature) = (header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"));
    memory.lock().unwrap().requests += 1;
    if header("content-type") != CLOUD_EVENT {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
    }
    let signed = Signed { id: &id, timestamp: &timestamp, signature: &signature };
    if let Err(forged) = verify_signature(&secret, signed, &body, Timestamp::now()) {
        return (StatusCode::UNAUTHORIZED, forged.to_string()).into_response();
    }
    let answer = memory.lock().unwrap().script.pop_front().unwrap_or(Answer::Take);
    let message = Message { id, body: String::from_utf8(body.to_vec()).unwrap() };
    match answer {
        Answer::Take => memory.lock().unwrap().taken.push(message),
        Answer::TakeAndHangUp => {
            memory.lock().unwrap().taken.push(message);
            // Ends this connection's task without an answer, as a dying receiver would.
            panic!("hanging up, as the test wants it");
        }
        Answer::Status(status) => {
            let page = "<html><head><title>Oops</title></head><body>it went wrong</body></html>";
            return (StatusCode::from_u16(status).unwrap(), page).into_response();
        }
        Answer::Later(status, seconds) => {
            let after = [(header::RETRY_AFTER, seconds.to_string())];
            return (StatusCode::from_u16(status).unwrap(), after, "busy").into_response();
        }
        Answer::Redirect => {
            return (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, "/elsewhere")]).into_response();
        }
        Answer::Silence => {
            tokio::time::sleep(Duration::from_secs(600)).await;
        }
    }
    StatusCode::NO_CONTENT.into_response()
}
