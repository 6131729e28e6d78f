//! Whether there is memory for what transactional ids are to keep.

use std::collections::BTreeSet;

use kafka_protocol::ResponseError;
use millstream_log::{TopicPartition, TransactionInfo};

use crate::call::Call;

/// A transaction of so many partitions is begun also when the memory for transactions is used up.
const FEW_PARTITIONS: usize = 16;

/// Whether there is room for another transactional id.
pub(super) fn check_id(call: &Call, transactional_id: &str) -> Result<(), ResponseError> {
    let has_room = has_room(call, TransactionInfo::bytes_of(transactional_id, []));
    if has_room || call.broker.log.transaction(transactional_id).is_some() {
        Ok(())
    } else {
        Err(ResponseError::PolicyViolation)
    }
}

/// Whether a producer may add these partitions to its transaction.
pub(super) fn check_partitions(
    call: &Call,
    producer_id: i64,
    partitions: &[TopicPartition],
) -> Result<(), ResponseError> {
    // More than they take, but found without a look at those that are there.
    if has_room(call, TransactionInfo::bytes_of("", partitions)) {
        return Ok(());
    }
    // Who has no transactional id has no transaction either.
    let Some(known) = call.broker.log.transaction_of(producer_id) else { return Ok(()) };
    let all: BTreeSet<_> = known.partitions.iter().chain(partitions).collect();
    if all.len() == known.partitions.len() || all.len() <= FEW_PARTITIONS {
        Ok(())
    } else {
        Err(ResponseError::PolicyViolation)
    }
}

fn has_room(call: &Call, growth: usize) -> bool {
    call.broker.log.transactions_bytes().saturating_add(growth) <= call.broker.options.transactions_bytes_max
}
