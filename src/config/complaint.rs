//! What may be wrong with `liftlock.yml`.

use camino::{Utf8Path, Utf8PathBuf};
use miette::{Diagnostic, NamedSource, SourceSpan};
use thiserror::Error;

use crate::error::Exit;

/// Why there is no configuration to work with: all complaints at once.
#[derive(Debug, Error, Diagnostic)]
pub enum ConfigErrors {
    #[error("cannot read `{path}`")]
    #[diagnostic(
        code(config::unreadable),
        help("write one with `liftlock init`, or name another with `--config FILE`")
    )]
    Unreadable { path: Utf8PathBuf, source: std::io::Error },
    #[error("`{path}` {}", counted(complaints.len()))]
    #[diagnostic(code(config::wrong))]
    Wrong {
        path: Utf8PathBuf,
        #[source_code]
        source_code: NamedSource<String>,
        #[related]
        complaints: Vec<Complaint>,
    },
    #[error("no environment named `{name}`")]
    #[diagnostic(code(config::no_environment), help("liftlock.yml has: {known}"))]
    UnknownEnvironment { name: String, known: String },
}

impl ConfigErrors {
    /// Complaints about a file; `text` is shown, so secrets in it must be masked.
    pub(super) fn wrong(path: &Utf8Path, text: &str, complaints: Vec<Complaint>) -> Self {
        let source_code = NamedSource::new(path.as_str(), text.to_owned());
        Self::Wrong { path: path.to_owned(), source_code, complaints }
    }

    /// The number that the process leaves with.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Unreadable { .. } | Self::Wrong { .. } | Self::UnknownEnvironment { .. } => Exit::Usage,
        }
    }
}

fn counted(complaints: usize) -> String {
    match complaints {
        1 => "has a mistake".to_owned(),
        many => format!("has {many} mistakes"),
    }
}

/// One thing that is wrong, and where. Values never stand in a message: they may be secrets.
#[derive(Debug, Clone, PartialEq, Error, Diagnostic)]
pub enum Complaint {
    #[error("this is not YAML: {what}")]
    #[diagnostic(code(config::syntax))]
    Syntax {
        what: String,
        #[label]
        span: SourceSpan,
    },
    #[error("the environment variable `{name}` is not set")]
    #[diagnostic(
        code(config::unset_variable),
        help("set it where liftlock runs: `export {name}=…`, or a secret of the CI job")
    )]
    UnsetVariable {
        name: String,
        #[label]
        span: SourceSpan,
    },
}
