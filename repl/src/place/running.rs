//! The topics of a program that runs, by the Kafka protocol.

use std::collections::HashMap;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    CreateTopicsRequest, FetchRequest, GroupId, ListOffsetsRequest, MetadataRequest, OffsetCommitRequest,
    OffsetFetchRequest, ProduceRequest, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use millstream_log::record::split_batch;
use millstream_log::{AbortedTransaction, Fetched, TopicPartition};

use super::connection::Connection;
use super::{Place, Topic};
use crate::failure::{Failure, Result};

// Versions that every Kafka from 2.4 on understands, and this program too.
const METADATA: i16 = 9;
const CREATE_TOPICS: i16 = 5;
const LIST_OFFSETS: i16 = 5;
const PRODUCE: i16 = 8;
const FETCH: i16 = 11;
const OFFSET_FETCH: i16 = 6;
const OFFSET_COMMIT: i16 = 8;

const EARLIEST: i64 = -2;
const LATEST: i64 = -1;
const READ_COMMITTED: i8 = 1;
const ALL_REPLICAS: i16 = -1;
/// Who commits offsets without being a member of the group.
const NO_GENERATION: i32 = -1;

/// What the settings of a topic are whose records are kept for ever, in files that no age ends.
const KEPT_FOR_EVER: [(&str, i64); 2] = [("retention.ms", -1), ("segment.ms", i64::MAX)];

const TIMEOUT_MS: i32 = 30_000;
/// How long a fetch waits for records.
const WAIT_MAX_MS: i32 = 1_000;
const FETCH_BYTES: i32 = 8 << 20;
const PARTITION_BYTES: i32 = 1 << 20;
/// So many appends may be on their way.
const IN_FLIGHT_MAX: usize = 16;

pub(super) struct Running {
    connection: Connection,
    /// Appends that are not acknowledged.
    in_flight: usize,
}

impl Running {
    pub(super) fn connect(address: &str) -> Result<Self> {
        let mut running = Self { connection: Connection::open(address)?, in_flight: 0 };
        let brokers = running.metadata(Some(Vec::new()))?.brokers.len();
        if brokers > 1 {
            let help = "help: use the tools that come with Kafka";
            return Err(Failure::usage(format!(
                "{address} is a cluster of {brokers} brokers, and only one can be worked with\n{help}"
            )));
        }
        Ok(running)
    }

    fn metadata(&mut self, names: Option<Vec<&str>>) -> Result<kafka_protocol::messages::MetadataResponse> {
        let topic = |name: &str| MetadataRequestTopic::default().with_name(Some(topic_name(name)));
        let topics = names.map(|names| names.into_iter().map(topic).collect());
        let request = MetadataRequest::default().with_topics(topics).with_allow_auto_topic_creation(false);
        self.connection.ask(&request, METADATA)
    }

    fn list(&mut self, names: Option<Vec<&str>>) -> Result<Vec<Topic>> {
        let response = self.metadata(names)?;
        let mut found = Vec::new();
        for topic in response.topics {
            let name = topic.name.map(|name| name.to_string()).unwrap_or_default();
            match ResponseError::try_from_code(topic.error_code) {
                None => found.push(Topic { name, partitions: topic.partitions.len() as i32 }),
                Some(ResponseError::UnknownTopicOrPartition) => {}
                Some(error) => return Err(self.refused(&format!("describe topic \"{name}\""), error)),
            }
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    /// The offset of each partition at a moment that Kafka has a negative number for.
    fn offsets_at(&mut self, partitions: &[TopicPartition], moment: i64) -> Result<Vec<i64>> {
        let partition = |number| ListOffsetsPartition::default().with_partition_index(number).with_timestamp(moment);
        let topics = by_topic(partitions.iter().map(|p| (p, partition(p.partition))));
        let topics = topics.into_iter().map(|(name, partitions)| {
            ListOffsetsTopic::default().with_name(topic_name(&name)).with_partitions(partitions)
        });
        let request = ListOffsetsRequest::default().with_isolation_level(READ_COMMITTED).with_topics(topics.collect());
        let response = self.connection.ask(&request, LIST_OFFSETS)?;
        let mut found = HashMap::new();
        for topic in response.topics {
            for partition in topic.partitions {
                let of = TopicPartition::new(topic.name.as_str(), partition.partition_index);
                self.check(partition.error_code, || format!("find the offsets of {of}"))?;
                found.insert(of, partition.offset);
            }
        }
        self.each(partitions, |partition| found.get(partition).copied())
    }

    /// What an answer says of each partition, all of which it must name.
    fn each<T>(
        &self,
        partitions: &[TopicPartition],
        mut find: impl FnMut(&TopicPartition) -> Option<T>,
    ) -> Result<Vec<T>> {
        let missing = |partition: &TopicPartition| {
            Failure::unavailable(format!("{} does not answer for {partition}", self.connection.address()))
        };
        partitions.iter().map(|partition| find(partition).ok_or_else(|| missing(partition))).collect()
    }

    /// Takes the acknowledgement of the oldest append.
    fn acknowledged(&mut self) -> Result<()> {
        let response = self.connection.receive::<ProduceRequest>(PRODUCE)?;
        self.in_flight -= 1;
        for topic in response.responses {
            for partition in topic.partition_responses {
                let to = TopicPartition::new(topic.name.as_str(), partition.index);
                self.check(partition.error_code, || match &partition.error_message {
                    Some(reason) => format!("append to {to}, {}", reason.as_str()),
                    None => format!("append to {to}"),
                })?;
            }
        }
        Ok(())
    }

    fn check(&self, code: i16, action: impl FnOnce() -> String) -> Result<()> {
        match ResponseError::try_from_code(code) {
            None => Ok(()),
            Some(error) => Err(self.refused(&action(), error)),
        }
    }

    fn refused(&self, action: &str, error: ResponseError) -> Failure {
        Failure::new(format!("{} cannot {action}: {error}", self.connection.address()))
    }
}

impl Place for Running {
    fn topics(&mut self) -> Result<Vec<Topic>> {
        self.list(None)
    }

    fn topic(&mut self, name: &str) -> Result<Option<Topic>> {
        Ok(self.list(Some(vec![name]))?.pop())
    }

    fn create(&mut self, name: &str, partitions: i32) -> Result<Topic> {
        let config = |(name, value)| {
            CreatableTopicConfig::default()
                .with_name(StrBytes::from_static_str(name))
                .with_value(Some(StrBytes::from_string(value)))
        };
        let topic = CreatableTopic::default()
            .with_name(topic_name(name))
            .with_num_partitions(partitions)
            .with_replication_factor(-1)
            .with_configs(KEPT_FOR_EVER.map(|(name, value)| config((name, value.to_string()))).into());
        let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(TIMEOUT_MS);
        let response = self.connection.ask(&request, CREATE_TOPICS)?;
        for topic in response.topics {
            if topic.error_code == ResponseError::TopicAlreadyExists.code() {
                continue;
            }
            let message = topic.error_message.filter(|_| topic.error_code != 0);
            if let Some(message) = message {
                return Err(Failure::new(message.to_string()));
            }
            self.check(topic.error_code, || format!("create topic \"{name}\""))?;
        }
        let unknown = || Failure::new(millstream_log::Error::UnknownTopic(name.to_owned()).to_string());
        self.topic(name)?.ok_or_else(unknown)
    }

    fn offsets(&mut self, partitions: &[TopicPartition]) -> Result<Vec<(i64, i64)>> {
        let starts = self.offsets_at(partitions, EARLIEST)?;
        let ends = self.offsets_at(partitions, LATEST)?;
        Ok(starts.into_iter().zip(ends).collect())
    }

    fn append(&mut self, to: &TopicPartition, batch: Vec<u8>) -> Result<()> {
        let data = PartitionProduceData::default().with_index(to.partition).with_records(Some(Bytes::from(batch)));
        let topic = TopicProduceData::default().with_name(topic_name(&to.topic)).with_partition_data(vec![data]);
        let request =
            ProduceRequest::default().with_acks(ALL_REPLICAS).with_timeout_ms(TIMEOUT_MS).with_topic_data(vec![topic]);
        self.connection.send(&request, PRODUCE)?;
        self.in_flight += 1;
        if self.in_flight > IN_FLIGHT_MAX { self.acknowledged() } else { Ok(()) }
    }

    fn settle(&mut self) -> Result<()> {
        while self.in_flight > 0 {
            self.acknowledged()?;
        }
        Ok(())
    }

    fn fetch(&mut self, from: &[(TopicPartition, i64)]) -> Result<Vec<Option<Fetched>>> {
        let partition = |number, offset| {
            FetchPartition::default()
                .with_partition(number)
                .with_fetch_offset(offset)
                .with_partition_max_bytes(PARTITION_BYTES)
        };
        let topics = by_topic(from.iter().map(|(at, offset)| (at, partition(at.partition, *offset))));
        let topics = topics
            .into_iter()
            .map(|(name, partitions)| FetchTopic::default().with_topic(topic_name(&name)).with_partitions(partitions));
        let request = FetchRequest::default()
            .with_max_wait_ms(WAIT_MAX_MS)
            .with_min_bytes(1)
            .with_max_bytes(FETCH_BYTES)
            .with_isolation_level(READ_COMMITTED)
            .with_session_epoch(-1)
            .with_topics(topics.collect());
        let response = self.connection.ask(&request, FETCH)?;
        self.check(response.error_code, || "fetch".to_owned())?;
        let offsets: HashMap<_, _> = from.iter().map(|(partition, offset)| (partition, *offset)).collect();
        let mut found = HashMap::new();
        for topic in response.responses {
            for data in topic.partitions {
                let of = TopicPartition::new(topic.topic.as_str(), data.partition_index);
                if data.error_code == ResponseError::OffsetOutOfRange.code() {
                    found.insert(of, None);
                    continue;
                }
                self.check(data.error_code, || format!("read {of}"))?;
                let offset = offsets.get(&of).copied().unwrap_or_default();
                found.insert(of, Some(fetched(data, offset)?));
            }
        }
        let partitions: Vec<_> = from.iter().map(|(partition, _)| partition.clone()).collect();
        self.each(&partitions, |partition| found.remove(partition))
    }

    fn committed(&mut self, group: &str, partitions: &[TopicPartition]) -> Result<Vec<Option<i64>>> {
        let topics = by_topic(partitions.iter().map(|partition| (partition, partition.partition)));
        let topics = topics.into_iter().map(|(name, numbers)| {
            OffsetFetchRequestTopic::default().with_name(topic_name(&name)).with_partition_indexes(numbers)
        });
        let request = OffsetFetchRequest::default().with_group_id(group_id(group)).with_topics(Some(topics.collect()));
        let response = self.connection.ask(&request, OFFSET_FETCH)?;
        self.check(response.error_code, || format!("find the offsets of group \"{group}\""))?;
        let mut found = HashMap::new();
        for topic in response.topics {
            for partition in topic.partitions {
                let of = TopicPartition::new(topic.name.as_str(), partition.partition_index);
                self.check(partition.error_code, || format!("find the offset of group \"{group}\" in {of}"))?;
                found.insert(of, Some(partition.committed_offset).filter(|offset| *offset >= 0));
            }
        }
        self.each(partitions, |partition| found.get(partition).copied())
    }

    fn commit(&mut self, group: &str, offsets: &[(TopicPartition, i64)]) -> Result<()> {
        let partition = |number, offset| {
            OffsetCommitRequestPartition::default().with_partition_index(number).with_committed_offset(offset)
        };
        let topics = by_topic(offsets.iter().map(|(at, offset)| (at, partition(at.partition, *offset))));
        let topics = topics.into_iter().map(|(name, partitions)| {
            OffsetCommitRequestTopic::default().with_name(topic_name(&name)).with_partitions(partitions)
        });
        let request = OffsetCommitRequest::default()
            .with_group_id(group_id(group))
            .with_generation_id_or_member_epoch(NO_GENERATION)
            .with_topics(topics.collect());
        let response = self.connection.ask(&request, OFFSET_COMMIT)?;
        for partition in response.topics.into_iter().flat_map(|topic| topic.partitions) {
            self.check(partition.error_code, || {
                format!("commit the offsets of group \"{group}\", which may have members")
            })?;
        }
        Ok(())
    }
}

fn topic_name(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}

fn group_id(group: &str) -> GroupId {
    GroupId(StrBytes::from_string(group.to_owned()))
}

/// What is said of partitions, by the names of their topics.
fn by_topic<'a, T>(items: impl Iterator<Item = (&'a TopicPartition, T)>) -> HashMap<String, Vec<T>> {
    let mut topics: HashMap<String, Vec<T>> = HashMap::new();
    for (partition, item) in items {
        topics.entry(partition.topic.to_string()).or_default().push(item);
    }
    topics
}

/// What a partition's answer to a fetch at `offset` holds.
fn fetched(data: PartitionData, offset: i64) -> Result<Fetched> {
    let mut fetched = Fetched {
        bytes: whole_batches(data.records.unwrap_or_default()),
        high_watermark: data.high_watermark,
        last_stable_offset: data.last_stable_offset,
        log_start_offset: data.log_start_offset,
        next_offset: offset,
        aborted: Vec::new(),
    };
    let (mut markers, mut next_offset) = (Vec::new(), offset);
    for batch in fetched.all_batches() {
        let (header, _) = batch?;
        if header.is_control() {
            markers.push((header.producer_id, header.base_offset));
        }
        next_offset = next_offset.max(header.next_offset());
    }
    let aborted = data.aborted_transactions.unwrap_or_default().into_iter().map(|aborted| {
        let (producer_id, first_offset) = (aborted.producer_id.0, aborted.first_offset);
        // A transaction ends at its producer's next marker, which may lie behind what was fetched.
        let end = markers.iter().find(|(producer, at)| *producer == producer_id && *at >= first_offset);
        AbortedTransaction { producer_id, first_offset, last_offset: end.map_or(i64::MAX, |(_, at)| *at) }
    });
    (fetched.aborted, fetched.next_offset) = (aborted.collect(), next_offset);
    fetched.check()?;
    Ok(fetched)
}

/// The front of `bytes` that is whole: Kafka cuts off the last batch where the limit is.
fn whole_batches(bytes: Bytes) -> Bytes {
    let mut rest: &[u8] = &bytes;
    while let Ok(Some((_, _, tail))) = split_batch(rest) {
        rest = tail;
    }
    // What is garbled stays, and is an error where it is read.
    let is_cut_off = matches!(split_batch(rest), Ok(None));
    let whole = if is_cut_off { bytes.len() - rest.len() } else { bytes.len() };
    bytes.slice(..whole)
}
