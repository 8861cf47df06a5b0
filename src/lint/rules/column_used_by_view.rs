//! A column that a view reads, or a trigger, policy or generated column uses, cannot be dropped or change its type.
//!
//! Postgres refuses with "cannot drop column … because other objects depend on it" and "cannot alter type of a column used
//! by a view or rule". Drop what uses it first, in the same migration, and create it again afterwards; `CASCADE` would take
//! it away without a word.
//!
//! ```sql setup
//! create table orders (id bigint primary key, state text, total numeric(10,2), note text);
//! create view open_orders as select id, total from orders where state = 'open';
//! create function watch() returns trigger language plpgsql as 'begin return new; end';
//! create trigger watching before update of note on orders for each row execute function watch();
//! ```
//!
//! ```sql bad also=drop-column fails=2BP01
//! alter table orders drop column state;
//! ```
//!
//! ```sql bad fails=0A000
//! alter table orders alter column total type numeric(12,2);
//! ```
//!
//! ```sql bad fails=0A000
//! alter table orders alter column note type varchar;
//! ```
//!
//! ```sql bad also=drop-table fails=2BP01
//! drop table orders;
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock,open_orders:AccessExclusiveLock
//! drop view open_orders;
//! alter table orders alter column total type numeric(12,2);
//! create view open_orders as select id, total from orders where state = 'open';
//! ```

use crate::{
    lint::{
        Check, Context, Problem, Rule, Severities, Waivable,
        effects::{Dependence, column_uses},
    },
    report::Harm,
    sql::Statement,
};

pub static RULE: Rule = Rule {
    name: "column-used-by-view",
    harm: Harm::Fails,
    severity: Severities::ERROR,
    waivable: Waivable::WithReason,
    source: include_str!("column_used_by_view.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let problem = |Dependence { span, reason, help, .. }: Dependence| {
        Problem::at(span).says(format!("this fails when it runs: {reason}")).help(help)
    };
    column_uses(context, statement).into_iter().map(problem).collect()
}
