//! `liftlock baseline`: today's findings become known, so that `validate` reports only new ones.
//!
//! Promotions do not look at it: a baseline is for what was applied long ago, and what a promotion applies is new.

use std::{collections::BTreeSet, fmt::Write};

use camino::{Utf8Path, Utf8PathBuf};

use super::{
    Shell,
    report::surroundings::real,
    validate::{self, Files, Scope, ValidateError},
};
use crate::{
    cli::{self, BaselineCommand},
    config::Config,
    error::Error,
    lint::{
        self, Request,
        baseline::{self, Baseline, Seen},
        rules,
    },
    report::{Finding, Report, Section, Validation, place::Places},
};

/// The file's name.
pub const FILE_NAME: &str = ".liftlock-baseline.json";

/// Writes what is found today.
pub async fn baseline(shell: &Shell, arguments: &cli::Baseline) -> Result<Report, Error> {
    let BaselineCommand::Write(arguments) = &arguments.command;
    if arguments.paths.iter().any(|it| it == "-") {
        return Err(ValidateError::RecordedStdin.into());
    }
    let answer = validate::judge(shell, arguments, &Scope { records: true, ..Scope::default() }).await?;
    let path = path(arguments, answer.config.as_ref());
    let old = read(&path)?;
    let names = Names::beside(&path);
    let new = old
        .clone()
        .unwrap_or_default()
        .renewed(&answer.validation.findings, &names.seen(&answer.files), &|it| names.of(&it.file));
    let written = new.written();
    if old.is_none() && new.known.is_empty() {
        let body = "nothing is found, so there is nothing to record".to_owned();
        return Ok(Report::pass("baseline write").with(Section::Text { title: "Baseline".to_owned(), body }));
    }
    std::fs::write(&path, written).map_err(|source| Error::File { action: "write", path: path.to_string(), source })?;
    let gone = old.iter().flat_map(|it| it.known.keys()).filter(|it| !new.known.contains_key(it)).count();
    let count: usize = new.known.values().sum();
    let mut body = format!("`{path}` knows {count} {}", if count == 1 { "finding" } else { "findings" });
    if gone > 0 {
        let entries = if gone == 1 { "entry" } else { "entries" };
        let _ = write!(body, "; {gone} {entries} of before went, because nothing like it is found any more");
    }
    let report = Report::pass("baseline write").with(Section::Text { title: "Baseline".to_owned(), body });
    Ok(report.then(again(arguments, answer.config.is_some()), "reports only what is new from now on; commit the file"))
}

/// The call that judges the same files with this baseline.
fn again(arguments: &cli::Judged, configured: bool) -> String {
    let mut call = vec!["liftlock validate".to_owned()];
    if let Some(path) = &arguments.baseline {
        call.push(format!("--baseline {}", in_shell(path)));
    }
    if arguments.no_config {
        call.push("--no-config".to_owned());
    }
    if !configured {
        call.extend(arguments.paths.iter().map(|it| in_shell(it)));
    }
    call.join(" ")
}

/// A path as a shell takes it for one word.
fn in_shell(path: &Utf8Path) -> String {
    let plain = |it: char| it.is_ascii_alphanumeric() || "/._-+@%:".contains(it);
    let text = path.as_str();
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// Where the baseline is: named, or beside the configuration, or here.
pub fn path(arguments: &cli::Judged, config: Option<&Config>) -> Utf8PathBuf {
    let beside = || match config.map(|it| it.root.as_path()) {
        Some(root) if root != "." => root.join(FILE_NAME),
        Some(_) | None => Utf8PathBuf::from(FILE_NAME),
    };
    arguments.baseline.clone().unwrap_or_else(beside)
}

/// What marks findings that are known, for `--fix`: what the baseline knows was applied long ago, and stays as it is.
pub(super) fn marks<'f>(files: &'f Files, path: &Utf8Path) -> Result<impl Fn(&mut Validation) + use<'f>, Error> {
    let (baseline, names) = (read(path)?, Names::beside(path));
    Ok(move |validation: &mut Validation| {
        if let Some(baseline) = &baseline {
            baseline.mark(validation, &names.seen(files), &|it: &Finding| names.of(&it.file));
        }
    })
}

/// A baseline that is named and is not there would let everything count, or nothing.
pub(super) fn named(arguments: &cli::Judged) -> Result<(), Error> {
    let Some(path) = &arguments.baseline else { return Ok(()) };
    let failed = |source| Error::File { action: "read", path: path.to_string(), source };
    std::fs::metadata(path).map(drop).map_err(failed)
}

/// Marks what is known, where there is a baseline.
pub(super) fn apply(
    validation: &mut Validation,
    files: &Files,
    path: &Utf8Path,
    request: &Request,
) -> Result<(), Error> {
    let Some(baseline) = read(path)? else { return Ok(()) };
    let names = Names::beside(path);
    let folder = path.parent().unwrap_or(Utf8Path::new(""));
    let missing = baseline.files().into_iter().filter(|it| !folder.join(it).exists()).map(str::to_owned).collect();
    let seen = Seen { gone: missing, ..names.seen(files) };
    let gone = baseline.mark(validation, &seen, &|it: &Finding| names.of(&it.file));
    let severity = lint::severity(rules::STALE_BASELINE, request.profile, request.levels);
    if let Some(stale) = baseline::stale(path, &gone, severity) {
        validation.findings.push(stale);
        // Its first line is shown.
        validation.sources.push((path.to_owned(), "{\n".to_owned()));
    }
    Ok(())
}

/// `None`: there is none.
fn read(path: &Utf8Path) -> Result<Option<Baseline>, Error> {
    let text = match std::fs::read_to_string(path) {
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        text => text.map_err(|source| Error::File { action: "read", path: path.to_string(), source })?,
    };
    let refused = |source| ValidateError::Baseline { path: path.to_owned(), source };
    Ok(Some(Baseline::read(&text).map_err(refused)?))
}

/// Files as the baseline names them: from its own folder on.
struct Names(Places);

impl Names {
    fn beside(path: &Utf8Path) -> Self {
        let folder = path.parent().filter(|it| !it.as_str().is_empty()).unwrap_or(Utf8Path::new("."));
        Self(Places { here: real(Utf8Path::new(".")), root: real(folder) })
    }

    fn of(&self, file: &Utf8Path) -> String {
        self.0.shown(file)
    }

    fn seen(&self, files: &Files) -> Seen {
        Seen {
            all: files.all.iter().map(|it| self.of(it)).collect(),
            judged: files.judged.iter().map(|it| self.of(it)).collect(),
            gone: BTreeSet::new(),
        }
    }
}
