//! Every rule's documentation, held to its word.

use std::{collections::BTreeSet, fmt::Write, sync::Arc};

use super::{ALL, find};
use crate::{
    catalog::{Catalog, Measures, OpenTransaction},
    config::{PostgresMajor, ProfileName, PromotionType, RuleLevels, parse},
    lint::{
        Docs, Example, ExampleKind, Request, Rule, Severities,
        baseline::{Baseline, Known, Seen, stale},
        lint, severity,
    },
    migration::{
        self, Beside, Migration, MigrationId, SourceFile,
        layout::{Layout, Tool},
    },
    report::Validation,
    sql::names::{Ident, ObjectName},
};

const HEADER: &str = "-- Description: an example\n-- Created: 2026-01-31\n-- Type: schema_safe\n\
                      -- Rollback: restore the tables of the example\n\n";

fn migration(name: &str, text: String, layout: Layout) -> Migration {
    let file = format!("{name}.sql");
    let file = SourceFile { path: file.clone().into(), id: MigrationId(file), text };
    migration::read_in(file, layout, Beside::default())
}

/// An example as `validate` judges it, after its rule's setup.
///
/// A rule that is off by itself is on here.
fn judge(rule: &Rule, docs: &Docs, example: &Example) -> Validation {
    let header = if example.option("whole").is_some() { "" } else { HEADER };
    let name = example.option("name").unwrap_or("20260131120000_example_safe");
    let promotion = example.option("type").map(|name| match name {
        "schema_safe" => PromotionType::SchemaSafe,
        "config_only" => PromotionType::ConfigOnly,
        "data_migration" => PromotionType::DataMigration,
        "hotfix" => PromotionType::Hotfix,
        name => panic!("no promotion type is called {name}"),
    });
    let tables = example.option("config").unwrap_or_default().split(',').filter(|it| !it.is_empty());
    let levels = if rule.severity == Severities::OFF { configured(rule) } else { Vec::new() };
    let tool = example.option("layout").map(|name| Tool::ALL.into_iter().find(|it| it.name() == name).expect(name));
    let layout = tool.map(Layout::of);
    let mut judged = vec![migration(name, format!("{header}{}", example.sql), layout.unwrap_or_default())];
    let later = |_| migration("20260201120000_later_safe", format!("{HEADER}select 1;"), Layout::default());
    judged.extend(example.option("followed").map(later));
    let open = example.option("open").map(database_with);
    let since = example.option("since").and_then(|it| PostgresMajor::new(it.parse().unwrap()));
    let mut validation = lint(&Request {
        levels: &levels,
        found: open.as_ref(),
        postgres: since.unwrap_or_default().max(PostgresMajor::default()),
        history: &[migration("20260101120000_setup_safe", docs.setup.clone(), Layout::default())],
        judged: &judged,
        promotion,
        config_tables: &tables.map(str::to_owned).collect::<Vec<_>>(),
        ..Request::of(ProfileName::Production)
    });
    if let Some(known) = example.option("baseline") {
        let known = Known { file: "a.sql".to_owned(), rule: known.to_owned(), statement: String::new() };
        let gone = Baseline { known: [(known, 1)].into() }.mark(&mut validation, &Seen::default(), &|_| String::new());
        let severity = severity(rule, ProfileName::Production, &levels);
        validation.findings.extend(stale(".liftlock-baseline.json".into(), &gone, severity));
    }
    validation
}

/// A database in which a transaction is open: `application:seconds:table`.
fn database_with(open: &str) -> Catalog {
    let [application, seconds, table] = open.split(':').collect::<Vec<_>>()[..] else { panic!("what is open={open}?") };
    let locks = vec![ObjectName::of(Ident { name: table.to_owned(), ..Ident::default() })];
    let (application_name, state) = (application.to_owned(), "active".to_owned());
    let transaction = OpenTransaction { application_name, state, seconds: seconds.parse().unwrap(), locks };
    let measures = Measures { transactions: vec![transaction], ..Measures::default() };
    Catalog { measures: Some(Arc::new(measures)), ..Catalog::default() }
}

/// As if `liftlock.yml` said that the rule is an error.
fn configured(rule: &Rule) -> Vec<RuleLevels> {
    let text = format!("migrations: m\nenvironments: {{}}\nrules: {{ {}: error }}\n", rule.name);
    parse("liftlock.yml".into(), &text, &|_| None).unwrap().rules
}

/// Rules with unwaived findings.
fn found(validation: &Validation) -> BTreeSet<&str> {
    validation.findings.iter().filter(|it| it.waived.is_none()).map(|it| &*it.rule).collect()
}

fn examples(kind: ExampleKind) -> impl Iterator<Item = (&'static Rule, Docs, Example)> {
    let all = ALL.iter().map(|rule| (*rule, rule.docs()));
    all.flat_map(|(rule, docs)| docs.examples.clone().into_iter().map(move |it| (rule, docs.clone(), it)))
        .filter(move |(_, _, example)| example.kind == kind)
}

#[test]
fn rules_are_sorted_and_named_like_their_files() {
    let names = ALL.iter().map(|rule| rule.name).collect::<Vec<_>>();
    assert!(names.is_sorted(), "{names:?}");
    for rule in ALL {
        assert!(
            rule.source.contains(&format!("include_str!(\"{}.rs\")", rule.name.replace('-', "_"))),
            "the file of `{}` is named differently",
            rule.name
        );
        assert!(std::ptr::eq(find(rule.name).unwrap(), *rule));
    }
}

#[test]
fn every_rule_has_a_title_reasons_and_examples_of_both_kinds() {
    for rule in ALL {
        let docs = rule.docs();
        assert!(docs.title.ends_with('.'), "{}: the title is no sentence: {}", rule.name, docs.title);
        assert!(docs.title.len() <= 120, "{}: the title is too long: {}", rule.name, docs.title);
        assert!(!docs.reasons.is_empty(), "{}: no reasons", rule.name);
        for kind in [ExampleKind::Bad, ExampleKind::Good] {
            assert!(docs.examples.iter().any(|it| it.kind == kind), "{}: no {kind:?} example", rule.name);
        }
    }
}

#[test]
fn every_bad_example_is_found_by_its_rule_alone() {
    every_example_is_found_by_what_it_says(ExampleKind::Bad);
}

#[test]
fn no_good_example_is_found_by_any_rule() {
    every_example_is_found_by_what_it_says(ExampleKind::Good);
}

/// By its own rule when it is bad, and by the rules that its `also` names.
fn every_example_is_found_by_what_it_says(kind: ExampleKind) {
    let mut wrong = String::new();
    for (rule, docs, example) in examples(kind) {
        let validation = judge(rule, &docs, &example);
        let also = example.option("also").unwrap_or_default().split(',').filter(|it| !it.is_empty());
        let own = (kind == ExampleKind::Bad).then_some(rule.name);
        let expected = also.chain(own).collect::<BTreeSet<_>>();
        if found(&validation) != expected {
            writeln!(wrong, "{}: {:#?} for\n{}", rule.name, validation.findings, example.sql).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_message_reads_well() {
    let mut text = String::new();
    let mut last = "";
    for (rule, docs, example) in examples(ExampleKind::Bad) {
        if rule.name != last {
            writeln!(text, "\n# {}\n{}\n", rule.name, docs.title).unwrap();
            last = rule.name;
        }
        text.push_str(&example.sql);
        for finding in judge(rule, &docs, &example).findings {
            let name = if finding.rule == rule.name { String::new() } else { format!("{}: ", finding.rule) };
            writeln!(text, "  -> {name}{}\n     {}", finding.message, finding.help.unwrap_or_default()).unwrap();
        }
    }
    insta::assert_snapshot!(text);
}
