//! The outside world: per file a small trait, the real thing and a local thing that a user can choose too.
//! Postgres has no trait: it is never faked.

pub mod bookkeeping;
pub mod branches;
pub mod forge;
pub mod http;
pub mod mirror;
pub mod neon;
pub mod postgres;
pub mod sandbox;
pub mod webhook;
