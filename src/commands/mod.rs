//! The shell: reads arguments, opens services, calls one function, renders one `Report`, leaves.

pub mod audit;
pub mod backup;
pub mod baseline;
pub mod completions;
pub mod config;
pub mod convex;
pub mod demo;
pub mod doctor;
mod fix;
mod formats;
pub mod init;
mod known;
pub mod lsp;
pub mod new;
pub mod plan;
pub mod progress;
pub mod promote;
pub mod report;
pub mod rules;
mod save;
pub mod status;
pub mod sync;
pub mod validate;

use std::{
    collections::BTreeMap,
    io::{BufRead, BufWriter, IsTerminal, StdoutLock, Write},
    process::ExitCode,
    sync::{Arc, Mutex},
};

use camino::Utf8Path;
use tokio_util::sync::CancellationToken;

use crate::{
    cli::{Cli, Command, Format, Global},
    config::{self as config_file, Config, Environment},
    error::Error,
    lint,
    report::{Report, Section, progress::Observe, text},
};

/// What every command works with.
pub struct Shell {
    pub global: Global,
    /// Shows progress on stderr: bars on a terminal, lines elsewhere.
    pub observe: Arc<dyn Observe>,
    /// Cancelled by Ctrl-C; a second Ctrl-C ends the process at once.
    pub cancel: CancellationToken,
    /// Colours are wanted.
    pub color: bool,
    /// Stand before the process's environment variables; only `demo` sets some.
    pub variables: BTreeMap<String, String>,
    /// What was shown before the end, for the saved report.
    pub shown: Mutex<Vec<Section>>,
}

impl Shell {
    /// The configuration named by `--config`, else the nearest `liftlock.yml` from here upwards.
    pub fn config(&self) -> Result<Config, Error> {
        let here = Utf8Path::new(".");
        let path = self.global.config.clone().or_else(|| config_file::find(here)).ok_or(Error::NoConfiguration)?;
        self.config_at(&path)
    }

    /// The configuration in this file.
    pub fn config_at(&self, path: &Utf8Path) -> Result<Config, Error> {
        Ok(config_file::load_judged(path, &|name| self.variable(name), &lint::complaints)?)
    }

    /// An environment by name; `prod` and `stage` are understood.
    pub fn environment<'a>(&self, config: &'a Config, name: &str) -> Result<&'a Environment, Error> {
        Ok(config.environment(name)?)
    }

    /// An environment variable's value, as `${NAME}` in the configuration reads it.
    pub fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned().or_else(|| std::env::var(name).ok())
    }

    /// Shows a report now, before the command ends: a plan before the question, each part of `demo`. With
    /// JSON nothing is shown, so that stdout holds one document, the last.
    pub fn show(&self, report: &Report) -> Result<(), Error> {
        self.shown.lock().expect("nothing panics while it is locked").extend(report.sections.iter().cloned());
        match self.global.format {
            Format::Json | Format::Sarif | Format::Github | Format::Gitlab => Ok(()),
            Format::Text | Format::Markdown => print(&(formats::rendered(self, report) + "\n")),
        }
    }

    /// The time now: the only clock that commands read.
    pub fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }

    /// Asks on the terminal; only `yes` is a yes, Ctrl-C is a no. Without a terminal it is an error that
    /// names `--yes`.
    pub async fn confirm(&self, question: &str) -> Result<bool, Error> {
        if !std::io::stdin().is_terminal() {
            return Err(Error::NobodyToAsk);
        }
        let question = question.to_owned();
        let answer = tokio::task::spawn_blocking(move || ask(&question));
        let answer = tokio::select! {
            answer = answer => answer.unwrap_or_else(|panic| Err(std::io::Error::other(panic))),
            () = self.cancel.cancelled() => return Ok(false),
        };
        let answer = answer.map_err(|source| Error::File {
            action: "read the answer from",
            path: "the terminal".to_owned(),
            source,
        })?;
        Ok(answer.trim().eq_ignore_ascii_case("yes"))
    }
}

fn ask(question: &str) -> std::io::Result<String> {
    let mut stderr = std::io::stderr().lock();
    write!(stderr, "{question} [yes/no] ")?;
    stderr.flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(answer)
}

/// Runs what was typed and says with which number the process ends.
pub fn main(cli: Cli) -> ExitCode {
    let color = wants_color(&cli.global);
    if let Err(error) = formats::refuse(&cli.command, cli.global.format) {
        return complain(&error, color);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(source) => return complain(&Error::Runtime { source }, color),
    };
    let patience = Patience::with(&cli.command);
    let result = runtime.block_on(async {
        let shell = Shell {
            observe: Arc::new(progress::Terminal::new()),
            cancel: cancelled_by_ctrl_c(patience),
            color,
            global: cli.global,
            variables: BTreeMap::new(),
            shown: Mutex::default(),
        };
        let report = save::saved(&shell, &cli.command, dispatch(&shell, &cli.command)).await?;
        written(|to| formats::write(&shell, &report, to))?;
        Ok(report.exit())
    });
    // A blocked read of the terminal must not keep the process alive after Ctrl-C.
    runtime.shutdown_background();
    match result {
        Ok(exit) => ExitCode::from(exit as u8),
        Err(error) => complain(&error, color),
    }
}

async fn dispatch(shell: &Shell, command: &Command) -> Result<Report, Error> {
    match command {
        Command::Init(arguments) => init::init(shell, arguments).await,
        Command::New(arguments) => new::new(shell, arguments).await,
        Command::Validate(arguments) => validate::validate(shell, arguments).await,
        Command::Baseline(arguments) => baseline::baseline(shell, arguments).await,
        Command::Snapshot(arguments) => known::snapshot(shell, arguments).await,
        Command::Status(arguments) => status::status(shell, arguments).await,
        Command::Plan(arguments) => plan::plan(shell, arguments).await,
        Command::Promote(arguments) => promote::promote(shell, arguments).await,
        Command::Backup(arguments) => backup::backup(shell, arguments).await,
        Command::Audit(arguments) => audit::audit(shell, arguments).await,
        Command::Sync(arguments) => sync::sync(shell, arguments).await,
        Command::Report(arguments) => report::report(shell, arguments).await,
        Command::Convex(arguments) => convex::convex(shell, arguments).await,
        Command::Doctor => doctor::doctor(shell).await,
        Command::Rules(arguments) => rules::rules(shell, arguments).await,
        Command::Lsp => lsp::lsp(shell).await,
        Command::Demo(arguments) => demo::demo(shell, arguments).await,
        Command::Config(arguments) => config::config(shell, arguments).await,
        Command::Completions(arguments) => completions::completions(arguments),
    }
}

/// Colours on a terminal, unless `--no-color` or `NO_COLOR` says otherwise (<https://no-color.org>).
fn wants_color(global: &Global) -> bool {
    let refused = global.no_color || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !refused && std::io::stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// What a first Ctrl-C does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Patience {
    /// It ends the process: nothing is written that could be left half.
    None,
    /// It asks the command to end where it can go on later.
    ToTheNextStep,
}

impl Patience {
    fn with(command: &Command) -> Self {
        match command {
            Command::Validate(arguments) if !arguments.fix && !arguments.watch => Self::None,
            _ => Self::ToTheNextStep,
        }
    }
}

/// A token that the first Ctrl-C (or SIGTERM, as CI runners send it) cancels; the second ends the process.
fn cancelled_by_ctrl_c(patience: Patience) -> CancellationToken {
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).ok();
        loop {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                () = async { match terminate.as_mut() { Some(signal) => { signal.recv().await; }, None => std::future::pending().await } } => {}
            }
            if patience == Patience::None || cancelled.is_cancelled() {
                std::process::exit(130);
            }
            cancelled.cancel();
        }
    });
    token
}

fn print(text: &str) -> Result<(), Error> {
    written(|to| to.write_all(text.as_bytes()))
}

fn written(write: impl FnOnce(&mut BufWriter<StdoutLock>) -> std::io::Result<()>) -> Result<(), Error> {
    let mut stdout = BufWriter::with_capacity(64 * 1024, std::io::stdout().lock());
    match write(&mut stdout).and_then(|()| stdout.flush()) {
        // A reader that went away (`liftlock rules | head`) is no failure of ours.
        Err(source) if source.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        Err(source) => Err(Error::File { action: "write to", path: "stdout".to_owned(), source }),
        Ok(()) => Ok(()),
    }
}

fn complain(error: &Error, color: bool) -> ExitCode {
    let rendered = text::error(error, &text::Look::of_terminal(color));
    // Nowhere left to say that stderr is gone; the exit code still speaks.
    let _ = std::io::stderr().lock().write_all(rendered.as_bytes());
    ExitCode::from(error.exit() as u8)
}
