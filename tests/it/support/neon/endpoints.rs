//! Computes and the addresses that lead to them.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    branches::{compute, own_data, take_point},
    faults::{Hosts, Verdict, Words},
    operations::{Begin, Job},
    state::{Effect, Endpoint, Role, State, new_id},
    wire::{Answered, Inner, Query, Refusal, Reply, Started, not_found},
};

/// [S: one compute per branch may write]
pub fn create(state: &mut State, body: &Value) -> Result<Reply, Refusal> {
    let wanted = &body["endpoint"];
    let (branch, kind) = (wanted["branch_id"].as_str().unwrap(), wanted["type"].as_str().unwrap());
    let found = state.branch(branch).ok_or_else(|| not_found("branch"))?;
    if found.state != "ready" {
        return Err(Refusal::new(422, "branch not ready yet"));
    }
    state.unlocked()?;
    let alone = state.writer(branch).is_none();
    if kind == "read_write" && !alone {
        return Err(Refusal::new(409, "read-write endpoint already exists for the branch"));
    }
    if kind == "read_only" && alone && state.switches.lone_read_only == Verdict::Refused {
        return Err(Refusal::new(422, "branch has no read-write endpoint"));
    }
    let begin = make(state, branch, kind, wanted["name"].as_str());
    let id = begin.endpoint.clone().expect("it is a compute's");
    let (ids, jobs) = state.begin(vec![begin]);
    Ok(later(ids, jobs, 201, id))
}

fn later(ids: Vec<Uuid>, jobs: Vec<(Uuid, Job)>, status: u16, id: String) -> Reply {
    let answer = move |state: &State, operations| {
        let endpoint = state.endpoints.iter().find(|it| it.id == id).map(|it| it.shown(state));
        (status, Some(json!({ "endpoint": endpoint, "operations": operations })))
    };
    Reply::Later(Started { ids, jobs, waits: false, answer: Box::new(answer) })
}

/// A new compute, not yet started.
pub fn make(state: &mut State, branch: &str, kind: &str, name: Option<&str>) -> Begin {
    let (id, created_at) = (new_id("ep"), state.now());
    state.endpoints.push(Endpoint {
        id: id.clone(),
        branch: branch.to_owned(),
        kind: kind.to_owned(),
        state: "init",
        name: name.map(str::to_owned),
        created_at,
        port: 0,
    });
    starting(&id, branch)
}

fn starting(id: &str, branch: &str) -> Begin {
    let started = id.to_owned();
    Begin {
        action: "start_compute",
        branch: Some(branch.to_owned()),
        endpoint: Some(id.to_owned()),
        effect: Effect::EndpointActive(id.to_owned()),
        job: Box::new(move |inner| run(inner, &started)),
    }
}

/// Starts the server, and keeps its port for the next time.
pub fn run(inner: &Inner, id: &str) {
    let endpoint = inner.state().endpoints.iter().find(|it| it.id == id).cloned();
    let Some(endpoint) = endpoint.filter(|it| inner.clusters.port(&it.id).is_none()) else { return };
    let data = match endpoint.kind.as_str() {
        "read_only" => {
            let at = take_point(inner, &endpoint.branch);
            let point = inner.state().points[at].data.clone();
            inner.clusters.copy(&point)
        }
        _ => own_data(inner, &endpoint.branch),
    };
    let compute = compute(&inner.state(), &endpoint);
    let port = inner.clusters.start(&data, &compute);
    if let Some(endpoint) = inner.state().endpoint_mut(id) {
        endpoint.port = port;
    }
}

pub fn start(state: &mut State, id: &str) -> Result<Reply, Refusal> {
    let endpoint = find(state, id)?;
    state.unlocked()?;
    let (ids, jobs) = state.begin(vec![starting(id, &endpoint.branch)]);
    Ok(later(ids, jobs, 200, id.to_owned()))
}

pub fn suspend(state: &mut State, id: &str) -> Result<Reply, Refusal> {
    let endpoint = find(state, id)?;
    state.unlocked()?;
    let stopped = id.to_owned();
    let (ids, jobs) = state.begin(vec![Begin {
        action: "suspend_compute",
        branch: Some(endpoint.branch),
        endpoint: Some(id.to_owned()),
        effect: Effect::EndpointIdle(id.to_owned()),
        job: Box::new(move |inner| inner.clusters.stop(&stopped)),
    }]);
    Ok(later(ids, jobs, 200, id.to_owned()))
}

/// [S: 204 when it is gone already] [D: not a protected branch's]
pub fn delete(state: &mut State, id: &str) -> Result<Reply, Refusal> {
    let Ok(endpoint) = find(state, id) else { return Ok(Reply::Now(204, None)) };
    state.unlocked()?;
    if state.branch(&endpoint.branch).is_some_and(|it| it.protected) {
        return Err(Refusal::new(422, "cannot delete endpoint of a protected branch"));
    }
    let stopped = id.to_owned();
    let (ids, jobs) = state.begin(vec![Begin {
        action: "delete_endpoint",
        branch: Some(endpoint.branch.clone()),
        endpoint: Some(id.to_owned()),
        effect: Effect::EndpointGone(id.to_owned()),
        job: Box::new(move |inner| inner.clusters.stop(&stopped)),
    }]);
    Ok(later(ids, jobs, 200, id.to_owned()))
}

fn find(state: &State, id: &str) -> Result<Endpoint, Refusal> {
    state.endpoints.iter().find(|it| it.id == id).cloned().ok_or_else(|| not_found("endpoint"))
}

pub fn list(state: &State, branch: Option<&str>) -> Answered {
    if branch.is_some_and(|id| state.branch(id).is_none()) {
        return Err(not_found("branch"));
    }
    let of_branch = state.endpoints.iter().filter(|it| branch.is_none_or(|id| it.branch == id));
    Ok((200, Some(json!({ "endpoints": of_branch.map(|it| it.shown(state)).collect::<Vec<_>>() }))))
}

pub fn read(state: &State, id: &str) -> Answered {
    Ok((200, Some(json!({ "endpoint": find(state, id)?.shown(state) }))))
}

/// [S: database and role are required, the branch must have a compute]
pub fn connection_uri(inner: &Inner, state: &State, query: &Query) -> Answered {
    let required = |name: &str| query.get(name).ok_or_else(|| Refusal::new(400, format!("{name} is required")));
    let (database, role) = (required("database_name")?, required("role_name")?);
    let default = || state.branches.iter().find(|it| it.default).expect("there is always a default branch").id.clone();
    let id = query.get("branch_id").cloned().unwrap_or_else(default);
    let branch = state.branch(&id).ok_or_else(|| not_found("branch"))?;
    let role = branch.roles.iter().find(|it| it.name == *role).ok_or_else(|| not_found("role"))?;
    let database = branch.databases.iter().find(|it| *it == database).ok_or_else(|| not_found("database"))?;
    let wanted = query.get("endpoint_id");
    let endpoint = state.endpoints.iter().find(|it| it.branch == id && wanted.is_none_or(|wanted| it.id == *wanted));
    let endpoint = endpoint.ok_or_else(|| Refusal::new(404, "endpoint not found for the branch"))?;
    if state.switches.stored_passwords == Verdict::Refused {
        return Err(Refusal::new(412, "passwords are not stored for this project"));
    }
    let mut endpoint = endpoint.clone();
    endpoint.port = inner.clusters.port(&endpoint.id).unwrap_or(endpoint.port);
    if query.get("pooled").is_none_or(|it| it != "false") {
        return Err(Refusal::new(400, "the fake has no pooler: ask with pooled=false"));
    }
    Ok((200, Some(json!({ "uri": uri(role, &endpoint, database) }))))
}

/// Real ones have a host under Neon's domain; these lead to this machine, so without TLS.
pub fn uri(role: &Role, endpoint: &Endpoint, database: &str) -> String {
    format!("postgresql://{}:{}@127.0.0.1:{}/{database}", role.name, role.password, endpoint.port)
}

impl Endpoint {
    /// [D: a label for the cell may stand in it]
    fn host(&self, state: &State) -> String {
        match state.switches.hosts {
            Hosts::Local => "127.0.0.1".to_owned(),
            Hosts::Plain => format!("{}.us-east-2.aws.neon.tech", self.id),
            Hosts::Cell => format!("{}.c-2.us-east-2.aws.neon.tech", self.id),
        }
    }

    pub fn shown(&self, state: &State) -> Value {
        let unknown = state.switches.words == Words::Unknown;
        let settling = self.state == "init";
        let value = json!({
            "id": self.id, "branch_id": self.branch, "project_id": state.project.id, "type": self.kind,
            "host": self.host(state), "name": self.name, "current_state": if unknown && settling { "warming_up" } else { self.state },
            "pending_state": settling.then_some("active"), "disabled": false, "region_id": "aws-us-east-2",
            "autoscaling_limit_min_cu": 0.25, "autoscaling_limit_max_cu": 2, "suspend_timeout_seconds": 0,
            "created_at": self.created_at, "updated_at": self.created_at,
        });
        state.lean(value, &["pending_state"])
    }
}
