//! The real client of Neon's API against the fake: whatever goes wrong on the way, a change happens once or not at
//! all, and what cannot be proven is an error.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use liftlock::{
    config::{self, NeonBranch},
    services::{
        branches::{
            Branch, BranchError, BranchState, Branches, Depth, NeonBranches, NewBranch, Scope, direct_host,
            neon_backup_name, neon_preserve_name,
        },
        http::Patience,
        neon::Polling,
        postgres::Address,
    },
};
use miette::{Diagnostic, Report};
use tokio::time;

use crate::support::neon::{
    FakeNeon, Setup,
    faults::{
        Access, Call, Done, Ending, Fault, Fields, Hosts, How, Look, Pages, Plan, RetryAfter, Verdict, Words, answer,
        throttled,
    },
};

const SHOP: &str = "create table poles (id int primary key); insert into poles select generate_series(1, 9)";
const HOUR: Duration = Duration::from_secs(3600);
const LOOKS: [Look; 6] = [Look::HangUp, Look::Truncated, Look::Html524, Look::Text502, Look::Empty504, Look::Json500];

fn settings(neon: &FakeNeon) -> config::Neon {
    config::Neon {
        project: neon.project.clone(),
        branch: NeonBranch::Id(neon.branch.clone()),
        api_key: neon.key(),
        api_url: neon.api_url.clone(),
    }
}

/// The client, in more of a hurry than usual.
pub fn provider(neon: &FakeNeon) -> NeonBranches<'static> {
    with_settings(neon, &settings(neon))
}

fn with_settings(neon: &FakeNeon, settings: &config::Neon) -> NeonBranches<'static> {
    let mut provider = NeonBranches::open(settings, Address::parse(&neon.database_url()).unwrap()).unwrap();
    provider.neon().patience = Patience {
        locked: Duration::from_secs(20),
        busy: Duration::from_secs(10),
        unreachable: Duration::from_secs(1),
        first_pause: Duration::from_millis(20),
        longest_pause: Duration::from_millis(200),
    };
    provider.neon().polling = Polling {
        first: Duration::from_millis(20),
        longest: Duration::from_millis(100),
        deadline: Duration::from_secs(30),
        grace: Duration::from_millis(500),
        appearing: Duration::from_secs(1),
    };
    provider
}

fn wanted(nonce: &str) -> NewBranch {
    let expires_at = Timestamp::from_second(Timestamp::now().as_second() + 86_400).unwrap();
    NewBranch {
        name: neon_backup_name(None, None, Timestamp::now(), nonce),
        nonce: nonce.to_owned(),
        expires_at: Some(expires_at),
        run: None,
        commit: None,
        scope: Scope::All,
    }
}

/// The code of an error, after a look at all that it says: no secret may be in it.
fn code<T>(neon: &FakeNeon, result: Result<T, BranchError>) -> String {
    let Err(error) = result else { return "ok".to_owned() };
    let code = error.code().map(|it| it.to_string()).unwrap_or_default();
    let debug = format!("{error:?}");
    let said = format!("{debug} {:?}", Report::new(error));
    let password = Address::parse(&neon.database_url()).unwrap().password.unwrap();
    assert!(!said.contains(neon.key().expose()) && !said.contains(password.expose()), "{said}");
    code
}

/// One way of going wrong: what is prepared, how `create` must end, and how often it may ask.
type Case = (&'static str, Box<dyn Fn(&FakeNeon)>, &'static str, usize);

fn case(name: &'static str, prepare: impl Fn(&FakeNeon) + 'static, expected: &'static str, asked: usize) -> Case {
    (name, Box::new(prepare), expected, asked)
}

/// Creates with each of the cases. Afterwards there is one branch with our nonce or none, and when it was said to be
/// there, it is whole.
async fn creating(setup: Setup, cases: Vec<Case>) {
    let neon = FakeNeon::with(setup);
    neon.execute(SHOP).await;
    for (number, (name, prepare, expected, asked)) in cases.into_iter().enumerate() {
        neon.reset();
        prepare(&neon);
        let provider = provider(&neon);
        let new = wanted(&format!("{number:08}"));
        let made = provider.create(&new).await;
        let sound = made.as_ref().is_ok_and(|it| it.state == BranchState::Ready && it.lsn.is_some());
        let said = made.as_ref().map_or_else(|it| format!("{it:?}"), |_| String::new());
        let found = code(&neon, made);
        assert_eq!(found, expected, "{name}: {said}");
        assert_eq!(neon.mutations("POST", "/branches").len(), asked, "{name}");
        let ours = neon.branches().into_iter().filter(|it| it.annotation.values().any(|it| *it == new.nonce)).count();
        assert!(ours <= 1, "{name}: {ours}");
        if expected == "ok" {
            assert_eq!((sound, ours), (true, 1), "{name}");
        }
    }
}

fn set(change: impl Fn(&mut crate::support::neon::faults::Switches) + Clone + 'static) -> impl Fn(&FakeNeon) + 'static {
    move |neon| neon.set(change.clone())
}

fn fail(fault: Fault) -> impl Fn(&FakeNeon) + 'static {
    move |neon| neon.fail(fault.clone())
}

#[tokio::test]
async fn a_refusal_that_passes_is_waited_out() {
    let busy = |retry_after| fail(Fault::once(Call::CreateBranch, throttled(429, retry_after)).times(2));
    let gone = |retry_after| fail(Fault::once(Call::CreateBranch, throttled(503, retry_after)));
    let endless = |status| fail(Fault::once(Call::CreateBranch, throttled(status, RetryAfter::Absent)).times(10_000));
    creating(
        Setup::default(),
        vec![
            case("nothing in the way", |_| {}, "ok", 1),
            case("423 twice", fail(Fault::once(Call::CreateBranch, answer(423, "locked")).times(2)), "ok", 3),
            case("429", busy(RetryAfter::Absent), "ok", 3),
            case("429, seconds", busy(RetryAfter::Seconds(1)), "ok", 3),
            case("429, a date", busy(RetryAfter::Date(1)), "ok", 3),
            case("429, nonsense", busy(RetryAfter::Text("soon")), "ok", 3),
            case("503", gone(RetryAfter::Absent), "ok", 2),
            case("503, seconds", gone(RetryAfter::Seconds(0)), "ok", 2),
            case("503, a date gone by", gone(RetryAfter::Text("Wed, 21 Oct 2020 07:28:00 GMT")), "ok", 2),
            case("429, beyond all patience", busy(RetryAfter::Seconds(3600)), "neon::busy", 1),
            case("503, a date beyond all patience", gone(RetryAfter::Date(3600)), "neon::busy", 1),
            case("not ready yet", fail(Fault::once(Call::CreateBranch, answer(422, "branch not ready yet"))), "ok", 2),
            case("reads fail, too", fail(Fault::once(Call::AnyRead, answer(500, "internal error")).times(2)), "ok", 1),
            case("reads are cut off", fail(Fault::once(Call::AnyRead, How::Lose(Done::No, Look::HangUp))), "ok", 1),
            case("a page instead", fail(Fault::once(Call::AnyRead, How::Lose(Done::No, Look::Html524))), "ok", 1),
        ],
    )
    .await;
    // How often is chance; that it ends, and how, is not.
    for status in [423, 429] {
        let neon = FakeNeon::start();
        endless(status)(&neon);
        let mut provider = provider(&neon);
        provider.neon().patience.locked = Duration::from_secs(1);
        provider.neon().patience.busy = Duration::from_secs(1);
        assert_eq!(code(&neon, provider.create(&wanted("aa")).await), "neon::busy");
        assert!(neon.mutations("POST", "/branches").len() > 2 && neon.branches().len() == 1);
    }
}

#[tokio::test]
async fn a_lock_that_nobody_sees_is_waited_out() {
    let neon = FakeNeon::start();
    neon.lock(Duration::from_millis(1500));
    let other = neon.add_branch("other", |_| {});
    provider(&neon).create(&wanted("aa")).await.unwrap();
    neon.set(|it| it.operation_time = Duration::from_millis(1500));
    let path = format!("{}/projects/{}/branches/{other}", neon.api_url, neon.project);
    let sent = liftlock::services::http::client().delete(path).bearer_auth(neon.key().expose()).send().await.unwrap();
    assert_eq!(sent.status().as_u16(), 200);
    neon.set(|it| it.operation_time = Duration::from_millis(10));
    provider(&neon).create(&wanted("bb")).await.unwrap();
    assert!(neon.mutations("POST", "/branches").iter().filter(|it| it.status == Some(423)).count() >= 2);
    assert_eq!(neon.branches().len(), 3);
}

#[tokio::test]
async fn a_lost_answer_never_makes_a_second_branch() {
    let mut cases = Vec::new();
    for look in LOOKS {
        let lost = |done| fail(Fault::once(Call::CreateBranch, How::Lose(done, look)));
        cases.push(case("lost after it was done", lost(Done::Yes), "ok", 1));
        cases.push(case("lost before", lost(Done::No), "ok", 2));
    }
    let slow = |neon: &FakeNeon| {
        neon.set(|it| it.operation_time = Duration::from_secs(1));
        neon.fail(Fault::once(Call::CreateBranch, How::Lose(Done::Yes, Look::HangUp)));
    };
    cases.push(case("lost while it is made", slow, "ok", 1));
    creating(Setup::default(), cases).await;
}

#[tokio::test]
async fn operations_are_waited_for_and_their_end_is_believed() {
    let ending = |ending: Ending| set(move |it| it.endings = vec![ending]);
    creating(
        Setup::default(),
        vec![
            case("finished", ending(Ending::Finished), "ok", 1),
            case("skipped", ending(Ending::Skipped), "ok", 1),
            case("failed, and tried again", ending(Ending::FailedThenFinished), "ok", 1),
            case("error", ending(Ending::Error), "neon::operation_failed", 1),
            case("cancelled", ending(Ending::Cancelled), "neon::operation_failed", 1),
            case("failed for good", ending(Ending::FailedForGood), "neon::operation_failed", 1),
            case("slow", set(|it| it.operation_time = Duration::from_secs(1)), "ok", 1),
            case("not listed", set(|it| it.operations_unlisted = HOUR), "ok", 1),
            case("not named", set(|it| it.operations_named = Verdict::Refused), "ok", 1),
            case(
                "not named, and slow",
                set(|it| {
                    (it.operations_named, it.operation_time) = (Verdict::Refused, Duration::from_secs(1));
                }),
                "ok",
                1,
            ),
            case("the branch shows itself later", set(|it| it.branch_unreadable = Duration::from_millis(700)), "ok", 1),
            case("the place in the log shows itself later", set(|it| it.lsn_at_end = Verdict::Allowed), "ok", 1),
            case("words that nobody knows", set(|it| it.words = Words::Unknown), "ok", 1),
            case("only what is required", set(|it| it.fields = Fields::Required), "ok", 1),
        ],
    )
    .await;
    let neon = FakeNeon::start();
    neon.set(|it| it.endings = vec![Ending::Never]);
    let mut provider = provider(&neon);
    provider.neon().polling.deadline = Duration::from_secs(1);
    let new = wanted("never");
    for attempt in 1..=2 {
        let found = code(&neon, provider.create(&new).await);
        let expected = if attempt == 1 { "neon::operation_unfinished" } else { "neon::branch_unfinished" };
        assert_eq!(found, expected, "the second time it is found and not made");
    }
    assert_eq!(neon.mutations("POST", "/branches").len(), 1);
}

#[tokio::test]
async fn what_neon_refuses_is_told_and_nothing_is_there() {
    let foreign = |neon: &FakeNeon| {
        let name = wanted("00000000").name;
        neon.add_branch(&name, |it| _ = it.annotation.insert("liftlock-nonce".to_owned(), "another".to_owned()));
    };
    let full = |neon: &FakeNeon| {
        neon.set(|it| it.plan = Plan::Free);
        (1..10).for_each(|number| _ = neon.add_branch(&format!("n{number}"), |_| {}));
    };
    let paged = |pages| {
        move |neon: &FakeNeon| {
            neon.set(|it| (it.pages, it.page_length) = (pages, 2));
            (1..6).for_each(|number| _ = neon.add_branch(&format!("liftlock/manual/{number}"), |_| {}));
        }
    };
    creating(
        Setup::default(),
        vec![
            case("somebody else has the name", foreign, "branches::taken", 0),
            case("no place left", full, "neon::quota", 1),
            case("no expiry to be had", set(|it| it.expiry = Verdict::Refused), "neon::refused", 1),
            case("a key that reads only", set(|it| it.access = Access::ReadOnly), "neon::denied", 1),
            case("a key that sees nothing", set(|it| it.access = Access::Hidden), "neon::not_found", 0),
            case("a key for something else", set(|it| it.access = Access::Forbidden), "neon::denied", 0),
            case("a redirect", fail(Fault::once(Call::CreateBranch, answer(308, ""))), "neon::refused", 1),
            case("a list in pages", paged(Pages::Plain), "ok", 1),
            case("a list with an empty page", paged(Pages::TrailingEmpty), "ok", 1),
            case("a list that begins again", paged(Pages::Repeating), "ok", 1),
        ],
    )
    .await;
    let neon = FakeNeon::start();
    let mut other = settings(&neon);
    other.api_key = liftlock::secret::Secret::new("napi_of_somebody_else");
    assert_eq!(code(&neon, with_settings(&neon, &other).create(&wanted("aa")).await), "neon::denied");
}

#[tokio::test]
async fn another_branch_or_project_than_the_configured_one_is_refused_before_anything_is_done() {
    let (neon, elsewhere) = (FakeNeon::start(), FakeNeon::start());
    let made = provider(&neon).create(&wanted("aa")).await.unwrap();
    neon.forget_requests();
    let mut other_branch = settings(&neon);
    other_branch.branch = NeonBranch::Id(made.place.unwrap().branch);
    let found = code(&neon, with_settings(&neon, &other_branch).create(&wanted("bb")).await);
    assert!(found.starts_with("postgres::"), "{found}");
    // The URL leads to one project, the configuration names another.
    let found = code(&neon, with_settings(&elsewhere, &settings(&neon)).create(&wanted("bb")).await);
    assert!(found.starts_with("postgres::"), "{found}");
    assert!(neon.requests().iter().all(|it| !it.is_mutation()));
    let mut default = settings(&neon);
    default.branch = NeonBranch::Default;
    with_settings(&neon, &default).create(&wanted("cc")).await.unwrap();
}

#[tokio::test]
async fn the_direct_host_is_what_neon_says() {
    let neon = FakeNeon::start();
    let endpoint = neon.endpoint_of(&neon.branch);
    for (hosts, expected) in [
        (Hosts::Local, "127.0.0.1".to_owned()),
        (Hosts::Plain, format!("{endpoint}.us-east-2.aws.neon.tech")),
        (Hosts::Cell, format!("{endpoint}.c-2.us-east-2.aws.neon.tech")),
    ] {
        neon.set(|it| it.hosts = hosts);
        assert_eq!(direct_host(&settings(&neon)).await, Some(expected));
    }
    neon.set(|it| it.access = Access::Hidden);
    assert_eq!(direct_host(&settings(&neon)).await, None);
}

/// Makes a restore point, spoils production and puts it back with each of the cases; `asked` counts the orders.
async fn restoring(cases: Vec<Case>) {
    let neon = FakeNeon::start();
    for (number, (name, prepare, expected, asked)) in cases.into_iter().enumerate() {
        neon.reset();
        neon.execute(&format!("drop table if exists poles; {SHOP}")).await;
        let provider = provider(&neon);
        let made = provider.create(&wanted(&format!("{number:08}"))).await.unwrap();
        neon.execute("delete from poles where id > 2").await;
        time::sleep(Duration::from_millis(1100)).await;
        prepare(&neon);
        let preserve = neon_preserve_name(&made.nonce, number);
        let restored = provider.restore(&made, &preserve).await;
        let said = restored.as_ref().map_or_else(|it| format!("{it:?}"), |_| String::new());
        assert_eq!(code(&neon, restored), expected, "{name}: {said}");
        assert_eq!(neon.mutations("POST", "/restore").len(), asked, "{name}");
        let rows = neon.text("select count(*)::text from poles").await;
        assert_eq!(rows, if expected == "ok" { "9" } else { "2" }, "{name}");
        if expected == "ok" {
            let again = provider.restore(&made, &preserve).await;
            assert_eq!(code(&neon, again), "ok", "{name}");
            assert_eq!(neon.mutations("POST", "/restore").len(), asked, "{name}: done before, it does nothing");
            assert_eq!(neon.branches().len(), 3, "{name}: production, restore point, what was kept");
        }
    }
}

#[tokio::test]
async fn a_restore_happens_once_or_not_at_all() {
    let lost = |done, look| fail(Fault::once(Call::Restore, How::Lose(done, look)));
    restoring(vec![
        case("nothing in the way", |_| {}, "ok", 1),
        case("423", fail(Fault::once(Call::Restore, answer(423, "locked")).times(2)), "ok", 3),
        case("cut off after it was done", lost(Done::Yes, Look::HangUp), "ok", 1),
        case("a page after it was done", lost(Done::Yes, Look::Html524), "ok", 1),
        case("text after it was done", lost(Done::Yes, Look::Text502), "ok", 1),
        case("cut off before", lost(Done::No, Look::HangUp), "neon::unclear", 1),
        case("a page before", lost(Done::No, Look::Html524), "neon::unclear", 1),
        case("slow", set(|it| it.operation_time = Duration::from_secs(1)), "ok", 1),
        case("not named", set(|it| it.operations_named = Verdict::Refused), "ok", 1),
        case("words that nobody knows", set(|it| it.words = Words::Unknown), "ok", 1),
    ])
    .await;
}

#[tokio::test]
async fn a_restore_that_neon_will_not_do_is_refused_and_changes_nothing() {
    let protect = |neon: &FakeNeon, restricted: bool| {
        neon.change_branch(&neon.branch, |it| {
            it.protected = true;
            if restricted {
                it.restricted = vec![("restore", "branch is protected")];
            }
        });
        neon.set(|it| it.restore_of_protected = Verdict::Refused);
    };
    let full = |neon: &FakeNeon| {
        neon.set(|it| it.plan = Plan::Free);
        (2..10).for_each(|number| _ = neon.add_branch(&format!("n{number}"), |_| {}));
    };
    let out_of_window = |verdict| {
        move |neon: &FakeNeon| {
            neon.set_history(Duration::from_secs(60));
            neon.set(|it| it.restore_from_expiring = verdict);
        }
    };
    restoring(vec![
        case("protected, which Neon says", move |neon| protect(neon, true), "branches::obstacle", 0),
        case("protected, which shows only then", move |neon| protect(neon, false), "neon::refused", 1),
        case("protected, and allowed", |neon| neon.change_branch(&neon.branch, |it| it.protected = true), "ok", 1),
        case(
            "a snapshot is being restored",
            |neon| neon.change_branch(&neon.branch, |it| it.restore_status = Some("detaching")),
            "branches::obstacle",
            0,
        ),
        case("no place for what there is", full, "branches::obstacle", 0),
        case("out of the window, from the branch, refused", out_of_window(Verdict::Refused), "neon::refused", 1),
        case("out of the window, from the branch", out_of_window(Verdict::Allowed), "ok", 1),
    ])
    .await;
}

#[tokio::test]
async fn deleting_is_done_once_it_is_gone_and_touches_nothing_else() {
    let neon = FakeNeon::start();
    let lost = |done, look| fail(Fault::once(Call::DeleteBranch, How::Lose(done, look)));
    type Change = Box<dyn Fn(&FakeNeon, &Branch)>;
    let cases: Vec<(&str, Change, &str)> = vec![
        ("nothing in the way", Box::new(|_, _| {}), "ok"),
        ("cut off after", Box::new(move |neon, _| lost(Done::Yes, Look::HangUp)(neon)), "ok"),
        ("cut off before", Box::new(move |neon, _| lost(Done::No, Look::Text502)(neon)), "ok"),
        ("gone already", Box::new(|neon, made| neon.remove_branch(&made.place.as_ref().unwrap().branch)), "ok"),
        (
            "has children",
            Box::new(|neon, made| {
                let parent = made.place.as_ref().unwrap().branch.clone();
                neon.add_branch("child", |it| it.parent = Some(parent));
            }),
            "branches::obstacle",
        ),
        (
            "protected",
            Box::new(|neon, made| neon.change_branch(&made.place.as_ref().unwrap().branch, |it| it.protected = true)),
            "branches::obstacle",
        ),
        (
            "is another's now",
            Box::new(|neon, made| {
                let branch = &made.place.as_ref().unwrap().branch;
                neon.change_branch(branch, |it| _ = it.annotation.insert("liftlock-nonce".to_owned(), "x".to_owned()));
            }),
            "branches::taken",
        ),
    ];
    for (number, (name, prepare, expected)) in cases.into_iter().enumerate() {
        neon.reset();
        let provider = provider(&neon);
        let made = provider.create(&wanted(&format!("{number:08}"))).await.unwrap();
        prepare(&neon, &made);
        assert_eq!(code(&neon, provider.delete(&made).await), expected, "{name}");
        let there = neon.branches().iter().any(|it| it.id == made.place.as_ref().unwrap().branch);
        assert_eq!(there, expected != "ok", "{name}");
        if expected == "ok" {
            assert_eq!(code(&neon, provider.delete(&made).await), "ok", "{name}");
        }
    }
}

#[tokio::test]
async fn a_restore_point_is_opened_by_its_own_password_and_closed_again() {
    for (protected, roles, databases) in
        [(false, vec!["neondb_owner"], vec!["neondb"]), (true, vec!["neondb_owner", "app"], vec!["neondb", "more"])]
    {
        let neon = FakeNeon::with(Setup { protected, roles, databases, ..Setup::default() });
        neon.execute(SHOP).await;
        let provider = provider(&neon);
        let made = provider.create(&wanted("aa")).await.unwrap();
        let computes =
            || neon.requests().iter().filter(|it| it.path.contains("/endpoints") && it.is_mutation()).count();
        assert_eq!(computes(), 0, "it is made without a compute");
        neon.execute("delete from poles").await;
        let verified = provider.verify(&made, Depth::Contents).await.unwrap();
        assert!(verified.is_sound(), "{verified:?}");
        assert_eq!((verified.tables, verified.rows), (1, 9));
        assert_eq!(computes(), 2, "one compute, made and deleted");
        for fault in [
            Fault::once(Call::CreateEndpoint, How::Lose(Done::Yes, Look::HangUp)),
            Fault::once(Call::CreateEndpoint, How::Lose(Done::No, Look::Html524)),
            Fault::once(Call::DeleteEndpoint, How::Lose(Done::Yes, Look::HangUp)),
            Fault::once(Call::ConnectionUri, answer(503, "busy")),
            Fault::once(Call::ReadOperation, answer(404, "operation not found")),
        ] {
            neon.fail(fault.clone());
            let verified = provider.verify(&made, Depth::Contents).await;
            assert_eq!(code(&neon, verified), "ok", "{fault:?}");
        }
        // No operation says when the compute is up: it shows by its state.
        neon.set(|it| (it.operations_named, it.operation_time) = (Verdict::Refused, Duration::from_millis(700)));
        assert_eq!(code(&neon, provider.verify(&made, Depth::Contents).await), "ok", "not named, and slow");
        neon.settled().await;
        neon.set(|it| (it.operations_named, it.operation_time) = (Verdict::Allowed, Duration::from_millis(10)));
        assert_eq!(neon.computes(), 1, "production's own is what is left");
        neon.set(|it| it.stored_passwords = Verdict::Refused);
        assert_eq!(code(&neon, provider.verify(&made, Depth::Contents).await), "neon::refused");
        assert_eq!(neon.computes(), 1, "also after a failure");
    }
}

#[tokio::test]
async fn what_has_expired_is_found_out() {
    let neon = FakeNeon::start();
    let provider = provider(&neon);
    let made = provider.create(&wanted("aa")).await.unwrap();
    let id = made.place.as_ref().unwrap().branch.clone();
    assert!(provider.verify(&made, Depth::Outside).await.unwrap().is_sound());
    neon.change_branch(&id, |it| it.parent_lsn = Some("0/1".to_owned()));
    let moved = provider.verify(&made, Depth::Outside).await.unwrap();
    assert!(moved.shown().contains("place in the log"), "{moved:?}");
    let old = Branch { lsn: Some("0/1".to_owned()), ..made.clone() };
    let old = provider.verify(&old, Depth::Outside).await.unwrap();
    assert!(old.shown().contains("had written up to"), "made of an older state: {old:?}");
    neon.change_branch(&id, |it| {
        it.parent_lsn.clone_from(&made.lsn);
        it.expires_at = Some(Timestamp::now() - SignedDuration::from_secs(1));
    });
    let expired = provider.verify(&made, Depth::Outside).await.unwrap();
    assert!(expired.shown().contains("expired"), "{expired:?}");
    neon.advance(Duration::from_secs(120));
    assert_eq!(code(&neon, provider.verify(&made, Depth::Outside).await), "branches::not_found");
}
