//! What goes over the wire, as <https://api-docs.neon.tech/reference> describes it.
//!
//! Answers are read leniently: fields that we do not know are passed over, states and other enums are plain text,
//! and whatever we can do without may be missing. Requests hold exactly what we mean to say.

use std::{collections::BTreeMap, fmt, ops::Deref};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// `br-…`, `ep-…`, a project's or an operation's id: safe as a piece of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Id(String);

impl Id {
    /// An empty piece of a path would lead to a redirect, and `..` to somewhere else.
    pub fn parse(text: &str) -> Option<Self> {
        let sound = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '-';
        ((1..=60).contains(&text.len()) && text.chars().all(sound)).then(|| Self(text.to_owned()))
    }
}

impl TryFrom<String> for Id {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("not an id of Neon's")
    }
}

impl From<Id> for String {
    fn from(id: Id) -> Self {
        id.0
    }
}

impl Deref for Id {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A place in the write-ahead log: `0/1A2B3C4`. Compared as a number; as text, `0/9` would come after `0/10`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lsn(u64);

impl Lsn {
    pub fn parse(text: &str) -> Option<Self> {
        let (high, low) = text.split_once('/')?;
        let part = |it: &str| {
            let plain = (1..=8).contains(&it.len()) && it.bytes().all(|it| it.is_ascii_hexdigit());
            plain.then(|| u64::from_str_radix(it, 16).ok()).flatten()
        };
        let value = (part(high)? << 32) | part(low)?;
        // Zero is how Postgres writes that there is none.
        (value > 0).then_some(Self(value))
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xffff_ffff)
    }
}

#[derive(Debug, Clone, Deserialize)]
pub struct Branch {
    pub id: Id,
    pub name: String,
    pub parent_id: Option<String>,
    /// Where it branched off; may be missing until the operations are done.
    pub parent_lsn: Option<String>,
    /// `init`, `ready`, `resetting`, `archived`, …
    #[serde(default)]
    pub current_state: String,
    pub pending_state: Option<String>,
    #[serde(default)]
    pub default: bool,
    #[serde(default)]
    pub protected: bool,
    pub logical_size: Option<u64>,
    pub created_at: Option<String>,
    pub expires_at: Option<String>,
    pub last_reset_at: Option<String>,
    /// `restored`, `finalized`, `detaching`, …: a restore of a snapshot that is not over.
    pub restore_status: Option<String>,
    pub restricted_actions: Option<Vec<RestrictedAction>>,
}

impl Branch {
    pub fn created_at(&self) -> Option<Timestamp> {
        time(self.created_at.as_deref())
    }

    pub fn expires_at(&self) -> Option<Timestamp> {
        time(self.expires_at.as_deref())
    }

    pub fn last_reset_at(&self) -> Option<Timestamp> {
        time(self.last_reset_at.as_deref())
    }

    pub fn parent_lsn(&self) -> Option<Lsn> {
        self.parent_lsn.as_deref().and_then(Lsn::parse)
    }

    pub fn is_ready(&self) -> bool {
        // Archived data is whole; it only takes longer to open.
        matches!(self.current_state.as_str(), "ready" | "archived")
            && self.pending_state.as_deref().is_none_or(|it| it == self.current_state)
    }

    /// Why this may not be done to it, when the service says that it may not.
    pub fn restriction(&self, action: &str) -> Option<&RestrictedAction> {
        self.restricted_actions.iter().flatten().find(|it| it.name == action)
    }
}

fn time(text: Option<&str>) -> Option<Timestamp> {
    text?.parse().ok()
}

#[derive(Debug, Clone, Deserialize)]
pub struct RestrictedAction {
    pub name: String,
    #[serde(default)]
    pub reason: String,
}

/// Texts that stay with a branch; settable only when it is made.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Annotation {
    #[serde(default)]
    pub value: BTreeMap<String, serde_json::Value>,
}

impl Annotation {
    pub fn get(&self, key: &str) -> Option<&str> {
        self.value.get(key).and_then(|it| it.as_str())
    }
}

#[derive(Debug, Clone, Deserialize)]
pub struct BranchAnswer {
    pub branch: Branch,
    pub annotation: Option<Annotation>,
    pub operations: Option<Vec<Operation>>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct BranchList {
    #[serde(default)]
    pub branches: Vec<Branch>,
    pub annotations: Option<BTreeMap<String, Annotation>>,
    pub pagination: Option<Page>,
}

/// Where the next page begins. Branches say `next`, other lists say `cursor`.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Page {
    pub next: Option<String>,
    pub cursor: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Counted {
    pub count: u64,
}

#[derive(Debug, Clone, Deserialize)]
pub struct ProjectAnswer {
    pub project: Project,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Project {
    pub id: Id,
    #[serde(default)]
    pub name: String,
    pub region_id: Option<String>,
    /// How far back a branch can be restored to.
    pub history_retention_seconds: Option<i64>,
    pub store_passwords: Option<bool>,
    pub owner: Option<Owner>,
    /// `VIEWER`, `EDITOR`, `ADMIN`; before 2026 `CAN_VIEW`, `CAN_EDIT`, `CAN_MANAGE`.
    pub effective_project_permission: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct Owner {
    pub branches_limit: Option<i64>,
    /// The plan: `free_v3`, `launch_v3`, …
    pub subscription_type: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Operation {
    pub id: Id,
    #[serde(default)]
    pub action: String,
    #[serde(default)]
    pub status: String,
    pub branch_id: Option<String>,
    pub error: Option<String>,
    #[serde(default)]
    pub failures_count: i64,
    pub retry_at: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct OperationAnswer {
    pub operation: Operation,
}

#[derive(Debug, Clone, Deserialize)]
pub struct OperationList {
    #[serde(default)]
    pub operations: Vec<Operation>,
}

/// The part of other answers that says what goes on in the background.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Begun {
    pub operations: Option<Vec<Operation>>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Endpoint {
    pub id: Id,
    #[serde(default)]
    pub host: String,
    pub name: Option<String>,
    pub branch_id: Option<String>,
    /// `read_write`, `read_only`, …
    #[serde(default, rename = "type")]
    pub kind: String,
    #[serde(default)]
    pub disabled: bool,
    /// `init`, `active`, `idle`, …
    #[serde(default)]
    pub current_state: String,
    pub created_at: Option<String>,
}

impl Endpoint {
    /// It takes connections, or starts when one comes.
    pub fn is_up(&self) -> bool {
        self.current_state != "init"
    }

    pub fn created_at(&self) -> Option<Timestamp> {
        time(self.created_at.as_deref())
    }
}

#[derive(Debug, Clone, Deserialize)]
pub struct EndpointList {
    #[serde(default)]
    pub endpoints: Vec<Endpoint>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct EndpointAnswer {
    pub endpoint: Endpoint,
    pub operations: Option<Vec<Operation>>,
}

#[derive(Deserialize)]
pub struct ConnectionUri {
    pub uri: String,
}

/// `GET /auth`.
#[derive(Debug, Clone, Deserialize)]
pub struct Auth {
    #[serde(default)]
    pub auth_method: String,
}

/// The body of `POST …/branches`. Without `endpoints` no compute is made: nobody can connect, nothing is billed for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CreateBranch {
    pub branch: NewBranch,
    pub annotation_value: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewBranch {
    pub parent_id: Id,
    pub name: String,
    pub init_source: InitSource,
    /// RFC 3339, whole seconds, with a zone; at most 30 days ahead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum InitSource {
    ParentData,
}

/// The body of `POST …/branches/{branch}/restore`. Nothing is left to defaults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RestoreBranch {
    pub source_branch_id: Id,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_lsn: Option<String>,
    pub preserve_under_name: String,
}

/// The body of `POST …/endpoints`. Sizes are left to the project's own settings: some plans refuse others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CreateEndpoint {
    pub endpoint: NewEndpoint,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewEndpoint {
    pub branch_id: Id,
    #[serde(rename = "type")]
    pub kind: EndpointKind,
    pub name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndpointKind {
    ReadWrite,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_safe_in_a_path() {
        for (text, sound) in [
            ("br-wispy-river-123", true),
            ("0f3a99aa-1b7e-4d52-9d1c-1c1f3a99aa77", true),
            ("", false),
            ("..", false),
            ("br/1", false),
            ("br-1?x", false),
            ("BR-1", false),
            ("br_1", false),
            (&"a".repeat(60), true),
            (&"a".repeat(61), false),
        ] {
            assert_eq!(Id::parse(text).is_some(), sound, "{text:?}");
        }
    }

    #[test]
    fn places_in_the_log_are_numbers() {
        for (text, shown) in [
            ("0/1A2B3C4", Some("0/1A2B3C4")),
            ("1/0", Some("1/0")),
            ("00/01a2b3c4", Some("0/1A2B3C4")),
            ("FFFFFFFF/FFFFFFFF", Some("FFFFFFFF/FFFFFFFF")),
            ("0/0", None),
            ("", None),
            ("1A2B3C4", None),
            ("0/", None),
            ("/1", None),
            ("0/1/2", None),
            ("0/123456789", None),
            ("0/+1", None),
            ("0/xyz", None),
        ] {
            assert_eq!(Lsn::parse(text).map(|it| it.to_string()).as_deref(), shown, "{text:?}");
        }
        assert!(Lsn::parse("0/9").unwrap() < Lsn::parse("0/10").unwrap());
        assert!(Lsn::parse("1/0").unwrap() > Lsn::parse("0/FFFFFFFF").unwrap());
    }

    #[test]
    fn answers_of_another_day_are_still_read() {
        let text = r#"{"branch":{"id":"br-1","name":"x","current_state":"hibernating","added":{"a":1},"protected":false,
            "default":true,"restricted_actions":null,"created_at":"soon","parent_lsn":"?"},"operations":[
            {"id":"0f3a99aa-1b7e-4d52-9d1c-1c1f3a99aa77","action":"teleport","status":"pondering","failures_count":0}]}"#;
        let answer: BranchAnswer = serde_json::from_str(text).unwrap();
        assert!(!answer.branch.is_ready() && answer.branch.default);
        assert_eq!((answer.branch.created_at(), answer.branch.parent_lsn()), (None, None));
        assert_eq!(answer.operations.unwrap()[0].status, "pondering");
        let list: BranchList = serde_json::from_str(r#"{"pagination":{}}"#).unwrap();
        assert!(list.branches.is_empty());
        assert!(serde_json::from_str::<BranchAnswer>(r#"{"branch":{"id":"../x","name":"x"}}"#).is_err());
    }

    #[test]
    fn requests_say_what_is_meant_and_nothing_else() {
        let id = |it: &str| Id::parse(it).unwrap();
        let create = CreateBranch {
            branch: NewBranch {
                parent_id: id("br-main"),
                name: "liftlock/a/b".to_owned(),
                init_source: InitSource::ParentData,
                expires_at: Some("2026-12-01T10:00:00Z".to_owned()),
            },
            annotation_value: BTreeMap::from([("liftlock-nonce".to_owned(), "n".to_owned())]),
        };
        let restore = RestoreBranch {
            source_branch_id: id("br-main"),
            source_lsn: Some("0/1".to_owned()),
            preserve_under_name: "before".to_owned(),
        };
        let endpoint = CreateEndpoint {
            endpoint: NewEndpoint { branch_id: id("br-1"), kind: EndpointKind::ReadWrite, name: "x".to_owned() },
        };
        for (body, expected) in [
            (
                serde_json::to_string(&create).unwrap(),
                r#"{"branch":{"parent_id":"br-main","name":"liftlock/a/b","init_source":"parent-data","expires_at":"2026-12-01T10:00:00Z"},"annotation_value":{"liftlock-nonce":"n"}}"#,
            ),
            (
                serde_json::to_string(&restore).unwrap(),
                r#"{"source_branch_id":"br-main","source_lsn":"0/1","preserve_under_name":"before"}"#,
            ),
            (
                serde_json::to_string(&endpoint).unwrap(),
                r#"{"endpoint":{"branch_id":"br-1","type":"read_write","name":"x"}}"#,
            ),
        ] {
            assert_eq!(body, expected);
        }
    }
}
