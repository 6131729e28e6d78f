//! Reading a partition: beside appends, under its lock only for a look-up.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::Partition;
use crate::buffers::Buffers;
use crate::record::{BatchHeader, crc_matches, split_batch};
use crate::segment::INDEX_INTERVAL_BYTES;
use crate::{Error, Fetched, File, Isolation, Result};

/// The index leads to a batch that is at most so far before the one that is looked for.
const SLACK_BYTES: usize = INDEX_INTERVAL_BYTES as usize;

/// A place in a segment to read from.
struct Place {
    file: Arc<dyn File>,
    path: PathBuf,
    position: u64,
    size_bytes: u64,
    next_segment: Option<i64>,
}

impl Partition {
    pub(crate) fn fetch(
        &self,
        buffers: &Arc<Buffers>,
        offset: i64,
        bytes_max: usize,
        isolation: Isolation,
    ) -> Result<Fetched> {
        loop {
            if let Some(fetched) = self.fetch_once(buffers, offset, bytes_max, isolation)? {
                return Ok(fetched);
            }
        }
    }

    /// `None` if compaction has made aborted transactions be forgotten meanwhile, of which the bytes may still hold
    /// records.
    fn fetch_once(
        &self,
        buffers: &Arc<Buffers>,
        offset: i64,
        bytes_max: usize,
        isolation: Isolation,
    ) -> Result<Option<Fetched>> {
        let high_watermark = self.high_watermark.load(Ordering::Acquire);
        let last_stable_offset = self.last_stable_offset.load(Ordering::Acquire);
        let limit = if isolation == Isolation::ReadCommitted { last_stable_offset } else { high_watermark };
        let state = self.state();
        let (log_start_offset, compactions) = (state.log_start_offset, state.compactions);
        drop(state);
        if offset < log_start_offset || offset > high_watermark {
            return Err(Error::OffsetOutOfRange {
                partition: self.name.clone(),
                offset,
                start: log_start_offset,
                end: high_watermark,
            });
        }
        let mut fetched = Fetched {
            high_watermark,
            last_stable_offset,
            log_start_offset,
            // What is not found below was taken out by compaction.
            next_offset: offset.max(limit),
            ..Fetched::default()
        };
        let mut look_from = offset;
        while let Some(place) = self.place_of(look_from).filter(|_| offset < limit) {
            fetched.bytes = read_batches(buffers, &place, offset, limit, bytes_max)?;
            match place.next_segment {
                Some(next) if fetched.bytes.is_empty() && next < limit => look_from = next,
                _ => break,
            }
        }
        if let Some(last) = fetched.all_batches().last() {
            fetched.next_offset = last?.0.next_offset();
        }
        let state = self.state();
        if offset < state.log_start_offset {
            // Retention has overtaken the fetch; what it knew of aborted transactions may be gone too.
            return Err(Error::OffsetOutOfRange {
                partition: self.name.clone(),
                offset,
                start: state.log_start_offset,
                end: high_watermark,
            });
        }
        if isolation == Isolation::ReadCommitted && !fetched.bytes.is_empty() {
            fetched.aborted = state.producers.aborted_between(offset, fetched.next_offset);
        }
        Ok(Some(fetched).filter(|_| state.compactions == compactions))
    }

    fn place_of(&self, offset: i64) -> Option<Place> {
        let state = self.state();
        let after = state.segments.partition_point(|segment| segment.base_offset <= offset);
        let at = after.saturating_sub(1);
        let segment = state.segments.get(at)?;
        Some(Place {
            file: Arc::clone(&segment.file),
            path: segment.path.clone(),
            position: segment.position_of(offset),
            size_bytes: segment.size_bytes,
            next_segment: state.segments.get(at + 1).map(|segment| segment.base_offset),
        })
    }
}

/// Reads whole batches of one segment: from the one that holds `offset` to the last that starts before
/// `limit`, up to `bytes_max` bytes but at least one. Their CRCs are checked.
fn read_batches(buffers: &Arc<Buffers>, place: &Place, offset: i64, limit: i64, bytes_max: usize) -> Result<Bytes> {
    let mut position = place.position;
    let mut want = bytes_max.saturating_add(SLACK_BYTES);
    loop {
        let available = place.size_bytes.saturating_sub(position) as usize;
        let read = |buffer: &mut [u8]| place.file.read_at(buffer, position);
        let buffer = buffers.fill(want.min(available), read).map_err(Error::io("read", &place.path))?;
        let damaged = |at: usize, reason: &str| Error::damaged(&place.path, position + at as u64, reason);
        if buffer.len() < want.min(available) {
            return Err(damaged(buffer.len(), "the file ends here, more had been written"));
        }
        let (mut from, mut to) = (None, 0);
        let mut needed = None;
        while let Some(rest) = buffer.get(to..) {
            match split_batch(rest) {
                // What comes before the damage can be read; the next fetch starts at the damage and reports it.
                Err(_) if from.is_some() => break,
                Err(error) => return Err(damaged(to, &error.to_string())),
                Ok(Some((header, _, _))) if header.base_offset >= limit => break,
                Ok(Some((header, batch, _))) => {
                    if from.is_some_and(|from| to + header.size_bytes - from > bytes_max) {
                        break;
                    }
                    if header.last_offset() >= offset {
                        if !crc_matches(&header, batch) {
                            if from.is_some() {
                                break;
                            }
                            return Err(damaged(to, "the CRC of a batch does not match"));
                        }
                        from.get_or_insert(to);
                    }
                    to += header.size_bytes;
                }
                Ok(None) => {
                    needed = BatchHeader::parse(rest).ok().map(|header| header.size_bytes);
                    break;
                }
            }
        }
        if let Some(from) = from {
            let found = buffer.slice(from..to);
            // What is small does not keep a buffer from others.
            let is_small = found.len() < SLACK_BYTES;
            return Ok(if is_small { Bytes::copy_from_slice(&found) } else { found });
        }
        // Nothing yet: only earlier batches fitted, or the first one is larger than `want`, or the next
        // one lies beyond the limit.
        if needed.is_some_and(|needed| needed > available - to) {
            return Err(damaged(to, "a batch is longer than its file"));
        }
        if to == 0 && needed.is_none() && (want >= available || buffer.len() >= crate::record::HEADER_BYTES) {
            return Ok(Bytes::new());
        }
        position += to as u64;
        want = needed.unwrap_or(crate::record::HEADER_BYTES).max(bytes_max);
        if place.size_bytes <= position {
            return Ok(Bytes::new());
        }
    }
}
