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

/// A field as it stood in a document; one without a lead is recognized nowhere.
#[derive(Debug, Default)]
struct SeenField {
    /// What stands between the value before and its own: a brace or comma, the name in quotes, a colon, and the
    /// space around them.
    lead: Vec<u8>,
    /// The first bytes of the lead.
    head: Block,
    column: usize,
}

/// What was recognized before a field's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lead {
    /// Where the value starts.
    pub(super) value_at: usize,
    pub(super) column: usize,
}

/// The column of a field that nobody reads: there are never so many. An `Option` would be a word more for the loop
/// over familiar fields to keep and a branch more to take, where the look-up of the column finds nothing anyway.
pub(super) const NO_COLUMN: usize = usize::MAX;

/// Documents with more fields than this are looked up by name from there on.
const FIELDS_MAX: usize = 1000;
/// A field behind more bytes than this is looked up by its name.
const LEAD_BYTES_MAX: usize = 1000;

impl Shape {
    /// The lead of the field at a place, if it is what it was last time.
    #[inline]
    pub(super) fn recognize(&self, place: usize, bytes: &[u8], at: usize) -> Option<Lead> {
        let seen = self.fields.get(place)?;
        let rest = bytes.get(at..)?;
        let length = seen.lead.len();
        let is_same = if length <= Block::BYTES {
            Block::at(rest, 0)?.starts_as(seen.head, length)
        } else {
            rest.starts_with(&seen.lead)
        };
        (is_same && length > 0).then_some(Lead { value_at: at + length, column: seen.column })
    }

    /// Takes note of a field: what stands before its value, and its column.
    pub(super) fn note(&mut self, place: usize, lead: &[u8], column: usize) {
        if place >= FIELDS_MAX {
            return;
        }
        self.fields.resize_with(self.fields.len().max(place + 1), SeenField::default);
        let Some(seen) = self.fields.get_mut(place) else { return };
        let lead = if lead.len() > LEAD_BYTES_MAX { &[] } else { lead };
        let mut head = [0; Block::BYTES];
        head.iter_mut().zip(lead).for_each(|(head, byte)| *head = *byte);
        seen.lead.clear();
        seen.lead.extend_from_slice(lead);
        (seen.head, seen.column) = (Block::new(head), column);
    }
}

#[cfg(test)]
mod tests {
    use super::{FIELDS_MAX, LEAD_BYTES_MAX, Lead, Shape};

    /// Leads shorter and longer than a block, up to the document's end or not.
    #[test]
    fn a_lead_is_recognized_whole_and_where_it_was() {
        for length in [1, 2, 14, 15, 16, 17, 31, LEAD_BYTES_MAX] {
            let lead: Vec<u8> = (0..length).map(|at| b'a' + (at % 26) as u8).collect();
            let mut shape = Shape::default();
            shape.note(0, b"{", 9);
            shape.note(1, &lead, 7);
            let document = [b"12345", lead.as_slice(), &[b'7'; 16]].concat();
            let end = 5 + length;
            assert_eq!(shape.recognize(1, &document, 5), Some(Lead { value_at: end, column: 7 }), "{length}");
            assert_eq!(shape.recognize(2, &document, 5), None, "no field was there");
            for at in 5..end {
                let mut other = document.clone();
                other[at] ^= 1;
                assert_eq!(shape.recognize(1, &other, 5), None, "{length} bytes, byte {at} differs");
                assert_eq!(shape.recognize(1, &document[..at], 5), None, "{length} bytes, cut off at {at}");
            }
            // Short leads are compared as a block: at the document's end there is none, and the name is looked up.
            let at_end = shape.recognize(1, &document[..end], 5);
            assert_eq!(at_end.is_some(), length >= 16, "{length} bytes up to the end");
        }
    }

    #[test]
    fn a_field_that_is_too_far_or_too_long_is_not_recognized_and_a_later_one_replaces_it() {
        let document = [b'x'; 2 * LEAD_BYTES_MAX];
        let mut shape = Shape::default();
        shape.note(FIELDS_MAX, b"xxx", 1);
        assert_eq!(shape.recognize(FIELDS_MAX, &document, 0), None);
        shape.note(FIELDS_MAX - 1, b"xxx", 1);
        assert_eq!(shape.recognize(FIELDS_MAX - 1, &document, 0), Some(Lead { value_at: 3, column: 1 }));
        assert_eq!(shape.recognize(0, &document, 0), None, "the places before have seen no field");
        shape.note(0, &document[..LEAD_BYTES_MAX + 1], 2);
        assert_eq!(shape.recognize(0, &document, 0), None);
        shape.note(0, b"xx", 3);
        assert_eq!(shape.recognize(0, &document, 0), Some(Lead { value_at: 2, column: 3 }));
    }
}
