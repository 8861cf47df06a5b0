//! Files as the repository names them.

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};

/// Where the report's files are named from, and the repository's root; both absolute, without links.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    pub here: Utf8PathBuf,
    pub root: Utf8PathBuf,
}

impl Places {
    /// `/`-separated, below the root; `None` for a file outside it.
    pub fn below_root(&self, file: &Utf8Path) -> Option<String> {
        let path = plain(&self.here.join(file));
        let below = path.strip_prefix(plain(&self.root)).ok()?;
        (!below.as_str().is_empty()).then(|| below.as_str().to_owned())
    }

    /// The same for people: a file outside the root as it was named.
    pub fn shown(&self, file: &Utf8Path) -> String {
        self.below_root(file).unwrap_or_else(|| file.to_string())
    }
}

/// Without `.` and `..`, by the letters alone.
fn plain(path: &Utf8Path) -> Utf8PathBuf {
    let mut plain = Utf8PathBuf::new();
    for component in path.components() {
        match component {
            Utf8Component::CurDir => {}
            Utf8Component::ParentDir => {
                plain.pop();
            }
            Utf8Component::Prefix(_) | Utf8Component::RootDir | Utf8Component::Normal(_) => plain.push(component),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::Places;

    #[test]
    fn files_are_named_from_the_root_of_the_repository() {
        for (here, file, expected) in [
            ("/repo", "db/0001.sql", Some("db/0001.sql")),
            ("/repo", "./db/0001.sql", Some("db/0001.sql")),
            ("/repo/app", "db/0001.sql", Some("app/db/0001.sql")),
            ("/repo/app", "../db/0001.sql", Some("db/0001.sql")),
            ("/repo", "/repo/db/0001.sql", Some("db/0001.sql")),
            ("/repo", "/elsewhere/0001.sql", None),
            ("/repo", "../../../etc/passwd", None),
            ("/repo", "", None),
            ("/repo", "/repository/0001.sql", None),
        ] {
            let places = Places { here: here.into(), root: "/repo".into() };
            assert_eq!(places.below_root(file.into()).as_deref(), expected, "{here} {file}");
        }
    }
}
