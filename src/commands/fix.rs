//! `validate --fix`: writes the safe form of statements that have one, and shows the difference.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fs::{self, Permissions},
    io::Write,
    os::unix::fs::PermissionsExt,
    sync::Arc,
};

use camino::{Utf8Path, Utf8PathBuf};

use super::validate::ValidateError;
use crate::{
    error::Error,
    lint::fixes::{ADDING, amend, written::Companion},
    migration::{
        Beside, MigrationId, SourceFile,
        layout::{Layout, Tool},
    },
    report::{Finding, Fix, Harm, Section, Severity, Validation, difference},
};

/// Migrations of one folder, in order, and which of them are judged.
#[derive(Debug, Clone)]
pub struct Files {
    pub layout: Layout,
    pub root: Utf8PathBuf,
    pub all: Vec<SourceFile>,
    pub judged: HashSet<MigrationId>,
    /// What lies beside them, new files included.
    pub beside: HashMap<MigrationId, Beside>,
    /// New files that are no migrations, by path.
    pub companions: BTreeMap<Utf8PathBuf, String>,
}

/// What becomes of them.
#[derive(Debug)]
pub struct Mended {
    pub files: Files,
    /// New and changed files, as they were and as they are to be.
    pub edits: Vec<Edit>,
    /// Fixes that were not written: where, and why.
    pub left: Vec<String>,
}

/// One file that is written.
#[derive(Debug)]
pub struct Edit {
    pub path: Utf8PathBuf,
    /// `None`: it is new.
    pub before: Option<String>,
    pub after: String,
}

/// More rounds than any folder needs: each mends one finding.
const ROUNDS: usize = 2_000;

/// Mends one finding after the other, each time judging anew: a fix that leaves things no better is not taken.
pub fn mend(files: Files, judge: impl Fn(&Files) -> Validation) -> Mended {
    let original = files.all.clone();
    let mut files = files;
    let mut left = Vec::new();
    let mut refused: BTreeSet<Key> = BTreeSet::new();
    let mut validation = judge(&files);
    for _ in 0..ROUNDS {
        let Some((finding, fix)) = next(&validation, &refused) else { break };
        let why = match amended(&files, &fresh(&original, &files), finding, fix) {
            _ if ADDING.contains(&&*finding.rule) => {
                "its fix adds what no statement asks for: take it in the editor, or from `--format json`".to_owned()
            }
            Ok(amended) => {
                let judged = judge(&amended);
                if failing(&judged) > failing(&validation) {
                    "what it would be replaced by fails when it runs".to_owned()
                } else if standing(&judged) < standing(&validation) {
                    (files, validation) = (amended, judged);
                    continue;
                } else {
                    "what it would be replaced by is judged no better".to_owned()
                }
            }
            Err(why) => why,
        };
        left.push(format!("{}:{}: {} is left to you: {why}", finding.file, finding.line, finding.rule));
        refused.insert(key(finding));
    }
    let beside =
        files.companions.iter().map(|(path, text)| Edit { path: path.clone(), before: None, after: text.clone() });
    Mended { edits: edits(&original, &files.all).into_iter().chain(beside).collect(), files, left }
}

/// File, fingerprint and message.
type Key = (Arc<Utf8Path>, String, String);

fn key(finding: &Finding) -> Key {
    (Arc::clone(&finding.file), finding.fingerprint.clone(), finding.message.clone())
}

fn next<'v>(validation: &'v Validation, refused: &BTreeSet<Key>) -> Option<(&'v Finding, &'v Fix)> {
    let mendable = validation.findings.iter().filter(|it| it.stands() && !refused.contains(&key(it)));
    mendable.filter_map(|it| Some((it, it.fix.as_deref()?))).next()
}

/// What asks for a word of its author's, not for other SQL: a write in batches still writes.
const DECLARED: &str = "update-outside-config-tables";

/// Errors, warnings, notices that stand: fewer of the worse is better. House rules do not count: new files repeat what
/// the header of the first one lacks.
fn standing(validation: &Validation) -> [usize; 3] {
    [Severity::Error, Severity::Warning, Severity::Notice].map(|severity| {
        validation
            .findings
            .iter()
            .filter(|it| it.stands() && it.kind != Harm::Convention && it.rule != DECLARED && it.severity == severity)
            .count()
    })
}

/// Errors that say of a statement that it fails.
fn failing(validation: &Validation) -> usize {
    let fails = |it: &&Finding| it.stands() && it.kind == Harm::Fails && it.severity == Severity::Error;
    validation.findings.iter().filter(fails).count()
}

/// Files that this run has made.
fn fresh(original: &[SourceFile], files: &Files) -> HashSet<MigrationId> {
    let known = original.iter().map(|it| &it.id).collect::<HashSet<_>>();
    files.all.iter().filter(|it| !known.contains(&it.id)).map(|it| it.id.clone()).collect()
}

fn amended(files: &Files, fresh: &HashSet<MigrationId>, finding: &Finding, fix: &Fix) -> Result<Files, String> {
    let at = files.all.iter().position(|it| it.path == *finding.file).ok_or("its file is gone")?;
    let id = &files.all[at].id;
    let beside = files.beside.get(id).copied().unwrap_or_default();
    if beside.damage.is_some() {
        return Err("its file is not UTF-8: save it as UTF-8 first".to_owned());
    }
    let amended = amend::amend(&files.all, id, fresh, (files.layout, beside), fix).map_err(|refused| refused.0)?;
    let mut next = files.clone();
    // What lies in the folder and is no migration is not seen among them.
    let unknown = amended.added.iter().filter(|it| files.all.iter().all(|known| known.id != it.id));
    for path in unknown.map(|it| &it.path) {
        if path.symlink_metadata().is_ok() {
            return Err(format!("`{path}` is there already, and nothing is overwritten: move it away"));
        }
    }
    for Companion { of, id, text, says } in amended.beside {
        let path = files.root.join(id);
        // A run that was killed may have written it.
        let is_written = files.companions.contains_key(&path) || fs::read_to_string(&path).is_ok_and(|it| it == text);
        if path.symlink_metadata().is_ok() && !is_written {
            return Err(format!(
                "`{path}` is there already, and nothing is overwritten: write `{}` into it",
                text.trim()
            ));
        }
        let known = next.beside.entry(of).or_default();
        known.down = known.down.or(says.down);
        known.in_transaction = says.in_transaction.or(known.in_transaction);
        if !is_written {
            next.companions.insert(path, text);
        }
    }
    next.all[at].text = amended.text;
    next.all.retain(|it| !amended.added.iter().any(|added| added.id == it.id));
    next.judged.extend(amended.added.iter().map(|it| it.id.clone()));
    let behind = next.all[at + 1..].iter().take_while(|it| fresh.contains(&it.id)).count();
    next.all.splice(at + 1 + behind..at + 1 + behind, amended.added);
    Ok(next)
}

fn edits(before: &[SourceFile], after: &[SourceFile]) -> Vec<Edit> {
    let was = |file: &SourceFile| before.iter().find(|it| it.id == file.id).map(|it| it.text.clone());
    let edits = after.iter().map(|it| Edit { path: it.path.clone(), before: was(it), after: it.text.clone() });
    edits.filter(|it| it.before.as_deref() != Some(it.after.as_str())).collect()
}

/// What was changed, as `diff -u` shows it, and what was left.
pub fn told(mended: &[Mended]) -> Section {
    let edits = mended.iter().flat_map(|it| &it.edits).collect::<Vec<_>>();
    let left = mended.iter().flat_map(|it| &it.left).cloned().collect::<Vec<_>>();
    let new = edits.iter().filter(|it| it.before.is_none()).count();
    let title = match (edits.len(), new) {
        (0, _) => "Nothing to write: no finding has a fix that can be written by itself".to_owned(),
        (1, 0) => "Wrote 1 file".to_owned(),
        (1, _) => "Wrote 1 file, a new one".to_owned(),
        (all, 0) => format!("Wrote {all} files"),
        (all, new) => format!("Wrote {all} files, {new} of them new"),
    };
    let differences = edits
        .iter()
        .map(|it| difference::unified(it.path.as_str(), it.before.as_deref().unwrap_or_default(), &it.after));
    // Its directory file knows each file by its text.
    let is_stale = mended.iter().any(|it| it.files.layout.tool == Tool::Atlas && !it.edits.is_empty());
    let next = is_stale.then(|| "atlas.sum knows the texts as they were: run `atlas migrate hash`".to_owned());
    let left = (!left.is_empty()).then(|| left.join("\n"));
    let body = differences.chain(left).chain(next).collect::<Vec<_>>().join("\n");
    Section::Text { title, body }
}

/// Writes all edits, new files first: when that is cut short, no statement is lost, and the same command goes on.
/// A file that its owner has made read-only stays as it is, and then nothing is written.
pub fn write(edits: &[Edit]) -> Result<(), Error> {
    for path in edits.iter().filter(|it| it.before.is_some()).map(|it| &it.path) {
        if fs::metadata(path).is_ok_and(|it| it.permissions().readonly()) {
            return Err(ValidateError::FixedReadOnly { path: path.clone() }.into());
        }
    }
    let (new, changed): (Vec<_>, Vec<_>) = edits.iter().partition(|it| it.before.is_none());
    for edit in new.into_iter().chain(changed) {
        let failed = |source| Error::File { action: "write", path: edit.path.to_string(), source };
        put(&edit.path, &edit.after).map_err(failed)?;
    }
    Ok(())
}

/// All of the text or what was there before, whatever happens meanwhile.
fn put(path: &Utf8Path, text: &str) -> std::io::Result<()> {
    // A link stays one: what it leads to is written.
    let real = path.canonicalize_utf8().unwrap_or_else(|_new| path.to_owned());
    let path = real.as_path();
    let folder = path.parent().filter(|it| !it.as_str().is_empty()).unwrap_or(Utf8Path::new("."));
    fs::create_dir_all(folder)?;
    // Those of the file that is there; of a new one what the user's umask leaves.
    let permissions = fs::metadata(path).map_or_else(|_| Permissions::from_mode(0o666), |it| it.permissions());
    let mut file = tempfile::Builder::new().permissions(permissions).tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}
