//! Which path is which call.

use axum::http::Method;
use serde_json::json;

use super::{
    branches, endpoints,
    faults::Call,
    operations, projects, restore, shapes, snapshots,
    state::State,
    wire::{Answered, Inner, Received, Refusal, Reply, not_found},
};

/// What faults are aimed at.
pub fn call(received: &Received) -> Option<Call> {
    let segments = received.segments();
    let ["projects", _, rest @ ..] = segments.as_slice() else { return None };
    Some(match (received.method.as_str(), rest) {
        ("POST", ["branches"]) => Call::CreateBranch,
        ("GET", ["branches"]) => Call::ListBranches,
        ("GET", ["branches", _]) => Call::ReadBranch,
        ("DELETE", ["branches", _]) => Call::DeleteBranch,
        ("POST", ["branches", _, "restore"]) => Call::Restore,
        ("GET", ["operations", _]) => Call::ReadOperation,
        ("POST", ["endpoints"]) => Call::CreateEndpoint,
        ("DELETE", ["endpoints", _]) => Call::DeleteEndpoint,
        ("GET", ["connection_uri"]) => Call::ConnectionUri,
        _ => return None,
    })
}

/// The parameters that a path understands. A misspelt one would be ignored by a lenient server.
fn parameters(received: &Received) -> &'static [&'static str] {
    let segments = received.segments();
    match (received.method.as_str(), segments.as_slice()) {
        ("GET", ["projects"]) => &["limit", "cursor", "search", "org_id", "timeout"],
        ("GET", ["projects", _, "branches"]) => &["limit", "cursor", "search", "sort_by", "sort_order"],
        ("GET", ["projects", _, "branches", "count"]) => &["search"],
        ("GET", ["projects", _, "operations"]) => &["limit", "cursor"],
        ("GET", ["projects", _, "connection_uri"]) => {
            &["database_name", "role_name", "branch_id", "endpoint_id", "pooled"]
        }
        ("POST", ["projects", _, "branches", _, "snapshot"]) => &["name", "slug", "expires_at", "lsn", "timestamp"],
        _ => &[],
    }
}

fn checked(state: &State, received: &Received) -> Result<(), Refusal> {
    let known = parameters(received);
    if let Some(name) = received.query.keys().find(|it| !known.contains(&it.as_str())) {
        return Err(Refusal::new(400, format!("unknown parameter {name}")));
    }
    match received.segments().as_slice() {
        ["projects", id, ..] if *id != state.project.id => Err(not_found("project")),
        _ => Ok(()),
    }
}

/// Calls that change nothing.
pub fn read(inner: &Inner, state: &State, received: &Received) -> Answered {
    checked(state, received)?;
    let query = &received.query;
    match received.segments().as_slice() {
        ["auth"] => {
            Ok((200, Some(json!({ "account_id": "org-quiet-sea-1", "auth_method": "api_key_org", "auth_data": "k" }))))
        }
        ["projects"] => projects::list(state, query),
        ["projects", _] => Ok((200, Some(json!({ "project": state.project_shown() })))),
        ["projects", _, "branches"] => branches::list(state, query),
        ["projects", _, "branches", "count"] => branches::count(state, query),
        ["projects", _, "branches", id] => branches::read(state, id),
        ["projects", _, "branches", id, "endpoints"] => endpoints::list(state, Some(id)),
        ["projects", _, "branches", id, "roles"] => projects::roles(state, id),
        ["projects", _, "branches", id, "databases"] => projects::databases(state, id),
        ["projects", _, "branches", id, "roles", role, "reveal_password"] => projects::password(state, id, role),
        ["projects", _, "endpoints"] => endpoints::list(state, None),
        ["projects", _, "endpoints", id] => endpoints::read(state, id),
        ["projects", _, "connection_uri"] => endpoints::connection_uri(inner, state, query),
        ["projects", _, "operations"] => operations::list(state, query),
        ["projects", _, "operations", id] => operations::read(state, id),
        ["projects", _, "snapshots"] => snapshots::list(state),
        _ => Err(not_found("path")),
    }
}

/// Calls that change something.
pub fn start(state: &mut State, received: &Received) -> Result<Reply, Refusal> {
    checked(state, received)?;
    let segments = received.segments();
    let ["projects", _, rest @ ..] = segments.as_slice() else { return Err(not_found("path")) };
    let body = |schema| shapes::checked(schema, received.body.as_ref());
    if received.method == Method::DELETE || matches!(rest.last(), Some(&("snapshot" | "start" | "suspend"))) {
        shapes::empty(received.body.as_ref())?;
    }
    match (received.method.as_str(), rest) {
        ("PATCH", []) => projects::change(state, &body("project_change")?),
        ("POST", ["branches"]) => branches::create(state, &body("branch_create")?),
        ("PATCH", ["branches", id]) => branches::change(state, id, &body("branch_change")?),
        ("DELETE", ["branches", id]) => branches::delete(state, id),
        ("POST", ["branches", id, "set_as_default"]) => branches::set_as_default(state, id),
        ("POST", ["branches", id, "restore"]) => restore::restore(state, id, &body("restore")?),
        ("POST", ["branches", id, "snapshot"]) => snapshots::create(state, id, &received.query),
        ("DELETE", ["snapshots", id]) => snapshots::delete(state, id),
        ("POST", ["snapshots", id, "restore"]) => snapshots::restore(state, id, &body("snapshot_restore")?),
        ("POST", ["endpoints"]) => endpoints::create(state, &body("endpoint_create")?),
        ("DELETE", ["endpoints", id]) => endpoints::delete(state, id),
        ("POST", ["endpoints", id, "start"]) => endpoints::start(state, id),
        ("POST", ["endpoints", id, "suspend"]) => endpoints::suspend(state, id),
        _ => Err(not_found("path")),
    }
}
