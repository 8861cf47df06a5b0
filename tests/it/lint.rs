//! The odd cases under `fixtures/lint`, with their expectations in comments.

use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use liftlock::{
    config::{ProfileName, PromotionType},
    lint::{Request, Severities, lint, rules},
    migration::{self, Migration, MigrationId, SourceFile},
    report::Severity,
};

/// What a file's own header and name are judged by; only two folders are about them.
const OF_THE_FILE: [&str; 2] = ["missing-header", "name-without-safe"];

#[test]
fn the_odd_cases_are_judged_as_their_comments_say() {
    let root = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/lint");
    let files = sql_files(&root);
    assert!(files.len() > 20, "the fixtures are there: {files:?}");
    let wrong = files.iter().filter_map(|file| check(file)).collect::<Vec<_>>();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

fn sql_files(folder: &Utf8Path) -> Vec<Utf8PathBuf> {
    let entries = folder.read_dir_utf8().unwrap().map(|it| it.unwrap().into_path());
    let mut files = entries
        .flat_map(|it| if it.is_dir() { sql_files(&it) } else { vec![it] })
        .filter(|it| it.extension() == Some("sql"))
        .collect::<Vec<_>>();
    files.sort();
    files
}

/// What is wrong with what is found in a file.
fn check(path: &Utf8Path) -> Option<String> {
    let text = fs::read_to_string(path).unwrap();
    let (history, judged) = match text.split_once("-- history ends\n") {
        // The judged part keeps its line numbers.
        Some((history, judged)) => (history, format!("{}\n{judged}", "\n".repeat(history.matches('\n').count()))),
        None => ("", text.clone()),
    };
    let config_tables = option(&text, "config").map(|it| it.split(", ").map(str::to_owned).collect::<Vec<_>>());
    let promotion = option(&text, "type").map(|name| match name {
        "config_only" => PromotionType::ConfigOnly,
        "data_migration" => PromotionType::DataMigration,
        "schema_safe" => PromotionType::SchemaSafe,
        name => panic!("no promotion type is called {name}"),
    });
    let validation = lint(&Request {
        history: &[migration("20260101000000_history_safe.sql", history)],
        judged: &[migration(path.file_name().unwrap(), &judged)],
        promotion,
        config_tables: &config_tables.unwrap_or_default(),
        ..Request::of(ProfileName::Production)
    });
    let about_the_file = ["missing-header", "safe"].contains(&path.parent().unwrap().file_name().unwrap());
    let found = validation.findings.iter().filter(|it| it.waived.is_none());
    let found = found.filter(|it| about_the_file || !OF_THE_FILE.contains(&&*it.rule));
    let folder = path.parent().unwrap().file_name().unwrap();
    let found =
        found.filter(|it| it.severity != Severity::Notice || is_about_advice(folder) || text.contains(&*it.rule));
    let mut found = found.map(|it| format!("{}: {}", it.line, it.rule)).collect::<Vec<_>>();
    found.sort();
    let expected = expected(&text);
    (found != expected).then(|| format!("{path}\n  expected {expected:?}\n  found    {found:?}"))
}

/// Advice is asked for in the folders of rules that advise, in `safe`, and by files that name the rule: tables of the
/// others are as small as what they are about needs.
fn is_about_advice(folder: &str) -> bool {
    folder == "safe" || rules::find(folder).is_some_and(|it| it.severity == Severities::NOTICE)
}

fn migration(name: &str, text: &str) -> Migration {
    migration::read(SourceFile { path: name.into(), id: MigrationId(name.to_owned()), text: text.to_owned() })
}

fn option<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix("-- ")?.strip_prefix(name)?.strip_prefix(": "))
}

/// Line and rule of each expectation: the first line below that is no expectation.
fn expected(text: &str) -> Vec<String> {
    let lines = text.lines().collect::<Vec<_>>();
    let rule = |line: &str| line.trim().strip_prefix("-- expect: ").map(str::to_owned);
    let mut expected = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        if let Some(rule_name) = rule(line) {
            let below = lines[at..].iter().position(|it| rule(it).is_none()).unwrap();
            expected.push(format!("{}: {rule_name}", at + below + 1));
        }
    }
    expected.sort();
    expected
}
