//! Bodies that we send, checked against schemas of our own: closed, so that a misspelt field is refused, which the
//! published specification would let pass.

use std::{collections::BTreeMap, sync::OnceLock};

use jsonschema::Validator;
use serde_json::Value;

use super::wire::Refusal;

const SCHEMAS: [(&str, &str); 6] = [
    ("project_change", include_str!("schemas/project_change.json")),
    ("branch_create", include_str!("schemas/branch_create.json")),
    ("branch_change", include_str!("schemas/branch_change.json")),
    ("restore", include_str!("schemas/restore.json")),
    ("endpoint_create", include_str!("schemas/endpoint_create.json")),
    ("snapshot_restore", include_str!("schemas/snapshot_restore.json")),
];

/// The body, when it is as its schema says.
pub fn checked(schema: &str, body: Option<&Value>) -> Result<Value, Refusal> {
    static VALIDATORS: OnceLock<BTreeMap<&str, Validator>> = OnceLock::new();
    let validators = VALIDATORS.get_or_init(|| {
        let compiled = |(name, text): &(&'static str, &str)| {
            let schema: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}"));
            let validator = jsonschema::draft202012::options().should_validate_formats(true).build(&schema);
            (*name, validator.unwrap_or_else(|error| panic!("{name}: {error}")))
        };
        SCHEMAS.iter().map(compiled).collect()
    });
    let body = body.cloned().unwrap_or_else(|| Value::Object(serde_json::Map::new()));
    let errors: Vec<String> =
        validators[schema].iter_errors(&body).map(|it| format!("{}: {it}", it.instance_path())).collect();
    if errors.is_empty() { Ok(body) } else { Err(Refusal::new(400, format!("malformed body: {}", errors.join("; ")))) }
}

/// For requests that have no body.
pub fn empty(body: Option<&Value>) -> Result<(), Refusal> {
    if body.is_none() { Ok(()) } else { Err(Refusal::new(400, "this request has no body")) }
}
