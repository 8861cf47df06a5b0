//! Whose folder this is, and how that tool applies what lies in it.
//!
//! A layout is found by what the tool itself leaves in the folder ([`detect`]). It decides which files are migrations
//! and in which order they run ([`select`]), and how their statements are sent ([`parts`]). Other runners' promises
//! are those of their documentation and sources; where a version matters the newest counts.

pub mod detect;
pub mod downs;
pub mod marker;
pub mod parts;
pub mod select;

use schemars::JsonSchema;
use serde::Deserialize;

/// A tool that applies migrations written in SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Tool {
    Atlas,
    Dbmate,
    Diesel,
    Drizzle,
    Flyway,
    GolangMigrate,
    Goose,
    GraphileMigrate,
    // Numbered files, nothing of another tool beside them.
    #[default]
    Liftlock,
    Liquibase,
    NodePgMigrate,
    Pop,
    Postgrator,
    Prisma,
    Refinery,
    SqlMigrate,
    Sqlx,
    Supabase,
}

impl Tool {
    pub const ALL: [Self; 18] = [
        Self::Atlas,
        Self::Dbmate,
        Self::Diesel,
        Self::Drizzle,
        Self::Flyway,
        Self::GolangMigrate,
        Self::Goose,
        Self::GraphileMigrate,
        Self::Liftlock,
        Self::Liquibase,
        Self::NodePgMigrate,
        Self::Pop,
        Self::Postgrator,
        Self::Prisma,
        Self::Refinery,
        Self::SqlMigrate,
        Self::Sqlx,
        Self::Supabase,
    ];

    /// As the configuration names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Atlas => "atlas",
            Self::Dbmate => "dbmate",
            Self::Diesel => "diesel",
            Self::Drizzle => "drizzle",
            Self::Flyway => "flyway",
            Self::GolangMigrate => "golang-migrate",
            Self::Goose => "goose",
            Self::GraphileMigrate => "graphile-migrate",
            Self::Liftlock => "liftlock",
            Self::Liquibase => "liquibase",
            Self::NodePgMigrate => "node-pg-migrate",
            Self::Pop => "pop",
            Self::Postgrator => "postgrator",
            Self::Prisma => "prisma",
            Self::Refinery => "refinery",
            Self::SqlMigrate => "sql-migrate",
            Self::Sqlx => "sqlx",
            Self::Supabase => "supabase",
        }
    }

    /// As people write it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Atlas => "Atlas",
            Self::Diesel => "Diesel",
            Self::Drizzle => "Drizzle",
            Self::Flyway => "Flyway",
            Self::GraphileMigrate => "Graphile Migrate",
            Self::Liftlock => "numbered files",
            Self::Liquibase => "Liquibase",
            Self::Prisma => "Prisma",
            Self::Supabase => "Supabase",
            Self::Dbmate
            | Self::GolangMigrate
            | Self::Goose
            | Self::NodePgMigrate
            | Self::Pop
            | Self::Postgrator
            | Self::Refinery
            | Self::SqlMigrate
            | Self::Sqlx => self.name(),
        }
    }

    /// What the tool does when nobody tells it otherwise.
    pub fn transactions(self) -> Transactions {
        match self {
            Self::Liftlock | Self::Flyway | Self::Supabase => Transactions::Automatic,
            Self::Atlas
            | Self::Dbmate
            | Self::Diesel
            | Self::Goose
            | Self::GraphileMigrate
            | Self::Liquibase
            | Self::Pop
            | Self::Refinery
            | Self::SqlMigrate
            | Self::Sqlx => Transactions::File,
            Self::GolangMigrate | Self::Postgrator | Self::Prisma => Transactions::Query,
            Self::Drizzle | Self::NodePgMigrate => Transactions::Batch,
        }
    }

    /// How a file leaves the tool's transaction; `None` when it cannot, or needs not.
    pub fn way_out(self) -> Option<&'static str> {
        Some(match self {
            Self::Atlas => "`-- atlas:txmode none` on top",
            Self::Dbmate => "`-- migrate:up transaction:false`, and one statement in the file",
            Self::Diesel => {
                "`run_in_transaction = false` in a `metadata.toml` beside it, and one statement in the file"
            }
            Self::Goose => "`-- +goose NO TRANSACTION` on top",
            Self::GraphileMigrate => "`--! no-transaction` on top, and one statement in the file",
            Self::Liquibase => "`runInTransaction:false` on its changeset",
            Self::Refinery => "`-- +refinery NO TRANSACTION` on top, and one statement in the file",
            Self::SqlMigrate => "`-- +migrate Up notransaction`",
            Self::Sqlx => "`-- no-transaction` as its first line, and one statement in the file",
            Self::GolangMigrate | Self::Postgrator | Self::Prisma => "a file with this one statement",
            Self::Flyway => "a migration with such statements alone",
            Self::Drizzle | Self::Liftlock | Self::NodePgMigrate | Self::Pop | Self::Supabase => return None,
        })
    }

    /// Whether the tool itself refuses two migrations of one version.
    pub fn refuses_same_version(self) -> bool {
        match self {
            Self::Dbmate
            | Self::Diesel
            | Self::Flyway
            | Self::GolangMigrate
            | Self::Goose
            | Self::Liftlock
            | Self::Postgrator
            | Self::Refinery
            | Self::Sqlx
            | Self::Supabase => true,
            // They know a migration by its whole name, or by a list of their own.
            Self::Atlas
            | Self::Drizzle
            | Self::GraphileMigrate
            | Self::Liquibase
            | Self::NodePgMigrate
            | Self::Pop
            | Self::Prisma
            | Self::SqlMigrate => false,
        }
    }

    /// Whether the tool fills in `${…}` or its like when it runs a file.
    pub fn fills_in(self, placeholder: &str) -> bool {
        match self {
            Self::Flyway | Self::Liquibase | Self::Goose => placeholder.starts_with("${"),
            Self::GraphileMigrate => placeholder.starts_with(':'),
            Self::Atlas => placeholder.starts_with("{{"),
            _ => false,
        }
    }
}

/// What is one transaction. The configuration may say it when a tool is set up otherwise than it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Transactions {
    /// Each file, but one with a statement that Postgres refuses in a transaction runs statement by statement.
    #[default]
    Automatic,
    /// Each file, unless a marker in it says otherwise.
    File,
    /// Each file is sent as one query, so several statements are a transaction and one alone is none.
    Query,
    /// All pending files together.
    Batch,
    /// Each statement.
    Statement,
}

impl Transactions {
    /// As the configuration and programs name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Automatic => "automatic",
            Self::File => "file",
            Self::Query => "query",
            Self::Batch => "batch",
            Self::Statement => "statement",
        }
    }

    /// Half a sentence for people.
    pub fn said(self) -> &'static str {
        match self {
            Self::Automatic => "each in a transaction, unless Postgres refuses one",
            Self::File => "each file in a transaction",
            Self::Query => "no transaction around a file: it is sent as one query",
            Self::Batch => "all pending files in one transaction",
            Self::Statement => "each statement on its own",
        }
    }
}

/// Who applies a migration, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Layout {
    pub tool: Tool,
    pub transactions: Transactions,
}

impl Layout {
    pub fn of(tool: Tool) -> Self {
        Self { tool, transactions: tool.transactions() }
    }
}

/// What is asked for, where a configuration says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Asked {
    /// `None`: look at the folder.
    pub tool: Option<Tool>,
    /// `None`: as the tool does.
    pub transactions: Option<Transactions>,
    pub applier: Applier,
}

impl Asked {
    /// Nobody said who applies what carries no mark.
    pub fn may_be_any(self) -> bool {
        self.tool.is_none() && self.applier == Applier::Unknown
    }
}

/// Who applies numbered files that carry no mark of a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Applier {
    /// There is a configuration: liftlock.
    #[default]
    Liftlock,
    /// Nobody said: the project's manifests may know.
    Unknown,
}

/// A layout and what it was found by.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    pub layout: Layout,
    /// Half a sentence: `found by migration_lock.toml`.
    pub by: String,
    /// What the tool itself would stumble over, and marks of other tools.
    pub notes: Vec<String>,
}
