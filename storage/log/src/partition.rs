//! One partition: its segments, its producers and how far it may be read.

mod compact;
mod cover;
mod locate;
mod placed;
mod read;
mod restore;
mod times;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use crate::checkpoint::PartitionCheckpoint;
use crate::incoming::Incoming;
use crate::journal::CONTENT_BYTES_MAX;
use crate::producer_state::{Check, ProducerInfo, ProducerStates};
use crate::record::{BatchHeader, ControlType, HEADER_BYTES, set_place, split_batch};
use crate::segment::{Segment, Unsynced};
use crate::watch::Watchers;
use crate::{Error, Io, Result, TopicConfig, TopicPartition, TransactionVersion};

pub(crate) use compact::Compacted;
use cover::Cover;
use placed::Kept;
pub(crate) use placed::{Placed, Placement, Slack};
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
    /// Changed by appends and retention, read by fetches: a mutex, held for a look-up, one write or the
    /// end of a segment.
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
    pub(crate) fn append<T>(
        &self,
        io: &dyn Io,
        journaled_bytes_max: usize,
        batch: Incoming<'_>,
        publish: impl FnOnce(Placement) -> T,
    ) -> Result<T> {
        let header = match split_batch(&batch)? {
            Some((header, _, [])) => header,
            Some(_) => return Err(Error::corrupt("more bytes follow it")),
            None => return Err(Error::corrupt(format!("it is cut off after {} bytes", batch.len()))),
        };
        let mut state = self.state();
        if let Check::Duplicate(base_offset) = state.producers.check(&header, &self.name)? {
            return Ok(publish(Placement::Duplicate(base_offset)));
        }
        let header = BatchHeader { base_offset: state.next_offset, ..header };
        let placed = state.append(io, journaled_bytes_max, self, header, batch)?;
        Ok(publish(Placement::New(placed)))
    }

    /// Whether a batch of this size is to go to its segment only, which is synced before the journal refers to it.
    pub(crate) fn is_for_segment(config: &TopicConfig, header: &BatchHeader, journaled_bytes_max: usize) -> bool {
        let has_slack = Slack::of(config, header).is_some();
        header.size_bytes > journaled_bytes_max && !has_slack || header.size_bytes > CONTENT_BYTES_MAX
    }

    /// Gives back the space that its last segment has for appends.
    pub(crate) fn close(&self) -> Result<()> {
        let state = self.state();
        state.segments.last().filter(|active| active.may_have_space_ahead()).map_or(Ok(()), Segment::seal)
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
            return Err(Error::NotDeletable { partition: self.name.clone() });
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

    /// The first offset and the last stable one. An open transaction may have begun before what is there now, but readers
    /// do not wait where there is nothing any more.
    pub(crate) fn offsets(&self) -> (i64, i64) {
        let last_stable_offset = self.last_stable_offset.load(Ordering::Acquire);
        let log_start_offset = self.state().log_start_offset;
        (log_start_offset, last_stable_offset.max(log_start_offset))
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

    /// Makes a segment durable, with its name, before the journal refers to what is in it.
    pub(crate) fn sync_segment(&self, io: &dyn Io, base_offset: i64) -> Result<()> {
        let mut state = self.state();
        let segment = state.segments.iter_mut().rfind(|segment| segment.base_offset == base_offset);
        let Some((unsynced, is_new)) = segment.map(|segment| (segment.unsynced(), segment.is_new)) else {
            return Err(Error::damaged(&self.dir, 0, format!("the segment {base_offset} is missing")));
        };
        drop(state);
        unsynced.sync()?;
        if is_new { self.sync_dir(io) } else { Ok(()) }
    }

    /// Makes the names of its files durable. Only then do they count as that: a checkpoint does it on a thread of its own,
    /// and what the journal refers to meanwhile must not trust it to have done so.
    pub(crate) fn sync_dir(&self, io: &dyn Io) -> Result<()> {
        let last = self.state().segments.last().map(|segment| segment.base_offset);
        match io.sync_dir(&self.dir) {
            // Its topic was deleted meanwhile.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            outcome => outcome.map_err(Error::io("sync", &self.dir))?,
        }
        let mut state = self.state();
        let named = state.segments.iter_mut().filter(|segment| Some(segment.base_offset) <= last);
        named.for_each(|segment| segment.is_new = false);
        Ok(())
    }

    /// The partition's state for a checkpoint, and whether its folder must be synced before that holds.
    pub(crate) fn checkpoint(&self) -> (PartitionCheckpoint, bool) {
        let state = self.state();
        let is_new = state.segments.iter().any(|segment| segment.is_new);
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

    /// Takes note of a transactional batch that came for it, whatever becomes of the batch.
    pub(crate) fn note_attempt(&self, header: &BatchHeader, version: TransactionVersion, now_ms: i64) {
        self.state().producers.note_attempt(header, version, now_ms);
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
        // What was given up goes whatever the policy is.
        let is_deleted = config.is_deleted();
        let has_age = is_deleted && config.retention_ms >= 0;
        let oldest_ms = if has_age { now_ms.saturating_sub(config.retention_ms) } else { i64::MIN };
        let has_size = is_deleted && config.retention_bytes >= 0;
        let mut state = self.state();
        let mut expired = Vec::new();
        let too_old = |segment: &Segment| segment.max_timestamp_ms < oldest_ms;
        // The active segment goes, too, when all is too old: another one takes its place.
        if state.segments.iter().all(too_old) && state.segments.last().is_some_and(|active| active.size_bytes > 0) {
            let next_offset = state.next_offset;
            state.start_segment(io, &self.dir, next_offset)?;
        }
        let mut size: u64 = state.segments.iter().map(|segment| segment.size_bytes).sum();
        let stable_offset = state.stable_offset();
        while let [oldest, next, ..] = state.segments.as_slice() {
            let too_much = has_size && size - oldest.size_bytes >= config.retention_bytes as u64;
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

    /// Puts a batch that has its offset into the active segment.
    fn append(
        &mut self,
        io: &dyn Io,
        journaled_bytes_max: usize,
        partition: &Partition,
        header: BatchHeader,
        batch: Incoming<'_>,
    ) -> Result<Placed> {
        // Whatever can be refused is refused before anything is written.
        let commits = commits(&header, &batch)?;
        let config = partition.config();
        if self.is_full_for(&header, partition.id, &config) {
            self.start_segment(io, &partition.dir, header.base_offset)?;
        }
        let Some(active) = self.segments.last_mut() else { return Err(Error::corrupt("there is no segment")) };
        // Retention may have begun it, which a recovery from an older checkpoint does not know.
        let starts_segment = active.size_bytes == 0;
        let kept = match batch.split_first_chunk() {
            Some((head, rest)) if Partition::is_for_segment(&config, &header, journaled_bytes_max) => {
                let mut head: [u8; HEADER_BYTES] = *head;
                set_place(&mut head, header.base_offset);
                active.append(&header, &[&head, rest])?;
                Kept::InSegment { base_offset: active.base_offset, header: head }
            }
            _ => {
                let mut batch = batch.into_owned();
                set_place(&mut batch, header.base_offset);
                active.append(&header, &[&batch])?;
                Kept::Batch(batch.into())
            }
        };
        self.note(&header, commits, io.now_ms());
        Ok(Placed {
            base_offset: header.base_offset,
            size_bytes: header.size_bytes as u64,
            starts_segment,
            kept,
            end_offset: self.next_offset,
            stable_offset: self.stable_offset(),
            slack: Slack::of(&config, &header),
        })
    }

    fn start_segment(&mut self, io: &dyn Io, dir: &Path, base_offset: i64) -> Result<()> {
        self.segments.last().map_or(Ok(()), Segment::seal)?;
        self.segments.push(Segment::create(io, dir, base_offset)?);
        Ok(())
    }

    /// Whether the batch must be the first one of a new segment.
    fn is_full_for(&self, header: &BatchHeader, partition_id: u32, config: &TopicConfig) -> bool {
        // Mixed from what no other file of the log has.
        let random = |segment: &Segment| {
            (u64::from(partition_id) << 40 ^ segment.base_offset as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20
        };
        self.segments.last().is_none_or(|active| {
            let too_large = active.size_bytes + header.size_bytes as u64 > config.segment_bytes;
            let roll_ms = || config.roll_ms(random(active));
            active.size_bytes > 0 && (too_large || active.spans(header.max_timestamp_ms, roll_ms()))
        })
    }

    /// Counts a batch that is in its segment.
    fn note(&mut self, header: &BatchHeader, commits: Option<bool>, now_ms: i64) {
        self.producers.note(header, commits, now_ms);
        self.next_offset = header.next_offset();
    }
}

/// Whether a marker commits its transaction; `None` if it is none.
fn commits(header: &BatchHeader, batch: &[u8]) -> Result<Option<bool>> {
    if !header.is_control() {
        return Ok(None);
    }
    Ok(ControlType::of(batch)?.map(|kind| kind == ControlType::Commit))
}
