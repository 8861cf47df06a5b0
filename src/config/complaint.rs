//! What may be wrong with `liftlock.yml`.

use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use miette::{Diagnostic, NamedSource, SourceSpan};
use thiserror::Error;

use crate::exit::Exit;

/// More mistakes than anybody reads; a file that has them is none of ours.
const MOST: usize = 50;

/// Why there is no configuration to work with: all complaints at once.
#[derive(Debug, Error, Diagnostic)]
pub enum ConfigErrors {
    #[error("cannot read `{path}`")]
    #[diagnostic(
        code(config::unreadable),
        help("write one with `liftlock init`, or name another with `--config FILE`")
    )]
    Unreadable { path: Utf8PathBuf, source: std::io::Error },
    #[error("`{path}` is not UTF-8: byte {offset}, on line {line}, belongs to no character")]
    #[diagnostic(code(config::not_utf8), help("save it as UTF-8"))]
    NotUtf8 { path: Utf8PathBuf, offset: usize, line: usize },
    #[error("`{path}` is larger than {} kB", super::LARGEST / 1024)]
    #[diagnostic(code(config::too_large), help("this is hardly a configuration: name another with `--config FILE`"))]
    TooLarge { path: Utf8PathBuf },
    #[error("`{path}` {}", counted(*count))]
    #[diagnostic(code(config::wrong), help("`liftlock config schema` prints what the file may hold"))]
    Wrong {
        path: Utf8PathBuf,
        /// How many there are; only the first 50 are shown.
        count: usize,
        #[source_code]
        source_code: Arc<NamedSource<String>>,
        #[related]
        complaints: Vec<Complaint>,
    },
    #[error("`{path}` is sound, but what it reads from its environment is not")]
    #[diagnostic(code(config::environment))]
    Lacking {
        path: Utf8PathBuf,
        #[source_code]
        source_code: Arc<NamedSource<String>>,
        #[related]
        complaints: Vec<Complaint>,
    },
    #[error("no environment named `{name}`")]
    #[diagnostic(code(config::no_environment))]
    UnknownEnvironment {
        name: String,
        #[help]
        help: String,
    },
}

impl ConfigErrors {
    /// Complaints about a file; `text` is shown, so secrets in it must be masked.
    pub(super) fn wrong(path: &Utf8Path, text: &str, mut complaints: Vec<Complaint>) -> Self {
        complaints.sort_by_key(|complaint| complaint.span().offset());
        complaints.dedup();
        let count = complaints.len();
        complaints.truncate(MOST);
        let source_code = Arc::new(NamedSource::new(path.as_str(), text.to_owned()));
        Self::Wrong { path: path.to_owned(), count, source_code, complaints }
    }

    /// What the variables of a sound file lack.
    pub(super) fn lacking(path: &Utf8Path, text: &str, mut complaints: Vec<Complaint>) -> Self {
        complaints.sort_by_key(|complaint| complaint.span().offset());
        let source_code = Arc::new(NamedSource::new(path.as_str(), text.to_owned()));
        Self::Lacking { path: path.to_owned(), source_code, complaints }
    }

    /// The number that the process leaves with.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Unreadable { .. }
            | Self::NotUtf8 { .. }
            | Self::TooLarge { .. }
            | Self::Wrong { .. }
            | Self::Lacking { .. }
            | Self::UnknownEnvironment { .. } => Exit::Usage,
        }
    }
}

fn counted(complaints: usize) -> String {
    match complaints {
        1 => "has a mistake".to_owned(),
        many if many > MOST => format!("has {many} mistakes, of which these are the first {MOST}"),
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
        #[help]
        help: Option<&'static str>,
        #[label("here")]
        span: SourceSpan,
    },
    #[error("unknown key `{key}` in {place}")]
    #[diagnostic(code(config::unknown_key))]
    UnknownKey {
        key: String,
        place: String,
        #[help]
        help: String,
        #[label("not known here")]
        span: SourceSpan,
    },
    #[error("`{key}` in {place} is not something this version of liftlock understands")]
    #[diagnostic(code(config::later_key), help("remove it: nothing would act on it, and you would think it did"))]
    LaterKey {
        key: String,
        place: String,
        #[label("has no effect")]
        span: SourceSpan,
    },
    #[error("`{key}` is missing in {place}")]
    #[diagnostic(code(config::missing_key))]
    MissingKey {
        key: String,
        place: String,
        #[help]
        help: String,
        #[label("in here")]
        span: SourceSpan,
    },
    #[error("{place} must be {wanted}, and is {found}")]
    #[diagnostic(code(config::wrong_type))]
    WrongType {
        place: String,
        wanted: &'static str,
        found: &'static str,
        #[help]
        help: Option<String>,
        #[label("must be {wanted}")]
        span: SourceSpan,
    },
    #[error("{place} cannot have this value")]
    #[diagnostic(code(config::wrong_value))]
    WrongValue {
        place: String,
        #[help]
        help: String,
        #[label("not possible")]
        span: SourceSpan,
    },
    #[error("there is no rule `{name}`")]
    #[diagnostic(code(config::unknown_rule))]
    UnknownRule {
        name: String,
        #[help]
        help: String,
        #[label("no such rule")]
        span: SourceSpan,
    },
    #[error("`{rule}` is an error in {profile}, and cannot be less")]
    #[diagnostic(code(config::gate))]
    Gate {
        rule: String,
        profile: &'static str,
        #[help]
        help: String,
        #[label("would open a gate that nothing may open")]
        span: SourceSpan,
    },
    #[error("{place} is no duration that can be used")]
    #[diagnostic(code(config::bad_duration))]
    BadDuration {
        place: String,
        #[help]
        help: String,
        #[label("how long?")]
        span: SourceSpan,
    },
    #[error("{place} is no table's name")]
    #[diagnostic(
        code(config::bad_table),
        help("write `table` or `schema.table`; quote a part that needs it: `'app.\"Flags\"'`")
    )]
    BadTable {
        place: String,
        #[label("not a name")]
        span: SourceSpan,
    },
    #[error("`{name}` cannot be an environment's name")]
    #[diagnostic(code(config::bad_name), help("use letters, digits, `-` and `_`, at most 40 of them"))]
    BadName {
        name: String,
        #[label("not a name")]
        span: SourceSpan,
    },
    #[error("{place} holds a `${{` that is no variable")]
    #[diagnostic(code(config::bad_variable))]
    BadVariable {
        place: String,
        #[help]
        help: String,
        #[label("not a variable")]
        span: SourceSpan,
    },
    #[error("the environment variable `{name}` is {state}")]
    #[diagnostic(
        code(config::unset_variable),
        help("set it where liftlock runs: `export {name}=…`, or as a secret of the CI job")
    )]
    UnsetVariable {
        name: String,
        /// `not set`, or `set, but empty`.
        state: &'static str,
        #[label("read here")]
        span: SourceSpan,
    },
    #[error("{place} names an environment that is not configured")]
    #[diagnostic(code(config::unknown_environment))]
    UnknownEnvironment {
        place: String,
        #[help]
        help: String,
        #[label("no such environment")]
        span: SourceSpan,
    },
    #[error("`after` goes round in a circle: {circle}")]
    #[diagnostic(code(config::circle), help("nothing could ever be applied first; remove one `after`"))]
    Circle {
        /// `staging → production → staging`.
        circle: String,
        #[label("part of the circle")]
        span: SourceSpan,
    },
    #[error("{place} holds a secret in clear")]
    #[diagnostic(
        code(config::secret_in_clear),
        help(
            "write `\"${{{variable}}}\"` and set the variable; whoever has read the file knows the secret, so change it too"
        )
    )]
    SecretInClear {
        place: String,
        /// A name for the variable.
        variable: String,
        #[label("readable by everyone who has the file")]
        span: SourceSpan,
    },
    #[error("{place} is no URL that can be used: {what}")]
    #[diagnostic(code(config::bad_url))]
    BadUrl {
        place: String,
        what: &'static str,
        #[help]
        help: &'static str,
        #[label("this value")]
        span: SourceSpan,
    },
    #[error("{place} is no Standard Webhooks secret: {what}")]
    #[diagnostic(
        code(config::bad_webhook_secret),
        help("it is `whsec_` and base64 of 24 to 64 random bytes: `echo whsec_$(openssl rand -base64 32)`")
    )]
    BadWebhookSecret {
        place: String,
        what: &'static str,
        #[label("this value")]
        span: SourceSpan,
    },
    #[error("`{first}` and `{second}` are the same database")]
    #[diagnostic(
        code(config::same_database),
        help("what is tried out in one would already be done to the other; give each its own")
    )]
    SameDatabase {
        first: String,
        second: String,
        #[label("the same as in `{first}`")]
        span: SourceSpan,
    },
}

impl Complaint {
    /// Where it is.
    pub fn span(&self) -> SourceSpan {
        match self {
            Self::Syntax { span, .. }
            | Self::UnknownKey { span, .. }
            | Self::LaterKey { span, .. }
            | Self::MissingKey { span, .. }
            | Self::WrongType { span, .. }
            | Self::WrongValue { span, .. }
            | Self::UnknownRule { span, .. }
            | Self::Gate { span, .. }
            | Self::BadDuration { span, .. }
            | Self::BadTable { span, .. }
            | Self::BadName { span, .. }
            | Self::BadVariable { span, .. }
            | Self::UnsetVariable { span, .. }
            | Self::UnknownEnvironment { span, .. }
            | Self::Circle { span, .. }
            | Self::SecretInClear { span, .. }
            | Self::BadUrl { span, .. }
            | Self::BadWebhookSecret { span, .. }
            | Self::SameDatabase { span, .. } => *span,
        }
    }
}
