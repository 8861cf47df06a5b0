//! Keys that one statement names twice.

use std::{borrow::Cow, collections::BTreeMap};

use super::column;
use crate::sql::change::{self, ConstraintKind, CreateTable};

/// Two keys of the same columns in one statement are one: the first, by the second's name where it has none itself
/// (`transformIndexConstraints` in parse_utilcmd.c).
pub fn without_twins(new: &CreateTable) -> Cow<'_, CreateTable> {
    let all = new.columns.iter().flat_map(|it| &it.constraints).chain(&new.constraints);
    let mut keys = all.filter(|it| column::is_key(&it.kind)).collect::<Vec<_>>();
    keys.sort_by_key(|it| !matches!(it.kind, ConstraintKind::PrimaryKey { .. }));
    let mut twins = Vec::new();
    let mut names = BTreeMap::new();
    for at in 1..keys.len() {
        let Some(first) = keys[..at].iter().find(|it| !twins.contains(&it.span) && are_twins(it, keys[at])) else {
            continue;
        };
        twins.push(keys[at].span);
        let named = names.get(&first.span).or(first.name.as_ref()).or(keys[at].name.as_ref()).cloned();
        names.extend(named.map(|it| (first.span, it)));
    }
    if twins.is_empty() {
        return Cow::Borrowed(new);
    }
    let mut new = new.clone();
    for list in new.columns.iter_mut().map(|it| &mut it.constraints).chain([&mut new.constraints]) {
        list.retain(|it| !twins.contains(&it.span));
        list.iter_mut().for_each(|it| it.name = names.get(&it.span).cloned().or(it.name.take()));
    }
    Cow::Owned(new)
}

fn are_twins(one: &change::Constraint, other: &change::Constraint) -> bool {
    let columns = |it: &change::Constraint| match &it.kind {
        ConstraintKind::PrimaryKey { columns, .. } | ConstraintKind::Unique { columns, .. } => columns.clone(),
        _ => Vec::new(),
    };
    let terms = |it: &change::Constraint| (it.nulls_not_distinct, it.deferrable, it.initially_deferred);
    columns(one) == columns(other) && one.include == other.include && terms(one) == terms(other)
}
