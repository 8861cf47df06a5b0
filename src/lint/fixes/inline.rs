//! Constraints that stand in the definition of a new column: the column first, then each as a table's constraint is
//! added.

use crate::{
    lint::{Context, Problem},
    sql::{
        Change, Span, Statement,
        change::{ActionKind, Column, Constraint, ConstraintKind},
        tokens,
    },
};

use super::{
    Fix, FixStep,
    constraint::{LONGEST, build},
    draft::{Draft, quoted, step, words},
    key_column,
};

/// `ADD COLUMN` with `CHECK`, `REFERENCES` or `UNIQUE`. A primary key needs values first: see [`key_column`].
pub fn apart(context: &Context, statement: &Statement, problem: &Problem) -> Option<Fix> {
    let Change::AlterTable(alter) = &statement.change else { return None };
    let action = alter.actions.iter().find(|it| it.span == problem.span)?;
    let ActionKind::AddColumn { column, if_not_exists: false } = &action.kind else { return None };
    let table = context.catalog.table(&alter.table);
    if column.primary_key {
        return key_column::in_steps(context, &Draft::of(context, statement)?, alter, (action, column));
    }
    if table.is_some_and(|it| it.partitioned) {
        return None;
    }
    // A check of several columns is named otherwise.
    let others = || table.into_iter().flat_map(|it| &it.columns).filter(|it| it.name != column.name.name);
    let of_one = |check: &Constraint, text: &str| {
        let used = |name: &str| {
            let mut words = tokens(text).into_iter().map(|it| &text[it.span.start..it.span.end]);
            words.any(|it| it.trim_matches('"').eq_ignore_ascii_case(name))
        };
        check.name.is_some()
            || !matches!(check.kind, ConstraintKind::Check { .. })
            || !others().any(|it| used(&it.name))
    };
    let heavy = column.constraints.iter().filter(|it| is_heavy(it)).collect::<Vec<_>>();
    let draft = Draft::of(context, statement)?;
    let on = draft.name(&alter.table)?;
    let mut taken = table.map(|it| it.constraints.iter().map(|it| it.name.clone()).collect()).unwrap_or_default();
    let mut parts = Vec::new();
    for constraint in &heavy {
        if !of_one(constraint, draft.slice(constraint.span)?) {
            return None;
        }
        parts.push(part(&draft, on, alter.table.last(), column, constraint, &mut taken)?);
    }
    let mut first = without(&draft, &heavy)? + ";";
    let mut steps = Vec::new();
    for Part { at_once, later } in parts {
        if let Some(at_once) = at_once {
            first.push_str(&format!("\n{at_once};"));
        }
        steps.extend(later);
    }
    let undo = draft.write(&["{alter table}", on, "{drop column}", &quoted(&column.name.name)]) + ";";
    steps.insert(0, step(words(&["add", alter.table.last(), &column.name.name]), first, undo));
    (!heavy.is_empty()).then(|| Fix {
        title: "add the column alone, and its constraints as those of a table that has rows".to_owned(),
        replaces: statement.span,
        steps,
    })
}

fn is_heavy(constraint: &Constraint) -> bool {
    !constraint.not_valid
        && !constraint.not_enforced
        && matches!(
            constraint.kind,
            ConstraintKind::Check { .. } | ConstraintKind::ForeignKey { .. } | ConstraintKind::Unique { .. }
        )
}

/// The statement without some of the column's constraints.
fn without(draft: &Draft, constraints: &[&Constraint]) -> Option<String> {
    let mut text = draft.text.to_owned();
    let mut spans = constraints.iter().map(|it| it.span).collect::<Vec<Span>>();
    spans.sort();
    for span in spans.iter().rev() {
        let (start, end) = (span.start.checked_sub(draft.span.start)?, span.end.checked_sub(draft.span.start)?);
        let before = text.get(..start)?.trim_end();
        text = format!("{before}{}", text.get(end..)?);
    }
    Some(text)
}

/// What takes the place of one constraint.
struct Part {
    at_once: Option<String>,
    later: Vec<FixStep>,
}

fn part(
    draft: &Draft,
    on: &str,
    table: &str,
    column: &Column,
    constraint: &Constraint,
    taken: &mut Vec<String>,
) -> Option<Part> {
    let written = draft.slice(constraint.span)?;
    // Behind `constraint name` stands what it is.
    let body = match &constraint.name {
        Some(name) => draft.slice(Span { start: name.span.end, end: constraint.span.end })?.trim_start(),
        None => written,
    };
    let kind = match &constraint.kind {
        ConstraintKind::Check { .. } => "check",
        ConstraintKind::ForeignKey { .. } => "fkey",
        ConstraintKind::Unique { .. } => "key",
        _ => return None,
    };
    let name = match &constraint.name {
        Some(name) => name.name.clone(),
        // As `ChooseConstraintName` has it; where it would have to count or to cut, nobody can be sure.
        None => format!("{table}_{}_{kind}", column.name.name),
    };
    if name.len() > LONGEST || taken.contains(&name) {
        return None;
    }
    taken.push(name.clone());
    let (name, column) = (quoted(&name), quoted(&column.name.name));
    let undo = draft.write(&["{alter table}", on, "{drop constraint}", &name]) + ";";
    let add = ["{alter table}", on, "{add constraint}", name.as_str()];
    if kind == "key" {
        // `nulls not distinct`, `include`, `with`: more than a list of columns.
        if !body.eq_ignore_ascii_case("unique") {
            return None;
        }
        let key = draft.write(&[&add[..], &["{unique using index}", &name]].concat());
        let later = vec![build(draft, on, &name, &format!("({column})")), step(words(&["add", &name]), key, undo)];
        return Some(Part { at_once: None, later });
    }
    let of_key = format!("({column})");
    let said: &[&str] = if kind == "fkey" { &["{foreign key}", &of_key, body] } else { &[body] };
    let at_once = draft.write(&[&add[..], said, &["{not valid}"]].concat());
    let validate = draft.write(&["{alter table}", on, "{validate constraint}", &name]);
    let later = vec![step(words(&["validate", &name]), validate, "nothing to undo: the rows were only read")];
    Some(Part { at_once: Some(at_once), later })
}
