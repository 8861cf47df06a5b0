//! What can be typed: commands, options, their help and their environment variables.

mod emergency;
mod judged;

pub use self::{
    emergency::Emergency,
    judged::{Baseline, BaselineCommand, FailOn, Judged, Validate},
};

use camino::Utf8PathBuf;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

/// Carries SQL migrations to production Postgres and on to the mirror, and proves each step.
#[derive(Debug, Parser)]
#[command(
    name = "liftlock",
    version,
    propagate_version = true,
    max_term_width = 100,
    after_help = "New here? `liftlock demo` runs the whole way on a throw-away Postgres.\n\
                  Exit codes: 0 done, 1 the answer is no, 2 arguments or configuration are wrong,\n\
                  3 a service failed and nothing was changed, 4 stopped half-way: run it again."
)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// The completion script for a shell.
pub fn completion_script(shell: clap_complete::Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "liftlock", &mut script);
    String::from_utf8(script).expect("clap_complete writes text")
}

/// Options that every command takes.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Configuration file [default: liftlock.yml here or in a folder above]
    #[arg(long, global = true, value_name = "FILE", env = "LIFTLOCK_CONFIG")]
    pub config: Option<Utf8PathBuf>,
    /// No colours (also: NO_COLOR=1)
    #[arg(long, global = true)]
    pub no_color: bool,
    /// Output for people or programs; `validate` and `report` also for code scanning, GitHub, GitLab
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For a terminal
    Text,
    /// For programs: one object
    Json,
    /// For comments and tickets
    Markdown,
    /// For code scanning: SARIF 2.1.0
    Sarif,
    /// For a job's log on GitHub: annotations, and the job summary
    Github,
    /// For a merge request on GitLab: Code Quality
    Gitlab,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write liftlock.yml, with comments, for the project in this folder; with --github the workflows, too
    #[command(
        after_help = "Examples:\n  liftlock init\n  liftlock init --migrations db/migrations\n  liftlock init --github"
    )]
    Init(Init),
    /// Make a new migration from the template
    #[command(
        after_help = "Examples:\n  liftlock new add_pole_owner --kind column\n  liftlock new index_drops_by_pole --kind index"
    )]
    New(New),
    /// Judge migrations: what loses data, stops traffic, fails or breaks the running application
    #[command(
        after_help = "Examples:\n  liftlock validate\n  liftlock validate db/migrations/20260101120000_add_x_safe.sql\n  \
                            liftlock validate --no-config --profile production path/to/migrations\n  liftlock validate --format json --save report.json\n  \
                            liftlock validate --since origin/main --format github\n  \
                            liftlock validate - --stdin-path db/migrations/0042_x.sql < draft.sql\n  liftlock validate --watch"
    )]
    Validate(Validate),
    /// Findings of old: what `validate` knows and does not report
    #[command(after_help = "Example:\n  liftlock baseline write")]
    Baseline(Baseline),
    /// Write down what a database holds: schema, sizes, writes, open transactions; no rows, no secrets
    #[command(
        after_help = "Examples:\n  liftlock snapshot --env prod > catalog.json\n  liftlock validate --snapshot catalog.json\n\n\
                            Reads only, and needs no privilege but to connect; `pg_read_all_stats` shows other roles' transactions."
    )]
    Snapshot(Env),
    /// What is applied, pending, changed or unknown in an environment
    #[command(after_help = "Example:\n  liftlock status --to prod")]
    Status(To),
    /// What `promote` would do, gate by gate and step by step; changes nothing
    #[command(after_help = "Example:\n  liftlock plan --to prod")]
    Plan(Plan),
    /// Carry the pending migrations to an environment: restore point, apply, audit, sync, verify
    #[command(
        after_help = "Examples:\n  liftlock promote --to staging --yes\n  liftlock promote --to prod --type hotfix\n  \
                            liftlock promote --to prod --emergency --incident INC-123 --reason orders-fail-until-this-index-is-valid\n\n\
                            Killed half-way? Run the same command again: it resumes by itself."
    )]
    Promote(Promote),
    /// Restore points: list, create, verify, restore
    #[command(after_help = "Examples:\n  liftlock backup list --env prod\n  liftlock backup restore NAME --env prod")]
    Backup(Backup),
    /// Audit events: list them, verify their hash chain, deliver what is still waiting
    #[command(after_help = "Examples:\n  liftlock audit verify --env prod\n  liftlock audit flush --env prod")]
    Audit(Audit),
    /// Carry tables to the mirror, only what changed; a killed run continues where it stopped
    #[command(
        after_help = "Examples:\n  liftlock sync\n  liftlock sync --table sow_poles --table sow_drops\n  liftlock sync --plan"
    )]
    Sync(Sync),
    /// Carry a saved report to GitHub: annotations, job summary, comment, SARIF; leaves with its answer
    #[command(
        after_help = "Examples:\n  liftlock report report.json\n  liftlock report report.json --annotations --summary --comment\n  \
                            liftlock report report.json --sarif liftlock.sarif\n\n\
                            It leaves with the number that the report itself stands for, whatever becomes of the reporting:\n\
                            0 yes, 1 no, or 2, 3, 4 as the command that failed. 2 also when FILE is no report."
    )]
    Report(Report),
    /// The Convex mirror: write the functions that receive a sync into an app, and check a deployment
    #[command(
        after_help = "Examples:\n  liftlock convex init\n  liftlock convex check\n  liftlock convex init --dir apps/web/convex --yes"
    )]
    Convex(Convex),
    /// Check configuration, connections and privileges; every complaint has its fix
    #[command(after_help = "Examples:\n  liftlock doctor\n  liftlock doctor --format json")]
    Doctor,
    /// The rules; or one rule with its reasons and examples
    #[command(
        after_help = "Examples:\n  liftlock rules\n  liftlock rules index-without-concurrently\n  liftlock rules --format json\n  liftlock rules --pages docs/rules"
    )]
    Rules(Rules),
    /// The language server for editors, on stdin and stdout: findings while typing, reasons, quick fixes
    #[command(
        after_help = "Example:\n  liftlock lsp\n\nAn editor starts it for files of type sql, with no arguments but this one."
    )]
    Lsp,
    /// The whole way on a throw-away Postgres: see it work before you trust it
    #[command(after_help = "Examples:\n  liftlock demo\n  liftlock demo --keep")]
    Demo(Demo),
    /// About the configuration file
    #[command(after_help = "Example:\n  liftlock config schema > liftlock.schema.json")]
    Config(ConfigCommand),
    /// Print a completion script for a shell
    #[command(after_help = "Example:\n  liftlock completions bash > /etc/bash_completion.d/liftlock")]
    Completions(Completions),
}

#[derive(Debug, Args)]
pub struct Init {
    /// The migrations folder [default: found by looking]
    #[arg(long, value_name = "DIR")]
    pub migrations: Option<Utf8PathBuf>,
    /// Also write the three GitHub workflows: validate, migrate, promote; liftlock.yml may be there already
    #[arg(long)]
    pub github: bool,
    /// Whose workflows those call, with the full commit id [default: the commit of this liftlock]
    #[arg(long, value_name = "OWNER/REPOSITORY@COMMIT", requires = "github")]
    pub action: Option<String>,
}

#[derive(Debug, Args)]
pub struct New {
    /// What it does, in words: add_pole_owner
    pub name: String,
    /// Which statement skeleton to start from
    #[arg(long, value_enum, default_value_t = Kind::Empty)]
    pub kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// create table
    Table,
    /// add column
    Column,
    /// create index concurrently
    Index,
    /// A check or foreign key: two migrations, the second looks at the rows that are there
    Constraint,
    /// `not null` on a column that is there: three migrations, none of them stops traffic
    NotNull,
    /// Rows of `config_tables`
    Config,
    /// Changes to rows
    Data,
    /// Only the header
    Empty,
}

impl From<Kind> for crate::migration::template::Kind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Table => Self::Table,
            Kind::Column => Self::Column,
            Kind::Index => Self::Index,
            Kind::Constraint => Self::Constraint,
            Kind::NotNull => Self::NotNull,
            Kind::Config => Self::Config,
            Kind::Data => Self::Data,
            Kind::Empty => Self::Empty,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    Dev,
    Staging,
    Production,
}

impl From<Profile> for crate::config::ProfileName {
    fn from(profile: Profile) -> Self {
        match profile {
            Profile::Dev => Self::Dev,
            Profile::Staging => Self::Staging,
            Profile::Production => Self::Production,
        }
    }
}

impl From<PromotionType> for crate::config::PromotionType {
    fn from(kind: PromotionType) -> Self {
        match kind {
            PromotionType::SchemaSafe => Self::SchemaSafe,
            PromotionType::ConfigOnly => Self::ConfigOnly,
            PromotionType::DataMigration => Self::DataMigration,
            PromotionType::Hotfix => Self::Hotfix,
        }
    }
}

/// What a promotion may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum PromotionType {
    /// Schema changes without unbounded INSERT, UPDATE, DELETE
    SchemaSafe,
    /// Only INSERT and UPDATE of the configuration's `config_tables`
    ConfigOnly,
    /// INSERT, UPDATE, DELETE; no schema changes
    DataMigration,
    /// Waives what the profile marks as waivable; never restore point, audit or journal
    Hotfix,
}

#[derive(Debug, Args)]
pub struct To {
    /// Environment (prod and stage are understood)
    #[arg(long = "to", value_name = "ENV")]
    pub environment: String,
}

#[derive(Debug, Args)]
pub struct Plan {
    #[command(flatten)]
    pub to: To,
    /// What the promotion may do
    #[arg(long = "type", value_enum, value_name = "TYPE", default_value_t = PromotionType::SchemaSafe)]
    pub promotion_type: PromotionType,
    /// Also write the report as JSON to this file, also when the command fails
    #[arg(long, value_name = "FILE")]
    pub save: Option<Utf8PathBuf>,
    #[command(flatten)]
    pub emergency: Emergency,
}

#[derive(Debug, Args)]
pub struct Promote {
    #[command(flatten)]
    pub plan: Plan,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    /// Give the unfinished promotion up, and stop: what it has applied stays
    #[arg(long)]
    pub abandon: bool,
}

#[derive(Debug, Args)]
pub struct Env {
    /// Environment (prod and stage are understood)
    #[arg(long = "env", value_name = "ENV")]
    pub environment: String,
}

#[derive(Debug, Args)]
pub struct Backup {
    #[command(subcommand)]
    pub command: BackupCommand,
}

#[derive(Debug, Subcommand)]
pub enum BackupCommand {
    /// Restore points that exist
    #[command(after_help = "Example:\n  liftlock backup list --env prod")]
    List(Env),
    /// Make one now
    #[command(after_help = "Example:\n  liftlock backup create --env prod")]
    Create(Env),
    /// Compare one with what was recorded when it was made
    #[command(after_help = "Examples:\n  liftlock backup verify --env prod\n  liftlock backup verify NAME --env prod")]
    Verify {
        /// Name, as `backup list` shows it [default: the newest]
        name: Option<String>,
        #[command(flatten)]
        env: Env,
    },
    /// Delete one; nothing that liftlock did not make
    #[command(
        after_help = "Examples:\n  liftlock backup delete NAME --env prod\n  liftlock backup delete NAME --env prod --yes"
    )]
    Delete {
        /// Name, as `backup list` shows it
        name: String,
        #[command(flatten)]
        env: Env,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Put an environment back to a restore point; what it holds now is kept under another name
    #[command(
        after_help = "Examples:\n  liftlock backup restore NAME --env staging\n  liftlock backup restore NAME --env staging --yes"
    )]
    Restore {
        /// Name, as `backup list` shows it
        name: String,
        #[command(flatten)]
        env: Env,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
pub struct Convex {
    #[command(subcommand)]
    pub command: ConvexCommand,
}

#[derive(Debug, Subcommand)]
pub enum ConvexCommand {
    /// Write the functions and tables that receive a sync into the app's convex folder, or update them
    #[command(after_help = "Examples:\n  liftlock convex init\n  liftlock convex init --dir apps/web/convex --yes\n  \
                            liftlock convex init --table sow_poles --table sow_drops\n\n\
                            Writes only files of its own, in convex/liftlock, and a schema.ts where there is none.")]
    Init(ConvexInit),
    /// Try the deployment out: key, permissions, functions, tables, indexes; writes nothing
    #[command(after_help = "Example:\n  liftlock convex check")]
    Check,
}

#[derive(Debug, Args)]
pub struct ConvexInit {
    /// The app's convex folder
    #[arg(long, value_name = "DIR", default_value = "convex")]
    pub dir: Utf8PathBuf,
    /// Mirror this table, as in `sync.tables` [default: what `liftlock sync` would carry]
    #[arg(long = "table", value_name = "TABLE")]
    pub tables: Vec<String>,
    /// Do not ask before files of an older version are updated
    #[arg(long)]
    pub yes: bool,
}

#[derive(Debug, Args)]
pub struct Audit {
    #[command(subcommand)]
    pub command: AuditCommand,
}

#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Events, oldest first
    #[command(after_help = "Example:\n  liftlock audit list --env prod")]
    List(Env),
    /// Walk the hash chain
    #[command(after_help = "Example:\n  liftlock audit verify --env prod")]
    Verify(Env),
    /// Deliver what is still waiting
    #[command(after_help = "Example:\n  liftlock audit flush --env prod")]
    Flush(Env),
}

#[derive(Debug, Args)]
pub struct Sync {
    /// Only this table; may be given several times
    #[arg(long = "table", value_name = "TABLE")]
    pub tables: Vec<String>,
    /// Say what would be done, and stop
    #[arg(long)]
    pub plan: bool,
    /// Let the mirror follow this database though it holds another one
    #[arg(long)]
    pub adopt: bool,
    /// Also write the report as JSON to this file, also when the command fails
    #[arg(long, value_name = "FILE")]
    pub save: Option<Utf8PathBuf>,
}

#[derive(Debug, Args)]
pub struct Report {
    /// The report, as `validate`, `plan`, `promote` or `sync` saved it with `--save`
    pub file: Utf8PathBuf,
    /// Print annotations for the job's log, worst first: 10 errors, 10 warnings, 10 notices at most
    #[arg(long)]
    pub annotations: bool,
    /// Write the report to the job's summary (GITHUB_STEP_SUMMARY), to stdout where there is none
    #[arg(long)]
    pub summary: bool,
    /// Keep one comment on the pull request up to date; needs GITHUB_TOKEN and `pull-requests: write`
    #[arg(long)]
    pub comment: bool,
    /// Write the findings to this file as SARIF 2.1.0
    #[arg(long, value_name = "FILE")]
    pub sarif: Option<Utf8PathBuf>,
    /// Write conclusion, counts, plan digest and more to the step's outputs (GITHUB_OUTPUT)
    #[arg(long)]
    pub outputs: bool,
    /// From which findings on the answer is no; all other reasons for a no always count
    #[arg(long, value_enum, value_name = "LEVEL", default_value_t = FailOn::Error)]
    pub fail_on: FailOn,
}

#[derive(Debug, Args)]
pub struct Rules {
    /// One rule's name
    pub name: Option<String>,
    /// Write a page about each rule, in Markdown, to this folder
    #[arg(long, value_name = "DIR")]
    pub pages: Option<Utf8PathBuf>,
}

#[derive(Debug, Args)]
pub struct Demo {
    /// Leave the database running for exploring, until Ctrl-C
    #[arg(long)]
    pub keep: bool,
}

#[derive(Debug, Args)]
pub struct ConfigCommand {
    #[command(subcommand)]
    pub command: ConfigSubcommand,
}

#[derive(Debug, Args)]
pub struct Completions {
    /// Which shell
    pub shell: clap_complete::Shell,
}

#[derive(Debug, Subcommand)]
pub enum ConfigSubcommand {
    /// JSON Schema of liftlock.yml, for editors
    #[command(after_help = "Example:\n  liftlock config schema > liftlock.schema.json")]
    Schema,
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::Cli;

    /// Every command below this one has examples, and each of them can be typed.
    fn check(command: &clap::Command) {
        for command in command.get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.starts_with("Example"), "`{}` has no examples", command.get_name());
            for example in help.lines().filter(|line| line.starts_with("  ")) {
                let typed = example.split(['>', '<']).next().unwrap_or_default().split_whitespace();
                assert!(Cli::try_parse_from(typed).is_ok(), "{example}");
            }
            check(command);
        }
    }

    #[test]
    fn every_command_has_examples_that_can_be_typed() {
        check(&Cli::command());
    }
}
