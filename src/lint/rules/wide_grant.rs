//! A grant to everybody, or one that may be passed on, cannot be taken back from one role.
//!
//! `PUBLIC` is every role, also those that are made later: a reporting user, a contractor, a leaked credential. With
//! `GRANT OPTION` a role gives its privileges to others, and `REVOKE` then needs `CASCADE`. What everybody has anyway, such as
//! `EXECUTE` on functions, is not meant, nor a table whose rows are guarded by policies. See <https://www.postgresql.org/docs/current/ddl-priv.html>.
//!
//! ```sql setup
//! create role liftlock_example_auditor;
//! create table news (id bigint primary key);
//! ```
//!
//! ```sql bad
//! grant select on news to public;
//! ```
//!
//! ```sql bad
//! grant select on news to liftlock_example_auditor with grant option;
//! ```
//!
//! ```sql bad
//! alter default privileges grant select on tables to public;
//! ```
//!
//! ```sql good
//! grant select on news to liftlock_example_auditor;
//! ```
//!
//! ```sql good
//! grant usage on schema public to public;
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{
        Change, Statement,
        change::{ObjectKind, Terms},
        names::ObjectName,
    },
};

pub static RULE: Rule = Rule {
    name: "wide-grant",
    harm: Harm::Exposes,
    severity: Severities::WARNING,
    waivable: Waivable::WithReason,
    source: include_str!("wide_grant.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let (kind, terms) = match &statement.change {
        Change::Grant { revoke: false, kind, names, terms } if !is_secured(context, names) => (*kind, terms),
        Change::AlterDefaultPrivileges(new) if !new.revoke => (Some(new.kind), &new.terms),
        _ => return Vec::new(),
    };
    let problem = Problem::at(statement.span);
    if opens(kind, terms) {
        let privileges = terms.privileges.join(", ").to_lowercase();
        return vec![
            problem
                .says(format!("every role, also each that is made later, has `{privileges}` here"))
                .help("grant it to the roles that need it"),
        ];
    }
    match terms.option {
        true => vec![
            problem
                .says("whoever gets this may give it to others, whom no file names")
                .help("leave the option out, and grant it to each role that needs it"),
        ],
        false => Vec::new(),
    }
}

/// Its policies say who sees which row.
fn is_secured(context: &Context, tables: &[ObjectName]) -> bool {
    let secured = |it: &ObjectName| context.catalog.table(it).is_some_and(|it| it.row_security.enabled);
    !tables.is_empty() && tables.iter().all(secured)
}

/// To everybody, and more than everybody has from the start.
fn opens(kind: Option<ObjectKind>, terms: &Terms) -> bool {
    let everybody = terms.roles.iter().any(|it| it == "public");
    let more = match kind {
        Some(ObjectKind::Table | ObjectKind::Sequence | ObjectKind::Column | ObjectKind::View) => true,
        Some(ObjectKind::Schema | ObjectKind::Database) => {
            terms.privileges.iter().any(|it| it == "ALL" || it == "CREATE")
        }
        _ => false,
    };
    everybody && more
}
