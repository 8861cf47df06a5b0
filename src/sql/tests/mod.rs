//! What [`read`] must say of each form, each trap, each body, and of arbitrary text.

mod bodies;
mod forms;
mod properties;
mod traps;

use super::{Statement, read, shape};

/// Statements as one line: the shape of each, what is inside it in braces.
fn render(statements: &[Statement]) -> String {
    let one = |statement: &Statement| {
        let line = shape::of(&statement.change, &[]).line();
        if statement.inner.is_empty() { line } else { format!("{line} {{ {} }}", render(&statement.inner)) }
    };
    statements.iter().map(one).collect::<Vec<_>>().join("; ")
}

#[track_caller]
fn check(sql: &str, expected: &str) {
    assert_eq!(render(&read(sql)), expected, "{sql}");
}
