//! `liftlock completions`.

use crate::{cli, error::Error, report::Report};

/// Not filled in yet.
pub fn completions(_arguments: &cli::Completions) -> Result<Report, Error> {
    Ok(Report::pass("completions"))
}
