//! Each named gate: a question with evidence.
//!
//! Pure. Every gate is asked, whatever the others said, so that a refusal names everything there is to fix.
//! A gate that cannot know says no: an environment that is not reachable was not staged.

mod consent;

use super::{
    failure::place,
    own,
    plan::{self, GateAnswer, Request, Target, Wanted},
    survey::{Bookkeeping, HistoryRow},
};
use crate::{
    config::PromotionType,
    migration::{Checksum, Migration, TransactionMode},
    report::{Finding, Severity, Verdict},
    services::postgres::same_database,
};

/// A gate's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    /// Kebab-case.
    pub name: &'static str,
    pub outcome: Outcome,
    /// What was seen, in one sentence.
    pub evidence: String,
    /// What to do, when it did not pass or only just.
    pub fix: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Passed,
    /// Passed, and somebody should know.
    Warned,
    Failed,
}

impl Gate {
    pub fn passed(&self) -> bool {
        self.outcome != Outcome::Failed
    }

    /// As the plan records it.
    pub fn answer(&self) -> GateAnswer {
        GateAnswer { name: self.name.to_owned(), passed: self.passed(), evidence: self.evidence.clone() }
    }
}

type Answer = (Outcome, String, Option<String>);
type Ask = fn(&Request<'_>) -> Answer;

/// All gates, in the order in which they are shown. To add one: its function and its line here.
const ALL: [(&str, Ask); 12] = [
    ("validated", validated),
    ("transactions", transactions),
    ("history", history),
    ("identity", identity),
    ("staged-first", staged_first),
    ("approved", consent::approved),
    ("emergency", consent::emergency),
    ("privileges", privileges),
    ("restore-point", restore_point),
    ("audit", audit),
    ("lock", lock),
    ("connections", connections),
];

/// Asks all of them. Of emergencies nobody hears until one is declared, or would have to be.
pub fn ask(request: &Request<'_>) -> Vec<Gate> {
    let answered = |(name, gate): &(&'static str, Ask)| {
        let (outcome, evidence, fix) = gate(request);
        Gate { name, outcome, evidence, fix }
    };
    ALL.iter().filter(|(name, _)| *name != "emergency" || consent::hasty(request)).map(answered).collect()
}

fn passed(evidence: impl Into<String>) -> Answer {
    (Outcome::Passed, evidence.into(), None)
}

fn warned(evidence: impl Into<String>, fix: impl Into<String>) -> Answer {
    (Outcome::Warned, evidence.into(), Some(fix.into()))
}

fn failed(evidence: impl Into<String>, fix: impl Into<String>) -> Answer {
    (Outcome::Failed, evidence.into(), Some(fix.into()))
}

/// Has lint found nothing that the profile refuses?
fn validated(request: &Request<'_>) -> Answer {
    let validation = request.validation;
    let waived = validation.findings.iter().filter(|it| it.waived.is_some()).count();
    if validation.verdict() == Verdict::Pass {
        let waivers = if waived > 0 { format!(", {waived} waived with a reason") } else { String::new() };
        return passed(format!(
            "{} in {} pass profile {}{waivers}",
            counted(validation.statements, "statement"),
            counted(validation.files, "file"),
            validation.profile
        ));
    }
    let refused: Vec<&Finding> =
        validation.findings.iter().filter(|it| it.stands() && it.severity == Severity::Error).collect();
    let shown = refused.iter().map(|it| format!("{} at {}:{}", it.rule, it.file, it.line));
    // The files are named because without them those that are applied would be judged, too, as one release.
    let mut files: Vec<&str> = refused.iter().map(|it| it.file.as_str()).collect();
    files.dedup();
    files.truncate(5);
    failed(
        format!("{} refused: {}", counted(refused.len(), "finding"), list(shown)),
        format!(
            "`liftlock validate --to {} --type {} {}` shows each place and what to write instead",
            request.environment.name,
            request.promotion_type.name(),
            files.join(" ")
        ),
    )
}

/// Can the runner say of every file what it has done, whenever it breaks off?
fn transactions(request: &Request<'_>) -> Answer {
    let files = request.to_apply();
    let own: Vec<&&Migration> = files.iter().filter(|it| it.transaction == TransactionMode::Own).collect();
    if !own.is_empty() {
        return failed(
            format!("commits in the middle: {}", list(own.iter().map(|it| it.path.to_string()))),
            "split the file at its COMMIT into one file per transaction, so that a run that stops can go on",
        );
    }
    let stepwise = files.iter().filter(|it| it.transaction == TransactionMode::PerStatement).count();
    match stepwise {
        0 => passed("each migration runs in one transaction"),
        it => passed(format!("{} statement by statement, with progress recorded after each", runs(it))),
    }
}

fn runs(count: usize) -> String {
    if count == 1 { "1 migration runs".to_owned() } else { format!("{count} migrations run") }
}

/// Are the applied files still what was applied, and the promotion that goes on still what was planned?
fn history(request: &Request<'_>) -> Answer {
    let own = request.to_apply().into_iter().filter_map(|it| Some(place(it, own::written_by(it)?)));
    let own: Vec<String> = own.collect();
    if !own.is_empty() {
        return failed(
            format!("writes to liftlock's own tables: {}", list(own.into_iter())),
            "they prove what was applied, so no migration may change them; take the statement out of the file",
        );
    }
    let pending = request.pending();
    let mut wrong = Vec::new();
    if let Some(plan) = request.resumes {
        let same = |id: &str, checksum: &str| request.files.iter().any(|it| it.id.0 == id && it.checksum.0 == checksum);
        let changed = plan.migrations.iter().filter(|it| !same(&it.id, &it.checksum));
        wrong.extend(changed.map(|it| format!("{} is not what promotion {} was planned with", it.id, plan.run)));
        if !wrong.is_empty() {
            return failed(
                list(wrong.into_iter()),
                format!(
                    "put the planned bytes back and run `liftlock promote --to {0}`, or give that promotion up with \
                     `liftlock promote --to {0} --abandon`",
                    request.environment.name
                ),
            );
        }
    }
    let edited = |id: &str| request.files.iter().find(|it| it.id.0 == id).is_some_and(|it| edited_behind(request, it));
    let begun = |id: &str| request.survey.records.history.iter().find(|it| it.id == id && !it.done);
    let changed = pending.changed.iter().filter(|id| !edited(&id.0));
    wrong.extend(changed.map(|id| match begun(&id.0) {
        Some(_) => format!("{id} was changed in those of its statements that are applied"),
        None => format!("{id} was changed after it was applied"),
    }));
    wrong.extend(pending.missing.iter().filter_map(|id| match begun(&id.0) {
        Some(row) if row.done_statements.is_empty() => None,
        Some(row) => {
            Some(format!("{} of {} statements of {id} are applied and its file is gone", row.applied, row.total))
        }
        None => Some(format!("{id} was applied and its file is gone")),
    }));
    if !wrong.is_empty() {
        return failed(
            list(wrong.into_iter()),
            "put the applied bytes back (`git log -- FILE` finds them) and write what should be different as a new \
             migration",
        );
    }
    let count = request.survey.records.history.iter().filter(|it| it.done).count();
    let evidence = format!("{} applied, all unchanged; {} pending", count, request.to_apply().len());
    if pending.out_of_order.is_empty() {
        return passed(evidence);
    }
    warned(
        format!("{evidence}; out of order: {}", list(pending.out_of_order.iter().map(ToString::to_string))),
        "they come before one that is applied, so other databases may have run them in another order; check that \
         this does not matter, or give them a later version",
    )
}

/// The file was begun and then edited, but only behind the statements that are done: anywhere, when none are.
fn edited_behind(request: &Request<'_>, file: &Migration) -> bool {
    let Some(row) = request.survey.records.history.iter().find(|it| it.id == file.id.0 && !it.done) else {
        return false;
    };
    row.done_statements.is_empty() || (file.transaction == TransactionMode::PerStatement && begins_as(row, file))
}

/// The statements that are done are the file's first ones.
pub fn begins_as(row: &HistoryRow, file: &Migration) -> bool {
    let checksums: Vec<String> =
        file.to_run().iter().map(|it| Checksum::of(&file.text[it.span.start..it.span.end]).0).collect();
    checksums.starts_with(&row.done_statements)
}

/// Is this the database that is meant, and no other environment's?
fn identity(request: &Request<'_>) -> Answer {
    let seen = &request.survey.identity;
    let target = Target::of(seen);
    if let Some(plan) = request.resumes
        && !plan.target.is(&target)
    {
        return failed(
            format!(
                "promotion {} was begun on {} (oid {}), and this is {} (oid {}): restored from a restore point?",
                plan.run,
                plan.target.shown(),
                plan.target.database_oid,
                target.shown(),
                target.database_oid
            ),
            format!("`liftlock promote --to {} --abandon` gives it up; then promote anew", request.environment.name),
        );
    }
    if let Some(refused) = other_branch(request) {
        return refused;
    }
    let same = request.others.iter().find(|it| match &it.identity {
        Ok(other) => same_database(seen, other),
        Err(_) => it.same_address,
    });
    if let Some(other) = same {
        return failed(
            format!("`{}` and `{}` are one database: {}", request.environment.name, other.name, target.shown()),
            "correct the URL of one of them; an environment is a database of its own",
        );
    }
    if let Some(other) = promoted_under_another_name(request, &target) {
        return failed(
            format!("this very database was last promoted as `{other}`, not as `{}`", request.environment.name),
            "check the URL: which of the two environments is this?",
        );
    }
    let shown = format!(
        "{}, PostgreSQL {}, database oid {}{}{}",
        target.shown(),
        seen.server_version,
        seen.database_oid,
        seen.system_identifier.as_ref().map(|it| format!(", system {it}")).unwrap_or_default(),
        seen.neon_branch.as_ref().map(|it| format!(", Neon branch {it}")).unwrap_or_default()
    );
    let unknown: Vec<String> =
        request.others.iter().filter(|it| it.identity.is_err()).map(|it| format!("`{}`", it.name)).collect();
    if unknown.is_empty() {
        return passed(shown);
    }
    warned(
        format!("{shown}; could not look at {}, compared by address only", unknown.join(", ")),
        "`liftlock doctor` says why they do not answer",
    )
}

/// What the connection says of itself must be what `neon:` says; what cannot be proven counts as another.
fn other_branch(request: &Request<'_>) -> Option<Answer> {
    let seen = &request.survey.identity;
    let expected = match request.survey.neon.as_ref()? {
        Ok(expected) => expected,
        Err(why) => {
            let evidence = format!("which Neon branch this must be could not be asked: {}", why.evidence);
            return Some(failed(evidence, why.fix.clone()));
        }
    };
    match (&seen.neon_project, &seen.neon_branch) {
        (Some(project), Some(branch)) if *project == expected.project && *branch == expected.branch => None,
        (None, None) => Some(failed(
            format!("{}/{} does not say that it is on Neon, and `neon:` is configured", seen.host, seen.database),
            format!("correct the URL: it must lead to {expected}; without Neon, take `neon:` out"),
        )),
        (project, branch) => {
            let named = |it: &Option<String>| it.clone().unwrap_or_else(|| "(unknown)".to_owned());
            Some(failed(
                format!("the URL leads to branch {} of project {}, not to {expected}", named(branch), named(project)),
                "correct the URL, or `project` and `branch` of `neon:`; the Neon console shows both",
            ))
        }
    }
}

/// Copies carry the history of their original; only a row about this very database counts.
fn promoted_under_another_name(request: &Request<'_>, target: &Target) -> Option<String> {
    let here = |plan: &plan::Plan| plan.target.is(target);
    let last = request.survey.records.promotions.iter().find(|it| it.plan.as_ref().is_some_and(here))?;
    (last.environment != request.environment.name).then(|| last.environment.clone())
}

/// Were the same bytes applied in the environment of `after:` first?
fn staged_first(request: &Request<'_>) -> Answer {
    let Some(staged) = request.staged else {
        return passed("no `after:` is configured");
    };
    let history = match &staged.history {
        Ok(history) => history,
        Err(reason) if request.emergency.is_some() => {
            return warned(
                format!("cannot look at `{}`: {reason}; waived by the emergency", staged.environment),
                "nobody knows whether these bytes run anywhere",
            );
        }
        Err(reason) => {
            return failed(
                format!("cannot look at `{}`: {reason}", staged.environment),
                "make it reachable from here, or check its URL with `liftlock doctor`",
            );
        }
    };
    let row = |file: &Migration| history.iter().find(|row| row.id == file.id.0 && row.done);
    let (mut lacking, mut differing) = (Vec::new(), Vec::new());
    for file in request.to_apply() {
        match row(file) {
            None => lacking.push(format!("{} is not applied there", file.id)),
            Some(row) if row.checksum != file.checksum.0 => {
                differing.push(format!("{} has other bytes there", file.id));
            }
            Some(_) if !staged.applied.iter().any(|it| it.id == file.id.0 && it.checksum == file.checksum.0) => {
                lacking.push(format!(
                    "{} stands in the history there, and no promotion has recorded applying it",
                    file.id
                ));
            }
            Some(_) => {}
        }
    }
    // Haste is no reason for this one: what was tried is not what would run.
    if !differing.is_empty() {
        return failed(
            format!("`{}`: {}", staged.environment, list(differing.into_iter())),
            "put the applied bytes back, and write what should be different as a new migration",
        );
    }
    if lacking.is_empty() {
        return passed(format!("the same bytes are applied in `{}` ({})", staged.environment, request.release()));
    }
    let evidence = format!("`{}`: {}", staged.environment, list(lacking.into_iter()));
    let afterwards = format!("promote to `{}` afterwards, so that it does not fall behind", staged.environment);
    if let Some(emergency) = request.emergency {
        return warned(format!("{evidence}; waived by {}", emergency.shown()), afterwards);
    }
    match request.promotion_type {
        PromotionType::Hotfix => warned(format!("{evidence}; waived, because this is a hotfix"), afterwards),
        PromotionType::SchemaSafe | PromotionType::ConfigOnly | PromotionType::DataMigration => {
            failed(evidence, format!("`liftlock promote --to {}` first", staged.environment))
        }
    }
}

/// May the role do it?
fn privileges(request: &Request<'_>) -> Answer {
    let privileges = &request.survey.privileges;
    let role = &privileges.role;
    if request.to_apply().is_empty() {
        return passed("nothing to apply");
    }
    if privileges.read_only {
        return failed(
            format!("`{role}` can only read here: a standby, or default_transaction_read_only"),
            "use the primary's URL and a role that may write",
        );
    }
    if request.survey.records.bookkeeping == Bookkeeping::Unreadable || !privileges.bookkeeping {
        return failed(
            format!("`{role}` may not keep the journal in schema liftlock"),
            format!(
                "as the database's owner: `grant create on database \"{}\" to \"{role}\"`, or make `{role}` the owner \
                 of schema liftlock",
                request.survey.identity.database
            ),
        );
    }
    if !privileges.not_owned.is_empty() {
        return failed(
            format!("`{role}` does not own {}", list(privileges.not_owned.iter().cloned())),
            "only a table's owner may alter it: connect as the owner, or grant that role to this one",
        );
    }
    passed(format!("`{role}` may write the journal and owns what is altered"))
}

/// Can the way back be made first?
fn restore_point(request: &Request<'_>) -> Answer {
    if request.to_apply().is_empty() {
        return passed("nothing to apply");
    }
    let unfinished = request.survey.records.unfinished().filter(|_| request.resumes.is_some());
    if unfinished.is_some_and(|it| it.finished.iter().any(|step| step == plan::RESTORE_POINT)) {
        return passed("made and verified before the promotion was stopped");
    }
    match (request.restore_point(), &request.survey.restore_point) {
        (Wanted::No, _) => passed("not made in profile dev"),
        (_, Ok(how)) => passed(how.clone()),
        (Wanted::IfPossible, Err(why)) => warned(format!("none will be made: {}", why.evidence), why.fix.clone()),
        (Wanted::Demanded, Err(why)) => failed(why.evidence.clone(), why.fix.clone()),
    }
}

/// Does somebody outside hear of it? The events are kept in the database in any case.
fn audit(request: &Request<'_>) -> Answer {
    let waiting = request.survey.records.undelivered;
    match (request.webhook, waiting) {
        (true, 0) => passed("events go to the webhook; none wait"),
        (true, _) => warned(
            format!("{} of earlier runs not yet delivered", counted_u64(waiting, "event")),
            format!("they are sent along; `liftlock audit flush --env {}` does so now", request.environment.name),
        ),
        (false, _) => warned(
            "no webhook is configured: events stay in the database's audit chain",
            "set `audit.webhook` and `audit.secret` in liftlock.yml to have them delivered",
        ),
    }
}

/// Is no other runner at work?
fn lock(request: &Request<'_>) -> Answer {
    match request.survey.lock_holders.as_slice() {
        [] => passed("no other liftlock is at work here"),
        holders => warned(
            format!("another liftlock is at work: {}", list(holders.iter().map(ToString::to_string))),
            "`promote` waits for it for a minute and looks again then",
        ),
    }
}

/// What would a lock have to wait for?
fn connections(request: &Request<'_>) -> Answer {
    let long = &request.survey.long_transactions;
    if long.is_empty() {
        return passed("no transaction has been open for long");
    }
    let shown = long.iter().map(|it| {
        format!("pid {} of {} ({}, {}) for {} s", it.pid, it.user, named(&it.application_name), it.state, it.seconds)
    });
    warned(
        format!("open transactions may hold the migration up: {}", list(shown)),
        "end them, or expect lock timeouts and retries",
    )
}

fn named(application: &str) -> &str {
    if application.is_empty() { "unnamed" } else { application }
}

pub(super) fn counted(count: usize, what: &str) -> String {
    counted_u64(count as u64, what)
}

fn counted_u64(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// The first five, and how many more.
fn list(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    match items.len() {
        0..=5 => items.join(", "),
        more => format!("{}, and {} more", items[..5].join(", "), more - 5),
    }
}
