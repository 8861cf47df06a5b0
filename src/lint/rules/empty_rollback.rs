//! Rollback instructions that name nothing help nobody.
//!
//! They are read when something went wrong and time is short: they name the table, the column, the restore point
//! or the migration that undoes this one. If nothing needs undoing, they say why.
//!
//! ```sql bad whole
//! -- Description: the orders of customers
//! -- Created: 2026-01-31
//! -- Type: schema_safe
//! -- Rollback: n/a
//! create table orders (id bigint primary key);
//! ```
//!
//! ```sql good whole
//! -- Description: the orders of customers
//! -- Created: 2026-01-31
//! -- Type: schema_safe
//! -- Rollback:
//! --   drop table orders;
//! create table orders (id bigint primary key);
//! ```

use crate::{
    lint::{
        Check, Context, Problem, Rule, Severities, Waivable,
        header::{self, Label},
    },
    report::Harm,
};

pub static RULE: Rule = Rule {
    name: "empty-rollback",
    harm: Harm::Convention,
    severity: Severities::CONVENTION,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("empty_rollback.rs"),
    check: Check::Migration(check),
};

/// Words that name nothing, alone or together.
const EMPTY_WORDS: &[&str] = &[
    "a",
    "above",
    "all",
    "an",
    "and",
    "any",
    "applicable",
    "apply",
    "are",
    "as",
    "be",
    "below",
    "by",
    "can",
    "change",
    "changes",
    "create",
    "delete",
    "do",
    "does",
    "drop",
    "fixme",
    "if",
    "in",
    "instructions",
    "is",
    "it",
    "just",
    "later",
    "manual",
    "manually",
    "migration",
    "n",
    "na",
    "necessary",
    "needed",
    "nil",
    "no",
    "none",
    "not",
    "nothing",
    "of",
    "or",
    "possible",
    "please",
    "remove",
    "required",
    "reverse",
    "revert",
    "rollback",
    "roll",
    "back",
    "run",
    "see",
    "simply",
    "steps",
    "tba",
    "tbd",
    "that",
    "the",
    "there",
    "this",
    "to",
    "todo",
    "undo",
    "use",
    "wip",
    "write",
    "x",
    "xxx",
    "yet",
    "you",
];

fn check(context: &Context) -> Vec<Problem> {
    let fields = header::fields(context.migration);
    let mut rollbacks = fields.iter().filter(|field| field.label == Label::Rollback).peekable();
    let Some(first) = rollbacks.peek().map(|it| it.span) else { return Vec::new() };
    if rollbacks.any(|it| names_something(&it.value)) {
        return Vec::new();
    }
    vec![
        Problem::at(first)
            .says("the rollback instructions name nothing")
            .help("say what to run or what to restore: `-- Rollback: drop index concurrently orders_state_idx;`"),
    ]
}

fn names_something(value: &str) -> bool {
    if header::is_blank(value) {
        return false;
    }
    let words = value.split(|it: char| !(it.is_alphanumeric() || it == '_')).filter(|it| !it.is_empty());
    words.map(str::to_lowercase).any(|word| !EMPTY_WORDS.contains(&word.as_str()))
}

#[cfg(test)]
mod tests {
    use super::names_something;

    #[test]
    fn rollback_instructions_must_name_something() {
        let cases = [
            ("", false),
            ("none", false),
            ("N/A", false),
            ("TODO: write this", false),
            ("not needed", false),
            ("<how to undo it>", false),
            ("---", false),
            ("revert the change manually", false),
            ("drop table orders;", true),
            ("alter table orders drop column note", true),
            ("liftlock backup restore", true),
            ("nothing to undo, the constraint stays as it is", true),
        ];
        for (value, expected) in cases {
            assert_eq!(names_something(value), expected, "{value}");
        }
    }
}
