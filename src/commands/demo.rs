//! `liftlock demo`: the whole way on a throw-away Postgres, by the same commands that a user types.

mod receiver;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use camino::{Utf8Path, Utf8PathBuf};
use rand::RngExt;

use self::receiver::Receiver;
use super::{Shell, audit, promote, sync, validate};
use crate::{
    cli::{self, Format},
    error::Error,
    report::{Report, Section, progress::Quiet},
    secret::Secret,
    services::{
        postgres::{self, Address},
        sandbox::{Sandbox, SandboxOptions},
    },
};

/// The fixture project, as it lies in the repository.
const CONFIG: &str = include_str!("../../fixtures/projects/fibre/liftlock.yml");
const SEED: &str = include_str!("../../fixtures/projects/fibre/seed.sql");
const DANGEROUS: (&str, &str) = (
    "20260917120000_tidy_up_drops.sql",
    include_str!("../../fixtures/projects/fibre/refused/20260917120000_tidy_up_drops.sql"),
);
/// What production looked like before the demo.
const FIRST: (&str, &str) = (
    "20260901080000_create_network_safe.sql",
    include_str!("../../fixtures/projects/fibre/db/migrations/20260901080000_create_network_safe.sql"),
);
const SAFE: [(&str, &str); 5] = [
    (
        "20260914090000_add_pole_owner_safe.sql",
        include_str!("../../fixtures/projects/fibre/db/migrations/20260914090000_add_pole_owner_safe.sql"),
    ),
    (
        "20260914091500_index_drops_by_pole_safe.sql",
        include_str!("../../fixtures/projects/fibre/db/migrations/20260914091500_index_drops_by_pole_safe.sql"),
    ),
    (
        "20260915100000_check_pole_height_safe.sql",
        include_str!("../../fixtures/projects/fibre/db/migrations/20260915100000_check_pole_height_safe.sql"),
    ),
    (
        "20260915101000_validate_pole_height_safe.sql",
        include_str!("../../fixtures/projects/fibre/db/migrations/20260915101000_validate_pole_height_safe.sql"),
    ),
    (
        "20260916080000_add_maintenance_windows_safe.sql",
        include_str!("../../fixtures/projects/fibre/db/migrations/20260916080000_add_maintenance_windows_safe.sql"),
    ),
];

/// Everything that the demo started; dropping it stops the server and removes the folder.
struct Stage {
    /// Stopped first.
    receiver: Receiver,
    /// The project lies in its folder, so that all goes with it, also when this process is killed.
    sandbox: Sandbox,
    project: Utf8PathBuf,
    variables: BTreeMap<String, String>,
}

/// Runs the main job on a throw-away Postgres and shows each part as it happens.
pub async fn demo(shell: &Shell, arguments: &cli::Demo) -> Result<Report, Error> {
    let stage = stage(shell).await?;
    let played = match fill(shell, &stage).await {
        Ok(()) => play(shell, &stage).await,
        failed => failed,
    };
    played.map_err(|error| in_short(shell, &stage, error))?;
    let report = closing(&stage, arguments.keep);
    if arguments.keep {
        shell.show(&report)?;
        shell.cancel.cancelled().await;
        drop(stage);
        return Ok(Report::pass("demo").with(text("Stopped", "The database and the folder are gone.")));
    }
    Ok(report)
}

/// What came to an end when the demo did: advice on how to go on would name databases that are gone.
fn in_short(shell: &Shell, stage: &Stage, error: Error) -> Error {
    match stage.sandbox.is_out_of_room() {
        _ if shell.cancel.is_cancelled() => Error::Interrupted,
        Some(full) => full.into(),
        None => error,
    }
}

/// Starts Postgres and the webhook receiver, and writes the project.
async fn stage(shell: &Shell) -> Result<Stage, Error> {
    say(shell, "starting a throw-away PostgreSQL")?;
    let options = SandboxOptions { observe: Arc::clone(&shell.observe), ..SandboxOptions::default() };
    let sandbox =
        tokio::task::spawn_blocking(move || Sandbox::start(&options)).await.map_err(|panic| Error::File {
            action: "wait for",
            path: "the start of PostgreSQL".to_owned(),
            source: std::io::Error::other(panic),
        })??;
    let root = sandbox.make_folder("demo").map_err(|source| Error::File {
        action: "make a folder in",
        path: sandbox.folder().to_string(),
        source,
    })?;
    let project = root.join("fibre");
    write(&project.join("liftlock.yml"), CONFIG)?;
    migration(&project, FIRST)?;
    let secret = format!("whsec_{}", STANDARD.encode(rand::rng().random::<[u8; 32]>()));
    let receiver = Receiver::start(&root, Secret::new(secret.clone())).await?;
    let url = |database| sandbox.url(database).expose().to_owned();
    let variables = BTreeMap::from([
        ("DATABASE_URL_STAGING".to_owned(), url("fibre_staging")),
        ("DATABASE_URL_PROD".to_owned(), url("fibre_production")),
        ("AUDIT_WEBHOOK_URL".to_owned(), receiver.url.clone()),
        ("AUDIT_WEBHOOK_SECRET".to_owned(), secret),
    ]);
    Ok(Stage { receiver, sandbox, project, variables })
}

/// Brings both environments to where a real project is before its next release: schema applied, tables full.
async fn fill(shell: &Shell, stage: &Stage) -> Result<(), Error> {
    say(shell, "making what production looks like before the release: 7 tables, 59,500 rows")?;
    for database in ["fibre_staging", "fibre_production"] {
        stage.sandbox.create_database(database).await?;
    }
    let silent = actor(shell, stage, true);
    promote::promote(&silent, &promotion("staging")).await?;
    promote::promote(&silent, &promotion("production")).await?;
    let address = Address::parse(&stage.sandbox.url("fibre_production"))?;
    let session = postgres::connect(&address, &postgres::Options::default()).await?;
    session.batch_execute(SEED).await.map_err(|error| session.failure(error))?;
    session.close().await;
    Ok(())
}

/// The story: a dangerous migration is refused, safe ones go all the way.
async fn play(shell: &Shell, stage: &Stage) -> Result<(), Error> {
    let acting = actor(shell, stage, false);

    chapter(shell, "A dangerous migration", "$ liftlock validate --to production")?;
    let dangerous = migration(&stage.project, DANGEROUS)?;
    let judged = validate::validate(&acting, &validation(&dangerous)).await?;
    shell.show(&judged)?;
    remove(&dangerous)?;

    chapter(shell, "Five safe ones, first to staging", "$ liftlock promote --to staging --yes")?;
    for safe in SAFE {
        migration(&stage.project, safe)?;
    }
    shell.show(&promote::promote(&acting, &promotion("staging")).await?)?;

    chapter(shell, "Then to production, and on to the mirror", "$ liftlock promote --to production --yes")?;
    shell.show(&promote::promote(&acting, &promotion("production")).await?)?;

    chapter(shell, "Who did what, provably", "$ liftlock audit verify --env production")?;
    let verify = cli::Audit { command: cli::AuditCommand::Verify(cli::Env { environment: "production".to_owned() }) };
    shell.show(&audit::audit(&acting, &verify).await?)?;

    chapter(shell, "The mirror again: nothing has changed, nothing is written", "$ liftlock sync")?;
    shell.show(&sync::sync(&acting, &cli::Sync { tables: Vec::new(), plan: false, adopt: false, save: None }).await?)
}

/// A shell whose configuration is the demo's.
fn actor(shell: &Shell, stage: &Stage, silent: bool) -> Shell {
    let mut global = shell.global.clone();
    global.config = Some(stage.project.join("liftlock.yml"));
    if silent {
        // JSON shows nothing before the end.
        global.format = Format::Json;
    }
    Shell {
        global,
        observe: if silent { Arc::new(Quiet) } else { Arc::clone(&shell.observe) },
        cancel: shell.cancel.clone(),
        color: shell.color,
        // Inside a job, too, the demonstration is nobody's promotion: it asks nobody.
        variables: stage.variables.iter().map(|(a, b)| (a.clone(), b.clone())).chain([no_job()]).collect(),
        shown: Mutex::default(),
    }
}

fn no_job() -> (String, String) {
    ("GITHUB_ACTIONS".to_owned(), "false".to_owned())
}

fn promotion(environment: &str) -> cli::Promote {
    cli::Promote {
        plan: cli::Plan {
            to: cli::To { environment: environment.to_owned() },
            promotion_type: cli::PromotionType::SchemaSafe,
            emergency: cli::Emergency::default(),
            save: None,
        },
        yes: true,
        abandon: false,
    }
}

fn validation(path: &Utf8Path) -> cli::Validate {
    cli::Validate {
        judged: cli::Judged {
            paths: vec![path.to_owned()],
            to: Some("production".to_owned()),
            ..cli::Judged::default()
        },
        since: None,
        stdin_path: None,
        explain: false,
        no_baseline: true,
        fix: false,
        watch: false,
        fail_on: cli::FailOn::Error,
        save: None,
    }
}

/// Where everything lies, and what to try next.
fn closing(stage: &Stage, keep: bool) -> Report {
    let place = |name: &str, what: String| format!("  {name:<16}{what}\n");
    let mut body = String::new();
    body += &place("project", stage.project.to_string());
    body += &place("mirror", stage.project.join("mirror").to_string());
    body += &place("audit events", stage.receiver.file.to_string());
    body += &place("database", stage.sandbox.url("fibre_production").expose().to_owned());
    let report = Report::pass("demo");
    if !keep {
        body += "\nAll of it is removed now.";
        return report
            .with(text("Where everything was", &body))
            .then("liftlock demo --keep", "leaves it running, for exploring")
            .then("liftlock rules", "what else would have been refused, and why")
            .then("liftlock init", "in your own project");
    }
    body += "\nIn another terminal:\n\n";
    body += &format!("  cd {}\n", stage.project);
    if let Some(folder) = own_folder() {
        body += &format!("  export PATH='{folder}':\"$PATH\"\n");
    }
    for (name, value) in &stage.variables {
        body += &format!("  export {name}='{value}'\n");
    }
    body += "\nCtrl-C stops the database and removes the folder.";
    report
        .with(text("Where everything is", &body))
        .then("liftlock status --to production", "what is applied")
        .then("liftlock backup list --env production", "the restore points")
        .then("liftlock new add_drop_note --kind column", "write a migration of your own")
}

/// Where `liftlock` is, when the shell would not find it: run by cargo it is in no folder of PATH.
fn own_folder() -> Option<Utf8PathBuf> {
    let program = std::env::current_exe().ok()?;
    let folder = program.parent()?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_found = std::env::split_paths(&path).any(|it| it == folder);
    if is_found { None } else { Utf8PathBuf::from_path_buf(folder.to_owned()).ok() }
}

fn chapter(shell: &Shell, title: &str, command: &str) -> Result<(), Error> {
    if shell.cancel.is_cancelled() {
        return Err(Error::Interrupted);
    }
    shell.show(&Report::pass("demo").with(text(&format!("== {title}"), command)))
}

fn say(shell: &Shell, message: &str) -> Result<(), Error> {
    if shell.cancel.is_cancelled() {
        return Err(Error::Interrupted);
    }
    shell.observe.event(crate::report::progress::Event::Notice { message: message.to_owned() });
    Ok(())
}

fn text(title: &str, body: &str) -> Section {
    Section::Text { title: title.to_owned(), body: body.to_owned() }
}

fn migration(project: &Utf8Path, (name, content): (&str, &str)) -> Result<Utf8PathBuf, Error> {
    let path = project.join("db/migrations").join(name);
    write(&path, content)?;
    Ok(path)
}

fn write(path: &Utf8Path, content: &str) -> Result<(), Error> {
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder).and_then(|()| std::fs::write(path, content)).map_err(|source| Error::File {
        action: "write",
        path: path.to_string(),
        source,
    })
}

fn remove(path: &Utf8Path) -> Result<(), Error> {
    std::fs::remove_file(path).map_err(|source| Error::File { action: "remove", path: path.to_string(), source })
}
