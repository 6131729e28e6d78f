//! Opening a partition, after a clean stop or a crash.

use super::{Cover, Partition};
use crate::checkpoint::PartitionCheckpoint;
use crate::segment::{REWRITTEN, Segment};
use crate::{Error, Io, Result};

impl Partition {
    /// Opens the partition as of a checkpoint; what the files hold beyond it is in the journal.
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
            // Never checkpointed, or expired; the crash came before it was removed.
            if base > checkpoint.active_base || base < checkpoint.log_start_segment {
                io.remove(&path).map_err(Error::io("remove", &path))?;
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
            let mut segment = Segment::open(io, &self.dir, base, size, |_| {})?;
            if size.is_some() {
                segment.cut_and_sync()?;
            }
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
}
