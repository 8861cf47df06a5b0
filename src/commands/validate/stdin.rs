//! `liftlock validate -`: the text of stdin, judged as the file that it would be.

use camino::{Utf8Path, Utf8PathBuf};
use tokio::io::AsyncReadExt;

use super::{Folder, ValidateError, real, within};
use crate::{
    cli,
    config::{self, FILE_NAME},
    error::Error,
    migration::{
        MigrationId, SourceFile,
        discover::{self, DiscoverError, LARGEST},
        layout::Asked,
    },
};

/// Whether stdin is to be judged.
pub fn wanted(arguments: &cli::Judged, stdin_path: Option<&Utf8Path>) -> Result<bool, ValidateError> {
    let named = arguments.paths.iter().any(|it| it == "-");
    match (named, arguments.paths.len()) {
        (false, _) if stdin_path.is_some() => Err(ValidateError::NoStdin),
        (true, 2..) => Err(ValidateError::StdinAlone),
        (named, _) => Ok(named),
    }
}

/// The nearest configuration from the file's folder upwards, named from here where it lies below.
pub fn config_near(file: &Utf8Path) -> Option<Utf8PathBuf> {
    let here = Utf8Path::new(".").canonicalize_utf8().ok()?;
    let file = here.join(file);
    let folder = file.ancestors().skip(1).find(|it| it.join(FILE_NAME).is_file())?;
    let path = folder.join(FILE_NAME);
    match path.strip_prefix(&here) {
        Ok(below) => Some(below.to_owned()),
        Err(_) if here.starts_with(folder) => config::find(Utf8Path::new(".")),
        Err(_) => Some(path),
    }
}

/// The folder that the file would lie in, with the text of stdin in it as the one that is judged. Without a path
/// it has no history.
pub async fn folder(path: Option<&Utf8Path>, configured: Option<&Utf8Path>, asked: Asked) -> Result<Folder, Error> {
    let shown = path.unwrap_or(Utf8Path::new("stdin"));
    let mut bytes = Vec::new();
    let reading = tokio::io::stdin().take(LARGEST + 1).read_to_end(&mut bytes).await;
    reading.map_err(|source| Error::File { action: "read", path: "stdin".to_owned(), source })?;
    let Some(path) = path else {
        // It has no name that a rule could judge.
        let id = MigrationId("stdin_safe.sql".to_owned());
        let file = discover::of_bytes(shown.to_owned(), id, bytes)?;
        let judged = [file.id.clone()].into();
        return Ok(Folder::of(discover::alone(Utf8Path::new("."), file, asked), judged));
    };
    folder_with(path, configured, asked, bytes)
}

/// The folder that a file lies in, with this text in its place as the one that is judged.
pub fn folder_with(
    path: &Utf8Path,
    configured: Option<&Utf8Path>,
    asked: Asked,
    bytes: Vec<u8>,
) -> Result<Folder, Error> {
    let (root, id) = place(path, configured);
    let file = discover::of_bytes(path.to_owned(), id, bytes)?;
    let judged = [file.id.clone()].into();
    let seen = if !root.is_dir() {
        discover::alone(&root, file.clone(), asked)
    } else if within(&root, configured) {
        match discover::readable(&root, asked) {
            Err(DiscoverError::None { .. }) => discover::alone(&root, file.clone(), asked),
            seen => seen?,
        }
    } else {
        discover::around(path, &root, asked)?
    };
    let mut folder = Folder::of(seen, judged);
    put(&mut folder.files, file);
    Ok(folder)
}

/// The migrations folder that a file belongs to, and its id there, also when it does not exist yet.
pub fn place(path: &Utf8Path, configured: Option<&Utf8Path>) -> (Utf8PathBuf, MigrationId) {
    let parent = path.parent().filter(|it| !it.as_str().is_empty()).unwrap_or(Utf8Path::new("."));
    let full = real(parent).join(path.file_name().unwrap_or_default());
    let root = configured.filter(|it| full.starts_with(real(it))).map(Utf8Path::to_owned);
    let root = root.unwrap_or_else(|| discover::folder_of(path, None));
    let below = full.strip_prefix(real(&root)).unwrap_or(path);
    let id = below.components().map(|it| it.as_str()).collect::<Vec<_>>().join("/");
    (root, MigrationId(id))
}

/// In the place of the file of its id, else where its id belongs.
pub fn put(files: &mut Vec<SourceFile>, file: SourceFile) {
    match files.iter_mut().find(|it| it.id == file.id) {
        Some(old) => *old = file,
        None => {
            let at = files.iter().position(|it| it.id > file.id).unwrap_or(files.len());
            files.insert(at, file);
        }
    }
}
