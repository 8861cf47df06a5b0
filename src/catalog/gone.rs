//! What was there, and is there no more: dropped, renamed or moved for certain.

use super::{Catalog, Origin};
use crate::sql::{
    Change, Statement,
    change::{ActionKind, ObjectAction, ObjectKind},
    names::{Ident, ObjectName},
};

/// What shares its names with the others of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Namespace {
    /// Tables, views, indexes, sequences.
    Relation,
    Type,
    Routine,
    Schema,
}

/// How something went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gone {
    /// What it is called since; `None`: it was dropped.
    pub renamed: Option<ObjectName>,
    /// [`Catalog::migration`] has its name.
    pub migration: usize,
}

/// Something that a statement may take away.
pub(super) type Candidate = (Namespace, ObjectName, Option<ObjectName>);

impl Catalog {
    /// How what a name means went; `None` also where it is not certain that nothing has this name.
    pub fn gone(&self, space: Namespace, name: &ObjectName) -> Option<&Gone> {
        if self.gone.is_empty() {
            return None;
        }
        let resolved = self.resolved(name);
        let gone = self.gone.get(&(space, resolved.clone().into_owned()))?;
        // Where nobody says a schema, the database may be set to look into others.
        let elsewhere = || name.parts.len() == 1 && space != Namespace::Schema && self.is_known_somewhere(name.last());
        (!self.doubted.contains(&*resolved) && !self.is_known(space, &resolved) && !elsewhere()).then_some(gone)
    }

    fn is_known(&self, space: Namespace, name: &ObjectName) -> bool {
        match space {
            Namespace::Relation => self.tables.contains_key(name) || self.relation(name).is_some(),
            Namespace::Type => self.tables.contains_key(name) || self.type_like(name).is_some(),
            Namespace::Routine => self.routines.contains_key(name),
            Namespace::Schema => self.schemas.contains_key(name.last()),
        }
    }

    fn is_known_somewhere(&self, last: &str) -> bool {
        let is_it = |it: &ObjectName| it.last() == last;
        self.tables.keys().any(is_it)
            || self.views.keys().any(is_it)
            || self.indexes.keys().any(is_it)
            || self.sequences.keys().any(is_it)
            || self.types.keys().any(is_it)
            || self.routines.keys().any(is_it)
    }

    /// What a statement may take away and is there for all that is known. What a file makes and drops itself is mostly
    /// a script's both ways, or an example.
    pub(super) fn mortal(&self, statement: &Statement, origin: Origin) -> Vec<Candidate> {
        if !origin.certain {
            return Vec::new();
        }
        let mut candidates = self.named_by(statement);
        candidates.retain(|(space, name, renamed)| {
            let known = match space {
                Namespace::Relation => self.relation(name).map(|it| it.1),
                Namespace::Type => self.types.get(name).map(|it| it.origin),
                Namespace::Routine => self.routines.get(name).and_then(|it| it.first()).map(|it| it.origin),
                Namespace::Schema => self.schemas.get(name.last()).copied(),
            };
            known.is_some_and(|it| renamed.is_some() || it.migration != origin.migration)
        });
        candidates
    }

    /// Those of them that are gone.
    pub(super) fn bury(&mut self, candidates: Vec<Candidate>, origin: Origin) {
        for (space, name, renamed) in candidates {
            if !self.is_known(space, &name) {
                self.gone.insert((space, name), Gone { renamed, migration: origin.migration });
            }
        }
    }

    /// What a statement makes is no longer gone, whatever becomes of it.
    pub(super) fn unearth(&mut self, statement: &Statement) {
        if self.gone.is_empty() {
            return;
        }
        let with_beside = |name: &ObjectName| {
            let name = self.resolve(name);
            let beside = self.beside(&name);
            std::iter::once(name).chain(beside.into_iter().map(|it| it.1)).collect()
        };
        let made = match &statement.change {
            Change::CreateTable(new) => with_beside(&new.name),
            Change::AlterTable(alter) => with_beside(&alter.table),
            Change::CreateIndex(new) => with_beside(&new.table),
            Change::CreateView(new) => vec![self.resolve(&new.name)],
            Change::CreateType(new) => vec![self.resolve(&new.name)],
            Change::CreateRoutine(new) => vec![self.resolve(&new.name)],
            Change::CreateSequence { name, .. } => vec![self.resolve(name)],
            Change::CreateSchema { name: Some(name), .. } => vec![ObjectName::of(name.clone())],
            _ => Vec::new(),
        };
        let renamed = self.named_by(statement).into_iter().filter_map(|it| it.2);
        for name in made.into_iter().chain(renamed) {
            for space in [Namespace::Relation, Namespace::Type, Namespace::Routine, Namespace::Schema] {
                if self.is_known(space, &name) {
                    self.gone.remove(&(space, name.clone()));
                }
            }
        }
    }

    fn named_by(&self, statement: &Statement) -> Vec<Candidate> {
        match &statement.change {
            Change::Drop(drop) if drop.on.is_none() => {
                let Some(space) = namespace(drop.kind) else { return Vec::new() };
                let names =
                    drop.names.iter().map(|it| if space == Namespace::Schema { it.clone() } else { self.resolve(it) });
                let names = names.collect::<Vec<_>>();
                let beside = names.iter().filter(|_| space == Namespace::Relation).flat_map(|it| self.beside(it));
                let beside = beside.collect::<Vec<_>>();
                names.into_iter().map(|it| (space, it, None)).chain(beside).collect()
            }
            Change::AlterTable(alter) => {
                let name = self.resolve(&alter.table);
                let went = alter.actions.iter().flat_map(|it| match &it.kind {
                    ActionKind::RenameTable { to } => {
                        vec![(Namespace::Relation, name.clone(), Some(called(&name, to)))]
                    }
                    ActionKind::SetSchema { to } => vec![(Namespace::Relation, name.clone(), Some(moved(&name, to)))],
                    ActionKind::DropColumn { .. } | ActionKind::DropConstraint { .. } => self.beside(&name),
                    _ => Vec::new(),
                });
                went.collect()
            }
            Change::AlterObject(alter) if alter.on.is_none() => {
                let (Some(name), Some(space)) = (&alter.name, namespace(alter.kind)) else { return Vec::new() };
                let name = if space == Namespace::Schema { name.clone() } else { self.resolve(name) };
                let new = match &alter.action {
                    ObjectAction::Rename { to } => called(&name, to),
                    ObjectAction::SetSchema { to } => moved(&name, to),
                    _ => return Vec::new(),
                };
                vec![(space, name, Some(new))]
            }
            _ => Vec::new(),
        }
    }

    /// Indexes and sequences that may go with a table or with a part of it.
    fn beside(&self, table: &ObjectName) -> Vec<Candidate> {
        let indexes = self.indexes_on(table).into_iter().map(|it| it.name.clone());
        let sequences = self.sequences.linked_to(table).map(|(name, _)| name.clone());
        indexes.chain(sequences).map(|it| (Namespace::Relation, it, None)).collect()
    }
}

fn called(name: &ObjectName, to: &Ident) -> ObjectName {
    let schema = name.parts.split_last().map_or(&[][..], |(_, schema)| schema);
    ObjectName { parts: schema.iter().chain([to]).cloned().collect() }
}

fn moved(name: &ObjectName, to: &Ident) -> ObjectName {
    let last = name.parts.last().cloned().unwrap_or_default();
    ObjectName { parts: [to.clone(), last].into() }
}

/// Where things of this kind have their names; `None` for those that are not looked at.
pub fn namespace(kind: ObjectKind) -> Option<Namespace> {
    match kind {
        ObjectKind::Table
        | ObjectKind::ForeignTable
        | ObjectKind::View
        | ObjectKind::MaterializedView
        | ObjectKind::Index
        | ObjectKind::Sequence => Some(Namespace::Relation),
        ObjectKind::Type | ObjectKind::Domain => Some(Namespace::Type),
        ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Routine => Some(Namespace::Routine),
        ObjectKind::Schema => Some(Namespace::Schema),
        _ => None,
    }
}
