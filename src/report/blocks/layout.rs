//! Whose layout a folder has, as a line.

use super::{super::LayoutView, Block};

/// One line, and one for each thing that its tool would stumble over.
pub(super) fn of_layout<'a>(layout: &LayoutView) -> Vec<Block<'a>> {
    let mut line = format!("layout: {} ({}), {}", layout.title, layout.by, layout.said);
    const SHOWN: usize = 3;
    if !layout.left_out.is_empty() {
        let more = layout.left_out.len().saturating_sub(SHOWN);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let shown = &layout.left_out[..layout.left_out.len().min(SHOWN)];
        line.push_str(&format!("; left out: {}{more}", shown.join(", ")));
    }
    let notes = layout.notes.iter().map(|note| Block::Paragraph(format!("note: {note}")));
    std::iter::once(Block::Paragraph(line)).chain(notes).collect()
}
