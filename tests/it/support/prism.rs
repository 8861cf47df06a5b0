//! GitHub's published API description as a judge of requests: `prism` says what in them GitHub would not take.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use liftlock::services::http;
use tempfile::NamedTempFile;

use super::{github::Logged, tools::tool};

/// A running prism. It ends with this value.
pub struct Prism {
    url: String,
    server: Child,
}

impl Prism {
    /// Takes some seconds: the description has five megabytes.
    pub fn start() -> Self {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let log = NamedTempFile::new().unwrap();
        let mut command = Command::new("node");
        command.arg(tool("node_modules/@stoplight/prism-cli/dist/index.js")).arg("mock").arg(tool("github.json"));
        command.args(["--host", "127.0.0.1", "--port", &port.to_string()]);
        command.stdin(Stdio::null()).stdout(log.reopen().unwrap()).stderr(log.reopen().unwrap());
        let mut server = command.spawn().unwrap();
        let until = Instant::now() + Duration::from_secs(120);
        while !fs::read_to_string(log.path()).unwrap().contains("listening") {
            let ended = server.try_wait().unwrap();
            let log = || fs::read_to_string(log.path()).unwrap();
            assert!(ended.is_none() && Instant::now() < until, "prism did not start: {}", log());
            thread::sleep(Duration::from_millis(100));
        }
        Self { url: format!("http://127.0.0.1:{port}"), server }
    }

    /// What is wrong with a request, `None` when nothing is. Answers are examples, and not looked at.
    pub async fn complaint(&self, request: &Logged) -> Option<String> {
        let asked =
            http::client().request(request.method.parse().unwrap(), self.url.clone() + &described(&request.target));
        // Prism wants to see a token, whichever.
        let mut asked = asked.header("accept", &request.accept).bearer_auth("made-up");
        if !request.body.is_empty() {
            asked = asked.header("content-type", "application/json").body(request.body.clone());
        }
        let answer = asked.send().await.unwrap();
        let violations = answer.headers().get("sl-violations").map(|it| it.to_str().unwrap_or_default().to_owned());
        let violations = violations.filter(|it| it.contains(r#""location":["request""#)).unwrap_or_default();
        let (status, body) = (answer.status(), answer.text().await.unwrap());
        let wrong = !violations.is_empty() || body.contains("stoplight.io/prism/errors") || status.is_client_error();
        wrong.then(|| format!("{} {}: {status} {violations} {body}", request.method, request.target))
    }
}

/// The description has a file's path as one segment, which GitHub takes with its slashes as they are.
fn described(target: &str) -> String {
    let Some((before, rest)) = target.split_once("/contents/") else { return target.to_owned() };
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    format!("{before}/contents/{}?{query}", path.replace('/', "%2F"))
}

impl Drop for Prism {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
