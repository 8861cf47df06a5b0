//! The statements that a new migration starts from, with their reasons.

use super::Kind;

/// One file's own words.
pub struct Part {
    pub name: String,
    pub description: String,
    pub rollback: String,
    /// It runs in a transaction, so the lock timeout can be set for it alone.
    pub in_transaction: bool,
    pub body: String,
}

/// The files that a migration of this kind is made of, in order; `{table}` and `{column}` stand for names.
pub fn parts(kind: Kind, name: &str) -> Vec<Part> {
    let description = sentence(name);
    let one = |in_transaction: bool, rollback: &str, body: &str| Part {
        name: name.to_owned(),
        description: description.clone(),
        rollback: rollback.to_owned(),
        in_transaction,
        body: body.to_owned(),
    };
    match kind {
        Kind::Table => vec![one(true, TABLE_ROLLBACK, TABLE)],
        Kind::Column => vec![one(true, COLUMN_ROLLBACK, COLUMN)],
        Kind::Index => vec![one(false, INDEX_ROLLBACK, INDEX)],
        Kind::Constraint => constraint(name, &description),
        Kind::NotNull => not_null(name, &description),
        Kind::Config => vec![one(true, CONFIG_ROLLBACK, CONFIG)],
        Kind::Data => vec![one(true, DATA_ROLLBACK, DATA)],
        Kind::Empty => vec![one(true, EMPTY_ROLLBACK, EMPTY)],
    }
}

/// `add_pole_owner` → `Add pole owner`.
fn sentence(name: &str) -> String {
    let words = name.replace('_', " ");
    let mut letters = words.chars();
    letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
}

const TABLE_ROLLBACK: &str = "drop table {table};\n\
    Only while no row in it is needed; else `liftlock backup restore`.";
const TABLE: &str = "\
create table {table} (
  id bigint generated always as identity primary key,
  created_at timestamptz not null default now()
);
";

const COLUMN_ROLLBACK: &str = "alter table {table} drop column {column};\n\
    Only once no running version of the application uses it; what was written to it is lost.";
const COLUMN: &str = "\
-- Instant at any size: a column that may be null, or one with a constant default.
alter table {table} add column {column} text;
";

const INDEX_ROLLBACK: &str = "drop index concurrently {table}_{column}_idx;";
const INDEX: &str = "\
-- Alone in its file: `concurrently` cannot run in a transaction. If it fails half-way, liftlock drops what is
-- left of it and builds it again.
create index concurrently {table}_{column}_idx on {table} ({column});
";

const CONFIG_ROLLBACK: &str = "delete from {table} where key = 'some_key';";
const CONFIG: &str = "\
-- For `liftlock promote --type config_only`: only tables that `config_tables:` in liftlock.yml names. To change
-- a value that is there: update {table} set value = '…' where key = '…';
insert into {table} (key, value)
values ('some_key', 'some_value')
on conflict do nothing;
";

const DATA_ROLLBACK: &str = "update {table} set {column} = null where {column} = 'some_value';\n\
    Where old values cannot be told from new ones: `liftlock backup restore`.";
const DATA: &str = "\
-- For `liftlock promote --type data_migration`. Every row that it touches stays locked until the end, so take
-- some thousand rows per file; the range says which.
update {table}
set {column} = 'some_value'
where {column} is null and id between 1 and 10000;
";

const EMPTY_ROLLBACK: &str = "`liftlock backup restore`, or the statements that undo what is written below.";
const EMPTY: &str = "-- Statements go here. `liftlock rules` says what each would do to a database in use.\n";

fn constraint(name: &str, description: &str) -> Vec<Part> {
    let check = Part {
        name: name.to_owned(),
        description: format!("{description}: new rows are checked from here on"),
        rollback: "alter table {table} drop constraint {table}_{column}_check;".to_owned(),
        in_transaction: true,
        body: "\
-- `not valid` takes its lock for an instant and does not read the table; the next migration looks at the rows
-- that are there. Both in one transaction would keep this lock until every row is read. As a foreign key:
--   add constraint {table}_{column}_fkey foreign key ({column}) references other_table (id) not valid
alter table {table} add constraint {table}_{column}_check check ({column} <> '') not valid;
"
        .to_owned(),
    };
    let validate = Part {
        name: format!("validate_{name}"),
        description: format!("{description}: the rows that are there are checked"),
        rollback: "Nothing to undo here: {table}_{column}_check goes with the migration that added it.".to_owned(),
        in_transaction: true,
        body: "\
-- Reads the whole table while reads and writes go on. It fails when a row breaks the rule: mend such rows in a
-- data migration before this one.
alter table {table} validate constraint {table}_{column}_check;
"
        .to_owned(),
    };
    vec![check, validate]
}

fn not_null(name: &str, description: &str) -> Vec<Part> {
    let check = Part {
        name: name.to_owned(),
        description: format!("{description}: new rows must have a value from here on"),
        rollback: "alter table {table} drop constraint if exists {table}_{column}_is_set;".to_owned(),
        in_transaction: true,
        body: "\
-- `set not null` alone would read the whole table while nobody can use it. A validated check is the proof that
-- it takes instead: here the check, in the next migration its proof, in the last one `not null`.
-- Fill the column first, and have the application write it.
alter table {table} add constraint {table}_{column}_is_set check ({column} is not null) not valid;
"
        .to_owned(),
    };
    let validate = Part {
        name: format!("validate_{name}"),
        description: format!("{description}: every row is seen to have a value"),
        rollback: "Nothing to undo here: {table}_{column}_is_set goes with the migration that added it.".to_owned(),
        in_transaction: true,
        body: "\
-- Reads the whole table while reads and writes go on. It fails when a row has no value yet.
alter table {table} validate constraint {table}_{column}_is_set;
"
        .to_owned(),
    };
    let set = Part {
        name: format!("finish_{name}"),
        description: format!("{description}: `not null`, which the check has proved"),
        rollback: "alter table {table} alter column {column} drop not null;".to_owned(),
        in_transaction: true,
        body: "\
-- Instant, thanks to the check, which has then done its work. Two statements: in one, Postgres would not look
-- at the check and read every row.
alter table {table} alter column {column} set not null;
alter table {table} drop constraint {table}_{column}_is_set;
"
        .to_owned(),
    };
    vec![check, validate, set]
}
