//! The engine in this process, as the shell's session.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use millstream_broker::Listener;
use millstream_function::registry;
use millstream_log::{EmbeddedLog, Log, LogOptions};
use millstream_runtime::{Engine, EngineOptions, Error, Response, RowStream, Settings, StreamEvent};
use millstream_shell::{Event, Outcome, Row, RowSource, Session, Table};
use millstream_sql::{Names, Value};

use crate::arguments::Arguments;
use crate::demo::Demo;
use crate::failure::{Failure, Result};
use crate::kafka::{self, Unasked};
use crate::memory;
use crate::place::listeners_file;

/// Opens the log in the data directory.
pub(crate) fn open_log(arguments: &Arguments) -> millstream_log::Result<EmbeddedLog> {
    // The log keeps a file of every partition open, and the usual soft limit is 1024. Where more is not allowed, what
    // cannot be opened says so.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let log = EmbeddedLog::open(LogOptions::on_disk(&arguments.data))?;
    // A program that was killed has left it there.
    let _ = std::fs::remove_file(listeners_file(&arguments.data));
    Ok(log)
}

/// An engine with the settings of one user.
pub(crate) struct EmbeddedSession {
    // These end before the engine does.
    listener: Option<Listener>,
    demo: Option<Demo>,
    engine: Engine,
    log: Arc<EmbeddedLog>,
    settings: Settings,
    data: PathBuf,
}

impl EmbeddedSession {
    pub(crate) fn open(arguments: &Arguments, unasked: Unasked) -> Result<Self> {
        let unavailable = |error: millstream_log::Error| Failure::unavailable(error.to_string());
        let embedded = Arc::new(open_log(arguments).map_err(unavailable)?);
        let log: Arc<dyn Log> = Arc::<EmbeddedLog>::clone(&embedded);
        let spill_directory = arguments.data.join("spill");
        // What a program that was killed has left there is of no use to anybody.
        let _ = std::fs::remove_dir_all(&spill_directory);
        let options = EngineOptions {
            memory_bytes_max: arguments.memory_max.or_else(memory::default_bytes_max),
            spill_directory: Some(spill_directory),
            ..EngineOptions::default()
        };
        let engine = Engine::open(log, &options);
        let engine = engine.map_err(|error| Failure::unavailable(error.to_string()))?;
        // Clients come last: what they write is read at once.
        let listener = kafka::listen(arguments, &embedded, unasked)?;
        if let Some(listener) = &listener {
            let addresses: String = listener.addresses().iter().map(|address| format!("{address}\n")).collect();
            let path = listeners_file(&arguments.data);
            let failed = |error| Failure::unavailable(format!("cannot write {}: {error}", path.display()));
            // Whoever reads it reads all of it.
            let unfinished = path.with_extension("new");
            std::fs::write(&unfinished, addresses).map_err(failed)?;
            std::fs::rename(&unfinished, &path).map_err(failed)?;
        }
        let (settings, data) = (Settings::default(), arguments.data.clone());
        Ok(Self { listener, demo: None, engine, log: embedded, settings, data })
    }
}

impl EmbeddedSession {
    /// Where Kafka clients can connect.
    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        self.listener.as_ref().map(Listener::addresses).unwrap_or_default()
    }

    /// Where the records are.
    pub(crate) fn log(&self) -> &EmbeddedLog {
        &self.log
    }
}

impl Session for EmbeddedSession {
    fn execute(&mut self, statement: &str) -> std::result::Result<Outcome, millstream_shell::Failure> {
        match self.engine.execute(statement, &mut self.settings) {
            Ok(Response::Message(message)) => Ok(Outcome::Message(message)),
            Ok(Response::Rows(rows)) => Ok(Outcome::Table(Table { columns: rows.columns, rows: rows.rows })),
            Ok(Response::Stream(stream)) => Ok(Outcome::Stream(Box::new(Rows(stream)))),
            Err(Error::Statement(diagnostic)) => Err(millstream_shell::Failure::Statement(diagnostic)),
            Err(error) => Err(millstream_shell::Failure::Other(error.to_string())),
        }
    }

    fn names(&self) -> Names {
        let sources = self.engine.sources().into_iter();
        let functions = registry()
            .documentation()
            .into_iter()
            .map(|function| (function.name.to_owned(), function.signatures().into_iter().next().unwrap_or_default()));
        let topics = self.engine.log().topics().unwrap_or_default();
        Names {
            sources: sources.map(|source| (source.name, source.kind.to_owned(), source.columns)).collect(),
            topics: topics.iter().filter(|topic| is_users(&topic.name)).map(|t| t.name.to_string()).collect(),
            functions: functions.collect(),
            queries: self.engine.queries().into_iter().map(|query| query.id).collect(),
            settings: self.settings.all().map(|(name, value, ..)| (name.to_owned(), value.to_owned())).collect(),
        }
    }

    fn lag(&self) -> Table {
        let columns = [("query", "STRING"), ("topic", "STRING"), ("partition", "INT"), ("read to", "BIGINT")];
        let columns = columns.into_iter().chain([("end", "BIGINT"), ("behind", "BIGINT")]);
        let row = |lag: millstream_runtime::PartitionLag| {
            vec![
                Value::String(lag.query),
                Value::String(lag.topic),
                Value::Integer(lag.partition.into()),
                Value::Integer(lag.position),
                Value::Integer(lag.end),
                Value::Integer(lag.end - lag.position),
            ]
        };
        Table {
            columns: columns.map(|(name, ty)| (name.to_owned(), ty.to_owned())).collect(),
            rows: self.engine.lag().into_iter().map(row).collect(),
        }
    }

    fn place(&self) -> String {
        format!("the embedded log in {}", self.data.display())
    }

    fn demo(&mut self, run: bool) -> std::result::Result<(), String> {
        self.demo = None;
        if run {
            let demo = Demo::start(Arc::clone(self.engine.log()));
            self.demo = Some(demo.map_err(|error| error.to_string())?);
        }
        Ok(())
    }
}

/// Whether a topic is neither the log's nor the engine's own.
pub(crate) fn is_users(topic: &str) -> bool {
    !topic.starts_with('_') && !topic.ends_with("ksql_processing_log")
}

struct Rows(RowStream);

impl RowSource for Rows {
    fn columns(&self) -> &[(String, String)] {
        &self.0.columns
    }

    fn is_bounded(&self) -> bool {
        self.0.is_bounded
    }

    fn table_keys(&self) -> Option<&[usize]> {
        self.0.table_keys.as_deref()
    }

    fn skipped(&self) -> Option<(&str, i64)> {
        self.0.skipped.as_ref().map(|skipped| (skipped.source.as_str(), skipped.records))
    }

    fn next(&mut self, timeout: Duration) -> Event {
        let row = |row: millstream_runtime::Row| Row { cells: row.cells, is_deletion: row.is_deletion };
        match self.0.next(timeout) {
            StreamEvent::Rows(rows) => Event::Rows(rows.into_iter().map(row).collect()),
            StreamEvent::Progress { behind, total } => Event::Progress { behind, total },
            StreamEvent::End => Event::End,
            StreamEvent::Failed(reason) => Event::Failed(reason),
            StreamEvent::Idle => Event::Idle,
        }
    }
}
