//! The intent log: what was about to be done, what was done.
//!
//! An entry is written before each step and after it, each in a transaction of its own, so that whoever comes
//! after a crash knows where to go on. Entries are JSON with a version; an older entry is read with defaults
//! for what it lacks, a newer version is refused rather than misread.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    path::PathBuf,
};

use jiff::Timestamp;
use miette::Diagnostic;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

use super::{
    approval::record::Record,
    chronicle,
    line::Line,
    outbox,
    plan::{Plan, StepId},
};
use crate::{
    exit::Exit,
    services::postgres::{PostgresError, Session, ToSql},
};

/// The version that entries are written with.
pub const VERSION: u32 = 1;

/// Why the journal could not be written or read.
#[derive(Debug, Error, Diagnostic)]
pub enum JournalError {
    #[error("cannot write the journal in the database")]
    #[diagnostic(transparent)]
    Database(#[from] PostgresError),
    #[error("cannot {action} the journal `{path}`")]
    #[diagnostic(code(journal::file), help("check that the folder exists, is writable and has room"))]
    File { action: &'static str, path: String, source: std::io::Error },
    #[error("another liftlock went on with promotion {run}")]
    #[diagnostic(code(journal::overtaken), help("let it finish; `liftlock status --to ENV` shows how far it is"))]
    Overtaken { run: Uuid },
    #[error("promotion {run} was written by a newer liftlock (journal version {version})")]
    #[diagnostic(code(journal::newer), help("finish it with the liftlock that began it, or a newer one"))]
    Newer { run: Uuid, version: u32 },
    #[error("entry {sequence} of promotion {run} cannot be read")]
    #[diagnostic(code(journal::unreadable), help("the journal was edited; restore the row from a restore point"))]
    Unreadable { run: Uuid, sequence: usize, source: serde_json::Error },
}

impl JournalError {
    /// The number that the process leaves with when nothing was changed yet.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Database(error) => error.exit(),
            Self::File { .. } | Self::Overtaken { .. } | Self::Newer { .. } | Self::Unreadable { .. } => Exit::Service,
        }
    }
}

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum Entry {
    /// The first entry of a run.
    Planned { plan: Box<Plan> },
    /// Somebody goes on with it.
    Resumed {
        #[serde(default)]
        actor: String,
        #[serde(default)]
        tool_version: String,
        /// Who had approved it by then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        approval: Option<Box<Record>>,
    },
    /// About to be done.
    Started { step: StepId },
    /// Done, and durable.
    Finished {
        step: StepId,
        #[serde(default)]
        facts: Facts,
    },
    /// Not done.
    Failed {
        step: StepId,
        #[serde(default)]
        cause: Cause,
    },
    /// The last entry of a run.
    Closed { end: End },
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    Finished,
    /// A step failed for good and was undone; what is left needs a new plan.
    Failed,
    Abandoned,
}

impl End {
    /// As `liftlock.promotions.state` says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Abandoned => "abandoned",
        }
    }
}

/// What came of a step. Never holds SQL, row values or secrets.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// One sentence.
    pub detail: String,
    pub millis: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restore_point: Option<RestorePointFacts>,
    /// Events delivered by this step, and still waiting after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivered: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting: Option<usize>,
    /// What somebody should know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// A restore point as it was verified.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RestorePointFacts {
    pub name: String,
    pub lsn: Option<String>,
    /// RFC 3339.
    pub expires_at: Option<String>,
    /// How it was verified.
    pub verified: String,
    /// Neon's ids of project and branch, and the branch's state when it was read back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
}

/// Why a step failed: codes and places only.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Cause {
    /// Our code: `apply::refused`.
    pub code: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sqlstate: Option<String>,
    /// `file:line:column`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
}

/// What the entries of a run add up to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Standing {
    pub plan: Option<Plan>,
    pub finished: BTreeMap<StepId, Facts>,
    /// How often each step was started.
    pub started: BTreeMap<StepId, usize>,
    pub resumed: usize,
    pub end: Option<End>,
}

/// Folds the entries of a run.
pub fn standing(entries: &[Entry]) -> Standing {
    let mut standing = Standing::default();
    for entry in entries {
        standing.take(entry.clone());
    }
    standing
}

impl Standing {
    /// What one more entry changes.
    pub fn take(&mut self, entry: Entry) {
        match entry {
            Entry::Planned { plan } => self.plan = Some(*plan),
            Entry::Resumed { .. } => self.resumed += 1,
            Entry::Started { step } => *self.started.entry(step).or_default() += 1,
            Entry::Finished { step, facts } => {
                self.finished.insert(step, facts);
            }
            Entry::Failed { .. } => {}
            Entry::Closed { end } => self.end = Some(end),
        }
    }
}

/// An append-only log of runs.
#[expect(async_fn_in_trait, reason = "callers are generic and never spawn it")]
pub trait Journal {
    /// Durable when it returns. Fails with [`JournalError::Overtaken`] when somebody else wrote to this run
    /// since we last read or wrote it.
    async fn append(&mut self, run: Uuid, entry: &Entry) -> Result<(), JournalError>;
    /// All entries of a run, in order; none when it is unknown.
    async fn entries(&mut self, run: Uuid) -> Result<Vec<Entry>, JournalError>;
    /// The run that began and did not end, the latest when there are several.
    async fn unfinished(&mut self) -> Result<Option<Uuid>, JournalError>;
}

#[derive(Serialize, Deserialize)]
struct Versioned<T> {
    version: u32,
    #[serde(rename = "is")]
    entry: T,
}

fn written(entry: &Entry) -> String {
    serde_json::to_string(&Versioned { version: VERSION, entry }).expect("an entry has only text keys")
}

fn read(run: Uuid, sequence: usize, text: &str) -> Result<Entry, JournalError> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let unreadable = |source| JournalError::Unreadable { run, sequence, source };
    let Version { version } = serde_json::from_str(text).map_err(unreadable)?;
    if version > VERSION {
        return Err(JournalError::Newer { run, version });
    }
    let versioned: Versioned<Entry> = serde_json::from_str(text).map_err(unreadable)?;
    Ok(versioned.entry)
}

/// The journal in schema `liftlock` of the target database.
pub struct PostgresJournal<'a> {
    line: &'a Line,
    /// How many entries of each run we know of.
    known: BTreeMap<Uuid, i32>,
}

impl<'a> PostgresJournal<'a> {
    pub fn new(line: &'a Line) -> Self {
        Self { line, known: BTreeMap::new() }
    }
}

/// The journal row, and the promotion's row with it. A conflict means that somebody else wrote this entry.
const APPEND: &str = "
    insert into liftlock.journal (run, sequence, entry) values ($1::text::uuid, $2, $3::text::jsonb)
    on conflict do nothing";
const OPEN: &str = "
    insert into liftlock.promotions (run, environment, type, plan, digest, state, actor, tool_version)
    values ($1::text::uuid, $2, $3, $4::text::jsonb, $5, 'running', $6, $7) on conflict do nothing";
const CLOSE: &str = "
    update liftlock.promotions set state = $2, ended_at = clock_timestamp() where run = $1::text::uuid";
const ENTRIES: &str = "select entry::text from liftlock.journal where run = $1::text::uuid order by sequence";
const UNFINISHED: &str = "
    select run::text from liftlock.promotions where state = 'running' order by started_at desc, run desc limit 1";

impl Journal for PostgresJournal<'_> {
    async fn append(&mut self, run: Uuid, entry: &Entry) -> Result<(), JournalError> {
        let sequence = match self.known.get(&run) {
            Some(known) => *known,
            None => i32::try_from(self.entries(run).await?.len()).expect("a run has fewer than 2^31 entries"),
        };
        let session = self.line.session();
        let count = match entry {
            Entry::Planned { .. } | Entry::Closed { .. } => in_transaction(&session, run, sequence, entry).await?,
            Entry::Resumed { .. } | Entry::Started { .. } | Entry::Finished { .. } | Entry::Failed { .. } => {
                append(&session, run, sequence, entry).await?
            }
        };
        if count == 0 {
            return Err(JournalError::Overtaken { run });
        }
        self.known.insert(run, sequence + 1);
        Ok(())
    }

    async fn entries(&mut self, run: Uuid) -> Result<Vec<Entry>, JournalError> {
        let session = self.line.session();
        let rows = session.query(ENTRIES, &[&run.to_string()]).await.map_err(|it| session.failure(it))?;
        let known = i32::try_from(rows.len()).expect("a run has fewer than 2^31 entries");
        self.known.insert(run, known);
        rows.iter().enumerate().map(|(sequence, row)| read(run, sequence, row.get(0))).collect()
    }

    async fn unfinished(&mut self) -> Result<Option<Uuid>, JournalError> {
        let session = self.line.session();
        let row = session.query_opt(UNFINISHED, &[]).await.map_err(|it| session.failure(it))?;
        Ok(row.and_then(|row| row.get::<_, String>(0).parse().ok()))
    }
}

/// One entry; 0 when somebody else has written an entry with this number.
async fn append(session: &Session, run: Uuid, sequence: i32, entry: &Entry) -> Result<u64, PostgresError> {
    let count = session.execute(APPEND, &[&run.to_string(), &sequence, &written(entry)]).await;
    count.map_err(|it| session.failure(it))
}

/// One entry together with the promotion's row that it makes or ends.
async fn in_transaction(session: &Session, run: Uuid, sequence: i32, entry: &Entry) -> Result<u64, PostgresError> {
    session.batch_execute("begin").await.map_err(|it| session.failure(it))?;
    let wrote = async {
        if let Entry::Planned { plan } = entry {
            open(session, plan).await?;
        }
        let count = append(session, run, sequence, entry).await?;
        if let Entry::Closed { end } = entry {
            session.execute(CLOSE, &[&run.to_string(), &end.name()]).await?;
        }
        Ok(count)
    };
    let wrote: Result<u64, PostgresError> = wrote.await;
    let end = if matches!(wrote, Ok(1..)) { "commit" } else { "rollback" };
    let ended = session.batch_execute(end).await.map_err(|it| session.failure(it));
    // The first error is the one to tell.
    let count = wrote?;
    ended?;
    Ok(count)
}

async fn open(session: &Session, plan: &Plan) -> Result<(), PostgresError> {
    let text = serde_json::to_string(plan).expect("a plan has only text keys");
    let row: [&(dyn ToSql + Sync); 7] = [
        &plan.run.to_string(),
        &plan.environment,
        &plan.promotion_type,
        &text,
        &plan.digest,
        &plan.actor,
        &plan.tool_version,
    ];
    session.execute(OPEN, &row).await?;
    // In one transaction with the promotion's row, so that there is none without its event.
    let now = Timestamp::now();
    outbox::append(&**session, &chronicle::started(plan, now)).await?;
    if let Some(emergency) = chronicle::emergency(plan, now) {
        outbox::append(&**session, &emergency).await?;
    }
    Ok(())
}

/// The journal in a local file: one line of JSON per entry, synced to disk. What a crash left half-written at
/// its end is not an entry, and the next one takes its place.
pub struct FileJournal {
    path: PathBuf,
    known: BTreeMap<Uuid, usize>,
}

#[derive(Serialize, Deserialize)]
struct FileLine {
    run: Uuid,
    #[serde(rename = "line")]
    text: Box<serde_json::value::RawValue>,
}

impl FileJournal {
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), known: BTreeMap::new() }
    }

    fn failure(&self, action: &'static str) -> impl FnOnce(std::io::Error) -> JournalError + use<> {
        let path = self.path.display().to_string();
        move |source| JournalError::File { action, path, source }
    }

    fn open(&self) -> Result<File, JournalError> {
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&self.path);
        opened.map_err(self.failure("open"))
    }

    /// Whole lines, and where the last of them ends.
    fn lines(&self, file: &mut File) -> Result<(Vec<FileLine>, u64), JournalError> {
        let mut text = String::new();
        file.seek(SeekFrom::Start(0)).map_err(self.failure("read"))?;
        file.read_to_string(&mut text).map_err(self.failure("read"))?;
        let whole = text.rfind('\n').map_or(0, |at| at + 1);
        let lines = text[..whole].lines().enumerate().map(|(sequence, line)| {
            serde_json::from_str(line).map_err(|source| JournalError::Unreadable { run: Uuid::nil(), sequence, source })
        });
        Ok((lines.collect::<Result<_, _>>()?, whole as u64))
    }

    fn of(&self, run: Uuid, lines: &[FileLine]) -> Result<Vec<Entry>, JournalError> {
        let own = lines.iter().filter(|line| line.run == run).enumerate();
        own.map(|(sequence, line)| read(run, sequence, line.text.get())).collect()
    }
}

impl Journal for FileJournal {
    async fn append(&mut self, run: Uuid, entry: &Entry) -> Result<(), JournalError> {
        let mut file = self.open()?;
        file.lock().map_err(self.failure("lock"))?;
        let (lines, end) = self.lines(&mut file)?;
        let count = lines.iter().filter(|line| line.run == run).count();
        if self.known.get(&run).is_some_and(|known| *known != count) {
            return Err(JournalError::Overtaken { run });
        }
        let text = serde_json::value::RawValue::from_string(written(entry)).expect("what was just written is JSON");
        let mut line = serde_json::to_string(&FileLine { run, text }).expect("a line has only text keys");
        line.push('\n');
        file.set_len(end).map_err(self.failure("write"))?;
        file.seek(SeekFrom::Start(end)).map_err(self.failure("write"))?;
        file.write_all(line.as_bytes()).map_err(self.failure("write"))?;
        file.sync_all().map_err(self.failure("write"))?;
        self.known.insert(run, count + 1);
        Ok(())
    }

    async fn entries(&mut self, run: Uuid) -> Result<Vec<Entry>, JournalError> {
        let (lines, _) = self.lines(&mut self.open()?)?;
        let entries = self.of(run, &lines)?;
        self.known.insert(run, entries.len());
        Ok(entries)
    }

    async fn unfinished(&mut self) -> Result<Option<Uuid>, JournalError> {
        let (lines, _) = self.lines(&mut self.open()?)?;
        let mut seen = BTreeSet::new();
        for line in lines.iter().rev() {
            if seen.insert(line.run) && standing(&self.of(line.run, &lines)?).end.is_none() {
                return Ok(Some(line.run));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_older_versions_are_read_and_newer_ones_are_refused() {
        let run = Uuid::nil();
        let check = |text: &str, expected: Option<Entry>| assert_eq!(read(run, 0, text).ok(), expected, "{text}");
        let step = || StepId("verify".to_owned());
        let finished = |facts| Some(Entry::Finished { step: step(), facts });
        check(r#"{"version":1,"is":{"entry":"started","step":"verify"}}"#, Some(Entry::Started { step: step() }));
        check(r#"{"version":1,"is":{"entry":"finished","step":"verify"}}"#, finished(Facts::default()));
        let detail = Facts { detail: "ok".to_owned(), ..Facts::default() };
        check(
            r#"{"version":0,"was":1,"is":{"entry":"finished","step":"verify","by":"x","facts":{"detail":"ok","new":1}}}"#,
            finished(detail),
        );
        check(
            r#"{"version":1,"is":{"entry":"failed","step":"verify"}}"#,
            Some(Entry::Failed { step: step(), cause: Cause::default() }),
        );
        check(r#"{"version":1,"is":{"entry":"paused","step":"verify"}}"#, None);
        let newer = read(run, 0, r#"{"version":2,"is":{"entry":"started","step":"verify"}}"#);
        assert!(matches!(newer, Err(JournalError::Newer { version: 2, .. })), "{newer:?}");
    }
}
