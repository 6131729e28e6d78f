//! Reads what a fetch asks for, within its bounds.

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_request::FetchTopic;
use kafka_protocol::messages::fetch_response::{AbortedTransaction, FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::{BrokerId, FetchRequest, ProducerId, TopicName};
use millstream_log::{Extent, Isolation};
use uuid::Uuid;

use super::Wanted;
use super::frame::FrameWriter;
use crate::api::leader_epoch::check_epoch;
use crate::api::list_offsets::isolation;
use crate::budget::Share;
use crate::call::{Call, Hangup, Reply};
use crate::code::code_of;
use crate::text::detached;

/// What the answer takes for a topic besides its name; for a partition besides its records, until it is a frame and there;
/// and for an aborted transaction.
const TOPIC_BYTES: usize = 128;
const PARTITION_BYTES: usize = size_of::<Found>() + 64;
const ABORTED_BYTES: usize = 64;

/// How to read.
pub(super) struct Reading<'a> {
    call: &'a Call,
    wanted: &'a [Wanted],
    isolation: Isolation,
    bytes_min: usize,
    bytes_max: usize,
    /// What the answer takes besides records.
    frame_bytes: usize,
}

/// What a partition has to say: its answer but for the records, and where these are.
struct Found {
    data: PartitionData,
    extent: Option<Extent>,
    /// Whether there is more than that.
    has_more: bool,
}

impl From<PartitionData> for Found {
    fn from(data: PartitionData) -> Self {
        Self { data, extent: None, has_more: false }
    }
}

/// What was found: the answer for each partition in the order of the request.
pub(super) struct Read {
    partitions: Vec<Found>,
    bytes: usize,
    aborted: usize,
    /// The memory that all this takes.
    held: Share,
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
            frame_bytes,
        }
    }

    /// Finds what there is. Records stay where they are; what the answer takes besides is counted as that of any other.
    pub(super) fn read(&self) -> Result<Read, Hangup> {
        let mut held = Share::default();
        self.call.hold(&mut held, self.frame_bytes)?;
        let read = self.partitions();
        self.call.hold(&mut held, self.frame_bytes + read.aborted * ABORTED_BYTES)?;
        Ok(Read { held, ..read })
    }

    fn partitions(&self) -> Read {
        let partitions = Vec::with_capacity(self.wanted.len());
        let mut read = Read { partitions, bytes: 0, aborted: 0, is_enough: false, held: Share::default() };
        // A partition that has more than may come counts as if all that may had come: nothing is to be waited for.
        let mut there = 0_usize;
        for wanted in self.wanted {
            let left = self.bytes_max.saturating_sub(read.bytes);
            // The first batch comes whole, be it larger than all bounds (KIP-74); once they are reached no other does.
            let left = Some(if read.bytes == 0 { left.max(1) } else { left }).filter(|left| *left > 0);
            let bytes_max = positive(wanted.bytes_max).min(left.unwrap_or(0));
            let found = self.partition(wanted, left.map(|_| bytes_max));
            read.is_enough |= found.data.error_code != 0;
            let bytes = found.extent.as_ref().map_or(0, Extent::len);
            read.bytes += bytes;
            read.aborted += found.data.aborted_transactions.as_ref().map_or(0, Vec::len);
            there = there.saturating_add(if found.has_more { bytes.max(bytes_max) } else { bytes });
            read.partitions.push(found);
        }
        // As Kafka does: who wants more than may come gets what may.
        read.is_enough |= there >= self.bytes_min.min(self.bytes_max);
        read
    }

    /// What a partition has. `bytes_max` is `None` if only its offsets may come.
    fn partition(&self, wanted: &Wanted, bytes_max: Option<usize>) -> Found {
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
            |code: i16| Found::from(data.clone().with_error_code(code).with_aborted_transactions(Some(Vec::new())));
        let Some(partition) = &wanted.partition else { return unknown(ResponseError::UnknownTopicId.code()) };
        let log = &*self.call.broker.log;
        match check_epoch(log, partition, wanted.leader_epoch) {
            Err(error @ ResponseError::UnknownTopicOrPartition) => return unknown(error.code()),
            Err(error) => return data.with_error_code(error.code()).into(),
            Ok(()) => {}
        }
        let mut fetched = match log.locate(partition, wanted.offset, bytes_max.unwrap_or(0), self.isolation) {
            Ok(fetched) => fetched,
            Err(error) => return data.with_error_code(code_of(&error)).into(),
        };
        if bytes_max.is_none() {
            fetched.bytes = None;
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
        let has_more = fetched.bytes.is_some() && fetched.next_offset < end;
        let data = data
            .with_high_watermark(fetched.high_watermark)
            .with_last_stable_offset(fetched.last_stable_offset)
            .with_log_start_offset(fetched.log_start_offset)
            .with_aborted_transactions((self.isolation == Isolation::ReadCommitted).then(|| aborted.collect()));
        Found { data, extent: fetched.bytes, has_more }
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

    /// The answer, in the memory that it holds.
    pub(super) fn reply(self, call: &Call, asked: Vec<Asked>) -> Result<Reply, Hangup> {
        let mut frame = FrameWriter::new(call, asked.len())?;
        let (mut partitions, mut held) = (self.partitions.into_iter(), self.held);
        for asked in asked {
            let topic = FetchableTopicResponse::default().with_topic(asked.topic).with_topic_id(asked.id);
            frame.topic(&topic, asked.partitions)?;
            for found in partitions.by_ref().take(asked.partitions) {
                frame.partition(&found.data, found.extent)?;
            }
            frame.close();
        }
        frame.close();
        let (frame, in_memory) = frame.finish()?;
        call.hold(&mut held, in_memory)?;
        Ok(Reply { frame, held })
    }
}

fn positive(bytes: i32) -> usize {
    usize::try_from(bytes).unwrap_or(0)
}
