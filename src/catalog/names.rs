//! Names of migrations by number, in one piece: there are as many as files.

#[derive(Debug, Clone, Default)]
pub struct Names {
    text: String,
    /// Where each ends.
    ends: Vec<usize>,
}

impl Names {
    pub fn push(&mut self, name: &str) {
        self.text.push_str(name);
        self.ends.push(self.text.len());
    }

    pub fn get(&self, number: usize) -> Option<&str> {
        let end = *self.ends.get(number)?;
        let start = number.checked_sub(1).map_or(0, |it| self.ends[it]);
        self.text.get(start..end)
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::Names;

    #[test]
    fn each_is_found_by_its_number() {
        let all = ["0001_a", "", "0003_ü", "0004_b"];
        let mut names = Names::default();
        all.iter().for_each(|it| names.push(it));
        assert_eq!(
            (0..5).map(|it| names.get(it)).collect::<Vec<_>>(),
            [Some("0001_a"), Some(""), Some("0003_ü"), Some("0004_b"), None]
        );
        assert_eq!(names.len(), all.len());
    }
}
