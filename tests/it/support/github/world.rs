//! What GitHub knows of one repository. Tests build it and change it; requests change the comments.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Reply;

/// The token of the job, as `github.token` would be. Long, so that nothing else looks like it.
pub const TOKEN: &str = "ghs_0000000000CANARY0000000000token000000";

/// What a token may do with one kind of thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Read,
    Write,
}

/// Whom a token stands for, and what it may do.
#[derive(Debug, Clone)]
pub struct Told {
    pub login: String,
    pub permissions: BTreeMap<&'static str, Level>,
}

#[derive(Debug, Clone)]
pub struct Commit {
    pub sha: String,
    /// Login; `None`: the address belongs to no account.
    pub author: Option<String>,
    pub committer: Option<String>,
    pub message: String,
    /// The whole tree: path → text.
    pub files: BTreeMap<String, String>,
    /// What this commit changed.
    pub changed: BTreeSet<String>,
    /// Only a fork has it.
    pub fork_only: bool,
}

#[derive(Debug, Clone)]
pub struct Pull {
    pub number: u64,
    pub author: String,
    pub head_sha: String,
    pub base: String,
    pub merged: bool,
    pub title: String,
    /// Those that belong to it, on the default branch.
    pub commits: Vec<String>,
    pub reviews: Vec<Value>,
}

#[derive(Debug, Clone)]
pub struct Run {
    pub id: u64,
    pub attempt: u64,
    pub head_sha: String,
    pub head_branch: String,
    pub actor: String,
    pub triggering_actor: String,
    /// Who started the attempts before.
    pub earlier: Vec<String>,
    pub event: String,
    pub path: String,
    pub approvals: Vec<Value>,
}

/// A deployment environment.
#[derive(Debug, Clone)]
pub struct Environment {
    pub reviewers: Vec<String>,
    pub prevent_self_review: bool,
    /// `None`: not in the answer.
    pub can_admins_bypass: Option<bool>,
    pub branches_limited: bool,
}

impl Environment {
    /// As it should be.
    pub fn protected() -> Self {
        Self {
            reviewers: vec!["bob".to_owned(), "carol".to_owned()],
            prevent_self_review: true,
            can_admins_bypass: Some(false),
            branches_limited: true,
        }
    }

    /// As GitHub makes it when a workflow names one that is not there.
    pub fn made_by_a_workflow() -> Self {
        Self {
            reviewers: Vec::new(),
            prevent_self_review: false,
            can_admins_bypass: Some(true),
            branches_limited: false,
        }
    }
}

#[derive(Debug, Clone)]
pub struct Comment {
    pub id: u64,
    pub issue: u64,
    pub author: String,
    pub body: String,
}

/// Something that goes wrong, some times.
#[derive(Debug, Clone, Default)]
pub struct Fault {
    /// Empty: any.
    pub method: &'static str,
    /// Part of path and query.
    pub target: String,
    pub times: usize,
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
    /// The request is done all the same; only its answer is another one.
    pub done: bool,
    /// No answer: the connection breaks.
    pub hang_up: bool,
}

impl Fault {
    pub fn status(method: &'static str, target: &str, times: usize, status: u16) -> Self {
        let body = format!("<html><body><h1>{status}</h1></body></html>");
        Self { method, target: target.to_owned(), times, status, body, ..Self::default() }
    }

    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub fn reply(&self) -> Reply {
        Reply { status: self.status, headers: self.headers.clone(), body: self.body.clone(), improper: None }
    }
}

#[derive(Debug, Clone, Default)]
pub struct World {
    /// `owner/name`.
    pub repository: String,
    pub default_branch: String,
    pub tokens: BTreeMap<String, Told>,
    /// Login → number; names ending in `[bot]` are bots.
    pub users: BTreeMap<String, u64>,
    /// Login → `read`, `write`, `maintain`, `admin`.
    pub collaborators: BTreeMap<String, String>,
    /// The default branch, oldest first, and what only forks have.
    pub commits: Vec<Commit>,
    pub pulls: BTreeMap<u64, Pull>,
    pub runs: BTreeMap<u64, Run>,
    pub environments: BTreeMap<String, Environment>,
    pub comments: Vec<Comment>,
    pub faults: Vec<Fault>,
    next_id: u64,
}

/// All that `permissions:` of a promoting job grants.
const GRANTED: [(&str, Level); 4] =
    [("actions", Level::Read), ("contents", Level::Read), ("pull_requests", Level::Write), ("metadata", Level::Read)];

impl World {
    /// `acme/fibre` with alice, bob, carol and dave, who may all write, and the job's own token.
    pub fn new() -> Self {
        let mut world =
            Self { repository: "acme/fibre".to_owned(), default_branch: "main".to_owned(), ..Self::default() };
        for (number, login) in ["alice", "bob", "carol", "dave", "github-actions[bot]"].iter().enumerate() {
            world.users.insert((*login).to_owned(), 100 + number as u64);
            if !login.ends_with("[bot]") {
                world.collaborators.insert((*login).to_owned(), "write".to_owned());
            }
        }
        world.token(TOKEN, "github-actions[bot]", &GRANTED);
        world
    }

    pub fn token(&mut self, token: &str, login: &str, permissions: &[(&'static str, Level)]) {
        let told = Told { login: login.to_owned(), permissions: permissions.iter().copied().collect() };
        self.tokens.insert(token.to_owned(), told);
    }

    /// Takes a permission from the job's token.
    pub fn without(&mut self, permission: &str) {
        self.tokens.get_mut(TOKEN).unwrap().permissions.remove(permission);
    }

    pub fn number(&mut self) -> u64 {
        self.next_id += 1;
        1000 + self.next_id
    }

    /// A commit on the default branch that sets these files; its hash.
    pub fn commit(&mut self, author: &str, files: &[(&str, &str)]) -> String {
        self.commit_with(author, files, "Change the schema")
    }

    pub fn commit_with(&mut self, author: &str, files: &[(&str, &str)], message: &str) -> String {
        let mut tree = self.head().map(|it| it.files.clone()).unwrap_or_default();
        tree.extend(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())));
        let seed = format!("{}{author}{message}{tree:?}", self.commits.len());
        let sha: String = Sha256::digest(seed).iter().take(20).map(|byte| format!("{byte:02x}")).collect();
        self.commits.push(Commit {
            sha: sha.clone(),
            author: Some(author.to_owned()),
            committer: Some(author.to_owned()),
            message: message.to_owned(),
            files: tree,
            changed: files.iter().map(|(path, _)| (*path).to_owned()).collect(),
            fork_only: false,
        });
        sha
    }

    /// The default branch's newest commit.
    pub fn head(&self) -> Option<&Commit> {
        self.commits.iter().rfind(|it| !it.fork_only)
    }

    /// A merged pull request by which these commits came.
    pub fn merged(&mut self, author: &str, commits: &[&str]) -> u64 {
        let number = self.pull(author);
        let pull = self.pulls.get_mut(&number).unwrap();
        pull.merged = true;
        pull.commits = commits.iter().map(|it| (*it).to_owned()).collect();
        number
    }

    /// An open pull request.
    pub fn pull(&mut self, author: &str) -> u64 {
        let number = self.pulls.keys().max().copied().unwrap_or(10) + 1;
        let head_sha: String =
            Sha256::digest(format!("pull {number}")).iter().take(20).map(|byte| format!("{byte:02x}")).collect();
        let pull = Pull {
            number,
            author: author.to_owned(),
            head_sha,
            base: self.default_branch.clone(),
            merged: false,
            title: "Change the schema".to_owned(),
            commits: Vec::new(),
            reviews: Vec::new(),
        };
        self.pulls.insert(number, pull);
        number
    }

    /// A review of the pull request's head as it is now.
    pub fn review(&mut self, pull: u64, login: &str, state: &str) {
        let commit = self.pulls[&pull].head_sha.clone();
        self.review_of(pull, login, state, &commit);
    }

    pub fn review_of(&mut self, pull: u64, login: &str, state: &str, commit: &str) {
        let review = json!({
            "id": self.number(), "node_id": "x", "user": self.user(login), "body": "", "state": state,
            "html_url": "https://github.com/review", "pull_request_url": "https://api.github.com/pull",
            "_links": { "html": { "href": "" }, "pull_request": { "href": "" } },
            "submitted_at": "2026-01-02T03:04:05Z", "commit_id": commit, "author_association": "MEMBER",
        });
        self.pulls.get_mut(&pull).unwrap().reviews.push(review);
    }

    /// A run of the promoting workflow, started by `actor` at the default branch's head.
    pub fn run(&mut self, actor: &str) -> u64 {
        let id = self.number();
        let run = Run {
            id,
            attempt: 1,
            head_sha: self.head().unwrap().sha.clone(),
            head_branch: self.default_branch.clone(),
            actor: actor.to_owned(),
            triggering_actor: actor.to_owned(),
            earlier: Vec::new(),
            event: "workflow_dispatch".to_owned(),
            path: ".github/workflows/promote-to-prod.yml".to_owned(),
            approvals: Vec::new(),
        };
        self.runs.insert(id, run);
        id
    }

    /// Somebody answers for an environment in the browser.
    pub fn answers(&mut self, run: u64, login: &str, environment: &str, state: &str, comment: &str) {
        let id = self.environments.keys().position(|it| it == environment).unwrap_or(99);
        let entry = json!({
            "state": state, "comment": comment, "user": self.user(login),
            "environments": [{
                "id": id, "node_id": "x", "name": environment, "url": "https://api.github.com/e",
                "html_url": "https://github.com/e", "created_at": "2026-01-02T03:04:05Z",
                "updated_at": "2026-01-02T03:04:05Z",
            }],
        });
        self.runs.get_mut(&run).unwrap().approvals.push(entry);
    }

    /// An account, as answers show it.
    pub fn user(&self, login: &str) -> Value {
        let kind = if login.ends_with("[bot]") { "Bot" } else { "User" };
        let id = self.users.get(login).copied().unwrap_or(9_999);
        json!({
            "login": login, "id": id, "node_id": "x", "type": kind, "site_admin": false,
            "html_url": format!("https://github.com/{login}"), "url": format!("https://api.github.com/users/{login}"),
        })
    }

    pub fn comment(&mut self, issue: u64, author: &str, body: &str) -> u64 {
        let id = self.number();
        self.comments.push(Comment { id, issue, author: author.to_owned(), body: body.to_owned() });
        id
    }

    /// The fault that meets this request, one time less.
    pub fn fault(&mut self, method: &str, target: &str) -> Option<Fault> {
        let meets = |it: &&mut Fault| {
            it.times > 0 && (it.method.is_empty() || it.method == method) && target.contains(&it.target)
        };
        let fault = self.faults.iter_mut().find(meets)?;
        fault.times -= 1;
        Some(fault.clone())
    }
}
