//! Reads the mirror as somebody would who knows only its documentation, and lets Postgres judge the values.

use std::{collections::BTreeMap, fmt::Debug};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use camino::Utf8Path;
use liftlock::services::postgres::ToSql;
use serde_json::Value;

use crate::support::TestDatabase;

/// Documents of a mirrored table by key, deleted ones included. Segments in the manifest's order must give rising
/// keys.
pub fn documents(folder: &Utf8Path) -> BTreeMap<String, Value> {
    let mut documents = BTreeMap::new();
    let Ok(manifest) = std::fs::read_to_string(folder.join("manifest.json")) else { return documents };
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    let mut last = None;
    for segment in manifest["segments"].as_array().unwrap() {
        let text = std::fs::read_to_string(folder.join(segment["file"].as_str().unwrap())).unwrap();
        for line in text.lines() {
            let document: Value = serde_json::from_str(line).unwrap();
            let key = document["neon"]["key"].as_str().unwrap().to_owned();
            assert!(last.as_ref().is_none_or(|last| *last < key), "{last:?} before {key}");
            last = Some(key.clone());
            documents.insert(key, document);
        }
    }
    documents
}

/// Those that are not marked as deleted.
pub fn live(folder: &Utf8Path) -> BTreeMap<String, Value> {
    let mut documents = documents(folder);
    documents.retain(|_, it| it["neon"]["deletedAt"].is_null());
    documents
}

/// The folder holds exactly the rows of `select`, value by value.
pub async fn assert_equal(database: &TestDatabase, folder: &Utf8Path, from: &str, columns: &[(&str, &str, &str)]) {
    let documents: Vec<Value> = live(folder).into_values().collect();
    assert_documents(database, &documents, from, columns).await;
}

/// The documents are exactly the rows of `select`, value by value. `columns` are field, SQL expression and type;
/// each mirrored value is given back to Postgres as input for the type, and its text compared with the source's.
pub async fn assert_documents(
    database: &TestDatabase,
    documents: &[Value],
    from: &str,
    columns: &[(impl AsRef<str>, impl AsRef<str>, impl AsRef<str>)],
) {
    let session = database.session().await;
    let mut given: Vec<Vec<Option<String>>> = Vec::new();
    for (field, expression, kind) in columns {
        let (field, expression, kind) = (field.as_ref(), expression.as_ref(), kind.as_ref());
        let sql = format!("select ({expression})::{kind}::text from {from}");
        let rows = session.query(&sql, &[]).await.unwrap();
        let mut sourced: Vec<Option<String>> = rows.iter().map(|it| it.get(0)).collect();
        let inputs: Vec<Option<String>> = documents.iter().map(|it| input(&it[field], kind)).collect();
        let sql = format!("select v::{kind}::text from unnest($1::text[]) u (v)");
        let rows =
            session.query(&sql, &[&inputs]).await.unwrap_or_else(|error| panic!("{field}: {error:?} {inputs:?}"));
        let mut mirrored: Vec<Option<String>> = rows.iter().map(|it| it.get(0)).collect();
        sourced.sort();
        mirrored.sort();
        assert!(mirrored == sourced, "{from}, {field}: {}", first_difference(&mirrored, &sourced));
        given.push(inputs);
    }
    // Each column holds the right values; whole rows say that they are in the right documents.
    let whole: Vec<String> = columns
        .iter()
        .map(|(_, expression, kind)| format!("({})::{}::text", expression.as_ref(), kind.as_ref()))
        .collect();
    let sql = format!("select array[{}] from {from}", whole.join(", "));
    let mut rows: Vec<Vec<Option<String>>> =
        session.query(&sql, &[]).await.unwrap().iter().map(|it| it.get(0)).collect();
    let numbers = 1..=columns.len();
    let casts: Vec<String> =
        columns.iter().zip(numbers.clone()).map(|((.., kind), n)| format!("c{n}::{}::text", kind.as_ref())).collect();
    let arrays: Vec<String> = numbers.clone().map(|n| format!("${n}::text[]")).collect();
    let names: Vec<String> = numbers.map(|n| format!("c{n}")).collect();
    let sql = format!("select array[{}] from unnest({}) u ({})", casts.join(", "), arrays.join(", "), names.join(", "));
    let parameters: Vec<&(dyn ToSql + Sync)> = given.iter().map(|it| it as &(dyn ToSql + Sync)).collect();
    let mut back: Vec<Vec<Option<String>>> =
        session.query(&sql, &parameters).await.unwrap().iter().map(|it| it.get(0)).collect();
    rows.sort();
    back.sort();
    assert!(back == rows, "{from}: {}", first_difference(&back, &rows));
    session.close().await;
}

fn first_difference<T: Debug + PartialEq>(mirrored: &[T], sourced: &[T]) -> String {
    let place = mirrored.iter().zip(sourced).position(|(one, other)| one != other);
    let place = place.unwrap_or(mirrored.len().min(sourced.len()));
    format!(
        "{} mirrored and {} at the source; the first that differs: {:?} and {:?}",
        mirrored.len(),
        sourced.len(),
        mirrored.get(place),
        sourced.get(place)
    )
}

/// A mirrored value as input text for Postgres.
fn input(value: &Value, kind: &str) -> Option<String> {
    if value.is_null() && !kind.starts_with("json") {
        return None;
    }
    Some(match value {
        // A JSON null and SQL's are one in the mirror.
        Value::Null => return None,
        Value::Bool(it) => it.to_string(),
        Value::Number(it) => it.to_string(),
        // A JSON column that Convex cannot hold is its text; one that is a JSON string is that string.
        Value::String(it) if kind.starts_with("json") && !kind.ends_with("[]") && !looks_like_json(it) => {
            value.to_string()
        }
        Value::String(it) => it.clone(),
        Value::Array(_) if kind.starts_with("json") && !kind.ends_with("[]") => value.to_string(),
        Value::Array(elements) => {
            let inner: Vec<String> = elements.iter().map(|it| element(it, kind)).collect();
            format!("{{{}}}", inner.join(","))
        }
        Value::Object(fields) => match fields.iter().next() {
            Some((name, marked)) if name.starts_with('$') => {
                special(name, &BASE64_STANDARD.decode(marked.as_str().unwrap()).unwrap())
            }
            _ => value.to_string(),
        },
    })
}

fn element(value: &Value, kind: &str) -> String {
    match (value, input(value, kind)) {
        (_, None) => "NULL".to_owned(),
        (Value::Array(_), Some(nested)) => nested,
        (_, Some(text)) => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
    }
}

fn looks_like_json(text: &str) -> bool {
    text.starts_with(['{', '[', '-']) || text.starts_with(|it: char| it.is_ascii_digit())
}

fn special(name: &str, bytes: &[u8]) -> String {
    match name {
        "$integer" => i64::from_le_bytes(bytes.try_into().unwrap()).to_string(),
        "$float" => {
            let number = f64::from_le_bytes(bytes.try_into().unwrap());
            assert!(!number.is_finite() || number == 0.0 && number.is_sign_negative(), "{number} needs no mark");
            number.to_string()
        }
        "$bytes" => bytes.iter().fold(String::from("\\x"), |text, byte| format!("{text}{byte:02x}")),
        other => panic!("{other}"),
    }
}
