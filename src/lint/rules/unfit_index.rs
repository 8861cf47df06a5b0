//! Not every index can carry a key, or be what a replica knows rows by; and a view has none.
//!
//! `USING INDEX` takes a unique index on plain columns of all rows, sorted as they are by default; `REPLICA IDENTITY USING
//! INDEX` takes a unique one on plain columns that are not null, of all rows and not deferrable. Any other fails, as does an
//! index on a view, or a hash index that is unique or on several columns.
//!
//! ```sql setup
//! create table orders (id bigint primary key, code text, number int not null);
//! create view open_orders as select id from orders;
//! create index orders_code_idx on orders (code);
//! create unique index orders_part_idx on orders (number) where number > 0;
//! create unique index orders_lower_idx on orders (lower(code));
//! create unique index orders_desc_idx on orders (number desc);
//! create unique index orders_code_key on orders (code);
//! create unique index orders_number_key on orders (number);
//! ```
//!
//! ```sql bad fails=42809
//! alter table orders add constraint orders_code_unique unique using index orders_code_idx;
//! ```
//!
//! ```sql bad fails=42809
//! alter table orders add constraint orders_number_unique unique using index orders_part_idx;
//! ```
//!
//! ```sql bad fails=42809
//! alter table orders add constraint orders_lower_unique unique using index orders_lower_idx;
//! ```
//!
//! ```sql bad fails=42809
//! alter table orders add constraint orders_number_unique unique using index orders_desc_idx;
//! ```
//!
//! ```sql bad fails=42809
//! alter table orders replica identity using index orders_code_key;
//! ```
//!
//! ```sql bad fails=42809 also=index-without-concurrently
//! create index open_orders_idx on open_orders (id);
//! ```
//!
//! ```sql bad fails=0A000 also=index-without-concurrently
//! create unique index orders_code_hash on orders using hash (code);
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! alter table orders add constraint orders_number_key unique using index orders_number_key;
//! ```

use crate::{
    catalog::{Index, Table, Validity},
    lint::{Check, Context, Problem, Rule, Severities, Waivable, named::kind_word},
    report::Harm,
    sql::{
        Change, Place, Statement,
        change::{ActionKind, ConstraintKind, CreateIndex, ObjectKind, ReplicaIdentity},
    },
};

pub static RULE: Rule = Rule {
    name: "unfit-index",
    harm: Harm::Fails,
    severity: Severities::ERROR,
    waivable: Waivable::WithReason,
    source: include_str!("unfit_index.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    if let Change::CreateIndex(index) = &statement.change {
        let why = if context.certainly_runs(statement) { unbuilt(context, index) } else { None };
        let problem = |(says, help): (String, &'static str)| {
            Problem::at(index.table.span()).says(format!("{says}: this fails when it runs")).help(help)
        };
        return why.map(problem).into_iter().collect();
    }
    let Change::AlterTable(alter) = &statement.change else { return Vec::new() };
    let Some(table) = context.catalog.table(&alter.table).filter(|_| statement.place == Place::Top) else {
        return Vec::new();
    };
    let named = |name: &str| {
        let mut own = context.catalog.indexes_of(&alter.table);
        own.find(|it| it.name.last() == name && context.catalog.is_there(&it.name, it.origin))
    };
    let unfit = alter.actions.iter().filter_map(|action| {
        let (name, why) = match &action.kind {
            ActionKind::AddConstraint(new) => match &new.kind {
                ConstraintKind::PrimaryKey { using_index: Some(name), .. }
                | ConstraintKind::Unique { using_index: Some(name), .. } => (name, no_key(table, named(&name.name)?)?),
                _ => return None,
            },
            ActionKind::ReplicaIdentity { identity: ReplicaIdentity::Index(name) } => {
                (name, no_identity(table, named(&name.name)?)?)
            }
            _ => return None,
        };
        Some((name.span, format!("index `{name}` {why}, so it does not do here: this fails when it runs")))
    });
    let problem = |(span, says): (_, String)| {
        Problem::at(span).says(says).help("build another, `create unique index concurrently`, and take that one")
    };
    unfit.map(problem).collect()
}

/// Why there can be no such index.
fn unbuilt(context: &Context, index: &CreateIndex) -> Option<(String, &'static str)> {
    let resolved = context.catalog.resolve(&index.table);
    let other = context.catalog.relation(&resolved).filter(|(kind, origin)| {
        let has_none = matches!(kind, ObjectKind::View | ObjectKind::Sequence | ObjectKind::ForeignTable);
        has_none && context.catalog.is_there(&resolved, *origin)
    });
    if let Some((kind, _)) = other {
        return Some((
            format!("`{}` is a {}, which has no indexes", index.table, kind_word(kind)),
            "put it on the table",
        ));
    }
    let hash = index.method.as_deref() == Some("hash");
    match () {
        () if hash && index.unique => {
            Some(("a hash index makes nothing unique".to_owned(), "use a btree: leave `using hash` out"))
        }
        () if hash && index.parts.len() > 1 => {
            Some(("a hash index is on one column".to_owned(), "use a btree: leave `using hash` out"))
        }
        () if hash && !index.include.is_empty() => {
            Some(("a hash index includes no columns".to_owned(), "use a btree: leave `using hash` out"))
        }
        () => None,
    }
}

/// Why no key may be made of it (`transformIndexConstraint` in parse_utilcmd.c).
fn no_key(table: &Table, index: &Index) -> Option<&'static str> {
    match () {
        () if index.constraint.is_some() => Some("belongs to a constraint already"),
        () if index.validity == Validity::Invalid => Some("is not valid"),
        () if !index.unique => Some("is not unique"),
        () if has_expressions(table, index) => Some("has an expression among its keys"),
        () if index.partial => Some("is not about all rows"),
        () if index.method.as_deref().is_some_and(|it| it != "btree") => Some("is no btree"),
        () if !index.plain => Some("is not sorted as its columns are by default"),
        () => None,
    }
}

/// Why replicas cannot know rows by it (`ATExecReplicaIdentity` in tablecmds.c).
fn no_identity(table: &Table, index: &Index) -> Option<&'static str> {
    let nullable = |key: &String| table.column_named(key).is_some_and(|it| !it.not_null && it.origin.certain);
    match () {
        () if !index.unique => Some("is not unique"),
        () if has_expressions(table, index) => Some("has an expression among its keys"),
        () if index.partial => Some("is not about all rows"),
        () if index.keys.iter().any(nullable) => Some("is on a column that may be null"),
        () => None,
    }
}

fn has_expressions(table: &Table, index: &Index) -> bool {
    !table.partial && index.keys.iter().any(|it| table.column_named(it).is_none())
}
