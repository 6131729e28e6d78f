//! From placed batches to durable ones: the journal's writer.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use super::queue::{Due, Unflushed};
use super::{Flusher, Inner, locked};
use crate::journal::JournalWriter;
use crate::partition::{Partition, Placed, Slack};
use crate::{Error, Result, Ticket};

/// So little is written as fast as nothing.
const MOMENTARY_BYTES_MAX: u64 = 128 << 10;

/// Starts the journal's writer and the checkpoint's thread.
pub(super) fn start(inner: &Arc<Inner>) -> Result<Vec<JoinHandle<()>>> {
    let spawn = |name: &str, body: fn(&Inner)| {
        let inner = Arc::clone(inner);
        let builder = thread::Builder::new().name(name.to_owned());
        builder.spawn(move || body(&inner)).map_err(Error::io("start a thread for", &PathBuf::from(name)))
    };
    let journal = spawn("journal", |inner| {
        let _closing = Closing(inner);
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
    /// A ticket for the batches up to a number, which others may have queued without saying so.
    pub(super) fn ticket(&self, sequence: u64) -> Ticket {
        self.queue.wake_thread();
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

    /// Makes the queue durable: on this thread if nobody waits long for that, else on the journal's. Two changes of threads
    /// for each sync cost more than what little there is to write.
    pub(super) fn flush_soon(&self) -> Result<()> {
        if self.options.flusher == Flusher::Inline {
            return self.flush();
        }
        match self.queue.try_writer(&self.gate).filter(|writer| self.is_momentary(writer)) {
            Some(mut writer) => self.flush_with(&mut writer),
            None => {
                self.queue.wake_thread();
                Ok(())
            }
        }
    }

    fn is_momentary(&self, writer: &JournalWriter) -> bool {
        // Whoever fills the journal retires it, which takes longer.
        let is_full = writer.is_full(self.options.journal_bytes_max.saturating_sub(MOMENTARY_BYTES_MAX));
        self.has_little() && self.sync_time.is_momentary() && !is_full
    }

    /// Whether so little is on its way to the disk that it makes no difference to how long that takes.
    pub(super) fn has_little(&self) -> bool {
        self.queue.has_room(MOMENTARY_BYTES_MAX)
    }

    /// Writes everything queued as one frame, then lets readers see it. An error stops the log.
    pub(super) fn flush(&self) -> Result<()> {
        self.flush_with(&mut self.queue.writer(&self.gate))
    }

    fn flush_with(&self, writer: &mut JournalWriter) -> Result<()> {
        self.try_flush(writer).inspect_err(|error| self.gate.fail(error))
    }

    fn try_flush(&self, writer: &mut JournalWriter) -> Result<()> {
        let (batches, sequence) = {
            let _unit = self.unit.write().unwrap_or_else(PoisonError::into_inner);
            // Looked at under the lock: a unit that failed half-way has stopped the log by now.
            self.gate.check()?;
            self.queue.take()
        };
        if batches.is_empty() {
            return Ok(());
        }
        self.write_frame(writer, &batches)?;
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
        // What the journal only refers to is synced already.
        let unsynced = batches.iter().filter(|(_, placed)| placed.segment().is_none());
        self.checkpointer.note(unsynced.map(|(_, placed)| placed.size_bytes).sum());
        if writer.is_full(self.options.journal_bytes_max) {
            self.retire(writer)?;
        }
        Ok(())
    }

    /// Writes one frame and makes it durable, unless all its batches may wait for that. A failure stops the
    /// log while the writer is still held, so that nobody writes over the broken frame.
    pub(super) fn write_frame(&self, writer: &mut JournalWriter, batches: &[(Arc<Partition>, Placed)]) -> Result<()> {
        let written = self.try_write_frame(writer, batches).inspect_err(|error| self.gate.fail(error));
        self.queue.note_written(batches);
        written
    }

    fn try_write_frame(&self, writer: &mut JournalWriter, batches: &[(Arc<Partition>, Placed)]) -> Result<()> {
        let entries = batches.iter().map(|(partition, placed)| placed.entry(partition.id));
        let slack = batches.iter().map(|(_, placed)| placed.slack).collect::<Option<Vec<_>>>();
        self.sync_segments(batches)?;
        let started = Instant::now();
        writer.write(entries, slack.is_none())?;
        if slack.is_some_and(|slack| self.may_wait(&slack)) {
            return Ok(());
        }
        let synced = writer.sync()?;
        self.sync_time.note(synced, started.elapsed());
        locked(&self.queue.state).unsynced = None;
        Ok(())
    }

    /// Syncs the segments that the journal is about to refer to.
    fn sync_segments(&self, batches: &[(Arc<Partition>, Placed)]) -> Result<()> {
        let segments =
            batches.iter().filter_map(|(partition, placed)| Some((partition.id, placed.segment()?, partition)));
        let segments: BTreeMap<_, _> = segments.map(|(id, segment, partition)| ((id, segment), partition)).collect();
        let sync = |((_, segment), partition): (_, &Arc<Partition>)| partition.sync_segment(&*self.options.io, segment);
        segments.into_iter().try_for_each(sync)
    }

    /// Whether batches of which each has some slack may wait for their sync, with those that wait already.
    fn may_wait(&self, slack: &[Slack]) -> bool {
        let now_ms = self.options.io.now_ms();
        let mut state = locked(&self.queue.state);
        let due_before_ms = state.unsynced.map_or(i64::MAX, |unsynced| unsynced.due_ms);
        let unsynced = state.unsynced.get_or_insert(Unflushed { batches: 0, batches_max: i64::MAX, due_ms: i64::MAX });
        unsynced.batches += slack.len() as i64;
        for slack in slack {
            unsynced.batches_max = unsynced.batches_max.min(slack.batches);
            unsynced.due_ms = unsynced.due_ms.min(now_ms.saturating_add(slack.ms));
        }
        if unsynced.due_ms < due_before_ms {
            // It syncs in time what others write.
            self.queue.wake_thread();
        }
        unsynced.batches < unsynced.batches_max && unsynced.due_ms > now_ms
    }

    /// Makes durable what was acknowledged before it was.
    pub(super) fn sync_journal(&self) -> Result<()> {
        let mut writer = self.queue.writer(&self.gate);
        self.gate.check()?;
        writer.sync().inspect_err(|error| self.gate.fail(error))?;
        locked(&self.queue.state).unsynced = None;
        Ok(())
    }
}
