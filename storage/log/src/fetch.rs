//! What a fetch returns.

use bytes::Bytes;

use crate::record::{BatchHeader, BatchReader, crc_matches, split_batch};
use crate::{Error, Result};

/// Which records a reader wants to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Isolation {
    /// Everything that is durable, also of transactions that are open or were aborted.
    ReadUncommitted,
    /// Only what lies before the first open transaction.
    #[default]
    ReadCommitted,
}

/// A transaction whose records are to be skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AbortedTransaction {
    /// The producer whose transaction it was.
    pub producer_id: i64,
    /// The offset of its first record.
    pub first_offset: i64,
    /// The offset of its abort marker.
    pub last_offset: i64,
}

impl AbortedTransaction {
    /// Whether a batch belongs to it.
    pub(crate) fn contains(&self, batch: &BatchHeader) -> bool {
        batch.is_transactional()
            && self.producer_id == batch.producer_id
            && (self.first_offset..=self.last_offset).contains(&batch.base_offset)
    }
}

/// Whole record batches and where the partition stands.
#[derive(Debug, Clone, Default)]
pub struct Fetched<B = Bytes> {
    /// Whole batches, verbatim. The first may start before the offset asked for. In memory their CRCs were checked; of those
    /// that are only located, in an [`Extent`](crate::Extent), some headers were looked at.
    pub bytes: B,
    /// The offset after the last durable record.
    pub high_watermark: i64,
    /// The offset of the first record of an open transaction, or where the log starts if that is after it, else the high
    /// watermark.
    pub last_stable_offset: i64,
    /// The first offset that still exists.
    pub log_start_offset: i64,
    /// The offset to fetch from next; the one asked for if nothing has come yet.
    pub next_offset: i64,
    /// The aborted transactions that overlap `bytes`, by first offset; only for `ReadCommitted`.
    pub aborted: Vec<AbortedTransaction>,
}

impl Fetched {
    /// The batches with data that a reader of this isolation is to see: transaction markers and the
    /// batches of aborted transactions are left out. Their CRCs were checked by the fetch.
    pub fn batches(&self) -> impl Iterator<Item = Result<BatchReader<'_>>> {
        self.all_batches().filter_map(|item| match item {
            Ok((header, _)) if header.is_control() || self.is_aborted(&header) => None,
            Ok((header, batch)) => Some(BatchReader::of_checked(header, batch)),
            Err(error) => Some(Err(error)),
        })
    }

    /// Checks the CRC of every batch, as a fetch from the log's own disk has done already.
    ///
    /// # Errors
    /// [`Error::CorruptBatch`].
    pub fn check(&self) -> Result<()> {
        self.all_batches().try_for_each(|batch| {
            let (header, bytes) = batch?;
            if crc_matches(&header, bytes) { Ok(()) } else { Err(Error::corrupt("its CRC does not match")) }
        })
    }

    /// Every batch, markers included.
    pub fn all_batches(&self) -> impl Iterator<Item = Result<(BatchHeader, &[u8])>> {
        let mut rest: &[u8] = &self.bytes;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            match split_batch(rest) {
                Ok(Some((header, batch, tail))) => {
                    rest = tail;
                    Some(Ok((header, batch)))
                }
                Ok(None) => {
                    rest = &[];
                    Some(Err(Error::corrupt("a fetch ended inside it")))
                }
                Err(error) => {
                    rest = &[];
                    Some(Err(error))
                }
            }
        })
    }

    fn is_aborted(&self, header: &BatchHeader) -> bool {
        self.aborted.iter().any(|aborted| aborted.contains(header))
    }
}
