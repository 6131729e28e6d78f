//! Finding whole batches in a segment by their headers, without reading their records.

use std::sync::Arc;

use super::read::{Place, Wanted};
use crate::record::{BatchHeader, HEADER_BYTES};
use crate::{Error, Extent, Result};

/// Headers of small batches are read together.
const READ_BYTES: usize = 4096;

/// Finds whole batches of one segment: from the one that holds `offset` to the last that starts before `limit`, up to
/// `bytes_max` but at least one. With them comes the offset that follows.
pub(super) fn locate(place: &Place, wanted: Wanted) -> Result<Option<(Extent, i64)>> {
    let mut headers = Headers { place, bytes: [0; READ_BYTES], position: 0, length: 0 };
    let mut from = place.position;
    let first = loop {
        if from >= place.size_bytes {
            return Ok(None);
        }
        let header = headers.at(from)?;
        if header.base_offset >= wanted.limit {
            return Ok(None);
        }
        if header.last_offset() >= wanted.offset {
            break header;
        }
        from += header.size_bytes as u64;
    };
    let end = place.size_bytes.min(from.saturating_add(wanted.bytes_max as u64));
    let (mut to, mut next_offset) = (from + first.size_bytes as u64, first.next_offset());
    if place.far.0 > to {
        (to, next_offset) = place.far;
    }
    while to < end {
        // What comes before the damage can be read; the next fetch starts at the damage and reports it.
        let Ok(header) = headers.at(to) else { break };
        let after = to + header.size_bytes as u64;
        if header.base_offset >= wanted.limit || after > end {
            break;
        }
        (to, next_offset) = (after, header.next_offset());
    }
    let there = place.file.len().map_err(Error::io("read", &place.path))?;
    if there < to {
        return Err(Error::damaged(&place.path, there, "the file ends here, more had been written"));
    }
    Ok(Some((Extent { file: Arc::clone(&place.file), position: from, length: (to - from) as usize }, next_offset)))
}

/// The headers in a segment.
struct Headers<'a> {
    place: &'a Place,
    /// What was last read, from where, and how much.
    bytes: [u8; READ_BYTES],
    position: u64,
    length: usize,
}

impl Headers<'_> {
    /// The header of the batch at a position, which must be whole.
    fn at(&mut self, position: u64) -> Result<BatchHeader> {
        let damaged = |reason: &str| Error::damaged(&self.place.path, position, reason);
        let at = |of: u64| position.checked_sub(of).map_or(usize::MAX, |at| at as usize);
        if at(self.position).saturating_add(HEADER_BYTES) > self.length {
            self.position = position;
            let read = self.place.file.read_at(&mut self.bytes, position);
            self.length = read.map_err(Error::io("read", &self.place.path))?;
        }
        let bytes = self.bytes.get(at(self.position)..self.length).unwrap_or_default();
        let header = BatchHeader::parse(bytes).map_err(|error| damaged(&error.to_string()))?;
        if position + header.size_bytes as u64 > self.place.size_bytes {
            return Err(damaged("a batch is longer than its file"));
        }
        Ok(header)
    }
}
