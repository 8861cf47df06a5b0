//! Parse, run, exit.

use std::process::ExitCode;

use clap::Parser;
use liftlock::{cli::Cli, commands};

fn main() -> ExitCode {
    commands::main(Cli::parse())
}
