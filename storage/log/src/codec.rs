//! The few primitives that the log's own small files are written with: big-endian integers and
//! strings behind their length, as Kafka writes them.

use crate::{Error, Result};

/// Reads primitives from the front of a slice.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Decoder<'a> {
    rest: &'a [u8],
}

impl<'a> Decoder<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (head, tail) = self.rest.split_first_chunk().ok_or_else(cut_off)?;
        self.rest = tail;
        Ok(*head)
    }

    pub(crate) fn i16(&mut self) -> Result<i16> {
        Ok(i16::from_be_bytes(self.array()?))
    }

    pub(crate) fn i32(&mut self) -> Result<i32> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    pub(crate) fn i64(&mut self) -> Result<i64> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Result<&'a [u8]> {
        let (head, tail) = self.rest.split_at_checked(length).ok_or_else(cut_off)?;
        self.rest = tail;
        Ok(head)
    }

    pub(crate) fn string(&mut self) -> Result<String> {
        let length = usize::try_from(self.i16()?).map_err(|_| cut_off())?;
        String::from_utf8(self.bytes(length)?.to_vec()).map_err(|_| Error::corrupt("a name is not UTF-8"))
    }

    /// A string that may be missing, as its length of -1 says.
    pub(crate) fn nullable_string(&mut self) -> Result<Option<String>> {
        let is_missing = self.rest.starts_with(&(-1i16).to_be_bytes());
        if is_missing { self.i16().map(|_| None) } else { self.string().map(Some) }
    }

    /// The number of items that follow, each of at least one byte.
    pub(crate) fn count(&mut self) -> Result<usize> {
        let count = usize::try_from(self.i32()?).map_err(|_| cut_off())?;
        if count > self.rest.len() { Err(cut_off()) } else { Ok(count) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
}

fn cut_off() -> Error {
    Error::corrupt("it is cut off")
}

/// Appends primitives to a byte vector.
pub(crate) trait Encode {
    fn put_i16(&mut self, value: i16);
    fn put_i32(&mut self, value: i32);
    fn put_i64(&mut self, value: i64);
    fn put_string(&mut self, value: &str);
}

impl Encode for Vec<u8> {
    fn put_i16(&mut self, value: i16) {
        self.extend_from_slice(&value.to_be_bytes());
    }

    fn put_i32(&mut self, value: i32) {
        self.extend_from_slice(&value.to_be_bytes());
    }

    fn put_i64(&mut self, value: i64) {
        self.extend_from_slice(&value.to_be_bytes());
    }

    fn put_string(&mut self, value: &str) {
        self.put_i16(i16::try_from(value.len()).unwrap_or(i16::MAX));
        self.extend_from_slice(value.as_bytes().get(..i16::MAX as usize).unwrap_or(value.as_bytes()));
    }
}

/// Puts a magic and a CRC, which covers both, in front of a small file's content.
pub(crate) fn seal(magic: [u8; 4], content: &[u8]) -> Vec<u8> {
    let mut sealed = magic.to_vec();
    sealed.extend_from_slice(&crc(magic, content).to_be_bytes());
    sealed.extend_from_slice(content);
    sealed
}

fn crc(magic: [u8; 4], content: &[u8]) -> u32 {
    let mut digest = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi);
    digest.update(&magic);
    digest.update(content);
    digest.finalize() as u32
}

/// Takes what [`seal`] added off again.
pub(crate) fn unseal(magic: [u8; 4], sealed: &[u8]) -> Result<&[u8]> {
    unseal_by(magic, sealed, |content| crc(magic, content))
}

/// The same for the first versions of some files, whose CRC does not cover the magic.
pub(crate) fn unseal_v2(magic: [u8; 4], sealed: &[u8]) -> Result<&[u8]> {
    unseal_by(magic, sealed, crc_fast::crc32_iscsi)
}

fn unseal_by(magic: [u8; 4], sealed: &[u8], crc: impl Fn(&[u8]) -> u32) -> Result<&[u8]> {
    let wrong = |reason: &str| Error::corrupt(reason.to_owned());
    let content = sealed.strip_prefix(&magic).ok_or_else(|| wrong("its magic bytes are wrong"))?;
    let (found, content) = content.split_first_chunk::<4>().ok_or_else(cut_off)?;
    if u32::from_be_bytes(*found) == crc(content) { Ok(content) } else { Err(wrong("its CRC does not match")) }
}
