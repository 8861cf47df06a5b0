//! What `validate` and `baseline` take: what is judged, and how.

use camino::Utf8PathBuf;
use clap::{Args, Subcommand, ValueEnum};

use super::{Profile, PromotionType};
use crate::config::PostgresMajor;

#[derive(Debug, Args)]
pub struct Validate {
    #[command(flatten)]
    pub judged: Judged,
    /// Judge only what has changed since the merge base with this Git ref, also what is not committed
    #[arg(long, value_name = "REF")]
    pub since: Option<String>,
    /// Where the text of stdin would lie: what comes before it in that folder is its history
    #[arg(long, value_name = "FILE")]
    pub stdin_path: Option<Utf8PathBuf>,
    /// Also say why what looks dangerous is safe
    #[arg(long)]
    pub explain: bool,
    /// Report what the baseline knows, too
    #[arg(long)]
    pub no_baseline: bool,
    /// Write the safe form of statements that have one, in files of their own where needed, and show the difference
    #[arg(long, conflicts_with_all = ["watch", "stdin_path"])]
    pub fix: bool,
    /// Judge again whenever a file changes, until Ctrl-C
    #[arg(long, conflicts_with = "save")]
    pub watch: bool,
    /// From which findings on the answer is no
    #[arg(long, value_enum, value_name = "LEVEL", default_value_t = FailOn::Error)]
    pub fail_on: FailOn,
    /// Also write the report as JSON to this file, also when the command fails
    #[arg(long, value_name = "FILE")]
    pub save: Option<Utf8PathBuf>,
}

/// What is judged, and how.
#[derive(Debug, Default, Args)]
pub struct Judged {
    /// Files or folders to judge, or `-` for stdin [default: the migrations folder]
    pub paths: Vec<Utf8PathBuf>,
    /// Judge with the profile of this environment [default: production]
    #[arg(long, value_name = "ENV")]
    pub to: Option<String>,
    /// Also read the database of `--to`: what it holds, how large it is; judge only what it has not applied
    #[arg(long, requires = "to", conflicts_with = "snapshot")]
    pub live: bool,
    /// The same from a file of `liftlock snapshot`, without a connection
    #[arg(long, value_name = "FILE")]
    pub snapshot: Option<Utf8PathBuf>,
    /// Judge with this profile
    #[arg(long, value_enum, conflicts_with = "to")]
    pub profile: Option<Profile>,
    /// Do not look for liftlock.yml
    #[arg(long)]
    pub no_config: bool,
    /// What kind of promotion the migrations are meant for
    #[arg(long = "type", value_enum, value_name = "TYPE")]
    pub promotion_type: Option<PromotionType>,
    /// PostgreSQL's major version to judge for [default: the configuration's `postgres`, else 17]
    #[arg(long, value_name = "MAJOR", value_parser = major)]
    pub postgres: Option<PostgresMajor>,
    /// The baseline's file [default: .liftlock-baseline.json beside liftlock.yml, else here]
    #[arg(long = "baseline", value_name = "FILE")]
    pub baseline: Option<Utf8PathBuf>,
}

#[derive(Debug, Args)]
pub struct Baseline {
    #[command(subcommand)]
    pub command: BaselineCommand,
}

#[derive(Debug, Subcommand)]
pub enum BaselineCommand {
    /// Record today's findings: `validate` reports only new ones from then on
    #[command(after_help = "Examples:\n  liftlock baseline write\n  liftlock baseline write --to staging\n\n\
                            A promotion does not look at the baseline: what it would apply is new there.")]
    Write(Judged),
}

/// A major version that is typed.
fn major(typed: &str) -> Result<PostgresMajor, String> {
    let (oldest, newest) = (PostgresMajor::OLDEST, PostgresMajor::NEWEST);
    let number = typed.parse().ok().and_then(PostgresMajor::new);
    number.ok_or_else(|| format!("a major version from {oldest} to {newest} is meant"))
}

/// From which findings on the answer is no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    Error,
    Warning,
    /// Findings are told, and stop nothing.
    Never,
}
