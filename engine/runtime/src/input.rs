//! One partition that a task reads.

use std::sync::Arc;

use millstream_exec::{Batch, Context, SourceDecoder};
use millstream_log::{Isolation, Log, TopicPartition, Watch};

use crate::Result;
use crate::pool::Handle;
use crate::upstream::Upstream;

/// So much is fetched and decoded in one go: enough to make per-batch work cheap, and little enough to stay in
/// a core's own cache between the copy, the check of its CRC and the decoder.
const FETCH_BYTES: usize = 256 << 10;

/// So many records of a repartition topic are given up in one go.
const GIVEN_UP_RECORDS_MIN: i64 = 1 << 16;

/// A partition and how far it has been read.
pub(crate) struct Input {
    pub(crate) partition: TopicPartition,
    /// The pipeline's input that its rows go to.
    pub(crate) input: usize,
    decoder: SourceDecoder,
    /// The offset to fetch next.
    fetch_from: i64,
    /// The offset after the last row that was processed.
    pub(crate) position: i64,
    /// The position of the last commit.
    pub(crate) committed: i64,
    /// Whether nobody else reads it, and nobody again, so that what was read can be deleted.
    pub(crate) is_ours: bool,
    /// What feeds it, if it is a repartition topic.
    pub(crate) upstream: Option<Arc<Upstream>>,
    /// The offset before which its records have been given up.
    given_up: i64,
    /// Rows that were fetched but not all processed.
    pending: Option<Pending>,
    _watch: Option<Watch>,
}

struct Pending {
    batch: Batch,
    /// The offset of each row.
    offsets: Vec<i64>,
    /// How many of its rows have been processed.
    used: usize,
}

impl Input {
    pub(crate) fn new(
        log: &dyn Log,
        partition: TopicPartition,
        input: usize,
        decoder: SourceDecoder,
        position: i64,
        waker: Option<&Arc<Handle>>,
    ) -> Result<Self> {
        let watch = match waker {
            Some(handle) => {
                let handle = Arc::clone(handle);
                Some(log.watch(&partition, Arc::new(move || handle.wake()))?)
            }
            None => None,
        };
        Ok(Self {
            partition,
            input,
            decoder,
            fetch_from: position,
            position,
            committed: position,
            is_ours: false,
            upstream: None,
            given_up: position,
            pending: None,
            _watch: watch,
        })
    }

    /// Fetches and decodes more rows if none are left; false if the partition has no more.
    pub(crate) fn fill(&mut self, log: &dyn Log, end: Option<i64>, context: &mut Context) -> Result<bool> {
        while self.pending.is_none() {
            let end = end.unwrap_or(i64::MAX);
            if self.fetch_from >= end {
                self.position = self.fetch_from;
                return Ok(false);
            }
            let fetched = match log.fetch(&self.partition, self.fetch_from, FETCH_BYTES, Isolation::ReadCommitted) {
                // What retention has deleted cannot be read any more.
                Err(millstream_log::Error::OffsetOutOfRange { start, .. }) if self.fetch_from < start => {
                    self.fetch_from = start;
                    continue;
                }
                outcome => outcome?,
            };
            if fetched.next_offset <= self.fetch_from {
                self.position = self.fetch_from;
                return Ok(false);
            }
            for batch in fetched.batches() {
                for record in batch?.iter() {
                    let record = record?;
                    if (self.fetch_from..end).contains(&record.offset) {
                        for header in record.headers() {
                            let (name, value) = header?;
                            self.decoder.add_header(name, value);
                        }
                        let place = (self.partition.partition, record.offset);
                        self.decoder.push(record.key, record.value, record.timestamp_ms, place, context);
                    }
                }
            }
            self.fetch_from = fetched.next_offset.min(end);
            if !self.decoder.is_empty() {
                let (batch, offsets) = self.decoder.finish()?;
                if !batch.is_empty() {
                    self.pending = Some(Pending { batch, offsets, used: 0 });
                }
            }
        }
        Ok(true)
    }

    /// Whether it has no row now, but may get one from before this time.
    pub(crate) fn awaits_rows(&self, before: i64, log: &dyn Log) -> bool {
        self.pending.is_none() && self.upstream.as_ref().is_some_and(|upstream| upstream.may_bring(before, log))
    }

    /// The time of the next row.
    pub(crate) fn head(&self) -> Option<i64> {
        let pending = self.pending.as_ref()?;
        let times = pending.batch.rowtimes().ok()?;
        times.values().get(pending.used).copied()
    }

    /// Takes all rows that wait.
    pub(crate) fn take(&mut self) -> Option<Batch> {
        let Pending { batch, used, .. } = self.pending.take()?;
        self.position = self.fetch_from;
        if used == 0 { Some(batch) } else { Some(batch.slice(used, batch.len() - used)) }
    }

    /// The rows that wait and their times, from the next one on.
    pub(crate) fn waiting(&self) -> Option<(&Batch, &[i64], usize)> {
        let Pending { batch, used, .. } = self.pending.as_ref()?;
        Some((batch, batch.rowtimes().ok()?.values(), *used))
    }

    /// Goes on behind so many of the rows that wait.
    pub(crate) fn pass(&mut self, count: usize) {
        let Some(pending) = self.pending.as_mut().filter(|_| count > 0) else { return };
        pending.used += count;
        match pending.offsets.get(pending.used) {
            Some(next) => self.position = *next,
            None => {
                self.position = self.fetch_from;
                self.pending = None;
            }
        }
    }

    /// The offset before which the next commit leaves no use for its records, if it is worth to say so.
    pub(crate) fn give_up(&mut self) -> Option<i64> {
        if !self.is_ours || self.position - self.given_up < GIVEN_UP_RECORDS_MIN {
            return None;
        }
        self.given_up = self.position;
        Some(self.position)
    }

    /// Goes back to the beginning.
    pub(crate) fn rewind(&mut self) {
        self.fetch_from = 0;
        self.position = 0;
        self.pending = None;
    }

    /// How many records lie before the end.
    pub(crate) fn behind(&self, log: &dyn Log) -> i64 {
        log.offsets(&self.partition).map_or(0, |(_, end)| (end - self.position).max(0))
    }
}
