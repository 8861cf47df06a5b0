//! With which number the process leaves.

/// How the process ends; a script can act on each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, nothing at or above the fail level.
    Done = 0,
    /// The tool worked and the answer is no.
    No = 1,
    /// Arguments or configuration are wrong.
    Usage = 2,
    /// A service failed and nothing was changed.
    Service = 3,
    /// Stopped half-way; the journal has the rest.
    Half = 4,
}
