//! Statements in, results out.

mod assert;
mod change;
mod describe;
mod drive;
mod insert;
mod print;
mod pull;
mod push;
mod replace;
mod replay;
mod show;
mod topic;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use millstream_log::Log;
use millstream_plan::{Catalog, Defaults, Output, explain, plan_query, plan_source};
use millstream_sql::ast::Explain;
use millstream_sql::{Diagnostic, Statement, parse_statement};

use crate::command::CommandLog;
use crate::materialized::Tables;
use crate::memory::Memory;
use crate::pool::Pool;
use crate::processing_log::{self, ProcessingLog};
use crate::query::{Launch, PersistentQuery, QueryStatus};
use crate::timer::Timer;
use crate::{Result, RowSet, RowStream, Settings};

/// How to start an engine.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// What internal topics' names start with.
    pub service_id: String,
    /// The number of compute threads; by default one a core. With none, queries run only when they are
    /// driven by hand ([`Engine::run_until_idle`]).
    pub threads: usize,
    /// How many bytes all queries together may keep; `None`: no limit.
    pub memory_bytes_max: Option<usize>,
    /// Where batch queries write what does not fit in memory; `None`: the system's directory for such files.
    pub spill_directory: Option<PathBuf>,
}

impl Default for EngineOptions {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self { service_id: "default_".to_owned(), threads, memory_bytes_max: None, spill_directory: None }
    }
}

/// What a statement gives.
#[derive(Debug)]
pub enum Response {
    /// It was done.
    Message(String),
    /// A result that is whole.
    Rows(RowSet),
    /// A result that comes bit by bit, and may go on for ever.
    Stream(RowStream),
}

/// A stream or table, for completion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceInfo {
    /// Its name.
    pub name: String,
    /// Stream or table.
    pub kind: &'static str,
    /// Its columns: name and type.
    pub columns: Vec<(String, String)>,
}

/// A persistent query as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryInfo {
    /// Its id.
    pub id: String,
    /// What it does.
    pub status: QueryStatus,
    /// The stream or table that it writes.
    pub sink: String,
    /// How many records it has still to read.
    pub lag: i64,
    /// How many rows it has read since it was started.
    pub rows_in: u64,
    /// The statement.
    pub statement: String,
}

/// How far a persistent query has read a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionLag {
    /// The query's id.
    pub query: String,
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset of the first record that is not read yet.
    pub position: i64,
    /// The offset behind the last record.
    pub end: i64,
}

/// The engine over a log.
pub struct Engine {
    log: Arc<dyn Log>,
    /// Changed by one statement at a time, which holds it from planning to the end.
    state: Mutex<State>,
    commands: CommandLog,
    processing_log: ProcessingLog,
    memory: Memory,
    timer: Arc<Timer>,
    tables: Arc<Tables>,
    service_id: String,
    /// Numbers the queries that somebody waits for.
    transient: AtomicU64,
    // Dropped last: its threads run the tasks of the queries above.
    pool: Pool,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("service_id", &self.service_id).finish_non_exhaustive()
    }
}

#[derive(Default)]
struct State {
    catalog: Catalog,
    queries: BTreeMap<String, PersistentQuery>,
}

impl Engine {
    /// Starts the engine: replays the command log and goes on with every query that was running.
    ///
    /// # Errors
    /// If the log or a command of it cannot be read.
    pub fn open(log: Arc<dyn Log>, options: &EngineOptions) -> Result<Self> {
        let memory = Memory::new(options.memory_bytes_max, options.spill_directory.as_deref())?;
        let engine = Self {
            commands: CommandLog::open(Arc::clone(&log), &options.service_id)?,
            processing_log: ProcessingLog::open(&*log)?,
            log,
            state: Mutex::default(),
            tables: Arc::new(Tables::new(memory.clone())),
            memory,
            timer: Arc::default(),
            service_id: options.service_id.clone(),
            transient: AtomicU64::default(),
            pool: Pool::start(options.threads)?,
        };
        engine.define_processing_log()?;
        engine.replay()?;
        Ok(engine)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The log beneath.
    #[must_use]
    pub fn log(&self) -> &Arc<dyn Log> {
        &self.log
    }

    fn define_processing_log(&self) -> Result<()> {
        if let Statement::CreateSource(create) = parse_statement(processing_log::STATEMENT)? {
            let mut state = self.state();
            let mut source = plan_source(&create, &state.catalog, &Defaults::default(), processing_log::STATEMENT)?;
            source.partitions = 1;
            source.read_only = true;
            state.catalog.insert(Arc::new(source));
        }
        Ok(())
    }

    /// An id for a query that somebody waits for.
    fn transient_id(&self, kind: &str, source: &str) -> String {
        format!("{kind}_{source}_{}", self.transient.fetch_add(1, Ordering::Relaxed))
    }

    fn launch<'a>(&'a self, settings: &'a Settings) -> Launch<'a> {
        Launch {
            log: &self.log,
            pool: &self.pool,
            processing_log: &self.processing_log,
            memory: &self.memory,
            timer: &self.timer,
            tables: &self.tables,
            service_id: &self.service_id,
            settings,
        }
    }

    /// Runs one statement.
    ///
    /// # Errors
    /// A diagnostic if the statement is wrong; else what the log or an operator refused.
    pub fn execute(&self, text: &str, settings: &mut Settings) -> Result<Response> {
        let text = text.trim().trim_end_matches(';').trim_end();
        let statement = parse_statement(text)?;
        match &statement {
            Statement::Query(query) if query.emit.is_some() => self.push(query, settings).map(Response::Stream),
            Statement::Query(query) => {
                pull::strict::check(query, &self.state().catalog, settings)?;
                self.pull(text, None).map(Response::Stream)
            }
            Statement::BatchQuery { reason, .. } if settings.is_strict() => Err(reason.clone().into()),
            Statement::BatchQuery { text, reason } => self.pull(text, Some(reason)).map(Response::Stream),
            Statement::InsertValues(insert) => self.insert_values(insert).map(Response::Message),
            Statement::Show(what) => self.show(what, settings).map(Response::Rows),
            Statement::Describe(what) => self.describe(what).map(Response::Rows),
            Statement::Explain(what) => self.explain(what).map(Response::Message),
            Statement::Assert(assert) => self.assert(assert, settings).map(Response::Message),
            Statement::Print(print) => self.print(print).map(Response::Stream),
            Statement::Set { name, value } => Ok(Response::Message(match settings.set(name, value)? {
                None => format!("setting '{name}' is now '{value}'"),
                Some(why) => format!("setting '{name}' changes nothing: {why}"),
            })),
            Statement::Unset { name } => {
                settings.unset(name)?;
                Ok(Response::Message(format!("setting '{name}' has its default again")))
            }
            Statement::Define { .. } | Statement::Undefine { .. } | Statement::RunScript { .. } => {
                let diagnostic = Diagnostic::new("E0303", "this statement belongs to the shell");
                Err(diagnostic.help("type it in the shell, or run the file with -f").into())
            }
            _ => self.change(&statement, text, settings).map(Response::Message),
        }
    }

    fn explain(&self, what: &Explain) -> Result<String> {
        let state = self.state();
        match what {
            Explain::Query(id) => {
                let query = state.query(id)?;
                Ok(format!("{}\n\n{}", query.statement, explain(&query.plan.root)))
            }
            Explain::Statement { statement, .. } => {
                let query = match &**statement {
                    Statement::Query(query) => query,
                    Statement::CreateAs(create) => &create.query,
                    Statement::InsertInto(insert) => &insert.query,
                    _ => {
                        let diagnostic = Diagnostic::new("E0304", "only queries have a plan to explain");
                        return Err(diagnostic.help("EXPLAIN SELECT …, or EXPLAIN and a query's id").into());
                    }
                };
                let plan = plan_query(query, &state.catalog, Output::Push)?;
                Ok(explain(&plan.root))
            }
        }
    }

    /// All streams and tables, for completion.
    #[must_use]
    pub fn sources(&self) -> Vec<SourceInfo> {
        let state = self.state();
        let info = |source: &Arc<millstream_plan::Source>| SourceInfo {
            name: source.name.clone(),
            kind: source.noun(),
            columns: source.readable().map(|column| (column.name.clone(), column.ty.to_string())).collect(),
        };
        state.catalog.sources().map(info).collect()
    }

    /// How far every persistent query is, partition by partition.
    #[must_use]
    pub fn lag(&self) -> Vec<PartitionLag> {
        self.state().queries.values().flat_map(|query| query.partition_lags(&*self.log)).collect()
    }

    /// All persistent queries.
    #[must_use]
    pub fn queries(&self) -> Vec<QueryInfo> {
        let state = self.state();
        let info = |(id, query): (&String, &PersistentQuery)| QueryInfo {
            id: id.clone(),
            status: query.shared.status(),
            sink: query.plan.sink.as_ref().map(|sink| sink.name.clone()).unwrap_or_default(),
            lag: query.lag(&*self.log),
            rows_in: query.shared.rows_in.load(Ordering::Relaxed),
            statement: query.statement.clone(),
        };
        state.queries.iter().map(info).collect()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // Tasks hold the log; they must be gone before it can be closed.
        for query in self.state().queries.values() {
            query.stop();
        }
    }
}
