//! What `new` writes passes the production rules as it is, and runs on a real Postgres, and back again.

use liftlock::{
    config::{ProfileName, PromotionType},
    lint::{Request, lint},
    migration::{
        Migration, MigrationId, SourceFile, TransactionMode,
        layout::Layout,
        read,
        template::{Kind, Wanted, files},
    },
};

use crate::support::database;

const TABLES: &str = "
    create table sow_poles (id bigint generated always as identity primary key, height text);
    create table site_settings (key text primary key, value text);
    insert into sow_poles (height) select 'high' from generate_series(1, 100);
";

/// A name for each kind that says what its statements are about.
const CASES: [(Kind, &str, PromotionType); 8] = [
    (Kind::Table, "create_pole_owners", PromotionType::SchemaSafe),
    (Kind::Column, "add_owner_to_sow_poles", PromotionType::SchemaSafe),
    (Kind::Index, "index_sow_poles_by_height", PromotionType::SchemaSafe),
    (Kind::Constraint, "check_height_of_sow_poles", PromotionType::SchemaSafe),
    (Kind::NotNull, "require_height_of_sow_poles", PromotionType::SchemaSafe),
    (Kind::Config, "map_centre", PromotionType::ConfigOnly),
    (Kind::Data, "backfill_height_of_sow_poles", PromotionType::DataMigration),
    (Kind::Empty, "tidy_up", PromotionType::SchemaSafe),
];

fn made(kind: Kind, name: &str) -> Vec<Migration> {
    let now = jiff::civil::date(2026, 1, 31).at(12, 0, 0, 0);
    let wanted =
        Wanted { name, kind, now, existing: &[], layout: Layout::default(), config_table: Some("site_settings") };
    files(&wanted).into_iter().map(|file| migration(&file.name, file.text)).collect()
}

fn migration(name: &str, text: String) -> Migration {
    read(SourceFile { path: name.into(), id: MigrationId(name.to_owned()), text })
}

#[test]
fn what_new_writes_passes_the_production_rules_unchanged() {
    assert_eq!(CASES.map(|(kind, ..)| kind), Kind::ALL, "every kind has its case");
    let tables = [migration("20260101000000_tables_safe.sql", TABLES.to_owned())];
    let config_tables = ["site_settings".to_owned()];
    // As after `init`: no configuration table is named yet.
    for (kind, name, _) in CASES {
        let judged = made(kind, name);
        let request = Request { judged: &judged, ..Request::of(ProfileName::Production) };
        assert_eq!(lint(&request).findings, [], "{kind:?}, {name}");
    }
    for (kind, name, promotion) in CASES {
        // With names that are guessed, and with placeholders; after a history that is known, and without one.
        for name in [name, "something"] {
            let judged = made(kind, name);
            for history in [tables.as_slice(), &[]] {
                for promotion in [Some(promotion), None] {
                    let request = Request {
                        history,
                        judged: &judged,
                        promotion,
                        config_tables: &config_tables,
                        ..Request::of(ProfileName::Production)
                    };
                    let validation = lint(&request);
                    assert_eq!(validation.findings, [], "{kind:?}, {name}, {promotion:?}");
                    assert_eq!(validation.unread, 0);
                }
            }
        }
    }
}

#[tokio::test]
async fn what_new_writes_runs_and_its_rollback_undoes_it() {
    let database = database("template").await;
    database.execute(TABLES).await;
    let schema = "select coalesce(string_agg(concat_ws(' ', c.relname, c.relkind, a.attname, a.attnotnull, k.conname), \
                  ', ' order by c.relname, a.attname, k.conname), '') from pg_class c left join pg_attribute a on \
                  a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped left join pg_constraint k on k.conrelid = c.oid \
                  where c.relnamespace = 'public'::regnamespace";
    for (kind, name, _) in CASES {
        let before = database.text(schema).await;
        let migrations = made(kind, name);
        for migration in &migrations {
            run(&database, migration).await;
        }
        let changes_schema = !matches!(kind, Kind::Config | Kind::Data | Kind::Empty);
        assert_eq!(database.text(schema).await != before, changes_schema, "{kind:?}");
        for migration in migrations.iter().rev() {
            let comments = migration.text.lines().skip_while(|line| !line.starts_with("-- Rollback:"));
            let rollback = comments.filter_map(|line| line.strip_prefix("--   ")).filter(|line| line.ends_with(';'));
            for statement in rollback {
                database.execute(statement).await;
            }
        }
        // The check of `not-null` was done with; only `finish` could bring it back.
        assert_eq!(database.text(schema).await, before, "{kind:?} undone");
    }
}

async fn run(database: &crate::support::TestDatabase, migration: &Migration) {
    match migration.transaction {
        TransactionMode::Single => database.execute(&format!("begin; {}\n commit", migration.text)).await,
        TransactionMode::PerStatement => {
            for statement in migration.to_run() {
                database.execute(&migration.text[statement.span.start..statement.span.end]).await;
            }
        }
        TransactionMode::Own => panic!("{} begins transactions of its own", migration.id),
    }
}
