//! Batches that a fetch has found but not read.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use crate::File;

/// A part of a file of the log: whole batches, which are durable and never change. It can be read as long as it is kept,
/// whatever retention and compaction do.
#[derive(Debug, Clone)]
pub struct Extent {
    pub(crate) file: Arc<dyn File>,
    pub(crate) position: u64,
    pub(crate) length: usize,
}

impl Extent {
    /// How many bytes it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The file, for a system that sends parts of files by itself, and where in it this part begins.
    #[must_use]
    pub fn in_file(&self) -> Option<(BorrowedFd<'_>, u64)> {
        Some((self.file.descriptor()?, self.position))
    }

    /// Fills the buffer with its first bytes, as far as there are any.
    ///
    /// # Errors
    /// The disk's, or that the file has been cut.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len().min(self.length);
        let read = self.file.read_at(buffer.get_mut(..wanted).unwrap_or_default(), self.position)?;
        if read < wanted { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(read) }
    }

    /// Leaves out its first bytes.
    pub fn advance(&mut self, bytes: usize) {
        let bytes = bytes.min(self.length);
        self.position += bytes as u64;
        self.length -= bytes;
    }
}
