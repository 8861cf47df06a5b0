//! Reports and errors as text for people: clear without colour, no wider than the terminal where it can be
//! helped, the worst first to be seen because the answer stands last.

use anstyle::{AnsiColor, Style};
use camino::Utf8PathBuf;
use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, MietteError, MietteSpanContents,
    Severity as Level, SourceCode, SourceSpan, SpanContents,
};

use super::{
    Finding, Report, Severity, Verdict,
    blocks::{self, Block, Item, Mark, Table},
    clean::clean,
    literals::without_values,
};

/// Findings shown with their source; more are counted, JSON has them all.
pub const MOST_EXCERPTS: usize = 100;

/// Names of items up to this width stand in a column.
const WIDEST_NAME: usize = 52;

/// How text is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    pub color: bool,
    /// Columns.
    pub width: usize,
}

impl Look {
    /// As wide as the terminal, between 60 and 140 columns; 100 without one.
    pub fn of_terminal(color: bool) -> Self {
        let width = terminal_size::terminal_size().map_or(100, |(width, _)| usize::from(width.0));
        Self { color, width: width.clamp(60, 140) }
    }

    fn paint(self, style: Style, text: &str) -> String {
        if self.color { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GREEN: Style = AnsiColor::Green.on_default().bold();
const YELLOW: Style = AnsiColor::Yellow.on_default().bold();
const RED: Style = AnsiColor::Red.on_default().bold();
const CYAN: Style = AnsiColor::Cyan.on_default();

/// The report as text.
pub fn render(report: &Report, look: &Look) -> String {
    let mut text = String::new();
    for block in blocks::of_report(report) {
        if !text.is_empty() && !text.ends_with("\n\n") && starts_apart(&block) {
            text.push('\n');
        }
        set(&mut text, &block, *look);
    }
    text
}

fn starts_apart(block: &Block<'_>) -> bool {
    matches!(block, Block::Heading(_) | Block::Verdict(..) | Block::Findings { .. } | Block::Table(_))
}

fn set(text: &mut String, block: &Block<'_>, look: Look) {
    match block {
        Block::Heading(heading) => line(text, &look.paint(BOLD, &clean(heading))),
        Block::Paragraph(paragraph) => line(text, &clean(paragraph)),
        Block::Items(items) => set_items(text, items, look),
        Block::Numbered(lines) => {
            for (index, step) in lines.iter().enumerate() {
                line(text, &format!("{:>4}. {}", index + 1, clean(step)));
            }
        }
        Block::Table(table) => set_table(text, table, look),
        Block::Findings { findings, sources } => set_findings(text, findings, sources, look),
        Block::Verbatim(body) => line(text, &clean(body)),
        Block::Verdict(Verdict::Pass, answer) => line(text, &format!("{} {}", look.paint(GREEN, "ok"), clean(answer))),
        Block::Verdict(Verdict::Fail, answer) => line(text, &format!("{} {}", look.paint(RED, "FAIL"), clean(answer))),
    }
}

fn line(text: &mut String, line: &str) {
    text.push_str(line.trim_end());
    text.push('\n');
}

fn set_items(text: &mut String, items: &[Item], look: Look) {
    let width = |item: &Item| item.name.chars().count();
    let name_width = items.iter().map(width).filter(|it| *it <= WIDEST_NAME).max().unwrap_or(0);
    for item in items {
        let mark = match item.mark {
            Mark::Yes => look.paint(GREEN, "✓"),
            Mark::Maybe => look.paint(YELLOW, "!"),
            Mark::No => look.paint(RED, "✗"),
            Mark::None => look.paint(DIM, "-"),
        };
        let name = clean(&item.name);
        let indent = if name_width == 0 { 4 } else { name_width + 6 };
        let pad = match width(item) {
            0 => " ".repeat(indent - 4),
            // Too wide for the column: its text starts on the next line.
            wide if wide > WIDEST_NAME => format!("\n{}", " ".repeat(indent)),
            fitting => " ".repeat(name_width + 2 - fitting),
        };
        let name = format!("{}{pad}", look.paint(CYAN, &name));
        let body = wrapped(&clean(&item.text), look.width, indent);
        line(text, &format!("  {mark} {name}{body}"));
        if let Some(fix) = &item.fix {
            let fix = wrapped(&clean(fix), look.width, indent + 2);
            line(text, &format!("{}{} {fix}", " ".repeat(indent), look.paint(CYAN, "→")));
        }
    }
}

/// Breaks at spaces so that lines end before `width`; later lines are indented. Written line feeds stay.
fn wrapped(text: &str, width: usize, indent: usize) -> String {
    let room = width.saturating_sub(indent).max(30);
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut current = String::new();
        let mut used = 0;
        for word in paragraph.split(' ') {
            let length = word.chars().count();
            if used > 0 && used + 1 + length > room {
                lines.push(std::mem::take(&mut current));
                used = 0;
            }
            if used > 0 {
                current.push(' ');
                used += 1;
            }
            current.push_str(word);
            used += length;
        }
        lines.push(current);
    }
    lines.join(&format!("\n{}", " ".repeat(indent)))
}

fn set_table(text: &mut String, table: &Table, look: Look) {
    let used = |column: usize| table.rows.iter().any(|row| !row[column].is_empty());
    let columns: Vec<usize> = (0..table.headers.len()).filter(|column| used(*column)).collect();
    let widths: Vec<usize> = columns
        .iter()
        .map(|column| {
            let cells = table.rows.iter().map(|row| row[*column].chars().count());
            cells.chain([table.headers[*column].chars().count()]).max().unwrap_or(0)
        })
        .collect();
    let set_row = |cells: &dyn Fn(usize) -> String, style: Option<Style>| {
        let mut row = String::from(" ");
        for (column, width) in columns.iter().zip(&widths) {
            let cell = clean(&cells(*column)).replace('\n', " ");
            let pad = " ".repeat(width.saturating_sub(cell.chars().count()));
            let cell = if table.right[*column] { format!("{pad}{cell}") } else { format!("{cell}{pad}") };
            row.push(' ');
            row.push_str(&cell);
            row.push(' ');
        }
        style.map_or(row.clone(), |style| look.paint(style, row.trim_end()))
    };
    line(text, &set_row(&|column| table.headers[column].to_owned(), Some(DIM)));
    for row in &table.rows {
        line(text, &set_row(&|column| row[column].clone(), None));
    }
}

fn set_findings(text: &mut String, findings: &[Finding], sources: &[(Utf8PathBuf, String)], look: Look) {
    let open = findings.iter().filter(|it| it.stands()).collect::<Vec<_>>();
    let waived = findings.iter().filter(|it| it.waived.is_some() && !it.baselined);
    let handler = handler(look);
    let (mut file, mut source) = (None, String::new());
    for finding in open.iter().take(MOST_EXCERPTS) {
        if file != Some(finding.file.as_str()) {
            // As text: paths compare part by part.
            file = Some(finding.file.as_str());
            let of_file = open.iter().filter(|it| it.file.as_str() == finding.file.as_str()).count();
            let name = look.paint(BOLD, &clean(finding.file.as_str()));
            line(text, &format!("{name} {}\n", look.paint(DIM, &blocks::counted(of_file, "finding"))));
            let found = sources.iter().find(|(path, _)| path.as_str() == finding.file.as_str());
            source = found.map(|(_, source)| without_values(source)).unwrap_or_default();
        }
        let mut rendered = String::new();
        let excerpt = Excerpt::of(finding, &source);
        let report = miette::Report::from(diagnostic(finding, &excerpt)).with_source_code(excerpt);
        if handler.render_report(&mut rendered, report.as_ref()).is_err() {
            rendered = format!("{}:{}:{}: {}", finding.file, finding.line, finding.column, clean(&finding.message));
        }
        line(text, &rendered);
        if let Some(evidence) = &finding.evidence {
            line(text, &look.paint(DIM, &format!("  {}", clean(evidence))));
        }
        text.push('\n');
    }
    if open.len() > MOST_EXCERPTS {
        line(text, &format!("… and {} more; `--format json` has them all", open.len() - MOST_EXCERPTS));
    }
    for finding in waived {
        let reason = finding.waived.as_deref().unwrap_or_default();
        let place = format!("{}:{}", finding.file, finding.line);
        line(text, &format!("  - waived {} at {}: {}", finding.rule, clean(&place), clean(reason)));
    }
}

fn diagnostic(finding: &Finding, excerpt: &Excerpt) -> MietteDiagnostic {
    let (level, word) = match finding.severity {
        Severity::Error => (Level::Error, "error"),
        Severity::Warning => (Level::Warning, "warning"),
        Severity::Notice => (Level::Advice, "notice"),
    };
    MietteDiagnostic {
        message: clean(&finding.message).into_owned(),
        code: Some(format!("{word}[{}]", finding.rule)),
        severity: Some(level),
        help: finding.help.as_deref().map(|help| clean(help).into_owned()),
        url: None,
        labels: Some(vec![LabeledSpan::underline(excerpt.marked)]),
    }
}

/// A few lines of a file around a finding. A finding that spans lines is marked on its first one only, and
/// only these lines are ever looked at, however large the file is.
struct Excerpt {
    name: String,
    /// First line shown, counted from 0.
    line: usize,
    text: String,
    /// Offset and length of the marked bytes, in the text.
    marked: (usize, usize),
    /// Bytes of the marked line that are left out before those that are shown.
    cut: usize,
}

/// Bytes of a line behind which nothing is shown: nobody reads on, and a line of more than 65,535 columns cannot be set.
const LONGEST: usize = 1000;

/// Stands for what is left out.
const CUT: &str = "…";

impl Excerpt {
    fn of(finding: &Finding, source: &str) -> Self {
        let from = boundary(source, finding.span.start);
        let line_start = source[..from].rfind('\n').map_or(0, |at| at + 1);
        let start = source[..line_start.saturating_sub(1)].rfind('\n').map_or(0, |at| at + 1);
        let start = if line_start == 0 { 0 } else { start };
        let line_end = source[from..].find('\n').map_or(source.len(), |at| from + at);
        let end =
            source.get(line_end + 1..).and_then(|rest| rest.find('\n')).map_or(source.len(), |at| line_end + 1 + at);
        let shown_start = if from - line_start > LONGEST { boundary(source, from - LONGEST / 2) } else { line_start };
        let shown_end = boundary(source, line_end.min(from + LONGEST));
        let before = source[start..line_start].matches('\n').count();
        let mut text = source[start..line_start].split_inclusive('\n').map(shortened).collect::<String>();
        if shown_start > line_start {
            text.push_str(CUT);
        }
        let marked = (text.len() + from - shown_start, finding.span.end.clamp(from, shown_end.max(from)) - from);
        text.push_str(&source[shown_start..shown_end]);
        if shown_end < line_end {
            text.push_str(CUT);
        }
        text.extend(source[line_end..end].split_inclusive('\n').map(shortened));
        Self {
            name: clean(finding.file.as_str()).into_owned(),
            line: finding.line.saturating_sub(1 + before),
            text: clean(text.trim_end_matches('\r')).into_owned(),
            marked: (marked.0, marked.1.max(1)),
            cut: (shown_start - line_start).saturating_sub(CUT.len()),
        }
    }
}

/// The last place between characters that is not behind this one.
fn boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// A neighbour of the marked line, with its line feed.
fn shortened(line: &str) -> String {
    if line.len() <= LONGEST {
        return line.to_owned();
    }
    let end = if line.ends_with('\n') { "\n" } else { "" };
    format!("{}{CUT}{end}", &line[..boundary(line, LONGEST)])
}

impl SourceCode for Excerpt {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let contents = self.text.read_span(span, before, after)?;
        // Only what starts inside the marked line starts behind what is left out of it.
        let cut = if contents.column() > 0 { self.cut } else { 0 };
        Ok(Box::new(MietteSpanContents::new_named(
            self.name.clone(),
            contents.data(),
            *contents.span(),
            contents.line() + self.line,
            contents.column() + cut,
            contents.line_count(),
        )))
    }
}

fn handler(look: Look) -> GraphicalReportHandler {
    let theme = if look.color { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    GraphicalReportHandler::new_themed(theme).with_width(look.width).with_links(false).with_context_lines(1)
}

/// An error with its causes, its code and its help.
pub fn error(error: &dyn Diagnostic, look: &Look) -> String {
    let mut text = String::new();
    if handler(*look).render_report(&mut text, error).is_err() {
        text = format!("{error}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use camino::Utf8Path;

    use super::{Look, render};
    use crate::{
        report::{
            Columns, Finding, GateView, Harm, NextStep, PlanView, Report, Section, Severity, Validation,
            blocks::counted,
        },
        sql::{LineIndex, Span},
    };

    const LOOK: Look = Look { color: false, width: 90 };

    fn finding(source: &str, marked: &str, severity: Severity, waived: Option<&str>) -> Finding {
        let start = source.find(marked).expect("the marked text is in the source");
        let span = Span { start, end: start + marked.len() };
        let index = LineIndex::new(source);
        let ((line, column), (end_line, end_column)) =
            (index.position(source, span.start), index.position(source, span.end));
        Finding {
            rule: "index-without-concurrently".into(),
            kind: Harm::Blocks,
            severity,
            file: Utf8Path::new("db/migrations/1_x_safe.sql").into(),
            line,
            column,
            end_line,
            end_column,
            message: "writes to `orders` wait until this index is built".to_owned(),
            help: Some("use `create index concurrently`, alone in its migration".into()),
            waived: waived.map(str::to_owned),
            baselined: false,
            utf16: Columns::default(),
            fingerprint: String::new(),
            fix: None,
            evidence: None,
            form: None,
            span,
        }
    }

    fn validation(source: &str, findings: Vec<Finding>) -> Report {
        let section = Section::Validation(Validation {
            profile: "production".to_owned(),
            files: 1,
            statements: 2,
            findings,
            sources: vec![("db/migrations/1_x_safe.sql".into(), source.to_owned())],
            ..Validation::default()
        });
        Report::fail("validate").with(section)
    }

    #[test]
    fn findings_show_the_line_and_its_neighbours() {
        let source = "-- é\nselect 1;\ncreate index i\n  on orders (a);\n\u{1b}[2Jselect 2;\nselect 3;\n";
        insta::assert_snapshot!(render(
            &validation(
                source,
                vec![
                    finding(source, "create index i\n  on orders (a)", Severity::Error, None),
                    finding(source, "é", Severity::Warning, None),
                    finding(source, "select 3", Severity::Notice, None),
                    finding(source, "select 2", Severity::Error, Some("night window")),
                ],
            ),
            &LOOK
        ));
    }

    /// A line of more columns than a format's width can be once ended the command.
    #[test]
    fn a_long_line_is_shown_around_its_finding() {
        for (before, after) in [("x", "x"), ("é", "é"), (" ", "\n")] {
            let (before, after) = (before.repeat(70_000), after.repeat(70_000));
            let source = format!("{before}\n{before}create index i on orders (a);{after}\n{after}");
            let finding = finding(&source, "create index i on orders (a)", Severity::Error, None);
            let column = format!("[db/migrations/1_x_safe.sql:2:{}]", before.len() + 1);
            let text = render(&validation(&source, vec![finding]), &LOOK);
            assert!(text.contains("create index i on orders (a)") && text.contains('…'), "{text}");
            assert!(text.contains(&column) && text.len() < 20_000, "{column} {text}");
        }
    }

    #[test]
    fn a_plan_shows_every_gate_with_its_fix() {
        let gate = |name: &str, passed, fix: Option<&str>| GateView {
            name: name.to_owned(),
            passed,
            evidence: "a sentence of evidence that is long enough to be broken over two lines of the terminal"
                .to_owned(),
            fix: fix.map(str::to_owned),
        };
        let plan = PlanView {
            environment: "production".to_owned(),
            target: "db.example.com/fibre".to_owned(),
            promotion_type: "schema_safe".to_owned(),
            gates: vec![
                gate("validated", true, None),
                gate("staged-first", false, Some("liftlock promote --to staging")),
            ],
            steps: vec!["restore point".to_owned(), "apply 1_x_safe.sql".to_owned()],
            ..PlanView::default()
        };
        let mut report = Report::fail("plan").with(Section::Plan(plan));
        report
            .next
            .push(NextStep { command: "liftlock status --to prod".to_owned(), what: "see what is pending".to_owned() });
        insta::assert_snapshot!(render(&report, &LOOK));
    }

    #[test]
    fn counts_agree_with_their_words() {
        assert_eq!(counted(1, "file"), "1 file");
        assert_eq!(counted(23_700, "row"), "23,700 rows");
    }
}
