//! `liftlock lsp`: the language server, on stdin and stdout.
//! <https://microsoft.github.io/language-server-protocol/specifications/lsp/3.17/specification/>
//!
//! One thread reads messages and judges when typing pauses. What was read and replayed of a folder is kept until a file
//! on the disk, or the text of another open editor, is another one; sizes and times are looked at each time, so nothing
//! can be out of date. What other documents say is text to us; a statement that made a rule panic would cost one round,
//! not the server.

mod answer;
mod judge;
mod pipe;
mod position;

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

use lsp_server::{Connection, ErrorCode, Message, Notification, Request, RequestId, Response};
use nix::{errno::Errno, sys::signal::kill, unistd::Pid};
use serde_json::{Value, json};

use self::{
    answer::Client,
    judge::{Judged, Prepared},
};
use super::Shell;
use crate::{error::Error, report::Report};

/// A pause in typing.
const PAUSE: Duration = Duration::from_millis(50);
/// How often it is looked whether the editor is still there, though it says nothing.
const ALIVE: Duration = Duration::from_secs(5);
/// Deeply nested statements are read by recursion.
const STACK: usize = 64 * 1024 * 1024;

/// Serves one editor until it says that it ends, or is gone.
pub async fn lsp(shell: &Shell) -> Result<Report, Error> {
    let served = tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name("lsp".to_owned()).stack_size(STACK);
            let thread = thread.spawn_scoped(scope, || serve(shell));
            thread.map(|it| it.join().unwrap_or_else(|_| Err("the server panicked".to_owned())))
        })
    });
    match served {
        Ok(Ok(())) => Ok(Report::pass("lsp")),
        Ok(Err(why)) => Err(Error::Editor { why }),
        Err(source) => Err(Error::Runtime { source }),
    }
}

/// What the server knows.
struct Server<'a> {
    shell: &'a Shell,
    client: Client,
    /// Texts of open documents by address.
    open: BTreeMap<String, Open>,
    judged: BTreeMap<String, Judged>,
    /// Folders as they were read for each document.
    prepared: BTreeMap<String, Prepared>,
    /// The editor's process, where it says which it is.
    editor: Option<Pid>,
    /// Documents to judge, once nothing is typed any more.
    stale: BTreeSet<String>,
    until: Instant,
    pause: Duration,
}

struct Open {
    text: String,
    version: Option<i64>,
}

fn serve(shell: &Shell) -> Result<(), String> {
    let (connection, pipe) = pipe::open();
    let served = talk(shell, &connection);
    pipe.close(connection).and(served)
}

fn talk(shell: &Shell, connection: &Connection) -> Result<(), String> {
    let capabilities = json!({
        "positionEncoding": "utf-16",
        "textDocumentSync": { "openClose": true, "change": 1, "save": true },
        "hoverProvider": true,
        "codeActionProvider": { "codeActionKinds": ["quickfix"] },
    });
    let (id, asked) = connection.initialize_start().map_err(|it| it.to_string())?;
    // One in another container is not seen from here, and never was.
    let editor = asked["processId"]
        .as_i64()
        .and_then(|it| i32::try_from(it).ok().map(Pid::from_raw))
        .filter(|it| kill(*it, None) != Err(Errno::ESRCH));
    let about = json!({
        "capabilities": capabilities,
        "serverInfo": { "name": "liftlock", "version": env!("CARGO_PKG_VERSION") },
    });
    connection.initialize_finish(id, about).map_err(|it| it.to_string())?;
    let mut server = Server {
        shell,
        client: Client::of(&asked),
        open: BTreeMap::new(),
        judged: BTreeMap::new(),
        prepared: BTreeMap::new(),
        editor,
        stale: BTreeSet::new(),
        until: Instant::now(),
        pause: PAUSE,
    };
    server.watch_files(connection);
    server.run(connection)
}

impl Server<'_> {
    fn run(&mut self, connection: &Connection) -> Result<(), String> {
        loop {
            let message = if self.stale.is_empty() {
                match connection.receiver.recv_timeout(ALIVE) {
                    Ok(message) => Some(message),
                    // Somebody else may hold its end of the pipe.
                    Err(error) if error.is_timeout() && !self.is_gone() => continue,
                    Err(_) => None,
                }
            } else {
                let left = self.until.saturating_duration_since(Instant::now());
                match connection.receiver.recv_timeout(left) {
                    Ok(message) => Some(message),
                    Err(error) if error.is_timeout() => {
                        self.judge_stale(connection);
                        continue;
                    }
                    Err(_) => None,
                }
            };
            match message {
                // The editor is gone.
                None => return Ok(()),
                Some(Message::Request(request)) => {
                    if connection.handle_shutdown(&request).map_err(|it| it.to_string())? {
                        return Ok(());
                    }
                    let response = self.respond(request);
                    send(connection, Message::Response(response));
                }
                Some(Message::Notification(notification)) => self.note(connection, &notification),
                Some(Message::Response(_)) => {}
            }
        }
    }

    fn is_gone(&self) -> bool {
        self.editor.is_some_and(|it| kill(it, None) == Err(Errno::ESRCH))
    }

    fn note(&mut self, connection: &Connection, notification: &Notification) {
        let params = &notification.params;
        let uri = text(params, "/textDocument/uri").to_owned();
        let version = params.pointer("/textDocument/version").and_then(Value::as_i64);
        match notification.method.as_str() {
            "textDocument/didOpen" => {
                let open = Open { text: text(params, "/textDocument/text").to_owned(), version };
                self.open.insert(uri, open);
                self.judge_soon();
            }
            "textDocument/didChange" => {
                let changes = params.pointer("/contentChanges").and_then(Value::as_array);
                let last = changes.and_then(|it| it.last()).and_then(|it| it["text"].as_str());
                if let (Some(open), Some(last)) = (self.open.get_mut(&uri), last) {
                    *open = Open { text: last.to_owned(), version };
                    self.judge_soon();
                }
            }
            "textDocument/didClose" => {
                self.open.remove(&uri);
                self.judged.remove(&uri);
                self.prepared.remove(&uri);
                self.stale.remove(&uri);
                publish(connection, &uri, None, Vec::new());
                self.judge_soon();
            }
            "textDocument/didSave" | "workspace/didChangeWatchedFiles" => self.judge_soon(),
            _ => {}
        }
    }

    /// What one document says may be history of the others.
    fn judge_soon(&mut self) {
        self.stale = self.open.keys().cloned().collect();
        self.until = Instant::now() + self.pause;
    }

    fn judge_stale(&mut self, connection: &Connection) {
        let started = Instant::now();
        let texts = self.open.iter().map(|(uri, open)| (uri.clone(), open.text.clone())).collect();
        for uri in std::mem::take(&mut self.stale) {
            let Some(open) = self.open.get(&uri) else { continue };
            let judged = catch_unwind(AssertUnwindSafe(|| judge::judge(self.shell, &uri, &texts, &mut self.prepared)));
            let judged = judged.unwrap_or_else(|_| Judged::trouble("liftlock failed on this text; please report it"));
            publish(connection, &uri, open.version, answer::diagnostics(&judged));
            self.judged.insert(uri, judged);
        }
        // Many open documents are not judged at every key.
        self.pause = PAUSE.max(started.elapsed() / 4);
    }

    fn respond(&self, request: Request) -> Response {
        let Request { id, method, params } = request;
        let uri = text(&params, "/textDocument/uri");
        let known = self.judged.get(uri).zip(self.open.get(uri)).filter(|(judged, open)| judged.text == open.text);
        match method.as_str() {
            "textDocument/hover" => {
                let hover = known.and_then(|(judged, _)| answer::hover(judged, &params));
                Response::new_ok(id, hover)
            }
            "textDocument/codeAction" => {
                let actions =
                    known.map(|(judged, open)| answer::actions(judged, uri, open.version, &params, self.client));
                Response::new_ok(id, actions.unwrap_or_default())
            }
            _ => {
                let message = format!("liftlock does not answer `{method}`");
                Response::new_err(id, ErrorCode::MethodNotFound as i32, message)
            }
        }
    }

    /// Migrations that are made outside the editor, the configuration and the baseline.
    fn watch_files(&self, connection: &Connection) {
        if !self.client.watches {
            return;
        }
        let watchers =
            ["**/*.sql", "**/liftlock.yml", "**/.liftlock-baseline.json"].map(|it| json!({ "globPattern": it }));
        let options = json!({ "watchers": watchers });
        let method = "workspace/didChangeWatchedFiles";
        let registration = json!({ "id": "files", "method": method, "registerOptions": options });
        let params = json!({ "registrations": [registration] });
        let id = RequestId::from("files".to_owned());
        send(connection, Message::Request(Request::new(id, "client/registerCapability".to_owned(), params)));
    }
}

fn publish(connection: &Connection, uri: &str, version: Option<i64>, diagnostics: Vec<Value>) {
    let mut params = json!({ "uri": uri, "diagnostics": diagnostics });
    if let Some(version) = version {
        params["version"] = json!(version);
    }
    send(connection, Message::Notification(Notification::new("textDocument/publishDiagnostics".to_owned(), params)));
}

/// An editor that is gone is noticed where its messages are read.
fn send(connection: &Connection, message: Message) {
    let _ = connection.sender.send(message);
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
