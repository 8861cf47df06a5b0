//! Every form of statement that Postgres knows, above all those that sqlparser does not read. Each was accepted by
//! Postgres's own grammar (version 18) when it was added.

use super::{super::read, render};

/// `sql  =>  shape` lines; `#` starts a heading.
const FORMS: &str = include_str!("forms.txt");
const ARROW: &str = "  =>  ";

#[test]
fn every_form_is_read_as_what_it_is() {
    let mut wrong = Vec::new();
    let forms = FORMS.lines().filter(|form| !form.is_empty() && !form.starts_with('#'));
    for form in forms {
        let (sql, expected) = form.split_once(ARROW).unwrap_or((form, ""));
        let found = render(&read(sql));
        if found != expected {
            wrong.push(format!("{sql}{ARROW}{found}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn a_form_means_the_same_in_any_case_and_around_comments() {
    for form in FORMS.lines().filter(|form| !form.is_empty() && !form.starts_with('#')) {
        let (sql, expected) = form.split_once(ARROW).unwrap_or((form, ""));
        let commented = format!("\u{feff}-- a ' quote\r\n/* ; /* nested */ */ {sql} -- x\n;\n\n");
        assert_eq!(render(&read(&commented)), expected, "{commented}");
    }
}

#[test]
fn no_form_is_left_unread() {
    for form in FORMS.lines().filter(|form| !form.is_empty() && !form.starts_with('#')) {
        let is_meant = ["plpython3u", "language c "].iter().any(|foreign| form.contains(foreign));
        assert!(is_meant || !form.contains("unread"), "{form}");
    }
}
