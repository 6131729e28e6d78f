//! Records are written and read.

use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    ApiKey, FetchRequest, InitProducerIdRequest, ListOffsetsRequest, OffsetForLeaderEpochRequest, ProduceRequest,
    RequestKind, ResponseKind,
};
use millstream_log::record::{BatchBuilder, Compression};

use super::{any_partition, any_topic, topic_name, transactional_id};
use crate::side::Side;
use crate::world::World;

/// What is written where, the same on both sides but for the producer.
#[derive(Debug, Clone)]
pub(crate) struct Write {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) transactional_id: Option<String>,
    pub(crate) acks: i16,
}

impl Write {
    pub(crate) fn any(world: &mut World) -> Self {
        let topic = any_topic(world);
        Self { topic, partition: any_partition(world), transactional_id: None, acks: world.pick(&[-1, -1, 1, 2]) }
    }

    pub(crate) fn request(&self, side: &Side, version: i16, batch: Vec<u8>) -> RequestKind {
        let data = PartitionProduceData::default().with_index(self.partition).with_records(Some(batch.into()));
        let topic = TopicProduceData::default().with_partition_data(vec![data]);
        let topic = if version >= 13 {
            topic.with_topic_id(side.topic_id(&self.topic))
        } else {
            topic.with_name(topic_name(&self.topic))
        };
        let request = ProduceRequest::default()
            .with_acks(self.acks)
            .with_timeout_ms(10_000)
            .with_transactional_id(self.transactional_id.as_deref().map(transactional_id))
            .with_topic_data(vec![topic]);
        RequestKind::Produce(request)
    }
}

/// Some records.
pub(crate) fn records(world: &mut World) -> Vec<(i64, Option<Vec<u8>>, Option<Vec<u8>>)> {
    let count = 1 + world.below(4);
    let one = |world: &mut World| {
        let time = world.now_ms + world.below(1_000) as i64;
        let key = world.pick(&[None, Some("k1"), Some("k2")]).map(|key| key.as_bytes().to_vec());
        let value = format!("v{}", world.below(1_000_000)).repeat(1 + world.below(3) as usize);
        (time, key, Some(value.into_bytes()))
    };
    (0..count).map(|_| one(world)).collect()
}

pub(crate) fn batch(mut builder: BatchBuilder, records: &[(i64, Option<Vec<u8>>, Option<Vec<u8>>)]) -> Vec<u8> {
    for (time, key, value) in records {
        builder.push(*time, key.as_deref(), value.as_deref());
    }
    builder.finish().unwrap()
}

pub(crate) fn produce(world: &mut World) {
    let version = world.version((3, 13));
    let write = Write::any(world);
    let compression = world.pick(&[Compression::None, Compression::Gzip, Compression::Lz4, Compression::Zstd]);
    let batch = batch(BatchBuilder::new().with_compression(compression), &records(world));
    world.ask(ApiKey::Produce, version, |side| write.request(side, version, batch.clone()));
}

/// Producers without transactions; they number their batches themselves, and sometimes wrongly.
pub(crate) fn produce_idempotent(world: &mut World) {
    let version = world.version((3, 13));
    let write = Write { acks: -1, ..Write::any(world) };
    let name = world.pick(&["p0", "p1"]);
    let records = records(world);
    let sequence = world.pick(&[0, 0, 1, 2, 3, 4, 5, 6]);
    let epoch_more = world.pick(&[0, 0, 0, 0, 0, 1, -1]);
    world.ask(ApiKey::Produce, version, |side| {
        let producer = side.producer(name);
        let builder = BatchBuilder::new().with_producer(producer.id, producer.epoch + epoch_more, sequence);
        write.request(side, version, batch(builder, &records))
    });
}

pub(crate) fn init_idempotent(world: &mut World) {
    let version = world.version((0, 5));
    let name = world.pick(&["p0", "p1"]);
    let request = InitProducerIdRequest::default().with_transactional_id(None).with_transaction_timeout_ms(60_000);
    let learn = |side: &mut Side, response: &ResponseKind| learn_producer(side, name, response);
    world.ask_and_learn(ApiKey::InitProducerId, version, |_| RequestKind::InitProducerId(request.clone()), learn);
}

/// Takes note of the producer that a response tells of.
pub(crate) fn learn_producer(side: &mut Side, name: &str, response: &ResponseKind) {
    match response {
        ResponseKind::InitProducerId(made) if made.error_code == 0 => {
            side.set_producer(name, made.producer_id.0, made.producer_epoch);
        }
        ResponseKind::EndTxn(ended) if ended.error_code == 0 && ended.producer_id.0 >= 0 => {
            side.set_producer(name, ended.producer_id.0, ended.producer_epoch);
        }
        _ => {}
    }
}

/// Batches that must be refused, each for another reason.
pub(crate) fn produce_bad(world: &mut World) {
    let version = world.version((3, 13));
    let write = Write { acks: -1, ..Write::any(world) };
    let records = records(world);
    let good = batch(BatchBuilder::new(), &records);
    let mut bad = good.clone();
    match world.below(7) {
        // Its CRC, its magic, its length, its count.
        0 => bad[17] ^= 1,
        1 => bad[16] = 1,
        2 => bad.truncate(good.len() - 3),
        3 => bad.truncate(40),
        // Two batches, where one is allowed.
        4 => bad.extend_from_slice(&good),
        5 => bad.clear(),
        // Larger than any topic allows.
        _ => bad = batch(BatchBuilder::new(), &[(world.now_ms, None, Some(vec![7; 1_100_000]))]),
    }
    world.ask(ApiKey::Produce, version, |side| write.request(side, version, bad.clone()));
}

pub(crate) fn fetch(world: &mut World) {
    let version = world.version((4, 18));
    let name = any_topic(world);
    let isolation = world.pick(&[0, 1]);
    let bytes_max = world.pick(&[1 << 20, 1 << 20, 1, 200]);
    let mut partition = FetchPartition::default()
        .with_partition(any_partition(world))
        .with_fetch_offset(world.pick(&[0, 0, 0, 1, 3, 8, 100_000, -1]))
        .with_partition_max_bytes(bytes_max);
    if version >= 9 {
        partition = partition.with_current_leader_epoch(world.pick(&[-1, -1, 0, 5]));
    }
    world.ask(ApiKey::Fetch, version, |side| {
        let topic = FetchTopic::default().with_partitions(vec![partition.clone()]);
        let topic =
            if version >= 13 { topic.with_topic_id(side.topic_id(&name)) } else { topic.with_topic(topic_name(&name)) };
        let request = FetchRequest::default()
            .with_max_wait_ms(0)
            .with_min_bytes(0)
            .with_max_bytes(1 << 20)
            .with_isolation_level(isolation)
            .with_topics(vec![topic]);
        RequestKind::Fetch(if version >= 7 { request.with_session_epoch(-1) } else { request })
    });
}

pub(crate) fn list_offsets(world: &mut World) {
    let version = world.version((1, 10));
    let name = any_topic(world);
    let timestamp = world.pick(&[-1, -1, -2, -2, -3, -4, -5, 0, world.now_ms, world.now_ms + 500, i64::MAX, -9]);
    // What a version does not know yet is not asked of it.
    let timestamp = match timestamp {
        -3 if version < 7 => -1,
        -4 if version < 8 => -2,
        -5 if version < 9 => -2,
        other => other,
    };
    let mut partition =
        ListOffsetsPartition::default().with_partition_index(any_partition(world)).with_timestamp(timestamp);
    if version >= 4 {
        partition = partition.with_current_leader_epoch(world.pick(&[-1, -1, 0, 5]));
    }
    let topic = ListOffsetsTopic::default().with_name(topic_name(&name)).with_partitions(vec![partition]);
    let mut request = ListOffsetsRequest::default().with_replica_id((-1).into()).with_topics(vec![topic]);
    if version >= 2 {
        request = request.with_isolation_level(world.pick(&[0, 1]));
    }
    world.ask(ApiKey::ListOffsets, version, |_| RequestKind::ListOffsets(request.clone()));
}

pub(crate) fn leader_epoch(world: &mut World) {
    let version = world.version((2, 4));
    let name = any_topic(world);
    let partition = OffsetForLeaderPartition::default()
        .with_partition(any_partition(world))
        .with_current_leader_epoch(world.pick(&[-1, 0, 3]))
        .with_leader_epoch(world.pick(&[0, 0, 1, -1]));
    let topic = OffsetForLeaderTopic::default().with_topic(topic_name(&name)).with_partitions(vec![partition]);
    let request = OffsetForLeaderEpochRequest::default().with_topics(vec![topic]);
    let request = if version >= 3 { request.with_replica_id((-1).into()) } else { request };
    world.ask(ApiKey::OffsetForLeaderEpoch, version, |_| RequestKind::OffsetForLeaderEpoch(request.clone()));
}
