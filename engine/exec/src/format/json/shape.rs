//! What documents of a topic have in common.

use super::block::Block;

/// The fields of the last document, by their place.
///
/// Documents of a topic look alike, so that one comparison usually tells which column comes, without
/// looking for the end of its name.
#[derive(Debug, Default)]
pub(super) struct Shape {
    fields: Vec<SeenField>,
}

/// A field as it stood in a document.
#[derive(Debug)]
struct SeenField {
    /// What stands between the value before and its own: a brace or comma, the name in quotes, a colon, and the
    /// space around them.
    lead: Vec<u8>,
    /// The first bytes of the lead.
    head: Block,
    column: usize,
}

/// The column of a field that nobody reads: there are never so many.
pub(super) const NO_COLUMN: usize = usize::MAX;

/// Documents with more fields than this are looked up by name from there on.
const FIELDS_MAX: usize = 1000;
/// A field behind more bytes than this is looked up by its name.
const LEAD_BYTES_MAX: usize = 1000;

impl Shape {
    /// Where the value at a place starts if what stands before it is what stood there last time, and the field's
    /// column.
    #[inline]
    pub(super) fn pass(&self, place: usize, bytes: &[u8], at: usize) -> Option<(usize, usize)> {
        let seen = self.fields.get(place)?;
        let rest = bytes.get(at..)?;
        let length = seen.lead.len();
        let is_same = if length <= Block::BYTES {
            Block::at(rest, 0)?.starts_as(seen.head, length)
        } else {
            rest.starts_with(&seen.lead)
        };
        (is_same && length > 0).then_some((at + length, seen.column))
    }

    /// Takes note of a field: what stands before its value, and its column.
    pub(super) fn note(&mut self, place: usize, lead: &[u8], column: usize) {
        if place >= FIELDS_MAX {
            return;
        }
        let unseen = || SeenField { lead: Vec::new(), head: Block::ZERO, column: NO_COLUMN };
        self.fields.resize_with(self.fields.len().max(place + 1), unseen);
        let Some(seen) = self.fields.get_mut(place) else { return };
        let lead = if lead.len() > LEAD_BYTES_MAX { &[] } else { lead };
        let mut head = [0; Block::BYTES];
        head.iter_mut().zip(lead).for_each(|(head, byte)| *head = *byte);
        *seen = SeenField { lead: lead.to_vec(), head: Block::new(head), column };
    }
}
