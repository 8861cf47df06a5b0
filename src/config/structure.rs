//! Keys and types, judged by the JSON Schema.

use std::collections::BTreeSet;

use jsonschema::{ValidationError, Validator, error::ValidationErrorKind};
use serde_json::Value;

use super::{
    complaint::Complaint,
    nearest::nearest,
    places::{Path, Places},
};

/// Keys that other versions of liftlock have, or will have.
const NOT_IN_THIS_VERSION: [&str; 1] = ["provider"];

/// Complains about keys and types, and takes what was complained about out of the document, so that the
/// rest can be judged too.
pub fn judge(document: &mut Value, schema: &Value, places: &Places) -> Vec<Complaint> {
    let validator = Validator::new(schema).expect("the schema is made from our own types");
    let mut complaints = Vec::new();
    let mut wrong: BTreeSet<Path> = BTreeSet::new();
    for error in validator.iter_errors(document).flat_map(meant) {
        let path: Path = steps(error.instance_path().as_str());
        let subject = error.schema_path().as_str().rsplit_once('/').map_or("", |(parent, _)| parent);
        let subject = schema.pointer(subject).unwrap_or(&Value::Null);
        match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected } => {
                for key in unexpected {
                    let path: Path = path.iter().chain([key]).cloned().collect();
                    complaints.push(unknown_key(&path, subject, schema, places));
                    wrong.insert(path);
                }
            }
            ValidationErrorKind::Required { property } => {
                let key = property.as_str().unwrap_or_default();
                complaints.push(missing_key(&path, key, subject, places));
            }
            // Durations are read, and complained about, where their variables are known.
            ValidationErrorKind::Pattern { .. } => {}
            ValidationErrorKind::Type { .. } => {
                complaints.push(wrong_type(&path, error.instance(), subject, places));
                wrong.insert(path);
            }
            _ => {
                complaints.push(wrong_value(&path, error.instance(), subject, places));
                wrong.insert(path);
            }
        }
    }
    wrong.iter().for_each(|path| remove(document, path));
    complaints
}

/// Where a value may have several forms: what is wrong with the form that it has.
fn meant(error: ValidationError<'_>) -> Vec<ValidationError<'_>> {
    let own = error.instance_path().as_str().to_owned();
    let ValidationErrorKind::AnyOf { context } = error.kind() else { return vec![error] };
    let of_other_form = |it: &ValidationError<'_>| {
        matches!(it.kind(), ValidationErrorKind::Type { .. }) && it.instance_path().as_str() == own
    };
    let fits = |form: &&Vec<ValidationError<'static>>| !form.iter().any(of_other_form);
    let Some(at) = context.iter().position(|form| fits(&form)) else { return vec![error] };
    match error.into_parts().kind {
        ValidationErrorKind::AnyOf { mut context } => context.swap_remove(at),
        _ => Vec::new(),
    }
}

fn steps(pointer: &str) -> Path {
    pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~")).collect()
}

/// `environments.production.after`, or `the file` for its top.
pub fn dotted(path: &[String]) -> String {
    if path.is_empty() { "the file".to_owned() } else { format!("`{}`", shown(&path.join("."))) }
}

/// A key as it may be shown: no secret, and not endless.
pub fn shown(key: &str) -> String {
    let masked = super::clear::masked(key, &[]);
    if masked.chars().count() > 60 { masked.chars().take(60).chain(['…']).collect() } else { masked }
}

/// Complains about a secret in clear.
pub fn secret_in_clear(path: &[String], places: &Places) -> Complaint {
    Complaint::SecretInClear { place: dotted(path), variable: variable_for(path), span: places.value(path).into() }
}

/// A name for the variable that should hold the value at a path: `DATABASE_URL_STAGING`.
fn variable_for(path: &[String]) -> String {
    let steps: Vec<&str> = path.iter().map(String::as_str).collect();
    match steps.as_slice() {
        ["environments", name, "database"] => format!("DATABASE_URL_{}", constant(name)),
        ["environments", _, "neon", "api_key"] => "NEON_API_KEY".to_owned(),
        ["sync", "to", key @ ("deploy_key" | "sync_auth_key")] => format!("CONVEX_{}", constant(key)),
        ["audit", "webhook"] => "AUDIT_WEBHOOK_URL".to_owned(),
        ["audit", "secret"] => "AUDIT_WEBHOOK_SECRET".to_owned(),
        [.., last] => constant(last),
        [] => "SECRET".to_owned(),
    }
}

fn constant(name: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    shown(name).chars().map(letter).collect()
}

fn unknown_key(path: &[String], subject: &Value, schema: &Value, places: &Places) -> Complaint {
    let (key, parent) = path.split_last().expect("an unexpected key has a name");
    let known = keys(subject);
    let span = places.key(path).into();
    if NOT_IN_THIS_VERSION.contains(&key.as_str()) {
        return Complaint::LaterKey { key: key.clone(), place: dotted(parent), span };
    }
    let help = match (nearest(key, known.iter().copied()), home_of(key, schema, "")) {
        (Some(meant), _) => format!("did you mean `{meant}`?"),
        (None, Some(home)) => format!("`{key}` belongs in `{home}`"),
        (None, None) => format!("known here: {}", known.join(", ")),
    };
    Complaint::UnknownKey { key: shown(key), place: dotted(parent), help, span }
}

fn keys(schema: &Value) -> Vec<&str> {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.map(|properties| properties.keys().map(String::as_str).collect()).unwrap_or_default()
}

/// Where in the file a key of this name is known.
fn home_of(key: &str, schema: &Value, home: &str) -> Option<String> {
    let below = |step: &str| if home.is_empty() { step.to_owned() } else { format!("{home}.{step}") };
    if !home.is_empty() && keys(schema).contains(&key) {
        return Some(home.to_owned());
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    let in_properties =
        properties.and_then(|all| all.iter().find_map(|(name, inner)| home_of(key, inner, &below(name))));
    let any = schema.get("additionalProperties").filter(|inner| inner.is_object());
    in_properties.or_else(|| any.and_then(|inner| home_of(key, inner, &below("NAME"))))
}

fn missing_key(path: &[String], key: &str, subject: &Value, places: &Places) -> Complaint {
    let inner = subject.get("properties").and_then(|all| all.get(key)).unwrap_or(&Value::Null);
    let line = match example(inner) {
        Some(example) if example.starts_with("${") => format!("add `{key}: \"{example}\"`"),
        Some(example) => format!("add `{key}: {example}`"),
        None => format!("add `{key}:`"),
    };
    let help = description(inner).map_or(line.clone(), |meaning| format!("{line}. {meaning}"));
    Complaint::MissingKey { key: key.to_owned(), place: dotted(path), help, span: places.key(path).into() }
}

fn wrong_type(path: &[String], found: &Value, subject: &Value, places: &Places) -> Complaint {
    let wanted = subject.get("type").and_then(Value::as_str).map_or("something else", type_name);
    let found = match found {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    };
    let help = example(subject).map(|example| format!("for example `{example}`"));
    Complaint::WrongType { place: dotted(path), wanted, found, help, span: places.value(path).into() }
}

fn type_name(name: &str) -> &'static str {
    match name {
        "string" => "text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "a mapping of keys to values",
        _ => "something else",
    }
}

fn wrong_value(path: &[String], found: &Value, subject: &Value, places: &Places) -> Complaint {
    let span = places.value(path).into();
    let choices = choices(subject);
    let help = match (subject.get("minimum"), subject.get("maximum")) {
        (Some(least), Some(most)) => format!("from {least} to {most}"),
        _ if subject.get("minLength").is_some() => "it is empty: remove it, or write what is meant".to_owned(),
        _ => {
            let one_of = format!("one of {}", choices.join(", "));
            let meant = found.as_str().and_then(|found| nearest(found, choices));
            meant.map_or(one_of.clone(), |meant| format!("{one_of}; did you mean `{meant}`?"))
        }
    };
    Complaint::WrongValue { place: dotted(path), help, span }
}

fn choices(schema: &Value) -> Vec<&str> {
    let plain = schema.get("enum").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let described = schema.get("oneOf").and_then(Value::as_array).into_iter().flatten();
    let forms = schema.get("anyOf").and_then(Value::as_array).into_iter().flatten().flat_map(choices);
    let plain = plain.chain(forms);
    plain.chain(described.filter_map(|choice| choice.get("const").and_then(Value::as_str))).collect()
}

fn example(schema: &Value) -> Option<&str> {
    schema.get("examples")?.get(0)?.as_str()
}

fn description(schema: &Value) -> Option<&str> {
    schema.get("description")?.as_str()
}

/// Takes out what there are complaints about already.
pub fn remove(document: &mut Value, path: &[String]) {
    let Some((last, parents)) = path.split_last() else {
        *document = Value::Object(serde_json::Map::new());
        return;
    };
    let parent = parents.iter().try_fold(document, |value, step| match value {
        Value::Object(keys) => keys.get_mut(step),
        Value::Array(items) => step.parse::<usize>().ok().and_then(|index| items.get_mut(index)),
        _ => None,
    });
    match parent {
        Some(Value::Object(keys)) => {
            keys.remove(last);
        }
        // Emptied, not removed: the places of the items behind it must stay true.
        Some(Value::Array(items)) => {
            if let Some(item) = last.parse::<usize>().ok().and_then(|index| items.get_mut(index)) {
                *item = Value::String(String::new());
            }
        }
        _ => {}
    }
}
