//! What documents of a topic have in common.

use super::scan::Scanner;

/// The fields of the last document, by their place.
///
/// Documents of a topic look alike, so that one comparison usually tells which column comes, without
/// looking for the end of its name.
#[derive(Debug, Default)]
pub(super) struct Shape {
    fields: Vec<SeenField>,
}

/// A field as it stood in a document.
#[derive(Debug, Default)]
struct SeenField {
    /// What stands before its value: a brace or comma, the name in quotes, a colon.
    lead: Vec<u8>,
    /// The first sixteen bytes of the lead as a number, and which of its bits there are.
    head: u128,
    head_mask: u128,
    column: Option<usize>,
}

/// Documents with more fields than this are looked up by name from there on.
const FIELDS_MAX: usize = 1000;

impl Shape {
    /// Passes over what stands before the value at a place, if it is what stood there last time, and tells
    /// the field's column.
    #[inline]
    pub(super) fn pass(&self, place: usize, scanner: &mut Scanner<'_>) -> Option<Option<usize>> {
        let seen = self.fields.get(place)?;
        let rest = scanner.bytes.get(scanner.at..)?;
        let (head, length) = (rest.first_chunk::<16>()?, seen.lead.len());
        let is_same = (u128::from_le_bytes(*head) ^ seen.head) & seen.head_mask == 0;
        if !is_same || length == 0 || (length > 16 && !rest.starts_with(&seen.lead)) {
            return None;
        }
        scanner.at += length;
        Some(seen.column)
    }

    /// Takes note of a field: its name as it stands in the document, and its column.
    pub(super) fn note(&mut self, place: usize, name: &[u8], column: Option<usize>) {
        if place >= FIELDS_MAX {
            return;
        }
        self.fields.resize_with(self.fields.len().max(place + 1), SeenField::default);
        let Some(seen) = self.fields.get_mut(place) else { return };
        let before: &[u8] = if place == 0 { b"{\"" } else { b",\"" };
        seen.lead = [before, name, b"\":"].concat();
        let (mut head, mut mask) = ([0; 16], [0; 16]);
        for ((head, mask), byte) in head.iter_mut().zip(&mut mask).zip(&seen.lead) {
            (*head, *mask) = (*byte, 0xFF);
        }
        (seen.head, seen.head_mask) = (u128::from_le_bytes(head), u128::from_le_bytes(mask));
        seen.column = column;
    }
}
