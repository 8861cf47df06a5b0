//! The comments by which tools mark sections of a file and its way of running.

/// The text of a `--` comment line behind its dashes, trimmed; `None` for any other line.
pub fn comment(line: &str) -> Option<&str> {
    line.trim().strip_prefix("--").map(str::trim)
}

/// Whether the comment is this marker, in any case, with or without more behind it.
pub fn is(comment: &str, marker: &str) -> bool {
    let mut words = comment.split_whitespace();
    marker.split(' ').all(|wanted| words.next().is_some_and(|word| word.eq_ignore_ascii_case(wanted)))
}

/// Comments at the top of a file, before its first statement.
pub fn on_top(text: &str) -> impl Iterator<Item = &str> {
    let text = text.trim_start_matches('\u{feff}');
    text.lines().take_while(|line| line.trim().is_empty() || line.trim().starts_with("--")).filter_map(comment)
}

/// All comment lines; text inside literals counts, too, as it does for the tools that read line by line.
pub fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(comment)
}

/// The value of `name:value` or `name="value"` among a marker's words.
pub fn attribute<'a>(comment: &'a str, name: &str) -> Option<&'a str> {
    comment.split_whitespace().find_map(|word| {
        let (key, value) = word.split_once([':', '='])?;
        key.eq_ignore_ascii_case(name).then(|| value.trim_matches(['"', '\'']))
    })
}
