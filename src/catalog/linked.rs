//! Objects by name that are also found by what they point to, so that a question about one table does not walk all.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap},
    ops::{Deref, DerefMut},
    sync::Arc,
};

use super::{Shared, TEMPORARY, in_schema};
use crate::sql::names::ObjectName;

/// What an object points to, and what it holds that has a name of its own.
pub trait Links {
    /// Objects that it names: the table of an index, what a foreign key references.
    fn targets(&self) -> impl Iterator<Item = &ObjectName>;

    /// Names of its parts that others must not take: a table's constraints.
    fn parts(&self) -> impl Iterator<Item = &str> {
        std::iter::empty()
    }
}

/// A map that is read like a [`BTreeMap`]. What it remembers of links may be more than there are, never less:
/// whoever asks by a link looks at the object again.
///
/// A copy shares all objects until one of both changes them: what a transaction rolls back is gone back to.
#[derive(Debug, Clone)]
pub struct Linked<V> {
    entries: Shared<BTreeMap<ObjectName, Arc<V>>>,
    /// Sorted lists: nearly all are short.
    by_target: Shared<HashMap<ObjectName, Arc<Vec<ObjectName>>>>,
    by_part: Shared<HashMap<String, Arc<Vec<ObjectName>>>>,
    /// How many are the session's own.
    temporary: usize,
}

impl<V> Default for Linked<V> {
    fn default() -> Self {
        let (entries, by_target, by_part) = Default::default();
        Self { entries, by_target, by_part, temporary: 0 }
    }
}

impl<V> Linked<V> {
    pub fn get(&self, name: &ObjectName) -> Option<&V> {
        self.entries.get(name).map(|it| &**it)
    }

    pub fn contains_key(&self, name: &ObjectName) -> bool {
        self.entries.contains_key(name)
    }

    /// All of them, in order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&ObjectName, &V)> {
        self.entries.iter().map(|(name, it)| (name, &**it))
    }

    pub fn keys(&self) -> impl Iterator<Item = &ObjectName> {
        self.entries.keys()
    }

    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.entries.values().map(|it| &**it)
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl<V: Links + Clone> Linked<V> {
    /// Those that may point to an object, in order of their names.
    pub fn linked_to(&self, target: &ObjectName) -> impl Iterator<Item = (&ObjectName, &V)> {
        let names = self.by_target.get(target).into_iter().flat_map(|it| it.iter());
        names.filter_map(|name| self.entries.get_key_value(name)).map(|(name, it)| (name, &**it))
    }

    /// Those that may have a part of this name.
    pub fn with_part(&self, part: &str) -> impl Iterator<Item = &V> {
        self.by_part.get(part).into_iter().flat_map(|it| it.iter()).filter_map(|name| self.get(name))
    }

    /// Those of one schema.
    pub fn in_schema(&self, schema: &str) -> impl Iterator<Item = (&ObjectName, &V)> {
        let first = in_schema(&ObjectName::default(), schema);
        let all = self.entries.range(first..).take_while(move |(name, _)| name.schema() == schema);
        all.map(|(name, it)| (name, &**it))
    }

    pub fn insert(&mut self, name: ObjectName, value: V) -> Option<V> {
        self.learn(&name, &value);
        let temporary = name.schema() == TEMPORARY;
        let replaced = self.entries.insert(name, Arc::new(value));
        self.temporary += usize::from(temporary && replaced.is_none());
        replaced.map(Arc::unwrap_or_clone)
    }

    pub fn remove(&mut self, name: &ObjectName) -> Option<V> {
        let value = self.entries.remove(name)?;
        self.temporary -= usize::from(name.schema() == TEMPORARY);
        for target in value.targets() {
            forget(&mut self.by_target, target, name);
        }
        for part in value.parts() {
            forget(&mut self.by_part, part, name);
        }
        Some(Arc::unwrap_or_clone(value))
    }

    /// Whether any is of the session's own schema.
    pub fn has_temporary(&self) -> bool {
        self.temporary > 0
    }

    pub fn get_mut(&mut self, name: &ObjectName) -> Option<Change<'_, V>> {
        let name = self.entries.get_key_value(name)?.0.clone();
        Some(Change { of: self, name })
    }

    /// Changes those that may point to an object.
    pub fn change_linked_to(&mut self, target: &ObjectName, mut change: impl FnMut(&mut V)) {
        let names = self.linked_to(target).map(|(name, _)| name.clone()).collect::<Vec<_>>();
        names.iter().filter_map(|it| self.get_mut(it).map(|mut it| change(&mut it))).count();
    }

    /// Takes out those that may point to an object and of which `goes` says that they go.
    pub fn take_linked_to(&mut self, target: &ObjectName, goes: impl Fn(&V) -> bool) -> Vec<(ObjectName, V)> {
        let gone = self.linked_to(target).filter(|(_, it)| goes(it)).map(|(name, _)| name.clone());
        let gone = gone.collect::<Vec<_>>();
        gone.into_iter().filter_map(|name| self.remove(&name).map(|it| (name, it))).collect()
    }

    /// Takes out those of one schema of which `goes` says that they go.
    pub fn remove_in_schema(&mut self, schema: &str, goes: impl Fn(&V) -> bool) {
        let gone = self.in_schema(schema).filter(|(_, it)| goes(it)).map(|(name, _)| name.clone());
        gone.collect::<Vec<_>>().iter().for_each(|it| drop(self.remove(it)));
    }

    fn learn(&mut self, name: &ObjectName, value: &V) {
        for target in value.targets() {
            match self.by_target.get_mut(target) {
                Some(names) => remember(names, name),
                None => {
                    self.by_target.insert(target.clone(), Arc::new(vec![name.clone()]));
                }
            }
        }
        for part in value.parts() {
            match self.by_part.get_mut(part) {
                Some(names) => remember(names, name),
                None => {
                    self.by_part.insert(part.to_owned(), Arc::new(vec![name.clone()]));
                }
            }
        }
    }
}

impl<V: Links + Clone> Extend<(ObjectName, V)> for Linked<V> {
    fn extend<T: IntoIterator<Item = (ObjectName, V)>>(&mut self, entries: T) {
        entries.into_iter().for_each(|(name, value)| drop(self.insert(name, value)));
    }
}

fn remember(names: &mut Arc<Vec<ObjectName>>, name: &ObjectName) {
    if let Err(at) = names.binary_search(name) {
        Arc::make_mut(names).insert(at, name.clone());
    }
}

fn forget<K: std::hash::Hash + Eq + std::borrow::Borrow<Q>, Q: std::hash::Hash + Eq + ?Sized>(
    links: &mut HashMap<K, Arc<Vec<ObjectName>>>,
    of: &Q,
    name: &ObjectName,
) {
    if let Some(names) = links.get_mut(of) {
        if let Ok(at) = names.binary_search(name) {
            Arc::make_mut(names).remove(at);
        }
        if names.is_empty() {
            links.remove(of);
        }
    }
}

/// An object while it is changed; where it points then is learnt when this goes.
pub struct Change<'a, V: Links + Clone> {
    of: &'a mut Linked<V>,
    name: ObjectName,
}

impl<V: Links + Clone> Deref for Change<'_, V> {
    type Target = V;

    fn deref(&self) -> &V {
        &self.of.entries[&self.name]
    }
}

impl<V: Links + Clone> DerefMut for Change<'_, V> {
    fn deref_mut(&mut self) -> &mut V {
        let entry = self.of.entries.get_mut(&self.name);
        Arc::make_mut(entry.expect("it was there when the change began, and only the change holds it"))
    }
}

impl<V: Links + Clone> Drop for Change<'_, V> {
    fn drop(&mut self) {
        if let Some(value) = self.of.entries.get(&self.name).map(Arc::clone) {
            self.of.learn(&self.name, &value);
        }
    }
}

/// Puts one more into a list that mostly stays short: by itself a list's first room is for four, and then doubles.
pub(super) fn push<T>(all: &mut Vec<T>, it: T) {
    if all.len() == all.capacity() {
        all.reserve_exact(1 + all.len() / 4);
    }
    all.push(it);
}

/// What stands on one object: a trigger, a policy, a grant.
pub trait Stands {
    fn stands_on(&self) -> &ObjectName;
}

/// Things that stand on objects, by those.
#[derive(Debug, Clone)]
pub struct Standing<T> {
    by_object: Shared<BTreeMap<ObjectName, Arc<Vec<T>>>>,
}

impl<T> Default for Standing<T> {
    fn default() -> Self {
        Self { by_object: Shared::default() }
    }
}

impl<T: Stands + Clone> Standing<T> {
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.by_object.values().flat_map(|it| it.iter())
    }

    /// Those on one object, in the order in which they came.
    pub fn on(&self, object: &ObjectName) -> &[T] {
        self.by_object.get(object).map_or(&[], |it| it.as_slice())
    }

    /// The same, to change; not what they stand on.
    pub fn on_mut(&mut self, object: &ObjectName) -> &mut [T] {
        self.by_object.get_mut(object).map_or(&mut [], |it| Arc::make_mut(it).as_mut_slice())
    }

    /// All of them, to change; not what they stand on.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.by_object.values_mut().flat_map(|it| Arc::make_mut(it).iter_mut())
    }

    pub fn push(&mut self, it: T) {
        push(Arc::make_mut(self.by_object.entry(it.stands_on().clone()).or_default()), it);
    }

    pub fn retain_on(&mut self, object: &ObjectName, stays: impl Fn(&T) -> bool) {
        if let Some(all) = self.by_object.get_mut(object) {
            Arc::make_mut(all).retain(stays);
            if all.is_empty() {
                self.by_object.remove(object);
            }
        }
    }

    /// Takes out all that stand on one object.
    pub fn take_on(&mut self, object: &ObjectName) -> Vec<T> {
        self.by_object.remove(object).map(Arc::unwrap_or_clone).unwrap_or_default()
    }

    pub fn remove_in_schema(&mut self, schema: &str) {
        let first = in_schema(&ObjectName::default(), schema);
        let names = self.by_object.range(first..).map(|(name, _)| name).take_while(|it| it.schema() == schema);
        names.cloned().collect::<Vec<_>>().iter().for_each(|it| std::mem::drop(self.by_object.remove(it)));
    }
}

impl<T: Stands + Clone> Extend<T> for Standing<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, all: I) {
        all.into_iter().for_each(|it| self.push(it));
    }
}
