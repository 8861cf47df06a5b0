//! `--watch`: judged again whenever a file changes, until Ctrl-C.
//!
//! Changes are seen by looking, a few times a second, at sizes and times: that works on every file system and in
//! every container, and a folder that is gone for a moment is simply looked at again.

use std::{
    collections::BTreeMap,
    io::{IsTerminal, Write},
    time::{Duration, SystemTime},
};

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Zoned;

use super::{Shell, ValidateError, once};
use crate::{
    cli::{self, Format},
    commands::{baseline, formats},
    config,
    error::Error,
    report::{
        Report,
        text::{self, Look},
    },
};

const EVERY: Duration = Duration::from_millis(250);
/// What an editor or a checkout writes in several steps is waited for.
const SETTLED: Duration = Duration::from_millis(80);
/// Folders below a folder of migrations are hardly deeper.
pub const DEPTH: usize = 6;
/// Clears the screen and what scrolled off it, and goes to its first line.
const CLEAR: &str = "\x1b[2J\x1b[3J\x1b[H";

/// What was there: sizes and times.
pub type Seen = BTreeMap<Utf8PathBuf, (u64, Option<SystemTime>)>;

/// Ends with a report that says nothing: everything has been said.
pub async fn watch(shell: &Shell, arguments: &cli::Validate) -> Result<Report, Error> {
    if arguments.judged.paths.iter().any(|it| it == "-") {
        return Err(ValidateError::WatchedStdin.into());
    }
    if shell.global.format != Format::Text {
        return Err(ValidateError::WatchedFormat.into());
    }
    let mut judged = None;
    loop {
        let seen = settled(shell, arguments).await;
        if judged.as_ref() != Some(&seen) {
            let shown = match once(shell, arguments).await {
                Ok(report) => formats::rendered(shell, &report),
                // No change of a file could mend the call.
                Err(error @ (Error::NoConfiguration | Error::Validate(ValidateError::NothingNamed { .. }))) => {
                    return Err(error);
                }
                Err(error) => text::error(&error, &Look::of_terminal(shell.color)),
            };
            if !show(&shown)? {
                break;
            }
            judged = Some(seen);
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = shell.cancel.cancelled() => break,
        }
    }
    Ok(Report::pass("validate"))
}

/// `false` when nobody reads any more.
fn show(text: &str) -> Result<bool, Error> {
    let mut stdout = std::io::stdout().lock();
    let clear = if stdout.is_terminal() { CLEAR } else { "" };
    let time = Zoned::now().strftime("%H:%M:%S").to_string();
    let shown = format!("{clear}{text}\n{time}, watching; Ctrl-C ends it\n");
    match stdout.write_all(shown.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(true),
        Err(source) if source.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        Err(source) => Err(Error::File { action: "write to", path: "stdout".to_owned(), source }),
    }
}

/// What is there once two looks agree, or after some.
async fn settled(shell: &Shell, arguments: &cli::Validate) -> Seen {
    let mut seen = look(shell, arguments);
    for _ in 0..20 {
        tokio::time::sleep(SETTLED).await;
        let again = look(shell, arguments);
        if again == seen {
            break;
        }
        seen = again;
    }
    seen
}

fn look(shell: &Shell, arguments: &cli::Validate) -> Seen {
    let mut seen = Seen::new();
    let file = shell.global.config.clone().or_else(|| config::find(Utf8Path::new(".")));
    let config = file.as_deref().and_then(|it| shell.config_at(it).ok());
    let folder = config.as_ref().map(|it| it.migrations.clone());
    let around = |path: &Utf8PathBuf| {
        let parent = path.parent().filter(|it| !it.as_str().is_empty()).unwrap_or(Utf8Path::new("."));
        if path.is_dir() { path.clone() } else { parent.to_owned() }
    };
    for path in file.into_iter().chain([baseline::path(&arguments.judged, config.as_ref())]) {
        note(&mut seen, &path);
    }
    for folder in arguments.judged.paths.iter().map(around).chain(folder) {
        walk(&mut seen, &folder, DEPTH);
    }
    seen
}

pub fn walk(seen: &mut Seen, folder: &Utf8Path, depth: usize) {
    let Ok(entries) = folder.read_dir_utf8() else { return };
    for entry in entries.filter_map(Result::ok) {
        let hidden = entry.file_name().starts_with('.') || entry.file_name() == "node_modules";
        let path = entry.path();
        match path.metadata() {
            Ok(metadata) if metadata.is_dir() && depth > 0 && !hidden => walk(seen, path, depth - 1),
            Ok(metadata) if metadata.is_file() && !hidden => note(seen, path),
            Ok(_) | Err(_) => {}
        }
    }
}

pub fn note(seen: &mut Seen, path: &Utf8Path) {
    if let Ok(metadata) = path.metadata() {
        seen.insert(path.to_owned(), (metadata.len(), metadata.modified().ok()));
    }
}
