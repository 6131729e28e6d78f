//! Which requests are understood, in which versions, and who answers them.

mod alter_configs;
mod api_versions;
mod authorized;
mod cluster;
mod configs;
mod consumer_group_describe;
mod consumer_group_heartbeat;
mod delete_records;
mod distinct;
mod fetch;
mod find_coordinator;
mod group_deletion;
mod group_list;
mod group_offsets;
mod init_producer_id;
mod leader_epoch;
mod list_offsets;
mod log_topics;
mod membership;
mod metadata;
mod offset_commit;
mod offset_fetch;
mod produce;
mod security;
mod topic_partitions;
mod topics;
mod transaction_list;
mod transaction_markers;
mod transaction_offsets;
mod transaction_partitions;
mod transaction_room;
mod transactions;

use bytes::Bytes;
use kafka_protocol::messages::ApiKey;

use crate::call::{Call, Hangup, Pending, at_once, later};
use crate::shape::{Shape, requests};

/// One kind of request.
pub(crate) struct Api {
    pub(crate) key: ApiKey,
    /// The oldest version that is advertised.
    pub(crate) advertised_min: i16,
    pub(crate) min: i16,
    pub(crate) max: i16,
    pub(crate) shape: &'static Shape,
    /// Whether the next request may be taken up before this one is answered.
    pub(crate) is_pipelined: bool,
    /// Whether its answer waits for what others do, which may take long: nothing to be done for a client that has gone.
    pub(crate) waits_for_others: bool,
    run: fn(Call, Bytes) -> Pending,
}

impl Api {
    const fn new(key: ApiKey, (min, max): (i16, i16), shape: &'static Shape, run: fn(Call, Bytes) -> Pending) -> Self {
        Self { key, advertised_min: min, min, max, shape, is_pipelined: false, waits_for_others: false, run }
    }

    const fn waiting_for_others(self) -> Self {
        Self { waits_for_others: true, ..self }
    }

    pub(crate) const fn understands(&self, version: i16) -> bool {
        self.min <= version && version <= self.max
    }
}

/// The versions are those of Kafka 4.1.
static APIS: &[Api] = &[
    Api {
        // Clients that find no version 0 believe that they may not compress (KAFKA-18659).
        advertised_min: 0,
        is_pipelined: true,
        ..Api::new(ApiKey::Produce, (3, 13), &requests::PRODUCE, produce::run)
    },
    Api::new(ApiKey::Fetch, (4, 18), &requests::FETCH, fetch::run).waiting_for_others(),
    Api::new(ApiKey::ListOffsets, (1, 10), &requests::LIST_OFFSETS, |call, body| {
        at_once(&call, body, list_offsets::answer)
    }),
    Api::new(ApiKey::Metadata, (0, 13), &requests::METADATA, |call, body| at_once(&call, body, metadata::answer)),
    Api::new(ApiKey::OffsetCommit, (2, 9), &requests::OFFSET_COMMIT, |call, body| {
        later(call, body, offset_commit::answer)
    }),
    Api::new(ApiKey::OffsetFetch, (1, 9), &requests::OFFSET_FETCH, |call, body| {
        at_once(&call, body, offset_fetch::answer)
    }),
    Api::new(ApiKey::FindCoordinator, (0, 6), &requests::FIND_COORDINATOR, |call, body| {
        at_once(&call, body, find_coordinator::answer)
    }),
    Api::new(ApiKey::JoinGroup, (0, 9), &requests::JOIN_GROUP, |call, body| later(call, body, membership::join))
        .waiting_for_others(),
    Api::new(ApiKey::Heartbeat, (0, 4), &requests::HEARTBEAT, |call, body| at_once(&call, body, membership::heartbeat)),
    Api::new(ApiKey::LeaveGroup, (0, 5), &requests::LEAVE_GROUP, |call, body| at_once(&call, body, membership::leave)),
    Api::new(ApiKey::SyncGroup, (0, 5), &requests::SYNC_GROUP, |call, body| later(call, body, membership::sync))
        .waiting_for_others(),
    Api::new(ApiKey::DescribeGroups, (0, 6), &requests::DESCRIBE_GROUPS, |call, body| {
        at_once(&call, body, group_list::describe)
    }),
    Api::new(ApiKey::ListGroups, (0, 5), &requests::LIST_GROUPS, |call, body| at_once(&call, body, group_list::list)),
    Api::new(ApiKey::ApiVersions, (0, 4), &requests::API_VERSIONS, api_versions::run),
    Api::new(ApiKey::CreateTopics, (2, 7), &requests::CREATE_TOPICS, |call, body| at_once(&call, body, topics::create)),
    Api::new(ApiKey::DeleteTopics, (1, 6), &requests::DELETE_TOPICS, |call, body| at_once(&call, body, topics::delete)),
    Api::new(ApiKey::DeleteRecords, (0, 2), &requests::DELETE_RECORDS, |call, body| {
        at_once(&call, body, delete_records::answer)
    }),
    Api::new(ApiKey::InitProducerId, (0, 5), &requests::INIT_PRODUCER_ID, |call, body| {
        at_once(&call, body, init_producer_id::answer)
    }),
    Api::new(ApiKey::DeleteGroups, (0, 2), &requests::DELETE_GROUPS, |call, body| {
        at_once(&call, body, group_deletion::groups)
    }),
    Api::new(ApiKey::OffsetDelete, (0, 0), &requests::OFFSET_DELETE, |call, body| {
        at_once(&call, body, group_deletion::offsets)
    }),
    Api::new(ApiKey::CreatePartitions, (0, 3), &requests::CREATE_PARTITIONS, |call, body| {
        at_once(&call, body, topics::add_partitions)
    }),
    Api::new(ApiKey::DescribeConfigs, (1, 4), &requests::DESCRIBE_CONFIGS, |call, body| {
        at_once(&call, body, configs::describe)
    }),
    Api::new(ApiKey::AlterConfigs, (0, 2), &requests::ALTER_CONFIGS, |call, body| {
        at_once(&call, body, alter_configs::replace)
    }),
    Api::new(ApiKey::IncrementalAlterConfigs, (0, 1), &requests::INCREMENTAL_ALTER_CONFIGS, |call, body| {
        at_once(&call, body, alter_configs::change)
    }),
    Api::new(ApiKey::ListConfigResources, (0, 1), &requests::LIST_CONFIG_RESOURCES, |call, body| {
        at_once(&call, body, configs::list)
    }),
    Api::new(ApiKey::DescribeCluster, (0, 2), &requests::DESCRIBE_CLUSTER, |call, body| {
        at_once(&call, body, cluster::describe)
    }),
    Api::new(ApiKey::ListPartitionReassignments, (0, 0), &requests::LIST_PARTITION_REASSIGNMENTS, |call, body| {
        at_once(&call, body, cluster::reassignments)
    }),
    Api::new(ApiKey::DescribeLogDirs, (1, 4), &requests::DESCRIBE_LOG_DIRS, |call, body| {
        at_once(&call, body, cluster::log_dirs)
    }),
    Api::new(ApiKey::OffsetForLeaderEpoch, (2, 4), &requests::OFFSET_FOR_LEADER_EPOCH, |call, body| {
        at_once(&call, body, leader_epoch::answer)
    }),
    Api::new(ApiKey::DescribeTopicPartitions, (0, 0), &requests::DESCRIBE_TOPIC_PARTITIONS, |call, body| {
        at_once(&call, body, topic_partitions::answer)
    }),
    Api::new(ApiKey::AddPartitionsToTxn, (0, 5), &requests::ADD_PARTITIONS_TO_TXN, |call, body| {
        at_once(&call, body, transaction_partitions::answer)
    }),
    Api::new(ApiKey::AddOffsetsToTxn, (0, 4), &requests::ADD_OFFSETS_TO_TXN, |call, body| {
        later(call, body, transactions::add_offsets)
    }),
    Api::new(ApiKey::EndTxn, (0, 5), &requests::END_TXN, |call, body| later(call, body, transactions::end)),
    Api::new(ApiKey::WriteTxnMarkers, (1, 1), &requests::WRITE_TXN_MARKERS, |call, body| {
        later(call, body, transaction_markers::answer)
    }),
    Api::new(ApiKey::TxnOffsetCommit, (0, 5), &requests::TXN_OFFSET_COMMIT, |call, body| {
        later(call, body, transaction_offsets::answer)
    }),
    Api::new(ApiKey::DescribeProducers, (0, 0), &requests::DESCRIBE_PRODUCERS, |call, body| {
        at_once(&call, body, transaction_list::producers)
    }),
    Api::new(ApiKey::DescribeTransactions, (0, 0), &requests::DESCRIBE_TRANSACTIONS, |call, body| {
        at_once(&call, body, transaction_list::describe)
    }),
    Api::new(ApiKey::ConsumerGroupHeartbeat, (0, 1), &requests::CONSUMER_GROUP_HEARTBEAT, |call, body| {
        at_once(&call, body, consumer_group_heartbeat::answer)
    }),
    Api::new(ApiKey::ConsumerGroupDescribe, (0, 1), &requests::CONSUMER_GROUP_DESCRIBE, |call, body| {
        at_once(&call, body, consumer_group_describe::answer)
    }),
    Api::new(ApiKey::ListTransactions, (0, 2), &requests::LIST_TRANSACTIONS, |call, body| {
        at_once(&call, body, transaction_list::list)
    }),
    Api::new(ApiKey::SaslHandshake, (0, 1), &requests::SASL_HANDSHAKE, |call, body| {
        at_once(&call, body, security::handshake)
    }),
    Api::new(ApiKey::SaslAuthenticate, (0, 2), &requests::SASL_AUTHENTICATE, |call, body| {
        at_once(&call, body, security::authenticate)
    }),
    Api::new(ApiKey::DescribeAcls, (1, 3), &requests::DESCRIBE_ACLS, |call, body| {
        at_once(&call, body, security::describe)
    }),
    Api::new(ApiKey::CreateAcls, (1, 3), &requests::CREATE_ACLS, |call, body| at_once(&call, body, security::create)),
    Api::new(ApiKey::DeleteAcls, (1, 3), &requests::DELETE_ACLS, |call, body| at_once(&call, body, security::delete)),
];

/// All kinds of requests.
pub(crate) fn all() -> &'static [Api] {
    APIS
}

/// The kind of request with this key.
pub(crate) fn find(key: i16) -> Option<&'static Api> {
    APIS.iter().find(|api| api.key as i16 == key)
}

/// Answers a request. What is to happen in the order of requests has happened when this returns.
pub(crate) fn run(call: Call, body: Bytes) -> Pending {
    if call.api.understands(call.version) || call.api.key == ApiKey::ApiVersions {
        (call.api.run)(call, body)
    } else {
        // As Kafka does: there is no layout in which to say so.
        Box::pin(std::future::ready(Err(Hangup)))
    }
}

#[cfg(test)]
mod tests;
