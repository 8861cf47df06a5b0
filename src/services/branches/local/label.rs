//! What stands in the comment of a database that is ours: JSON with a version.

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::services::{
    branches::{Branch, BranchState, NewBranch, Recorded},
    postgres::{quote_identifier, quote_literal},
};

/// Raised when the fields change their meaning; fields that a reader does not know are passed over.
const VERSION: u32 = 1;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// Version of this text; also tells our comments from those of others.
    liftlock: u32,
    pub kind: Kind,
    /// The database that it is a copy of, or that it was.
    pub source: String,
    pub nonce: String,
    pub run: Option<Uuid>,
    pub commit: Option<String>,
    pub lsn: Option<String>,
    pub created_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
    pub recorded: Recorded,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Backup,
    /// What a restore has moved out of the way; its nonce is the restore point's.
    Preserved,
}

impl Label {
    pub fn backup(source: &str, new: &NewBranch, lsn: String, created_at: Timestamp, recorded: Recorded) -> Self {
        Self {
            liftlock: VERSION,
            kind: Kind::Backup,
            source: source.to_owned(),
            nonce: new.nonce.clone(),
            run: new.run,
            commit: new.commit.clone(),
            lsn: Some(lsn),
            created_at: Some(created_at),
            expires_at: new.expires_at,
            recorded,
        }
    }

    /// For the database that this restore point replaces.
    pub fn preserving(&self) -> Self {
        Self { kind: Kind::Preserved, expires_at: None, recorded: Recorded::default(), ..self.clone() }
    }

    /// `None`: somebody else's comment, or of a version that we do not know.
    pub fn read(comment: &str) -> Option<Self> {
        serde_json::from_str::<Self>(comment).ok().filter(|it| it.liftlock == VERSION)
    }

    pub fn comment_on(&self, database: &str) -> String {
        let text = serde_json::to_string(self).expect("plain fields are always JSON");
        format!("comment on database {} is {}", quote_identifier(database), quote_literal(&text))
    }

    pub fn branch(self, name: &str, size_bytes: Option<u64>) -> Branch {
        Branch {
            name: name.to_owned(),
            nonce: self.nonce,
            lsn: self.lsn,
            created_at: self.created_at,
            expires_at: self.expires_at,
            state: BranchState::Ready,
            run: self.run,
            commit: self.commit,
            size_bytes,
            recorded: self.recorded,
            place: None,
        }
    }
}

/// Hex, for names that must be short and the same each time.
pub fn digest(text: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::branches::Scope;

    #[test]
    fn a_label_is_read_back_and_nothing_else_is() {
        let new = NewBranch {
            name: "n".into(),
            nonce: "x".into(),
            expires_at: None,
            run: None,
            commit: None,
            scope: Scope::All,
        };
        let label = Label::backup("it's", &new, "0/1".into(), Timestamp::UNIX_EPOCH, Recorded::default());
        let text = serde_json::to_string(&label).unwrap();
        assert_eq!(Label::read(&text), Some(label));
        for foreign in ["", "the app's database", "{}", "{\"liftlock\":1}", &text.replace(":1,", ":2,")] {
            assert_eq!(Label::read(foreign), None, "{foreign}");
        }
        let later = text.replacen('{', "{\"added\":true,", 1);
        assert!(Label::read(&later).is_some(), "fields of later versions are passed over");
    }
}
