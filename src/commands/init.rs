//! `liftlock init`: the configuration, and with `--github` the workflows.

mod github;

use std::{fs::OpenOptions, io::Write};

use camino::{Utf8Path, Utf8PathBuf};
use miette::Diagnostic;
use thiserror::Error as ThisError;

use super::Shell;
use crate::{
    cli, config,
    error::Error,
    exit::Exit,
    migration::discover,
    report::{Report, Section, Verdict},
};

/// Why no configuration was written.
#[derive(Debug, ThisError, Diagnostic)]
pub enum InitError {
    #[error("`{path}` is there already, and stays as it is")]
    #[diagnostic(
        code(init::exists),
        help("edit it, or check it with `liftlock doctor`; for another one name it: `liftlock init --config FILE`")
    )]
    Exists { path: Utf8PathBuf },
    #[error("`{text}` is not OWNER/REPOSITORY@COMMIT")]
    #[diagnostic(
        code(init::not_pinned),
        help("name the commit by its full id, 40 characters: a tag or a branch can be moved to other bytes")
    )]
    NotPinned { text: String },
    #[error("this liftlock does not know which commit it was built from, so it cannot pin the workflows")]
    #[diagnostic(
        code(init::commit_unknown),
        help(
            "say which commit of liftlock they are to run: `liftlock init --github --action OWNER/REPOSITORY@COMMIT`"
        )
    )]
    CommitUnknown,
    #[error("`{path}` is a file")]
    #[diagnostic(code(init::not_a_folder), help("name the folder that the migrations lie in"))]
    NotAFolder { path: Utf8PathBuf },
}

impl InitError {
    /// The number that the process leaves with.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Exists { .. } | Self::NotAFolder { .. } | Self::NotPinned { .. } | Self::CommitUnknown => Exit::Usage,
        }
    }
}

/// Writes what was asked for, for the project in this folder; never over what is there.
pub async fn init(shell: &Shell, arguments: &cli::Init) -> Result<Report, Error> {
    let named = shell.global.config.clone();
    if !arguments.github {
        return configuration(&named.unwrap_or_else(|| config::FILE_NAME.into()), arguments);
    }
    let path = named.or_else(|| config::find(Utf8Path::new("."))).unwrap_or_else(|| config::FILE_NAME.into());
    // What is asked for is clear before anything is written.
    let source = match &arguments.action {
        Some(named) => named.parse()?,
        None => github::Source::own().ok_or(InitError::CommitUnknown)?,
    };
    let report = match path.symlink_metadata() {
        Ok(_) => Report::pass("init"),
        Err(_) => configuration(&path, arguments)?,
    };
    let workflows = github::write(root(&path), &source)?;
    Ok(with_workflows(report, &workflows, &source))
}

fn root(path: &Utf8Path) -> &Utf8Path {
    path.parent().filter(|parent| !parent.as_str().is_empty()).unwrap_or(Utf8Path::new("."))
}

fn configuration(path: &Utf8Path, arguments: &cli::Init) -> Result<Report, Error> {
    let root = root(path);
    if path.symlink_metadata().is_ok() {
        return Err(InitError::Exists { path: path.to_owned() }.into());
    }
    let found = match &arguments.migrations {
        Some(named) if named.is_file() => return Err(InitError::NotAFolder { path: named.clone() }.into()),
        Some(named) => vec![(below(root, named), discover::ids(named).map_or(0, |ids| ids.len()))],
        None => discover::likely_folders(root),
    };
    let (migrations, count) = found.first().cloned().unwrap_or_else(|| ("db/migrations".into(), 0));
    let file = |source| Error::File { action: "write", path: path.to_string(), source };
    let mut written = OpenOptions::new().write(true).create_new(true).open(path).map_err(file)?;
    written.write_all(config::starter(&migrations).as_bytes()).map_err(file)?;

    let report = Report::pass("init").with(Section::Text {
        title: format!("Wrote {path}"),
        body: said(&migrations, count, found.get(1..).unwrap_or_default()),
    });
    Ok(match count {
        0 => report.then("liftlock new create_something --kind table", "make a first migration"),
        _ => report.then("liftlock validate", "judge the migrations that are there; needs no database"),
    }
    .then("liftlock doctor", "check the variables, the connections and the privileges")
    .then("liftlock demo", "see the whole way on a throw-away Postgres"))
}

/// The answer is no when a workflow is not what it would be: somebody has to look at it.
fn with_workflows(report: Report, workflows: &[github::Workflow], source: &github::Source) -> Report {
    let differs = workflows.iter().any(|it| it.outcome == github::Outcome::Differs);
    let verdict = if differs { Verdict::Fail } else { report.verdict };
    let mut body = String::new();
    for workflow in workflows {
        let outcome = match workflow.outcome {
            github::Outcome::Written => "written",
            github::Outcome::Same => "there already, as it is to be",
            github::Outcome::Differs => "there already and different, so it stays as it is",
        };
        body.push_str(&format!("`{}`: {outcome}.\n  It {}.\n", workflow.path, workflow.what));
    }
    body.push_str(&format!("They call the workflows of {source}: another commit is run only when you write it there."));
    let report = Report { verdict, ..report }.with(Section::Text { title: "Workflows".to_owned(), body });
    let report =
        report.with(Section::Text { title: "Before the first promotion".to_owned(), body: SETTINGS.to_owned() });
    match differs {
        true => report.then("liftlock init --github", "once you have moved aside what differs: writes it anew"),
        false => report.then("git add liftlock.yml .github && git commit", "the workflows run once they are pushed"),
    }
}

/// What GitHub must be told by hand: <https://docs.github.com/en/actions/how-tos/deploy/configure-and-manage-deployments/manage-environments>.
const SETTINGS: &str = "In the repository's settings, under Environments, make `staging` and `production`. Give `production` required \
    reviewers, no self-review, no bypass for administrators, and the default branch as its only branch. GitHub makes an \
    environment that is missing by itself, without any protection; liftlock then refuses.\n\
    Under these environments, not under the repository, store the secrets that liftlock.yml names: \
    DATABASE_URL_STAGING (both), DATABASE_URL_PROD, and where you use them NEON_API_KEY, AUDIT_WEBHOOK_URL, \
    AUDIT_WEBHOOK_SECRET, CONVEX_DEPLOY_KEY or CONVEX_SYNC_AUTH_KEY; as variables NEON_PROJECT_ID, CONVEX_URL.\n\
    In liftlock.yml, below `production`, say how many people must approve: `approvals: { required: 1 }`.";

fn said(migrations: &Utf8Path, count: usize, others: &[(Utf8PathBuf, usize)]) -> String {
    let mut body = match count {
        0 => format!("`migrations: {migrations}`: nothing is there yet; `liftlock new` makes the folder.\n"),
        1 => format!("`migrations: {migrations}`: 1 migration is there.\n"),
        many => format!("`migrations: {migrations}`: {many} migrations are there.\n"),
    };
    if !others.is_empty() {
        let others: Vec<String> = others.iter().take(5).map(|(folder, count)| format!("{folder} ({count})")).collect();
        body.push_str(&format!(
            "SQL files lie elsewhere, too: {}. Correct the line if one is meant.\n",
            others.join(", ")
        ));
    }
    body.push_str(
        "Passwords stay out of the file: it names the variables that hold them, such as DATABASE_URL_PROD. Remove \
         the environments that you do not have.",
    );
    body
}

/// A folder as the configuration writes it: from its own folder on.
fn below(root: &Utf8Path, folder: &Utf8Path) -> Utf8PathBuf {
    if root == "." || folder.is_absolute() {
        return folder.to_owned();
    }
    match folder.strip_prefix(root) {
        Ok(below) => below.to_owned(),
        Err(_) => camino::absolute_utf8(folder).unwrap_or_else(|_| folder.to_owned()),
    }
}
