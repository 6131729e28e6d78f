//! The checkpoint's thread: segments to the disk, journals retired, and what is to be done from time to time.

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

use super::compaction::Sealed;
use super::queue::CLOCK_TICK;
use super::{Flusher, Inner, locked};
use crate::checkpoint::Checkpoint;
use crate::journal::{JournalWriter, recycle_before};
use crate::partition::Partition;
use crate::segment::{SLICE_BYTES, Unsynced};
use crate::{Error, Result};

/// Makes segments durable and retires full journals without holding up acknowledgements.
#[derive(Debug, Default)]
pub(super) struct Checkpointer {
    /// Filled by the journal's writer, emptied by the checkpoint's thread.
    pub(super) due: Mutex<CheckpointerState>,
    pub(super) wake: Condvar,
}

#[derive(Debug, Default)]
pub(super) struct CheckpointerState {
    captured: Option<Capture>,
    /// The journal that comes next, made ready so that changing over to it waits for no disk.
    next: Option<JournalWriter>,
    /// Bytes that went into segments since a slice was last synced.
    unsynced_bytes: u64,
    /// Whether a checkpoint is being written.
    busy: bool,
    /// When retention was last looked after, by the log's clock.
    kept_house_ms: i64,
    /// When it was last seen whether anything is to be compacted.
    looked_for_compaction_ms: i64,
    pub(super) closed: bool,
}

impl Checkpointer {
    /// Counts what was written to segments.
    pub(super) fn note(&self, bytes: u64) {
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
    unsynced_dirs: Vec<Arc<Partition>>,
    expired: Vec<PathBuf>,
}

impl Inner {
    /// Starts the next journal and hands the checkpoint for the old one to its thread, unless that is
    /// still busy: then the journal grows on.
    pub(super) fn retire(&self, writer: &mut JournalWriter) -> Result<()> {
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
            unsynced_dirs: Vec::new(),
            expired: Vec::new(),
        };
        for partition in topics.partitions() {
            capture.expired.extend(partition.expire(io, now_ms)?);
            partition.expire_producers(now_ms.saturating_sub(self.options.producer_id_expiration_ms));
            let (checkpoint, is_new) = partition.checkpoint();
            if is_new {
                capture.unsynced_dirs.push(Arc::clone(partition));
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
        capture.unsynced_dirs.iter().try_for_each(|partition| partition.sync_dir(io))?;
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

    pub(super) fn run_checkpointer(&self) {
        let mut number = self.queue.writer(&self.gate).number();
        let mut looked = Instant::now();
        let mut due = locked(&self.checkpointer.due);
        due.kept_house_ms = self.options.io.now_ms();
        due.looked_for_compaction_ms = due.kept_house_ms;
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
            } else if due.next.is_some() && self.is_look_due(&due) {
                drop(due);
                self.look_for_compaction();
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

    /// While compaction is at work it would find again what that has not reached yet.
    fn is_look_due(&self, due: &CheckpointerState) -> bool {
        let since_ms = self.options.io.now_ms().saturating_sub(due.looked_for_compaction_ms);
        let is_due = since_ms >= self.options.compaction_check_interval_ms && self.gate.check().is_ok();
        is_due && !self.compactor.is_busy()
    }

    /// Makes the next checkpoint due at once if compaction waits for it.
    fn look_for_compaction(&self) {
        let now_ms = self.options.io.now_ms();
        let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner);
        let is_due = topics.partitions().any(|partition| partition.is_compaction_due(now_ms));
        drop(topics);
        let mut due = locked(&self.checkpointer.due);
        due.looked_for_compaction_ms = now_ms;
        if is_due {
            due.kept_house_ms = i64::MIN;
        }
    }

    /// Writes a checkpoint before the journal is full, since that is when retention and compaction are done.
    fn retire_early(&self, next: JournalWriter) -> Result<()> {
        let mut writer = self.queue.writer(&self.gate);
        let capture = self.capture(&mut writer, next)?;
        drop(writer);
        self.complete(capture).map(|sealed| self.compactor.start(sealed))
    }

    /// Does what is to be done from time to time, on this thread.
    pub(super) fn keep_house(&self) -> Result<()> {
        self.abort_overdue()?;
        self.flush()?;
        self.sync_journal()?;
        if self.options.flusher == Flusher::Thread {
            return Ok(());
        }
        if self.is_look_due(&locked(&self.checkpointer.due)) {
            self.look_for_compaction();
        }
        let mut due = locked(&self.checkpointer.due);
        if !self.is_house_due(&due) {
            return Ok(());
        }
        due.kept_house_ms = self.options.io.now_ms();
        drop(due);
        self.retire_inline(&mut self.queue.writer(&self.gate))
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
        let mut writer = self.queue.writer(&self.gate);
        let next = locked(&self.checkpointer.due).next.take();
        let next = next.map_or_else(|| self.create_journal(writer.number() + 1), Ok)?;
        let capture = self.capture(&mut writer, next)?;
        drop(writer);
        self.complete(capture).map(drop)
    }

    /// Gives back the space that partitions have for appends: none come any more, also where a full disk was the end.
    pub(super) fn close_partitions(&self) {
        let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner);
        for partition in topics.partitions() {
            // It is no more than space, and what is damaged is told at the next start.
            let _ = partition.close();
        }
    }
}

#[cfg(test)]
mod tests;
