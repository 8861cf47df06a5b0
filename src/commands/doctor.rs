//! `liftlock doctor`.

use super::Shell;
use crate::{error::Error, report::Report};

/// Not filled in yet.
pub async fn doctor(_shell: &Shell) -> Result<Report, Error> {
    Ok(Report::pass("doctor"))
}
