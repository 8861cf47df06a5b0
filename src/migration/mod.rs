//! A migration: its id, bytes, order; and which of them a database still lacks.

pub mod discover;
pub mod layout;
mod places;
pub mod reading;
pub mod script;
pub mod sending;
pub mod template;

#[cfg(test)]
mod tests;

use std::{
    cmp::Ordering,
    collections::{HashMap, HashSet},
};

use camino::Utf8PathBuf;
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use self::{
    layout::{
        Layout,
        downs::{self, Down},
        parts,
    },
    sending::Part,
};
use crate::sql::{
    self, Change, Place, Span, Statement,
    change::{Transaction, Unread},
};

/// What the history records: the path below the migrations folder, `/` between its parts
/// (`20260101120000_add_x_safe.sql`, `20260101_add_x_safe/up.sql`). Orders as its version number does, then
/// byte by byte.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MigrationId(pub String);

impl Ord for MigrationId {
    fn cmp(&self, other: &Self) -> Ordering {
        script::order(&self.0).cmp(&script::order(&other.0))
    }
}

impl PartialOrd for MigrationId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl std::fmt::Display for MigrationId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// SHA-256, in lower-case hex, of the file's bytes with a BOM removed and CRLF turned into LF.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Checksum(pub String);

impl Checksum {
    /// The checksum of a text. An editor or a checkout that changes line ends does not change it.
    pub fn of(text: &str) -> Self {
        let mut hasher = Sha256::new();
        let mut parts = without_bom(text).split("\r\n");
        hasher.update(parts.next().unwrap_or_default());
        for part in parts {
            hasher.update("\n");
            hasher.update(part);
        }
        Self(HEXLOWER.encode(&hasher.finalize()))
    }
}

impl std::fmt::Display for Checksum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// One migration, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Migration {
    pub id: MigrationId,
    /// As it was found, for messages.
    pub path: Utf8PathBuf,
    /// The name that the naming rule judges: stem without `.sql` and `.up`, or the folder for fixed file names.
    pub name: String,
    /// The whole text without a BOM; spans refer to it.
    pub text: String,
    pub checksum: Checksum,
    /// Those that are applied: all of the file but its down sections.
    pub statements: Vec<Statement>,
    /// As liftlock applies it.
    pub transaction: TransactionMode,
    /// As the runner that it is judged for sends it; the first part starts with the first statement.
    pub parts: Vec<Part>,
    /// Whose file this is.
    pub layout: Layout,
    /// What there is to undo it with.
    pub down: Down,
}

impl Migration {
    /// The statements that the runner sends: all at the top but a `BEGIN` first and a `COMMIT` last, because
    /// the runner's own transaction takes their place.
    pub fn to_run(&self) -> &[Statement] {
        if self.transaction == TransactionMode::Single { unwrapped(&self.statements) } else { &self.statements }
    }
}

/// How the runner runs a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionMode {
    /// All of it in one transaction, together with its history row. A file that is one `BEGIN … COMMIT`
    /// is such a migration too: see [`Migration::to_run`].
    Single,
    /// Statement by statement: it holds one that Postgres refuses inside a transaction block, or its first
    /// line asks for it (`-- no-transaction`).
    PerStatement,
    /// It begins and ends transactions of its own in the middle. No runner can say what such a file has done
    /// when it breaks off, so the planner refuses it: split it into one file per transaction.
    Own,
}

/// One file as it lies on disk, before it is read as SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    pub path: Utf8PathBuf,
    pub id: MigrationId,
    pub text: String,
}

/// What lies beside a migration and belongs to it, and what its own text no longer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Beside {
    /// How many statements its down script holds; `None` when it has none.
    pub down: Option<usize>,
    /// What a file beside it says: `run_in_transaction` of Diesel, `executeInTransaction` of Flyway.
    pub in_transaction: Option<bool>,
    /// Where the first byte stood that belongs to no character; what is read has U+FFFD there.
    pub damage: Option<usize>,
}

/// Reads a file as SQL, as liftlock itself applies it. Total, as [`crate::sql::read`] is.
pub fn read(file: SourceFile) -> Migration {
    read_in(file, Layout::default(), Beside::default())
}

/// The same, as the tool of its layout applies it.
pub fn read_in(file: SourceFile, layout: Layout, beside: Beside) -> Migration {
    let checksum = Checksum::of(&file.text);
    let has_bom = file.text.starts_with(BOM);
    let text = match file.text.strip_prefix(BOM) {
        Some(rest) => rest.to_owned(),
        None => file.text,
    };
    let all = sql::read(&parts::as_sent(layout.tool, &text));
    let (mut statements, in_file) = downs::apart(layout.tool, &text, all);
    // No text that a server takes has a zero byte in it.
    let zero = || text.find('\0').map(|at| if has_bom { at + BOM.len_utf8() } else { at });
    if let Some(damage) = beside.damage.or_else(zero) {
        // Every second byte of UTF-16 is no SQL: one finding says all.
        if is_wide(&text) {
            statements.clear();
        }
        let cut = if has_bom { BOM.len_utf8() } else { 0 };
        tell_damage(&mut statements, damage, damage.saturating_sub(cut), &text);
    }
    let transaction = transaction_mode(&text, &statements);
    Migration {
        name: script::script(&file.id.0).name,
        transaction,
        parts: parts::parts(layout, &text, beside.in_transaction, &statements, transaction),
        layout,
        down: beside.down.map(Down::of).or(in_file).unwrap_or_default(),
        id: file.id,
        path: file.path,
        text,
        checksum,
        statements,
    }
}

/// Whether this starts as UTF-16 does once it was read as UTF-8: with what is left of the byte order mark, or without
/// one, with a letter and a zero byte.
pub fn is_wide(text: &str) -> bool {
    text.starts_with("\u{fffd}\u{fffd}") || text.bytes().take(2).any(|it| it == 0)
}

/// A statement of its own at the place of the damage, so that it is told beside all else; `BEGIN` and `COMMIT` stay first
/// and last. `offset` is that of the file, `at` that of the text.
fn tell_damage(statements: &mut Vec<Statement>, offset: usize, at: usize, text: &str) {
    let behind = statements.partition_point(|it| it.span.end <= at);
    let inside = if statements.len() > 1 { behind.clamp(1, statements.len() - 1) } else { behind };
    let end = (at..=text.len()).skip(1).find(|it| text.is_char_boundary(*it)).unwrap_or(text.len());
    let change = Change::Unread { reason: Unread::NotUtf8 { offset } };
    let span = Span { start: at.min(end), end };
    let damage = Statement { span, change, place: Place::Top, inner: Vec::new(), directives: Vec::new() };
    statements.insert(inside, damage);
}

const BOM: char = '\u{feff}';

fn without_bom(text: &str) -> &str {
    text.strip_prefix(BOM).unwrap_or(text)
}

fn transaction_mode(text: &str, statements: &[Statement]) -> TransactionMode {
    let inner = unwrapped(statements);
    let wrapped = inner.len() < statements.len();
    let forbids = statements.iter().any(|statement| statement.change.forbids_transaction());
    if inner.iter().any(ends_transaction) || (wrapped && forbids) {
        TransactionMode::Own
    } else if forbids || (!wrapped && script::asks_for_no_transaction(text)) {
        TransactionMode::PerStatement
    } else {
        TransactionMode::Single
    }
}

/// Without the `BEGIN` and the `COMMIT` around all of it, when both are there.
fn unwrapped(statements: &[Statement]) -> &[Statement] {
    match statements {
        [first, inner @ .., last]
            if first.change == Change::Transaction(Transaction::Begin)
                && last.change == Change::Transaction(Transaction::Commit) =>
        {
            inner
        }
        _ => statements,
    }
}

fn ends_transaction(statement: &Statement) -> bool {
    let Change::Transaction(transaction) = &statement.change else { return false };
    match transaction {
        Transaction::Begin
        | Transaction::Commit
        | Transaction::Rollback
        | Transaction::PrepareTransaction
        | Transaction::CommitPrepared
        | Transaction::RollbackPrepared => true,
        Transaction::Savepoint | Transaction::Release | Transaction::RollbackTo | Transaction::Characteristics => false,
    }
}

/// What the history says of one migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppliedMigration {
    pub id: MigrationId,
    pub checksum: Checksum,
    pub state: AppliedState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppliedState {
    /// Started and not finished: the next promotion resumes it.
    Running,
    Done,
}

/// Files against history.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pending {
    /// Not applied, or not to the end, in order; `running` ones are among them.
    pub to_apply: Vec<MigrationId>,
    /// Applied or begun, and the file's bytes are different now.
    pub changed: Vec<MigrationId>,
    /// Applied or begun, and no file has this id.
    pub missing: Vec<MigrationId>,
    /// Never begun, and ordered before one that is applied; among `to_apply` too.
    pub out_of_order: Vec<MigrationId>,
    /// Begun and not finished.
    pub running: Vec<MigrationId>,
}

/// Compares the files of the migrations folder with what a database's history says, both in any order.
pub fn pending(files: &[Migration], applied: &[AppliedMigration]) -> Pending {
    let mut files: Vec<&Migration> = files.iter().collect();
    files.sort_by_cached_key(|file| script::order(&file.id.0));
    let known_ids: HashSet<&MigrationId> = files.iter().map(|file| &file.id).collect();
    let rows: HashMap<&MigrationId, &AppliedMigration> = applied.iter().map(|row| (&row.id, row)).collect();
    let last_done = applied.iter().filter(|row| row.state == AppliedState::Done).map(|row| &row.id).max();
    let mut pending = Pending::default();
    for file in files {
        let known = rows.get(&file.id);
        if known.is_some_and(|row| row.checksum != file.checksum) {
            pending.changed.push(file.id.clone());
        }
        match known.map(|row| row.state) {
            Some(AppliedState::Done) => continue,
            Some(AppliedState::Running) => pending.running.push(file.id.clone()),
            None if last_done.is_some_and(|last| file.id < *last) => pending.out_of_order.push(file.id.clone()),
            None => {}
        }
        pending.to_apply.push(file.id.clone());
    }
    let without_file = |row: &&AppliedMigration| !known_ids.contains(&row.id);
    pending.missing = applied.iter().filter(without_file).map(|row| row.id.clone()).collect();
    pending.missing.sort();
    pending
}
