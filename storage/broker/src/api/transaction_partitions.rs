//! `AddPartitionsToTxn`: which partitions a transaction is about to write to.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResult, AddPartitionsToTxnTopicResult,
};
use kafka_protocol::messages::{AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, ProducerId, TransactionalId};
use millstream_log::{Error, Log, Producer, TopicPartition};
use tokio::task::block_in_place;

use super::transaction_room::check_partitions;
use super::transactions::{check, code};
use crate::call::Call;
use crate::code::{NONE, code_of};

const FENCED_SINCE: i16 = 2;
const BATCHED_SINCE: i16 = 4;

pub(super) fn answer(call: &Call, request: AddPartitionsToTxnRequest) -> AddPartitionsToTxnResponse {
    if call.version < BATCHED_SINCE {
        let producer = (request.v3_and_below_producer_id, request.v3_and_below_producer_epoch);
        let id = &request.v3_and_below_transactional_id;
        let results = add(call, id, producer, request.v3_and_below_topics, false);
        return AddPartitionsToTxnResponse::default().with_results_by_topic_v3_and_below(results);
    }
    let results = request.transactions.into_iter().map(|transaction| {
        let id = transaction.transactional_id;
        let producer = (transaction.producer_id, transaction.producer_epoch);
        let results = add(call, &id, producer, transaction.topics, transaction.verify_only);
        AddPartitionsToTxnResult::default().with_transactional_id(id).with_topic_results(results)
    });
    AddPartitionsToTxnResponse::default().with_results_by_transaction(results.collect())
}

/// All partitions are added, or none.
fn add(
    call: &Call,
    transactional_id: &TransactionalId,
    (id, epoch): (ProducerId, i16),
    topics: Vec<AddPartitionsToTxnTopic>,
    verify_only: bool,
) -> Vec<AddPartitionsToTxnTopicResult> {
    let log = &call.broker.log;
    let producer = Producer { id: id.0, epoch };
    let partitions: Vec<TopicPartition> = topics
        .iter()
        .flat_map(|topic| {
            let name: Arc<str> = topic.name.as_str().into();
            topic.partitions.iter().map(move |index| TopicPartition::new(Arc::clone(&name), *index))
        })
        .collect();
    let unknown = |partition: &TopicPartition| log.offsets(partition).err().map_or(NONE, |error| code_of(&error));
    let all_exist = partitions.iter().all(|partition| unknown(partition) == NONE);
    let whole = match check(call, transactional_id, producer) {
        _ if !all_exist => ResponseError::OperationNotAttempted.code(),
        Err(error) => code(error, call.version >= FENCED_SINCE),
        Ok(()) if verify_only => {
            let open = log.transaction(transactional_id).map(|known| known.partitions).unwrap_or_default();
            let is_open = partitions.iter().all(|partition| open.contains(partition));
            if is_open { NONE } else { ResponseError::TransactionAbortable.code() }
        }
        Ok(()) => match check_partitions(call, producer.id, &partitions) {
            Err(error) => error.code(),
            Ok(()) => match block_in_place(|| log.add_partitions(producer, &partitions)?.wait()) {
                Ok(()) => NONE,
                Err(Error::Fenced { .. }) => code(ResponseError::ProducerFenced, call.version >= FENCED_SINCE),
                Err(error) => code_of(&error),
            },
        },
    };
    let not_attempted = ResponseError::OperationNotAttempted.code();
    let results = topics.into_iter().map(|topic| {
        let name: Arc<str> = topic.name.as_str().into();
        let result = |index: &i32| {
            let own = unknown(&TopicPartition::new(Arc::clone(&name), *index));
            let code = if whole == not_attempted && own != NONE { own } else { whole };
            AddPartitionsToTxnPartitionResult::default().with_partition_index(*index).with_partition_error_code(code)
        };
        let results = topic.partitions.iter().map(result).collect();
        AddPartitionsToTxnTopicResult::default().with_name(topic.name).with_results_by_partition(results)
    });
    results.collect()
}
