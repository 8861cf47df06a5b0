//! The README is kept true: its tables are generated, its transcript is what `demo` prints, its configuration
//! loads. `LIFTLOCK_UPDATE_README=1 cargo test --test it readme` writes what has changed.

use std::{fs, process::Command};

use camino::Utf8Path;
use liftlock::{
    config::{self, ProfileName},
    lint::{Waivable, rules},
    report::{Harm, Severity},
};

use crate::{
    action_promote::{POLES, Project},
    support::{convex, github::Environment, neon::FakeNeon},
};

fn readme() -> String {
    fs::read_to_string(Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("README.md is there")
}

/// The text between `<!-- NAME:begin -->` and `<!-- NAME:end -->`.
fn part<'a>(readme: &'a str, name: &str) -> &'a str {
    let (_, rest) = readme.split_once(&format!("<!-- {name}:begin -->\n")).expect("the part begins");
    rest.split_once(&format!("<!-- {name}:end -->")).expect("the part ends").0
}

/// Compares a part with what it should be, or writes it there. `normal` takes out what differs by run.
fn check(name: &str, expected: &str, normal: &dyn Fn(&str) -> String) {
    let text = readme();
    let actual = part(&text, name);
    if normal(actual) == normal(expected) {
        return;
    }
    if std::env::var_os("LIFTLOCK_UPDATE_README").is_some() {
        let (begin, end) = (format!("<!-- {name}:begin -->\n"), format!("<!-- {name}:end -->"));
        let (before, _) = text.split_once(&begin).expect("the part begins");
        let (_, after) = text.split_once(&end).expect("the part ends");
        let path = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
        fs::write(path, format!("{before}{begin}{expected}{end}{after}")).expect("README.md can be written");
        return;
    }
    assert_eq!(
        normal(actual),
        normal(expected),
        "README.md's `{name}` has drifted; LIFTLOCK_UPDATE_README=1 cargo test --test it readme"
    );
}

#[test]
fn the_rules_table_is_the_rules() {
    let mut table =
        String::from("| rule | about | in production | waivable | what is wrong |\n| --- | --- | --- | --- | --- |\n");
    for rule in rules::ALL {
        let about = match rule.harm {
            Harm::Loses => "loses data",
            Harm::Blocks => "stops traffic",
            Harm::Fails => "fails when run",
            Harm::Breaks => "breaks the application",
            Harm::Exposes => "shows or allows too much",
            Harm::Unread => "not understood",
            Harm::Convention => "convention",
        };
        let severity = match rule.severity.in_profile(ProfileName::Production) {
            Some(Severity::Error) => "error",
            Some(Severity::Warning) => "warning",
            Some(Severity::Notice) => "notice",
            None => "off",
        };
        let waivable = match rule.waivable {
            Waivable::Never => "no",
            Waivable::WithReason => "with a reason",
            Waivable::WithReasonOrHotfix => "with a reason, or by a hotfix",
        };
        let title = rule.docs().title.replace('|', "\\|");
        let page = format!("src/lint/rules/{}.rs", rule.name.replace('-', "_"));
        assert!(Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join(&page).is_file(), "{page}");
        table += &format!("| [`{}`]({page}) | {about} | {severity} | {waivable} | {title} |\n", rule.name);
    }
    check("rules", &table, &str::to_owned);
}

#[test]
fn the_transcript_is_what_demo_prints() {
    let output = Command::new(env!("CARGO_BIN_EXE_liftlock"))
        .args(["demo", "--no-color"])
        .env_remove("LIFTLOCK_CONFIG")
        .output()
        .expect("liftlock runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "demo failed:\n{stderr}");
    let stdout = String::from_utf8(output.stdout).expect("demo prints UTF-8");
    check("demo", &format!("```text\n{}\n```\n", stdout.trim_end()), &normal);
}

/// The whole way on the stand-ins of GitHub, Neon and Convex, with real PostgreSQL behind them.
#[tokio::test(flavor = "multi_thread")]
async fn the_transcript_of_a_promotion_is_what_it_prints() {
    let text = readme();
    let configuration = text.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a block");
    let neon = FakeNeon::start();
    neon.execute(POLES).await;
    let convex = tokio::task::spawn_blocking(|| convex::Harness::start(&["poles"])).await.expect("it starts");
    let at = format!("api_key: \"${{NEON_API_KEY}}\", api_url: \"{}\"", neon.api_url);
    let configuration = configuration.replace("api_key: \"${NEON_API_KEY}\"", &at);
    let mut project = Project::new("readme_staging", &[], &configuration).await;
    for (name, value) in [
        ("DATABASE_URL_PROD", neon.database_url().expose()),
        ("NEON_PROJECT_ID", &neon.project),
        ("NEON_API_KEY", neon.key().expose()),
        ("CONVEX_URL", &convex.url),
        ("CONVEX_DEPLOY_KEY", convex::DEPLOY_KEY),
    ] {
        project.repository.secrets.insert(name.to_owned(), value.to_owned());
    }
    let commit = project.repository.commit("alice");
    let run = {
        let mut world = project.repository.github.world();
        world.merged("alice", &[&commit]);
        let run = world.run("dave");
        for name in ["production", "production-second"] {
            world.environments.insert(name.to_owned(), Environment::protected());
        }
        world.answers(run, "bob", "production-second", "approved", "");
        world.answers(run, "carol", "production", "approved", "looked at the plan in the pull request");
        run
    };
    let liftlock = |words: &[&str]| {
        let output = tokio::task::block_in_place(|| {
            Command::new(env!("CARGO_BIN_EXE_liftlock"))
                .args(words)
                .arg("--no-color")
                .current_dir(project.repository.path(""))
                .env_remove("LIFTLOCK_CONFIG")
                .envs(&project.repository.secrets)
                .envs(project.repository.github.variables(run))
                .output()
                .expect("liftlock runs")
        });
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words:?} failed:\n{}{stderr}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8(output.stdout).expect("it prints UTF-8").trim_end().to_owned()
    };
    liftlock(&["promote", "--to", "staging", "--yes"]);
    let mut transcript = String::new();
    for words in [
        &["promote", "--to", "production", "--yes"][..],
        &["backup", "verify", "--env", "production"],
        &["audit", "verify", "--env", "production"],
    ] {
        transcript += &format!("$ liftlock {}\n\n{}\n\n", words.join(" "), liftlock(words));
    }
    check("promotion", &format!("```text\n{}\n```\n", transcript.trim_end()), &normal);
}

/// What differs by run or machine becomes a placeholder: ids, digests, times, paths, versions, progress of the
/// log. So does white space: where lines break depends on how long a path is.
fn normal(text: &str) -> String {
    let mut text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for (pattern, placeholder) in [
        (r"PostgreSQL [\d.]+( \([^)]*\))?", "POSTGRES"),
        (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UUID"),
        (r"sha256:[0-9a-f]{64}", "DIGEST"),
        (r"\bbr-[a-z0-9-]+", "BRANCH"),
        // One may be of digits alone, as other numbers are.
        (r"\b[0-9A-F]+/[0-9A-F]{3,}\b", "LSN"),
        (r"\b[0-9a-f]{7,40}\b", "HEXADECIMAL"),
        (r"\b[a-z]+-[a-z]+-\d{6,}", "PROJECT"),
        (r"plan [0-9A-Z]{4}-[0-9A-Z]{4}", "CODE"),
        (r"reaches back [^;]+", "WINDOW"),
        (r"\b\d+ MB", "SIZE"),
        (r"127\.0\.0\.1:\d+", "PORT"),
        (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME"),
        (r"oid \d+, system \d+", "SYSTEM"),
        (r"liftlock_backup_\w+", "BACKUP"),
        (r"[^\s`(\[]*/liftlock-pg-\w+", "SERVER"),
        (r"\d+ min \d+ s|\d+\.\d s|\d+ ms", "DURATION"),
        (r"DURATION [\d,]+", "DURATION RATE"),
        (r"[─╭╮╯╰│·]+", "LINE"),
    ] {
        let pattern = regex::Regex::new(pattern).expect("the pattern is well-formed");
        text = pattern.replace_all(&text, placeholder).into_owned();
    }
    text
}

#[test]
fn the_callers_are_what_init_writes() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let init = Command::new(env!("CARGO_BIN_EXE_liftlock"))
        .args(["init", "--github", "--action", &format!("liftlock/liftlock@{commit}")])
        .current_dir(folder.path())
        .env_remove("LIFTLOCK_CONFIG")
        .output()
        .expect("liftlock runs");
    assert!(init.status.success(), "{}", String::from_utf8_lossy(&init.stderr));
    for name in ["validate", "promote"] {
        let path = folder.path().join(format!(".github/workflows/liftlock-{name}.yml"));
        let text = fs::read_to_string(path).expect("it was written").replace(commit, "COMMIT");
        check(&format!("caller-{name}"), &format!("```yaml\n{text}```\n"), &str::to_owned);
    }
}

#[test]
fn the_configurations_load() {
    let text = readme();
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = Utf8Path::from_path(folder.path()).expect("its name is UTF-8").join("liftlock.yml");
    let variables = |name: &str| match name {
        "AUDIT_WEBHOOK_URL" => Some("https://audit.example.com/events".to_owned()),
        "AUDIT_WEBHOOK_SECRET" => Some("whsec_bGlmdGxvY2sgc2lnbnMgdGhpcyBpbiB0ZXN0cw==".to_owned()),
        "CONVEX_URL" => Some("https://calm-otter-1.convex.cloud".to_owned()),
        "NEON_PROJECT_ID" => Some("calm-river-1".to_owned()),
        "NEON_API_KEY" | "CONVEX_DEPLOY_KEY" => Some("opensesame".to_owned()),
        _ => Some(format!("postgres://app@localhost/{}", name.to_lowercase())),
    };
    let blocks = text.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().expect("the block ends"));
    let configurations: Vec<&str> = blocks.filter(|it| it.starts_with("migrations:")).collect();
    assert_eq!(configurations.len(), 2);
    for yaml in configurations {
        fs::write(&path, yaml).expect("the file can be written");
        let config = config::load(&path, &variables).expect("the README's configuration is right");
        config.promotion("production").expect("nothing else is needed");
        assert!(config.sync().expect("its variables are set").is_some());
    }
}

/// `name → { description, default }` of a part of action.yml, in its order.
fn action(part: &str) -> Vec<(String, String, String)> {
    let text = fs::read_to_string(Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("action.yml")).expect("it is there");
    let action: serde_yaml::Value = serde_yaml::from_str(&text).expect("action.yml is YAML");
    let entries = action[part].as_mapping().expect("it has entries").iter();
    let text = |value: &serde_yaml::Value| value.as_str().unwrap_or_default().replace('|', "\\|");
    entries.map(|(name, it)| (text(name), text(&it["description"]), text(&it["default"]))).collect()
}

#[test]
fn the_actions_tables_are_action_yml() {
    let mut inputs = String::from("| input | what it says | default |\n| --- | --- | --- |\n");
    for (name, description, default) in action("inputs") {
        let default = if default.is_empty() { String::new() } else { format!("`{default}`") };
        inputs += &format!("| `{name}` | {description} | {default} |\n");
    }
    check("action-inputs", &inputs, &str::to_owned);
    let mut outputs = String::from("| output | what it says |\n| --- | --- |\n");
    for (name, description, _) in action("outputs") {
        outputs += &format!("| `{name}` | {description} |\n");
    }
    check("action-outputs", &outputs, &str::to_owned);
}

#[test]
fn every_command_is_named() {
    let help = Command::new(env!("CARGO_BIN_EXE_liftlock")).arg("--help").output().expect("liftlock runs");
    let help = String::from_utf8(help.stdout).expect("help is UTF-8");
    let commands =
        help.split("Commands:").nth(1).and_then(|rest| rest.split("Options:").next()).expect("commands are listed");
    let names = commands.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names: Vec<&str> =
        names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").collect();
    assert!(names.len() > 14, "{help}");
    let readme = readme();
    for name in names {
        assert!(readme.contains(&format!("`{name}")), "README.md does not name `liftlock {name}`");
    }
}
