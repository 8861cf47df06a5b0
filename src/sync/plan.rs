//! Tables and keys of the catalog → what is copied, in which order, and what is refused and why.

mod columns;

pub use columns::{Column, Shape};

use std::collections::HashSet;

use super::key::{self, Part};
use crate::services::{
    mirror::{Mapping, document_hash},
    postgres::quote_identifier,
};

/// One relation, as the catalog describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Relation {
    pub schema: String,
    pub name: String,
    pub kind: RelationKind,
    /// The role may read it.
    pub is_readable: bool,
    /// `None` when nobody knows: never analyzed.
    pub estimated_rows: Option<u64>,
    /// On disk, without indexes.
    pub bytes: u64,
    pub columns: Vec<CatalogColumn>,
    /// Primary key and unique indexes over whole rows.
    pub keys: Vec<CandidateKey>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RelationKind {
    #[default]
    Table,
    PartitionedTable,
    /// Read through its parent.
    Partition,
    View,
    MaterializedView,
    ForeignTable,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CatalogColumn {
    pub number: i16,
    pub name: String,
    pub is_not_null: bool,
    /// OID, domains resolved.
    pub type_oid: u32,
    /// OID of the elements of an array.
    pub element_oid: Option<u32>,
    /// As Postgres shows it: `numeric(12,2)`.
    pub type_name: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CandidateKey {
    pub is_primary: bool,
    pub name: String,
    /// Column numbers in key order.
    pub columns: Vec<i16>,
}

/// What `sync` will do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// By name.
    pub tables: Vec<Table>,
    pub refused: Vec<Refusal>,
}

/// A table to copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// As people write it: schema `public` is left out, odd names are quoted. Also its name in the mirror.
    pub name: String,
    /// Quoted, with schema; `only` keeps inherited tables out.
    pub from: String,
    pub columns: Vec<Column>,
    /// Indexes into `columns`.
    pub key: Vec<usize>,
    /// The key is a unique index, for want of a primary key.
    pub has_no_primary_key: bool,
    pub estimated_rows: Option<u64>,
    pub bytes: u64,
    pub mapping: Mapping,
}

/// A table that is not copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub table: String,
    pub reason: String,
    pub hint: String,
    /// It was asked for by name.
    pub is_asked: bool,
}

/// Decides what is copied. `wanted` empty: every table that has a key.
pub fn plan(relations: &[Relation], wanted: &[String]) -> Plan {
    let mut plan = Plan::default();
    for relation in relations {
        let is_asked = wanted.iter().any(|it| relation.is_called(it));
        let is_table = matches!(relation.kind, RelationKind::Table | RelationKind::PartitionedTable);
        let is_meant = is_asked || (wanted.is_empty() && is_table);
        if !is_meant {
            continue;
        }
        match table(relation) {
            Ok(table) => plan.tables.push(table),
            Err((reason, hint)) => {
                plan.refused.push(Refusal { table: relation.shown(), reason, hint, is_asked });
            }
        }
    }
    let missing = wanted.iter().filter(|it| !relations.iter().any(|relation| relation.is_called(it)));
    plan.refused.extend(missing.map(|it| not_found(it, relations)));
    plan.tables.sort_by(|one, other| one.name.cmp(&other.name));
    plan
}

fn not_found(wanted: &str, relations: &[Relation]) -> Refusal {
    let elsewhere = relations.iter().find(|it| it.name.eq_ignore_ascii_case(wanted));
    let hint = match elsewhere {
        Some(relation) => format!("write it as `{}`", relation.shown()),
        None => "check the name in `sync.tables`; tables outside schema public are written `schema.table`".to_owned(),
    };
    Refusal { table: wanted.to_owned(), reason: "there is no such table".to_owned(), hint, is_asked: true }
}

fn table(relation: &Relation) -> Result<Table, (String, String)> {
    let no = |reason: &str, hint: &str| Err((reason.to_owned(), hint.to_owned()));
    let name = relation.shown();
    match relation.kind {
        RelationKind::Table | RelationKind::PartitionedTable => {}
        RelationKind::Partition => return no("it is a partition", "sync its parent: the rows come with it"),
        RelationKind::View | RelationKind::MaterializedView => {
            return no("it is a view, which has no key", "sync the tables that it reads");
        }
        RelationKind::ForeignTable => return no("it is a foreign table, which has no key", "sync it where it lives"),
    }
    if !relation.is_readable {
        return Err((
            "the role may not read it".to_owned(),
            format!("grant select on {} to the role of the source's URL, and usage on its schema", relation.quoted()),
        ));
    }
    let Some(key) = best_key(relation) else {
        let quoted = relation.quoted();
        return Err((
            "it has neither a primary key nor a unique index over columns that are not null".to_owned(),
            format!("add one: `alter table {quoted} add primary key (…)`, or name the tables in `sync.tables`"),
        ));
    };
    let columns = columns::columns(&relation.columns);
    let place = |number: &i16| relation.columns.iter().position(|it| it.number == *number);
    let only = if relation.kind == RelationKind::PartitionedTable { "" } else { "only " };
    Ok(Table {
        name,
        from: format!("{only}{}", relation.quoted()),
        key: key.columns.iter().filter_map(place).collect(),
        has_no_primary_key: !key.is_primary,
        estimated_rows: relation.estimated_rows,
        bytes: relation.bytes,
        mapping: mapping(&columns),
        columns,
    })
}

/// The primary key, else the unique index with the fewest columns, all of them not null.
fn best_key(relation: &Relation) -> Option<&CandidateKey> {
    let column = |number: &i16| relation.columns.iter().find(|it| it.number == *number);
    let is_whole = |key: &&CandidateKey| key.columns.iter().all(|it| column(it).is_some_and(|it| it.is_not_null));
    let whole = relation.keys.iter().filter(is_whole);
    whole.min_by_key(|it| (!it.is_primary, it.columns.len(), &it.name))
}

/// The version changes when any row would be written otherwise.
fn mapping(columns: &[Column]) -> Mapping {
    let mut described = String::from("1");
    for column in columns {
        described.push_str(&format!("\n{} {:?} {:?} {}", column.field, column.kind, column.shape, column.name));
    }
    let version = format!("{:016x}", document_hash("mapping", "", &described));
    Mapping { version, fields: columns.iter().map(|it| it.field.clone()).collect() }
}

impl Relation {
    /// As people write it.
    pub fn shown(&self) -> String {
        match self.schema.as_str() {
            "public" => shown(&self.name),
            schema => format!("{}.{}", shown(schema), shown(&self.name)),
        }
    }

    fn quoted(&self) -> String {
        format!("{}.{}", quote_identifier(&self.schema), quote_identifier(&self.name))
    }

    fn is_called(&self, name: &str) -> bool {
        let in_public = self.schema == "public";
        name == self.shown()
            || name.split_once('.').is_some_and(|(schema, table)| schema == self.schema && table == self.name)
            || name.split_once('.').is_some_and(|(schema, table)| schema == self.schema && table == shown(&self.name))
            || (in_public && name == self.name)
    }
}

fn shown(name: &str) -> String {
    let is_plain = name.bytes().all(|it| matches!(it, b'a'..=b'z' | b'0'..=b'9' | b'_'))
        && !name.starts_with(|it: char| it.is_ascii_digit());
    if is_plain { name.to_owned() } else { quote_identifier(name) }
}

impl Table {
    /// How each column of the key is written.
    pub fn key_parts(&self) -> Vec<Part> {
        self.key.iter().map(|it| self.columns[*it].key_part()).collect()
    }

    /// Whether the column has a helper behind the key in [`Table::select`].
    pub fn arrays(&self) -> impl Iterator<Item = usize> {
        self.columns.iter().enumerate().filter(|(_, it)| it.shape == Shape::Array).map(|(index, _)| index)
    }

    /// The query of one pass: every column, then the key's columns, then per array its text when it cannot be an
    /// array; in key order; after the key `cursor` when there is one.
    pub fn select(&self, cursor: Option<&str>) -> Query {
        let columns = self.columns.iter().map(Column::selected);
        let key = self.key.iter().map(|it| self.columns[*it].key_selected());
        let odd = self.arrays().map(|it| self.columns[it].odd_array());
        let expressions: Vec<String> = columns.chain(key).chain(odd).collect();
        let order: Vec<String> = self.key.iter().map(|it| self.columns[*it].key_ordered()).collect();
        let values = cursor.and_then(|it| key::values(&self.key_parts(), it)).unwrap_or_default();
        let parameters: Vec<String> =
            self.key.iter().zip(1..).map(|(column, number)| self.columns[*column].key_parameter(number)).collect();
        let after = match values.is_empty() {
            true => String::new(),
            false => format!(" where ({}) > ({})", order.join(", "), parameters.join(", ")),
        };
        let sql =
            format!("select {} from {} t{after} order by {}", expressions.join(", "), self.from, order.join(", "));
        Query { sql, parameters: values }
    }
}

/// SQL and its parameters, all of type text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    pub sql: String,
    pub parameters: Vec<String>,
}

/// How far the last run of a table has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    pub table: String,
    pub batch: u64,
    /// In UTC; `None` when it was stopped.
    pub finished_at: Option<String>,
}

/// What a run would mean: how much is read, where it begins.
pub fn outlook(plan: &Plan, standing: &[Standing], batch_rows: usize) -> Vec<String> {
    let rows: u64 = plan.tables.iter().filter_map(|it| it.estimated_rows).sum();
    let mib = plan.tables.iter().map(|it| it.bytes).sum::<u64>().div_ceil(1024 * 1024);
    let mut said = vec![format!(
        "reads about {rows} rows ({mib} MiB) and writes what changed, in batches of {batch_rows} rows or 1 MiB"
    )];
    let unknown: Vec<&str> =
        plan.tables.iter().filter(|it| it.estimated_rows.is_none()).map(|it| it.name.as_str()).collect();
    if !unknown.is_empty() {
        said.push(format!("never analyzed, so nobody knows how many rows: {}", unknown.join(", ")));
    }
    let mut new = Vec::new();
    for table in &plan.tables {
        match standing.iter().rfind(|it| it.table == table.name) {
            Some(Standing { finished_at: None, batch, .. }) => {
                said.push(format!("`{}` was stopped after batch {batch} and goes on there", table.name));
            }
            Some(Standing { finished_at: Some(at), .. }) => {
                said.push(format!("`{}` was synced last {at} UTC", table.name))
            }
            None => new.push(table.name.as_str()),
        }
    }
    if !new.is_empty() {
        said.push(format!("never synced to this mirror, so every row is sent: {}", new.join(", ")));
    }
    said
}

/// Tables that were synced to this mirror and are not at the source any more: dropped or renamed.
pub fn orphans(relations: &[Relation], standing: &[Standing]) -> Vec<String> {
    let mut names: Vec<&str> = standing.iter().map(|it| it.table.as_str()).collect();
    names.retain(|name| !relations.iter().any(|it| it.shown() == *name));
    names.dedup();
    let told = |it: &str| {
        format!("`{it}` is in the mirror from an earlier sync, but not at the source any more: it stays there as it is")
    };
    names.into_iter().map(told).collect()
}

/// What to tell about a plan, beside the tables.
pub fn recommendations(plan: &Plan) -> Vec<String> {
    let mut said = Vec::new();
    for table in &plan.tables {
        if table.has_no_primary_key {
            said.push(format!("`{}` has no primary key and is synced by a unique index: give it one", table.name));
        }
        for column in table.columns.iter().filter(|it| it.field != it.name) {
            said.push(format!(
                "column `{}` of `{}` is field `{}` in the mirror",
                column.name, table.name, column.field
            ));
        }
    }
    let left_out = plan.refused.iter().filter(|it| !it.is_asked);
    said.extend(left_out.map(|it| format!("`{}` is left out: {}; {}", it.table, it.reason, it.hint)));
    said
}

/// Fields that the mirror still has from an older mapping.
pub fn dropped_fields(old: &Mapping, new: &Mapping) -> Vec<String> {
    let kept: HashSet<&String> = new.fields.iter().collect();
    old.fields.iter().filter(|it| !kept.contains(it)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::{CandidateKey, CatalogColumn, Relation, RelationKind, Standing, outlook, plan};

    fn column(number: i16, name: &str, type_oid: u32, is_not_null: bool) -> CatalogColumn {
        CatalogColumn { number, name: name.to_owned(), is_not_null, type_oid, ..CatalogColumn::default() }
    }

    fn relation(schema: &str, name: &str, kind: RelationKind, keys: Vec<CandidateKey>) -> Relation {
        Relation {
            schema: schema.to_owned(),
            name: name.to_owned(),
            kind,
            is_readable: true,
            columns: vec![column(1, "id", 23, true), column(2, "code", 25, true), column(3, "note", 25, false)],
            keys,
            ..Relation::default()
        }
    }

    fn key(is_primary: bool, name: &str, columns: &[i16]) -> CandidateKey {
        CandidateKey { is_primary, name: name.to_owned(), columns: columns.to_vec() }
    }

    fn relations() -> Vec<Relation> {
        let primary = || vec![key(true, "pkey", &[1])];
        vec![
            relation("public", "poles", RelationKind::Table, primary()),
            relation("public", "Odd Name", RelationKind::Table, primary()),
            relation(
                "app",
                "flags",
                RelationKind::Table,
                vec![key(false, "b", &[1, 2]), key(false, "a", &[2]), key(false, "c", &[3])],
            ),
            relation("public", "keyless", RelationKind::Table, vec![key(false, "nullable", &[3])]),
            relation("public", "parts", RelationKind::PartitionedTable, primary()),
            relation("public", "parts_1", RelationKind::Partition, primary()),
            relation("public", "seen", RelationKind::View, vec![]),
            Relation { is_readable: false, ..relation("public", "secret", RelationKind::Table, primary()) },
        ]
    }

    #[test]
    fn by_default_every_table_with_a_key_is_copied_once() {
        let plan = plan(&relations(), &[]);
        let names: Vec<&str> = plan.tables.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["\"Odd Name\"", "app.flags", "parts", "poles"]);
        let refused: Vec<(&str, bool)> = plan.refused.iter().map(|it| (it.table.as_str(), it.is_asked)).collect();
        assert_eq!(refused, [("keyless", false), ("secret", false)]);
    }

    #[test]
    fn what_was_asked_for_is_copied_or_refused_with_a_reason() {
        for (wanted, outcome) in [
            ("poles", ""),
            ("public.poles", ""),
            ("Odd Name", ""),
            ("\"Odd Name\"", ""),
            ("app.flags", ""),
            ("parts", ""),
            ("flags", "write it as `app.flags`"),
            ("nothing", "check the name in `sync.tables`; tables outside schema public are written `schema.table`"),
            ("seen", "sync the tables that it reads"),
            ("parts_1", "sync its parent: the rows come with it"),
        ] {
            let plan = plan(&relations(), &[wanted.to_owned()]);
            assert_eq!(plan.refused.first().map_or("", |it| it.hint.as_str()), outcome, "{wanted}");
            assert_eq!(plan.tables.len() + plan.refused.len(), 1, "{wanted}");
        }
    }

    #[test]
    fn the_outlook_says_how_much_and_from_where() {
        let mut plan = plan(&relations(), &[]);
        plan.tables[2].estimated_rows = Some(120);
        plan.tables[2].bytes = 3_000_000;
        let standing = |table: &str, finished_at: Option<&str>| Standing {
            table: table.to_owned(),
            batch: 4,
            finished_at: finished_at.map(str::to_owned),
        };
        let standing = [standing("parts", None), standing("poles", Some("2026-01-01 00:00:00"))];
        assert_eq!(
            outlook(&plan, &standing, 500),
            [
                "reads about 120 rows (3 MiB) and writes what changed, in batches of 500 rows or 1 MiB",
                "never analyzed, so nobody knows how many rows: \"Odd Name\", app.flags, poles",
                "`parts` was stopped after batch 4 and goes on there",
                "`poles` was synced last 2026-01-01 00:00:00 UTC",
                "never synced to this mirror, so every row is sent: \"Odd Name\", app.flags",
            ]
        );
    }

    #[test]
    fn rows_are_read_in_the_order_of_the_smallest_key() {
        let plan = plan(&relations(), &["app.flags".to_owned(), "parts".to_owned()]);
        let flags = plan.tables[0].select(None).sql;
        assert_eq!(
            flags,
            "select t.\"id\", t.\"code\", t.\"note\", t.\"code\"::text from only \"app\".\"flags\" t \
             order by t.\"code\"::text collate \"C\""
        );
        let parts = plan.tables[1].select(Some("i8000000000000007"));
        assert!(
            parts.sql.ends_with("from \"public\".\"parts\" t where (t.\"id\") > ($1::text::int8) order by t.\"id\""),
            "{}",
            parts.sql
        );
        assert_eq!(parts.parameters, ["7"]);
    }
}
