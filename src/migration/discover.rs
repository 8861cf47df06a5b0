//! A folder → texts. The only file of this module that touches a disk.

mod failure;
#[cfg(test)]
mod tests;

pub use failure::DiscoverError;

use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    io::Read,
};

use camino::{Utf8Path, Utf8PathBuf};
use rayon::prelude::{IntoParallelRefIterator, ParallelIterator};
use walkdir::{DirEntry, WalkDir};

use super::{
    Beside, MigrationId, SourceFile,
    layout::{
        Asked, Found, Tool,
        detect::{self, Seen},
        downs, select,
    },
    places::{ELSEWHERE, USUAL},
    script,
};
use failure::{not_utf8, unreadable};

/// The largest file that is read, in bytes. The largest hand-written migration that we know of is a tenth.
pub const LARGEST: u64 = 16 * failure::MEGABYTE;

/// The ids of all up migrations of a folder, in order, without reading them.
pub fn ids(root: &Utf8Path) -> Result<Vec<MigrationId>, DiscoverError> {
    if root.symlink_metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
        return Err(DiscoverError::NoFolder { path: root.to_owned() });
    }
    Ok(up_scripts(walk(root, usize::MAX)?.sql).into_iter().map(MigrationId).collect())
}

/// The first of the usual places below a project's folder that is there.
pub fn usual_folder(project: &Utf8Path) -> Option<&'static str> {
    USUAL.into_iter().find(|it| project.join(it).is_dir())
}

/// Folders below a project's that look like its migrations, the likeliest first, with how many they hold: the
/// usual places, then those with most files. What cannot be read is passed over.
pub fn likely_folders(project: &Utf8Path) -> Vec<(Utf8PathBuf, usize)> {
    let of_interest = |entry: &DirEntry| {
        let name = entry.file_name().to_string_lossy();
        is_of_interest(entry)
            && !(entry.file_type().is_dir() && entry.depth() > 0 && ELSEWHERE.contains(&name.as_ref()))
    };
    let mut found: BTreeMap<Utf8PathBuf, Vec<String>> = BTreeMap::new();
    for entry in WalkDir::new(project).max_depth(7).into_iter().filter_entry(of_interest).filter_map(Result::ok) {
        let below = Utf8Path::from_path(entry.path()).and_then(|path| path.strip_prefix(project).ok());
        if let Some(file) = below.filter(|_| entry.file_type().is_file())
            && file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("sql"))
        {
            let home = USUAL.iter().map(Utf8Path::new).find(|usual| file.starts_with(usual));
            let home = home.map_or_else(|| folder_of(file, None), Utf8Path::to_owned);
            found.entry(home).or_default().push(file.to_string());
        }
    }
    let ups = found.into_iter().map(|(folder, ids)| (folder, up_scripts(ids).len())).filter(|(_, ups)| *ups > 0);
    let mut folders: Vec<(Utf8PathBuf, usize)> = ups.collect();
    let rank = |folder: &Utf8Path| USUAL.iter().position(|usual| folder == *usual).unwrap_or(USUAL.len());
    folders.sort_by_key(|(folder, ups)| (rank(folder), usize::MAX - ups));
    folders
}

/// A folder as the tool whose layout it has sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    pub root: Utf8PathBuf,
    pub found: Found,
    /// Its migrations, in order.
    pub files: Vec<SourceFile>,
    /// What lies beside them; nothing for those that are not in it.
    pub beside: HashMap<MigrationId, Beside>,
    /// Other `.sql` files that are no migrations and undo none, by id, and why.
    pub left_out: Vec<(String, &'static str)>,
}

/// All up migrations of a folder, in order, as a promotion applies them.
pub fn folder(root: &Utf8Path) -> Result<Vec<SourceFile>, DiscoverError> {
    Ok(whole(root, Asked::default())?.files)
}

/// A whole folder. Down scripts are not among its migrations, hidden folders and `node_modules` are not entered,
/// symbolic links are followed.
pub fn whole(root: &Utf8Path, asked: Asked) -> Result<Folder, DiscoverError> {
    let folder = readable(root, asked)?;
    let damaged = folder.files.iter().find_map(|it| Some((it, folder.beside.get(&it.id)?.damage?)));
    match damaged {
        Some((file, offset)) => Err(not_utf8(file.path.clone(), file.text.as_bytes(), offset)),
        None => Ok(folder),
    }
}

/// The same, to be judged and not applied: files that are not UTF-8 are among its migrations, with
/// [`Beside::damage`].
pub fn readable(root: &Utf8Path, asked: Asked) -> Result<Folder, DiscoverError> {
    let metadata = std::fs::metadata(root).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => {
            DiscoverError::NoFolder { path: root.to_owned() }
        }
        _ => unreadable(root, source),
    })?;
    if !metadata.is_dir() {
        return Err(DiscoverError::NotAFolder { path: root.to_owned() });
    }
    let folder = surveyed(root, usize::MAX, asked)?;
    if folder.files.is_empty() {
        return Err(DiscoverError::None { path: root.to_owned() });
    }
    Ok(folder)
}

/// The same, but no deeper than `file` lies below `root`, and perhaps nothing: for a file that a person names
/// anywhere on a disk, whose folder may hold much else.
pub fn around(file: &Utf8Path, root: &Utf8Path, asked: Asked) -> Result<Folder, DiscoverError> {
    let in_root = file.parent().is_some_and(|folder| folder == root || folder == "" && root == ".");
    surveyed(root, if in_root { 1 } else { 2 }, asked)
}

/// One text that lies in no folder.
pub fn alone(root: &Utf8Path, file: SourceFile, asked: Asked) -> Folder {
    let text = (file.id.0.as_str(), file.text.as_str());
    let seen = Seen { files: &[text], marks: &[], root: root.as_str(), above: &|_| None };
    let found = detect::found(&seen, asked);
    Folder { root: root.to_owned(), found, files: vec![file], beside: HashMap::new(), left_out: Vec::new() }
}

fn surveyed(root: &Utf8Path, depth: usize, asked: Asked) -> Result<Folder, DiscoverError> {
    let Listing { sql, marks } = walk(root, depth)?;
    let above = |name: &str| above(root, name);
    let is_refinery = asked.tool == Some(Tool::Refinery)
        || sql.iter().any(|id| id.contains("__")) && above("Cargo.toml").is_some_and(|text| text.contains("refinery"));
    let read = {
        let downs = select::downs(&sql, is_refinery);
        // A dump may be larger than any migration; it is read only where it must be one.
        let leaves_out = may_leave_out(asked) && sql.iter().any(|id| script::has_version(id));
        let wanted = sql.iter().filter(|id| !(downs.contains(id) || leaves_out && select::is_dump(id)));
        let wanted = wanted.cloned().collect::<Vec<_>>();
        read_all(root, &wanted)?
    };
    let mut damage: HashMap<MigrationId, usize> =
        read.iter().filter_map(|(file, at)| Some((file.id.clone(), (*at)?))).collect();
    let mut sources = read.into_iter().map(|it| it.0).collect::<Vec<_>>();
    let texts: Vec<(&str, &str)> = sources.iter().map(|it| (it.id.0.as_str(), it.text.as_str())).collect();
    // The folder may be named from inside its project, or through a link.
    let real = root.canonicalize_utf8().unwrap_or_else(|_| root.to_owned());
    let seen = Seen { files: &texts, marks: &marks, root: real.as_str(), above: &above };
    let mut found = detect::found(&seen, asked);
    let journal = marks.iter().find(|mark| mark.ends_with("meta/_journal.json")).and_then(|mark| beside(root, mark));
    let selection = select::select(&mut found, asked, &sql, journal.as_deref());
    if found.layout.tool.refuses_same_version() && !(asked.may_be_any() && found.layout.tool == Tool::Liftlock) {
        refuse_same_version(root, &selection.up)?;
    }
    let mut files = Vec::with_capacity(selection.up.len());
    for id in &selection.up {
        // In the order of the listing, which is that of the bytes.
        files.push(match sources.binary_search_by(|it| it.id.0.cmp(id)) {
            Ok(at) => SourceFile {
                id: MigrationId(id.clone()),
                path: std::mem::take(&mut sources[at].path),
                text: std::mem::take(&mut sources[at].text),
            },
            Err(_) => {
                let (file, at) = read_damaged(root, id.clone())?;
                damage.extend(at.map(|it| (file.id.clone(), it)));
                file
            }
        });
    }
    let down = selection.down.iter().map(|(up, down)| {
        // One that cannot be read is there all the same.
        let count = read_file(root, down.clone()).map_or(1, |file| downs::count(&file.text));
        (MigrationId(up.clone()), Beside { down: Some(count), ..Beside::default() })
    });
    let mut around: HashMap<MigrationId, Beside> = down.collect();
    for mark in &marks {
        if let Some((id, in_transaction)) = said_beside(root, mark) {
            around.entry(id).or_default().in_transaction = Some(in_transaction);
        }
    }
    for (id, at) in damage {
        around.entry(id).or_default().damage = Some(at);
    }
    Ok(Folder { root: root.to_owned(), found, files, beside: around, left_out: selection.left_out })
}

/// Read on all cores and kept on this one: what an allocator gives to a thread it does not give back to another, and
/// what is freed of the texts, one after the other, is room for what is learnt from them.
fn read_all(root: &Utf8Path, ids: &[String]) -> Result<Vec<(SourceFile, Option<usize>)>, DiscoverError> {
    const TOGETHER: usize = 256;
    let mut all = Vec::with_capacity(ids.len());
    for ids in ids.chunks(TOGETHER) {
        let read = ids.par_iter().map(|id| read_damaged(root, id.clone())).collect::<Result<Vec<_>, _>>()?;
        all.extend(read.iter().cloned());
    }
    Ok(all)
}

/// Whether dumps are passed over: not in a folder that liftlock itself applies, all of it.
fn may_leave_out(asked: Asked) -> bool {
    match asked.tool {
        Some(tool) => tool != Tool::Liftlock,
        None => asked.may_be_any(),
    }
}

/// What a file beside a migration says of its transaction.
fn said_beside(root: &Utf8Path, mark: &str) -> Option<(MigrationId, bool)> {
    let (id, key) = match mark.strip_suffix(".conf") {
        Some(id) => (id.to_owned(), "executeInTransaction"),
        None => (format!("{}up.sql", mark.strip_suffix("metadata.toml")?), "run_in_transaction"),
    };
    let text = beside(root, mark)?;
    let values = text.lines().filter_map(|line| line.split_once('='));
    let value = values.filter(|(name, _)| name.trim() == key).map(|(_, value)| value.trim().to_owned()).next_back()?;
    Some((MigrationId(id), value.eq_ignore_ascii_case("true")))
}

/// The text of a small file in the folder; `None` when it cannot be read.
fn beside(root: &Utf8Path, name: &str) -> Option<String> {
    read_file(root, name.to_owned()).ok().map(|file| file.text)
}

/// The text of the nearest file of this name in the folder or above it, no higher than the repository goes.
fn above(root: &Utf8Path, name: &str) -> Option<String> {
    let real = root.canonicalize_utf8().ok()?;
    for folder in real.ancestors().take(8) {
        if folder.join(name).is_file() {
            return beside(folder, name);
        }
        if folder.join(".git").exists() {
            return None;
        }
    }
    None
}

/// One file, whatever it is called.
pub fn file(path: &Utf8Path) -> Result<SourceFile, DiscoverError> {
    let folder = path.parent().unwrap_or(Utf8Path::new(""));
    read_file(folder, path.file_name().unwrap_or_default().to_owned())
}

/// The migrations folder that a file belongs to: `configured` when the file lies in it, else the folder that
/// its layout lies in (`m/0001_x.sql` → `m`, `m/0001_x/up.sql` → `m`).
pub fn folder_of(file: &Utf8Path, configured: Option<&Utf8Path>) -> Utf8PathBuf {
    let real = |path: &Utf8Path| path.canonicalize_utf8().unwrap_or_else(|_| path.to_owned());
    if let Some(configured) = configured
        && real(file).starts_with(real(configured))
    {
        return configured.to_owned();
    }
    let folder = file.parent().unwrap_or(Utf8Path::new(""));
    let fixed_name = matches!(file.file_stem(), Some("up" | "down" | "migration"));
    let folder = if fixed_name { folder.parent().unwrap_or(folder) } else { folder };
    if folder.as_str().is_empty() { Utf8PathBuf::from(".") } else { folder.to_owned() }
}

/// Ids of a folder's files.
struct Listing {
    /// Those of all `.sql` files.
    sql: Vec<String>,
    /// Those of other files that say something of them.
    marks: Vec<String>,
}

/// Whether a file that is no SQL says something.
fn is_mark(name: &str) -> bool {
    matches!(name, "migration_lock.toml" | "_journal.json" | "snapshot.json" | "atlas.sum" | "metadata.toml")
        || name.ends_with(".fizz")
        || name.ends_with(".sql.conf")
}

/// What lies in a folder, at most so many folders deep.
fn walk(root: &Utf8Path, depth: usize) -> Result<Listing, DiscoverError> {
    let mut listing = Listing { sql: Vec::new(), marks: Vec::new() };
    let entries = WalkDir::new(root).follow_links(true).max_depth(depth).into_iter().filter_entry(is_of_interest);
    for entry in entries {
        let entry = entry.map_err(|error| of_walkdir(root, error))?;
        let name = entry.file_name().to_string_lossy();
        let is_sql = script::has_ending(&name, ".sql");
        if entry.file_type().is_dir() || !(is_sql || is_mark(&name)) {
            continue;
        }
        let Some(path) = Utf8Path::from_path(entry.path()) else {
            return Err(DiscoverError::NameNotUtf8 { path: entry.path().to_string_lossy().into_owned() });
        };
        if !entry.file_type().is_file() {
            return Err(DiscoverError::NotAFile { path: path.to_owned() });
        }
        let below = path.strip_prefix(root).expect("walkdir yields only paths below its root");
        let id = below.components().map(|part| part.as_str()).collect::<Vec<_>>().join("/");
        if is_sql { listing.sql.push(id) } else { listing.marks.push(id) }
    }
    // Deeper than a walk around one file goes.
    let journal = "meta/_journal.json";
    if depth == 1 && root.join(journal).is_file() {
        listing.marks.push(journal.to_owned());
    }
    // The file system's order is chance.
    listing.sql.sort();
    listing.marks.sort();
    Ok(listing)
}

fn is_of_interest(entry: &DirEntry) -> bool {
    let name = entry.file_name().to_string_lossy();
    entry.depth() == 0 || !(name.starts_with('.') || (name == "node_modules" && entry.file_type().is_dir()))
}

fn of_walkdir(root: &Utf8Path, error: walkdir::Error) -> DiscoverError {
    let lossy = |path: &std::path::Path| Utf8PathBuf::from(path.to_string_lossy().into_owned());
    let path = error.path().map_or_else(|| root.to_owned(), lossy);
    if let Some(ancestor) = error.loop_ancestor() {
        return DiscoverError::SymlinkLoop { path, ancestor: lossy(ancestor) };
    }
    let source = error.into_io_error().unwrap_or_else(|| std::io::Error::other("the folder could not be walked"));
    unreadable(&path, source)
}

/// Those that go up, in order.
fn up_scripts(ids: Vec<String>) -> Vec<String> {
    let downs = select::downs(&ids, false);
    script::in_order(ids.iter().filter(|id| !downs.contains(id)).cloned().collect(), |_| false)
}

fn refuse_same_version(root: &Utf8Path, ids: &[String]) -> Result<(), DiscoverError> {
    let mut seen: BTreeMap<(String, script::Version), &String> = BTreeMap::new();
    for id in ids {
        let script = script::script(id);
        let Some(version) = script.version.filter(|version| !version.is_day()) else { continue };
        let name_at = id.rfind(script.name.as_str()).unwrap_or(0);
        let place = id[..name_at].to_owned();
        if let Some(first) = seen.get(&(place.clone(), version.clone())) {
            let version = version.to_string();
            return Err(DiscoverError::SameVersion { first: root.join(first), second: root.join(id), version });
        }
        seen.insert((place, version), id);
    }
    Ok(())
}

fn read_file(root: &Utf8Path, id: String) -> Result<SourceFile, DiscoverError> {
    let (path, bytes) = read_bytes(root, &id)?;
    of_bytes(path, MigrationId(id), bytes)
}

/// The same with U+FFFD for what is no character, and where the first of it stands.
fn read_damaged(root: &Utf8Path, id: String) -> Result<(SourceFile, Option<usize>), DiscoverError> {
    let (path, bytes) = read_bytes(root, &id)?;
    let damaged = match String::from_utf8(bytes) {
        Ok(text) => return Ok((SourceFile { path, id: MigrationId(id), text }, None)),
        Err(error) => error,
    };
    let at = damaged.utf8_error().valid_up_to();
    let text = String::from_utf8_lossy(damaged.as_bytes()).into_owned();
    Ok((SourceFile { path, id: MigrationId(id), text }, Some(at)))
}

fn read_bytes(root: &Utf8Path, id: &str) -> Result<(Utf8PathBuf, Vec<u8>), DiscoverError> {
    let path = root.join(id);
    let io = |source| unreadable(&path, source);
    let file = File::open(&path).map_err(io)?;
    let size = file.metadata().map_err(io)?.len();
    if size > LARGEST {
        return Err(DiscoverError::TooLarge { path, size });
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    // The file may have grown since its size was asked for.
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > LARGEST {
        return Err(DiscoverError::TooLarge { size: bytes.len() as u64, path });
    }
    Ok((path, bytes))
}

/// What was read from elsewhere, held to the same limits as a file.
pub fn of_bytes(path: Utf8PathBuf, id: MigrationId, bytes: Vec<u8>) -> Result<SourceFile, DiscoverError> {
    if bytes.len() as u64 > LARGEST {
        return Err(DiscoverError::TooLarge { path, size: bytes.len() as u64 });
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(SourceFile { path, id, text }),
        Err(error) => Err(not_utf8(path, error.as_bytes(), error.utf8_error().valid_up_to())),
    }
}
