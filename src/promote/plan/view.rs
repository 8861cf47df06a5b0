//! How a decision is shown.

use serde_json::json;

use super::{Decision, Request, Step, Target, waivers};
use crate::{
    promote::{emergency::Emergency, gates::Gate},
    report::{GateView, PlanView},
};

/// How `plan` and `promote` show a decision.
pub fn view(request: &Request<'_>, decision: &Decision) -> PlanView {
    let plan = decision.plan.as_ref().ok();
    PlanView {
        environment: request.environment.name.clone(),
        target: Target::of(&request.survey.identity).shown(),
        promotion_type: plan.map_or(request.promotion_type.name(), |it| &it.promotion_type).to_owned(),
        gates: decision.gates.iter().map(gate_view).collect(),
        steps: plan.map(|it| it.steps.iter().map(Step::shown).collect()).unwrap_or_default(),
        digest: plan.map(|it| it.digest.clone()),
        waivers: waivers(request).iter().map(|it| format!("{} at {}: {}", it.rule, it.place, it.reason)).collect(),
        resumes: request.resumes.map(|it| it.run.to_string()),
        emergency: request.emergency.map(Emergency::shown),
        code: request.code(),
        approval: request.judgement().and_then(|it| it.record).map(|it| json!(it)),
    }
}

fn gate_view(gate: &Gate) -> GateView {
    GateView {
        name: gate.name.to_owned(),
        passed: gate.passed(),
        evidence: gate.evidence.clone(),
        fix: gate.fix.clone(),
    }
}
