//! Progress on stderr: bars on a terminal, plain lines elsewhere, at most one every few seconds a table.

use std::{
    collections::HashMap,
    fmt,
    io::{IsTerminal, Write},
    sync::Mutex,
    time::{Duration, Instant},
};

use indicatif::{HumanCount, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::report::{
    clean::clean,
    progress::{Event, Observe},
};

/// How often a table reports where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Shows progress on stderr.
pub struct Terminal {
    bars: MultiProgress,
    interactive: bool,
    running: Mutex<Running>,
}

#[derive(Default)]
struct Running {
    step: Option<ProgressBar>,
    tables: HashMap<String, Table>,
}

struct Table {
    bar: ProgressBar,
    total: Option<u64>,
    started: Instant,
    said: Instant,
}

impl Default for Terminal {
    fn default() -> Self {
        Self::new()
    }
}

impl Terminal {
    /// Bars when stderr is a terminal; the templates name no colours, so `NO_COLOR` needs no care here.
    pub fn new() -> Self {
        let interactive = std::io::stderr().is_terminal();
        let target = if interactive { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Self { bars: MultiProgress::with_draw_target(target), interactive, running: Mutex::default() }
    }

    fn say(&self, line: &str) {
        let line = clean(line);
        if self.interactive {
            // A terminal that is gone is no reason to stop a promotion.
            let _ = self.bars.println(&line);
        } else {
            let _ = writeln!(std::io::stderr().lock(), "{line}");
        }
    }

    fn start_table(&self, running: &mut Running, table: String, total: Option<u64>) {
        let bar = match total {
            Some(total) => {
                ProgressBar::new(total).with_style(style("  {msg:28} {bar:24} {human_pos}/{human_len} {rate} {eta}"))
            }
            None => ProgressBar::new_spinner()
                .with_style(style("  {msg:28} {spinner} {human_pos} rows, total unknown {rate}")),
        };
        let bar = self.bars.add(bar.with_message(table.clone()));
        let now = Instant::now();
        running.tables.insert(table, Table { bar, total, started: now, said: now });
    }

    fn advance_table(&self, running: &mut Running, table: &str, rows: u64) {
        let Some(entry) = running.tables.get_mut(table) else { return };
        entry.bar.set_position(rows);
        if !self.interactive && entry.said.elapsed() >= LINE_EVERY {
            entry.said = Instant::now();
            let of = entry.total.map_or(String::new(), |total| format!(" of {total}"));
            let line = format!("  {table}: {rows}{of} rows, {} s", entry.started.elapsed().as_secs());
            self.say(&line);
        }
    }
}

impl Observe for Terminal {
    fn event(&self, event: Event) {
        let mut running = self.running.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match event {
            Event::StepStarted { step } => {
                let bar =
                    ProgressBar::new_spinner().with_style(style("  {spinner} {msg} {elapsed}")).with_message(step);
                let bar = self.bars.add(bar);
                bar.enable_steady_tick(Duration::from_millis(120));
                running.step = Some(bar);
            }
            Event::StepFinished { step, detail, millis } => {
                if let Some(bar) = running.step.take() {
                    bar.finish_and_clear();
                }
                let detail = if detail.is_empty() { String::new() } else { format!(": {detail}") };
                self.say(&format!("  ✓ {step}{detail} ({millis} ms)"));
            }
            Event::Notice { message } => self.say(&format!("  ! {message}")),
            Event::Blocked { message, statements } if self.interactive => {
                self.say(&format!("  ! {message}: {statements}"))
            }
            Event::Blocked { message, .. } => self.say(&format!("  ! {message}")),
            Event::TableStarted { table, total } => self.start_table(&mut running, table, total),
            Event::TableProgress { table, rows } => self.advance_table(&mut running, &table, rows),
            Event::TableFinished { table, rows, millis } => {
                if let Some(entry) = running.tables.remove(&table) {
                    entry.bar.finish_and_clear();
                }
                self.say(&format!("  ✓ {table}: {rows} rows ({millis} ms)"));
            }
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸ ")
        .with_key("rate", |state: &ProgressState, out: &mut dyn fmt::Write| {
            // A terminal that cannot be written to has no reader.
            let _ = out.write_str(&rate(state.per_sec()));
        })
}

/// `14,522/s`: nobody needs fractions of a row.
fn rate(per_second: f64) -> String {
    format!("{}/s", HumanCount(per_second as u64))
}

#[cfg(test)]
mod tests {
    use super::rate;

    #[test]
    fn a_rate_is_in_whole_rows() {
        let check = |per_second: f64, expected: &str| assert_eq!(rate(per_second), expected);
        check(14_522.7, "14,522/s");
        check(0.4, "0/s");
        check(f64::NAN, "0/s");
    }
}
