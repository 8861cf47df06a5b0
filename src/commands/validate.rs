//! `liftlock validate`.

use super::Shell;
use crate::{cli, error::Error, report::Report};

/// Not filled in yet.
pub async fn validate(_shell: &Shell, _arguments: &cli::Validate) -> Result<Report, Error> {
    Ok(Report::pass("validate"))
}
