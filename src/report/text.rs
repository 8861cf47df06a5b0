//! Reports and errors as text for people.

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme};

use crate::report::Report;

/// How text is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    pub color: bool,
    /// Columns.
    pub width: usize,
}

impl Look {
    /// As wide as the terminal, at most 120 columns; 100 without one.
    pub fn of_terminal(color: bool) -> Self {
        Self { color, width: 100 }
    }
}

/// The report as text.
pub fn render(report: &Report, _look: &Look) -> String {
    format!("{report:#?}\n")
}

/// An error with its causes, its code and its help.
pub fn error(error: &dyn Diagnostic, look: &Look) -> String {
    let theme = if look.color { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let mut text = String::new();
    let handler = GraphicalReportHandler::new_themed(theme).with_width(look.width);
    if handler.render_report(&mut text, error).is_err() {
        text = format!("{error}\n");
    }
    text
}
