//! A set of words in one piece of memory: catalogs hold many such sets, and ask few of them.

use std::{cmp::Ordering, collections::BTreeSet, sync::Arc};

/// Behind each word. No name can hold it, and a word that does all the same counts as those around it.
const END: u8 = b'\0';

/// Words, each once. A copy shares them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Words {
    /// Sorted byte by byte.
    text: Arc<str>,
    /// Marks of all of them: a word whose mark is missing is none of them, and that answers most questions.
    marks: u128,
}

/// One bit of 128.
fn mark(word: &str) -> u128 {
    // The multiplier is the golden ratio's; any odd one with many bits set would do.
    let hash = word
        .bytes()
        .fold(0u64, |hash, byte| (hash.rotate_left(5) ^ u64::from(byte)).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    1 << (hash >> 57)
}

impl Words {
    pub fn has(&self, word: &str) -> bool {
        if self.marks & mark(word) == 0 {
            return false;
        }
        let text = self.text.as_bytes();
        let (mut low, mut high) = (0, text.len());
        while low < high {
            let middle = low + (high - low) / 2;
            let start = text[low..middle].iter().rposition(|it| *it == END).map_or(low, |at| low + at + 1);
            let rest = &text[start..high];
            let end = start + rest.iter().position(|it| *it == END).unwrap_or(rest.len());
            match text[start..end].cmp(word.as_bytes()) {
                Ordering::Equal => return true,
                Ordering::Less => low = end + 1,
                Ordering::Greater => high = start,
            }
        }
        false
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.text.split_terminator(char::from(END))
    }
}

impl<'w> FromIterator<&'w str> for Words {
    fn from_iter<I: IntoIterator<Item = &'w str>>(words: I) -> Self {
        let sorted = words.into_iter().flat_map(|it| it.split(char::from(END))).collect::<BTreeSet<_>>();
        let mut text = String::with_capacity(sorted.iter().map(|it| it.len() + 1).sum());
        let marks = sorted.iter().fold(0, |marks, word| marks | mark(word));
        for word in sorted {
            text.push_str(word);
            text.push(char::from(END));
        }
        Self { text: text.into(), marks }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Words;

    proptest! {
        /// Few letters, so that words are one another's beginnings.
        #[test]
        fn what_was_put_in_is_there_and_nothing_else(
            words in prop::collection::btree_set("[abé]{0,3}", 0..20),
            asked in "[abé]{0,3}",
        ) {
            let set = words.iter().map(String::as_str).collect::<Words>();
            prop_assert!(words.iter().all(|it| set.has(it)), "{set:?}");
            prop_assert_eq!(set.has(&asked), words.contains(&asked));
            prop_assert!(set.iter().eq(words.iter().map(String::as_str)));
        }

        #[test]
        fn a_word_with_a_zero_byte_hides_no_other(words in prop::collection::btree_set("[ab\0]{0,3}", 0..20)) {
            let set = words.iter().map(String::as_str).collect::<Words>();
            prop_assert!(words.iter().filter(|it| !it.contains('\0')).all(|it| set.has(it)), "{set:?}");
        }
    }
}
