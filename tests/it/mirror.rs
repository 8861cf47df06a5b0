//! What every mirror promises, and what the local one promises beyond that: readable files, no loss at a crash,
//! one writer, clear words about damage.

use std::{collections::BTreeMap, fs};

use camino::{Utf8Path, Utf8PathBuf};
use liftlock::{
    config::{Convex, ConvexAuth, ProfileName},
    secret::Secret,
    services::mirror::{
        Action, Batch, Change, ConvexMirror, Digest, Held, KeyRange, LocalMirror, Mapping, Mirror, MirrorError, Page,
        Receipt, Tally, document_hash,
    },
};
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use crate::support::convex::{DEPLOY_KEY, Harness, SYNC_AUTH_KEY};

const RUN: Uuid = Uuid::from_u128(7);

fn mapping() -> Mapping {
    Mapping { version: "1".to_owned(), fields: vec!["id".to_owned(), "name".to_owned()] }
}

fn put(key: &str, name: &str) -> Change {
    let document = format!("{{\"id\":{},\"name\":{}}}", Value::from(key), Value::from(name));
    let (hash, size) = (document_hash("1", key, &document), document.len());
    Change { key: key.to_owned(), action: Action::Put { hash, document, size } }
}

fn remove(key: &str, action: Action) -> Change {
    Change { key: key.to_owned(), action }
}

fn batch(number: u64, changes: Vec<Change>) -> Batch {
    Batch {
        table: "t".to_owned(),
        run: RUN,
        number,
        fence: 1,
        mapping: mapping(),
        unset: Vec::new(),
        changes,
        now: "2026-01-01T00:00:00Z".to_owned(),
    }
}

fn tally(inserted: u64, updated: u64, unchanged: u64, deleted: u64, revived: u64) -> Tally {
    Tally { inserted, updated, unchanged, deleted, revived }
}

/// All pages of a digest of table `t`.
async fn digested(mirror: &impl Mirror, range: &KeyRange) -> Result<Digest, MirrorError> {
    let mut range = range.clone();
    let mut digest = Digest::default();
    loop {
        let Page { of, through } = mirror.digest("t", &range).await?;
        digest = digest.with(of);
        let Some(through) = through else { return Ok(digest) };
        assert!(range.contains(&through), "{through:?}");
        range.after = Some(through);
    }
}

/// All pages of a scan of table `t`.
async fn scan(mirror: &impl Mirror, range: &KeyRange) -> Vec<Held> {
    let mut range = range.clone();
    let mut held: Vec<Held> = Vec::new();
    loop {
        let Page { of, through } = mirror.scan("t", &range).await.unwrap();
        held.extend(of);
        let Some(through) = through else { return held };
        assert!(range.contains(&through) && held.last().is_none_or(|last| last.key <= through), "{through:?}");
        range.after = Some(through);
    }
}

fn folded(changes: &[Change]) -> Digest {
    let mut digest = Digest::default();
    for change in changes {
        if let Action::Put { hash, .. } = change.action {
            digest.add(hash);
        }
    }
    digest
}

/// What every implementation must do, on a table `t` that it does not know yet.
async fn keeps_its_promises(mirror: &impl Mirror) {
    assert_eq!(mirror.describe().await.unwrap(), mirror.describe().await.unwrap());
    assert_eq!(mirror.table("t").await.unwrap(), None);
    assert_eq!(digested(mirror, &KeyRange::all()).await.unwrap(), Digest::default());
    assert_eq!(scan(mirror, &KeyRange::all()).await, []);

    // A batch counts once, however often it is sent.
    let first = batch(1, vec![put("a", "x"), put("c", "x"), put("e\0f\0", "x")]);
    let receipt = mirror.write(&first).await.unwrap();
    assert_eq!((receipt.tally, receipt.through.as_str(), receipt.replayed), (tally(3, 0, 0, 0, 0), "e\0f\0", false));
    let replayed = mirror.write(&first).await.unwrap();
    assert_eq!(replayed, Receipt { replayed: true, ..receipt.clone() });
    assert_eq!(digested(mirror, &KeyRange::all()).await.unwrap(), folded(&first.changes));
    let state = mirror.table("t").await.unwrap().unwrap();
    assert_eq!((state.id, state.mapping, state.fence), (receipt.table.clone(), mapping(), 1));
    assert_eq!((state.last.run, state.last.number), (RUN, 1));

    // The same number with other content, and an older run, are refused and change nothing.
    let other = mirror.write(&batch(1, vec![put("a", "y")])).await;
    assert!(matches!(other, Err(MirrorError::BatchMismatch { number: 1, .. })), "{other:?}");
    let stale = mirror.write(&Batch { fence: 0, ..batch(2, vec![put("a", "y")]) }).await;
    assert!(matches!(stale, Err(MirrorError::StaleRun { .. })), "{stale:?}");
    let unsorted = mirror.write(&batch(2, vec![put("b", "y"), put("a", "y")])).await;
    assert!(matches!(unsorted, Err(MirrorError::Unsorted { .. })), "{unsorted:?}");
    assert_eq!(digested(mirror, &KeyRange::all()).await.unwrap(), folded(&first.changes));

    // Insert before, between and after; update; leave; delete softly, also what is not there.
    let second = batch(
        2,
        vec![
            put("0", "n"),
            put("a", "x"),
            put("b", "n"),
            remove("b!", Action::MarkDeleted),
            put("c", "y"),
            remove("e\0f\0", Action::MarkDeleted),
            put("z", "n"),
        ],
    );
    assert_eq!(mirror.write(&second).await.unwrap().tally, tally(3, 1, 2, 1, 0));
    let digest = digested(mirror, &KeyRange::all()).await.unwrap();
    assert_eq!(digest, Digest { deleted: 1, ..folded(&second.changes) });

    // Ranges: the start is outside, the end inside.
    let range = |after: Option<&str>, through: Option<&str>| KeyRange {
        after: after.map(str::to_owned),
        through: through.map(str::to_owned),
    };
    for (range, expected) in [
        (range(None, None), "0abcz"),
        (range(Some("a"), None), "bcz"),
        (range(Some("a"), Some("c")), "bc"),
        (range(None, Some("aa")), "0a"),
        (range(Some("z"), None), ""),
    ] {
        let held = scan(mirror, &range).await;
        let keys: String = held.iter().map(|it| it.key.as_str()).collect();
        assert_eq!(keys, expected, "{range:?}");
        let mut folded = Digest::default();
        held.iter().for_each(|Held { hash, .. }| folded.add(*hash));
        let digest = digested(mirror, &range).await.unwrap();
        assert_eq!(digest, Digest { deleted: digest.deleted, ..folded }, "{range:?}");
    }

    // Back from the dead; gone for good.
    let third = batch(3, vec![remove("c", Action::Delete), put("e\0f\0", "x"), remove("y", Action::Delete)]);
    assert_eq!(mirror.write(&third).await.unwrap().tally, tally(0, 0, 1, 1, 1));
    let digest = digested(mirror, &KeyRange::all()).await.unwrap();
    assert_eq!((digest.live, digest.deleted), (5, 0));

    // A new run may start at number 1 again.
    let next = Batch { run: Uuid::from_u128(8), fence: 2, ..batch(1, vec![put("q", "n")]) };
    assert_eq!(mirror.write(&next).await.unwrap().tally, tally(1, 0, 0, 0, 0));
    assert_eq!(mirror.table("t").await.unwrap().unwrap().last.run, Uuid::from_u128(8));
}

#[tokio::test]
async fn convex_keeps_every_promise_of_a_mirror_through_both_doors() {
    for auth in [ConvexAuth::DeployKey(Secret::new(DEPLOY_KEY)), ConvexAuth::SyncAuthKey(Secret::new(SYNC_AUTH_KEY))] {
        let harness = Harness::start(&["t"]);
        harness.configure(json!({ "syncAuthKey": SYNC_AUTH_KEY })).await;
        let settings = Convex { url: harness.url.clone(), auth, functions: "liftlock/sync".to_owned() };
        let open = || ConvexMirror::open(&settings, ProfileName::Production).unwrap();
        keeps_its_promises(&open()).await;
        let digest = digested(&open(), &KeyRange::all()).await.unwrap();
        assert_eq!((digest.live, harness.documents("t").await.len()), (6, 6));
    }
}

/// More documents than any page holds.
#[tokio::test]
async fn pages_of_a_convex_table_are_its_whole() {
    let harness = Harness::start(&["t"]);
    harness.configure(json!({ "writeRate": 1 << 30 })).await;
    let auth = ConvexAuth::DeployKey(Secret::new(DEPLOY_KEY));
    let settings = Convex { url: harness.url.clone(), auth, functions: "liftlock/sync".to_owned() };
    let mirror = ConvexMirror::open(&settings, ProfileName::Production).unwrap();
    let mut all = Digest::default();
    for number in 1..=6 {
        let changes: Vec<Change> = (0..1500).map(|it| put(&format!("{number}-{it:04}"), "x")).collect();
        all = all.with(folded(&changes));
        mirror.write(&batch(number, changes)).await.unwrap();
    }
    assert_eq!(digested(&mirror, &KeyRange::all()).await.unwrap(), all);
    assert_eq!(scan(&mirror, &KeyRange::all()).await.len(), 9000);
    let calls = harness.statistics().await["calls"].clone();
    assert!(calls["liftlock/sync:digest"].as_u64() > Some(1), "{calls}");
}

struct Folder {
    // Removed when dropped.
    _folder: TempDir,
    path: Utf8PathBuf,
}

impl Folder {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let path = Utf8PathBuf::from_path_buf(folder.path().join("mirror")).unwrap();
        Self { _folder: folder, path }
    }

    fn open(&self) -> LocalMirror {
        LocalMirror::open(&self.path).unwrap()
    }

    fn table(&self) -> Utf8PathBuf {
        self.path.join("t")
    }

    /// Contents of the table's files by name.
    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let entries = self.table().read_dir_utf8().unwrap().map(Result::unwrap);
        entries.map(|it| (it.file_name().to_owned(), fs::read(it.path()).unwrap())).collect()
    }

    /// Puts the table's files back as they were.
    fn put_back(&self, files: &BTreeMap<String, Vec<u8>>) {
        fs::remove_dir_all(self.table()).unwrap();
        fs::create_dir(self.table()).unwrap();
        for (name, content) in files {
            fs::write(self.table().join(name), content).unwrap();
        }
    }
}

/// Every document, read as anybody would: all segments by name, which is no order, line by line.
fn documents(folder: &Utf8Path) -> BTreeMap<String, Value> {
    let mut documents = BTreeMap::new();
    let files = folder.read_dir_utf8().unwrap().map(|it| it.unwrap().path().to_owned());
    for file in files.filter(|it| it.extension() == Some("jsonl")) {
        for line in fs::read_to_string(&file).unwrap().lines() {
            let document: Value = serde_json::from_str(line).unwrap();
            let key = document["neon"]["key"].as_str().unwrap().to_owned();
            assert!(documents.insert(key, document).is_none(), "a key stands in two segments");
        }
    }
    documents
}

#[tokio::test]
async fn the_local_mirror_keeps_every_promise_of_a_mirror() {
    let folder = Folder::new();
    keeps_its_promises(&folder.open()).await;
    // And what it was told is still there for the next process.
    let digest = digested(&folder.open(), &KeyRange::all()).await.unwrap();
    assert_eq!((digest.live, documents(&folder.table()).len()), (6, 6));
}

#[tokio::test]
async fn a_document_is_plain_json_with_our_knowledge_in_one_field() {
    let folder = Folder::new();
    let mirror = folder.open();
    mirror.write(&batch(1, vec![put("a", "é\"\u{1}")])).await.unwrap();
    mirror.write(&batch(2, vec![remove("a", Action::MarkDeleted)])).await.unwrap();
    let hash = format!("{:016x}", document_hash("1", "a", "{\"id\":\"a\",\"name\":\"é\\\"\\u0001\"}"));
    let line = fs::read_to_string(folder.table().join("000002.jsonl")).unwrap();
    assert_eq!(
        line,
        format!(
            "{{\"id\":\"a\",\"name\":\"é\\\"\\u0001\",\"neon\":{{\"key\":\"a\",\"hash\":\"{hash}\",\
             \"deletedAt\":\"2026-01-01T00:00:00Z\"}}}}\n"
        )
    );
}

#[tokio::test]
async fn what_the_destination_added_stays_and_what_the_source_dropped_goes() {
    let folder = Folder::new();
    let mirror = folder.open();
    mirror.write(&batch(1, vec![put("a", "x"), put("b", "x")])).await.unwrap();
    drop(mirror);
    let file = folder.table().join("000001.jsonl");
    // The destination puts its own fields first and writes big numbers of its own.
    let edited = fs::read_to_string(&file).unwrap().replace("{\"id\"", "{\"seen\":[1.00,12345678901234567890],\"id\"");
    fs::write(&file, edited).unwrap();

    let mirror = folder.open();
    let digest = digested(&mirror, &KeyRange::all()).await.unwrap();
    assert_eq!(digest, folded(&[put("a", "x"), put("b", "x")]), "fields of others are not our concern");
    assert_eq!(mirror.write(&batch(2, vec![put("a", "y"), put("b", "x")])).await.unwrap().tally, tally(0, 1, 1, 0, 0));
    let line = fs::read_to_string(folder.table().join("000002.jsonl")).unwrap();
    assert!(line.starts_with("{\"id\":\"a\",\"name\":\"y\",\"seen\":[1.00,12345678901234567890],\"neon\":"), "{line}");

    let mapping = Mapping { version: "2".to_owned(), fields: vec!["id".to_owned()] };
    let document = "{\"id\":\"a\"}".to_owned();
    let change = Change {
        key: "a".to_owned(),
        action: Action::Put { hash: document_hash("2", "a", &document), document, size: 10 },
    };
    let dropped = Batch { mapping, unset: vec!["name".to_owned()], ..batch(3, vec![change]) };
    assert_eq!(mirror.write(&dropped).await.unwrap().tally, tally(0, 1, 0, 0, 0));
    let documents = documents(&folder.table());
    assert_eq!((documents["a"].get("name"), documents["a"]["seen"][0].as_f64()), (None, Some(1.0)));
    assert!(documents["b"].get("name").is_some(), "a document that was not sent is not touched");
}

#[tokio::test]
async fn a_crash_leaves_the_old_state_or_the_new_one_and_no_litter() {
    let folder = Folder::new();
    folder.open().write(&batch(1, vec![put("a", "x"), put("b", "x")])).await.unwrap();
    let before = folder.files();
    folder.open().write(&batch(2, vec![put("a", "y"), put("c", "x")])).await.unwrap();
    let after = folder.files();
    let both = |manifest: &BTreeMap<String, Vec<u8>>| {
        let mut files = before.clone();
        files.extend(after.clone());
        files.insert("manifest.json".to_owned(), manifest["manifest.json"].clone());
        files.insert("manifest.json.new".to_owned(), b"{ half a mani".to_vec());
        files.insert("notes.txt".to_owned(), b"somebody's".to_vec());
        files.insert("000099.jsonl".to_owned(), b"{\"half\": \"a li".to_vec());
        files
    };
    for (state, live) in [(&before, 2), (&after, 3)] {
        folder.put_back(&both(state));
        let mirror = folder.open();
        assert_eq!(digested(&mirror, &KeyRange::all()).await.unwrap().live, live);
        let mut expected = state.clone();
        expected.insert("notes.txt".to_owned(), b"somebody's".to_vec());
        assert_eq!(folder.files(), expected);
    }
}

#[tokio::test]
async fn loading_a_table_batch_by_batch_ends_in_few_files_and_touches_each_row_seldom() {
    let folder = Folder::new();
    let mirror = folder.open();
    for number in 1..=300_u64 {
        let rows = (0..20).map(|it| put(&format!("{number:04}-{it:02}"), &"x".repeat(1000)));
        mirror.write(&batch(number, rows.collect())).await.unwrap();
    }
    let files = folder.files();
    let numbers = files.keys().filter_map(|it| it.strip_suffix(".jsonl")).map(|it| it.parse::<u64>().unwrap());
    assert!(files.len() < 40, "{} files", files.len());
    assert!(numbers.max().unwrap() < 400, "300 batches were written into {:?} files", files.keys().last());
    assert_eq!(digested(&mirror, &KeyRange::all()).await.unwrap().live, 6000);

    // A change touches the segments that it is in, and no other.
    mirror.write(&batch(301, vec![put("0150-03", "new")])).await.unwrap();
    let now = folder.files();
    let untouched = files.iter().filter(|(name, content)| now.get(*name) == Some(content)).count();
    assert_eq!(untouched, files.len() - 2, "the manifest and one segment");
    // Nothing to change: no segment is touched at all.
    mirror.write(&batch(302, vec![put("0150-03", "new"), remove("nothing", Action::MarkDeleted)])).await.unwrap();
    let later = folder.files();
    assert_eq!(later.iter().filter(|(name, content)| now.get(*name) == Some(content)).count(), now.len() - 1);
}

#[tokio::test]
async fn a_segment_that_grows_is_cut() {
    let folder = Folder::new();
    let mirror = folder.open();
    mirror.write(&batch(1, vec![put("a", "x"), put("z", "x")])).await.unwrap();
    for number in 2..=9_u64 {
        let rows = (0..20).map(|it| put(&format!("b{it:02}-{number}"), &"x".repeat(60_000)));
        let mut rows: Vec<Change> = rows.collect();
        rows.sort_by(|one, other| one.key.cmp(&other.key));
        mirror.write(&batch(number, rows)).await.unwrap();
    }
    let largest = folder.files().values().map(Vec::len).max().unwrap();
    assert!(largest < 5 * 1024 * 1024, "{largest}");
    assert_eq!(documents(&folder.table()).len(), 162);
    assert_eq!(digested(&mirror, &KeyRange::all()).await.unwrap().live, 162);
}

#[tokio::test]
async fn damage_is_named_with_file_and_line() {
    let folder = Folder::new();
    folder.open().write(&batch(1, vec![put("a", "x"), put("b", "x"), put("c", "x")])).await.unwrap();
    let whole = folder.files();
    let text = String::from_utf8(whole["000001.jsonl"].clone()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    for (damaged, complaint) in [
        (text[..text.len() - 20].to_owned(), "line 3: the line ends too early, after column"),
        (format!("{}\nnot json\n", lines[0]), "line 2: not JSON at column 2"),
        (format!("{}\n{}\n", lines[1], lines[0]), "line 2: `neon.key` is not above the one before"),
        ("{\"id\":\"a\"}\n".to_owned(), "line 1: it has no `neon` with `key` and `hash`"),
        // What lay outside its file's range was counted and could not be removed any more.
        (format!("{text}{}\n", lines[2].replace("\"c\"", "\"d\"")), "line 4: `neon.key` is not between"),
    ] {
        fs::write(folder.table().join("000001.jsonl"), damaged).unwrap();
        let mirror = folder.open();
        let digest = digested(&mirror, &KeyRange::all()).await.unwrap_err();
        assert!(digest.to_string().contains(complaint), "{digest}");
        assert!(digest.to_string().contains("000001.jsonl"), "{digest}");
        let write = mirror.write(&batch(2, vec![put("b", "y")])).await.unwrap_err();
        assert!(write.to_string().contains(complaint), "{write}");
        drop(mirror);
        assert_eq!(folder.files().len(), 2, "nothing is left of the attempt");
    }
    fs::write(folder.table().join("000001.jsonl"), [0xff, b'\n']).unwrap();
    assert!(digested(&folder.open(), &KeyRange::all()).await.unwrap_err().to_string().contains("line 1: not UTF-8"));
    fs::remove_file(folder.table().join("000001.jsonl")).unwrap();
    let missing = digested(&folder.open(), &KeyRange::all()).await.unwrap_err();
    assert!(matches!(missing, MirrorError::Missing { .. }), "{missing}");
    for manifest in ["", "{}", "{\"version\": 99}"] {
        fs::write(folder.table().join("manifest.json"), manifest).unwrap();
        let error = folder.open().table("t").await.unwrap_err();
        assert!(matches!(error, MirrorError::BadManifest { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_line_edited_by_hand_is_seen_as_what_it_is() {
    let folder = Folder::new();
    folder.open().write(&batch(1, vec![put("a", "x"), put("b", "x"), put("c", "x")])).await.unwrap();
    let file = folder.table().join("000001.jsonl");
    let text = fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    // One changed, one removed, no line end at the end, CRLF.
    fs::write(&file, format!("{}\r\n{}", lines[0].replace("\"x\"", "\"edited\""), lines[2])).unwrap();
    let mirror = folder.open();
    let digest = digested(&mirror, &KeyRange::all()).await.unwrap();
    let edited = folded(&[put("a", "edited"), put("c", "x")]);
    assert_eq!(digest, edited, "hashes are of what is there, not of what was written");
    let repair = batch(2, vec![put("a", "x"), put("b", "x"), put("d", "x")]);
    assert_eq!(mirror.write(&repair).await.unwrap().tally, tally(2, 1, 0, 0, 0));
    assert_eq!(documents(&folder.table()).len(), 4);
}

#[tokio::test]
async fn two_writers_never_have_the_folder_at_once() {
    let folder = Folder::new();
    let first = folder.open();
    let second = LocalMirror::open(&folder.path);
    assert!(matches!(second, Err(MirrorError::Busy { .. })), "{second:?}");
    drop(first);
    folder.open();
}

#[tokio::test]
async fn a_mirror_that_cannot_be_written_says_so_and_keeps_what_it_has() {
    let folder = Folder::new();
    let mirror = folder.open();
    mirror.write(&batch(1, vec![put("a", "x")])).await.unwrap();
    // Works for root as well: the next segment's name is taken by a folder.
    fs::create_dir(folder.table().join("000002.jsonl")).unwrap();
    let error = mirror.write(&batch(2, vec![put("b", "x")])).await.unwrap_err();
    assert!(matches!(&error, MirrorError::Inaccessible { action: "write", .. }), "{error}");
    assert!(mirror.table("t").await.unwrap_err().to_string().contains("cannot remove"));
    fs::remove_dir(folder.table().join("000002.jsonl")).unwrap();
    assert_eq!(digested(&mirror, &KeyRange::all()).await.unwrap().live, 1);
    assert_eq!(mirror.write(&batch(2, vec![put("b", "x")])).await.unwrap().tally, tally(1, 0, 0, 0, 0));
    let nowhere = LocalMirror::open(Utf8Path::new("/dev/null/mirror")).unwrap_err();
    assert!(matches!(&nowhere, MirrorError::Inaccessible { action: "create", .. }), "{nowhere}");
}
