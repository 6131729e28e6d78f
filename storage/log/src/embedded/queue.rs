//! The queue before the journal.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::thread;
use std::time::Duration;

use super::locked;
use crate::Error;
use crate::gate::Gate;
use crate::journal::JournalWriter;
use crate::partition::{Partition, Placed};
use crate::signal::Signal;

/// How often the clock is looked at where nothing else happens.
pub(super) const CLOCK_TICK: Duration = Duration::from_secs(1);

/// Batches on their way to the journal.
#[derive(Debug)]
pub(super) struct JournalQueue {
    /// Filled by appends, emptied by the journal's writer.
    pub(super) state: Mutex<QueueState>,
    /// Wakes the journal's writer.
    filled: Signal,
    /// Wakes appends that wait for the disk.
    emptied: Signal,
    /// Held while a frame is written.
    writer: Mutex<JournalWriter>,
}

thread_local! {
    /// How many journals' writers this thread holds.
    static HELD: Cell<usize> = const { Cell::new(0) };
}

/// The journal's writer, held by this thread, which must never wait for what only its holder can do, as what is called
/// back meanwhile might. A panic meanwhile stops the log: nobody knows what of the queue has been written.
pub(super) struct HeldWriter<'a> {
    writer: MutexGuard<'a, JournalWriter>,
    gate: &'a Gate,
}

impl<'a> HeldWriter<'a> {
    fn new(writer: MutexGuard<'a, JournalWriter>, gate: &'a Gate) -> Self {
        HELD.set(HELD.get() + 1);
        Self { writer, gate }
    }
}

impl Drop for HeldWriter<'_> {
    fn drop(&mut self) {
        HELD.set(HELD.get() - 1);
        if thread::panicking() {
            self.gate.fail(&Error::corrupt("a thread that wrote the journal has panicked"));
        }
    }
}

impl Deref for HeldWriter<'_> {
    type Target = JournalWriter;

    fn deref(&self) -> &JournalWriter {
        &self.writer
    }
}

impl DerefMut for HeldWriter<'_> {
    fn deref_mut(&mut self) -> &mut JournalWriter {
        &mut self.writer
    }
}

#[derive(Debug, Default)]
pub(super) struct QueueState {
    batches: Vec<(Arc<Partition>, Placed)>,
    /// The bytes of batches that are queued or being written.
    waiting_bytes: u64,
    /// The number of the newest batch; the first one is 1.
    sequence: u64,
    /// What was written but not synced; changed with the writer held.
    pub(super) unsynced: Option<Unflushed>,
    closed: bool,
}

/// Batches that were acknowledged before they are on disk, as their topics allow.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unflushed {
    pub(super) batches: i64,
    pub(super) batches_max: i64,
    pub(super) due_ms: i64,
}

/// What the journal's thread is to do.
pub(super) enum Due {
    Write,
    Sync,
    End,
}

impl JournalQueue {
    pub(super) fn new(writer: JournalWriter) -> Self {
        Self {
            state: Mutex::default(),
            filled: Signal::default(),
            emptied: Signal::default(),
            writer: Mutex::new(writer),
        }
    }

    /// The writer, once nobody else holds it.
    pub(super) fn writer<'a>(&'a self, gate: &'a Gate) -> HeldWriter<'a> {
        HeldWriter::new(locked(&self.writer), gate)
    }

    /// The writer, unless somebody else holds it.
    pub(super) fn try_writer<'a>(&'a self, gate: &'a Gate) -> Option<HeldWriter<'a>> {
        match self.writer.try_lock() {
            Ok(writer) => Some(HeldWriter::new(writer, gate)),
            Err(TryLockError::Poisoned(writer)) => Some(HeldWriter::new(writer.into_inner(), gate)),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Queues a batch; its number is what its ticket waits for. The journal's thread is to be told.
    pub(super) fn push(&self, partition: &Arc<Partition>, placed: Placed) -> u64 {
        let mut state = locked(&self.state);
        state.waiting_bytes += placed.size_bytes;
        state.batches.push((Arc::clone(partition), placed));
        state.sequence += 1;
        state.sequence
    }

    /// Tells the journal's thread that it has something to do.
    pub(super) fn wake_thread(&self) {
        self.filled.notify_one();
    }

    /// Waits while more than so many bytes are on their way to the disk. Refusing them instead would fail queries and
    /// producers for a disk that is merely slow, and keeping them would take all memory; whoever waits slows down what
    /// makes the records.
    pub(super) fn wait_for_room(&self, bytes_max: u64, has_stopped: impl Fn() -> bool) {
        let mut state = locked(&self.state);
        while state.waiting_bytes > bytes_max && HELD.get() == 0 && !has_stopped() {
            // Whoever has queued all this may not have said so yet.
            self.wake_thread();
            // A failure of the log is noticed by looking again.
            state = self.emptied.wait_timeout(state, CLOCK_TICK);
        }
    }

    /// Whether no more than so many bytes are on their way to the disk.
    pub(super) fn has_room(&self, bytes_max: u64) -> bool {
        locked(&self.state).waiting_bytes <= bytes_max
    }

    /// So many bytes are no longer on their way.
    pub(super) fn note_written(&self, batches: &[(Arc<Partition>, Placed)]) {
        let bytes: u64 = batches.iter().map(|(_, placed)| placed.size_bytes).sum();
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
    pub(super) fn wait(&self, now_ms: impl Fn() -> i64) -> Due {
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
                Some(ms) => self.filled.wait_timeout(state, Duration::from_millis(ms.unsigned_abs())),
                None => self.filled.wait(state),
            };
        }
    }

    pub(super) fn take(&self) -> (Vec<(Arc<Partition>, Placed)>, u64) {
        let mut state = locked(&self.state);
        (std::mem::take(&mut state.batches), state.sequence)
    }
}
