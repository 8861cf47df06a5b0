//! The way back: sections and files that undo a migration. They are looked for and counted, never judged or run.

use super::{Tool, parts};
use crate::{
    migration::script::Direction,
    sql::{Statement, scan},
};

/// What there is to undo a migration with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Down {
    /// Nobody expects one here.
    #[default]
    Unexpected,
    Missing,
    /// There, with no statement in it.
    Empty,
    /// So many statements, or rollbacks of changesets.
    There(usize),
}

impl Down {
    pub fn of(statements: usize) -> Self {
        if statements == 0 { Self::Empty } else { Self::There(statements) }
    }
}

/// How many statements a down script holds.
pub fn count(text: &str) -> usize {
    scan::scan(text).pieces.len()
}

/// The statements that are applied, and what a down section of the same file holds.
pub fn apart(tool: Tool, text: &str, statements: Vec<Statement>) -> (Vec<Statement>, Option<Down>) {
    if tool == Tool::Liquibase {
        let (with, all) = parts::rollbacks(text);
        let down = if with == 0 { Down::Missing } else { Down::There(with) };
        return (statements, (all > 0).then_some(down));
    }
    if let Some(down) = parts::down_part(tool, text) {
        return (statements, Some(Down::of(count(down))));
    }
    if !has_sections(text) {
        return (statements, None);
    }
    // Only a comment that starts its line is a marker, and it ends a statement, so none is inside one.
    let comments = scan::scan(text).comments.into_iter().filter(|it| scan::starts_line(text, it.start));
    let markers = comments.filter_map(|it| Some((it.start, section(&text[it.start..it.end])?))).collect::<Vec<_>>();
    let has_down = markers.iter().any(|(_, direction)| *direction == Direction::Down);
    let mut markers = markers.into_iter().peekable();
    let mut direction = Direction::Up;
    let is_up = |statement: &Statement| {
        while let Some((_, marked)) = markers.next_if(|(at, _)| *at < statement.span.start) {
            direction = marked;
        }
        direction == Direction::Up
    };
    let (up, down): (Vec<_>, Vec<_>) = statements.into_iter().partition(is_up);
    (up, Some(if has_down { Down::of(down.len()) } else { Down::Missing }))
}

/// Whether the way back of a file of this tool may stand in the file itself.
pub fn may_hold_down(tool: Tool, text: &str) -> bool {
    matches!(tool, Tool::Liquibase | Tool::NodePgMigrate) || has_sections(text)
}

/// Has words that start a section somewhere, perhaps not as such.
fn has_sections(text: &str) -> bool {
    let is_word = |rest: &str, word: &str| rest.get(..word.len()).is_some_and(|it| it.eq_ignore_ascii_case(word));
    let goose =
        text.match_indices('+').any(|(at, _)| is_word(&text[at..], "+goose") || is_word(&text[at..], "+migrate"));
    goose
        || text
            .match_indices(':')
            .any(|(at, _)| at >= 7 && text.get(at - 7..at).is_some_and(|it| it.eq_ignore_ascii_case("migrate")))
}

/// Which section a line starts.
fn section(line: &str) -> Option<Direction> {
    let marker = line.trim().strip_prefix("--")?.trim_start().to_ascii_lowercase();
    let mut words = marker.split_whitespace();
    match (words.next()?, words.next()) {
        ("+goose" | "+migrate", Some("up")) | ("migrate:up", _) => Some(Direction::Up),
        ("+goose" | "+migrate", Some("down")) | ("migrate:down", _) => Some(Direction::Down),
        _ => None,
    }
}

/// Whether each migration of a folder ought to have a way back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Custom {
    /// Most have one.
    Expected,
    Unusual,
}

impl Custom {
    /// Of a folder's migrations so many have a way back.
    pub fn of(there: usize, all: usize) -> Self {
        if there * 2 > all { Self::Expected } else { Self::Unusual }
    }

    /// Where most have one it is missed where there is none; elsewhere nobody expects one.
    pub fn hold(self, down: Down) -> Down {
        match (self, down) {
            (Self::Expected, Down::Unexpected) => Down::Missing,
            (Self::Unusual, Down::Missing | Down::Empty) => Down::Unexpected,
            (Self::Expected | Self::Unusual, down) => down,
        }
    }
}
