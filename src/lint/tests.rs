//! What holds for any text that is judged: it ends, every finding has a place in it, twice is the same, and what a fix
//! writes changes nothing else.

use std::collections::{BTreeSet, HashSet};

use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop, prop_oneof, proptest};

use super::{Request, fixes::amend, lint};
use crate::{
    config::{PostgresMajor, ProfileName},
    migration::{
        self, Beside, MigrationId, SourceFile,
        layout::{Layout, Tool},
    },
    report::Finding,
    sql::{self, LineIndex},
};

/// Every form of statement, as the reader's tests know them: `sql  =>  shape`.
const FORMS: &str = include_str!("../sql/tests/forms.txt");

/// What stands beside statements, or where none should.
const FRAGMENTS: &[&str] = &[
    "'",
    "\"",
    "$$",
    "$a$",
    "--",
    "/*",
    "*/",
    "\n",
    "\r\n",
    "\\",
    "\\.",
    "E'",
    "U&\"",
    ";",
    "(",
    ")",
    ",",
    ".",
    "é",
    "\u{feff}",
    "\u{a0}",
    "t",
    "a",
    "b",
    "s.t",
    "\"T\"",
    "int",
    "null",
    "default",
    "cascade",
    "concurrently",
    "if exists",
    "begin;",
    "commit;",
    "rollback;",
    "set lock_timeout = '2s';",
    "set search_path = s;",
    "set session_replication_role = replica;",
    "-- liftlock: allow drop-table because it is empty\n",
    "-- liftlock: safe\n",
    "-- liftlock: allow\n",
    "-- +goose Down\n",
    "-- migrate:down\n",
    "--> statement-breakpoint\n",
    "{{ name }}",
    ":name",
    "copy t from stdin;\n1\t2\n\\.\n",
    "create table t (a int primary key, b text not null);",
    "create table s.t (a int) partition by range (a);",
    "create index i on t (b);",
    "alter table t add check (a > 0);",
    "alter table t alter column b set not null;",
    "alter table t alter b type varchar(5);",
    "update t set b = a;",
    "alter table t add column c uuid default gen_random_uuid();",
    "drop index i;",
    "alter table t rename to a;",
    "alter table t add foreign key (a) references t on delete cascade;",
    "reindex table t;",
    "drop table t;",
    "alter table t add unique (b), add primary key (a);",
    "create table b () inherits (t);",
    "alter table t rename a to b;",
    "do $$ begin delete from t; execute 'x'; end $$;",
    "create type e as enum ('a');",
    "alter type e add value 'b';",
    "create function f() returns int language sql as $$ delete from t; select f() $$;",
    "select f();",
    "create view v as select * from t;",
    "alter table t attach partition b default;",
    "drop schema s cascade;",
    "create domain d as int;",
    "alter domain d add check (value > 0);",
    "create sequence q owned by t.a;",
];

/// One of the forms, whole or with words left out, said twice or exchanged.
fn statement() -> impl Strategy<Value = String> {
    let forms = FORMS.lines().filter(|it| !it.is_empty() && !it.starts_with('#'));
    let forms = forms.map(|it| it.split_once("  =>  ").map_or(it, |(sql, _)| sql)).collect::<Vec<_>>();
    let place = any::<prop::sample::Index>;
    let changes = prop::collection::vec((0..4_u8, place(), place()), 0..4);
    (prop::sample::select(forms), changes).prop_map(|(form, changes)| {
        let mut words =
            sql::tokens(form).iter().map(|it| form[it.span.start..it.span.end].to_owned()).collect::<Vec<_>>();
        for (change, at, other) in changes.into_iter().filter(|_| form.len() > 1) {
            if words.is_empty() {
                break;
            }
            let (at, other) = (at.index(words.len()), other.index(words.len()));
            match change {
                0 => drop(words.remove(at)),
                1 => words.insert(at, words[at].clone()),
                2 => words.swap(at, other),
                _ => words.insert(at, FRAGMENTS[(at * 31 + other * 7) % FRAGMENTS.len()].to_owned()),
            }
        }
        if changes_nothing(&words, form) { format!("{form};") } else { format!("{};", words.join(" ")) }
    })
}

fn changes_nothing(words: &[String], form: &str) -> bool {
    words.concat() == form.split_whitespace().collect::<String>()
}

fn hostile() -> impl Strategy<Value = String> {
    let one = prop_oneof![3 => statement(), 2 => prop::sample::select(FRAGMENTS).prop_map(str::to_owned)];
    prop::collection::vec(one, 0..10)
        .prop_flat_map(|parts| prop_oneof![Just(parts.join("\n")), Just(parts.join(" ")), Just(parts.concat())])
}

fn file(name: &str, text: &str) -> SourceFile {
    SourceFile { path: name.into(), id: MigrationId(name.to_owned()), text: text.to_owned() }
}

/// As every profile on the oldest and the newest server, in files of `tool`.
fn check(history: &str, judged: &str, tool: Tool) {
    let layout = Layout::of(tool);
    let files = [file("20260101000000_history.sql", history), file("20260102000000_judged.sql", judged)];
    let [before, release] = files.clone().map(|it| migration::read_in(it, layout, Beside::default()));
    for profile in [ProfileName::Dev, ProfileName::Staging, ProfileName::Production] {
        for postgres in [PostgresMajor::OLDEST, PostgresMajor::NEWEST] {
            let (history, judged) = (std::slice::from_ref(&before), std::slice::from_ref(&release));
            let request = Request { history, judged, postgres, ..Request::of(profile) };
            let validation = lint(&request);
            assert_eq!(validation, lint(&request), "{judged:?}: twice is not the same");
            validation.findings.iter().for_each(|it| check_place(&release.text, it));
            if profile == ProfileName::Production {
                validation.findings.iter().for_each(|it| check_fix(&files, layout, it));
            }
        }
    }
}

fn check_place(text: &str, finding: &Finding) {
    let span = finding.span;
    assert!(text.get(span.start..span.end).is_some(), "{text:?}: {finding:?}");
    let lines = LineIndex::new(text);
    assert_eq!((finding.line, finding.column), lines.position(text, span.start), "{text:?}: {finding:?}");
    assert_eq!((finding.end_line, finding.end_column), lines.position(text, span.end), "{text:?}: {finding:?}");
    assert!(!finding.message.is_empty() && !finding.rule.is_empty(), "{text:?}: {finding:?}");
}

/// What stood before the statement stays as it was, unless it goes into a file of its own; nothing is lost behind it.
fn check_fix(files: &[SourceFile], layout: Layout, finding: &Finding) {
    let Some(fix) = &finding.fix else { return };
    assert!(!fix.steps.is_empty(), "{finding:?}");
    let Ok(amended) = amend::amend(files, &files[1].id, &HashSet::new(), (layout, Beside::default()), fix) else {
        return;
    };
    let old = files[1].text.trim_start_matches('\u{feff}');
    let after = old[fix.replaces.end..].trim_start_matches([' ', '\t']).trim_start_matches(';').trim();
    let written =
        std::iter::once(&amended.text).chain(amended.added.iter().map(|it| &it.text)).cloned().collect::<String>();
    let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let is_alone = fix.steps[0].run == super::Run::Alone;
    if !is_alone {
        assert!(plain(&amended.text).starts_with(&plain(&old[..fix.replaces.start])), "{old:?}: {fix:?}: {amended:?}");
        assert!(plain(&amended.text).ends_with(&plain(after)), "{old:?}: {fix:?}: {amended:?}");
    }
    for step in &fix.steps {
        assert!(plain(&written).contains(plain(&step.sql).trim_end_matches(';')), "{old:?}: {fix:?}: {amended:?}");
    }
    let names = amended.added.iter().map(|it| &it.id).collect::<BTreeSet<_>>();
    assert_eq!(names.len(), amended.added.len(), "{old:?}: two files of one name");
    assert!(names.iter().all(|it| **it > files[1].id), "{old:?}: {names:?}");
}

/// `PROPTEST_CASES` asks for more.
fn cases() -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|it| it.parse().ok());
    ProptestConfig { cases: asked.unwrap_or(200), failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn any_text_is_judged(history in any::<String>(), judged in any::<String>()) {
        check(&history, &judged, Tool::Liftlock);
    }

    #[test]
    fn hostile_text_is_judged(
        history in hostile(),
        judged in hostile(),
        tool in prop::sample::select(&[Tool::Liftlock, Tool::Flyway, Tool::Goose, Tool::Dbmate, Tool::Drizzle][..]),
    ) {
        check(&history, &judged, tool);
    }

    #[test]
    fn a_text_cut_short_is_judged(history in hostile(), judged in hostile(), at in any::<prop::sample::Index>()) {
        let mut at = at.index(judged.len() + 1);
        while !judged.is_char_boundary(at) {
            at -= 1;
        }
        check(&history, &judged[..at], Tool::Liftlock);
    }
}

#[test]
fn deep_and_long_texts_are_judged() {
    let table = "create table t (a int primary key, b text);\n";
    for (head, unit, tail) in [
        ("alter table t add check (", "(", ";"),
        ("alter table t add column c int default ", "(1 + ", ";"),
        ("alter table t add column c int default ", "case when ", ";"),
        ("select ", "1 + ", "1;"),
        ("select 1", " union select 1", ";"),
        ("update t set b = ", "not ", "true;"),
        ("update t set b = ", "f(", ";"),
        ("alter table t ", "add column c int, ", "add d int;"),
        ("drop table t", ", t", ";"),
        ("", "alter table t rename to t;\n", ""),
        ("", "alter table t alter b set not null;\n", ""),
        ("", "do $$ begin ", ""),
        ("do $$ begin ", "if true then ", "end $$;"),
        ("", "begin; savepoint a; drop table t; ", ""),
        ("", "create table t () inherits (t);\n", ""),
        ("", "drop table t;\n'\n", ""),
    ] {
        let text = format!("{head}{}{tail}", unit.repeat(200));
        check(table, &text, Tool::Liftlock);
    }
}

#[test]
fn circles_are_judged() {
    for text in [
        "create table a (x int) partition by range (x);\nalter table a attach partition a default;\ndrop table a cascade;",
        "create view v as select 1;\ncreate or replace view v as select * from v;\ndrop view v cascade;",
        "create table a (x int references a);\nalter table a rename to b;\nalter table b rename to a;\ndrop table a;",
        "create table a ();\ncreate table b () inherits (a);\nalter table a inherit b;\nalter table a add x int default f();",
        "create function f() returns int language sql as 'select f(), g()';\n\
         create function g() returns int language sql as 'select f(); drop table t';\nselect f();",
        "create domain d as d;\ncreate table t (a d);\nalter domain d add check (f(value));",
        "create table t (like t including all);\ncreate table u (like t);\nalter table t add check (a > 0);",
    ] {
        check("", text, Tool::Liftlock);
        check(text, text, Tool::Liftlock);
    }
}

#[test]
fn what_a_quote_has_swallowed_is_judged_too() {
    let text = "create table a (x text default 'oops);\ndrop table users;\n";
    let judged = [migration::read(file("20260102000000_judged.sql", text))];
    let validation = lint(&Request { judged: &judged, ..Request::of(ProfileName::Production) });
    let found = validation.findings.iter().map(|it| (it.line, &*it.rule)).collect::<Vec<_>>();
    for expected in [(1, "unread-statement"), (2, "drop-table")] {
        assert!(found.contains(&expected), "{expected:?} is not in {found:?}");
    }
}
