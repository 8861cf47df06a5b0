//! `liftlock convex init`: writes the functions that receive a sync into an app's convex folder.
//!
//! Only files of our own are written: those in `liftlock/` below the folder, each with a line that says so, and a
//! `schema.ts` where there is none. A file that somebody else wrote or changed stays, and everything with it.

use std::{
    fs::{self, Permissions},
    io::{ErrorKind, Write},
    os::unix::fs::PermissionsExt,
};

use camino::{Utf8Path, Utf8PathBuf};
use miette::Diagnostic;
use tempfile::NamedTempFile;
use thiserror::Error as ThisError;

use super::Shell;
use crate::{
    cli,
    config::{Deletes, Verify},
    error::Error,
    exit::Exit,
    report::{Report, Section, difference, progress::Event},
    sync::{
        self, Request, SyncError,
        functions::{self, File, Found, Mirrored},
        plan::Refusal,
    },
};

/// What an app's schema must hold.
const SPREAD: &str = "import { liftlockTables } from \"./liftlock/tables\";\n\n\
                      export default defineSchema({\n  ...liftlockTables,\n  // your tables\n});";

/// Why an app's files were left as they are.
#[derive(Debug, ThisError, Diagnostic)]
pub enum ConvexInitError {
    #[error("these files are not as liftlock wrote them, and stay: {}", files.join(", "))]
    #[diagnostic(
        code(convex::edited),
        help(
            "nothing was written. Move your changes into files of your own (and keep formatters away from the folder), \
             then delete these files and run the same command again"
        )
    )]
    Edited { files: Vec<String> },
    #[error("`{path}` is not a folder")]
    #[diagnostic(code(convex::not_a_folder), help("name the app's convex folder: `liftlock convex init --dir DIR`"))]
    NotAFolder { path: Utf8PathBuf },
    #[error("nothing says which tables are mirrored")]
    #[diagnostic(
        code(convex::no_source),
        help("add `sync.from` to liftlock.yml, or name the tables: `liftlock convex init --table TABLE`")
    )]
    NoSource,
    #[error("there is no table to mirror")]
    #[diagnostic(code(convex::no_tables), help("see with `liftlock sync --plan` which tables are left out, and why"))]
    NoTables,
    #[error("`{one}` and `{other}` would both be table `{table}` in Convex")]
    #[diagnostic(code(convex::one_name), help("rename one of them, or name the tables to mirror in `sync.tables`"))]
    OneName { one: String, other: String, table: String },
    #[error("the database cannot be asked which tables there are")]
    #[diagnostic(
        code(convex::unknown_tables),
        help("make it reachable, or name the tables: in `sync.tables`, or with `liftlock convex init --table TABLE`")
    )]
    UnknownTables { source: Box<Error> },
}

impl ConvexInitError {
    /// The number that the process leaves with.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Edited { .. } | Self::NotAFolder { .. } | Self::NoSource | Self::NoTables | Self::OneName { .. } => {
                Exit::Usage
            }
            Self::UnknownTables { source } => source.exit(),
        }
    }
}

/// What is there of a file that is to be written.
#[derive(Debug, PartialEq, Eq)]
enum State {
    Missing,
    Current,
    /// As an older version wrote it, or for other tables.
    Older(String),
}

/// Writes what is missing, and updates what is ours after showing what would change.
pub async fn init(shell: &Shell, arguments: &cli::ConvexInit) -> Result<Report, Error> {
    let dir = &arguments.dir;
    if dir.exists() && !dir.is_dir() {
        return Err(ConvexInitError::NotAFolder { path: dir.clone() }.into());
    }
    let (tables, refused) = tables(shell, arguments).await?;
    if tables.is_empty() {
        return Err(ConvexInitError::NoTables.into());
    }
    if let Some((one, other)) = functions::collision(&tables) {
        let (one, other, table) = (one.source.clone(), other.source.clone(), one.table.clone());
        return Err(ConvexInitError::OneName { one, other, table }.into());
    }
    let files = functions::files(&tables);
    let states = states(dir, &files)?;
    let older: Vec<(&File, &String)> =
        files.iter().zip(&states).filter_map(|(file, state)| Some((file, older(state)?))).collect();
    if !older.is_empty() && !is_agreed(shell, arguments, &older).await? {
        return Ok(Report::fail("convex init").with(text("Nothing was written", "")));
    }
    for (file, _) in files.iter().zip(&states).filter(|(_, state)| **state != State::Current) {
        write(&dir.join(&file.path), &file.text)?;
    }
    let schema = schema(dir)?;
    let report = if refused.is_empty() {
        Report::pass("convex init")
    } else {
        Report::fail("convex init").with(left_out(&refused))
    };
    Ok(report
        .with(text(&format!("Functions for {} in {dir}/liftlock", counted(&tables)), &told(&files, &states, &tables)))
        .with(text("The app's schema", &schema))
        .then("npx convex deploy", "deploy the app with them; it makes the indexes, too")
        .then("liftlock convex check", "then: whether the deployment has all that a sync needs"))
}

/// What was asked for by name and cannot be mirrored.
fn left_out(refused: &[Refusal]) -> Section {
    let lines: Vec<String> = refused.iter().map(|it| format!("{}: {}; {}", it.table, it.reason, it.hint)).collect();
    text("Not mirrored", &lines.join("\n"))
}

fn text(title: &str, body: &str) -> Section {
    Section::Text { title: title.to_owned(), body: body.to_owned() }
}

fn counted(tables: &[Mirrored]) -> String {
    match tables.len() {
        1 => "1 table".to_owned(),
        many => format!("{many} tables"),
    }
}

fn older(state: &State) -> Option<&String> {
    match state {
        State::Older(text) => Some(text),
        State::Missing | State::Current => None,
    }
}

/// Which tables are mirrored, and which of those that were asked for cannot be. Without a database the names in the
/// configuration are taken as they are, and without names the ones that the app has already.
async fn tables(shell: &Shell, arguments: &cli::ConvexInit) -> Result<(Vec<Mirrored>, Vec<Refusal>), Error> {
    if !arguments.tables.is_empty() {
        return Ok((mirrored(&arguments.tables), Vec::new()));
    }
    let config = shell.config()?;
    let from = config.sync_from.as_deref().ok_or(ConvexInitError::NoSource)?;
    let asked = async {
        let environment = shell.environment(&config, from)?;
        let request = Request {
            environment: environment.name.clone(),
            database: environment.database.clone(),
            tables: config.sync_tables.clone(),
            batch_rows: 1,
            deletes: Deletes::Soft,
            verify: Verify::Digest,
            foreign: sync::Foreign::Refuse,
            patience: sync::PATIENCE,
        };
        sync::plan(&request).await.map_err(Error::from)
    };
    let unreachable = match asked.await {
        Ok(plan) => {
            let names: Vec<String> = plan.tables.into_iter().map(|it| it.name).collect();
            return Ok((mirrored(&names), plan.refused.into_iter().filter(|it| it.is_asked).collect()));
        }
        Err(error) => error,
    };
    let known = match config.sync_tables.is_empty() {
        false => mirrored(&config.sync_tables),
        true => present(&arguments.dir),
    };
    if known.is_empty() || !is_about_the_database(&unreachable) {
        return Err(ConvexInitError::UnknownTables { source: Box::new(unreachable) }.into());
    }
    let place = if config.sync_tables.is_empty() { "the app's files" } else { "`sync.tables`" };
    let message = format!("the database was not asked ({unreachable}): the tables are those of {place}");
    shell.observe.event(Event::Notice { message });
    Ok((known, Vec::new()))
}

/// A database that nobody can reach from here is no reason to stop; a wrong configuration is.
fn is_about_the_database(error: &Error) -> bool {
    matches!(error, Error::Config(_) | Error::Postgres(_) | Error::Sync(SyncError::Connect(_)))
}

fn mirrored(names: &[String]) -> Vec<Mirrored> {
    let mut tables: Vec<Mirrored> =
        names.iter().map(|it| Mirrored::of(it.strip_prefix("public.").unwrap_or(it))).collect();
    tables.sort();
    tables.dedup();
    tables
}

/// The tables of the app's own `liftlock/tables.ts`.
fn present(dir: &Utf8Path) -> Vec<Mirrored> {
    fs::read_to_string(dir.join("liftlock/tables.ts")).map_or_else(|_| Vec::new(), |it| functions::tables_of(&it))
}

/// What is there of each file; an error when one of them is not ours to touch.
fn states(dir: &Utf8Path, files: &[File]) -> Result<Vec<State>, Error> {
    let (mut states, mut edited) = (Vec::new(), Vec::new());
    for file in files {
        let path = dir.join(&file.path);
        let there = match fs::read(&path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).replace("\r\n", "\n"),
            Err(reason) if reason.kind() == ErrorKind::NotFound && path.symlink_metadata().is_err() => {
                states.push(State::Missing);
                continue;
            }
            Err(source) => return Err(Error::File { action: "read", path: path.into_string(), source }),
        };
        match functions::found(&there) {
            _ if there == file.text => states.push(State::Current),
            Found::Ours => states.push(State::Older(there)),
            Found::Edited | Found::Foreign => edited.push(path.into_string()),
        }
    }
    if edited.is_empty() { Ok(states) } else { Err(ConvexInitError::Edited { files: edited }.into()) }
}

/// Shows what would change, and asks.
async fn is_agreed(shell: &Shell, arguments: &cli::ConvexInit, older: &[(&File, &String)]) -> Result<bool, Error> {
    let changes: Vec<String> = older
        .iter()
        .map(|(file, before)| difference::unified(arguments.dir.join(&file.path).as_str(), before, &file.text))
        .collect();
    shell.show(&Report::pass("convex init").with(text("What would change", &changes.join("\n"))))?;
    if arguments.yes {
        return Ok(true);
    }
    shell.confirm("Update these files?").await
}

/// Replaces a file, or makes it: whole or not at all.
fn write(path: &Utf8Path, content: &str) -> Result<(), Error> {
    let failed = |source| Error::File { action: "write", path: path.to_string(), source };
    let folder = path.parent().expect("every file of ours lies in a folder");
    fs::create_dir_all(folder).map_err(failed)?;
    let mut scratch = NamedTempFile::new_in(folder).map_err(failed)?;
    scratch.write_all(content.as_bytes()).map_err(failed)?;
    // Scratch files are for their owner only; sources are not.
    scratch.as_file().set_permissions(Permissions::from_mode(0o644)).map_err(failed)?;
    scratch.persist(path).map_err(|it| failed(it.error))?;
    Ok(())
}

/// Writes a schema where there is none, and says what an app's own must hold.
fn schema(dir: &Utf8Path) -> Result<String, Error> {
    for name in ["schema.ts", "schema.js"] {
        let path = dir.join(name);
        if path.symlink_metadata().is_err() {
            continue;
        }
        let has_tables = fs::read_to_string(&path).is_ok_and(|it| it.contains("liftlockTables"));
        return Ok(match has_tables {
            true => format!("{path} has them already, and stays as it is."),
            false => format!("{path} is yours and stays as it is. Add these lines:\n\n{SPREAD}"),
        });
    }
    let path = dir.join("schema.ts");
    write(&path, functions::SCHEMA)?;
    Ok(format!("Wrote {path}, which was not there. It is yours from here on."))
}

fn told(files: &[File], states: &[State], tables: &[Mirrored]) -> String {
    let mut lines = Vec::new();
    for (what, wanted) in [("written", State::Missing), ("unchanged", State::Current)] {
        let names = names(files, states, |it| *it == wanted);
        lines.extend((!names.is_empty()).then(|| format!("{what}: {names}")));
    }
    let updated = names(files, states, |it| older(it).is_some());
    lines.extend((!updated.is_empty()).then(|| format!("updated: {updated}")));
    lines.push(format!("mirrored: {}", tables.iter().map(shown).collect::<Vec<_>>().join(", ")));
    lines.push("These files are not to be edited: `liftlock convex init` updates them.".to_owned());
    lines.push(
        "With `sync_auth_key`, set LIFTLOCK_SYNC_AUTH_KEY in the deployment's environment; a deploy key needs nothing."
            .to_owned(),
    );
    lines.join("\n")
}

fn names(files: &[File], states: &[State], is_meant: impl Fn(&State) -> bool) -> String {
    let meant = files.iter().zip(states).filter(|(_, state)| is_meant(state));
    meant.map(|(file, _)| file.path.trim_start_matches("liftlock/")).collect::<Vec<_>>().join(", ")
}

fn shown(it: &Mirrored) -> String {
    if it.table == it.source { it.table.clone() } else { format!("{} (as {})", it.source, it.table) }
}
