//! Restoring: a branch gets the data of another, or its own of an earlier point; what it held becomes a new branch.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    branches::{compute, lsn_number, own_data, password, point_at, room_for_branch, take_point, taken},
    faults::{AfterRestore, Verdict},
    operations::Begin,
    state::{Branch, Data, Effect, Point, Role, State, new_id, new_timeline},
    wire::{Inner, Refusal, Reply, Started, not_found},
};

/// [S: what is required; C: id, name, compute and address of the target stay, the old state becomes a branch]
pub fn restore(state: &mut State, id: &str, body: &Value) -> Result<Reply, Refusal> {
    let target = state.branch(id).cloned().ok_or_else(|| not_found("branch"))?;
    let source = state.branch(body["source_branch_id"].as_str().unwrap()).cloned();
    let source = source.ok_or_else(|| not_found("source branch"))?;
    let text = |name: &str| body[name].as_str();
    state.unlocked()?;
    allowed(state, &target, &source, text("preserve_under_name"), text("source_lsn").or(text("source_timestamp")))?;
    let point = match (text("source_lsn"), text("source_timestamp")) {
        // What was never written to since it was made has one point, the one that it was made at.
        (Some(lsn), _) if own_lsn(&source) == lsn_number(lsn) && source.id != id => None,
        (Some(lsn), _) => Some(point_at(state, &source, lsn)?),
        (None, Some(at)) => Some(point_before(state, &source, at)?),
        (None, None) => None,
    };
    let preserved = text("preserve_under_name")
        .map(|name| preserve(state, &target, name, if source.id == id { Origin::Itself } else { Origin::Another }));
    let now = state.now();
    let new_parent = (source.id != id && target.is_root()).then(|| source.id.clone());
    let (timeline, goes) = (state.switches.timeline, state.annotation_goes());
    let branch = state.branch_mut(id).expect("it was read above");
    branch.state = "resetting";
    (branch.last_reset_at, branch.updated_at) = (Some(now), now);
    branch.restored_from = Some(source.id.clone());
    if timeline == AfterRestore::Changes {
        branch.timeline = new_timeline();
    }
    if goes {
        branch.annotation.clear();
    }
    // [I] A root that holds another branch's data hangs below that one from then on.
    branch.parent = new_parent.or(branch.parent.take());
    let restored = id.to_owned();
    let (ids, jobs) = state.begin(vec![Begin {
        action: "restore_branch",
        branch: Some(id.to_owned()),
        endpoint: None,
        effect: Effect::BranchReady(id.to_owned()),
        job: Box::new(move |inner| swap(inner, &restored, &source, point, preserved.as_deref())),
    }]);
    let id = id.to_owned();
    let answer = move |state: &State, operations| {
        let shown = state.branch(&id).map(|it| it.shown(state));
        (200, Some(json!({ "branch": shown, "operations": operations })))
    };
    Ok(Reply::Later(Started { ids, jobs, waits: false, answer: Box::new(answer) }))
}

fn own_lsn(branch: &Branch) -> Option<u64> {
    branch.parent_lsn.as_deref().and_then(lsn_number)
}

fn allowed(
    state: &State,
    target: &Branch,
    source: &Branch,
    preserve: Option<&str>,
    point: Option<&str>,
) -> Result<(), Refusal> {
    let no = |message: &str| Err(Refusal::new(422, message));
    if target.restricted.iter().any(|(name, _)| *name == "restore") {
        return no("restore is not allowed on this branch");
    }
    if target.protected && state.switches.restore_of_protected == Verdict::Refused {
        return no("cannot restore protected branch");
    }
    if target.restore_status == Some("detaching") {
        return no("restore from snapshot on target branch is still ongoing");
    }
    if source.expires_at.is_some() && source.id != target.id {
        match state.switches.restore_from_expiring {
            Verdict::Refused => return no("a branch that expires cannot have children"),
            Verdict::Allowed => {}
        }
    }
    if source.state != "ready" || target.state != "ready" {
        return no("branch not ready yet");
    }
    if source.id == target.id && (point.is_none() || preserve.is_none()) {
        return no("restoring a branch from itself needs a point in time and preserve_under_name");
    }
    if state.children(&target.id) > 0 && preserve.is_none() {
        return no("preserve_under_name is required for a branch that has children");
    }
    if let Some(name) = preserve {
        taken(state, name)?;
        room_for_branch(state, target.is_root())?;
    }
    Ok(())
}

fn point_before(state: &State, source: &Branch, at: &str) -> Result<usize, Refusal> {
    let at: Timestamp = at.parse().unwrap();
    let of_source = state.points.iter().filter(|it| it.branch == source.id && it.at <= at);
    let last = of_source.max_by_key(|it| it.at);
    let outside = || Refusal::new(422, "requested timestamp is outside of the history of the branch");
    point_at(state, source, &last.ok_or_else(outside)?.lsn)
}

/// Where a restored branch's data came from. [D] The old state of a root can be deleted only after `Itself`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    Itself,
    Another,
}

/// The branch that gets what the target held, with the target's history and children.
fn preserve(state: &mut State, target: &Branch, name: &str, from: Origin) -> String {
    let (id, now) = (new_id("br"), state.now());
    let annotation = if state.annotation_goes() { target.annotation.clone() } else { BTreeMap::new() };
    state.branches.iter_mut().filter(|it| it.parent.as_ref() == Some(&target.id)).for_each(|child| {
        child.parent = Some(id.clone());
    });
    state.points.iter_mut().filter(|it| it.branch == target.id).for_each(|it| it.branch.clone_from(&id));
    state.branches.push(Branch {
        id: id.clone(),
        name: name.to_owned(),
        created_at: now,
        updated_at: now,
        expires_at: None,
        default: false,
        protected: false,
        state: "init",
        annotation,
        data: Data::Underway,
        deletable_root: from == Origin::Itself,
        ..target.clone()
    });
    id
}

/// Stops the target, puts its data aside and the source's in its place, and starts it where it was: open
/// connections drop, the address stays. Replication slots are gone: no copy of a data directory has them.
fn swap(inner: &Inner, target: &str, source: &Branch, point: Option<usize>, preserved: Option<&str>) {
    let point = point.unwrap_or_else(|| take_point(inner, &source.id));
    let running = {
        let state = inner.state();
        state.endpoints.iter().filter(|it| it.branch == target).cloned().collect::<Vec<_>>()
    };
    let running: Vec<_> = running.into_iter().filter(|it| inner.clusters.port(&it.id).is_some()).collect();
    running.iter().for_each(|it| inner.clusters.stop(&it.id));
    let old = own_data(inner, target);
    let copied = {
        let mut state = inner.state();
        let Point { data, lsn, .. } = state.points[point].clone();
        if let Some(branch) = preserved.and_then(|id| state.branch_mut(id)) {
            branch.data = Data::Own(old);
            branch.state = "ready";
        }
        let branch = state.branch_mut(target).expect("it is restored");
        if branch.parent.is_some() {
            branch.parent_lsn = Some(lsn);
        }
        data
    };
    let own = inner.clusters.copy(&copied);
    let statements: Vec<String> = {
        let mut state = inner.state();
        let branch = state.branch_mut(target).expect("it is restored");
        branch.data = Data::Own(own.clone());
        let differs = |role: &&Role| !source.roles.iter().any(|it| it.password == role.password);
        branch.roles.iter().filter(differs).map(password).collect()
    };
    // The target's address stays as it is, with its passwords.
    inner.clusters.alter(&own, &statements);
    for endpoint in running {
        let compute = compute(&inner.state(), &endpoint);
        inner.clusters.start(&own, &compute);
    }
}

/// Used by snapshots, which are points with a name.
pub fn from_point(inner: &Inner, target: &str, point: usize) {
    let source = inner.state().branch(target).cloned().expect("it is restored");
    swap(inner, target, &source, Some(point), None);
}

/// A new root with a point's data.
pub fn root_from(state: &mut State, name: String, like: &Branch, point: usize) -> String {
    let (id, now) = (new_id("br"), state.now());
    state.branches.push(Branch {
        id: id.clone(),
        name,
        parent: None,
        parent_lsn: None,
        created_at: now,
        updated_at: now,
        expires_at: None,
        default: false,
        protected: false,
        state: "init",
        annotation: BTreeMap::new(),
        data: Data::Point(point),
        deletable_root: true,
        ..like.clone()
    });
    id
}
