//! The three workflows of `liftlock init --github`: thin callers of ours, with no more permissions than those need.

use std::{
    fmt,
    fs::{self, OpenOptions},
    io::{ErrorKind, Write},
    str::FromStr,
};

use camino::{Utf8Path, Utf8PathBuf};

use super::InitError;
use crate::error::Error;

/// Where this liftlock's own workflows are, unless somebody says otherwise.
const HOME: &str = "liftlock/liftlock";
/// The commit that this binary was built from; `src/build.rs` finds it.
const BUILT_COMMIT: Option<&str> = option_env!("LIFTLOCK_BUILT_COMMIT");
/// What the installer of the action knows.
const RELEASES: &str = include_str!("../../../.github/action/versions.txt");

/// The repository and the commit that hold the workflows that are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    repository: String,
    commit: String,
}

impl Source {
    /// The commit that this binary was built from, in the project's own repository.
    pub fn own() -> Option<Self> {
        BUILT_COMMIT.map(|commit| Self { repository: HOME.to_owned(), commit: commit.to_owned() })
    }
}

/// `OWNER/REPOSITORY@COMMIT`: a full commit id, because a tag can be moved to other bytes.
impl FromStr for Source {
    type Err = InitError;

    fn from_str(text: &str) -> Result<Self, InitError> {
        let wrong = || InitError::NotPinned { text: text.to_owned() };
        let (repository, commit) = text.split_once('@').ok_or_else(wrong)?;
        let (owner, name) = repository.split_once('/').ok_or_else(wrong)?;
        let named = |it: &str| !it.is_empty() && it.chars().all(|it| it.is_ascii_alphanumeric() || "-_.".contains(it));
        if !named(owner) || !named(name) || commit.len() != 40 || !commit.bytes().all(|it| it.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        Ok(Self { repository: repository.to_owned(), commit: commit.to_ascii_lowercase() })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.repository, self.commit)
    }
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Written,
    /// It is there, the same bytes.
    Same,
    /// It is there with other bytes, and stays as it is.
    Differs,
}

/// One workflow: where it lies, what it is for, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workflow {
    pub path: Utf8PathBuf,
    pub what: &'static str,
    pub outcome: Outcome,
}

const WORKFLOWS: &[(&str, &str, &str)] = &[
    (
        "liftlock-validate.yml",
        "judges every pull request; may read the code and write one comment",
        include_str!("validate.yml"),
    ),
    (
        "liftlock-migrate.yml",
        "carries a push to the branch `staging` to staging; may read code, approvals and reviews",
        include_str!("migrate.yml"),
    ),
    (
        "liftlock-promote.yml",
        "carries one commit to production, when somebody starts it and others approve; may read the same",
        include_str!("promote.yml"),
    ),
];

/// Writes the workflows for the project in `folder`; one that is there and differs stays as it is.
pub fn write(folder: &Utf8Path, source: &Source) -> Result<Vec<Workflow>, Error> {
    let (root, below) = root(folder);
    let workflows = if root == "." { ".github/workflows".into() } else { root.join(".github/workflows") };
    let inaccessible = |path: &Utf8Path| {
        let path = path.to_string();
        move |source| Error::File { action: "write", path, source }
    };
    fs::create_dir_all(&workflows).map_err(inaccessible(&workflows))?;
    let written = WORKFLOWS.iter().map(|(name, what, template)| {
        let path = workflows.join(name);
        let text = filled(template, source, &below);
        let outcome = match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(mut file) => file.write_all(text.as_bytes()).map(|()| Outcome::Written),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                fs::read(&path).map(|there| if there == text.as_bytes() { Outcome::Same } else { Outcome::Differs })
            }
            Err(error) => Err(error),
        };
        Ok(Workflow { outcome: outcome.map_err(inaccessible(&path))?, what, path })
    });
    written.collect()
}

/// The repository's root, where GitHub looks for workflows, and the way from there to the folder.
fn root(folder: &Utf8Path) -> (Utf8PathBuf, Utf8PathBuf) {
    let here = if folder.as_str().is_empty() { Utf8Path::new(".") } else { folder };
    let absolute = here.canonicalize_utf8().unwrap_or_else(|_| here.to_owned());
    let found = absolute.ancestors().find(|it| it.join(".git").exists());
    match found.and_then(|root| Some((root, absolute.strip_prefix(root).ok()?))) {
        Some((_, below)) if below.as_str().is_empty() => (here.to_owned(), below.to_owned()),
        Some((root, below)) => (root.to_owned(), below.to_owned()),
        None => (here.to_owned(), Utf8PathBuf::new()),
    }
}

fn filled(template: &str, source: &Source, below: &Utf8Path) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let mut inputs = Vec::new();
    if !below.as_str().is_empty() {
        // JSON's strings are YAML's double-quoted ones.
        inputs.push(format!("      working-directory: {}", serde_json::Value::String(below.to_string())));
    }
    if !is_released(version) {
        inputs.push(format!(
            "      build-from-source: true # {version} is not released as a binary: minutes, once a run"
        ));
    }
    let inputs = inputs.join("\n");
    let filled = [
        ("{inputs}", inputs.as_str()),
        ("{repository}", &source.repository),
        ("{commit}", &source.commit),
        ("{version}", version),
    ];
    let text = filled.iter().fold(template.to_owned(), |text, (name, value)| text.replace(name, value));
    // Without inputs their line is empty.
    text.replace("\n\n    # A called", "\n    # A called").trim_end().to_owned() + "\n"
}

fn is_released(version: &str) -> bool {
    RELEASES.lines().any(|line| line.split(' ').next() == Some(version))
}

#[cfg(test)]
mod tests {
    use camino::Utf8Path;

    use super::{Source, WORKFLOWS, filled};

    #[test]
    fn only_a_full_commit_of_a_repository_is_a_source() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        for (text, right) in [
            (format!("acme/liftlock@{commit}"), true),
            (format!("a-b.c/l_1@{}", commit.to_uppercase()), true),
            (format!("liftlock@{commit}"), false),
            (format!("acme/liftlock/x@{commit}"), false),
            (format!("acme/lift lock@{commit}"), false),
            (format!("/liftlock@{commit}"), false),
            ("acme/liftlock@v1".to_owned(), false),
            ("acme/liftlock".to_owned(), false),
            (format!("acme/liftlock@{}", &commit[..39]), false),
            (format!("acme/liftlock@{commit}\nx: y"), false),
        ] {
            assert_eq!(text.parse::<Source>().is_ok(), right, "{text}");
        }
    }

    #[test]
    fn a_folder_below_the_root_is_named_and_nothing_is_left_to_fill_in() {
        let source: Source = "acme/fork@0123456789abcdef0123456789abcdef01234567".parse().unwrap();
        for (name, _, template) in WORKFLOWS {
            let text = filled(template, &source, Utf8Path::new("apps/the \"shop\""));
            assert!(text.contains(r#"working-directory: "apps/the \"shop\"""#), "{name}:\n{text}");
            assert!(text.contains("uses: acme/fork/.github/workflows/"), "{name}:\n{text}");
            for placeholder in ["{inputs}", "{repository}", "{commit}", "{version}"] {
                assert!(!text.contains(placeholder), "{name}:\n{text}");
            }
            let plain = filled(template, &source, Utf8Path::new(""));
            assert!(!plain.contains("working-directory"), "{name}:\n{plain}");
        }
    }
}
