//! Writes records into a batch.

use super::header::{CRC_AT, CRC_COVERS_FROM, HEADER_BYTES, LENGTH_PREFIX_BYTES};
use super::{Compression, NO_PRODUCER_ID, varint};
use crate::Result;

/// Collects records and finishes them into one record batch.
///
/// ```
/// use millstream_log::record::{BatchBuilder, BatchReader};
///
/// let mut builder = BatchBuilder::new();
/// builder.push(1_000, Some(b"key"), Some(b"value"));
/// builder.push(2_000, Some(b"key"), None);
/// let batch = builder.finish().unwrap();
///
/// let reader = BatchReader::new(&batch).unwrap();
/// let records: Vec<_> = reader.iter().collect::<Result<_, _>>().unwrap();
/// assert_eq!(records[0].value, Some(b"value".as_slice()));
/// assert_eq!((records[1].offset, records[1].timestamp_ms), (1, 2_000));
/// ```
#[derive(Debug)]
pub struct BatchBuilder {
    /// The header's place followed by the records.
    bytes: Vec<u8>,
    compression: Compression,
    attributes: i16,
    base_timestamp_ms: i64,
    max_timestamp_ms: i64,
    count: i32,
    producer: Option<(i64, i16, i32)>,
}

impl Default for BatchBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl BatchBuilder {
    /// An empty, uncompressed batch.
    #[must_use]
    pub fn new() -> Self {
        Self {
            bytes: vec![0; HEADER_BYTES],
            compression: Compression::None,
            attributes: 0,
            base_timestamp_ms: 0,
            max_timestamp_ms: i64::MIN,
            count: 0,
            producer: None,
        }
    }

    /// An empty, uncompressed batch with room for so many bytes.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        let mut batch = Self::new();
        batch.bytes.reserve(bytes);
        batch
    }

    /// Compresses the records when the batch is finished.
    #[must_use]
    pub fn with_compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// Marks the batch as this producer's, starting at this sequence number.
    #[must_use]
    pub fn with_producer(mut self, id: i64, epoch: i16, base_sequence: i32) -> Self {
        self.producer = Some((id, epoch, base_sequence));
        self
    }

    /// Sets attribute bits beyond the compression: transactional, control.
    pub(crate) fn with_attributes(mut self, attributes: i16) -> Self {
        self.attributes |= attributes;
        self
    }

    /// Marks the batch as part of its producer's transaction.
    #[must_use]
    pub fn transactional(self) -> Self {
        self.with_attributes(super::header::TRANSACTIONAL_BIT)
    }

    /// Adds a record without headers.
    #[inline]
    pub fn push(&mut self, timestamp_ms: i64, key: Option<&[u8]>, value: Option<&[u8]>) {
        self.push_with_headers(timestamp_ms, key, value, &[]);
    }

    /// Adds a record; header names may repeat and a header's value may be null.
    pub fn push_with_headers(
        &mut self,
        timestamp_ms: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(&str, Option<&[u8]>)],
    ) {
        if self.count == 0 {
            self.base_timestamp_ms = timestamp_ms;
        }
        self.max_timestamp_ms = self.max_timestamp_ms.max(timestamp_ms);
        let timestamp_delta = timestamp_ms.wrapping_sub(self.base_timestamp_ms);
        let offset_delta = i64::from(self.count);
        let headers_len: usize =
            headers.iter().map(|(name, value)| field_len(Some(name.as_bytes())) + field_len(*value)).sum();
        let length = 1
            + varint::len(timestamp_delta)
            + varint::len(offset_delta)
            + field_len(key)
            + field_len(value)
            + varint::len(headers.len() as i64)
            + headers_len;
        let out = &mut self.bytes;
        out.reserve(length + varint::MAX_BYTES);
        varint::write(out, length as i64);
        out.push(0);
        varint::write(out, timestamp_delta);
        varint::write(out, offset_delta);
        write_field(out, key);
        write_field(out, value);
        varint::write(out, headers.len() as i64);
        for (name, value) in headers {
            write_field(out, Some(name.as_bytes()));
            write_field(out, *value);
        }
        self.count += 1;
    }

    /// The number of records so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there is no record yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The bytes written so far, header included, before compression.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Completes the header; the base offset is 0 until the log gives the batch its place.
    ///
    /// # Errors
    /// [`crate::Error::CorruptBatch`] if the codec refuses the records.
    pub fn finish(self) -> Result<Vec<u8>> {
        let mut bytes = self.bytes;
        if self.compression != Compression::None {
            let compressed = self.compression.compress(bytes.get(HEADER_BYTES..).unwrap_or_default())?;
            bytes.truncate(HEADER_BYTES);
            bytes.extend_from_slice(&compressed);
        }
        let (producer_id, producer_epoch, base_sequence) = self.producer.unwrap_or((NO_PRODUCER_ID, -1, -1));
        let mut header = Vec::with_capacity(HEADER_BYTES);
        header.extend_from_slice(&0i64.to_be_bytes());
        header.extend_from_slice(&((bytes.len() - LENGTH_PREFIX_BYTES) as i32).to_be_bytes());
        header.extend_from_slice(&0i32.to_be_bytes());
        header.push(2);
        header.extend_from_slice(&[0; 4]);
        header.extend_from_slice(&(self.attributes | self.compression.attributes()).to_be_bytes());
        header.extend_from_slice(&(self.count - 1).max(0).to_be_bytes());
        header.extend_from_slice(&self.base_timestamp_ms.to_be_bytes());
        header.extend_from_slice(&self.max_timestamp_ms.to_be_bytes());
        header.extend_from_slice(&producer_id.to_be_bytes());
        header.extend_from_slice(&producer_epoch.to_be_bytes());
        header.extend_from_slice(&base_sequence.to_be_bytes());
        header.extend_from_slice(&self.count.to_be_bytes());
        if let Some(place) = bytes.get_mut(..HEADER_BYTES) {
            place.copy_from_slice(&header);
        }
        let crc = crc_fast::crc32_iscsi(bytes.get(CRC_COVERS_FROM..).unwrap_or_default());
        if let Some(place) = bytes.get_mut(CRC_AT..CRC_COVERS_FROM) {
            place.copy_from_slice(&crc.to_be_bytes());
        }
        Ok(bytes)
    }
}

fn field_len(field: Option<&[u8]>) -> usize {
    field.map_or(1, |bytes| varint::len(bytes.len() as i64) + bytes.len())
}

fn write_field(out: &mut Vec<u8>, field: Option<&[u8]>) {
    match field {
        Some(bytes) => {
            varint::write(out, bytes.len() as i64);
            out.extend_from_slice(bytes);
        }
        None => varint::write(out, -1),
    }
}

#[cfg(test)]
mod tests {
    use super::BatchBuilder;
    use crate::record::BatchReader;

    #[test]
    fn a_default_builder_is_an_empty_one() {
        let [new, default] = [BatchBuilder::new(), BatchBuilder::default()].map(|mut builder| {
            assert!(builder.is_empty());
            builder.push(-5, Some(b"key"), Some(b"value"));
            builder.finish().unwrap()
        });
        assert_eq!(default, new);
        let reader = BatchReader::new(&default).unwrap();
        assert_eq!(reader.header().max_timestamp_ms, -5);
        let records: Vec<_> = reader.iter().collect::<Result<_, _>>().unwrap();
        assert_eq!((records[0].timestamp_ms, records[0].value), (-5, Some(b"value".as_slice())));
    }
}
