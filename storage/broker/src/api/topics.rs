//! `CreateTopics`, `DeleteTopics` and `CreatePartitions`.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::create_topics_response::CreatableTopicResult;
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreateTopicsRequest, CreateTopicsResponse, DeleteTopicsRequest,
    DeleteTopicsResponse, TopicName,
};
use millstream_log::{Error, Log, TopicInfo, TopicSpec};
use tokio::task::block_in_place;
use uuid::Uuid;

use super::configs::created_config;
use crate::broker::NODE_ID;
use crate::call::Call;
use crate::code::code_of;
use crate::taken_names::TakenNames;
use crate::text::text;
use crate::topic_id::{topic_id, topic_name};

const CREATED_CONFIGS_SINCE: i16 = 5;
const CREATED_ID_SINCE: i16 = 7;
const DELETE_BY_ID_SINCE: i16 = 6;
const DELETE_MESSAGE_SINCE: i16 = 5;
/// `max.request.partition.size.limit` of Kafka's controller: one request adds no more partitions.
const PARTITIONS_AT_ONCE_MAX: i32 = 10_000;
/// There is one broker, so there is one replica; -1 leaves it to the broker (KIP-464).
const REPLICATION_FACTORS: [i16; 2] = [-1, 1];

/// A code and a message for whoever asked.
type Refusal = (i16, String);

fn refusal(error: &Error) -> Refusal {
    (code_of(error), error.to_string())
}

pub(super) fn create(call: &Call, request: CreateTopicsRequest) -> CreateTopicsResponse {
    let validate_only = request.validate_only;
    let mut left = PARTITIONS_AT_ONCE_MAX;
    let taken = TakenNames::for_names(&call.broker.log, request.topics.iter().map(|topic| topic.name.as_str()));
    let topics = request.topics.into_iter().map(|topic| {
        let result = CreatableTopicResult::default().with_name(topic.name.clone());
        match create_topic(call, &topic, &taken, validate_only, &mut left) {
            Ok(info) => {
                // What is not made has an id all the same, which is nobody's.
                let id = if validate_only { Uuid::new_v4() } else { topic_id(&call.broker.log, &info.name) };
                created(call, result, &topic, &info, id)
            }
            Err((code, message)) => {
                let result = result.with_error_code(code).with_error_message(Some(text(message)));
                if call.version >= CREATED_CONFIGS_SINCE { result.with_configs(Some(Vec::new())) } else { result }
            }
        }
    });
    CreateTopicsResponse::default().with_topics(topics.collect())
}

fn created(
    call: &Call,
    result: CreatableTopicResult,
    asked: &CreatableTopic,
    info: &TopicInfo,
    id: Uuid,
) -> CreatableTopicResult {
    let result = if call.version >= CREATED_ID_SINCE { result.with_topic_id(id) } else { result };
    if call.version < CREATED_CONFIGS_SINCE {
        return result.with_error_message(None);
    }
    result
        .with_error_message(None)
        .with_num_partitions(info.partitions)
        .with_replication_factor(1)
        .with_configs(Some(created_config(&info.config, &asked.configs)))
}

/// Refuses what would be more than a broker can have.
fn check_room(call: &Call, partitions: i32, left: &mut i32) -> Result<(), Refusal> {
    let refuse = |message: String| Err((ResponseError::PolicyViolation.code(), message));
    *left = left.saturating_sub(partitions);
    if *left < 0 {
        return refuse("Excessively large number of partitions per request.".to_owned());
    }
    if !call.broker.has_room_for_partitions(partitions) {
        let max = call.broker.options.partitions_max;
        return refuse(format!("clients can bring the topics to {max} partitions all together; delete some first"));
    }
    Ok(())
}

fn create_topic(
    call: &Call,
    topic: &CreatableTopic,
    taken: &TakenNames,
    validate_only: bool,
    left: &mut i32,
) -> Result<TopicInfo, Refusal> {
    let refuse = |error: ResponseError, message: String| Err((error.code(), message));
    let mut spec = TopicSpec::new(&**topic.name, 1);
    spec.check().map_err(|error| refusal(&error))?;
    if call.broker.log.topic(&spec.name).map_err(|error| refusal(&error))?.is_some() {
        return Err(refusal(&Error::TopicExists(spec.name)));
    }
    if let Some(other) = taken.colliding(&spec.name) {
        let message = format!("Topic '{}' collides with existing topic: {other}", spec.name);
        return refuse(ResponseError::InvalidTopicException, message);
    }
    for setting in &topic.configs {
        let Some(value) = &setting.value else {
            let message = format!("{} has no value; leave it out for its default", &*setting.name);
            return refuse(ResponseError::InvalidConfig, message);
        };
        spec.config.set(&setting.name, value).map_err(|error| refusal(&error))?;
    }
    spec.partitions = partitions_of(call, topic)?;
    spec.check().and_then(|()| spec.config.check()).map_err(|error| refusal(&error))?;
    check_room(call, spec.partitions, left)?;
    if validate_only {
        return Ok(TopicInfo { name: spec.name.as_str().into(), partitions: spec.partitions, config: spec.config });
    }
    block_in_place(|| call.broker.log.create_topic(&spec)).map_err(|error| refusal(&error))
}

/// How many partitions a topic is to have; every one has its one replica here.
fn partitions_of(call: &Call, topic: &CreatableTopic) -> Result<i32, Refusal> {
    let refuse = |error: ResponseError, message: String| Err((error.code(), message));
    if topic.assignments.is_empty() {
        // Of two faults Kafka names this one first, and one replica too many last.
        if topic.replication_factor < -1 || topic.replication_factor == 0 {
            let message = "Replication factor must be larger than 0, or -1 to use the default value.";
            return refuse(ResponseError::InvalidReplicationFactor, message.to_owned());
        }
        let partitions = match topic.num_partitions {
            -1 => call.broker.options.partitions_default,
            count if count > 0 => count,
            count => return refuse(ResponseError::InvalidPartitions, format!("{count} is no number of partitions")),
        };
        if !REPLICATION_FACTORS.contains(&topic.replication_factor) {
            let message = format!("Replication factor: {} larger than available brokers: 1.", topic.replication_factor);
            return refuse(ResponseError::InvalidReplicationFactor, message);
        }
        return Ok(partitions);
    }
    if topic.num_partitions != -1 || topic.replication_factor != -1 {
        let message = "a topic with an assignment of replicas has -1 partitions and a replication factor of -1";
        return refuse(ResponseError::InvalidRequest, message.to_owned());
    }
    let is_ours = |brokers: &[kafka_protocol::messages::BrokerId]| matches!(brokers, [one] if one.0 == NODE_ID);
    let mut indexes: Vec<i32> = topic.assignments.iter().map(|assigned| assigned.partition_index).collect();
    indexes.sort_unstable();
    let are_consecutive = (0..).zip(&indexes).all(|(expected, index)| expected == *index);
    if !are_consecutive || !topic.assignments.iter().all(|assigned| is_ours(&assigned.broker_ids)) {
        let message = format!("partitions count from 0 on, and each has one replica, on broker {NODE_ID}");
        return refuse(ResponseError::InvalidReplicaAssignment, message);
    }
    Ok(i32::try_from(indexes.len()).unwrap_or(i32::MAX))
}

pub(super) fn delete(call: &Call, request: DeleteTopicsRequest) -> DeleteTopicsResponse {
    let by_name = |name: TopicName| (Some(name), Uuid::nil());
    let asked: Vec<(Option<TopicName>, Uuid)> = if call.version >= DELETE_BY_ID_SINCE {
        request.topics.into_iter().map(|topic| (topic.name, topic.topic_id)).collect()
    } else {
        request.topic_names.into_iter().map(by_name).collect()
    };
    let responses = asked.into_iter().map(|(name, id)| delete_topic(call, name, id));
    DeleteTopicsResponse::default().with_responses(responses.collect())
}

fn delete_topic(call: &Call, name: Option<TopicName>, id: Uuid) -> DeletableTopicResult {
    let log = &call.broker.log;
    let found = match name {
        Some(name) => Some(name),
        None => topic_name(log, id).map(|name| TopicName(text(&*name))),
    };
    let result = DeletableTopicResult::default().with_topic_id(id);
    let Some(name) = found else {
        return result.with_name(None).with_error_code(ResponseError::UnknownTopicId.code());
    };
    let id = topic_id(log, &name);
    let deleted = block_in_place(|| log.delete_topic(&name));
    let tells_id = call.version >= DELETE_BY_ID_SINCE && deleted.is_ok();
    let result = if tells_id { result.with_topic_id(id) } else { result };
    let result = result.with_name(Some(name));
    match deleted {
        Ok(()) => result,
        Err(error) => {
            let result = result.with_error_code(code_of(&error));
            let has_message = call.version >= DELETE_MESSAGE_SINCE;
            if has_message { result.with_error_message(Some(text(error.to_string()))) } else { result }
        }
    }
}

pub(super) fn add_partitions(call: &Call, request: CreatePartitionsRequest) -> CreatePartitionsResponse {
    let validate_only = request.validate_only;
    let mut left = PARTITIONS_AT_ONCE_MAX;
    let results = request.topics.into_iter().map(|topic| {
        let outcome = add_partitions_to(call, &topic, validate_only, &mut left);
        let result = CreatePartitionsTopicResult::default().with_name(topic.name);
        match outcome {
            Ok(()) => result.with_error_message(None),
            Err((code, message)) => result.with_error_code(code).with_error_message(Some(text(message))),
        }
    });
    CreatePartitionsResponse::default().with_results(results.collect())
}

fn add_partitions_to(
    call: &Call,
    topic: &CreatePartitionsTopic,
    validate_only: bool,
    left: &mut i32,
) -> Result<(), Refusal> {
    let log = &call.broker.log;
    if let Ok(Some(info)) = log.topic(&topic.name)
        && topic.count > info.partitions
    {
        check_room(call, topic.count - info.partitions, left)?;
    }
    if validate_only {
        let info = log.topic(&topic.name).map_err(|error| refusal(&error))?;
        return match info {
            Some(info) if topic.count > info.partitions => Ok(()),
            Some(info) => {
                let message = format!("it has {} partitions, and they can only be added", info.partitions);
                Err((ResponseError::InvalidPartitions.code(), message))
            }
            None => Err(refusal(&Error::UnknownTopic(topic.name.to_string()))),
        };
    }
    block_in_place(|| log.create_partitions(&topic.name, topic.count)).map(drop).map_err(|error| refusal(&error))
}
