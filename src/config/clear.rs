//! Secrets written in clear: finding them, and masking them wherever the file is shown.

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

use super::variables;

/// Whether a value under this key holds a secret that no variable keeps out of the file.
pub fn is_secret(key: &str, value: &str) -> bool {
    let named = NAME.is_match(key) && !variables::in_clear(value).trim().is_empty();
    named || secret_parts(value).next().is_some()
}

/// The text with everything that may be a secret turned into `*`, byte by byte, so that offsets stay.
pub fn masked(text: &str, secrets: &[Range<usize>]) -> String {
    let mut hidden = vec![false; text.len()];
    let assigned = ASSIGNED.captures_iter(text).filter_map(|found| found.get(1)).map(|value| value.range());
    for range in assigned.chain(secret_parts(text)).chain(secrets.iter().cloned()) {
        let variables = VARIABLE.find_iter(text.get(range.clone()).unwrap_or_default());
        let mut shown: Vec<bool> = vec![false; range.len()];
        variables.for_each(|variable| shown[variable.range()].fill(true));
        let quotes = |at: usize| matches!(text.as_bytes().get(at), Some(b'"' | b'\''));
        if !range.is_empty() {
            shown[0] |= quotes(range.start);
            *shown.last_mut().expect("the range is not empty") |= quotes(range.end - 1);
        }
        for (at, shown) in range.zip(shown) {
            hidden[at] |= !shown;
        }
    }
    let mask = |(at, character): (usize, char)| match hidden[at] && !matches!(character, '\n' | '\r') {
        true => "*".repeat(character.len_utf8()),
        false => character.to_string(),
    };
    text.char_indices().map(mask).collect()
}

/// Where passwords, keys and tokens stand that give themselves away by their form.
fn secret_parts(text: &str) -> impl Iterator<Item = Range<usize>> {
    let parts = PARTS.iter().flat_map(|form| form.captures_iter(text).filter_map(|found| found.get(1)));
    parts.filter(|part| !variables::in_clear(part.as_str()).is_empty()).map(|part| part.range())
}

fn form(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is constant and every one is compiled by a test")
}

/// Keys whose values are secrets.
static NAME: LazyLock<Regex> = LazyLock::new(|| {
    form(
        r"(?i)^(.*[_-])?(secret|password|passwd|pwd|token|api_?key|deploy_?key|private_?key|access_?key|auth_?key|credentials?)$",
    )
});

/// The value after such a key, also where the file is no YAML.
static ASSIGNED: LazyLock<Regex> = LazyLock::new(|| {
    form(
        r#"(?im)(?:secret|password|passwd|pwd|token|key|credentials?)["']?[ \t]*:[ \t]+("[^"\n]*"?|'[^'\n]*'?|[^\s,}\[{|>][^\n,}]*)"#,
    )
});

static VARIABLE: LazyLock<Regex> = LazyLock::new(|| form(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}"));

/// What is secret by its form; the first group is the secret.
static PARTS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    [
        // A password in a URL, also one with an unescaped `/` or `@` in it.
        r#"://[^\s"'/:@]*:([^\s"']+)@"#,
        // A password among a URL's or a connection string's parameters.
        r#"(?i)(?:[?&]|\b)(?:password|passwd|sslpassword|token|secret|api_?key|sig|signature)=([^&\s"']+)"#,
        // Tokens and keys of well-known services.
        r"\b(whsec_[A-Za-z0-9+/=]{4,})",
        r"\b((?:ghp|gho|ghs|ghr|github_pat|napi|sk_live|sk_test|xox[abpr]-)_?[A-Za-z0-9_-]{16,})",
        r"\b((?:prod|dev|preview|project):[A-Za-z0-9:_-]+\|[A-Za-z0-9+/=_-]{8,})",
        r"\b(AKIA[0-9A-Z]{16})\b",
        r"\b(eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}[A-Za-z0-9._-]*)",
        r"(-----BEGIN [A-Z ]*PRIVATE KEY-----[^\n]*)",
        r"hooks\.slack\.com/services/([A-Za-z0-9/]{8,})",
        r"discord(?:app)?\.com/api/webhooks/([A-Za-z0-9/_-]{8,})",
    ]
    .into_iter()
    .map(form)
    .collect()
});
