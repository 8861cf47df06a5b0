//! The Action's scripts by themselves, with stand-ins for `curl`, `cargo` and liftlock that note how they are called.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use clap::{CommandFactory, Parser, ValueEnum};
use liftlock::{
    cli::{Cli, FailOn, PromotionType},
    report::outputs::OUTPUTS,
};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn program(path: &Path, text: &str) {
    fs::write(path, format!("#!/usr/bin/env bash\n{text}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A runner of its own: the Action's folder, a workspace, and programs that stand before the real ones.
struct Runner {
    folder: TempDir,
}

impl Runner {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let action = folder.path().join("action/.github/action");
        for below in ["bin", "workspace", "temp", "cache"] {
            fs::create_dir_all(folder.path().join(below)).unwrap();
        }
        fs::create_dir_all(&action).unwrap();
        for name in ["install.sh", "run.sh", "say.sh", "versions.txt"] {
            fs::copy(project().join(".github/action").join(name), action.join(name)).unwrap();
        }
        fs::copy(project().join("Cargo.toml"), folder.path().join("action/Cargo.toml")).unwrap();
        Self { folder }
    }

    fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    fn read(&self, below: &str) -> String {
        fs::read_to_string(self.path(below)).unwrap_or_default()
    }

    /// Runs a script as `action.yml` does; its number, and all it printed.
    fn run(&self, script: &str, variables: &[(&str, &str)]) -> (i32, String) {
        let path = format!("{}:{}", self.path("bin").display(), std::env::var("PATH").unwrap());
        let mut command = Command::new("bash");
        command.args(["-p", self.path("action/.github/action").join(script).to_str().unwrap()]);
        command.current_dir(self.path("workspace")).env_clear().env("PATH", path).env("HOME", self.folder.path());
        for (name, below) in [
            ("GITHUB_OUTPUT", "outputs"),
            ("GITHUB_STEP_SUMMARY", "summary"),
            ("GITHUB_WORKSPACE", "workspace"),
            ("RUNNER_TEMP", "temp"),
            ("RUNNER_TOOL_CACHE", "cache"),
            ("NOTES", "notes"),
        ] {
            command.env(name, self.path(below));
        }
        let output = command.envs(variables.iter().copied()).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.code().unwrap(), text)
    }

    fn check(&self, script: &str, variables: &[(&str, &str)], expected: i32, said: &str) {
        let (code, text) = self.run(script, variables);
        assert!(code == expected && text.contains(said), "{script} {variables:?}: {code}\n{text}");
    }
}

const INSTALL: &str = "install.sh";

/// As `uname` calls this machine in the table.
fn target() -> String {
    let system = if cfg!(target_os = "macos") { "apple-darwin" } else { "unknown-linux-musl" };
    format!("{}-{system}", std::env::consts::ARCH)
}

/// A release whose liftlock says `text`: the archive's path and hash.
fn release(runner: &Runner, text: &str) -> (PathBuf, String) {
    let folder = runner.path("release");
    fs::create_dir_all(&folder).unwrap();
    program(&folder.join("liftlock"), &format!("echo '{text}'"));
    let archive = runner.path("release.tar.gz");
    let packed = Command::new("tar").arg("-czf").arg(&archive).arg("-C").arg(&folder).arg("liftlock").status().unwrap();
    assert!(packed.success());
    let hash = Sha256::digest(fs::read(&archive).unwrap()).iter().map(|byte| format!("{byte:02x}")).collect();
    (archive, hash)
}

#[test]
fn a_release_runs_only_when_its_bytes_are_those_of_the_table() {
    let runner = Runner::new();
    runner.check(INSTALL, &[], 2, "no release of liftlock exists");
    let (archive, hash) = release(&runner, "liftlock 9.9.9");
    let table =
        format!("8.0.0 other-target 00 https://x\n9.9.9 {} {hash} https://releases.example/l.tar.gz\n", target());
    fs::write(runner.path("action/.github/action/versions.txt"), "# a comment\n".to_owned() + &table).unwrap();
    program(
        &runner.path("bin/curl"),
        &format!(
            r#"echo "$@" >>"$NOTES"; while [ "$1" != --output ]; do shift; done; cp "${{SENT:-{}}}" "$2""#,
            archive.display()
        ),
    );

    runner.check(INSTALL, &[("INPUT_VERSION", "1.2.3")], 2, "not in this commit's table");
    runner.check(INSTALL, &[("INPUT_VERSION", "8.0.0")], 2, "not in this commit's table");
    assert_eq!(runner.read("notes"), "", "nothing is fetched that is not listed");

    let other = runner.path("other");
    fs::write(&other, "something else").unwrap();
    runner.check(INSTALL, &[("SENT", other.to_str().unwrap())], 2, "its SHA-256 is not");
    assert_eq!(fs::read_dir(runner.path("cache/liftlock")).unwrap().count(), 0, "what does not fit is not kept");

    fs::remove_file(runner.path("notes")).unwrap();
    for version in ["", "9.9.9", "v9.9.9"] {
        runner.check(INSTALL, &[("INPUT_VERSION", version)], 0, "liftlock 9.9.9");
        assert!(runner.read("outputs").contains("binary<<"), "{}", runner.read("outputs"));
    }
    let fetched = runner.read("notes");
    assert_eq!(fetched.lines().count(), 1, "the second and third time it is in the cache: {fetched}");
    for word in ["--proto =https", "--tlsv1.2", "--fail", "--retry", "https://releases.example/l.tar.gz"] {
        assert!(fetched.contains(word), "{word}: {fetched}");
    }

    // What somebody else has put into the cache is not taken for it.
    fs::write(runner.path(&format!("cache/liftlock/{hash}.tar.gz")), "poison").unwrap();
    runner.check(INSTALL, &[], 0, "liftlock 9.9.9");
    assert_eq!(runner.read("notes").lines().count(), 2);
}

#[test]
fn a_liftlock_that_is_there_already_is_taken_and_told_apart_from_a_mistake() {
    let runner = Runner::new();
    program(&runner.path("workspace/mine"), "echo liftlock mine");
    program(&runner.path("workspace/broken"), "exit 1");
    fs::write(runner.path("workspace/text"), "no program").unwrap();
    for (path, build, version, code, said) in [
        ("mine", "", "", 0, "liftlock mine"),
        ("broken", "", "", 2, "does not run"),
        ("text", "", "", 2, "no program is there"),
        ("gone", "", "", 2, "no program is there"),
        ("mine", "true", "", 2, "exclude each other"),
        ("mine", "", "1.0.0", 2, "exclude each other"),
        ("", "yes", "", 2, "say one of true false"),
        ("", "true", "1.0.0", 2, "leave 'version' empty"),
    ] {
        let inputs = [("INPUT_BINARY_PATH", path), ("INPUT_BUILD_FROM_SOURCE", build), ("INPUT_VERSION", version)];
        let given: Vec<_> = inputs.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        runner.check(INSTALL, &given, code, said);
    }
}

#[test]
fn a_build_is_one_of_the_actions_own_folder_and_lock_file() {
    let runner = Runner::new();
    program(&runner.path("bin/rustup"), "exit 0");
    program(
        &runner.path("bin/cargo"),
        r#"echo "$PWD $RUSTUP_TOOLCHAIN $*" >>"$NOTES"; while [ "$1" != --target-dir ]; do shift; done
        mkdir -p "$2/release"; printf '#!/usr/bin/env bash\necho liftlock built' >"$2/release/liftlock"; chmod +x "$2/release/liftlock""#,
    );
    runner.check(INSTALL, &[("INPUT_BUILD_FROM_SOURCE", "true")], 0, "liftlock built");
    let noted = runner.read("notes");
    let folder = fs::canonicalize(runner.path("action")).unwrap();
    assert!(noted.starts_with(folder.to_str().unwrap()), "a pull request's .cargo/config.toml would count: {noted}");
    assert!(noted.contains(" 1.95 build --release --locked "), "{noted}");
    program(&runner.path("bin/cargo"), "exit 101");
    runner.check(INSTALL, &[("INPUT_BUILD_FROM_SOURCE", "true")], 2, "cannot be built");
}

#[test]
fn nothing_that_an_earlier_step_has_set_for_any_bash_is_run() {
    let runner = Runner::new();
    let hook = runner.path("hook");
    fs::write(&hook, "echo HOOKED").unwrap();
    program(&runner.path("workspace/mine"), "type hooked; echo liftlock mine");
    let variables = [
        ("BASH_ENV", hook.to_str().unwrap()),
        ("BASH_FUNC_hooked%%", "() { echo HOOKED; }"),
        ("BASH_FUNC_tr%%", "() { echo HOOKED; }"),
        ("INPUT_BINARY_PATH", "mine"),
    ];
    let (code, text) = runner.run(INSTALL, &variables);
    assert!(code == 0 && !text.contains("HOOKED"), "{code}\n{text}{}", runner.read("outputs"));
    assert!(!runner.read("outputs").contains("HOOKED"));
}

/// A liftlock that notes how it is called, saves a report, and leaves with `STATUS`.
const NOTING: &str = r#"
[ "$1" = report ] || [ "$3" = audit ] && command=$1 || command=run
printf '%s\n' "$command" "$@" >>"$NOTES"; echo %% >>"$NOTES"
for word in "$@"; do case $word in --save=*) echo '{}' >"${word#--save=}" ;; esac; done
printf '%s\n' "${SAYS:-}"
if [ "$1" = report ]; then printf '::error file=a.sql,line=1::bad\nplain\n'; echo told >&2; exit 1; fi
exit "${STATUS:-0}"
"#;

/// The calls that were noted, each as its words.
fn calls(runner: &Runner) -> Vec<Vec<String>> {
    let notes = runner.read("notes");
    let calls = notes.split("%%\n").filter(|it| !it.is_empty());
    calls.map(|call| call.lines().skip(1).map(str::to_owned).collect()).collect()
}

fn runner_with(binary: &str) -> Runner {
    let runner = Runner::new();
    program(&runner.path("bin/liftlock"), binary);
    runner
}

fn run(runner: &Runner, inputs: &[(&str, &str)]) -> (i32, String) {
    let binary = runner.path("bin/liftlock");
    runner.run("run.sh", &[inputs, &[("LIFTLOCK_BINARY", binary.to_str().unwrap())]].concat())
}

/// Every input that a command reads, with a value that must arrive whole.
const EVERYTHING: &[(&str, &[(&str, &str)])] = &[
    (
        "validate",
        &[
            ("ENVIRONMENT", "staging"),
            ("PATHS", "db/a b.sql\n\n--no-config\n$(touch hacked) `x` \"q\"\n"),
            ("FAIL_ON", "warning"),
            ("TYPE", "config_only"),
            ("CONFIG", "my liftlock.yml"),
        ],
    ),
    (
        "plan",
        &[
            ("ENVIRONMENT", "production"),
            ("TYPE", "hotfix"),
            ("COMMIT", "0123456789abcdef0123456789abcdef01234567"),
            ("EMERGENCY", "true"),
            ("INCIDENT", "INC-1"),
            ("REASON", "the shop is down; $(touch hacked) `x` \"q\" --yes"),
        ],
    ),
    (
        "promote",
        &[
            ("ENVIRONMENT", "production"),
            ("TYPE", "data_migration"),
            ("EMERGENCY", "true"),
            ("INCIDENT", "INC-1"),
            ("REASON", "--abandon is not what is meant here"),
        ],
    ),
    ("sync", &[("TABLES", "poles\nsow drops\n")]),
];

#[test]
fn every_input_becomes_an_option_that_the_command_line_reads() {
    for (command, inputs) in EVERYTHING {
        let runner = runner_with(NOTING);
        let named: Vec<(String, &str)> = inputs.iter().map(|(name, value)| (format!("INPUT_{name}"), *value)).collect();
        let mut variables: Vec<(&str, &str)> = named.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        variables.push(("INPUT_COMMAND", command));
        let (code, text) = run(&runner, &variables);
        assert_eq!(code, 0, "{text}");
        let calls = calls(&runner);
        for call in &calls {
            let typed = Cli::try_parse_from([vec!["liftlock".to_owned()], call.clone()].concat());
            assert!(typed.is_ok(), "{command}: {call:?}: {}", typed.err().map(|it| it.to_string()).unwrap_or_default());
        }
        let words = calls[0].join("\n");
        let values = inputs
            .iter()
            .filter(|(name, _)| !["EMERGENCY", "COMMIT"].contains(name))
            .flat_map(|(_, value)| value.lines());
        for value in values.filter(|it| !it.is_empty()) {
            assert!(words.contains(value), "{command}: {value:?} is not in {:?}", calls[0]);
        }
        assert!(!runner.path("workspace/hacked").exists());
        assert_eq!(calls.last().unwrap()[0], "report", "{calls:?}");
    }
}

/// Options that the action leaves to itself, or to people at a terminal.
const NOT_FOR_THE_ACTION: &[&str] = &[
    "baseline",
    "explain",
    "fix",
    "live",
    "no-baseline",
    "postgres",
    "since",
    "snapshot",
    "stdin-path",
    "watch",
    "no-color",
    "format",
    "help",
    "version",
    "abandon",
    "adopt",
    "yes",
    "save",
    "no-config",
    "profile",
    "plan",
    "sarif",
    "outputs",
];

/// Options whose inputs have names of their own.
const RENAMED: &[(&str, &str)] = &[("to", "environment"), ("table", "tables")];

#[test]
fn every_option_of_the_commands_is_an_input_or_is_left_out_on_purpose() {
    let action = fs::read_to_string(project().join("action.yml")).unwrap();
    let mut cli = Cli::command();
    cli.build();
    for command in ["validate", "plan", "promote", "sync", "report"] {
        let command = cli.find_subcommand(command).unwrap();
        for option in command.get_arguments().filter_map(|it| it.get_long()) {
            let input = RENAMED.iter().find(|(long, _)| *long == option).map_or(option, |(_, input)| input);
            let listed = NOT_FOR_THE_ACTION.contains(&option);
            // The action's `version` is which liftlock to run.
            let there = option != "version" && action.contains(&format!("\n  {input}:\n"));
            assert!(there != listed, "`--{option}` of `{}` is no input, or is listed and is one", command.get_name());
        }
    }
}

#[test]
fn the_choices_are_those_of_the_command_line() {
    let action = fs::read_to_string(project().join("action.yml")).unwrap();
    let promote = fs::read_to_string(project().join("src/commands/init/promote.yml")).unwrap();
    let workflow = fs::read_to_string(project().join(".github/workflows/promote-to-prod.yml")).unwrap();
    for kind in PromotionType::value_variants() {
        let name = kind.to_possible_value().unwrap().get_name().to_owned();
        for text in [&action, &promote, &workflow] {
            assert!(text.contains(&name), "{name} is missing in\n{text}");
        }
    }
    let levels: Vec<String> =
        FailOn::value_variants().iter().map(|it| it.to_possible_value().unwrap().get_name().to_owned()).collect();
    assert_eq!(levels, ["error", "warning", "never"]);
    assert!(action.contains("error, warning or never"), "{action}");
    assert!(fs::read_to_string(project().join(".github/action/run.sh")).unwrap().contains(&levels.join(" ")));
}

#[test]
fn the_outputs_are_those_that_the_report_writes() {
    let action = fs::read_to_string(project().join("action.yml")).unwrap();
    let (_, rest) = action.split_once("\noutputs:\n").unwrap();
    let (outputs, _) = rest.split_once("\nruns:\n").unwrap();
    let lines = outputs.lines().filter_map(|line| line.strip_prefix("  ")?.strip_suffix(':'));
    let mut named: Vec<&str> = lines.filter(|name| !name.starts_with(' ')).collect();
    // The scripts' own.
    named.retain(|name| *name != "audit-json");
    let expected: Vec<&str> = OUTPUTS.iter().map(|(name, _)| *name).collect();
    assert_eq!(named, expected);
    for (name, meaning) in OUTPUTS {
        assert!(outputs.contains(meaning), "`{name}` is described as: {meaning}");
        assert!(outputs.contains(&format!("${{{{ steps.run.outputs.{name} }}}}")), "{name} is not handed on");
    }
}

#[test]
fn an_input_that_its_command_does_not_read_is_refused() {
    for (inputs, said) in [
        (&[("INPUT_COMMAND", "destroy")][..], "say one of validate plan promote sync report"),
        (&[("INPUT_FAIL_ON", "sometimes")], "say one of error warning never"),
        (&[("INPUT_COMMENT", "maybe")], "say one of true false auto"),
        (&[("INPUT_EMERGENCY", "TRUE")], "say one of true false"),
        (&[("INPUT_COMMAND", "plan")], "needs the input 'environment'"),
        (&[("INPUT_COMMAND", "promote")], "needs the input 'environment'"),
        (&[("INPUT_COMMAND", "sync"), ("INPUT_ENVIRONMENT", "production")], "does not read the input 'environment'"),
        (
            &[("INPUT_COMMAND", "promote"), ("INPUT_ENVIRONMENT", "production"), ("INPUT_PATHS", "a.sql")],
            "does not read the input 'paths'",
        ),
        (
            &[("INPUT_COMMAND", "promote"), ("INPUT_ENVIRONMENT", "production"), ("INPUT_FAIL_ON", "never")],
            "does not read the input 'fail-on'",
        ),
        (&[("INPUT_EMERGENCY", "true")], "does not read the input 'emergency'"),
        (&[("INPUT_WORKING_DIRECTORY", "nowhere")], "there is no 'working-directory'"),
        (&[("INPUT_COMMAND", "report"), ("INPUT_REPORT", "gone.json")], "no file is there"),
    ] {
        let runner = runner_with(NOTING);
        let (code, text) = run(&runner, inputs);
        assert!(code == 2 && text.contains(said), "{inputs:?}: {code}\n{text}");
        assert_eq!(runner.read("notes"), "", "{inputs:?}: nothing may have been run");
    }
}

#[test]
fn the_number_is_that_of_the_command_whatever_the_report_leaves_with() {
    for (status, expected) in [("0", 0), ("1", 1), ("2", 2), ("3", 3), ("4", 4)] {
        let runner = runner_with(NOTING);
        let (code, text) = run(&runner, &[("STATUS", status)]);
        assert_eq!(code, expected, "{text}");
    }
    // Without a report there is an answer all the same.
    let runner = runner_with("exit 137");
    let (code, text) = run(&runner, &[]);
    assert!(code == 137 && text.contains("ended with 137 and left no report"), "{code}\n{text}");
    assert!(runner.read("outputs").contains("\nerror\n"), "{}", runner.read("outputs"));
}

/// A red step without an annotation and without a conclusion explains itself to nobody.
#[test]
fn a_file_that_is_no_report_is_an_error_that_is_seen() {
    let runner = runner_with("echo 'not a report' >&2; exit 2");
    let file = runner.path("bin/liftlock");
    let (code, text) = run(&runner, &[("INPUT_COMMAND", "report"), ("INPUT_REPORT", file.to_str().unwrap())]);
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("::error title=liftlock::the report cannot be shown"), "{text}");
    assert!(runner.read("outputs").starts_with("conclusion<<"), "{}", runner.read("outputs"));
    assert!(runner.read("outputs").contains("\nerror\n"), "{}", runner.read("outputs"));
    // One that can be shown says what it concludes.
    let runner = runner_with("printf 'conclusion<<x\\nfailure\\nx\\n' >>\"$GITHUB_OUTPUT\"; exit 1");
    let file = runner.path("bin/liftlock");
    let (code, text) = run(&runner, &[("INPUT_COMMAND", "report"), ("INPUT_REPORT", file.to_str().unwrap())]);
    assert!(code == 1 && !text.contains("cannot be shown"), "{code}\n{text}");
    assert!(!runner.read("outputs").contains("\nerror\n"), "{}", runner.read("outputs"));
}

#[test]
fn what_liftlock_prints_is_no_command_to_the_runner() {
    let runner = runner_with(NOTING);
    let (_, text) = run(&runner, &[("SAYS", "::add-mask::a\n x ##[error]y"), ("INPUT_COMMENT", "true")]);
    let mut resume = None;
    for line in text.lines() {
        if let Some(token) = line.strip_prefix("::stop-commands::") {
            assert!(token.len() == 32, "{line}");
            resume = Some(format!("::{token}::"));
        } else if resume.as_deref() == Some(line) {
            resume = None;
        } else if resume.is_none() {
            assert!(line.is_empty() || line == "::error file=a.sql,line=1::bad", "{line:?} in\n{text}");
        }
    }
    assert_eq!(resume, None, "{text}");
    assert!(text.contains("told") && text.contains("plain"), "{text}");
}

#[test]
fn a_cancelled_jobs_signal_reaches_liftlock() {
    let runner = runner_with(
        r#"trap 'echo stopped; exit 4' TERM; kill -TERM "$PPID"; for _ in $(seq 100); do sleep 0.1; done; exit 0"#,
    );
    let (code, text) = run(&runner, &[]);
    assert!(code == 4 && text.contains("stopped"), "{code}\n{text}");
}
