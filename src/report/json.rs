//! Reports as JSON, version 1.

use crate::report::Report;

/// The report as one JSON object and a line feed.
pub fn render(_report: &Report) -> String {
    String::from("{}\n")
}
