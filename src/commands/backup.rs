//! `liftlock backup`.

use super::Shell;
use crate::{cli, error::Error, report::Report};

/// Not filled in yet.
pub async fn backup(_shell: &Shell, _arguments: &cli::Backup) -> Result<Report, Error> {
    Ok(Report::pass("backup"))
}
