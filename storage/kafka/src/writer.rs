//! Records on their way to the cluster.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use millstream_log::record::BatchReader;
use millstream_log::{Error, GroupOffset, Promise, Result, Ticket, TopicPartition, WriteBatch};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerGroupMetadata};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{ClientConfig, ClientContext, Offset, TopicPartitionList};

use crate::admin::TIMEOUT;
use crate::error::cluster;

/// So many atomic writes may wait for the one before them.
const WRITES_WAITING_MAX: usize = 16;
/// How long a full queue of librdkafka is given to drain before the next try.
const QUEUE_FULL_PAUSE: Duration = Duration::from_millis(1);

/// Tells each record's fate to the append that it belongs to.
pub(crate) struct Deliveries {
    servers: String,
}

/// An append whose records are on their way.
pub(crate) struct Pending {
    left: AtomicUsize,
    base_offset: AtomicI64,
    failed: Mutex<Option<Error>>,
    promise: Promise<i64>,
}

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Arc<Pending>;

    fn delivery(&self, outcome: &DeliveryResult<'_>, pending: Arc<Pending>) {
        match outcome {
            Ok(message) => _ = pending.base_offset.fetch_min(message.offset(), Ordering::AcqRel),
            Err((error, _)) => pending.note_failure(cluster("append to", &self.servers, error.clone())),
        }
        pending.settle(1);
    }
}

impl Pending {
    fn new(records: usize, promise: Promise<i64>) -> Arc<Self> {
        let (left, base_offset) = (AtomicUsize::new(records), AtomicI64::new(i64::MAX));
        Arc::new(Self { left, base_offset, failed: Mutex::default(), promise })
    }

    fn note_failure(&self, error: Error) {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    /// Counts records as done; the last one completes the append.
    fn settle(&self, records: usize) {
        if self.left.fetch_sub(records, Ordering::AcqRel) == records {
            let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner).take();
            let base_offset = self.base_offset.load(Ordering::Acquire);
            self.promise.complete(&failed.map_or(Ok(base_offset), Err));
        }
    }
}

/// librdkafka's producer with the thread that serves its deliveries.
type Client = ThreadedProducer<Deliveries>;

fn client(config: &ClientConfig, servers: &str) -> Result<Client> {
    let deliveries = Deliveries { servers: servers.to_owned() };
    config.create_with_context(deliveries).map_err(|error| cluster("write to", servers, error))
}

/// Hands the records of a batch to librdkafka; the ticket gives the offset of the first.
fn send(client: &Client, to: &TopicPartition, batch: &[u8]) -> Result<Ticket<i64>> {
    let reader = BatchReader::new(batch)?;
    let records = reader.iter().collect::<Result<Vec<_>>>()?;
    let (ticket, promise) = Ticket::promised();
    let pending = Pending::new(records.len(), promise);
    for (at, record) in records.iter().enumerate() {
        let mut headers = OwnedHeaders::new();
        for header in record.headers() {
            let (key, value) = header?;
            headers = headers.insert(Header { key, value });
        }
        let message: Record<'_> = BaseRecord {
            topic: &to.topic,
            partition: Some(to.partition),
            payload: record.value,
            key: record.key,
            timestamp: Some(record.timestamp_ms),
            headers: (headers.count() > 0).then_some(headers),
            delivery_opaque: Arc::clone(&pending),
        };
        if let Err(error) = send_one(client, message) {
            pending.note_failure(cluster("append to", &to.to_string(), error));
            pending.settle(records.len() - at);
            break;
        }
    }
    Ok(ticket)
}

type Record<'a> = BaseRecord<'a, [u8], [u8], Arc<Pending>>;

/// Queues a record, waiting while librdkafka's queue is full.
fn send_one(client: &Client, mut message: Record<'_>) -> Result<(), KafkaError> {
    loop {
        match client.send(message) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                std::thread::sleep(QUEUE_FULL_PAUSE);
                message = back;
            }
            Err((error, _)) => return Err(error),
        }
    }
}

/// Appends outside of transactions.
pub(crate) struct Appender(Client);

impl Appender {
    pub(crate) fn new(config: &ClientConfig, servers: &str) -> Result<Self> {
        let mut config = config.clone();
        config.set("enable.idempotence", "true").set("acks", "all").set("linger.ms", "1");
        Ok(Self(client(&config, servers)?))
    }

    pub(crate) fn append(&self, to: &TopicPartition, batch: &[u8]) -> Result<Ticket<i64>> {
        send(&self.0, to, batch)
    }
}

/// Atomic writes, one transaction after the other, on a thread of its own: librdkafka's transaction calls
/// wait for the cluster.
pub(crate) struct Writer {
    writes: Option<SyncSender<(WriteBatch, Promise)>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the writer of a transactional id; an earlier one of the same id is fenced.
    pub(crate) fn start(config: &ClientConfig, servers: &str, transactional_id: &str) -> Result<Self> {
        let mut transactional = config.clone();
        transactional.set("transactional.id", transactional_id).set("acks", "all").set("linger.ms", "1");
        let client = client(&transactional, servers)?;
        client.init_transactions(TIMEOUT).map_err(|error| cluster("begin transactions on", servers, error))?;
        let (writes, queue) = sync_channel(WRITES_WAITING_MAX);
        let mut transactions =
            Transactions { client, config: config.clone(), servers: servers.to_owned(), groups: Vec::new() };
        let builder = std::thread::Builder::new().name("kafka-writer".to_owned());
        let thread = builder.spawn(move || transactions.run(&queue)).map_err(|source| Error::Io {
            action: "start a thread for",
            path: servers.into(),
            source: Arc::new(source),
        })?;
        Ok(Self { writes: Some(writes), thread: Some(thread) })
    }

    pub(crate) fn write(&self, batch: WriteBatch) -> Ticket {
        let (ticket, promise) = Ticket::promised();
        // The thread ends only after the sender is gone.
        _ = self.writes.as_ref().map(|writes| writes.send((batch, promise)));
        ticket
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.writes = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported by the panic hook.
            let _ = thread.join();
        }
    }
}

struct Transactions {
    client: Client,
    config: ClientConfig,
    servers: String,
    /// What the cluster wants to know of a group whose offsets a transaction moves.
    groups: Vec<(String, ConsumerGroupMetadata)>,
}

impl Transactions {
    fn run(&mut self, queue: &Receiver<(WriteBatch, Promise)>) {
        let mut failed: Option<Error> = None;
        while let Ok((batch, promise)) = queue.recv() {
            // Nothing may follow a write that did not happen.
            let outcome = match &failed {
                Some(error) => Err(Error::Stopped(Box::new(error.clone()))),
                None => self.write(&batch),
            };
            if let (Err(error), None) = (&outcome, &failed) {
                let _ = self.client.abort_transaction(TIMEOUT);
                failed = Some(error.clone());
            }
            promise.complete(&outcome);
        }
    }

    fn write(&mut self, batch: &WriteBatch) -> Result<()> {
        let servers = self.servers.clone();
        let refused = |error| cluster("write atomically to", &servers, error);
        self.client.begin_transaction().map_err(refused)?;
        let tickets: Vec<_> =
            batch.batches.iter().map(|(to, bytes)| send(&self.client, to, bytes)).collect::<Result<_>>()?;
        for offsets in batch.offsets.chunk_by(|a, b| a.group == b.group) {
            let Some(GroupOffset { group, .. }) = offsets.first() else { continue };
            let mut list = TopicPartitionList::new();
            for GroupOffset { partition, offset, .. } in offsets {
                list.add_partition_offset(&partition.topic, partition.partition, Offset::Offset(*offset))
                    .map_err(refused)?;
            }
            self.join(group)?;
            let Some((_, metadata)) = self.groups.iter().find(|(name, _)| name == group) else { continue };
            self.client.send_offsets_to_transaction(&list, metadata, TIMEOUT).map_err(refused)?;
        }
        self.client.commit_transaction(TIMEOUT).map_err(refused)?;
        tickets.iter().try_for_each(|ticket| ticket.wait().map(drop))
    }

    /// Asks for what moving a group's offsets needs, once.
    fn join(&mut self, group: &str) -> Result<()> {
        if self.groups.iter().any(|(name, _)| name == group) {
            return Ok(());
        }
        let refused = |error| cluster("join a group on", &self.servers, error);
        let consumer: BaseConsumer = self.config.clone().set("group.id", group).create().map_err(refused)?;
        let metadata = consumer.group_metadata().ok_or_else(|| refused(KafkaError::Canceled))?;
        self.groups.push((group.to_owned(), metadata));
        Ok(())
    }
}
