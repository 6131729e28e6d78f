//! The one seam to files, clock and randomness.

mod disk;
mod gathering;
mod memory;

use std::fmt::Debug;
use std::io::Result;
use std::ops::Range;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::Arc;

pub use disk::Disk;
pub(crate) use gathering::{AHEAD_FROM_BYTES, GatheringFile};
pub use memory::Memory;

/// What goes past the page cache goes in blocks of this size, from memory that is aligned to it.
pub(crate) const BLOCK_BYTES: usize = 4096;

/// Files, clock and randomness, so that the same code runs on a real disk, in memory and on a
/// simulated disk that fails.
///
/// # Contract
/// - *Durability*: bytes are durable after [`File::sync`], names after [`Io::sync_dir`] of their
///   folder; before that a crash may keep any part of them.
/// - *Sharing*: every call may come from any thread; two handles of one path see the same bytes.
pub trait Io: Send + Sync + Debug {
    /// Opens a file for reading and writing, creating it if it is missing.
    ///
    /// # Errors
    /// Whatever the system says.
    fn open(&self, path: &Path) -> Result<Arc<dyn File>>;
    /// Opens a file once more to write past the page cache, in whole blocks of 4 KiB from memory that is aligned to them;
    /// `None` if the system cannot do that. A write that it cannot do after all fails with
    /// [`std::io::ErrorKind::InvalidInput`].
    ///
    /// # Errors
    /// Whatever the system says.
    fn open_direct(&self, _path: &Path) -> Result<Option<Arc<dyn File>>> {
        Ok(None)
    }
    /// The whole content of a file, `None` if there is none of that name.
    ///
    /// # Errors
    /// Whatever the system says.
    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>>;
    /// The names in a folder, sorted; none if the folder is missing.
    ///
    /// # Errors
    /// Whatever the system says.
    fn list(&self, dir: &Path) -> Result<Vec<String>>;
    /// Creates a folder and those above it.
    ///
    /// # Errors
    /// Whatever the system says.
    fn create_dir(&self, dir: &Path) -> Result<()>;
    /// Removes a file; it is no error if there is none.
    ///
    /// # Errors
    /// Whatever the system says.
    fn remove(&self, path: &Path) -> Result<()>;
    /// Removes a folder with all it holds; it is no error if there is none.
    ///
    /// # Errors
    /// Whatever the system says.
    fn remove_dir(&self, dir: &Path) -> Result<()>;
    /// Renames a file, replacing one of the new name.
    ///
    /// # Errors
    /// Whatever the system says.
    fn rename(&self, from: &Path, to: &Path) -> Result<()>;
    /// Makes the names in a folder durable.
    ///
    /// # Errors
    /// Whatever the system says.
    fn sync_dir(&self, dir: &Path) -> Result<()>;
    /// Takes the folder for this process until the guard is dropped; the inner error is the owner.
    ///
    /// # Errors
    /// Whatever the system says.
    fn lock(&self, path: &Path) -> Result<std::result::Result<Box<dyn Send + Sync>, String>>;
    /// The wall clock in ms since 1970.
    fn now_ms(&self) -> i64;
    /// A number that no other process has.
    fn random(&self) -> u128;
}

/// An open file, read and written at positions.
pub trait File: Send + Sync + Debug {
    /// Reads up to `buffer.len()` bytes at a position; less only at the end of the file.
    ///
    /// # Errors
    /// Whatever the system says.
    fn read_at(&self, buffer: &mut [u8], position: u64) -> Result<usize>;
    /// Writes all of `bytes` at a position.
    ///
    /// # Errors
    /// Whatever the system says; then any part may have been written.
    fn write_at(&self, bytes: &[u8], position: u64) -> Result<()>;
    /// The file's length in bytes.
    ///
    /// # Errors
    /// Whatever the system says.
    fn len(&self) -> Result<u64>;
    /// Cuts or extends the file, and gives back the space that was reserved behind its end.
    ///
    /// # Errors
    /// Whatever the system says.
    fn set_len(&self, length: u64) -> Result<()>;
    /// Asks for the space that will be written to, without changing the file's length. A system that has not got it says so
    /// when it is written.
    fn reserve(&self, _range: Range<u64>) {}
    /// Makes the content durable.
    ///
    /// # Errors
    /// Whatever the system says; after an error nothing may be assumed about unsynced bytes.
    fn sync(&self) -> Result<()>;
    /// The file for the system's own calls, if it is one of the system's.
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }
    /// Whether the file is empty.
    ///
    /// # Errors
    /// Whatever the system says.
    fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }
}

/// Replaces a small file so that a crash leaves either the old or the new content.
pub(crate) fn replace(io: &dyn Io, path: &Path, content: &[u8]) -> crate::Result<()> {
    use crate::Error;
    let temporary = path.with_extension("new");
    let file = io.open(&temporary).map_err(Error::io("create", &temporary))?;
    file.set_len(0).map_err(Error::io("truncate", &temporary))?;
    file.write_at(content, 0).map_err(Error::io("write", &temporary))?;
    file.sync().map_err(Error::io("sync", &temporary))?;
    io.rename(&temporary, path).map_err(Error::io("replace", path))?;
    match path.parent() {
        Some(dir) => io.sync_dir(dir).map_err(Error::io("sync", dir)),
        None => Ok(()),
    }
}
