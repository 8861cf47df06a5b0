//! A rule: one hazard, its reasons, its examples and its check, in one file.
//!
//! The module docs of a rule's file are its documentation, and their ` ```sql setup | bad | good ` blocks its
//! tests. Words after `bad` and `good` are read too, see [`Example`].

use crate::{
    config::{PostgresMajor, ProfileName},
    report::{Harm, Severity},
    sql::{Directive, Span, Statement, names::ObjectName},
};

use super::{Context, Fix, Remedy, timeline::Timeline};

/// One hazard.
#[derive(Debug)]
pub struct Rule {
    /// Kebab-case, the name of its file; reads well after `-- liftlock: allow`.
    pub name: &'static str,
    pub harm: Harm,
    pub severity: Severities,
    pub waivable: Waivable,
    /// The rule's own file: documentation and examples are read from it.
    pub source: &'static str,
    pub check: Check,
}

/// How severe a rule is in each profile; `None`: it does not run there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Severities {
    pub dev: Option<Severity>,
    pub staging: Option<Severity>,
    pub production: Option<Severity>,
}

impl Severities {
    /// Nowhere, unless the configuration says so: a matter of taste.
    pub const OFF: Self = Self { dev: None, staging: None, production: None };
    /// An error everywhere.
    pub const ERROR: Self = Self::each(Severity::Error);
    /// A warning everywhere.
    pub const WARNING: Self = Self::each(Severity::Warning);
    /// A notice everywhere.
    pub const NOTICE: Self = Self::each(Severity::Notice);
    /// House rules: production insists, the others remind.
    pub const CONVENTION: Self = Self { production: Some(Severity::Error), ..Self::WARNING };
    /// What is not understood: refused where it counts, a warning while developing.
    pub const UNREAD: Self = Self { dev: Some(Severity::Warning), ..Self::ERROR };

    const fn each(severity: Severity) -> Self {
        Self { dev: Some(severity), staging: Some(severity), production: Some(severity) }
    }

    pub fn in_profile(&self, profile: ProfileName) -> Option<Severity> {
        match profile {
            ProfileName::Dev => self.dev,
            ProfileName::Staging => self.staging,
            ProfileName::Production => self.production,
        }
    }
}

/// What may lift a rule's findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waivable {
    /// Nothing.
    Never,
    /// `-- liftlock: allow RULE because REASON` above the statement.
    WithReason,
    /// The same, and a `hotfix` promotion.
    WithReasonOrHotfix,
}

/// What a rule looks at.
#[derive(Debug, Clone, Copy)]
pub enum Check {
    /// Each statement that runs, also those inside `WITH`, `DO` and the routines that the migration calls.
    Statement(fn(&Context, &Statement) -> Vec<Problem>),
    /// The migration as a whole; the context's catalog is the one before its first statement.
    Migration(fn(&Context) -> Vec<Problem>),
    /// Each transaction at its end; a problem belongs to one of its steps, by index.
    Transaction(fn(&Timeline) -> Vec<(usize, Problem)>),
    /// Each `-- liftlock: …` comment, once it is known what it waives.
    Directive(fn(&DirectiveUse) -> Option<Problem>),
    /// What is known from before, once all files are judged: [`super::baseline::stale`].
    Baseline,
}

/// A `-- liftlock: …` comment and what became of it.
#[derive(Debug, Clone, Copy)]
pub struct DirectiveUse<'a> {
    pub directive: &'a Directive,
    /// The rule that an `allow` names, when there is one of that name.
    pub rule: Option<&'static Rule>,
    /// Findings of that rule at the statement, waived or not.
    pub findings: usize,
}

/// What a check has found at one place. The rule's name, its severity, waivers, files and lines are the
/// engine's business.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub span: Span,
    pub message: String,
    pub help: Option<String>,
    /// The place is a secret: no excerpt may show it.
    pub conceal: bool,
    /// The table whose rows decide how bad it is: severity follows its size where that is known.
    pub weighs: Option<ObjectName>,
    pub fix: Option<Fix>,
    /// It is a guess, because no file says: no more severe than this.
    pub at_most: Option<Severity>,
    /// What may still follow in these files, so that nothing is wrong in the end.
    pub remedy: Option<Remedy>,
    /// Of the statement, for looking up what was measured; the engine's business.
    pub form: Option<String>,
    pub verdict: Verdict,
}

/// What a check says of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Wrong,
    /// It looks like what the rule is about and is none, for a reason that `--explain` tells.
    Safe,
}

impl Problem {
    pub fn at(span: Span) -> Self {
        Self {
            span,
            message: String::new(),
            help: None,
            conceal: false,
            weighs: None,
            fix: None,
            at_most: None,
            remedy: None,
            form: None,
            verdict: Verdict::Wrong,
        }
    }

    /// No problem, and why: "proved by check `orders_total_not_null`, validated in 0042". Told with `--explain`.
    pub fn safe(span: Span, reason: impl Into<String>) -> Self {
        Self { message: reason.into(), verdict: Verdict::Safe, ..Self::at(span) }
    }

    /// What happens when this runs: one sentence, lower-case start, no full stop, no row values or literals.
    pub fn says(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }

    /// What to do next, as an instruction.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// It scans, rewrites or locks this table: how bad that is depends on its rows.
    pub fn weighing(mut self, table: &ObjectName) -> Self {
        self.weighs = Some(table.clone());
        self
    }

    /// The safe way to the same end.
    pub fn fixed_by(mut self, fix: Fix) -> Self {
        self.fix = Some(fix);
        self
    }

    /// A guess, because no file says what is needed to know: no more severe than this.
    pub fn at_most(mut self, severity: Severity) -> Self {
        self.at_most = Some(severity);
        self
    }

    /// No problem when a later statement, in whichever file, makes it good.
    pub fn unless(mut self, remedy: Remedy) -> Self {
        self.remedy = Some(remedy);
        self
    }

    /// Masks the place in every excerpt.
    pub fn concealed(mut self) -> Self {
        self.conceal = true;
        self
    }
}

/// A rule's documentation, read from its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Docs {
    /// The first paragraph, on one line.
    pub title: String,
    /// The paragraphs before the first block of code, as written.
    pub reasons: String,
    /// Statements that come before every example of this rule.
    pub setup: String,
    pub examples: Vec<Example>,
}

/// One ` ```sql bad ` or ` ```sql good ` block.
///
/// Words after it, all optional: `name=…` the migration's name, `type=…` the promotion type, `config=…` the
/// configuration's tables, `layout=…` the tool that applies it, `followed` when another migration comes after it,
/// `open=application:seconds:table` a transaction that holds a lock in the database that was read,
/// `baseline=…` a rule of which a baseline knows a finding that is none, `also=…` rules that have something to say, too, `whole` when the block is the whole file (otherwise tests put a
/// header above it);
/// what real Postgres must say: `locks=table:ShareLock,…` the strongest lock on relations of the setup,
/// `fails=23502` the SQLSTATE, `commits` when it cannot run inside a transaction block, `unrun=REASON` when it
/// is nothing that a server can run, `since=17` and `until=17` the first and the last major that know the statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    pub kind: ExampleKind,
    pub options: Vec<(String, String)>,
    pub sql: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExampleKind {
    Bad,
    Good,
}

impl Example {
    /// Whether a server of this major knows the statements.
    pub fn runs_on(&self, major: PostgresMajor) -> bool {
        let bound = |name: &str| self.option(name).and_then(|it| it.parse::<u8>().ok());
        let (since, until) = (bound("since"), bound("until"));
        since.is_none_or(|it| it <= major.number()) && until.is_none_or(|it| it >= major.number())
    }

    /// The value of an option; empty for a bare word.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

impl Rule {
    /// Reads the documentation from the rule's module docs.
    pub fn docs(&self) -> Docs {
        let mut docs = Docs { title: String::new(), reasons: String::new(), setup: String::new(), examples: vec![] };
        let mut block: Option<(String, String)> = None;
        let mut prose = Vec::new();
        let lines = self.source.lines().map_while(|line| line.strip_prefix("//!"));
        for line in lines.map(|line| line.strip_prefix(' ').unwrap_or(line)) {
            match (&mut block, line.strip_prefix("```")) {
                (None, Some(info)) => block = Some((info.to_owned(), String::new())),
                (Some((_, text)), None) => {
                    text.push_str(line);
                    text.push('\n');
                }
                (Some(_), Some(_)) => {
                    if let Some((info, text)) = block.take() {
                        docs.add(&info, text);
                    }
                }
                (None, None) if docs.setup.is_empty() && docs.examples.is_empty() => prose.push(line),
                (None, None) => {}
            }
        }
        let prose = prose.join("\n");
        let (title, reasons) = prose.trim().split_once("\n\n").unwrap_or((prose.trim(), ""));
        docs.title = title.replace('\n', " ");
        docs.reasons = reasons.trim().to_owned();
        docs
    }
}

impl Docs {
    fn add(&mut self, info: &str, sql: String) {
        let mut words = info.split_whitespace().skip(1);
        let kind = match words.next() {
            Some("setup") => return self.setup.push_str(&sql),
            Some("bad") => ExampleKind::Bad,
            Some("good") => ExampleKind::Good,
            _ => return,
        };
        let options = words.map(|word| word.split_once('=').unwrap_or((word, "")));
        let options = options.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        self.examples.push(Example { kind, options, sql });
    }
}
