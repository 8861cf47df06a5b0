//! A credential in a migration is known to everybody who can read the repository, now and later.
//!
//! Looked for are connection URLs with passwords, `password '…'`, keys and tokens of AWS, GitHub, Stripe, Slack,
//! Google, Neon, Convex and others, and private keys; in statements and in comments. Placeholders (`***`,
//! `<password>`, `${PASSWORD}`) are none. The value is never shown, here or anywhere. Taking it out of the file
//! does not take it out of the history: it must be revoked. Nothing waives this.
//!
//! ```sql bad
//! create role liftlock_example_reader login password 'correct-horse';
//! ```
//!
//! ```sql bad
//! -- copied from postgres://app:correct-horse@db.example.com/app
//! create table orders (id bigint primary key);
//! ```
//!
//! ```sql good
//! -- copied from postgres://app:***@db.example.com/app
//! create role liftlock_example_reader login password null;
//! ```

use std::{
    collections::BTreeSet,
    sync::{LazyLock, OnceLock},
};

use aho_corasick::AhoCorasick;
use regex::bytes::{Regex, RegexBuilder};

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::Span,
};

pub static RULE: Rule = Rule {
    name: "credentials-in-text",
    harm: Harm::Convention,
    severity: Severities::ERROR,
    waivable: Waivable::Never,
    source: include_str!("credentials_in_text.rs"),
    check: Check::Migration(check),
};

/// What is looked for, and the words, in lower case, of which one stands in whatever the pattern finds. The group
/// `secret` is the value; when it is missing, all of it is.
const PATTERNS: &[(&str, &[&str], &str)] = &[
    (
        "a private key",
        &["private key"],
        r"(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY( BLOCK)?-----.*?(-----END [A-Z0-9 ]*PRIVATE KEY( BLOCK)?-----|\z)",
    ),
    (
        "a URL with a password",
        &["://"],
        r#"\b[a-zA-Z][a-zA-Z0-9+.-]*://(?<user>(?u:[^\s:@/'"])*):(?<secret>(?u:[^\s@/'"])+)@"#,
    ),
    (
        "a password",
        &["password"],
        r"(?i)\bpassword(?:(?u:\s)|/\*[^*]*\*/|--[^\n]*\n)+(?:E|U&)?'(?<secret>(?:[^']|'')+)'",
    ),
    ("a password", &["password"], r"(?i)\bpassword\s+\$(?<tag>[\w\x80-\xFF]*)\$(?<secret>[^$]+)\$"),
    (
        "a password",
        &["password"],
        r#"(?i)\b(?:host|hostaddr|port|dbname|user|sslmode)\s*=[^;'"\n]*?\bpassword\s*=\s*(?<secret>[^\s'";]+)"#,
    ),
    (
        "a password",
        &["password"],
        r#"(?i)\bpassword\s*=\s*(?<secret>[^\s'";]+)[^;'"\n]*\s(?:host|hostaddr|port|dbname|user|sslmode)\s*="#,
    ),
    ("an AWS access key", &["akia", "asia", "abia", "acca"], r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b"),
    (
        "an AWS secret key",
        &["aws"],
        r#"(?i)\baws_?secret_?(?:access_?)?key["']?\s*(?:=>|:=|[=:])\s*["']?(?<secret>[A-Za-z0-9/+=]{40})\b"#,
    ),
    (
        "a GitHub token",
        &["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"],
        r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})",
    ),
    ("a GitLab token", &["glpat-"], r"\bglpat-[A-Za-z0-9_-]{20,}"),
    ("a Stripe key", &["k_live_", "k_test_"], r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{10,}"),
    ("a webhook signing secret", &["whsec_"], r"\bwhsec_[A-Za-z0-9+/=]{16,}"),
    ("a Slack token", &["xox"], r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
    (
        "a Slack webhook",
        &["hooks.slack.com"],
        r"\bhooks\.slack\.com/services/(?<secret>T[A-Z0-9]+/B[A-Z0-9]+/[A-Za-z0-9]{10,})",
    ),
    ("a Google API key", &["aiza"], r"\bAIza[A-Za-z0-9_-]{35}"),
    ("a Google client secret", &["gocspx-"], r"\bGOCSPX-[A-Za-z0-9_-]{20,}"),
    ("a Google access token", &["ya29."], r"\bya29\.[A-Za-z0-9_-]{20,}"),
    ("a Neon API key", &["napi_"], r"\bnapi_[A-Za-z0-9]{20,}"),
    ("a Neon password", &["npg_"], r"\bnpg_[A-Za-z0-9]{8,}"),
    ("a Convex deploy key", &["|"], r"\b(?:prod|dev|preview|project):[A-Za-z0-9:_-]+\|[A-Za-z0-9+/=_-]{16,}"),
    ("a Convex admin key", &["|"], r"\b[a-z0-9-]+\|[0-9a-f]{60,}"),
    ("an Anthropic API key", &["sk-ant-"], r"\bsk-ant-[A-Za-z0-9_-]{20,}"),
    ("an OpenAI API key", &["sk-"], r"\bsk-(?:proj-|svcacct-)?[A-Za-z0-9_]{20,}"),
    ("a SendGrid key", &["sg."], r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
    ("an npm token", &["npm_"], r"\bnpm_[A-Za-z0-9]{36}\b"),
    ("a PyPI token", &["pypi-"], r"\bpypi-[A-Za-z0-9_-]{50,}"),
    ("a Supabase token", &["sbp_", "sb_secret_"], r"\bsbp_[a-f0-9]{40}\b|\bsb_secret_[A-Za-z0-9_-]{20,}"),
    ("a DigitalOcean token", &["_v1_"], r"\bdo[opr]_v1_[a-f0-9]{40,}"),
    ("a Shopify token", &["shp"], r"\bshp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}\b"),
    ("an Azure storage key", &["accountkey="], r"\bAccountKey=(?<secret>[A-Za-z0-9+/=]{40,})"),
    ("a signed token (JWT)", &["eyj"], r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"),
    ("a bearer token", &["bearer"], r"(?i)\bbearer(?u:\s)+(?<secret>[A-Za-z0-9_.~+/=-]{20,})"),
    (
        "a password",
        &["authorization"],
        r#"(?i)\bauthorization["']?\s*[:,=]\s*["']?basic\s+(?<secret>[A-Za-z0-9+/]{12,}={0,2})"#,
    ),
    ("a password", &["crypt"], r"(?i)\bcrypt\s*\(\s*(?:E|U&)?'(?<secret>(?:[^']|'')+)'"),
    (
        "a secret",
        &["key", "secret", "token"],
        r#"(?i)\b(?:api[_-]?key|secret[_-]?key|client[_-]?secret|jwt[_-]?secret|access[_-]?token|auth[_-]?token)["']?\s*(?:=>|:=|=|:|,|\bto\b)\s*["'](?<secret>[A-Za-z0-9_+/=.-]{20,})["']"#,
    ),
];

/// The patterns, each compiled when a text has one of its words for the first time: most never are.
static REGEXES: LazyLock<Vec<OnceLock<Regex>>> = LazyLock::new(|| PATTERNS.iter().map(|_| OnceLock::new()).collect());

/// All words, and for each the pattern that it belongs to.
static WORDS: LazyLock<(AhoCorasick, Vec<usize>)> = LazyLock::new(|| {
    let words = PATTERNS.iter().enumerate().flat_map(|(at, (_, words, _))| words.iter().map(move |word| (*word, at)));
    let (words, patterns): (Vec<_>, Vec<_>) = words.unzip();
    let automaton = AhoCorasick::builder().ascii_case_insensitive(true).build(words);
    (automaton.expect("the words are constant, and few"), patterns)
});

/// The patterns that may find something in a text.
fn likely(text: &str) -> impl Iterator<Item = (&'static str, &'static Regex)> {
    let (automaton, patterns) = &*WORDS;
    let at = automaton.find_overlapping_iter(text).map(|it| patterns[it.pattern().as_usize()]).collect::<BTreeSet<_>>();
    at.into_iter().map(|at| {
        let (what, _, pattern) = PATTERNS[at];
        // Of bytes they are a tenth as large, and mean the same: what a match begins and ends with is ASCII. Where other
        // letters and spaces count, the pattern says so.
        let compiled =
            || RegexBuilder::new(pattern).unicode(false).build().expect("constant, and a test compiles them");
        (what, REGEXES[at].get_or_init(compiled))
    })
}

fn check(context: &Context) -> Vec<Problem> {
    let found = find(&context.migration.text).into_iter();
    found
        .map(|(what, span)| {
            Problem::at(span)
                .says(format!("{what} stands in the text"))
                .help("take it out and revoke it: whoever read the file has it; bring it in when the migration has run")
                .concealed()
        })
        .collect()
}

/// Each credential once, in order of place.
fn find(text: &str) -> Vec<(&'static str, Span)> {
    let mut found: Vec<(&str, Span)> = Vec::new();
    for (what, regex) in likely(text) {
        for captures in regex.captures_iter(text.as_bytes()) {
            let Some(secret) = captures.name("secret").or(captures.get(0)) else { continue };
            let user = captures.name("user").and_then(|it| text.get(it.range()));
            let span = Span { start: secret.start(), end: secret.end() };
            let overlaps = found.iter().any(|(_, other)| span.start < other.end && other.start < span.end);
            if !overlaps && text.get(secret.range()).is_some_and(|it| !is_placeholder(it, user)) {
                found.push((what, span));
            }
        }
    }
    found.sort_by_key(|(_, span)| *span);
    found
}

/// Masks, template variables, and the words that documentation writes in place of a password.
fn is_placeholder(value: &str, user: Option<&str>) -> bool {
    let body = value.rsplit(['_', '-', '|']).find(|it| !it.is_empty()).unwrap_or(value);
    let mut letters = body.chars().filter(|it| it.is_alphanumeric() || *it == '*');
    let first = letters.next();
    let one_letter = first.is_none() || letters.all(|it| Some(it) == first);
    let bracketed = value.starts_with(['<', '{', '$', '%', '[', ':']) || value.contains("${") || value.contains("{{");
    let documentation = user
        .is_some_and(|user| matches!(user.to_ascii_lowercase().as_str(), "user" | "username" | "usr"))
        && matches!(value.to_ascii_lowercase().as_str(), "password" | "pass" | "passwd" | "pwd" | "secret");
    let your = value.to_ascii_lowercase().starts_with("your") || value.contains("..") || value.contains('…');
    one_letter || bracketed || documentation || your
}

#[cfg(test)]
mod tests {
    use super::find;

    /// Glued together here, so that no scanner of this repository takes them for real ones.
    fn glued(parts: &[&str]) -> String {
        parts.concat()
    }

    #[test]
    fn credentials_are_found_and_placeholders_are_not() {
        let letters = "abcdefghij0123456789ABCDEFGHIJ0123456789";
        let found = [
            "-- postgres://app:correct-horse@db.example.com/app".to_owned(),
            "select dblink_connect('postgresql://admin:password@prod/app')".to_owned(),
            "create role r login password 'x1'".to_owned(),
            "alter role r PASSWORD  E'abc'".to_owned(),
            "alter role r password /* once: not seen */ 'abc'".to_owned(),
            "create user mapping for u server s options (user 'u', password 'abc')".to_owned(),
            "create subscription s connection 'host=h password=abc user=u' publication p".to_owned(),
            glued(&["-- AK", "IA", "ABCDEFGHIJKLMNOP"]),
            glued(&["-- aws_secret_access_key = ", letters]),
            glued(&["-- gh", "p_", letters]),
            glued(&["-- github", "_pat_", letters]),
            glued(&["insert into k values ('sk_", "live_", "abcdefghij0123456789')"]),
            glued(&["-- xox", "b-", "123456789012-abcdefghij"]),
            glued(&["-- AI", "za", &letters[..35]]),
            glued(&["-- na", "pi_", letters]),
            glued(&["-- prod:", "happy-animal-123|", letters]),
            glued(&["-- -----BEGIN RSA PRIVATE", " KEY-----\n-- abc\n-- -----END RSA PRIVATE", " KEY-----"]),
            glued(&["select net.http_post(headers := '{\"Authorization\": \"Bea", "rer ", letters, "\"}')"]),
            glued(&["-- curl -H 'Authorization: Ba", "sic ", letters, "'"]),
            "alter role r password $é$correct-horse$é$".to_owned(),
            "alter role r password\u{a0}'correct-horse'".to_owned(),
            "-- postgres://äpp:cörrect-hörse@db.example.com/app".to_owned(),
            "insert into users (name, hash) values ('a', crypt('correct-horse', gen_salt('bf')))".to_owned(),
            glued(&["select set_config('app.jwt_secret', '", letters, "', false)"]),
        ];
        for text in found {
            assert_eq!(find(&text).len(), 1, "{text}");
        }
        let clean = [
            "-- postgres://user:***@host/db",
            "-- postgres://user:password@host/db",
            "-- postgres://app:<password>@host/db",
            "-- postgres://app:${PASSWORD}@host/db",
            "-- postgres://app@host/db, see https://example.com:8080/x@y",
            // Wide spaces end an address, too.
            "-- https://example.com:8080\u{3000}a@b, https://example.com:8080\u{a0}a@b",
            "create table users (password text not null, password_hash text default '')",
            "update users set password = crypt('x', gen_salt('bf')) where password = $1",
            "alter role r password null",
            "update users set password = crypt(new_password, gen_salt('bf'))",
            "-- the bearer of this token",
            "-- Authorization: Bearer <token>",
            "alter role r password '<password>'",
            "-- napi_xxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "comment on column users.password is 'hashed'",
            "create index on prod (a); -- dev:x | y",
            "insert into t values ('sk-learn', 'task-1')",
        ];
        for text in clean {
            assert_eq!(find(text), [], "{text}");
        }
    }

    #[test]
    fn the_place_is_the_value_alone() {
        let text = "create role r password 'correct-horse';";
        let (_, span) = find(text)[0];
        assert_eq!(&text[span.start..span.end], "correct-horse");
    }
}
