//! `run(journal, plan, perform)`: the loop, resumable at any moment.

pub mod canonical;
pub mod event;
pub mod outbox;
