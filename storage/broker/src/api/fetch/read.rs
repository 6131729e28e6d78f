//! Reads what a fetch asks for, within its bounds.

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_response::{
    AbortedTransaction, FetchResponse, FetchableTopicResponse, PartitionData,
};
use kafka_protocol::messages::{BrokerId, FetchRequest, ProducerId};
use millstream_log::{Isolation, Log};

use super::Wanted;
use crate::api::leader_epoch::check_epoch;
use crate::api::list_offsets::isolation;
use crate::budget::Share;
use crate::call::Call;
use crate::code::code_of;

/// What a response may hold when the memory for responses is used up.
const SCARCE_BYTES: usize = 64 << 10;

/// How to read.
pub(super) struct Reading<'a> {
    call: &'a Call,
    wanted: &'a [Wanted],
    isolation: Isolation,
    bytes_min: usize,
    bytes_max: usize,
    /// The response's share of the memory for responses.
    pub(super) share: Option<Share>,
}

/// What was read: the answer for each partition in the order of the request.
pub(super) struct Read {
    partitions: Vec<PartitionData>,
    /// Whether there is nothing to wait for: enough records or an error.
    pub(super) is_enough: bool,
}

impl<'a> Reading<'a> {
    pub(super) fn new(call: &'a Call, request: &FetchRequest, wanted: &'a [Wanted]) -> Self {
        let broker = &call.broker;
        let asked = wanted.iter().map(|wanted| positive(wanted.bytes_max)).fold(0, usize::saturating_add);
        let bytes_max = positive(request.max_bytes).min(asked).min(broker.options.response_bytes_max);
        // A reader that is slow to take its response must not hold up others, so nobody waits for a share.
        let share = broker.responses.try_take(bytes_max);
        let bytes_max = if share.is_some() { bytes_max } else { bytes_max.min(SCARCE_BYTES) };
        Self {
            call,
            wanted,
            isolation: isolation(request.isolation_level),
            bytes_min: positive(request.min_bytes),
            bytes_max,
            share,
        }
    }

    pub(super) fn read(&self) -> Read {
        let mut read = Read { partitions: Vec::with_capacity(self.wanted.len()), is_enough: false };
        let mut bytes = 0;
        for wanted in self.wanted {
            let left = self.bytes_max.saturating_sub(bytes);
            // The first batch comes whole, be it larger than all bounds (KIP-74); once they are reached no other does.
            let data =
                self.partition(wanted, if bytes == 0 { Some(left.max(1)) } else { Some(left).filter(|l| *l > 0) });
            read.is_enough |= data.error_code != 0;
            bytes += data.records.as_ref().map_or(0, Bytes::len);
            read.partitions.push(data);
        }
        read.is_enough |= bytes >= self.bytes_min;
        read
    }

    /// `left` is how many bytes may still come, `None` if only the partition's offsets may.
    fn partition(&self, wanted: &Wanted, left: Option<usize>) -> PartitionData {
        let data = PartitionData::default()
            .with_partition_index(wanted.index)
            .with_high_watermark(-1)
            .with_last_stable_offset(-1)
            .with_log_start_offset(-1)
            .with_preferred_read_replica(BrokerId(-1))
            .with_aborted_transactions(None)
            .with_records(Some(Bytes::new()));
        // As Kafka does: of a partition that there is not, the list is empty, otherwise there is none.
        let unknown = |code: i16| data.clone().with_error_code(code).with_aborted_transactions(Some(Vec::new()));
        let Some(partition) = &wanted.partition else { return unknown(ResponseError::UnknownTopicId.code()) };
        let log = &*self.call.broker.log;
        match check_epoch(log, partition, wanted.leader_epoch) {
            Err(error @ ResponseError::UnknownTopicOrPartition) => return unknown(error.code()),
            Err(error) => return data.with_error_code(error.code()),
            Ok(()) => {}
        }
        let bytes_max = positive(wanted.bytes_max).min(left.unwrap_or(0));
        let mut fetched = match log.fetch(partition, wanted.offset, bytes_max, self.isolation) {
            Ok(fetched) => fetched,
            Err(error) => return data.with_error_code(code_of(&error)),
        };
        if left.is_none() {
            fetched.bytes = Bytes::new();
            fetched.aborted.clear();
        }
        let aborted = fetched.aborted.iter().map(|aborted| {
            AbortedTransaction::default()
                .with_producer_id(ProducerId(aborted.producer_id))
                .with_first_offset(aborted.first_offset)
        });
        data.with_high_watermark(fetched.high_watermark)
            .with_last_stable_offset(fetched.last_stable_offset)
            .with_log_start_offset(fetched.log_start_offset)
            .with_aborted_transactions((self.isolation == Isolation::ReadCommitted).then(|| aborted.collect()))
            .with_records(Some(fetched.bytes))
    }
}

impl Read {
    pub(super) fn response(self, request: FetchRequest) -> FetchResponse {
        let mut partitions = self.partitions.into_iter();
        let topics = request.topics.into_iter().map(|topic| {
            let of_topic = partitions.by_ref().take(topic.partitions.len()).collect();
            FetchableTopicResponse::default()
                .with_topic(topic.topic)
                .with_topic_id(topic.topic_id)
                .with_partitions(of_topic)
        });
        FetchResponse::default().with_responses(topics.collect())
    }
}

fn positive(bytes: i32) -> usize {
    usize::try_from(bytes).unwrap_or(0)
}
