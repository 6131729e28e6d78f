//! Appends that are written in larger pieces.

use std::fmt;
use std::io::{Error, Result};
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::File;

/// So much is written at once.
const PIECE_BYTES: usize = 64 << 10;
/// So much may all files of the process gather together; what is more is written as it comes.
const GATHERED_BYTES_MAX: usize = 8 << 20;

/// What all files have gathered.
static GATHERED_BYTES: AtomicUsize = AtomicUsize::new(0);

/// A file whose appends gather in memory until they are worth a write: four of 16 KiB, and the sync of what they leave in
/// the page cache, take the system half as long again as one of 64 KiB.
///
/// Whoever reads through this or syncs it finds all that was appended, but a crash of the process takes what was not
/// written yet. So it is for what is elsewhere, too, until it is synced.
pub(crate) struct GatheringFile {
    file: Arc<dyn File>,
    /// Changed by appends, looked at by whoever reads: a mutex, held for one write.
    tail: Mutex<Tail>,
}

/// What was appended but not written.
#[derive(Default)]
struct Tail {
    bytes: Vec<u8>,
    position: u64,
}

impl Tail {
    fn end(&self) -> u64 {
        self.position + self.bytes.len() as u64
    }

    /// Takes up what is to be written at a position, if it follows the rest and there is room.
    fn gather(&mut self, bytes: &[u8], position: u64) -> bool {
        let is_apart = !self.bytes.is_empty() && position != self.end();
        if is_apart || self.bytes.len() + bytes.len() > PIECE_BYTES {
            return false;
        }
        if GATHERED_BYTES.fetch_add(bytes.len(), Ordering::Relaxed) + bytes.len() > GATHERED_BYTES_MAX {
            GATHERED_BYTES.fetch_sub(bytes.len(), Ordering::Relaxed);
            return false;
        }
        if self.bytes.is_empty() {
            self.position = position;
        }
        self.bytes.extend_from_slice(bytes);
        true
    }

    /// Forgets what was gathered, and gives back its memory.
    fn clear(&mut self) {
        GATHERED_BYTES.fetch_sub(self.bytes.len(), Ordering::Relaxed);
        self.bytes = Vec::new();
    }
}

impl GatheringFile {
    pub(crate) fn new(file: Arc<dyn File>) -> Self {
        Self { file, tail: Mutex::default() }
    }

    fn tail(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what was gathered; after an error it still is.
    fn write_out(&self, tail: &mut Tail) -> Result<()> {
        if !tail.bytes.is_empty() {
            let failed =
                |error: Error| Error::new(error.kind(), format!("what was appended cannot be written: {error}"));
            self.file.write_at(&tail.bytes, tail.position).map_err(failed)?;
            tail.clear();
        }
        Ok(())
    }
}

impl fmt::Debug for GatheringFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatheringFile").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Drop for GatheringFile {
    fn drop(&mut self) {
        self.tail().clear();
    }
}

impl File for GatheringFile {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> Result<usize> {
        let mut tail = self.tail();
        if position + buffer.len() as u64 > tail.position {
            self.write_out(&mut tail)?;
        }
        drop(tail);
        self.file.read_at(buffer, position)
    }

    fn write_at(&self, bytes: &[u8], position: u64) -> Result<()> {
        let mut tail = self.tail();
        if tail.gather(bytes, position) {
            return Ok(());
        }
        self.write_out(&mut tail)?;
        if tail.gather(bytes, position) { Ok(()) } else { self.file.write_at(bytes, position) }
    }

    fn len(&self) -> Result<u64> {
        self.write_out(&mut self.tail())?;
        self.file.len()
    }

    fn set_len(&self, length: u64) -> Result<()> {
        self.write_out(&mut self.tail())?;
        self.file.set_len(length)
    }

    fn sync(&self) -> Result<()> {
        self.write_out(&mut self.tail())?;
        self.file.sync()
    }

    /// The file without what was gathered since its length was last asked for.
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.file.descriptor()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{Io, Memory};

    fn gathering(disk: &Memory) -> (GatheringFile, Arc<dyn File>) {
        let file = disk.open(Path::new("file")).unwrap();
        (GatheringFile::new(Arc::clone(&file)), file)
    }

    fn content(file: &dyn File) -> Vec<u8> {
        let mut content = vec![0; file.len().unwrap() as usize];
        file.read_at(&mut content, 0).unwrap();
        content
    }

    #[test]
    fn appends_are_written_together_and_found_by_whoever_reads_or_syncs() {
        let disk = Memory::new();
        let (file, beneath) = gathering(&disk);
        let append = |length: usize, position: usize| {
            let bytes: Vec<u8> = (position..position + length).map(|at| (at % 251) as u8).collect();
            file.write_at(&bytes, position as u64).unwrap();
        };
        let written = || beneath.len().unwrap() as usize;
        append(10_000, 0);
        append(20_000, 10_000);
        assert_eq!(written(), 0);
        let mut two = [0; 2];
        file.read_at(&mut two, 9_999).unwrap();
        assert_eq!((two, written()), ([(9_999 % 251) as u8, (10_000 % 251) as u8], 30_000));
        append(5, 30_000);
        file.sync().unwrap();
        assert_eq!(written(), 30_005);
        append(7, 30_005);
        assert_eq!((file.len().unwrap(), written()), (30_012, 30_012));
        append(PIECE_BYTES - 10, 30_012);
        file.read_at(&mut two, 30_010).unwrap();
        assert_eq!(written(), 30_012, "what was written before is read without the rest");
        append(11, written() + PIECE_BYTES - 10);
        assert_eq!(written(), 30_012 + PIECE_BYTES - 10, "what does not fit goes with the next piece");
        let end = written() + 11;
        append(PIECE_BYTES + 1, end);
        assert_eq!(written(), end + PIECE_BYTES + 1, "what is large is not gathered");
        let expected: Vec<u8> = (0..written()).map(|at| (at % 251) as u8).collect();
        assert_eq!(content(&file), expected);
    }

    #[test]
    fn what_does_not_follow_the_rest_comes_after_it() {
        let disk = Memory::new();
        let (file, _) = gathering(&disk);
        file.write_at(b"first", 0).unwrap();
        file.write_at(b"second", 3).unwrap();
        file.write_at(b"!", 9).unwrap();
        assert_eq!(content(&file), b"firsecond!");
        file.write_at(b"?", 10).unwrap();
        file.set_len(4).unwrap();
        assert_eq!(content(&file), b"firs");
    }

    #[test]
    fn what_could_not_be_written_is_not_forgotten() {
        let disk = Memory::new();
        let (file, beneath) = gathering(&disk);
        file.write_at(b"first", 0).unwrap();
        disk.fail_once_after(0);
        assert!(file.sync().is_err());
        file.write_at(b", second", 5).unwrap();
        disk.fail_once_after(0);
        assert!(file.read_at(&mut [0], 4).is_err());
        assert_eq!(beneath.len().unwrap(), 0);
        assert_eq!(content(&file), b"first, second");
    }

    #[test]
    fn many_files_do_not_gather_more_than_there_is_memory_for() {
        let disk = Memory::new();
        let open = |number: usize| GatheringFile::new(disk.open(Path::new(&number.to_string())).unwrap());
        let files: Vec<_> = (0..2 * GATHERED_BYTES_MAX / PIECE_BYTES).map(open).collect();
        for round in 0..3 {
            for file in &files {
                file.write_at(&[7; PIECE_BYTES / 2], (round * PIECE_BYTES / 2) as u64).unwrap();
            }
        }
        let gathered: usize = files.iter().map(|file| file.tail().bytes.len()).sum();
        assert!(gathered <= GATHERED_BYTES_MAX, "{gathered}");
        assert!(files.iter().all(|file| content(file) == [7; 3 * PIECE_BYTES / 2]));
    }
}
