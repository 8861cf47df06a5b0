//! What validated checks prove, so that Postgres need not look at the rows.

mod bound;
mod condition;
mod implication;
mod value;

use super::{Bound, Catalog, Constraint, Table};
use crate::sql::{
    change::ConstraintKind,
    names::{Ident, ObjectName},
};
use condition::{Condition, Nullness};

/// Where rows may be, as seen by a partition's bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// All within them: of a table that is attached.
    Within,
    /// None within them: of the default partition beside it.
    Outside,
}

/// Whether rows must be read to see where they belong.
#[derive(Debug, Clone, Copy)]
pub enum Proof<'c> {
    /// This check says so.
    Check(&'c Constraint),
    /// `NOT NULL` of its columns is enough, or several checks together are.
    Columns,
    /// No file says by what the parent is partitioned; this check may be the proof.
    Perhaps(&'c Constraint),
    None,
}

impl Table {
    /// The validated `CHECK` that proves `column IS NOT NULL`, so that `SET NOT NULL` need not scan.
    ///
    /// Postgres looks at validated checks (`ConstraintImpliedByRelConstraint` in tablecmds.c); so does this.
    pub fn proof_of_not_null(&self, column: &Ident) -> Option<&Constraint> {
        let says = |it: &&Constraint| {
            it.validated && matches!(&it.kind, ConstraintKind::NotNull { column: of } if of.name == column.name)
        };
        // Of a column that files create it is known without.
        let said = if self.column(column).is_none() { self.constraints.iter().find(says) } else { None };
        if said.is_some() {
            return said;
        }
        let wanted = Condition::Null { subject: column.name.clone(), is: Nullness::NotNull };
        self.proving_checks().find(|(_, it)| implication::implies(it, &wanted, &|_| None)).map(|it| it.0)
    }

    /// Checks that hold for every row.
    fn proving_checks(&self) -> impl Iterator<Item = (&Constraint, Condition)> {
        self.constraints.iter().filter_map(|constraint| match &constraint.kind {
            ConstraintKind::Check { expression: Some(check), .. } if constraint.validated && constraint.enforced => {
                Some((constraint, condition::read(&check.text)))
            }
            _ => None,
        })
    }
}

impl Catalog {
    /// What proves that the rows of a table are within the bounds of a partition of `parent`, or outside them: what
    /// spares `ATTACH PARTITION` and `CREATE TABLE … PARTITION OF` the reading.
    pub fn proof_of_place(&self, table: &Table, parent: &ObjectName, bound: &Bound, place: Place) -> Proof<'_> {
        let Some(table) = self.tables.get(&table.name) else { return Proof::None };
        let parent = self.table(parent);
        let Some((parent, key)) = parent.and_then(|it| Some((it, it.partition_key.as_ref()?))) else {
            return table.proving_checks().next().map_or(Proof::None, |it| Proof::Perhaps(it.0));
        };
        let Some(mut wanted) = bound::within(self, parent, key, bound) else { return Proof::None };
        if place == Place::Outside {
            wanted = wanted.negated();
        } else if let Some(outer) = &parent.partition_of {
            // What is a part of a part is within both.
            let key = self.tables.get(outer).and_then(|it| Some((it, it.partition_key.as_ref()?)));
            let outer = key.zip(parent.bound.as_ref()).and_then(|((of, key), it)| bound::within(self, of, key, it));
            let Some(outer) = outer else { return Proof::None };
            wanted = Condition::All(vec![outer, wanted]);
        }
        let types = |subject: &str| {
            let own = table.column_named(subject).or_else(|| parent.column_named(subject));
            own.map(|it| &*it.resolved)
        };
        let not_null = table.columns.iter().filter(|it| it.not_null).map(|it| it.name.clone());
        // A column that no file tells of may well be.
        let unknown = key.keys.iter().filter(|it| table.partial && table.column_named(it).is_none()).cloned();
        let mut known = not_null
            .chain(unknown)
            .map(|subject| Condition::Null { subject, is: Nullness::NotNull })
            .collect::<Vec<_>>();
        for (constraint, check) in table.proving_checks() {
            let alone = [known.as_slice(), std::slice::from_ref(&check)].concat();
            if implication::implies(&Condition::All(alone), &wanted, &types) {
                return Proof::Check(constraint);
            }
        }
        known.extend(table.proving_checks().map(|it| it.1));
        if implication::implies(&Condition::All(known), &wanted, &types) { Proof::Columns } else { Proof::None }
    }
}

/// Words that a quoted name may look like.
const KEYWORDS: [&str; 6] = ["and", "or", "not", "between", "is", "null"];

/// Words (folded unless quoted), parentheses, and everything else byte by byte. Quoted keywords keep their
/// quotes so that no column called `"or"` is taken for one.
pub fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '"' | '\'' => rest[1..].find(first).map_or(rest.len(), |at| at + 2),
            _ if first.is_alphanumeric() || first == '_' => {
                rest.find(|it: char| !(it.is_alphanumeric() || it == '_' || it == '$')).unwrap_or(rest.len())
            }
            _ => first.len_utf8(),
        };
        let word = &rest[..end];
        words.push(match first {
            '"' if !KEYWORDS.contains(&word.trim_matches('"')) => word.trim_matches('"').to_owned(),
            _ => word.to_ascii_lowercase(),
        });
        rest = rest[end..].trim_start();
    }
    words
}

#[cfg(test)]
mod tests;
