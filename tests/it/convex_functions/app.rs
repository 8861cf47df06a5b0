//! `liftlock convex init`, and what an app's own tools think of what it writes.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::json;
use tempfile::TempDir;

use crate::support::{self, convex, liftlock};

/// An app's folder, with a configuration that mirrors production.
struct App {
    folder: TempDir,
    database: Option<String>,
}

const CONFIG: &str = "migrations: db\nenvironments:\n  production: { database: \"${DATABASE_URL_PROD}\" }\n\
                      sync:\n  from: production\n  to: { convex: \"${CONVEX_URL}\", deploy_key: \"${CONVEX_DEPLOY_KEY}\" }\n";

impl App {
    fn new(config: &str) -> Self {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("liftlock.yml"), config).unwrap();
        Self { folder, database: None }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn write(&self, name: &str, text: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), text).unwrap();
    }

    /// Runs `liftlock convex init` with these arguments: exit code, stdout, stderr.
    fn init(&self, arguments: &[&str]) -> (i32, String, String) {
        let mut command = liftlock();
        command.current_dir(self.folder.path()).args(["convex", "init"]).args(arguments);
        if let Some(url) = &self.database {
            command.env("DATABASE_URL_PROD", url);
        }
        let Output { status, stdout, stderr } = command.output().unwrap();
        (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
    }

    /// Every file below `convex/` with its text.
    fn files(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for folder in ["convex", "convex/liftlock"] {
            for entry in fs::read_dir(self.path(folder)).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_file() {
                    let name = format!("{folder}/{}", path.file_name().unwrap().to_str().unwrap());
                    found.push((name, fs::read_to_string(path).unwrap()));
                }
            }
        }
        found.sort();
        found
    }
}

#[tokio::test]
async fn init_writes_what_the_source_has_and_later_only_what_changed() {
    let database = support::database("init_writes_what_the_source_has").await;
    database
        .execute(
            "create table poles (id int primary key); create schema app; create table app.flags (id int primary key);
             create table keyless (id int); create table \"Odd Name\" (id int primary key)",
        )
        .await;
    let mut app = App::new(CONFIG);
    app.database = Some(database.url.expose().to_owned());
    let (code, stdout, stderr) = app.init(&[]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(stdout.contains("mirrored: app.flags (as app__flags), poles, \"Odd Name\" (as u_Odd_20Name)"), "{stdout}");
    assert!(stdout.contains("Wrote convex/schema.ts"), "{stdout}");
    let names: Vec<String> = app.files().into_iter().map(|(name, _)| name).collect();
    let ours = ["guard", "reading", "sync", "tables", "values", "writing"];
    let mut expected: Vec<String> = ours.iter().map(|it| format!("convex/liftlock/{it}.ts")).collect();
    expected.push("convex/schema.ts".to_owned());
    assert_eq!(names, expected);

    // Again, nothing changes and nobody is asked.
    let before = app.files();
    let (code, stdout, _) = app.init(&[]);
    assert!(code == 0 && stdout.contains("unchanged: guard.ts") && !stdout.contains("What would change"), "{stdout}");
    assert_eq!(app.files(), before);

    // A table more: the difference is shown, and without a terminal it takes `--yes`.
    database.execute("create table drops (id int primary key)").await;
    let (code, stdout, stderr) = app.init(&[]);
    assert!(code == 2 && stderr.contains("--yes"), "{stdout}{stderr}");
    assert!(
        stdout.contains("+++ convex/liftlock/tables.ts") && stdout.contains("\n+  drops: mirrored(),\n"),
        "{stdout}"
    );
    assert!(!stdout.contains("guard.ts"), "{stdout}");
    assert_eq!(app.files(), before);
    let (code, stdout, _) = app.init(&["--yes"]);
    assert!(code == 0 && stdout.contains("updated: tables.ts"), "{stdout}");
    assert!(app.read("convex/liftlock/tables.ts").contains("  drops: mirrored(),\n"));

    // What Windows makes of the line ends is no change.
    let windows = app.read("convex/liftlock/guard.ts").replace('\n', "\r\n");
    app.write("convex/liftlock/guard.ts", &windows);
    let (code, stdout, _) = app.init(&[]);
    assert!(code == 0 && stdout.contains("unchanged: guard.ts"), "{stdout}");

    // Only what was asked for; what cannot be mirrored is told.
    app.write("liftlock.yml", &format!("{CONFIG}  tables: [poles, keyless]\n"));
    let (code, stdout, _) = app.init(&["--yes"]);
    assert!(code == 1 && stdout.contains("keyless: it has neither a primary key"), "{stdout}");
    assert!(stdout.contains("mirrored: poles\n"), "{stdout}");
}

#[test]
fn what_somebody_else_wrote_or_changed_is_never_overwritten() {
    for (name, change) in [
        ("convex/liftlock/writing.ts", "// mine\n{}"),
        ("convex/liftlock/tables.ts", "{}// one line more\n"),
        ("convex/liftlock/sync.ts", "export const mine = 1;\n"),
        ("convex/liftlock/guard.ts", ""),
    ] {
        let app = App::new(CONFIG);
        assert_eq!(app.init(&["--table", "poles"]).0, 0);
        let theirs = change.replace("{}", &app.read(name));
        app.write(name, &theirs);
        let before = app.files();
        for arguments in [&["--table", "drops"][..], &["--table", "drops", "--yes"], &["--table", "poles", "--yes"]] {
            let (code, stdout, stderr) = app.init(arguments);
            assert_eq!((code, stdout.as_str()), (2, ""), "{name}: {stderr}");
            assert!(stderr.contains("convex::edited") && stderr.contains(name), "{name}: {stderr}");
            assert_eq!(app.files(), before, "{name}");
        }
        fs::remove_file(app.path(name)).unwrap();
        assert_eq!(app.init(&["--table", "poles"]).0, 0, "{name}");
    }
}

#[test]
fn the_apps_own_schema_stays_and_it_is_told_what_to_add() {
    for (name, text, told) in [
        ("schema.ts", "export default 1;\n", "Add these lines"),
        ("schema.js", "export default 1;\n", "Add these lines"),
        ("schema.ts", "// liftlockTables\n", "has them already"),
    ] {
        let app = App::new(CONFIG);
        app.write(&format!("convex/{name}"), text);
        app.write("convex/poles.ts", "export const own = 1;\n");
        let (code, stdout, stderr) = app.init(&["--table", "poles"]);
        assert_eq!(code, 0, "{stderr}");
        assert!(stdout.contains(told), "{stdout}");
        assert_eq!(told == "Add these lines", stdout.contains("...liftlockTables"), "{stdout}");
        assert_eq!(app.read(&format!("convex/{name}")), text);
        assert_eq!(app.read("convex/poles.ts"), "export const own = 1;\n");
        assert!(name == "schema.ts" || !app.path("convex/schema.ts").exists());
    }
}

#[test]
fn without_a_database_the_tables_are_those_that_are_named() {
    let named = format!("{CONFIG}  tables: [poles, app.flags]\n");
    let app = App::new(&named);
    let (code, stdout, stderr) = app.init(&[]);
    assert!(code == 0 && stderr.contains("the tables are those of `sync.tables`"), "{stdout}{stderr}");
    assert!(stdout.contains("mirrored: app.flags (as app__flags), poles"), "{stdout}");

    // Those that the app has already.
    app.write("liftlock.yml", CONFIG);
    let (code, stdout, stderr) = app.init(&[]);
    assert!(code == 0 && stderr.contains("the tables are those of the app's files"), "{stdout}{stderr}");

    for (config, arguments, code, told) in [
        (CONFIG, &[][..], 2, "convex::unknown_tables"),
        ("migrations: db\nenvironments: {}\n", &[], 2, "convex::no_source"),
        (CONFIG, &["--table", "a.b", "--table", "a__b"], 2, "convex::one_name"),
        (CONFIG, &["--dir", "liftlock.yml", "--table", "a"], 2, "convex::not_a_folder"),
        (CONFIG, &["--dir", "apps/web/convex", "--table", "public.a"], 0, ""),
    ] {
        let app = App::new(config);
        let (found, stdout, stderr) = app.init(arguments);
        assert!(found == code && stderr.contains(told), "{arguments:?}: {found}\n{stdout}{stderr}");
        assert!(!app.path("convex").exists(), "{arguments:?}");
        assert_eq!(app.path("apps/web/convex/schema.ts").exists(), code == 0);
    }
}

/// Unreachable is not the same as not configured: what the database said is told.
#[test]
fn a_database_that_does_not_answer_is_told() {
    let mut app = App::new(CONFIG);
    app.database = Some("postgres://nobody:made-up-canary@127.0.0.1:1/none".to_owned());
    let (code, _, stderr) = app.init(&[]);
    assert!(code == 3 && stderr.contains("convex::unknown_tables"), "{code} {stderr}");
    assert!(!stderr.contains("made-up-canary"), "{stderr}");
}

const SCHEMA_OF_THE_APP: &str = r#"import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";
import { liftlockTables } from "./liftlock/tables";

export default defineSchema({
  ...liftlockTables,
  poles: liftlockTables.poles.index("by_owner", ["owner"]),
  notes: defineTable({ pole: v.id("poles"), text: v.string() }),
});
"#;

const FUNCTIONS_OF_THE_APP: &str = r#"import { queryGeneric, type DataModelFromSchemaDefinition, type GenericQueryCtx } from "convex/server";
import { v } from "convex/values";
import schema from "./schema";

type Context = GenericQueryCtx<DataModelFromSchemaDefinition<typeof schema>>;

export const ofOwner = queryGeneric({
  args: { owner: v.string() },
  handler: async (ctx, { owner }) => {
    const db = (ctx as unknown as Context).db;
    const poles = await db.query("poles").withIndex("by_owner", (q) => q.eq("owner", owner)).collect();
    const flags = await db.query("app__flags").take(1);
    const notes = await db.query("notes").collect();
    const texts: string[] = notes.map((it) => it.text);
    return { poles: poles.filter((it) => it.neon.deletedAt === null).length, flags: flags.length, texts };
  },
});
"#;

/// An app as people have them, with our functions in it.
fn whole_app() -> App {
    let app = App::new(CONFIG);
    app.write("convex/schema.ts", SCHEMA_OF_THE_APP);
    app.write("convex/poles.ts", FUNCTIONS_OF_THE_APP);
    app.write("package.json", r#"{ "name": "app", "private": true, "dependencies": { "convex": "1.48.0" } }"#);
    assert_eq!(app.init(&["--table", "poles", "--table", "app.flags"]).0, 0);
    symlink(convex::tools().join("node_modules"), app.path("node_modules")).unwrap();
    app
}

fn run(app: &App, tool: &str, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new("node");
    command.current_dir(app.folder.path()).arg(Path::new("node_modules/.bin").join(tool)).args(arguments);
    // Convex's tools keep things in the home folder, and must find no account of anybody's there.
    command.env_clear().env("HOME", app.path("home")).env("PATH", std::env::var_os("PATH").unwrap());
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.success(), format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr)))
}

#[test]
fn the_functions_pass_the_strictest_type_checks_of_an_app() {
    let app = whole_app();
    // What Convex writes into new apps, and all that is stricter.
    let options = json!({
        "target": "ESNext", "lib": ["ES2021", "dom"], "module": "ESNext", "moduleResolution": "Bundler", "types": [],
        "isolatedModules": true, "skipLibCheck": true, "noEmit": true, "strict": true,
        "allowSyntheticDefaultImports": true, "forceConsistentCasingInFileNames": true, "noUnusedLocals": true,
        "noUnusedParameters": true, "noImplicitReturns": true, "noFallthroughCasesInSwitch": true,
        "noUncheckedIndexedAccess": true, "exactOptionalPropertyTypes": true, "noImplicitOverride": true,
        "noPropertyAccessFromIndexSignature": false, "verbatimModuleSyntax": true,
    });
    let config = json!({ "compilerOptions": options, "include": ["convex/**/*"] });
    app.write("tsconfig.json", &config.to_string());
    let (is_fine, said) = run(&app, "tsc", &["--project", "."]);
    assert!(is_fine, "{said}");

    // The check would notice: a table that is not mirrored.
    app.write("convex/poles.ts", &FUNCTIONS_OF_THE_APP.replace("\"app__flags\"", "\"app__flag\""));
    let (is_fine, said) = run(&app, "tsc", &["--project", "."]);
    assert!(!is_fine && said.contains("app__flag"), "{said}");
}

#[test]
fn convexes_own_bundler_takes_the_functions() {
    let app = whole_app();
    fs::create_dir(app.path("bundle")).unwrap();
    // Nothing listens on port 1: nothing goes over the network.
    let arguments =
        ["deploy", "--dry-run", "--debug-bundle-path", "bundle", "--url", "http://127.0.0.1:1", "--admin-key", "x"];
    let (is_fine, said) = run(&app, "convex", &[&arguments[..], &["--typecheck", "disable"]].concat());
    assert!(is_fine && said.contains("Would have deployed"), "{said}");
    for module in ["poles", "liftlock/sync", "liftlock/writing"] {
        assert!(app.path(&format!("bundle/isolate/{module}.js")).is_file(), "{module}: {said}");
    }
}
