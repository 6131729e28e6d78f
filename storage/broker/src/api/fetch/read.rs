//! Reads what a fetch asks for, within its bounds.

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_request::FetchTopic;
use kafka_protocol::messages::fetch_response::{
    AbortedTransaction, FetchResponse, FetchableTopicResponse, PartitionData,
};
use kafka_protocol::messages::{BrokerId, FetchRequest, ProducerId, TopicName};
use millstream_log::{Isolation, Log};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use super::Wanted;
use crate::api::leader_epoch::check_epoch;
use crate::api::list_offsets::isolation;
use crate::budget::Share;
use crate::call::{Call, SMALL_BYTES};
use crate::code::code_of;
use crate::text::detached;

/// What a response may hold when the memory for responses is used up.
const SCARCE_BYTES: usize = 64 << 10;
/// How long a fetch waits for so little of it, be its own time over or not: clients give up after 30 s.
const SCARCE_MAX: Duration = Duration::from_secs(5);
/// What the answer takes for a topic besides its name, for a partition besides its records, and for an aborted transaction.
const TOPIC_BYTES: usize = 128;
const PARTITION_BYTES: usize = 256;
const ABORTED_BYTES: usize = 64;

/// How to read.
pub(super) struct Reading<'a> {
    call: &'a Call,
    wanted: &'a [Wanted],
    isolation: Isolation,
    bytes_min: usize,
    bytes_max: usize,
    /// What the answer takes besides records, if that is to be counted.
    frame_bytes: usize,
}

/// What was read: the answer for each partition in the order of the request.
pub(super) struct Read {
    partitions: Vec<PartitionData>,
    bytes: usize,
    aborted: usize,
    /// Whether there is nothing to wait for: enough records or an error.
    pub(super) is_enough: bool,
}

impl<'a> Reading<'a> {
    pub(super) fn new(call: &'a Call, request: &FetchRequest, wanted: &'a [Wanted]) -> Self {
        let broker = &call.broker;
        let asked = wanted.iter().map(|wanted| positive(wanted.bytes_max)).fold(0, usize::saturating_add);
        let names: usize = request.topics.iter().map(|topic| topic.topic.len()).sum();
        let frame_bytes = request.topics.len() * TOPIC_BYTES + wanted.len() * PARTITION_BYTES + 2 * names;
        Self {
            call,
            wanted,
            isolation: isolation(request.isolation_level),
            bytes_min: positive(request.min_bytes),
            bytes_max: positive(request.max_bytes).min(asked).min(broker.options.response_bytes_max),
            frame_bytes: Some(frame_bytes).filter(|bytes| *bytes > SMALL_BYTES).unwrap_or(0),
        }
    }

    /// Reads, with a share of the memory for responses that is as large as what the answer takes; without records and without
    /// a share if there is no such memory in time.
    pub(super) async fn read(&self, deadline: Instant) -> (Read, Option<Share>) {
        let deadline = deadline.max(Instant::now() + SCARCE_MAX);
        match timeout_at(deadline, self.read_in_share()).await {
            Ok((read, share)) => (read, Some(share)),
            Err(_) => (Read { is_enough: true, ..self.read_up_to(None) }, None),
        }
    }

    async fn read_in_share(&self) -> (Read, Share) {
        let responses = &self.call.broker.responses;
        let mut bytes_max = self.bytes_max;
        let mut share = Share::default();
        if !responses.try_resize(&mut share, bytes_max + self.frame_bytes) {
            // Little is soon to be had: a reader that is slow to take its response has to go.
            bytes_max = bytes_max.min(SCARCE_BYTES);
            let bytes = bytes_max + self.frame_bytes;
            responses.grow(&mut share, bytes, bytes).await;
        }
        loop {
            let read = self.read_up_to(Some(bytes_max));
            let bytes = read.bytes + read.aborted * ABORTED_BYTES + self.frame_bytes;
            if responses.try_resize(&mut share, bytes) || responses.covers(&share, bytes) {
                return (read, share);
            }
            // A batch comes whole, however large it is, once there is memory for it.
            drop(read);
            responses.grow(&mut share, bytes, bytes).await;
        }
    }

    /// `bytes_max` is `None` if no records may come.
    fn read_up_to(&self, bytes_max: Option<usize>) -> Read {
        let partitions = Vec::with_capacity(self.wanted.len());
        let mut read = Read { partitions, bytes: 0, aborted: 0, is_enough: false };
        // A partition that has more than may come counts as if all that may had come: nothing is to be waited for.
        let mut there = 0_usize;
        for wanted in self.wanted {
            let left = bytes_max.map(|bytes_max| bytes_max.saturating_sub(read.bytes));
            // The first batch comes whole, be it larger than all bounds (KIP-74); once they are reached no other does.
            let left = left.map(|left| if read.bytes == 0 { left.max(1) } else { left }).filter(|left| *left > 0);
            let bytes_max = positive(wanted.bytes_max).min(left.unwrap_or(0));
            let (data, has_more) = self.partition(wanted, left.map(|_| bytes_max));
            read.is_enough |= data.error_code != 0;
            let bytes = data.records.as_ref().map_or(0, Bytes::len);
            read.bytes += bytes;
            read.aborted += data.aborted_transactions.as_ref().map_or(0, Vec::len);
            there = there.saturating_add(if has_more { bytes.max(bytes_max) } else { bytes });
            read.partitions.push(data);
        }
        // As Kafka does: who wants more than may come gets what may.
        read.is_enough |= there >= self.bytes_min.min(bytes_max.unwrap_or(0));
        read
    }

    /// What a partition has, and whether it has more than that. `bytes_max` is `None` if only its offsets may come.
    fn partition(&self, wanted: &Wanted, bytes_max: Option<usize>) -> (PartitionData, bool) {
        let data = PartitionData::default()
            .with_partition_index(wanted.index)
            .with_high_watermark(-1)
            .with_last_stable_offset(-1)
            .with_log_start_offset(-1)
            .with_preferred_read_replica(BrokerId(-1))
            .with_aborted_transactions(None)
            .with_records(Some(Bytes::new()));
        // As Kafka does: of a partition that there is not, the list is empty, otherwise there is none.
        let unknown =
            |code: i16| (data.clone().with_error_code(code).with_aborted_transactions(Some(Vec::new())), false);
        let Some(partition) = &wanted.partition else { return unknown(ResponseError::UnknownTopicId.code()) };
        let log = &*self.call.broker.log;
        match check_epoch(log, partition, wanted.leader_epoch) {
            Err(error @ ResponseError::UnknownTopicOrPartition) => return unknown(error.code()),
            Err(error) => return (data.with_error_code(error.code()), false),
            Ok(()) => {}
        }
        let mut fetched = match log.fetch(partition, wanted.offset, bytes_max.unwrap_or(0), self.isolation) {
            Ok(fetched) => fetched,
            Err(error) => return (data.with_error_code(code_of(&error)), false),
        };
        if bytes_max.is_none() {
            fetched.bytes = Bytes::new();
            fetched.aborted.clear();
        }
        let aborted = fetched.aborted.iter().map(|aborted| {
            AbortedTransaction::default()
                .with_producer_id(ProducerId(aborted.producer_id))
                .with_first_offset(aborted.first_offset)
        });
        let end = match self.isolation {
            Isolation::ReadCommitted => fetched.last_stable_offset,
            _ => fetched.high_watermark,
        };
        let has_more = !fetched.bytes.is_empty() && fetched.next_offset < end;
        let data = data
            .with_high_watermark(fetched.high_watermark)
            .with_last_stable_offset(fetched.last_stable_offset)
            .with_log_start_offset(fetched.log_start_offset)
            .with_aborted_transactions((self.isolation == Isolation::ReadCommitted).then(|| aborted.collect()))
            .with_records(Some(fetched.bytes));
        (data, has_more)
    }
}

/// A topic as the client named it, and how many of its partitions it asked for.
pub(super) struct Asked {
    topic: TopicName,
    id: Uuid,
    partitions: usize,
}

impl Asked {
    pub(super) fn all(request: &FetchRequest) -> Vec<Self> {
        let asked = |topic: &FetchTopic| Self {
            topic: TopicName(detached(&topic.topic)),
            id: topic.topic_id,
            partitions: topic.partitions.len(),
        };
        request.topics.iter().map(asked).collect()
    }
}

impl Read {
    pub(super) const fn has_records(&self) -> bool {
        self.bytes > 0
    }

    pub(super) fn response(self, asked: Vec<Asked>) -> FetchResponse {
        let mut partitions = self.partitions.into_iter();
        let topics = asked.into_iter().map(|asked| {
            let of_topic = partitions.by_ref().take(asked.partitions).collect();
            FetchableTopicResponse::default().with_topic(asked.topic).with_topic_id(asked.id).with_partitions(of_topic)
        });
        FetchResponse::default().with_responses(topics.collect())
    }
}

fn positive(bytes: i32) -> usize {
    usize::try_from(bytes).unwrap_or(0)
}
