//! `liftlock convex`.

pub mod check;
pub mod init;

use super::Shell;
use crate::{
    cli::{self, ConvexCommand},
    error::Error,
    report::Report,
};

/// About the Convex mirror.
pub async fn convex(shell: &Shell, arguments: &cli::Convex) -> Result<Report, Error> {
    match &arguments.command {
        ConvexCommand::Check => check::check(shell).await,
        ConvexCommand::Init(arguments) => init::init(shell, arguments).await,
    }
}
