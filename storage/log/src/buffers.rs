//! Buffers used again and again.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// So many free buffers are kept.
const FREE_MAX: usize = 16;
/// Larger buffers are not kept: they were for a batch larger than most.
const KEPT_BYTES_MAX: usize = 4 << 20;

/// Buffers that nobody uses at the moment.
///
/// A fresh buffer of a fetch's size costs more than the copy from the page cache into it, since the system
/// has to map and to clear its pages; so it is with the copy of a batch that is appended. A mutex, held to take or
/// to return a buffer.
#[derive(Default)]
pub(crate) struct Buffers {
    free: Mutex<Vec<Vec<u8>>>,
}

impl fmt::Debug for Buffers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffers").finish_non_exhaustive()
    }
}

/// Bytes that their owner may change. Their memory goes back to where it came from when nobody refers to it any more.
pub struct Buffer {
    bytes: Vec<u8>,
    /// How many of the bytes count; the others are left from earlier.
    length: usize,
    pool: Option<Arc<Buffers>>,
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffer").field("length", &self.length).finish_non_exhaustive()
    }
}

impl From<Vec<u8>> for Buffer {
    fn from(bytes: Vec<u8>) -> Self {
        Self { length: bytes.len(), bytes, pool: None }
    }
}

impl From<Buffer> for Bytes {
    fn from(mut buffer: Buffer) -> Self {
        match buffer.pool {
            Some(_) => Self::from_owner(buffer),
            None => std::mem::take(&mut buffer.bytes).into(),
        }
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.bytes.get_mut(..self.length).unwrap_or_default()
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let Some(pool) = &self.pool else { return };
        let bytes = std::mem::take(&mut self.bytes);
        let mut free = pool.free();
        if free.len() < FREE_MAX && bytes.len() <= KEPT_BYTES_MAX {
            free.push(bytes);
        }
    }
}

impl Buffers {
    fn free(&self) -> std::sync::MutexGuard<'_, Vec<Vec<u8>>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A buffer of so many bytes, which are whatever they were.
    fn take(self: &Arc<Self>, length: usize) -> Buffer {
        let mut bytes = self.free().pop().unwrap_or_default();
        if bytes.len() < length {
            bytes.resize(length, 0);
        }
        Buffer { bytes, length, pool: Some(Arc::clone(self)) }
    }

    /// Lets `read` fill a buffer of `length_max` bytes and returns as many of them as it says.
    pub(crate) fn fill<E>(
        self: &Arc<Self>,
        length_max: usize,
        read: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<Bytes, E> {
        let mut buffer = self.take(length_max);
        let length = read(&mut buffer)?;
        buffer.length = length.min(length_max);
        Ok(buffer.into())
    }

    /// A copy.
    pub(crate) fn copy(self: &Arc<Self>, bytes: &[u8]) -> Buffer {
        let mut buffer = self.take(bytes.len());
        buffer.copy_from_slice(bytes);
        buffer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_and_shows_nothing_of_before() {
        let buffers = Arc::new(Buffers::default());
        let fill = |byte: u8, length: usize| {
            buffers.fill(length, |bytes| {
                bytes.fill(byte);
                Ok::<_, ()>(bytes.len())
            })
        };
        let first = fill(1, 100).unwrap();
        let tail = first.slice(90..);
        drop(first);
        assert!(buffers.free.lock().unwrap().is_empty());
        assert_eq!(&*tail, [1; 10]);
        drop(tail);
        assert_eq!(buffers.free.lock().unwrap().len(), 1);
        assert_eq!(&*fill(2, 50).unwrap(), [2; 50]);
        assert_eq!(buffers.free.lock().unwrap().len(), 1);
        let mut copy = buffers.copy(b"a copy");
        assert!(buffers.free.lock().unwrap().is_empty());
        copy[0] = b'A';
        assert_eq!(Bytes::from(copy), &b"A copy"[..]);
        assert_eq!(buffers.free.lock().unwrap().len(), 1);
        assert_eq!(Bytes::from(Buffer::from(b"owned".to_vec())), &b"owned"[..]);
        assert_eq!(buffers.free.lock().unwrap().len(), 1);
    }
}
