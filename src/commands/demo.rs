//! `liftlock demo`.

use super::Shell;
use crate::{cli, error::Error, report::Report};

/// Not filled in yet.
pub async fn demo(_shell: &Shell, _arguments: &cli::Demo) -> Result<Report, Error> {
    Ok(Report::pass("demo"))
}
