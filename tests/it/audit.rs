//! The outbox on real Postgres: appending, tampering, delivering; and `liftlock audit`.

use std::{fs, process::Output, time::Duration};

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use liftlock::{
    promote::{
        event::{self, Facts, Kind, NewEvent},
        outbox::{self, Break, Delivery, Pace, Stopped, Terms},
    },
    report::progress::Quiet,
    secret::Secret,
    services::{
        bookkeeping,
        postgres::Session,
        webhook::{FileSink, HttpSink, Sink},
    },
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    receiver::{Answer, Receiver, SECRET},
    support::{self, TestDatabase},
};

const RUN: Uuid = Uuid::from_u128(0x0197_a1b2_0000_7000_8000_0000_0000_0001);

/// Short enough for a test, long enough for one retry after a second.
const TERMS: Terms = Terms { budget: Duration::from_secs(20), patience: Duration::from_secs(1), pace: Pace::Now };

async fn database(test: &str) -> TestDatabase {
    let database = support::database(test).await;
    bookkeeping::ensure(&mut *database.session().await).await.unwrap();
    database
}

fn new(what: &str) -> NewEvent {
    NewEvent {
        id: event::id(RUN, Kind::MigrationApplied, what),
        kind: Kind::MigrationApplied,
        run: Some(RUN),
        source: "urn:liftlock:test".to_owned(),
        subject: "production/test".to_owned(),
        time: Timestamp::now(),
        facts: Facts { environment: "production".to_owned(), actor: what.to_owned(), ..Facts::default() },
    }
}

/// Appends one event, each in a transaction of its own.
async fn append(session: &mut Session, what: &str) -> outbox::Event {
    let transaction = session.transaction().await.unwrap();
    let event = outbox::append(&transaction, &new(what)).await.unwrap();
    transaction.commit().await.unwrap();
    event
}

async fn filled(test: &str, events: usize) -> (TestDatabase, Session) {
    let database = database(test).await;
    let mut session = database.session().await;
    for number in 1..=events {
        append(&mut session, &number.to_string()).await;
    }
    (database, session)
}

async fn waiting_sequences(session: &Session) -> Vec<i64> {
    let sql = "select sequence from liftlock.audit_outbox where delivered_at is null order by sequence";
    session.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn an_event_is_there_if_and_only_if_the_change_is() {
    let (_database, mut session) = filled("outbox_rollback", 2).await;
    let transaction = session.transaction().await.unwrap();
    outbox::append(&transaction, &new("lost")).await.unwrap();
    transaction.rollback().await.unwrap();
    let third = append(&mut session, "3").await;
    assert_eq!(third.sequence, 3, "a rollback left a gap");
    let chain = outbox::verify(&*session).await.unwrap();
    assert_eq!((chain.sound, chain.broken, chain.head), (3, None, third.hash));
}

#[tokio::test]
async fn the_same_id_twice_is_once_and_the_first_one_stays() {
    let (_database, mut session) = filled("outbox_twice", 2).await;
    let transaction = session.transaction().await.unwrap();
    let changed = NewEvent { facts: Facts::default(), ..new("1") };
    let again = outbox::append(&transaction, &changed).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(again.sequence, 1);
    assert!(again.body.contains(r#""actor":"1""#), "{}", again.body);
    assert_eq!(outbox::count(&*session).await.unwrap(), 2);
}

#[tokio::test]
async fn many_writers_at_once_make_one_chain_without_gaps() {
    let database = database("outbox_writers").await;
    let mut writers = Vec::new();
    for writer in 0..6 {
        let mut session = database.session().await;
        writers.push(tokio::spawn(async move {
            for number in 0..10 {
                append(&mut session, &format!("{writer}-{number}")).await;
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let session = database.session().await;
    let chain = outbox::verify(&*session).await.unwrap();
    assert_eq!((chain.sound, chain.broken), (60, None));
}

#[tokio::test]
async fn a_chain_longer_than_a_page_is_walked_to_its_end_and_sql_alone_can_check_it() {
    let (database, session) = filled("outbox_long", 1001).await;
    let chain = outbox::verify(&*session).await.unwrap();
    assert_eq!((chain.sound, chain.broken), (1001, None));
    let formula = "select bool_and(hash = encode(sha256(convert_to(previous_hash || body, 'UTF8')), 'hex'))::text
        from liftlock.audit_outbox";
    assert_eq!(database.text(formula).await, "true");
    database.execute("update liftlock.audit_outbox set body = body || ' ' where sequence = 1001").await;
    assert_eq!(outbox::verify(&*session).await.unwrap().broken, Some(Break::Changed { sequence: 1001 }));
}

#[tokio::test]
async fn tampering_is_named_at_the_first_event_that_cannot_be_believed() {
    for (tampering, expected) in [
        (
            "update O set body = replace(body, 'production', 'staging') where sequence = 3",
            Break::Changed { sequence: 3 },
        ),
        ("update O set hash = repeat('a', 64) where sequence = 3", Break::Changed { sequence: 3 }),
        ("update O set previous_hash = repeat('a', 64) where sequence = 3", Break::Changed { sequence: 3 }),
        // A forger who computes the hash anew is found by the next event.
        (
            "update O set body = replace(body, 'production', 'staging') where sequence = 3;
             update O set hash = encode(sha256(convert_to(previous_hash || body, 'UTF8')), 'hex') where sequence = 3",
            Break::Unlinked { sequence: 4 },
        ),
        ("delete from O where sequence = 3", Break::Missing { sequence: 3, found: 4 }),
        ("delete from O where sequence = 1", Break::Missing { sequence: 1, found: 2 }),
        // Closing the gap does not help.
        (
            "delete from O where sequence = 3; update O set sequence = sequence - 1 where sequence > 3",
            Break::Unlinked { sequence: 3 },
        ),
        (
            "update O set sequence = 99 where sequence = 2; update O set sequence = 2 where sequence = 3;
             update O set sequence = 3 where sequence = 99",
            Break::Unlinked { sequence: 2 },
        ),
        ("update O set kind = 'x' where sequence = 2", Break::Contradicts { sequence: 2, member: "type" }),
        ("update O set id = gen_random_uuid() where sequence = 2", Break::Contradicts { sequence: 2, member: "id" }),
        (
            "insert into O (sequence, id, kind, body, previous_hash, hash)
             values (0, gen_random_uuid(), 'x', '{}', repeat('0', 64), 'x')",
            Break::Missing { sequence: 1, found: 0 },
        ),
    ] {
        let (database, session) = filled("outbox_tampering", 5).await;
        database
            .execute(
                &tampering.replace(" O ", " liftlock.audit_outbox ").replace("from O", "from liftlock.audit_outbox"),
            )
            .await;
        let chain = outbox::verify(&*session).await.unwrap();
        assert_eq!(chain.broken, Some(expected), "{tampering}");
    }
}

#[tokio::test]
async fn a_chain_that_lacks_its_end_is_given_away_by_the_promotions_beside_it() {
    for (state, last) in [
        ("running", Kind::PromotionStarted),
        ("finished", Kind::PromotionFinished),
        ("failed", Kind::PromotionFailed),
        ("abandoned", Kind::PromotionAbandoned),
    ] {
        let database = database("outbox_cut_off").await;
        let mut session = database.session().await;
        for kind in [Kind::PromotionStarted, Kind::MigrationApplied, last] {
            let transaction = session.transaction().await.unwrap();
            outbox::append(&transaction, &NewEvent { id: event::id(RUN, kind, ""), kind, ..new("") }).await.unwrap();
            transaction.commit().await.unwrap();
        }
        let promotion = format!(
            "insert into liftlock.promotions (run, environment, type, plan, digest, state, actor, tool_version)
             values ('{RUN}', 'production', 'schema_safe', '{{}}', 'sha256:00', '{state}', 'test', '0')"
        );
        session.batch_execute(&promotion).await.unwrap();
        assert_eq!(outbox::verify(&*session).await.unwrap().broken, None, "{state}");
        let cut = format!("delete from liftlock.audit_outbox where kind = '{}'", last.name());
        session.batch_execute(&cut).await.unwrap();
        let broken = outbox::verify(&*session).await.unwrap().broken;
        let cut_off = matches!(&broken, Some(Break::CutOff { kind, .. }) if kind == last.name());
        assert!(cut_off || matches!(broken, Some(Break::Missing { sequence: 1, .. })), "{state}: {broken:?}");
        session.batch_execute("delete from liftlock.audit_outbox").await.unwrap();
        let broken = outbox::verify(&*session).await.unwrap().broken;
        assert!(matches!(broken, Some(Break::CutOff { last: 0, .. })), "{state}: {broken:?}");
    }
}

/// What a script of answers makes of three waiting events.
async fn check(
    script: &[Answer],
    terms: Terms,
    delivered: usize,
    still_waiting: &[i64],
    stopped: Option<&str>,
) -> (Receiver, TestDatabase) {
    let (database, session) = filled("outbox_delivery", 3).await;
    let receiver = Receiver::start(SECRET, script).await;
    let sink = HttpSink::open(&Secret::new(receiver.url()), &Secret::new(SECRET)).unwrap();
    let got = deliver(&session, &sink, terms).await;
    assert_eq!(got.delivered, delivered, "{script:?}");
    assert_eq!(got.waiting, still_waiting.len(), "{script:?}");
    assert_eq!(waiting_sequences(&session).await, still_waiting, "{script:?}");
    let said = got.stopped.map(|stopped| stopped.to_string());
    match (&said, stopped) {
        (None, None) => {}
        (Some(said), Some(expected)) if said.contains(expected) => {}
        _ => panic!("{script:?}: expected {stopped:?}, got {said:?}"),
    }
    let chain = outbox::verify(&*session).await.unwrap();
    assert_eq!((chain.sound, chain.broken), (3, None), "delivery touched the chain");
    // Whatever went wrong: once the receiver is well, everything arrives, under its own id and unchanged.
    receiver.answer(&[]);
    let rest = deliver(&session, &sink, TERMS).await;
    assert_eq!((rest.waiting, rest.stopped.is_none()), (0, true), "{script:?}");
    let taken = receiver.taken();
    for event in outbox::list(&*session).await.unwrap() {
        assert!(taken.iter().any(|it| it.id == event.id.to_string()), "{script:?}: event {} was lost", event.sequence);
        let mut same = taken.iter().filter(|it| it.id == event.id.to_string());
        assert!(same.all(|it| it.body == event.body), "{script:?}: event {} was altered", event.sequence);
    }
    (receiver, database)
}

async fn deliver(session: &Session, sink: &impl Sink, terms: Terms) -> Delivery {
    outbox::deliver(session, sink, terms, &Quiet, &CancellationToken::new()).await.unwrap()
}

#[tokio::test]
async fn everything_is_taken_oldest_first() {
    let (receiver, _database) = check(&[], TERMS, 3, &[], None).await;
    let sequences: Vec<String> = receiver
        .taken()
        .iter()
        .map(|it| serde_json::from_str::<serde_json::Value>(&it.body).unwrap()["sequence"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(sequences, ["000000000001", "000000000002", "000000000003"]);
    assert_eq!(receiver.requests(), 3);
}

#[tokio::test]
async fn a_receiver_that_stumbles_gets_it_again() {
    check(&[Answer::Status(500)], TERMS, 3, &[], None).await;
    check(&[Answer::Take, Answer::Later(503, 1)], TERMS, 3, &[], None).await;
}

#[tokio::test]
async fn an_answer_that_got_lost_is_followed_by_the_same_event_under_the_same_id() {
    let (receiver, _database) = check(&[Answer::TakeAndHangUp], TERMS, 3, &[], None).await;
    assert_eq!(receiver.taken().len(), 4);
    assert_eq!(receiver.taken()[0], receiver.taken()[1]);
}

#[tokio::test]
async fn a_receiver_that_stays_broken_is_left_alone_and_everything_waits() {
    let broken = [Answer::Status(500); 9];
    let (receiver, _database) = check(&broken, TERMS, 0, &[1, 2, 3], Some("500 Internal Server Error")).await;
    assert_eq!(receiver.requests(), 2 + 3, "two attempts, then the three that were taken in the end");
    let broken = [Answer::Take, Answer::Status(502), Answer::Status(502), Answer::Status(502)];
    check(&broken, TERMS, 1, &[2, 3], Some("502 Bad Gateway")).await;
}

#[tokio::test]
async fn a_receiver_that_asks_to_wait_long_is_obeyed() {
    check(&[Answer::Later(429, 3600)], TERMS, 0, &[1, 2, 3], Some("429 Too Many Requests")).await;
}

#[tokio::test]
async fn a_silent_receiver_costs_no_more_than_the_budget() {
    let terms = Terms { budget: Duration::from_millis(400), ..TERMS };
    let began = std::time::Instant::now();
    check(&[Answer::Silence], terms, 0, &[1, 2, 3], Some("did not answer within")).await;
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[tokio::test]
async fn what_only_people_can_mend_stops_at_once() {
    for (answer, said) in [
        (Answer::Status(410), "410 Gone"),
        (Answer::Status(401), "401 Unauthorized"),
        (Answer::Status(404), "404 Not Found"),
        (Answer::Redirect, "307 Temporary Redirect"),
    ] {
        let (receiver, _database) = check(&[answer], TERMS, 0, &[1, 2, 3], Some(said)).await;
        assert_eq!(receiver.requests(), 1 + 3, "{answer:?} was tried again");
    }
}

#[tokio::test]
async fn one_event_that_is_not_wanted_does_not_hold_up_the_others() {
    check(&[Answer::Take, Answer::Status(422)], TERMS, 2, &[2], Some("422 Unprocessable")).await;
}

#[tokio::test]
async fn a_promotion_does_not_bother_a_receiver_that_failed_a_moment_ago() {
    let (_database, session) = filled("outbox_due", 2).await;
    let receiver = Receiver::start(SECRET, &[Answer::Status(500)]).await;
    let sink = HttpSink::open(&Secret::new(receiver.url()), &Secret::new(SECRET)).unwrap();
    let once = Terms { patience: Duration::ZERO, ..TERMS };
    deliver(&session, &sink, once).await;
    let due = Terms { pace: Pace::WhenDue, ..once };
    assert!(matches!(deliver(&session, &sink, due).await.stopped, Some(Stopped::NotDue(_))));
    assert_eq!(receiver.requests(), 1);
    let patient = Terms { pace: Pace::WhenDue, ..TERMS };
    let got = deliver(&session, &sink, patient).await;
    assert_eq!((got.delivered, got.waiting), (2, 0));
}

#[tokio::test]
async fn attempts_and_the_last_error_are_recorded_without_secrets() {
    let (_database, session) = filled("outbox_attempts", 1).await;
    let receiver = Receiver::start(SECRET, &[Answer::Status(500), Answer::Status(500)]).await;
    let url = receiver.url().replace("http://", "http://joe:hunter2@") + "?token=hunter2";
    let sink = HttpSink::open(&Secret::new(url), &Secret::new(SECRET)).unwrap();
    deliver(&session, &sink, TERMS).await;
    let event = outbox::list(&*session).await.unwrap().remove(0);
    assert_eq!((event.attempts, event.delivered_at), (2, None));
    let error = event.last_error.unwrap();
    assert!(error.contains("500 Internal Server Error") && !error.contains("hunter2"), "{error}");
    deliver(&session, &sink, TERMS).await;
    let event = outbox::list(&*session).await.unwrap().remove(0);
    assert_eq!((event.attempts, event.last_error), (3, None));
    assert!(event.delivered_at.is_some());
}

#[tokio::test]
async fn two_that_deliver_at_once_send_nothing_twice() {
    let (database, first) = filled("outbox_two", 40).await;
    let second = database.session().await;
    let receiver = Receiver::start(SECRET, &[]).await;
    let sink = HttpSink::open(&Secret::new(receiver.url()), &Secret::new(SECRET)).unwrap();
    let (one, other) = tokio::join!(deliver(&first, &sink, TERMS), deliver(&second, &sink, TERMS));
    assert_eq!(one.delivered + other.delivered, 40);
    assert_eq!(receiver.requests(), 40);
    let turned_away = [&one, &other].into_iter().filter(|it| matches!(it.stopped, Some(Stopped::Elsewhere))).count();
    assert_eq!(turned_away, 1);
    // The lock is given back.
    assert!(deliver(&second, &sink, TERMS).await.stopped.is_none());
}

#[tokio::test]
async fn a_cancelled_delivery_ends_at_once_and_keeps_its_events() {
    let (_database, session) = filled("outbox_cancel", 2).await;
    let receiver = Receiver::start(SECRET, &[Answer::Take, Answer::Silence]).await;
    let sink = HttpSink::open(&Secret::new(receiver.url()), &Secret::new(SECRET)).unwrap();
    let cancel = CancellationToken::new();
    let canceller = cancel.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        canceller.cancel();
    });
    let got = outbox::deliver(&session, &sink, TERMS, &Quiet, &cancel).await.unwrap();
    assert!(matches!(got.stopped, Some(Stopped::Cancelled)), "{got:?}");
    assert_eq!((got.delivered, got.waiting), (1, 1));
}

#[tokio::test]
async fn a_file_takes_events_too() {
    let (_database, session) = filled("outbox_file", 3).await;
    let folder = tempfile::tempdir().unwrap();
    let file = Utf8PathBuf::from_path_buf(folder.path().join("audit.jsonl")).unwrap();
    let got = deliver(&session, &FileSink::at(file.clone()), TERMS).await;
    assert_eq!((got.delivered, got.waiting), (3, 0));
    let bodies: Vec<String> = outbox::list(&*session).await.unwrap().into_iter().map(|it| it.body).collect();
    assert_eq!(fs::read_to_string(file).unwrap().lines().collect::<Vec<_>>(), bodies);
}

/// Runs `liftlock audit …` in a folder with this configuration of the webhook.
fn liftlock(folder: &Utf8Path, database: &TestDatabase, audit: &str, arguments: &[&str]) -> Output {
    let text = format!("migrations: migrations\nenvironments:\n  production: {{ database: \"${{URL}}\" }}\n{audit}\n");
    fs::create_dir_all(folder.join("migrations")).unwrap();
    fs::write(folder.join("liftlock.yml"), text).unwrap();
    support::liftlock()
        .current_dir(folder)
        .env("URL", database.url.expose())
        .env("SECRET", SECRET)
        .arg("audit")
        .args(arguments)
        .args(["--env", "prod"])
        .output()
        .unwrap()
}

/// Runs it and demands an exit code and words in what it says.
async fn says(
    folder: &Utf8Path,
    database: &TestDatabase,
    audit: &str,
    arguments: &[&'static str],
    exit: i32,
    words: &[&str],
) {
    let output = tokio::task::block_in_place(|| liftlock(folder, database, audit, arguments));
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    let flat = said.replace(['│', '├', '╰', '─', '▶'], " ").split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(output.status.code(), Some(exit), "{arguments:?}: {said}");
    for word in words {
        assert!(flat.contains(word), "{arguments:?}: `{word}` is not in:\n{said}");
    }
    assert!(!said.contains(SECRET) && !said.contains("/hook"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_command_lists_verifies_and_flushes() {
    let (database, _session) = filled("audit_command", 2).await;
    let folder = tempfile::tempdir().unwrap();
    let folder = Utf8Path::from_path(folder.path()).unwrap();
    let receiver = Receiver::start(SECRET, &[]).await;
    let webhook = format!("audit: {{ webhook: \"{}\", secret: \"${{SECRET}}\" }}", receiver.url());
    let dead = "audit: { webhook: \"http://127.0.0.1:9/hook\", secret: \"${SECRET}\" }";
    let without = "";
    for audit in [&webhook, dead, without] {
        says(
            folder,
            &database,
            audit,
            &["list"],
            0,
            &["migration.applied.v1", "waiting", "0 delivered, 2 waiting", "audit flush"],
        )
        .await;
        says(folder, &database, audit, &["verify"], 0, &["the chain holds: 2 events, head sha256:"]).await;
    }
    let waits = ["2 audit events wait", "none is configured", "outbox::no_webhook"];
    says(folder, &database, without, &["flush"], 2, &waits).await;
    let waits = [
        "2 audit events wait for http://127.0.0.1:9",
        "outbox::undelivered",
        "reach it? In any case nothing is lost",
        "flush --env production",
    ];
    says(folder, &database, dead, &["flush"], 3, &waits).await;
    says(folder, &database, dead, &["list"], 0, &["cannot be reached"]).await;
    says(folder, &database, &webhook, &["flush"], 0, &["2 delivered, 0 waiting"]).await;
    says(folder, &database, without, &["flush"], 0, &["0 delivered, 0 waiting"]).await;
    assert_eq!(receiver.taken().len(), 2);
    database.execute("update liftlock.audit_outbox set delivered_at = null").await;
    says(folder, &database, "audit: { webhook: \"file:audit.jsonl\" }", &["flush"], 0, &["2 delivered"]).await;
    assert_eq!(fs::read_to_string(folder.join("audit.jsonl")).unwrap().lines().count(), 2);
    database.execute("delete from liftlock.audit_outbox where sequence = 1").await;
    says(folder, &database, &webhook, &["verify"], 1, &["the chain is broken: event 1 is missing"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn before_the_first_promotion_there_is_nothing_to_audit() {
    let database = support::database("audit_empty").await;
    let folder = tempfile::tempdir().unwrap();
    let folder = Utf8Path::from_path(folder.path()).unwrap();
    for command in ["list", "verify", "flush"] {
        says(folder, &database, "", &[command], 0, &["nothing was promoted there yet"]).await;
    }
}
