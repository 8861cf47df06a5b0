//! Plans of made-up databases: what is decided, what is proven, what older and newer plans read as.

use std::time::Duration;

use camino::Utf8Path;
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::{Decision, Plan, RESTORE_POINT, Request, Step, plan};
use crate::{
    config::{Approvals, Environment, ProfileName, PromotionType, Reviews},
    migration::{self, Migration, MigrationId, SourceFile},
    promote::{
        approval::{self, Purpose, Seen},
        emergency::Emergency,
        gates::Outcome,
        survey::{
            AppliedEvent, Bookkeeping, HistoryRow, LongTransaction, Obstacle, OtherEnvironment, Privileges, Records,
            Staged, Survey,
        },
    },
    report::{Columns, Finding, Harm, Severity, Validation},
    secret::Secret,
    services::postgres::{Identity, NeonIdentity, OtherSession},
    sql::Span,
};

/// Everything that a request is made of; the tests change one thing at a time.
struct World {
    environment: Environment,
    promotion_type: PromotionType,
    files: Vec<Migration>,
    validation: Validation,
    survey: Survey,
    staged: Option<Staged>,
    others: Vec<OtherEnvironment>,
    webhook: bool,
    sync: Option<Vec<String>>,
    tool_version: &'static str,
    rules: &'static str,
    resumes: Option<Plan>,
    emergency: Option<Emergency>,
    purpose: Purpose,
}

fn file(id: &str, text: &str) -> Migration {
    migration::read(SourceFile { path: id.into(), id: MigrationId(id.to_owned()), text: text.to_owned() })
}

fn identity(database: &str, oid: u32) -> Identity {
    Identity {
        system_identifier: Some("7309".to_owned()),
        database_oid: oid,
        database: database.to_owned(),
        host: "db.example.com".to_owned(),
        server_address: None,
        server_started: "2026-01-01".to_owned(),
        neon_branch: None,
        neon_project: None,
        server_version: "17.1".to_owned(),
        server_version_number: 170_001,
        is_standby: false,
    }
}

fn row(file: &Migration) -> HistoryRow {
    HistoryRow {
        id: file.id.0.clone(),
        checksum: file.checksum.0.clone(),
        done: true,
        total: 1,
        applied: 1,
        applied_at: None,
        done_statements: Vec::new(),
    }
}

impl World {
    fn new() -> Self {
        Self {
            environment: Environment {
                name: "production".to_owned(),
                database: Secret::new("postgres://db.example.com/app"),
                profile: ProfileName::Production,
                after: None,
                backup_keep: Duration::from_secs(30 * 86_400),
                lock_timeout: Duration::from_secs(2),
                statement_timeout: Duration::from_secs(900),
                neon: None,
                approvals: None,
            },
            promotion_type: PromotionType::SchemaSafe,
            files: vec![file("0001_a.sql", "create table a (id int);"), file("0002_b.sql", "create table b (id int);")],
            validation: Validation {
                profile: "production".to_owned(),
                files: 2,
                statements: 2,
                ..Validation::default()
            },
            survey: Survey {
                identity: identity("app", 16_384),
                records: Records { bookkeeping: Bookkeeping::Absent, ..Records::default() },
                lock_holders: Vec::new(),
                privileges: Privileges { role: "app".to_owned(), bookkeeping: true, ..Privileges::default() },
                restore_point: Ok("a copy".to_owned()),
                neon: None,
                long_transactions: Vec::new(),
            },
            staged: None,
            others: Vec::new(),
            webhook: true,
            sync: None,
            tool_version: "1.0.0",
            rules: "sha256:rules",
            resumes: None,
            emergency: None,
            purpose: Purpose::Do,
        }
    }

    fn decide(&self) -> Decision {
        let demand = approval::demanded(&self.environment, None);
        let nowhere = Seen {
            job: None,
            proves: true,
            said: Err(Obstacle { evidence: "no job".to_owned(), fix: String::new() }),
            observed_at: Timestamp::UNIX_EPOCH,
        };
        plan(&Request {
            emergency: self.emergency.as_ref(),
            demand: demand.as_ref(),
            approval: demand.is_some().then_some(&nowhere),
            purpose: self.purpose,
            run: Uuid::from_u128(7),
            now: Timestamp::UNIX_EPOCH,
            environment: &self.environment,
            promotion_type: self.promotion_type,
            actor: "ann",
            tool_version: self.tool_version,
            rules: self.rules,
            files: &self.files,
            commit: Some("0f3a99aa11223344"),
            validation: &self.validation,
            survey: &self.survey,
            staged: self.staged.as_ref(),
            others: &self.others,
            webhook: self.webhook,
            sync: self.sync.as_deref(),
            resumes: self.resumes.as_ref(),
        })
    }

    fn planned(&self) -> Plan {
        self.decide().plan.unwrap()
    }
}

/// A world that differs in one thing; how a gate then answers, and what it says.
fn check(gate: &str, outcome: Outcome, says: &str, change: impl Fn(&mut World)) {
    let mut world = World::new();
    change(&mut world);
    let decision = world.decide();
    let answer = decision.gates.iter().find(|it| it.name == gate).unwrap();
    assert_eq!(answer.outcome, outcome, "{answer:?}");
    let said = format!("{} {}", answer.evidence, answer.fix.clone().unwrap_or_default());
    assert!(said.contains(says), "`{says}` is not in: {said}");
    assert_eq!(decision.plan.is_err(), decision.gates.iter().any(|it| it.outcome == Outcome::Failed));
}

fn finding(waived: Option<&str>) -> Finding {
    Finding {
        baselined: false,
        rule: "drop-table".into(),
        kind: Harm::Loses,
        severity: Severity::Error,
        file: Utf8Path::new("0002_b.sql").into(),
        line: 3,
        column: 1,
        end_line: 3,
        end_column: 2,
        message: "loses data".to_owned(),
        help: None,
        waived: waived.map(str::to_owned),
        utf16: Columns::default(),
        fingerprint: String::new(),
        fix: None,
        evidence: None,
        form: None,
        span: Span::default(),
    }
}

fn staged(history: Vec<HistoryRow>) -> Option<Staged> {
    let applied = history.iter().map(|it| AppliedEvent {
        id: it.id.clone(),
        checksum: it.checksum.clone(),
        environment: "staging".to_owned(),
    });
    let applied = applied.collect();
    Some(Staged { environment: "staging".to_owned(), history: Ok(history), applied })
}

fn unreachable_staging() -> Option<Staged> {
    let history = Err("no answer".to_owned());
    Some(Staged { environment: "staging".to_owned(), history, applied: Vec::new() })
}

fn haste() -> Emergency {
    Emergency { incident: "INC-7".to_owned(), reason: "orders fail until this index is valid".to_owned() }
}

fn one_approval() -> Approvals {
    Approvals { required: 1, environment: "production".to_owned(), also: Vec::new(), reviews: Reviews::Ignore }
}

#[test]
fn each_gate_answers_with_evidence_and_a_fix() {
    use Outcome::{Failed, Passed, Warned};
    check("validated", Passed, "2 statements in 2 files pass profile production", |_| {});
    check("validated", Failed, "drop-table at 0002_b.sql:3", |it| it.validation.findings = vec![finding(None)]);
    check("validated", Passed, "1 waived", |it| it.validation.findings = vec![finding(Some("it is empty"))]);
    check("transactions", Failed, "0003_c.sql", |it| it.files.push(file("0003_c.sql", "select 1; commit; select 2;")));
    check("history", Failed, "0001_a.sql was changed", |it| {
        it.survey.records.history = vec![HistoryRow { checksum: "other".to_owned(), ..row(&it.files[0]) }];
    });
    check("history", Failed, "0000_gone.sql was applied and its file is gone", |it| {
        it.survey.records.history = vec![HistoryRow { id: "0000_gone.sql".to_owned(), ..row(&it.files[0]) }];
    });
    check("history", Warned, "out of order: 0001_a.sql", |it| it.survey.records.history = vec![row(&it.files[1])]);
    check("identity", Failed, "`production` and `staging` are one database", |it| {
        let identity = Ok(identity("app", 16_384));
        it.others = vec![OtherEnvironment { name: "staging".to_owned(), identity, same_address: false }];
    });
    check("identity", Passed, "oid 16384", |it| {
        let identity = Ok(identity("other", 16_385));
        it.others = vec![OtherEnvironment { name: "staging".to_owned(), identity, same_address: false }];
    });
    let unknown = |same_address| OtherEnvironment {
        name: "staging".to_owned(),
        identity: Err("no answer".to_owned()),
        same_address,
    };
    check("identity", Warned, "could not look at `staging`", |it| it.others = vec![unknown(false)]);
    check("identity", Failed, "are one database", |it| it.others = vec![unknown(true)]);
    let on_neon = |it: &mut World, project: Option<&str>, branch: Option<&str>| {
        it.survey.identity.neon_project = project.map(str::to_owned);
        it.survey.identity.neon_branch = branch.map(str::to_owned);
        it.survey.neon = Some(Ok(NeonIdentity { project: "calm-river-1".to_owned(), branch: "br-main".to_owned() }));
    };
    check("identity", Passed, "Neon branch br-main", |it| on_neon(it, Some("calm-river-1"), Some("br-main")));
    check("identity", Failed, "leads to branch br-dev", |it| on_neon(it, Some("calm-river-1"), Some("br-dev")));
    check("identity", Failed, "of project wild-sea-2", |it| on_neon(it, Some("wild-sea-2"), Some("br-main")));
    check("identity", Failed, "of project (unknown)", |it| on_neon(it, None, Some("br-main")));
    check("identity", Failed, "does not say that it is on Neon", |it| on_neon(it, None, None));
    check("identity", Failed, "could not be asked: no answer", |it| {
        on_neon(it, Some("calm-river-1"), Some("br-main"));
        it.survey.neon = Some(Err(Obstacle { evidence: "no answer".to_owned(), fix: "look".to_owned() }));
    });
    check("staged-first", Passed, "no `after:`", |_| {});
    check("staged-first", Failed, "0002_b.sql is not applied there", |it| it.staged = staged(vec![row(&it.files[0])]));
    check("staged-first", Passed, "the same bytes", |it| it.staged = staged(it.files.iter().map(row).collect()));
    check("staged-first", Failed, "0001_a.sql has other bytes there", |it| {
        let other = HistoryRow { checksum: "other".to_owned(), ..row(&it.files[0]) };
        it.staged = staged(vec![other, row(&it.files[1])]);
    });
    check("staged-first", Failed, "0001_a.sql is not applied there", |it| {
        let begun = HistoryRow { done: false, ..row(&it.files[0]) };
        it.staged = staged(vec![begun, row(&it.files[1])]);
    });
    check("staged-first", Warned, "waived, because this is a hotfix", |it| {
        it.staged = staged(Vec::new());
        it.promotion_type = PromotionType::Hotfix;
    });
    check("staged-first", Failed, "0001_a.sql has other bytes there", |it| {
        let other = HistoryRow { checksum: "other".to_owned(), ..row(&it.files[0]) };
        it.staged = staged(vec![other, row(&it.files[1])]);
        it.promotion_type = PromotionType::Hotfix;
    });
    check("staged-first", Failed, "cannot look at `staging`: no answer", |it| {
        it.staged = unreachable_staging();
    });
    check("staged-first", Warned, "waived by the emergency", |it| {
        it.staged = unreachable_staging();
        it.emergency = Some(haste());
    });
    check("staged-first", Failed, "no promotion has recorded applying it", |it| {
        let history = it.files.iter().map(row).collect();
        it.staged = Some(Staged { applied: Vec::new(), ..staged(history).unwrap() });
    });
    check("staged-first", Warned, "waived by emergency INC-7: orders", |it| {
        it.staged = staged(Vec::new());
        it.emergency = Some(haste());
    });
    check("staged-first", Failed, "0001_a.sql has other bytes there", |it| {
        let other = HistoryRow { checksum: "other".to_owned(), ..row(&it.files[0]) };
        it.staged = staged(vec![other, row(&it.files[1])]);
        it.emergency = Some(haste());
    });
    check("restore-point", Failed, "others are connected", |it| {
        it.survey.restore_point = Err(Obstacle { evidence: "others are connected".to_owned(), fix: String::new() });
        it.emergency = Some(haste());
    });
    check("emergency", Warned, "emergency INC-7: orders fail", |it| it.emergency = Some(haste()));
    check("emergency", Failed, "--emergency --incident", |it| {
        it.promotion_type = PromotionType::Hotfix;
        it.environment.approvals = Some(one_approval());
    });
    // Nobody needs to read that there is none.
    for promotion_type in [PromotionType::SchemaSafe, PromotionType::Hotfix] {
        let world = World { promotion_type, ..World::new() };
        assert!(world.decide().gates.iter().all(|it| it.name != "emergency"));
    }
    check("approved", Warned, "nobody was asked", |_| {});
    check("approved", Passed, "nobody was asked", |it| it.environment.profile = ProfileName::Staging);
    check("approved", Failed, "outside a GitHub job", |it| it.environment.approvals = Some(one_approval()));
    check("approved", Failed, "outside a GitHub job", |it| {
        it.environment.approvals = Some(one_approval());
        it.emergency = Some(haste());
    });
    check("approved", Warned, "not yet: outside a GitHub job", |it| {
        it.environment.approvals = Some(one_approval());
        it.purpose = Purpose::Show;
    });
    check("privileges", Failed, "can only read", |it| it.survey.privileges.read_only = true);
    check("privileges", Failed, "grant create on database", |it| it.survey.privileges.bookkeeping = false);
    check("privileges", Failed, "does not own public.a", |it| {
        it.survey.privileges.not_owned = vec!["public.a".to_owned()];
    });
    let obstacle = || Err(Obstacle { evidence: "others are connected".to_owned(), fix: "stop them".to_owned() });
    check("restore-point", Failed, "others are connected", |it| it.survey.restore_point = obstacle());
    check("restore-point", Failed, "others are connected", |it| {
        it.survey.restore_point = obstacle();
        it.promotion_type = PromotionType::Hotfix;
    });
    check("restore-point", Warned, "none will be made", |it| {
        it.survey.restore_point = obstacle();
        it.environment.profile = ProfileName::Staging;
    });
    check("restore-point", Passed, "nothing to apply", |it| {
        it.survey.restore_point = obstacle();
        it.survey.records.history = it.files.iter().map(row).collect();
    });
    check("audit", Warned, "no webhook", |it| it.webhook = false);
    check("audit", Warned, "3 events", |it| it.survey.records.undelivered = 3);
    check("lock", Warned, "another liftlock is at work", |it| {
        let (user, application_name) = ("ci".to_owned(), "liftlock".to_owned());
        it.survey.lock_holders = vec![OtherSession { pid: 7, user, application_name, age_seconds: 3 }];
    });
    check("connections", Warned, "pid 7 of ci", |it| {
        it.survey.long_transactions = vec![LongTransaction {
            pid: 7,
            user: "ci".to_owned(),
            application_name: String::new(),
            state: "idle in transaction".to_owned(),
            seconds: 60,
        }];
    });
}

#[test]
fn the_event_stands_before_the_restore_point_and_that_before_every_migration() {
    let mut world = World::new();
    world.sync = Some(vec!["a".to_owned()]);
    let ids: Vec<String> = world.planned().steps.iter().map(|it| it.id().0).collect();
    let expected = [
        "audit:started",
        "restore-point",
        "apply:0001_a.sql",
        "apply:0002_b.sql",
        "verify",
        "audit:finished",
        "deliver",
        "sync",
    ];
    assert_eq!(ids, expected);
    world.environment.profile = ProfileName::Dev;
    assert!(!world.planned().steps.iter().any(|it| matches!(it, Step::RestorePoint { .. })));
}

#[test]
fn the_digest_is_of_what_is_proven_and_of_nothing_else() {
    let digest = |change: &dyn Fn(&mut World)| {
        let mut world = World::new();
        change(&mut world);
        world.planned().digest
    };
    let same = digest(&|_| {});
    assert!(same.starts_with("sha256:") && same.len() == 71, "{same}");
    // The order in which files were found, who asks, and what is merely shown.
    assert_eq!(digest(&|it| it.files.reverse()), same);
    assert_eq!(digest(&|it| it.webhook = false), same);
    for (what, change) in [
        ("bytes", (|it: &mut World| it.files[0] = file("0001_a.sql", "create table a (id bigint);")) as fn(&mut World)),
        ("ids", |it| it.files[0] = file("0001_c.sql", "create table a (id int);")),
        ("fewer", |it| it.files.truncate(1)),
        ("type", |it| it.promotion_type = PromotionType::Hotfix),
        ("database", |it| it.survey.identity = identity("app", 16_385)),
        ("tool", |it| it.tool_version = "1.0.1"),
        ("rules", |it| it.rules = "sha256:others"),
    ] {
        assert_ne!(digest(&change), same, "{what}");
    }
}

#[test]
fn a_promotion_that_goes_on_keeps_its_plan_and_refuses_other_bytes_or_another_database() {
    let mut world = World::new();
    let plan = world.planned();
    world.resumes = Some(plan.clone());
    world.files.push(file("0003_later.sql", "create table c (id int);"));
    assert_eq!(world.planned(), plan);
    world.files[1] = file("0002_b.sql", "create table b (id bigint);");
    let failed = |world: &World| -> Vec<&'static str> {
        let refusal = world.decide().plan.unwrap_err();
        refusal.failed().map(|it| it.name).collect()
    };
    assert_eq!(failed(&world), ["history"]);
    world.files.remove(1);
    assert_eq!(failed(&world), ["history"]);
    // Restored from a restore point: another oid under the same name.
    world.files = World::new().files;
    world.survey.identity = identity("app", 17_000);
    assert_eq!(failed(&world), ["identity"]);
}

#[test]
fn a_plan_without_what_later_versions_added_is_read_and_unknown_members_are_passed_over() {
    let plan = World::new().planned();
    let mut older = serde_json::to_value(&plan).unwrap();
    let members = older.as_object_mut().unwrap();
    for later in ["rules", "waivers", "gates", "approval", "emergency"] {
        members.remove(later);
    }
    members.insert("approved_by".to_owned(), json!("somebody"));
    members["steps"][0]["since"] = json!("1.2");
    for migration in members["migrations"].as_array_mut().unwrap() {
        migration.as_object_mut().unwrap().remove("statements");
    }
    let read: Plan = serde_json::from_value(older).unwrap();
    assert_eq!(read.steps, plan.steps);
    assert_eq!(read.digest, plan.digest);
    let again: Plan = serde_json::from_str(&serde_json::to_string(&plan).unwrap()).unwrap();
    assert_eq!(again, plan);
}

#[test]
fn on_neon_the_restore_point_is_a_branch_named_after_run_and_commit() {
    let mut world = World::new();
    world.files.push(file("0003_c.sql", "alter table shop.c add d int; update a set id = 1; drop table if exists b;"));
    world.survey.identity.neon_project = Some("calm-river-1".to_owned());
    world.survey.identity.neon_branch = Some("br-main".to_owned());
    world.survey.neon = Some(Ok(NeonIdentity { project: "calm-river-1".to_owned(), branch: "br-main".to_owned() }));
    let plan = world.planned();
    let step = plan.steps.iter().find(|it| it.id().0 == RESTORE_POINT).unwrap();
    let shown = step.shown();
    assert!(shown.starts_with(&format!("make Neon branch `liftlock/{}/0f3a99aa1122` of br-main", plan.run)), "{shown}");
    let Step::RestorePoint { neon: Some(source), .. } = step else { panic!("{step:?}") };
    assert_eq!(source.tables, ["public.a", "public.b", "shop.c"]);
    let text = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
    let old = r#"{"kind":"restore_point","name":"n","nonce":"x","keep_seconds":60}"#;
    assert!(serde_json::from_str::<Step>(old).unwrap().shown().contains("`n`"), "what an older one wrote is read");
}
