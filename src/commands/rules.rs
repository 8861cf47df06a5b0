//! `liftlock rules`.

use super::Shell;
use crate::{cli, error::Error, report::Report};

/// Not filled in yet.
pub async fn rules(_shell: &Shell, _arguments: &cli::Rules) -> Result<Report, Error> {
    Ok(Report::pass("rules"))
}
