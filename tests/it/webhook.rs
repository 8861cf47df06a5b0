//! The contract of `Sink`, for the webhook and for the file; and what a webhook's failures look like.

use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use liftlock::{
    exit::Exit,
    secret::Secret,
    services::{
        http::Advice,
        webhook::{FileSink, HttpSink, Sink, WebhookError},
    },
};

use crate::receiver::{Answer, Message, Receiver, SECRET};

fn body(id: &str) -> String {
    format!(r#"{{"data":{{"text":"ünïcode \"and\" more"}},"id":"{id}","specversion":"1.0"}}"#)
}

fn folder() -> (tempfile::TempDir, Utf8PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = Utf8PathBuf::from_path_buf(folder.path().to_owned()).unwrap();
    (folder, path)
}

fn to(receiver: &Receiver, secret: &str) -> HttpSink {
    HttpSink::open(&Secret::new(receiver.url()), &Secret::new(secret)).unwrap()
}

fn lines(file: &Utf8Path) -> Vec<Message> {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.ends_with('\n'), "{text:?}");
    text.lines()
        .map(|line| {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            Message { id: value["id"].as_str().unwrap().to_owned(), body: line.to_owned() }
        })
        .collect()
}

/// What every sink promises: what it acknowledged is there, byte for byte, in order; sending again is harmless.
async fn keeps_its_promises(sink: &impl Sink, kept: impl Fn() -> Vec<Message>) {
    for id in ["a", "b", "a", "c", "c"] {
        sink.send(id, &body(id)).await.unwrap();
    }
    let mut seen: Vec<Message> = Vec::new();
    for message in kept() {
        match seen.iter().find(|it| it.id == message.id) {
            Some(first) => assert_eq!(*first, message, "the same id came with another body"),
            None => seen.push(message),
        }
    }
    let expected = ["a", "b", "c"].map(|id| Message { id: id.to_owned(), body: body(id) });
    assert_eq!(seen, expected);
    assert!(!sink.place().contains("/hook"), "a webhook's path may be a secret: {}", sink.place());
}

#[tokio::test]
async fn a_webhook_keeps_the_promises_of_a_sink() {
    let receiver = Receiver::start(SECRET, &[]).await;
    keeps_its_promises(&to(&receiver, SECRET), || receiver.taken()).await;
}

#[tokio::test]
async fn a_file_keeps_the_promises_of_a_sink() {
    let (_folder, path) = folder();
    let file = path.join("audit.jsonl");
    keeps_its_promises(&FileSink::at(file.clone()), || lines(&file)).await;
    assert_eq!(lines(&file).len(), 3, "the file holds an event twice");
}

#[tokio::test]
async fn another_process_does_not_write_an_event_again() {
    let (_folder, path) = folder();
    let file = path.join("audit.jsonl");
    let (first, second) = (FileSink::at(file.clone()), FileSink::at(file.clone()));
    first.send("a", &body("a")).await.unwrap();
    second.send("b", &body("b")).await.unwrap();
    first.send("b", &body("b")).await.unwrap();
    second.send("a", &body("a")).await.unwrap();
    assert_eq!(lines(&file).len(), 2);
}

#[tokio::test]
async fn half_a_line_of_a_killed_writer_is_written_anew() {
    let (_folder, path) = folder();
    let file = path.join("audit.jsonl");
    let long = body("b").replace("and", &"and ".repeat(100));
    for torn in ["{\"da", &body("b")[..30], &long[..long.len() - 1]] {
        fs::write(&file, format!("{}\n{torn}", body("a"))).unwrap();
        FileSink::at(file.clone()).send("b", &body("b")).await.unwrap();
        assert_eq!(lines(&file).iter().map(|it| it.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    }
}

#[tokio::test]
async fn a_file_of_something_else_is_left_alone() {
    let (_folder, path) = folder();
    let file = path.join("notes.txt");
    for text in ["my notes", "my notes\n", "{\"data\":{}}\n", "\u{1}"] {
        fs::write(&file, text).unwrap();
        let error = FileSink::at(file.clone()).send("a", &body("a")).await.unwrap_err();
        assert!(matches!(error, WebhookError::OtherFile { line: 1, .. }), "{error}");
        assert_eq!(error.exit(), Exit::Usage);
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
    }
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_named() {
    let (_folder, path) = folder();
    let error = FileSink::at(path.join("no/such/audit.jsonl")).send("a", &body("a")).await.unwrap_err();
    assert!(error.to_string().contains("no/such/audit.jsonl"), "{error}");
    assert_eq!(error.advice(), Advice::Retry);
}

/// Each failure: what is to be done, what is said, and whether the receiver kept the message all the same.
#[tokio::test]
async fn every_failure_of_a_webhook_says_what_to_do() {
    for (answer, advice, said, kept) in [
        (Answer::Status(500), Advice::Retry, "500 Internal Server Error: Oops it went wrong", 0),
        (Answer::Status(503), Advice::Retry, "503 Service Unavailable", 0),
        (Answer::Later(429, 7), Advice::Retry, "429 Too Many Requests: busy", 0),
        (Answer::Status(400), Advice::Ask, "400 Bad Request", 0),
        (Answer::Status(404), Advice::Ask, "404 Not Found", 0),
        (Answer::Status(410), Advice::Never, "410 Gone", 0),
        (Answer::Redirect, Advice::Ask, "307 Temporary Redirect", 0),
        (Answer::TakeAndHangUp, Advice::Retry, "the connection broke", 1),
    ] {
        let receiver = Receiver::start(SECRET, &[answer]).await;
        let sink = to(&receiver, SECRET);
        let error = sink.send("a", &body("a")).await.unwrap_err();
        assert_eq!(error.advice(), advice, "{answer:?}: {error}");
        assert!(error.to_string().contains(said), "{answer:?}: {error}");
        assert!(!error.to_string().contains("/hook"), "{error}");
        assert_eq!(error.exit(), Exit::Service);
        assert_eq!(receiver.taken().len(), kept, "{answer:?}");
        assert_eq!(receiver.followed(), 0, "a redirect was followed");
        sink.send("a", &body("a")).await.unwrap();
        assert!(receiver.taken().iter().all(|it| *it == Message { id: "a".to_owned(), body: body("a") }));
    }
}

#[tokio::test]
async fn retry_after_is_kept() {
    let receiver = Receiver::start(SECRET, &[Answer::Later(429, 7)]).await;
    let error = to(&receiver, SECRET).send("a", &body("a")).await.unwrap_err();
    assert_eq!(error.retry_after().map(|it| it.as_secs()), Some(7));
}

#[tokio::test]
async fn a_wrong_secret_is_a_matter_for_people() {
    let receiver = Receiver::start(SECRET, &[]).await;
    let other = "whsec_YW5kIHRoaXMgaXMgdGhlIG90aGVyIHNlY3JldA==";
    let error = to(&receiver, other).send("a", &body("a")).await.unwrap_err();
    assert_eq!(error.advice(), Advice::Ask);
    assert!(error.to_string().contains("401 Unauthorized: no signature fits the message"), "{error}");
    assert_eq!(receiver.taken(), []);
    // While it is rotated, both sign.
    to(&receiver, &format!("{other} {SECRET}")).send("a", &body("a")).await.unwrap();
    assert_eq!(receiver.taken().len(), 1);
}

#[tokio::test]
async fn nobody_there_is_said_without_the_path() {
    let receiver = Receiver::start(SECRET, &[]).await;
    let sink = to(&receiver, SECRET);
    let address = receiver.address;
    drop(receiver);
    // The aborted server lets go of its port a moment later.
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    let error = sink.send("a", &body("a")).await.unwrap_err();
    assert_eq!(error.advice(), Advice::Retry);
    let said = error.to_string();
    assert!(said.contains(&format!("http://{address} ")) && said.contains("cannot be reached"), "{said}");
    assert!(said.to_lowercase().contains("refused") && !said.contains("/hook"), "{said}");
}
