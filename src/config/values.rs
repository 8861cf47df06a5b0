//! Single values: is one what its key wants? Each judge answers with a complaint, which never holds the value.

use base64::{Engine, prelude::BASE64_STANDARD};
use miette::SourceSpan;
use url::Url;

use super::complaint::Complaint;

pub fn database_url(value: &str, place: String, span: SourceSpan) -> Option<Complaint> {
    const FORM: &str = "write it as `postgresql://USER:PASSWORD@HOST:5432/DATABASE?sslmode=verify-full`";
    let what = match value.split_once("://") {
        Some(("postgres" | "postgresql", rest)) if !rest.is_empty() => return None,
        Some(("postgres" | "postgresql", _)) => "it ends after its `://`",
        Some(_) => "it does not start with `postgresql://`",
        None => "it has no `postgresql://`",
    };
    Some(Complaint::BadUrl { place, what, help: FORM, span })
}

pub fn webhook_url(value: &str, place: String, span: SourceSpan) -> Option<Complaint> {
    const FORM: &str = "write it as `https://HOST/PATH`, or as `file:audit.jsonl` for a file";
    if value.strip_prefix("file:").is_some_and(|path| !path.trim_matches('/').is_empty()) {
        return None;
    }
    let what = match Url::parse(value) {
        Ok(url) if matches!(url.scheme(), "https" | "http") && url.has_host() => return None,
        Ok(_) => "it is not an `https://` URL",
        Err(_) => "it cannot be read as a URL",
    };
    Some(Complaint::BadUrl { place, what, help: FORM, span })
}

/// <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>
pub fn webhook_secret(value: &str, place: String, span: SourceSpan) -> Option<Complaint> {
    // More than one while it is rotated.
    let what = value.split_whitespace().find_map(wrong_with_secret)?;
    Some(Complaint::BadWebhookSecret { place, what, span })
}

fn wrong_with_secret(value: &str) -> Option<&'static str> {
    match value.strip_prefix("whsec_").map(|key| BASE64_STANDARD.decode(key)) {
        Some(Ok(key)) if (24..=64).contains(&key.len()) => None,
        Some(Ok(key)) if key.len() < 24 => Some("it is shorter than 24 bytes"),
        Some(Ok(_)) => Some("it is longer than 64 bytes"),
        Some(Err(_)) => Some("what follows `whsec_` is not base64"),
        None => Some("it does not start with `whsec_`"),
    }
}

/// <https://api-docs.neon.tech/reference/getproject>: ids match `^[a-z0-9-]{1,60}$`.
pub fn neon_project(value: &str, place: String, span: SourceSpan) -> Option<Complaint> {
    let help = "the Neon console shows it under Settings: `calm-river-12345678`".to_owned();
    (!is_neon_id(value)).then_some(Complaint::WrongValue { place, help, span })
}

/// `default`, or `br-…`. Names are not taken: any branch can be given any name.
pub fn neon_branch(value: &str, place: String, span: SourceSpan) -> Option<Complaint> {
    let is_branch = value == "default" || (value.starts_with("br-") && is_neon_id(value));
    let help = "write `default`, or the branch's id, which begins with `br-`; a name proves nothing".to_owned();
    (!is_branch).then_some(Complaint::WrongValue { place, help, span })
}

fn is_neon_id(value: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=60).contains(&value.len()) && value.bytes().all(legal)
}

/// A key that is sent in a header.
pub fn key(value: &str, place: String, span: SourceSpan) -> Option<Complaint> {
    let legal = value.bytes().all(|byte| byte.is_ascii_graphic());
    let help = "it is one word without spaces or line ends: copy it again".to_owned();
    (!legal).then_some(Complaint::WrongValue { place, help, span })
}

/// A secret that people make up: long enough that nobody guesses it.
pub fn shared_key(value: &str, place: String, span: SourceSpan) -> Option<Complaint> {
    let help = "it must be one word of at least 32 characters: `openssl rand -hex 32` makes one".to_owned();
    let short = value.len() < 32 || !value.bytes().all(|byte| byte.is_ascii_graphic());
    short.then_some(Complaint::WrongValue { place, help, span })
}

/// Where a service is that gets a key from us.
pub fn service_url(value: &str, place: String, span: SourceSpan) -> Option<Complaint> {
    const FORM: &str = "write it as `https://HOST`; `http://` is for this machine alone, because a key goes with it";
    let what = match Url::parse(value) {
        Ok(url) if !url.username().is_empty() || url.password().is_some() => "it has a user in it",
        Ok(url) if url.query().is_some() || url.fragment().is_some() => "it has more behind its path",
        Ok(url) if url.scheme() == "https" && url.has_host() => return None,
        Ok(url) if url.scheme() == "http" && is_this_machine(&url) => return None,
        Ok(_) => "it is not an `https://` URL",
        Err(_) => "it cannot be read as a URL",
    };
    Some(Complaint::BadUrl { place, what, help: FORM, span })
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Path of a module in a `convex/` folder: `liftlock/sync`.
pub fn functions_path(value: &str, place: String, span: SourceSpan) -> Option<Complaint> {
    let part = |it: &str| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let help = "write it without `convex/` before it and `.ts` behind it: `liftlock/sync`".to_owned();
    (!value.split('/').all(part)).then_some(Complaint::WrongValue { place, help, span })
}

/// `table`, `schema.table`, each part plain or in double quotes.
pub fn is_table_name(text: &str) -> bool {
    let mut rest = text;
    for _ in 0..2 {
        let length = match rest.strip_prefix('"') {
            Some(quoted) => match quoted.find('"') {
                Some(end) if end > 0 => end + 2,
                _ => return false,
            },
            None => {
                let plain = |c: &char| c.is_alphanumeric() || matches!(c, '_' | '$');
                rest.chars().take_while(plain).map(char::len_utf8).sum()
            }
        };
        if length == 0 {
            return false;
        }
        rest = &rest[length..];
        match rest.strip_prefix('.') {
            Some(after) => rest = after,
            None => return rest.is_empty(),
        }
    }
    false
}
