//! Whether one condition implies another, by the rules of Postgres's own prover and by no others
//! ([predtest.c](https://github.com/postgres/postgres/blob/master/src/backend/optimizer/util/predtest.c), "weak":
//! what is not false on one side is not false on the other, as a `CHECK` lets NULL pass).

use std::{cell::Cell, cmp::Ordering};

use super::{
    condition::{Condition, Operator},
    value::{Standing, Value},
};
use crate::sql::data_type::DataType;

/// Comparisons of one question; what would need more is not proven.
const STEPS: u32 = 200_000;

/// The columns' types, by the subjects of conditions.
pub type Types<'t> = dyn Fn(&str) -> Option<&'t DataType> + 't;

pub fn implies(known: &Condition, wanted: &Condition, types: &Types) -> bool {
    let left = Cell::new(STEPS);
    Prover { types, left: &left }.implies(known, wanted)
}

struct Prover<'a, 't> {
    types: &'a Types<'t>,
    left: &'a Cell<u32>,
}

impl Prover<'_, '_> {
    fn implies(&self, known: &Condition, wanted: &Condition) -> bool {
        let Some(left) = self.left.get().checked_sub(1) else { return false };
        self.left.set(left);
        match (known, wanted) {
            (_, Condition::All(all)) => all.iter().all(|it| self.implies(known, it)),
            (Condition::Any(any), Condition::Any(wanted)) => {
                any.iter().all(|it| wanted.iter().any(|wanted| self.implies(it, wanted)))
            }
            (Condition::Any(any), _) => !any.is_empty() && any.iter().all(|it| self.implies(it, wanted)),
            (Condition::All(all), Condition::Any(any)) => {
                any.iter().any(|it| self.implies(known, it)) || all.iter().any(|it| self.implies(it, wanted))
            }
            (Condition::All(all), _) => all.iter().any(|it| self.implies(it, wanted)),
            (_, Condition::Any(any)) => any.iter().any(|it| self.implies(known, it)),
            (
                Condition::Compared { subject, operator, value },
                Condition::Compared { subject: other, operator: wanted, value: bound },
            ) => subject == other && follows(*operator, *wanted, self.standing(subject, value, bound)),
            (Condition::Null { .. }, Condition::Null { .. }) => known == wanted,
            _ => false,
        }
    }

    fn standing(&self, subject: &str, value: &Value, bound: &Value) -> Standing {
        value.standing(bound, (self.types)(subject))
    }
}

/// Does `x wanted bound` follow from `x operator value`, where `value` stands so to `bound`? The table
/// `BT_implic_table`.
fn follows(operator: Operator, wanted: Operator, standing: Standing) -> bool {
    use Operator::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
    let order = match standing {
        Standing::Ordered(order) => order,
        Standing::Different => return operator == Equal && wanted == NotEqual,
        Standing::Unknown => return false,
    };
    match (operator, wanted) {
        (Less, Less | LessOrEqual | NotEqual) | (LessOrEqual, LessOrEqual) => order != Ordering::Greater,
        (LessOrEqual, Less | NotEqual) => order == Ordering::Less,
        (Greater, Greater | GreaterOrEqual | NotEqual) | (GreaterOrEqual, GreaterOrEqual) => order != Ordering::Less,
        (GreaterOrEqual, Greater | NotEqual) => order == Ordering::Greater,
        (Equal, Less) => order == Ordering::Less,
        (Equal, LessOrEqual) => order != Ordering::Greater,
        (Equal, Greater) => order == Ordering::Greater,
        (Equal, GreaterOrEqual) => order != Ordering::Less,
        (Equal, NotEqual) => order != Ordering::Equal,
        (Equal, Equal) | (NotEqual, NotEqual) => order == Ordering::Equal,
        _ => false,
    }
}
