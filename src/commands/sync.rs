//! `liftlock sync`.

use super::Shell;
use crate::{cli, error::Error, report::Report};

/// Not filled in yet.
pub async fn sync(_shell: &Shell, _arguments: &cli::Sync) -> Result<Report, Error> {
    Ok(Report::pass("sync"))
}
