//! `-- liftlock: …` comments of a migration, those that stand on no statement too.

use crate::{
    migration::Migration,
    sql::{self, Directive, Place, Statement, Token},
};

/// Directives on all statements but those in routines, which run elsewhere.
pub fn all_directives(statements: &[Statement]) -> Vec<&Directive> {
    let here = statements.iter().filter(|it| !matches!(it.place, Place::Routine(_)));
    here.flat_map(|it| it.directives.iter().chain(all_directives(&it.inner))).collect()
}

/// Directives behind the last statement, which are nobody's. Behind it there may also be a section that undoes the
/// migration, which is not judged.
pub fn astray(migration: &Migration) -> Vec<Directive> {
    let end = migration.statements.last().map_or(0, |it| it.span.end);
    let behind = &migration.text[end..];
    let is_end = |token: &Token| behind[token.span.start..token.span.end] == *";";
    if !behind.to_ascii_lowercase().contains("liftlock") || !sql::tokens(behind).iter().all(is_end) {
        return Vec::new();
    }
    let known = migration.statements.iter().flat_map(|it| &it.directives).map(|it| it.span).collect::<Vec<_>>();
    let all = sql::directives(&migration.text).into_iter();
    all.filter(|it| it.span.start >= end && !known.contains(&it.span)).collect()
}
