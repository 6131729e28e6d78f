//! What an append did, and what the journal is to hold of it.

use bytes::Bytes;

use crate::TopicConfig;
use crate::journal::{Content, Entry};
use crate::record::{BatchHeader, HEADER_BYTES};

/// A batch that is in its segment but not yet in the journal.
#[derive(Debug)]
pub(crate) struct Placed {
    pub(crate) base_offset: i64,
    pub(crate) size_bytes: u64,
    /// Whether it is the first batch of its segment.
    pub(crate) starts_segment: bool,
    pub(crate) kept: Kept,
    /// How far the partition may be read once the batch is durable.
    pub(crate) end_offset: i64,
    pub(crate) stable_offset: i64,
    /// `None`: it must be on disk before it is acknowledged.
    pub(crate) slack: Option<Slack>,
}

/// What is kept of a batch until it is in the journal.
#[derive(Debug)]
pub(crate) enum Kept {
    Batch(Bytes),
    /// The header of a batch that the journal only refers to once its segment, of this base offset, is synced.
    InSegment {
        base_offset: i64,
        header: [u8; HEADER_BYTES],
    },
}

impl Placed {
    /// What the journal is to hold of it.
    pub(crate) fn entry(&self, partition: u32) -> Entry<'_> {
        let content = match &self.kept {
            Kept::Batch(batch) => Content::Batch(batch),
            Kept::InSegment { header, .. } => Content::InSegment(header),
        };
        Entry { partition, starts_segment: self.starts_segment, content }
    }

    /// The segment that is to be synced before the journal refers to it.
    pub(crate) fn segment(&self) -> Option<i64> {
        match self.kept {
            Kept::Batch(_) => None,
            Kept::InSegment { base_offset, .. } => Some(base_offset),
        }
    }
}

/// How long a batch may wait for the disk after it was acknowledged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slack {
    pub(crate) batches: i64,
    pub(crate) ms: i64,
}

impl Slack {
    /// Where only a number of batches is given, the last ones wait so long.
    const DEFAULT_MS: i64 = 1_000;

    pub(crate) fn of(config: &TopicConfig, header: &BatchHeader) -> Option<Self> {
        // A transaction that is committed must be whole.
        if !config.is_relaxed() || header.is_transactional() {
            return None;
        }
        let batches = if config.flush_messages > 1 { config.flush_messages } else { i64::MAX };
        Some(Self { batches, ms: if config.flush_ms > 0 { config.flush_ms } else { Self::DEFAULT_MS } })
    }
}

/// What an append did.
#[derive(Debug)]
pub(crate) enum Placement {
    New(Placed),
    /// The producer had sent the batch before; its base offset.
    Duplicate(i64),
}
