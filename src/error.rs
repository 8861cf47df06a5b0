//! Which failure leaves with which number.

use miette::Diagnostic;
use thiserror::Error;

/// How the process ends (design: a script can act on each).
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

/// Anything that kept a command from doing its job. Each module's enum says with which [`Exit`] it leaves.
#[derive(Debug, Error, Diagnostic)]
pub enum Error {
    /// A file that the user named, or the output, could not be read or written.
    #[error("cannot {action} `{path}`")]
    #[diagnostic(code(file::inaccessible), help("check that the path exists and that you may access it"))]
    File { action: &'static str, path: String, source: std::io::Error },
}

impl Error {
    /// The number that the process leaves with.
    pub fn exit(&self) -> Exit {
        match self {
            Self::File { .. } => Exit::Usage,
        }
    }
}
