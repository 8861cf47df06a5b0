//! `liftlock config`.

use super::Shell;
use crate::{cli, error::Error, report::Report};

/// Not filled in yet.
pub async fn config(_shell: &Shell, _arguments: &cli::ConfigCommand) -> Result<Report, Error> {
    Ok(Report::pass("config"))
}
