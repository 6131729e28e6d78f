//! The cluster's side of the log's interface.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use millstream_log::{
    Error, Fetched, Isolation, Log, Result, Ticket, TopicInfo, TopicPartition, TopicSpec, Watch, WriteBatch,
};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::admin::{Admin, TIMEOUT};
use crate::error::{cluster, is_unknown_topic};
use crate::reader::Reader;
use crate::writer::{Appender, Writer};

/// A [`Log`] on an Apache Kafka cluster.
pub struct KafkaLog {
    config: ClientConfig,
    servers: String,
    admin: Admin,
    appender: Appender,
    writer: Writer,
    /// What the transactions that are committed have written.
    committed: Arc<Reader>,
    /// Everything; started when somebody asks for it.
    uncommitted: OnceLock<Reader>,
    next_watch: AtomicU64,
}

impl std::fmt::Debug for KafkaLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaLog").field("servers", &self.servers).finish_non_exhaustive()
    }
}

impl KafkaLog {
    /// Connects to a cluster. Of several logs with one transactional id only the newest can write.
    ///
    /// # Errors
    /// If the cluster cannot be reached.
    pub fn connect(servers: &str, transactional_id: &str) -> Result<Self> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", servers);
        Ok(Self {
            admin: Admin::new(&config, servers)?,
            appender: Appender::new(&config, servers)?,
            writer: Writer::start(&config, servers, transactional_id)?,
            committed: Arc::new(Reader::start(&config, servers, "read_committed")?),
            uncommitted: OnceLock::new(),
            next_watch: AtomicU64::new(0),
            config,
            servers: servers.to_owned(),
        })
    }

    fn reader(&self, isolation: Isolation) -> Result<&Reader> {
        if isolation == Isolation::ReadCommitted {
            return Ok(&self.committed);
        }
        if self.uncommitted.get().is_none() {
            let reader = Reader::start(&self.config, &self.servers, "read_uncommitted")?;
            // Somebody else may have been quicker; then this one ends.
            let _ = self.uncommitted.set(reader);
        }
        Ok(self.uncommitted.get().unwrap_or(&self.committed))
    }

    fn consumer(&self, group: &str) -> Result<BaseConsumer> {
        let mut config = self.config.clone();
        config.set("group.id", group).set("isolation.level", "read_committed").set("enable.auto.commit", "false");
        config.create().map_err(|error| cluster("ask", &self.servers, error))
    }
}

impl Log for KafkaLog {
    fn create_topic(&self, spec: &TopicSpec) -> Result<TopicInfo> {
        self.admin.create_topic(spec)
    }

    fn delete_topic(&self, name: &str) -> Result<()> {
        self.admin.delete_topic(name)
    }

    fn topics(&self) -> Result<Vec<TopicInfo>> {
        self.admin.topics(None)
    }

    fn topic(&self, name: &str) -> Result<Option<TopicInfo>> {
        Ok(self.admin.topics(Some(name))?.into_iter().next())
    }

    fn fetch(&self, from: &TopicPartition, offset: i64, bytes_max: usize, isolation: Isolation) -> Result<Fetched> {
        self.reader(isolation)?.fetch(from, offset, bytes_max)
    }

    fn append(&self, to: &TopicPartition, batch: Vec<u8>) -> Result<Ticket<i64>> {
        self.appender.append(to, &batch)
    }

    fn write(&self, batch: WriteBatch) -> Result<Ticket> {
        Ok(self.writer.write(batch))
    }

    fn group_offset(&self, group: &str, partition: &TopicPartition) -> Result<Option<i64>> {
        let mut list = TopicPartitionList::new();
        list.add_partition(&partition.topic, partition.partition);
        let committed = self.consumer(group)?.committed_offsets(list, TIMEOUT);
        let committed = committed.map_err(|error| cluster("ask for a group's offsets on", &self.servers, error))?;
        let found = committed.find_partition(&partition.topic, partition.partition).map(|found| found.offset());
        Ok(match found {
            Some(Offset::Offset(offset)) => Some(offset),
            _ => None,
        })
    }

    fn delete_group(&self, group: &str) -> Result<()> {
        self.admin.delete_group(group)
    }

    fn offsets(&self, partition: &TopicPartition) -> Result<(i64, i64)> {
        let asked =
            self.consumer("millstream-offsets")?.fetch_watermarks(&partition.topic, partition.partition, TIMEOUT);
        asked.map_err(|error| match is_unknown_topic(&error) {
            true => Error::UnknownPartition(partition.clone()),
            false => cluster("ask for offsets on", &self.servers, error),
        })
    }

    fn delete_records(&self, partition: &TopicPartition, before: i64) -> Result<()> {
        self.admin.delete_records(partition, before)
    }

    fn watch(&self, partition: &TopicPartition, callback: Arc<dyn Fn() + Send + Sync>) -> Result<Watch> {
        let id = self.next_watch.fetch_add(1, Ordering::Relaxed);
        self.committed.watch(partition, id, callback);
        let (reader, partition) = (Arc::downgrade(&self.committed), partition.clone());
        Ok(Watch::new(move || {
            if let Some(reader) = reader.upgrade() {
                reader.unwatch(&partition, id);
            }
        }))
    }

    fn now_ms(&self) -> i64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
    }
}
