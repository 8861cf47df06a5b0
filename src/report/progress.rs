//! What a long job says while it runs: the one interface between the functions and whoever shows progress.

/// One thing that happened. Texts hold no row values and no secrets.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A step of a plan starts: `restore point`, `apply 0042_add_x_safe.sql`.
    StepStarted {
        step: String,
    },
    /// It ended well; `detail` says what came of it.
    StepFinished {
        step: String,
        detail: String,
        millis: u64,
    },
    /// Something a person should know now: a retry, who blocks us, what a resumed run found.
    Notice {
        message: String,
    },
    /// Somebody is in the way. `statements` is the beginning of what they run: it may hold values, so it is
    /// shown on a terminal and nowhere else.
    Blocked {
        message: String,
        statements: String,
    },
    /// A table starts; `total` is `None` when nobody knows.
    TableStarted {
        table: String,
        total: Option<u64>,
    },
    /// Rows gone through so far.
    TableProgress {
        table: String,
        rows: u64,
    },
    TableFinished {
        table: String,
        rows: u64,
        millis: u64,
    },
}

/// Whoever shows or records progress.
pub trait Observe: Send + Sync {
    fn event(&self, event: Event);
}

/// Shows nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quiet;

impl Observe for Quiet {
    fn event(&self, _event: Event) {}
}
