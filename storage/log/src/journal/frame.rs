//! One frame of the journal, put together and parsed.

use crc_fast::CrcAlgorithm;

use crate::io::BLOCK_BYTES;
use crate::record::{BatchHeader, HEADER_BYTES};

pub(super) const MAGIC: [u8; 4] = *b"MSJ2";
const FRAME_HEADER_BYTES: usize = 40;
const CRC_AT: usize = 8;
const CRC_COVERS_FROM: usize = 12;
const ENTRY_HEADER_BYTES: usize = 8;
/// Only the batch's header is in the entry.
const IN_SEGMENT: u32 = 1 << 31;
/// The batch is the first of its segment.
const STARTS_SEGMENT: u32 = 1 << 30;
const LENGTH_MASK: u32 = STARTS_SEGMENT - 1;
/// A larger batch does not fit into an entry.
pub(crate) const CONTENT_BYTES_MAX: usize = LENGTH_MASK as usize;
/// [`Says::starts_block`]. A version that does not know it takes the number of entries for damage.
const STARTS_BLOCK: u32 = 1 << 31;
/// Batches of so many bytes are written from where they lie; smaller ones are put together first.
pub(super) const APART_BYTES_MIN: usize = 32 << 10;

/// What the journal holds of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content<'a> {
    Batch(&'a [u8]),
    /// The header of a batch that is in its segment, and on disk.
    InSegment(&'a [u8; HEADER_BYTES]),
}

impl<'a> Content<'a> {
    fn bytes(self) -> &'a [u8] {
        match self {
            Self::Batch(batch) => batch,
            Self::InSegment(header) => header,
        }
    }

    /// What is to be read from the segment instead.
    pub(super) fn elsewhere_bytes(self) -> u64 {
        match self {
            Self::Batch(_) => 0,
            Self::InSegment(header) => BatchHeader::parse(header).map_or(0, |header| header.size_bytes as u64),
        }
    }
}

/// A batch in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    /// The id of its partition.
    pub(crate) partition: u32,
    pub(crate) starts_segment: bool,
    pub(crate) content: Content<'a>,
}

impl Entry<'_> {
    fn flags(&self) -> u32 {
        let in_segment = if matches!(self.content, Content::InSegment(_)) { IN_SEGMENT } else { 0 };
        in_segment | if self.starts_segment { STARTS_SEGMENT } else { 0 }
    }
}

/// How long the frame of these entries is.
pub(super) fn length_of(entries: &[Entry<'_>]) -> usize {
    let sizes = entries.iter().map(|entry| ENTRY_HEADER_BYTES + entry.content.bytes().len());
    FRAME_HEADER_BYTES + sizes.sum::<usize>()
}

/// What a frame says of its journal, the one before, and its place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Says {
    pub(super) number: u64,
    pub(super) before: u64,
    pub(super) synced: u64,
    /// Whether it begins at a block, and what is between it and the frame before means nothing.
    pub(super) starts_block: bool,
}

/// Puts frames together, in memory that is used again.
#[derive(Debug, Default)]
pub(super) struct FrameBuilder {
    bytes: Vec<u8>,
}

impl FrameBuilder {
    /// The frame, of this [length](length_of), in pieces: what has been put together, and between it the large batches.
    pub(super) fn pieces<'p>(
        &'p mut self,
        says: Says,
        entries: &[Entry<'p>],
        length: usize,
    ) -> impl Iterator<Item = &'p [u8]> {
        self.bytes.clear();
        let apart = self.put(says, entries, length, APART_BYTES_MIN);
        pieces(&self.bytes, 0, apart)
    }

    /// The frame in whole blocks, in memory that is aligned to them.
    pub(super) fn blocks(&mut self, says: Says, entries: &[Entry<'_>], length: usize) -> &[u8] {
        self.bytes.clear();
        let blocks_bytes = length.next_multiple_of(BLOCK_BYTES);
        self.bytes.reserve(blocks_bytes + BLOCK_BYTES);
        let start = self.bytes.as_ptr().align_offset(BLOCK_BYTES).min(BLOCK_BYTES);
        self.bytes.resize(start, 0);
        self.put(says, entries, length, usize::MAX);
        self.bytes.resize(start + blocks_bytes, 0);
        self.bytes.get(start..).unwrap_or_default()
    }

    /// Puts the frame together behind what is there, but for batches of so many bytes: those come back, each with the place
    /// that it belongs to.
    fn put<'e>(
        &mut self,
        says: Says,
        entries: &[Entry<'e>],
        length: usize,
        apart_bytes_min: usize,
    ) -> Vec<(usize, &'e [u8])> {
        let start = self.bytes.len();
        let starts_block = if says.starts_block { STARTS_BLOCK } else { 0 };
        let bytes = &mut self.bytes;
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&((length - FRAME_HEADER_BYTES) as u32).to_be_bytes());
        bytes.extend_from_slice(&[0; CRC_COVERS_FROM - CRC_AT]);
        bytes.extend_from_slice(&(entries.len() as u32 | starts_block).to_be_bytes());
        for field in [says.number, says.before, says.synced] {
            bytes.extend_from_slice(&field.to_be_bytes());
        }
        let mut apart = Vec::new();
        for entry in entries {
            let content = entry.content.bytes();
            bytes.extend_from_slice(&entry.partition.to_be_bytes());
            bytes.extend_from_slice(&(entry.flags() | content.len() as u32).to_be_bytes());
            if content.len() < apart_bytes_min {
                bytes.extend_from_slice(content);
            } else {
                apart.push((bytes.len(), content));
            }
        }
        let mut crc = crc_fast::Digest::new(CrcAlgorithm::Crc32Iscsi);
        pieces(bytes, start + CRC_COVERS_FROM, apart.clone()).for_each(|piece| crc.update(piece));
        if let Some(place) = bytes.get_mut(start + CRC_AT..start + CRC_COVERS_FROM) {
            place.copy_from_slice(&(crc.finalize() as u32).to_be_bytes());
        }
        apart
    }
}

/// The pieces of a frame, in order: what has been put together, from a place on, and between it the batches that lie
/// elsewhere, each with how much of the other comes before it.
fn pieces<'p>(together: &'p [u8], from: usize, apart: Vec<(usize, &'p [u8])>) -> impl Iterator<Item = &'p [u8]> {
    let mut from = from;
    let mut until = move |to: usize| together.get(std::mem::replace(&mut from, to)..to).unwrap_or_default();
    let end = [(together.len(), [].as_slice())];
    let ends = apart.into_iter().chain(end);
    ends.flat_map(move |(to, batch)| [until(to), batch]).filter(|piece| !piece.is_empty())
}

/// A frame that has been read.
pub(super) struct Frame<'a> {
    pub(super) length: usize,
    pub(super) entries: u32,
    pub(super) says: Says,
    pub(super) body: &'a [u8],
}

/// The frame of journal `number` at the front of `bytes`, `None` if there is no whole and undamaged one.
pub(super) fn parse_frame(number: u64, bytes: &[u8]) -> Option<Frame<'_>> {
    let header = bytes.get(..FRAME_HEADER_BYTES)?;
    let u32_at = |at: usize| Some(u32::from_be_bytes(header.get(at..at + 4)?.try_into().ok()?));
    let u64_at = |at: usize| Some(u64::from_be_bytes(header.get(at..at + 8)?.try_into().ok()?));
    if !header.starts_with(&MAGIC) || u64_at(16)? != number {
        return None;
    }
    let length = FRAME_HEADER_BYTES.checked_add(u32_at(4)? as usize)?;
    let frame = bytes.get(..length)?;
    if crc_fast::crc32_iscsi(frame.get(CRC_COVERS_FROM..)?) != u32_at(CRC_AT)? {
        return None;
    }
    let field = u32_at(12)?;
    Some(Frame {
        length,
        entries: field & !STARTS_BLOCK,
        says: Says { number, before: u64_at(24)?, synced: u64_at(32)?, starts_block: field & STARTS_BLOCK != 0 },
        body: frame.get(FRAME_HEADER_BYTES..)?,
    })
}

/// Takes an entry off the body of a frame.
pub(super) fn split_entry(body: &[u8]) -> Option<(Entry<'_>, &[u8])> {
    let (partition, body) = body.split_first_chunk::<4>()?;
    let (field, body) = body.split_first_chunk::<4>()?;
    let field = u32::from_be_bytes(*field);
    let (bytes, rest) = body.split_at_checked((field & LENGTH_MASK) as usize)?;
    let content =
        if field & IN_SEGMENT == 0 { Content::Batch(bytes) } else { Content::InSegment(bytes.try_into().ok()?) };
    let starts_segment = field & STARTS_SEGMENT != 0;
    Some((Entry { partition: u32::from_be_bytes(*partition), starts_segment, content }, rest))
}
