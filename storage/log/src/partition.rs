//! One partition: its segments, its producers and how far it may be read.

mod compact;
mod cover;
mod read;
mod restore;
mod times;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use bytes::Bytes;

use crate::Buffer;
use crate::checkpoint::PartitionCheckpoint;
use crate::producer_state::{Check, ProducerInfo, ProducerStates};
use crate::record::{BatchHeader, ControlType, set_base_offset, split_batch};
use crate::segment::{Segment, Unsynced};
use crate::watch::Watchers;
use crate::{Error, Io, Result, TopicConfig, TopicPartition};

pub(crate) use compact::Compacted;
use cover::Cover;
pub use times::{PartitionOffsets, TimedOffset};

/// A partition of the embedded log.
#[derive(Debug)]
pub(crate) struct Partition {
    /// Names the partition in the journal; never used twice.
    pub(crate) id: u32,
    pub(crate) name: TopicPartition,
    pub(crate) dir: PathBuf,
    /// Replaced as a whole when the topic is altered.
    config: RwLock<Arc<TopicConfig>>,
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
    /// The segment that compaction found damaged: it stops before that, and whoever reads it is told.
    damaged_base: AtomicI64,
}

#[derive(Debug)]
struct State {
    segments: Vec<Segment>,
    producers: ProducerStates,
    log_start_offset: i64,
    next_offset: i64,
    /// How often compaction has made aborted transactions be forgotten.
    compactions: u64,
}

/// A batch that is in its segment but not yet in the journal.
#[derive(Debug)]
pub(crate) struct Placed {
    pub(crate) base_offset: i64,
    pub(crate) bytes: Bytes,
    /// How far the partition may be read once the batch is durable.
    pub(crate) end_offset: i64,
    pub(crate) stable_offset: i64,
    /// `None`: it must be on disk before it is acknowledged.
    pub(crate) slack: Option<Slack>,
}

/// How long a batch may wait for the disk after it was acknowledged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slack {
    pub(crate) batches: i64,
    pub(crate) ms: i64,
}

impl Slack {
    /// Where only a number of batches is given, the last ones wait so long.
    const DEFAULT_MS: i64 = 1_000;

    fn of(config: &TopicConfig, header: &BatchHeader) -> Option<Self> {
        // A transaction that is committed must be whole.
        if !config.is_relaxed() || header.is_transactional() {
            return None;
        }
        let batches = if config.flush_messages > 1 { config.flush_messages } else { i64::MAX };
        Some(Self { batches, ms: if config.flush_ms > 0 { config.flush_ms } else { Self::DEFAULT_MS } })
    }
}

/// What an append did.
#[derive(Debug)]
pub(crate) enum Placement {
    New(Placed),
    /// The producer had sent the batch before; its base offset.
    Duplicate(i64),
}

impl Partition {
    /// A partition without records.
    pub(crate) fn empty(id: u32, name: TopicPartition, dir: PathBuf, config: Arc<TopicConfig>) -> Self {
        let state = State {
            segments: Vec::new(),
            producers: ProducerStates::default(),
            log_start_offset: 0,
            next_offset: 0,
            compactions: 0,
        };
        Self {
            id,
            name,
            dir,
            config: RwLock::new(config),
            state: Mutex::new(state),
            high_watermark: AtomicI64::new(0),
            last_stable_offset: AtomicI64::new(0),
            watchers: Arc::default(),
            rewriting: Mutex::default(),
            deleted: AtomicBool::new(false),
            damaged_base: AtomicI64::new(i64::MAX),
        }
    }

    pub(crate) fn config(&self) -> Arc<TopicConfig> {
        Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn configure(&self, config: &Arc<TopicConfig>) {
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(config);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the batch, whose CRC was checked, the next offset and writes it to the active segment, unsynced. `publish` runs
    /// under the partition's lock, so that batches reach the journal in the order of their offsets.
    pub(crate) fn append<T>(&self, io: &dyn Io, mut batch: Buffer, publish: impl FnOnce(Placement) -> T) -> Result<T> {
        let header = match split_batch(&batch)? {
            Some((header, _, [])) => header,
            Some(_) => return Err(Error::corrupt("more bytes follow it")),
            None => return Err(Error::corrupt(format!("it is cut off after {} bytes", batch.len()))),
        };
        let mut state = self.state();
        if let Check::Duplicate(base_offset) = state.producers.check(&header, &self.name)? {
            return Ok(publish(Placement::Duplicate(base_offset)));
        }
        let base_offset = state.next_offset;
        set_base_offset(&mut batch, base_offset);
        let placed = state.write(io, self, BatchHeader { base_offset, ..header }, Bytes::from(batch))?;
        Ok(publish(Placement::New(placed)))
    }

    /// Appends a batch of the journal again if the segments do not have it yet.
    pub(crate) fn replay(&self, io: &dyn Io, batch: &[u8]) -> Result<()> {
        let Some((header, _, [])) = split_batch(batch)? else {
            return Err(Error::corrupt("it is not as long as its entry in the journal"));
        };
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
        if !self.config().is_deleted() {
            let reason = "of a compacted topic no records are deleted but those with a newer one".to_owned();
            return Err(Error::InvalidTopic { topic: self.name.topic.to_string(), reason });
        }
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

    /// What its segments hold.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.state().segments.iter().map(|segment| segment.size_bytes).sum()
    }

    /// The producers with an open transaction.
    pub(crate) fn open_producers(&self) -> Vec<(i64, i16)> {
        self.state().producers.open().collect()
    }

    /// The segments of which more than so many bytes wait for a sync; the caller syncs them.
    pub(crate) fn take_unsynced(&self, more_than_bytes: u64) -> Vec<Unsynced> {
        self.state().segments.iter_mut().filter_map(|segment| segment.take_unsynced(more_than_bytes)).collect()
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

    /// What is known of its producers, by id.
    pub(crate) fn producers(&self) -> Vec<ProducerInfo> {
        self.state().producers.infos().collect()
    }

    /// Forgets the producers that have written nothing since this time.
    pub(crate) fn expire_producers(&self, before_ms: i64) {
        self.state().producers.expire(before_ms);
    }

    /// Takes segments out of the partition that its retention no longer keeps; the caller removes
    /// their files once a checkpoint without them is durable. None while segments are rewritten.
    pub(crate) fn expire(&self, io: &dyn Io, now_ms: i64) -> Result<Vec<PathBuf>> {
        let Ok(_nobody_rewrites) = self.rewriting.try_lock() else { return Ok(Vec::new()) };
        let config = self.config();
        let oldest_ms = if config.retention_ms >= 0 { now_ms.saturating_sub(config.retention_ms) } else { i64::MIN };
        let mut state = self.state();
        let mut expired = Vec::new();
        if !config.is_deleted() {
            return Ok(expired);
        }
        let too_old = |segment: &Segment| segment.max_timestamp_ms < oldest_ms;
        // The active segment goes, too, when all is too old: another one takes its place.
        if state.segments.iter().all(too_old) && state.segments.last().is_some_and(|active| active.size_bytes > 0) {
            let next_offset = state.next_offset;
            state.segments.push(Segment::create(io, &self.dir, next_offset)?);
        }
        let mut size: u64 = state.segments.iter().map(|segment| segment.size_bytes).sum();
        let stable_offset = state.stable_offset();
        while let [oldest, next, ..] = state.segments.as_slice() {
            let too_much = config.retention_bytes >= 0 && size - oldest.size_bytes >= config.retention_bytes as u64;
            let given_up = next.base_offset <= state.log_start_offset;
            if !(too_old(oldest) || too_much || given_up) || next.base_offset > stable_offset {
                break;
            }
            size -= oldest.size_bytes;
            state.log_start_offset = state.log_start_offset.max(next.base_offset);
            expired.push(state.segments.remove(0).path);
        }
        let start = state.log_start_offset;
        state.producers.forget_before(start);
        Ok(expired)
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
        let config = partition.config();
        // Mixed from what no other file of the log has.
        let random = |segment: &Segment| {
            (u64::from(partition.id) << 40 ^ segment.base_offset as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20
        };
        let roll_ms = |segment: &Segment| config.roll_ms(random(segment));
        let full = |segment: &Segment| {
            let too_large = segment.size_bytes + batch.len() as u64 > config.segment_bytes;
            segment.size_bytes > 0 && (too_large || segment.spans(header.max_timestamp_ms, roll_ms(segment)))
        };
        if self.segments.last().is_none_or(full) {
            let segment = Segment::create(io, &partition.dir, header.base_offset)?;
            self.segments.push(segment);
        }
        if let Some(active) = self.segments.last_mut() {
            active.append(&header, &batch)?;
        }
        self.producers.note(&header, commits, io.now_ms());
        self.next_offset = header.next_offset();
        Ok(Placed {
            base_offset: header.base_offset,
            bytes: batch,
            end_offset: self.next_offset,
            stable_offset: self.stable_offset(),
            slack: Slack::of(&config, &header),
        })
    }
}
