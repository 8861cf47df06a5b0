//! The walk over all statements that run, and what becomes of each problem.

mod calls;
mod directives;
mod opened;
mod sets;
mod undo;

use std::{
    borrow::Cow,
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

use crate::{
    catalog::{self, Catalog, Origin, Release},
    config::{PostgresMajor, ProfileName, PromotionType, RuleLevels},
    migration::{Migration, sending::Sent},
    report::{Columns, Explanation, Finding, Harm, Validation, fingerprint},
    sql::{Change, LineIndex, Place, Span, Statement, change::Unread, names::ObjectName},
};

use self::directives::concealed;
use super::{
    Context, Conventions, OpenTransaction, OpenedBy, Problem, Remedy, Request, Rule, context,
    directives::all_directives,
    evidence, fixes, header, levels,
    path::{Around, Path, Way},
    rule::{Check, Verdict},
    rules,
    sources::{self, Sources},
    timeline::{self, Held, Orders, Step, Timeline},
    weight,
};

type OfStatement = fn(&Context, &Statement) -> Vec<Problem>;

/// State of one walk.
pub struct Engine<'a> {
    profile: ProfileName,
    postgres: PostgresMajor,
    promotion: Option<PromotionType>,
    emergency: Option<&'a str>,
    config_tables: &'a [ObjectName],
    conventions: Conventions,
    sources: Sources,
    fixes: bool,
    fingerprints: bool,
    levels: &'a [RuleLevels],
    /// Those that are asked of each statement.
    of_statement: Vec<(&'static Rule, OfStatement)>,
    catalog: Catalog,
    /// Migrations run so far.
    count: usize,
    /// Those of them that were judged in the transaction that is still open.
    before: Vec<Cow<'a, Migration>>,
    /// The transaction around all of them, as the last one left it.
    shared: Option<OpenTransaction>,
    /// What that transaction holds.
    carried: Vec<Held>,
    orders: Orders,
    validation: Validation,
    /// Findings, by their place in the list, that what follows may settle.
    outstanding: Vec<(usize, Remedy)>,
    /// What more than one finding says.
    texts: HashSet<Arc<str>>,
}

/// Where in a migration the walk is.
struct Visit<'m> {
    migration: &'m Migration,
    of_another_dialect: bool,
    lines: LineIndex,
    index: usize,
    transaction: Option<OpenTransaction>,
    origin: Origin,
    /// Directives of this migration by place, with the findings that each could waive.
    uses: BTreeMap<Span, usize>,
    /// Parts of the text that no excerpt may show.
    concealed: Vec<Span>,
    /// Routines whose bodies were judged, and the place of the call that led there.
    called: BTreeSet<(Span, ObjectName)>,
    /// The open transaction so far, or the statement that is one of its own.
    steps: Vec<Step>,
    /// How each step came to run.
    ways: Vec<Way>,
}

impl<'a> Engine<'a> {
    pub fn new(request: &Request<'a>, config_tables: &'a [ObjectName]) -> Self {
        let Request {
            profile, postgres, promotion, emergency, levels, conventions, fixes, fingerprints, found, ..
        } = *request;
        let validation = Validation { profile: profile.name().to_owned(), ..Validation::default() };
        let catalog = found.cloned().unwrap_or_default();
        let of_statement = rules::ALL.iter().filter(|it| is_asked(it, conventions)).filter_map(|it| match it.check {
            Check::Statement(check) => Some((*it, check)),
            _ => None,
        });
        Self {
            of_statement: of_statement.collect(),
            profile,
            postgres,
            promotion,
            emergency,
            config_tables,
            conventions,
            sources: Sources::of_first(request.excerpts),
            fixes,
            fingerprints,
            levels,
            count: catalog.migrations.len(),
            catalog,
            before: Vec::new(),
            shared: None,
            carried: Vec::new(),
            orders: Orders::default(),
            validation,
            outstanding: Vec::new(),
            texts: HashSet::new(),
        }
    }

    /// Replays a migration, and judges it when it belongs to the release. Gives it back when nothing needs it any more.
    pub fn run(&mut self, release: Release, migration: Cow<'a, Migration>) -> Option<Cow<'a, Migration>> {
        let origin = Origin { release, migration: self.count, certain: true };
        self.count += 1;
        self.catalog.migrations.push(&migration.name);
        // Each migration runs in a session of its own, unless they share a transaction.
        if migration.sent(0).0 != Sent::InSharedTransaction {
            self.catalog.end_session();
        }
        match release {
            Release::History | Release::Pending => {
                let mut undo = self.undo_of(&migration);
                let mut transaction = self.opened(&migration, 0, None);
                for (index, statement) in migration.statements.iter().enumerate() {
                    let open = self.opened(&migration, index, transaction);
                    if open != transaction {
                        self.catalog.end_transaction();
                    }
                    self.replay(statement, origin);
                    self.undo(index, &mut undo);
                    transaction = self.left_open(index, statement, open);
                    if transaction.is_none() {
                        self.catalog.end_transaction();
                    }
                }
            }
            Release::Judged => {
                let asked = self.promotion;
                let declared = header::declared_type(&migration);
                // With no table to measure it by, `config_only` is the promotion's own business.
                let measurable =
                    |kind: &PromotionType| *kind != PromotionType::ConfigOnly || !self.config_tables.is_empty();
                self.promotion = asked.or(declared.filter(measurable));
                self.judge(&migration, origin);
                self.promotion = asked;
                if self.shared.is_some() {
                    self.before.push(migration);
                    return None;
                }
                self.before.clear();
            }
        }
        Some(migration)
    }

    pub fn finish(mut self) -> (Validation, Catalog) {
        let latest = self.count.saturating_sub(1);
        let settled = self.outstanding.iter().filter(|(_, remedy)| remedy.is_there(&self.catalog, latest));
        let settled = settled.map(|(at, _)| *at).collect::<BTreeSet<_>>();
        let mut at = 0..;
        self.validation.findings.retain(|_| at.next().is_some_and(|at| !settled.contains(&at)));
        // In place: those of a whole folder are much.
        self.validation.findings.sort_unstable_by(|a, b| {
            // Most are of one file, and paths compare slowly.
            let files = if a.file.as_str() == b.file.as_str() { Ordering::Equal } else { a.file.cmp(&b.file) };
            files.then_with(|| (a.span.start, &a.rule, &a.message).cmp(&(b.span.start, &b.rule, &b.message)))
        });
        self.validation.sources = self.sources.into_texts();
        (self.validation, self.catalog)
    }

    pub fn into_catalog(self) -> Catalog {
        self.catalog
    }

    /// A statement's and its inner statements' effect on the catalog.
    fn replay(&mut self, statement: &Statement, origin: Origin) {
        self.doubt(statement, origin);
        catalog::replay(&mut self.catalog, statement, origin);
        self.watch(statement, origin);
        let outer = self.catalog.enter(statement);
        for inner in &statement.inner {
            match inner.place {
                Place::Top | Place::Within => self.replay(inner, origin),
                Place::Do => self.replay(inner, Origin { certain: false, ..origin }),
                Place::Routine(_) => {}
            }
        }
        self.catalog.leave(outer);
    }

    fn judge(&mut self, migration: &Migration, origin: Origin) {
        let mut visit = Visit {
            migration,
            of_another_dialect: context::is_of_another_dialect(migration),
            lines: LineIndex::new(&migration.text),
            index: 0,
            transaction: self.opened(migration, 0, None),
            origin,
            uses: BTreeMap::new(),
            concealed: Vec::new(),
            called: BTreeSet::new(),
            steps: Vec::new(),
            ways: Vec::new(),
        };
        let before = self.validation.findings.len();
        let directives = all_directives(&migration.statements);
        for rule in rules::ALL {
            if let Check::Migration(check) = rule.check
                && self.is_asked(rule)
            {
                let problems = check(&self.context(&visit));
                let path = Path { directives: &directives, around: Around::Nothing };
                self.record(&mut visit, rule, problems, path);
            }
        }
        let mut undo = self.undo_of(migration);
        for (index, statement) in migration.statements.iter().enumerate() {
            visit.index = index;
            let open = self.opened(migration, index, visit.transaction);
            if open != visit.transaction {
                self.catalog.end_transaction();
                self.end_of_transaction(&mut visit, false);
            }
            visit.transaction = open;
            let directives = statement.directives.iter().collect::<Vec<_>>();
            self.visit(&mut visit, statement, Path { directives: &directives, around: Around::Nothing });
            self.undo(index, &mut undo);
            visit.transaction = self.left_open(index, statement, visit.transaction);
            if visit.transaction.is_none() {
                self.catalog.end_transaction();
                self.end_of_transaction(&mut visit, false);
            }
        }
        self.shared = visit.transaction.filter(|it| it.opened_by == OpenedBy::RunnerForAll);
        let goes_on = self.shared.is_some();
        self.end_of_transaction(&mut visit, goes_on);
        self.judge_directives(&mut visit, &directives);
        self.doubt_set(before, origin);
        self.validation.files += 1;
        let (rows, statements): (Vec<_>, Vec<_>) = migration.statements.iter().partition(|it| is_copy_data(it));
        self.validation.statements += statements.len();
        visit.concealed.extend(rows.iter().map(|it| it.span));
        if self.validation.findings.len() > before {
            if self.fingerprints {
                fingerprint::mark(&migration.text, &migration.statements, &mut self.validation.findings[before..]);
            }
            let shown = sources::shown(&self.validation.findings, before, &self.outstanding);
            self.sources.keep(&migration.path, shown, || concealed(&migration.text, &visit.concealed));
        }
    }

    /// Judges the steps of a transaction together; when it `goes_on` in the next migration, what it holds is kept.
    fn end_of_transaction(&mut self, visit: &mut Visit, goes_on: bool) {
        let steps = std::mem::take(&mut visit.steps);
        let ways = std::mem::take(&mut visit.ways);
        let timeline = Timeline { steps: &steps, carried: &self.carried, orders: &self.orders };
        let found = rules::ALL.iter().filter_map(|rule| match rule.check {
            Check::Transaction(check) if !steps.is_empty() => Some((rule, check(&timeline))),
            _ => None,
        });
        for (rule, problems) in found.collect::<Vec<_>>() {
            for (at, mut problem) in problems {
                let Way { directives, inside_do, routines } = &ways[at];
                let directives = directives.iter().collect::<Vec<_>>();
                let around = match (inside_do, routines.as_slice()) {
                    (false, []) => Around::Nothing,
                    (true, []) => Around::Do,
                    (_, routines) => Around::Call { at: steps[at].span, routines },
                };
                if matches!(around, Around::Nothing) {
                    problem.fix = self.fixes.then(|| fixes::of_transaction(rule, visit.migration, &problem)).flatten();
                }
                self.record(visit, rule, vec![problem], Path { directives: &directives, around });
            }
        }
        let file = visit.migration.path.as_str();
        self.orders.learn(&steps, file);
        self.carried = if goes_on { timeline::held_after(&steps, &self.carried, file) } else { Vec::new() };
    }

    /// Keeps what a statement does for the end of its transaction.
    fn keep_step(&self, visit: &mut Visit, statement: &Statement, path: Path) {
        let (span, routines) = match path.around {
            Around::Nothing | Around::Do => (statement.span, Vec::new()),
            Around::Call { at, routines } => (at, routines.to_vec()),
        };
        let (line, _) = visit.lines.position(&visit.migration.text, span.start);
        let Some(step) = Step::of(&self.context(visit), statement, (span, line)) else { return };
        visit.steps.push(step);
        let directives = path.directives.iter().map(|it| (*it).clone()).collect();
        visit.ways.push(Way { directives, inside_do: matches!(path.around, Around::Do), routines });
    }

    /// One statement that runs, then those inside it, then those of the routines it calls.
    fn visit(&mut self, visit: &mut Visit, statement: &Statement, path: Path) {
        if let Change::Unread { reason } = &statement.change
            && *reason != Unread::CopyData
        {
            self.validation.unread += 1;
            *self.validation.unread_kinds.entry(reason.kind().to_owned()).or_default() += 1;
        }
        let before = self.validation.findings.len();
        for at in 0..self.of_statement.len() {
            let (rule, check) = self.of_statement[at];
            let context = self.context(visit);
            let mut problems = check(&context, statement);
            if problems.is_empty() {
                continue;
            }
            if matches!(rule.harm, Harm::Blocks | Harm::Fails) {
                problems.iter_mut().for_each(|it| it.form = evidence::form(&context, statement, it.span));
            }
            if self.fixes && matches!(path.around, Around::Nothing) {
                for problem in problems.iter_mut().filter(|it| it.fix.is_none() && it.verdict == Verdict::Wrong) {
                    problem.fix = fixes::of(rule, &context, statement, problem);
                }
            }
            self.record(visit, rule, problems, path);
        }
        self.keep_step(visit, statement, path);
        let origin = match path.around {
            Around::Nothing => visit.origin,
            Around::Do | Around::Call { .. } => Origin { certain: false, ..visit.origin },
        };
        if self.certainly_fails(before, statement) {
            return;
        }
        catalog::replay(&mut self.catalog, statement, origin);
        self.watch(statement, origin);
        let outer = self.catalog.enter(statement);
        for inner in &statement.inner {
            let around = match (&inner.place, path.around) {
                (Place::Routine(_), Around::Nothing | Around::Do) => continue,
                (Place::Do, Around::Nothing) => Around::Do,
                (_, around) => around,
            };
            // Those of a called routine stand in the file that created it, and waive nothing here.
            let own = if matches!(around, Around::Call { .. }) { &[] } else { inner.directives.as_slice() };
            let directives = path.directives.iter().copied().chain(own).collect::<Vec<_>>();
            self.visit(visit, inner, Path { directives: &directives, around });
        }
        self.catalog.leave(outer);
        for routine in self.called(statement) {
            self.call(visit, statement, &routine, path);
        }
    }

    fn call(&mut self, visit: &mut Visit, statement: &Statement, routine: &ObjectName, path: Path) {
        let (at, outer) = match path.around {
            Around::Nothing | Around::Do => (statement.span, [].as_slice()),
            Around::Call { at, routines } => (at, routines),
        };
        // Once for each place is enough, and ends recursion: nothing new would be found.
        if !visit.called.insert((at, routine.clone())) {
            return;
        }
        let routines = outer.iter().chain([routine]).cloned().collect::<Vec<_>>();
        let bodies = self.catalog.routine(routine).iter().map(|it| Arc::clone(&it.body)).collect::<Vec<_>>();
        for inner in bodies.iter().flat_map(|it| it.iter()) {
            let around = Around::Call { at, routines: &routines };
            self.visit(visit, inner, Path { directives: path.directives, around });
        }
    }

    fn is_asked(&self, rule: &Rule) -> bool {
        is_asked(rule, self.conventions)
    }

    fn context<'c>(&'c self, visit: &Visit<'c>) -> Context<'c> {
        Context {
            catalog: &self.catalog,
            profile: self.profile,
            postgres: self.postgres,
            promotion: self.promotion,
            config_tables: self.config_tables,
            migration: visit.migration,
            of_another_dialect: visit.of_another_dialect,
            index: visit.index,
            before: &self.before,
            transaction: visit.transaction,
        }
    }

    /// Problems become findings: with a place that a reader can find, and waived when something waives them.
    fn record(&mut self, visit: &mut Visit, rule: &Rule, problems: Vec<Problem>, path: Path) {
        if problems.is_empty() {
            return;
        }
        let Some(severity) = levels::severity(rule, self.profile, self.levels) else {
            // A waiver of a rule that is off here may be needed elsewhere.
            let found = problems.iter().filter(|it| it.verdict == Verdict::Wrong);
            found.for_each(|_| drop(visit.waive(rule, path.directives)));
            return;
        };
        for problem in problems {
            if problem.verdict == Verdict::Safe {
                self.explain(visit, rule, problem, path);
                continue;
            }
            let (span, message) = match path.around {
                Around::Nothing => (problem.span, problem.message),
                Around::Do => (problem.span, format!("{} (inside a DO block)", problem.message)),
                Around::Call { at, routines } => {
                    let chain = routines.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", then ");
                    (at, format!("{} (in {chain}, called here)", problem.message))
                }
            };
            let text = &visit.migration.text;
            let (line, column) = visit.lines.position(text, span.start);
            let (end_line, end_column) = visit.lines.position(text, span.end);
            if problem.conceal {
                visit.concealed.push(span);
            }
            let severity = problem.at_most.map_or(severity, |it| it.min(severity));
            let weighed = problem.weighs.as_ref().map(|it| weight::weigh(&self.catalog, it, severity));
            let (severity, size) = weighed.unwrap_or((severity, None));
            let message = size.map_or(message.clone(), |it| format!("{message}; {it}"));
            let waived = visit.waive(rule, path.directives);
            let at = self.validation.findings.len();
            let path_of = self.validation.findings.last().map(|it| &it.file);
            let file = path_of.filter(|it| it.as_str() == visit.migration.path.as_str()).map(Arc::clone);
            let file = file.unwrap_or_else(|| visit.migration.path.as_path().into());
            self.outstanding.extend(problem.remedy.map(|it| (at, it)));
            let measured = problem.form.as_ref().and_then(|it| evidence::of(rule.name, it, self.postgres));
            let measured = measured.map(|it| self.shared(&it));
            let form = problem.form.map(|it| self.shared(&it));
            let help = problem.help.map(|it| self.shared(&it));
            self.validation.findings.push(Finding {
                rule: rule.name.into(),
                kind: rule.harm,
                severity,
                file,
                line,
                column,
                end_line,
                end_column,
                message,
                help,
                waived: waived.or_else(|| self.profile.lifts(rule, self.promotion, self.emergency)),
                baselined: false,
                utf16: Columns::default(),
                fingerprint: String::new(),
                fix: problem.fix.map(Box::new),
                evidence: measured,
                form,
                span,
            });
        }
    }

    /// Many findings say the same.
    fn shared(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return Arc::clone(known);
        }
        let text = Arc::<str>::from(text);
        self.texts.insert(Arc::clone(&text));
        text
    }

    /// Only at the place itself: what a called routine does safely is its own file's to tell.
    fn explain(&mut self, visit: &Visit, rule: &Rule, problem: Problem, path: Path) {
        if matches!(path.around, Around::Call { .. }) {
            return;
        }
        let (line, column) = visit.lines.position(&visit.migration.text, problem.span.start);
        self.validation.explanations.push(Explanation {
            rule: rule.name.to_owned(),
            file: visit.migration.path.clone(),
            line,
            column,
            reason: problem.message,
        });
    }
}

/// House rules are asked only where there is a house.
fn is_asked(rule: &Rule, conventions: Conventions) -> bool {
    conventions == Conventions::Ours || !rules::HOUSE.iter().any(|house| std::ptr::eq(*house, rule))
}

/// Rows are no statement, and no excerpt shows them.
fn is_copy_data(statement: &Statement) -> bool {
    matches!(statement.change, Change::Unread { reason: Unread::CopyData })
}
