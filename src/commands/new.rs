//! `liftlock new`.

use std::{
    fs::{self, OpenOptions},
    io::Write,
};

use camino::{Utf8Path, Utf8PathBuf};
use jiff::tz::TimeZone;
use miette::Diagnostic;
use thiserror::Error as ThisError;

use super::Shell;
use crate::{
    cli,
    config::Config,
    error::Error,
    exit::Exit,
    migration::{
        MigrationId,
        discover::{self, DiscoverError},
        layout::{Layout, Tool},
        template::{self, TemplateFile, Wanted},
    },
    report::{Report, Section},
};

/// Why no migration was made.
#[derive(Debug, ThisError, Diagnostic)]
pub enum NewError {
    #[error("`{name}` cannot be a migration's name: {why}")]
    #[diagnostic(code(new::bad_name))]
    BadName {
        name: String,
        why: &'static str,
        #[help]
        help: String,
    },
    #[error("Drizzle runs only what its journal lists, and writes that itself")]
    #[diagnostic(code(new::journal))]
    Journal {
        #[help]
        help: String,
    },
    #[error("`{path}` is there already, and stays as it is")]
    #[diagnostic(code(new::exists), help("wait a second and try again, or choose another name"))]
    Exists { path: Utf8PathBuf },
}

impl NewError {
    /// The number that the process leaves with.
    pub fn exit(&self) -> Exit {
        match self {
            Self::BadName { .. } | Self::Journal { .. } | Self::Exists { .. } => Exit::Usage,
        }
    }
}

/// Makes a migration, or the several that its kind needs, from the template.
pub async fn new(shell: &Shell, arguments: &cli::New) -> Result<Report, Error> {
    let name = template::snake_name(&arguments.name).map_err(|bad| NewError::BadName {
        name: arguments.name.chars().filter(|character| !character.is_control()).take(100).collect(),
        why: bad.why,
        help: bad.help,
    })?;
    let config = shell.config()?;
    let (layout, existing) = existing(&config)?;
    if layout.tool == Tool::Drizzle {
        let help =
            format!("`npx drizzle-kit generate --custom --name={name}` makes an empty one: write the statements there");
        return Err(NewError::Journal { help }.into());
    }
    let files = template::files(&Wanted {
        name: &name,
        kind: arguments.kind.into(),
        now: shell.now().to_zoned(TimeZone::UTC).datetime(),
        existing: &existing,
        layout,
        config_table: config.config_tables.first().map(String::as_str),
    });
    let paths = write(&config.migrations, &files)?;
    let mut body = paths.iter().zip(&files).map(|(path, file)| said(path, file)).collect::<Vec<_>>().join("\n");
    if arguments.kind == cli::Kind::Config && config.config_tables.is_empty() {
        body.push_str("\n  and list its table under `config_tables:` in liftlock.yml: none is there yet");
    }
    let title = match paths.as_slice() {
        [_] => "Wrote a migration".to_owned(),
        several => format!("Wrote {} migrations, to be applied in this order", several.len()),
    };
    let judge = match paths.as_slice() {
        [path] => format!("liftlock validate {path}"),
        _ => "liftlock validate".to_owned(),
    };
    Ok(Report::pass("new")
        .with(Section::Text { title, body })
        .then(judge, "judge what is there, once the statements are yours"))
}

fn said(path: &Utf8Path, file: &TemplateFile) -> String {
    if file.fill_in.is_empty() {
        return path.to_string();
    }
    format!("{path}\n  put your own in the place of {}", file.fill_in.join(", "))
}

/// Whose layout the folder has and what is there; nothing when there is no folder yet.
fn existing(config: &Config) -> Result<(Layout, Vec<MigrationId>), DiscoverError> {
    let none = || (config.layout.tool.map(Layout::of).unwrap_or_default(), Vec::new());
    if config.migrations.symlink_metadata().is_err() {
        return Ok(none());
    }
    let ids = discover::ids(&config.migrations)?;
    match discover::whole(&config.migrations, config.layout) {
        Ok(folder) => Ok((folder.found.layout, ids)),
        Err(DiscoverError::None { .. }) => Ok(none()),
        // A folder with a bad file in it can still get another one.
        Err(_) => Ok((none().0, ids)),
    }
}

/// Writes all files or none, and never over one that is there.
fn write(folder: &Utf8Path, files: &[TemplateFile]) -> Result<Vec<Utf8PathBuf>, Error> {
    let failed = |action, path: &Utf8Path, source| Error::File { action, path: path.to_string(), source };
    fs::create_dir_all(folder).map_err(|source| failed("make the folder", folder, source))?;
    let mut written: Vec<Utf8PathBuf> = Vec::new();
    for file in files {
        let path = folder.join(&file.name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|source| failed("make the folder", parent, source))?;
        }
        let opened = OpenOptions::new().write(true).create_new(true).open(&path);
        let outcome = match opened {
            Ok(mut opened) => {
                written.push(path.clone());
                opened.write_all(file.text.as_bytes()).map_err(|source| failed("write", &path, source))
            }
            Err(source) if source.kind() == std::io::ErrorKind::AlreadyExists => {
                Err(NewError::Exists { path: path.clone() }.into())
            }
            Err(source) => Err(failed("write", &path, source)),
        };
        if let Err(error) = outcome {
            // Only files that this call has made; a half-written one helps nobody.
            written.iter().for_each(|path| drop(fs::remove_file(path)));
            return Err(error);
        }
    }
    Ok(written)
}
