//! The project itself, its roles and databases.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    faults::{Verdict, Words},
    state::State,
    wire::{Answered, Query, Refusal, Reply, not_found},
};

impl State {
    /// [S]
    pub fn project_shown(&self) -> Value {
        let (branches, ..) = self.switches.plan.limits();
        let unknown = self.switches.words == Words::Unknown;
        let value = json!({
            "id": self.project.id, "name": self.project.name, "pg_version": 15, "region_id": "aws-us-east-2",
            "proxy_host": "us-east-2.aws.neon.tech", "org_id": "org-quiet-sea-1", "platform_id": "aws",
            "history_retention_seconds": self.project.history_retention.as_secs(),
            "store_passwords": self.switches.stored_passwords == Verdict::Allowed,
            "owner": {
                "branches_limit": branches,
                "subscription_type": if unknown { "launch_v9" } else { self.switches.plan.name() },
            },
            "settings": { "enable_logical_replication": false, "block_public_connections": false },
            "default_endpoint_settings": { "autoscaling_limit_min_cu": 0.25, "autoscaling_limit_max_cu": 2 },
            "effective_project_permission": if unknown { "OVERLORD" } else { "EDITOR" },
            "branch_logical_size_limit_bytes": 0, "created_at": self.project.created_at,
            "updated_at": self.project.created_at,
        });
        let optional = [
            "org_id",
            "platform_id",
            "owner",
            "settings",
            "default_endpoint_settings",
            "effective_project_permission",
            "branch_logical_size_limit_bytes",
        ];
        self.lean(value, &optional)
    }
}

/// [S: partial results are possible]
pub fn list(state: &State, query: &Query) -> Answered {
    let searched =
        query.get("search").is_none_or(|it| state.project.name.contains(it) || state.project.id.contains(it));
    let all = if searched { vec![state.project_shown()] } else { Vec::new() };
    state.page(all, "projects", "cursor", query)
}

pub fn change(state: &mut State, body: &Value) -> Result<Reply, Refusal> {
    state.unlocked()?;
    if let Some(seconds) = body["project"]["history_retention_seconds"].as_u64() {
        state.project.history_retention = Duration::from_secs(seconds);
    }
    Ok(Reply::Now(200, Some(json!({ "project": state.project_shown(), "operations": [] }))))
}

pub fn roles(state: &State, branch: &str) -> Answered {
    let branch = state.branch(branch).ok_or_else(|| not_found("branch"))?;
    let shown = branch.roles.iter().map(|it| json!({ "branch_id": branch.id, "name": it.name, "protected": false }));
    Ok((200, Some(json!({ "roles": shown.collect::<Vec<_>>() }))))
}

pub fn databases(state: &State, branch: &str) -> Answered {
    let branch = state.branch(branch).ok_or_else(|| not_found("branch"))?;
    let owner = &branch.roles[0].name;
    let shown = branch.databases.iter().enumerate();
    let shown =
        shown.map(|(at, name)| json!({ "id": at + 1, "branch_id": branch.id, "name": name, "owner_name": owner }));
    Ok((200, Some(json!({ "databases": shown.collect::<Vec<_>>() }))))
}

/// [S: 412 when passwords are not stored]
pub fn password(state: &State, branch: &str, role: &str) -> Answered {
    let branch = state.branch(branch).ok_or_else(|| not_found("branch"))?;
    if state.switches.stored_passwords == Verdict::Refused {
        return Err(Refusal::new(412, "passwords are not stored for this project"));
    }
    let role = branch.roles.iter().find(|it| it.name == role).ok_or_else(|| not_found("role"))?;
    Ok((200, Some(json!({ "password": role.password }))))
}
