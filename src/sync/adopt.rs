//! Whether the mirror is this source's to change. A mistyped URL reads another database, or an empty one: everything
//! that the mirror holds would be changed, marked as deleted or removed. So a mirror that this source's ledger does
//! not know is compared before anything is written, on either side.

use super::{Request, SyncError, open, patience::Asker, plan::Table, source::Rows};
use crate::services::{
    mirror::{Held, Identity, KeyRange, Mirror, Page},
    postgres::Access,
};

/// What to do with a mirror that holds something else than this source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foreign {
    Refuse,
    /// Somebody said that it is right.
    Adopt,
}

/// Which database the ledger, if there is one, knows the mirror from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// This one.
    Here,
    /// One of the same server, as after a restore, or nobody remembers.
    Near,
    /// One of another server or Neon branch.
    Elsewhere,
}

/// Rows of the mirror beside those of the source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Likeness {
    same: u64,
    changed: u64,
    gone: u64,
}

/// Refuses a mirror of something else. Reads only; a mirror that the source's ledger knows is not read at all.
pub async fn assert_ours<M: Mirror>(
    request: &Request,
    mirror: &M,
    identity: &Identity,
    origin: Origin,
    tables: &[Table],
    asker: &Asker<'_>,
) -> Result<(), SyncError> {
    if request.foreign == Foreign::Adopt || origin == Origin::Here {
        return Ok(());
    }
    let refused = |reason: String| {
        Err(SyncError::Foreign { place: identity.place.clone(), environment: request.environment.clone(), reason })
    };
    let mut whole = Likeness::default();
    for table in tables {
        let found = match liken(request, mirror, table, asker).await {
            Ok(None) => continue,
            Ok(Some(_)) if origin == Origin::Elsewhere => {
                return refused(format!("`{}` in it was last written from another server or Neon branch", table.name));
            }
            Ok(Some(found)) => found,
            // Told with the table when its turn comes.
            Err(error) if error.is_of_one_table() => continue,
            Err(error) => return Err(error),
        };
        if found.gone > found.same + found.changed {
            let Likeness { gone, .. } = found;
            return refused(format!("{gone} of its {} rows of `{}` are not in this database", found.all(), table.name));
        }
        whole = whole.with(found);
    }
    let unlike = whole.changed + whole.gone;
    match unlike > whole.same {
        true => refused(format!("{unlike} of its {} rows are not in this database or differ there", whole.all())),
        false => Ok(()),
    }
}

impl Likeness {
    fn all(self) -> u64 {
        self.same + self.changed + self.gone
    }

    fn with(self, other: Self) -> Self {
        Self { same: self.same + other.same, changed: self.changed + other.changed, gone: self.gone + other.gone }
    }
}

/// `known` are databases that the ledger knows the mirror from: `system/branch/oid` on Neon, else `system/oid`.
pub fn origin(known: &[String], here: &str) -> Origin {
    if known.iter().any(|it| it == here) {
        return Origin::Here;
    }
    match known.is_empty() || known.iter().any(|it| server(it) == server(here)) {
        true => Origin::Near,
        false => Origin::Elsewhere,
    }
}

/// On Neon the branch: the host, which stands in for a system identifier that may not be read, changes with its computes.
fn server(database: &str) -> &str {
    let server = database.rsplit_once('/').map_or(database, |(server, _)| server);
    server.rsplit_once('/').map_or(server, |(_, branch)| branch)
}

/// Walks the mirror's live rows and the source's side by side; `None` when the mirror has never seen the table.
async fn liken<M: Mirror>(
    request: &Request,
    mirror: &M,
    table: &Table,
    asker: &Asker<'_>,
) -> Result<Option<Likeness>, SyncError> {
    let Some(state) = asker.ask(&mut 0, async || mirror.table(&table.name).await).await? else { return Ok(None) };
    // Hashes of different mappings say nothing.
    let is_comparable = state.mapping.version == table.mapping.version;
    // Its own session: given up half-way, it cannot be used any more.
    let session = open(request, Access::ReadOnly).await?;
    let unreadable = |source| SyncError::Read { table: table.name.clone(), source };
    let mut rows = Rows::read(&session, table, None).await.map_err(unreadable)?;
    let mut row = rows.next().await?;
    let mut found = Likeness::default();
    let mut range = KeyRange::all();
    loop {
        let Page { of, through } = asker.ask(&mut 0, async || mirror.scan(&table.name, &range).await).await?;
        for Held { key, hash } in of {
            while row.as_ref().is_some_and(|it| it.key < key) {
                row = rows.next().await?;
            }
            match row.as_ref().filter(|it| it.key == key) {
                None => found.gone += 1,
                Some(row) if is_comparable && row.hash != hash => found.changed += 1,
                Some(_) => found.same += 1,
            }
        }
        if asker.cancel.is_cancelled() {
            return Err(SyncError::Cancelled);
        }
        if through.is_none() {
            return Ok(Some(found));
        }
        range.after = through;
    }
}

#[cfg(test)]
mod tests {
    use super::{Origin, origin};

    #[test]
    fn a_mirror_is_known_from_here_from_near_or_from_elsewhere() {
        let check = |known: &[&str], here: &str, expected: Origin| {
            let known: Vec<String> = known.iter().map(|it| (*it).to_owned()).collect();
            assert_eq!(origin(&known, here), expected, "{known:?} {here}");
        };
        check(&[], "7/5", Origin::Near);
        check(&["7/5"], "7/5", Origin::Here);
        check(&["7/5"], "7/6", Origin::Near);
        check(&["7/5"], "8/5", Origin::Elsewhere);
        check(&["8/5", "7/6"], "7/5", Origin::Near);
        check(&["7/br-one/5"], "7/br-one/5", Origin::Here);
        check(&["7/br-one/5"], "7/br-two/5", Origin::Elsewhere);
        check(&["ep-one/br-one/5"], "ep-two/br-one/5", Origin::Near);
    }
}
