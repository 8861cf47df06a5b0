//! `--save FILE`: the report as JSON, whatever becomes of the command.
//!
//! The file is written before the command does anything, saying that it did not come to its end, and again when
//! it has. So whoever reads it later neither takes an older report for this one, nor a killed command for none.

use std::future::Future;

use camino::Utf8Path;

use super::Shell;
use crate::{
    cli::Command,
    error::{self, Error, explained},
    exit::Exit,
    report::{ErrorView, Report, Section, json, progress::Event},
    secret::scrub,
};

/// Runs the command, and keeps its report or its error in the file that it names.
///
/// A file that cannot be written stops the command before anything is done. When it cannot be written any more at
/// the end, the command's own answer stands, and stderr says what is missing.
pub async fn saved(
    shell: &Shell,
    command: &Command,
    running: impl Future<Output = Result<Report, Error>>,
) -> Result<Report, Error> {
    let Some((name, path)) = file(command) else { return running.await };
    write(path, &unfinished(name))?;
    let result = running.await;
    let report = match &result {
        Ok(report) => report.clone(),
        Err(error) => failed(name, error),
    };
    if let Err(unsaved) = write(path, &with_shown(shell, report)) {
        let (message, _) = explained(&unsaved);
        shell.observe.event(Event::Notice { message: format!("the report is not saved: {message}") });
    }
    result
}

/// The command's name, and the file that it names.
fn file(command: &Command) -> Option<(&'static str, &Utf8Path)> {
    let (name, path) = match command {
        Command::Validate(arguments) => ("validate", &arguments.save),
        Command::Plan(arguments) => ("plan", &arguments.save),
        Command::Promote(arguments) => ("promote", &arguments.plan.save),
        Command::Sync(arguments) => ("sync", &arguments.save),
        _ => return None,
    };
    Some((name, path.as_deref()?))
}

fn write(path: &Utf8Path, report: &Report) -> Result<(), Error> {
    std::fs::write(path, json::render(report)).map_err(|source| Error::File {
        action: "write",
        path: path.to_string(),
        source,
    })
}

/// What was shown earlier stands before what was said at the end; of the same kind the later one counts.
fn with_shown(shell: &Shell, report: Report) -> Report {
    let mut sections = std::mem::take(&mut *shell.shown.lock().expect("nothing panics while it is locked"));
    sections.extend(report.sections);
    Report { sections, ..report }
}

fn unfinished(command: &'static str) -> Report {
    let exit = if command == "promote" { Exit::Half } else { Exit::Service };
    about(
        command,
        ErrorView {
            code: "report::unfinished".to_owned(),
            message: format!("`liftlock {command}` did not come to its end: it was killed, or is still running"),
            help: Some("run the same command again; it goes on by itself with what was stopped".to_owned()),
            exit: exit as u8,
        },
    )
}

/// An error as a report. Errors hold no secrets; what other people's software says in them is scrubbed again.
fn failed(command: &'static str, error: &Error) -> Report {
    let (message, help) = explained(error);
    about(
        command,
        ErrorView {
            code: error::code(error),
            message: scrub(&message),
            help: help.map(|it| scrub(&it)),
            exit: error.exit() as u8,
        },
    )
}

fn about(command: &'static str, error: ErrorView) -> Report {
    Report::fail(command).with(Section::Error(error))
}

#[cfg(test)]
mod tests {
    use camino::Utf8Path;

    use crate::{
        config::parse,
        error::{Error, explained},
    };

    /// Reports and `doctor` once lost the help of all complaints about a configuration.
    #[test]
    fn an_error_that_gathers_several_is_explained_by_all_of_them() {
        let text = "migrations: m\nenvironments: { live: { database: \"${URL}\" } }\n\
                    audit: { webhook: \"${HOOK}\", secret: \"${KEY}\" }\n";
        let config = parse(Utf8Path::new("liftlock.yml"), text, &|_| None).expect("nothing is demanded yet");
        let error = Error::from(config.promotion("live").map(drop).expect_err("variables are missing"));
        let (message, help) = explained(&error);
        let unset = ["URL", "HOOK", "KEY"].map(|it| format!("the environment variable `{it}` is not set")).join("; ");
        assert!(message.ends_with(&format!(": {unset}")), "{message}");
        let help = help.expect("each has one");
        assert!(
            help.contains("`export URL=…`") && help.contains("; set it") && help.contains("`export HOOK=…`"),
            "{help}"
        );
    }
}
