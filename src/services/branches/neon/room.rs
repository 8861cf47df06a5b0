//! Whether the project has room for one more branch. Pure, but for the asking.

use super::NeonBranches;
use crate::services::{
    branches::BranchError,
    neon::wire::{Owner, Project},
};

/// Branches that are there and that may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    pub count: u64,
    pub limit: Option<u64>,
    /// The plan, as Neon calls it.
    pub plan: String,
}

/// Beginnings of the names of plans on which more branches than are included cost money and are not refused
/// (<https://neon.com/docs/introduction/plans>). Any other plan is taken for one that ends at its limit.
const BILLED: [&str; 6] = ["launch", "scale", "business", "direct_sales", "aws_marketplace", "vercel_pg"];

impl Room {
    pub fn of(project: &Project, count: u64) -> Self {
        let Owner { branches_limit, subscription_type } = project.owner.clone().unwrap_or_default();
        let limit = branches_limit.and_then(|it| u64::try_from(it).ok()).filter(|it| *it > 0);
        Self { count, limit, plan: subscription_type.unwrap_or_else(|| "UNKNOWN".to_owned()) }
    }

    /// What to know when there is room; `what` completes "there is no room to …".
    pub fn enough(&self, what: &str) -> Result<Vec<String>, BranchError> {
        let Some(limit) = self.limit.filter(|limit| self.count >= *limit) else { return Ok(Vec::new()) };
        if BILLED.iter().any(|it| self.plan.starts_with(it)) {
            return Ok(vec![format!(
                "{} of {limit} branches are in use; Neon bills more on plan {}",
                self.count, self.plan
            )]);
        }
        Err(BranchError::Obstacle {
            evidence: format!("there is no room to {what}: {} of {limit} branches are in use (plan {})", self.count, self.plan),
            fix: "free a place: `liftlock backup list --env ENV` and `liftlock backup delete NAME --env ENV` for ours, the \
                  Neon console for others; or raise the plan"
                .to_owned(),
        })
    }
}

impl NeonBranches<'_> {
    pub async fn room(&self) -> Result<Room, BranchError> {
        Ok(Room::of(&self.neon.project().await?, self.neon.branch_count().await?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_project_is_refused_unless_its_plan_bills_for_more() {
        for (count, owner, expected) in [
            (9, r#"{"branches_limit":10,"subscription_type":"free_v3"}"#, Some(0)),
            (10, r#"{"branches_limit":10,"subscription_type":"free_v3"}"#, None),
            (11, r#"{"branches_limit":10,"subscription_type":"moonshot"}"#, None),
            (10, r#"{"branches_limit":10}"#, None),
            (10, r#"{"branches_limit":10,"subscription_type":"launch_v3"}"#, Some(1)),
            (10, r#"{"branches_limit":10,"subscription_type":"scale"}"#, Some(1)),
            (10, r#"{"branches_limit":-1,"subscription_type":"free_v3"}"#, Some(0)),
            (10, "{}", Some(0)),
            (10, "null", Some(0)),
        ] {
            let project = serde_json::from_str(&format!(r#"{{"id":"p","owner":{owner}}}"#)).unwrap();
            let notes = Room::of(&project, count).enough("try").ok().map(|it| it.len());
            assert_eq!(notes, expected, "{count} {owner}");
        }
    }
}
