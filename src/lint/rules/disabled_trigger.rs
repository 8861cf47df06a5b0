//! Disabling a trigger or a rule silently ends what it did at every write.
//!
//! Nothing fails: audit rows, timestamps and checks simply stop appearing. `DISABLE TRIGGER ALL` and
//! `session_replication_role = replica` also switch off the triggers behind foreign keys, so that orphans come in that
//! nothing finds later; both need a superuser, which hosted Postgres does not give. A trigger that the same transaction
//! enables again was off for this migration's own writes only, which is what a data load wants.
//! See <https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-DESC-DISABLE-ENABLE-TRIGGER>.
//!
//! ```sql setup
//! create table orders (id bigint primary key, updated_at timestamptz);
//! create function touch() returns trigger language plpgsql as $$ begin return new; end $$;
//! create trigger orders_touch before update on orders for each row execute function touch();
//! ```
//!
//! ```sql bad locks=orders:ShareRowExclusiveLock
//! alter table orders disable trigger orders_touch;
//! ```
//!
//! ```sql bad locks=orders:ShareRowExclusiveLock
//! alter table orders disable trigger all;
//! alter table orders enable trigger all;
//! ```
//!
//! ```sql bad
//! set local session_replication_role = replica;
//! ```
//!
//! ```sql good config=orders locks=orders:ShareRowExclusiveLock
//! alter table orders disable trigger orders_touch;
//! update orders set updated_at = null where id = 1;
//! alter table orders enable trigger orders_touch;
//! ```
//!
//! ```sql good locks=orders:ShareRowExclusiveLock
//! alter table orders enable always trigger orders_touch;
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable, actions},
    report::Harm,
    sql::{
        Change, Statement,
        change::{ActionKind, TableAction},
        names::ObjectName,
    },
};

pub static RULE: Rule = Rule {
    name: "disabled-trigger",
    harm: Harm::Breaks,
    severity: Severities::ERROR,
    waivable: Waivable::WithReasonOrHotfix,
    source: include_str!("disabled_trigger.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    if let Change::Set(set) = &statement.change {
        let replica = set.value.as_deref().is_some_and(|it| it.trim_matches('\'').eq_ignore_ascii_case("replica"));
        return match set.name == "session_replication_role" && replica {
            true => vec![
                Problem::at(statement.span)
                    .says("no trigger fires and no foreign key is kept for what this migration writes")
                    .help("leave it out; disable single triggers by name where that is needed, and enable them again"),
            ],
            false => Vec::new(),
        };
    }
    let Some((alter, actions)) = actions::on_existing_table(context, statement) else { return Vec::new() };
    let mut problems = Vec::new();
    for action in actions {
        let Some((what, name)) = toggled(action, "DISABLE") else { continue };
        let (table, all) = (&alter.table, name == "all");
        let undone = context.transaction.is_some() && enabled_again(context, table, &name);
        let says = match (all, undone) {
            (false, true) => continue,
            (true, true) => {
                format!("orphans come in unseen: no foreign key of `{table}` is kept for what this migration writes")
            }
            (true, false) => format!("no trigger of `{table}` fires any more, and its foreign keys are not kept"),
            (false, false) if name == "user" => format!("what the triggers of `{table}` did ends without any error"),
            (false, false) => format!("what {what} of `{table}` did ends without any error"),
        };
        let help = match all {
            true => "disable single triggers by name, or `user` for all but those of foreign keys",
            false => {
                "enable it again in the same migration, or say why nobody needs it: `-- liftlock: allow disabled-trigger because …`"
            }
        };
        problems.push(Problem::at(action.span).says(says).help(help));
    }
    problems
}

/// What kind of thing the action enables or disables, and its name.
fn toggled(action: &TableAction, verb: &str) -> Option<(&'static str, String)> {
    let ActionKind::Toggle { words, name } = &action.kind else { return None };
    let what = match words.strip_prefix(verb)?.rsplit(' ').next()? {
        "TRIGGER" => "the trigger",
        "RULE" => "the rule",
        _ => return None,
    };
    Some((what, name.as_ref().map(|it| it.name.clone()).unwrap_or_default()))
}

fn enabled_again(context: &Context, table: &ObjectName, name: &str) -> bool {
    let table = context.catalog.resolve(table);
    context.later().iter().any(|it| match &it.change {
        Change::AlterTable(alter) if context.catalog.resolve(&alter.table) == table => {
            let mut enabled = alter.actions.iter().filter_map(|action| toggled(action, "ENABLE"));
            enabled.any(|(_, it)| it == name || it == "all" || (it == "user" && name != "all"))
        }
        _ => false,
    })
}
