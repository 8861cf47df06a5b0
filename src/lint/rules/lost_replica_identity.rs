//! Without a replica identity a published table takes no updates and no deletes.
//!
//! `REPLICA IDENTITY NOTHING` leaves subscribers no way to know which row has changed, so Postgres refuses the change
//! on this side as soon as a publication has the table. The primary key is the default; `USING INDEX` takes another
//! unique one.
//!
//! ```sql setup
//! create table orders (id bigint primary key);
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! alter table orders replica identity nothing;
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! alter table orders replica identity full;
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable, actions},
    report::Harm,
    sql::{
        Statement,
        change::{ActionKind, ReplicaIdentity, TableAction},
    },
};

pub static RULE: Rule = Rule {
    name: "lost-replica-identity",
    harm: Harm::Breaks,
    severity: Severities::WARNING,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("lost_replica_identity.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Some((alter, actions)) = actions::on_existing_table(context, statement) else { return Vec::new() };
    let lost = actions
        .iter()
        .filter(|it| matches!(it.kind, ActionKind::ReplicaIdentity { identity: ReplicaIdentity::Nothing }));
    let problem = |action: &TableAction| {
        Problem::at(action.span)
            .says(format!("updates and deletes of `{}` fail as soon as a publication has it", alter.table))
            .help("keep the primary key (`replica identity default`), or use `full`")
    };
    lost.map(problem).collect()
}
