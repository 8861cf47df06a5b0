//! Changing a column's type writes the whole table again, or reads it, under an exclusive lock, unless the bits stay.
//!
//! Nobody reads or writes the table meanwhile, and a value that does not fit takes the migration with it. A
//! change costs nothing when the cast is binary coercible and no length gets shorter: `varchar(20)` to
//! `varchar(40)` or `text`, `numeric(10,2)` to `numeric(12,2)`, `timestamp(3)` to `timestamp`, `cidr` to `inet`, to
//! and from a domain without constraints. Even then an index is built again when the new type or collation sorts by
//! other operators, and a `CHECK` on the column is checked again. The safe way for the others is a new column,
//! kept up to date by a trigger, filled in batches, to which readers move over.
//!
//! ```sql setup
//! create table orders (id integer, code varchar(20), total numeric(10,2), state text, placed timestamp(3), note varchar(20));
//! create index orders_state_idx on orders (state);
//! alter table orders add constraint orders_note_check check (note <> 'x');
//! create domain amount as numeric(10,2);
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! alter table orders alter column id type bigint;
//! ```
//!
//! ```sql bad also=narrowed-type locks=orders:AccessExclusiveLock
//! alter table orders alter column code type varchar(10);
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! alter table orders alter column code type text using upper(code);
//! ```
//!
//! No row is written here, but the index is built again, and the check checked again:
//!
//! ```sql bad locks=orders:AccessExclusiveLock,orders_state_idx:AccessExclusiveLock
//! alter table orders alter column state type text collate "C";
//! ```
//!
//! ```sql bad locks=orders:AccessExclusiveLock
//! alter table orders alter column note type text;
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! alter table orders alter column code type varchar(40);
//! alter table orders alter column total type numeric(12,2);
//! alter table orders alter column placed type timestamp;
//! ```
//!
//! ```sql good locks=orders:AccessExclusiveLock
//! alter table orders alter column code type text;
//! alter table orders alter column total type amount;
//! alter table orders alter column state type varchar;
//! ```

use crate::{
    lint::{
        Check, Context, Problem, Rule, Severities, Waivable, actions,
        effects::type_change::{EITHER_WAY, Outcome, UNDER_UTC, is_refused, new_type, outcome},
        types,
    },
    report::{Harm, Severity},
    sql::Statement,
};

pub static RULE: Rule = Rule {
    name: "type-change",
    harm: Harm::Blocks,
    severity: Severities::ERROR,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("type_change.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Some((alter, actions)) = actions::on_existing_table(context, statement) else { return Vec::new() };
    let table = &alter.table;
    let mut problems = Vec::new();
    for action in actions {
        let Some(change) = new_type(&action.kind) else { continue };
        let column = change.column;
        let known = context.catalog.table(table).and_then(|it| it.column(column));
        if known.is_some_and(|it| is_refused(context.catalog, alter, it, &action.kind).is_some()) {
            continue;
        }
        let outcome = outcome(context, table, &change);
        let severity = match outcome {
            Outcome::Unknown(chance) if !chance.is_likely() => Severity::Notice,
            Outcome::Unknown(_) => Severity::Warning,
            _ => Severity::Error,
        };
        let says = match outcome {
            Outcome::Nothing(reason) => {
                problems.push(Problem::safe(action.span, reason));
                continue;
            }
            Outcome::DependsOnTimeZone => continue,
            Outcome::Rewrite => {
                format!("reads and writes of `{table}` wait while every row is written again for `{column}`'s new type")
            }
            Outcome::Rebuild(index) => {
                format!("reads and writes of `{table}` wait while index `{}` is built again", index.last())
            }
            Outcome::Recheck(constraint) => {
                format!("reads and writes of `{table}` wait while `{constraint}` is checked again for every row")
            }
            Outcome::RecheckReference { table: other, constraint } => format!(
                "reads and writes of `{table}` and `{other}` wait while `{constraint}` is checked again for every row"
            ),
            Outcome::Unknown(chance) if !chance.is_likely() && types::read(change.data_type).name == EITHER_WAY => {
                format!(
                    "no file says what type `{column}` of `{table}` has now: from `smallint` or `bigint` every row is written \
                 again while reads and writes wait, from `oid` or a domain over `integer` none"
                )
            }
            Outcome::Unknown(chance) if !chance.is_likely() => {
                let new = change.data_type;
                let utc = if types::read(new).name == UNDER_UTC { " in a session whose time zone is UTC" } else { "" };
                problems.push(Problem::safe(
                    action.span,
                    format!(
                        "no file says what type `{column}` of `{table}` has now; most changes to `{new}`{utc} write no row"
                    ),
                ));
                continue;
            }
            Outcome::Unknown(_) => format!(
                "no file says what type `{column}` of `{table}` has now, so this may write every row again while reads \
                 and writes wait"
            ),
        };
        problems.push(Problem::at(action.span).at_most(severity).weighing(table).says(says).help(format!(
            "add a column of type `{}` beside `{column}`, keep it up to date with a trigger, fill it in batches, and move \
             readers over to it",
            change.data_type
        )));
    }
    problems
}
