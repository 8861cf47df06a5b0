//! Files of a folder that are no single history: sets for several databases, a dump of the schema beside its
//! migrations, releases of a schema.

use super::Engine;
use crate::{
    catalog::Origin,
    lint::{
        Rule, named,
        rules::{dropped_name, existing_name, missing_name},
    },
    report::{Finding, Harm, Severity},
    sql::{Change, Statement},
};

/// As many names that are taken, in one file, are no slip.
const OTHER_SET: usize = 3;

impl Engine<'_> {
    /// A statement of the history that must have failed was never run after those before it.
    pub(super) fn doubt(&mut self, statement: &Statement, origin: Origin) {
        if existing_name::contradicts(&self.catalog, statement) || dropped_name::contradicts(&self.catalog, statement) {
            self.catalog.lose_sight(origin.migration);
        }
    }

    /// A statement whose name is taken builds nothing, and what is there under that name is not what it says: nothing
    /// more is said for sure about either. What fails otherwise is taken for what it will be when it is mended. Its
    /// findings start at `before`.
    pub(super) fn certainly_fails(&mut self, before: usize, statement: &Statement) -> bool {
        let says = |rule: &Rule| {
            self.validation.findings[before..].iter().any(|it| it.rule == rule.name && it.waived.is_none())
        };
        let (taken, missing) = (says(&existing_name::RULE), says(&missing_name::RULE));
        if says(&dropped_name::RULE) {
            dropped_name::used(&self.catalog, statement).iter().for_each(|it| self.catalog.doubt(it));
        }
        // What cannot be dropped stays.
        if let Change::Drop(drop) = &statement.change
            && self.validation.findings[before..].iter().any(|it| it.kind == Harm::Fails)
        {
            drop.names.iter().for_each(|it| self.catalog.doubt(it));
        }
        if taken || missing {
            named::given_to(statement).iter().for_each(|it| self.catalog.doubt(it));
        }
        taken
    }

    /// The same of the file that was just judged, whose findings start at `before`. One that makes again what is there
    /// or uses what is gone belongs to another set: that is worth no more than a notice.
    pub(super) fn doubt_set(&mut self, before: usize, origin: Origin) {
        let is_clash = |it: &Finding| [existing_name::RULE.name, dropped_name::RULE.name].contains(&&*it.rule);
        let own = &mut self.validation.findings[before..];
        match own.iter().filter(|it| is_clash(it)).count() {
            0 => return,
            1..OTHER_SET => {}
            _ => own.iter_mut().filter(|it| is_clash(it)).for_each(|it| it.severity = Severity::Notice),
        }
        self.catalog.lose_sight(origin.migration);
    }
}
