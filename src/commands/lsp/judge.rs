//! One open document, judged as the file that it is, after the history of its folder.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use url::Url;

use crate::{
    cli,
    commands::{
        Shell, baseline,
        validate::{Files, asked, request, stdin},
    },
    config::{self, Config},
    error::{Error, explained},
    migration::{
        Beside, MigrationId, SourceFile,
        layout::Layout,
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
    /// All files of its folder as they were judged, in order, and which of them it is.
    pub files: Vec<SourceFile>,
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

/// Never fails: what is in the way is told where it is read.
pub fn judge(shell: &Shell, uri: &str, texts: &BTreeMap<String, String>) -> Judged {
    let text = texts.get(uri).cloned().unwrap_or_default();
    let judged = match judged(shell, uri, &text, texts) {
        Ok(judged) => judged,
        Err(error) => {
            let (message, help) = explained(&error);
            Judged::trouble(&[Some(message), help].into_iter().flatten().collect::<Vec<_>>().join("\n"))
        }
    };
    Judged { text, ..judged }
}

fn judged(shell: &Shell, uri: &str, text: &str, texts: &BTreeMap<String, String>) -> Result<Judged, Error> {
    let Some(path) = path(uri) else { return Ok(Judged::default()) };
    let config = configuration(shell, &path)?;
    let configured = config.as_ref().map(|it| it.migrations.as_path());
    let (root, id) = stdin::place(&path, configured);
    let outside = configured.is_some_and(|it| *it != root);
    // Seeds, queries, what undoes a migration: nobody promotes those.
    if outside || script::script(&id.0).direction != Direction::Up {
        return Ok(Judged::default());
    }
    let mut folder = stdin::folder_with(&path, configured, asked(config.as_ref()), text.as_bytes().to_vec())?;
    for (uri, text) in texts {
        if let Some(other) = self::path(uri).filter(|it| *it != path) {
            let (its_root, id) = stdin::place(&other, configured);
            if its_root == root && folder.files.iter().any(|it| it.id == id) {
                stdin::put(&mut folder.files, SourceFile { path: other, id, text: text.clone() });
            }
        }
    }
    let arguments = cli::Judged::default();
    let (files, seen) = (folder.files.clone(), Files::of(std::slice::from_ref(&folder)));
    let layout = folder.seen.found.layout;
    let beside = folder.seen.beside.get(&id).copied().unwrap_or_default();
    let root = path.as_str().strip_suffix(id.0.as_str()).map_or(root, Utf8PathBuf::from);
    let request = request(config.as_ref(), &arguments)?;
    let mut validation = folder.judge(&request);
    baseline::apply(&mut validation, &seen, &baseline::path(&arguments, config.as_ref()), &request)?;
    validation.findings.retain(|it| it.file == path && it.stands());
    let (findings, explanations) = (validation.findings, validation.explanations);
    Ok(Judged { findings, explanations, files, id: Some(id), layout, root, beside, ..Judged::default() })
}

/// `None` for what is no file: a new buffer, a version of the repository.
fn path(uri: &str) -> Option<Utf8PathBuf> {
    let url = Url::parse(uri).ok().filter(|it| it.scheme() == "file")?;
    Utf8PathBuf::from_path_buf(url.to_file_path().ok()?).ok()
}

fn configuration(shell: &Shell, file: &Utf8Path) -> Result<Option<Config>, Error> {
    let near = || file.ancestors().skip(1).map(|it| it.join(config::FILE_NAME)).find(|it| it.is_file());
    match shell.global.config.clone().or_else(near) {
        Some(path) => shell.config_at(&path).map(Some),
        None => Ok(None),
    }
}
