//! The bounds of a partition as a condition, built as Postgres builds it (`get_qual_from_partbound` in partbounds.c).

use super::{
    super::{Bound, Catalog, PartitionKey, Strategy, Table},
    condition::{Condition, Nullness, Operator, Slice, subject},
    value::{Value, literal},
};
use crate::sql;

/// What holds for every row within a bound of `parent`; `None` where no condition can say it, as of a hash.
pub fn within(catalog: &Catalog, parent: &Table, key: &PartitionKey, bound: &Bound) -> Option<Condition> {
    // A column stands there by its name, which only SQL folds.
    let subject = |key: &String| parent.column_named(key).map_or_else(|| subject(key), |it| it.name.clone());
    let keys = key.keys.iter().map(subject).collect::<Vec<_>>();
    match (key.strategy, bound) {
        (Strategy::List, Bound::In(values)) => Some(listed(keys.first()?, values)),
        (Strategy::Range, Bound::Range { from, to }) => range(&keys, from, to),
        (Strategy::List | Strategy::Range, Bound::Default) => {
            let others = parent.partitions.iter().filter(|it| parent.default_partition.as_ref() != Some(it));
            let of = |it| within(catalog, parent, key, catalog.tables.get(it)?.bound.as_ref()?);
            let others = others.map(of).collect::<Option<Vec<_>>>()?;
            (!parent.partial).then(|| Condition::Any(others).negated())
        }
        _ => None,
    }
}

/// A value of a bound; `None` for `MINVALUE` and `MAXVALUE`.
fn value(text: &str) -> Option<Value> {
    if is_unbounded(text) {
        return None;
    }
    let tokens = sql::tokens(text);
    Some(literal(Slice { text, tokens: &tokens, first: 0 }).unwrap_or_else(|| Value::written(&subject(text))))
}

fn is_unbounded(text: &str) -> bool {
    ["minvalue", "maxvalue"].iter().any(|it| text.trim().eq_ignore_ascii_case(it))
}

fn is_not_null(key: &str) -> Condition {
    Condition::Null { subject: key.to_owned(), is: Nullness::NotNull }
}

fn listed(key: &str, values: &[String]) -> Condition {
    let values = values.iter().filter_map(|it| value(it)).collect::<Vec<_>>();
    let takes_null = values.iter().any(Value::is_null);
    let equal = |value| Condition::Compared { subject: key.to_owned(), operator: Operator::Equal, value };
    let any = Condition::Any(values.into_iter().filter(|it| !it.is_null()).map(equal).collect());
    if takes_null {
        let null = Condition::Null { subject: key.to_owned(), is: Nullness::Null };
        return Condition::Any(vec![null, any]);
    }
    Condition::All(vec![is_not_null(key), any])
}

/// Every key is not null; those that begin both bounds alike are equal; the rest is between.
fn range(keys: &[String], from: &[String], to: &[String]) -> Option<Condition> {
    if keys.len() != from.len() || keys.len() != to.len() {
        return None;
    }
    let compared = |at: usize, operator, value: &Value| Condition::Compared {
        subject: keys[at].clone(),
        operator,
        value: value.clone(),
    };
    let mut all = keys.iter().map(|it| is_not_null(it)).collect::<Vec<_>>();
    let (from, to) = (from.iter().map(|it| value(it)), to.iter().map(|it| value(it)));
    let (from, to) = (from.collect::<Vec<_>>(), to.collect::<Vec<_>>());
    let alike = from.iter().zip(&to).take_while(|(from, to)| from.is_some() && from == to).count();
    all.extend((0..alike).filter_map(|at| Some(compared(at, Operator::Equal, from[at].as_ref()?))));
    for (bounds, beyond, reached) in
        [(&from, Operator::Greater, Operator::GreaterOrEqual), (&to, Operator::Less, Operator::Less)]
    {
        let mut arms = Vec::new();
        for last in alike..keys.len() {
            let Some(value) = &bounds[last] else { break };
            let mut arm = (alike..last)
                .filter_map(|at| Some(compared(at, Operator::Equal, bounds[at].as_ref()?)))
                .collect::<Vec<_>>();
            // Behind it everything belongs, or it is the last key.
            let open = bounds.get(last + 1).is_some_and(Option::is_none);
            let operator = match (beyond, open) {
                (Operator::Less, true) => Operator::LessOrEqual,
                (_, true) => Operator::GreaterOrEqual,
                (_, false) if last + 1 == keys.len() => reached,
                (_, false) => beyond,
            };
            arm.push(compared(last, operator, value));
            arms.push(Condition::All(arm));
        }
        if !arms.is_empty() {
            all.push(Condition::Any(arms));
        }
    }
    Some(Condition::All(all))
}
