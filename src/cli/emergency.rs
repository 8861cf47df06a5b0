//! `--emergency --incident ID --reason TEXT`: none of them without the others.

use clap::Args;

/// Haste that is accounted for: each of the three demands the others.
#[derive(Debug, Default, Args)]
pub struct Emergency {
    /// Waive what may be waived in haste, and that it was staged first; never restore point, approval or audit
    #[arg(long, requires_all = ["incident", "reason"])]
    pub emergency: bool,
    /// The incident that it is for, as its tracker calls it: INC-123
    #[arg(long, value_name = "ID", requires = "emergency", value_parser = incident)]
    pub incident: Option<String>,
    /// Why it cannot wait, in 20 characters or more; it goes into plan, journal and audit events
    #[arg(long, value_name = "TEXT", requires = "emergency", value_parser = reason)]
    pub reason: Option<String>,
}

/// An id begins with a letter and has a digit; it never holds what a shell or a page would read.
fn incident(text: &str) -> Result<String, String> {
    let fits = |it: char| it.is_ascii_alphanumeric() || it == '-' || it == '_';
    let starts = text.starts_with(|it: char| it.is_ascii_alphabetic());
    if starts && text.len() <= 40 && text.chars().all(fits) && text.chars().any(|it| it.is_ascii_digit()) {
        return Ok(text.to_owned());
    }
    Err("an incident is named by letters and digits, such as INC-123".to_owned())
}

/// One line.
fn reason(text: &str) -> Result<String, String> {
    let words: Vec<&str> =
        text.split(|it: char| it.is_whitespace() || it.is_control()).filter(|it| !it.is_empty()).collect();
    let text = words.join(" ");
    match text.chars().count() {
        20..=400 => Ok(text),
        0..20 => Err("say in 20 characters or more what is broken, and why it cannot wait".to_owned()),
        _ => Err("keep it below 400 characters; the incident's page holds the rest".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::{incident, reason};

    #[test]
    fn an_incident_is_a_name_and_a_reason_is_a_sentence() {
        for (text, fits) in [
            ("INC-123", true),
            ("PABC123", true),
            ("sev1_2026-01-02", true),
            ("INC", false),
            ("123", false),
            ("", false),
            ("INC-1; rm -rf /", false),
            ("INC-1\n::error::x", false),
            ("$(id)1", false),
        ] {
            assert_eq!(incident(text).is_ok(), fits, "{text}");
        }
        assert!(incident(&format!("I{}", "1".repeat(40))).is_err());
        let said = reason("  orders\n::error::  fail until it is valid ").unwrap();
        assert_eq!(said, "orders ::error:: fail until it is valid");
        for text in
            ["", "because", "                                      ", "a\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\nb"]
        {
            assert!(reason(text).is_err(), "{text}");
        }
        assert!(reason(&"x".repeat(401)).is_err());
    }
}
