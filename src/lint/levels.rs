//! How severe rules are once the configuration has had its say.

use crate::{
    config::{Complaint, Level, ProfileName, RuleLevels},
    report::Severity,
};

use super::{Rule, Waivable, rules};

/// A rule's severity in a profile; `None`: it is off there.
pub fn severity(rule: &Rule, profile: ProfileName, levels: &[RuleLevels]) -> Option<Severity> {
    match levels.iter().find(|it| it.rule == rule.name).and_then(|it| it.levels.in_profile(profile)) {
        None => rule.severity.in_profile(profile),
        Some(Level::Off) => None,
        Some(Level::Notice) => Some(Severity::Notice),
        Some(Level::Warning) => Some(Severity::Warning),
        Some(Level::Error) => Some(Severity::Error),
    }
}

/// Complaints about rules that there are not, and about gates that would stand open: what nothing may waive in a
/// file is not waived for all files either. `dev` is the developer's own.
pub fn complaints(levels: &[RuleLevels]) -> Vec<Complaint> {
    let complaints = levels.iter().flat_map(|it| match rules::find(&it.rule) {
        None => vec![unknown(it)],
        Some(rule) => opened(rule, it),
    });
    complaints.collect()
}

fn unknown(levels: &RuleLevels) -> Complaint {
    let help = match rules::nearest(&levels.rule) {
        Some(near) => format!("did you mean `{}`? `liftlock rules` lists them all", near.name),
        None => "`liftlock rules` lists them all".to_owned(),
    };
    let name = levels.rule.chars().take(60).collect();
    Complaint::UnknownRule { name, help, span: levels.key.clone().into() }
}

/// One complaint for a rule, though a level may be meant for several profiles.
fn opened(rule: &Rule, levels: &RuleLevels) -> Vec<Complaint> {
    if rule.waivable != Waivable::Never {
        return Vec::new();
    }
    let gates = [ProfileName::Production, ProfileName::Staging].into_iter();
    let lowered = gates.filter(|profile| {
        let set = levels.levels.in_profile(*profile);
        rule.severity.in_profile(*profile) == Some(Severity::Error) && set.is_some_and(|it| it != Level::Error)
    });
    let complaint = |profile: ProfileName| {
        let dev = levels.levels.dev.map_or("off", Level::name);
        Complaint::Gate {
            rule: rule.name.to_owned(),
            profile: profile.name(),
            help: format!(
                "nothing waives it, so no file's owner can; for your own database write `{}: {{ dev: {dev} }}`",
                rule.name
            ),
            span: levels.place(profile).into(),
        }
    };
    lowered.map(complaint).take(1).collect()
}

#[cfg(test)]
mod tests {
    use camino::Utf8Path;

    use super::{complaints, severity};
    use crate::{
        config::{Config, ConfigErrors, ProfileName, parse_judged},
        lint::rules,
        report::text::{self, Look},
    };

    fn config(levels: &str) -> Config {
        judged(levels, "").expect("it is right")
    }

    fn judged(levels: &str, more: &str) -> Result<Config, ConfigErrors> {
        let text = format!("migrations: m\nenvironments: {{}}\nrules: {{ {levels} }}\n{more}");
        parse_judged(Utf8Path::new("liftlock.yml"), &text, &|_| None, &complaints)
    }

    #[test]
    fn what_is_configured_stands_before_what_a_rule_says_of_itself() {
        for (levels, profile, expected) in [
            ("", ProfileName::Production, "Some(Error)"),
            ("drop-table: warning", ProfileName::Production, "Some(Warning)"),
            ("drop-table: warning", ProfileName::Dev, "Some(Warning)"),
            ("drop-table: off", ProfileName::Staging, "None"),
            ("drop-table: { production: notice }", ProfileName::Production, "Some(Notice)"),
            ("drop-table: { production: notice }", ProfileName::Staging, "Some(Error)"),
            ("drop-column: off", ProfileName::Production, "Some(Error)"),
        ] {
            let rule = rules::find("drop-table").unwrap();
            let found = severity(rule, profile, &config(levels).rules);
            assert_eq!(format!("{found:?}"), expected, "{levels} in {profile:?}");
        }
    }

    #[test]
    fn unknown_rules_and_open_gates_are_complained_about_at_their_lines() {
        for (levels, expected) in [
            ("drop-table: off", ""),
            ("drop-tabel: off", "there is no rule `drop-tabel`|did you mean `drop-table`?|liftlock.yml:3:10"),
            ("xyzzy: { dev: off }", "there is no rule `xyzzy`|`liftlock rules` lists them all"),
            ("own-transaction: error", ""),
            ("own-transaction: { dev: off }", ""),
            ("own-transaction: warning", "an error in production, and cannot be less|{ dev: warning }|:27"),
            ("own-transaction: { staging: off, dev: off }", "an error in staging|{ dev: off }|liftlock.yml:3:38"),
        ] {
            let shown = match judged(levels, "") {
                Ok(_) => String::new(),
                Err(errors) => text::error(&errors, &Look { color: false, width: 200 }),
            };
            assert_eq!(shown.is_empty(), expected.is_empty(), "{levels}: {shown}");
            for part in expected.split('|') {
                assert!(shown.contains(part), "{levels}: {part}: {shown}");
            }
        }
    }

    #[test]
    fn unknown_rules_are_told_together_with_all_other_mistakes() {
        let errors = judged("drop-tabel: off, drop-column: loud", "colour: red\n").unwrap_err();
        let shown = text::error(&errors, &Look { color: false, width: 200 });
        for part in ["has 3 mistakes", "drop-tabel", "loud", "colour"] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
    }
}
