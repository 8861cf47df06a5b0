//! A type as Postgres resolves its spelling: `varchar( 20 )` is `character varying(20)`.

use std::fmt;

/// A type without its spelling: `varchar(20)` and `character varying( 20 )` are equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataType {
    /// Postgres's own name for a built-in type (`integer`, `character varying`), else the name as written,
    /// unquoted, without `public.`.
    pub name: String,
    /// What stands in its parentheses, `None` for none: the length, or precision and scale.
    pub modifiers: Option<Vec<String>>,
    /// `interval`'s finest field, 0 for `year` and `month` to 4 for `second`, which is also that of no field.
    pub finest: u8,
    /// The range of fields as written, for equality.
    pub fields: String,
    pub array: bool,
}

/// Reads a type as written in a migration. Total: what it does not know keeps its name.
pub fn read(written: &str) -> DataType {
    let mut text = written.trim().to_owned();
    let mut array = false;
    while let Some(start) = text.strip_suffix(']').and_then(|it| it.rfind('[')) {
        array = true;
        text.truncate(start);
    }
    let mut text = text.trim().to_owned();
    if let Some(element) = text.strip_suffix(" array") {
        array = true;
        text = element.trim().to_owned();
    }
    let (words, modifiers) = match (text.find('('), text.find(')')) {
        (Some(open), Some(close)) if open < close => {
            let modifiers = text[open + 1..close].split(',').map(|it| it.trim().to_owned()).collect();
            (format!("{} {}", &text[..open], &text[close + 1..]), Some(modifiers))
        }
        _ => (text, None),
    };
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    named(&words, modifiers, array)
}

fn named(words: &str, modifiers: Option<Vec<String>>, array: bool) -> DataType {
    let quoted = words.starts_with('"') && words != "\"char\"";
    let words = words.strip_prefix("pg_catalog.").unwrap_or(words);
    let words = words.strip_prefix("public.").unwrap_or(words);
    let fields = words.strip_prefix("interval ").unwrap_or_default().to_owned();
    let one = || Some(vec!["1".to_owned()]);
    let (name, modifiers) = match words {
        _ if quoted => (words.trim_matches('"'), modifiers),
        "int" | "int4" | "integer" | "serial" | "serial4" => ("integer", None),
        "int8" | "bigint" | "bigserial" | "serial8" => ("bigint", None),
        "int2" | "smallint" | "smallserial" | "serial2" => ("smallint", None),
        "bool" | "boolean" => ("boolean", None),
        "float" => (float(modifiers.as_deref()), None),
        "float8" | "double precision" => ("double precision", None),
        "float4" | "real" => ("real", None),
        "decimal" | "dec" | "numeric" => ("numeric", modifiers),
        "varchar"
        | "character varying"
        | "char varying"
        | "national character varying"
        | "nchar varying"
        | "national char varying" => ("character varying", modifiers),
        "char" | "character" | "nchar" | "national character" | "national char" => {
            ("character", modifiers.or_else(one))
        }
        // `bpchar` without a length is the only spelling of `character` that has none.
        "bpchar" => ("character", modifiers),
        "bit" => ("bit", modifiers.or_else(one)),
        "varbit" | "bit varying" => ("bit varying", modifiers),
        "timestamptz" | "timestamp with time zone" => ("timestamp with time zone", modifiers),
        "timestamp" | "timestamp without time zone" => ("timestamp", modifiers),
        "timetz" | "time with time zone" => ("time with time zone", modifiers),
        "time" | "time without time zone" => ("time", modifiers),
        _ if words == "interval" || !fields.is_empty() => ("interval", modifiers),
        other => (other, modifiers),
    };
    let finest = finest(&fields);
    DataType { name: name.replace('"', ""), modifiers, finest, fields, array }
}

/// `float(n)` is `real` up to 24 bits.
fn float(modifiers: Option<&[String]>) -> &'static str {
    match modifiers.and_then(|it| it.first()).and_then(|it| it.parse::<u32>().ok()) {
        Some(bits) if bits <= 24 => "real",
        _ => "double precision",
    }
}

fn finest(fields: &str) -> u8 {
    match fields.rsplit(' ').next().unwrap_or_default() {
        "year" | "month" => 0,
        "day" => 1,
        "hour" => 2,
        "minute" => 3,
        _ => 4,
    }
}

/// As `format_type` writes it, but for `timestamp` and `time` without a zone and for spaces between modifiers.
impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let modifiers = self.modifiers.as_ref().map(|it| format!("({})", it.join(","))).unwrap_or_default();
        match self.name.strip_suffix(" with time zone") {
            Some(start) => write!(f, "{start}{modifiers} with time zone")?,
            None if self.fields.is_empty() => write!(f, "{}{modifiers}", self.name)?,
            None => write!(f, "{} {}{modifiers}", self.name, self.fields)?,
        }
        f.write_str(if self.array { "[]" } else { "" })
    }
}
