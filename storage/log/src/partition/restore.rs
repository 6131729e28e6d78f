//! Opening a partition, after a clean stop or a crash.

use super::{Cover, Partition, commits};
use crate::checkpoint::PartitionCheckpoint;
use crate::journal::{Content, Entry};
use crate::record::{BatchHeader, split_batch};
use crate::segment::{REWRITTEN, Segment};
use crate::{Error, Io, Result};

impl Partition {
    /// Opens the partition as of a checkpoint; what of the rest counts the journals say.
    pub(crate) fn restore(&self, io: &dyn Io, checkpoint: Option<PartitionCheckpoint>) -> Result<()> {
        io.create_dir(&self.dir).map_err(Error::io("create", &self.dir))?;
        let names = io.list(&self.dir).map_err(Error::io("list", &self.dir))?;
        let covers = Cover::read_all(io, &self.dir, &names)?;
        let mut covered = Vec::new();
        let bases: Vec<i64> = names.iter().filter_map(|name| name.strip_suffix(".log")?.parse().ok()).collect();
        let mut state = self.state();
        let checkpoint = checkpoint.unwrap_or_default();
        let mut expected = checkpoint.log_start_segment;
        for base in bases {
            let path = crate::segment::segment_path(&self.dir, base);
            // Expired; the crash came before it was removed.
            if base < checkpoint.log_start_segment {
                io.remove(&path).map_err(Error::io("remove", &path))?;
                continue;
            }
            // The journals say what of it counts.
            if base > checkpoint.active_base {
                continue;
            }
            if state.segments.last().is_some_and(|last| covers.iter().any(|cover| cover.holds(last, base))) {
                covered.push(path);
                continue;
            }
            if base != expected && checkpoint.active_base >= 0 {
                let reason = format!("records {expected} to {base} are missing: a segment is lost or cut");
                return Err(Error::damaged(&self.dir, 0, reason));
            }
            let size = (base == checkpoint.active_base).then_some(checkpoint.active_size_bytes);
            let segment = Segment::open(io, &self.dir, base, size, |_| {})?;
            expected = segment.next_offset;
            state.segments.push(segment);
        }
        let found = state.segments.last().map_or(0, |segment| segment.next_offset);
        if found != checkpoint.next_offset {
            let reason =
                format!("the partition ends at offset {found}, the checkpoint says {}", checkpoint.next_offset);
            return Err(Error::damaged(&self.dir, 0, reason));
        }
        // Only now is it known that nothing is missing.
        let unfinished = names.iter().filter(|name| name.ends_with(REWRITTEN)).map(|name| self.dir.join(name));
        for path in unfinished.chain(covered) {
            io.remove(&path).map_err(Error::io("remove", &path))?;
        }
        if !covers.is_empty() {
            io.sync_dir(&self.dir).map_err(Error::io("sync", &self.dir))?;
            covers.iter().try_for_each(|cover| cover.remove(io, &self.dir))?;
        }
        state.next_offset = checkpoint.next_offset;
        state.log_start_offset = checkpoint.log_start_offset;
        state.producers = checkpoint.producers;
        self.publish(state.next_offset, state.stable_offset());
        Ok(())
    }

    /// Appends a batch of the journal again, where it was, if the segments do not have it yet.
    pub(crate) fn replay(&self, io: &dyn Io, entry: Entry<'_>) -> Result<()> {
        let header = match entry.content {
            Content::InSegment(header) => BatchHeader::parse(header)?,
            Content::Batch(batch) => match split_batch(batch)? {
                Some((header, _, [])) => header,
                _ => return Err(Error::corrupt("it is not as long as its entry in the journal")),
            },
        };
        let mut state = self.state();
        if header.base_offset < state.next_offset {
            return Ok(());
        }
        if header.base_offset > state.next_offset {
            let reason = format!("records {} to {} are in no journal", state.next_offset, header.base_offset);
            return Err(Error::damaged(&self.dir, 0, reason));
        }
        // The checkpoint may know it, still empty.
        let is_there = state.segments.last().is_some_and(|last| last.base_offset == header.base_offset);
        if entry.starts_segment && !is_there || state.segments.is_empty() {
            // Not emptied: what the journal only refers to is in it.
            state.segments.push(Segment::empty(io, &self.dir, header.base_offset)?);
        }
        let Some(active) = state.segments.last_mut() else { return Err(Error::corrupt("there is no segment")) };
        let commits = match entry.content {
            Content::InSegment(_) => commits(&header, &active.adopt(&header)?)?,
            Content::Batch(batch) => {
                let commits = commits(&header, batch)?;
                active.append(&header, &[batch])?;
                commits
            }
        };
        state.note(&header, commits, io.now_ms());
        self.publish(state.next_offset, state.stable_offset());
        Ok(())
    }

    /// Removes what the files hold beyond the last batch that was replayed: nobody was told of it.
    pub(crate) fn cut(&self, io: &dyn Io) -> Result<()> {
        let mut state = self.state();
        for name in io.list(&self.dir).map_err(Error::io("list", &self.dir))? {
            let base: Option<i64> = name.strip_suffix(".log").and_then(|base| base.parse().ok());
            if base.is_some_and(|base| !state.segments.iter().any(|segment| segment.base_offset == base)) {
                let path = self.dir.join(name);
                io.remove(&path).map_err(Error::io("remove", &path))?;
            }
        }
        state.segments.iter_mut().try_for_each(Segment::cut)?;
        // The replay may have given space to those that it has filled.
        let filled = state.segments.split_last().map_or(&[][..], |(_active, filled)| filled);
        filled.iter().filter(|segment| segment.has_unsynced()).try_for_each(Segment::seal)
    }
}
