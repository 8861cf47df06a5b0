//! One binary for all tests that need more than one module: the command line, real Postgres, the sources.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "clippy.toml allows them in test functions only, and the rest here is for tests, too"
)]

mod backup;
mod bookkeeping;
mod branches;
mod catalog;
mod connections;
mod convex;
mod convex_functions;
mod forge;
mod mirror;
mod sandbox;
mod support;
mod sync;
mod template;

mod action_files;
mod action_openapi;
mod action_production;
mod action_promote;
mod action_scripts;
mod action_validate;
mod apply;
mod approvals;
mod audit;
mod bad_input;
mod casts;
mod crash;
mod fixes;
mod layouts;
mod lint;
mod lsp;
mod neon;
mod neon_fake;
mod neon_kills;
mod neon_live;
mod newcomer;
mod on_neon;
mod oracle;
mod project;
mod promote;
mod readme;
mod receiver;
mod report;
mod resume;
mod rules;
mod tidy;
mod told;
mod validate;
mod ways;
mod webhook;
