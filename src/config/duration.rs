//! Durations as people write them: `500ms`, `2s`, `15min`, `1h`, `30d`.

use std::time::Duration;

/// What [`parse`] accepts, for editors.
pub const PATTERN: &str = "^[0-9]+(ms|s|min|h|d)$|\\$\\{";

/// Reads a whole number and its unit. The error is what to write instead.
pub fn parse(text: &str) -> Result<Duration, &'static str> {
    const FORMS: &str = "write a whole number and its unit: `500ms`, `2s`, `15min`, `1h` or `30d`";
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: u64 = text[..digits].parse().map_err(|_| FORMS)?;
    let millis_per_unit = match &text[digits..] {
        "ms" => 1,
        "s" => 1000,
        "min" => 60 * 1000,
        "h" => 60 * 60 * 1000,
        "d" => 24 * 60 * 60 * 1000,
        "m" => return Err("write `min` for minutes: `15min`"),
        _ => return Err(FORMS),
    };
    number.checked_mul(millis_per_unit).map(Duration::from_millis).ok_or("that is longer than anything lasts")
}
