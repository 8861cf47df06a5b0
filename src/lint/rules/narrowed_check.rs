//! A check that allows fewer values than before refuses what the running application still writes.
//!
//! `CHECK (state IN (…))` is an enum by another name: taking a value out of the list breaks every old process that
//! writes it. Let the new code stop writing the value in one release, and take it out of the list in the next. A
//! longer list breaks nobody.
//!
//! ```sql setup
//! create table orders (id bigint primary key, state text);
//! alter table orders add constraint orders_state_check check (state in ('new', 'held', 'done'));
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! alter table orders drop constraint orders_state_check;
//! alter table orders add constraint orders_state_check check (state in ('new', 'done')) not valid;
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! alter table orders drop constraint orders_state_check;
//! alter table orders add constraint orders_state_check
//!   check (state in ('new', 'held', 'paid', 'done')) not valid;
//! ```

use std::collections::BTreeSet;

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable, actions},
    report::Harm,
    sql::{
        Change, Statement, TokenKind,
        change::{ActionKind, ConstraintKind, Expression, TableAction},
        tokens,
    },
};

pub static RULE: Rule = Rule {
    name: "narrowed-check",
    harm: Harm::Breaks,
    severity: Severities::WARNING,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("narrowed_check.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Some((alter, actions)) = actions::on_existing_table(context, statement) else { return Vec::new() };
    let Some(table) = context.catalog.table(&alter.table) else { return Vec::new() };
    let later = context.later().iter().filter_map(|it| match &it.change {
        Change::AlterTable(other) if context.catalog.resolve(&other.table) == table.name => Some(&other.actions),
        _ => None,
    });
    let added = actions.iter().chain(later.flatten()).filter_map(added).collect::<Vec<_>>();
    let mut problems = Vec::new();
    for action in actions {
        let ActionKind::DropConstraint { name, .. } = &action.kind else { continue };
        let dropped = table.constraint(name).filter(|it| !it.origin.is_new());
        let Some(ConstraintKind::Check { expression: Some(old) }) = dropped.map(|it| &it.kind) else { continue };
        let Some((column, before)) = listed(old) else { continue };
        for (place, new) in &added {
            let Some((_, after)) = listed(new).filter(|(of, _)| *of == column) else { continue };
            let refused = before.difference(&after).count();
            let which = if refused == 1 { "the value".to_owned() } else { format!("one of {refused} values") };
            if refused > 0 {
                problems.push(
                    Problem::at(place.span)
                        .says(format!(
                            "the running application fails where it writes {which} of `{column}` that `{name}` has allowed \
                             so far"
                        ))
                        .help("release 1: write them no more, keep the list; release 2, when no old process is left: take them out of it"),
                );
            }
        }
    }
    problems
}

fn added(action: &TableAction) -> Option<(&TableAction, &Expression)> {
    match &action.kind {
        ActionKind::AddConstraint(constraint) => match &constraint.kind {
            ConstraintKind::Check { expression: Some(check) } => Some((action, check)),
            _ => None,
        },
        _ => None,
    }
}

/// The column of `column IN ('a', 'b')` or `column = ANY (ARRAY['a', 'b'])`, and the values, as written.
fn listed(check: &Expression) -> Option<(String, BTreeSet<String>)> {
    let text = check.text.as_str();
    let tokens = tokens(text);
    let of = |at: usize| tokens.get(at).map_or("", |it| &text[it.span.start..it.span.end]);
    let word = |at: usize, word: &str| of(at).eq_ignore_ascii_case(word);
    let mut start = 0;
    while of(start) == "(" {
        start += 1;
    }
    let column = of(start).trim_matches('"').to_lowercase();
    let mut at = start + 1;
    while of(at) == ")" || of(at) == "::" || word(at, "text") {
        at += 1;
    }
    let is_list = word(at, "in") || (of(at) == "=" && word(at + 1, "any"));
    let known = ["in", "any", "array", "text", "varchar", "character", "varying"];
    let rest = tokens.get(at..)?;
    let strange = rest.iter().any(|it| {
        let is_known = known.iter().any(|word| text[it.span.start..it.span.end].eq_ignore_ascii_case(word));
        matches!(it.kind, TokenKind::Word | TokenKind::Quoted) && !is_known
    });
    let values = rest.iter().filter(|it| matches!(it.kind, TokenKind::String | TokenKind::Number));
    let values = values.map(|it| text[it.span.start..it.span.end].to_owned()).collect::<BTreeSet<_>>();
    (is_list && !strange && !values.is_empty()).then_some((column, values))
}
