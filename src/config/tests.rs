//! Reading `liftlock.yml`: every mistake, at its place, with no secret shown.

mod services;

use std::time::Duration;

use camino::Utf8Path;
use miette::Diagnostic;
use proptest::prelude::*;

use super::{
    Audit, Config, Level, Levels, MirrorTarget, Part, ProfileName, clear, duration, find, load, nearest::nearest,
    parse, schema, starter, variables,
};
use crate::report::text::{self, Look};

/// The shape of the documentation, whole.
const WHOLE: &str = r#"migrations: db/migrations
environments:
  dev:        { database: "${DATABASE_URL_DEV}" }
  staging:    { database: "${DATABASE_URL_STAGING}", profile: staging }
  production:
    database: "${DATABASE_URL_PROD}"
    profile: production            # which rules, how severe
    after: staging                 # the same bytes must have been applied there first
    backup: { keep: 30d }
    lock_timeout: 2s
    statement_timeout: 15min
rules: { index-without-concurrently: warning, drop-table: { production: error, dev: off } }
config_tables: [site_settings, feature_flags]     # what config_only promotions may change
audit: { webhook: "${AUDIT_WEBHOOK_URL}", secret: "${AUDIT_WEBHOOK_SECRET}" }
sync:
  from: production
  to: { folder: ./mirror }
  batch_rows: 500
  deletes: soft                    # soft | hard | keep
  verify: digest                   # digest: reads every document of the mirror | counts: reads none
  tables: [sow_poles, sow_drops]   # default: all tables with a primary key
"#;

fn env(name: &str) -> Option<String> {
    let value = match name {
        "DATABASE_URL_DEV" => "postgresql://dev:opensesame@localhost/dev",
        "DATABASE_URL_STAGING" => "postgresql://app:opensesame@staging.example.com/app",
        "DATABASE_URL_PROD" => "postgresql://app:opensesame@production.example.com/app",
        "SAME_AS_PROD" => "postgres://reader@PRODUCTION.example.com:5432/app?sslmode=require",
        "AUDIT_WEBHOOK_URL" => "https://audit.example.com/liftlock",
        "AUDIT_WEBHOOK_SECRET" => "whsec_bGlmdGxvY2sgc2lnbnMgdGhpcyBpbiB0ZXN0cw==",
        "BAD_SECRET" => "opensesame",
        "SHORT_SECRET" => "whsec_b3BlbnNlc2FtZQ==",
        "NEON_PROJECT_ID" => "calm-river-1",
        "NEON_API_KEY" => "a-neon-key",
        "CONVEX_URL" => "https://calm-otter-1.convex.cloud/",
        "CONVEX_DEPLOY_KEY" => "prod:calm-otter-1|opensesame",
        "SHARED_KEY" => "opensesame-opensesame-opensesame",
        "TWO_WORDS" => "open sesame",
        "EMPTY" => "",
        "MYSQL" => "mysql://root:opensesame@localhost/x",
        "DOLLAR" => "postgresql://u:open${sesame}$$@h/d",
        "KEEP" => "7d",
        _ => return None,
    };
    Some(value.to_owned())
}

fn read(text: &str) -> Result<Config, super::ConfigErrors> {
    parse(Utf8Path::new("liftlock.yml"), text, &env)
}

fn folder(path: &str) -> MirrorTarget {
    MirrorTarget::Folder(path.into())
}

fn rendered(errors: &super::ConfigErrors) -> String {
    text::error(errors, &Look { color: false, width: 100 })
}

#[test]
fn the_documented_shape_is_read_whole() {
    let config = read(WHOLE).expect("it is right");
    assert_eq!(config.migrations, "db/migrations");
    assert_eq!(config.names().collect::<Vec<_>>(), ["dev", "production", "staging"]);
    let production = config.environment("prod").expect("prod is production");
    assert_eq!(production.profile, ProfileName::Production);
    assert_eq!(production.after.as_deref(), Some("staging"));
    assert_eq!(production.backup_keep, Duration::from_secs(30 * 86_400));
    assert_eq!(production.lock_timeout, Duration::from_secs(2));
    assert_eq!(production.statement_timeout, Duration::from_secs(900));
    assert_eq!(production.database.expose(), "postgresql://app:opensesame@production.example.com/app");
    assert_eq!(config.environment("stage").expect("stage is staging").profile, ProfileName::Staging);
    assert_eq!(config.environment("dev").expect("it is there").profile, ProfileName::Dev);
    assert!(matches!(config.audit, Some(Part::Complete(Audit { .. }))));
    let levels = config.rules.iter().map(|it| (it.rule.as_str(), it.levels)).collect::<Vec<_>>();
    let warning = Some(Level::Warning);
    assert_eq!(
        levels,
        [
            ("index-without-concurrently", Levels { dev: warning, staging: warning, production: warning }),
            ("drop-table", Levels { dev: Some(Level::Off), staging: None, production: Some(Level::Error) }),
        ]
    );
    let sync = config.sync().expect("it needs no variable").expect("it is there");
    assert_eq!((sync.from.as_str(), &sync.to, sync.batch_rows), ("production", &folder("mirror"), 500));
    assert_eq!(sync.tables, ["sow_poles", "sow_drops"]);
}

#[test]
fn what_is_left_out_has_its_default() {
    let config = read("migrations: m\nenvironments:\n  live: { database: \"${DATABASE_URL_PROD}\" }\nsync:\n")
        .expect("it is right");
    let live = config.environment("live").expect("it is there");
    assert_eq!(live.profile, ProfileName::Production, "an unknown name is judged as severely as can be");
    assert_eq!((live.lock_timeout, live.statement_timeout), (Duration::from_secs(2), Duration::from_secs(900)));
    assert_eq!(live.backup_keep, Duration::from_secs(30 * 86_400));
    assert_eq!((config.sync, config.audit), (None, None));
}

#[test]
fn relative_folders_start_at_the_file() {
    let config = parse(Utf8Path::new("/srv/app/liftlock.yml"), WHOLE, &env).expect("it is right");
    assert_eq!(config.migrations, "/srv/app/db/migrations");
    assert_eq!(config.sync().expect("it needs no variable").expect("it is there").to, folder("/srv/app/mirror"));
}

#[test]
fn variables_are_demanded_only_by_what_is_used() {
    let without = |name: &str| if name.ends_with("DEV") { env(name) } else { None };
    let config = parse(Utf8Path::new("liftlock.yml"), WHOLE, &without).expect("nothing is demanded yet");
    assert!(config.environment("dev").is_ok());
    assert_eq!(config.profile("prod").ok(), Some(ProfileName::Production), "known without its password");
    let errors = config.promotion("prod").expect_err("three variables are missing");
    insta::assert_snapshot!("missing_variables_of_a_promotion", rendered(&errors));
    // Those of the Neon branch are named in the same breath, and only for what needs the branch.
    let on_neon = WHOLE.replacen(
        "    profile: production",
        "    neon: { project: \"${NEON_PROJECT_ID}\", api_key: \"${NEON_API_KEY}\" }\n    profile: production",
        1,
    );
    let config = parse(Utf8Path::new("liftlock.yml"), &on_neon, &without).expect("nothing is demanded yet");
    let names = |errors: super::ConfigErrors| {
        let shown = rendered(&errors);
        ["DATABASE_URL_PROD", "NEON_PROJECT_ID", "NEON_API_KEY", "AUDIT_WEBHOOK_URL"]
            .map(|name| shown.contains(&format!("`{name}` is not set")))
    };
    assert_eq!(names(config.promotion("prod").expect_err("they are missing")), [true; 4]);
    assert_eq!(names(config.environment("prod").map(drop).expect_err("one is missing")), [true, false, false, false]);
}

#[test]
fn an_environment_that_is_not_configured_is_said_to_be_so() {
    let config = read(WHOLE).expect("it is right");
    let errors = config.environment("prodction").expect_err("it is misspelt");
    let shown = rendered(&errors);
    assert!(shown.contains("did you mean `production`?") && shown.contains("dev, production, staging"), "{shown}");
}

/// Mistakes and what is said about them, in one snapshot that reads as a catalogue.
#[test]
fn every_mistake_is_shown_at_its_line() {
    let base = "migrations: m\nenvironments:\n  dev: { database: \"${DATABASE_URL_DEV}\" }\n";
    let with = |more: &str| format!("{base}{more}");
    let cases: Vec<(&str, String)> = vec![
        ("an empty file", String::new()),
        ("only comments", "# nothing yet\n".to_owned()),
        ("a list instead of keys", "- migrations\n- environments\n".to_owned()),
        ("no YAML", "migrations: [db\nenvironments: {}\n".to_owned()),
        ("no YAML behind letters of several bytes", "# größe, 大きさ\nmigrations: 'ä' x\n".to_owned()),
        ("a tab as indentation", "migrations: m\nenvironments:\n\tdev: {}\n".to_owned()),
        ("a bare variable between braces", "migrations: m\nenvironments:\n  dev: { database: ${DATABASE_URL_DEV} }\n".to_owned()),
        ("a key that stands twice", with("migrations: n\n")),
        ("two documents", with("---\nmigrations: n\n")),
        ("unknown keys with and without a likely meaning", with("sink: 1\nmigration: x\nlock_timeout: 1s\n")),
        ("keys of later versions", with("provider: neon\nlayout: prisma\n")),
        (
            "wrong types",
            "migrations: 7\nenvironments:\n  dev: postgres\n  staging: { database: [a], lock_timeout: 2 }\nconfig_tables: flags\n"
                .to_owned(),
        ),
        ("keys that are missing", with("audit: {}\nsync: { to: {} }\n")),
        (
            "services that cannot be",
            with(
                "    neon: { project: Calm_River, branch: main, api_key: \"${NEON_API_KEY}\", api_url: \"http://api.example.com\" }\n    approvals: { required: 0 }\n\
                 sync: { from: dev, to: { convex: \"http://10.0.0.1:3210\", deploy_key: \"${CONVEX_DEPLOY_KEY}\", functions: ../x } }\n",
            )
            .replace("dev: { database: \"${DATABASE_URL_DEV}\" }", "dev:\n    database: \"${DATABASE_URL_DEV}\""),
        ),
        ("a key in clear", with("sync: { from: dev, to: { convex: \"${CONVEX_URL}\", sync_auth_key: opensesame } }\n")),
        ("no mirror", with("sync: { from: dev, to: { functions: x } }\n")),
        ("two mirrors", with("sync: { from: dev, to: { folder: m, convex: \"${CONVEX_URL}\" } }\n")),
        ("a mirror without its key", with("sync: { from: dev, to: { convex: \"${CONVEX_URL}\" } }\n")),
        ("a mirror with two keys", with("sync: { from: dev, to: { convex: \"${CONVEX_URL}\", deploy_key: \"${CONVEX_DEPLOY_KEY}\", sync_auth_key: \"${SHARED_KEY}\" } }\n")),
        ("a folder with a key", with("sync: { from: dev, to: { folder: m, deploy_key: \"${CONVEX_DEPLOY_KEY}\" } }\n")),
        (
            "values that cannot be",
            with("  staging: { database: \"${DATABASE_URL_STAGING}\", profile: stagging }\nsync: { from: dev, to: { folder: m }, batch_rows: 0, deletes: maybe }\n"),
        ),
        (
            "durations",
            with("  staging:\n    database: \"${DATABASE_URL_STAGING}\"\n    lock_timeout: 15m\n    statement_timeout: 0s\n    backup: { keep: forever }\n"),
        ),
        ("a duration that Postgres cannot take", with("  a: { database: \"${DATABASE_URL_PROD}\", lock_timeout: 30d }\n")),
        (
            "environments that are not there",
            with("  a: { database: \"${DATABASE_URL_PROD}\", after: stagging }\nsync: { from: prod, to: { folder: x } }\n"),
        ),
        (
            "a circle",
            "migrations: m\nenvironments:\n  a: { database: \"${A}\", after: b }\n  b: { database: \"${B}\", after: c }\n  c: { database: \"${C}\", after: a }\n  d: { database: \"${D}\", after: d }\n"
                .to_owned(),
        ),
        (
            "secrets in clear, of every kind",
            "migrations: m\nenvironments:\n  dev: { database: \"postgresql://u:opensesame@h/d\" }\n  \
             a: { database: \"postgres://h/d?user=u&password=opensesame\" }\n  \
             b: { database: 'postgres://u:open/ses@me@h/d' }\n\
             audit:\n  webhook: https://u:opensesame@example.com/\n  secret: opensesame\n\
             convex: { deploy_key: \"prod:happy-otter-1|opensesame==\" }\n"
                .to_owned(),
        ),
        ("a secret under a wrong key", with("password: |\n  open\n  sesame\n")),
        ("a secret on a line that is no YAML", with("audit: { secret: opensesame, webhook: [ }\n")),
        ("variables that are none", with("  a: { database: \"${DATABASE_URL\" }\n  b: { database: \"${DB:-postgres://u:opensesame@h/d}\" }\n")),
        ("a bad value in a variable of no use yet is not complained about", with("  a: { database: \"${MYSQL}\" }\nmigrations_: 1\n")),
        ("a URL of another database", with("  a: { database: \"mysql://localhost/x\" }\n  b: { database: localhost }\n")),
        ("one database twice", with("  a: { database: \"${DATABASE_URL_PROD}\" }\n  b: { database: \"${SAME_AS_PROD}\" }\n")),
        ("tables that are none", with("config_tables: [flags, 'drop table x', a.b.c, '', app.\"Fl ags\", 3]\n")),
        ("levels of rules", with("rules:\n  credentials-in-text: warning\n  drop-table: warn\n  drop-column: { production: eror, prod: off }\n  type-int: [off]\n")),
        ("names of environments", with("  \"my db\": { database: \"${DATABASE_URL_PROD}\" }\n")),
    ];
    let mut catalogue = String::new();
    for (title, text) in cases {
        let errors = read(&text).expect_err(title);
        let shown = rendered(&errors);
        assert!(!shown.contains("sesame"), "{title}: a secret is shown\n{shown}");
        catalogue.push_str(&format!("=== {title}\n{shown}\n"));
    }
    insta::assert_snapshot!("mistakes", catalogue);
}

#[test]
fn wrong_values_of_variables_are_complained_about_when_they_are_used() {
    let text = "migrations: m\nenvironments:\n  a: { database: \"${MYSQL}\" }\n  b: { database: \"${EMPTY}\" }\n\
                audit: { webhook: \"${AUDIT_WEBHOOK_URL}\", secret: \"${SHORT_SECRET}\" }\n";
    let config = read(text).expect("nothing is used yet");
    let mut shown = String::new();
    for name in ["a", "b"] {
        shown.push_str(&rendered(&config.promotion(name).expect_err("both lack something")));
    }
    assert!(!shown.contains("sesame"), "a secret is shown\n{shown}");
    insta::assert_snapshot!("wrong_values_of_variables", shown);
}

#[test]
fn a_webhook_needs_a_secret_and_a_file_does_not() {
    let check = |audit: &str, expected: Option<&str>| {
        let text = format!("migrations: m\nenvironments: {{}}\naudit: {{ {audit} }}\n");
        let found = read(&text).and_then(|config| config.audit().map(drop));
        let shown = found.err().map(|errors| rendered(&errors));
        match expected {
            None => assert_eq!(shown, None, "{audit}"),
            Some(words) => assert!(shown.as_ref().is_some_and(|it| it.contains(words)), "{audit}: {shown:?}"),
        }
    };
    check("webhook: file:audit.jsonl", None);
    check("webhook: \"file:///var/log/audit.jsonl\"", None);
    check("webhook: \"file:\"", Some("https://HOST/PATH"));
    check("webhook: \"${AUDIT_WEBHOOK_URL}\"", Some("`secret` is missing in `audit`"));
    let url = "webhook: \"${AUDIT_WEBHOOK_URL}\"";
    check(&format!("{url}, secret: \"${{AUDIT_WEBHOOK_SECRET}}\""), None);
    check(&format!("{url}, secret: \"${{AUDIT_WEBHOOK_SECRET}} ${{AUDIT_WEBHOOK_SECRET}}\""), None);
    check(&format!("{url}, secret: \"${{AUDIT_WEBHOOK_SECRET}} ${{SHORT_SECRET}}\""), Some("shorter than 24"));
}

#[test]
fn values_of_variables_are_taken_as_they_are() {
    let text = "migrations: m\nenvironments:\n  a: { database: \"${DOLLAR}\", backup: { keep: \"${KEEP}\" } }\n";
    let config = read(text).expect("it is right");
    let environment = config.environment("a").expect("it is there");
    assert_eq!(environment.database.expose(), "postgresql://u:open${sesame}$$@h/d");
    assert_eq!(environment.backup_keep, Duration::from_secs(7 * 86_400));
}

#[test]
fn a_file_full_of_mistakes_is_not_shown_whole() {
    let text: String = (0..5000).map(|number| format!("key{number}: 1\n")).collect();
    let shown = rendered(&read(&text).expect_err("it is none of ours"));
    assert!(shown.contains("has 5002 mistakes, of which these are the first 50"), "{}", &shown[..200]);
    assert_eq!(shown.matches("config::unknown_key").count() + shown.matches("config::missing_key").count(), 50);
}

#[test]
fn variables_are_expanded() {
    let check = |text: &str, expected: Option<&str>| {
        assert_eq!(variables::expand(text, &env).ok().as_deref(), expected, "{text}");
    };
    check("plain", Some("plain"));
    check("${KEEP}", Some("7d"));
    check("a${KEEP}b${KEEP}", Some("a7db7d"));
    check("$$ $${KEEP} $5 $", Some("$ ${KEEP} $5 $"));
    check("${NOT_THERE}", None);
    check("${EMPTY}", None);
    check("${KEEP", None);
    check("${}", None);
    check("${KEEP:-9d}", None);
    check("${9}", None);
}

#[test]
fn durations_are_read_and_the_schema_agrees() {
    let validator =
        jsonschema::Validator::new(&serde_json::json!({ "pattern": duration::PATTERN })).expect("it is a schema");
    let check = |text: &str, expected: Option<u64>| {
        assert_eq!(duration::parse(text).ok(), expected.map(Duration::from_millis), "{text}");
        assert_eq!(validator.is_valid(&text.into()), expected.is_some(), "{text}");
    };
    check("500ms", Some(500));
    check("2s", Some(2000));
    check("15min", Some(900_000));
    check("1h", Some(3_600_000));
    check("30d", Some(2_592_000_000));
    check("15m", None);
    check("", None);
    check("s", None);
    check("-2s", None);
    check("2 s", None);
    check("1.5h", None);
    check("1h30min", None);
    check("２s", None);
    assert!(duration::parse("99999999999999999999d").is_err() && duration::parse("999999999999999999d").is_err());
}

#[test]
fn secrets_give_themselves_away() {
    let check =
        |key: &str, value: &str, expected: bool| assert_eq!(clear::is_secret(key, value), expected, "{key}: {value}");
    check("database", "${DATABASE_URL}", false);
    check("database", "postgresql://${USER}:${PASSWORD}@host/db", false);
    check("database", "postgresql://localhost/dev", false);
    check("database", "postgresql://me@localhost:5433/dev?sslmode=disable", false);
    check("database", "postgresql://me:hunter2@localhost/dev", true);
    check("database", "postgresql://me:${A}hunter2@localhost/dev", true);
    check("database", "postgresql://h/d?password=hunter2", true);
    check("database", "postgresql://h/d?password=${P}", false);
    check("database", "host=h password=hunter2", true);
    check("secret", "${S}", false);
    check("secret", "anything", true);
    check("deploy_key", "x", true);
    check("tables", "user_tokens", false);
    check("webhook", "https://hooks.slack.com/services/T000/B000/abcdefgh", true);
    check("webhook", "https://example.com/hook?token=abc", true);
    check("webhook", "https://example.com/hook", false);
    check("anything", "whsec_bGlmdGxvY2sgc2lnbnMgdGhpcyBpbiB0ZXN0cw==", true);
    check("anything", "dev:calm-fox-12|0123456789abcdef", true);
}

#[test]
fn a_typing_mistake_finds_what_was_meant() {
    let keys = ["migrations", "environments", "lock_timeout", "audit"];
    let check = |word: &str, expected: Option<&str>| assert_eq!(nearest(word, keys), expected, "{word}");
    check("migration", Some("migrations"));
    check("enviroments", Some("environments"));
    check("lock-timeout", Some("lock_timeout"));
    check("Audit", Some("audit"));
    check("adit", Some("audit"));
    check("sync", None);
}

#[test]
fn what_init_writes_is_read_without_a_single_variable() {
    let check = |migrations: &str| {
        let text = starter(Utf8Path::new(migrations));
        let config = parse(Utf8Path::new("liftlock.yml"), &text, &|_| None).expect(migrations);
        assert_eq!(config.migrations, migrations);
        assert_eq!(config.names().collect::<Vec<_>>(), ["dev", "production", "staging"]);
        // Also with everything that is commented out.
        let whole = text.replace("\n# config", "\nconfig").replace("\n# audit:", "\naudit:");
        let whole = whole.replace("\n# sync:", "\nsync:").replace("\n#   ", "\n  ").replace("\n  # yaml", "\n# yaml");
        let config = parse(Utf8Path::new("liftlock.yml"), &whole, &env).expect("the comments are right, too");
        assert!(config.sync.is_some() && config.audit.is_some() && config.config_tables.len() == 2);
        // And on Neon, GitHub and Convex: these take the place of something, or need something.
        let whole = whole.replace("    # neon:", "    neon:").replace("    # approvals:", "    approvals:");
        let whole = whole.replace("  to: { folder", "  # to: { folder").replace("  # to: { convex", "  to: { convex");
        let config = parse(Utf8Path::new("liftlock.yml"), &whole, &env).expect("these comments are right, too");
        let (production, _) = config.promotion("production").expect("its variables are set");
        assert!(production.neon.is_some() && production.approvals.is_some());
        let to = &config.sync().expect("its variables are set").expect("it is there").to;
        assert!(matches!(to, MirrorTarget::Convex(_)), "{to:?}");
    };
    check("db/migrations");
    check("my migrations: #1 & \"more\" $x ${Y}");
    check("a/b-c");
    check("123");
    check("größe");
    check("/srv/m");
}

#[test]
fn the_nearest_file_is_found_upwards() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = Utf8Path::from_path(folder.path()).expect("its name is UTF-8");
    std::fs::create_dir_all(root.join("a/b")).expect("folders");
    assert_eq!(find(&root.join("a/b")), None);
    std::fs::write(root.join("liftlock.yml"), WHOLE).expect("a file");
    let found = find(&root.join("a/b")).expect("it is two folders above");
    assert_eq!(found, root.join("a/b/../../liftlock.yml"));
    assert_eq!(load(&found, &env).expect("it is right").migrations, root.join("a/b/../../db/migrations"));
    std::fs::write(root.join("a/liftlock.yml"), WHOLE).expect("a file");
    assert_eq!(find(&root.join("a/b")), Some(root.join("a/b/../liftlock.yml")));
}

#[test]
fn files_that_cannot_be_read_are_told_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = Utf8Path::from_path(folder.path()).expect("its name is UTF-8").join("liftlock.yml");
    let code = || load(&path, &env).expect_err("it is bad").code().expect("every error has one").to_string();
    assert_eq!(code(), "config::unreadable");
    std::fs::write(&path, b"migrations: \xff").expect("a file");
    assert_eq!(code(), "config::not_utf8");
    std::fs::write(&path, " ".repeat(600 * 1024)).expect("a file");
    assert_eq!(code(), "config::too_large");
    std::fs::write(&path, format!("\u{feff}{}", WHOLE.replace('\n', "\r\n"))).expect("a file");
    assert!(load(&path, &env).is_ok(), "a BOM and CRLF are no mistakes");
    std::fs::write(&path, "[".repeat(20_000)).expect("a file");
    assert_eq!(code(), "config::wrong");
    let bomb: String = (1..30).map(|n| format!("a{n}: &a{n} [*a{}, *a{}]\n", n - 1, n - 1)).collect();
    std::fs::write(&path, format!("a0: &a0 [x, x]\n{bomb}")).expect("a file");
    assert_eq!(code(), "config::wrong");
}

#[test]
fn the_schema_is_what_editors_are_given() {
    insta::assert_snapshot!("schema", serde_json::to_string_pretty(&schema()).expect("it is JSON"));
}

/// Words that mean something to the reader, so that mutations reach deep.
fn noise() -> impl Strategy<Value = String> {
    let words = [
        "${", "}", "$$", ": ", "\n", "  ", "- ", "{", "[", "]", "\"", "'", "&a ", "*a", "<<", "|", "!!int ", "é", "\t",
        "#", "...",
    ];
    prop_oneof![proptest::sample::select(words.to_vec()).prop_map(str::to_owned), any::<char>().prop_map(String::from)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn no_text_makes_it_panic(cuts in proptest::collection::vec((any::<prop::sample::Index>(), 0usize..12, noise()), 1..8)) {
        let mut text = WHOLE.to_owned();
        for (at, length, noise) in cuts {
            let start = text.floor_char_boundary(at.index(text.len() + 1));
            let end = text.floor_char_boundary((start + length).min(text.len())).max(start);
            text.replace_range(start..end, &noise);
        }
        if let Err(errors) = read(&text) {
            rendered(&errors);
        }
    }

    #[test]
    fn masking_keeps_every_offset(text in "(?s).{0,80}(secret: |://u:)?[^@]{0,20}@?.{0,20}") {
        let masked = clear::masked(&text, &[]);
        prop_assert_eq!(masked.len(), text.len());
        prop_assert_eq!(masked.lines().count(), text.lines().count());
    }
}
