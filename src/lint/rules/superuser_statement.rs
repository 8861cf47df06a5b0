//! Some statements need a superuser, which hosted Postgres does not give.
//!
//! On Neon and its like they fail with "permission denied" or "must be superuser": roles made `SUPERUSER`, functions in C
//! or in an untrusted language, files and programs of the server in `COPY`, operator classes, casts without a function,
//! libraries, `SET SESSION AUTHORIZATION`. Whoever runs the server does these, not a migration.
//!
//! ```sql bad
//! create role liftlock_example_admin superuser;
//! ```
//!
//! ```sql bad unrun=no-server-has-this-file
//! create table orders (id bigint primary key);
//! copy orders from '/tmp/orders.csv';
//! ```
//!
//! ```sql good
//! create role liftlock_example_admin nosuperuser createrole;
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::{Harm, Severity},
    sql::{
        Change, Statement,
        change::{CopySource, ObjectKind},
        tokens,
    },
};

pub static RULE: Rule = Rule {
    name: "superuser-statement",
    harm: Harm::Fails,
    severity: Severities { dev: Some(Severity::Notice), ..Severities::WARNING },
    waivable: Waivable::WithReason,
    source: include_str!("superuser_statement.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Some(what) = needing(context, statement) else { return Vec::new() };
    vec![
        Problem::at(statement.span)
            .says(format!("{what} needs a superuser, so this fails on hosted Postgres"))
            .help("leave it out, or have it done where the server is run and say so: `-- liftlock: allow superuser-statement because …`"),
    ]
}

fn needing(context: &Context, statement: &Statement) -> Option<&'static str> {
    match &statement.change {
        Change::Copy(copy) => match copy.source {
            CopySource::Program => Some("running a program on the server"),
            CopySource::File => Some("a file of the server"),
            CopySource::Stdio => None,
        },
        Change::Set(set) if set.name == "session_authorization" && set.value.is_some() => Some("becoming another user"),
        Change::Harmless { verb } if verb == "LOAD" => Some("loading a library"),
        Change::CreateRoutine(new) => match new.body.language.as_str() {
            "c" | "internal" => Some("a function in C"),
            "plpython3u" | "plpythonu" | "plpython2u" | "plperlu" | "pltclu" => {
                Some("a function in an untrusted language")
            }
            _ => None,
        },
        Change::CreateOther { kind: ObjectKind::Role, .. } => makes_superuser(context, statement),
        Change::AlterObject(alter) if alter.kind == ObjectKind::Role => makes_superuser(context, statement),
        Change::CreateOther { kind, .. } => match kind {
            ObjectKind::AccessMethod => Some("an access method"),
            ObjectKind::ForeignDataWrapper => Some("a foreign-data wrapper"),
            ObjectKind::OperatorClass | ObjectKind::OperatorFamily => Some("an operator class"),
            _ => None,
        },
        _ => None,
    }
}

fn makes_superuser(context: &Context, statement: &Statement) -> Option<&'static str> {
    let written = context.written(statement.span);
    let mut words = tokens(written).into_iter().map(|it| &written[it.span.start..it.span.end]);
    words.any(|it| it.eq_ignore_ascii_case("superuser")).then_some("making a superuser")
}
