//! Looking records up by their time. Batch headers lead to the one batch that is decoded.

use std::sync::atomic::Ordering;

use super::Partition;
use crate::record::{BatchHeader, BatchReader};
use crate::segment::{Look, Segment};
use crate::{Error, Isolation, Result};

/// A record's place and time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimedOffset {
    /// Its offset.
    pub offset: i64,
    /// Its time in ms.
    pub timestamp_ms: i64,
}

/// How far a partition reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionOffsets {
    /// The first offset that there is.
    pub log_start: i64,
    /// Where readers of isolation `ReadCommitted` end: at the first open transaction, or where the log starts
    /// if that is after it, else at the high watermark.
    pub last_stable: i64,
    /// The offset after the last durable record.
    pub high_watermark: i64,
}

impl Partition {
    pub(crate) fn all_offsets(&self) -> PartitionOffsets {
        let (log_start, last_stable) = self.offsets();
        PartitionOffsets { log_start, last_stable, high_watermark: self.high_watermark.load(Ordering::Acquire) }
    }

    /// Between what offsets readers find records, `None` where there are none: the log may start within a batch.
    fn bounds(&self, isolation: Isolation) -> Option<(i64, i64)> {
        let offsets = self.all_offsets();
        let end = if isolation == Isolation::ReadCommitted { offsets.last_stable } else { offsets.high_watermark };
        (offsets.log_start < end).then_some((offsets.log_start, end))
    }

    /// The first record of this time or later, `None` if all are older.
    pub(crate) fn offset_for_time(&self, timestamp_ms: i64, isolation: Isolation) -> Result<Option<TimedOffset>> {
        let Some((start, end)) = self.bounds(isolation) else { return Ok(None) };
        for look in self.looks(|segment| segment.look_for_time(timestamp_ms)) {
            let worth = |header: &BatchHeader| header.max_timestamp_ms >= timestamp_ms;
            let found = find(&look, start, end, worth, |record_ms| record_ms >= timestamp_ms)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The first record of the greatest time, `None` if there is no record.
    pub(crate) fn offset_of_greatest_time(&self, isolation: Isolation) -> Result<Option<TimedOffset>> {
        let Some((start, end)) = self.bounds(isolation) else { return Ok(None) };
        let mut greatest: Option<(i64, Look)> = None;
        // The markers of transactions have times, too, so a segment's own greatest time only says where to look.
        for look in self.looks(|segment| Some(segment.look_from_start())) {
            if greatest.as_ref().is_some_and(|(known, _)| look.max_timestamp_ms <= *known) {
                continue;
            }
            if let Some(max_ms) = max_between(&look, start, end)?
                && greatest.as_ref().is_none_or(|(known, _)| max_ms > *known)
            {
                greatest = Some((max_ms, look));
            }
        }
        let Some((max_ms, look)) = greatest else { return Ok(None) };
        find(&look, start, end, |header| header.max_timestamp_ms >= max_ms, |record_ms| record_ms >= max_ms)
    }

    fn looks(&self, look: impl FnMut(&Segment) -> Option<Look>) -> Vec<Look> {
        self.state().segments.iter().filter(|segment| segment.size_bytes > 0).filter_map(look).collect()
    }
}

/// The first batch within the bounds that is worth decoding and has what is looked for.
fn find(
    look: &Look,
    start: i64,
    end: i64,
    worth: impl Fn(&BatchHeader) -> bool,
    wanted: impl Fn(i64) -> bool,
) -> Result<Option<TimedOffset>> {
    let mut position = look.position;
    while position < look.size_bytes {
        let header = look.header_at(position)?;
        if header.base_offset >= end {
            break;
        }
        if header.last_offset() >= start && !header.is_control() && header.record_count > 0 && worth(&header) {
            let batch = look.batch_at(position, &header)?;
            let reader =
                BatchReader::new(&batch).map_err(|error| Error::damaged(&look.path, position, error.to_string()))?;
            if let Some(found) = first(&reader, start, &wanted)? {
                return Ok(Some(found));
            }
        }
        position += header.size_bytes as u64;
    }
    Ok(None)
}

fn first(batch: &BatchReader<'_>, start: i64, wanted: impl Fn(i64) -> bool) -> Result<Option<TimedOffset>> {
    for record in batch.iter() {
        let record = record?;
        if record.offset >= start && wanted(record.timestamp_ms) {
            return Ok(Some(TimedOffset { offset: record.offset, timestamp_ms: record.timestamp_ms }));
        }
    }
    Ok(None)
}

/// The greatest time of the records between the bounds, decoding only a batch that `start` lies in.
fn max_between(look: &Look, start: i64, end: i64) -> Result<Option<i64>> {
    let mut max_ms = None;
    let mut position = look.position;
    while position < look.size_bytes {
        let header = look.header_at(position)?;
        if header.base_offset >= end {
            break;
        }
        if header.last_offset() >= start && !header.is_control() && header.record_count > 0 {
            let of_batch = if header.base_offset >= start {
                Some(header.max_timestamp_ms)
            } else {
                let batch = look.batch_at(position, &header)?;
                let reader = BatchReader::new(&batch)?;
                let times = reader.iter().filter_map(|record| record.ok().filter(|record| record.offset >= start));
                times.map(|record| record.timestamp_ms).max()
            };
            max_ms = max_ms.max(of_batch);
        }
        position += header.size_bytes as u64;
    }
    Ok(max_ms)
}
