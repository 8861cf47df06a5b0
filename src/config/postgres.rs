//! For which server is judged.

/// A major version of PostgreSQL that is known here: 14 to 18, <https://www.postgresql.org/support/versioning/>.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PostgresMajor(u8);

impl PostgresMajor {
    pub const OLDEST: Self = Self(14);
    pub const NEWEST: Self = Self(18);

    /// `None` for a version that is not known here.
    pub fn new(number: u8) -> Option<Self> {
        (Self::OLDEST.0..=Self::NEWEST.0).contains(&number).then_some(Self(number))
    }

    /// 14 to 18.
    pub fn number(self) -> u8 {
        self.0
    }
}

/// What is judged for when nobody says: what Neon gives new projects.
impl Default for PostgresMajor {
    fn default() -> Self {
        Self(17)
    }
}

impl std::fmt::Display for PostgresMajor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}
