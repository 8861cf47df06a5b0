//! `--since REF`: only the files that have changed since the merge base with REF, whether committed or not.

use std::{
    collections::{BTreeSet, HashSet},
    process::Output,
};

use camino::{Utf8Path, Utf8PathBuf};
use miette::Diagnostic;
use thiserror::Error;
use tokio::process::Command;

use super::{Folder, real};
use crate::{exit::Exit, report::Section};

/// Why it is not known what has changed.
#[derive(Debug, Error, Diagnostic)]
pub enum SinceError {
    #[error("`--since` asks git, and git does not start")]
    #[diagnostic(code(since::no_git), help("install git, or leave `--since` out: then all files are judged"))]
    NoGit { source: std::io::Error },
    #[error("`{folder}` is in no git repository")]
    #[diagnostic(code(since::no_repository), help("leave `--since` out: then all files are judged"))]
    NoRepository { folder: Utf8PathBuf },
    #[error("git knows no commit `{reference}`")]
    #[diagnostic(code(since::unknown_ref))]
    UnknownRef {
        reference: String,
        #[help]
        help: String,
    },
    #[error("this clone is shallow: where this branch left `{reference}` is not in it")]
    #[diagnostic(
        code(since::shallow),
        help(
            "give the checkout its history: `with: {{ fetch-depth: 0 }}` for actions/checkout, `GIT_DEPTH: 0` on GitLab, \
              `git fetch --unshallow` here"
        )
    )]
    Shallow { reference: String },
    #[error("this branch and `{reference}` have no commit in common")]
    #[diagnostic(code(since::no_merge_base), help("name the branch that this one was made from"))]
    NoMergeBase { reference: String },
    #[error("git could not say what has changed: {said}")]
    #[diagnostic(code(since::git), help("run `git status` in the repository: it must work there first"))]
    Git {
        /// The first line of its own complaint.
        said: String,
    },
}

impl SinceError {
    /// The number that the process leaves with.
    pub fn exit(&self) -> Exit {
        match self {
            Self::NoGit { .. }
            | Self::NoRepository { .. }
            | Self::UnknownRef { .. }
            | Self::Shallow { .. }
            | Self::NoMergeBase { .. }
            | Self::Git { .. } => Exit::Usage,
        }
    }
}

/// Leaves in `judged` what has changed, and says how many that are.
pub async fn only_changed(folders: &mut [Folder], reference: &str) -> Result<Section, SinceError> {
    let (mut all, mut left, mut bases) = (0, 0, BTreeSet::new());
    for folder in folders.iter_mut() {
        let changed = changed(&folder.root, reference).await?;
        all += folder.judged.len();
        let files = folder.files.iter().filter(|it| changed.files.contains(&real(&it.path)));
        let files = files.map(|it| it.id.clone()).collect::<HashSet<_>>();
        folder.judged.retain(|it| files.contains(it));
        left += folder.judged.len();
        bases.insert(changed.base.chars().take(12).collect::<String>());
    }
    let bases = bases.into_iter().collect::<Vec<_>>().join(", ");
    let body =
        format!("{left} of {all} changed since {bases}, the merge base with {reference}; the others are history");
    Ok(Section::Text { title: "Judged".to_owned(), body })
}

/// What has changed in a repository.
struct Changed {
    /// The merge base's commit.
    base: String,
    /// Added, modified, renamed, not committed, not tracked; without links.
    files: BTreeSet<Utf8PathBuf>,
}

async fn changed(folder: &Utf8Path, reference: &str) -> Result<Changed, SinceError> {
    let top = git(folder, &["rev-parse", "--show-toplevel"]).await?;
    if !top.status.success() {
        return Err(no_repository(folder, &top));
    }
    let top = Utf8PathBuf::from(text(&top));
    let base = merge_base(&top, reference).await?;
    let mut files = BTreeSet::new();
    let diff = ["diff", "-z", "--name-only", "--no-renames", "--no-relative", "--no-ext-diff", "--diff-filter=d"];
    let diff = [diff.as_slice(), &["--ignore-submodules", &base, "--"]].concat();
    for arguments in [diff.as_slice(), &["ls-files", "-z", "--others", "--exclude-standard", "--full-name"]] {
        let output = git(&top, arguments).await?;
        if !output.status.success() {
            return Err(failed(&output));
        }
        // A name that is not UTF-8 is refused where the folder is read.
        let names = output.stdout.split(|byte| *byte == 0).filter_map(|name| std::str::from_utf8(name).ok());
        files.extend(names.filter(|it| !it.is_empty()).map(|name| real(&top.join(name))));
    }
    Ok(Changed { base, files })
}

async fn merge_base(top: &Utf8Path, reference: &str) -> Result<String, SinceError> {
    let shallow = git(top, &["rev-parse", "--is-shallow-repository"]).await?;
    let shallow = text(&shallow) == "true";
    // A ref that looks like an option is none.
    let commit = format!("{reference}^{{commit}}");
    let known = match reference.starts_with('-') || reference.is_empty() {
        true => None,
        false => Some(git(top, &["rev-parse", "--verify", "--quiet", &commit]).await?).filter(|it| it.status.success()),
    };
    let Some(known) = known else {
        return Err(match shallow {
            true => SinceError::Shallow { reference: reference.to_owned() },
            false => unknown(top, reference).await?,
        });
    };
    let base = git(top, &["merge-base", &text(&known), "HEAD"]).await?;
    match (base.status.success(), shallow) {
        (true, _) => Ok(text(&base)),
        (false, true) => Err(SinceError::Shallow { reference: reference.to_owned() }),
        (false, false) if base.status.code() == Some(1) => {
            Err(SinceError::NoMergeBase { reference: reference.to_owned() })
        }
        (false, false) => Err(failed(&base)),
    }
}

async fn unknown(top: &Utf8Path, reference: &str) -> Result<SinceError, SinceError> {
    let remote = format!("refs/remotes/origin/{reference}");
    let there = git(top, &["rev-parse", "--verify", "--quiet", &remote]).await?;
    let help = match there.status.success() {
        true => format!("did you mean `origin/{reference}`?"),
        false => "fetch it, `git fetch origin BRANCH`, and name it `origin/BRANCH`".to_owned(),
    };
    Ok(SinceError::UnknownRef { reference: reference.to_owned(), help })
}

/// Runs git there; it neither asks anybody nor writes its index.
async fn git(folder: &Utf8Path, arguments: &[&str]) -> Result<Output, SinceError> {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder.as_str()).args(arguments).stdin(std::process::Stdio::null()).kill_on_drop(true);
    command.env("GIT_OPTIONAL_LOCKS", "0").env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C");
    command.output().await.map_err(|source| SinceError::NoGit { source })
}

/// A repository of somebody else's is one that git refuses to enter, and says why.
fn no_repository(folder: &Utf8Path, output: &Output) -> SinceError {
    match String::from_utf8_lossy(&output.stderr).contains("not a git repository") {
        true => SinceError::NoRepository { folder: folder.to_owned() },
        false => failed(output),
    }
}

fn failed(output: &Output) -> SinceError {
    let said = String::from_utf8_lossy(&output.stderr);
    SinceError::Git { said: said.lines().next().unwrap_or("nothing").chars().take(300).collect() }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).trim_end_matches(['\n', '\r']).to_owned()
}
