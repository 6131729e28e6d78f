//! The journal: one file that makes appends to any number of partitions durable by one fsync.
//!
//! ```text
//! frame   magic "MSJ2" | body length u32 | CRC-32C u32 of the rest | entries u32
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
//! A retired journal is kept as a spare and written over under its next number: a sync of a file whose
//! blocks are there already need not wait for the file system's own journal. So a file may hold frames
//! of an earlier life behind its own; `journal` tells them apart, and since they hide where the file
//! ends, the next journal's frames say `before`: how long this one had become.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crc_fast::CrcAlgorithm;

use crate::record::{BatchHeader, HEADER_BYTES};
use crate::{Error, File, Io, Result};

const MAGIC: [u8; 4] = *b"MSJ2";
const FRAME_HEADER_BYTES: usize = 40;
const CRC_COVERS_FROM: usize = 12;
const ENTRY_HEADER_BYTES: usize = 8;
/// Only the batch's header is in the entry.
const IN_SEGMENT: u32 = 1 << 31;
/// The batch is the first of its segment.
const STARTS_SEGMENT: u32 = 1 << 30;
const LENGTH_MASK: u32 = STARTS_SEGMENT - 1;
/// A larger batch does not fit into an entry.
pub(crate) const CONTENT_BYTES_MAX: usize = LENGTH_MASK as usize;
/// Batches of so many bytes are written from where they lie; smaller ones are put together first.
const APART_BYTES_MIN: usize = 32 << 10;

/// How many retired journals wait to be written over: the next one is made ready while a checkpoint retires
/// the last, so one is in use at a time and one comes back.
const SPARES_MAX: usize = 2;

/// What the journal holds of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content<'a> {
    Batch(&'a [u8]),
    /// The header of a batch that is in its segment, and on disk.
    InSegment(&'a [u8; HEADER_BYTES]),
}

impl<'a> Content<'a> {
    fn bytes(self) -> &'a [u8] {
        match self {
            Self::Batch(batch) => batch,
            Self::InSegment(header) => header,
        }
    }

    /// What is to be read from the segment instead.
    fn elsewhere_bytes(self) -> u64 {
        match self {
            Self::Batch(_) => 0,
            Self::InSegment(header) => BatchHeader::parse(header).map_or(0, |header| header.size_bytes as u64),
        }
    }
}

impl Entry<'_> {
    fn flags(&self) -> u32 {
        let in_segment = if matches!(self.content, Content::InSegment(_)) { IN_SEGMENT } else { 0 };
        in_segment | if self.starts_segment { STARTS_SEGMENT } else { 0 }
    }
}

/// A batch in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    /// The id of its partition.
    pub(crate) partition: u32,
    pub(crate) starts_segment: bool,
    pub(crate) content: Content<'a>,
}

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
    path: PathBuf,
    number: u64,
    /// How long the journal before this one is.
    before: u64,
    /// Where the next frame goes.
    position: u64,
    /// How much of what is before that is on disk.
    synced: u64,
    /// The bytes of batches of which there is only the header.
    elsewhere_bytes: u64,
    frame: Vec<u8>,
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
        // No frame is written before the name is durable, so that no number is ever used twice.
        io.sync_dir(dir).map_err(Error::io("sync", dir))?;
        Ok(Self { file, path, number, before: 0, position: 0, synced: 0, elsewhere_bytes: 0, frame: Vec::new() })
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

    /// What a recovery would read: its frames, and the batches that they only refer to.
    pub(crate) fn recovered_bytes(&self) -> u64 {
        self.position + self.elsewhere_bytes
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

    /// Writes one frame, which [`JournalWriter::sync`] makes durable. After an error the journal must not be used again.
    pub(crate) fn write<'a>(&mut self, entries: impl Iterator<Item = Entry<'a>>) -> Result<()> {
        let frame = &mut self.frame;
        frame.clear();
        frame.resize(FRAME_HEADER_BYTES, 0);
        let (mut count, mut length) = (0u32, FRAME_HEADER_BYTES);
        let mut apart: Vec<(usize, &[u8])> = Vec::new();
        for entry in entries {
            let bytes = entry.content.bytes();
            frame.extend_from_slice(&entry.partition.to_be_bytes());
            frame.extend_from_slice(&(entry.flags() | bytes.len() as u32).to_be_bytes());
            if bytes.len() < APART_BYTES_MIN {
                frame.extend_from_slice(bytes);
            } else {
                apart.push((frame.len(), bytes));
            }
            count += 1;
            length += ENTRY_HEADER_BYTES + bytes.len();
            self.elsewhere_bytes += entry.content.elsewhere_bytes();
        }
        let mut header = MAGIC.to_vec();
        header.extend_from_slice(&((length - FRAME_HEADER_BYTES) as u32).to_be_bytes());
        header.extend_from_slice(&[0; 4]);
        header.extend_from_slice(&count.to_be_bytes());
        for field in [self.number, self.before, self.synced] {
            header.extend_from_slice(&field.to_be_bytes());
        }
        if let Some(place) = frame.get_mut(..FRAME_HEADER_BYTES) {
            place.copy_from_slice(&header);
        }
        let mut crc = crc_fast::Digest::new(CrcAlgorithm::Crc32Iscsi);
        crc.update(frame.get(CRC_COVERS_FROM..FRAME_HEADER_BYTES).unwrap_or_default());
        pieces(frame, FRAME_HEADER_BYTES, &apart).for_each(|piece| crc.update(piece));
        if let Some(place) = frame.get_mut(8..CRC_COVERS_FROM) {
            place.copy_from_slice(&(crc.finalize() as u32).to_be_bytes());
        }
        for piece in pieces(frame, 0, &apart) {
            self.file.write_at(piece, self.position).map_err(Error::io("write", &self.path))?;
            self.position += piece.len() as u64;
        }
        Ok(())
    }
}

/// The pieces of a frame, in order: what has been put together, from a place on, and between it the batches that lie
/// elsewhere, each with how much of the other comes before it.
fn pieces<'p>(frame: &'p [u8], from: usize, apart: &'p [(usize, &'p [u8])]) -> impl Iterator<Item = &'p [u8]> {
    let mut from = from;
    let mut until = move |to: usize| frame.get(std::mem::replace(&mut from, to)..to).unwrap_or_default();
    let end = [(frame.len(), [].as_slice())];
    let ends = apart.iter().copied().chain(end);
    ends.flat_map(move |(to, batch)| [until(to), batch]).filter(|piece| !piece.is_empty())
}

struct Frame<'a> {
    length: usize,
    entries: u32,
    before: u64,
    synced: u64,
    body: &'a [u8],
}

/// The frame of journal `number` at the front of `bytes`, `None` if there is no whole and undamaged one.
fn parse_frame(number: u64, bytes: &[u8]) -> Option<Frame<'_>> {
    let header = bytes.get(..FRAME_HEADER_BYTES)?;
    let u32_at = |at: usize| Some(u32::from_be_bytes(header.get(at..at + 4)?.try_into().ok()?));
    let u64_at = |at: usize| Some(u64::from_be_bytes(header.get(at..at + 8)?.try_into().ok()?));
    if !header.starts_with(&MAGIC) || u64_at(16)? != number {
        return None;
    }
    let length = FRAME_HEADER_BYTES.checked_add(u32_at(4)? as usize)?;
    let frame = bytes.get(..length)?;
    if crc_fast::crc32_iscsi(frame.get(CRC_COVERS_FROM..)?) != u32_at(8)? {
        return None;
    }
    let body = frame.get(FRAME_HEADER_BYTES..)?;
    Some(Frame { length, entries: u32_at(12)?, before: u64_at(24)?, synced: u64_at(32)?, body })
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
    while let Some(frame) = content.get(position..).and_then(|rest| parse_frame(number, rest)) {
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
        before = Some(frame.before);
        position += frame.length;
    }
    let tail = content.get(position..).unwrap_or_default();
    if synced_beyond(number, tail, position as u64) {
        return Err(Error::damaged(&path, position as u64, "a journal frame that had been synced is not readable"));
    }
    Ok(Extent { size_bytes: position as u64, before })
}

fn split_entry(body: &[u8]) -> Option<(Entry<'_>, &[u8])> {
    let (partition, body) = body.split_first_chunk::<4>()?;
    let (field, body) = body.split_first_chunk::<4>()?;
    let field = u32::from_be_bytes(*field);
    let (bytes, rest) = body.split_at_checked((field & LENGTH_MASK) as usize)?;
    let content =
        if field & IN_SEGMENT == 0 { Content::Batch(bytes) } else { Content::InSegment(bytes.try_into().ok()?) };
    let starts_segment = field & STARTS_SEGMENT != 0;
    Some((Entry { partition: u32::from_be_bytes(*partition), starts_segment, content }, rest))
}

/// Whether a valid frame behind the bad one says that the bad one was on disk.
fn synced_beyond(number: u64, tail: &[u8], position: u64) -> bool {
    memchr::memmem::find_iter(tail, &MAGIC)
        .filter_map(|at| parse_frame(number, tail.get(at..)?))
        .any(|frame| frame.synced > position)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Memory;

    /// Small batches are put together, large ones are written from where they lie, and of some there is only the header: what
    /// is read is the same, and a frame of which any piece is missing does not count.
    #[test]
    fn frames_of_small_and_large_batches_are_whole_or_not_there() {
        let disk = Memory::new();
        let dir = Path::new("journal");
        let sizes =
            [&[10, APART_BYTES_MIN, 5, 3 * APART_BYTES_MIN][..], &[2 * APART_BYTES_MIN], &[APART_BYTES_MIN - 1, 1]];
        let batches: Vec<Vec<Vec<u8>>> =
            (0u8..).zip(sizes).map(|(frame, sizes)| sizes.iter().map(|size| vec![frame; *size]).collect()).collect();
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
        for frame in &frames {
            writer.write(frame.iter().copied()).unwrap();
            ends.push(writer.size_bytes());
        }
        let file = disk.open(&journal_path(dir, 7)).unwrap();
        for cut in (0..=ends[2]).rev().step_by(4999) {
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
