//! A query that runs over a history as a task runs it.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use millstream_exec::{Context, Leaf, Pipeline};
use millstream_plan::{Catalog, Defaults, Op, Output, QueryPlan, Relation, plan_query, plan_source};
use millstream_sql::{Statement, parse_statement};

use super::change::{Change, changes};
use super::history::{Cut, Step};
use super::row::{Row, Source, WINDOW_MS, batch};

/// How many entries of a changelog are restored at once.
const RESTORED_AT_ONCE: usize = 7;

/// A planned query over the streams `s`, `l` and `r`, the tables `d`, `e` and `f`, and the windowed tables `wd` and
/// `we`, all of the same columns.
pub(super) struct Query {
    plan: QueryPlan,
    inputs: Vec<Source>,
}

/// The rows of an epoch and what came of them.
pub(super) struct Epoch {
    pub(super) rows: Vec<Row>,
    pub(super) results: Vec<Change>,
}

/// What came of a history.
pub(super) struct Run {
    pub(super) epochs: Vec<Epoch>,
    /// How many keys the changelog of each stateful operator holds in the end, from the query's last
    /// operator to its first; that of the stream's time does not count.
    pub(super) kept: Vec<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Updates {
    Merged,
    Each,
}

/// A changelog: keys with their values, in the order in which they were written.
type Changelog = Vec<(Vec<u8>, Option<Vec<u8>>)>;

impl Query {
    pub(super) fn new(sql: &str) -> Self {
        let mut catalog = Catalog::default();
        let windowed = format!(", WINDOW_TYPE = 'TUMBLING', WINDOW_SIZE = '{WINDOW_MS} MILLISECONDS'");
        let streams = ["s", "l", "r"].map(|name| (name, "STREAM", "KEY", ""));
        let tables = ["d", "e", "f"].map(|name| (name, "TABLE", "PRIMARY KEY", ""));
        let windowed = ["wd", "we"].map(|name| (name, "TABLE", "PRIMARY KEY", windowed.as_str()));
        for (name, kind, key, window) in streams.into_iter().chain(tables).chain(windowed) {
            let create = format!(
                "CREATE {kind} {name} (k STRING {key}, v INT, t STRING) \
                 WITH (KAFKA_TOPIC = '{name}', VALUE_FORMAT = 'JSON'{window})"
            );
            let Statement::CreateSource(source) = parse_statement(&create).unwrap() else { panic!("{create}") };
            let mut source = plan_source(&source, &catalog, &Defaults::default(), &create).unwrap();
            source.partitions = 1;
            catalog.insert(Arc::new(source));
        }
        let query = match parse_statement(sql) {
            Ok(Statement::Query(query)) => query,
            Ok(other) => panic!("{sql}: {other:?}"),
            Err(error) => panic!("{}", error.render(sql)),
        };
        let plan = plan_query(&query, &catalog, Output::Push).unwrap_or_else(|error| panic!("{}", error.render(sql)));
        let (_, leaves) = Pipeline::whole(&plan.root).unwrap();
        let source = |leaf: &Leaf<'_>| match leaf {
            Leaf::Scan(node) if matches!(node.op, Op::Scan { .. }) => {
                Source { schema: SchemaRef::clone(&node.schema), is_windowed: node.source_window().is_some() }
            }
            _ => panic!("{sql}: a leaf is no scan"),
        };
        let inputs = leaves.iter().map(source).collect();
        Self { plan, inputs }
    }

    /// The number of its sources.
    pub(super) fn inputs(&self) -> usize {
        self.inputs.len()
    }

    /// Whether its results are a table's changes, of which the last of a key counts.
    pub(super) fn is_table(&self) -> bool {
        self.plan.root.relation == Relation::Table
    }

    /// Runs over a history; the updates of one key within an epoch are merged into one.
    pub(super) fn run(&self, history: &[Step]) -> Run {
        Task::new(self, Updates::Merged).run(history)
    }

    /// Runs over a history; every row's updates are handed on.
    pub(super) fn run_each(&self, history: &[Step]) -> Run {
        Task::new(self, Updates::Each).run(history)
    }

    fn pipeline(&self) -> Pipeline {
        Pipeline::whole(&self.plan.root).unwrap().0
    }
}

struct Task<'a> {
    query: &'a Query,
    updates: Updates,
    pipeline: Pipeline,
    changelogs: BTreeMap<usize, Changelog>,
    /// Rows of the sources whose topics are read again after a restart.
    table_rows: Vec<Row>,
    epoch: Epoch,
}

impl<'a> Task<'a> {
    fn new(query: &'a Query, updates: Updates) -> Self {
        let epoch = Epoch { rows: Vec::new(), results: Vec::new() };
        let pipeline = query.pipeline();
        Self { query, updates, pipeline, changelogs: BTreeMap::new(), table_rows: Vec::new(), epoch }
    }

    fn run(mut self, history: &[Step]) -> Run {
        let mut epochs = Vec::new();
        // A batch ends where a cut says so, and where the next row comes from another source.
        for steps in history.chunk_by(|a, b| a.cut == Cut::None && a.row.input == b.row.input) {
            let rows: Vec<Row> = steps.iter().map(|step| step.row.clone()).collect();
            self.process(&rows);
            self.epoch.rows.extend(rows);
            let cut = steps.last().unwrap().cut;
            if cut >= Cut::Epoch {
                epochs.push(self.flush());
            }
            if cut >= Cut::Commit {
                self.commit();
            }
            if cut >= Cut::Restart {
                self.restart(cut == Cut::RestartFromCompacted);
            }
        }
        epochs.push(self.flush());
        self.commit();
        let live = |changelog: &Changelog| compacted(changelog).iter().filter(|(key, _)| !key.is_empty()).count();
        Run { epochs, kept: self.changelogs.values().map(live).collect() }
    }

    fn process(&mut self, rows: &[Row]) {
        let input = rows[0].input;
        let batch = batch(rows, &self.query.inputs[input]);
        let (mut context, mut out) = (Context::default(), Vec::new());
        match self.updates {
            Updates::Merged => self.pipeline.process(input, batch, &mut context, &mut out).unwrap(),
            Updates::Each => self.pipeline.process_each(input, &batch, &mut context, &mut out).unwrap(),
        }
        assert_eq!(context.errors, [], "a row failed");
        self.take(&out);
        if self.pipeline.fills_table(input) {
            self.table_rows.extend_from_slice(rows);
        }
    }

    fn flush(&mut self) -> Epoch {
        let mut out = Vec::new();
        self.pipeline.flush(&mut Context::default(), &mut out).unwrap();
        self.take(&out);
        std::mem::replace(&mut self.epoch, Epoch { rows: Vec::new(), results: Vec::new() })
    }

    fn take(&mut self, out: &[millstream_exec::Batch]) {
        let keys = &self.query.plan.root.keys;
        self.epoch.results.extend(out.iter().flat_map(|batch| changes(batch, keys)));
    }

    fn commit(&mut self) {
        for (operator, name) in self.pipeline.stateful() {
            let mut drained = BTreeMap::new();
            let changelog = self.changelogs.entry(operator).or_default();
            let mut write = |(key, value): (&[u8], Option<&[u8]>)| {
                let before = drained.insert(key.to_vec(), ());
                assert!(before.is_none(), "{name} drains a key twice at once");
                changelog.push((key.to_vec(), value.map(<[u8]>::to_vec)));
            };
            self.pipeline.drain_state(operator, &mut write).unwrap();
        }
    }

    fn restart(&mut self, from_compacted: bool) {
        self.pipeline = self.query.pipeline();
        for (operator, changelog) in &self.changelogs {
            let changelog = if from_compacted { compacted(changelog) } else { changelog.clone() };
            for entries in changelog.chunks(RESTORED_AT_ONCE) {
                let entries: Vec<_> = entries.iter().map(|(key, value)| (key.as_slice(), value.as_deref())).collect();
                self.pipeline.restore_state(*operator, &entries).unwrap();
            }
        }
        for rows in self.table_rows.chunk_by(|a, b| a.input == b.input) {
            let input = rows[0].input;
            let batch = batch(rows, &self.query.inputs[input]);
            self.pipeline.refill(input, batch, &mut Context::default()).unwrap();
        }
    }
}

/// The newest entry of each key, in the order of the changelog; deletions are gone as well.
fn compacted(changelog: &Changelog) -> Changelog {
    let newest: BTreeMap<&[u8], usize> =
        changelog.iter().enumerate().map(|(at, (key, _))| (key.as_slice(), at)).collect();
    let is_newest =
        |(at, (key, value)): &(usize, &(Vec<u8>, Option<Vec<u8>>))| newest[key.as_slice()] == *at && value.is_some();
    changelog.iter().enumerate().filter(is_newest).map(|(_, entry)| entry.clone()).collect()
}
