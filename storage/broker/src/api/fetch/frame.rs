//! The answer to a fetch as a frame: the records stay in the log's files.

use bytes::{BufMut, BytesMut};
use kafka_protocol::messages::fetch_response::{FetchResponse, FetchableTopicResponse, PartitionData};
use kafka_protocol::protocol::Encodable;
use millstream_log::Extent;

use crate::call::{Call, Hangup};
use crate::parts::{Part, Parts};
use crate::shape::put_varint;

/// So few records are read at once and sent with what comes before them, up to so many in all.
const FEW_BYTES: usize = 4 << 10;
const READ_BYTES_MAX: usize = 64 << 10;
const COMPACT_SINCE: i16 = 12;

/// Puts a frame together.
pub(super) struct FrameWriter<'a> {
    call: &'a Call,
    bytes: BytesMut,
    /// What comes from files, and behind how many of the bytes.
    extents: Vec<(usize, Extent)>,
    read_bytes: usize,
}

impl<'a> FrameWriter<'a> {
    /// Begins the answer, in which so many topics are to follow.
    pub(super) fn new(call: &'a Call, topics: usize) -> Result<Self, Hangup> {
        let bytes = call.frame(&FetchResponse::default(), call.version)?;
        let mut writer = Self { call, bytes, extents: Vec::new(), read_bytes: 0 };
        writer.reopen(topics)?;
        Ok(writer)
    }

    /// Begins a topic, in which so many partitions are to follow.
    pub(super) fn topic(&mut self, topic: &FetchableTopicResponse, partitions: usize) -> Result<(), Hangup> {
        topic.encode(&mut self.bytes, self.call.version).map_err(|_| Hangup)?;
        self.reopen(partitions)
    }

    /// Puts a partition in, whose records are those of `extent`.
    pub(super) fn partition(&mut self, partition: &PartitionData, extent: Option<Extent>) -> Result<(), Hangup> {
        partition.encode(&mut self.bytes, self.call.version).map_err(|_| Hangup)?;
        let Some(extent) = extent else { return Ok(()) };
        self.reopen(extent.len())?;
        if extent.len() > FEW_BYTES || self.read_bytes + extent.len() > READ_BYTES_MAX {
            self.extents.push((self.bytes.len(), extent));
        } else {
            let start = self.bytes.len();
            self.bytes.resize(start + extent.len(), 0);
            // The client has been promised records by now, so it cannot be told of an error.
            extent.read(self.bytes.get_mut(start..).unwrap_or_default()).map_err(|_| Hangup)?;
            self.read_bytes += extent.len();
        }
        self.close();
        Ok(())
    }

    /// Ends a topic, or the answer.
    pub(super) fn close(&mut self) {
        if self.is_compact() {
            // There are no tagged fields.
            self.bytes.put_u8(0);
        }
    }

    fn is_compact(&self) -> bool {
        self.call.version >= COMPACT_SINCE
    }

    /// What was encoded last ends with a list, or with bytes, of which there are none yet: takes their length and the end
    /// off again and puts another length there.
    fn reopen(&mut self, length: usize) -> Result<(), Hangup> {
        // A length of one byte and no tagged fields, or a length of four.
        let end = if self.is_compact() { 2 } else { 4 };
        self.bytes.truncate(self.bytes.len().saturating_sub(end));
        let length = i32::try_from(length).map_err(|_| Hangup)?;
        if self.is_compact() {
            // In which nothing at all would be 0.
            put_varint(&mut self.bytes, length.unsigned_abs() + 1);
        } else {
            self.bytes.put_i32(length);
        }
        Ok(())
    }

    /// The frame, and how much of it is in memory.
    pub(super) fn finish(mut self) -> Result<(Parts, usize), Hangup> {
        let in_files: usize = self.extents.iter().map(|(_, extent)| extent.len()).sum();
        let length = (self.bytes.len() + in_files).checked_sub(size_of::<i32>()).ok_or(Hangup)?;
        let length = i32::try_from(length).map_err(|_| Hangup)?;
        *self.bytes.first_chunk_mut().ok_or(Hangup)? = length.to_be_bytes();
        let in_memory = self.bytes.len();
        let (mut rest, mut sent, mut parts) = (self.bytes.freeze(), 0, Parts::default());
        for (position, extent) in self.extents {
            parts.push(Part::Memory(rest.split_to(position - sent)));
            parts.push(Part::File(extent));
            sent = position;
        }
        parts.push(Part::Memory(rest));
        Ok((parts, in_memory))
    }
}
