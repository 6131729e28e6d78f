//! Buffers for reading, used again and again.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// So many free buffers are kept.
const FREE_MAX: usize = 16;
/// Larger buffers are not kept: they were for a batch larger than most.
const KEPT_BYTES_MAX: usize = 4 << 20;

/// Buffers that nobody uses at the moment.
///
/// A fresh buffer of a fetch's size costs more than the copy from the page cache into it, since the system
/// has to map and to clear its pages. A mutex, held to take or to return a buffer.
#[derive(Default)]
pub(crate) struct Buffers {
    free: Mutex<Vec<Vec<u8>>>,
}

impl fmt::Debug for Buffers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffers").finish_non_exhaustive()
    }
}

/// A buffer that returns to its pool when nobody refers to its bytes any more.
struct Pooled {
    bytes: Vec<u8>,
    /// How many of the bytes count; the others are left from earlier.
    length: usize,
    pool: Arc<Buffers>,
}

impl AsRef<[u8]> for Pooled {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        let mut free = self.pool.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < FREE_MAX && bytes.len() <= KEPT_BYTES_MAX {
            free.push(bytes);
        }
    }
}

impl Buffers {
    /// Lets `read` fill a buffer of `length_max` bytes and returns as many of them as it says.
    pub(crate) fn fill<E>(
        self: &Arc<Self>,
        length_max: usize,
        read: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<Bytes, E> {
        let mut bytes = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        if bytes.len() < length_max {
            bytes.resize(length_max, 0);
        }
        let length = read(bytes.get_mut(..length_max).unwrap_or_default())?;
        Ok(Bytes::from_owner(Pooled { bytes, length, pool: Arc::clone(self) }))
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
    }
}
