//! Push queries: results as they come, until somebody has had enough.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use millstream_exec::{Context, Leaf, Pipeline};
use millstream_log::{Log, TopicPartition, Watch};
use millstream_plan::{Op, Output, plan_query};
use millstream_sql::{Query, Value};

use super::Engine;
use crate::input::Input;
use crate::rows::rows_of;
use crate::task::next_batch;
use crate::{Error, Result, RowStream, Settings, StreamEvent};

/// So many events may wait for a slow reader before the query waits too.
const EVENTS_MAX: usize = 64;
/// How long a busy query gathers updates of one key before it hands them on.
const EPOCH: Duration = Duration::from_millis(100);

/// Wakes a query's thread when its topics grow or its reader has gone.
#[derive(Default)]
pub(super) struct Bell {
    /// Set by whoever rings, taken by the query's thread.
    rung: Mutex<bool>,
    ringing: Condvar,
}

impl Bell {
    pub(super) fn ring(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.ringing.notify_all();
    }

    pub(super) fn wait(&self) {
        let mut rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        while !*rung {
            rung = self.ringing.wait(rung).unwrap_or_else(PoisonError::into_inner);
        }
        *rung = false;
    }
}

struct PushQuery {
    log: Arc<dyn Log>,
    pipeline: Pipeline,
    /// The result's key columns: all that is shown of a row that is deleted.
    keys: Vec<usize>,
    inputs: Vec<Input>,
    limit: Option<u64>,
    merge: bool,
    events: SyncSender<StreamEvent>,
    bell: Arc<Bell>,
    cancelled: Arc<AtomicBool>,
    total: i64,
    _watches: Vec<Watch>,
}

impl Engine {
    pub(super) fn push(&self, query: &Query, settings: &Settings) -> Result<RowStream> {
        let catalog = self.state().catalog.clone();
        let plan = plan_query(query, &catalog, Output::Push)?;
        let columns = plan.columns.iter().map(|column| (column.name.clone(), column.ty.to_string())).collect();
        let (pipeline, leaves) = Pipeline::whole(&plan.root)?;
        let bell = Arc::new(Bell::default());
        let (mut inputs, mut watches) = (Vec::new(), Vec::new());
        for (at, leaf) in leaves.iter().enumerate() {
            let Leaf::Scan(node) = leaf else { continue };
            let Op::Scan { source, .. } = &node.op else { continue };
            for number in 0..source.partitions {
                let partition = TopicPartition::new(source.topic.as_str(), number);
                let (start, end) = self.log.offsets(&partition)?;
                // A table's rows of before are what a join looks up, whatever the stream starts from.
                let from = if settings.from_earliest() || pipeline.is_join_table(at) { start } else { end };
                let ringer = Arc::clone(&bell);
                watches.push(self.log.watch(&partition, Arc::new(move || ringer.ring()))?);
                inputs.push(Input::new(&*self.log, partition, at, leaf.decoder()?, from, None)?);
            }
        }
        let (events, receiver) = sync_channel(EVENTS_MAX);
        let cancelled = Arc::new(AtomicBool::new(false));
        let total = inputs.iter().map(|input| input.behind(&*self.log)).sum();
        let merge = settings.number("ksql.streams.cache.max.bytes.buffering") > 0;
        let query = PushQuery {
            log: Arc::clone(&self.log),
            pipeline,
            keys: plan.root.keys.clone(),
            inputs,
            limit: plan.limit,
            merge,
            events,
            bell: Arc::clone(&bell),
            cancelled: Arc::clone(&cancelled),
            total,
            _watches: watches,
        };
        let thread = std::thread::Builder::new().name("push-query".to_owned());
        thread.spawn(move || query.run()).map_err(|source| Error::Start { what: "a push query", source })?;
        Ok(RowStream::new(columns, receiver, cancelled, move || bell.ring()))
    }
}

impl PushQuery {
    fn run(mut self) {
        let event = match self.until_done() {
            Ok(()) => StreamEvent::End,
            Err(error) => StreamEvent::Failed(error.to_string()),
        };
        // The reader may have gone.
        let _ = self.events.send(event);
    }

    fn until_done(&mut self) -> Result<()> {
        if self.limit == Some(0) {
            return Ok(());
        }
        while !self.cancelled.load(Ordering::Acquire) {
            let (rows, more) = self.epoch()?;
            if !self.send(rows) {
                return Ok(());
            }
            let behind = self.inputs.iter().map(|input| input.behind(&*self.log)).sum();
            if !self.hand_on(StreamEvent::Progress { behind, total: self.total }) {
                return Ok(());
            }
            if !more {
                self.bell.wait();
            }
        }
        Ok(())
    }

    fn epoch(&mut self) -> Result<(Vec<Vec<Value>>, bool)> {
        let mut context = Context::default();
        let mut out = Vec::new();
        let started = Instant::now();
        let more = loop {
            let Some((input, batch)) = next_batch(&mut self.inputs, &*self.log, &mut context)? else { break false };
            if self.merge {
                self.pipeline.process(input, batch, &mut context, &mut out)?;
            } else {
                for row in 0..batch.len() {
                    let one = batch.take(&arrow::array::UInt32Array::from(vec![row as u32]))?;
                    self.pipeline.process(input, one, &mut context, &mut out)?;
                    self.pipeline.flush(&mut context, &mut out)?;
                }
            }
            if started.elapsed() >= EPOCH || self.cancelled.load(Ordering::Acquire) || !out.is_empty() {
                break true;
            }
        };
        self.pipeline.flush(&mut context, &mut out)?;
        // Nobody restores a push query, so its changelog is only emptied.
        for (operator, _) in self.pipeline.stateful() {
            self.pipeline.drain_state(operator, &mut |_| {})?;
        }
        let keys = &self.keys;
        Ok((out.iter().flat_map(|batch| rows_of(batch, keys)).collect(), more))
    }

    /// Hands rows on, up to the limit; false if there is nothing more to do.
    fn send(&mut self, mut rows: Vec<Vec<Value>>) -> bool {
        if rows.is_empty() {
            return true;
        }
        if let Some(limit) = &mut self.limit {
            rows.truncate(usize::try_from(*limit).unwrap_or(usize::MAX));
            *limit -= rows.len() as u64;
        }
        self.hand_on(StreamEvent::Rows(rows)) && self.limit != Some(0)
    }

    /// False if the reader has gone.
    fn hand_on(&self, event: StreamEvent) -> bool {
        !self.cancelled.load(Ordering::Acquire) && self.events.send(event).is_ok()
    }
}
