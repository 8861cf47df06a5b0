//! A step as a migration of its tool: sections, marks, and the files beside it.

use crate::{
    migration::{
        Beside, MigrationId,
        layout::{Layout, Tool, Transactions, marker, parts::way_out_line},
        script,
    },
    report::{FixStep, Run},
};

use super::amend::Refused;

/// A file's text around the statements that are applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame<'t> {
    /// Up to the end of the line that starts the section.
    pub before: &'t str,
    pub up: &'t str,
    /// From the line that starts the down section on.
    pub after: &'t str,
}

/// Where the applied statements stand in a file of this tool.
pub fn frame(tool: Tool, text: &str) -> Result<Frame<'_>, Refused> {
    let (up, down) = match tool {
        Tool::Goose => ("+goose up", "+goose down"),
        Tool::SqlMigrate => ("+migrate up", "+migrate down"),
        Tool::Dbmate => ("migrate:up", "migrate:down"),
        _ => return Ok(Frame { before: "", up: text, after: "" }),
    };
    let (mut starts, mut ends, mut at) = (Vec::new(), Vec::new(), 0);
    for line in text.split_inclusive('\n') {
        let comment = marker::comment(line).unwrap_or_default();
        if comment.to_ascii_lowercase().starts_with("+goose statement")
            || comment.to_ascii_lowercase().starts_with("+migrate statement")
        {
            return Err(Refused("a statement of its file stands between StatementBegin and StatementEnd".to_owned()));
        }
        if marker::is(comment, up) {
            starts.push(at + line.len());
        } else if marker::is(comment, down) {
            ends.push(at);
        }
        at += line.len();
    }
    match (starts.as_slice(), ends.as_slice()) {
        ([start], []) => Ok(Frame { before: &text[..*start], up: &text[*start..], after: "" }),
        ([start], [end]) if start <= end => {
            Ok(Frame { before: &text[..*start], up: &text[*start..*end], after: &text[*end..] })
        }
        _ => Err(Refused("its file has several sections".to_owned())),
    }
}

/// Why migrations of their own are of no use with this tool, or cannot be written by it; and what to do.
pub fn refusal(layout: Layout, steps: &[&FixStep]) -> Option<String> {
    let title = layout.tool.title();
    if layout.transactions == Transactions::Batch {
        return Some(format!(
            "{title} applies all pending migrations in one transaction, so a migration of its own releases no lock: \
             release it apart, or run its SQL by hand (`--format json` has it)"
        ));
    }
    let outside = steps.iter().any(|it| it.run == Run::Alone);
    let by_hand = match layout.tool {
        Tool::Atlas => "write it with `atlas migrate new`, then run `atlas migrate hash`",
        Tool::Drizzle => "write it with `drizzle-kit generate --custom`, which lists it in the journal",
        Tool::GraphileMigrate => {
            "each file names the digest of the one before: commit it with `graphile-migrate commit`"
        }
        Tool::NodePgMigrate if outside => "only migrations in JavaScript leave its transaction: `pgm.noTransaction()`",
        Tool::Pop if outside => "no file of pop's leaves its transaction: run it by hand before the next deployment",
        Tool::NodePgMigrate | Tool::Postgrator => "make the files with that tool",
        _ => return None,
    };
    Some(format!("{by_hand}; `--format json` has the SQL"))
}

/// A `DO` block that commits: it changes rows, and nothing else says that it needs to be outside a transaction.
pub fn is_block(step: &FixStep) -> bool {
    step.run == Run::Alone && step.sql.get(..3).is_some_and(|it| it.eq_ignore_ascii_case("do "))
}

/// The file of a step that stands alone in it: what stood around the statement, marked.
pub fn marked(tool: Tool, frame: &Frame, step: &FixStep) -> String {
    let before = frame.before;
    if step.run != Run::Alone {
        return before.to_owned();
    }
    let is_there = |wanted: &str| marker::lines(before).chain(marker::lines(frame.up)).any(|it| marker::is(it, wanted));
    match tool {
        Tool::Dbmate if !before.contains("transaction:false") => {
            let line = before.trim_end_matches(['\r', '\n']);
            format!("{} transaction:false\n", line.trim_end())
        }
        Tool::SqlMigrate if !is_there("+migrate up notransaction") => {
            format!("{} notransaction\n", before.trim_end())
        }
        Tool::Goose if !is_there("+goose no transaction") => format!("{}{before}", way_out_line(tool)),
        _ => before.to_owned(),
    }
}

/// The first lines of a file whose tool has no sections.
pub fn first_line(tool: Tool, text: &str, step: &FixStep) -> &'static str {
    let line = match tool {
        Tool::Refinery | Tool::Sqlx if step.run == Run::Alone => way_out_line(tool),
        Tool::Liftlock | Tool::Supabase | Tool::GolangMigrate | Tool::Prisma if is_block(step) => "-- no-transaction\n",
        _ => "",
    };
    if text.starts_with(line.trim_end()) { "" } else { line }
}

/// A new file: its head, its statements, and a down section where its neighbour has one.
pub fn new_file(tool: Tool, head: &str, step: &FixStep, down_of: Option<&str>) -> String {
    let sql = step.sql.trim_end();
    let alone = step.run == Run::Alone;
    let block =
        |begin: &str, end: &str| if is_block(step) { format!("{begin}{sql}\n{end}") } else { format!("{sql}\n") };
    let (mut text, down) = match tool {
        Tool::Goose => {
            let mark = if alone { way_out_line(tool) } else { "" };
            let sql = block("-- +goose StatementBegin\n", "-- +goose StatementEnd\n");
            (format!("{mark}{head}-- +goose Up\n{sql}"), "-- +goose Down")
        }
        Tool::SqlMigrate => {
            let mark = if alone { " notransaction" } else { "" };
            let sql = block("-- +migrate StatementBegin\n", "-- +migrate StatementEnd\n");
            (format!("{head}-- +migrate Up{mark}\n{sql}"), "-- +migrate Down")
        }
        Tool::Dbmate => {
            let mark = if alone { " transaction:false" } else { "" };
            (format!("{head}-- migrate:up{mark}\n{sql}\n"), "-- migrate:down")
        }
        _ => (format!("{}{head}{sql}\n", first_line(tool, "", step)), ""),
    };
    if let Some(file) = down_of.filter(|_| !down.is_empty()) {
        text.push_str(&format!("\n{down}\n{}", undone(file)));
    }
    text
}

/// What a down part says when another one undoes it all.
fn undone(file: &str) -> String {
    format!("-- undone by the down part of {file}\nselect 1;\n")
}

/// A file beside a migration that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Companion {
    pub of: MigrationId,
    /// Below the folder of the migrations.
    pub id: String,
    pub text: String,
    pub says: Beside,
}

/// What must lie beside a new file, or beside the old one when its statement now stands alone in it.
pub fn companions(tool: Tool, id: &MigrationId, step: &FixStep, down_of: Option<&str>) -> Vec<Companion> {
    let mut files = Vec::new();
    let says = Beside { down: down_of.map(|_| 1), ..Beside::default() };
    let outside = Beside { in_transaction: Some(false), ..says };
    let folder = id.0.strip_suffix("up.sql").filter(|it| it.ends_with('/'));
    let alone = step.run == Run::Alone;
    let companion = |id: String, text: String, says| Companion { of: MigrationId(String::new()), id, text, says };
    match (tool, folder) {
        (Tool::Flyway, _) if is_block(step) => {
            files.push(companion(format!("{id}.conf"), "executeInTransaction=false\n".to_owned(), outside));
        }
        (Tool::Diesel, Some(folder)) if alone => {
            files.push(companion(format!("{folder}metadata.toml"), "run_in_transaction = false\n".to_owned(), outside));
        }
        _ => {}
    }
    let down = match (folder, id.0.strip_suffix(".up.sql")) {
        (Some(folder), _) => Some(format!("{folder}down.sql")),
        (None, Some(stem)) => Some(format!("{stem}.down.sql")),
        (None, None) => None,
    };
    if let (Some(down), Some(file)) = (down, down_of) {
        let says = if files.is_empty() { says } else { outside };
        files.push(companion(down, undone(file), says));
    }
    files.iter_mut().for_each(|it| it.of = id.clone());
    files
}

/// The version that a name starts with, as it is written, and how the next one is; `None` where nobody knows.
pub fn version(tool: Tool, id: &str) -> Option<Version> {
    let name = script::script(id).name;
    let flyway = name.starts_with(['V', 'v']) && name.contains("__");
    let rest = if flyway { &name[1..] } else { name.as_str() };
    let (form, length) = if flyway { underscored(rest) } else { None }.or_else(|| form(rest))?;
    let dotted = matches!(tool, Tool::Liftlock | Tool::Flyway);
    Some(Version { text: rest[..length].to_owned(), form, may_be_dotted: dotted })
}

/// A version as a file's name has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    pub text: String,
    form: Form,
    may_be_dotted: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Number,
    /// `20260131120000`
    Time,
    /// `2026-01-31-120000`
    Dashed,
    /// `12.1`
    Dotted,
    /// `12_1`, as Flyway takes it for the same.
    Underscored,
}

fn underscored(rest: &str) -> Option<(Form, usize)> {
    let (text, _) = rest.split_once("__")?;
    let is_number = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
    (text.contains('_') && text.split('_').all(is_number)).then_some((Form::Underscored, text.len()))
}

fn form(name: &str) -> Option<(Form, usize)> {
    const DASHED: &str = "%Y-%m-%d-%H%M%S";
    if let Some(head) = name.get(..17)
        && jiff::civil::DateTime::strptime(DASHED, head).is_ok()
        && name[17..].starts_with('_')
    {
        return Some((Form::Dashed, 17));
    }
    let length = name.bytes().take_while(|it| it.is_ascii_digit() || *it == b'.').count();
    let (text, rest) = name.split_at(length);
    let more = rest.trim_start_matches(['_', '-']).starts_with(|it: char| it.is_ascii_digit());
    let ends = rest.is_empty() || rest.starts_with(['_', '-']);
    if !ends || more || !text.split('.').all(|it| !it.is_empty()) {
        return None;
    }
    let is_time = text.len() == 14 && jiff::civil::DateTime::strptime("%Y%m%d%H%M%S", text).is_ok();
    let form = if text.contains('.') {
        Form::Dotted
    } else if is_time {
        Form::Time
    } else {
        Form::Number
    };
    Some((form, length))
}

impl Version {
    /// The next second, the next number in the same width.
    pub fn next(&self) -> Option<Self> {
        let time = |format: &str| {
            let time = jiff::civil::DateTime::strptime(format, &self.text).ok()?;
            Some(time.checked_add(jiff::Span::new().seconds(1)).ok()?.strftime(format).to_string())
        };
        let text = match self.form {
            Form::Time => time("%Y%m%d%H%M%S")?,
            Form::Dashed => time("%Y-%m-%d-%H%M%S")?,
            Form::Number => {
                let next = self.text.parse::<u64>().ok()?.checked_add(1)?;
                format!("{next:0>width$}", width = self.text.len())
            }
            Form::Dotted => {
                let (head, last) = self.text.rsplit_once('.')?;
                format!("{head}.{}", last.parse::<u64>().ok()?.checked_add(1)?)
            }
            Form::Underscored => {
                let (head, last) = self.text.rsplit_once('_')?;
                format!("{head}_{}", last.parse::<u64>().ok()?.checked_add(1)?)
            }
        };
        Some(Self { text, ..self.clone() })
    }

    /// Between this one and the next whole one: `12.1`. Only where the tool orders those so.
    pub fn below(&self) -> Option<Self> {
        let (form, sign) = match self.form {
            Form::Number | Form::Dotted => (Form::Dotted, '.'),
            Form::Underscored => (Form::Underscored, '_'),
            Form::Time | Form::Dashed => return None,
        };
        self.may_be_dotted.then(|| Self { text: format!("{}{sign}1", self.text), form, ..self.clone() })
    }
}
