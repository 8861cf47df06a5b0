//! What a check may look at besides the statement itself.

use std::borrow::Cow;

use camino::Utf8Path;

use crate::{
    catalog::Catalog,
    config::{PostgresMajor, ProfileName, PromotionType},
    migration::Migration,
    sql::{
        Change, Place, Span, Statement,
        change::{ActionKind, ObjectAction, ObjectKind},
        names::{Ident, ObjectName},
    },
};

/// The world just before a statement runs.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// What the history and the statements before this one have built.
    pub catalog: &'a Catalog,
    pub profile: ProfileName,
    /// The server that it is judged for.
    pub postgres: PostgresMajor,
    /// `None`: nobody said what kind of promotion this is for.
    pub promotion: Option<PromotionType>,
    /// What `config_only` promotions may change.
    pub config_tables: &'a [ObjectName],
    /// The migration that is judged.
    pub migration: &'a Migration,
    /// The migration is one for another database system: [`is_of_another_dialect`].
    pub of_another_dialect: bool,
    /// Which of the migration's top-level statements this is, or is inside of.
    pub index: usize,
    /// Judged migrations that ran before this one in the transaction that is open, in order.
    pub before: &'a [Cow<'a, Migration>],
    /// The transaction that is open when the statement starts; `None`: the statement is one of its own.
    pub transaction: Option<OpenTransaction>,
}

/// A transaction that holds the locks of its earlier statements. It may have begun in an earlier migration: some
/// tools run all that is pending in one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenTransaction {
    /// The migration that it began in: an index of [`Context::before`], or its length for the present one.
    pub migration: usize,
    /// The top-level statement of that migration with which it began.
    pub statement: usize,
    pub opened_by: OpenedBy,
}

/// Who opened a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenedBy {
    /// The runner, around the migration or a part of it.
    Runner,
    /// The runner, around all migrations that are pending.
    RunnerForAll,
    /// The server, because several statements come as one query.
    Query,
    /// A `BEGIN` of the migration's own.
    Begin,
}

impl<'a> Context<'a> {
    /// Created by the release that is judged: nobody uses it yet, so nothing waits for it. Temporary tables are.
    ///
    /// A table that `IF NOT EXISTS` creates counts as new unless the history knows it.
    pub fn is_new(&self, table: &ObjectName) -> bool {
        self.catalog.is_new(table)
    }

    /// Postgres runs it as it stands. Behind an `IF` it may not, and before an `EXCEPTION` its failure is what is meant.
    pub fn certainly_runs(&self, statement: &Statement) -> bool {
        statement.place == Place::Top && !self.of_another_dialect && !self.is_skipped(statement)
    }

    /// With `IF NOT EXISTS` Postgres does not look at what a table or a column would be that is there.
    fn is_skipped(&self, statement: &Statement) -> bool {
        match &statement.change {
            Change::CreateTable(table) => {
                table.if_not_exists && self.catalog.relation(&self.catalog.resolve(&table.name)).is_some()
            }
            Change::AlterTable(alter) => {
                let known = self.catalog.table(&alter.table);
                let there = |it: &Ident| known.is_some_and(|known| known.column(it).is_some());
                alter.actions.iter().any(|it| {
                    matches!(&it.kind, ActionKind::AddColumn { column, if_not_exists: true } if there(&column.name))
                })
            }
            _ => false,
        }
    }

    /// The text of a place in this migration; empty for a place in another file.
    pub fn written(&self, span: Span) -> &'a str {
        self.migration.text.get(span.start..span.end).unwrap_or_default()
    }

    /// Top-level statements of this migration before the present one.
    pub fn earlier(&self) -> &'a [Statement] {
        &self.migration.statements[..self.index]
    }

    /// Top-level statements of this migration after the present one.
    pub fn later(&self) -> &'a [Statement] {
        self.migration.statements.get(self.index + 1..).unwrap_or_default()
    }

    /// Earlier top-level statements of this migration whose locks are still held: those of the same open transaction.
    pub fn same_transaction(&self) -> &'a [Statement] {
        let start = |it: OpenTransaction| if it.migration < self.before.len() { 0 } else { it.statement };
        self.transaction.map_or(&[], |it| &self.migration.statements[start(it).min(self.index)..self.index])
    }

    /// The same with those of earlier migrations, the latest migration last: each migration with its statements.
    pub fn transaction_so_far(&self) -> impl Iterator<Item = (&'a Migration, &'a [Statement])> {
        let earlier = self.transaction.and_then(|it| Some((self.before.get(it.migration..)?, it.statement)));
        let (migrations, first) = earlier.unwrap_or((&[], 0));
        let of = move |(at, it): (usize, &'a Cow<'a, Migration>)| {
            (&**it, it.statements.get(if at == 0 { first } else { 0 }..).unwrap_or_default())
        };
        migrations.iter().enumerate().map(of).chain(std::iter::once((self.migration, self.same_transaction())))
    }

    /// The open transaction has truncated the table, so nobody has added a row since, and has added none itself.
    pub fn is_emptied(&self, table: &ObjectName) -> bool {
        let so_far = self.same_transaction();
        // A file with more statements than this is data.
        let recent = &so_far[so_far.len().saturating_sub(200)..];
        let name = self.catalog.resolve(table);
        let is_it = |other: &ObjectName| self.catalog.resolve(other) == name;
        let mut emptied = false;
        for statement in recent {
            match &statement.change {
                Change::Truncate(truncate) if truncate.tables.iter().any(is_it) => emptied = true,
                Change::Insert(insert) if is_it(&insert.table) => emptied = false,
                Change::Merge { table, .. } if is_it(table) => emptied = false,
                Change::Copy(copy) if copy.table.as_ref().is_some_and(is_it) => emptied = false,
                Change::Do { .. } | Change::Call { .. } => emptied = false,
                _ => {}
            }
        }
        emptied
    }

    /// Does this migration, from here on, create something of this kind and name? Then a drop is half of a
    /// replacement. `on` is the table of a trigger, rule or policy.
    pub fn creates_again(&self, kind: ObjectKind, name: &ObjectName, on: Option<&ObjectName>) -> bool {
        let from_here = self.migration.statements.get(self.index..).unwrap_or_default();
        let name = self.catalog.resolve(name);
        let on = on.map(|it| self.catalog.resolve(it));
        from_here.iter().flat_map(running).any(|it| self.makes(&it.change, kind, &name, on.as_ref()))
    }

    fn makes(&self, change: &Change, kind: ObjectKind, name: &ObjectName, on: Option<&ObjectName>) -> bool {
        let same = |other: &ObjectName| self.catalog.resolve(other) == *name;
        let same_on = |table: &ObjectName| on.is_some_and(|it| self.catalog.resolve(table) == *it);
        match change {
            Change::CreateView(view) => {
                let made = if view.materialized { ObjectKind::MaterializedView } else { ObjectKind::View };
                matches!(kind, ObjectKind::View | ObjectKind::MaterializedView)
                    && (made == kind || !view.temporary)
                    && same(&view.name)
            }
            Change::CreateRoutine(routine) => is_routine(kind) && same(&routine.name),
            Change::CreateTrigger { name: made, table, .. } => {
                kind == ObjectKind::Trigger && made.name == name.last() && same_on(table)
            }
            Change::CreatePolicy { name: made, table, .. } => {
                kind == ObjectKind::Policy && made.name == name.last() && same_on(table)
            }
            Change::CreateType(made) => matches!(kind, ObjectKind::Type | ObjectKind::Domain) && same(&made.name),
            Change::CreateOther { kind: made, name: Some(other), .. } => {
                *made == kind && (same(other) || (on.is_some() && other.last() == name.last()))
            }
            // Built under another name, then put in its place.
            Change::AlterObject(alter) => {
                alter.kind == kind && matches!(&alter.action, ObjectAction::Rename { to } if to.name == name.last())
            }
            _ => false,
        }
    }

    /// Is the table one that a migration tool keeps for itself? It has a row for each migration, or one in all, and no
    /// application reads it.
    pub fn is_bookkeeping(&self, table: &ObjectName) -> bool {
        BOOKKEEPING.contains(&table.last().to_lowercase().as_str())
    }

    /// Is the table one that the configuration lists as configuration?
    pub fn is_config_table(&self, table: &ObjectName) -> bool {
        let table = self.catalog.resolve(table);
        self.config_tables.contains(&table)
    }
}

/// Where migration tools record what they have applied: Alembic, Rails, Django, Flyway, Liquibase, Diesel, sqlx, Prisma,
/// Drizzle, goose, sql-migrate, Knex, node-pg-migrate, refinery.
const BOOKKEEPING: &[&str] = &[
    "__diesel_schema_migrations",
    "__drizzle_migrations",
    "_prisma_migrations",
    "_sqlx_migrations",
    "alembic_version",
    "ar_internal_metadata",
    "databasechangelog",
    "databasechangeloglock",
    "django_migrations",
    "flyway_schema_history",
    "goose_db_version",
    "gorp_migrations",
    "knex_migrations",
    "knex_migrations_lock",
    "pgmigrations",
    "refinery_schema_history",
    "schema_migrations",
];

/// Whether a migration lies in a folder that holds those of another database system, beside one for Postgres. The id
/// begins below the folder that is judged, which may itself be called so.
pub fn is_of_another_dialect(migration: &Migration) -> bool {
    const DIALECTS: [&str; 8] = ["sqlite", "sqlite3", "mysql", "mariadb", "mssql", "sqlserver", "oracle", "clickhouse"];
    const ABOVE: usize = 3;
    let is_dialect = |word: &str| DIALECTS.iter().any(|it| it.eq_ignore_ascii_case(word));
    let folders = migration.path.ancestors().skip(1).filter_map(Utf8Path::file_name);
    let id = &migration.id.0;
    id.split(|it: char| !it.is_ascii_alphanumeric()).any(is_dialect) || folders.take(ABOVE).any(is_dialect)
}

fn is_routine(kind: ObjectKind) -> bool {
    matches!(kind, ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Routine)
}

/// A statement and all inside it that run with it: not the bodies of routines it creates.
pub fn running(statement: &Statement) -> Vec<&Statement> {
    let mut all = vec![statement];
    let mut next = 0;
    while next < all.len() {
        let inner = all[next].inner.iter().filter(|it| !matches!(it.place, Place::Routine(_)));
        all.extend(inner.collect::<Vec<_>>());
        next += 1;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::is_of_another_dialect;
    use crate::migration::{self, MigrationId, SourceFile};

    #[test]
    fn another_system_is_known_by_a_folder_near_the_file() {
        for (path, id, expected) in [
            ("db/sqlite3/0001_a.sql", "0001_a.sql", true),
            ("db/MySQL/migrations/0001_a.sql", "0001_a.sql", true),
            ("db/migrations/sqlite/0001_a.sql", "sqlite/0001_a.sql", true),
            ("prisma/sqlite/migrations/2026_a/migration.sql", "2026_a/migration.sql", true),
            ("db/postgres/0001_sqlite_import.sql", "0001_a.sql", false),
            ("mysql/work/app/db/migrations/0001_a.sql", "0001_a.sql", false),
        ] {
            let (path, id) = (path.into(), MigrationId(id.to_owned()));
            let migration = migration::read(SourceFile { path, id, text: String::new() });
            assert_eq!(is_of_another_dialect(&migration), expected, "{}", migration.path);
        }
    }
}
