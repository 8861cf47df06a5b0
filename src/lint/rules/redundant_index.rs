//! Two indexes that start with the same columns are paid for twice by every write and serve the same queries.
//!
//! An index on `(a)` finds nothing that one on `(a, b)` does not find as well, and a primary key or unique constraint has an
//! index already. A column that stands twice in one index is paid for twice, too. Unique ones, those with a `WHERE`, of another method or in another order are something else.
//!
//! ```sql setup
//! create table orders (id bigint primary key, customer_id bigint, state text);
//! create index orders_customer_state_idx on orders (customer_id, state);
//! create index orders_state_idx on orders (state);
//! ```
//!
//! ```sql bad commits
//! create index concurrently orders_customer_id_idx on orders (customer_id);
//! ```
//!
//! ```sql bad commits
//! create index concurrently orders_id_idx on orders (id);
//! ```
//!
//! ```sql bad commits
//! create index concurrently orders_state_id_idx on orders (state, id);
//! ```
//!
//! ```sql bad commits
//! create index concurrently orders_idx on orders (id, customer_id, id);
//! ```
//!
//! ```sql good commits
//! create index concurrently orders_state_id_idx on orders (state, id);
//! drop index concurrently orders_state_idx;
//! ```
//!
//! ```sql good commits
//! create index concurrently orders_open_idx on orders (customer_id) where state = 'open';
//! ```

use crate::{
    catalog::Index,
    lint::{Check, Context, Problem, Remedy, Rule, Severities, Waivable},
    report::Harm,
    sql::{Change, Statement, change::CreateIndex},
};

pub static RULE: Rule = Rule {
    name: "redundant-index",
    harm: Harm::Convention,
    severity: Severities::NOTICE,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("redundant_index.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::CreateIndex(new) = &statement.change else { return Vec::new() };
    if let Some(problem) = repeats(new) {
        return vec![problem];
    }
    if !is_plain(new) || context.catalog.table(&new.table).is_some_and(|it| it.temporary || it.partitioned) {
        return Vec::new();
    }
    let others = context.catalog.indexes_of(&new.table).filter(|it| {
        let sorted = it.method.as_deref().is_none_or(|it| it == "btree");
        sorted && it.plain && !it.partial && it.is_usable() && it.origin.certain && Some(it.name.last()) != name(new)
    });
    let others = others.collect::<Vec<_>>();
    let covers = |it: &&&Index| !new.unique && new.include.is_empty() && it.keys.starts_with(&new.keys);
    let is_covered = |it: &&&Index| !it.unique && it.include.is_empty() && new.keys.starts_with(&it.keys);
    let covering = others.iter().find(covers);
    let covered = || others.iter().find(is_covered);
    let problem = Problem::at(new.span);
    match (covering, covering.is_none().then(covered).flatten()) {
        (Some(old), _) => vec![
            problem
                .says(format!("`{}` finds by `{}` already", old.name.last(), new.keys.join(", ")))
                .help("leave this index out")
                .unless(Remedy::Dropped(old.name.clone())),
        ],
        (None, Some(old)) => vec![
            problem
                .says(format!("`{}` finds nothing that this index does not find, too", old.name.last()))
                .help(format!("drop it: `drop index concurrently {};`, in a migration of its own", old.name.last()))
                .unless(Remedy::Dropped(old.name.clone())),
        ],
        (None, None) => Vec::new(),
    }
}

/// A key that says nothing after the same one before it; another operator class or order is another key.
fn repeats(new: &CreateIndex) -> Option<Problem> {
    let btree = new.method.as_deref().is_none_or(|it| it == "btree");
    let key = |at: usize| (&new.keys[at], &new.parts[at].class, &new.parts[at].collation);
    let count = new.keys.len().min(new.parts.len());
    let second = (1..count).find(|at| (0..*at).any(|before| key(before) == key(*at))).filter(|_| btree)?;
    Some(
        Problem::at(new.span)
            .says(format!("`{}` stands twice in this index, and finds nothing the second time", new.keys[second]))
            .help("leave the second one out"),
    )
}

fn name(index: &CreateIndex) -> Option<&str> {
    index.name.as_ref().map(|it| it.name.as_str())
}

fn is_plain(index: &CreateIndex) -> bool {
    let plain = index
        .parts
        .iter()
        .all(|it| it.column.is_some() && it.class.is_none() && it.collation.is_none() && !it.descending);
    plain && !index.partial && index.method.as_deref().is_none_or(|it| it == "btree")
}
