//! A partition that comes without its rows, or those of the default partition, being read under a lock: a validated
//! check says first where they belong.
//! <https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-ATTACH-PARTITION>

use crate::{
    catalog::{Bound, Strategy, Table},
    lint::{
        Context, Problem,
        effects::{PartitionScan, PartitionScanWhy, scanned_partitions},
    },
    sql::{
        Change, Statement,
        change::{ActionKind, ConstraintKind, PartitionBound, Transaction},
        names::ObjectName,
    },
};

use super::{
    Fix, FixStep,
    constraint::LONGEST,
    draft::{Draft, alone, beside, quoted, step, words},
    partitioned::qualified,
};

/// What comes, to which table, and within which bounds.
struct Coming<'s> {
    parent: &'s ObjectName,
    attached: Option<&'s ObjectName>,
    bound: &'s PartitionBound,
}

/// What the parent has is built, then `NOT VALID`, `VALIDATE`, then the partition, and the checks go. Where something stands behind the statement that may
/// need the partition, a person does it.
pub fn proved_first(context: &Context, statement: &Statement, _: &Problem) -> Option<Fix> {
    let coming = coming(statement)?;
    let is_end = |it: &Statement| matches!(it.change, Change::Transaction(Transaction::Commit) | Change::Set(_));
    if !context.later().iter().all(is_end) {
        return None;
    }
    let scans = scanned_partitions(context, coming.parent, coming.attached, coming.bound);
    let scans = scans.iter().filter(|it| !matches!(it.why, PartitionScanWhy::Spared(_))).collect::<Vec<_>>();
    if scans.is_empty() {
        return None;
    }
    let draft = Draft::of(context, statement)?;
    let (mut steps, mut checks) = (Vec::new(), Vec::new());
    for scan in scans {
        match &scan.why {
            PartitionScanWhy::Place => checks.push(check(context, &draft, &coming, scan)?),
            PartitionScanWhy::Index(index) => steps.extend(built(context, &draft, coming.attached?, index)?),
            // Whether the parent's is deferrable, and so how the same one is written, is not known.
            PartitionScanWhy::ForeignKey(_) => return None,
            PartitionScanWhy::Spared(_) => {}
        }
    }
    let write = |it: &Check, parts: &[&str]| draft.write(&[&["{alter table}", it.on.as_str()], parts].concat());
    for it in &checks {
        let add = write(it, &["{add constraint}", &it.name, "{check}", &format!("({})", it.condition), "{not valid}"]);
        let undo = write(it, &["{drop constraint}", &it.name]) + ";";
        steps.push(step(words(&["bounds_of", &it.table]), add, undo));
    }
    for it in &checks {
        let validate = write(it, &["{validate constraint}", &it.name]);
        steps.push(step(words(&["validate", &it.name]), validate, "nothing to undo: the rows were only read"));
    }
    steps.push(last(&draft, &coming, checks.iter().map(|it| write(it, &["{drop constraint}", &it.name]))));
    let title = match checks.is_empty() {
        true => "build on the partition what the parent has, then let it come",
        false => "say with a validated check where the rows belong, then let the partition come, and drop the check",
    };
    Some(Fix { title: title.to_owned(), replaces: statement.span, steps })
}

/// An index of the parent, built concurrently on the table that comes under the name that Postgres would give it; and
/// the key that it carries.
fn built(context: &Context, draft: &Draft, attached: &ObjectName, of_parent: &ObjectName) -> Option<Vec<FixStep>> {
    let (index, table) = (context.catalog.index(of_parent)?, context.catalog.table(attached)?);
    let is_column = |it: &String| table.columns.iter().any(|column| column.name == *it);
    let special = index.partial || index.nulls_not_distinct || !index.plain || index.method.is_some();
    if special || !index.include.is_empty() || !index.keys.iter().all(is_column) {
        return None;
    }
    let constraints = &context.catalog.table(&index.table)?.constraints;
    let key = match &index.constraint {
        Some(name) => Some(constraints.iter().find(|it| it.name == *name)?),
        None => None,
    };
    let (end, words_of_key) = match key.map(|it| &it.kind) {
        None => (format!("{}_idx", index.keys.join("_")), ""),
        Some(ConstraintKind::PrimaryKey { .. }) => ("pkey".to_owned(), "{primary key using index}"),
        Some(ConstraintKind::Unique { .. }) => (format!("{}_key", index.keys.join("_")), "{unique using index}"),
        Some(_) => return None,
    };
    let name = format!("{}_{end}", table.name.last());
    if name.len() > LONGEST || context.catalog.indexes_of(attached).any(|it| it.name.last() == name) {
        return None;
    }
    let (on, own) = (draft.name(attached)?, quoted(&name));
    let columns = index.keys.iter().map(|it| quoted(it)).collect::<Vec<_>>().join(", ");
    let kind = if index.unique { "{create unique index concurrently}" } else { "{create index concurrently}" };
    let sql = draft.write(&[kind, &own, "{on}", on, &format!("({columns})")]);
    let undo = draft.write(&["{drop index concurrently}", &beside(on, &name)]) + ";";
    let mut steps = vec![alone(words(&["index", &name]), sql, undo)];
    if key.is_some() {
        let add = draft.write(&["{alter table}", on, "{add constraint}", &own, words_of_key, &own]);
        let undo = draft.write(&["{alter table}", on, "{drop constraint}", &own]) + ";";
        steps.push(step(words(&["add", &name]), add, undo));
    }
    Some(steps)
}

fn coming(statement: &Statement) -> Option<Coming<'_>> {
    match &statement.change {
        Change::AlterTable(alter) => match alter.actions.as_slice() {
            [action] => match &action.kind {
                ActionKind::AttachPartition { partition, bound, .. } => {
                    Some(Coming { parent: &alter.table, attached: Some(partition), bound })
                }
                _ => None,
            },
            _ => None,
        },
        Change::CreateTable(table) => {
            let of = table.partition_of.as_ref()?;
            Some(Coming { parent: &of.parent, attached: None, bound: &of.bound })
        }
        _ => None,
    }
}

fn last(draft: &Draft, coming: &Coming, drops: impl Iterator<Item = String>) -> FixStep {
    let mut sql = draft.text.trim_end().to_owned();
    for drop in drops {
        sql.push_str(";\n");
        sql.push_str(&drop);
    }
    let name = coming.attached.map_or("partition_of", |_| "attach_to");
    step(words(&[name, coming.parent.last()]), sql, "detach the partition again")
}

/// What is said of one table's rows.
struct Check {
    table: String,
    /// As SQL.
    on: String,
    name: String,
    condition: String,
}

/// Only for a key of one column, whose values are written as they are compared.
fn check(context: &Context, draft: &Draft, coming: &Coming, scan: &PartitionScan) -> Option<Check> {
    let key = context.catalog.table(coming.parent)?.partition_key.as_ref()?;
    let [column] = key.keys.as_slice() else { return None };
    let table = context.catalog.table(&scan.table)?;
    let own = table.columns.iter().find(|it| it.name == *column).filter(|_| key.strategy != Strategy::Hash)?;
    let within = coming.attached.is_some_and(|it| context.catalog.resolve(it) == context.catalog.resolve(&scan.table));
    let on = match coming.attached.filter(|_| within) {
        Some(name) => draft.name(name)?.to_owned(),
        None => qualified(&table.name),
    };
    let bounds = bounds(draft, &quoted(column), &Bound::of(coming.bound), within)?;
    let condition = match (own.not_null, within) {
        (true, _) => bounds,
        (false, true) => draft.write(&[&quoted(column), "{is not null and}", &bounds]),
        (false, false) => draft.write(&[&quoted(column), "{is null or}", &bounds]),
    };
    let name = free_name(table)?;
    Some(Check { table: table.name.last().to_owned(), on, name: quoted(&name), condition })
}

fn free_name(table: &Table) -> Option<String> {
    let name = format!("{}_bounds", table.name.last());
    let taken = table.constraints.iter().any(|it| it.name == name);
    (name.len() <= LONGEST && !taken).then_some(name)
}

/// The bounds of a column as a condition, or the opposite of them.
fn bounds(draft: &Draft, column: &str, bound: &Bound, within: bool) -> Option<String> {
    match bound {
        Bound::In(values) if values.iter().any(|it| it.eq_ignore_ascii_case("null")) => None,
        Bound::In(values) => {
            let list = format!("({})", values.join(", "));
            Some(draft.write(&[column, if within { "{in}" } else { "{not in}" }, &list]))
        }
        Bound::Range { from, to } => {
            let ([from], [to]) = (from.as_slice(), to.as_slice()) else { return None };
            let ends = [(from, "minvalue", [">=", "<"]), (to, "maxvalue", ["<", ">="])];
            let ends = ends.iter().filter(|(value, open, _)| !value.eq_ignore_ascii_case(open));
            let ends = ends.map(|(value, _, [inside, outside])| {
                format!("{column} {} {value}", if within { inside } else { outside })
            });
            let ends = ends.collect::<Vec<_>>();
            let between = draft.keywords(if within { " and " } else { " or " });
            (!ends.is_empty()).then(|| ends.join(&between))
        }
        Bound::Default | Bound::Hash { .. } => None,
    }
}
