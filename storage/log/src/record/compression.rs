//! The four codecs of record batches.

use std::borrow::Cow;
use std::io::{Read, Write};

use crate::{Error, Result};

/// A decompressed batch may not exceed this: a few bytes of input can otherwise ask for gigabytes.
const DECOMPRESSED_BYTES_MAX: u64 = 256 << 20;
/// Java's snappy streams start with this instead of a raw snappy block.
const XERIAL_MAGIC: &[u8] = b"\x82SNAPPY\x00";
const XERIAL_HEADER_BYTES: usize = 16;

/// How the records of a batch are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// gzip.
    Gzip,
    /// snappy, in Java's block stream.
    Snappy,
    /// LZ4 frame.
    Lz4,
    /// Zstandard.
    Zstd,
}

impl Compression {
    pub(super) fn from_attributes(attributes: i16) -> Result<Self> {
        match attributes & 7 {
            0 => Ok(Self::None),
            1 => Ok(Self::Gzip),
            2 => Ok(Self::Snappy),
            3 => Ok(Self::Lz4),
            4 => Ok(Self::Zstd),
            other => Err(Error::corrupt(format!("compression codec {other} is unknown"))),
        }
    }

    pub(super) fn attributes(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }

    /// Compresses the records of a batch with the codec's own level.
    pub(super) fn compress(self, records: &[u8]) -> Result<Vec<u8>> {
        self.compress_at(None, records)
    }

    /// Compresses the records of a batch; only gzip and zstd have levels.
    pub(super) fn compress_at(self, level: Option<i32>, records: &[u8]) -> Result<Vec<u8>> {
        let failed = |cause: &dyn std::fmt::Display| Error::corrupt(format!("cannot compress: {cause}"));
        match self {
            Self::None => Ok(records.to_vec()),
            Self::Gzip => {
                let level = level.and_then(|level| u32::try_from(level).ok());
                let level = level.map_or_else(flate2::Compression::default, flate2::Compression::new);
                let mut gzip = flate2::write::GzEncoder::new(Vec::new(), level);
                gzip.write_all(records).map_err(|e| failed(&e))?;
                gzip.finish().map_err(|e| failed(&e))
            }
            Self::Snappy => snap::raw::Encoder::new().compress_vec(records).map_err(|e| failed(&e)),
            Self::Lz4 => {
                let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
                lz4.write_all(records).map_err(|e| failed(&e))?;
                lz4.finish().map_err(|e| failed(&e))
            }
            Self::Zstd => {
                zstd::bulk::compress(records, level.unwrap_or(zstd::DEFAULT_COMPRESSION_LEVEL)).map_err(|e| failed(&e))
            }
        }
    }

    /// The records in the clear, borrowed when they were not compressed.
    pub(super) fn decompress(self, bytes: &[u8]) -> Result<Cow<'_, [u8]>> {
        match self {
            Self::None => Ok(Cow::Borrowed(bytes)),
            Self::Gzip => read_bounded(flate2::read::MultiGzDecoder::new(bytes)),
            Self::Snappy => snappy(bytes),
            Self::Lz4 => read_bounded(lz4_flex::frame::FrameDecoder::new(bytes)),
            Self::Zstd => match zstd::stream::read::Decoder::new(bytes) {
                Ok(decoder) => read_bounded(decoder),
                Err(cause) => Err(Error::corrupt(format!("cannot decompress: {cause}"))),
            },
        }
    }
}

fn read_bounded(decoder: impl Read) -> Result<Cow<'static, [u8]>> {
    let mut out = Vec::new();
    let read = decoder
        .take(DECOMPRESSED_BYTES_MAX + 1)
        .read_to_end(&mut out)
        .map_err(|cause| Error::corrupt(format!("cannot decompress: {cause}")))?;
    if read as u64 > DECOMPRESSED_BYTES_MAX {
        return Err(too_large());
    }
    Ok(Cow::Owned(out))
}

fn snappy(bytes: &[u8]) -> Result<Cow<'static, [u8]>> {
    let mut out = Vec::new();
    if !bytes.starts_with(XERIAL_MAGIC) {
        snappy_block(bytes, &mut out)?;
        return Ok(Cow::Owned(out));
    }
    let mut rest = bytes.get(XERIAL_HEADER_BYTES..).unwrap_or_default();
    while let Some((length, tail)) = rest.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        let (block, tail) = tail.split_at_checked(length).ok_or_else(|| Error::corrupt("a snappy block is cut off"))?;
        snappy_block(block, &mut out)?;
        rest = tail;
    }
    Ok(Cow::Owned(out))
}

fn snappy_block(block: &[u8], out: &mut Vec<u8>) -> Result<()> {
    let damaged = |cause: snap::Error| Error::corrupt(format!("cannot decompress: {cause}"));
    let length = snap::raw::decompress_len(block).map_err(damaged)?;
    if (out.len() + length) as u64 > DECOMPRESSED_BYTES_MAX {
        return Err(too_large());
    }
    out.extend_from_slice(&snap::raw::Decoder::new().decompress_vec(block).map_err(damaged)?);
    Ok(())
}

fn too_large() -> Error {
    Error::corrupt(format!("it decompresses to more than {DECOMPRESSED_BYTES_MAX} bytes"))
}
