//! The log in this process, on its own data directory.

mod administration;
mod admit;
mod api;
mod checkpointer;
mod cluster_id;
mod compaction;
mod coordinator;
mod flush;
mod groups;
mod producer_ids;
mod queue;
mod recovery;
mod topics;
mod transactions;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;

use crate::buffers::Buffers;
use crate::gate::Gate;
use crate::group::GroupOffsets;
use crate::sync_time::SyncTime;
use crate::{Disk, Io, Memory, Result};

pub use api::Appended;
use checkpointer::Checkpointer;
use compaction::Compactor;
use coordinator::Coordinator;
pub use coordinator::{TransactionInfo, TransactionState};
use queue::JournalQueue;
use topics::Topics;
pub use transactions::TransactionVersion;

/// Who writes the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flusher {
    /// A thread of its own, which gathers what came while it waited for the disk.
    Thread,
    /// Whoever appends: no threads, the same order every time.
    Inline,
}

/// How to open a log.
#[derive(Debug, Clone)]
pub struct LogOptions {
    /// The data directory.
    pub dir: PathBuf,
    /// The files, real or not.
    pub io: Arc<dyn Io>,
    /// Who writes the journal.
    pub flusher: Flusher,
    /// A journal of this size is retired once its segments are synced.
    pub journal_bytes_max: u64,
    /// A larger batch goes to the disk once if syncs are short: its segment is synced, and the journal refers to it.
    pub journaled_bytes_max: usize,
    /// An append waits while more bytes than these are on their way to the journal.
    pub queue_bytes_max: u64,
    /// `producer.id.expiration.ms`: what a partition knows of an idle producer is kept for so long.
    pub producer_id_expiration_ms: i64,
    /// `transaction.max.timeout.ms`: no transaction may be open for longer.
    pub transaction_timeout_ms_max: i64,
    /// `transactional.id.expiration.ms`: a transactional id that nobody uses is kept for so long.
    pub transactional_id_expiration_ms: i64,
    /// `log.retention.check.interval.ms`: how often old segments are looked for where little is written.
    pub retention_check_interval_ms: i64,
    /// `log.cleaner.backoff.ms`: how often it is looked for what has become worth compacting.
    pub compaction_check_interval_ms: i64,
}

impl LogOptions {
    /// A log on disk in this folder, which is created if it is missing.
    #[must_use]
    pub fn on_disk(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), io: Arc::new(Disk::new()), flusher: Flusher::Thread, ..Self::in_memory() }
    }

    /// A log that is gone with the process, and runs without threads.
    #[must_use]
    pub fn in_memory() -> Self {
        Self {
            dir: PathBuf::from("/log"),
            io: Arc::new(Memory::new()),
            flusher: Flusher::Inline,
            journal_bytes_max: 64 << 20,
            journaled_bytes_max: 256 << 10,
            queue_bytes_max: 64 << 20,
            producer_id_expiration_ms: 24 * 3_600_000,
            transaction_timeout_ms_max: 15 * 60_000,
            transactional_id_expiration_ms: 7 * 24 * 3_600_000,
            retention_check_interval_ms: 300_000,
            compaction_check_interval_ms: 15_000,
        }
    }
}

/// A [`crate::Log`] in this process.
///
/// One process owns a data directory. Dropping the log flushes it and writes a checkpoint, so that
/// the next start has nothing to replay.
#[derive(Debug)]
pub struct EmbeddedLog {
    inner: Arc<Inner>,
    threads: Vec<JoinHandle<()>>,
}

/// Locks are taken in the order of these fields.
#[derive(Debug)]
struct Inner {
    options: LogOptions,
    cluster_id: String,
    /// Appends that must be seen together hold it shared while they are queued; the journal's writer
    /// takes it to cut the queue, so that no frame ends between them.
    unit: RwLock<()>,
    /// Which topics there are; written when one is created or deleted.
    topics: RwLock<Topics>,
    /// Transactional producers and where their transactions are open.
    coordinator: Mutex<Coordinator>,
    /// The committed offsets of consumer groups.
    groups: Mutex<GroupOffsets>,
    /// Placed batches that wait for the journal.
    queue: JournalQueue,
    checkpointer: Checkpointer,
    compactor: Compactor,
    gate: Arc<Gate>,
    /// What the journal's syncs have taken.
    sync_time: SyncTime,
    buffers: Arc<Buffers>,
    /// Keeps the data directory ours.
    _lock: Box<dyn SendSync>,
}

trait SendSync: Send + Sync {}
impl<T: Send + Sync + ?Sized> SendSync for Box<T> {}

impl std::fmt::Debug for dyn SendSync {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("lock")
    }
}

impl EmbeddedLog {
    /// Opens the log and recovers it from a crash if there was one.
    ///
    /// # Errors
    /// [`crate::Error::Locked`] if another process has it, [`crate::Error::Damaged`] if files were damaged in a
    /// way that no crash explains, or the disk's.
    pub fn open(options: LogOptions) -> Result<Self> {
        let inner = Arc::new(recovery::open(options)?);
        let threads = if inner.options.flusher == Flusher::Thread { flush::start(&inner)? } else { Vec::new() };
        Ok(Self { inner, threads })
    }
}

impl Drop for EmbeddedLog {
    fn drop(&mut self) {
        self.inner.queue.close();
        for thread in self.threads.drain(..) {
            // A panic of the thread has been reported by the panic hook.
            let _ = thread.join();
        }
        // Whoever waited for a failure has been told by its ticket.
        let _ = self.inner.checkpoint_now();
        self.inner.close_partitions();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
