//! Where this runs: what GitHub Actions tells a step in its environment and in the file of its event.
//! <https://docs.github.com/en/actions/reference/workflows-and-actions/variables>
//!
//! What becomes part of an address is taken only in the form that it must have.

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;
use url::Url;

use crate::{
    commands::Shell,
    config,
    report::{place::Places, summary::Around},
};

/// What is known; outside GitHub Actions little is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surroundings {
    pub around: Around,
    /// The file of the job summary.
    pub summary: Option<Utf8PathBuf>,
    /// The file of the step's outputs.
    pub outputs: Option<Utf8PathBuf>,
    /// `owner/name`.
    pub repository: Option<String>,
    pub pull: Option<Pull>,
    /// The configuration, below the root; empty without one. Tells the comments of several projects apart.
    pub config: String,
}

/// The pull request that this run is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pull {
    pub number: u64,
    /// It comes from another repository.
    pub from_fork: bool,
}

impl Surroundings {
    pub fn look(shell: &Shell) -> Self {
        let variable = |name: &str| shell.variable(name).filter(|it| !it.is_empty());
        let here = real(Utf8Path::new("."));
        let root = variable("GITHUB_WORKSPACE").map(|it| real(Utf8Path::new(&it)));
        let root = root.or_else(|| git(&here)).unwrap_or_else(|| here.clone());
        let places = Places { here, root };
        let file = shell.global.config.clone().or_else(|| config::find(Utf8Path::new(".")));
        let config = file.map(|it| places.shown(&it)).unwrap_or_default();
        let event = variable("GITHUB_EVENT_PATH").and_then(|path| std::fs::read(path).ok());
        let event = event.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or(Value::Null);
        let repository = variable("GITHUB_REPOSITORY").filter(|it| is_repository(it));
        let server = variable("GITHUB_SERVER_URL").and_then(|it| web(&it));
        let page = server.zip(repository.clone()).map(|(server, repository)| format!("{server}/{repository}"));
        let run = variable("GITHUB_RUN_ID").filter(|it| it.bytes().all(|it| it.is_ascii_digit()));
        let run = page.as_ref().zip(run).map(|(page, run)| format!("{page}/actions/runs/{run}"));
        let commit = text(&event, "/pull_request/head/sha").or_else(|| variable("GITHUB_SHA"));
        let commit = commit.filter(|it| it.len() >= 7 && it.bytes().all(|it| it.is_ascii_hexdigit()));
        let pull = pull(&event, variable("GITHUB_REF").as_deref(), repository.as_deref());
        Self {
            around: Around { places, repository: page, commit, run },
            summary: variable("GITHUB_STEP_SUMMARY").map(Utf8PathBuf::from),
            outputs: variable("GITHUB_OUTPUT").map(Utf8PathBuf::from),
            repository,
            pull,
            config,
        }
    }
}

/// By the event, else by a reference like `refs/pull/12/merge`.
fn pull(event: &Value, reference: Option<&str>, repository: Option<&str>) -> Option<Pull> {
    let commented = event.pointer("/issue/pull_request").and_then(|_| event.pointer("/issue/number"));
    let by_event = event.pointer("/pull_request/number").or(commented).and_then(Value::as_u64);
    let by_reference = || reference?.strip_prefix("refs/pull/")?.split('/').next()?.parse().ok();
    let head = text(event, "/pull_request/head/repo/full_name");
    let from_fork = head.is_some_and(|head| repository.is_some_and(|it| !head.eq_ignore_ascii_case(it)));
    by_event.or_else(by_reference).map(|number| Pull { number, from_fork })
}

fn text(event: &Value, pointer: &str) -> Option<String> {
    event.pointer(pointer).and_then(Value::as_str).map(str::to_owned)
}

fn is_repository(name: &str) -> bool {
    let part = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_.".contains(&it));
    name.split_once('/').is_some_and(|(owner, name)| part(owner) && part(name))
}

/// `https://github.com`, without anything that could end a link.
fn web(address: &str) -> Option<String> {
    let url = Url::parse(address).ok().filter(|it| matches!(it.scheme(), "http" | "https"))?;
    Some(url.origin().ascii_serialization())
}

/// The nearest folder upwards that git works in.
fn git(here: &Utf8Path) -> Option<Utf8PathBuf> {
    here.ancestors().find(|it| it.join(".git").exists()).map(Utf8Path::to_owned)
}

pub fn real(path: &Utf8Path) -> Utf8PathBuf {
    path.canonicalize_utf8().unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Pull, is_repository, pull, web};

    #[test]
    fn the_pull_request_is_that_of_the_event_or_of_the_reference() {
        let event = |number: Value, head: &str| json!({ "pull_request": { "number": number, "head": { "repo": { "full_name": head } } } });
        for (event, reference, expected) in [
            (event(json!(12), "O/R"), None, Some((12, false))),
            (event(json!(12), "mallory/r"), Some("refs/pull/13/merge"), Some((12, true))),
            (event(json!("12"), "o/r"), Some("refs/pull/13/merge"), Some((13, false))),
            (Value::Null, Some("refs/pull/13/merge"), Some((13, false))),
            (Value::Null, Some("refs/heads/main"), None),
            (Value::Null, Some("refs/pull/x/merge"), None),
            (json!({ "issue": { "number": 5 } }), None, None),
            (json!({ "issue": { "number": 5, "pull_request": {} } }), None, Some((5, false))),
            (json!([]), None, None),
        ] {
            let expected = expected.map(|(number, from_fork)| Pull { number, from_fork });
            assert_eq!(pull(&event, reference, Some("o/r")), expected, "{event} {reference:?}");
        }
    }

    #[test]
    fn addresses_are_made_only_of_what_belongs_there() {
        for (name, expected) in [("o/r", true), ("o-1/r.x_y", true), ("o", false), ("o/r/x", false), ("o/r)", false)] {
            assert_eq!(is_repository(name), expected, "{name}");
        }
        assert_eq!(web("https://github.com/x)y").as_deref(), Some("https://github.com"));
        assert_eq!(web("javascript:alert(1)"), None);
    }
}
