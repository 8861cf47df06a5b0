//! The gates that ask for people's word: approval, and the account of an emergency.

use super::{Answer, counted, failed, list, passed, warned};
use crate::{
    config::{ProfileName, PromotionType},
    promote::{
        approval::{self, Purpose},
        plan::Request,
        survey::Obstacle,
    },
};

/// Have enough people approved it, none of whom wrote or started it?
pub(super) fn approved(request: &Request<'_>) -> Answer {
    let Some(demand) = request.demand else {
        return match request.environment.profile {
            ProfileName::Production => warned(
                "nobody was asked",
                "set `approvals: { required: 1 }` for this environment in liftlock.yml, and promote in a GitHub job",
            ),
            ProfileName::Staging | ProfileName::Dev => {
                passed(format!("nobody was asked; profile {} does not demand it", request.environment.profile.name()))
            }
        };
    };
    let Some(judgement) = request.judgement() else {
        return passed("nothing to apply");
    };
    let complaints = list(judgement.complaints.iter().map(|it| it.evidence.clone()));
    let fixes = |of: &[Obstacle]| of.iter().map(|it| it.fix.clone()).collect::<Vec<_>>().join("; ");
    if !judgement.complaints.is_empty() {
        return match request.purpose {
            Purpose::Do => failed(complaints, fixes(&judgement.complaints)),
            // Approval comes after the plan.
            Purpose::Show => warned(
                format!(
                    "`promote` will demand {}; not yet: {complaints}",
                    counted(demand.required as usize, "approval")
                ),
                fixes(&judgement.complaints),
            ),
        };
    }
    let evidence = judgement.record.as_ref().map(approval::shown).unwrap_or_default();
    if judgement.warnings.is_empty() {
        return passed(evidence);
    }
    let warnings = list(judgement.warnings.iter().map(|it| it.evidence.clone()));
    warned(format!("{evidence}; {warnings}"), fixes(&judgement.warnings))
}

/// Whether an emergency is declared, or should be: a hotfix waives checks, and who demands approvals wants to know why.
pub(super) fn hasty(request: &Request<'_>) -> bool {
    request.emergency.is_some() || (request.promotion_type == PromotionType::Hotfix && request.demand.is_some())
}

/// Is haste accounted for? Asked where there is some.
pub(super) fn emergency(request: &Request<'_>) -> Answer {
    match request.emergency {
        Some(emergency) => warned(
            emergency.shown(),
            "what it waived stands in the plan, the journal and the audit events; look at it again when it is over",
        ),
        None => failed(
            "a hotfix waives checks, and this environment demands approvals: nobody says why it cannot wait",
            "add `--emergency --incident ID --reason \"…\"`, or promote as another type",
        ),
    }
}
