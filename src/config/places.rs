//! Where each key and value of the file stands.

use std::{collections::BTreeMap, ops::Range};

use saphyr::{LoadableYamlNode, MarkedYaml, ScanError, YamlData};

/// Steps from the top of the file to a value: keys, and indexes as text.
pub type Path = Vec<String>;

/// Bytes of keys and values, by path.
#[derive(Debug, Default)]
pub struct Places {
    keys: BTreeMap<Path, Range<usize>>,
    values: BTreeMap<Path, Range<usize>>,
}

impl Places {
    /// The value at a path; its key where the value is a collection, the nearest thing around it otherwise.
    pub fn value(&self, path: &[String]) -> Range<usize> {
        self.nearest(path, |path| self.values.get(path).or_else(|| self.keys.get(path)))
    }

    /// The key at a path; the nearest thing around it when there is none.
    pub fn key(&self, path: &[String]) -> Range<usize> {
        self.nearest(path, |path| self.keys.get(path).or_else(|| self.values.get(path)))
    }

    fn nearest<'a>(&'a self, path: &[String], find: impl Fn(&[String]) -> Option<&'a Range<usize>>) -> Range<usize> {
        (0..=path.len()).rev().find_map(|length| find(&path[..length]).cloned()).unwrap_or(0..0)
    }
}

/// What saphyr could not read, and the byte at which it gave up.
pub struct NotYaml {
    pub what: String,
    pub at: usize,
}

/// Finds the places of a text. saphyr is asked only for these; it also refuses what is easily a mistake, a
/// key that stands twice.
pub fn find(text: &str) -> Result<Places, NotYaml> {
    // saphyr counts characters.
    let bytes: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let byte = |characters: usize| bytes.get(characters).copied().unwrap_or(text.len());
    let not_yaml = |error: ScanError| NotYaml { what: error.info().to_owned(), at: byte(error.marker().index()) };
    let documents = MarkedYaml::load_from_str(text).map_err(not_yaml)?;
    if documents.len() > 1 {
        let at = byte(documents[1].span.start.index());
        return Err(NotYaml { what: "a second document starts here".to_owned(), at });
    }
    let mut places = Places::default();
    if let Some(document) = documents.first() {
        note(document, &mut Vec::new(), &mut places, &byte);
        for range in places.keys.values_mut().chain(places.values.values_mut()) {
            range.end = range.start + written(text.get(range.clone()).unwrap_or_default()).len();
        }
    }
    Ok(places)
}

/// saphyr's ranges go on to the next token, over spaces and comments: this is the scalar alone.
fn written(range: &str) -> &str {
    let end = match range.chars().next() {
        Some(quote @ ('"' | '\'')) => {
            let mut escaped = false;
            let closing = range.char_indices().skip(1).find(|(_, character)| {
                let closes = *character == quote && !escaped;
                escaped = quote == '"' && *character == '\\' && !escaped;
                closes
            });
            closing.map_or(range.len(), |(at, _)| at + 1)
        }
        // A block: `#` is text in it.
        Some('|' | '>') => range.len(),
        _ if range.contains('\n') => range.len(),
        _ => range.find(" #").unwrap_or(range.len()),
    };
    range[..end].trim_end()
}

fn note(node: &MarkedYaml<'_>, path: &mut Path, places: &mut Places, byte: &dyn Fn(usize) -> usize) {
    let range = |node: &MarkedYaml<'_>| byte(node.span.start.index())..byte(node.span.end.index());
    match &node.data {
        YamlData::Mapping(entries) => {
            for (key, value) in entries {
                path.push(key.data.as_str().unwrap_or_default().to_owned());
                places.keys.insert(path.clone(), range(key));
                note(value, path, places, byte);
                path.pop();
            }
        }
        YamlData::Sequence(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push(index.to_string());
                note(item, path, places, byte);
                path.pop();
            }
        }
        YamlData::Tagged(_, inner) => note(inner, path, places, byte),
        YamlData::Representation(..) | YamlData::Value(_) | YamlData::Alias(_) | YamlData::BadValue => {
            places.values.insert(path.clone(), range(node));
        }
    }
}
