//! `Produce`: record batches are checked by their headers and handed to the log as they are.

mod check;

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use kafka_protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, PartitionProduceResponse, ProduceResponse, TopicProduceResponse,
};
use millstream_log::{Error, Ticket, TopicPartition, TransactionVersion};

use crate::broker::settled;
use crate::call::{Call, Hangup, Pending, Reply};
use crate::code::code_of;
use crate::text::text;

use check::Refused;

const ACKS_NONE: i16 = 0;
const TOPIC_IDS_SINCE: i16 = 13;
const ABORTABLE_SINCE: i16 = 11;
/// From then on a transactional batch adds its partition to the transaction (KIP-890).
const ADDS_PARTITIONS_SINCE: i16 = 12;

/// A topic's answer, complete but for the appends that are on their way to the disk.
struct Started {
    response: TopicProduceResponse,
    tickets: Vec<Option<Ticket<i64>>>,
}

/// Appends when it is called, so that the order of requests is the order of records; the answer waits for the disk.
pub(super) fn run(call: Call, body: Bytes) -> Pending {
    let started = call.decode(body).map(|request: ProduceRequest| {
        let acks = request.acks;
        let topics = request.topic_data.into_iter();
        (acks, topics.map(|topic| start(&call, acks, topic)).collect::<Vec<_>>())
    });
    Box::pin(async move {
        let (acks, started) = started?;
        if acks == ACKS_NONE {
            // An error has no other way to the client.
            let failed = |topic: &Started| topic.response.partition_responses.iter().any(|part| part.error_code != 0);
            return if started.iter().any(failed) { Err(Hangup) } else { Ok(Reply::default()) };
        }
        let mut responses = Vec::with_capacity(started.len());
        for topic in started {
            responses.push(finish(topic).await);
        }
        call.reply(&ProduceResponse::default().with_responses(responses))
    })
}

fn start(call: &Call, acks: i16, topic: TopicProduceData) -> Started {
    let log = &*call.broker.log;
    let name: Option<Arc<str>> = if call.version >= TOPIC_IDS_SINCE {
        call.broker.topic_names.name(log, topic.topic_id)
    } else {
        Some(topic.name.as_str().into())
    };
    let mut partitions = Vec::with_capacity(topic.partition_data.len());
    let mut tickets = Vec::with_capacity(topic.partition_data.len());
    for data in topic.partition_data {
        let index = data.index;
        let appended = match &name {
            _ if !(-1..=1).contains(&acks) => Err(ResponseError::InvalidRequiredAcks.into()),
            Some(name) => append(call, &TopicPartition::new(Arc::clone(name), index), data),
            None => Err(ResponseError::UnknownTopicId.into()),
        };
        let mut response = PartitionProduceResponse::default().with_index(index).with_base_offset(-1);
        match appended {
            Ok(ticket) => tickets.push(Some(ticket)),
            Err(refused) => {
                refused.describe(call.version, &mut response);
                tickets.push(None);
            }
        }
        partitions.push(response);
    }
    let response = TopicProduceResponse::default()
        .with_name(topic.name)
        .with_topic_id(topic.topic_id)
        .with_partition_responses(partitions);
    Started { response, tickets }
}

fn append(call: &Call, partition: &TopicPartition, data: PartitionProduceData) -> Result<Ticket<i64>, Refused> {
    let log = &*call.broker.log;
    let batch = data.records.ok_or(ResponseError::InvalidRecord)?;
    check::check(&batch, call.version)?;
    let version = if call.version >= ADDS_PARTITIONS_SINCE { TransactionVersion::Two } else { TransactionVersion::One };
    // The one copy: the log writes the base offset into it.
    log.append_by(partition, check::with_leader_epoch(&batch), version).map_err(|error| match error {
        // That version knows an error for it.
        Error::NotInTransaction { .. } if call.version == ABORTABLE_SINCE => ResponseError::TransactionAbortable.into(),
        error => error.into(),
    })
}

async fn finish(topic: Started) -> TopicProduceResponse {
    let Started { mut response, tickets } = topic;
    for (part, ticket) in response.partition_responses.iter_mut().zip(tickets) {
        // What was refused has its code already.
        let Some(ticket) = ticket else { continue };
        match settled(ticket).await {
            Ok(base_offset) => part.base_offset = base_offset,
            Err(error) => part.error_code = code_of(&error),
        }
    }
    response
}

impl Refused {
    fn describe(&self, version: i16, response: &mut PartitionProduceResponse) {
        response.error_code = self.code;
        if version >= 8 {
            response.error_message = self.message.as_deref().map(text);
            response.record_errors = self
                .records
                .iter()
                .map(|(index, message)| {
                    BatchIndexAndErrorMessage::default()
                        .with_batch_index(*index)
                        .with_batch_index_error_message(Some(text(message.as_str())))
                })
                .collect();
        }
    }
}
