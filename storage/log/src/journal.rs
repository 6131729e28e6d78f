//! The journal: one file that makes appends to any number of partitions durable by one fsync.
//!
//! ```text
//! frame   magic "MSJ1" | body length u32 | CRC-32C u32 of the rest | entries u32 | synced u64 | body
//! body    entry*
//! entry   partition id u32 | length u32 | one record batch
//! ```
//!
//! A frame is written whole and synced before any of its appends is acknowledged. `synced` is how far
//! the file was known to be on disk when the frame was written: a bad frame before it is damage, a bad
//! frame after it is a torn tail that nobody was told of.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::{Error, File, Io, Result};

const MAGIC: [u8; 4] = *b"MSJ1";
const FRAME_HEADER_BYTES: usize = 24;
const CRC_COVERS_FROM: usize = 12;

/// The file of the journal with this number.
pub(crate) fn journal_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:020}.journal"))
}

/// The numbers of the journals in a folder, ascending.
pub(crate) fn journal_numbers(io: &dyn Io, dir: &Path) -> Result<Vec<u64>> {
    let names = io.list(dir).map_err(Error::io("list", dir))?;
    Ok(names.iter().filter_map(|name| name.strip_suffix(".journal")?.parse().ok()).collect())
}

/// Writes frames to one journal file.
#[derive(Debug)]
pub(crate) struct JournalWriter {
    file: Arc<dyn File>,
    path: PathBuf,
    number: u64,
    /// Where the next frame goes; everything before it is synced.
    position: u64,
    frame: Vec<u8>,
}

impl JournalWriter {
    pub(crate) fn create(io: &dyn Io, dir: &Path, number: u64) -> Result<Self> {
        let path = journal_path(dir, number);
        let file = io.open(&path).map_err(Error::io("create", &path))?;
        file.set_len(0).map_err(Error::io("truncate", &path))?;
        io.sync_dir(dir).map_err(Error::io("sync", dir))?;
        Ok(Self { file, path, number, position: 0, frame: Vec::new() })
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    pub(crate) fn size_bytes(&self) -> u64 {
        self.position
    }

    /// Writes and syncs one frame. After an error the journal must not be used again.
    pub(crate) fn write<'a>(&mut self, entries: impl Iterator<Item = (u32, &'a [u8])>) -> Result<()> {
        let frame = &mut self.frame;
        frame.clear();
        frame.resize(FRAME_HEADER_BYTES, 0);
        let mut count = 0u32;
        for (partition, batch) in entries {
            frame.extend_from_slice(&partition.to_be_bytes());
            frame.extend_from_slice(&(batch.len() as u32).to_be_bytes());
            frame.extend_from_slice(batch);
            count += 1;
        }
        let mut header = MAGIC.to_vec();
        header.extend_from_slice(&((frame.len() - FRAME_HEADER_BYTES) as u32).to_be_bytes());
        header.extend_from_slice(&[0; 4]);
        header.extend_from_slice(&count.to_be_bytes());
        header.extend_from_slice(&self.position.to_be_bytes());
        if let Some(place) = frame.get_mut(..FRAME_HEADER_BYTES) {
            place.copy_from_slice(&header);
        }
        let crc = crc_fast::crc32_iscsi(frame.get(CRC_COVERS_FROM..).unwrap_or_default());
        if let Some(place) = frame.get_mut(8..CRC_COVERS_FROM) {
            place.copy_from_slice(&crc.to_be_bytes());
        }
        self.file.write_at(frame, self.position).map_err(Error::io("write", &self.path))?;
        self.file.sync().map_err(Error::io("sync", &self.path))?;
        self.position += frame.len() as u64;
        Ok(())
    }
}

struct Frame<'a> {
    length: usize,
    entries: u32,
    synced: u64,
    body: &'a [u8],
}

/// The frame at the front of `bytes`, `None` if there is no whole and undamaged one.
fn parse_frame(bytes: &[u8]) -> Option<Frame<'_>> {
    let header = bytes.get(..FRAME_HEADER_BYTES)?;
    let u32_at = |at: usize| Some(u32::from_be_bytes(header.get(at..at + 4)?.try_into().ok()?));
    if !header.starts_with(&MAGIC) {
        return None;
    }
    let length = FRAME_HEADER_BYTES.checked_add(u32_at(4)? as usize)?;
    let frame = bytes.get(..length)?;
    if crc_fast::crc32_iscsi(frame.get(CRC_COVERS_FROM..)?) != u32_at(8)? {
        return None;
    }
    let synced = u64::from_be_bytes(header.get(16..24)?.try_into().ok()?);
    Some(Frame { length, entries: u32_at(12)?, synced, body: frame.get(FRAME_HEADER_BYTES..)? })
}

/// How a journal ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct End {
    /// How many whole frames it has.
    pub(crate) frames: usize,
    /// Where something follows them that is no frame.
    pub(crate) torn_at: Option<u64>,
}

/// Hands every entry of a journal to `apply`, in order, up to a torn tail.
///
/// # Errors
/// [`Error::Damaged`] if a frame is bad that a later frame knows to have been synced; otherwise what
/// `apply` returns.
pub(crate) fn replay(io: &dyn Io, path: &Path, mut apply: impl FnMut(u32, &[u8]) -> Result<()>) -> Result<End> {
    let content = io.read(path).map_err(Error::io("read", path))?.unwrap_or_default();
    let (mut position, mut frames) = (0, 0);
    while let Some(frame) = content.get(position..).and_then(parse_frame) {
        let mut body = frame.body;
        for _ in 0..frame.entries {
            let (partition, batch, rest) =
                split_entry(body).ok_or_else(|| Error::damaged(path, position as u64, "an entry exceeds its frame"))?;
            apply(partition, batch)?;
            body = rest;
        }
        position += frame.length;
        frames += 1;
    }
    let tail = content.get(position..).unwrap_or_default();
    if synced_beyond(tail, position as u64) {
        return Err(Error::damaged(path, position as u64, "a journal frame that had been synced is not readable"));
    }
    Ok(End { frames, torn_at: (!tail.is_empty()).then_some(position as u64) })
}

fn split_entry(body: &[u8]) -> Option<(u32, &[u8], &[u8])> {
    let (partition, body) = body.split_first_chunk::<4>()?;
    let (length, body) = body.split_first_chunk::<4>()?;
    let (batch, rest) = body.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    Some((u32::from_be_bytes(*partition), batch, rest))
}

/// Whether a valid frame behind the bad one says that the bad one was on disk.
fn synced_beyond(tail: &[u8], position: u64) -> bool {
    let mut rest = tail;
    while let Some(at) = rest.windows(MAGIC.len()).position(|window| window == MAGIC) {
        let candidate = rest.get(at..).unwrap_or_default();
        if parse_frame(candidate).is_some_and(|frame| frame.synced > position) {
            return true;
        }
        rest = candidate.get(1..).unwrap_or_default();
    }
    false
}
