//! `Produce`: record batches are checked by their headers and handed to the log as they are.

mod check;
mod kept;

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use kafka_protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, PartitionProduceResponse, ProduceResponse, TopicProduceResponse,
};
use kafka_protocol::messages::{TopicName, TransactionalId};
use millstream_log::{Appended, Error, Log, Producer, Ticket, TopicPartition, TransactionVersion};
use tokio::task::block_in_place;

use super::transaction_room::check_partitions;
use super::transactions;
use crate::broker::settled;
use crate::call::{Call, Hangup, Pending, Reply};
use crate::code::code_of;
use crate::text::{detached, text};
use crate::topic_id::topic_name;

use check::Refused;
use kept::Kept;

const ACKS_NONE: i16 = 0;
const TOPIC_IDS_SINCE: i16 = 13;
const LOG_START_SINCE: i16 = 5;
const MESSAGES_SINCE: i16 = 8;
const ABORTABLE_SINCE: i16 = 11;
/// From then on a transactional batch adds its partition to the transaction (KIP-890).
const ADDS_PARTITIONS_SINCE: i16 = 12;

/// What a request says of all its batches.
struct Wanted {
    acks: i16,
    transactional_id: Option<TransactionalId>,
}

/// A topic's answer, complete but for the appends that are on their way to the disk.
struct Started {
    response: TopicProduceResponse,
    tickets: Vec<Option<Ticket<i64>>>,
}

/// What the answer to a topic takes beside its messages.
fn answer_bytes(topic: &TopicProduceData) -> usize {
    const PARTITION_BYTES: usize = size_of::<PartitionProduceResponse>() + size_of::<Option<Ticket<i64>>>();
    size_of::<Started>() + topic.name.len() + topic.partition_data.len() * PARTITION_BYTES
}

/// Appends when it is called, so that the order of requests is the order of records; the answer waits for the disk.
pub(super) fn run(call: Call, body: Bytes) -> Pending {
    let started = call.decode(body).and_then(|request: ProduceRequest| {
        let wanted = Wanted { acks: request.acks, transactional_id: request.transactional_id };
        let mut kept = Kept::new(&call.broker.answers);
        if !kept.add(request.topic_data.iter().map(answer_bytes).sum()) {
            return Err(Hangup);
        }
        let topics = request.topic_data.into_iter();
        let started: Vec<_> = topics.map(|topic| start(&call, &wanted, topic, &mut kept)).collect();
        Ok((wanted.acks, started, kept))
    });
    Box::pin(async move {
        let (acks, started, _kept) = started?;
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

fn start(call: &Call, wanted: &Wanted, topic: TopicProduceData, kept: &mut Kept) -> Started {
    let log = &*call.broker.log;
    let name: Option<Arc<str>> = if call.version >= TOPIC_IDS_SINCE {
        topic_name(log, topic.topic_id)
    } else {
        Some(topic.name.as_str().into())
    };
    let mut partitions = Vec::with_capacity(topic.partition_data.len());
    let mut tickets = Vec::with_capacity(topic.partition_data.len());
    for data in topic.partition_data {
        let index = data.index;
        let appended = match &name {
            Some(name) => append(call, wanted, &TopicPartition::new(Arc::clone(name), index), data),
            None => Err(ResponseError::UnknownTopicId.into()),
        };
        let mut response = PartitionProduceResponse::default().with_index(index).with_base_offset(-1);
        match appended {
            Ok((Appended { ticket, append_time_ms }, log_start)) => {
                response.log_append_time_ms = append_time_ms.unwrap_or(-1);
                if call.version >= LOG_START_SINCE {
                    response.log_start_offset = log_start;
                }
                tickets.push(Some(ticket));
            }
            Err(refused) => {
                refused.describe(call.version, &mut response, kept);
                if let Some((log_start, _)) = name
                    .as_ref()
                    .filter(|_| refused.is_of_log(wanted.transactional_id.is_some()))
                    .and_then(|name| call.broker.log.offsets(&TopicPartition::new(Arc::clone(name), index)).ok())
                    && call.version >= LOG_START_SINCE
                {
                    response.log_start_offset = log_start;
                }
                tickets.push(None);
            }
        }
        partitions.push(response);
    }
    let response = TopicProduceResponse::default()
        // While the disk is waited for, nothing keeps the whole request.
        .with_name(TopicName(detached(&topic.name)))
        .with_topic_id(topic.topic_id)
        .with_partition_responses(partitions);
    Started { response, tickets }
}

/// What is on its way to the disk, and where the partition begins.
fn append(
    call: &Call,
    wanted: &Wanted,
    partition: &TopicPartition,
    data: PartitionProduceData,
) -> Result<(Appended, i64), Refused> {
    let log = &*call.broker.log;
    let (log_start, _) = log.offsets(partition)?;
    let batch = data.records.ok_or(ResponseError::InvalidRecord)?;
    let header = check::check(&batch, call.version)?;
    if !(-1..=1).contains(&wanted.acks) {
        return Err(ResponseError::InvalidRequiredAcks.into());
    }
    if header.is_transactional()
        && let Some(id) = &wanted.transactional_id
    {
        let producer = Producer { id: header.producer_id, epoch: header.producer_epoch };
        // Whether its epoch may still write is the log's to say.
        if transactions::check(call, id, producer) == Err(ResponseError::InvalidProducerIdMapping) {
            return Err(ResponseError::InvalidProducerIdMapping.into());
        }
    }
    let version = if call.version >= ADDS_PARTITIONS_SINCE { TransactionVersion::Two } else { TransactionVersion::One };
    if header.is_transactional() && version == TransactionVersion::Two {
        check_partitions(call, header.producer_id, std::slice::from_ref(partition))?;
    }
    let append = || log.enqueue(partition, &*batch, version);
    // Who waits for the disk does so without keeping the thread from others.
    let appended = if log.has_room() { append() } else { block_in_place(append) };
    call.broker.appended.notify_one();
    match appended {
        Ok(appended) => Ok((appended, log_start)),
        // That version knows an error for it.
        Err(Error::NotInTransaction { .. }) if call.version == ABORTABLE_SINCE => {
            Err(ResponseError::TransactionAbortable.into())
        }
        Err(error) => Err(error.into()),
    }
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
    /// Puts the code into the answer, and the messages that there is room for.
    fn describe(&self, version: i16, response: &mut PartitionProduceResponse, kept: &mut Kept) {
        response.error_code = self.code;
        if version < MESSAGES_SINCE {
            return;
        }
        response.error_message = self.message.as_deref().filter(|message| kept.add_message(message)).map(text);
        let records = self.records.iter().take_while(|_| kept.add_message(&self.reason)).map(|index| {
            BatchIndexAndErrorMessage::default()
                .with_batch_index(*index)
                .with_batch_index_error_message(Some(text(self.reason.as_str())))
        });
        response.record_errors = records.collect();
    }
}
