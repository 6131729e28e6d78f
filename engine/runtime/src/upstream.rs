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
    /// How far they are: written when a commit is done, read by the topic's readers.
    progress: Mutex<Progress>,
    /// What feeds the repartition topics that they read in turn.
    feeders: Vec<Arc<Upstream>>,
    /// Who waits for them; set while the query is built.
    readers: Mutex<Vec<Weak<Handle>>>,
}

#[derive(Debug)]
struct Progress {
    /// What the tasks read, and the offset before which all that came of it is in the topic.
    reads: Vec<(TopicPartition, i64)>,
    /// By the number of each task: the greatest time of what it has read. What it reads next comes later than that, or is
    /// late anyway.
    times: Vec<(i32, i64)>,
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Upstream {
    /// `writers`: the numbers of the tasks that write; `reads`: what they read, and from where.
    pub(crate) fn new(
        writers: impl Iterator<Item = i32>,
        reads: Vec<(TopicPartition, i64)>,
        feeders: Vec<Arc<Self>>,
    ) -> Arc<Self> {
        let times = writers.map(|number| (number, i64::MIN)).collect();
        Arc::new(Self { progress: Mutex::new(Progress { reads, times }), feeders, readers: Mutex::default() })
    }

    /// A task that is to be woken when there is no more to wait for.
    pub(crate) fn add_reader(&self, reader: &Arc<Handle>) {
        locked(&self.readers).push(Arc::downgrade(reader));
        self.feeders.iter().for_each(|feeder| feeder.add_reader(reader));
    }

    /// Whether rows before this time may still be on their way.
    pub(crate) fn may_bring(&self, before: i64, log: &dyn Log) -> bool {
        let progress = locked(&self.progress);
        let is_earlier = progress.times.iter().any(|(_, time)| *time < before);
        // A topic that is gone holds nobody up: its readers will stop for that.
        let is_behind =
            |(partition, done): &(TopicPartition, i64)| log.offsets(partition).is_ok_and(|(_, end)| *done < end);
        let may = is_earlier && progress.reads.iter().any(is_behind);
        drop(progress);
        may || self.feeders.iter().any(|feeder| feeder.may_bring(before, log))
    }

    /// All that came of these partitions up to these offsets can be read; the task of this number has read up to this time.
    pub(crate) fn arrived(&self, positions: &[(TopicPartition, i64)], (writer, time): (i32, i64)) {
        let mut progress = locked(&self.progress);
        for (partition, position) in positions {
            for (_, done) in progress.reads.iter_mut().filter(|(read, _)| read == partition) {
                *done = (*done).max(*position);
            }
        }
        for (_, reached) in progress.times.iter_mut().filter(|(number, _)| *number == writer) {
            *reached = (*reached).max(time);
        }
        drop(progress);
        locked(&self.readers).iter().filter_map(Weak::upgrade).for_each(|reader| reader.wake());
    }
}
