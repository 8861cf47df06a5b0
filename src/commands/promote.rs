//! `liftlock promote`.

use super::Shell;
use crate::{cli, error::Error, report::Report};

/// Not filled in yet.
pub async fn promote(_shell: &Shell, _arguments: &cli::Promote) -> Result<Report, Error> {
    Ok(Report::pass("promote"))
}
