//! What the history of changes has built: tables, columns, indexes, constraints, types, views, routines.
//!
//! The catalog knows what the files say, not what a database holds: an object that it does not know may exist.
//! Where files leave it open whether something happened (`IF NOT EXISTS`, a `DO` block), it says so in
//! [`Origin::certain`].

mod replay;

pub use replay::replay;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::sql::{
    Statement,
    change::{ConstraintKind, Expression, Generated, ObjectKind, TypeKind, Volatility},
    names::{Ident, ObjectName},
};

/// The schema that stands for the session's temporary one.
const TEMPORARY: &str = "pg_temp";

/// Everything that is known, keyed by resolved name: always with a schema.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    pub tables: BTreeMap<ObjectName, Table>,
    pub indexes: BTreeMap<ObjectName, Index>,
    pub types: BTreeMap<ObjectName, Type>,
    pub views: BTreeMap<ObjectName, View>,
    pub routines: BTreeMap<ObjectName, Vec<Routine>>,
    pub sequences: BTreeMap<ObjectName, Sequence>,
    pub schemas: BTreeMap<String, Origin>,
    pub triggers: Vec<Trigger>,
    /// Policies, extensions, publications, roles, …: kind, name, the table for those that stand on one.
    pub others: BTreeMap<(ObjectKind, ObjectName, Option<ObjectName>), Origin>,
    /// Where an unqualified name is looked up and created; empty: `public`.
    pub search_path: Vec<String>,
}

/// Who made something, and whether for sure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    pub release: Release,
    /// Counts migrations in the order in which they are replayed.
    pub migration: usize,
    /// `false` for `IF NOT EXISTS` and inside a `DO` block: another thing of that name may have been there.
    pub certain: bool,
}

/// Which files made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// Those before the ones that are judged.
    History,
    /// Those that are judged.
    Judged,
}

#[derive(Debug, Clone)]
pub struct Table {
    pub name: ObjectName,
    pub origin: Origin,
    pub columns: Vec<Column>,
    pub constraints: Vec<Constraint>,
    pub temporary: bool,
    /// `ON COMMIT DROP`.
    pub until_commit: bool,
    pub foreign: bool,
    pub unlogged: bool,
    /// `PARTITION BY`.
    pub partitioned: bool,
    pub partition_of: Option<ObjectName>,
    pub partitions: Vec<ObjectName>,
    pub default_partition: Option<ObjectName>,
    pub inherits: Vec<ObjectName>,
    /// Its columns are not all known: `AS SELECT`, `LIKE`, or created by no file that was read.
    pub partial: bool,
}

#[derive(Debug, Clone)]
pub struct Column {
    pub name: String,
    /// As written, lower case.
    pub data_type: String,
    pub not_null: bool,
    pub default: Option<Expression>,
    pub generated: Option<Generated>,
    pub origin: Origin,
}

#[derive(Debug, Clone)]
pub struct Constraint {
    /// As written, or as Postgres names it when nobody did.
    pub name: String,
    pub kind: ConstraintKind,
    /// `false` after `NOT VALID` until it is validated, and for `NOT ENFORCED`.
    pub validated: bool,
    pub enforced: bool,
    pub origin: Origin,
    /// The migration that validated it; the one that added it when it was never `NOT VALID`.
    pub validated_by: Option<usize>,
}

#[derive(Debug, Clone)]
pub struct Index {
    pub name: ObjectName,
    pub table: ObjectName,
    pub unique: bool,
    pub keys: Vec<String>,
    pub partial: bool,
    pub method: Option<String>,
    pub origin: Origin,
    /// The constraint it carries, by name.
    pub constraint: Option<String>,
}

#[derive(Debug, Clone)]
pub struct Type {
    pub kind: TypeKind,
    pub origin: Origin,
}

#[derive(Debug, Clone)]
pub struct View {
    pub materialized: bool,
    pub origin: Origin,
}

/// One definition of a function or procedure; overloads are several of one name.
#[derive(Debug, Clone)]
pub struct Routine {
    pub kind: ObjectKind,
    pub volatility: Volatility,
    /// Lower case: `sql`, `plpgsql`.
    pub language: String,
    /// What runs when it is called; places are those of the file that created it.
    pub body: Arc<[Statement]>,
    /// Postgres puts its one expression where the call stands, so that only what that calls matters.
    pub inlined: bool,
    pub origin: Origin,
}

#[derive(Debug, Clone)]
pub struct Sequence {
    pub origin: Origin,
}

#[derive(Debug, Clone)]
pub struct Trigger {
    pub name: String,
    pub table: ObjectName,
    pub routine: Option<ObjectName>,
    pub origin: Origin,
}

impl Catalog {
    /// The name with its schema: as written, else where the search path finds or would create it.
    pub fn resolve(&self, name: &ObjectName) -> ObjectName {
        if name.parts.len() != 1 {
            return name.clone();
        }
        let temporary = in_schema(name, TEMPORARY);
        if self.tables.contains_key(&temporary) {
            return temporary;
        }
        let known = self.search_path.iter().map(|schema| in_schema(name, schema)).find(|it| self.knows(it));
        known.unwrap_or_else(|| self.target(name))
    }

    /// Where an unqualified name is created.
    fn target(&self, name: &ObjectName) -> ObjectName {
        match self.search_path.first() {
            Some(schema) if name.parts.len() == 1 => in_schema(name, schema),
            _ => name.clone(),
        }
    }

    fn knows(&self, name: &ObjectName) -> bool {
        self.tables.contains_key(name)
            || self.views.contains_key(name)
            || self.types.contains_key(name)
            || self.routines.contains_key(name)
            || self.sequences.contains_key(name)
            || self.indexes.contains_key(name)
    }

    pub fn table(&self, name: &ObjectName) -> Option<&Table> {
        self.tables.get(&self.resolve(name))
    }

    pub fn index(&self, name: &ObjectName) -> Option<&Index> {
        self.indexes.get(&self.resolve(name))
    }

    /// The indexes of a table.
    pub fn indexes_of(&self, table: &ObjectName) -> impl Iterator<Item = &Index> {
        let table = self.resolve(table);
        self.indexes.values().filter(move |index| index.table == table)
    }

    /// Tables with a foreign key to this one.
    pub fn referencing(&self, table: &ObjectName) -> impl Iterator<Item = &Table> {
        let name = self.resolve(table);
        self.tables.values().filter(move |it| {
            it.constraints.iter().any(|constraint| match &constraint.kind {
                ConstraintKind::ForeignKey { references, .. } => *references == name,
                _ => false,
            })
        })
    }

    pub fn routine(&self, name: &ObjectName) -> &[Routine] {
        self.routines.get(&self.resolve(name)).map_or(&[], Vec::as_slice)
    }

    /// A type, domain or enum that the files created.
    pub fn data_type(&self, name: &ObjectName) -> Option<&Type> {
        self.types.get(&self.resolve(name))
    }

    /// The table, its partitions and the tables that inherit from it, at any depth: where rows of that name are.
    pub fn family(&self, name: &ObjectName) -> BTreeSet<ObjectName> {
        let mut family = BTreeSet::new();
        let mut open = vec![self.resolve(name)];
        while let Some(next) = open.pop() {
            let heirs = self.tables.values().filter(|it| it.inherits.contains(&next)).map(|it| &it.name);
            let partitions = self.tables.get(&next).map_or(&[][..], |it| &it.partitions);
            if !family.contains(&next) {
                open.extend(heirs.chain(partitions).cloned());
                family.insert(next);
            }
        }
        family
    }

    /// All rows that a write to this name reaches came with the release: it is no view and no foreign table, whose
    /// rows are elsewhere, and has no partition or heir that was there before. `is_new` says how sure that must be.
    pub fn holds_only_new_rows(&self, name: &ObjectName, is_new: fn(Origin) -> bool) -> bool {
        self.family(name).iter().all(|member| match (self.tables.get(member), self.views.get(member)) {
            (Some(table), _) => is_new(table.origin) && !table.foreign,
            (None, Some(view)) => is_new(view.origin) && view.materialized,
            (None, None) => false,
        })
    }

    /// What was the session's alone goes with it: temporary tables and views, and the search path.
    pub fn end_session(&mut self) {
        self.search_path.clear();
        self.drop_temporary();
    }

    fn drop_temporary(&mut self) {
        self.tables.retain(|name, _| name.schema() != TEMPORARY);
        self.views.retain(|name, _| name.schema() != TEMPORARY);
        self.indexes.retain(|_, it| it.table.schema() != TEMPORARY);
        self.triggers.retain(|it| it.table.schema() != TEMPORARY);
    }

    /// Temporary tables made with `ON COMMIT DROP` go with their transaction.
    pub fn end_transaction(&mut self) {
        self.tables.retain(|_, it| !it.until_commit);
    }

    /// A table or materialized view that the judged release creates, or a temporary table.
    pub fn is_new(&self, name: &ObjectName) -> bool {
        self.relation_origin(name).is_some_and(|origin| origin.release == Release::Judged)
    }

    /// The same, and for sure: `IF NOT EXISTS` may have found one with data in it.
    pub fn is_surely_new(&self, name: &ObjectName) -> bool {
        self.relation_origin(name).is_some_and(Origin::is_surely_new)
    }

    fn relation_origin(&self, name: &ObjectName) -> Option<Origin> {
        let name = self.resolve(name);
        let table = self.tables.get(&name).map(|table| table.origin);
        table.or_else(|| self.views.get(&name).map(|view| view.origin))
    }
}

impl Origin {
    /// Made by the judged release, and certainly not there before.
    pub fn is_surely_new(self) -> bool {
        self.release == Release::Judged && self.certain
    }

    /// Made by the judged release.
    pub fn is_new(self) -> bool {
        self.release == Release::Judged
    }
}

impl Table {
    pub fn column(&self, name: &Ident) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name.name)
    }

    pub fn constraint(&self, name: &Ident) -> Option<&Constraint> {
        self.constraints.iter().find(|constraint| constraint.name == name.name)
    }

    /// The validated `CHECK` that proves `column IS NOT NULL`, so that `SET NOT NULL` need not scan.
    ///
    /// Postgres looks at the conjuncts of validated checks
    /// (`ConstraintImpliedByRelConstraint` in tablecmds.c); so does this, and only at exact ones.
    pub fn proof_of_not_null(&self, column: &Ident) -> Option<&Constraint> {
        self.constraints.iter().find(|constraint| match &constraint.kind {
            ConstraintKind::Check { expression: Some(check) } => {
                constraint.validated && constraint.enforced && implies_not_null(&check.text, &column.name)
            }
            _ => false,
        })
    }
}

fn in_schema(name: &ObjectName, schema: &str) -> ObjectName {
    let schema = Ident { name: schema.to_owned(), span: name.span };
    let last = name.parts.last().cloned().unwrap_or_default();
    ObjectName { parts: vec![schema, last], span: name.span }
}

/// Is `column IS NOT NULL` one of the conditions that `AND` joins in this expression?
fn implies_not_null(expression: &str, column: &str) -> bool {
    let words = words(expression);
    conjuncts(&words).iter().any(|conjunct| {
        let [subject, is, not, null] = conjunct.as_slice() else { return false };
        is == "is" && not == "not" && null == "null" && subject == column
    })
}

/// Splits at `AND` outside parentheses, recursively into parentheses that wrap a whole condition. An `OR`, a
/// `NOT` or a `BETWEEN` at the same level proves nothing, so that level has no conjuncts.
fn conjuncts(words: &[String]) -> Vec<Vec<String>> {
    if words.first().is_some_and(|it| it == "(") && closing(words) == words.len() - 1 {
        return conjuncts(&words[1..words.len() - 1]);
    }
    let mut parts = vec![Vec::new()];
    let mut depth = 0_usize;
    for word in words {
        match word.as_str() {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            "or" | "between" if depth == 0 => return Vec::new(),
            "and" if depth == 0 => {
                parts.push(Vec::new());
                continue;
            }
            _ => {}
        }
        parts.last_mut().expect("starts with one part").push(word.clone());
    }
    if parts.len() > 1 {
        return parts.iter().flat_map(|part| conjuncts(part)).collect();
    }
    let part = parts.remove(0);
    let subject = if part.first().is_some_and(|it| it == "(") { closing(&part) } else { 0 };
    if subject == 0 || subject != 2 {
        return vec![part];
    }
    vec![[&part[1..2], &part[3..]].concat()]
}

/// The index of the parenthesis that closes the first word's.
fn closing(words: &[String]) -> usize {
    let mut depth = 0_usize;
    for (index, word) in words.iter().enumerate() {
        match word.as_str() {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return index;
        }
    }
    words.len()
}

/// The words that [`conjuncts`] acts on.
const KEYWORDS: [&str; 6] = ["and", "or", "not", "between", "is", "null"];

/// Words (folded unless quoted), parentheses, and everything else byte by byte. Quoted keywords keep their
/// quotes so that no column called `"or"` is taken for one.
fn words(text: &str) -> Vec<String> {
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
mod tests {
    use super::implies_not_null;

    #[test]
    fn a_check_proves_not_null_exactly_when_postgres_says_so() {
        let cases = [
            ("email is not null", true),
            ("EMAIL IS NOT NULL", true),
            ("(email is not null)", true),
            ("((email) is not null)", true),
            ("\"email\" is not null", true),
            ("email is not null and length(email) > 3", true),
            ("length(email) > 3 and (email is not null)", true),
            ("(a > 0 or b > 0) and email is not null", true),
            ("email is not null or deleted", false),
            ("deleted or a and email is not null", false),
            ("not (email is not null)", false),
            ("email is null", false),
            ("length(email) > 0", false),
            ("a between 1 and email is not null", false),
            ("(email || name) is not null", false),
            ("other is not null", false),
        ];
        for (expression, expected) in cases {
            assert_eq!(implies_not_null(expression, "email"), expected, "{expression}");
        }
    }
}
