//! Compaction: of each key only the newest record is kept.
//!
//! The segments that were not compacted yet tell the newest offset of each key that they hold; then every
//! segment up to there is rewritten without the records that have a newer one. Offsets never change. A
//! tombstone stays for `delete.retention.ms` after it was compacted first, so that slow readers see it; so does
//! a transaction's marker. What was aborted goes at once, and then its entry among the aborted transactions.
//!
//! A rewritten segment takes the place of its first source by a rename and covers the offsets of all of
//! them; a crash may leave the other sources behind it, which the next start removes ([`Cover`]).

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Cover, Partition};
use crate::record::{BatchHeader, BatchReader, HEADER_BYTES, crc_matches, retain_records};
use crate::segment::{SLICE_BYTES, Segment};
use crate::{AbortedTransaction, Error, File, Io, Result, TopicConfig};

/// How much memory the keys of one compaction may take; what lies beyond is for the next.
const KEY_BYTES_MAX: usize = 64 << 20;
/// What a key takes beside its own bytes: its place in the table, its offset, its allocation.
const KEY_OVERHEAD_BYTES: usize = 64;
/// Segments are joined up to this size, or the topic's own: their files are open all the time.
const JOINED_BYTES_MIN: u64 = 256 << 20;
const HOUR_MS: i64 = 3_600_000;
/// Tombstones stay longer than they must by at most this part of the time, and by an hour.
const ROUNDED_TO_PART: i64 = 24;

/// What a segment knows of its compaction. In memory only: after a restart all is compacted anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compacted {
    /// Before this time in ms, when its tombstones were new. It is rounded up, so that segments that were compacted at about
    /// the same time can be joined.
    Before(i64),
    /// Long enough ago for all tombstones to be gone.
    WithoutTombstones,
}

/// A sealed segment to rewrite.
#[derive(Clone)]
struct Source {
    base_offset: i64,
    next_offset: i64,
    path: std::path::PathBuf,
    file: Arc<dyn File>,
    size_bytes: u64,
    compacted: Option<Compacted>,
    first_timestamp_ms: i64,
}

/// What becomes of a run of segments.
struct Rewrite<'a> {
    sources: Vec<&'a Source>,
    compacted: Compacted,
}

/// Which records are to stay.
#[derive(Default)]
struct Newest {
    /// By key, the offset of its last record before `end`.
    offsets: HashMap<Box<[u8]>, i64>,
    end: i64,
    aborted: Vec<AbortedTransaction>,
}

impl Partition {
    /// Compacts what lies before `sealed_before`, which a checkpoint must know to be on disk, if that is worth it. Ends early
    /// once `stop` says so.
    pub(crate) fn compact(&self, io: &dyn Io, sealed_before: i64, stop: &dyn Fn() -> bool) -> Result<()> {
        let _one_at_a_time = self.rewriting.lock();
        let stop = || stop() || self.deleted.load(Ordering::Acquire);
        let now_ms = io.now_ms();
        if stop() {
            return Ok(());
        }
        let Some(sources) = self.worth_compacting(sealed_before, now_ms) else { return Ok(()) };
        let Some(newest) = self.newest(&sources, &stop)? else { return Ok(()) };
        let due: Vec<_> = sources.iter().filter(|source| source.next_offset <= newest.end).collect();
        for rewrite in self.rewrites(&due, now_ms) {
            if !self.rewrite(io, &rewrite, &newest, &stop)? {
                return Ok(());
            }
        }
        // Nothing of the transactions that were aborted before is left.
        let mut state = self.state();
        if state.producers.forget_before(newest.end) {
            state.compactions += 1;
        }
        Ok(())
    }

    /// Whether compaction would find something to do after a checkpoint.
    pub(crate) fn is_compaction_due(&self, now_ms: i64) -> bool {
        self.worth_compacting(i64::MAX, now_ms).is_some()
    }

    /// The segments to compact: what was not compacted yet is as much of them as the topic asks for, or older than it allows.
    fn worth_compacting(&self, sealed_before: i64, now_ms: i64) -> Option<Vec<Source>> {
        let config = self.config();
        let sources = self.sources(sealed_before, &config, now_ms);
        let (mut dirty, mut all, mut is_overdue) = (0, 0, false);
        for source in &sources {
            all += u128::from(source.size_bytes);
            if source.compacted.is_none() {
                dirty += u128::from(source.size_bytes);
                is_overdue |= now_ms.saturating_sub(source.first_timestamp_ms) > config.max_compaction_lag_ms;
            }
        }
        let is_enough = dirty * 1_000_000 >= all * u128::from(config.min_cleanable_dirty_ppm);
        (dirty > 0 && (is_overdue || is_enough)).then_some(sources)
    }

    /// The segments before an offset whose every transaction is known, durably, to have ended.
    fn sources(&self, sealed_before: i64, config: &TopicConfig, now_ms: i64) -> Vec<Source> {
        if !config.is_compacted() {
            return Vec::new();
        }
        let state = self.state();
        // The last segment is still written to.
        let active = state.segments.last().map_or(0, |segment| segment.base_offset);
        let limit = sealed_before.min(active).min(self.last_stable_offset.load(Ordering::Acquire));
        let damaged_base = self.damaged_base.load(Ordering::Acquire);
        let sealed = state.segments.iter().filter(|segment| segment.next_offset <= limit);
        let newest_ms = now_ms.saturating_sub(config.min_compaction_lag_ms);
        let too_young = |segment: &Segment| config.min_compaction_lag_ms > 0 && segment.max_timestamp_ms > newest_ms;
        let sealed = sealed.take_while(|segment| {
            segment.base_offset < damaged_base && (segment.compacted.is_some() || !too_young(segment))
        });
        sealed
            .map(|segment| Source {
                base_offset: segment.base_offset,
                next_offset: segment.next_offset,
                path: segment.path.clone(),
                file: Arc::clone(&segment.file),
                size_bytes: segment.size_bytes,
                compacted: segment.compacted,
                first_timestamp_ms: segment.first_timestamp_ms.unwrap_or(i64::MAX),
            })
            .collect()
    }

    /// `None` if it was stopped.
    fn newest(&self, sources: &[Source], stop: &dyn Fn() -> bool) -> Result<Option<Newest>> {
        let (first, last) = (sources.first().map_or(0, |s| s.base_offset), sources.last().map_or(0, |s| s.next_offset));
        let aborted = self.state().producers.aborted_between(first, last);
        let mut newest = Newest { aborted, ..Newest::default() };
        let mut key_bytes = 0;
        for source in sources.iter().filter(|source| source.compacted.is_none()) {
            let finished = self.for_each_batch(source, stop, |header, batch| {
                if header.is_control() || newest.is_aborted(header) {
                    return Ok(());
                }
                for record in BatchReader::of_checked(*header, batch)?.iter() {
                    let record = record?;
                    let Some(key) = record.key else { continue };
                    match newest.offsets.get_mut(key) {
                        Some(offset) => *offset = record.offset,
                        None => {
                            key_bytes += key.len() + KEY_OVERHEAD_BYTES;
                            newest.offsets.insert(key.into(), record.offset);
                        }
                    }
                }
                Ok(())
            })?;
            if !finished {
                return Ok(None);
            }
            newest.end = source.next_offset;
            if key_bytes > KEY_BYTES_MAX {
                break;
            }
        }
        Ok(Some(newest))
    }

    /// Visits the batches of a segment; false if it was stopped. What is damaged is remembered.
    fn for_each_batch(
        &self,
        source: &Source,
        stop: &dyn Fn() -> bool,
        visit: impl FnMut(&BatchHeader, &[u8]) -> Result<()>,
    ) -> Result<bool> {
        source.for_each_batch(stop, visit).inspect_err(|error| {
            if matches!(error, Error::Damaged { .. }) {
                self.damaged_base.store(source.base_offset, Ordering::Release);
            }
        })
    }

    /// Joins neighbours of one time.
    fn rewrites<'a>(&self, sources: &[&'a Source], now_ms: i64) -> Vec<Rewrite<'a>> {
        let config = self.config();
        let kept_ms = config.delete_retention_ms;
        let period_ms = (kept_ms / ROUNDED_TO_PART).clamp(1, HOUR_MS);
        let joined_bytes_max = config.segment_bytes.max(JOINED_BYTES_MIN);
        let mut rewrites: Vec<Rewrite<'_>> = Vec::new();
        for &source in sources {
            let compacted = match source.compacted {
                None => Compacted::Before((now_ms.div_euclid(period_ms) + 1).saturating_mul(period_ms)),
                Some(Compacted::Before(ms)) if now_ms < ms.saturating_add(kept_ms) => Compacted::Before(ms),
                Some(_) => Compacted::WithoutTombstones,
            };
            match rewrites.last_mut() {
                Some(last)
                    if last.compacted == compacted && last.size_bytes() + source.size_bytes <= joined_bytes_max =>
                {
                    last.sources.push(source);
                }
                _ => rewrites.push(Rewrite { sources: vec![source], compacted }),
            }
        }
        rewrites
    }

    /// False if it was stopped; then all is as it was.
    fn rewrite(&self, io: &dyn Io, rewrite: &Rewrite<'_>, newest: &Newest, stop: &dyn Fn() -> bool) -> Result<bool> {
        let [first, others @ ..] = rewrite.sources.as_slice() else { return Ok(true) };
        let mut segment = Segment::create_rewritten(io, &self.dir, first.base_offset)?;
        for source in &rewrite.sources {
            let is_last_source = rewrite.sources.last().is_some_and(|last| last.base_offset == source.base_offset);
            let finished = self.for_each_batch(source, stop, |header, batch| {
                // The last batch stays even when it is empty: it says where the next segment starts.
                let must_stay = is_last_source && header.next_offset() == source.next_offset;
                let reader = BatchReader::of_checked(*header, batch)?;
                let without_tombstones = rewrite.compacted == Compacted::WithoutTombstones;
                let aborted = newest.is_aborted(header);
                let kept = retain_records(&reader, batch, must_stay, |record| {
                    if header.is_control() {
                        return !without_tombstones || newest.is_needed(header);
                    }
                    !aborted
                        && newest.keeps(record.key, record.offset)
                        && !(without_tombstones && record.value.is_none())
                })?;
                if let Some(kept) = kept {
                    segment.append(&BatchHeader::parse(&kept)?, &[&kept])?;
                }
                segment.take_unsynced(SLICE_BYTES).map_or(Ok(()), |slice| slice.sync())
            })?;
            if !finished {
                return Ok(false);
            }
        }
        segment.compacted = Some(rewrite.compacted);
        let others_of = others.iter().map(|source| source.base_offset).collect();
        let cover = Cover { base_offset: first.base_offset, end_offset: segment.next_offset, others: others_of };
        if !others.is_empty() {
            cover.write(io, &self.dir)?;
        }
        segment.replace(io, &self.dir)?;
        let mut state = self.state();
        let covers = |offset: i64| offset >= first.base_offset && offset < segment.next_offset;
        state.segments.retain(|segment| !covers(segment.base_offset));
        let at = state.segments.partition_point(|segment| segment.base_offset < first.base_offset);
        state.segments.insert(at, segment);
        drop(state);
        for source in others {
            io.remove(&source.path).map_err(Error::io("remove", &source.path))?;
        }
        if !others.is_empty() {
            io.sync_dir(&self.dir).map_err(Error::io("sync", &self.dir))?;
            cover.remove(io, &self.dir)?;
        }
        Ok(true)
    }
}

impl Rewrite<'_> {
    fn size_bytes(&self) -> u64 {
        self.sources.iter().map(|source| source.size_bytes).sum()
    }
}

impl Newest {
    fn keeps(&self, key: Option<&[u8]>, offset: i64) -> bool {
        key.and_then(|key| self.offsets.get(key)).is_none_or(|&newest| offset >= newest)
    }

    /// Whether a marker ends a transaction whose records may still be there.
    fn is_needed(&self, marker: &BatchHeader) -> bool {
        self.aborted.iter().any(|aborted| aborted.last_offset == marker.base_offset)
    }

    fn is_aborted(&self, header: &BatchHeader) -> bool {
        self.aborted.iter().any(|aborted| aborted.contains(header))
    }
}

impl Source {
    fn for_each_batch(
        &self,
        stop: &dyn Fn() -> bool,
        mut visit: impl FnMut(&BatchHeader, &[u8]) -> Result<()>,
    ) -> Result<bool> {
        let mut buffer = Vec::new();
        let mut position = 0;
        while position < self.size_bytes {
            if stop() {
                return Ok(false);
            }
            let damaged = |error: &dyn std::fmt::Display| Error::damaged(&self.path, position, error.to_string());
            self.read(&mut buffer, HEADER_BYTES, position)?;
            let header = BatchHeader::parse(&buffer).map_err(|error| damaged(&error))?;
            if header.size_bytes as u64 > self.size_bytes - position {
                return Err(damaged(&"a batch is longer than its file"));
            }
            self.read(&mut buffer, header.size_bytes, position)?;
            if !crc_matches(&header, &buffer) {
                return Err(damaged(&"the CRC of a batch does not match"));
            }
            visit(&header, &buffer).map_err(|error| match error {
                Error::CorruptBatch(_) => damaged(&error),
                other => other,
            })?;
            position += header.size_bytes as u64;
        }
        Ok(true)
    }

    fn read(&self, buffer: &mut Vec<u8>, bytes: usize, position: u64) -> Result<()> {
        buffer.resize(bytes, 0);
        let read = self.file.read_at(buffer, position).map_err(Error::io("read", &self.path))?;
        buffer.truncate(read);
        Ok(())
    }
}
