//! liftlock carries a SQL migration from the editor to production Postgres and on to its mirror, one closed
//! gate at a time, and proves each step. This page is the map of the crate.
//!
//! # The way of a migration
//!
//! ```text
//! new → validate → plan → promote: gates → restore point → apply → audit → sync → verify
//! ```
//!
//! # Layers; arrows point down only, and `tests/it/tidy.rs` enforces it
//!
//! ```text
//! main → cli → commands → promote sync → services
//!                 └───────────┬──────────────┘
//!      lint  catalog  migration  sql  report  config  secret  error   (pure; know nothing above)
//! ```
//!
//! * [`sql`] text → [`sql::Statement`]s, each with a [`sql::Change`]. Total: never fails, loses nothing.
//! * [`catalog`] what the history of changes has built.
//! * [`migration`] files → ordered migrations with ids and checksums; the template of `new`.
//! * [`lint`] migrations + catalog + profile → findings. One rule is one file.
//! * [`report`] everything a command may say, and its renderings. Nothing else prints.
//! * [`config`] `liftlock.yml`. [`secret`] values that print as `***`.
//! * [`services`] the outside world: Postgres, restore points, the mirror, the webhook, the sandbox.
//! * [`promote`] plan, gates, journal, apply, outbox. [`sync`] Postgres → mirror.
//! * [`commands`] the shell: one file per command.
//!
//! # Invariants
//!
//! * Pure modules do no I/O, have no clock, are not async.
//! * No statement is silently unread: it becomes a [`sql::Change`] we understand or [`sql::Change::Unread`].
//! * Whatever is done to a database is a journalled step that is safe to repeat.
//! * Nothing is applied in production without a verified restore point.
//! * Progress moves only after the other side says durable.
//! * Secrets and row values never reach text, logs or events.

pub mod catalog;
pub mod cli;
pub mod commands;
pub mod config;
pub mod error;
pub mod lint;
pub mod migration;
pub mod promote;
pub mod report;
pub mod secret;
pub mod services;
pub mod sql;
pub mod sync;
