//! The log of one case: in memory, with the clock at 0. A case that runs record by record has everything
//! in partition 0, and an end that the runner moves, so that a query gets one record at a time.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use millstream_log::record::BatchBuilder;
use millstream_log::{
    CleanupPolicy, EmbeddedLog, Error, Fetched, Isolation, Log, LogOptions, Result, Ticket, TopicInfo, TopicPartition,
    TopicSpec, Watch, WriteBatch, partition_for_key, read_all,
};

/// What stands behind the name of the topic that takes what the engine writes to an input topic.
const WRITTEN: &str = ".written";

/// A record of a topic.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) timestamp_ms: i64,
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
}

/// An in-memory log between the engine and the runner.
pub(crate) struct CaseLog {
    inner: EmbeddedLog,
    /// Topics that are read only from the case's inputs: what the engine writes to them goes elsewhere, and
    /// what it writes to others goes to partition 0. `None`: everything goes where the engine says.
    inputs: Option<BTreeSet<String>>,
    /// Where the engine finds the end of a topic, if not at its end. Moved by the runner between the
    /// runs of a query, read by the query's tasks.
    ends: Mutex<HashMap<String, i64>>,
}

impl CaseLog {
    pub(crate) fn open(inputs: Option<BTreeSet<String>>) -> Result<Self> {
        Ok(Self { inner: EmbeddedLog::open(LogOptions::in_memory())?, inputs, ends: Mutex::default() })
    }

    /// Makes a topic unless it is there.
    pub(crate) fn ensure_topic(&self, name: &str, partitions: i32) -> Result<()> {
        if self.topic(name)?.is_none() {
            self.create_topic(&TopicSpec::new(name, partitions).kept_for_ever())?;
        }
        Ok(())
    }

    /// Appends an input, as a batch of its own, to the partition of its key.
    pub(crate) fn append_input(&self, topic: &str, record: &Stored, inner_key: Option<&[u8]>) -> Result<()> {
        let count = self.inner.topic(topic)?.map_or(1, |topic| topic.partitions);
        let partition = match inner_key {
            Some(key) if self.inputs.is_none() => partition_for_key(key, count),
            _ => 0,
        };
        let mut batch = BatchBuilder::new();
        let headers: Vec<_> = record.headers.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect();
        batch.push_with_headers(record.timestamp_ms, record.key.as_deref(), record.value.as_deref(), &headers);
        self.inner.append(&TopicPartition::new(topic, partition), batch.finish()?)?.wait()?;
        Ok(())
    }

    /// Lets the engine see no more than this of a topic, or all of it.
    pub(crate) fn show(&self, topic: &str, end: Option<i64>) {
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        match end {
            Some(end) => ends.insert(topic.to_owned(), end),
            None => ends.remove(topic),
        };
    }

    /// How many records a topic has in partition 0, whatever the engine sees of them.
    pub(crate) fn len(&self, topic: &str) -> i64 {
        self.inner.offsets(&TopicPartition::new(topic, 0)).map_or(0, |(_, end)| end)
    }

    /// What the engine has written to a topic, by partition; also the inputs where they are not kept apart.
    pub(crate) fn written(&self, topic: &str) -> Result<Vec<Vec<Stored>>> {
        let first = self.place(&TopicPartition::new(topic, 0));
        let Some(topic) = self.inner.topic(&first.topic)? else { return Ok(Vec::new()) };
        topic.topic_partitions().map(|partition| self.records(&partition)).collect()
    }

    fn records(&self, partition: &TopicPartition) -> Result<Vec<Stored>> {
        let mut records = Vec::new();
        read_all(&self.inner, partition, |batch| {
            for record in batch.iter() {
                let record = record?;
                let headers = record
                    .headers()
                    .map(|header| header.map(|(name, value)| (name.to_owned(), value.map(<[u8]>::to_vec))));
                records.push(Stored {
                    headers: headers.collect::<Result<_>>()?,
                    key: record.key.map(<[u8]>::to_vec),
                    value: record.value.map(<[u8]>::to_vec),
                    timestamp_ms: record.timestamp_ms,
                });
            }
            Ok::<_, Error>(())
        })?;
        Ok(records)
    }

    /// Where a batch that the engine writes goes.
    fn place(&self, to: &TopicPartition) -> TopicPartition {
        match &self.inputs {
            Some(inputs) if inputs.contains(&*to.topic) => TopicPartition::new(format!("{}{WRITTEN}", to.topic), 0),
            Some(_) => TopicPartition::new(Arc::clone(&to.topic), 0),
            None => to.clone(),
        }
    }

    fn shown_end(&self, topic: &str) -> i64 {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner).get(topic).copied().unwrap_or(i64::MAX)
    }

    fn is_input(&self, topic: &str) -> bool {
        self.inputs.as_ref().is_some_and(|inputs| inputs.contains(topic))
    }
}

impl Log for CaseLog {
    fn create_topic(&self, spec: &TopicSpec) -> Result<TopicInfo> {
        if self.is_input(&spec.name) {
            self.inner.create_topic(&TopicSpec::new(format!("{}{WRITTEN}", spec.name), 1).kept_for_ever())?;
        }
        // The topics of the cases are plain ones: they also take records without keys, which a compacted topic refuses.
        let mut plain = spec.clone();
        plain.config.cleanup_policy = CleanupPolicy::Delete;
        self.inner.create_topic(&plain)
    }

    fn delete_topic(&self, name: &str) -> Result<()> {
        if self.is_input(name) {
            self.inner.delete_topic(&format!("{name}{WRITTEN}"))?;
        }
        self.inner.delete_topic(name)
    }

    fn topics(&self) -> Result<Vec<TopicInfo>> {
        let mut topics = self.inner.topics()?;
        topics.retain(|topic| topic.name.strip_suffix(WRITTEN).is_none_or(|name| !self.is_input(name)));
        Ok(topics)
    }

    fn topic(&self, name: &str) -> Result<Option<TopicInfo>> {
        self.inner.topic(name)
    }

    fn fetch(&self, from: &TopicPartition, offset: i64, bytes_max: usize, isolation: Isolation) -> Result<Fetched> {
        let mut fetched = self.inner.fetch(from, offset, bytes_max, isolation)?;
        let end = self.shown_end(&from.topic);
        // Every input is a batch of its own.
        let mut shown = 0;
        for batch in fetched.all_batches() {
            let (header, bytes) = batch?;
            shown += if header.base_offset < end { bytes.len() } else { 0 };
        }
        fetched.bytes.truncate(shown);
        fetched.next_offset = fetched.next_offset.min(end.max(offset));
        Ok(fetched)
    }

    fn append(&self, to: &TopicPartition, batch: Vec<u8>) -> Result<Ticket<i64>> {
        self.inner.append(&self.place(to), batch)
    }

    fn write(&self, mut batch: WriteBatch) -> Result<Ticket> {
        for (to, _) in &mut batch.batches {
            *to = self.place(to);
        }
        self.inner.write(batch)
    }

    fn group_offset(&self, group: &str, partition: &TopicPartition) -> Result<Option<i64>> {
        self.inner.group_offset(group, partition)
    }

    fn delete_group(&self, group: &str) -> Result<()> {
        self.inner.delete_group(group)
    }

    fn offsets(&self, partition: &TopicPartition) -> Result<(i64, i64)> {
        let (start, end) = self.inner.offsets(partition)?;
        Ok((start, end.min(self.shown_end(&partition.topic))))
    }

    fn delete_records(&self, partition: &TopicPartition, before: i64) -> Result<()> {
        self.inner.delete_records(&self.place(partition), before)
    }

    fn watch(&self, partition: &TopicPartition, callback: Arc<dyn Fn() + Send + Sync>) -> Result<Watch> {
        self.inner.watch(partition, callback)
    }

    fn now_ms(&self) -> i64 {
        0
    }
}
