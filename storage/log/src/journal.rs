//! The journal: one file that makes appends to any number of partitions durable by one fsync.
//!
//! ```text
//! frame   magic "MSJ2" | body length u32 | CRC-32C u32 of the rest | flags and entries u32
//!         | journal u64 | before u64 | synced u64 | body
//! body    entry*
//! entry   partition id u32 | flags and length u32 | one record batch, or only its header
//! ```
//!
//! Of a large batch there is only the header: its segment is synced before the frame is written, so that it goes to
//! the disk once. What else is in that segment must lie where it lay then, so the flags also say which batches were the
//! first of a segment.
//!
//! A frame is written whole, and synced before any of its appends is acknowledged, except for topics that
//! allow themselves otherwise (`flush.ms`). `synced` is how far
//! the file was known to be on disk when the frame was written: a bad frame before it is damage, a bad
//! frame after it is a torn tail that nobody was told of.
//!
//! Where the system can write past the page cache, frames that are not large are written so, which takes a quarter off
//! what a sync costs. Each frame then begins at a block of 4 KiB; what is between it and the one before means nothing.
//!
//! A retired journal is kept as a spare and written over under its next number: a sync of a file whose
//! blocks are there already need not wait for the file system's own journal. So a file may hold frames
//! of an earlier life behind its own; `journal` tells them apart, and since they hide where the file
//! ends, the next journal's frames say `before`: how long this one had become.

mod frame;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::io::BLOCK_BYTES;
use crate::{Error, File, Io, Result};

pub(crate) use frame::{CONTENT_BYTES_MAX, Content, Entry};
use frame::{Frame, FrameBuilder, MAGIC, Says, length_of, parse_frame, split_entry};

/// Larger frames go through the page cache, from which the system writes several pieces at a time, and so do those that
/// need not be on the disk soon.
const DIRECT_BYTES_MAX: usize = 256 << 10;

/// How many retired journals wait to be written over: the next one is made ready while a checkpoint retires
/// the last, so one is in use at a time and one comes back.
const SPARES_MAX: usize = 2;

/// The file of the journal with this number.
pub(crate) fn journal_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:020}.journal"))
}

/// The numbers of the journals in a folder, ascending.
pub(crate) fn journal_numbers(io: &dyn Io, dir: &Path) -> Result<Vec<u64>> {
    numbers(io, dir, ".journal")
}

fn spare_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:020}.spare"))
}

fn numbers(io: &dyn Io, dir: &Path, suffix: &str) -> Result<Vec<u64>> {
    let names = io.list(dir).map_err(Error::io("list", dir))?;
    Ok(names.iter().filter_map(|name| name.strip_suffix(suffix)?.parse().ok()).collect())
}

/// Takes the journals below `number` out of use, keeping a few that are not too long to be written over.
pub(crate) fn recycle_before(io: &dyn Io, dir: &Path, number: u64, bytes_max: u64) -> Result<()> {
    let mut spares = numbers(io, dir, ".spare")?.len();
    for retired in journal_numbers(io, dir)?.into_iter().filter(|&retired| retired < number) {
        let path = journal_path(dir, retired);
        let length = io.open(&path).and_then(|file| file.len()).map_err(Error::io("read", &path))?;
        if spares < SPARES_MAX && length <= bytes_max {
            io.rename(&path, &spare_path(dir, retired)).map_err(Error::io("rename", &path))?;
            spares += 1;
        } else {
            io.remove(&path).map_err(Error::io("remove", &path))?;
        }
    }
    Ok(())
}

/// Writes frames to one journal file.
#[derive(Debug)]
pub(crate) struct JournalWriter {
    file: Arc<dyn File>,
    /// The same file, to be written to past the page cache.
    direct: Option<Arc<dyn File>>,
    path: PathBuf,
    number: u64,
    /// How long the journal before this one is.
    before: u64,
    /// Where the last frame ends.
    position: u64,
    /// How much of what is before that is on disk.
    synced: u64,
    /// What a recovery would read: its frames, and the batches that they only refer to.
    recovered_bytes: u64,
    frame: FrameBuilder,
}

impl JournalWriter {
    /// Makes the journal `number` ready, in a spare file if there is one.
    pub(crate) fn create(io: &dyn Io, dir: &Path, number: u64) -> Result<Self> {
        let path = journal_path(dir, number);
        if let Some(spare) = numbers(io, dir, ".spare")?.first() {
            let spare = spare_path(dir, *spare);
            io.rename(&spare, &path).map_err(Error::io("rename", &spare))?;
        }
        let file = io.open(&path).map_err(Error::io("create", &path))?;
        let direct = io.open_direct(&path).map_err(Error::io("open", &path))?;
        // No frame is written before the name is durable, so that no number is ever used twice.
        io.sync_dir(dir).map_err(Error::io("sync", dir))?;
        let frame = FrameBuilder::default();
        Ok(Self { file, direct, path, number, before: 0, position: 0, synced: 0, recovered_bytes: 0, frame })
    }

    /// Retires this journal, of which everything is synced first: `next` is written from now on.
    pub(crate) fn retire_for(&mut self, next: Self) -> Result<()> {
        self.sync()?;
        let before = self.position;
        let frame = std::mem::take(&mut self.frame);
        *self = Self { before, frame, ..next };
        Ok(())
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    #[cfg(test)]
    pub(crate) fn size_bytes(&self) -> u64 {
        self.position
    }

    /// Whether a recovery would read so much, or half as much again lies in the file: small frames fill blocks.
    pub(crate) fn is_full(&self, bytes: u64) -> bool {
        self.recovered_bytes >= bytes || self.position >= bytes + bytes / 2
    }

    /// Makes everything written durable, and returns how many bytes that were. After an error the journal must not be
    /// used again.
    pub(crate) fn sync(&mut self) -> Result<u64> {
        let unsynced = self.position - self.synced;
        if unsynced > 0 {
            self.file.sync().map_err(Error::io("sync", &self.path))?;
            self.synced = self.position;
        }
        Ok(unsynced)
    }

    /// Writes one frame, which [`JournalWriter::sync`] makes durable: soon, or whenever that is due. After an error the
    /// journal must not be used again.
    pub(crate) fn write<'a>(&mut self, entries: impl Iterator<Item = Entry<'a>>, soon: bool) -> Result<()> {
        let entries: Vec<Entry<'a>> = entries.collect();
        let starts_block = self.direct.is_some();
        let says = Says { number: self.number, before: self.before, synced: self.synced, starts_block };
        let mut end = if starts_block { self.position.next_multiple_of(BLOCK_BYTES as u64) } else { self.position };
        let length = length_of(&entries);
        match self.direct.as_ref().filter(|_| soon && length <= DIRECT_BYTES_MAX) {
            Some(direct) => {
                match direct.write_at(self.frame.blocks(says, &entries, length), end) {
                    // It wants other blocks, or has not said before that it cannot do this.
                    Err(error) if error.kind() == ErrorKind::InvalidInput => {
                        self.direct = None;
                        return self.write(entries.into_iter(), soon);
                    }
                    written => written.map_err(Error::io("write", &self.path))?,
                }
                end += length as u64;
            }
            None => {
                for piece in self.frame.pieces(says, &entries, length) {
                    self.file.write_at(piece, end).map_err(Error::io("write", &self.path))?;
                    end += piece.len() as u64;
                }
            }
        }
        self.position = end;
        self.recovered_bytes += length as u64;
        self.recovered_bytes += entries.iter().map(|entry| entry.content.elsewhere_bytes()).sum::<u64>();
        Ok(())
    }
}

/// What a journal was found to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Where its whole frames end.
    pub(crate) size_bytes: u64,
    /// What its frames say of the journal before it; `None` if it has none.
    pub(crate) before: Option<u64>,
}

/// Hands every entry of a journal to `apply`, in order, up to a torn tail.
///
/// # Errors
/// [`Error::Damaged`] if a frame is bad that a later frame knows to have been synced, or `apply` finds a batch corrupt;
/// otherwise what `apply` returns.
pub(crate) fn replay(
    io: &dyn Io,
    dir: &Path,
    number: u64,
    mut apply: impl FnMut(Entry<'_>) -> Result<()>,
) -> Result<Extent> {
    let path = journal_path(dir, number);
    let content = io.read(&path).map_err(Error::io("read", &path))?.unwrap_or_default();
    let mut position = 0;
    let mut before = None;
    while let Some((start, frame)) = next_frame(number, &content, position) {
        let mut body = frame.body;
        for _ in 0..frame.entries {
            let (entry, rest) = split_entry(body)
                .ok_or_else(|| Error::damaged(&path, position as u64, "an entry is not as long as it must be"))?;
            apply(entry).map_err(|error| match error {
                Error::CorruptBatch(reason) => Error::damaged(&path, position as u64, reason),
                other => other,
            })?;
            body = rest;
        }
        before = Some(frame.says.before);
        position = start + frame.length;
    }
    let tail = content.get(position..).unwrap_or_default();
    if synced_beyond(number, tail, position as u64) {
        return Err(Error::damaged(&path, position as u64, "a journal frame that had been synced is not readable"));
    }
    Ok(Extent { size_bytes: position as u64, before })
}

/// The frame that follows what ends at a position, and where it begins: there, or at the next block if it says so.
fn next_frame(number: u64, content: &[u8], end: usize) -> Option<(usize, Frame<'_>)> {
    let frame_at = |at: usize| Some((at, parse_frame(number, content.get(at..)?)?));
    let block = end.next_multiple_of(BLOCK_BYTES);
    frame_at(end).or_else(|| frame_at(block).filter(|(_, frame)| frame.says.starts_block))
}

/// Whether a valid frame behind the bad one says that the bad one was on disk.
fn synced_beyond(number: u64, tail: &[u8], position: u64) -> bool {
    memchr::memmem::find_iter(tail, &MAGIC)
        .filter_map(|at| parse_frame(number, tail.get(at..)?))
        .any(|frame| frame.says.synced > position)
}

#[cfg(test)]
mod tests {
    use super::frame::APART_BYTES_MIN;
    use super::*;
    use crate::Memory;
    use crate::record::HEADER_BYTES;

    /// Small batches are put together, large ones are written from where they lie, and of some there is only the header: what
    /// is read is the same, and a frame of which any piece is missing does not count.
    #[test]
    fn frames_of_small_and_large_batches_are_whole_or_not_there() {
        for disk in [Memory::new(), Memory::new().with_direct()] {
            let dir = Path::new("journal");
            let sizes = [
                &[10, APART_BYTES_MIN, 5, 3 * APART_BYTES_MIN][..],
                &[2 * APART_BYTES_MIN],
                &[DIRECT_BYTES_MAX, 3],
                &[APART_BYTES_MIN - 1, 1],
            ];
            let batches: Vec<Vec<Vec<u8>>> = (0u8..)
                .zip(sizes)
                .map(|(frame, sizes)| sizes.iter().map(|size| vec![frame; *size]).collect())
                .collect();
            let header = [9; HEADER_BYTES];
            let frames: Vec<Vec<Entry<'_>>> = batches
                .iter()
                .map(|batches| {
                    let whole = batches.iter().map(|batch| Content::Batch(batch));
                    let contents = whole.flat_map(|content| [content, Content::InSegment(&header)]);
                    let entry = |(partition, content)| Entry { partition, starts_segment: partition % 3 == 0, content };
                    (0..).zip(contents).map(entry).collect()
                })
                .collect();
            let mut writer = JournalWriter::create(&disk, dir, 7).unwrap();
            let mut ends = Vec::new();
            for (at, frame) in frames.iter().enumerate() {
                writer.write(frame.iter().copied(), at != 1).unwrap();
                ends.push(writer.size_bytes());
            }
            let is_direct = disk.open_direct(&journal_path(dir, 7)).unwrap().is_some();
            assert_eq!(writer.direct.is_some(), is_direct, "what was written so was in whole blocks");
            let file = disk.open(&journal_path(dir, 7)).unwrap();
            for cut in (0..=ends[3]).rev().step_by(4999) {
                file.set_len(cut).unwrap();
                let whole = ends.iter().filter(|end| **end <= cut).count();
                let mut expected = frames[..whole].iter().flatten();
                let extent = replay(&disk, dir, 7, |entry| {
                    assert_eq!(Some(&entry), expected.next());
                    Ok(())
                });
                assert_eq!(extent.unwrap().size_bytes, whole.checked_sub(1).map_or(0, |last| ends[last]));
                assert_eq!(expected.next(), None);
            }
        }
    }

    /// Only what was written so may begin at the next block: a bad frame that is shorter than that hides none behind it.
    #[test]
    fn a_frame_that_was_not_written_in_blocks_follows_the_one_before() {
        let (disk, dir) = (Memory::new(), Path::new("journal"));
        let path = journal_path(dir, 1);
        let batch = vec![1; BLOCK_BYTES - length_of(&[]) - 8 - 50];
        let write = |writer: &mut JournalWriter, batch: &[u8]| {
            let entry = Entry { partition: 1, starts_segment: false, content: Content::Batch(batch) };
            writer.write([entry].into_iter(), true).unwrap();
            writer.size_bytes()
        };
        let mut writer = JournalWriter::create(&disk, dir, 1).unwrap();
        let first = write(&mut writer, &batch);
        assert_eq!(write(&mut writer, &[2; 2]), BLOCK_BYTES as u64);
        write(&mut writer, &[3; 3]);
        let count = |disk: &Memory| {
            let mut count = 0;
            let extent = replay(disk, dir, 1, |_| {
                count += 1;
                Ok(())
            });
            (count, extent.unwrap().size_bytes)
        };
        assert_eq!(count(&disk).0, 3);
        disk.flip(&path, first as usize + 20, 1);
        assert_eq!(count(&disk), (1, first));
    }

    /// A file that takes other blocks than ours.
    #[derive(Debug)]
    struct Refusing;

    impl File for Refusing {
        fn read_at(&self, _: &mut [u8], _: u64) -> std::io::Result<usize> {
            Ok(0)
        }

        fn write_at(&self, _: &[u8], _: u64) -> std::io::Result<()> {
            Err(ErrorKind::InvalidInput.into())
        }

        fn len(&self) -> std::io::Result<u64> {
            Ok(0)
        }

        fn set_len(&self, _: u64) -> std::io::Result<()> {
            Ok(())
        }

        fn sync(&self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_disk_that_takes_no_blocks_after_all_gets_its_frames_otherwise() {
        let (disk, dir) = (Memory::new().with_direct(), Path::new("journal"));
        let mut writer = JournalWriter::create(&disk, dir, 1).unwrap();
        let batches = [[1; 10], [2; 10], [3; 10]];
        for (at, batch) in batches.iter().enumerate() {
            if at == 1 {
                writer.direct = Some(Arc::new(Refusing));
            }
            let entry = Entry { partition: 1, starts_segment: false, content: Content::Batch(batch) };
            writer.write([entry].into_iter(), true).unwrap();
        }
        assert!(writer.direct.is_none());
        let mut found = Vec::new();
        let extent = replay(&disk, dir, 1, |entry| {
            if let Content::Batch(batch) = entry.content {
                found.extend_from_slice(batch);
            }
            Ok(())
        });
        assert_eq!(found, batches.concat());
        assert_eq!(extent.unwrap().size_bytes, writer.size_bytes());
    }
}
