//! One statement, read by both readers.

use super::{
    Place, Span, Statement,
    change::{Change, Unread},
    recognise::{self, Cursor, Reading},
    scan::{Piece, PieceKind},
    source::Source,
};

/// A piece of a text as a statement.
pub(super) fn statement(source: &Source<'_>, piece: &Piece, depth: u8, place: &Place) -> Statement {
    let span = source.span(piece.span);
    let Reading { change, inner } = read(source, piece, depth, span);
    Statement { span, change, place: place.clone(), inner, directives: Vec::new() }
}

fn read(source: &Source<'_>, piece: &Piece, depth: u8, span: Span) -> Reading {
    let unread = |reason| Reading::from(Change::Unread { reason });
    match piece.kind {
        PieceKind::Psql => {
            let command = source.slice(piece.span).split_whitespace().next().unwrap_or("\\").to_owned();
            return unread(Unread::PsqlCommand { command });
        }
        PieceKind::CopyData => return unread(Unread::CopyFromStdin),
        PieceKind::Statement => {}
    }
    if let Some(open) = piece.unterminated {
        return unread(Unread::Unterminated { what: open.what, opened: source.span(open.opened) });
    }
    let cursor = Cursor { depth, ..Cursor::new(source, &piece.tokens) };
    if let Some(reason) = recognise::unreadable(cursor) {
        return unread(reason);
    }
    let _ = span;
    recognise::statement(cursor).unwrap_or_else(unread)
}

/// An SQL statement among the tokens of a plpgsql body.
pub(super) fn within_body(cursor: Cursor<'_>, place: &Place) -> Statement {
    let Reading { change, inner } = match recognise::unreadable(cursor) {
        Some(reason) => Change::Unread { reason }.into(),
        None => recognise::statement(cursor).unwrap_or_else(|reason| Change::Unread { reason }.into()),
    };
    Statement { span: cursor.span(), change, place: place.clone(), inner, directives: Vec::new() }
}
