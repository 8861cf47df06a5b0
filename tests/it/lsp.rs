//! `liftlock lsp` as an editor speaks to it.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread::sleep,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::ways::{CREATE, HEADER, INDEX, Project, config};

/// An editor with one server.
struct Editor {
    server: Child,
    input: ChildStdin,
    messages: Receiver<Value>,
    asked: i64,
}

impl Editor {
    fn start(project: &Project, capabilities: &Value) -> Self {
        Self::start_as(project, capabilities, None)
    }

    /// As the editor of this process.
    fn start_as(project: &Project, capabilities: &Value, process: Option<u32>) -> Self {
        let mut command = project.liftlock(&["lsp"]);
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut server = command.spawn().unwrap();
        let (send, messages) = channel();
        let mut output = BufReader::new(server.stdout.take().unwrap());
        std::thread::spawn(move || {
            while let Some(message) = read(&mut output) {
                if send.send(message).is_err() {
                    break;
                }
            }
        });
        let mut editor = Self { input: server.stdin.take().unwrap(), server, messages, asked: 0 };
        let about =
            editor.ask("initialize", json!({ "processId": process, "rootUri": null, "capabilities": capabilities }));
        assert_eq!(about["capabilities"]["textDocumentSync"]["change"], 1, "{about}");
        editor.tell("initialized", json!({}));
        editor
    }

    fn send(&mut self, message: &Value) {
        let text = message.to_string();
        write!(self.input, "Content-Length: {}\r\n\r\n{text}", text.len()).unwrap();
        self.input.flush().unwrap();
    }

    fn tell(&mut self, method: &str, params: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    /// The result, or the error, of a request.
    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.asked += 1;
        self.send(&json!({ "jsonrpc": "2.0", "id": self.asked, "method": method, "params": params }));
        let id = self.asked;
        let answer = self.until(|it| it["id"] == id && it.get("method").is_none());
        if answer["error"].is_null() { answer["result"].clone() } else { answer["error"].clone() }
    }

    fn until(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let message = self.messages.recv_timeout(Duration::from_secs(60)).expect("the server answers");
            if wanted(&message) {
                return message;
            }
        }
    }

    fn open(&mut self, uri: &str, text: &str) {
        let document = json!({ "uri": uri, "languageId": "sql", "version": 1, "text": text });
        self.tell("textDocument/didOpen", json!({ "textDocument": document }));
    }

    fn change(&mut self, uri: &str, version: i64, text: &str) {
        let document = json!({ "uri": uri, "version": version });
        self.tell("textDocument/didChange", json!({ "textDocument": document, "contentChanges": [{ "text": text }] }));
    }

    /// What is published next for a document, at this version or later.
    fn diagnostics(&self, uri: &str, version: i64) -> Vec<Value> {
        let published = self.until(|it| {
            let params = &it["params"];
            it["method"] == "textDocument/publishDiagnostics"
                && params["uri"] == uri
                && params["version"].as_i64() >= Some(version)
        });
        published["params"]["diagnostics"].as_array().unwrap().clone()
    }

    fn end(mut self) {
        assert_eq!(self.ask("shutdown", Value::Null), Value::Null);
        self.tell("exit", Value::Null);
        assert_eq!(self.server.wait().unwrap().code(), Some(0));
    }
}

fn read(output: &mut impl BufRead) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if output.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end().split_once(": ") {
            Some(("Content-Length", number)) => length = number.parse().unwrap(),
            Some(_) => {}
            None => break,
        }
    }
    let mut text = vec![0; length];
    output.read_exact(&mut text).ok()?;
    Some(serde_json::from_slice(&text).unwrap())
}

fn uri(project: &Project, name: &str) -> String {
    url::Url::from_file_path(project.path(name).canonicalize_utf8().unwrap_or_else(|_| project.path(name)))
        .unwrap()
        .to_string()
}

fn codes(diagnostics: &[Value]) -> Vec<&str> {
    diagnostics.iter().map(|it| it["code"].as_str().unwrap_or_default()).collect()
}

/// Applies a workspace edit: the texts of all documents it names.
fn applied(edit: &Value, uri: &str, text: &str) -> Vec<(String, String)> {
    let at = |text: &str, place: &Value| {
        let line = usize::try_from(place["line"].as_u64().unwrap()).unwrap();
        let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
        let units = usize::try_from(place["character"].as_u64().unwrap()).unwrap();
        let rest = &text[start..];
        let mut seen = 0;
        let inside = rest.char_indices().find(|(_, it)| {
            let here = seen >= units;
            seen += it.len_utf16();
            here
        });
        start + inside.map_or(rest.len(), |(at, _)| at)
    };
    let apply = |text: &str, edits: &Value| {
        let edit = &edits.as_array().unwrap()[0];
        let (start, end) = (at(text, &edit["range"]["start"]), at(text, &edit["range"]["end"]));
        format!("{}{}{}", &text[..start], edit["newText"].as_str().unwrap(), &text[end..])
    };
    if let Some(changes) = edit["changes"].as_object() {
        return changes.iter().map(|(uri, edits)| (uri.clone(), apply(text, edits))).collect();
    }
    let changes = edit["documentChanges"].as_array().unwrap().iter().filter(|it| it["kind"].is_null());
    let changes = changes.map(|it| {
        let its = it["textDocument"]["uri"].as_str().unwrap();
        (its.to_owned(), apply(if its == uri { text } else { "" }, &it["edits"]))
    });
    changes.collect()
}

fn whole() -> Value {
    json!({ "workspace": {
        "workspaceEdit": { "documentChanges": true, "resourceOperations": ["create", "rename", "delete"] },
        "didChangeWatchedFiles": { "dynamicRegistration": true },
    } })
}

#[test]
fn findings_follow_what_is_typed_with_the_history_of_the_folder() {
    let project = Project::new(&[CREATE, ("liftlock.yml", &config(""))]);
    let mut editor = Editor::start(&project, &whole());
    let address = uri(&project, "m/0002_index_safe.sql");
    // Not saved yet; columns count UTF-16 code units.
    let text = format!("{HEADER}/* 𝔘é */ {}\n", INDEX.1);
    editor.open(&address, &text);
    let found = editor.diagnostics(&address, 1);
    assert_eq!(codes(&found), ["index-without-concurrently"]);
    let (start, end) = (&found[0]["range"]["start"], &found[0]["range"]["end"]);
    assert_eq!((&start["line"], &end["line"]), (&json!(4), &json!(4)));
    let line = format!("/* 𝔘é */ {}", INDEX.1);
    let units: Vec<u16> = line.encode_utf16().collect();
    let place = |it: &Value| usize::try_from(it["character"].as_u64().unwrap()).unwrap();
    let marked = String::from_utf16(&units[place(start)..place(end)]).unwrap();
    assert!(marked.starts_with("create index") || INDEX.1.contains(&marked), "{marked}");
    assert_eq!(found[0]["severity"], 1);
    assert!(found[0]["codeDescription"]["href"].as_str().unwrap().ends_with("index_without_concurrently.rs"));
    // Mended while typing.
    editor.change(&address, 2, &text.replace("create index", "create index concurrently"));
    assert_eq!(editor.diagnostics(&address, 2), [] as [Value; 0]);
    // History that is not saved either, and that a file brings.
    let first = uri(&project, CREATE.0);
    editor.change(&address, 3, &text);
    assert_eq!(editor.diagnostics(&address, 3).len(), 1);
    editor.open(&first, &format!("{HEADER}select 1;\n"));
    editor.diagnostics(&first, 1);
    // The configuration changes, and the file system's watcher tells.
    project.write("liftlock.yml", &config("rules: { index-without-concurrently: off }"));
    let watched = json!({ "changes": [{ "uri": uri(&project, "liftlock.yml"), "type": 2 }] });
    editor.tell("workspace/didChangeWatchedFiles", watched);
    editor.until(|it| it["params"]["uri"] == address.as_str() && it["params"]["diagnostics"] == json!([]));
    project.write("liftlock.yml", &config("rules: { drop-tabel: off }"));
    editor.tell("textDocument/didSave", json!({ "textDocument": { "uri": address } }));
    let trouble =
        editor.until(|it| it["params"]["uri"] == address.as_str() && it["params"]["diagnostics"] != json!([]));
    assert!(trouble.to_string().contains("drop-tabel"), "{trouble}");
    editor.tell("textDocument/didClose", json!({ "textDocument": { "uri": address } }));
    editor.until(|it| it["params"]["uri"] == address.as_str() && it["params"]["diagnostics"] == json!([]));
    editor.end();
}

#[test]
fn hover_tells_the_reasons_and_quick_fixes_write_the_safe_form() {
    let project = Project::new(&[CREATE]);
    let address = uri(&project, "m/0002_index_safe.sql");
    let text = format!("{HEADER}{}\n", INDEX.1);
    for (capabilities, creates) in [(whole(), true), (json!({}), false)] {
        let mut editor = Editor::start(&project, &capabilities);
        editor.open(&address, &text);
        let found = editor.diagnostics(&address, 1);
        let at = json!({ "line": 4, "character": 8 });
        let hover = editor.ask("textDocument/hover", json!({ "textDocument": { "uri": address }, "position": at }));
        let shown = hover["contents"]["value"].as_str().unwrap();
        assert!(shown.contains("index-without-concurrently") && shown.contains("```sql"), "{shown}");
        let nowhere = json!({ "textDocument": { "uri": address }, "position": { "line": 0, "character": 0 } });
        assert_eq!(editor.ask("textDocument/hover", nowhere), Value::Null);
        let params = json!({ "textDocument": { "uri": address }, "range": found[0]["range"], "context": { "diagnostics": found } });
        let actions = editor.ask("textDocument/codeAction", params);
        let actions = actions.as_array().unwrap();
        assert_eq!(actions.len(), 2, "{actions:?}");
        assert_eq!(actions[0]["edit"]["documentChanges"].is_array(), creates);
        let fixed = applied(&actions[0]["edit"], &address, &text);
        assert_eq!(fixed.len(), 1, "{fixed:?}");
        assert!(fixed[0].1.contains("concurrently"), "{fixed:?}");
        editor.change(&address, 2, &fixed[0].1);
        assert_eq!(editor.diagnostics(&address, 2), [] as [Value; 0]);
        // The waiver waits for its reason.
        let allowed = applied(&actions[1]["edit"], &address, &text);
        let comment = "-- liftlock: allow index-without-concurrently because ";
        assert!(allowed[0].1.contains(&format!("{comment}\ncreate index")), "{allowed:?}");
        editor.change(&address, 3, &allowed[0].1.replace(comment, &format!("{comment}it is small")));
        assert_eq!(editor.diagnostics(&address, 3), [] as [Value; 0]);
        editor.end();
    }
}

#[test]
fn a_fix_of_several_files_makes_them() {
    let project = Project::new(&[CREATE]);
    let address = uri(&project, "m/0002_check_safe.sql");
    let text = format!("{HEADER}alter table orders add constraint note_given check (note is not null);\n");
    for (capabilities, count) in [(whole(), 1), (json!({}), 0)] {
        let mut editor = Editor::start(&project, &capabilities);
        editor.open(&address, &text);
        let found = editor.diagnostics(&address, 1);
        assert_eq!(codes(&found), ["check-without-not-valid"]);
        let params = json!({ "textDocument": { "uri": address }, "range": found[0]["range"], "context": { "diagnostics": found } });
        let actions = editor.ask("textDocument/codeAction", params);
        let fixes = actions.as_array().unwrap().iter().filter(|it| it["isPreferred"] == true).collect::<Vec<_>>();
        assert_eq!(fixes.len(), count, "{actions}");
        if let [fix] = fixes.as_slice() {
            let files = applied(&fix["edit"], &address, &text);
            assert_eq!(files.len(), 2, "{fix}");
            assert!(
                files.iter().any(|(uri, text)| *uri != address && text.contains("validate constraint")),
                "{files:?}"
            );
            assert_eq!(fix["edit"]["documentChanges"][0]["kind"], "create", "{fix}");
        }
        editor.end();
    }
}

#[test]
fn nothing_that_an_editor_sends_ends_the_server() {
    let project = Project::new(&[CREATE, ("liftlock.yml", &config(""))]);
    let mut editor = Editor::start(&project, &whole());
    let address = uri(&project, "m/0002_x_safe.sql");
    editor.open(&address, "select 1;");
    editor.diagnostics(&address, 1);
    let deep = format!("select {}1{};", "(".repeat(20_000), ")".repeat(20_000));
    let hostile = ["\u{0}'\"$$", "/*", "$a$", "drop table \"\u{202e}::error::\n", &deep, "é\r\r\n\u{2028};;;", ""];
    for (index, text) in hostile.iter().enumerate() {
        let version = i64::try_from(index).unwrap() + 2;
        editor.change(&address, version, text);
        editor.diagnostics(&address, version);
        for method in ["textDocument/hover", "textDocument/codeAction"] {
            let wild = json!({ "line": 4_000_000_000_u32, "character": 7 });
            let params = json!({
                "textDocument": { "uri": address }, "position": wild, "range": { "start": wild, "end": -1 }, "context": 7,
            });
            editor.ask(method, params);
        }
    }
    for odd in ["untitled:Untitled-1", "git:/x.sql?{}", "file:///%ff%00.sql", "not a uri", ""] {
        editor.open(odd, "drop table orders;");
        assert_eq!(editor.diagnostics(odd, 1), [] as [Value; 0], "{odd}");
    }
    editor.tell("textDocument/didChange", json!([1, "x"]));
    editor.tell("workspace/unheard_of", json!(null));
    assert_eq!(editor.ask("textDocument/rename", json!({}))["code"], -32601);
    // Neither what undoes a migration nor a file elsewhere is judged.
    for other in ["m/0001_create_safe.down.sql", "seeds/x.sql"] {
        let address = uri(&project, other);
        editor.open(&address, "drop table orders;");
        assert_eq!(editor.diagnostics(&address, 1), [] as [Value; 0], "{other}");
    }
    editor.end();
}

#[test]
fn a_message_that_is_no_json_is_passed_over_and_a_broken_header_ends_the_server() {
    let project = Project::new(&[CREATE, ("liftlock.yml", &config(""))]);
    let mut editor = Editor::start(&project, &whole());
    for broken in ["{\"jsonrpc\":", "[]", "null", "\u{0}", ""] {
        write!(editor.input, "Content-Length: {}\r\n\r\n{broken}", broken.len()).unwrap();
    }
    let address = uri(&project, "m/0002_x_safe.sql");
    editor.open(&address, "select 1;");
    editor.diagnostics(&address, 1);
    write!(editor.input, "no header\r\n\r\n").unwrap();
    assert_eq!(editor.server.wait().unwrap().code(), Some(2));
}

#[test]
fn a_message_that_is_said_to_be_longer_than_any_ends_the_server_with_a_reason() {
    let project = Project::new(&[CREATE, ("liftlock.yml", &config(""))]);
    for length in ["99999999999", "18446744073709551615"] {
        let mut editor = Editor::start(&project, &whole());
        write!(editor.input, "Content-Length: {length}\r\n\r\n{{}}").unwrap();
        assert_eq!(editor.server.wait().unwrap().code(), Some(2), "{length}");
    }
}

#[test]
fn a_server_ends_when_its_editor_is_gone_though_the_pipe_stays_open() {
    let project = Project::new(&[CREATE, ("liftlock.yml", &config(""))]);
    let mut process = Command::new("sleep").arg("600").spawn().unwrap();
    let mut editor = Editor::start_as(&project, &whole(), Some(process.id()));
    process.kill().unwrap();
    process.wait().unwrap();
    let started = Instant::now();
    let code = loop {
        if let Some(status) = editor.server.try_wait().unwrap() {
            break status.code();
        }
        assert!(started.elapsed() < Duration::from_secs(60), "it goes on without an editor");
        sleep(Duration::from_millis(100));
    };
    assert_eq!(code, Some(0));
}
