//! A new migration's text, where and how the tool of a folder wants it.

use crate::migration::{
    MigrationId,
    layout::{Layout, Tool, parts::way_out_line},
    script,
};

/// A migration to be written.
pub struct New<'a> {
    /// `add_pole_owner_safe`.
    pub name: &'a str,
    pub at: jiff::civil::DateTime,
    /// Which of those that are written together it is, from 0.
    pub index: usize,
    pub text: String,
    pub rollback: String,
    pub in_transaction: bool,
}

/// Path below the migrations folder and text of each file.
pub fn placed(layout: Layout, existing: &[MigrationId], new: New) -> Vec<(String, String)> {
    let New { name, at, text, rollback, .. } = &new;
    let version = version(layout.tool, existing, *at, new.index);
    let alone = !new.in_transaction;
    let mark = if alone { way_out_line(layout.tool) } else { "" };
    let one = |path: String, text: String| vec![(path, text)];
    let pair = |up: String, down: String, text: String| vec![(up, text), (down, rollback.clone())];
    match layout.tool {
        Tool::Prisma => one(format!("{version}_{name}/migration.sql"), text.clone()),
        Tool::Diesel => {
            let folder = format!("{}_{name}", at.strftime("%Y-%m-%d-%H%M%S"));
            let mut files = pair(format!("{folder}/up.sql"), format!("{folder}/down.sql"), text.clone());
            if alone {
                files.push((format!("{folder}/metadata.toml"), "run_in_transaction = false\n".to_owned()));
            }
            files
        }
        Tool::GolangMigrate | Tool::Pop => {
            pair(format!("{version}_{name}.up.sql"), format!("{version}_{name}.down.sql"), text.clone())
        }
        Tool::Sqlx if existing.iter().any(|id| script::has_ending(&id.0, ".up.sql")) => {
            pair(format!("{version}_{name}.up.sql"), format!("{version}_{name}.down.sql"), format!("{mark}{text}"))
        }
        Tool::Postgrator => {
            pair(format!("{version}.do.{name}.sql"), format!("{version}.undo.{name}.sql"), text.clone())
        }
        Tool::Flyway | Tool::Refinery => one(format!("V{version}__{name}.sql"), format!("{mark}{text}")),
        Tool::Goose => {
            one(format!("{version}_{name}.sql"), format!("{mark}-- +goose Up\n{text}\n-- +goose Down\n{rollback}"))
        }
        Tool::SqlMigrate => {
            let option = if alone { " notransaction" } else { "" };
            one(
                format!("{version}_{name}.sql"),
                format!("-- +migrate Up{option}\n{text}\n-- +migrate Down\n{rollback}"),
            )
        }
        Tool::Dbmate => {
            let option = if alone { " transaction:false" } else { "" };
            let text = format!("-- migrate:up{option}\n{text}\n-- migrate:down{option}\n{rollback}");
            one(format!("{version}_{name}.sql"), text)
        }
        Tool::NodePgMigrate => {
            one(format!("{version}_{name}.sql"), format!("-- Up Migration\n{text}\n-- Down Migration\n{rollback}"))
        }
        Tool::Liquibase => {
            let option = if alone { " runInTransaction:false" } else { "" };
            let rollback: String = rollback.lines().map(|line| format!("--rollback {line}\n")).collect();
            let head = format!("--liquibase formatted sql\n\n--changeset liftlock:{name}{option}\n");
            one(format!("{version}_{name}.sql"), format!("{head}{text}{rollback}"))
        }
        Tool::Atlas | Tool::Drizzle | Tool::GraphileMigrate | Tool::Liftlock | Tool::Sqlx | Tool::Supabase => {
            one(format!("{version}_{name}.sql"), format!("{mark}{text}"))
        }
    }
}

/// The next number where the folder counts, else the time.
fn version(tool: Tool, existing: &[MigrationId], at: jiff::civil::DateTime, index: usize) -> String {
    let time = at.strftime("%Y%m%d%H%M%S").to_string();
    let name = |id: &MigrationId| script::script(&id.0).name.trim_start_matches(['V', 'v']).to_owned();
    let digits = |name: String| name.chars().take_while(char::is_ascii_digit).collect::<String>();
    let last = existing.iter().map(name).map(digits).filter(|it| !it.is_empty());
    let Some(last) = last.max_by_key(|it| it.parse::<u64>().unwrap_or_default()) else { return time };
    match last.parse::<u64>() {
        Ok(number) if tool != Tool::Liftlock && last.len() < 8 => {
            let next = number + 1 + u64::try_from(index).unwrap_or_default();
            format!("{next:0width$}", width = last.len())
        }
        Ok(_) if tool == Tool::NodePgMigrate && last.len() == 13 => {
            let seconds = at.to_zoned(jiff::tz::TimeZone::UTC).map_or(0, |it| it.timestamp().as_millisecond());
            seconds.to_string()
        }
        _ => time,
    }
}
