//! Reading a partition: beside appends, under its lock only for a look-up.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::Partition;
use super::locate::locate;
use crate::buffers::Buffers;
use crate::record::{crc_matches, split_batch};
use crate::{Error, Extent, Fetched, File, Isolation, Result};

/// Less than that is copied out of its buffer.
const SMALL_BYTES: usize = 4096;

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
        let last_stable_offset = self.last_stable_offset.load(Ordering::Acquire);
        let high_watermark = self.high_watermark.load(Ordering::Acquire);
        let state = self.state();
        let (log_start_offset, compactions) = (state.log_start_offset, state.compactions);
        drop(state);
        let last_stable_offset = last_stable_offset.max(log_start_offset);
        let limit = if isolation == Isolation::ReadCommitted { last_stable_offset } else { high_watermark };
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

/// Reads the batches that are to be found in a segment and checks their CRCs. What comes before the damage can be read;
/// the next fetch starts at the damage and reports it.
fn read_batches(buffers: &Arc<Buffers>, place: &Place, wanted: Wanted) -> Result<Option<(Bytes, i64)>> {
    let Some((extent, _)) = locate(place, wanted)? else { return Ok(None) };
    let damaged = |at: usize, reason: &str| Error::damaged(&place.path, extent.position + at as u64, reason);
    let read = |buffer: &mut [u8]| extent.file.read_at(buffer, extent.position);
    let buffer = buffers.fill(extent.length, read).map_err(Error::io("read", &place.path))?;
    if buffer.len() < extent.length {
        return Err(damaged(buffer.len(), "the file ends here, more had been written"));
    }
    let (mut whole, mut next_offset) = (0, wanted.offset);
    while let Some(rest) = buffer.get(whole..).filter(|rest| !rest.is_empty()) {
        let fault = match split_batch(rest) {
            Ok(Some((header, batch, _))) if crc_matches(&header, batch) => {
                whole += header.size_bytes;
                next_offset = header.next_offset();
                continue;
            }
            Ok(Some(_)) => "the CRC of a batch does not match".to_owned(),
            Ok(None) => "a batch is longer than what was written".to_owned(),
            Err(error) => error.to_string(),
        };
        if whole == 0 {
            return Err(damaged(0, &fault));
        }
        break;
    }
    let found = buffer.slice(..whole);
    // What is small does not keep a buffer from others.
    let bytes = if found.len() < SMALL_BYTES { Bytes::copy_from_slice(&found) } else { found };
    Ok(Some((bytes, next_offset)))
}
