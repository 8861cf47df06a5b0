//! Which rows the partitions of a table hold, so that a new one that would hold the same is found without asking each.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};

use super::Bound;
use crate::sql::names::ObjectName;

/// The bounds of one table's partitions, as far as they compare by themselves.
#[derive(Debug, Clone, Default)]
pub struct Bounds {
    /// By where they begin.
    ranges: BTreeMap<Vec<Value>, (Vec<Value>, ObjectName)>,
    values: HashMap<String, ObjectName>,
    /// Modulus and remainder.
    hashes: Vec<(u32, u32, ObjectName)>,
}

/// A bound that compares by itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Value {
    Least,
    Number(i64),
    /// `2025-01-31` or `2025-01-31 12:30:00`, as numbers.
    Moment([u32; 6]),
    Greatest,
}

impl Bounds {
    pub fn insert(&mut self, bound: &Bound, of: &ObjectName) {
        match bound {
            Bound::Default => {}
            Bound::In(values) => {
                for it in values {
                    self.values.entry(it.clone()).or_insert_with(|| of.clone());
                }
            }
            Bound::Range { from, to } => {
                if let (Some(from), Some(to)) = (values(from), values(to)) {
                    self.ranges.entry(from).or_insert_with(|| (to, of.clone()));
                }
            }
            Bound::Hash { modulus, remainder } => {
                let numbers = modulus.parse().ok().zip(remainder.parse().ok());
                self.hashes.extend(numbers.map(|(modulus, remainder)| (modulus, remainder, of.clone())));
            }
        }
    }

    /// What a partition holds, when it goes.
    pub fn remove(&mut self, bound: &Bound, of: &ObjectName) {
        match bound {
            Bound::Default => {}
            Bound::In(values) => {
                for it in values.iter().filter(|it| self.values.get(*it) == Some(of)).cloned().collect::<Vec<_>>() {
                    self.values.remove(&it);
                }
            }
            Bound::Range { from, .. } => {
                if let Some(from) = values(from).filter(|it| self.ranges.get(it).is_some_and(|(_, own)| own == of)) {
                    self.ranges.remove(&from);
                }
            }
            Bound::Hash { .. } => self.hashes.retain(|(_, _, own)| own != of),
        }
    }

    /// A partition that certainly holds rows that these bounds let in, too.
    pub fn meeting(&self, bound: &Bound) -> Option<&ObjectName> {
        match bound {
            Bound::Default => None,
            Bound::In(values) => values.iter().find_map(|it| self.values.get(it)),
            Bound::Range { from, to } => {
                let (from, to) = (values(from)?, values(to)?);
                // They do not meet each other, so the last that begins before the end reaches furthest.
                let (start, (end, name)) = self.ranges.range(..to.clone()).next_back()?;
                (alike(&[start, end, &from, &to]) && from < *end).then_some(name)
            }
            Bound::Hash { modulus, remainder } => {
                let (modulus, remainder): (u32, u32) = (modulus.parse().ok()?, remainder.parse().ok()?);
                let meets = |of: u32, rest: u32| {
                    let (less, more) = (of.min(modulus), of.max(modulus));
                    less > 0 && more % less == 0 && rest % less == remainder % less
                };
                self.hashes.iter().find(|it| meets(it.0, it.1)).map(|it| &it.2)
            }
        }
    }
}

impl Bound {
    /// A range that ends where it begins, or before.
    pub fn holds_nothing(&self) -> bool {
        let Self::Range { from, to } = self else { return false };
        let (Some(from), Some(to)) = (values(from), values(to)) else { return false };
        alike(&[&from, &to]) && from >= to
    }
}

/// Behind `MINVALUE` and `MAXVALUE` nothing counts (`partition_rbound_cmp` in partbounds.c).
fn values(texts: &[String]) -> Option<Vec<Value>> {
    let mut values = Vec::new();
    for text in texts {
        let value = value(text)?;
        let ends = matches!(value, Value::Least | Value::Greatest);
        values.push(value);
        if ends {
            break;
        }
    }
    Some(values)
}

fn value(text: &str) -> Option<Value> {
    match text {
        it if it.eq_ignore_ascii_case("minvalue") => Some(Value::Least),
        it if it.eq_ignore_ascii_case("maxvalue") => Some(Value::Greatest),
        it => it.parse().ok().map(Value::Number).or_else(|| moment(it).map(Value::Moment)),
    }
}

/// A literal without a time zone, which only the session would know.
fn moment(text: &str) -> Option<[u32; 6]> {
    let inside = text.strip_prefix('\'')?.strip_suffix('\'')?;
    let form = inside.bytes().map(|it| if it.is_ascii_digit() { b'0' } else { it }).collect::<Vec<_>>();
    let known: [&[u8]; 3] = [b"0000-00-00", b"0000-00-00 00:00:00", b"0000-00-00T00:00:00"];
    if !known.contains(&form.as_slice()) {
        return None;
    }
    let mut numbers = [0; 6];
    let written = inside.split(['-', ' ', 'T', ':']).map(str::parse);
    for (number, written) in numbers.iter_mut().zip(written) {
        *number = written.ok()?;
    }
    Some(numbers)
}

/// Whether all that stands at the same place is of one kind, so that comparing means something.
fn alike(all: &[&Vec<Value>]) -> bool {
    let longest = all.iter().map(|it| it.len()).max().unwrap_or_default();
    (0..longest).all(|at| {
        let finite = all.iter().filter_map(|it| it.get(at)).filter(|it| !matches!(it, Value::Least | Value::Greatest));
        let kinds = finite.map(std::mem::discriminant).collect::<Vec<_>>();
        kinds.windows(2).all(|it| it[0] == it[1])
    })
}
