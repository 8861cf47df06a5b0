//! A mirror in a folder: per table a folder of segments, files of JSON lines in key order, and a `manifest.json`
//! that names them. Segments never change once written. A batch writes the segments that it touches anew and then
//! replaces the manifest: a crash before that leaves the old state and some files that nobody names, which the
//! next writer removes.

use std::{
    collections::{HashMap, HashSet},
    fs::{self, File, TryLockError},
    slice,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use camino::{Utf8Path, Utf8PathBuf};

use super::{
    Action, Batch, Change, Digest, Evidence, Held, Identity, KeyRange, Limits, Mirror, MirrorError, Page, Receipt,
    TableState, Tally, document_hash,
    manifest::{self, Manifest, Segment, Written},
    segment::{Document, Reader, Stamp, Writer, inaccessible, line, segment_name},
};

/// A rewritten segment is cut when it grows beyond this, so that a change costs at most this much writing.
const SEGMENT_BYTES: u64 = 4 * 1024 * 1024;

/// Segments below this size at the end of a table are put together, `FAN_IN` at a time. Without this, loading a
/// table batch by batch would end in a manifest of thousands of files; rewriting the last file every time would
/// make loading quadratic.
const SMALL_BYTES: u64 = 512 * 1024;
const FAN_IN: usize = 8;

/// Documents that a scan reads at a time.
const PAGE: usize = 4096;

/// One disk: tables written at the same time would only be in each other's way.
const LIMITS: Limits = Limits { batch_rows: usize::MAX, document_bytes: None, fields: None, tables: 1 };

/// A folder of JSON lines. As long as this value lives, no other process can open the folder.
#[derive(Debug)]
pub struct LocalMirror {
    identity: Identity,
    folder: Arc<Mutex<Folder>>,
}

#[derive(Debug)]
struct Folder {
    path: Utf8PathBuf,
    /// Held for its lock.
    _lock: File,
    /// Manifests that were read, or not found, as they are on disk.
    tables: HashMap<String, Option<Manifest>>,
}

impl LocalMirror {
    /// Opens the mirror in a folder and makes it when it is not there.
    pub fn open(path: &Utf8Path) -> Result<Self, MirrorError> {
        fs::create_dir_all(path).map_err(|source| inaccessible("create", path, source))?;
        let lock_path = path.join(".lock");
        let options = File::options().create(true).append(true).open(&lock_path);
        let lock = options.map_err(|source| inaccessible("write", &lock_path, source))?;
        locked(&lock, path, &lock_path)?;
        let manifest_path = path.join("mirror.json");
        let found = manifest::Mirror::read(&manifest_path)?;
        let mirror = match found {
            Some(mirror) => mirror,
            None => {
                let mirror = manifest::Mirror::new();
                manifest::replace(&manifest_path, &mirror)?;
                mirror
            }
        };
        let place = fs::canonicalize(path).ok().and_then(|it| Utf8PathBuf::from_path_buf(it).ok());
        let place = place.unwrap_or_else(|| path.to_owned()).into_string();
        let folder = Folder { path: path.to_owned(), _lock: lock, tables: HashMap::new() };
        let identity =
            Identity { id: mirror.id.to_string(), place, limits: LIMITS, evidence: Evidence::Contents, notice: None };
        Ok(Self { identity, folder: Arc::new(Mutex::new(folder)) })
    }

    /// The folder of a table, for people who want to look.
    pub fn table_folder(&self, table: &str) -> Utf8PathBuf {
        Utf8Path::new(&self.identity.place).join(folder_name(table))
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Folder) -> Result<T, MirrorError> + Send + 'static,
    ) -> Result<T, MirrorError> {
        let folder = Arc::clone(&self.folder);
        let done = tokio::task::spawn_blocking(move || {
            let mut folder = folder.lock().expect("a writer that panicked has ended the process");
            work(&mut folder)
        });
        done.await.expect("file work neither panics nor is cancelled")
    }
}

impl Mirror for LocalMirror {
    async fn describe(&self) -> Result<Identity, MirrorError> {
        Ok(self.identity.clone())
    }

    async fn table(&self, table: &str) -> Result<Option<TableState>, MirrorError> {
        let table = table.to_owned();
        self.with(move |folder| Ok(folder.manifest(&table)?.and_then(|it| it.state()))).await
    }

    async fn write(&self, batch: &Batch) -> Result<Receipt, MirrorError> {
        let batch = batch.clone();
        self.with(move |folder| folder.write(&batch)).await
    }

    async fn scan(&self, table: &str, range: &KeyRange) -> Result<Page<Vec<Held>>, MirrorError> {
        let (table, range) = (table.to_owned(), range.clone());
        self.with(move |folder| {
            let mut held: Vec<Held> = Vec::new();
            folder.read(&table, &range, |document, hash| {
                if document.stamp.deleted_at.is_none() {
                    held.push(Held { key: document.stamp.key.to_string(), hash });
                }
                held.len() < PAGE
            })?;
            let through = held.get(PAGE - 1).map(|it| it.key.clone());
            Ok(Page { of: held, through })
        })
        .await
    }

    async fn digest(&self, table: &str, range: &KeyRange) -> Result<Page<Digest>, MirrorError> {
        let (table, range) = (table.to_owned(), range.clone());
        self.with(move |folder| {
            let mut digest = Digest::default();
            folder.read(&table, &range, |document, hash| {
                match document.stamp.deleted_at {
                    Some(_) => digest.deleted += 1,
                    None => digest.add(hash),
                }
                true
            })?;
            Ok(Page { of: digest, through: None })
        })
        .await
    }
}

impl Folder {
    fn manifest(&mut self, table: &str) -> Result<Option<Manifest>, MirrorError> {
        if let Some(manifest) = self.tables.get(table) {
            return Ok(manifest.clone());
        }
        let folder = self.path.join(folder_name(table));
        let manifest = Manifest::read(&folder.join("manifest.json"), table)?;
        if folder.is_dir() {
            sweep(&folder, manifest.as_ref())?;
        }
        self.tables.insert(table.to_owned(), manifest.clone());
        Ok(manifest)
    }

    /// Calls `see` with every document of a range and the hash of what it holds, until `see` says that it is enough.
    fn read(
        &mut self,
        table: &str,
        range: &KeyRange,
        mut see: impl FnMut(&Document<'_>, u64) -> bool,
    ) -> Result<(), MirrorError> {
        let Some(manifest) = self.manifest(table)? else { return Ok(()) };
        let folder = self.path.join(folder_name(table));
        for segment in &manifest.segments {
            if range.after.as_ref().is_some_and(|after| segment.last <= *after) {
                continue;
            }
            if range.ends_before(&segment.first) {
                break;
            }
            let mut reader = Reader::open(&folder, segment)?;
            while reader.advance()? {
                if range.ends_before(reader.key()) {
                    break;
                }
                if !range.contains(reader.key()) {
                    continue;
                }
                let document = reader.document()?;
                if !see(&document, document.hash(&manifest.mapping)) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn write(&mut self, batch: &Batch) -> Result<Receipt, MirrorError> {
        let folder = self.path.join(folder_name(&batch.table));
        let before = self.manifest(&batch.table)?;
        let before = before.unwrap_or_else(|| Manifest::new(&batch.table, batch.mapping.clone()));
        let content = batch.content();
        let seen = before.batches.iter().find(|it| it.run == batch.run && it.number == batch.number);
        if let Some(seen) = seen {
            if seen.content != content {
                return Err(MirrorError::BatchMismatch { table: batch.table.clone(), number: batch.number });
            }
            return Ok(before.receipt(seen, true));
        }
        if batch.fence < before.fence {
            return Err(MirrorError::StaleRun { table: batch.table.clone() });
        }
        let last = match batch.changes.last() {
            Some(last) if batch.changes.is_sorted_by(|one, next| one.key < next.key) => last,
            _ => return Err(MirrorError::Unsorted { table: batch.table.clone(), number: batch.number }),
        };
        fs::create_dir_all(&folder).map_err(|source| inaccessible("create", &folder, source))?;
        // Whatever happens from here on, the disk knows better than memory.
        self.tables.remove(&batch.table);
        let mut rewrite = Rewrite {
            folder: &folder,
            batch,
            fields: batch_fields(batch),
            next: before.next,
            fresh: Vec::new(),
            tally: Tally::default(),
        };
        let segments = match rewrite.segments(&before.segments) {
            Ok(segments) => segments,
            Err(reason) => {
                rewrite.discard(before.next);
                return Err(reason);
            }
        };
        let mut after = before.clone();
        after.mapping = batch.mapping.clone();
        after.fence = batch.fence;
        after.next = rewrite.next;
        after.segments = segments;
        let written =
            Written { run: batch.run, number: batch.number, content, tally: rewrite.tally, through: last.key.clone() };
        let receipt = after.receipt(&written, false);
        after.remember(written);
        manifest::replace(&folder.join("manifest.json"), &after)?;
        remove_unnamed(&folder, before.segments.iter().chain(&rewrite.fresh), &after);
        self.tables.insert(batch.table.clone(), Some(after));
        Ok(receipt)
    }
}

/// Takes the lock. A process that is being started has the files of its parent for a moment, and their locks with
/// them, so that one look is not enough.
fn locked(lock: &File, place: &Utf8Path, path: &Utf8Path) -> Result<(), MirrorError> {
    for _ in 0..10 {
        match lock.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(20)),
            Err(TryLockError::Error(source)) => return Err(inaccessible("lock", path, source)),
        }
    }
    Err(MirrorError::Busy { place: place.to_string() })
}

/// One batch on its way into segments.
struct Rewrite<'a> {
    folder: &'a Utf8Path,
    batch: &'a Batch,
    fields: HashSet<&'a str>,
    next: u64,
    /// Segments written, the ones that were put together again included.
    fresh: Vec<Segment>,
    tally: Tally,
}

impl Rewrite<'_> {
    /// The table's segments with the batch in them.
    fn segments(&mut self, before: &[Segment]) -> Result<Vec<Segment>, MirrorError> {
        let mut after = Vec::with_capacity(before.len() + 1);
        let mut changes = self.batch.changes.as_slice();
        for segment in before {
            let (here, rest) = changes.split_at(changes.partition_point(|it| it.key <= segment.last));
            changes = rest;
            if here.is_empty() {
                after.push(segment.clone());
            } else {
                after.extend(self.merge(segment, here)?);
            }
        }
        let mut output = Output::default();
        for change in changes {
            self.put_new(&mut output, change)?;
        }
        after.extend(self.close(output)?);
        self.compact(&mut after)?;
        Ok(after)
    }

    fn merge(&mut self, segment: &Segment, changes: &[Change]) -> Result<Vec<Segment>, MirrorError> {
        let before = self.tally;
        let mut reader = Reader::open(self.folder, segment)?;
        let mut output = Output::default();
        let mut changes: slice::Iter<'_, Change> = changes.iter();
        let mut change = changes.next();
        while reader.advance()? {
            while let Some(new) = change.filter(|it| it.key.as_str() < reader.key()) {
                self.put_new(&mut output, new)?;
                change = changes.next();
            }
            match change.filter(|it| it.key == reader.key()) {
                Some(known) => {
                    self.put_known(&mut output, known, &reader)?;
                    change = changes.next();
                }
                None => {
                    // Live or not is all that matters here; our own lines end with it.
                    let is_live = reader.text().ends_with("\"deletedAt\":null}}")
                        || reader.document()?.stamp.deleted_at.is_none();
                    self.push(&mut output, reader.key(), reader.text(), is_live)?;
                }
            }
        }
        for new in change.into_iter().chain(changes) {
            self.put_new(&mut output, new)?;
        }
        let written = self.close(output)?;
        let (was, is) = (Tally { unchanged: 0, ..before }, Tally { unchanged: 0, ..self.tally });
        if was == is {
            // Nothing came of it: the old file stays.
            return Ok(vec![segment.clone()]);
        }
        Ok(written)
    }

    /// A change whose key is not in the mirror.
    fn put_new(&mut self, output: &mut Output, change: &Change) -> Result<(), MirrorError> {
        match &change.action {
            Action::Put { hash, document, .. } => {
                self.tally.inserted += 1;
                let hash = format!("{hash:016x}");
                let stamp = Stamp { key: change.key.as_str().into(), hash: hash.into(), deleted_at: None };
                self.push(output, &change.key, &line(document, std::iter::empty(), &stamp), true)
            }
            Action::MarkDeleted | Action::Delete => {
                self.tally.unchanged += 1;
                Ok(())
            }
        }
    }

    /// A change of the document that the reader stands on.
    fn put_known(&mut self, output: &mut Output, change: &Change, reader: &Reader<'_>) -> Result<(), MirrorError> {
        let old = reader.document()?;
        let was_live = old.stamp.deleted_at.is_none();
        match &change.action {
            Action::Put { hash, document, .. } => {
                let hash = format!("{hash:016x}");
                let is_same = old.stamp.hash == hash
                    && !old.has_any(&self.batch.unset)
                    && old.ours(&self.batch.mapping) == *document;
                if was_live && is_same {
                    self.tally.unchanged += 1;
                    return self.push(output, &change.key, reader.text(), true);
                }
                if was_live {
                    self.tally.updated += 1;
                } else {
                    self.tally.revived += 1;
                }
                let stamp = Stamp { key: change.key.as_str().into(), hash: hash.into(), deleted_at: None };
                let line = line(document, old.theirs(&self.fields, &self.batch.unset), &stamp);
                self.push(output, &change.key, &line, true)
            }
            Action::MarkDeleted if was_live => {
                self.tally.deleted += 1;
                let stamp = Stamp { deleted_at: Some(self.batch.now.as_str().into()), ..old.stamp.clone() };
                self.push(output, &change.key, &old.stamped(&stamp), false)
            }
            Action::MarkDeleted => {
                self.tally.unchanged += 1;
                self.push(output, &change.key, reader.text(), false)
            }
            Action::Delete => {
                self.tally.deleted += 1;
                Ok(())
            }
        }
    }

    fn push(&mut self, output: &mut Output, key: &str, line: &str, is_live: bool) -> Result<(), MirrorError> {
        if output.writer.as_ref().is_some_and(|it| it.bytes() >= SEGMENT_BYTES) {
            self.cut(output)?;
        }
        if output.writer.is_none() {
            output.writer = Some(Writer::create(self.folder, self.next)?);
            self.next += 1;
        }
        let writer = output.writer.as_mut().expect("made just above");
        writer.push(key, line, is_live)
    }

    fn cut(&mut self, output: &mut Output) -> Result<(), MirrorError> {
        if let Some(writer) = output.writer.take() {
            let segment = writer.finish()?;
            self.fresh.push(segment.clone());
            output.segments.push(segment);
        }
        Ok(())
    }

    fn close(&mut self, mut output: Output) -> Result<Vec<Segment>, MirrorError> {
        self.cut(&mut output)?;
        Ok(output.segments)
    }

    /// Puts small segments at the end together.
    fn compact(&mut self, segments: &mut Vec<Segment>) -> Result<(), MirrorError> {
        let Some(start) = segments.len().checked_sub(FAN_IN) else { return Ok(()) };
        let is_untouched =
            |it: &Segment| fs::metadata(self.folder.join(&it.file)).is_ok_and(|file| file.len() == it.bytes);
        if !segments[start..].iter().all(|it| it.bytes < SMALL_BYTES && is_untouched(it)) {
            return Ok(());
        }
        let mut writer = Writer::create(self.folder, self.next)?;
        self.next += 1;
        for segment in &segments[start..] {
            writer.append(self.folder, segment)?;
        }
        let together = writer.finish()?;
        self.fresh.push(together.clone());
        segments.truncate(start);
        segments.push(together);
        Ok(())
    }

    /// Removes what was written, the file that was not finished included: on a full disk it is in the way. What
    /// stays is swept when the table is opened again.
    fn discard(&self, first: u64) {
        for number in first..self.next + 1 {
            let _ = fs::remove_file(self.folder.join(segment_name(number)));
        }
    }
}

/// The segments that come of one.
#[derive(Default)]
struct Output {
    writer: Option<Writer>,
    segments: Vec<Segment>,
}

fn batch_fields(batch: &Batch) -> HashSet<&str> {
    batch.mapping.fields.iter().map(String::as_str).collect()
}

/// Removes the segments that the manifest does not name: what a crash left. Other people's files stay.
fn sweep(folder: &Utf8Path, manifest: Option<&Manifest>) -> Result<(), MirrorError> {
    let named: HashSet<&str> = manifest.iter().flat_map(|it| &it.segments).map(|it| it.file.as_str()).collect();
    let entries = folder.read_dir_utf8().map_err(|source| inaccessible("read", folder, source))?;
    for entry in entries {
        let entry = entry.map_err(|source| inaccessible("read", folder, source))?;
        let stem = entry.file_name().strip_suffix(".jsonl");
        let is_segment = stem.is_some_and(|it| it.len() >= 6 && it.bytes().all(|byte| byte.is_ascii_digit()));
        let is_left = is_segment && !named.contains(entry.file_name()) || entry.file_name() == "manifest.json.new";
        if is_left {
            fs::remove_file(entry.path()).map_err(|source| inaccessible("remove", entry.path(), source))?;
        }
    }
    Ok(())
}

/// Files that could not be removed are in nobody's way; the next writer tries again.
fn remove_unnamed<'a>(folder: &Utf8Path, candidates: impl Iterator<Item = &'a Segment>, after: &Manifest) {
    let named: HashSet<&str> = after.segments.iter().map(|it| it.file.as_str()).collect();
    for segment in candidates.filter(|it| !named.contains(it.file.as_str())) {
        let _ = fs::remove_file(folder.join(&segment.file));
    }
}

/// A table's name as a folder's: everything but lowercase letters, digits, `_`, `-` and inner dots is written as
/// `%` and hex, because file systems disagree about the rest. A name too long for a file ends in a hash.
fn folder_name(table: &str) -> String {
    let mut name = String::with_capacity(table.len());
    for (index, byte) in table.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => name.push(char::from(byte)),
            b'.' if index > 0 => name.push('.'),
            _ => name.push_str(&format!("%{byte:02x}")),
        }
    }
    if name.len() > 200 {
        name.truncate(180);
        name.push_str(&format!("-{:016x}", document_hash("folder", table, "")));
    }
    name
}

#[cfg(test)]
mod tests {
    use super::folder_name;

    #[test]
    fn a_table_has_a_folder_of_its_own_on_every_file_system() {
        for (table, folder) in [
            ("sow_poles", "sow_poles"),
            ("app.orders", "app.orders"),
            ("\"Orders\"", "%22%4frders%22"),
            ("../x", "%2e.%2fx"),
            ("é", "%c3%a9"),
        ] {
            assert_eq!(folder_name(table), folder);
        }
        let (one, other) = (folder_name(&"é".repeat(60)), folder_name(&format!("{}e", "é".repeat(59))));
        assert!(one.len() < 255 && one != other, "{one} {other}");
    }
}
