//! Transactions of both versions.

use std::time::{Duration, Instant};

use kafka_protocol::messages::add_partitions_to_txn_request::{AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction};
use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, ApiKey, DescribeProducersRequest, DescribeTransactionsRequest,
    EndTxnRequest, InitProducerIdRequest, ListTransactionsRequest, ProducerId, RequestKind, ResponseKind,
    TxnOffsetCommitRequest,
};
use millstream_log::record::BatchBuilder;

use super::records::{Write, batch, learn_producer, records};
use super::{any_group, any_partition, any_topic, group_id, text, topic_name, transactional_id};
use crate::side::Side;
use crate::world::World;

fn any_transactional(world: &mut World) -> String {
    let number = world.below(2);
    format!("{}x{number}", world.prefix)
}

pub(crate) fn init(world: &mut World) {
    let version = world.version((0, 5));
    let name = any_transactional(world);
    let timeout_ms = world.pick(&[60_000, 60_000, 60_000, 0, 900_001]);
    let says_who = version >= 3 && world.chance(40);
    let empty = world.chance(4);
    let build = |side: &Side| {
        let known = side.producer(&name);
        let request = InitProducerIdRequest::default()
            .with_transactional_id(Some(transactional_id(if empty { "" } else { &name })))
            .with_transaction_timeout_ms(timeout_ms);
        RequestKind::InitProducerId(if says_who {
            request.with_producer_id(ProducerId(known.id)).with_producer_epoch(known.epoch)
        } else {
            request
        })
    };
    let learn = |side: &mut Side, response: &ResponseKind| learn_producer(side, &name, response);
    world.ask_and_learn(ApiKey::InitProducerId, version, build, learn);
    forget_sequences(world, &name);
}

/// The next sequence number in each partition begins anew.
fn forget_sequences(world: &mut World, name: &str) {
    for side in &mut world.sides {
        side.members.retain(|key, _| !key.starts_with(&format!("sequence {name} ")));
    }
}

pub(crate) fn add_partitions(world: &mut World) {
    let version = world.version((0, 5));
    let name = any_transactional(world);
    let topics = vec![
        AddPartitionsToTxnTopic::default()
            .with_name(topic_name(&any_topic(world)))
            .with_partitions(vec![any_partition(world)]),
    ];
    let verify_only = world.chance(50);
    let more = world.pick(&[0, 0, 0, 0, 1, -1]);
    world.ask(ApiKey::AddPartitionsToTxn, version, |side| {
        let known = side.producer(&name);
        let (id, epoch) = (ProducerId(known.id), known.epoch + more);
        RequestKind::AddPartitionsToTxn(if version >= 4 {
            let transaction = AddPartitionsToTxnTransaction::default()
                .with_transactional_id(transactional_id(&name))
                .with_producer_id(id)
                .with_producer_epoch(epoch)
                .with_verify_only(verify_only)
                .with_topics(topics.clone());
            AddPartitionsToTxnRequest::default().with_transactions(vec![transaction])
        } else {
            AddPartitionsToTxnRequest::default()
                .with_v3_and_below_transactional_id(transactional_id(&name))
                .with_v3_and_below_producer_id(id)
                .with_v3_and_below_producer_epoch(epoch)
                .with_v3_and_below_topics(topics.clone())
        })
    });
}

/// In version 12 and above the partition need not have been added.
pub(crate) fn produce(world: &mut World) {
    let version = world.version((3, 13));
    let name = any_transactional(world);
    let write = Write { transactional_id: Some(name.clone()), acks: -1, ..Write::any(world) };
    let records = records(world);
    let place = format!("sequence {name} {} {}", write.topic, write.partition);
    let more = world.pick(&[0, 0, 0, 0, 0, 0, -1]);
    let responses = world.ask(ApiKey::Produce, version, |side| {
        let (known, next) = (side.producer(&name), side.member(&place).generation);
        let builder = BatchBuilder::new().with_producer(known.id, known.epoch + more, next).transactional();
        write.request(side, version, batch(builder, &records))
    });
    for (side, response) in world.sides.iter_mut().zip(responses) {
        if let Some(ResponseKind::Produce(produced)) = response
            && produced.responses[0].partition_responses[0].error_code == 0
        {
            let next = side.member(&place).generation + records.len() as i32;
            side.set_member(&place, &text(""), next);
        }
    }
}

pub(crate) fn commit_offsets(world: &mut World) {
    let version = world.version((0, 5));
    let (name, group) = (any_transactional(world), format!("{}alone", world.prefix));
    let group = if world.chance(20) { any_group(world) } else { group };
    let more = world.pick(&[0, 0, 0, 0, 1]);
    if version < 5 && world.chance(80) {
        let version = world.version((0, 4));
        world.ask(ApiKey::AddOffsetsToTxn, version, |side| {
            let known = side.producer(&name);
            RequestKind::AddOffsetsToTxn(
                AddOffsetsToTxnRequest::default()
                    .with_transactional_id(transactional_id(&name))
                    .with_producer_id(ProducerId(known.id))
                    .with_producer_epoch(known.epoch + more)
                    .with_group_id(group_id(&group)),
            )
        });
    }
    let mut partition = TxnOffsetCommitRequestPartition::default()
        .with_partition_index(any_partition(world))
        .with_committed_offset(world.below(50) as i64)
        .with_committed_metadata(Some(text("of a transaction")));
    if version >= 2 {
        partition = partition.with_committed_leader_epoch(-1);
    }
    let topics = vec![
        TxnOffsetCommitRequestTopic::default()
            .with_name(topic_name(&any_topic(world)))
            .with_partitions(vec![partition]),
    ];
    world.ask(ApiKey::TxnOffsetCommit, version, |side| {
        let known = side.producer(&name);
        RequestKind::TxnOffsetCommit(
            TxnOffsetCommitRequest::default()
                .with_transactional_id(transactional_id(&name))
                .with_group_id(group_id(&group))
                .with_producer_id(ProducerId(known.id))
                .with_producer_epoch(known.epoch + more)
                .with_topics(topics.clone()),
        )
    });
}

pub(crate) fn end(world: &mut World) {
    let version = world.version((0, 5));
    let name = any_transactional(world);
    let commit = world.chance(60);
    let more = world.pick(&[0, 0, 0, 0, 0, 1, -1]);
    let build = |side: &Side| {
        let known = side.producer(&name);
        RequestKind::EndTxn(
            EndTxnRequest::default()
                .with_transactional_id(transactional_id(&name))
                .with_producer_id(ProducerId(known.id))
                .with_producer_epoch(known.epoch + more)
                .with_committed(commit),
        )
    };
    let before = world.sides[1].producer(&name);
    let learn = |side: &mut Side, response: &ResponseKind| learn_producer(side, &name, response);
    world.ask_and_learn(ApiKey::EndTxn, version, build, learn);
    if world.sides[1].producer(&name) != before {
        forget_sequences(world, &name);
    }
    settle(world, &name);
}

/// Waits until Kafka has written the markers, which it does after it has answered.
fn settle(world: &mut World, name: &str) {
    let begun = Instant::now();
    let request = DescribeTransactionsRequest::default().with_transactional_ids(vec![transactional_id(name)]);
    while begun.elapsed() < Duration::from_secs(5) {
        let responses =
            world.ask_quietly(ApiKey::DescribeTransactions, 0, &|_| RequestKind::DescribeTransactions(request.clone()));
        let Some(ResponseKind::DescribeTransactions(response)) = &responses[0] else { return };
        if !response.transaction_states[0].transaction_state.starts_with("Prepare") {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

pub(crate) fn describe(world: &mut World) {
    let known = any_transactional(world);
    let name = world.pick(&[known.clone(), known, "nobody's".to_owned()]);
    let request = DescribeTransactionsRequest::default().with_transactional_ids(vec![transactional_id(&name)]);
    world.ask(ApiKey::DescribeTransactions, 0, |_| RequestKind::DescribeTransactions(request.clone()));
}

pub(crate) fn list(world: &mut World) {
    let version = world.version((0, 2));
    let mut request = ListTransactionsRequest::default();
    if world.chance(40) {
        request = request.with_state_filters(vec![text(world.pick(&["Ongoing", "CompleteCommit", "Odd"]))]);
    }
    if version >= 1 {
        request = request.with_duration_filter(world.pick(&[-1, 600_000]));
    }
    if version >= 2 && world.chance(40) {
        request = request.with_transactional_id_pattern(Some(text(world.pick(&[".*x0", "(", "nothing"]))));
    }
    world.ask(ApiKey::ListTransactions, version, |_| RequestKind::ListTransactions(request.clone()));
}

pub(crate) fn producers(world: &mut World) {
    let topic = TopicRequest::default()
        .with_name(topic_name(&any_topic(world)))
        .with_partition_indexes(vec![any_partition(world)]);
    let request = DescribeProducersRequest::default().with_topics(vec![topic]);
    world.ask(ApiKey::DescribeProducers, 0, |_| RequestKind::DescribeProducers(request.clone()));
}
