//! `liftlock validate`: judges migrations, on any number of files and folders, with or without a configuration.

mod since;
pub(super) mod stdin;
pub(super) mod watch;

use std::{
    borrow::Cow,
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashSet},
};

use camino::{Utf8Path, Utf8PathBuf};
use miette::Diagnostic;
use thiserror::Error;

use super::{
    Shell, baseline, fix,
    known::{self, Known},
    report::judged,
};
use crate::{
    catalog::Release,
    cli::{self, FailOn, Format},
    config::{Config, ProfileName, PromotionType},
    error::Error,
    exit::Exit,
    lint::{self, Conventions, Request},
    migration::{
        MigrationId, SourceFile,
        discover::{self, DiscoverError},
        layout::{Applier, Asked},
    },
    report::{LayoutView, Report, Section, Severity, Validation, Verdict, text::MOST_EXCERPTS},
};

/// Why nothing could be judged.
#[derive(Debug, Error, Diagnostic)]
pub enum ValidateError {
    #[error("no migrations are named, and there is no liftlock.yml that says where they are")]
    #[diagnostic(
        code(validate::nothing_named),
        help("name files or folders, `liftlock validate {here}`, or write a configuration: `liftlock init`")
    )]
    NothingNamed {
        /// A folder that may be meant.
        here: &'static str,
    },
    #[error("there is no `{path}`")]
    #[diagnostic(code(validate::not_found), help("name a migration or a folder of migrations"))]
    NotFound { path: Utf8PathBuf },
    #[error("`--to {name}` names an environment of liftlock.yml, and `--no-config` leaves it unread")]
    #[diagnostic(code(validate::environment_without_configuration), help("say `--profile dev|staging|production`"))]
    EnvironmentWithoutConfiguration { name: String },
    #[error("`-` stands for stdin, and beside it nothing else is judged")]
    #[diagnostic(
        code(validate::stdin_alone),
        help("say `liftlock validate - --stdin-path db/migrations/0042_x.sql`, and name files in a call of their own")
    )]
    StdinAlone,
    #[error("`--stdin-path` says where the text of stdin would lie, and stdin is not read")]
    #[diagnostic(code(validate::no_stdin), help("name `-` as the file: `liftlock validate - --stdin-path FILE`"))]
    NoStdin,
    #[error("stdin ends, so there is nothing to watch")]
    #[diagnostic(code(validate::watched_stdin), help("name files or folders with `--watch`"))]
    WatchedStdin,
    #[error("`--watch` shows text on a terminal")]
    #[diagnostic(code(validate::watched_format), help("leave `--format` out, or leave `--watch` out"))]
    WatchedFormat,
    #[error("stdin is no file whose findings could be known later")]
    #[diagnostic(
        code(validate::recorded_stdin),
        help("name files or folders: `liftlock baseline write db/migrations`")
    )]
    RecordedStdin,
    #[error("stdin is no file that a fix could be written to")]
    #[diagnostic(code(validate::fixed_stdin), help("name the file, or read the fixes from `--format json`"))]
    FixedStdin,
    #[error("`{path}` is read-only, and nothing was written")]
    #[diagnostic(
        code(validate::fixed_read_only),
        help("make it writable, `chmod u+w {path}`, or name only files that `--fix` may change")
    )]
    FixedReadOnly { path: Utf8PathBuf },
    #[error(transparent)]
    #[diagnostic(transparent)]
    Since(#[from] since::SinceError),
    #[error("`{path}` cannot be used as a baseline")]
    Baseline {
        path: Utf8PathBuf,
        #[source]
        #[diagnostic_source]
        source: lint::baseline::BaselineError,
    },
}

impl ValidateError {
    /// The number that the process leaves with.
    pub fn exit(&self) -> Exit {
        match self {
            Self::NothingNamed { .. }
            | Self::NotFound { .. }
            | Self::EnvironmentWithoutConfiguration { .. }
            | Self::StdinAlone
            | Self::NoStdin
            | Self::FixedStdin
            | Self::FixedReadOnly { .. }
            | Self::RecordedStdin
            | Self::WatchedStdin
            | Self::WatchedFormat => Exit::Usage,
            Self::Since(error) => error.exit(),
            Self::Baseline { source, .. } => source.exit(),
        }
    }
}

/// Judges what is named; everything before it in its folder is history. The verdict is no when an error stands, or
/// what `--fail-on` says instead.
pub async fn validate(shell: &Shell, arguments: &cli::Validate) -> Result<Report, Error> {
    if arguments.watch { watch::watch(shell, arguments).await } else { once(shell, arguments).await }
}

async fn once(shell: &Shell, arguments: &cli::Validate) -> Result<Report, Error> {
    let (since, stdin_path) = (arguments.since.as_deref(), arguments.stdin_path.as_deref());
    if !arguments.no_baseline {
        baseline::named(&arguments.judged)?;
    }
    let fixes = arguments.fix || arguments.save.is_some() || shell.global.format == Format::Json;
    let scope =
        Scope { since, stdin_path, fix: arguments.fix, fixes, no_baseline: arguments.no_baseline, records: false };
    let Answer { mut validation, config, files, said } = judge(shell, &arguments.judged, &scope).await?;
    if !arguments.no_baseline {
        let request = request(config.as_ref(), &arguments.judged)?;
        baseline::apply(&mut validation, &files, &baseline::path(&arguments.judged, config.as_ref()), &request)?;
    }
    if !arguments.explain {
        validation.explanations.clear();
    }
    let next = config.as_ref().and_then(|it| next(it, &arguments.judged));
    let report = report(validation, arguments.fail_on, next);
    Ok(said.into_iter().fold(report, Report::with))
}

/// What of the named files is judged.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Scope<'a> {
    /// Only what has changed since the merge base with this ref.
    pub since: Option<&'a str>,
    pub stdin_path: Option<&'a Utf8Path>,
    /// Write the fixes first, and judge what comes of it.
    pub fix: bool,
    /// Somebody looks at the fixes.
    pub fixes: bool,
    /// Also what the baseline knows.
    pub no_baseline: bool,
    /// A baseline is written of what is found.
    pub records: bool,
}

/// What was found, before a baseline has been looked at.
pub(super) struct Answer {
    pub validation: Validation,
    pub config: Option<Config>,
    pub files: Files,
    /// What a reader must know of how it was judged.
    pub said: Vec<Section>,
}

/// The files that were looked at, as they were found.
#[derive(Debug, Clone, Default)]
pub(super) struct Files {
    pub all: BTreeSet<Utf8PathBuf>,
    pub judged: BTreeSet<Utf8PathBuf>,
}

fn nothing_named() -> ValidateError {
    let here = discover::usual_folder(Utf8Path::new("")).unwrap_or("path/to/migrations");
    ValidateError::NothingNamed { here }
}

pub(super) async fn judge(shell: &Shell, arguments: &cli::Judged, scope: &Scope<'_>) -> Result<Answer, Error> {
    let stdin = stdin::wanted(arguments, scope.stdin_path)?;
    let config = configuration(shell, arguments, scope.stdin_path)?;
    let configured = config.as_ref().map(|it| it.migrations.clone());
    let asked = asked(config.as_ref());
    let mut folders = match (arguments.paths.as_slice(), &configured) {
        _ if stdin => vec![stdin::folder(scope.stdin_path, configured.as_deref(), asked).await?],
        ([], None) => return Err(nothing_named().into()),
        ([], Some(folder)) => vec![Folder::whole(folder, asked)?],
        (paths, _) => folders(paths, configured.as_deref(), asked)?,
    };
    let mut said = Vec::new();
    if let Some(reference) = scope.since {
        said.push(since::only_changed(&mut folders, reference).await.map_err(ValidateError::from)?);
    }
    if scope.fix && stdin {
        return Err(ValidateError::FixedStdin.into());
    }
    let mut known = known::known(shell, config.as_ref(), arguments).await?;
    let configured = config.as_ref().and_then(|it| it.postgres);
    let postgres = match &mut known {
        Some(known) => known.major(arguments.postgres, configured),
        None => arguments.postgres.or(configured),
    };
    let (postgres, found) = (postgres.unwrap_or_default(), known.as_ref().map(|it| &it.catalog));
    // Only a baseline asks for them, and there may be many.
    let asked_for = scope.records || baseline::path(arguments, config.as_ref()).exists();
    let seen = |folders: &[Folder]| if asked_for { Files::of(folders) } else { Files::default() };
    let before = known.as_ref().map(|_| seen(&folders));
    let skipped = folders.iter_mut().map(|folder| folder.leave_out(known.as_ref())).sum();
    let files = seen(&folders);
    let files = Files { all: before.map_or(files.all, |it| it.all), ..files };
    let excerpts = match shell.global.format {
        // Whatever it knows is not shown.
        Format::Text if asked_for => usize::MAX,
        Format::Text => MOST_EXCERPTS,
        Format::Json | Format::Markdown | Format::Sarif | Format::Github | Format::Gitlab => 0,
    };
    let fixes = scope.fixes;
    let fingerprints = fixes || asked_for || matches!(shell.global.format, Format::Sarif | Format::Gitlab);
    let request = Request { postgres, found, excerpts, fixes, fingerprints, ..request(config.as_ref(), arguments)? };
    if scope.fix {
        let path = baseline::path(arguments, config.as_ref());
        let marks = (!scope.no_baseline).then(|| baseline::marks(&files, &path)).transpose()?;
        let mark = |it: &mut Validation| marks.iter().for_each(|marks| marks(it));
        let mended = folders.iter_mut().map(|folder| folder.mend(&request, &mark)).collect::<Vec<_>>();
        mended.iter().try_for_each(|it| fix::write(&it.edits))?;
        said.push(fix::told(&mended));
    }
    let judged = folders.into_iter().map(|folder| folder.judge(&request));
    let validation = judged.reduce(together).ok_or_else(nothing_named)?;
    said.splice(0..0, known.iter().map(|it| it.section(skipped)));
    Ok(Answer { validation, config, files, said })
}

/// Whose layout a folder has, as far as it is said.
pub(super) fn asked(config: Option<&Config>) -> Asked {
    config.map_or(Asked { applier: Applier::Unknown, ..Asked::default() }, |it| it.layout)
}

/// How is judged: as typed, else as configured.
pub(super) fn request<'a>(config: Option<&'a Config>, arguments: &cli::Judged) -> Result<Request<'a>, Error> {
    let postgres = arguments.postgres.or(config.and_then(|it| it.postgres));
    Ok(Request {
        postgres: postgres.unwrap_or_default(),
        promotion: arguments.promotion_type.map(PromotionType::from),
        config_tables: config.map(|it| it.config_tables.as_slice()).unwrap_or_default(),
        levels: config.map(|it| it.rules.as_slice()).unwrap_or_default(),
        conventions: if config.is_some() { Conventions::Ours } else { Conventions::None },
        ..Request::of(profile(config, arguments)?)
    })
}

/// `None` with `--no-config`, and where there is none and nobody asked for one.
fn configuration(
    shell: &Shell,
    arguments: &cli::Judged,
    stdin_path: Option<&Utf8Path>,
) -> Result<Option<Config>, Error> {
    if arguments.no_config {
        return match &arguments.to {
            Some(name) => Err(ValidateError::EnvironmentWithoutConfiguration { name: name.clone() }.into()),
            None => Ok(None),
        };
    }
    let config = match stdin_path.and_then(stdin::config_near).filter(|_| shell.global.config.is_none()) {
        Some(path) => shell.config_at(&path),
        None => shell.config(),
    };
    match config {
        Err(Error::NoConfiguration) if arguments.to.is_none() => Ok(None),
        config => config.map(Some),
    }
}

fn profile(config: Option<&Config>, arguments: &cli::Judged) -> Result<ProfileName, Error> {
    match (arguments.profile, &arguments.to, config) {
        (Some(profile), _, _) => Ok(profile.into()),
        (None, Some(name), Some(config)) => Ok(config.profile(name)?),
        (None, _, _) => Ok(ProfileName::Production),
    }
}

/// A folder of migrations, and which of them are to be judged.
pub(super) struct Folder {
    pub root: Utf8PathBuf,
    pub files: Vec<SourceFile>,
    pub judged: HashSet<MigrationId>,
    /// The rest of what was seen in it.
    pub(super) seen: discover::Folder,
}

impl Folder {
    fn whole(root: &Utf8Path, asked: Asked) -> Result<Self, Error> {
        let folder = discover::readable(root, asked)?;
        let judged = folder.files.iter().map(|it| it.id.clone()).collect();
        Ok(Self::of(folder, judged))
    }

    fn of(mut seen: discover::Folder, judged: HashSet<MigrationId>) -> Self {
        Self { root: seen.root.clone(), files: std::mem::take(&mut seen.files), judged, seen }
    }

    /// Leaves out what a database has applied: it holds that already. How many of them were to be judged.
    fn leave_out(&mut self, known: Option<&Known>) -> usize {
        let Some(known) = known else { return 0 };
        let before = self.judged.len();
        self.files.retain(|it| !known.has(&it.id));
        self.judged.retain(|it| !known.has(it));
        before - self.judged.len()
    }

    /// What lies before the judged ones is replayed, what lies after the last of them is not looked at.
    /// Before a database that was read, they are new there, too.
    pub(super) fn judge(self, request: &Request) -> Validation {
        let Self { mut files, judged, seen, .. } = self;
        let last = files.iter().rposition(|it| judged.contains(&it.id)).map_or(0, |at| at + 1);
        files.truncate(last);
        let layout = layout_view(&seen);
        let release = |it: &SourceFile| match request.found {
            _ if judged.contains(&it.id) => Release::Judged,
            Some(_) => Release::Pending,
            None => Release::History,
        };
        let releases = files.iter().map(release).collect::<Vec<_>>();
        // Of ten thousand it is a megabyte.
        drop(judged);
        let migrations = discover::Folder { files, ..seen }.read().map(Cow::Owned);
        let validation = lint::lint_in_order(releases.into_iter().zip(migrations), request);
        Validation { layouts: vec![layout], ..validation }
    }

    /// Puts the safe form of what has one into the files, here and not yet on the disk.
    fn mend(&mut self, request: &Request, mark: &impl Fn(&mut Validation)) -> fix::Mended {
        let judge = |it: &fix::Files| {
            let (files, judged) = (it.all.clone(), it.judged.clone());
            let seen = discover::Folder { beside: it.beside.clone(), ..self.seen.clone() };
            let folder = Self { root: self.root.clone(), files, judged, seen };
            let mut validation = folder.judge(request);
            mark(&mut validation);
            validation
        };
        let mended = fix::mend(
            fix::Files {
                layout: self.seen.found.layout,
                root: self.root.clone(),
                all: self.files.clone(),
                judged: self.judged.clone(),
                beside: self.seen.beside.clone(),
                companions: BTreeMap::new(),
            },
            judge,
        );
        self.seen.beside.clone_from(&mended.files.beside);
        self.files.clone_from(&mended.files.all);
        self.judged.clone_from(&mended.files.judged);
        mended
    }
}

fn layout_view(folder: &discover::Folder) -> LayoutView {
    let layout = folder.found.layout;
    LayoutView {
        folder: folder.root.to_string(),
        tool: layout.tool.name().to_owned(),
        title: layout.tool.title().to_owned(),
        by: folder.found.by.clone(),
        transactions: layout.transactions.name().to_owned(),
        said: layout.transactions.said().to_owned(),
        left_out: folder.left_out.iter().map(|(id, why)| format!("{id} ({why})")).collect(),
        notes: folder.found.notes.clone(),
    }
}

impl Files {
    pub(super) fn of(folders: &[Folder]) -> Self {
        let all = folders.iter().flat_map(|it| &it.files).map(|it| it.path.clone()).collect();
        let judged = folders.iter().flat_map(|it| it.files.iter().filter(|file| it.judged.contains(&file.id)));
        Self { all, judged: judged.map(|it| it.path.clone()).collect() }
    }
}

/// The folders that the paths lie in, each once, in the order in which they are named.
fn folders(paths: &[Utf8PathBuf], configured: Option<&Utf8Path>, asked: Asked) -> Result<Vec<Folder>, Error> {
    let mut folders: Vec<Folder> = Vec::new();
    for path in paths {
        if !path.exists() {
            return Err(ValidateError::NotFound { path: path.clone() }.into());
        }
        let (root, named) = if path.is_dir() { folder_named(path, configured) } else { file_named(path, configured) };
        let real = real(&root);
        let at = match folders.iter().position(|it| self::real(&it.root) == real) {
            Some(at) => at,
            None => {
                let folder = if named.is_dir() || within(&root, configured) {
                    discover::readable(&root, asked)?
                } else {
                    discover::around(&named, &root, asked)?
                };
                folders.push(Folder::of(folder, HashSet::new()));
                folders.len() - 1
            }
        };
        judge_named(&mut folders[at], &named)?;
    }
    Ok(folders)
}

/// Marks what is below the path, or the file itself, as to be judged. A file that is no migration of its folder
/// (a down script, another extension) was named by a person, so it is judged all the same, after all others.
fn judge_named(folder: &mut Folder, named: &Utf8Path) -> Result<(), Error> {
    let path = real(named);
    let files = &mut folder.files;
    // By name first: files may be symbolic links to elsewhere.
    let whole = path == real(&folder.root);
    let lies_in = |file: &Utf8Path| whole || file.starts_with(named) || real(file).starts_with(&path);
    let chosen = files.iter().filter(|it| lies_in(&it.path)).map(|it| it.id.clone());
    let chosen = chosen.collect::<Vec<_>>();
    if chosen.is_empty() && named.is_dir() {
        return Err(DiscoverError::None { path: named.to_owned() }.into());
    }
    if chosen.is_empty() {
        let file = discover::file(named)?;
        folder.judged.insert(file.id.clone());
        files.push(file);
    }
    folder.judged.extend(chosen);
    Ok(())
}

/// A folder's root and what of it is named. One migration of a layout with a folder for each
/// (`20260101_x/migration.sql`) is not a history of its own, nor is a part of the configured folder.
fn folder_named(path: &Utf8Path, configured: Option<&Utf8Path>) -> (Utf8PathBuf, Utf8PathBuf) {
    let script = ["migration.sql", "up.sql"].iter().map(|name| path.join(name)).find(|it| it.is_file());
    match (script, configured) {
        (Some(script), _) => file_named(&script, configured),
        (None, Some(root)) if real(path).starts_with(real(root)) => (root.to_owned(), path.to_owned()),
        (None, _) => (path.to_owned(), path.to_owned()),
    }
}

fn file_named(path: &Utf8Path, configured: Option<&Utf8Path>) -> (Utf8PathBuf, Utf8PathBuf) {
    (discover::folder_of(path, configured), path.to_owned())
}

fn within(root: &Utf8Path, configured: Option<&Utf8Path>) -> bool {
    configured.is_some_and(|it| real(it) == real(root))
}

fn real(path: &Utf8Path) -> Utf8PathBuf {
    path.canonicalize_utf8().unwrap_or_else(|_| path.to_owned())
}

fn together(mut all: Validation, next: Validation) -> Validation {
    all.files += next.files;
    all.statements += next.statements;
    all.unread += next.unread;
    for (kind, count) in next.unread_kinds {
        *all.unread_kinds.entry(kind).or_default() += count;
    }
    all.layouts.extend(next.layouts);
    all.findings.extend(next.findings);
    all.explanations.extend(next.explanations);
    all.sources.extend(next.sources);
    all
}

/// The plan of the environment that was judged for, with the type that was judged for; needs a configured one.
fn next(config: &Config, arguments: &cli::Judged) -> Option<String> {
    let meant = arguments.to.as_deref().map_or("production", |name| config.full_name(name));
    let name = config.names().find(|it| *it == meant)?;
    let kind = arguments.promotion_type.map(|it| format!(" --type {}", PromotionType::from(it).name()));
    Some(format!("liftlock plan --to {name}{}", kind.unwrap_or_default()))
}

fn report(validation: Validation, fail_on: FailOn, next: Option<String>) -> Report {
    let standing = validation.findings.iter().filter(|it| it.stands() && it.severity >= Severity::Warning);
    let worst = standing.max_by_key(|it| (it.severity, Reverse(it.kind)));
    let why = worst.map(|it| format!("liftlock rules {}", it.rule));
    let report = Report { verdict: validation.verdict(), ..Report::pass("validate") };
    let of_findings = report.verdict;
    let mut report = judged(report.with(Section::Validation(validation)), fail_on);
    if report.verdict != of_findings {
        let body = match fail_on {
            FailOn::Error | FailOn::Warning => "with `--fail-on warning` the answer is no",
            FailOn::Never => "with `--fail-on never` the answer is yes all the same",
        };
        report = report.with(Section::Text { title: "Answer".to_owned(), body: body.to_owned() });
    }
    match (report.verdict, why, next) {
        (Verdict::Fail, Some(why), _) => report.then(why, "says why this is refused, with examples of what is not"),
        (Verdict::Pass, _, Some(plan)) => report.then(plan, "shows what a promotion would do, and changes nothing"),
        _ => report,
    }
}
