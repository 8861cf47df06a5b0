//! Branches: made, listed, read, changed, deleted. Restoring them is in `restore.rs`.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    clusters::{Clusters, Compute},
    endpoints,
    faults::{AfterRestore, Verdict, Words},
    operations::Begin,
    state::{Branch, Data, Effect, Endpoint, Point, Role, State, new_id, new_secret, new_timeline},
    wire::{Answered, Inner, Query, Refusal, Reply, Started, not_found},
};

/// No branch may live longer that expires. [D]
const LONGEST_LIFE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// [S: every field is optional; C: the answer is one merged object]
pub fn create(state: &mut State, body: &Value) -> Result<Reply, Refusal> {
    let wanted = &body["branch"];
    let text = |name: &str| wanted[name].as_str().map(str::to_owned);
    let default = state.branches.iter().find(|it| it.default).expect("there is always a default branch");
    let parent = text("parent_id").unwrap_or_else(|| default.id.clone());
    let parent = state.branch(&parent).cloned().ok_or_else(|| not_found("branch"))?;
    state.unlocked()?;
    let id = new_id("br");
    let name = text("name").unwrap_or_else(|| id.clone());
    let protected = wanted["protected"].as_bool() == Some(true);
    let expires_at = text("expires_at").map(|it| it.parse().unwrap());
    let is_root = text("init_source").as_deref() == Some("schema-only");
    may_be_made(state, &parent, &name, is_root)?;
    may_expire(state, expires_at, protected || text("archived").is_some())?;
    may_be_protected(state, protected)?;
    let point = text("parent_lsn").map(|lsn| point_at(state, &parent, &lsn)).transpose()?;
    let now = state.now();
    let mut branch = Branch {
        id: id.clone(),
        name,
        parent: (!is_root).then(|| parent.id.clone()),
        parent_lsn: None,
        created_at: now,
        updated_at: now,
        expires_at,
        protected,
        default: false,
        state: "init",
        annotation: annotation(&body["annotation_value"]),
        data: Data::Underway,
        timeline: new_timeline(),
        last_reset_at: None,
        restored_from: None,
        restore_status: None,
        restricted: Vec::new(),
        deletable_root: is_root,
        roles: parent.roles.clone(),
        databases: parent.databases.clone(),
    };
    if parent.protected {
        // [D] Who knows production's passwords must not get into its copies by them.
        branch.roles.iter_mut().for_each(|it| it.password = new_secret());
    }
    state.branches.push(branch);
    let made = id.clone();
    let mut begins = vec![Begin {
        action: "create_branch",
        branch: Some(id.clone()),
        endpoint: None,
        effect: Effect::BranchReady(id.clone()),
        job: Box::new(move |inner| fill(inner, &made, &parent, point)),
    }];
    for wanted in body["endpoints"].as_array().into_iter().flatten() {
        begins.push(endpoints::make(state, &id, wanted["type"].as_str().unwrap(), None));
    }
    let (ids, jobs) = state.begin(begins);
    let answer = move |state: &State, operations: Vec<Value>| (201, Some(state.created(&id, operations)));
    let waits = state.switches.lsn_at_end == Verdict::Refused;
    Ok(Reply::Later(Started { ids, jobs, waits, answer: Box::new(answer) }))
}

fn annotation(value: &Value) -> BTreeMap<String, String> {
    let pairs = value.as_object().into_iter().flatten();
    pairs.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect()
}

/// [D: limits, names, no children of what expires] [F: the messages]
fn may_be_made(state: &State, parent: &Branch, name: &str, is_root: bool) -> Result<(), Refusal> {
    taken(state, name)?;
    if parent.state != "ready" {
        return Err(Refusal::new(422, "branch not ready yet"));
    }
    if parent.expires_at.is_some() {
        return Err(Refusal::new(422, "a branch that expires cannot have children"));
    }
    room_for_branch(state, is_root)
}

/// [F: 409 with this message]
pub fn taken(state: &State, name: &str) -> Result<(), Refusal> {
    match state.branches.iter().any(|it| it.name == name) {
        true => Err(Refusal::new(409, format!("branch already exists; branch_name:\"{name}\""))),
        false => Ok(()),
    }
}

pub fn room_for_branch(state: &State, is_root: bool) -> Result<(), Refusal> {
    let (branches, roots, ..) = state.switches.plan.limits();
    if state.branches.len() >= branches {
        return Err(Refusal::new(422, "branches limit exceeded").coded("BRANCHES_LIMIT_EXCEEDED"));
    }
    if is_root && state.branches.iter().filter(|it| it.is_root()).count() >= roots {
        return Err(Refusal::new(422, "root branches limit exceeded"));
    }
    Ok(())
}

fn may_be_protected(state: &State, protected: bool) -> Result<(), Refusal> {
    let (_, _, most, _) = state.switches.plan.limits();
    let now = state.branches.iter().filter(|it| it.protected).count();
    if protected && now >= most {
        return Err(Refusal::new(422, "maximum number of protected branches reached"));
    }
    Ok(())
}

/// [D: at most 30 days ahead, not on protected, default and parent branches] The form of the time is the schema's.
fn may_expire(state: &State, expires_at: Option<Timestamp>, kept: bool) -> Result<(), Refusal> {
    let Some(at) = expires_at else { return Ok(()) };
    let now = state.now();
    if state.switches.expiry == Verdict::Refused {
        return Err(Refusal::new(422, "branch expiration is not available for this project"));
    }
    if at <= now || at > now + LONGEST_LIFE {
        return Err(Refusal::new(422, "expires_at must be in the future and at most 30 days from now"));
    }
    if kept {
        return Err(Refusal::new(422, "default, protected, archived and parent branches cannot expire"));
    }
    Ok(())
}

/// A point of a branch's history. [D: inside the window] [I: not before its creation or last reset]
pub fn point_at(state: &State, branch: &Branch, lsn: &str) -> Result<usize, Refusal> {
    let outside = || Refusal::new(422, format!("requested LSN {lsn} is outside of the history of the branch"));
    let number = lsn_number(lsn).ok_or_else(outside)?;
    let known = |it: &Point| it.branch == branch.id && lsn_number(&it.lsn) == Some(number);
    let at = state.points.iter().position(known).ok_or_else(outside)?;
    let retention = SignedDuration::try_from(state.project.history_retention).unwrap();
    let start = [Some(state.now() - retention), Some(branch.created_at), branch.last_reset_at];
    if start.into_iter().flatten().any(|start| state.points[at].at < start) { Err(outside()) } else { Ok(at) }
}

/// `0/1A2B3C4` as a number: compared as text, `0/9` would be after `0/10`.
pub fn lsn_number(lsn: &str) -> Option<u64> {
    let (high, low) = lsn.split_once('/')?;
    Some(u64::from_str_radix(high, 16).ok()? << 32 | u64::from_str_radix(low, 16).ok()?)
}

/// Gives a new branch its data: the parent's, as it was at the point or is now.
fn fill(inner: &Inner, id: &str, parent: &Branch, point: Option<usize>) {
    let at = point.unwrap_or_else(|| take_point(inner, &parent.id));
    let mut state = inner.state();
    let lsn = state.points[at].lsn.clone();
    let Some(branch) = state.branch_mut(id) else { return };
    branch.parent_lsn = branch.parent.is_some().then_some(lsn);
    branch.data = Data::Point(at);
    if !parent.protected {
        return;
    }
    let statements: Vec<String> = branch.roles.iter().map(password).collect();
    let point = state.points[at].data.clone();
    drop(state);
    let own = inner.clusters.copy(&point);
    inner.clusters.alter(&own, &statements);
    if let Some(branch) = inner.state().branch_mut(id) {
        branch.data = Data::Own(own);
    }
}

pub fn password(role: &Role) -> String {
    format!("alter role \"{}\" password '{}'", role.name, role.password)
}

/// Keeps a branch's state as it is now.
pub fn take_point(inner: &Inner, branch: &str) -> usize {
    let (data, running) = {
        let state = inner.state();
        let branch = state.branch(branch).expect("it is checked");
        let writer = state.writer(&branch.id).map(|it| it.id.clone());
        (branch.data.clone(), writer.filter(|it| inner.clusters.port(it).is_some()))
    };
    let (data, lsn) = match (running, data) {
        (Some(endpoint), _) => inner.clusters.copy_live(&endpoint),
        (None, Data::Own(data)) => (inner.clusters.copy(&data), Clusters::end_of(&data)),
        (None, Data::Point(at)) => {
            let point = inner.state().points[at].clone();
            (point.data, point.lsn)
        }
        (None, Data::Underway) => panic!("a branch that was never filled is copied"),
    };
    let mut state = inner.state();
    let at = state.now();
    state.points.push(Point { branch: branch.to_owned(), lsn, at, data });
    state.points.len() - 1
}

/// Makes a branch's data its own, so that a server may write to it.
pub fn own_data(inner: &Inner, branch: &str) -> Utf8PathBuf {
    let state = inner.state();
    let data = state.branch(branch).expect("it is checked").data.clone();
    let point = match data {
        Data::Own(own) => return own,
        Data::Point(at) => state.points[at].data.clone(),
        Data::Underway => panic!("{branch} has no data yet"),
    };
    drop(state);
    let own = inner.clusters.copy(&point);
    if let Some(branch) = inner.state().branch_mut(branch) {
        branch.data = Data::Own(own.clone());
    }
    own
}

/// How a compute of the branch is started.
pub fn compute(state: &State, endpoint: &Endpoint) -> Compute {
    let branch = state.branch(&endpoint.branch).expect("a compute belongs to a branch");
    let read_only = if endpoint.kind == "read_only" { "on" } else { "off" };
    Compute {
        endpoint: endpoint.id.clone(),
        port: endpoint.port,
        // [C: readable by ordinary roles]
        settings: vec![
            ("neon.project_id", state.project.id.clone()),
            ("neon.branch_id", branch.id.clone()),
            ("neon.endpoint_id", endpoint.id.clone()),
            ("neon.timeline_id", branch.timeline.clone()),
            ("default_transaction_read_only", read_only.to_owned()),
        ],
    }
}

/// [S: `next`; the filter finds parts of names and ids; annotations stand beside the branches]
pub fn list(state: &State, query: &Query) -> Answered {
    let branches: Vec<&Branch> = found(state, query);
    let annotated = branches.iter().filter(|it| !it.annotation.is_empty());
    let annotations: serde_json::Map<String, Value> =
        annotated.map(|it| (it.id.clone(), annotation_shown(it))).collect();
    let shown = branches.iter().map(|it| it.shown(state)).collect();
    let (status, body) = state.page(shown, "branches", "next", query)?;
    let mut body = body.expect("a page has a body");
    body["annotations"] = Value::Object(annotations);
    Ok((status, Some(body)))
}

pub fn count(state: &State, query: &Query) -> Answered {
    Ok((200, Some(json!({ "count": found(state, query).len() }))))
}

fn found<'a>(state: &'a State, query: &Query) -> Vec<&'a Branch> {
    let searched = |it: &&Branch| query.get("search").is_none_or(|part| it.name.contains(part) || it.id.contains(part));
    state.branches.iter().rev().filter(searched).collect()
}

/// [C: a new branch may answer 404 for a while] [I: no annotation where none was given]
pub fn read(state: &State, id: &str) -> Answered {
    let branch = state.branch(id).ok_or_else(|| not_found("branch"))?;
    let hidden = SignedDuration::try_from(state.switches.branch_unreadable).unwrap();
    if !branch.default && state.now().duration_since(branch.created_at) < hidden {
        return Err(not_found("branch"));
    }
    let mut body = json!({ "branch": branch.shown(state) });
    if !branch.annotation.is_empty() {
        body["annotation"] = annotation_shown(branch);
    }
    Ok((200, Some(body)))
}

fn annotation_shown(branch: &Branch) -> Value {
    json!({ "object": { "type": "console/branch", "id": branch.id }, "value": branch.annotation })
}

/// [S: null takes the expiry away; annotations cannot be changed]
pub fn change(state: &mut State, id: &str, body: &Value) -> Result<Reply, Refusal> {
    let branch = state.branch(id).cloned().ok_or_else(|| not_found("branch"))?;
    state.unlocked()?;
    let wanted = &body["branch"];
    let name = wanted["name"].as_str().filter(|it| *it != branch.name);
    name.map(|it| taken(state, it)).transpose()?;
    let protected = wanted["protected"].as_bool().unwrap_or(branch.protected);
    may_be_protected(state, protected && !branch.protected)?;
    let expires_at = match &wanted["expires_at"] {
        Value::String(at) => Some(at.parse().unwrap()),
        Value::Null if wanted.get("expires_at").is_some() => None,
        _ => branch.expires_at,
    };
    may_expire(state, expires_at, protected || branch.default || state.children(id) > 0)?;
    let now = state.now();
    let changed = state.branch_mut(id).expect("it was read above");
    changed.name = name.unwrap_or(&branch.name).to_owned();
    (changed.protected, changed.expires_at, changed.updated_at) = (protected, expires_at, now);
    let shown = state.branch(id).expect("it was read above").shown(state);
    Ok(Reply::Now(200, Some(json!({ "branch": shown, "operations": [] }))))
}

/// [S: 204 when it is gone already] [D: not a root, default, protected or parent branch]
pub fn delete(state: &mut State, id: &str) -> Result<Reply, Refusal> {
    let Some(branch) = state.branch(id).cloned() else { return Ok(Reply::Now(204, None)) };
    state.unlocked()?;
    for (refused, message) in [
        (branch.default, "cannot delete default branch"),
        (branch.protected, "cannot delete protected branch"),
        (state.children(id) > 0, "cannot delete branch that has children"),
        (branch.is_root() && !branch.deletable_root, "cannot delete root branch"),
    ] {
        if refused {
            return Err(Refusal::new(422, message));
        }
    }
    let endpoints: Vec<String> = state.endpoints.iter().filter(|it| it.branch == id).map(|it| it.id.clone()).collect();
    let shown = branch.shown(state);
    let (ids, jobs) = state.begin(vec![Begin {
        action: "delete_timeline",
        branch: Some(id.to_owned()),
        endpoint: None,
        effect: Effect::BranchGone(id.to_owned()),
        job: Box::new(move |inner| endpoints.iter().for_each(|it| inner.clusters.stop(it))),
    }]);
    let answer = move |_: &State, operations| (200, Some(json!({ "branch": shown, "operations": operations })));
    Ok(Reply::Later(Started { ids, jobs, waits: false, answer: Box::new(answer) }))
}

pub fn set_as_default(state: &mut State, id: &str) -> Result<Reply, Refusal> {
    let branch = state.branch(id).ok_or_else(|| not_found("branch"))?;
    if branch.expires_at.is_some() {
        return Err(Refusal::new(422, "a branch that expires cannot be the default branch"));
    }
    state.unlocked()?;
    state.branches.iter_mut().for_each(|it| it.default = it.id == id);
    let shown = state.branch(id).expect("it was read above").shown(state);
    Ok(Reply::Now(200, Some(json!({ "branch": shown, "operations": [] }))))
}

/// Branches past their expiry vanish late, by a job in the background. [D: not to the minute]
pub fn expire(state: &mut State) {
    let late = state.now() - SignedDuration::from_mins(1);
    let parents: Vec<String> = state.branches.iter().filter_map(|it| it.parent.clone()).collect();
    state.branches.retain(|it| it.expires_at.is_none_or(|at| at > late) || parents.contains(&it.id));
}

impl Branch {
    /// [S: which fields are required]
    pub fn shown(&self, state: &State) -> Value {
        let unknown = state.switches.words == Words::Unknown;
        let settling = self.state != "ready";
        let restricted: Vec<Value> =
            self.restricted.iter().map(|(name, reason)| json!({ "name": name, "reason": reason })).collect();
        let value = json!({
            "id": self.id, "project_id": state.project.id, "name": self.name, "parent_id": self.parent,
            "parent_lsn": self.parent_lsn.as_ref().filter(|_| !settling || state.switches.lsn_at_end == Verdict::Refused),
            "current_state": if unknown && settling { "warming_up" } else { self.state },
            "pending_state": settling.then_some("ready"), "state_changed_at": self.updated_at,
            "creation_source": if unknown { "telepathy" } else { "console" },
            "init_source": if unknown { "telepathy" } else { "parent-data" },
            "created_at": self.created_at, "updated_at": self.updated_at, "expires_at": self.expires_at,
            "default": self.default, "protected": self.protected, "last_reset_at": self.last_reset_at,
            "restored_from": self.restored_from, "restore_status": self.restore_status,
            "restricted_actions": (!restricted.is_empty()).then_some(restricted),
            "logical_size": 30_000_000, "cpu_used_sec": 0, "compute_time_seconds": 0, "active_time_seconds": 0,
            "written_data_bytes": 0, "data_transfer_bytes": 0,
        });
        state.lean(value, &["pending_state", "init_source", "logical_size"])
    }
}

impl State {
    /// The 201's body. [S: addresses are left out when there are several roles or databases]
    fn created(&self, id: &str, operations: Vec<Value>) -> Value {
        let Some(branch) = self.branch(id) else { return json!({ "operations": operations }) };
        let endpoints: Vec<&Endpoint> = self.endpoints.iter().filter(|it| it.branch == id).collect();
        let mut body = json!({
            "branch": branch.shown(self), "operations": operations,
            "endpoints": endpoints.iter().map(|it| it.shown(self)).collect::<Vec<_>>(),
            "roles": branch.roles.iter().map(|it| json!({ "branch_id": id, "name": it.name })).collect::<Vec<_>>(),
            "databases": branch.databases.iter().map(|it| json!({ "branch_id": id, "name": it })).collect::<Vec<_>>(),
        });
        if let ([role], [database], [endpoint, ..]) = (&*branch.roles, &*branch.databases, &*endpoints) {
            let uri = endpoints::uri(role, endpoint, database);
            body["connection_uris"] = json!([{ "connection_uri": uri }]);
        }
        body
    }

    /// What a restore makes of a branch's annotation. live?
    pub fn annotation_goes(&self) -> bool {
        self.switches.annotation == AfterRestore::Changes
    }
}
