//! `liftlock completions`.

use crate::{
    cli,
    error::Error,
    report::{Report, Section},
};

/// The completion script of a shell, for stdout.
pub fn completions(arguments: &cli::Completions) -> Result<Report, Error> {
    Ok(Report::pass("completions").with(Section::Raw(cli::completion_script(arguments.shell))))
}
