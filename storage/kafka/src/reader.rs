//! Records on their way from the cluster.

use std::collections::{HashMap, VecDeque};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use millstream_log::record::{BatchBuilder, set_base_offset};
use millstream_log::{Error, Fetched, Result, TopicPartition};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{ClientConfig, Offset};

use crate::error::cluster;

/// A partition is not read further while so much of it waits to be fetched.
const BUFFERED_BYTES_MAX: usize = 8 << 20;
/// How long the thread waits for records before it looks for new wishes.
const POLL: Duration = Duration::from_millis(5);
const SEEK_TIMEOUT: Duration = Duration::from_secs(10);

type Callback = Arc<dyn Fn() + Send + Sync>;

/// Reads partitions from where somebody last fetched, ahead of who fetches next.
pub(crate) struct Reader {
    shared: Arc<Shared>,
    wishes: Option<Sender<Wish>>,
    thread: Option<JoinHandle<()>>,
}

enum Wish {
    /// To read a partition from an offset on.
    ReadFrom(TopicPartition, i64),
    /// To read on where too much had been waiting.
    Resume(TopicPartition),
}

#[derive(Default)]
struct Shared {
    /// Filled by the reader's thread, emptied by fetches.
    partitions: Mutex<HashMap<TopicPartition, Buffered>>,
}

#[derive(Default)]
struct Buffered {
    records: VecDeque<Owned>,
    bytes: usize,
    /// The offset that the next fetch in order asks for; `None` before the first.
    next: Option<i64>,
    /// The offset after what has been read so far, transaction markers included.
    read_to: i64,
    /// A fetch asked for another place, and the consumer is not there yet.
    seeking: bool,
    paused: bool,
    failed: Option<Error>,
    watchers: Vec<(u64, Callback)>,
}

/// A record out of librdkafka's hands.
struct Owned {
    offset: i64,
    timestamp_ms: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Owned {
    fn new(message: &BorrowedMessage<'_>) -> Self {
        let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
        Self {
            offset: message.offset(),
            timestamp_ms: message.timestamp().to_millis().unwrap_or(-1),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers: headers.map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec))).collect(),
        }
    }

    fn bytes(&self) -> usize {
        self.key.as_ref().map_or(0, Vec::len) + self.value.as_ref().map_or(0, Vec::len) + 64
    }
}

impl Shared {
    fn partitions(&self) -> MutexGuard<'_, HashMap<TopicPartition, Buffered>> {
        self.partitions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reader {
    /// Starts a reader of this isolation level.
    pub(crate) fn start(config: &ClientConfig, servers: &str, isolation_level: &str) -> Result<Self> {
        let mut config = config.clone();
        config
            .set("isolation.level", isolation_level)
            .set("group.id", "millstream-reader")
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("auto.offset.reset", "error");
        let consumer: BaseConsumer = config.create().map_err(|error| cluster("read from", servers, error))?;
        let shared = Arc::new(Shared::default());
        let (wishes, wished) = channel();
        let thread = {
            let (shared, cluster) = (Arc::clone(&shared), servers.to_owned());
            let builder = std::thread::Builder::new().name("kafka-reader".to_owned());
            builder.spawn(move || run(&consumer, &shared, &wished, &cluster)).map_err(|source| Error::Io {
                action: "start a thread for",
                path: servers.into(),
                source: Arc::new(source),
            })?
        };
        Ok(Self { shared, wishes: Some(wishes), thread: Some(thread) })
    }

    fn wish(&self, wish: Wish) {
        // The thread ends only after the sender is gone.
        _ = self.wishes.as_ref().map(|wishes| wishes.send(wish));
    }

    /// What has been read from `offset` on, up to `bytes_max` but at least one record if there is one.
    pub(crate) fn fetch(&self, from: &TopicPartition, offset: i64, bytes_max: usize) -> Result<Fetched> {
        let mut partitions = self.shared.partitions();
        let buffered = partitions.entry(from.clone()).or_default();
        if let Some(error) = buffered.failed.take() {
            return Err(error);
        }
        let nothing = Fetched { next_offset: offset, ..Fetched::default() };
        if buffered.next != Some(offset) {
            let watchers = std::mem::take(&mut buffered.watchers);
            *buffered =
                Buffered { next: Some(offset), read_to: offset, seeking: true, watchers, ..Buffered::default() };
            drop(partitions);
            self.wish(Wish::ReadFrom(from.clone(), offset));
            return Ok(nothing);
        }
        let (mut taken, mut size) = (Vec::new(), 0);
        while let Some(record) = buffered.records.front() {
            size += record.bytes();
            if size > bytes_max && !taken.is_empty() {
                break;
            }
            buffered.bytes -= record.bytes();
            taken.extend(buffered.records.pop_front());
        }
        let next_offset = buffered.records.front().map_or(buffered.read_to, |record| record.offset);
        buffered.next = Some(next_offset);
        let resume = buffered.paused && buffered.bytes < BUFFERED_BYTES_MAX / 2;
        buffered.paused &= !resume;
        drop(partitions);
        if resume {
            self.wish(Wish::Resume(from.clone()));
        }
        Ok(Fetched { bytes: to_batches(&taken)?.into(), next_offset, ..nothing })
    }

    pub(crate) fn watch(&self, partition: &TopicPartition, id: u64, callback: Callback) {
        self.shared.partitions().entry(partition.clone()).or_default().watchers.push((id, callback));
    }

    pub(crate) fn unwatch(&self, partition: &TopicPartition, id: u64) {
        if let Some(buffered) = self.shared.partitions().get_mut(partition) {
            buffered.watchers.retain(|(other, _)| *other != id);
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.wishes = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported by the panic hook.
            let _ = thread.join();
        }
    }
}

/// Polls the consumer until the reader is gone.
fn run(consumer: &BaseConsumer, shared: &Shared, wished: &Receiver<Wish>, servers: &str) {
    let mut assigned = rdkafka::TopicPartitionList::new();
    loop {
        loop {
            match wished.try_recv() {
                Ok(wish) => fulfil(consumer, shared, wish, &mut assigned, servers),
                Err(std::sync::mpsc::TryRecvError::Empty) => break,
                Err(std::sync::mpsc::TryRecvError::Disconnected) => return,
            }
        }
        match consumer.poll(POLL) {
            Some(Ok(message)) => {
                let partition = TopicPartition::new(message.topic(), message.partition());
                let record = Owned::new(&message);
                if shared.push(&partition, record) {
                    set_paused(consumer, &partition, true);
                }
            }
            Some(Err(KafkaError::PartitionEOF(_))) | None => shared.catch_up(consumer),
            Some(Err(error)) => shared.fail(&cluster("read from", servers, error)),
        }
    }
}

fn list_of(partition: &TopicPartition) -> rdkafka::TopicPartitionList {
    let mut list = rdkafka::TopicPartitionList::new();
    list.add_partition(&partition.topic, partition.partition);
    list
}

fn set_paused(consumer: &BaseConsumer, partition: &TopicPartition, paused: bool) {
    let list = list_of(partition);
    // A partition that is no longer assigned need not be paused.
    let _ = if paused { consumer.pause(&list) } else { consumer.resume(&list) };
}

fn fulfil(
    consumer: &BaseConsumer,
    shared: &Shared,
    wish: Wish,
    assigned: &mut rdkafka::TopicPartitionList,
    servers: &str,
) {
    match wish {
        Wish::Resume(partition) => set_paused(consumer, &partition, false),
        Wish::ReadFrom(partition, offset) => {
            let is_known = assigned.find_partition(&partition.topic, partition.partition).is_some();
            let sought = if is_known {
                consumer.seek(&partition.topic, partition.partition, Offset::Offset(offset), SEEK_TIMEOUT)
            } else {
                let mut list = rdkafka::TopicPartitionList::new();
                let added = list.add_partition_offset(&partition.topic, partition.partition, Offset::Offset(offset));
                assigned.add_partition(&partition.topic, partition.partition);
                added.and_then(|()| consumer.incremental_assign(&list))
            };
            set_paused(consumer, &partition, false);
            if let Some(buffered) = shared.partitions().get_mut(&partition) {
                buffered.seeking = false;
                buffered.failed = sought.err().map(|error| cluster("read from", servers, error));
            }
        }
    }
}

impl Shared {
    /// Adds a record; true if enough of its partition waits.
    fn push(&self, partition: &TopicPartition, record: Owned) -> bool {
        let mut partitions = self.partitions();
        let Some(buffered) = partitions.get_mut(partition).filter(|buffered| !buffered.seeking) else { return false };
        if record.offset < buffered.read_to {
            return false;
        }
        buffered.read_to = record.offset + 1;
        buffered.bytes += record.bytes();
        let was_empty = buffered.records.is_empty();
        buffered.records.push_back(record);
        let is_full = !buffered.paused && buffered.bytes >= BUFFERED_BYTES_MAX;
        buffered.paused |= is_full;
        let watchers = if was_empty { buffered.callbacks() } else { Vec::new() };
        drop(partitions);
        watchers.iter().for_each(|callback| callback());
        is_full
    }

    /// At a partition's end the consumer has also passed the markers of transactions, which it hands out
    /// as no record.
    fn catch_up(&self, consumer: &BaseConsumer) {
        let Ok(positions) = consumer.position() else { return };
        let mut due = Vec::new();
        let mut partitions = self.partitions();
        for position in positions.elements() {
            let partition = TopicPartition::new(position.topic(), position.partition());
            let (Offset::Offset(offset), Some(buffered)) = (position.offset(), partitions.get_mut(&partition)) else {
                continue;
            };
            if !buffered.seeking && offset > buffered.read_to {
                buffered.read_to = offset;
                due.extend(buffered.callbacks());
            }
        }
        drop(partitions);
        due.iter().for_each(|callback| callback());
    }

    fn fail(&self, error: &Error) {
        let mut due = Vec::new();
        for buffered in self.partitions().values_mut() {
            buffered.failed = Some(error.clone());
            due.extend(buffered.callbacks());
        }
        due.iter().for_each(|callback| callback());
    }
}

impl Buffered {
    fn callbacks(&self) -> Vec<Callback> {
        self.watchers.iter().map(|(_, callback)| Arc::clone(callback)).collect()
    }
}

/// Record batches with the records' own offsets: a new one wherever an offset is missing.
fn to_batches(records: &[Owned]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for run in records.chunk_by(|before, after| before.offset + 1 == after.offset) {
        let mut builder = BatchBuilder::new();
        for record in run {
            let headers: Vec<(&str, Option<&[u8]>)> =
                record.headers.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect();
            builder.push_with_headers(record.timestamp_ms, record.key.as_deref(), record.value.as_deref(), &headers);
        }
        let mut batch = builder.finish()?;
        set_base_offset(&mut batch, run.first().map_or(0, |record| record.offset));
        bytes.extend_from_slice(&batch);
    }
    Ok(bytes)
}
