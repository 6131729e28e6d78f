//! Reads the records of a batch.
//!
//! What is read of each record is `inline(always)`: as calls, which the compiler makes of them otherwise, these steps
//! hand a record on through memory instead of in registers.

use std::borrow::Cow;

use super::{BatchHeader, HEADER_BYTES, varint};
use crate::{Error, Result};

/// One record of a batch, borrowing the batch's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record<'a> {
    /// The record's offset in its partition.
    pub offset: i64,
    /// The record's timestamp in ms.
    pub timestamp_ms: i64,
    /// The key; null is not the same as empty.
    pub key: Option<&'a [u8]>,
    /// The value; null is a tombstone.
    pub value: Option<&'a [u8]>,
    headers: &'a [u8],
    header_count: usize,
}

impl<'a> Record<'a> {
    /// The headers in order; names may repeat.
    #[must_use]
    pub fn headers(&self) -> HeaderIter<'a> {
        HeaderIter { rest: self.headers, left: self.header_count }
    }
}

/// The headers of a record.
#[derive(Debug, Clone)]
pub struct HeaderIter<'a> {
    rest: &'a [u8],
    left: usize,
}

impl<'a> Iterator for HeaderIter<'a> {
    type Item = Result<(&'a str, Option<&'a [u8]>)>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let header = read_header(&mut self.rest).ok_or_else(|| Error::corrupt("a record header is damaged"));
        if header.is_err() {
            self.left = 0;
        }
        Some(header)
    }
}

fn read_header<'a>(rest: &mut &'a [u8]) -> Option<(&'a str, Option<&'a [u8]>)> {
    let name = std::str::from_utf8(read_field(rest)??).ok()?;
    Some((name, read_field(rest)?))
}

/// A batch whose CRC has been checked and whose records are in the clear.
#[derive(Debug)]
pub struct BatchReader<'a> {
    header: BatchHeader,
    records: Cow<'a, [u8]>,
}

impl<'a> BatchReader<'a> {
    /// Checks the batch and decompresses it.
    ///
    /// # Errors
    /// [`Error::CorruptBatch`] if the header, the CRC or the compressed bytes are damaged.
    pub fn new(batch: &'a [u8]) -> Result<Self> {
        let header = BatchHeader::parse(batch)?;
        if !super::crc_matches(&header, batch.get(..header.size_bytes).unwrap_or_default()) {
            return Err(Error::corrupt("its CRC does not match"));
        }
        Self::of_checked(header, batch)
    }

    /// A reader of a batch whose CRC was checked before.
    pub(crate) fn of_checked(header: BatchHeader, batch: &'a [u8]) -> Result<Self> {
        let body = batch
            .get(HEADER_BYTES..header.size_bytes)
            .ok_or_else(|| Error::corrupt(format!("it is cut off after {} bytes", batch.len())))?;
        Ok(Self { header, records: header.compression()?.decompress(body)? })
    }

    /// The batch's header.
    #[must_use]
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// The records in order. After an error the iteration ends.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = Result<Record<'_>>> {
        self.read(|record, _| record)
    }

    /// The records, each with the bytes that it was read from.
    pub(super) fn iter_raw(&self) -> impl Iterator<Item = Result<(Record<'_>, &[u8])>> {
        self.read(|record, bytes| (record, bytes))
    }

    /// What `take` makes of each record and its bytes.
    #[inline(always)]
    fn read<'b, T>(&'b self, take: impl Fn(Record<'b>, &'b [u8]) -> T) -> impl Iterator<Item = Result<T>> {
        let mut rest: &[u8] = &self.records;
        let mut left = self.header.record_count;
        std::iter::from_fn(move || {
            if left == 0 {
                return None;
            }
            left -= 1;
            let whole = rest;
            let Some(record) = read_record(&self.header, &mut rest) else {
                left = 0;
                return Some(Err(Error::corrupt("a record is damaged")));
            };
            Some(Ok(take(record, whole.get(..whole.len() - rest.len()).unwrap_or_default())))
        })
    }
}

#[inline(always)]
fn read_record<'a>(header: &BatchHeader, rest: &mut &'a [u8]) -> Option<Record<'a>> {
    let length = usize::try_from(varint::read(rest)?).ok()?;
    let (mut record, tail) = rest.split_at_checked(length)?;
    *rest = tail;
    let (_attributes, body) = record.split_first()?;
    record = body;
    let timestamp_delta = varint::read(&mut record)?;
    let offset_delta = varint::read(&mut record)?;
    let key = read_field(&mut record)?;
    let value = read_field(&mut record)?;
    let header_count = usize::try_from(varint::read(&mut record)?).ok()?;
    let timestamp_ms = if header.is_log_append_time() {
        header.max_timestamp_ms
    } else {
        header.base_timestamp_ms.checked_add(timestamp_delta)?
    };
    Some(Record {
        offset: header.base_offset.checked_add(offset_delta)?,
        timestamp_ms,
        key,
        value,
        headers: record,
        // Each header takes two bytes at least, so a greater count is a lie.
        header_count: if header_count <= record.len() / 2 { header_count } else { return None },
    })
}

/// A length-prefixed field: the outer `None` is damage, the inner one null.
#[inline(always)]
fn read_field<'a>(rest: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    let length = varint::read(rest)?;
    if length == -1 {
        return Some(None);
    }
    let (field, tail) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    *rest = tail;
    Some(Some(field))
}
