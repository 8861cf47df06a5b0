//! What a map remembers of links, beside those that there are.

use super::*;
use crate::sql::names::Ident;

/// Something that points to objects.
#[derive(Debug, Clone)]
struct Pointing(Vec<ObjectName>);

impl Links for Pointing {
    fn targets(&self) -> impl Iterator<Item = &ObjectName> {
        self.0.iter()
    }

    fn parts(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(ObjectName::last)
    }
}

fn name(text: &str) -> ObjectName {
    let parts = text.split('.').map(|it| Ident { name: it.to_owned(), ..Ident::default() });
    ObjectName { parts: parts.collect() }
}

fn linked(entries: &[(&str, &[&str])]) -> Linked<Pointing> {
    let mut linked = Linked::default();
    linked.extend(entries.iter().map(|(of, to)| (name(of), Pointing(to.iter().map(|it| name(it)).collect()))));
    linked
}

#[track_caller]
fn check(linked: &Linked<Pointing>, target: &str, expected: &[&str]) {
    let found = linked.linked_to(&name(target)).map(|(name, _)| name.to_string()).collect::<Vec<_>>();
    assert_eq!(found, expected, "what points to {target}");
}

#[test]
fn those_that_point_to_an_object_are_found_in_order() {
    let linked = linked(&[("b", &["t"]), ("a", &["t", "u"]), ("c", &["u"])]);
    check(&linked, "t", &["a", "b"]);
    check(&linked, "public.u", &["a", "c"]);
    check(&linked, "v", &[]);
}

#[test]
fn a_change_that_points_elsewhere_is_found_there() {
    let mut linked = linked(&[("a", &["t"])]);
    linked.get_mut(&name("a")).expect("it is there").0.push(name("u"));
    check(&linked, "u", &["a"]);
    linked.change_linked_to(&name("u"), |it| it.0 = vec![name("v")]);
    check(&linked, "v", &["a"]);
    assert_eq!(linked.with_part("v").count(), 1);
}

#[test]
fn what_is_removed_is_found_no_more() {
    let mut linked = linked(&[("a", &["t"]), ("b", &["t"]), ("s.c", &["t"])]);
    linked.remove(&name("a"));
    check(&linked, "t", &["b", "s.c"]);
    linked.remove_in_schema("s", |_| true);
    check(&linked, "t", &["b"]);
    assert_eq!(linked.take_linked_to(&name("t"), |_| true).len(), 1);
    check(&linked, "t", &[]);
    assert!(linked.by_target.is_empty() && linked.by_part.is_empty());
}

#[test]
fn a_schema_ends_where_the_next_begins() {
    let linked = linked(&[("a.z", &[]), ("b.a", &[]), ("b.z", &[]), ("ba.a", &[]), ("x", &[])]);
    let found = linked.in_schema("b").map(|(name, _)| name.to_string()).collect::<Vec<_>>();
    assert_eq!(found, ["b.a", "b.z"]);
    assert_eq!(linked.in_schema("public").count(), 1);
}

#[test]
fn whether_there_is_something_temporary_is_known_at_all_times() {
    let mut linked = linked(&[("pg_temp.a", &[]), ("pg_temp.a", &["t"]), ("a", &[])]);
    assert!(linked.has_temporary());
    linked.get_mut(&name("pg_temp.a")).expect("it is there").0.clear();
    linked.remove(&name("a"));
    assert!(linked.has_temporary());
    linked.remove_in_schema("pg_temp", |_| true);
    assert!(!linked.has_temporary());
}
