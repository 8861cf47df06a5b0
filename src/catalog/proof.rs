//! What a validated check proves, so that Postgres need not look at the rows.

use super::{Constraint, Table};
use crate::sql::{change::ConstraintKind, names::Ident};

impl Table {
    /// The validated `CHECK` that proves `column IS NOT NULL`, so that `SET NOT NULL` need not scan.
    ///
    /// Postgres looks at the conjuncts of validated checks
    /// (`ConstraintImpliedByRelConstraint` in tablecmds.c); so does this, and only at exact ones.
    pub fn proof_of_not_null(&self, column: &Ident) -> Option<&Constraint> {
        self.constraints.iter().find(|constraint| match &constraint.kind {
            ConstraintKind::Check { expression: Some(check), .. } => {
                constraint.validated && constraint.enforced && implies_not_null(&check.text, &column.name)
            }
            _ => false,
        })
    }
}

/// Is `column IS NOT NULL` one of the conditions that `AND` joins in this expression?
fn implies_not_null(expression: &str, column: &str) -> bool {
    let words = words(expression);
    conjuncts(&words).iter().any(|conjunct| {
        let [subject, is, not, null] = conjunct.as_slice() else { return false };
        is == "is" && not == "not" && null == "null" && subject == column
    })
}

/// Splits at `AND` outside parentheses, recursively into parentheses that wrap a whole condition. An `OR`, a
/// `NOT` or a `BETWEEN` at the same level proves nothing, so that level has no conjuncts.
fn conjuncts(words: &[String]) -> Vec<Vec<String>> {
    if words.first().is_some_and(|it| it == "(") && closing(words) == words.len() - 1 {
        return conjuncts(&words[1..words.len() - 1]);
    }
    let mut parts = vec![Vec::new()];
    let mut depth = 0_usize;
    for word in words {
        match word.as_str() {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            "or" | "between" if depth == 0 => return Vec::new(),
            "and" if depth == 0 => {
                parts.push(Vec::new());
                continue;
            }
            _ => {}
        }
        parts.last_mut().expect("starts with one part").push(word.clone());
    }
    if parts.len() > 1 {
        return parts.iter().flat_map(|part| conjuncts(part)).collect();
    }
    let part = parts.remove(0);
    let subject = if part.first().is_some_and(|it| it == "(") { closing(&part) } else { 0 };
    if subject == 0 || subject != 2 {
        return vec![part];
    }
    vec![[&part[1..2], &part[3..]].concat()]
}

/// The index of the parenthesis that closes the first word's.
fn closing(words: &[String]) -> usize {
    let mut depth = 0_usize;
    for (index, word) in words.iter().enumerate() {
        match word.as_str() {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return index;
        }
    }
    words.len()
}

/// The words that [`conjuncts`] acts on.
const KEYWORDS: [&str; 6] = ["and", "or", "not", "between", "is", "null"];

/// Words (folded unless quoted), parentheses, and everything else byte by byte. Quoted keywords keep their
/// quotes so that no column called `"or"` is taken for one.
pub fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '"' | '\'' => rest[1..].find(first).map_or(rest.len(), |at| at + 2),
            _ if first.is_alphanumeric() || first == '_' => {
                rest.find(|it: char| !(it.is_alphanumeric() || it == '_' || it == '$')).unwrap_or(rest.len())
            }
            _ => first.len_utf8(),
        };
        let word = &rest[..end];
        words.push(match first {
            '"' if !KEYWORDS.contains(&word.trim_matches('"')) => word.trim_matches('"').to_owned(),
            _ => word.to_ascii_lowercase(),
        });
        rest = rest[end..].trim_start();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::implies_not_null;

    #[test]
    fn a_check_proves_not_null_exactly_when_postgres_says_so() {
        let cases = [
            ("email is not null", true),
            ("EMAIL IS NOT NULL", true),
            ("(email is not null)", true),
            ("((email) is not null)", true),
            ("\"email\" is not null", true),
            ("email is not null and length(email) > 3", true),
            ("length(email) > 3 and (email is not null)", true),
            ("(a > 0 or b > 0) and email is not null", true),
            ("email is not null or deleted", false),
            ("deleted or a and email is not null", false),
            ("not (email is not null)", false),
            ("email is null", false),
            ("length(email) > 0", false),
            ("a between 1 and email is not null", false),
            ("(email || name) is not null", false),
            ("other is not null", false),
        ];
        for (expression, expected) in cases {
            assert_eq!(implies_not_null(expression, "email"), expected, "{expression}");
        }
    }
}
