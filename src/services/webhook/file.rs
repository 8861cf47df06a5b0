//! The sink for those without a receiver: a file of JSON lines.

use std::{
    collections::HashSet,
    fs::{File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    sync::{Arc, Mutex, PoisonError},
};

use camino::{Utf8Path, Utf8PathBuf};
use serde::Deserialize;

use super::{Sink, WebhookError};

/// A file of JSON lines, one event each; an event that is there already is not written again.
#[derive(Debug)]
pub struct FileSink {
    path: Utf8PathBuf,
    seen: Arc<Mutex<Seen>>,
}

/// What was read of the file so far.
#[derive(Debug, Default)]
struct Seen {
    bytes: u64,
    lines: usize,
    ids: HashSet<String>,
}

#[derive(Deserialize)]
struct Line {
    id: String,
}

impl FileSink {
    /// The file is made by the first event.
    pub fn at(path: Utf8PathBuf) -> Self {
        Self { path, seen: Arc::default() }
    }
}

impl Sink for FileSink {
    async fn send(&self, id: &str, body: &str) -> Result<(), WebhookError> {
        let (path, seen) = (self.path.clone(), Arc::clone(&self.seen));
        let (id, line) = (id.to_string(), format!("{body}\n"));
        let written = tokio::task::spawn_blocking(move || {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            append(&path, &mut seen, id, &line)
        });
        written.await.expect("writing a line does not panic and is not aborted")
    }

    fn place(&self) -> String {
        self.path.to_string()
    }
}

fn append(path: &Utf8Path, seen: &mut Seen, id: String, line: &str) -> Result<(), WebhookError> {
    let failed = |source| WebhookError::File { path: path.to_owned(), source };
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
    // Held until the file is closed: of two processes one waits.
    file.lock().map_err(failed)?;
    let torn = catch_up(&mut file, seen, path)?;
    if torn {
        // Half a line of a writer that was killed; its event was never acknowledged and comes again.
        file.set_len(seen.bytes).map_err(failed)?;
    }
    if seen.ids.contains(&id) {
        return Ok(());
    }
    file.seek(SeekFrom::Start(seen.bytes)).map_err(failed)?;
    file.write_all(line.as_bytes()).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    seen.bytes += line.len() as u64;
    seen.lines += 1;
    seen.ids.insert(id);
    Ok(())
}

/// Reads what others have written since; says whether half a line stands at the end.
fn catch_up(file: &mut File, seen: &mut Seen, path: &Utf8Path) -> Result<bool, WebhookError> {
    let failed = |source| WebhookError::File { path: path.to_owned(), source };
    if file.metadata().map_err(failed)?.len() < seen.bytes {
        // Rotated or emptied behind our back.
        *seen = Seen::default();
    }
    file.seek(SeekFrom::Start(seen.bytes)).map_err(failed)?;
    let mut text = Vec::new();
    file.read_to_end(&mut text).map_err(failed)?;
    let other = |lines| WebhookError::OtherFile { path: path.to_owned(), line: lines + 1 };
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        if !line.ends_with(b"\n") {
            let begins = b"{\"data\":";
            let ours = line.starts_with(begins) || begins.starts_with(line);
            return if ours { Ok(true) } else { Err(other(seen.lines)) };
        }
        let Line { id } = serde_json::from_slice(line).map_err(|_| other(seen.lines))?;
        seen.bytes += line.len() as u64;
        seen.lines += 1;
        seen.ids.insert(id);
    }
    Ok(false)
}
