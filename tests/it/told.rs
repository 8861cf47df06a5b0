//! What people are told beside the findings: excerpts without values, the closing line, why something is safe, what
//! to call next, whose folder it is.

use std::{fs, os::unix::fs::symlink};

use serde_json::Value;

use crate::ways::{CREATE, INDEX, Project, config};

#[test]
fn no_literal_of_a_migration_is_shown_not_even_of_the_lines_around() {
    let text = "insert into orders (note) values ('hunter2', 4711);\ncreate index i on orders (note);\n\
                update orders set note = $x$swordfish$x$ where id = 4712;\ndo $$ begin\n  perform f('sesame');\n\
                  drop table orders;\nend $$;\n";
    let project = Project::new(&[CREATE, ("m/0002_x_safe.sql", text)]);
    let run = project.run(&["validate", "--no-config", "m/0002_x_safe.sql"]);
    assert_eq!(run.exit, 1, "{}", run.stderr);
    assert!(
        run.stdout.contains("values ('*******', ????)") && run.stdout.contains("drop table orders"),
        "{}",
        run.stdout
    );
    for format in ["text", "json", "sarif", "github", "gitlab", "markdown"] {
        let run = project.run(&["validate", "--no-config", "--format", format, "m/0002_x_safe.sql"]);
        let said = format!("{}{}", run.stdout, run.stderr);
        // What is to be written instead has to hold them; nobody reads it but a program.
        let said = if format == "json" { without_fixes(&said) } else { said };
        for value in ["hunter2", "4711", "swordfish", "4712", "sesame"] {
            assert!(!said.contains(value), "{format} shows {value}: {said}");
        }
    }
}

fn without_fixes(json: &str) -> String {
    let mut report: Value = serde_json::from_str(json).unwrap();
    for finding in report["findings"].as_array_mut().unwrap() {
        finding.as_object_mut().unwrap().remove("fix");
    }
    report.to_string()
}

#[test]
fn a_report_ends_with_what_was_read_and_what_was_not() {
    for (text, expected) in [
        ("select 1;", "1 statement read, 0 not analysable, 0 waived"),
        ("select ${a};\nselect ${b};\n", "2 statements read, 2 not analysable (2 placeholders), 0 waived"),
        (
            "bogus;\n\\connect x\n",
            "2 statements read, 2 not analysable (1 psql command, 1 unknown statement), 0 waived",
        ),
        (
            "do $$ begin execute a; execute b; end $$;",
            "1 statement read, 2 not analysable (2 dynamic EXECUTE), 0 waived",
        ),
        ("select 'x;\n", "1 statement read, 1 not analysable (1 never ends), 0 waived"),
        (
            "-- liftlock: allow drop-table because it is empty\ndrop table orders;",
            "1 statement read, 0 not analysable, 1 waived",
        ),
    ] {
        let project = Project::new(&[CREATE, ("m/0002_x_safe.sql", text)]);
        let run = project.run(&["validate", "--no-config", "m/0002_x_safe.sql"]);
        let closing = run.stdout.lines().find(|it| it.contains(" read, ")).unwrap_or_default();
        assert!(closing.contains(&format!("in 1 file, {expected}, profile production")), "{text}: {}", run.stdout);
    }
}

#[test]
fn what_looks_dangerous_and_is_not_is_told_with_its_proof() {
    let project = Project::new(&[
        CREATE,
        ("m/0002_check_safe.sql", "alter table orders add constraint note_is_set check (note is not null) not valid;"),
        ("m/0003_validate_safe.sql", "alter table orders validate constraint note_is_set;"),
        ("m/0004_set_safe.sql", "alter table orders alter column note set not null;"),
    ]);
    let judged = ["validate", "--no-config", "m/0004_set_safe.sql"];
    let run = project.run(&judged);
    assert!(run.exit == 0 && !run.stdout.contains("Safe, and why"), "{}", run.stdout);
    let run = project.run(&[&judged[..], &["--explain"]].concat());
    let (_, safe) = run.stdout.split_once("Safe, and why\n").unwrap_or_default();
    let safe = safe.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(safe.starts_with("✓ m/0004_set_safe.sql:5:20 safe: "), "{}", run.stdout);
    for part in ["`note_is_set`", "0003_validate", "(set-not-null)"] {
        assert!(safe.contains(part), "{part}: {}", run.stdout);
    }
    let run = project.run(&[&judged[..], &["--explain", "--format", "json"]].concat());
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    let explanation = &report["explanations"][0];
    assert_eq!((&explanation["rule"], &explanation["line"]), (&"set-not-null".into(), &5.into()), "{report}");
    assert!(explanation["reason"].as_str().unwrap().contains("note_is_set"), "{report}");
    let run = project.run(&[&judged[..], &["--explain", "--format", "markdown"]].concat());
    assert!(run.stdout.contains("note_is_set"), "{}", run.stdout);
}

#[test]
fn a_folder_of_links_is_read_like_any_other() {
    let project = Project::new(&[("real/0001_create_safe.sql", CREATE.1), ("real/0002_index_safe.sql", INDEX.1)]);
    fs::create_dir(project.path("m")).unwrap();
    for name in ["0001_create_safe.sql", "0002_index_safe.sql"] {
        symlink(format!("../real/{name}"), project.path("m").join(name)).unwrap();
    }
    symlink("m", project.path("link")).unwrap();
    for named in ["m", "link", "m/0002_index_safe.sql", "link/0002_index_safe.sql", "./m", "m/"] {
        let run = project.run(&["validate", "--no-config", named]);
        assert!(run.stdout.contains(" read, 0 not analysable"), "{named}: {}{}", run.stdout, run.stderr);
    }
    fs::create_dir(project.path("m/empty")).unwrap();
    project.write("liftlock.yml", &config(""));
    let run = project.run(&["validate", "m/empty"]);
    assert!(run.exit == 2 && run.stderr.contains("no migrations in `m/empty`"), "{}{}", run.stdout, run.stderr);
}

#[test]
fn after_a_baseline_the_call_that_uses_it_is_told() {
    let project = Project::new(&[INDEX]);
    for (arguments, expected) in [
        (&["m"][..], "liftlock validate m "),
        (&["--no-config", "m"], "liftlock validate --no-config m "),
        (&["--baseline", "known it.json", "m"], "liftlock validate --baseline 'known it.json' m "),
    ] {
        let run = project.run(&[&["baseline", "write"], arguments].concat());
        assert!(run.stdout.contains(&format!("- {expected} ")), "{arguments:?}: {}{}", run.stdout, run.stderr);
    }
    project.write("liftlock.yml", &config(""));
    let run = project.run(&["baseline", "write"]);
    assert!(run.stdout.contains("- liftlock validate  "), "{}{}", run.stdout, run.stderr);
    let run = project.run(&["rules", "stale-baseline"]);
    assert!(run.exit == 0 && run.stdout.contains("notice in production"), "{}{}", run.stdout, run.stderr);
    // What is gone is told as severely as the configuration says.
    project.write(INDEX.0, "select 1;");
    project.write("liftlock.yml", &config("rules: { stale-baseline: error }\n"));
    assert_eq!(project.found(&["validate"]), ["error stale-baseline"]);
    project.write("liftlock.yml", &config("rules: { stale-baseline: off }\n"));
    assert_eq!(project.found(&["validate"]), [""; 0]);
}

#[test]
fn a_folder_is_known_by_its_place_wherever_it_is_named_from() {
    let project = Project::new(&[("supabase/migrations/20260101120000_a.sql", CREATE.1)]);
    for (from, named) in [
        (".", "supabase/migrations"),
        ("supabase", "migrations"),
        ("supabase/migrations", "."),
        (".", "."),
        ("supabase", "."),
    ] {
        let run =
            project.liftlock(&["validate", "--no-config", named]).current_dir(project.path(from)).output().unwrap();
        let said = String::from_utf8(run.stdout).unwrap();
        assert!(said.contains("supabase/migrations)"), "{named} from {from}: {said}");
    }
}

#[test]
fn a_file_that_may_not_be_written_is_named_with_what_to_do() {
    let project = Project::new(&[("m/0001_check.sql", "alter table t add constraint c check (x > 0);\n")]);
    let file = project.path("m/0001_check.sql");
    let mut permissions = fs::metadata(&file).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&file, permissions).unwrap();
    let run = project.run(&["validate", "--no-config", "--fix", "m"]);
    let said = run.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(run.exit == 2 && said.contains("`m/0001_check.sql` is read-only, and nothing was written"), "{said}");
    assert!(said.contains("chmod u+w m/0001_check.sql"), "{said}");
}
