//! Files of a folder that are no single history: sets for several databases, a dump of the schema beside its
//! migrations, releases of a schema.

use super::Engine;
use crate::{
    catalog::Origin,
    lint::rules::existing_name,
    report::{Finding, Severity},
    sql::Statement,
};

/// As many names that are taken, in one file, are no slip.
const OTHER_SET: usize = 3;

impl Engine<'_> {
    /// A statement of the history that must have failed was never run after those before it.
    pub(super) fn doubt(&mut self, statement: &Statement, origin: Origin) {
        if existing_name::contradicts(&self.catalog, statement) {
            self.catalog.lose_sight(origin.migration);
        }
    }

    /// The same of the file that was just judged, whose findings start at `before`. One that makes again what is there
    /// belongs to another set: that is worth no more than a notice.
    pub(super) fn doubt_set(&mut self, before: usize, origin: Origin) {
        let is_clash = |it: &Finding| it.rule == existing_name::RULE.name;
        let own = &mut self.validation.findings[before..];
        match own.iter().filter(|it| is_clash(it)).count() {
            0 => return,
            1..OTHER_SET => {}
            _ => own.iter_mut().filter(|it| is_clash(it)).for_each(|it| it.severity = Severity::Notice),
        }
        self.catalog.lose_sight(origin.migration);
    }
}
