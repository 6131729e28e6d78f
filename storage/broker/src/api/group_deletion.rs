//! `DeleteGroups` and `OffsetDelete`: forgetting groups, or what they have read.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::delete_groups_response::DeletableGroupResult;
use kafka_protocol::messages::offset_delete_response::{OffsetDeleteResponsePartition, OffsetDeleteResponseTopic};
use kafka_protocol::messages::{
    DeleteGroupsRequest, DeleteGroupsResponse, GroupId, OffsetDeleteRequest, OffsetDeleteResponse,
};
use millstream_log::{Log, TopicPartition};
use tokio::task::block_in_place;

use crate::call::Call;
use crate::code::{NONE, code_of};

pub(super) fn groups(call: &Call, request: DeleteGroupsRequest) -> DeleteGroupsResponse {
    let results = request.groups_names.into_iter().map(|id| {
        let error_code = delete(call, &id);
        DeletableGroupResult::default().with_group_id(id).with_error_code(error_code)
    });
    DeleteGroupsResponse::default().with_results(results.collect())
}

fn delete(call: &Call, id: &GroupId) -> i16 {
    let log = &call.broker.log;
    match call.broker.groups.change(|groups, _| groups.delete(&id.0)) {
        Err(error) => error.code(),
        Ok(false) if !log.has_group(id) => ResponseError::GroupIdNotFound.code(),
        Ok(_) => block_in_place(|| log.delete_group(id)).map_or_else(|error| code_of(&error), |()| NONE),
    }
}

pub(super) fn offsets(call: &Call, request: OffsetDeleteRequest) -> OffsetDeleteResponse {
    let log = &call.broker.log;
    let group = request.group_id.0;
    let (is_known, is_of_others) = call.broker.groups.look(|groups| {
        let known = groups.group(&group);
        let is_of_others = known.is_some_and(|known| !known.members.is_empty() && !known.is_of_consumers());
        (known.is_some() || groups.consumer_group(&group).is_some(), is_of_others)
    });
    if is_of_others {
        return OffsetDeleteResponse::default().with_error_code(ResponseError::NonEmptyGroup.code());
    }
    if !is_known && !log.has_group(&group) {
        return OffsetDeleteResponse::default().with_error_code(ResponseError::GroupIdNotFound.code());
    }
    let mut partitions = Vec::new();
    let mut topics = Vec::new();
    for topic in request.topics {
        let name: Arc<str> = topic.name.as_str().into();
        let is_subscribed = call.broker.groups.look(|groups| {
            groups.group(&group).is_some_and(|group| group.is_subscribed_to(&name))
                || groups.consumer_group(&group).is_some_and(|group| group.is_subscribed_to(&name))
        });
        let mut parts = Vec::new();
        for asked in topic.partitions {
            let partition = TopicPartition::new(Arc::clone(&name), asked.partition_index);
            let error_code = match log.offsets(&partition) {
                Err(error) => code_of(&error),
                Ok(_) if is_subscribed => ResponseError::GroupSubscribedToTopic.code(),
                Ok(_) => NONE,
            };
            if error_code == NONE {
                partitions.push(partition);
            }
            let part = OffsetDeleteResponsePartition::default().with_partition_index(asked.partition_index);
            parts.push(part.with_error_code(error_code));
        }
        topics.push(OffsetDeleteResponseTopic::default().with_name(topic.name).with_partitions(parts));
    }
    let deleted = block_in_place(|| log.delete_group_offsets(&group, &partitions));
    if !is_known && !log.has_group(&group) {
        call.broker.groups.change(|groups, _| groups.remember(&group, log.now_ms()));
    }
    let error_code = deleted.map_or_else(|error| code_of(&error), |()| NONE);
    OffsetDeleteResponse::default().with_error_code(error_code).with_topics(topics)
}
