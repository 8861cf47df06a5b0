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
//! main → cli → commands, error → promote → sync → services
//!                     └─────────────┬────────────────┘
//!          lint  catalog  migration  sql  report  config  secret  exit      (pure; know nothing above)
//! ```
//!
//! * [`sql`] text → [`sql::Statement`]s, each with a [`sql::Change`]. Total: never fails, loses nothing. Two readers
//!   look at each statement, our recogniser and sqlparser; where they disagree it is [`sql::Change::Unread`].
//! * [`catalog`] what the history of changes has built, and what the release that is judged adds to it; or what a
//!   database holds: [`catalog::snapshot`] is the file of `liftlock snapshot`, and what `validate --live` reads.
//!   [`catalog::Linked`] finds objects by what they point to; [`catalog::Shared`] is what a copy, kept for a rollback,
//!   shares until it is changed.
//! * [`migration`] files → ordered migrations with ids and checksums, whatever tool's layout they lie in; which of
//!   them a database lacks; the template of `new`. [`migration::reading`] reads ahead while those before are judged.
//! * [`lint`] history + release + profile → findings. One rule is one file; its docs are its tests.
//! * [`report`] everything a command may say, and its renderings. Nothing else prints.
//! * [`config`] `liftlock.yml`. [`secret`] values that print as `***`. [`exit`] the numbers we leave with.
//! * [`services`] the outside world: Postgres, schema `liftlock` (bookkeeping), restore points, the mirror, the forge,
//!   the webhook, the sandbox.
//!   [`services::branches`] are restore points: Neon branches ([`services::neon`] is the API), or copies beside the
//!   database. [`services::http`] is the one client and the one table of what is tried again.
//! * [`promote`] facts (survey, prepare, [`promote::approval`]) → gates → plan, all without changing anything; then
//!   `run`: a journalled loop over the plan's steps. [`promote::outbox`] keeps the audit events.
//! * [`sync`] source and ledger walked side by side, differences to the mirror, both sides compared. What receives
//!   them inside Convex is TypeScript in `sync/functions/`, which [`sync::functions`] embeds.
//! * [`commands`] the shell: one file per command; `validate/` holds its ways in (stdin, what changed in Git, watching),
//!   [`commands::lsp`] serves editors with the same judge, `formats.rs` chooses the renderer. [`error`] gathers all modules' errors for it.
//!
//! # Where to add
//!
//! * A rule: `lint/rules/<name>.rs`, and its line in `lint/rules/mod.rs`. Tests over the list do the rest.
//! * A statement: `sql/change.rs`, `sql/recognise/`, `sql/shape.rs`; `catalog/replay/` when it builds something.
//! * What a database is asked: `services/postgres/catalog.rs` reads it, `catalog/snapshot.rs` is its versioned form
//!   (new fields have defaults), `catalog/snapshot/base.rs` makes a catalog and measures of it.
//! * A format of findings: `report/<name>.rs`, and its line in `commands/formats.rs`.
//! * A command: `cli.rs`, `commands/<name>.rs`. A gate: `promote/gates.rs`. A step: `promote/plan.rs` and
//!   `promote/perform.rs`, where it must recognise its own work after a kill.
//! * An input of the Action: `action.yml`, `.github/action/run.sh`, the README's table. `tests/it/action_scripts.rs`
//!   holds them to the command line, `tests/it/action_*.rs` run the workflows that `liftlock init --github` writes.
//! * Another restore point provider, mirror or webhook: beside those in `services/`; it must pass the
//!   contract test in `tests/it/{branches,mirror,webhook}.rs`.
//! * What must hold for any text: `sql/tests/properties.rs` and `lint/tests.rs` in each build, `cargo fuzz` (`fuzz/`)
//!   for hours.
//!
//! # Invariants
//!
//! * Pure modules do no I/O, have no clock, are not async. Two files read disks: `config.rs`, `migration/discover.rs`.
//! * No statement is silently unread: it becomes a [`sql::Change`] we understand or [`sql::Change::Unread`].
//! * Whatever is done to a database is a journalled step that is safe to repeat: each kind of step recognises its
//!   own finished work, and history, journal and audit event of a change are in the change's own transaction.
//! * Nothing is applied in production without a verified restore point.
//! * The bytes that were planned are the bytes that are applied: one digest over ids and checksums.
//! * Progress moves only after the other side says durable. Writes carry a key: twice is once.
//! * Secrets and row values never reach text, logs or events; server messages are stripped of values.
//!
//! # Where this differs from the first design
//!
//! * `Exit` stands apart from `Error`: every module leaves with a number, only the shell knows all errors.
//! * `secret` is pure and at the bottom, because the configuration holds secrets.
//! * The recogniser makes the `Change`, sqlparser confirms it (`sql/shape.rs`), not the other way round: the
//!   recogniser reads all statements, and so there is one lowering to get right.
//! * Schema `liftlock` has its own file in `services/`, because promotion, audit and sync share it.

pub mod catalog;
pub mod cli;
pub mod commands;
pub mod config;
pub mod error;
pub mod exit;
pub mod lint;
pub mod migration;
pub mod promote;
pub mod report;
pub mod secret;
pub mod services;
pub mod sql;
pub mod sync;
