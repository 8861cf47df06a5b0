//! `ADD COLUMN`: how the rows that are there get their value.

use crate::{
    lint::{
        Context, types,
        volatility::{Calls, calls},
    },
    sql::{
        change::{Column, Generated},
        names::ObjectName,
    },
};

use super::{Chance, LockMode, draft::Draft};

/// How a new column is filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filling {
    /// Null, or one value that is kept beside the table.
    Instant,
    /// `serial` and identity: each row its own number.
    Numbered,
    /// By this function, which gives each row its own value.
    Volatile(String),
    /// By this function, of which no file says whether it does.
    Unknown(String),
    /// Computed and stored.
    Stored,
    /// By writing each row anew, so that the domain's constraints are checked.
    Domain,
    /// The type is created by no file, and its default is a number, so it is a domain; most domains have constraints.
    UnknownDomain,
}

impl Filling {
    pub fn rewrites(&self) -> Chance {
        match self {
            Self::Instant => Chance::No,
            Self::Unknown(_) | Self::UnknownDomain => Chance::Likely,
            Self::Numbered | Self::Volatile(_) | Self::Stored | Self::Domain => Chance::Sure,
        }
    }
}

/// How the rows that are there get a value for this column.
pub fn filling(context: &Context, column: &Column) -> Filling {
    match column.generated {
        Some(Generated::Stored) => return Filling::Stored,
        Some(Generated::Virtual) => return Filling::Instant,
        Some(Generated::Identity) => return Filling::Numbered,
        None if column.is_serial() => return Filling::Numbered,
        None => {}
    }
    let data_type = types::read(&column.data_type);
    if types::is_constrained_domain(context.catalog, &data_type) {
        return Filling::Domain;
    }
    let Some(default) = column.default.as_ref().or_else(|| types::own_default(context.catalog, &data_type)) else {
        return Filling::Instant;
    };
    match calls(context.catalog, default) {
        Calls::Volatile(function) => Filling::Volatile(function),
        Calls::Unknown(function) => Filling::Unknown(function),
        Calls::Steady if types::is_foreign(context.catalog, &data_type) && is_number(&default.text) => {
            Filling::UnknownDomain
        }
        Calls::Steady => Filling::Instant,
    }
}

/// `NOT NULL`, and nothing gives it a value in the rows that are there.
pub fn is_unfilled(context: &Context, column: &Column) -> bool {
    let filled = has_value(column) || types::own_default(context.catalog, &types::read(&column.data_type)).is_some();
    (column.not_null || column.primary_key) && !filled
}

/// The rows that are there get something else than null, whatever the type's own default is.
pub fn has_value(column: &Column) -> bool {
    let default = column.default.as_ref().is_some_and(|it| !it.text.trim().eq_ignore_ascii_case("null"));
    default || column.generated.is_some() || column.is_serial()
}

/// Enums, composite and most extension types take no plain number.
fn is_number(text: &str) -> bool {
    let text = text.trim().trim_start_matches(['-', '+']);
    !text.is_empty() && text.chars().all(|it| it.is_ascii_digit() || it == '.')
}

pub fn effects(draft: &mut Draft, table: &ObjectName, column: &Column, if_not_exists: bool) {
    let known = draft.table(table).and_then(|it| it.column(&column.name));
    if if_not_exists && known.is_some_and(|it| it.origin.certain) {
        return;
    }
    draft.rewrite(table, filling(draft.context, column).rewrites());
    // What is computed when it is read is computed to see whether it is set.
    let seen = column.generated == Some(Generated::Virtual) && column.not_null;
    if column.is_checked() || column.unique || column.primary_key || seen {
        draft.scan(table, Chance::Sure);
    }
    if let Some(references) = &column.references {
        draft.lock_family(references, LockMode::ShareRowExclusive);
        if column.is_looked_up() {
            draft.scan(table, Chance::Sure);
            if has_value(column) {
                draft.scan(references, Chance::Sure);
            }
        }
    }
}
