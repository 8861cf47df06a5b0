//! Texts of files with findings, as far as an excerpt will be shown of them: of a folder with thousands of findings
//! nobody is shown more than some.

use std::{
    collections::{BTreeMap, HashSet},
    ops::Bound,
};

use camino::{Utf8Path, Utf8PathBuf};

use super::Remedy;
use crate::report::Finding;

/// Texts by file, with how many findings of it will be shown at least.
pub struct Sources {
    most: usize,
    kept: BTreeMap<Utf8PathBuf, (usize, String)>,
    /// Findings of all that are kept.
    shown: usize,
}

impl Sources {
    /// Those of the first findings, by file.
    pub fn of_first(most: usize) -> Self {
        Self { most, kept: BTreeMap::new(), shown: 0 }
    }

    /// Keeps the text of a file of which so many findings will be shown, unless those of the files before it are enough.
    pub fn keep(&mut self, file: &Utf8Path, shown: usize, text: impl FnOnce() -> String) {
        let before = || {
            let before = (Bound::Unbounded, Bound::Excluded(file));
            self.kept.range::<Utf8Path, _>(before).map(|(_, (shown, _))| shown).sum::<usize>()
        };
        if self.most == 0 || self.shown >= self.most && before() >= self.most {
            return;
        }
        self.shown += shown;
        if let Some((old, _)) = self.kept.insert(file.to_owned(), (shown, text())) {
            self.shown -= old;
        }
        // The last is needed as long as those before it are too few.
        while let Some(last) = self.kept.last_entry()
            && self.shown - last.get().0 >= self.most
        {
            self.shown -= last.remove().0;
        }
    }

    pub fn into_texts(self) -> Vec<(Utf8PathBuf, String)> {
        self.kept.into_iter().map(|(file, (_, text))| (file, text)).collect()
    }
}

/// How many findings from this place on will be shown for certain: neither waived nor settled by what follows.
pub fn shown(findings: &[Finding], from: usize, outstanding: &[(usize, Remedy)]) -> usize {
    let settled = outstanding.iter().rev().map(|it| it.0).take_while(|it| *it >= from).collect::<HashSet<_>>();
    let findings = findings.iter().enumerate().skip(from);
    findings.filter(|(at, it)| it.stands() && !settled.contains(at)).count()
}

#[cfg(test)]
mod tests {
    use super::Sources;

    #[test]
    fn texts_are_kept_while_the_findings_of_the_files_before_are_too_few() {
        for (most, files, expected) in [
            (0, &[("a", 1)][..], ""),
            (2, &[("a", 1), ("b", 1), ("c", 1)], "a b"),
            (2, &[("c", 1), ("b", 1), ("a", 1)], "a b"),
            (2, &[("c", 5), ("a", 1)], "a c"),
            // Whatever is settled in the end makes room for those behind.
            (2, &[("a", 0), ("b", 1), ("c", 0), ("d", 3), ("e", 1)], "a b c d"),
            (2, &[("d", 3), ("e", 1), ("a", 0), ("b", 2), ("c", 0)], "a b"),
            (2, &[("a", 2), ("a", 0), ("b", 1)], "a b"),
            (usize::MAX, &[("b", 1), ("a", 900)], "a b"),
        ] {
            let mut sources = Sources::of_first(most);
            files.iter().for_each(|(file, shown)| sources.keep((*file).into(), *shown, String::new));
            let kept = sources.into_texts().iter().map(|it| it.0.to_string()).collect::<Vec<_>>().join(" ");
            assert_eq!(kept, expected, "{most} {files:?}");
        }
    }
}
