//! A repository on GitHub and its runner, on this machine: `act` runs the workflows that `liftlock init --github`
//! writes, which call ours, which run the Action, which runs the binary under test. GitHub's API is the fake.
//!
//! Three things that `act` cannot read yet are taken out of its copy of the workflows; `action_files.rs` holds on to
//! them in what is shipped. Environments, approvals, permissions and queues are GitHub's: the fake's state is what the
//! job finds of them.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

use regex::Regex;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    github::{GitHub, TOKEN, World},
    liftlock,
    tools::{output, python_tool},
};

/// A commit of ours, as far as callers are concerned.
const OURS: &str = "0123456789abcdef0123456789abcdef01234567";

/// Actions of GitHub's own that a runner fetches: as little of them as our workflows need.
const CHECKOUT: &str = r#"
name: checkout
description: what `actions/checkout` does for a repository that lies on this machine
inputs:
  ref: { description: the commit }
  persist-credentials: { description: not needed here }
runs:
  using: composite
  steps:
    - shell: bash
      env: { COMMIT: "${{ inputs.ref }}" }
      run: |
        git clone --quiet --no-checkout "$ORIGIN" .
        git -c advice.detachedHead=false checkout --quiet "${COMMIT:-HEAD}"
"#;
const UPLOAD: &str = r#"
name: upload-artifact
description: what `actions/upload-artifact` does, into a folder
inputs:
  name: { description: its name }
  path: { description: files, one on a line }
  if-no-files-found: { description: not needed here }
  overwrite: { description: not needed here }
  retention-days: { description: not needed here }
runs:
  using: composite
  steps:
    - shell: bash
      env: { NAME: "${{ inputs.name }}", FILES: "${{ inputs.path }}" }
      run: |
        mkdir -p "$ARTIFACTS/$NAME"
        while IFS= read -r file; do if [ -f "$file" ]; then cp "$file" "$ARTIFACTS/$NAME/"; fi; done <<<"$FILES"
"#;

/// The Action and the workflows as `act` can read them, and the stand-ins; made once.
fn actions() -> &'static Path {
    static MADE: OnceLock<TempDir> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let (project, ours) = (Path::new(env!("CARGO_MANIFEST_DIR")), folder.path().join("ours"));
        fs::create_dir_all(ours.join(".github")).unwrap();
        fs::copy(project.join("action.yml"), ours.join("action.yml")).unwrap();
        for below in [".github/action", ".github/workflows"] {
            fs::create_dir_all(ours.join(below)).unwrap();
            for entry in fs::read_dir(project.join(below)).unwrap().map(Result::unwrap) {
                fs::copy(entry.path(), ours.join(below).join(entry.file_name())).unwrap();
            }
        }
        for name in ["validate.yml", "migrate.yml", "promote-to-prod.yml"] {
            let path = ours.join(".github/workflows").join(name);
            let text = fs::read_to_string(&path).unwrap();
            let text = text.replace("uses: $/\n", &format!("uses: liftlock/liftlock@{OURS}\n"));
            let text = text.replace("      queue: max\n", "").replace("      deployment: false\n", "");
            fs::write(path, text).unwrap();
        }
        for (name, text) in [("checkout", CHECKOUT), ("upload-artifact", UPLOAD)] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
            fs::write(folder.path().join(name).join("action.yml"), text).unwrap();
        }
        folder
    });
    made.path()
}

/// The repository `acme/fibre`, its secrets and variables, and GitHub's side of it.
pub struct Repository {
    folder: TempDir,
    pub github: GitHub,
    /// Handed to the workflows as secrets; none of their values may be seen anywhere.
    pub secrets: BTreeMap<String, String>,
    /// As the repository's variables.
    pub variables: BTreeMap<String, String>,
}

/// What starts a workflow.
pub enum Event<'a> {
    /// A push to a pull request, by its number.
    PullRequest(u64),
    /// A push to a branch, as this run.
    Push { branch: &'a str, run: u64 },
    /// Somebody fills the form, as this run.
    Dispatch { run: u64, inputs: &'a [(&'a str, &'a str)] },
}

/// A job that has ended.
pub struct Job {
    /// Of `act`: 0, or 1 for a job that failed.
    pub code: i32,
    /// Without the job's name before each line.
    pub log: String,
    /// By artifact and file: the texts.
    pub artifacts: BTreeMap<String, String>,
}

impl Job {
    /// An artifact's JSON.
    pub fn report(&self, artifact: &str) -> Value {
        let text = self.artifacts.get(&format!("{artifact}/report.json"));
        serde_json::from_str(text.unwrap_or_else(|| panic!("no report in {:?}\n{}", self.artifacts.keys(), self.log)))
            .unwrap()
    }

    /// Annotations as they were printed, beginning with their kind.
    pub fn annotations(&self) -> Vec<&str> {
        let kinds = ["::error ", "::warning ", "::notice "];
        self.log
            .lines()
            .filter_map(|line| kinds.iter().find_map(|kind| line.find(kind).map(|at| &line[at..])))
            .collect()
    }

    #[track_caller]
    pub fn ends(&self, code: i32) -> &Self {
        assert_eq!(self.code, code, "{}", self.log);
        self
    }

    #[track_caller]
    pub fn says(&self, text: &str) -> &Self {
        assert!(self.log.contains(text), "{text:?} is not in\n{}", self.log);
        self
    }
}

impl Repository {
    /// With the callers, this configuration, and GitHub as `world` has it.
    pub fn new(world: World, configuration: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let secrets = BTreeMap::from([("GITHUB_TOKEN".to_owned(), TOKEN.to_owned())]);
        let it = Self { folder, github: GitHub::start(world), secrets, variables: BTreeMap::new() };
        fs::create_dir_all(it.path("")).unwrap();
        it.git(&["init", "--quiet", "--initial-branch=main"]);
        it.git(&["remote", "add", "origin", "https://github.com/acme/fibre.git"]);
        it.write("liftlock.yml", configuration);
        let action = format!("liftlock/liftlock@{OURS}");
        output(liftlock().current_dir(it.path("")).args(["init", "--github", "--action", &action]));
        let build = Regex::new("build-from-source: .*").unwrap();
        for name in ["liftlock-validate.yml", "liftlock-migrate.yml", "liftlock-promote.yml"] {
            let path = format!(".github/workflows/{name}");
            let text = fs::read_to_string(it.path(&path)).unwrap();
            let binary = format!("binary-path: {}", env!("CARGO_BIN_EXE_liftlock"));
            it.write(&path, &build.replace(&text, binary));
        }
        it
    }

    /// A path below the work tree.
    pub fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join("fibre").join(below)
    }

    pub fn write(&self, path: &str, text: &str) {
        fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        fs::write(self.path(path), text).unwrap();
    }

    pub fn git(&self, words: &[&str]) -> String {
        let mut command = Command::new("git");
        command.current_dir(self.path("")).env("HOME", self.folder.path()).args(words);
        output(&mut command).trim().to_owned()
    }

    /// Commits the work tree, here and at GitHub; the commit's id.
    pub fn commit(&self, author: &str) -> String {
        self.git(&["add", "--all"]);
        let (name, email) = (format!("user.name={author}"), format!("user.email={author}@example.com"));
        self.git(&["-c", &name, "-c", &email, "commit", "--quiet", "--message", "Change the schema"]);
        let commit = self.git(&["rev-parse", "HEAD"]);
        let names = self.git(&["ls-files"]);
        let files: Vec<(&str, String)> =
            names.lines().map(|name| (name, fs::read_to_string(self.path(name)).unwrap())).collect();
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let mut world = self.github.world();
        let made = world.commit(author, &files);
        world.commits.iter_mut().find(|it| it.sha == made).unwrap().sha = commit.clone();
        commit
    }

    /// Runs a caller to its end.
    pub fn run(&self, workflow: &str, event: &Event) -> Job {
        let child = self.start(workflow, event);
        self.ended(child)
    }

    /// Starts a caller.
    pub fn start(&self, workflow: &str, event: &Event) -> Child {
        let (kind, payload) = self.payload(event);
        let path = self.folder.path().join("event.json");
        fs::write(&path, payload.to_string()).unwrap();
        let mut command = python_tool("act");
        command.current_dir(self.path("")).env_clear();
        for name in ["PATH", "TMPDIR"] {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        command.env("HOME", self.folder.path());
        command.arg(kind).arg("--workflows").arg(format!(".github/workflows/{workflow}")).arg("--eventpath").arg(path);
        // It would hide secrets in its log; whether there are any is what we want to see.
        command.args(["--insecure-secrets", "--platform", "ubuntu-24.04=-self-hosted"]);
        command.args(["--no-cache-server", "--action-cache-path"]);
        command.arg(self.folder.path().join("cache"));
        for (name, place) in local_repositories() {
            command.arg("--local-repository").arg(format!("{name}={}", place.display()));
        }
        for (name, value) in &self.secrets {
            command.arg("--secret").arg(format!("{name}={value}"));
        }
        for (name, value) in &self.variables {
            command.arg("--var").arg(format!("{name}={value}"));
        }
        for (name, value) in self.environment(event) {
            command.arg("--env").arg(format!("{name}={value}"));
        }
        // One stream, so that lines stay in order.
        let log = fs::File::create(self.log()).unwrap();
        command.stdout(log.try_clone().unwrap()).stderr(log).stdin(Stdio::null());
        command.spawn().unwrap()
    }

    /// Kills the liftlock that a job is running, as a runner that dies would; the job goes on without it.
    pub fn kill_liftlock(&self) {
        let mark = format!("save={}", self.folder.path().display());
        let found = output(Command::new("pgrep").args(["-f", &mark]));
        for process in found.lines() {
            output(Command::new("kill").args(["-KILL", process]));
        }
    }

    /// Waits for a job; nothing secret may be seen of it anywhere.
    pub fn ended(&self, mut child: Child) -> Job {
        let status = child.wait().unwrap();
        let prefix = Regex::new(r"(?m)^\[[^\]]*\] (  \| )?").unwrap();
        let log = fs::read_to_string(self.log()).unwrap();
        let log = prefix.replace_all(&log, "").into_owned();
        let job = Job { code: status.code().unwrap_or(-1), log, artifacts: self.artifacts() };
        self.assert_silent(&job);
        job
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn payload(&self, event: &Event) -> (&'static str, Value) {
        let repository = json!({ "full_name": "acme/fibre", "default_branch": "main" });
        match event {
            Event::PullRequest(number) => {
                let head = json!({ "sha": self.git(&["rev-parse", "HEAD"]), "ref": "change", "repo": repository });
                let base = json!({ "ref": "main", "repo": repository });
                let pull = json!({ "number": number, "head": head, "base": base });
                // `act` reads the number at the top.
                (
                    "pull_request",
                    json!({ "action": "synchronize", "number": number, "pull_request": pull, "repository": repository }),
                )
            }
            Event::Push { branch, .. } => {
                ("push", json!({ "ref": format!("refs/heads/{branch}"), "repository": repository }))
            }
            Event::Dispatch { inputs, .. } => {
                let inputs: BTreeMap<&str, &str> = inputs.iter().copied().collect();
                ("workflow_dispatch", json!({ "inputs": inputs, "repository": repository }))
            }
        }
    }

    /// What a runner of GitHub's sets and `act` does not, or sets to something else.
    fn environment(&self, event: &Event) -> Vec<(String, String)> {
        let artifacts = self.folder.path().join("artifacts");
        let mut set = vec![
            ("GITHUB_API_URL".to_owned(), self.github.url()),
            ("ORIGIN".to_owned(), self.path("").display().to_string()),
            ("ARTIFACTS".to_owned(), artifacts.display().to_string()),
        ];
        match event {
            Event::PullRequest(_) => {}
            Event::Push { run, .. } | Event::Dispatch { run, .. } => set.extend(self.github.variables(*run)),
        }
        set.retain(|(name, _)| name != "GITHUB_TOKEN");
        set
    }

    fn artifacts(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        let folder = self.folder.path().join("artifacts");
        for artifact in fs::read_dir(&folder).into_iter().flatten().map(Result::unwrap) {
            for file in fs::read_dir(artifact.path()).unwrap().map(Result::unwrap) {
                let name = format!("{}/{}", artifact.file_name().display(), file.file_name().display());
                found.insert(name, fs::read_to_string(file.path()).unwrap());
            }
        }
        found
    }

    /// No secret's value, and no password inside one, is in anything that people or programs get to see.
    fn assert_silent(&self, job: &Job) {
        let comments = self.github.world().comments.iter().map(|it| it.body.clone()).collect::<Vec<_>>();
        let files = job.artifacts.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        let seen =
            files.chain(comments.iter().map(|it| ("a comment", it.as_str()))).chain([("the log", job.log.as_str())]);
        let seen: Vec<_> = seen.collect();
        for (name, value) in &self.secrets {
            let password = url::Url::parse(value).ok().and_then(|url| url.password().map(str::to_owned));
            for value in [Some(value.clone()), password].into_iter().flatten().filter(|it| it.len() > 5) {
                let found = seen.iter().find(|(_, text)| text.contains(&value));
                assert!(found.is_none(), "{name} is seen in {}:\n{}", found.unwrap().0, found.unwrap().1);
            }
        }
    }
}

fn local_repositories() -> Vec<(String, PathBuf)> {
    let ours = (format!("liftlock/liftlock@{OURS}"), actions().join("ours"));
    let pinned = Regex::new(r"uses: (actions/(checkout|upload-artifact)@[0-9a-f]{40})").unwrap();
    let mut found = vec![ours];
    for name in ["validate.yml", "migrate.yml", "promote-to-prod.yml"] {
        let text = fs::read_to_string(actions().join("ours/.github/workflows").join(name)).unwrap();
        for pin in pinned.captures_iter(&text) {
            let one = (pin[1].to_owned(), actions().join(&pin[2]));
            if !found.contains(&one) {
                found.push(one);
            }
        }
    }
    found
}
