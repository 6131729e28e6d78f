//! What feeds a repartition topic.
//!
//! A task with several inputs takes the row of the least time first. That needs a row of each, or the
//! certainty that none is on its way: an empty repartition topic may only mean that the tasks which write it
//! have not come that far yet. So its readers wait for them.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use millstream_log::{Log, TopicPartition};

use crate::pool::Handle;

/// The tasks that write one repartition topic, as its readers see them.
#[derive(Debug)]
pub(crate) struct Upstream {
    /// What they read, and the offset before which all that came of it is in the topic: written when a
    /// commit is done, read by the topic's readers.
    reads: Mutex<Vec<(TopicPartition, i64)>>,
    /// What feeds the repartition topics that they read in turn.
    feeders: Vec<Arc<Upstream>>,
    /// Who waits for them; set while the query is built.
    readers: Mutex<Vec<Weak<Handle>>>,
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Upstream {
    pub(crate) fn new(reads: Vec<(TopicPartition, i64)>, feeders: Vec<Arc<Self>>) -> Arc<Self> {
        Arc::new(Self { reads: Mutex::new(reads), feeders, readers: Mutex::default() })
    }

    /// A task that is to be woken when there is no more to wait for.
    pub(crate) fn add_reader(&self, reader: &Arc<Handle>) {
        locked(&self.readers).push(Arc::downgrade(reader));
        self.feeders.iter().for_each(|feeder| feeder.add_reader(reader));
    }

    /// Whether rows may still be on their way.
    pub(crate) fn is_behind(&self, log: &dyn Log) -> bool {
        let reads = locked(&self.reads);
        // A topic that is gone holds nobody up: its readers will stop for that.
        let behind = reads.iter().any(|(partition, done)| log.offsets(partition).is_ok_and(|(_, end)| *done < end));
        drop(reads);
        behind || self.feeders.iter().any(|feeder| feeder.is_behind(log))
    }

    /// All that came of these partitions up to these offsets can be read.
    pub(crate) fn arrived(&self, positions: &[(TopicPartition, i64)]) {
        let mut reads = locked(&self.reads);
        for (partition, position) in positions {
            for (_, done) in reads.iter_mut().filter(|(read, _)| read == partition) {
                *done = (*done).max(*position);
            }
        }
        drop(reads);
        locked(&self.readers).iter().filter_map(Weak::upgrade).for_each(|reader| reader.wake());
    }
}
