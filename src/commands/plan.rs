//! `liftlock plan`.

use super::Shell;
use crate::{cli, error::Error, report::Report};

/// Not filled in yet.
pub async fn plan(_shell: &Shell, _arguments: &cli::Plan) -> Result<Report, Error> {
    Ok(Report::pass("plan"))
}
