//! A composite type that tables are made of cannot be changed like one that nobody uses.
//!
//! The type of an attribute cannot be changed while a column of any table has the composite type. A table `OF` the type
//! has its attributes as columns: every change of them is refused without `CASCADE`, and with it is a change of the table.
//! See <https://www.postgresql.org/docs/current/sql-altertype.html>.
//!
//! ```sql setup
//! create type place as (street text, town text);
//! create type size as (width int, height int);
//! create table parcels (id bigint primary key, target place);
//! create table boxes of size;
//! ```
//!
//! ```sql bad fails=0A000
//! alter type place alter attribute street type varchar(200);
//! ```
//!
//! ```sql bad fails=2BP01
//! alter type size add attribute depth int;
//! ```
//!
//! ```sql good
//! alter type place add attribute country text;
//! ```
//!
//! ```sql good locks=boxes:AccessExclusiveLock
//! alter type size add attribute depth int cascade;
//! ```

use crate::{
    lint::{Check, Context, Problem, Rule, Severities, Waivable},
    report::Harm,
    sql::{
        Change, Statement,
        change::{AlterObject, ObjectAction, ObjectKind},
        names::{Ident, ObjectName},
    },
};

pub static RULE: Rule = Rule {
    name: "composite-type-in-use",
    harm: Harm::Fails,
    severity: Severities::ERROR,
    waivable: Waivable::WithReason,
    source: include_str!("composite_type_in_use.rs"),
    check: Check::Statement(check),
};

fn check(context: &Context, statement: &Statement) -> Vec<Problem> {
    let Change::AlterObject(AlterObject { kind: ObjectKind::Type, name: Some(name), action, .. }) = &statement.change
    else {
        return Vec::new();
    };
    let (ObjectAction::AddAttribute { .. }
    | ObjectAction::DropAttribute { .. }
    | ObjectAction::AlterAttribute { .. }
    | ObjectAction::RenamePart { .. }) = action
    else {
        return Vec::new();
    };
    if let ObjectAction::AlterAttribute { name: attribute, .. } = action
        && let Some((table, column)) = used(context, name)
    {
        return vec![
            Problem::at(statement.span)
                .says(format!("this fails when it runs: column `{column}` of `{table}` has values of type `{name}`"))
                .help(format!(
                    "make another type with the new `{attribute}`, add a column of it to `{table}`, fill that in \
                     batches, and drop `{column}` in a later release"
                )),
        ];
    }
    let resolved = context.catalog.resolve(name);
    let mut typed = context.catalog.tables.values().filter(|it| it.of_type.as_ref() == Some(&resolved));
    let cascades = context.written(statement.span).to_ascii_lowercase().trim_end().ends_with("cascade");
    let Some(table) = typed.next().filter(|_| !cascades) else { return Vec::new() };
    vec![
        Problem::at(statement.span)
            .says(format!("this fails when it runs: table `{}` is made of type `{name}`", table.name))
            .help(format!("add `cascade`, which changes `{}` the same way and locks it meanwhile", table.name)),
    ]
}

/// A column that holds values of the type, also as an array.
fn used<'c>(context: &Context<'c>, name: &ObjectName) -> Option<(&'c ObjectName, &'c str)> {
    let resolved = context.catalog.resolve(name);
    let is_it = |it: &str| {
        let parts = it.split('.').map(|part| Ident { name: part.to_owned(), ..Ident::default() });
        it.ends_with(name.last())
            && context.catalog.resolve(&ObjectName { parts: parts.collect(), ..ObjectName::default() }) == resolved
    };
    let mut columns = context.catalog.tables.values().flat_map(|it| it.columns.iter().map(move |of| (&it.name, of)));
    columns.find(|(_, it)| is_it(&it.resolved.name)).map(|(table, it)| (table, it.name.as_str()))
}
