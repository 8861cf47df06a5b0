//! One open document, judged as the file that it is, after the history of its folder.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use camino::{Utf8Path, Utf8PathBuf};
use url::Url;

use crate::{
    catalog::{Catalog, Release},
    cli,
    commands::{
        Shell, baseline,
        validate::{
            Files, asked, request, stdin,
            watch::{self, Seen},
        },
    },
    config::{self, Config},
    error::{Error, explained},
    lint::{self, Request},
    migration::{
        self, Beside, Migration, MigrationId, SourceFile, discover,
        layout::{
            Layout,
            downs::{Custom, Down},
        },
        script::{self, Direction},
    },
    report::{Explanation, Finding},
};

/// What was found in a document.
#[derive(Debug, Default)]
pub struct Judged {
    /// The text that was judged.
    pub text: String,
    pub findings: Vec<Finding>,
    pub explanations: Vec<Explanation>,
    /// All files of its folder, in order, this one with an older text, and which of them it is.
    pub files: Arc<Vec<SourceFile>>,
    pub id: Option<MigrationId>,
    /// Whose files they are, where they lie, and what lies beside this one.
    pub layout: Layout,
    pub root: Utf8PathBuf,
    pub beside: Beside,
    /// Why nothing could be judged, and what to do.
    pub trouble: Option<String>,
}

impl Judged {
    pub fn trouble(what: &str) -> Self {
        Self { trouble: Some(what.to_owned()), ..Self::default() }
    }
}

/// What of a folder does not change while one document is typed: its files, read and replayed up to it.
pub struct Prepared {
    key: Key,
    /// Those of the migrations that are judged with it, without its text.
    config: Option<Config>,
    root: Utf8PathBuf,
    /// As the document names itself.
    path: Utf8PathBuf,
    id: MigrationId,
    files: Arc<Vec<SourceFile>>,
    seen: Files,
    layout: Layout,
    beside: Beside,
    custom: Custom,
    /// What everything before it has built.
    catalog: Catalog,
}

/// When a folder has to be read again.
#[derive(Debug, PartialEq)]
struct Key {
    /// Files on the disk: sizes and times.
    disk: Seen,
    /// Texts of other open documents of the folder.
    open: Vec<(Utf8PathBuf, String)>,
}

/// Never fails: what is in the way is told where it is read. `known` keeps what need not be read again.
pub fn judge(
    shell: &Shell,
    uri: &str,
    texts: &BTreeMap<String, String>,
    known: &mut BTreeMap<String, Prepared>,
) -> Judged {
    let text = texts.get(uri).cloned().unwrap_or_default();
    let judged = match judged(shell, uri, &text, texts, known) {
        Ok(judged) => judged,
        Err(error) => {
            known.remove(uri);
            let (message, help) = explained(&error);
            Judged::trouble(&[Some(message), help].into_iter().flatten().collect::<Vec<_>>().join("\n"))
        }
    };
    Judged { text, ..judged }
}

fn judged(
    shell: &Shell,
    uri: &str,
    text: &str,
    texts: &BTreeMap<String, String>,
    known: &mut BTreeMap<String, Prepared>,
) -> Result<Judged, Error> {
    let Some(path) = path(uri) else { return Ok(Judged::default()) };
    let old = known.remove(uri).filter(|it| it.key == key(settings(shell, &path), &path, &it.root, texts));
    let prepared = match old {
        Some(prepared) => prepared,
        None => match prepared(shell, &path, text, texts)? {
            Some(prepared) => prepared,
            None => return Ok(Judged::default()),
        },
    };
    let judged = prepared.judge(text);
    known.insert(uri.to_owned(), prepared);
    judged
}

/// What says how a document is judged, as it lies on the disk.
fn settings(shell: &Shell, path: &Utf8Path) -> Seen {
    let baselines = path.ancestors().skip(1).map(|it| it.join(baseline::FILE_NAME));
    let mut disk = Seen::new();
    config_path(shell, path).into_iter().chain(baselines).for_each(|it| watch::note(&mut disk, &it));
    disk
}

fn key(settings: Seen, path: &Utf8Path, root: &Utf8Path, texts: &BTreeMap<String, String>) -> Key {
    let mut disk = settings;
    watch::walk(&mut disk, root, watch::DEPTH);
    // What is saved is what is typed, most often.
    disk.remove(path);
    let others = texts.iter().filter_map(|(uri, text)| Some((self::path(uri)?, text.clone())));
    let open = others.filter(|(other, _)| other != path && other.starts_with(root)).collect();
    Key { disk, open }
}

/// Reads and replays a folder up to the document; `None` when it is no migration.
fn prepared(
    shell: &Shell,
    path: &Utf8Path,
    text: &str,
    texts: &BTreeMap<String, String>,
) -> Result<Option<Prepared>, Error> {
    // Looked at before it is read: what is written in between is seen by the next look.
    let settings = settings(shell, path);
    let config = config_path(shell, path).map(|it| shell.config_at(&it)).transpose()?;
    let configured = config.as_ref().map(|it| it.migrations.as_path());
    let (root, id) = stdin::place(path, configured);
    let outside = configured.is_some_and(|it| *it != root);
    // Seeds, queries, what undoes a migration: nobody promotes those.
    if outside || script::script(&id.0).direction != Direction::Up {
        return Ok(None);
    }
    let key = key(settings, path, &root, texts);
    let mut folder = stdin::folder_with(path, configured, asked(config.as_ref()), text.as_bytes().to_vec())?;
    for (other, text) in &key.open {
        let (its_root, id) = stdin::place(other, configured);
        if its_root == root && folder.files.iter().any(|it| it.id == id) {
            stdin::put(&mut folder.files, SourceFile { path: other.clone(), id, text: text.clone() });
        }
    }
    let (files, seen) = (Arc::new(folder.files.clone()), Files::of(std::slice::from_ref(&folder)));
    let at = files.iter().position(|it| it.id == id).unwrap_or(files.len());
    folder.files.truncate(at);
    let layout = folder.seen.found.layout;
    let beside = folder.seen.beside.get(&id).copied().unwrap_or_default();
    let history = discover::Folder { files: folder.files, ..folder.seen }.read().collect::<Vec<_>>();
    let there = history.iter().filter(|it| matches!(it.down, Down::There(_))).count();
    let custom = Custom::of(there, history.len());
    let catalog = lint::replayed(history.iter());
    let path = path.to_owned();
    Ok(Some(Prepared { key, config, root, path, id, files, seen, layout, beside, custom, catalog }))
}

impl Prepared {
    fn judge(&self, text: &str) -> Result<Judged, Error> {
        let file = SourceFile { path: self.path.clone(), id: self.id.clone(), text: text.to_owned() };
        let migration = migration::read_in(file, self.layout, self.beside);
        let migration = Migration { down: self.custom.hold(migration.down), ..migration };
        let arguments = cli::Judged::default();
        let config = self.config.as_ref();
        let request = Request { found: Some(&self.catalog), ..request(config, &arguments)? };
        let mut validation = lint::lint_in_order([(Release::Judged, Cow::Owned(migration))], &request);
        baseline::apply(&mut validation, &self.seen, &baseline::path(&arguments, config), &request)?;
        validation.findings.retain(|it| *it.file == self.path && it.stands());
        let root = self.path.as_str().strip_suffix(self.id.0.as_str()).map_or(self.root.clone(), Utf8PathBuf::from);
        Ok(Judged {
            findings: validation.findings,
            explanations: validation.explanations,
            files: Arc::clone(&self.files),
            id: Some(self.id.clone()),
            layout: self.layout,
            root,
            beside: self.beside,
            ..Judged::default()
        })
    }
}

/// `None` for what is no file: a new buffer, a version of the repository.
fn path(uri: &str) -> Option<Utf8PathBuf> {
    let url = Url::parse(uri).ok().filter(|it| it.scheme() == "file")?;
    Utf8PathBuf::from_path_buf(url.to_file_path().ok()?).ok()
}

fn config_path(shell: &Shell, file: &Utf8Path) -> Option<Utf8PathBuf> {
    let near = || file.ancestors().skip(1).map(|it| it.join(config::FILE_NAME)).find(|it| it.is_file());
    shell.global.config.clone().or_else(near)
}
