//! What servers were measured to do with statements of a finding's form: "measured on 17: ACCESS EXCLUSIVE, full scan".
//!
//! `evidence.txt` is made by `tests/it/oracle.rs` from its golden table. It holds a form only where every probe of it
//! that the rule speaks of was measured alike.

use crate::{
    config::PostgresMajor,
    sql::{
        Change, Span, Statement,
        change::{ActionKind, Column, Constraint, ConstraintKind, Generated, ObjectAction, ObjectKind},
    },
};

use super::{Context, types};

const MEASURED: &str = include_str!("evidence.txt");

/// What was measured for a rule's finding about a statement of this form, for the major that is judged for.
pub fn of(rule: &str, form: &str, postgres: PostgresMajor) -> Option<String> {
    let prefix = format!("{rule} | {form} => ");
    let line = MEASURED.lines().find_map(|it| it.strip_prefix(&prefix))?;
    let runs = line.split(" | ").filter_map(|it| it.split_once(": "));
    let mut of_major = runs.filter(|(majors, _)| {
        let (first, last) = majors.split_once('-').unwrap_or((majors, majors));
        let bound = |text: &str| text.parse::<u8>().unwrap_or_default();
        (bound(first)..=bound(last)).contains(&postgres.number())
    });
    of_major.next().map(|(_, measured)| format!("measured on {postgres}: {measured}"))
}

/// The form of the part of a statement that a finding is about; `None` when nothing is measured by form.
pub fn form(context: &Context, statement: &Statement, span: Span) -> Option<String> {
    let form = match &statement.change {
        Change::AlterTable(alter) => {
            let about = |action: &Span| action.start <= span.start && span.end <= action.end;
            let mut actions = alter.actions.iter().filter(|it| about(&it.span) || alter.actions.len() == 1);
            let action = actions.next()?;
            format!("alter table {}", action_form(context, alter, &action.kind)?)
        }
        Change::CreateIndex(index) => format!(
            "create{} index{}{}",
            if index.unique { " unique" } else { "" },
            if index.concurrently { " concurrently" } else { "" },
            if index.only { " on only" } else { "" }
        ),
        Change::Drop(drop) if drop.kind == ObjectKind::Index => {
            format!("drop index{}", if drop.concurrently { " concurrently" } else { "" })
        }
        Change::AlterObject(alter) if alter.kind == ObjectKind::Domain => match &alter.action {
            ObjectAction::AddConstraint(_) => "alter domain add constraint".to_owned(),
            ObjectAction::ValidateConstraint { .. } => "alter domain validate constraint".to_owned(),
            ObjectAction::SetNotNull => "alter domain set not null".to_owned(),
            _ => return None,
        },
        Change::CreateTable(table) => match &table.partition_of {
            Some(_) => "create table partition of".to_owned(),
            None => return None,
        },
        Change::Refresh { concurrently: false, .. } => "refresh materialized view".to_owned(),
        Change::Reindex { concurrently: false, target, .. } => {
            format!("reindex {}", format!("{target:?}").to_lowercase())
        }
        Change::Cluster { .. } => "cluster".to_owned(),
        Change::Vacuum { full: true, .. } => "vacuum full".to_owned(),
        Change::Lock { mode, .. } => format!("lock table in {}", mode.to_lowercase()),
        _ => return None,
    };
    Some(form)
}

fn action_form(context: &Context, alter: &crate::sql::change::AlterTable, action: &ActionKind) -> Option<String> {
    let form = match action {
        ActionKind::AddColumn { column, .. } => format!("add column{}", column_form(column)),
        ActionKind::AddConstraint(constraint) => constraint_form(constraint).to_owned(),
        ActionKind::SetNotNull { .. } => "alter column set not null".to_owned(),
        ActionKind::SetType { column, data_type, collate, using, .. } => {
            // From what to what: another pair is another form.
            let old = context.catalog.table(&alter.table)?.column(column)?;
            let name = |text: &str| {
                let read = types::read(text);
                format!(
                    "{}{}{}",
                    read.name,
                    if read.modifiers.is_some() { "(n)" } else { "" },
                    if read.array { "[]" } else { "" }
                )
            };
            format!(
                "alter column type {} to {}{}{}",
                name(&old.data_type),
                name(data_type),
                if *collate { " collate" } else { "" },
                if using.is_some() { " using" } else { "" }
            )
        }
        ActionKind::SetExpression { .. } => "alter column set expression".to_owned(),
        ActionKind::ValidateConstraint { .. } => "validate constraint".to_owned(),
        ActionKind::AttachPartition { default, .. } => {
            format!("attach partition{}", if *default { " default" } else { "" })
        }
        ActionKind::DetachPartition { concurrently: false, .. } => "detach partition".to_owned(),
        ActionKind::SetLogged { logged } => if *logged { "set logged" } else { "set unlogged" }.to_owned(),
        ActionKind::SetTablespace { .. } => "set tablespace".to_owned(),
        ActionKind::SetAccessMethod { .. } => "set access method".to_owned(),
        _ => return None,
    };
    Some(form)
}

fn column_form(column: &Column) -> &'static str {
    match column.generated {
        Some(Generated::Stored) => return " generated stored",
        Some(Generated::Virtual) => return " generated virtual",
        Some(Generated::Identity) => return " identity",
        None => {}
    }
    match column {
        _ if column.is_serial() => " serial",
        _ if column.primary_key => " primary key",
        _ if column.unique => " unique",
        _ if column.references.is_some() => " references",
        _ if column.is_checked() => " check",
        _ if column.not_null && column.default.is_none() => " not null",
        _ if column.default.is_some() => " default",
        _ => "",
    }
}

fn constraint_form(constraint: &Constraint) -> &'static str {
    match (&constraint.kind, constraint.not_valid) {
        (ConstraintKind::Check { .. }, false) => "add check",
        (ConstraintKind::Check { .. }, true) => "add check not valid",
        (ConstraintKind::ForeignKey { .. }, false) => "add foreign key",
        (ConstraintKind::ForeignKey { .. }, true) => "add foreign key not valid",
        (ConstraintKind::Unique { using_index: None, .. }, _) => "add unique",
        (ConstraintKind::Unique { .. }, _) => "add unique using index",
        (ConstraintKind::PrimaryKey { using_index: None, .. }, _) => "add primary key",
        (ConstraintKind::PrimaryKey { .. }, _) => "add primary key using index",
        (ConstraintKind::NotNull { .. }, false) => "add not null",
        (ConstraintKind::NotNull { .. }, true) => "add not null not valid",
        _ => "add exclude",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_measured_is_told_for_its_own_rule_form_and_major_only() {
        let major = |number| PostgresMajor::new(number).unwrap();
        for (rule, form, number, expected) in [
            (
                "check-without-not-valid",
                "alter table add check",
                17,
                Some("measured on 17: ACCESS EXCLUSIVE, full scan"),
            ),
            ("stored-generated-column", "alter table alter column set expression", 16, None),
            ("check-without-not-valid", "alter table add foreign key", 17, None),
            ("no-such-rule", "alter table add check", 17, None),
        ] {
            assert_eq!(of(rule, form, major(number)).as_deref(), expected, "{rule} {form} {number}");
        }
    }
}
