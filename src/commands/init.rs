//! `liftlock init`.

use std::{fs::OpenOptions, io::Write};

use camino::{Utf8Path, Utf8PathBuf};
use miette::Diagnostic;
use thiserror::Error as ThisError;

use super::Shell;
use crate::{
    cli, config,
    error::Error,
    exit::Exit,
    migration::discover,
    report::{Report, Section},
};

/// Why no configuration was written.
#[derive(Debug, ThisError, Diagnostic)]
pub enum InitError {
    #[error("`{path}` is there already, and stays as it is")]
    #[diagnostic(
        code(init::exists),
        help("edit it, or check it with `liftlock doctor`; for another one name it: `liftlock init --config FILE`")
    )]
    Exists { path: Utf8PathBuf },
    #[error("`{path}` is a file")]
    #[diagnostic(code(init::not_a_folder), help("name the folder that the migrations lie in"))]
    NotAFolder { path: Utf8PathBuf },
}

impl InitError {
    /// The number that the process leaves with.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Exists { .. } | Self::NotAFolder { .. } => Exit::Usage,
        }
    }
}

/// Writes `liftlock.yml` for the project in this folder; never over one that is there.
pub async fn init(shell: &Shell, arguments: &cli::Init) -> Result<Report, Error> {
    let path = shell.global.config.clone().unwrap_or_else(|| config::FILE_NAME.into());
    let root = path.parent().filter(|parent| !parent.as_str().is_empty()).unwrap_or(Utf8Path::new("."));
    if path.symlink_metadata().is_ok() {
        return Err(InitError::Exists { path }.into());
    }
    let found = match &arguments.migrations {
        Some(named) if named.is_file() => return Err(InitError::NotAFolder { path: named.clone() }.into()),
        Some(named) => vec![(below(root, named), discover::ids(named).map_or(0, |ids| ids.len()))],
        None => discover::likely_folders(root),
    };
    let (migrations, count) = found.first().cloned().unwrap_or_else(|| ("db/migrations".into(), 0));
    let file = |source| Error::File { action: "write", path: path.to_string(), source };
    let mut written = OpenOptions::new().write(true).create_new(true).open(&path).map_err(file)?;
    written.write_all(config::starter(&migrations).as_bytes()).map_err(file)?;

    let report = Report::pass("init").with(Section::Text {
        title: format!("Wrote {path}"),
        body: said(&migrations, count, found.get(1..).unwrap_or_default()),
    });
    Ok(match count {
        0 => report.then("liftlock new create_something --kind table", "make a first migration"),
        _ => report.then("liftlock validate", "judge the migrations that are there; needs no database"),
    }
    .then("liftlock doctor", "check the variables, the connections and the privileges")
    .then("liftlock demo", "see the whole way on a throw-away Postgres"))
}

fn said(migrations: &Utf8Path, count: usize, others: &[(Utf8PathBuf, usize)]) -> String {
    let mut body = match count {
        0 => format!("`migrations: {migrations}`: nothing is there yet; `liftlock new` makes the folder.\n"),
        1 => format!("`migrations: {migrations}`: 1 migration is there.\n"),
        many => format!("`migrations: {migrations}`: {many} migrations are there.\n"),
    };
    if !others.is_empty() {
        let others: Vec<String> = others.iter().take(5).map(|(folder, count)| format!("{folder} ({count})")).collect();
        body.push_str(&format!(
            "SQL files lie elsewhere, too: {}. Correct the line if one is meant.\n",
            others.join(", ")
        ));
    }
    body.push_str(
        "Passwords stay out of the file: it names the variables that hold them, such as DATABASE_URL_PROD. Remove \
         the environments that you do not have.",
    );
    body
}

/// A folder as the configuration writes it: from its own folder on.
fn below(root: &Utf8Path, folder: &Utf8Path) -> Utf8PathBuf {
    if root == "." || folder.is_absolute() {
        return folder.to_owned();
    }
    match folder.strip_prefix(root) {
        Ok(below) => below.to_owned(),
        Err(_) => camino::absolute_utf8(folder).unwrap_or_else(|_| folder.to_owned()),
    }
}
