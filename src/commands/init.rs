//! `liftlock init`.

use super::Shell;
use crate::{cli, error::Error, report::Report};

/// Not filled in yet.
pub async fn init(_shell: &Shell, _arguments: &cli::Init) -> Result<Report, Error> {
    Ok(Report::pass("init"))
}
