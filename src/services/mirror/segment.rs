//! One file of documents, in key order, one per line; and how a document takes a change.

use std::{
    borrow::Cow,
    collections::HashSet,
    fmt::{self, Write as _},
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Write as _},
};

use camino::{Utf8Path, Utf8PathBuf};
use serde::{
    Deserialize,
    de::{Deserializer, Error, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{Mapping, MirrorError, document_hash, manifest::Segment};

/// The field that holds what we know about a document. No column is ever named like it.
pub(super) const STAMP: &str = "neon";

/// Reads a segment line by line and checks the order of its keys, and that they lie where the manifest says: a key
/// elsewhere would be counted and never be found again.
pub(super) struct Reader<'a> {
    path: Utf8PathBuf,
    segment: &'a Segment,
    lines: BufReader<File>,
    text: String,
    line: u64,
    key: String,
    started: bool,
}

impl<'a> Reader<'a> {
    pub fn open(folder: &Utf8Path, segment: &'a Segment) -> Result<Self, MirrorError> {
        let path = folder.join(&segment.file);
        let file = File::open(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => MirrorError::Missing { file: path.clone() },
            _ => inaccessible("read", &path, source),
        })?;
        Ok(Self {
            path,
            segment,
            lines: BufReader::with_capacity(128 * 1024, file),
            text: String::new(),
            line: 0,
            key: String::new(),
            started: false,
        })
    }

    /// Moves to the next line; `false` at the end.
    pub fn advance(&mut self) -> Result<bool, MirrorError> {
        self.text.clear();
        self.line += 1;
        let read = self.lines.read_line(&mut self.text).map_err(|source| match source.kind() {
            io::ErrorKind::InvalidData => self.corrupt("not UTF-8"),
            _ => inaccessible("read", &self.path, source),
        })?;
        if read == 0 {
            return Ok(false);
        }
        let stamped: Stamped<'_> = serde_json::from_str(&self.text).map_err(|reason| self.corrupt(blame(&reason)))?;
        if self.started && *stamped.neon.key <= *self.key {
            return Err(self.corrupt("`neon.key` is not above the one before"));
        }
        if *stamped.neon.key < *self.segment.first || *stamped.neon.key > *self.segment.last {
            return Err(
                self.corrupt("`neon.key` is not between the first and the last that the manifest has for this file")
            );
        }
        self.started = true;
        let Self { key, .. } = self;
        key.clear();
        key.push_str(&stamped.neon.key);
        Ok(true)
    }

    /// The current line's key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The current line without its end.
    pub fn text(&self) -> &str {
        self.text.trim_end_matches(['\n', '\r'])
    }

    /// The current line in parts.
    pub fn document(&self) -> Result<Document<'_>, MirrorError> {
        Document::parse(&self.text).map_err(|reason| self.corrupt(blame(&reason)))
    }

    fn corrupt(&self, reason: impl Into<Cow<'static, str>>) -> MirrorError {
        MirrorError::Corrupt { file: self.path.clone(), line: self.line, reason: reason.into() }
    }
}

/// What is wrong with a line, without quoting any of it.
fn blame(reason: &serde_json::Error) -> String {
    match reason.classify() {
        serde_json::error::Category::Eof => format!("the line ends too early, after column {}", reason.column()),
        serde_json::error::Category::Data => "it has no `neon` with `key` and `hash`".to_owned(),
        serde_json::error::Category::Syntax | serde_json::error::Category::Io => {
            format!("not JSON at column {}", reason.column())
        }
    }
}

#[derive(Deserialize)]
struct Stamped<'a> {
    #[serde(borrow)]
    neon: Stamp<'a>,
}

/// What we know about a document, kept in it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Stamp<'a> {
    #[serde(borrow)]
    pub key: Cow<'a, str>,
    #[serde(borrow)]
    pub hash: Cow<'a, str>,
    #[serde(borrow)]
    pub deleted_at: Option<Cow<'a, str>>,
}

/// A document's fields as they stand in the file, and its stamp.
pub(super) struct Document<'a> {
    fields: Vec<(Cow<'a, str>, &'a RawValue)>,
    pub stamp: Stamp<'a>,
}

impl<'a> Document<'a> {
    fn parse(text: &'a str) -> Result<Self, serde_json::Error> {
        let Fields(mut fields) = serde_json::from_str(text)?;
        let place = fields.iter().position(|(name, _)| name == STAMP).ok_or_else(|| Error::missing_field(STAMP))?;
        let (_, stamp) = fields.remove(place);
        Ok(Self { fields, stamp: serde_json::from_str(stamp.get())? })
    }

    /// The hash of what the document holds now in our fields.
    pub fn hash(&self, mapping: &Mapping) -> u64 {
        document_hash(&mapping.version, &self.stamp.key, &self.ours(mapping))
    }

    /// Our part of the document, written as [`super::Action::Put`] has it.
    pub fn ours(&self, mapping: &Mapping) -> String {
        let mut text = String::from("{");
        // Written by us, our fields stand first and in order; edited by hand they may be anywhere.
        let in_order = mapping.fields.iter().zip(&self.fields).all(|(field, (name, _))| field == name);
        for (index, field) in mapping.fields.iter().enumerate() {
            let found =
                if in_order { self.fields.get(index) } else { self.fields.iter().find(|(name, _)| name == field) };
            if let Some((_, value)) = found {
                push_field(&mut text, field, value.get());
            }
        }
        text.push('}');
        text
    }

    /// The fields that are neither ours nor of columns that are gone: what the destination added.
    pub fn theirs<'b>(
        &'b self,
        mapping: &'b HashSet<&str>,
        unset: &'b [String],
    ) -> impl Iterator<Item = (&'b str, &'b RawValue)> {
        let kept =
            self.fields.iter().filter(|(name, _)| !mapping.contains(&**name) && !unset.iter().any(|it| it == name));
        kept.map(|(name, value)| (&**name, *value))
    }

    /// Whether a field that should be gone is still there.
    pub fn has_any(&self, fields: &[String]) -> bool {
        self.fields.iter().any(|(name, _)| fields.iter().any(|it| it == name))
    }

    /// The line for this document with another stamp.
    pub fn stamped(&self, stamp: &Stamp<'_>) -> String {
        let mut text = String::from("{");
        for (name, value) in &self.fields {
            push_field(&mut text, name, value.get());
        }
        finish(text, stamp)
    }
}

/// The line for a document of ours with the destination's fields behind it.
pub(super) fn line<'a>(
    document: &str,
    theirs: impl Iterator<Item = (&'a str, &'a RawValue)>,
    stamp: &Stamp<'_>,
) -> String {
    let mut text = document.strip_suffix('}').unwrap_or(document).to_owned();
    for (name, value) in theirs {
        push_field(&mut text, name, value.get());
    }
    finish(text, stamp)
}

fn finish(mut text: String, stamp: &Stamp<'_>) -> String {
    if !text.ends_with('{') {
        text.push(',');
    }
    let deleted_at = stamp.deleted_at.as_deref().map_or_else(|| "null".to_owned(), |at| quoted(at).to_string());
    write!(
        text,
        "\"{STAMP}\":{{\"key\":{},\"hash\":{},\"deletedAt\":{deleted_at}}}}}",
        quoted(&stamp.key),
        quoted(&stamp.hash)
    )
    .expect("writing to a string does not fail");
    text
}

fn push_field(text: &mut String, name: &str, value: &str) {
    if !text.ends_with('{') {
        text.push(',');
    }
    write!(text, "{}:{value}", quoted(name)).expect("writing to a string does not fail");
}

/// A string as JSON.
fn quoted(text: &str) -> impl fmt::Display {
    serde_json::Value::from(text)
}

/// Fields in file order, values unread: numbers keep their digits.
struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Fields<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a document")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::with_capacity(16);
                while let Some((Name(name), value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
                    fields.push((name, value));
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// Writes a segment; its name is in no manifest until it is whole and durable.
pub(super) struct Writer {
    path: Utf8PathBuf,
    lines: BufWriter<File>,
    segment: Segment,
}

impl Writer {
    pub fn create(folder: &Utf8Path, number: u64) -> Result<Self, MirrorError> {
        let file = segment_name(number);
        let path = folder.join(&file);
        let lines = File::create(&path).map_err(|source| inaccessible("write", &path, source))?;
        let segment = Segment { file, first: String::new(), last: String::new(), live: 0, deleted: 0, bytes: 0 };
        Ok(Self { path, lines: BufWriter::with_capacity(128 * 1024, lines), segment })
    }

    pub fn push(&mut self, key: &str, line: &str, is_live: bool) -> Result<(), MirrorError> {
        let written = self.lines.write_all(line.as_bytes()).and_then(|()| self.lines.write_all(b"\n"));
        written.map_err(|source| inaccessible("write", &self.path, source))?;
        if self.segment.bytes == 0 {
            key.clone_into(&mut self.segment.first);
        }
        key.clone_into(&mut self.segment.last);
        self.segment.bytes += line.len() as u64 + 1;
        if is_live {
            self.segment.live += 1;
        } else {
            self.segment.deleted += 1;
        }
        Ok(())
    }

    pub fn bytes(&self) -> u64 {
        self.segment.bytes
    }

    /// Appends a whole segment that lies behind this one.
    pub fn append(&mut self, folder: &Utf8Path, other: &Segment) -> Result<(), MirrorError> {
        let path = folder.join(&other.file);
        let mut file = File::open(&path).map_err(|source| inaccessible("read", &path, source))?;
        io::copy(&mut file, &mut self.lines).map_err(|source| inaccessible("write", &self.path, source))?;
        if self.segment.bytes == 0 {
            self.segment.first.clone_from(&other.first);
        }
        self.segment.last.clone_from(&other.last);
        self.segment.live += other.live;
        self.segment.deleted += other.deleted;
        self.segment.bytes += other.bytes;
        Ok(())
    }

    /// Makes the file durable.
    pub fn finish(self) -> Result<Segment, MirrorError> {
        let Self { path, lines, segment } = self;
        let synced = lines.into_inner().map_err(io::IntoInnerError::into_error).and_then(|file| file.sync_all());
        synced.map_err(|source| inaccessible("write", &path, source))?;
        Ok(segment)
    }
}

/// The name of a segment's file.
pub(super) fn segment_name(number: u64) -> String {
    format!("{number:06}.jsonl")
}

pub(super) fn inaccessible(action: &'static str, path: &Utf8Path, source: io::Error) -> MirrorError {
    MirrorError::Inaccessible { action, path: path.to_owned(), source }
}
