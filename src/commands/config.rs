//! `liftlock config`.

use super::Shell;
use crate::{
    cli,
    config::schema,
    error::Error,
    report::{Report, Section},
};

/// `config schema`: the JSON Schema of `liftlock.yml`, for stdout.
pub async fn config(_shell: &Shell, arguments: &cli::ConfigCommand) -> Result<Report, Error> {
    match arguments.command {
        cli::ConfigSubcommand::Schema => {
            Ok(Report::pass("config schema").with(Section::Raw(format!("{:#}\n", schema()))))
        }
    }
}
