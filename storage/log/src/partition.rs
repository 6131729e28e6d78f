//! One partition: its segments, its producers and how far it may be read.

mod compact;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::buffers::Buffers;
use crate::checkpoint::PartitionCheckpoint;
use crate::producer_state::{Check, ProducerStates};
use crate::record::{BatchHeader, ControlType, crc_matches, set_base_offset, split_batch};
use crate::segment::{REWRITTEN, Segment, Unsynced};
use crate::watch::Watchers;
use crate::{Error, Fetched, File, Io, Isolation, Result, TopicConfig, TopicPartition};

pub(crate) use compact::Compacted;

/// A partition of the embedded log.
#[derive(Debug)]
pub(crate) struct Partition {
    /// Names the partition in the journal; never used twice.
    pub(crate) id: u32,
    pub(crate) name: TopicPartition,
    pub(crate) dir: PathBuf,
    config: TopicConfig,
    /// Changed by appends and retention, read by fetches: a mutex, held for a look-up or one write.
    state: Mutex<State>,
    /// Raised by the journal's writer alone once appends are durable.
    high_watermark: AtomicI64,
    last_stable_offset: AtomicI64,
    pub(crate) watchers: Arc<Watchers>,
    /// Held while segments are rewritten.
    rewriting: Mutex<()>,
    /// Whether its topic has been deleted, or is about to be.
    deleted: AtomicBool,
}

#[derive(Debug)]
struct State {
    segments: Vec<Segment>,
    producers: ProducerStates,
    log_start_offset: i64,
    next_offset: i64,
}

/// A batch that is in its segment but not yet in the journal.
#[derive(Debug)]
pub(crate) struct Placed {
    pub(crate) base_offset: i64,
    pub(crate) bytes: Bytes,
    /// How far the partition may be read once the batch is durable.
    pub(crate) end_offset: i64,
    pub(crate) stable_offset: i64,
}

/// What an append did.
#[derive(Debug)]
pub(crate) enum Placement {
    New(Placed),
    /// The producer had sent the batch before; its base offset.
    Duplicate(i64),
}

/// A place in a segment to read from.
struct Place {
    file: Arc<dyn File>,
    path: PathBuf,
    position: u64,
    size_bytes: u64,
    next_segment: Option<i64>,
}

impl Partition {
    /// A partition without records.
    pub(crate) fn empty(id: u32, name: TopicPartition, dir: PathBuf, config: TopicConfig) -> Self {
        let state =
            State { segments: Vec::new(), producers: ProducerStates::default(), log_start_offset: 0, next_offset: 0 };
        Self {
            id,
            name,
            dir,
            config,
            state: Mutex::new(state),
            high_watermark: AtomicI64::new(0),
            last_stable_offset: AtomicI64::new(0),
            watchers: Arc::default(),
            rewriting: Mutex::default(),
            deleted: AtomicBool::new(false),
        }
    }

    /// Opens the partition as of a checkpoint; what the files hold beyond it is in the journal.
    pub(crate) fn restore(&self, io: &dyn Io, checkpoint: Option<PartitionCheckpoint>) -> Result<()> {
        io.create_dir(&self.dir).map_err(Error::io("create", &self.dir))?;
        let names = io.list(&self.dir).map_err(Error::io("list", &self.dir))?;
        for name in names.iter().filter(|name| name.ends_with(REWRITTEN)) {
            let path = self.dir.join(name);
            io.remove(&path).map_err(Error::io("remove", &path))?;
        }
        let bases: Vec<i64> = names.iter().filter_map(|name| name.strip_suffix(".log")?.parse().ok()).collect();
        let mut state = self.state();
        let checkpoint = checkpoint.unwrap_or_default();
        let mut expected = checkpoint.log_start_segment;
        for base in bases {
            // The crash came before it was removed: a segment that was never checkpointed, that had expired,
            // or whose records a rewritten one has.
            let is_rewritten = base < expected && checkpoint.active_base >= 0;
            if base > checkpoint.active_base || base < checkpoint.log_start_segment || is_rewritten {
                let path = crate::segment::segment_path(&self.dir, base);
                io.remove(&path).map_err(Error::io("remove", &path))?;
                continue;
            }
            if base != expected && checkpoint.active_base >= 0 {
                let reason = format!("records {expected} to {base} are missing: a segment is lost or cut");
                return Err(Error::damaged(&self.dir, 0, reason));
            }
            let size = (base == checkpoint.active_base).then_some(checkpoint.active_size_bytes);
            let mut segment = Segment::open(io, &self.dir, base, size, |_| {})?;
            if size.is_some() {
                segment.cut_and_sync()?;
            }
            expected = segment.next_offset;
            state.segments.push(segment);
        }
        let found = state.segments.last().map_or(0, |segment| segment.next_offset);
        if found != checkpoint.next_offset {
            let reason =
                format!("the partition ends at offset {found}, the checkpoint says {}", checkpoint.next_offset);
            return Err(Error::damaged(&self.dir, 0, reason));
        }
        state.next_offset = checkpoint.next_offset;
        state.log_start_offset = checkpoint.log_start_offset;
        state.producers = checkpoint.producers;
        self.publish(state.next_offset, state.stable_offset());
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the batch, whose CRC was checked, the next offset and writes it to the active segment, unsynced. `publish` runs
    /// under the partition's lock, so that batches reach the journal in the order of their offsets.
    pub(crate) fn append<T>(&self, io: &dyn Io, mut batch: Vec<u8>, publish: impl FnOnce(Placement) -> T) -> Result<T> {
        let header = match split_batch(&batch)? {
            Some((header, _, [])) => header,
            Some(_) => return Err(Error::corrupt("more bytes follow it")),
            None => return Err(Error::corrupt(format!("it is cut off after {} bytes", batch.len()))),
        };
        let mut state = self.state();
        if let Check::Duplicate(last_offset) = state.producers.check(&header, &self.name)? {
            return Ok(publish(Placement::Duplicate(last_offset - i64::from(header.last_offset_delta))));
        }
        let base_offset = state.next_offset;
        set_base_offset(&mut batch, base_offset);
        let placed = state.write(io, self, BatchHeader { base_offset, ..header }, Bytes::from(batch))?;
        Ok(publish(Placement::New(placed)))
    }

    /// Appends a batch of the journal again if the segments do not have it yet.
    pub(crate) fn replay(&self, io: &dyn Io, batch: &[u8]) -> Result<()> {
        let header = BatchHeader::parse(batch)?;
        let mut state = self.state();
        if header.base_offset < state.next_offset {
            return Ok(());
        }
        if header.base_offset > state.next_offset {
            let reason = format!("records {} to {} are in no journal", state.next_offset, header.base_offset);
            return Err(Error::damaged(&self.dir, 0, reason));
        }
        let placed = state.write(io, self, header, Bytes::copy_from_slice(batch))?;
        self.publish(placed.end_offset, placed.stable_offset);
        Ok(())
    }

    /// Ends all work on its files and removes them.
    pub(crate) fn delete(&self, io: &dyn Io) -> Result<()> {
        self.deleted.store(true, Ordering::Release);
        let _nobody_else_writes = self.rewriting.lock();
        io.remove_dir(&self.dir).map_err(Error::io("remove", &self.dir))?;
        self.watchers.notify();
        Ok(())
    }

    /// Gives up the records before an offset; their segments go with the next checkpoint.
    pub(crate) fn delete_records(&self, before: i64) -> Result<()> {
        let (end, mut state) = (self.high_watermark.load(Ordering::Acquire), self.state());
        if before < 0 || before > end {
            let (partition, start) = (self.name.clone(), state.log_start_offset);
            return Err(Error::OffsetOutOfRange { partition, offset: before, start, end });
        }
        state.log_start_offset = state.log_start_offset.max(before);
        Ok(())
    }

    /// Makes durable appends visible to readers.
    pub(crate) fn publish(&self, end_offset: i64, stable_offset: i64) {
        self.high_watermark.store(end_offset, Ordering::Release);
        self.last_stable_offset.store(stable_offset.min(end_offset), Ordering::Release);
    }

    /// The first offset and the last stable one.
    pub(crate) fn offsets(&self) -> (i64, i64) {
        (self.state().log_start_offset, self.last_stable_offset.load(Ordering::Acquire))
    }

    /// The producers with an open transaction.
    pub(crate) fn open_producers(&self) -> Vec<(i64, i16)> {
        self.state().producers.open().collect()
    }

    pub(crate) fn fetch(
        &self,
        buffers: &Arc<Buffers>,
        offset: i64,
        bytes_max: usize,
        isolation: Isolation,
    ) -> Result<Fetched> {
        let high_watermark = self.high_watermark.load(Ordering::Acquire);
        let last_stable_offset = self.last_stable_offset.load(Ordering::Acquire);
        let limit = if isolation == Isolation::ReadCommitted { last_stable_offset } else { high_watermark };
        let log_start_offset = self.state().log_start_offset;
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
        drop(state);
        Ok(fetched)
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

    /// The segments of which more than `but_for` bytes wait for a sync; the caller syncs them.
    pub(crate) fn take_unsynced(&self, but_for: u64) -> Vec<Unsynced> {
        self.state().segments.iter_mut().filter_map(|segment| segment.take_unsynced(but_for)).collect()
    }

    /// The partition's state for a checkpoint, and whether its folder must be synced before that holds.
    pub(crate) fn checkpoint(&self) -> (PartitionCheckpoint, bool) {
        let mut state = self.state();
        let is_new = state.segments.iter().any(|segment| segment.is_new);
        state.segments.iter_mut().for_each(|segment| segment.is_new = false);
        let active = state.segments.last();
        let checkpoint = PartitionCheckpoint {
            log_start_offset: state.log_start_offset,
            log_start_segment: state.segments.first().map_or(0, |segment| segment.base_offset),
            next_offset: state.next_offset,
            active_base: active.map_or(-1, |segment| segment.base_offset),
            active_size_bytes: active.map_or(0, |segment| segment.size_bytes),
            producers: state.producers.clone(),
        };
        (checkpoint, is_new)
    }

    /// Takes segments out of the partition that its retention no longer keeps; the caller removes
    /// their files once a checkpoint without them is durable.
    pub(crate) fn expire(&self, now_ms: i64) -> Vec<PathBuf> {
        let TopicConfig { retention_ms, retention_bytes, compact, .. } = self.config;
        let mut state = self.state();
        let mut size: u64 = state.segments.iter().map(|segment| segment.size_bytes).sum();
        let mut expired = Vec::new();
        while let [oldest, next, ..] = state.segments.as_slice() {
            let too_old = retention_ms >= 0 && oldest.max_timestamp_ms < now_ms.saturating_sub(retention_ms);
            let too_much = retention_bytes >= 0 && size - oldest.size_bytes >= retention_bytes as u64;
            let given_up = next.base_offset <= state.log_start_offset;
            if compact || !(too_old || too_much || given_up) {
                break;
            }
            size -= oldest.size_bytes;
            state.log_start_offset = state.log_start_offset.max(next.base_offset);
            expired.push(state.segments.remove(0).path);
        }
        let start = state.log_start_offset;
        state.producers.forget_before(start);
        expired
    }
}

impl State {
    fn stable_offset(&self) -> i64 {
        self.producers.first_open_offset().unwrap_or(self.next_offset)
    }

    fn write(&mut self, io: &dyn Io, partition: &Partition, header: BatchHeader, batch: Bytes) -> Result<Placed> {
        // Whatever can be refused is refused before anything is written.
        let commits =
            if header.is_control() { ControlType::of(&batch)?.map(|kind| kind == ControlType::Commit) } else { None };
        let segment_bytes = partition.config.segment_bytes;
        let full =
            |segment: &Segment| segment.size_bytes + batch.len() as u64 > segment_bytes && segment.size_bytes > 0;
        if self.segments.last().is_none_or(full) {
            let segment = Segment::create(io, &partition.dir, header.base_offset)?;
            self.segments.push(segment);
        }
        if let Some(active) = self.segments.last_mut() {
            active.append(&header, &batch)?;
        }
        self.producers.note(&header, commits);
        self.next_offset = header.next_offset();
        Ok(Placed {
            base_offset: header.base_offset,
            bytes: batch,
            end_offset: self.next_offset,
            stable_offset: self.stable_offset(),
        })
    }
}

/// Reads whole batches of one segment: from the one that holds `offset` to the last that starts before
/// `limit`, up to `bytes_max` but at least one. Their CRCs are checked.
fn read_batches(buffers: &Arc<Buffers>, place: &Place, offset: i64, limit: i64, bytes_max: usize) -> Result<Bytes> {
    let mut position = place.position;
    let mut want = bytes_max;
    loop {
        let available = place.size_bytes.saturating_sub(position) as usize;
        let read = |buffer: &mut [u8]| place.file.read_at(buffer, position);
        let buffer = buffers.fill(want.min(available), read).map_err(Error::io("read", &place.path))?;
        let damaged = |at: usize, reason: &str| Error::damaged(&place.path, position + at as u64, reason);
        let (mut from, mut to) = (None, 0);
        let mut needed = None;
        while let Some(rest) = buffer.get(to..) {
            match split_batch(rest) {
                // What comes before the damage can be read; the next fetch starts at the damage and reports it.
                Err(_) if from.is_some() => break,
                Err(error) => return Err(damaged(to, &error.to_string())),
                Ok(Some((header, _, _))) if header.base_offset >= limit => break,
                Ok(Some((header, batch, _))) => {
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
            return Ok(buffer.slice(from..to));
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
