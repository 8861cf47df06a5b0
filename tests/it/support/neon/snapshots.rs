//! Snapshots: points with a name that outlive the history window.

use serde_json::{Value, json};

use super::{
    branches::{point_at, room_for_branch, take_point},
    operations::Begin,
    restore::{from_point, root_from},
    state::{Effect, Snapshot, State, new_id},
    wire::{Answered, Query, Refusal, Reply, Started, not_found},
};

/// [S: everything stands in the query; D: of root branches only]
pub fn create(state: &mut State, branch: &str, query: &Query) -> Result<Reply, Refusal> {
    let source = state.branch(branch).cloned().ok_or_else(|| not_found("branch"))?;
    state.unlocked()?;
    let (.., most) = state.switches.plan.limits();
    if state.snapshots.len() >= most {
        return Err(Refusal::new(422, "snapshots limit exceeded"));
    }
    if !source.is_root() {
        return Err(Refusal::new(422, "snapshots can be made of root branches only"));
    }
    let point = query.get("lsn").map(|lsn| point_at(state, &source, lsn)).transpose()?;
    let id = new_id("snap");
    let (now, name) = (state.now(), query.get("name").cloned().unwrap_or_else(|| id.clone()));
    let source = source.id;
    let snapshot =
        Snapshot { id: id.clone(), name, source: source.clone(), point: point.unwrap_or(usize::MAX), created_at: now };
    state.snapshots.push(snapshot);
    let made = id.clone();
    let (ids, jobs) = state.begin(vec![Begin {
        action: "create_snapshot",
        branch: Some(source.clone()),
        endpoint: None,
        effect: Effect::Nothing,
        job: Box::new(move |inner| {
            let at = point.unwrap_or_else(|| take_point(inner, &source));
            if let Some(snapshot) = inner.state().snapshots.iter_mut().find(|it| it.id == made) {
                snapshot.point = at;
            }
        }),
    }]);
    let answer = move |state: &State, operations| {
        let snapshot = state.snapshots.iter().find(|it| it.id == id).map(Snapshot::shown);
        (200, Some(json!({ "snapshot": snapshot, "operations": operations })))
    };
    Ok(Reply::Later(Started { ids, jobs, waits: true, answer: Box::new(answer) }))
}

pub fn list(state: &State) -> Answered {
    Ok((200, Some(json!({ "snapshots": state.snapshots.iter().map(Snapshot::shown).collect::<Vec<_>>() }))))
}

/// [S: 202]
pub fn delete(state: &mut State, id: &str) -> Result<Reply, Refusal> {
    state.unlocked()?;
    let at = state.snapshots.iter().position(|it| it.id == id).ok_or_else(|| not_found("snapshot"))?;
    state.snapshots.remove(at);
    Ok(Reply::Now(202, Some(json!({ "operations": [] }))))
}

/// [S: without a target it is the branch that the snapshot was made of, which is production] Afterwards a restore
/// to a point in time is refused there. [D] Not finalized by default: a new root beside the target. [S]
pub fn restore(state: &mut State, id: &str, body: &Value) -> Result<Reply, Refusal> {
    let snapshot = state.snapshots.iter().find(|it| it.id == id).cloned().ok_or_else(|| not_found("snapshot"))?;
    state.unlocked()?;
    let target = body["target_branch_id"].as_str().unwrap_or(&snapshot.source).to_owned();
    let like = state.branch(&target).cloned().ok_or_else(|| not_found("branch"))?;
    let restored = if body["finalize_restore"].as_bool() == Some(true) {
        let branch = state.branch_mut(&target).expect("it was read above");
        (branch.state, branch.restore_status) = ("resetting", Some("detaching"));
        target
    } else {
        room_for_branch(state, true)?;
        let name = body["name"].as_str().map_or_else(|| format!("{} restored", snapshot.name), str::to_owned);
        root_from(state, name, &like, snapshot.point)
    };
    let (made, in_place) = (restored.clone(), restored == like.id);
    let (ids, jobs) = state.begin(vec![Begin {
        action: "restore_snapshot",
        branch: Some(restored.clone()),
        endpoint: None,
        effect: Effect::BranchReady(restored.clone()),
        job: Box::new(move |inner| {
            if in_place {
                from_point(inner, &made, snapshot.point);
            }
        }),
    }]);
    let answer = move |state: &State, operations| {
        let branch = state.branch(&restored).map(|it| it.shown(state));
        (200, Some(json!({ "branch": branch, "operations": operations })))
    };
    Ok(Reply::Later(Started { ids, jobs, waits: false, answer: Box::new(answer) }))
}

impl Snapshot {
    fn shown(&self) -> Value {
        json!({ "id": self.id, "name": self.name, "created_at": self.created_at, "source_branch_id": self.source })
    }
}
