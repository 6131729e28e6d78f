//! A persistent query: its tasks and what is known of them.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use millstream_exec::{Context, Leaf, Pipeline, SinkEncoder};
use millstream_log::{GroupOffset, Log, TopicPartition, TopicSpec, WriteBatch};
use millstream_plan::{Node, Op, QueryPlan, Source};

use crate::feeder::{Feeder, connect};
use crate::input::Input;
use crate::lanes::Lanes;
use crate::materialized::Tables;
use crate::memory::Memory;
use crate::names;
use crate::patience::Patience;
use crate::pool::{Handle, Pool};
use crate::processing_log::ProcessingLog;
use crate::sink::Sink;
use crate::stage::{Stage, is_one_way, lanes_of, stages, width};
use crate::task::{Changelog, Task};
use crate::timer::Timer;
use crate::{PartitionLag, Result, Settings};

/// What a query does at the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueryStatus {
    /// It processes what comes.
    Running,
    /// It waits to be resumed.
    Paused,
    /// It has stopped, for this reason.
    Error(String),
}

/// What a query's tasks and its statement share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) id: String,
    /// Changed by statements, and by a task that fails; read by tasks before each epoch.
    status: Mutex<QueryStatus>,
    pub(crate) rows_in: AtomicU64,
    pub(crate) rows_out: AtomicU64,
    pub(crate) errors: AtomicU64,
    pub(crate) late: AtomicU64,
}

impl Shared {
    fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            status: Mutex::new(QueryStatus::Running),
            rows_in: AtomicU64::new(0),
            rows_out: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            late: AtomicU64::new(0),
        }
    }

    pub(crate) fn status(&self) -> QueryStatus {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_status(&self, status: QueryStatus) {
        *self.status.lock().unwrap_or_else(PoisonError::into_inner) = status;
    }

    /// Goes from one status to another; false if it was in neither.
    fn change_status(&self, from: &QueryStatus, to: QueryStatus) -> bool {
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = *status == *from;
        if fits {
            *status = to;
        }
        fits
    }

    pub(crate) fn fail(&self, reason: &str) {
        self.set_status(QueryStatus::Error(reason.to_owned()));
    }

    pub(crate) fn count(&self, rows: usize, context: &Context) {
        self.rows_in.fetch_add(rows as u64, Ordering::Relaxed);
        self.errors.fetch_add(context.error_count, Ordering::Relaxed);
        self.late.fetch_add(context.late_count, Ordering::Relaxed);
    }

    pub(crate) fn count_out(&self, rows: usize) {
        self.rows_out.fetch_add(rows as u64, Ordering::Relaxed);
    }
}

/// A query that runs until it is terminated.
pub(crate) struct PersistentQuery {
    pub(crate) shared: Arc<Shared>,
    pub(crate) statement: String,
    pub(crate) plan: QueryPlan,
    /// The settings that it was created under.
    pub(crate) settings: Settings,
    pub(crate) handles: Vec<Arc<Handle>>,
    /// Topics that are of no use without the query.
    internal_topics: Vec<String>,
    group: String,
    /// What its tasks read, to tell how far they are behind.
    reads: Vec<TopicPartition>,
}

/// What it takes to start a query.
pub(crate) struct Launch<'a> {
    pub(crate) log: &'a Arc<dyn Log>,
    pub(crate) pool: &'a Pool,
    pub(crate) processing_log: &'a ProcessingLog,
    pub(crate) memory: &'a Memory,
    pub(crate) timer: &'a Arc<Timer>,
    pub(crate) tables: &'a Arc<Tables>,
    pub(crate) service_id: &'a str,
    pub(crate) settings: &'a Settings,
}

impl Launch<'_> {
    fn ensure_topic(&self, spec: &TopicSpec) -> Result<()> {
        match self.log.create_topic(spec) {
            Ok(_) | Err(millstream_log::Error::TopicExists(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Starts the tasks of a query, from its committed offsets if it has any.
    pub(crate) fn start(
        &self,
        id: &str,
        statement: &str,
        plan: QueryPlan,
        sink: &Source,
        status: QueryStatus,
    ) -> Result<PersistentQuery> {
        let mut query = PersistentQuery::dormant(id, statement, plan, self.settings, self.service_id);
        query.shared.set_status(status);
        let plan = query.plan.clone();
        let stages = stages(&plan.root);
        let topic_of = |node: &Node| {
            let number = stages.iter().position(|stage| stage.passes_through(node)).unwrap_or_default();
            let name = match &node.op {
                Op::Subscriptions { .. } => names::subscription_topic,
                Op::Repartition { to: Some(_), .. } => names::answer_topic,
                _ => names::repartition_topic,
            };
            name(self.service_id, id, number)
        };
        for node in stages.iter().flat_map(|stage| stage.repartition.into_iter().chain(stage.root.outlets())) {
            let topic = topic_of(node);
            let partitions = node.layout().0 * lanes_of(node).count();
            self.ensure_topic(&TopicSpec::new(topic.clone(), partitions).kept_for_ever().in_small_segments())?;
            query.internal_topics.push(topic);
        }
        // Everything that can fail comes before the first task runs.
        let mut tasks = Vec::new();
        let mut feeders = Vec::new();
        for (number, stage) in stages.iter().enumerate() {
            let first = tasks.len();
            self.make_tasks(&mut query, number, stage, sink, &topic_of, &mut tasks)?;
            // Who asks and who answers would wait for each other.
            if let Some(node) = stage.repartition.filter(|node| is_one_way(node)) {
                feeders.push(Feeder { topic: topic_of(node), lanes: lanes_of(node), tasks: first..tasks.len() });
            }
        }
        connect(&feeders, &mut tasks);
        self.commit_first_offsets(&query.group, &tasks)?;
        for (handle, task) in tasks {
            handle.start(Box::new(task));
            query.handles.push(handle);
        }
        Ok(query)
    }

    /// Writes down where the tasks start: after a crash before their first commit they must not start
    /// at what is then the end.
    fn commit_first_offsets(&self, group: &str, tasks: &[(Arc<Handle>, Task)]) -> Result<()> {
        let mut offsets = Vec::new();
        for input in tasks.iter().flat_map(|(_, task)| &task.inputs) {
            if self.log.group_offset(group, &input.partition)?.is_none() {
                let (group, partition) = (group.to_owned(), input.partition.clone());
                offsets.push(GroupOffset::new(group, partition, input.position));
            }
        }
        if !offsets.is_empty() {
            self.log.write(WriteBatch { batches: Vec::new(), offsets })?.wait()?;
        }
        Ok(())
    }

    fn make_tasks(
        &self,
        query: &mut PersistentQuery,
        number: usize,
        stage: &Stage<'_>,
        sink: &Source,
        topic_of: &dyn Fn(&Node) -> String,
        tasks: &mut Vec<(Arc<Handle>, Task)>,
    ) -> Result<()> {
        let leaf_topic = |leaf: &Leaf<'_>| match leaf {
            Leaf::Scan(node) => match &node.op {
                Op::Scan { source, .. } => (source.topic.clone(), source.partitions, Lanes::ONE),
                _ => (String::new(), 0, Lanes::ONE),
            },
            Leaf::Repartition(node) => (topic_of(node), node.layout().0, lanes_of(node)),
        };
        let (mut pipeline, leaves) = Pipeline::new(stage.root)?;
        let topics: Vec<(String, i32, Lanes)> = leaves.iter().map(leaf_topic).collect();
        let partitions = width(stage.root);
        let mut changelog_topics = Vec::new();
        for (operator, name) in pipeline.stateful() {
            let topic = names::changelog_topic(self.service_id, &query.shared.id, number, &name);
            self.ensure_topic(&TopicSpec::new(topic.clone(), partitions).compacted())?;
            query.internal_topics.push(topic.clone());
            changelog_topics.push((operator, topic));
        }
        for partition in 0..partitions {
            // Every task has operators of its own.
            let (pipeline, leaves) = Pipeline::new(stage.root)?;
            let handle = self.pool.handle();
            let mut inputs = Vec::new();
            for (at, (leaf, (topic, count, lanes))) in leaves.iter().zip(&topics).enumerate() {
                let lanes = (0..lanes.count()).map(|lane| lanes.partition(partition, lane));
                for number in lanes.filter(|_| partition < *count) {
                    let from = TopicPartition::new(topic.as_str(), number);
                    let whole = matches!(leaf, Leaf::Repartition(_)) || pipeline.reads_whole(at);
                    let position = self.position(&query.group, &from, whole)?;
                    query.reads.push(from.clone());
                    let mut input = Input::new(&**self.log, from, at, leaf.decoder()?, position, Some(&handle))?;
                    input.is_ours = matches!(leaf, Leaf::Repartition(_)) && !pipeline.fills_table(at);
                    inputs.push(input);
                }
            }
            let changelogs = changelog_topics.iter().map(|(operator, topic)| Changelog {
                operator: *operator,
                partition: TopicPartition::new(topic.as_str(), partition),
            });
            let task = Task {
                shared: Arc::clone(&query.shared),
                log: Arc::clone(self.log),
                pipeline,
                inputs,
                sink: self.sink(stage, sink, query.plan.keeps_null_keys, topic_of, partition)?,
                outlets: outlets(stage.root, topic_of, partition)?,
                partition,
                changelogs: changelogs.collect(),
                processing_log: self.processing_log.clone(),
                account: self.memory.account(&format!("query {}", query.shared.id)),
                tables: Arc::clone(self.tables),
                group: query.group.clone(),
                commit_interval: Duration::from_millis(self.settings.number("commit.interval.ms")),
                merge: self.settings.number("ksql.streams.cache.max.bytes.buffering") > 0,
                patience: Patience::new(self.settings.signed("max.task.idle.ms"), self.timer, &handle),
                feeds: None,
                time: i64::MIN,
                restored: false,
                in_flight: VecDeque::new(),
            };
            tasks.push((handle, task));
        }
        Ok(())
    }

    fn sink(
        &self,
        stage: &Stage<'_>,
        sink: &Source,
        keeps_null_keys: bool,
        topic_of: &dyn Fn(&Node) -> String,
        home: i32,
    ) -> Result<Sink> {
        match stage.repartition {
            Some(node) => {
                let Op::Repartition { partitions, key_format, to, .. } = node.op else {
                    return Err(millstream_exec::Error::Internal("a stage ends in no repartition".to_owned()).into());
                };
                let encoder = SinkEncoder::internal(&stage.root.schema, &node.keys, key_format)?;
                let layout = (partitions, lanes_of(node));
                Ok(Sink::in_lanes(&topic_of(node), layout, encoder, home).directed_by(to))
            }
            None => {
                let schema = &stage.root.schema;
                let encoder = SinkEncoder::new(sink, schema, &stage.root.keys)?;
                let encoder = encoder.of_query(sink, schema, keeps_null_keys)?;
                Ok(Sink::new(&sink.topic, sink.partitions, encoder, home))
            }
        }
    }

    /// Where a query starts to read a partition; `whole`: a new one starts at the beginning in any case.
    fn position(&self, group: &str, partition: &TopicPartition, whole: bool) -> Result<i64> {
        if let Some(offset) = self.log.group_offset(group, partition)? {
            return Ok(offset);
        }
        let (start, end) = self.log.offsets(partition)?;
        Ok(if whole || self.settings.from_earliest() { start } else { end })
    }
}

/// What writes the internal topics of a stage's operators.
fn outlets(root: &Node, topic_of: &dyn Fn(&Node) -> String, home: i32) -> Result<Vec<Sink>> {
    let outlet = |node: &Node| {
        let (partitions, key_format) = node.layout();
        let encoder = SinkEncoder::internal(&node.schema, &node.keys, key_format)?;
        Ok(Sink::new(&topic_of(node), partitions, encoder, home))
    };
    root.outlets().into_iter().map(outlet).collect()
}

impl PersistentQuery {
    /// A query without tasks.
    pub(crate) fn dormant(id: &str, statement: &str, plan: QueryPlan, settings: &Settings, service_id: &str) -> Self {
        let mut plan = plan;
        settings.limit_functions(&mut plan.root);
        Self {
            shared: Arc::new(Shared::new(id)),
            statement: statement.to_owned(),
            plan,
            settings: settings.clone(),
            handles: Vec::new(),
            internal_topics: Vec::new(),
            group: names::group(service_id, id),
            reads: Vec::new(),
        }
    }

    /// How many records its tasks have still to read.
    pub(crate) fn lag(&self, log: &dyn Log) -> i64 {
        self.partition_lags(log).map(|lag| (lag.end - lag.position).max(0)).sum()
    }

    /// How far it is in each partition that it reads.
    pub(crate) fn partition_lags<'q>(&'q self, log: &'q dyn Log) -> impl Iterator<Item = PartitionLag> + 'q {
        self.reads.iter().filter_map(move |partition| {
            let (start, end) = log.offsets(partition).ok()?;
            let position = log.group_offset(&self.group, partition).ok()?.unwrap_or(start);
            let (query, topic) = (self.shared.id.clone(), partition.topic.to_string());
            Some(PartitionLag { query, topic, partition: partition.partition, position, end })
        })
    }

    pub(crate) fn pause(&self) {
        self.shared.change_status(&QueryStatus::Running, QueryStatus::Paused);
    }

    pub(crate) fn resume(&self) {
        if self.shared.change_status(&QueryStatus::Paused, QueryStatus::Running) {
            self.handles.iter().for_each(Handle::wake);
        }
    }

    /// Ends the tasks after the epochs that they may be in.
    pub(crate) fn stop(&self) {
        self.handles.iter().for_each(|handle| handle.stop());
    }

    /// Removes what is of no use without the query.
    pub(crate) fn clean_up(&self, log: &dyn Log) -> Result<()> {
        log.delete_group(&self.group)?;
        self.internal_topics.iter().try_for_each(|topic| delete_if_there(log, topic))
    }

    /// The same for a query that was not started: what it has kept is known by its name.
    pub(crate) fn clean_up_topics(&self, log: &dyn Log, prefix: &str) -> Result<()> {
        log.delete_group(&self.group)?;
        let topics = log.topics()?;
        topics
            .iter()
            .filter(|topic| topic.name.starts_with(prefix))
            .try_for_each(|topic| delete_if_there(log, &topic.name))
    }
}

pub(crate) fn delete_if_there(log: &dyn Log, topic: &str) -> Result<()> {
    match log.delete_topic(topic) {
        Ok(()) | Err(millstream_log::Error::UnknownTopic(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
