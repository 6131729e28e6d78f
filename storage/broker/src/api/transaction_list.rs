//! `ListTransactions`, `DescribeTransactions` and `DescribeProducers` (KIP-664).

use std::collections::BTreeMap;
use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_producers_response::{PartitionResponse, ProducerState, TopicResponse};
use kafka_protocol::messages::describe_transactions_response::TopicData;
use kafka_protocol::messages::{
    DescribeProducersRequest, DescribeProducersResponse, DescribeTransactionsRequest, DescribeTransactionsResponse,
    ListTransactionsRequest, ListTransactionsResponse, ProducerId, TopicName, TransactionalId,
    describe_transactions_response, list_transactions_response,
};
use kafka_protocol::protocol::StrBytes;
use millstream_log::{Log, TopicPartition, TransactionInfo, TransactionState};
use regex::Regex;

use super::distinct::distinct;
use crate::call::Call;
use crate::code::code_of;
use crate::text::text;

/// All that Kafka knows; some pass at once here.
const STATES: [&str; 7] =
    ["Empty", "Ongoing", "PrepareCommit", "PrepareAbort", "CompleteCommit", "CompleteAbort", "PrepareEpochFence"];

fn state_name(state: TransactionState) -> &'static str {
    match state {
        TransactionState::Empty => "Empty",
        TransactionState::Ongoing => "Ongoing",
        TransactionState::CompleteCommit => "CompleteCommit",
        TransactionState::CompleteAbort => "CompleteAbort",
    }
}

pub(super) fn list(call: &Call, request: ListTransactionsRequest) -> ListTransactionsResponse {
    let log = &call.broker.log;
    let now_ms = log.now_ms();
    let unknown = request.state_filters.iter().filter(|state| !STATES.contains(&&***state)).cloned().collect();
    // The pattern must fit the whole id (KIP-1152); an empty one fits all.
    let pattern = request.transactional_id_pattern.as_deref().filter(|pattern| !pattern.is_empty());
    let pattern = match pattern.map(|pattern| Regex::new(&format!("^(?:{pattern})$"))).transpose() {
        Ok(pattern) => pattern,
        Err(_) => {
            let code = ResponseError::InvalidRegularExpression.code();
            return ListTransactionsResponse::default().with_error_code(code);
        }
    };
    let is_wanted = |transaction: &TransactionInfo| {
        let states = &request.state_filters;
        let producers = &request.producer_id_filters;
        // As Kafka counts: one that has not begun is of any age.
        let is_empty = transaction.state == TransactionState::Empty;
        let age_ms = if is_empty { i64::MAX } else { now_ms.saturating_sub(transaction.started_ms) };
        (states.is_empty() || states.iter().any(|state| &**state == state_name(transaction.state)))
            && (producers.is_empty() || producers.iter().any(|id| id.0 == transaction.producer.id))
            && (request.duration_filter < 0 || age_ms > request.duration_filter)
            && pattern.as_ref().is_none_or(|pattern| pattern.is_match(&transaction.transactional_id))
    };
    let listed = log.transactions().into_iter().filter(is_wanted).map(|transaction| {
        list_transactions_response::TransactionState::default()
            .with_transactional_id(TransactionalId(text(transaction.transactional_id)))
            .with_producer_id(ProducerId(transaction.producer.id))
            .with_transaction_state(text(state_name(transaction.state)))
    });
    ListTransactionsResponse::default().with_unknown_state_filters(unknown).with_transaction_states(listed.collect())
}

pub(super) fn describe(call: &Call, request: DescribeTransactionsRequest) -> DescribeTransactionsResponse {
    let states =
        distinct(request.transactional_ids, |id| id.0.clone()).map(|id| match call.broker.log.transaction(&id) {
            Some(transaction) => described(&transaction).with_transactional_id(id),
            None => describe_transactions_response::TransactionState::default()
                .with_transactional_id(id)
                .with_error_code(ResponseError::TransactionalIdNotFound.code()),
        });
    DescribeTransactionsResponse::default().with_transaction_states(states.collect())
}

fn described(transaction: &TransactionInfo) -> describe_transactions_response::TransactionState {
    let mut topics: BTreeMap<&Arc<str>, Vec<i32>> = BTreeMap::new();
    for partition in &transaction.partitions {
        topics.entry(&partition.topic).or_default().push(partition.partition);
    }
    let topics = topics.into_iter().map(|(name, partitions)| {
        TopicData::default().with_topic(TopicName(text(&**name))).with_partitions(partitions)
    });
    // Of one that has ended, when it began.
    let has_begun = transaction.state != TransactionState::Empty;
    describe_transactions_response::TransactionState::default()
        .with_transaction_state(text(state_name(transaction.state)))
        .with_transaction_timeout_ms(i32::try_from(transaction.timeout_ms).unwrap_or(i32::MAX))
        .with_transaction_start_time_ms(if has_begun { transaction.started_ms } else { -1 })
        .with_producer_id(ProducerId(transaction.producer.id))
        .with_producer_epoch(transaction.producer.epoch)
        .with_topics(topics.collect())
}

pub(super) fn producers(call: &Call, request: DescribeProducersRequest) -> DescribeProducersResponse {
    let topics = distinct(request.topics, |topic| topic.name.clone()).map(|topic| {
        let name: Arc<str> = topic.name.as_str().into();
        let partitions = distinct(topic.partition_indexes, |index| *index).map(|index| {
            let response = PartitionResponse::default().with_partition_index(index);
            match call.broker.log.producers(&TopicPartition::new(Arc::clone(&name), index)) {
                Ok(producers) => response.with_error_message(None).with_active_producers(
                    producers
                        .into_iter()
                        .map(|known| {
                            ProducerState::default()
                                .with_producer_id(ProducerId(known.producer.id))
                                .with_producer_epoch(known.producer.epoch.into())
                                .with_last_sequence(known.last_sequence)
                                .with_last_timestamp(known.last_used_ms)
                                .with_coordinator_epoch(-1)
                                .with_current_txn_start_offset(known.open_since.unwrap_or(-1))
                        })
                        .collect(),
                ),
                Err(error) => response
                    .with_error_code(code_of(&error))
                    // One for each partition, so it does not repeat the topic's name.
                    .with_error_message(Some(StrBytes::from_static_str(
                        "the topic or this partition of it does not exist",
                    ))),
            }
        });
        let partitions = partitions.collect();
        TopicResponse::default().with_name(topic.name).with_partitions(partitions)
    });
    DescribeProducersResponse::default().with_topics(topics.collect())
}
