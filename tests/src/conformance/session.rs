//! A fresh engine for a case, and the queries on it driven record by record.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use millstream_log::Log;
use millstream_plan::Source;
use millstream_runtime::{Engine, EngineOptions, Error, QueryStatus, Response, Settings};
use millstream_sql::{Statement, Value, parse_statement, split_statements};

use super::case::{Case, Record};
use super::case_log::CaseLog;
use super::codec;

/// What every case is run under; its own properties come on top.
const SETTINGS: [(&str, &str); 3] = [
    ("auto.offset.reset", "earliest"),
    ("ksql.streams.cache.max.bytes.buffering", "0"),
    ("millstream.dialect.strict", "true"),
];

/// The number of partitions of topics that a case of `rest` says nothing of; some of its results show it.
const REST_PARTITIONS: i32 = 4;

/// How records come to queries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    /// One after another, all in partition 0; topics with inputs are read from these and nothing else.
    RecordByRecord,
    /// All at once, each in the partition of its key.
    InBulk,
}

/// An engine on a log of its own.
pub(crate) struct Session {
    pub(crate) log: Arc<CaseLog>,
    pub(crate) engine: Engine,
    settings: Settings,
    /// Every source that has been there, the earlier one first; dropped ones stay, for their topics.
    sources: Vec<Arc<Source>>,
    /// The ids of the persistent queries in the order of their creation.
    queries: Vec<String>,
    /// The number of partitions of topics that nothing is said of.
    partitions: i32,
}

/// The single statements of a case.
pub(crate) fn statements(case: &Case) -> Vec<&str> {
    case.statements.iter().flat_map(|text| split_statements(text)).map(|piece| piece.text).collect()
}

impl Session {
    /// Opens an engine that has the case's topics and settings.
    pub(crate) fn open(case: &Case, flow: Flow) -> Result<Self, String> {
        let (inputs, default_partitions) = match flow {
            Flow::RecordByRecord => (Some(case.inputs.iter().map(|record| record.topic.clone()).collect()), 1),
            Flow::InBulk => (None, REST_PARTITIONS),
        };
        let log = CaseLog::open(inputs).map_err(|error| error.to_string())?;
        let log = Arc::new(log);
        for (topic, partitions) in &case.topics {
            log.ensure_topic(topic, partitions.unwrap_or(default_partitions)).map_err(|error| error.to_string())?;
        }
        let mut settings = Settings::default();
        for (name, value) in SETTINGS {
            settings.set(name, value).map_err(|error| error.to_string())?;
        }
        for (name, value) in &case.properties {
            // Some are settings of another harness, and a case fails by itself if one that counts is not known.
            let _ = settings.set(name, value);
        }
        let options = EngineOptions { threads: 0, ..EngineOptions::default() };
        let engine = Engine::open(Arc::clone(&log) as Arc<dyn Log>, &options).map_err(|error| error.to_string())?;
        Ok(Self { log, engine, settings, sources: Vec::new(), queries: Vec::new(), partitions: default_partitions })
    }

    /// Runs one statement. The topic that it declares a source over is there before.
    pub(crate) fn execute(&mut self, text: &str) -> Result<Response, Error> {
        if let Ok(Statement::CreateSource(create)) = parse_statement(text)
            && let Some(Value::String(topic)) = create.with.get("KAFKA_TOPIC").map(|property| &property.value)
            && create.with.get("PARTITIONS").is_none()
        {
            // A name that no topic can have is for the statement to be refused for.
            let _ = self.log.ensure_topic(topic, self.partitions);
        }
        let response = self.engine.execute(text, &mut self.settings)?;
        self.take_note();
        Ok(response)
    }

    /// Takes note of sources and queries that are new.
    fn take_note(&mut self) {
        for source in self.engine.catalog().sources() {
            match self.sources.iter_mut().find(|known| known.name == source.name) {
                Some(known) => known.clone_from(source),
                None => self.sources.push(Arc::clone(source)),
            }
        }
        for query in self.engine.queries() {
            if !self.queries.contains(&query.id) {
                self.queries.push(query.id);
            }
        }
    }

    /// The stream or table over a topic, the one that was there first.
    pub(crate) fn source_over(&self, topic: &str) -> Option<&Arc<Source>> {
        self.sources.iter().find(|source| source.topic == topic)
    }

    /// Appends inputs to their topics.
    pub(crate) fn produce<'a>(&self, inputs: impl IntoIterator<Item = &'a Record>) -> Result<(), String> {
        for input in inputs {
            let (record, inner_length) = codec::encode(input, self.source_over(&input.topic).map(Arc::as_ref));
            let inner_key = record.key.as_ref().and_then(|key| key.get(..inner_length));
            let appended = self
                .log
                .ensure_topic(&input.topic, self.partitions)
                .and_then(|()| self.log.append_input(&input.topic, &record, inner_key));
            appended.map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Runs every query in the order of creation, each to the end of its topics: first the inputs in their
    /// order, then what earlier queries wrote, one record at a time.
    ///
    /// # Errors
    /// Why a query has failed.
    pub(crate) fn run_record_by_record(&self, inputs: &[Record]) -> Result<(), String> {
        for id in &self.queries {
            let topics: BTreeSet<String> = self.engine.topics_read(id).into_iter().collect();
            for topic in &topics {
                self.log.show(topic, Some(0));
            }
            let mut shown: BTreeMap<&str, i64> = BTreeMap::new();
            let ours = inputs.iter().filter(|input| topics.contains(&input.topic));
            for topic in ours.map(|input| input.topic.as_str()) {
                let end = shown.entry(topic).or_default();
                *end += 1;
                self.log.show(topic, Some(*end));
                self.run(id)?;
            }
            for topic in topics.iter().filter(|topic| !shown.contains_key(topic.as_str())) {
                // What the query itself adds meanwhile does not count.
                for end in 1..=self.log.len(topic) {
                    self.log.show(topic, Some(end));
                    self.run(id)?;
                }
            }
            for topic in &topics {
                self.log.show(topic, None);
            }
        }
        Ok(())
    }

    /// Runs every query until it has read all there is.
    ///
    /// # Errors
    /// Why a query has failed.
    pub(crate) fn catch_up(&self) -> Result<(), String> {
        self.queries.iter().try_for_each(|id| self.run(id))
    }

    fn run(&self, id: &str) -> Result<(), String> {
        match self.engine.run_until_idle(id) {
            Some(QueryStatus::Error(reason)) => Err(reason),
            _ => Ok(()),
        }
    }
}
