//! How fast we write: a bucket of bytes that fills at a rate below the deployment's own limit, and less of it after
//! each word that it is too much. The server looks at what was written in the last second before it lets a write in, so
//! that who bursts makes everybody wait, the app included. Pure: the clock is the caller's.

use std::time::Duration;

/// A deployment's class: <https://docs.convex.dev/production/state/limits>. What the numbers mean on a real
/// deployment was not measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    S16,
    S256,
    D1024,
    D2048,
}

impl Class {
    /// By the name that Convex gives it; whatever is not known is as small as can be.
    pub fn named(name: Option<&str>) -> Self {
        match name.map(str::to_ascii_lowercase).as_deref() {
            Some("s256") => Self::S256,
            Some("d1024") => Self::D1024,
            Some("d2048") => Self::D2048,
            _ => Self::S16,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::S16 => "S16",
            Self::S256 => "S256",
            Self::D1024 => "D1024",
            Self::D2048 => "D2048",
        }
    }

    /// Bytes a second that the deployment takes, index entries included.
    pub fn bytes_a_second(self) -> f64 {
        const MIB: f64 = 1024.0 * 1024.0;
        match self {
            Self::S16 => 4.0 * MIB,
            Self::S256 => 8.0 * MIB,
            Self::D1024 => 32.0 * MIB,
            Self::D2048 => 64.0 * MIB,
        }
    }

    /// Batches under way at a time: at most a quarter of what the deployment runs, the rest is the app's.
    pub fn batches_at_a_time(self) -> usize {
        match self {
            Self::S16 => 4,
            Self::S256 => 8,
            Self::D1024 | Self::D2048 => 16,
        }
    }
}

/// How much of the class's limit we use.
const SHARE: f64 = 0.8;

/// A small row's index entry beside the row; an estimate.
const WITH_INDEXES: f64 = 1.7;

/// One batch may go at once.
const BURST: f64 = 1024.0 * 1024.0 * WITH_INDEXES;

/// The rate never falls below: a batch takes half a minute then.
const SLOWEST: f64 = 64.0 * 1024.0;

/// Between two steps, down or up: answers to calls that were under way together say one thing.
const STEP: Duration = Duration::from_secs(1);

/// The bucket.
#[derive(Debug, Clone)]
pub struct Pace {
    class: Class,
    /// Bytes a second.
    rate: f64,
    /// Below zero: others have taken what is still to come.
    tokens: f64,
    filled: Duration,
    stepped: Option<Duration>,
    at_a_time: usize,
}

impl Pace {
    pub fn of(class: Class) -> Self {
        let rate = class.bytes_a_second() * SHARE;
        let at_a_time = class.batches_at_a_time();
        Self { class, rate, tokens: BURST, filled: Duration::ZERO, stepped: None, at_a_time }
    }

    /// Takes what a write of so many bytes costs, and says how long to wait before it. `now` counts from any
    /// beginning.
    pub fn take(&mut self, bytes: usize, now: Duration) -> Duration {
        self.fill(now);
        self.tokens -= bytes as f64 * WITH_INDEXES;
        if self.tokens >= 0.0 { Duration::ZERO } else { Duration::from_secs_f64(-self.tokens / self.rate) }
    }

    /// What was taken for a write, corrected by what it wrote.
    pub fn correct(&mut self, taken: usize, written: usize) {
        self.tokens = (self.tokens + (taken as f64 - written as f64) * WITH_INDEXES).min(BURST);
    }

    /// The other side says that it is too much: half of it.
    pub fn slow(&mut self, now: Duration) {
        if self.may_step(now) {
            self.fill(now);
            self.rate = (self.rate / 2.0).max(SLOWEST);
            self.at_a_time = (self.at_a_time / 2).max(1);
        }
    }

    /// It went well: a tenth more.
    pub fn recover(&mut self, now: Duration) {
        let most = self.class.bytes_a_second() * SHARE;
        let is_full = self.rate >= most && self.at_a_time == self.class.batches_at_a_time();
        if !is_full && self.may_step(now) {
            self.fill(now);
            self.rate = (self.rate + most / 10.0).min(most);
            self.at_a_time = (self.at_a_time + 1).min(self.class.batches_at_a_time());
        }
    }

    /// Batches that may be under way now.
    pub fn at_a_time(&self) -> usize {
        self.at_a_time
    }

    fn may_step(&mut self, now: Duration) -> bool {
        let may = self.stepped.is_none_or(|it| now.saturating_sub(it) >= STEP);
        if may {
            self.stepped = Some(now);
        }
        may
    }

    fn fill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.filled).as_secs_f64();
        self.filled = self.filled.max(now);
        self.tokens = (self.tokens + passed * self.rate).min(BURST);
    }
}

#[cfg(test)]
mod tests {
    use super::{BURST, Class, Pace, SLOWEST, WITH_INDEXES};
    use std::time::Duration;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn an_unknown_class_is_the_smallest() {
        for (name, class) in [
            (None, Class::S16),
            (Some("s16"), Class::S16),
            (Some("S256"), Class::S256),
            (Some("d1024"), Class::D1024),
            (Some("D2048"), Class::D2048),
            (Some("next"), Class::S16),
        ] {
            assert_eq!(Class::named(name), class, "{name:?}");
        }
    }

    #[test]
    fn a_burst_goes_at_once_and_the_rest_at_the_rate() {
        let mut pace = Pace::of(Class::S16);
        let batch = 1024 * 1024;
        assert_eq!(pace.take(batch, Duration::ZERO), Duration::ZERO);
        let expected = BURST / (Class::S16.bytes_a_second() * 0.8);
        assert!((pace.take(batch, Duration::ZERO).as_secs_f64() - expected).abs() < 1e-6);
        assert!((pace.take(batch, Duration::ZERO).as_secs_f64() - 2.0 * expected).abs() < 1e-6);
        // Nobody saves up more than one burst.
        assert_eq!(pace.take(batch, 100 * SECOND), Duration::ZERO);
        assert!(pace.take(batch, 100 * SECOND) > Duration::ZERO);
    }

    #[test]
    fn what_was_not_written_is_given_back() {
        let mut pace = Pace::of(Class::S16);
        pace.take(1024 * 1024, Duration::ZERO);
        pace.correct(1024 * 1024, 0);
        assert_eq!(pace.take(1024 * 1024, Duration::ZERO), Duration::ZERO);
        pace.correct(1024, 1024 + 1000);
        let wait = pace.take(0, Duration::ZERO).as_secs_f64();
        assert!((wait - 1000.0 * WITH_INDEXES / (Class::S16.bytes_a_second() * 0.8)).abs() < 1e-6, "{wait}");
    }

    #[test]
    fn pressure_halves_once_a_second_and_recovery_takes_tenths() {
        let mut pace = Pace::of(Class::S16);
        let full = pace.rate;
        for millis in [0, 300, 900] {
            pace.slow(Duration::from_millis(millis));
        }
        assert_eq!((pace.rate, pace.at_a_time()), (full / 2.0, 2), "one answer, told three times");
        pace.slow(2 * SECOND);
        assert_eq!((pace.rate, pace.at_a_time()), (full / 4.0, 1));
        for second in 3..40 {
            pace.slow(second * SECOND);
        }
        assert_eq!((pace.rate, pace.at_a_time()), (SLOWEST, 1));
        pace.recover(39 * SECOND + SECOND / 2);
        assert_eq!(pace.rate, SLOWEST, "not at once");
        pace.recover(41 * SECOND);
        assert!((pace.rate - SLOWEST - full / 10.0).abs() < 1.0);
        for second in 42..60 {
            pace.recover(second * SECOND);
        }
        assert_eq!((pace.rate, pace.at_a_time()), (full, 4));
    }
}
