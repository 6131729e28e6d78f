//! From placed batches to durable ones: the queue, the journal's writer and the checkpoint.

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::thread::{self, JoinHandle, ThreadId};
use std::time::{Duration, Instant};

use super::compaction::Sealed;
use super::{Flusher, Inner, locked};
use crate::checkpoint::Checkpoint;
use crate::journal::{JournalWriter, recycle_before};
use crate::partition::{Partition, Placed};
use crate::segment::{SLICE_BYTES, Unsynced};
use crate::{Error, Result, Ticket};

/// How often the clock is looked at where nothing else happens.
const CLOCK_TICK: Duration = Duration::from_secs(1);

/// Batches on their way to the journal.
#[derive(Debug)]
pub(super) struct JournalQueue {
    /// Filled by appends, emptied by the journal's writer.
    state: Mutex<QueueState>,
    /// Wakes the journal's writer.
    filled: Condvar,
    /// Wakes appends that wait for the disk.
    emptied: Condvar,
    /// The journal's thread, which must never wait for itself.
    thread: OnceLock<ThreadId>,
    /// Held while a frame is written.
    writer: Mutex<JournalWriter>,
}

#[derive(Debug, Default)]
struct QueueState {
    batches: Vec<(Arc<Partition>, Placed)>,
    /// The bytes of batches that are queued or being written.
    waiting_bytes: u64,
    /// The number of the newest batch; the first one is 1.
    sequence: u64,
    /// What was written but not synced; changed with the writer held.
    unsynced: Option<Unflushed>,
    closed: bool,
}

/// Batches that were acknowledged before they are on disk, as their topics allow.
#[derive(Debug, Clone, Copy)]
struct Unflushed {
    batches: i64,
    batches_max: i64,
    due_ms: i64,
}

/// What the journal's thread is to do.
enum Due {
    Write,
    Sync,
    End,
}

impl JournalQueue {
    pub(super) fn new(writer: JournalWriter) -> Self {
        Self {
            state: Mutex::default(),
            filled: Condvar::new(),
            emptied: Condvar::new(),
            thread: OnceLock::new(),
            writer: Mutex::new(writer),
        }
    }

    /// Queues a batch; its number is what its ticket waits for.
    pub(super) fn push(&self, partition: &Arc<Partition>, placed: Placed) -> u64 {
        let mut state = locked(&self.state);
        state.waiting_bytes += placed.bytes.len() as u64;
        state.batches.push((Arc::clone(partition), placed));
        state.sequence += 1;
        let sequence = state.sequence;
        drop(state);
        self.filled.notify_one();
        sequence
    }

    /// Waits while more than so many bytes are on their way to the disk. Refusing them instead would fail queries and
    /// producers for a disk that is merely slow, and keeping them would take all memory; whoever waits slows down what
    /// makes the records. A callback on the journal's own thread does not wait.
    pub(super) fn wait_for_room(&self, bytes_max: u64, has_stopped: impl Fn() -> bool) {
        let mut state = locked(&self.state);
        while state.waiting_bytes > bytes_max && self.thread.get() != Some(&thread::current().id()) && !has_stopped() {
            // A failure of the log is noticed by looking again.
            let waited = self.emptied.wait_timeout(state, CLOCK_TICK);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// So many bytes are no longer on their way.
    fn note_written(&self, batches: &[(Arc<Partition>, Placed)]) {
        let bytes: u64 = batches.iter().map(|(_, placed)| placed.bytes.len() as u64).sum();
        let mut state = locked(&self.state);
        state.waiting_bytes = state.waiting_bytes.saturating_sub(bytes);
        drop(state);
        self.emptied.notify_all();
    }

    /// The number of the newest batch.
    pub(super) fn sequence(&self) -> u64 {
        locked(&self.state).sequence
    }

    /// Lets the journal's writer end once the queue is empty.
    pub(super) fn close(&self) {
        locked(&self.state).closed = true;
        self.filled.notify_all();
    }

    /// Blocks until there is something to do.
    fn wait(&self, now_ms: impl Fn() -> i64) -> Due {
        let mut state = locked(&self.state);
        loop {
            if !state.batches.is_empty() {
                return Due::Write;
            }
            if state.closed {
                return Due::End;
            }
            let wait_ms = state.unsynced.map(|unsynced| unsynced.due_ms - now_ms());
            state = match wait_ms {
                Some(..=0) => return Due::Sync,
                Some(ms) => {
                    let waited = self.filled.wait_timeout(state, Duration::from_millis(ms.unsigned_abs()));
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.filled.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    fn take(&self) -> (Vec<(Arc<Partition>, Placed)>, u64) {
        let mut state = locked(&self.state);
        (std::mem::take(&mut state.batches), state.sequence)
    }
}

/// Makes segments durable and retires full journals without holding up acknowledgements.
#[derive(Debug, Default)]
pub(super) struct Checkpointer {
    /// Filled by the journal's writer, emptied by the checkpoint's thread.
    due: Mutex<CheckpointerState>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct CheckpointerState {
    captured: Option<Capture>,
    /// The journal that comes next, made ready so that changing over to it waits for no disk.
    next: Option<JournalWriter>,
    /// Bytes that went into segments since a slice was last synced.
    unsynced_bytes: u64,
    /// Whether a checkpoint is being written.
    busy: bool,
    /// When retention was last looked after, by the log's clock.
    kept_house_ms: i64,
    closed: bool,
}

impl Checkpointer {
    /// Counts what was written to segments.
    fn note(&self, bytes: u64) {
        let mut due = locked(&self.due);
        due.unsynced_bytes += bytes;
        if due.unsynced_bytes >= SLICE_BYTES {
            self.wake.notify_all();
        }
    }
}

/// Everything a checkpoint needs, as of one moment between two frames.
#[derive(Debug)]
struct Capture {
    checkpoint: Checkpoint,
    unsynced: Vec<Unsynced>,
    dirs: Vec<PathBuf>,
    expired: Vec<PathBuf>,
}

/// Starts the journal's writer and the checkpoint's thread.
pub(super) fn start(inner: &Arc<Inner>) -> Result<Vec<JoinHandle<()>>> {
    let spawn = |name: &str, body: fn(&Inner)| {
        let inner = Arc::clone(inner);
        let builder = thread::Builder::new().name(name.to_owned());
        builder.spawn(move || body(&inner)).map_err(Error::io("start a thread for", &PathBuf::from(name)))
    };
    let journal = spawn("journal", |inner| {
        let _closing = Closing(inner);
        let _ = inner.queue.thread.set(thread::current().id());
        loop {
            let done = match inner.queue.wait(|| inner.options.io.now_ms()) {
                Due::Write => inner.flush(),
                Due::Sync => inner.sync_journal(),
                Due::End => break,
            };
            if done.is_err() {
                break;
            }
        }
    })?;
    Ok(vec![journal, spawn("checkpoint", Inner::run_checkpointer)?, spawn("compaction", Inner::run_compactor)?])
}

/// Ends what depends on the journal's thread when that ends, be it by a panic.
struct Closing<'a>(&'a Inner);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.gate.fail(&Error::corrupt("the journal's thread has panicked"));
        }
        locked(&self.0.checkpointer.due).closed = true;
        self.0.checkpointer.wake.notify_all();
        self.0.compactor.close();
    }
}

impl Inner {
    /// A ticket for the batches up to a number.
    pub(super) fn ticket(&self, sequence: u64) -> Ticket {
        Ticket::new(Arc::clone(&self.gate), sequence, ())
    }

    /// Waits while too much is on its way to the disk. To be called before anything is locked.
    pub(super) fn wait_for_room(&self) {
        self.queue.wait_for_room(self.options.queue_bytes_max, || self.gate.check().is_err());
    }

    /// Makes the queue durable now if nobody else does.
    pub(super) fn flush_if_inline(&self) -> Result<()> {
        if self.options.flusher == Flusher::Inline { self.flush() } else { Ok(()) }
    }

    /// Writes everything queued as one frame, then lets readers see it. An error stops the log.
    pub(super) fn flush(&self) -> Result<()> {
        let outcome = self.try_flush();
        if let Err(error) = &outcome {
            self.gate.fail(error);
        }
        outcome
    }

    fn try_flush(&self) -> Result<()> {
        let mut writer = locked(&self.queue.writer);
        let (batches, sequence) = {
            let _unit = self.unit.write().unwrap_or_else(PoisonError::into_inner);
            // Looked at under the lock: a unit that failed half-way has stopped the log by now.
            self.gate.check()?;
            self.queue.take()
        };
        if batches.is_empty() {
            return Ok(());
        }
        self.write_frame(&mut writer, &batches)?;
        for (partition, placed) in &batches {
            partition.publish(placed.end_offset, placed.stable_offset);
        }
        self.gate.raise(sequence);
        let mut notified: Option<u32> = None;
        for (partition, _) in &batches {
            if notified.replace(partition.id) != Some(partition.id) {
                partition.watchers.notify();
            }
        }
        let written: usize = batches.iter().map(|(_, placed)| placed.bytes.len()).sum();
        self.checkpointer.note(written as u64);
        if writer.size_bytes() >= self.options.journal_bytes_max {
            self.retire(&mut writer)?;
        }
        Ok(())
    }

    /// Writes one frame and makes it durable, unless all its batches may wait for that. A failure stops the
    /// log while the writer is still held, so that nobody writes over the broken frame.
    fn write_frame(&self, writer: &mut JournalWriter, batches: &[(Arc<Partition>, Placed)]) -> Result<()> {
        let entries = batches.iter().map(|(partition, placed)| (partition.id, &*placed.bytes));
        let written = writer.write(entries).inspect_err(|error| self.gate.fail(error));
        let written = written.and_then(|()| self.sync_if_due(writer, batches));
        self.queue.note_written(batches);
        written
    }

    fn sync_if_due(&self, writer: &mut JournalWriter, batches: &[(Arc<Partition>, Placed)]) -> Result<()> {
        let slack = batches.iter().map(|(_, placed)| placed.slack).collect::<Option<Vec<_>>>();
        if let Some(slack) = slack {
            let now_ms = self.options.io.now_ms();
            let mut state = locked(&self.queue.state);
            let unsynced =
                state.unsynced.get_or_insert(Unflushed { batches: 0, batches_max: i64::MAX, due_ms: i64::MAX });
            unsynced.batches += slack.len() as i64;
            for slack in slack {
                unsynced.batches_max = unsynced.batches_max.min(slack.batches);
                unsynced.due_ms = unsynced.due_ms.min(now_ms.saturating_add(slack.ms));
            }
            if unsynced.batches < unsynced.batches_max && unsynced.due_ms > now_ms {
                return Ok(());
            }
        }
        writer.sync().inspect_err(|error| self.gate.fail(error))?;
        locked(&self.queue.state).unsynced = None;
        Ok(())
    }

    /// Makes durable what was acknowledged before it was.
    pub(super) fn sync_journal(&self) -> Result<()> {
        let mut writer = locked(&self.queue.writer);
        self.gate.check()?;
        writer.sync().inspect_err(|error| self.gate.fail(error))?;
        locked(&self.queue.state).unsynced = None;
        Ok(())
    }

    /// Starts the next journal and hands the checkpoint for the old one to its thread, unless that is
    /// still busy: then the journal grows on.
    fn retire(&self, writer: &mut JournalWriter) -> Result<()> {
        if self.options.flusher == Flusher::Inline {
            return self.retire_inline(writer);
        }
        let mut due = locked(&self.checkpointer.due);
        if due.captured.is_none()
            && !due.busy
            && let Some(next) = due.next.take()
        {
            due.captured = Some(self.capture(writer, next)?);
            self.checkpointer.wake.notify_all();
        }
        Ok(())
    }

    fn retire_inline(&self, writer: &mut JournalWriter) -> Result<()> {
        let next = self.create_journal(writer.number() + 1)?;
        let capture = self.capture(writer, next)?;
        let sealed = self.complete(capture)?;
        self.compact(sealed)
    }

    fn create_journal(&self, number: u64) -> Result<JournalWriter> {
        JournalWriter::create(&*self.options.io, &self.options.dir.join("journal"), number)
    }

    /// Switches to the next journal and notes what the partitions are at this moment.
    fn capture(&self, writer: &mut JournalWriter, next: JournalWriter) -> Result<Capture> {
        let _unit = self.unit.write().unwrap_or_else(PoisonError::into_inner);
        self.gate.check()?;
        let (batches, sequence) = self.queue.take();
        if !batches.is_empty() {
            self.write_frame(writer, &batches)?;
            for (partition, placed) in &batches {
                partition.publish(placed.end_offset, placed.stable_offset);
            }
            self.gate.raise(sequence);
        }
        let io = &*self.options.io;
        writer.retire_for(next)?;
        locked(&self.queue.state).unsynced = None;
        let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner);
        let now_ms = io.now_ms();
        let mut capture = Capture {
            checkpoint: Checkpoint { journal: writer.number(), ..Checkpoint::default() },
            unsynced: Vec::new(),
            dirs: Vec::new(),
            expired: Vec::new(),
        };
        for partition in topics.partitions() {
            capture.expired.extend(partition.expire(io, now_ms)?);
            partition.expire_producers(now_ms.saturating_sub(self.options.producer_id_expiration_ms));
            let (checkpoint, is_new) = partition.checkpoint();
            if is_new {
                capture.dirs.push(partition.dir.clone());
            }
            capture.unsynced.extend(partition.take_unsynced(0));
            capture.checkpoint.partitions.insert(partition.id, checkpoint);
        }
        drop(topics);
        for (partition, _) in &batches {
            partition.watchers.notify();
        }
        Ok(capture)
    }

    /// Syncs the segments, writes the checkpoint and removes what it makes needless.
    ///
    /// Returns where each partition's last segment starts; what lies before is on disk and final.
    fn complete(&self, capture: Capture) -> Result<Sealed> {
        let io = &*self.options.io;
        capture.unsynced.iter().try_for_each(Unsynced::sync)?;
        for dir in &capture.dirs {
            match io.sync_dir(dir) {
                // The topic was deleted meanwhile.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                outcome => outcome.map_err(Error::io("sync", dir))?,
            }
        }
        // A slice that was synced before may have failed: then its segments only seem to be on disk.
        self.gate.check()?;
        capture.checkpoint.write(io, &self.options.dir.join("checkpoint"))?;
        let spare_bytes_max = 2 * self.options.journal_bytes_max;
        recycle_before(io, &self.options.dir.join("journal"), capture.checkpoint.journal, spare_bytes_max)?;
        for path in &capture.expired {
            io.remove(path).map_err(Error::io("remove", path))?;
        }
        Ok(capture.checkpoint.partitions.iter().map(|(id, partition)| (*id, partition.active_base)).collect())
    }

    fn run_checkpointer(&self) {
        let mut number = locked(&self.queue.writer).number();
        let mut looked = Instant::now();
        locked(&self.checkpointer.due).kept_house_ms = self.options.io.now_ms();
        let mut due = locked(&self.checkpointer.due);
        loop {
            if let Some(capture) = due.captured.take() {
                due.busy = true;
                drop(due);
                self.gate.fail_on(self.complete(capture).map(|sealed| self.compactor.start(sealed)));
                due = locked(&self.checkpointer.due);
                due.busy = false;
            } else if due.next.is_none() && self.gate.check().is_ok() {
                drop(due);
                number += 1;
                let created = self.create_journal(number).inspect_err(|error| self.gate.fail(error));
                due = locked(&self.checkpointer.due);
                due.next = created.ok();
            } else if due.unsynced_bytes >= SLICE_BYTES {
                due.unsynced_bytes = 0;
                drop(due);
                self.gate.fail_on(self.sync_slice());
                due = locked(&self.checkpointer.due);
            } else if due.closed {
                return;
            } else if self.is_house_due(&due)
                && let Some(next) = due.next.take()
            {
                due.kept_house_ms = self.options.io.now_ms();
                drop(due);
                self.gate.fail_on(self.retire_early(next));
                due = locked(&self.checkpointer.due);
            } else if looked.elapsed() >= CLOCK_TICK && self.gate.check().is_ok() {
                drop(due);
                self.gate.fail_on(self.abort_overdue());
                looked = Instant::now();
                due = locked(&self.checkpointer.due);
            } else {
                let waited = self.checkpointer.wake.wait_timeout(due, CLOCK_TICK);
                due = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
        }
    }

    fn is_house_due(&self, due: &CheckpointerState) -> bool {
        let since_ms = self.options.io.now_ms().saturating_sub(due.kept_house_ms);
        since_ms >= self.options.retention_check_interval_ms && self.gate.check().is_ok()
    }

    /// Writes a checkpoint before the journal is full, since that is when retention and compaction are done.
    fn retire_early(&self, next: JournalWriter) -> Result<()> {
        let mut writer = locked(&self.queue.writer);
        let capture = self.capture(&mut writer, next)?;
        drop(writer);
        self.complete(capture).map(|sealed| self.compactor.start(sealed))
    }

    /// Does what is to be done from time to time, on this thread.
    pub(super) fn keep_house(&self) -> Result<()> {
        self.abort_overdue()?;
        self.flush()?;
        self.sync_journal()?;
        let mut due = locked(&self.checkpointer.due);
        if self.options.flusher == Flusher::Thread || !self.is_house_due(&due) {
            return Ok(());
        }
        due.kept_house_ms = self.options.io.now_ms();
        drop(due);
        self.retire_inline(&mut locked(&self.queue.writer))
    }

    /// Syncs the segments that were written to most. A checkpoint that is captured meanwhile counts them as
    /// synced: it is completed on this thread, after this, and only if this has not stopped the log.
    fn sync_slice(&self) -> Result<()> {
        let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner);
        let files: Vec<_> =
            topics.partitions().flat_map(|partition| partition.take_unsynced(SLICE_BYTES / 4)).collect();
        drop(topics);
        files.iter().try_for_each(Unsynced::sync)
    }

    /// Flushes, and writes a checkpoint on this thread.
    pub(super) fn checkpoint_now(&self) -> Result<()> {
        self.flush()?;
        let mut writer = locked(&self.queue.writer);
        let next = locked(&self.checkpointer.due).next.take();
        let next = next.map_or_else(|| self.create_journal(writer.number() + 1), Ok)?;
        let capture = self.capture(&mut writer, next)?;
        drop(writer);
        self.complete(capture).map(drop)
    }
}
