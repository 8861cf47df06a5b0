//! Whether the mirror holds what it should: counts and digests of both sides, and when they differ, which ranges
//! and rows. What differs is put into the ledger as the mirror has it, so that the next pass sends it again.

use super::{
    Carrier, SyncError,
    ledger::{Entry, Pages},
    plan::Table,
};
use crate::services::mirror::{Digest, Held, KeyRange, Mirror, Page};

/// Rows that differ between ledger and mirror. Keys are row values and are not told; places are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Differences {
    pub rows: u64,
    /// Counted in key order from 1; 0 when there are none.
    pub first: u64,
    pub last: u64,
}

impl Differences {
    fn add(&mut self, place: u64) {
        self.rows += 1;
        self.first = if self.first == 0 { place } else { self.first };
        self.last = place;
    }
}

/// Live documents, as the mirror has counted them.
pub async fn live<M: Mirror>(
    carrier: &Carrier<'_>,
    mirror: &M,
    table: &Table,
    entry: &mut Entry,
) -> Result<u64, SyncError> {
    let asker = carrier.asker(format!("verifying `{}`", table.name));
    let state = asker.ask(&mut entry.counters.retries, async || mirror.table(&table.name).await).await?;
    Ok(state.map_or(0, |it| it.live))
}

/// Counts and folded hashes of a range of the mirror's table.
pub async fn digest<M: Mirror>(
    carrier: &Carrier<'_>,
    mirror: &M,
    table: &Table,
    entry: &mut Entry,
    range: &KeyRange,
) -> Result<Digest, SyncError> {
    let asker = carrier.asker(format!("verifying `{}`", table.name));
    let mut digest = Digest::default();
    let mut after = range.after.clone();
    loop {
        carrier.stop_if_cancelled()?;
        let rest = KeyRange { after, through: range.through.clone() };
        let read = async || mirror.digest(&table.name, &rest).await;
        let Page { of, through } = asker.ask(&mut entry.counters.retries, read).await?;
        digest = digest.with(of);
        if through.is_none() {
            return Ok(digest);
        }
        after = through;
    }
}

/// Finds what differs, range by range, and makes the ledger say what the mirror holds there.
pub async fn reconcile<M: Mirror>(
    carrier: &Carrier<'_>,
    mirror: &M,
    table: &Table,
    entry: &mut Entry,
) -> Result<Differences, SyncError> {
    let mut found = Differences::default();
    let mut pages = Pages::after(&carrier.ledger, entry.id, None);
    let mut before = 0;
    while let Some((range, expected)) = pages.next_range().await? {
        carrier.stop_if_cancelled()?;
        let mirrored = digest(carrier, mirror, table, entry, &range).await?;
        let mut recorded = Digest { deleted: mirrored.deleted, ..Digest::default() };
        expected.iter().for_each(|it| recorded.add(it.hash));
        if recorded != mirrored {
            let mut rest = expected.as_slice();
            take_over(carrier, mirror, table, entry, range, |through, held| {
                let end = through.map_or(rest.len(), |it| rest.partition_point(|row| row.key.as_str() <= it));
                let (here, behind) = rest.split_at(end);
                compare(here, held, before, &mut found);
                before += here.len() as u64;
                rest = behind;
            })
            .await?;
        } else {
            before += expected.len() as u64;
        }
    }
    Ok(found)
}

/// Makes the ledger of a range say what the mirror holds.
pub async fn rebuild<M: Mirror>(
    carrier: &Carrier<'_>,
    mirror: &M,
    table: &Table,
    entry: &mut Entry,
    range: KeyRange,
) -> Result<(), SyncError> {
    take_over(carrier, mirror, table, entry, range, |_, _| ()).await
}

/// Page by page: `see` is shown each page of the mirror and the key up to which it reaches, then the ledger's part
/// of the same range is replaced by it.
async fn take_over<M: Mirror>(
    carrier: &Carrier<'_>,
    mirror: &M,
    table: &Table,
    entry: &mut Entry,
    range: KeyRange,
    mut see: impl FnMut(Option<&str>, &[Held]),
) -> Result<(), SyncError> {
    let mut after = range.after;
    loop {
        carrier.stop_if_cancelled()?;
        let rest = KeyRange { after: after.clone(), through: range.through.clone() };
        let asker = carrier.asker(format!("reading `{}` back", table.name));
        let read = async || mirror.scan(&table.name, &rest).await;
        let Page { of: held, through } = asker.ask(&mut entry.counters.retries, read).await?;
        let is_last = through.is_none();
        let through = through.or_else(|| range.through.clone());
        see(through.as_deref(), &held);
        carrier.ledger.replace(entry.id, &KeyRange { after, through: through.clone() }, &held).await?;
        if is_last {
            return Ok(());
        }
        after = through;
    }
}

fn compare(expected: &[Held], held: &[Held], before: u64, found: &mut Differences) {
    let (mut expected, mut held) = (expected.iter().peekable(), held.iter().peekable());
    let mut place = before;
    loop {
        match (expected.peek(), held.peek()) {
            (None, None) => return,
            (Some(one), Some(other)) if one.key == other.key => {
                place += 1;
                if one.hash != other.hash {
                    found.add(place);
                }
                expected.next();
                held.next();
            }
            (one, other) if other.is_none_or(|other| one.is_some_and(|one| one.key < other.key)) => {
                place += 1;
                found.add(place);
                expected.next();
            }
            _ => {
                found.add(place.max(1));
                held.next();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Differences, Held, compare};

    #[test]
    fn differences_are_counted_and_placed() {
        let rows = |text: &str| -> Vec<Held> {
            text.chars().map(|it| Held { key: it.to_lowercase().to_string(), hash: u64::from(u32::from(it)) }).collect()
        };
        for (expected, held, differences) in [
            ("abc", "abc", (0, 0, 0)),
            ("abc", "aBc", (1, 12, 12)),
            ("abc", "ac", (1, 12, 12)),
            ("ab", "abc", (1, 12, 12)),
            ("abdf", "Abcdf", (2, 11, 12)),
            ("", "a", (1, 10, 10)),
        ] {
            let mut found = Differences::default();
            compare(&rows(expected), &rows(held), 10, &mut found);
            assert_eq!((found.rows, found.first, found.last), differences, "{expected} {held}");
        }
    }
}
