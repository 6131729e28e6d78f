//! Reading a partition: beside appends, under its lock only for a look-up.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::Partition;
use super::locate::locate;
use crate::buffers::Buffers;
use crate::record::{BatchHeader, crc_matches, split_batch};
use crate::segment::INDEX_INTERVAL_BYTES;
use crate::{Error, Extent, Fetched, File, Isolation, Result};

/// The index leads to a batch that is at most so far before the one that is looked for.
const SLACK_BYTES: usize = INDEX_INTERVAL_BYTES as usize;

/// A place in a segment to read from.
pub(super) struct Place {
    pub(super) file: Arc<dyn File>,
    pub(super) path: PathBuf,
    /// At or before the batch that is looked for.
    pub(super) position: u64,
    /// A batch within as many bytes as may be read, with its first offset.
    pub(super) far: (u64, i64),
    pub(super) size_bytes: u64,
    next_segment: Option<i64>,
}

/// What is wanted of a partition.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    pub(super) offset: i64,
    /// Batches from this offset on are not to be seen.
    pub(super) limit: i64,
    pub(super) bytes_max: usize,
}

impl Partition {
    pub(crate) fn fetch(
        &self,
        buffers: &Arc<Buffers>,
        offset: i64,
        bytes_max: usize,
        isolation: Isolation,
    ) -> Result<Fetched> {
        self.find(offset, bytes_max, isolation, |place, wanted| read_batches(buffers, place, wanted))
    }

    /// As a fetch, but the batches stay where they are.
    pub(crate) fn locate(
        &self,
        offset: i64,
        bytes_max: usize,
        isolation: Isolation,
    ) -> Result<Fetched<Option<Extent>>> {
        let locate = |place: &Place, wanted| Ok(locate(place, wanted)?.map(|(extent, next)| (Some(extent), next)));
        self.find(offset, bytes_max, isolation, locate)
    }

    fn find<B: Default>(
        &self,
        offset: i64,
        bytes_max: usize,
        isolation: Isolation,
        take: impl Fn(&Place, Wanted) -> Result<Option<(B, i64)>>,
    ) -> Result<Fetched<B>> {
        loop {
            if let Some(fetched) = self.find_once(offset, bytes_max, isolation, &take)? {
                return Ok(fetched);
            }
        }
    }

    /// `None` if compaction has made aborted transactions be forgotten meanwhile, of which the bytes may still hold
    /// records. `take` is given places until it finds batches, which it returns with the offset that follows them.
    fn find_once<B: Default>(
        &self,
        offset: i64,
        bytes_max: usize,
        isolation: Isolation,
        take: impl Fn(&Place, Wanted) -> Result<Option<(B, i64)>>,
    ) -> Result<Option<Fetched<B>>> {
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
        let wanted = Wanted { offset, limit, bytes_max };
        let mut is_found = false;
        let mut look_from = offset;
        while let Some(place) = self.place_of(look_from, wanted).filter(|_| offset < limit) {
            if let Some((bytes, next_offset)) = take(&place, wanted)? {
                (fetched.bytes, fetched.next_offset, is_found) = (bytes, next_offset, true);
                break;
            }
            match place.next_segment {
                Some(next) if next < limit => look_from = next,
                _ => break,
            }
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
        if isolation == Isolation::ReadCommitted && is_found {
            fetched.aborted = state.producers.aborted_between(offset, fetched.next_offset);
        }
        Ok(Some(fetched).filter(|_| state.compactions == compactions))
    }

    fn place_of(&self, offset: i64, wanted: Wanted) -> Option<Place> {
        let state = self.state();
        let after = state.segments.partition_point(|segment| segment.base_offset <= offset);
        let at = after.saturating_sub(1);
        let segment = state.segments.get(at)?;
        let position = segment.position_of(offset);
        Some(Place {
            file: Arc::clone(&segment.file),
            path: segment.path.clone(),
            position,
            far: segment.last_within(position.saturating_add(wanted.bytes_max as u64), wanted.limit),
            size_bytes: segment.size_bytes,
            next_segment: state.segments.get(at + 1).map(|segment| segment.base_offset),
        })
    }
}

/// Reads whole batches of one segment: from the one that holds `offset` to the last that starts before
/// `limit`, up to `bytes_max` but at least one. Their CRCs are checked. With them comes the offset that follows.
fn read_batches(buffers: &Arc<Buffers>, place: &Place, wanted: Wanted) -> Result<Option<(Bytes, i64)>> {
    let Wanted { offset, limit, bytes_max } = wanted;
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
        let (mut from, mut to, mut next_offset) = (None, 0, offset);
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
                    next_offset = header.next_offset();
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
            let bytes = if found.len() < SLACK_BYTES { Bytes::copy_from_slice(&found) } else { found };
            return Ok(Some((bytes, next_offset)));
        }
        // Nothing yet: only earlier batches fitted, or the first one is larger than `want`, or the next
        // one lies beyond the limit.
        if needed.is_some_and(|needed| needed > available - to) {
            return Err(damaged(to, "a batch is longer than its file"));
        }
        if to == 0 && needed.is_none() && (want >= available || buffer.len() >= crate::record::HEADER_BYTES) {
            return Ok(None);
        }
        position += to as u64;
        want = needed.unwrap_or(crate::record::HEADER_BYTES).max(bytes_max);
        if place.size_bytes <= position {
            return Ok(None);
        }
    }
}
