//! What checks prove and what not.

use super::{
    Place, Proof,
    condition::{self, Condition, Nullness},
    implication,
};
use crate::{
    catalog::{Catalog, Origin, Release, replay},
    sql::{self, Change, change::ActionKind},
};

#[test]
fn a_check_proves_not_null_exactly_when_postgres_says_so() {
    let cases = [
        ("email is not null", true),
        ("EMAIL IS NOT NULL", true),
        ("email notnull", true),
        ("(email is not null)", true),
        ("((email) is not null)", true),
        ("\"email\" is not null", true),
        ("not email is null", true),
        ("not (email is null)", true),
        ("email is distinct from null", true),
        ("email is not null and length(email) > 3", true),
        ("length(email) > 3 and (email is not null)", true),
        ("(a > 0 or b > 0) and email is not null", true),
        ("email is not null and a between 1 and 2", true),
        ("a between 1 and 2 and email is not null", true),
        ("email is not null or deleted", false),
        ("deleted or a and email is not null", false),
        ("not (email is not null)", false),
        ("email is null", false),
        ("length(email) > 0", false),
        ("case when a and email is not null then true end", false),
        ("a between 1 and email is not null", false),
        ("(email || name) is not null", false),
        ("email = name is not null", false),
        ("other is not null", false),
    ];
    let wanted = Condition::Null { subject: "email".to_owned(), is: Nullness::NotNull };
    for (expression, expected) in cases {
        let known = condition::read(expression);
        assert_eq!(implication::implies(&known, &wanted, &|_| None), expected, "{expression}");
    }
}

/// Is the table `t` that the last statement attaches, or creates a sibling of, spared?
fn spared(history: &str) -> bool {
    let statements = sql::read(history);
    let mut catalog = Catalog::default();
    let origin = Origin { release: Release::History, migration: 0, certain: true };
    let (last, before) = statements.split_last().expect("a statement");
    before.iter().for_each(|it| replay(&mut catalog, it, origin));
    let (parent, bound, place) = match &last.change {
        Change::AlterTable(alter) => match &alter.actions[0].kind {
            ActionKind::AttachPartition { bound, .. } => (&alter.table, bound, Place::Within),
            other => panic!("{other:?}"),
        },
        Change::CreateTable(new) => {
            let of = new.partition_of.as_ref().expect("a partition");
            (&of.parent, &of.bound, Place::Outside)
        }
        other => panic!("{other:?}"),
    };
    let table = catalog.tables.values().find(|it| it.name.last() == "t").expect("t");
    let proof = catalog.proof_of_place(table, parent, &super::super::Bound::of(bound), place);
    !matches!(proof, Proof::None)
}

#[test]
fn a_check_spares_the_reading_exactly_when_it_implies_the_bounds() {
    let cases = include_str!("../../../fixtures/catalog/bounds.txt").lines().filter(|it| !it.starts_with('#'));
    for case in cases {
        let [what, data_type, key, check, bounds, expected] =
            case.split(" | ").collect::<Vec<_>>().try_into().expect("six parts");
        let parent = format!("create table p (a {data_type}, b int) partition by {key};");
        let (history, nullable) = match what {
            "attached" => {
                let with = |null: &str| {
                    format!(
                        "{parent} create table t (a {data_type}{null}, b int, constraint fits check ({check}));\n\
                         alter table p attach partition t for values {bounds};"
                    )
                };
                (with(" not null"), Some(with("")))
            }
            _ => {
                let rest = format!("create table t partition of p default; alter table t add check ({check});");
                (format!("{parent} {rest} create table n partition of p for values {bounds};"), None)
            }
        };
        assert_eq!(spared(&history), expected == "spared", "{history}");
        assert!(!nullable.is_some_and(|it| spared(&it)), "{case}");
    }
}

#[test]
fn a_new_default_partition_is_spared_when_a_check_excludes_all_others() {
    let attach = |check: &str| {
        format!(
            "create table p (a int not null) partition by list (a); create table p1 partition of p for values in (1);\n\
             create table p2 partition of p for values in (2); create table t (a int not null);\n\
             alter table t add constraint misses check ({check}); alter table p attach partition t default;"
        )
    };
    assert!(spared(&attach("a not in (1, 2)")));
    assert!(spared(&attach("a > 2")));
    assert!(!spared(&attach("a <> 1")));
}

#[test]
fn a_part_of_a_part_must_be_within_both() {
    let attach = |check: &str| {
        format!(
            "create table p (a int not null, b int not null) partition by list (a);\n\
             create table q partition of p for values in (1) partition by list (b);\n\
             create table t (a int not null, b int not null);\n\
             alter table t add constraint fits check ({check}); alter table q attach partition t for values in (2);"
        )
    };
    assert!(spared(&attach("a = 1 and b = 2")));
    assert!(!spared(&attach("b = 2")));
}

#[test]
fn deep_and_long_checks_end() {
    let deep = format!("{}a is not null{}", "(a > 1 and ".repeat(3000), ")".repeat(3000));
    let known = condition::read(&deep);
    let long = (0..3000).map(|it| it.to_string()).collect::<Vec<_>>().join(",");
    let known = Condition::All(vec![known, condition::read(&format!("a in ({long})"))]);
    let wanted = condition::read(&format!("a in ({long}, 'x')"));
    implication::implies(&known, &wanted, &|_| None);
}
