//! `run(journal, plan, perform)`: the loop, resumable at any moment.
