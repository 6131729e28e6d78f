//! `DescribeTopicPartitions`: topics a page at a time (KIP-966).

use std::collections::BTreeSet;

use kafka_protocol::messages::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponse, DescribeTopicPartitionsResponsePartition,
    DescribeTopicPartitionsResponseTopic,
};
use kafka_protocol::messages::{BrokerId, DescribeTopicPartitionsRequest, TopicName};
use millstream_log::{Error, Log};

use super::authorized::ON_TOPIC;
use crate::broker::{LEADER_EPOCH, NODE_ID};
use crate::call::Call;
use crate::code::code_of;
use crate::text::text;
use crate::topic_id::topic_id;

/// `max.request.partition.size.limit`.
const PARTITIONS_MAX: i32 = 2_000;

pub(super) fn answer(call: &Call, request: DescribeTopicPartitionsRequest) -> DescribeTopicPartitionsResponse {
    let log = &call.broker.log;
    let mut names: BTreeSet<String> = request.topics.iter().map(|topic| topic.name.to_string()).collect();
    let are_all = names.is_empty();
    if are_all {
        names = log.topics().unwrap_or_default().iter().map(|topic| topic.name.to_string()).collect();
    }
    let (from_topic, from_partition) = match &request.cursor {
        Some(cursor) => (cursor.topic_name.to_string(), cursor.partition_index.max(0)),
        None => (String::new(), 0),
    };
    let mut left = request.response_partition_limit.clamp(1, PARTITIONS_MAX);
    let mut topics = Vec::new();
    let mut next_cursor = None;
    for name in names.range(from_topic.clone()..) {
        if left == 0 {
            let cursor = Cursor::default().with_topic_name(TopicName(text(name.as_str())));
            next_cursor = Some(cursor.with_partition_index(0));
            break;
        }
        let topic = DescribeTopicPartitionsResponseTopic::default()
            .with_name(Some(TopicName(text(name.as_str()))))
            .with_topic_authorized_operations(ON_TOPIC);
        let info = match log.topic(name).and_then(|info| info.ok_or_else(|| Error::UnknownTopic(name.clone()))) {
            Ok(info) => info,
            // It was there when the page before was made.
            Err(_) if are_all => continue,
            Err(error) => {
                topics.push(topic.with_error_code(code_of(&error)));
                continue;
            }
        };
        let first = if *name == from_topic { from_partition } else { 0 };
        let end = info.partitions.min(first.saturating_add(left));
        if first < end || info.partitions == 0 {
            left -= end - first;
            topics.push(
                topic
                    .with_topic_id(topic_id(log, name))
                    .with_is_internal(info.is_internal())
                    .with_partitions((first..end).map(partition).collect()),
            );
        }
        if end < info.partitions {
            let cursor = Cursor::default().with_topic_name(TopicName(text(name.as_str())));
            next_cursor = Some(cursor.with_partition_index(end));
            break;
        }
    }
    DescribeTopicPartitionsResponse::default().with_topics(topics).with_next_cursor(next_cursor)
}

fn partition(index: i32) -> DescribeTopicPartitionsResponsePartition {
    let node = || vec![BrokerId(NODE_ID)];
    DescribeTopicPartitionsResponsePartition::default()
        .with_partition_index(index)
        .with_leader_id(BrokerId(NODE_ID))
        .with_leader_epoch(LEADER_EPOCH)
        .with_replica_nodes(node())
        .with_isr_nodes(node())
        // Null by the definition of the message, but Kafka's own client reads them as lists.
        .with_eligible_leader_replicas(Some(Vec::new()))
        .with_last_known_elr(Some(Vec::new()))
}
