//! Appends that are written in larger pieces.

use std::fmt;
use std::io::{Error, Result};
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::File;

/// So much is written at once, from a multiple of it to the next: to pieces that begin anywhere the page cache gives
/// several folios each, and a sync has as many to write.
const PIECE_BYTES: usize = 128 << 10;
/// So much memory may the files of the process take together for what they gather; what is more is written as it comes.
const GATHERED_BYTES_MAX: usize = 16 << 20;

/// A file of this size or more is given space ahead, as much as it has and [`AHEAD_BYTES_MAX`] at most: the system then
/// finds for one write after the other the place where it goes, instead of a place for each block.
pub(crate) const AHEAD_FROM_BYTES: u64 = 1 << 20;
const AHEAD_BYTES_MAX: u64 = 4 << 20;

/// What all files take for it.
static GATHERED_BYTES: AtomicUsize = AtomicUsize::new(0);

/// A file whose appends gather in memory until they are worth a write.
///
/// Whoever reads through this or syncs it finds all that was appended, but a crash of the process takes what was not
/// written yet. So it is for what is elsewhere, too, until it is synced.
pub(crate) struct GatheringFile {
    file: Arc<dyn File>,
    /// Changed by appends, looked at by whoever reads: a mutex, held for one write.
    tail: Mutex<Tail>,
}

/// What was appended but not written: a part of one piece.
#[derive(Default)]
struct Tail {
    /// Its memory is counted in [`GATHERED_BYTES`].
    bytes: Vec<u8>,
    position: u64,
    /// Where the space ends that was asked for.
    reserved_end: u64,
}

impl Tail {
    fn end(&self) -> u64 {
        self.position + self.bytes.len() as u64
    }

    /// Takes up what follows the rest, if there is memory for it.
    fn gather(&mut self, bytes: &[u8], position: u64) -> bool {
        let length = self.bytes.len() + bytes.len();
        if length > self.bytes.capacity() && !self.grow(length.next_power_of_two().min(PIECE_BYTES)) {
            return false;
        }
        if self.bytes.is_empty() {
            self.position = position;
        }
        self.bytes.extend_from_slice(bytes);
        true
    }

    fn grow(&mut self, capacity: usize) -> bool {
        let before = self.bytes.capacity();
        let more = capacity - before;
        if GATHERED_BYTES.fetch_add(more, Ordering::Relaxed) + more > GATHERED_BYTES_MAX {
            GATHERED_BYTES.fetch_sub(more, Ordering::Relaxed);
            return false;
        }
        self.bytes.reserve_exact(capacity - self.bytes.len());
        GATHERED_BYTES.fetch_add(self.bytes.capacity() - before - more, Ordering::Relaxed);
        true
    }

    /// Gives back its memory.
    fn release(&mut self) {
        GATHERED_BYTES.fetch_sub(self.bytes.capacity(), Ordering::Relaxed);
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

    /// Writes without gathering, where there is space ahead or where a large file is given it now.
    fn write_through(&self, reserved_end: &mut u64, bytes: &[u8], position: u64) -> Result<()> {
        let end = position + bytes.len() as u64;
        if end >= AHEAD_FROM_BYTES && end > *reserved_end {
            *reserved_end = end + end.min(AHEAD_BYTES_MAX);
            self.file.reserve(position..*reserved_end);
        }
        self.file.write_at(bytes, position)
    }

    /// Writes what was gathered; after an error it still is.
    fn write_out(&self, tail: &mut Tail) -> Result<()> {
        if !tail.bytes.is_empty() {
            let failed =
                |error: Error| Error::new(error.kind(), format!("what was appended cannot be written: {error}"));
            self.write_through(&mut tail.reserved_end, &tail.bytes, tail.position).map_err(failed)?;
            tail.bytes.clear();
        }
        Ok(())
    }

    /// Leaves nothing gathered.
    fn empty(&self, tail: &mut Tail) -> Result<()> {
        self.write_out(tail)?;
        tail.release();
        Ok(())
    }

    /// Gathers what does not go beyond the end of a piece, and writes that once it is whole.
    fn write_within(&self, tail: &mut Tail, bytes: &[u8], position: u64) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        if !tail.gather(bytes, position) {
            self.empty(tail)?;
            return self.write_through(&mut tail.reserved_end, bytes, position);
        }
        if tail.end().is_multiple_of(PIECE_BYTES as u64) {
            let before = tail.bytes.len() - bytes.len();
            return self.write_out(tail).inspect_err(|_| tail.bytes.truncate(before));
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
        self.tail().release();
    }
}

impl File for GatheringFile {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> Result<usize> {
        let mut tail = self.tail();
        if position + buffer.len() as u64 > tail.position {
            self.empty(&mut tail)?;
        }
        drop(tail);
        self.file.read_at(buffer, position)
    }

    fn write_at(&self, bytes: &[u8], position: u64) -> Result<()> {
        let mut tail = self.tail();
        if !tail.bytes.is_empty() && position != tail.end() {
            self.empty(&mut tail)?;
        }
        let room = PIECE_BYTES - position as usize % PIECE_BYTES;
        let (within, beyond) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
        if beyond.len() > PIECE_BYTES {
            self.empty(&mut tail)?;
            return self.write_through(&mut tail.reserved_end, bytes, position);
        }
        self.write_within(&mut tail, within, position)?;
        self.write_within(&mut tail, beyond, position + room as u64)
    }

    fn len(&self) -> Result<u64> {
        self.empty(&mut self.tail())?;
        self.file.len()
    }

    fn set_len(&self, length: u64) -> Result<()> {
        let mut tail = self.tail();
        self.empty(&mut tail)?;
        tail.reserved_end = 0;
        self.file.set_len(length)
    }

    fn sync(&self) -> Result<()> {
        self.empty(&mut self.tail())?;
        self.file.sync()
    }

    /// The file without what was gathered since its length was last asked for.
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.file.descriptor()
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;
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
        append(PIECE_BYTES - 30_013, 30_012);
        file.read_at(&mut two, 30_010).unwrap();
        assert_eq!(written(), 30_012, "what was written before is read without the rest");
        append(11, PIECE_BYTES - 1);
        assert_eq!(written(), PIECE_BYTES, "a piece is written once it is whole");
        append(PIECE_BYTES + 1, PIECE_BYTES + 10);
        assert_eq!(written(), 2 * PIECE_BYTES);
        append(2 * PIECE_BYTES, 2 * PIECE_BYTES + 11);
        assert_eq!(written(), 4 * PIECE_BYTES + 11, "what is large is not gathered");
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
        let rest = vec![7; PIECE_BYTES - 14];
        file.write_at(&rest, 13).unwrap();
        disk.fail_once_after(0);
        assert!(file.write_at(b"12", PIECE_BYTES as u64 - 1).is_err());
        assert_eq!(content(&file), [b"first, second", &rest[..]].concat());
    }

    /// Notes what is asked for; the rest is a file in memory.
    #[derive(Debug)]
    struct Reserving {
        file: Arc<dyn File>,
        /// From where to where.
        reserved: Mutex<Vec<(u64, u64)>>,
    }

    impl File for Reserving {
        fn read_at(&self, buffer: &mut [u8], position: u64) -> Result<usize> {
            self.file.read_at(buffer, position)
        }

        fn write_at(&self, bytes: &[u8], position: u64) -> Result<()> {
            self.file.write_at(bytes, position)
        }

        fn len(&self) -> Result<u64> {
            self.file.len()
        }

        fn set_len(&self, length: u64) -> Result<()> {
            self.file.set_len(length)
        }

        fn reserve(&self, range: Range<u64>) {
            self.reserved.lock().unwrap().push((range.start, range.end));
        }

        fn sync(&self) -> Result<()> {
            self.file.sync()
        }
    }

    #[test]
    fn space_is_kept_ahead_of_what_is_large_once_for_many_writes() {
        const MIB: u64 = 1 << 20;
        let eighth = MIB / 8;
        let file = Memory::new().open(Path::new("file")).unwrap();
        let beneath = Arc::new(Reserving { file, reserved: Mutex::default() });
        let file = GatheringFile::new(Arc::<Reserving>::clone(&beneath));
        let append_up_to = |from: u64, to: u64| {
            for position in (from..to).step_by(MIB as usize / 8) {
                file.write_at(&[7; MIB as usize / 8], position).unwrap();
            }
        };
        let reserved = || std::mem::take(&mut *beneath.reserved.lock().unwrap());
        append_up_to(0, MIB - eighth);
        assert_eq!(reserved(), [], "a small file has what it needs");
        append_up_to(MIB - eighth, 2 * MIB);
        assert_eq!(reserved(), [(MIB - eighth, 2 * MIB)]);
        append_up_to(2 * MIB, 16 * MIB);
        let expected = [(2 * MIB, 4 * MIB + 2 * eighth), (4 * MIB + 2 * eighth, 8 * MIB + 3 * eighth)];
        assert_eq!(reserved()[..2], expected);
        file.set_len(16 * MIB).unwrap();
        append_up_to(16 * MIB, 17 * MIB);
        assert_eq!(reserved(), [(16 * MIB, 20 * MIB + eighth)], "what was given back is asked for again");
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
        let gathered: usize = files.iter().map(|file| file.tail().bytes.capacity()).sum();
        assert!(gathered <= GATHERED_BYTES_MAX, "{gathered}");
        assert!(files.iter().all(|file| content(file) == [7; 3 * PIECE_BYTES / 2]));
    }
}
