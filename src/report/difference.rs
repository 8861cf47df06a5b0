//! What an update of a file would change, as people know it from `diff -u`.

use similar::TextDiff;

/// Lines around a change.
const CONTEXT: usize = 3;

/// The unified difference of two versions of a file; empty when there is none.
pub fn unified(path: &str, before: &str, after: &str) -> String {
    TextDiff::from_lines(before, after).unified_diff().context_radius(CONTEXT).header(path, path).to_string()
}

#[cfg(test)]
mod tests {
    use super::unified;

    #[test]
    fn only_what_changes_is_shown() {
        assert_eq!(unified("a.ts", "1\n2\n3\n", "1\n2\n3\n"), "");
        let (before, after) = ("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\n5\nsix\n7\n8\n9\n");
        let expected = "--- a.ts\n+++ a.ts\n@@ -3,7 +3,7 @@\n 3\n 4\n 5\n-6\n+six\n 7\n 8\n 9\n";
        assert_eq!(unified("a.ts", before, after), expected);
    }
}
