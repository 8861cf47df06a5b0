//! Keeping the one comment on a pull request: found, written, edited, never doubled.

use std::time::Duration;

use crate::{
    error::{Error, explained},
    report::{
        Report, comment,
        summary::{Around, Trouble},
    },
    services::{
        forge::{Account, Comment, Comments, ForgeError},
        http::Advice,
    },
};

/// How often a write is tried.
const ATTEMPTS: u32 = 3;
/// Before looking whether a write with unknown outcome was done: GitHub's lists lag behind.
const PAUSE: Duration = Duration::from_secs(2);

/// What the comment is about.
pub struct Subject<'a> {
    pub report: &'a Report,
    pub around: &'a Around,
    pub marker: &'a str,
    /// The pull request.
    pub number: u64,
}

/// Makes the comment say what the report says. Its address, when there is one now.
///
/// Before each try the comment is looked for anew, so that a write whose answer was lost is found and not repeated.
pub async fn keep(forge: &impl Comments, subject: &Subject<'_>) -> Result<Option<String>, ForgeError> {
    let author = forge.author().await?;
    let mut attempt = 1;
    loop {
        let all = forge.list(subject.number).await?;
        let ours = ours(&all, author.as_ref(), subject.marker);
        let Some(body) = comment::wanted(subject.report, subject.around, subject.marker, ours.is_some()) else {
            return Ok(None);
        };
        let written = match ours {
            Some(ours) if comment::same(&ours.body, &body) => return Ok(ours.url.clone()),
            Some(ours) => forge.edit(ours.id, &body).await,
            None => forge.create(subject.number, &body).await,
        };
        match written {
            Ok(comment) => return Ok(comment.url),
            Err(error) if attempt == ATTEMPTS || matches!(error.advice(), Advice::Ask | Advice::Never) => {
                return Err(error);
            }
            Err(_unknown) => {}
        }
        tokio::time::sleep(PAUSE * attempt).await;
        attempt += 1;
    }
}

/// The oldest with the marker, by the token's owner. An app's token does not tell its owner; then it is whatever app
/// wrote it, before all GitHub's own. People paste markers, apps do not.
fn ours<'a>(all: &'a [Comment], author: Option<&Account>, marker: &str) -> Option<&'a Comment> {
    let marked = all.iter().filter(|it| comment::is_marked(&it.body, marker));
    let by_us = marked.filter(|it| match author {
        Some(author) => it.author.is(author),
        None => it.author.kind.as_deref() == Some("Bot"),
    });
    by_us.min_by_key(|it| (!is_workflow(it), it.id))
}

/// Written with the token that GitHub gives a workflow.
fn is_workflow(comment: &Comment) -> bool {
    comment.app.as_deref() == Some("github-actions") || comment.author.login == "github-actions[bot]"
}

/// Why there is no comment, and what to paste.
pub fn trouble(error: ForgeError, from_fork: bool) -> Trouble {
    let missing = error.missing_permission().map(str::to_owned);
    let (message, help) = explained(&Error::from(error));
    let help = help.map(|it| format!("; {it}")).unwrap_or_default();
    let fork = if from_fork && missing.is_some() {
        ". A pull request from a fork gets a token that only reads, whatever `permissions:` says; the annotations \
         and the summary say the same as the comment would"
    } else {
        ""
    };
    let paste = missing.map(|it| format!("permissions:\n  contents: read\n  {it}"));
    Trouble { message: format!("the comment on the pull request is not written: {message}{help}{fork}"), paste }
}

#[cfg(test)]
mod tests {
    use super::{Account, Comment, ours};

    #[test]
    fn the_comment_is_the_oldest_with_the_marker_by_the_author() {
        let account =
            |login: &str, kind: &str| Account { login: login.to_owned(), id: None, kind: Some(kind.to_owned()) };
        let comment = |id, login, kind, body: &str| Comment {
            id,
            author: account(login, kind),
            body: body.to_owned(),
            ..Comment::default()
        };
        let all = [
            comment(1, "mallory", "User", "### x MARK"),
            comment(2, "other[bot]", "Bot", "### x MARK"),
            comment(3, "github-actions[bot]", "Bot", "### x\nMARK"),
            comment(5, "github-actions[bot]", "Bot", "### x MARK"),
            comment(4, "github-actions[bot]", "Bot", "### x MARK"),
            comment(6, "ann", "User", "### x MARK"),
        ];
        for (author, expected) in [
            (None, Some(4)),
            (Some(account("ann", "User")), Some(6)),
            (Some(account("ANN", "User")), Some(6)),
            (Some(account("bob", "User")), None),
        ] {
            assert_eq!(ours(&all, author.as_ref(), "MARK").map(|it| it.id), expected, "{author:?}");
        }
        assert_eq!(ours(&all[..1], None, "MARK"), None);
        assert_eq!(ours(&all[..2], None, "MARK").map(|it| it.id), Some(2));
    }
}
