//! Types, routines, rules; and `ALTER` of anything but a table.

use std::sync::Arc;

use super::{
    super::{Catalog, Constraint, Origin, Release, Routine, Table, Trigger, Type, in_schema},
    index, plain_beside, rename, table, view,
};
use crate::sql::{
    Place, Statement, Words,
    change::{
        AlterObject, Column, Constraint as NewConstraint, ConstraintKind, CreateRoutine, CreateType, Firing,
        ObjectAction, ObjectKind, OwnedBy, SequenceOptions, TriggerEvent, TypeKind, Volatility,
    },
    data_type::{self, DataType},
    names::{Ident, ObjectName},
};

/// `OR REPLACE` replaces the definition with the same types of arguments, where those compare; else it adds an
/// overload, so that a call never runs something unseen.
pub fn create_routine(catalog: &mut Catalog, new: &CreateRoutine, inner: &[Statement], origin: Origin) {
    let name = catalog.target(&new.name);
    let made = catalog.routine_of(new);
    let body = inner.iter().filter(|it| matches!(it.place, Place::Routine(_))).cloned().collect::<Vec<_>>();
    let overloads = catalog.routines.entry(name).or_default();
    let replaced = overloads.iter().position(|it| it.arguments == made.arguments && origin.certain);
    let replaced = replaced.filter(|_| new.or_replace).map(|at| overloads.remove(at).origin);
    let origin = replaced.unwrap_or(origin.unless(new.or_replace));
    // Most have one.
    overloads.reserve_exact(1);
    overloads.push(Routine { body: Arc::from(body), origin, ..made });
}

impl Catalog {
    /// A routine as a statement makes it, but for its body and its origin.
    pub fn routine_of(&self, new: &CreateRoutine) -> Routine {
        let bare_type = |written: &str| DataType { modifiers: None, ..self.read_type(written) }.to_string();
        let counting = || new.arguments.iter().filter(|it| it.mode != "OUT");
        Routine {
            kind: new.kind,
            arguments: Some(counting().map(|it| bare_type(&it.data_type)).collect()),
            names: counting().map(|it| it.name.as_ref().map(|it| it.name.clone())).collect(),
            defaults: counting().filter(|it| it.default.is_some()).count(),
            returns: new.returns.as_deref().map(bare_type),
            words: new.body.words.clone(),
            volatility: new.volatility,
            language: new.body.language.clone(),
            body: Arc::from([]),
            inlined: new.body.expression && new.body.language == "sql" && !new.security_definer && new.sets.is_empty(),
            origin: Origin { release: Release::Judged, migration: 0, certain: true },
        }
    }
}

/// What `ALTER FUNCTION` makes of it, among other things.
fn volatility(words: &str) -> Option<Volatility> {
    words.split_whitespace().find_map(|it| match it {
        "IMMUTABLE" => Some(Volatility::Immutable),
        "STABLE" => Some(Volatility::Stable),
        "VOLATILE" => Some(Volatility::Volatile),
        _ => None,
    })
}

/// A type without its modifiers, which Postgres drops of arguments.
fn bare_type(written: &str) -> String {
    DataType { modifiers: None, ..data_type::read(written) }.to_string()
}

/// The overload that the arguments of a `DROP` name; all of them when it names none. What does not compare stays.
pub fn drop_routine(catalog: &mut Catalog, name: &ObjectName, arguments: Option<&str>) {
    let Some(overloads) = catalog.routines.get_mut(name) else { return };
    let before = overloads.len();
    match arguments {
        Some(text) if before > 1 => overloads.retain(|it| !takes(it, text)),
        _ => overloads.clear(),
    }
    let left = overloads.len();
    if left == 0 {
        catalog.routines.remove(name);
    }
    // One of them is gone, and nothing here says which.
    if left == before {
        catalog.doubt(name);
    }
}

/// `integer, text`, or with names and modes: `in a integer, b text`.
fn takes(routine: &Routine, text: &str) -> bool {
    let Some(own) = &routine.arguments else { return false };
    let mut depth = 0_usize;
    let parts = text.split(|it: char| {
        match it {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        it == ',' && depth == 0
    });
    let parts = parts.map(str::trim).filter(|it| !it.is_empty() && !starts_with_word(it, "out")).collect::<Vec<_>>();
    let is_of = |written: &str, own: &String| {
        let mode = ["inout", "in", "variadic"].into_iter().find(|it| starts_with_word(written, it));
        let written = mode.map_or(written, |it| written[it.len()..].trim());
        let unnamed = written.split_once(char::is_whitespace).map(|it| it.1);
        bare_type(&written.to_lowercase()) == *own || unnamed.is_some_and(|it| bare_type(&it.to_lowercase()) == *own)
    };
    parts.len() == own.len() && parts.iter().zip(own).all(|(written, own)| is_of(written, own))
}

fn starts_with_word(text: &str, word: &str) -> bool {
    let found = text.get(..word.len()).is_some_and(|it| it.eq_ignore_ascii_case(word));
    found && text[word.len()..].starts_with(char::is_whitespace)
}

/// What `CREATE SEQUENCE` and `ALTER SEQUENCE` say of its type and its owner.
pub fn alter_sequence(catalog: &mut Catalog, name: &ObjectName, options: &SequenceOptions) {
    let owned_by = match &options.owned_by {
        Some(OwnedBy::Column(path)) => column_at(catalog, path).map(Some),
        Some(OwnedBy::No) => Some(None),
        None => None,
    };
    let Some(mut sequence) = catalog.sequences.get_mut(name) else { return };
    if let Some(owned_by) = owned_by {
        sequence.owned_by = owned_by;
    }
    if options.data_type.is_some() {
        sequence.data_type.clone_from(&options.data_type);
    }
}

/// Table and column of `table.column` or `schema.table.column`.
fn column_at(catalog: &Catalog, path: &ObjectName) -> Option<(ObjectName, String)> {
    let (column, table) = path.parts.split_last()?;
    let table = ObjectName { parts: table.into() };
    Some((catalog.resolve(&table), column.name.clone()))
}

/// Columns that a trigger needs: those of `UPDATE OF`, and those that its condition names.
pub fn columns_of_trigger(firing: &Firing) -> Vec<String> {
    let listed = firing.events.iter().flat_map(|it| match it {
        TriggerEvent::Update { columns } => columns.as_slice(),
        TriggerEvent::Insert | TriggerEvent::Delete | TriggerEvent::Truncate => &[],
    });
    let named = firing.condition.iter().flat_map(|it| &it.names).map(|it| it.last().to_owned());
    listed.map(|it| it.name.clone()).chain(named).collect()
}

/// A rule is a trigger whose routine is its actions; that routine has a name that no other has.
pub fn create_rule(
    catalog: &mut Catalog,
    name: &ObjectName,
    table: &ObjectName,
    actions: &[Statement],
    origin: Origin,
) {
    let table = catalog.resolve(table);
    let actions_of = in_schema(name, &format!("rule on {table}"));
    let routine = Routine {
        kind: ObjectKind::Rule,
        arguments: None,
        names: Vec::new(),
        defaults: 0,
        returns: None,
        words: Words::default(),
        volatility: Volatility::Volatile,
        language: "sql".to_owned(),
        body: Arc::from(actions),
        inlined: false,
        origin,
    };
    catalog.routines.insert(actions_of.clone(), vec![routine]);
    catalog.triggers.retain_on(&table, |it| it.name != name.last());
    let name = name.last().to_owned();
    catalog.triggers.push(Trigger {
        name,
        table,
        routine: Some(actions_of),
        columns: Vec::new(),
        enabled: true,
        origin,
    });
}

pub fn create_type(catalog: &mut Catalog, new: &CreateType, origin: Origin) {
    let name = catalog.target(&new.name);
    catalog
        .types
        .insert(name.clone(), Type { kind: new.kind.clone(), constraints: Vec::new(), not_null: false, origin });
    if let TypeKind::Range { subtype: Some(subtype), multirange } = &new.kind {
        range_constructors(catalog, &name, subtype, multirange.as_ref(), origin);
    }
    if let TypeKind::Domain { constraints, .. } = &new.kind {
        constraints.iter().for_each(|it| constrain(catalog, &name, it, origin));
    }
}

/// The functions by which values of a range type and of its multirange are made (`makeRangeConstructors`).
fn range_constructors(
    catalog: &mut Catalog,
    name: &ObjectName,
    subtype: &str,
    multirange: Option<&ObjectName>,
    origin: Origin,
) {
    let (own, bound) = (shown(name), bare_type(subtype));
    // `makeMultirangeTypeName`.
    let automatic = || {
        let last = match name.last().rfind("range") {
            Some(_) => name.last().replacen("range", "multirange", 1),
            None => format!("{}_multirange", name.last()),
        };
        plain_beside(name, &Ident { name: last, ..Ident::default() })
    };
    let many = multirange.map_or_else(automatic, |it| catalog.target(it));
    let constructor = |arguments: &[&str], returns: &ObjectName| Routine {
        kind: ObjectKind::Function,
        arguments: Some(arguments.iter().map(|it| (*it).to_owned()).collect()),
        names: Vec::new(),
        defaults: 0,
        returns: Some(shown(returns)),
        words: Words::default(),
        volatility: Volatility::Immutable,
        language: "internal".to_owned(),
        body: Arc::from([]),
        inlined: false,
        origin,
    };
    let several = format!("{own}[]");
    let made = [vec![bound.as_str(), &bound], vec![&bound, &bound, "text"]].map(|it| constructor(&it, name));
    catalog.routines.entry(name.clone()).or_default().extend(made);
    let made = [vec![], vec![own.as_str()], vec![several.as_str()]].map(|it| constructor(&it, &many));
    catalog.routines.entry(many.clone()).or_default().extend(made);
}

/// A constraint of a domain.
fn constrain(catalog: &mut Catalog, name: &ObjectName, new: &NewConstraint, origin: Origin) {
    let Some(known) = catalog.types.get_mut(name) else { return };
    if matches!(new.kind, ConstraintKind::NotNull { .. }) {
        known.not_null = true;
        return;
    }
    let taken = |name: &String| known.constraints.iter().any(|it| it.name == *name);
    let base = format!("{}_check", name.last());
    let numbered = (1..).map(|number| format!("{base}{number}"));
    let free = || std::iter::once(base.clone()).chain(numbered).find(|it| !taken(it)).expect("numbers do not run out");
    known.constraints.push(Constraint {
        name: new.name.as_ref().map_or_else(free, |it| it.name.clone()),
        kind: new.kind.clone(),
        columns: Vec::new(),
        validated: !new.not_valid,
        enforced: true,
        deferrable: false,
        no_inherit: false,
        origin,
        validated_by: (!new.not_valid).then_some(origin.migration),
    });
}

pub fn alter_object(catalog: &mut Catalog, alter: &AlterObject, origin: Origin) {
    if let (Some(on), Some(name)) = (&alter.on, &alter.name) {
        if !origin.certain {
            catalog.doubt(on);
        }
        return alter_part(catalog, &catalog.resolve(on), name.last(), alter);
    }
    let Some(name) = alter.name.as_ref().map(|it| catalog.resolve(it)) else { return };
    if let ObjectAction::Other { sequence: Some(options), .. } = &alter.action {
        alter_sequence(catalog, &name, options);
    }
    if let (ObjectAction::Other { words, .. }, Some(overloads)) = (&alter.action, catalog.routines.get_mut(&name)) {
        overloads.iter_mut().for_each(|it| it.volatility = volatility(words).unwrap_or(it.volatility));
    }
    if !origin.certain {
        catalog.doubt(&name);
    }
    alter_type(catalog, &name, alter, origin);
    let known = catalog.types.get_mut(&name).map(|it| &mut it.kind);
    if let Some(TypeKind::Domain { constrained, default, .. }) = known {
        match alter.action {
            ObjectAction::AddConstraint(_) | ObjectAction::SetNotNull => *constrained = true,
            ObjectAction::DropDefault => *default = None,
            _ => {}
        }
    }
    if let ObjectAction::RenamePart { from, to } = &alter.action {
        view::rename_output(catalog, &name, &from.name, &to.name);
    }
    if let ObjectAction::AttachPartition { index } = &alter.action {
        index::attach(catalog, &name, &catalog.resolve(index));
    }
    let new = match &alter.action {
        ObjectAction::Rename { to } => plain_beside(&name, to),
        ObjectAction::SetSchema { to } => in_schema(&name, &to.name),
        _ => return,
    };
    match alter.kind {
        ObjectKind::Schema => {
            rename_schema(catalog, name.last(), new.last());
        }
        ObjectKind::Index => {
            index::rename(catalog, &name, &new);
        }
        ObjectKind::Type | ObjectKind::Domain => {
            let kept = catalog.types.remove(&name);
            catalog.types.extend(kept.map(|it| (new.clone(), it)));
            columns_of_type(catalog, &name, &new);
        }
        ObjectKind::Sequence => {
            rename::rename_sequence(catalog, &name, &new);
        }
        ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Routine => {
            let mut moved = catalog.routines.remove(&name).unwrap_or_default();
            let meant = |it: &Routine| alter.arguments.as_deref().is_some_and(|text| takes(it, text));
            if moved.len() > 1 && moved.iter().filter(|it| meant(it)).count() == 1 {
                let stay = moved.extract_if(.., |it| !meant(it)).collect::<Vec<_>>();
                catalog.routines.insert(name, stay);
            } else if moved.len() > 1 {
                // Which of several overloads is meant is not known: each may be under either name.
                moved.iter_mut().for_each(|it| it.origin.certain = false);
                catalog.routines.insert(name, moved.clone());
            }
            if !moved.is_empty() {
                catalog.routines.entry(new).or_default().extend(moved);
            }
        }
        ObjectKind::View | ObjectKind::MaterializedView => rename::rename_relation(catalog, &name, &new),
        _ => {}
    }
}

/// A trigger, rule or policy of a table that gets another name.
fn alter_part(catalog: &mut Catalog, table: &ObjectName, name: &str, alter: &AlterObject) {
    let ObjectAction::Rename { to } = &alter.action else { return };
    if alter.kind == ObjectKind::Policy {
        let key = |name: &Ident| (ObjectKind::Policy, ObjectName::of(name.clone()), Some(table.clone()));
        let old = Ident { name: name.to_owned(), ..Ident::default() };
        let kept = catalog.others.remove(&key(&old));
        catalog.others.extend(kept.map(|it| (key(to), it)));
        let policies = catalog.policies.on_mut(table).iter_mut().filter(|it| it.name == name);
        policies.for_each(|it| it.name.clone_from(&to.name));
    } else {
        let triggers = catalog.triggers.on_mut(table).iter_mut().filter(|it| it.name == name);
        triggers.for_each(|it| it.name.clone_from(&to.name));
    }
}

fn alter_type(catalog: &mut Catalog, name: &ObjectName, alter: &AlterObject, origin: Origin) {
    if let ObjectAction::AddConstraint(new) = &alter.action {
        return constrain(catalog, name, new, origin);
    }
    let Some(known) = catalog.types.get_mut(name) else { return };
    match (&alter.action, &mut known.kind) {
        (ObjectAction::AddValue { value, beside, .. }, TypeKind::Enum { values }) if !values.contains(value) => {
            let at = beside.as_ref().and_then(|(before, other)| {
                let other = values.iter().position(|it| it == other)?;
                Some(if *before { other } else { other + 1 })
            });
            values.insert(at.unwrap_or(values.len()), value.clone());
        }
        (ObjectAction::RenameValue { from, to }, TypeKind::Enum { values }) => {
            values.iter_mut().filter(|it| *it == from).for_each(|it| it.clone_from(to));
        }
        (action, TypeKind::Composite { attributes }) => {
            reshape(attributes, action);
            table::reshape_typed(catalog, name, action, origin);
        }
        (ObjectAction::SetNotNull, _) => known.not_null = true,
        (ObjectAction::DropNotNull, _) => known.not_null = false,
        (ObjectAction::DropConstraint { name }, _) => known.constraints.retain(|it| it.name != name.name),
        (ObjectAction::RenamePart { from, to }, TypeKind::Domain { .. }) => {
            let named = known.constraints.iter_mut().filter(|it| it.name == from.name);
            named.for_each(|it| it.name.clone_from(&to.name));
        }
        (ObjectAction::ValidateConstraint { name }, _) => {
            let named = known.constraints.iter_mut().filter(|it| it.name == name.name);
            for it in named.filter(|it| !it.validated) {
                (it.validated, it.validated_by) = (true, Some(origin.migration));
            }
        }
        _ => {}
    }
}

fn reshape(attributes: &mut Vec<Column>, action: &ObjectAction) {
    let named = |attributes: &mut Vec<Column>, name: &Ident, change: &dyn Fn(&mut Column)| {
        attributes.iter_mut().filter(|it| it.name == *name).for_each(change);
    };
    match action {
        ObjectAction::AddAttribute { name, data_type } => {
            attributes.push(Column { name: name.clone(), data_type: data_type.clone(), ..Column::default() });
        }
        ObjectAction::DropAttribute { name, .. } => attributes.retain(|it| it.name != *name),
        ObjectAction::AlterAttribute { name, data_type } => {
            named(attributes, name, &|it| it.data_type.clone_from(data_type));
        }
        ObjectAction::RenamePart { from, to } => named(attributes, from, &|it| it.name.clone_from(to)),
        _ => {}
    }
}

/// A type's name as a resolved column shows it.
pub fn shown(name: &ObjectName) -> String {
    match name.schema() {
        "public" => name.last().to_owned(),
        schema => format!("{schema}.{}", name.last()),
    }
}

/// Columns whose type has got another name.
fn columns_of_type(catalog: &mut Catalog, old: &ObjectName, new: &ObjectName) {
    let (old, new) = (shown(old), shown(new));
    let arguments = |it: &mut String| {
        let bare = it.strip_suffix("[]").unwrap_or(it);
        if bare == old {
            *it = it.replacen(&old, &new, 1);
        }
    };
    for routine in catalog.routines.values_mut().flatten() {
        routine.arguments.iter_mut().flatten().chain(&mut routine.returns).for_each(arguments);
    }
    let has = |it: &&Table| it.columns.iter().any(|it| it.resolved.name == old);
    let tables = catalog.tables.values().filter(has).map(|it| it.name.clone()).collect::<Vec<_>>();
    for name in tables {
        let Some(mut table) = catalog.tables.get_mut(&name) else { continue };
        for column in table.columns.iter_mut().filter(|it| it.resolved.name == old) {
            Arc::make_mut(&mut column.resolved).name.clone_from(&new);
            column.data_type = column.resolved.to_string().into();
        }
    }
}

/// All that is in a schema is called after it.
fn rename_schema(catalog: &mut Catalog, old: &str, new: &str) {
    let origin = catalog.schemas.remove(old);
    catalog.schemas.extend(origin.map(|it| (new.to_owned(), it)));
    let moved = |name: &ObjectName| in_schema(name, new);
    let relations = catalog.tables.keys().chain(catalog.views.keys()).filter(|it| it.schema() == old);
    for name in relations.cloned().collect::<Vec<_>>() {
        rename::rename_relation(catalog, &name, &moved(&name));
    }
    let types = catalog.types.extract_if(.., |name, _| name.schema() == old).collect::<Vec<_>>();
    for (name, it) in types {
        columns_of_type(catalog, &name, &moved(&name));
        catalog.types.insert(moved(&name), it);
    }
    let routines = catalog.routines.extract_if(.., |name, _| name.schema() == old).collect::<Vec<_>>();
    catalog.routines.extend(routines.into_iter().map(|(name, it)| (moved(&name), it)));
    let sequences = catalog.sequences.in_schema(old).map(|(name, _)| name.clone()).collect::<Vec<_>>();
    for name in sequences {
        let kept = catalog.sequences.remove(&name);
        catalog.sequences.extend(kept.map(|it| (moved(&name), it)));
    }
}
