//! Reading a partition from beginning to end.

use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use crate::record::BatchReader;
use crate::{Isolation, Log, Result, TopicPartition};

const FETCH_BYTES: usize = 4 << 20;

/// Hands every committed batch that a partition has now to `visit`, in order. Where a log has to get the
/// records from elsewhere, this waits for them.
///
/// # Errors
/// As [`Log::fetch`], or what `visit` returns.
pub fn read_all<E: From<crate::Error>>(
    log: &dyn Log,
    partition: &TopicPartition,
    mut visit: impl FnMut(BatchReader<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let (mut offset, end) = log.offsets(partition)?;
    // One growth that was noticed stands for all before it.
    let (wake, woken) = sync_channel(1);
    let _watch = log.watch(partition, Arc::new(move || _ = wake.try_send(())))?;
    while offset < end {
        let fetched = log.fetch(partition, offset, FETCH_BYTES, Isolation::ReadCommitted)?;
        fetched.batches().try_for_each(|batch| visit(batch?))?;
        if fetched.next_offset == offset {
            // The sender lives as long as the watch, so that this ends with a growth.
            let _ = woken.recv();
        }
        offset = fetched.next_offset;
    }
    Ok(())
}
