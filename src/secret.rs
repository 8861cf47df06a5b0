//! `Secret`: a value that prints as `***`; and `scrub` for texts that others wrote.

use std::{fmt, sync::LazyLock};

use regex::Regex;

/// A password, key or URL that holds one. It has no way into text but [`Secret::expose`], which is called
/// only where the value leaves for the service that it belongs to.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, for the one call that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// `text` with what looks like a credential blanked: the user part of URLs, `password=…`, webhook secrets, GitHub's tokens.
/// For texts that come from elsewhere (a server's answer, an error of a library), which may quote what we sent.
pub fn scrub(text: &str) -> String {
    static USER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"://[^\s"'<>`]*@"#).expect("it is well formed"));
    static WORD: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"(?i)\b(password|passwd|pwd|token|api_?key|secret)\s*=\s*('[^']*'|"[^"]*"|[^\s&"',;<>]+)"#)
            .expect("it is well formed")
    });
    static SIGNING: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"whsec_[A-Za-z0-9+/=_-]+").expect("it is well formed"));
    static GITHUB: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\b(gh[a-z]_|github_pat_)[A-Za-z0-9_]{16,}").expect("it is well formed"));
    let text = USER.replace_all(text, "://***@");
    let text = GITHUB.replace_all(&text, "$1***");
    let text = WORD.replace_all(&text, "$1=***");
    SIGNING.replace_all(&text, "whsec_***").into_owned()
}

#[cfg(test)]
mod tests {
    use super::scrub;

    #[test]
    fn credentials_are_blanked_and_the_rest_stays() {
        for (text, expected) in [
            ("postgres://joe:hunter2@db:5432/app is gone", "postgres://***@db:5432/app is gone"),
            ("postgres://joe:p@ss/w?rd@db/app", "postgres://***@db/app"),
            ("host=db password=hunter2 user=joe", "host=db password=*** user=joe"),
            ("host=db password='two words' user=joe", "host=db password=*** user=joe"),
            ("https://example.com/hook?token=abc&x=1", "https://example.com/hook?token=***&x=1"),
            ("whsec_bGlmdGxvY2sgc2lnbnMgdGhpcyBpbiB0ZXN0cw==", "whsec_***"),
            ("the token ghs_0000000000000000 ends", "the token ghs_*** ends"),
            (r#"{"url":"a://b:c@d","mail":"x@y"}"#, r#"{"url":"a://***@d","mail":"x@y"}"#),
            (
                "a token is missing; password authentication failed",
                "a token is missing; password authentication failed",
            ),
        ] {
            assert_eq!(scrub(text), expected);
        }
    }
}
