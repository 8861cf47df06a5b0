//! The demo's webhook receiver: checks each event's signature, and keeps the event in a file.

use std::{
    collections::HashSet,
    fs::{File, OpenOptions},
    io::Write,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{
    error::Error,
    secret::Secret,
    services::webhook::{Signed, verify_signature},
};

/// Listens on 127.0.0.1 until dropped.
pub(super) struct Receiver {
    pub url: String,
    pub file: Utf8PathBuf,
    server: JoinHandle<()>,
}

struct Inbox {
    secret: Secret,
    seen: Mutex<(File, HashSet<String>)>,
}

impl Receiver {
    pub(super) async fn start(folder: &Utf8Path, secret: Secret) -> Result<Self, Error> {
        let path = folder.join("audit-events.jsonl");
        let failed = |action, path: &str| {
            let path = path.to_owned();
            move |source| Error::File { action, path, source }
        };
        let file = OpenOptions::new().create(true).append(true).open(&path).map_err(failed("open", path.as_str()))?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(failed("listen on", "127.0.0.1"))?;
        let address = listener.local_addr().map_err(failed("listen on", "127.0.0.1"))?;
        let inbox = Arc::new(Inbox { secret, seen: Mutex::new((file, HashSet::new())) });
        let router = Router::new().route("/events", post(receive)).with_state(inbox);
        let server = tokio::spawn(async move {
            // Ends with the demo; an accept error only means that events stay in the outbox.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { url: format!("http://{address}/events"), file: path, server })
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Answers 204 only when the event is safely in the file; the same event twice is kept once.
async fn receive(State(inbox): State<Arc<Inbox>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let signed = Signed {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp"),
        signature: header("webhook-signature"),
    };
    if verify_signature(&inbox.secret, signed, &body, Timestamp::now()).is_err() {
        return StatusCode::UNAUTHORIZED;
    }
    let id = header("webhook-id").to_owned();
    let mut seen = inbox.seen.lock().unwrap_or_else(PoisonError::into_inner);
    let (file, ids) = &mut *seen;
    if ids.contains(&id) {
        return StatusCode::NO_CONTENT;
    }
    let mut line = body.to_vec();
    line.push(b'\n');
    match file.write_all(&line).and_then(|()| file.sync_data()) {
        Ok(()) => {
            ids.insert(id);
            StatusCode::NO_CONTENT
        }
        Err(_) => StatusCode::INSUFFICIENT_STORAGE,
    }
}
