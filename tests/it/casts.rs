//! What a change of type costs, against `pg_cast` of the server that is there.

use liftlock::{
    catalog::Catalog,
    lint::types::{Cost, change_cost, read},
};

use crate::support;

/// Each cast that Postgres has between two types: one that keeps the bits costs nothing, any other a rewrite.
#[tokio::test]
async fn a_type_change_is_free_exactly_where_pg_cast_keeps_the_bits() {
    let database = support::database("casts").await;
    let session = database.session().await;
    // `bit` and `character` without a length are `bit(1)` and `bpchar`: the first of them cannot be written.
    let sql = "select replace(format_type(castsource, null), 'character', 'bpchar'), \
               replace(format_type(casttarget, null), 'character', 'bpchar'), castmethod = 'b' \
               from pg_cast where castsource <> casttarget and casttarget <> 'bit'::regtype \
               and castsource <> 'character varying'::regtype and casttarget <> 'character varying'::regtype";
    let casts = session.query(sql, &[]).await.unwrap();
    assert!(casts.len() > 100, "the server has casts: {}", casts.len());
    let mut wrong = Vec::new();
    for cast in &casts {
        let (source, target, kept): (String, String, bool) = (cast.get(0), cast.get(1), cast.get(2));
        let cost = change_cost(&Catalog::default(), &read(&source), &read(&target));
        // These two look at the session's time zone, not only at `pg_cast`.
        let free = matches!(cost, Cost::Nothing) || (!kept && cost == Cost::NothingUnderUtc);
        if free != kept && cost != Cost::NothingUnderUtc {
            wrong.push(format!("{source} to {target}: we say {cost:?}, pg_cast keeps the bits: {kept}"));
        }
    }
    session.close().await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The functions that we take for volatile are those that the server takes for volatile, by name.
#[tokio::test]
async fn a_default_gives_each_row_its_own_value_exactly_where_pg_proc_says_volatile() {
    let database = support::database("volatility").await;
    let session = database.session().await;
    let sql = "select proname::text, bool_or(provolatile = 'v') from pg_proc \
               where pronamespace = 'pg_catalog'::regnamespace and prokind = 'f' and prorettype not in \
               ('trigger'::regtype, 'event_trigger'::regtype, 'internal'::regtype, 'void'::regtype) group by 1";
    let functions = session.query(sql, &[]).await.unwrap();
    let mut wrong = Vec::new();
    for function in &functions {
        let (name, volatile): (String, bool) = (function.get(0), function.get(1));
        if let Some(ours) = liftlock::lint::volatility::is_volatile(&name)
            && ours != volatile
        {
            wrong.push(format!("{name}: we say volatile = {ours}, the server {volatile}"));
        }
    }
    session.close().await;
    assert!(functions.len() > 1000 && wrong.is_empty(), "{}", wrong.join("\n"));
}
