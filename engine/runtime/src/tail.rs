//! Results that follow the tail of topics: the thread that makes them and the reader's end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use millstream_log::{Log, TopicPartition, Watch};

use crate::{Error, Result, RowStream, StreamEvent};

/// So many events may wait for a slow reader before the thread waits too.
const EVENTS_MAX: usize = 64;

/// DataFusion walks expressions by recursion, and in a debug build a long one takes more than the 2 MiB that a thread
/// has by default. What is not used of it costs nothing.
const STACK_BYTES: usize = 256 << 20;

/// Wakes the thread when its topics grow or its reader has gone.
#[derive(Default)]
struct Bell {
    /// Set by whoever rings, taken by the thread.
    rung: Mutex<bool>,
    ringing: Condvar,
}

impl Bell {
    fn ring(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.ringing.notify_all();
    }

    fn wait(&self) {
        let mut rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        while !*rung {
            rung = self.ringing.wait(rung).unwrap_or_else(PoisonError::into_inner);
        }
        *rung = false;
    }
}

/// The maker's end of a result that goes on.
pub(crate) struct Tail {
    events: SyncSender<StreamEvent>,
    receiver: Receiver<StreamEvent>,
    bell: Arc<Bell>,
    cancelled: Arc<AtomicBool>,
    watches: Vec<Watch>,
}

/// What the maker's thread has of it.
pub(crate) struct Reader {
    events: SyncSender<StreamEvent>,
    bell: Arc<Bell>,
    cancelled: Arc<AtomicBool>,
    _watches: Vec<Watch>,
}

impl Tail {
    pub(crate) fn new() -> Self {
        let (events, receiver) = sync_channel(EVENTS_MAX);
        Self { events, receiver, bell: Arc::default(), cancelled: Arc::default(), watches: Vec::new() }
    }

    /// Lets the growth of a partition wake the thread.
    pub(crate) fn watch(&mut self, log: &dyn Log, partition: &TopicPartition) -> Result<()> {
        let bell = Arc::clone(&self.bell);
        self.watches.push(log.watch(partition, Arc::new(move || bell.ring()))?);
        Ok(())
    }

    /// Starts the thread of a result that ends.
    pub(crate) fn start_bounded(
        self,
        what: &'static str,
        columns: Vec<(String, String)>,
        work: impl FnOnce(&Reader) -> Result<()> + Send + 'static,
    ) -> Result<RowStream> {
        let mut stream = self.start(what, columns, work)?;
        stream.is_bounded = true;
        Ok(stream)
    }

    /// Starts the thread, which ends with `work`.
    pub(crate) fn start(
        self,
        what: &'static str,
        columns: Vec<(String, String)>,
        work: impl FnOnce(&Reader) -> Result<()> + Send + 'static,
    ) -> Result<RowStream> {
        let Self { events, receiver, bell, cancelled, watches } = self;
        let ringer = Arc::clone(&bell);
        let reader = Reader { events, bell, cancelled: Arc::clone(&cancelled), _watches: watches };
        let run = move || {
            let event = match work(&reader) {
                Ok(()) => StreamEvent::End,
                Err(error) => StreamEvent::Failed(error.to_string()),
            };
            // The reader may have gone.
            let _ = reader.events.send(event);
        };
        let thread = std::thread::Builder::new().name(what.to_owned()).stack_size(STACK_BYTES);
        thread.spawn(run).map_err(|source| Error::Start { what, source })?;
        Ok(RowStream::new(columns, receiver, cancelled, move || ringer.ring()))
    }
}

impl Reader {
    pub(crate) fn has_gone(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    /// Hands an event on; false if the reader has gone.
    pub(crate) fn hand_on(&self, event: StreamEvent) -> bool {
        !self.has_gone() && self.events.send(event).is_ok()
    }

    /// Waits until a watched partition has grown or the reader has gone.
    pub(crate) fn wait(&self) {
        self.bell.wait();
    }
}
