//! The plan code: eight characters that bind an approval to bytes, run and attempt. GitHub's record of an approval
//! holds none of the three; its comment is the one field that an approver can write to.

use std::sync::LazyLock;

use regex::Regex;
use sha2::{Digest, Sha256};

use crate::services::forge::Job;

/// Without I, L, O and U, which are misread: <https://www.crockford.com/base32.html>.
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// `7F3K-9QXM`, of what would be applied in this attempt; `None` outside a job.
pub fn of(release: &str, job: Option<&Job>) -> Option<String> {
    let job = job?;
    let (run, attempt) = (job.run?, job.attempt?);
    let digest = Sha256::digest(format!("{release}\n{}\n{run}\n{attempt}", job.repository));
    let letters: String = digest.iter().take(8).map(|byte| char::from(LETTERS[usize::from(byte & 31)])).collect();
    Some(format!("{}-{}", &letters[..4], &letters[4..]))
}

/// The code that a comment names, when it names one: after the word `plan`, or four and four characters with a digit
/// among them.
pub fn quoted(comment: &str) -> Option<String> {
    static CODE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)\b(plan[\s:#=]+)?([0-9A-HJKMNP-TV-Z]{4})([-\u{2010}-\u{2015} ]?)([0-9A-HJKMNP-TV-Z]{4})\b")
            .expect("it is well formed")
    });
    CODE.captures_iter(comment).find_map(|found| {
        let code = format!("{}-{}", &found[2], &found[4]).to_ascii_uppercase();
        let dashed = !found[3].trim().is_empty();
        let has_digit = code.chars().any(|it| it.is_ascii_digit());
        (found.get(1).is_some() || (dashed && has_digit)).then_some(code)
    })
}

#[cfg(test)]
mod tests {
    use super::{Job, of, quoted};

    #[test]
    fn a_code_depends_on_bytes_repository_run_and_attempt() {
        let job = |run, attempt| Job { repository: "o/r".to_owned(), run, attempt, ..Job::default() };
        let code = of("sha256:a", Some(&job(Some(7), Some(1)))).unwrap();
        assert_eq!(of("sha256:a", Some(&job(Some(7), Some(1)))), Some(code.clone()));
        assert_eq!(quoted(&format!("plan {code}")), Some(code.clone()));
        for (release, run, attempt) in [("sha256:b", 7, 1), ("sha256:a", 8, 1), ("sha256:a", 7, 2)] {
            assert_ne!(of(release, Some(&job(Some(run), Some(attempt)))).unwrap(), code);
        }
        assert_eq!(of("sha256:a", Some(&job(Some(7), None))), None);
        assert_eq!(of("sha256:a", None), None);
    }

    #[test]
    fn a_code_is_found_in_a_comment_and_words_are_not_taken_for_one() {
        for (comment, expected) in [
            ("plan 7F3K-9QXM", Some("7F3K-9QXM")),
            ("ok, plan: 7f3k9qxm!", Some("7F3K-9QXM")),
            ("PLAN 7f3k 9qxm", Some("7F3K-9QXM")),
            ("7F3K\u{2013}9QXM looks good", Some("7F3K-9QXM")),
            ("plan ABCD-EFGH", Some("ABCD-EFGH")),
            ("safe-keep, fast-pass", None),
            ("the plan has 1234 5678 rows", None),
            ("ship it", None),
            ("", None),
        ] {
            assert_eq!(quoted(comment).as_deref(), expected, "{comment}");
        }
    }
}
