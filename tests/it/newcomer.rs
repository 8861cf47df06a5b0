//! A newcomer's first commands: `init`, `new`, `validate`, `config schema`, `completions`, with the built binary.

use std::{fs, path::Path, process::Output};

use crate::support::{database, liftlock};

/// Runs the binary in a folder; exit code, stdout, stderr.
fn run(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = liftlock().current_dir(folder).args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

/// Without the places where lines break.
fn unwrapped(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_newcomer_gets_from_an_empty_folder_to_judged_migrations() {
    let folder = tempfile::tempdir().unwrap();
    let (code, _, stderr) = run(folder.path(), &["new", "create_poles"]);
    assert!(code == 2 && stderr.contains("liftlock init"), "{stderr}");
    let (code, stdout, stderr) = run(folder.path(), &["init"]);
    assert!(code == 0 && stdout.contains("Wrote liftlock.yml") && stdout.contains("liftlock new"), "{stdout}{stderr}");
    for kind in ["table", "column", "index", "constraint", "not-null", "config", "data", "empty"] {
        // A column that is new must not be the one that another file of the same release requires.
        let name = if kind == "column" { "add owner to poles".to_owned() } else { format!("try {kind}") };
        let (code, stdout, stderr) = run(folder.path(), &["new", &name, "--kind", kind]);
        assert!(code == 0 && stdout.contains("_safe.sql"), "{stdout}{stderr}");
    }
    let files = fs::read_dir(folder.path().join("db/migrations")).unwrap().count();
    assert_eq!(files, 6 + 2 + 3, "one each, two for a constraint, three for `not null`");
    let (code, stdout, stderr) = run(folder.path(), &["validate", "--to", "prod"]);
    assert_eq!(code, 0, "{stdout}{stderr}");
}

#[test]
fn commands_work_from_a_folder_below_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), &["init"]);
    fs::create_dir_all(folder.path().join("src/deep")).unwrap();
    let deep = folder.path().join("src/deep");
    let (code, stdout, stderr) = run(&deep, &["new", "create_poles", "--kind", "table"]);
    assert!(code == 0 && stdout.contains("../../db/migrations/"), "{stdout}{stderr}");
    let (code, stdout, stderr) = run(&deep, &["validate"]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    // Its findings are about that file.
    fs::write(folder.path().join("db/migrations/1_x.sql"), "drop table y;").unwrap();
    let (code, stdout, stderr) = run(&deep, &["validate"]);
    assert!(code == 1 && stdout.contains("[../../db/migrations/1_x.sql:1:1]"), "{stdout}{stderr}");
}

#[test]
fn workflows_are_written_once_and_never_over_others() {
    let action = "acme/liftlock@0123456789abcdef0123456789abcdef01234567";
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join(".git")).unwrap();
    let app = folder.path().join("apps/shop");
    fs::create_dir_all(&app).unwrap();
    for (arguments, expected, said) in [
        (&["init", "--github", "--action", "acme/liftlock@v1"][..], 2, "init::not_pinned"),
        (&["init", "--action", action], 2, "--github"),
        (&["init", "--github", "--action", action], 0, "Wrote liftlock.yml"),
        (&["init", "--github", "--action", action], 0, "there already, as it is to be"),
    ] {
        let (code, stdout, stderr) = run(&app, arguments);
        assert!(
            code == expected && (stdout.clone() + &stderr).contains(said),
            "{arguments:?}: {code}\n{stdout}{stderr}"
        );
    }
    // At the root, where GitHub looks; the way down is in them.
    let workflows = folder.path().join(".github/workflows");
    for name in ["liftlock-validate.yml", "liftlock-migrate.yml", "liftlock-promote.yml"] {
        let text = fs::read_to_string(workflows.join(name)).unwrap();
        assert!(text.contains("working-directory: \"apps/shop\"") && text.contains("acme/liftlock/"), "{text}");
    }
    let mine = workflows.join("liftlock-promote.yml");
    fs::write(&mine, "mine").unwrap();
    fs::remove_file(workflows.join("liftlock-migrate.yml")).unwrap();
    // From a folder below, too, without a second configuration.
    fs::create_dir_all(app.join("src")).unwrap();
    let (code, stdout, stderr) = run(&app.join("src"), &["init", "--github", "--action", action]);
    assert!(code == 1 && stdout.contains("different, so it stays as it is"), "{stdout}{stderr}");
    assert_eq!(fs::read_to_string(&mine).unwrap(), "mine");
    assert!(workflows.join("liftlock-migrate.yml").exists() && !app.join("src/liftlock.yml").exists());
    // Without a word about the action it is the commit that this liftlock was built from.
    fs::remove_dir_all(&workflows).unwrap();
    let (code, stdout, stderr) = run(&app, &["init", "--github"]);
    let text = fs::read_to_string(&mine).unwrap_or_default();
    assert!(code == 0 && text.contains("uses: liftlock/liftlock/"), "{stdout}{stderr}{text}");
}

#[test]
fn nothing_is_ever_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("liftlock.yml"), "mine").unwrap();
    let (code, _, stderr) = run(folder.path(), &["init"]);
    assert!(code == 2 && stderr.contains("init::exists"), "{stderr}");
    assert_eq!(fs::read_to_string(folder.path().join("liftlock.yml")).unwrap(), "mine");
    // Not through a link to nowhere either.
    fs::remove_file(folder.path().join("liftlock.yml")).unwrap();
    std::os::unix::fs::symlink("elsewhere.yml", folder.path().join("liftlock.yml")).unwrap();
    assert_eq!(run(folder.path(), &["init"]).0, 2);
    assert!(!folder.path().join("elsewhere.yml").exists());
}

#[test]
fn init_finds_the_migrations() {
    let check = |files: &[&str], arguments: &[&str], expected: &str| {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "select 1;").unwrap();
        }
        let (code, stdout, stderr) = run(folder.path(), arguments);
        assert_eq!(code, 0, "{stderr}");
        let written = fs::read_to_string(folder.path().join("liftlock.yml")).unwrap();
        assert!(written.contains(&format!("\nmigrations: {expected}\n")), "{stdout}");
    };
    check(&[], &["init"], "db/migrations");
    check(&["prisma/migrations/1_x/migration.sql", "sql/a.sql"], &["init"], "prisma/migrations");
    check(&["server/store/1_x.up.sql"], &["init"], "server/store");
    check(&["1_x.sql"], &["init"], "\".\"");
    check(&["db/migrations/1_x.sql"], &["init", "--migrations", "my sql"], "\"my sql\"");
}

#[test]
fn bad_names_are_refused_with_help() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), &["init"]);
    for name in ["", "../x", "a;b", "1st", "größe", "-"] {
        let (code, stdout, stderr) = run(folder.path(), &["new", "--", name]);
        assert!(code == 2 && stderr.contains("new::bad_name") && stderr.contains("help:"), "{name}: {stdout}{stderr}");
    }
    assert!(!folder.path().join("db").exists());
}

#[test]
fn a_wrong_configuration_says_so_at_its_lines_and_leaves_with_2() {
    let folder = tempfile::tempdir().unwrap();
    let text = "migrations: m\nenvironments:\n  dev: { database: \"postgresql://u:hunter2@h/d\" }\nsink: 1\n";
    fs::write(folder.path().join("liftlock.yml"), text).unwrap();
    let (code, stdout, stderr) = run(folder.path(), &["validate"]);
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert!(stderr.contains("liftlock.yml:3:") && stderr.contains("liftlock.yml:4:"), "{stderr}");
    assert!(!stderr.contains("hunter2"), "{stderr}");
}

#[test]
fn data_for_other_programs_is_data() {
    let folder = tempfile::tempdir().unwrap();
    let (code, stdout, _) = run(folder.path(), &["config", "schema"]);
    let schema: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, schema["type"].as_str()), (0, Some("object")));
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (code, stdout, _) = run(folder.path(), &["completions", shell]);
        assert!(code == 0 && stdout.contains("liftlock") && stdout.contains("promote"), "{shell}");
    }
}

#[test]
fn doctor_says_where_migrations_come_from() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), &["init"]);
    let (code, stdout, _) = run(folder.path(), &["doctor"]);
    assert!(code == 1 && stdout.contains("no folder `db/migrations`"), "{stdout}");
    assert!(unwrapped(&stdout).contains("`liftlock new NAME` makes it"), "{stdout}");
    fs::create_dir_all(folder.path().join("db/migrations")).unwrap();
    let (_, stdout, _) = run(folder.path(), &["doctor"]);
    assert!(stdout.contains("! migrations") && unwrapped(&stdout).contains("liftlock new"), "{stdout}");
    // What `promote` could not read is found beforehand.
    fs::write(folder.path().join("db/migrations/1_x.sql"), b"\xff\xfe").unwrap();
    let (code, stdout, _) = run(folder.path(), &["doctor"]);
    assert!(code == 1 && stdout.contains("✗ migrations") && stdout.contains("is not UTF-8"), "{stdout}");
    fs::remove_dir_all(folder.path().join("db/migrations")).unwrap();
    fs::write(folder.path().join("db/migrations"), "").unwrap();
    let (code, stdout, _) = run(folder.path(), &["doctor"]);
    assert!(code == 1 && stdout.contains("`db/migrations` is not a folder"), "{stdout}");
}

#[tokio::test]
async fn what_is_advised_can_be_done() {
    let database = database("newcomer").await;
    let folder = tempfile::tempdir().unwrap();
    let yaml = format!(
        "migrations: m\nenvironments:\n  production: {{ database: \"{}\", profile: production }}\n\
         sync: {{ from: production, to: {{ folder: mirror }} }}\n",
        database.url.expose()
    );
    fs::write(folder.path().join("liftlock.yml"), yaml).unwrap();
    let run = |arguments: &[&str]| run(folder.path(), arguments);
    let header = "-- Description: Poles\n-- Created: 2026-01-01\n-- Type: TYPE\n-- Rollback:\n--   drop table poles;\n";
    let migration = |name: &str, kind: &str, sql: &str| {
        fs::create_dir_all(folder.path().join("m")).unwrap();
        fs::write(folder.path().join("m").join(name), header.replace("TYPE", kind) + sql).unwrap();
    };
    migration("1_poles_safe.sql", "schema_safe", "create table poles (id bigint primary key, n int);\n");

    // Nothing is there yet, and nothing is praised.
    let (code, stdout, _) = run(&["sync"]);
    assert!(code == 0 && stdout.contains("no table with a primary key") && !stdout.contains("agrees"), "{stdout}");
    let (code, _, stderr) = run(&["backup", "verify", "--env", "prod"]);
    assert!(code == 2 && stderr.contains("liftlock backup create --env"), "{stderr}");
    let (code, _, stderr) = run(&["backup", "restore", "nope", "--env", "prod"]);
    assert!(code == 2 && stderr.contains("liftlock backup list --env"), "{stderr}");

    // Without a webhook nobody is told to flush to it, and who did it is known.
    let promoted = liftlock()
        .current_dir(folder.path())
        .args(["promote", "--to", "prod", "--yes"])
        .env_remove("USER")
        .env_remove("LOGNAME")
        .output()
        .unwrap();
    let said = String::from_utf8(promoted.stdout).unwrap() + &String::from_utf8(promoted.stderr).unwrap();
    assert!(promoted.status.success() && !said.contains("audit flush"), "{said}");
    assert!(said.contains("1 migration recorded") && said.contains("1 table in the mirror"), "{said}");
    let (_, stdout, _) = run(&["status", "--to", "prod"]);
    assert!(!stdout.contains("audit flush") && !stdout.contains("by unknown"), "{stdout}");

    let (_, stdout, _) = run(&["backup", "list", "--env", "prod", "--format", "json"]);
    let listed: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let name = listed["backups"][0]["name"].as_str().unwrap();
    let (code, stdout, stderr) = run(&["backup", "restore", name, "--env", "prod", "--yes"]);
    assert!(code == 0 && !stdout.contains("audit flush"), "{stdout}{stderr}");
    assert_eq!(run(&["promote", "--to", "prod", "--yes"]).0, 0);

    // A plan says what it knows, and no more.
    let (_, stdout, _) = run(&["sync", "--plan"]);
    assert!(stdout.contains("poles") && !stdout.contains("inserted"), "{stdout}");

    // What the plan refuses is what the command it names shows.
    migration("2_fill_safe.sql", "data_migration", "update poles set n = 1 where id between 1 and 9;\n");
    let (code, stdout, _) = run(&["plan", "--to", "prod"]);
    let advised = "validate --to production --type schema_safe m/2_fill_safe.sql";
    assert!(code == 1 && unwrapped(&stdout).contains(advised), "{stdout}");
    assert_eq!(run(&advised.split(' ').collect::<Vec<_>>()).0, 1);
}

#[test]
fn what_passes_for_an_environment_is_planned_for_that_environment() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), &["init"]);
    run(folder.path(), &["new", "create_poles", "--kind", "table"]);
    let check = |arguments: &[&str], expected: Option<&str>| {
        let (code, stdout, stderr) = run(folder.path(), arguments);
        assert_eq!(code, 0, "{stdout}{stderr}");
        match expected {
            Some(next) => assert!(stdout.contains(&format!("- {next}  ")), "{stdout}"),
            None => assert!(!stdout.contains("liftlock plan"), "{stdout}"),
        }
    };
    check(&["validate"], Some("liftlock plan --to production"));
    check(&["validate", "--to", "stage"], Some("liftlock plan --to staging"));
    check(&["validate", "--type", "schema_safe"], Some("liftlock plan --to production --type schema_safe"));
    check(&["validate", "--no-config", "db/migrations"], None);
    fs::write(folder.path().join("liftlock.yml"), "migrations: db/migrations\nenvironments: {}\n").unwrap();
    check(&["validate"], None);
}
