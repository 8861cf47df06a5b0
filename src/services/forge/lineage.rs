//! Where a commit comes from: whether the default branch has it, what it holds of the files that are asked for, and
//! who had a hand in those.

use std::{collections::BTreeSet, sync::LazyLock};

use camino::{Utf8Path, Utf8PathBuf};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use regex::Regex;

use super::{
    Account, ForgeError, Lineage, Pull,
    answers::{CommitAnswer, ComparisonAnswer, PullAnswer, RepositoryAnswer},
    github::{AT_ONCE, About, CONTENTS, GitHub, PULLS},
};

pub async fn read(github: &GitHub, commit: &str, head: &str, files: &[Utf8PathBuf]) -> Result<Lineage, ForgeError> {
    let about = About { action: "read the repository", scope: CONTENTS };
    let repository: RepositoryAnswer = github.get(&github.below(&[], &[]), about).await?;
    let Some(default_branch) = repository.default_branch else {
        let reason = "the repository has no default branch".to_owned();
        return Err(ForgeError::Malformed { action: about.action.to_owned(), reason });
    };
    let (on_default_branch, relation) = contains(github, &default_branch, commit).await?;
    let same = commit == head;
    let in_run = same || contains(github, head, commit).await?.0;
    let run_on_default_branch = if same { on_default_branch } else { contains(github, &default_branch, head).await?.0 };
    let lineage =
        Lineage { default_branch, on_default_branch, in_run, run_on_default_branch, relation, ..Lineage::default() };
    if !on_default_branch {
        return Ok(Lineage { texts: vec![None; files.len()], ..lineage });
    }
    let texts = stream::iter(files).map(|file| text(github, commit, file)).buffered(AT_ONCE).try_collect().await?;
    let (commits, head_changed) = commits(github, commit, files).await?;
    let pulls = stream::iter(commits.iter()).map(|it| pulls(github, &it.sha, &lineage.default_branch));
    let pulls: Vec<Vec<Pull>> = pulls.buffered(AT_ONCE).try_collect().await?;
    let others = (!head_changed).then_some(commit);
    Ok(attributed(Lineage { texts, ..lineage }, commits, pulls, others))
}

/// Whether a branch or commit has this commit in its past, and how GitHub puts it. Asking for the commit itself
/// would not do: GitHub knows the commits of all forks under the repository's name, too.
async fn contains(github: &GitHub, base: &str, commit: &str) -> Result<(bool, String), ForgeError> {
    let action = format!("compare {commit} with {base}");
    let about = About { action: &action, scope: CONTENTS };
    let path = github.below(&["compare", &format!("{base}...{commit}")], &[("per_page", "1")]);
    let comparison: ComparisonAnswer = github.get(&path, about).await?;
    let relation = comparison.status.unwrap_or_default();
    let is_base = comparison.merge_base_commit.is_some_and(|it| it.sha == commit);
    Ok((is_base && (relation == "identical" || relation == "behind"), relation))
}

async fn text(github: &GitHub, commit: &str, file: &Utf8Path) -> Result<Option<String>, ForgeError> {
    let action = format!("read {file} at {commit}");
    let about = About { action: &action, scope: CONTENTS };
    let segments: Vec<&str> = std::iter::once("contents").chain(file.components().map(|it| it.as_str())).collect();
    github.raw(&github.below(&segments, &[("ref", commit)]), about).await
}

/// The commit itself first, then each commit up to it that changed one of the files, once; and whether the commit
/// itself did.
async fn commits(
    github: &GitHub,
    commit: &str,
    files: &[Utf8PathBuf],
) -> Result<(Vec<CommitAnswer>, bool), ForgeError> {
    let action = format!("read commit {commit}");
    let about = About { action: &action, scope: CONTENTS };
    let head: CommitAnswer = github.get(&github.below(&["commits", commit], &[]), about).await?;
    let of_file = |file: &Utf8PathBuf| {
        let action = format!("read the commits of {file}");
        let query = [("sha", commit), ("path", file.as_str()), ("per_page", "100")];
        let path = github.below(&["commits"], &query);
        async move { github.all::<CommitAnswer>(&path, About { action: &action, scope: CONTENTS }).await }
    };
    let found: Vec<Vec<CommitAnswer>> = stream::iter(files).map(of_file).buffered(AT_ONCE).try_collect().await?;
    let head_changed = found.iter().flatten().any(|it| it.sha == head.sha);
    let mut seen = BTreeSet::from([head.sha.clone()]);
    let others = found.into_iter().flatten().filter(|it| seen.insert(it.sha.clone()));
    let others: Vec<CommitAnswer> = others.collect();
    Ok((std::iter::once(head).chain(others).collect(), head_changed))
}

/// The merged pull requests that a commit came by.
async fn pulls(github: &GitHub, sha: &str, default_branch: &str) -> Result<Vec<Pull>, ForgeError> {
    let action = format!("read the pull requests of {sha}");
    let about = About { action: &action, scope: PULLS };
    let path = github.below(&["commits", sha, "pulls"], &[("per_page", "100")]);
    let found: Vec<PullAnswer> = github.all(&path, about).await?;
    let merged = found.into_iter().filter(|it| {
        let base = it.base.as_ref().and_then(|it| it.name.as_deref());
        it.merged_at.is_some() && base == Some(default_branch)
    });
    let pull = |it: PullAnswer| Pull {
        number: it.number,
        author: it.user.map(Account::from),
        head_sha: it.head.and_then(|it| it.sha).unwrap_or_default(),
        url: it.html_url,
    };
    Ok(merged.map(pull).collect())
}

/// `pulls` are those of each commit. `bystander` changed none of the files: its people count all the same, and
/// whether a pull request brought it does not matter.
fn attributed(
    mut lineage: Lineage,
    commits: Vec<CommitAnswer>,
    pulls: Vec<Vec<Pull>>,
    bystander: Option<&str>,
) -> Lineage {
    let mut merged: BTreeSet<Pull> = BTreeSet::new();
    for (commit, pulls) in commits.into_iter().zip(pulls) {
        let sha = commit.sha.clone();
        let (people, strangers) = people(commit);
        let openers: Vec<Account> = pulls.iter().filter_map(|it| it.author.clone()).collect();
        if people.is_empty() && openers.is_empty() {
            lineage.nameless.insert(sha.clone());
        }
        if pulls.is_empty() && bystander != Some(sha.as_str()) {
            lineage.without_pull.insert(sha.clone());
        }
        lineage.strangers += strangers;
        lineage.people.extend(people);
        lineage.people.extend(openers);
        if bystander != Some(sha.as_str()) {
            merged.extend(pulls);
        }
    }
    lineage.pulls = merged.into_iter().collect();
    lineage
}

/// The accounts of a commit's author, committer and co-authors; and how many of them have none that is known.
fn people(commit: CommitAnswer) -> (Vec<Account>, usize) {
    let author = commit.author.and_then(|it| it.account());
    let committer = commit.committer.and_then(|it| it.account());
    let mut strangers = usize::from(author.is_none());
    let mut people: Vec<Account> = author.into_iter().chain(committer.filter(|it| !is_forge(it))).collect();
    let message = commit.commit.and_then(|it| it.message).unwrap_or_default();
    for line in message.lines() {
        match co_author(line) {
            None => {}
            Some(Some(account)) => people.push(account),
            Some(None) => strangers += 1,
        }
    }
    (people, strangers)
}

/// GitHub itself commits what is merged in the browser.
fn is_forge(account: &Account) -> bool {
    account.login == "web-flow" || account.login == "GitHub"
}

/// `Co-authored-by: Ann <1+ann@users.noreply.github.com>`: only such an address names its account.
fn co_author(line: &str) -> Option<Option<Account>> {
    static TRAILER: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?i)^\s*co-authored-by\s*:.*<([^<>\s]+)>\s*$").expect("it is well formed"));
    static NOREPLY: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)^(?:(\d+)\+)?([A-Za-z0-9-]+(?:\[bot\])?)@users\.noreply\.").expect("it is well formed")
    });
    let address = TRAILER.captures(line)?.get(1)?.as_str().to_owned();
    Some(NOREPLY.captures(&address).map(|it| Account {
        login: it[2].to_owned(),
        id: it.get(1).and_then(|it| it.as_str().parse().ok()),
        kind: None,
    }))
}

#[cfg(test)]
mod tests {
    use super::co_author;

    #[test]
    fn a_co_author_is_known_by_an_address_of_github_only() {
        for (line, expected) in [
            ("Co-authored-by: Ann <1+ann@users.noreply.github.com>", Some(Some(("ann", Some(1))))),
            ("co-authored-by:ann <ann@users.noreply.github.com>  ", Some(Some(("ann", None)))),
            ("Co-Authored-By: x[bot] <9+x[bot]@users.noreply.github.com>", Some(Some(("x[bot]", Some(9))))),
            ("Co-authored-by: Ann <ann@example.com>", Some(None)),
            ("Co-authored-by: Ann", None),
            ("See Co-authored-by: Ann <ann@example.com>", None),
        ] {
            let found = co_author(line);
            let found = found.as_ref().map(|it| it.as_ref().map(|it| (it.login.as_str(), it.id)));
            assert_eq!(found, expected, "{line}");
        }
    }
}
