//! One file of a partition and the sparse index over it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::io::{AHEAD_FROM_BYTES, GatheringFile};
use crate::partition::Compacted;
use crate::record::{BatchHeader, HEADER_BYTES, crc_matches};
use crate::{Error, File, Io, Result};

/// How the name of a segment ends that is being rewritten.
pub(crate) const REWRITTEN: &str = ".rewritten";

/// Segments are synced in slices of this size while they are written: all at once they would keep the disk from
/// the journal, and so from acknowledgements, for as long as it takes to write them.
pub(crate) const SLICE_BYTES: u64 = 1 << 20;

/// A new index entry at most every so many bytes, as Kafka's `index.interval.bytes`.
const INDEX_INTERVAL_BYTES: u64 = 4096;

/// Where a batch starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct IndexEntry {
    base_offset: i64,
    position: u64,
    /// The greatest time of all batches before it.
    max_timestamp_before_ms: i64,
}

/// A run of record batches in one file, named by its first offset.
///
/// The index lives in memory; it is rebuilt from the batch headers when the segment is opened, so no
/// index file can disagree with the records.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) base_offset: i64,
    pub(crate) file: Arc<dyn File>,
    pub(crate) path: PathBuf,
    /// The bytes of whole batches; the file may be longer after a failed write.
    pub(crate) size_bytes: u64,
    pub(crate) next_offset: i64,
    pub(crate) max_timestamp_ms: i64,
    /// The time of its first batch.
    pub(crate) first_timestamp_ms: Option<i64>,
    pub(crate) compacted: Option<Compacted>,
    /// How many of its bytes were not synced.
    unsynced_bytes: u64,
    /// Whether its name may be lost in a crash.
    pub(crate) is_new: bool,
    index: Vec<IndexEntry>,
    indexed_bytes: u64,
}

/// A file with bytes that a crash may take.
#[derive(Debug)]
pub(crate) struct Unsynced {
    path: PathBuf,
    file: Arc<dyn File>,
}

impl Unsynced {
    pub(crate) fn sync(&self) -> Result<()> {
        self.file.sync().map_err(Error::io("sync", &self.path))
    }
}

/// A segment to look through beside its partition's appends.
#[derive(Debug)]
pub(crate) struct Look {
    file: Arc<dyn File>,
    pub(crate) path: PathBuf,
    /// Where to start.
    pub(crate) position: u64,
    pub(crate) size_bytes: u64,
    pub(crate) max_timestamp_ms: i64,
}

impl Look {
    pub(crate) fn header_at(&self, position: u64) -> Result<BatchHeader> {
        header_at(&*self.file, &self.path, position)
            .map_err(|error| Error::damaged(&self.path, position, error.to_string()))
    }

    pub(crate) fn batch_at(&self, position: u64, header: &BatchHeader) -> Result<Vec<u8>> {
        let available = self.size_bytes.saturating_sub(position);
        if header.size_bytes as u64 > available {
            return Err(Error::damaged(&self.path, position, "a batch is longer than its file"));
        }
        let mut batch = vec![0; header.size_bytes];
        self.file.read_at(&mut batch, position).map_err(Error::io("read", &self.path))?;
        Ok(batch)
    }
}

fn header_at(file: &dyn File, path: &Path, position: u64) -> Result<BatchHeader> {
    let mut bytes = [0; HEADER_BYTES];
    file.read_at(&mut bytes, position).map_err(Error::io("read", path))?;
    BatchHeader::parse(&bytes)
}

/// The file of the segment that starts at this offset.
pub(crate) fn segment_path(dir: &Path, base_offset: i64) -> PathBuf {
    dir.join(format!("{base_offset:020}.log"))
}

/// What is to become that segment.
fn rewritten_path(dir: &Path, base_offset: i64) -> PathBuf {
    dir.join(format!("{base_offset:020}{REWRITTEN}"))
}

impl Segment {
    /// A new segment; an old file of this name is emptied.
    pub(crate) fn create(io: &dyn Io, dir: &Path, base_offset: i64) -> Result<Self> {
        let segment = Self::empty(io, dir, base_offset)?;
        segment.file.set_len(0).map_err(Error::io("truncate", &segment.path))?;
        Ok(segment)
    }

    /// A new segment that [`Segment::replace`] is to put in the place of the one of this name.
    pub(crate) fn create_rewritten(io: &dyn Io, dir: &Path, base_offset: i64) -> Result<Self> {
        let segment = Self::at_path(io, rewritten_path(dir, base_offset), base_offset)?;
        segment.file.set_len(0).map_err(Error::io("truncate", &segment.path))?;
        Ok(segment)
    }

    /// Puts it, durably, in the place of the segment of its name.
    pub(crate) fn replace(&mut self, io: &dyn Io, dir: &Path) -> Result<()> {
        self.seal()?;
        self.file.sync().map_err(Error::io("sync", &self.path))?;
        let path = segment_path(dir, self.base_offset);
        io.rename(&self.path, &path).map_err(Error::io("rename", &self.path))?;
        io.sync_dir(dir).map_err(Error::io("sync", dir))?;
        self.path = path;
        self.unsynced_bytes = 0;
        self.is_new = false;
        Ok(())
    }

    /// A segment whose file, if there is one, may have all that is to be in it already.
    pub(crate) fn empty(io: &dyn Io, dir: &Path, base_offset: i64) -> Result<Self> {
        Self::at_path(io, segment_path(dir, base_offset), base_offset)
    }

    fn at_path(io: &dyn Io, path: PathBuf, base_offset: i64) -> Result<Self> {
        let file = GatheringFile::new(io.open(&path).map_err(Error::io("open", &path))?);
        Ok(Self {
            base_offset,
            file: Arc::new(file),
            path,
            size_bytes: 0,
            next_offset: base_offset,
            max_timestamp_ms: i64::MIN,
            first_timestamp_ms: None,
            compacted: None,
            unsynced_bytes: 0,
            is_new: true,
            index: Vec::new(),
            indexed_bytes: 0,
        })
    }

    /// Opens an existing file and walks over its batch headers up to `size_bytes`, which is cut to the
    /// file's length. `visit` sees every header.
    ///
    /// # Errors
    /// [`Error::Damaged`] if the headers do not lead to `size_bytes`.
    pub(crate) fn open(
        io: &dyn Io,
        dir: &Path,
        base_offset: i64,
        size_bytes: Option<u64>,
        mut visit: impl FnMut(&BatchHeader),
    ) -> Result<Self> {
        let mut segment = Self::empty(io, dir, base_offset)?;
        segment.is_new = false;
        let length = segment.file.len().map_err(Error::io("read", &segment.path))?;
        let end = size_bytes.unwrap_or(length);
        if length < end {
            let reason = format!("it ends here, {end} bytes were known to be on disk");
            return Err(Error::damaged(&segment.path, length, reason));
        }
        while segment.size_bytes < end {
            let position = segment.size_bytes;
            let damaged = |error: Error| Error::damaged(&segment.path, position, error.to_string());
            let header = segment.header_at(position).map_err(damaged)?;
            if header.base_offset < segment.next_offset || position + header.size_bytes as u64 > end {
                let reason = "a batch header does not fit the batches around it";
                return Err(Error::damaged(&segment.path, position, reason));
            }
            visit(&header);
            segment.note(&header);
        }
        Ok(segment)
    }

    fn header_at(&self, position: u64) -> Result<BatchHeader> {
        header_at(&*self.file, &self.path, position)
    }

    /// Appends a batch that has its base offset, in one piece or several.
    pub(crate) fn append(&mut self, header: &BatchHeader, pieces: &[&[u8]]) -> Result<()> {
        let mut position = self.size_bytes;
        for piece in pieces {
            self.file.write_at(piece, position).map_err(Error::io("write", &self.path))?;
            position += piece.len() as u64;
        }
        self.unsynced_bytes += position - self.size_bytes;
        self.note(header);
        Ok(())
    }

    /// Takes up the batch that was found to be on disk behind the others, and returns it.
    ///
    /// # Errors
    /// [`Error::Damaged`] if it is not there.
    pub(crate) fn adopt(&mut self, header: &BatchHeader) -> Result<Vec<u8>> {
        let mut batch = vec![0; header.size_bytes];
        let read = self.file.read_at(&mut batch, self.size_bytes).map_err(Error::io("read", &self.path))?;
        if read < batch.len() || BatchHeader::parse(&batch).ok() != Some(*header) || !crc_matches(header, &batch) {
            let reason = "a batch that was synced here, as the journal says, is not readable";
            return Err(Error::damaged(&self.path, self.size_bytes, reason));
        }
        self.note(header);
        Ok(batch)
    }

    fn note(&mut self, header: &BatchHeader) {
        if self.index.is_empty() || self.size_bytes - self.indexed_bytes >= INDEX_INTERVAL_BYTES {
            self.index.push(IndexEntry {
                base_offset: header.base_offset,
                position: self.size_bytes,
                max_timestamp_before_ms: self.max_timestamp_ms,
            });
            self.indexed_bytes = self.size_bytes;
        }
        self.size_bytes += header.size_bytes as u64;
        self.next_offset = header.next_offset();
        self.first_timestamp_ms.get_or_insert(header.max_timestamp_ms);
        self.max_timestamp_ms = self.max_timestamp_ms.max(header.max_timestamp_ms);
    }

    /// Whether a record of this time lies so far behind its first one.
    pub(crate) fn spans(&self, timestamp_ms: i64, ms: i64) -> bool {
        self.first_timestamp_ms.is_some_and(|first| timestamp_ms.saturating_sub(first) >= ms)
    }

    /// A position at or before the batch that holds `offset`.
    pub(crate) fn position_of(&self, offset: i64) -> u64 {
        let after = self.index.partition_point(|entry| entry.base_offset <= offset);
        after.checked_sub(1).and_then(|at| self.index.get(at)).map_or(0, |entry| entry.position)
    }

    /// The last batch in the index that lies at this position or before it, and starts before this offset: its position and
    /// its first offset.
    pub(crate) fn last_within(&self, position: u64, offset: i64) -> (u64, i64) {
        let after = self.index.partition_point(|entry| entry.position <= position && entry.base_offset < offset);
        let entry = after.checked_sub(1).and_then(|at| self.index.get(at));
        entry.map_or((0, self.base_offset), |entry| (entry.position, entry.base_offset))
    }

    /// Where to look for the first record of this time or later; `None` if all are older.
    pub(crate) fn look_for_time(&self, timestamp_ms: i64) -> Option<Look> {
        if self.max_timestamp_ms < timestamp_ms {
            return None;
        }
        let after = self.index.partition_point(|entry| entry.max_timestamp_before_ms < timestamp_ms);
        let entry = after.checked_sub(1).and_then(|at| self.index.get(at));
        Some(Look { position: entry.map_or(0, |entry| entry.position), ..self.look_from_start() })
    }

    pub(crate) fn look_from_start(&self) -> Look {
        Look {
            file: Arc::clone(&self.file),
            path: self.path.clone(),
            position: 0,
            size_bytes: self.size_bytes,
            max_timestamp_ms: self.max_timestamp_ms,
        }
    }

    /// Cuts what lies behind the last whole batch.
    pub(crate) fn cut(&mut self) -> Result<()> {
        let length = self.file.len().map_err(Error::io("read", &self.path))?;
        if length > self.size_bytes {
            self.file.set_len(self.size_bytes).map_err(Error::io("truncate", &self.path))?;
            self.file.sync().map_err(Error::io("sync", &self.path))?;
            self.unsynced_bytes = 0;
        }
        Ok(())
    }

    /// Whether its file may have space ahead, which it was given now or before a crash.
    pub(crate) fn may_have_space_ahead(&self) -> bool {
        self.size_bytes >= AHEAD_FROM_BYTES
    }

    /// Gives back the space that its file has ahead; who appends after all asks for it again.
    pub(crate) fn seal(&self) -> Result<()> {
        // A file that somebody has cut is not lengthened: who reads it, or opens it, is to be told.
        if self.file.len().map_err(Error::io("read", &self.path))? < self.size_bytes {
            return Ok(());
        }
        self.file.set_len(self.size_bytes).map_err(Error::io("truncate", &self.path))
    }

    pub(crate) fn has_unsynced(&self) -> bool {
        self.unsynced_bytes > 0
    }

    /// The file, if more than so many of its bytes must be synced; they count as synced from now on.
    pub(crate) fn take_unsynced(&mut self, more_than_bytes: u64) -> Option<Unsynced> {
        (self.unsynced_bytes > more_than_bytes).then(|| self.unsynced())
    }

    /// The file, to be synced in any case; its bytes count as synced from now on.
    pub(crate) fn unsynced(&mut self) -> Unsynced {
        self.unsynced_bytes = 0;
        Unsynced { path: self.path.clone(), file: Arc::clone(&self.file) }
    }
}
