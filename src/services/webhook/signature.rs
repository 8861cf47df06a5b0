//! Signatures of Standard Webhooks 1.0: <https://github.com/standard-webhooks/standard-webhooks>.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;
use thiserror::Error;

use super::WebhookError;
use crate::secret::Secret;

/// How far a receiver lets a message's timestamp be from its own clock.
pub const TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// No `Debug`: it has no way into text.
pub(super) struct Key(Vec<u8>);

pub(super) fn keys(secret: &Secret) -> Result<Vec<Key>, WebhookError> {
    let keys: Result<Vec<Key>, WebhookError> = secret.expose().split_whitespace().map(key).collect();
    match keys {
        Ok(keys) if keys.is_empty() => Err(WebhookError::NoSecret),
        other => other,
    }
}

fn key(secret: &str) -> Result<Key, WebhookError> {
    let encoded = secret.strip_prefix("whsec_").unwrap_or(secret);
    let bytes = STANDARD.decode(encoded).map_err(|_| WebhookError::Secret)?;
    if (24..=64).contains(&bytes.len()) { Ok(Key(bytes)) } else { Err(WebhookError::Secret) }
}

/// The message authentication code of `id.timestamp.body`.
fn code(key: &Key, id: &str, timestamp: &str, body: &[u8]) -> Hmac<Sha256> {
    let mut code = Hmac::<Sha256>::new_from_slice(&key.0).expect("HMAC takes keys of every length");
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        code.update(part);
    }
    code
}

pub(super) fn signatures(keys: &[Key], id: &str, timestamp: &str, body: &[u8]) -> String {
    let signed: Vec<String> = keys
        .iter()
        .map(|key| format!("v1,{}", STANDARD.encode(code(key, id, timestamp, body).finalize().into_bytes())))
        .collect();
    signed.join(" ")
}

/// The three headers of a message, as received.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    /// `webhook-id`
    pub id: &'a str,
    /// `webhook-timestamp`, seconds since 1970
    pub timestamp: &'a str,
    /// `webhook-signature`
    pub signature: &'a str,
}

/// Why a receiver must not believe a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Forged {
    #[error("the receiver's own secret is malformed")]
    Secret,
    #[error("the timestamp is not a number of seconds")]
    Timestamp,
    #[error("the message is too old or from the future")]
    Stale,
    #[error("no signature fits the message")]
    Signature,
}

/// The receiver's half: `Ok` when one of the signatures was made with one of the secrets, over these very bytes,
/// within [`TOLERANCE`] of `now`.
pub fn verify_signature(secret: &Secret, signed: Signed<'_>, body: &[u8], now: Timestamp) -> Result<(), Forged> {
    let keys = keys(secret).map_err(|_| Forged::Secret)?;
    let seconds: i64 = signed.timestamp.parse().map_err(|_| Forged::Timestamp)?;
    if now.as_second().abs_diff(seconds) > TOLERANCE.as_secs() {
        return Err(Forged::Stale);
    }
    let genuine =
        signed.signature.split(' ').filter_map(|signature| STANDARD.decode(signature.strip_prefix("v1,")?).ok()).any(
            |bytes| keys.iter().any(|key| code(key, signed.id, signed.timestamp, body).verify_slice(&bytes).is_ok()),
        );
    if genuine { Ok(()) } else { Err(Forged::Signature) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_bGlmdGxvY2sgc2lnbnMgdGhpcyBpbiB0ZXN0cw==";
    const OTHER: &str = "whsec_YW5kIHRoaXMgaXMgdGhlIG90aGVyIHNlY3JldA==";
    const ID: &str = "msg_pole_4711";
    const BODY: &str = r#"{"pole":4711,"state":"planned"}"#;
    /// Of another implementation: `printf '%s' "$ID.1649367553.$BODY" | openssl dgst -sha256 -mac HMAC -macopt hexkey:…`.
    const SIGNATURE: &str = "v1,pMqVRr8sMlS5pckziyl82d47D7cf4XLp5wB8IBjR8NU=";

    #[test]
    fn what_another_implementation_signs_is_signed_alike() {
        let secret = Secret::new(SECRET);
        assert_eq!(signatures(&keys(&secret).unwrap(), ID, "1649367553", BODY.as_bytes()), SIGNATURE);
    }

    #[test]
    fn only_the_very_message_is_believed() {
        let both = format!("v1a,xx v1,bm8= {SIGNATURE}");
        let rotated = format!("{OTHER} {SECRET}");
        for (secret, id, timestamp, signature, body, now, expected) in [
            (SECRET, ID, "1649367553", SIGNATURE, BODY, 1_649_367_553, Ok(())),
            (SECRET, ID, "1649367553", SIGNATURE, BODY, 1_649_367_853, Ok(())),
            (SECRET, ID, "1649367553", both.as_str(), BODY, 1_649_367_553, Ok(())),
            (rotated.as_str(), ID, "1649367553", SIGNATURE, BODY, 1_649_367_553, Ok(())),
            (SECRET, ID, "1649367553", SIGNATURE, BODY, 1_649_367_854, Err(Forged::Stale)),
            (SECRET, ID, "1649367553", SIGNATURE, BODY, 1_649_367_252, Err(Forged::Stale)),
            (SECRET, ID, "1649367554", SIGNATURE, BODY, 1_649_367_553, Err(Forged::Signature)),
            (SECRET, "msg_other", "1649367553", SIGNATURE, BODY, 1_649_367_553, Err(Forged::Signature)),
            (SECRET, ID, "1649367553", SIGNATURE, "{}", 1_649_367_553, Err(Forged::Signature)),
            (SECRET, ID, "1649367553", "", BODY, 1_649_367_553, Err(Forged::Signature)),
            (SECRET, ID, "1649367553", "v1,", BODY, 1_649_367_553, Err(Forged::Signature)),
            (OTHER, ID, "1649367553", SIGNATURE, BODY, 1_649_367_553, Err(Forged::Signature)),
            (SECRET, ID, "now", SIGNATURE, BODY, 1_649_367_553, Err(Forged::Timestamp)),
            ("", ID, "1649367553", SIGNATURE, BODY, 1_649_367_553, Err(Forged::Secret)),
        ] {
            let signed = Signed { id, timestamp, signature };
            let now = Timestamp::from_second(now).unwrap();
            assert_eq!(verify_signature(&Secret::new(secret), signed, body.as_bytes(), now), expected, "{signed:?}");
        }
    }

    #[test]
    fn while_a_secret_is_rotated_both_sign() {
        let keys = keys(&Secret::new(format!("{OTHER} {SECRET}"))).unwrap();
        let text = signatures(&keys, ID, "1649367553", BODY.as_bytes());
        assert_eq!(text.split(' ').count(), 2);
        assert!(text.ends_with(SIGNATURE), "{text}");
    }
}
