//! Push queries: results as they come, until somebody has had enough.

use std::sync::Arc;
use std::time::{Duration, Instant};

use millstream_exec::{Context, Leaf, Pipeline};
use millstream_log::{Log, TopicPartition};
use millstream_plan::{Node, Op, Output, Relation, check_nulls, plan_query};
use millstream_sql::Query;

use super::Engine;
use crate::input::Input;
use crate::memory::Account;
use crate::merge::next_batch;
use crate::patience::Patience;
use crate::rows::rows_of;
use crate::tail::{Reader, Tail};
use crate::{Result, Row, RowStream, Settings, Skipped, StreamEvent};

/// How long a busy query gathers updates of one key before it hands them on.
const EPOCH: Duration = Duration::from_millis(100);

struct PushQuery {
    log: Arc<dyn Log>,
    pipeline: Pipeline,
    /// The result's key columns: all that is shown of a row that is deleted.
    keys: Vec<usize>,
    /// A row without a value deletes from a table; in a stream it is none.
    is_table: bool,
    inputs: Vec<Input>,
    limit: Option<u64>,
    merge: bool,
    /// What the operators' states take of the memory.
    account: Account,
    total: i64,
}

impl Engine {
    pub(super) fn push(&self, query: &Query, settings: &Settings) -> Result<RowStream> {
        let catalog = self.state().catalog.clone();
        if settings.is_strict() {
            check_nulls(query)?;
        }
        let mut plan = plan_query(query, &catalog, Output::Push)?;
        settings.limit_functions(&mut plan.root);
        let columns = plan.columns.iter().map(|column| (column.name.clone(), column.ty.to_string())).collect();
        let from = query.from.name.name.clone();
        // By ksqlDB's names: one that reads the new rows of a query's results shares that query's work there.
        let is_scalable = !settings.from_earliest() && is_scan(&plan.root);
        let kind = if is_scalable { "SCALABLE_PUSH_QUERY" } else { "transient" };
        let (pipeline, leaves) = Pipeline::whole(&plan.root)?;
        let (mut inputs, mut tail) = (Vec::new(), Tail::new());
        let mut skipped: Option<Skipped> = None;
        for (at, leaf) in leaves.iter().enumerate() {
            let Leaf::Scan(node) = leaf else { continue };
            let Op::Scan { source, .. } = &node.op else { continue };
            for number in 0..source.partitions {
                let partition = TopicPartition::new(source.topic.as_str(), number);
                let (start, end) = self.log.offsets(&partition)?;
                // A table is all its rows, whatever a stream starts from.
                let from = if settings.from_earliest() || pipeline.reads_whole(at) { start } else { end };
                if from > start {
                    let source = source.name.clone();
                    skipped.get_or_insert(Skipped { source, records: 0 }).records += from - start;
                }
                tail.watch(&*self.log, &partition)?;
                inputs.push(Input::new(&*self.log, partition, at, leaf.decoder()?, from, None)?);
            }
        }
        let total = inputs.iter().map(|input| input.behind(&*self.log)).sum();
        let merge = settings.number("ksql.streams.cache.max.bytes.buffering") > 0;
        let is_table = plan.root.relation == Relation::Table;
        let mut query = PushQuery {
            log: Arc::clone(&self.log),
            pipeline,
            keys: shown_of_deleted(&plan.root),
            is_table,
            inputs,
            limit: plan.limit,
            merge,
            account: self.memory.account("a push query"),
            total,
        };
        let table_keys = is_table.then(|| plan.root.keys.clone());
        let mut stream = tail.start("a push query", columns, move |reader| query.until_done(reader))?;
        (stream.table_keys, stream.skipped) = (table_keys, skipped);
        stream.query_id = self.transient_id(kind, &from);
        Ok(stream)
    }
}

/// Whether a plan only filters and projects what a query has written.
fn is_scan(node: &Node) -> bool {
    match &node.op {
        Op::Scan { source, .. } => source.query.is_some(),
        Op::Filter { input, .. } | Op::Project { input, .. } => is_scan(input),
        _ => false,
    }
}

/// The columns that are shown of a row that is deleted: its key and the bounds of its window.
fn shown_of_deleted(root: &Node) -> Vec<usize> {
    let mut shown = root.keys.clone();
    if let Op::Project { exprs, .. } = &root.op {
        let is_bound = |name: &str| matches!(name.rsplit('.').next(), Some("WINDOWSTART" | "WINDOWEND"));
        let bounds = exprs.iter().enumerate().filter(|(_, expr)| {
            expr.column_refs().iter().any(|column| is_bound(&column.name)) && expr.column_refs().len() == 1
        });
        shown.extend(bounds.map(|(at, _)| at));
    }
    shown
}

impl PushQuery {
    fn until_done(&mut self, reader: &Reader) -> Result<()> {
        if self.limit == Some(0) {
            return Ok(());
        }
        while !reader.has_gone() {
            let (rows, more) = self.epoch(reader)?;
            if !self.send(rows, reader) {
                return Ok(());
            }
            let behind = self.inputs.iter().map(|input| input.behind(&*self.log)).sum();
            if !reader.hand_on(StreamEvent::Progress { behind, total: self.total }) {
                return Ok(());
            }
            if !more {
                reader.wait();
            }
        }
        Ok(())
    }

    fn epoch(&mut self, reader: &Reader) -> Result<(Vec<Row>, bool)> {
        let mut context = Context::default();
        let mut out = Vec::new();
        let started = Instant::now();
        let more = loop {
            let Some((input, batch)) =
                next_batch(&mut self.inputs, &*self.log, &mut Patience::default(), &mut context)?
            else {
                break false;
            };
            if self.merge {
                self.pipeline.process(input, batch, &mut context, &mut out)?;
            } else {
                self.pipeline.process_each(input, &batch, &mut context, &mut out)?;
            }
            if started.elapsed() >= EPOCH || reader.has_gone() || !out.is_empty() {
                break true;
            }
        };
        self.pipeline.flush(&mut context, &mut out)?;
        // Nobody restores a push query, so its changelog is only emptied.
        for (operator, _) in self.pipeline.stateful() {
            self.pipeline.drain_state(operator, &mut |_| {})?;
        }
        self.account.set(self.pipeline.size_bytes())?;
        let rows = out.iter().flat_map(|batch| rows_of(batch, &self.keys));
        Ok((rows.filter(|row| self.is_table || !row.is_deletion).collect(), more))
    }

    /// Hands rows on, up to the limit; false if there is nothing more to do.
    fn send(&mut self, mut rows: Vec<Row>, reader: &Reader) -> bool {
        if rows.is_empty() {
            return true;
        }
        if let Some(limit) = &mut self.limit {
            rows.truncate(usize::try_from(*limit).unwrap_or(usize::MAX));
            *limit -= rows.len() as u64;
        }
        reader.hand_on(StreamEvent::Rows(rows)) && self.limit != Some(0)
    }
}
