//! Which deployment a deploy key is for, as far as its beginning says: `prod:NAME|…`, `dev:NAME|…`,
//! `preview:TEAM:PROJECT|…`; a server of one's own gives keys without such a beginning. The name is not shown.

use super::failure::{ConvexError, profile_name};
use crate::{config::ProfileName, secret::Secret};

/// What a deploy key opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    Production,
    Development,
    Preview,
    /// Of a server of one's own, which says nothing about what it is for.
    SelfHosted,
}

impl KeyKind {
    pub fn of(key: &Secret) -> Self {
        match key.expose().split_once('|').map_or(key.expose(), |it| it.0).split_once(':').map(|it| it.0) {
            Some("prod") => Self::Production,
            Some("dev") => Self::Development,
            Some("preview") => Self::Preview,
            _ => Self::SelfHosted,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Development => "development",
            Self::Preview => "preview",
            Self::SelfHosted => "self-hosted",
        }
    }

    /// Refuses a key that would carry production into a toy, or a toy into production.
    pub fn assert_suits(self, profile: ProfileName) -> Result<(), ConvexError> {
        let suits = match (self, profile) {
            (Self::SelfHosted, _) => true,
            (Self::Production, ProfileName::Production) => true,
            (Self::Production, ProfileName::Staging | ProfileName::Dev) => false,
            (Self::Development | Self::Preview, ProfileName::Production) => false,
            (Self::Development | Self::Preview, ProfileName::Staging | ProfileName::Dev) => true,
        };
        match suits {
            true => Ok(()),
            false => Err(ConvexError::WrongKey { kind: self.name(), profile: profile_name(profile) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::KeyKind;
    use crate::{config::ProfileName, secret::Secret};

    #[test]
    fn a_key_says_what_it_opens_and_where_it_may_be_used() {
        use ProfileName::{Dev, Production, Staging};
        for (key, kind, suits) in [
            ("prod:calm-otter-1|abc", "production", &[Production][..]),
            ("dev:calm-otter-1|abc", "development", &[Staging, Dev]),
            ("preview:team:project|abc", "preview", &[Staging, Dev]),
            ("calm-otter|0123", "self-hosted", &[Production, Staging, Dev]),
            ("calm-otter|prod:0123", "self-hosted", &[Production, Staging, Dev]),
            ("other:calm|0123", "self-hosted", &[Production, Staging, Dev]),
            ("", "self-hosted", &[Production, Staging, Dev]),
        ] {
            let found = KeyKind::of(&Secret::new(key));
            assert_eq!(found.name(), kind, "{key}");
            for profile in [Production, Staging, Dev] {
                assert_eq!(found.assert_suits(profile).is_ok(), suits.contains(&profile), "{key} {profile:?}");
            }
        }
    }
}
