//! One sub-topology over one partition: the unit of parallelism, of recovery and of commit.

use std::sync::Arc;
use std::time::{Duration, Instant};

use millstream_exec::{Batch, Context, Pipeline};
use millstream_log::record::BatchBuilder;
use millstream_log::{GroupOffset, Log, Ticket, TopicPartition, WriteBatch, read_all};

use crate::Result;
use crate::input::Input;
use crate::materialized::Tables;
use crate::memory::Account;
use crate::merge::next_batch;
use crate::patience::Patience;
use crate::pool::{Run, Turn};
use crate::processing_log::ProcessingLog;
use crate::query::{QueryStatus, Shared};
use crate::sink::Sink;
use crate::upstream::Upstream;

/// An epoch ends once it has read so many rows, whatever the time.
const EPOCH_ROWS_MAX: usize = 1 << 20;
/// An epoch ends once what its rows gave at once is so many bytes, whatever the time: they wait in memory. What groups
/// give comes at the end and is as much as there are groups. Smaller epochs gain nothing: who reads them hands on every
/// group that changed more often.
const EPOCH_BYTES_MAX: usize = 32 << 20;
/// So many commits may be on their way to the disk before the task waits for the oldest.
const COMMITS_IN_FLIGHT_MAX: usize = 4;

/// An operator's changelog.
pub(crate) struct Changelog {
    pub(crate) operator: usize,
    pub(crate) partition: TopicPartition,
}

/// A task of a persistent query.
pub(crate) struct Task {
    pub(crate) shared: Arc<Shared>,
    pub(crate) log: Arc<dyn Log>,
    pub(crate) pipeline: Pipeline,
    pub(crate) inputs: Vec<Input>,
    pub(crate) sink: Sink,
    /// The topics that operators write beside the result.
    pub(crate) outlets: Vec<Sink>,
    pub(crate) partition: i32,
    pub(crate) changelogs: Vec<Changelog>,
    pub(crate) processing_log: ProcessingLog,
    /// What the operators' states take of the memory.
    pub(crate) account: Account,
    /// Who makes room if there is none.
    pub(crate) tables: Arc<Tables>,
    pub(crate) group: String,
    pub(crate) commit_interval: Duration,
    /// Whether updates of one key within an epoch are merged.
    pub(crate) merge: bool,
    /// How long it waits for an input that has no rows.
    pub(crate) patience: Patience,
    /// The greatest time of the rows that it has read, if it feeds others.
    pub(crate) time: i64,
    pub(crate) restored: bool,
    /// Who waits for what this task writes.
    pub(crate) feeds: Option<Arc<Upstream>>,
    pub(crate) in_flight: std::collections::VecDeque<Commit>,
}

/// A commit on its way to the disk.
pub(crate) struct Commit {
    ticket: Ticket,
    /// What nobody needs once it is there: repartition records before these offsets.
    given_up: Vec<(TopicPartition, i64)>,
}

impl Run for Task {
    fn turn(&mut self) -> Turn {
        match self.shared.status() {
            QueryStatus::Running => {}
            QueryStatus::Paused => return Turn::Idle,
            // Another task of the query has failed; what this one keeps is of no use.
            QueryStatus::Error(_) => return Turn::Done,
        }
        match self.epoch() {
            Ok(turn) => turn,
            Err(error) => {
                self.shared.fail(&error.to_string());
                Turn::Done
            }
        }
    }

    fn panicked(&mut self) {
        self.shared
            .fail("internal error: the query has panicked\nhelp: this is a bug, please report it with the statement");
    }
}

impl Task {
    fn epoch(&mut self) -> Result<Turn> {
        if !self.restored {
            self.restore()?;
            self.account_for_state()?;
            self.restored = true;
        }
        self.check_commits()?;
        let mut context = Context { partition: self.partition, ..Context::default() };
        let mut out = Vec::new();
        let mut rows = 0;
        let started = Instant::now();
        let more = loop {
            let next = next_batch(&mut self.inputs, &*self.log, &mut self.patience, &mut context)?;
            let Some((input, batch)) = next else { break false };
            rows += batch.len();
            if self.feeds.is_some() {
                self.time = self.time.max(arrow::compute::max(batch.rowtimes()?).unwrap_or(i64::MIN));
            }
            if self.merge {
                self.pipeline.process(input, batch, &mut context, &mut out)?;
            } else {
                self.pipeline.process_each(input, &batch, &mut context, &mut out)?;
            }
            self.write(&mut out, &mut context)?;
            let is_full = rows >= EPOCH_ROWS_MAX || self.written_bytes() >= EPOCH_BYTES_MAX;
            if is_full || started.elapsed() >= self.commit_interval {
                break true;
            }
        };
        self.pipeline.flush(&mut context, &mut out)?;
        self.write(&mut out, &mut context)?;
        self.account_for_state()?;
        self.commit(&mut context)?;
        self.shared.count(rows, &context);
        Ok(if more { Turn::Again } else { Turn::Idle })
    }

    /// Takes note of the memory that the states take. An epoch whose states do not fit is not committed: it is
    /// processed again once the query is started with more.
    fn account_for_state(&self) -> Result<()> {
        let bytes = self.pipeline.size_bytes();
        match self.account.set(bytes) {
            Err(_) if self.tables.make_room() => self.account.set(bytes),
            outcome => outcome,
        }
    }

    fn write(&mut self, out: &mut Vec<Batch>, context: &mut Context) -> Result<()> {
        for batch in out.drain(..) {
            self.shared.count_out(batch.len());
            self.sink.write(&batch, context)?;
        }
        for (outlet, batch) in self.pipeline.take_sent() {
            self.outlets.get_mut(outlet).map_or(Ok(()), |sink| sink.write(&batch, context))?;
        }
        Ok(())
    }

    /// How many bytes this epoch has written.
    fn written_bytes(&self) -> usize {
        self.sink.size_bytes() + self.outlets.iter().map(Sink::size_bytes).sum::<usize>()
    }

    /// Writes results, state changes and source offsets as one.
    fn commit(&mut self, context: &mut Context) -> Result<()> {
        let mut write = WriteBatch { batches: self.sink.finish()?, offsets: Vec::new() };
        for outlet in &mut self.outlets {
            write.batches.extend(outlet.finish()?);
        }
        let now_ms = self.log.now_ms();
        for changelog in &self.changelogs {
            let mut builder = BatchBuilder::new();
            self.pipeline
                .drain_state(changelog.operator, &mut |(key, value)| builder.push(now_ms, Some(key), value))?;
            if !builder.is_empty() {
                write.batches.push((changelog.partition.clone(), builder.finish()?));
            }
        }
        if let Some(batch) = self.processing_log.batch(&self.shared.id, context, now_ms)? {
            write.batches.push(batch);
        }
        let mut given_up = Vec::new();
        for input in &mut self.inputs {
            given_up.extend(input.give_up().map(|before| (input.partition.clone(), before)));
            if input.committed != input.position {
                input.committed = input.position;
                let (group, partition) = (self.group.clone(), input.partition.clone());
                write.offsets.push(GroupOffset::new(group, partition, input.position));
            }
        }
        if write.batches.is_empty() && write.offsets.is_empty() {
            return Ok(());
        }
        let positions: Vec<_> = write.offsets.iter().map(|offset| (offset.partition.clone(), offset.offset)).collect();
        let ticket = self.log.write(write)?;
        if let Some(feeds) = self.feeds.clone() {
            let progress = (self.partition, self.time);
            ticket.clone().on_complete(move |outcome| {
                if outcome.is_ok() {
                    feeds.arrived(&positions, progress);
                }
            });
        }
        self.in_flight.push_back(Commit { ticket, given_up });
        if self.in_flight.len() > COMMITS_IN_FLIGHT_MAX
            && let Some(oldest) = self.in_flight.pop_front()
        {
            self.finish(&oldest)?;
        }
        Ok(())
    }

    fn check_commits(&mut self) -> Result<()> {
        while self.in_flight.front().is_some_and(|commit| commit.ticket.poll().is_some())
            && let Some(oldest) = self.in_flight.pop_front()
        {
            self.finish(&oldest)?;
        }
        Ok(())
    }

    /// Waits for a commit, and deletes what it makes needless.
    fn finish(&self, commit: &Commit) -> Result<()> {
        commit.ticket.wait()?;
        for (partition, before) in &commit.given_up {
            // It only saves room: what could not be given up now goes with the next that is.
            let _ = self.log.delete_records(partition, *before);
        }
        Ok(())
    }

    /// Brings the operators back to the last commit: their changelogs, and tables that are kept from their topics up to the
    /// offsets that were committed.
    fn restore(&mut self) -> Result<()> {
        for changelog in &self.changelogs {
            restore_changelog(&*self.log, &mut self.pipeline, changelog)?;
        }
        let mut context = Context::default();
        for input in &mut self.inputs {
            if !self.pipeline.fills_table(input.input) {
                continue;
            }
            let end = input.position;
            input.rewind();
            while input.fill(&*self.log, Some(end), &mut context)? {
                if let Some(batch) = input.take() {
                    self.pipeline.refill(input.input, batch, &mut context)?;
                }
            }
        }
        Ok(())
    }
}

fn restore_changelog(log: &dyn Log, pipeline: &mut Pipeline, changelog: &Changelog) -> Result<()> {
    read_all(log, &changelog.partition, |batch| {
        let records = batch.iter().collect::<Result<Vec<_>, _>>()?;
        let entries: Vec<_> = records.iter().filter_map(|record| Some((record.key?, record.value))).collect();
        Ok(pipeline.restore_state(changelog.operator, &entries)?)
    })
}
