//! `liftlock new`.

use super::Shell;
use crate::{cli, error::Error, report::Report};

/// Not filled in yet.
pub async fn new(_shell: &Shell, _arguments: &cli::New) -> Result<Report, Error> {
    Ok(Report::pass("new"))
}
