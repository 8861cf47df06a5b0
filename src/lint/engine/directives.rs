//! `-- liftlock: …` comments: what they waive, and what is wrong with them.

use crate::{
    lint::{
        Rule, Waivable,
        directives::astray,
        path::{Around, Path},
        rule::{Check, DirectiveUse},
        rules,
    },
    sql::{Directive, DirectiveKind, Span},
};

use super::{Engine, Visit};

impl Engine<'_> {
    /// Asks what is wrong with each directive of the migration, now that it is known what it waives.
    pub(super) fn judge_directives(&mut self, visit: &mut Visit, directives: &[&Directive]) {
        let astray = astray(visit.migration);
        for directive in directives.iter().copied().chain(&astray) {
            let name = match &directive.kind {
                DirectiveKind::Allow { rule, .. } => rule.as_str(),
                DirectiveKind::Safe | DirectiveKind::Unknown { .. } => "",
            };
            let named = rules::find(name);
            let findings = visit.uses.get(&directive.span).copied().unwrap_or_default();
            // A waiver of a rule that is not asked here may be needed where it is.
            let unasked = named.is_some_and(|it| !self.is_asked(it));
            let used = DirectiveUse { directive, rule: named, findings: findings + usize::from(unasked) };
            for rule in rules::ALL {
                if let Check::Directive(check) = rule.check {
                    let problems = check(&used).into_iter().collect();
                    self.record(visit, rule, problems, Path { directives: &[], around: Around::Nothing });
                }
            }
        }
    }
}

impl Visit<'_> {
    /// The reason of the directive that waives a finding of this rule, when one does. Each directive that names
    /// the rule counts the finding, also when it cannot waive it: then what is said is why it cannot.
    pub(super) fn waive(&mut self, rule: &Rule, directives: &[&Directive]) -> Option<String> {
        let mut waived = None;
        for directive in directives {
            let DirectiveKind::Allow { rule: name, reason } = &directive.kind else { continue };
            if name == rule.name {
                *self.uses.entry(directive.span).or_default() += 1;
                if rule.waivable != Waivable::Never && !reason.is_empty() {
                    waived = Some(reason.clone());
                }
            }
        }
        waived
    }
}

/// The text with the given parts masked, byte for byte, so that all places stay.
pub(super) fn concealed(text: &str, parts: &[Span]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for part in parts {
        let end = part.end.min(bytes.len());
        let hidden = bytes.get_mut(part.start..end).unwrap_or_default();
        hidden.iter_mut().filter(|it| **it != b'\n').for_each(|it| *it = b'*');
    }
    String::from_utf8(bytes).unwrap_or_default()
}
