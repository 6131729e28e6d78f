//! The engine in this process, as the shell's session.

use std::sync::Arc;
use std::time::Duration;

use millstream_function::registry;
use millstream_log::{EmbeddedLog, Log, LogOptions};
use millstream_runtime::{Engine, EngineOptions, Error, Response, RowStream, Settings, StreamEvent};
use millstream_shell::{Event, Outcome, RowSource, Session, Table};
use millstream_sql::Names;

use crate::arguments::Arguments;
use crate::failure::{Failure, Result};

/// Opens the log in the data directory.
pub(crate) fn open_log(arguments: &Arguments) -> Result<EmbeddedLog> {
    EmbeddedLog::open(LogOptions::on_disk(&arguments.data)).map_err(|error| Failure::unavailable(error.to_string()))
}

/// An engine with the settings of one user.
pub(crate) struct EmbeddedSession {
    engine: Engine,
    settings: Settings,
}

impl EmbeddedSession {
    pub(crate) fn open(arguments: &Arguments) -> Result<Self> {
        let log: Arc<dyn Log> = Arc::new(open_log(arguments)?);
        let engine = Engine::open(log, &EngineOptions::default());
        let engine = engine.map_err(|error| Failure::unavailable(error.to_string()))?;
        Ok(Self { engine, settings: Settings::default() })
    }
}

impl Session for EmbeddedSession {
    fn execute(&mut self, statement: &str) -> std::result::Result<Outcome, millstream_shell::Failure> {
        match self.engine.execute(statement, &mut self.settings) {
            Ok(Response::Message(message)) => Ok(Outcome::Message(message)),
            Ok(Response::Rows(rows)) => Ok(Outcome::Table(Table { columns: rows.columns, rows: rows.rows })),
            Ok(Response::Stream(stream)) => Ok(Outcome::Stream(Box::new(Rows(stream)))),
            Err(Error::Statement(diagnostic)) => {
                Err(millstream_shell::Failure { text: diagnostic.render(statement.trim()) })
            }
            Err(error) => Err(millstream_shell::Failure { text: format!("error: {error}") }),
        }
    }

    fn names(&self) -> Names {
        let sources = self.engine.sources().into_iter();
        let functions = registry().names().into_iter();
        let topics = self.engine.log().topics().unwrap_or_default();
        Names {
            sources: sources.map(|source| (source.name, source.kind.to_owned(), source.columns)).collect(),
            topics: topics.iter().filter(|topic| !topic.name.starts_with('_')).map(|t| t.name.to_string()).collect(),
            functions: functions.map(|name| (name, "function".to_owned())).collect(),
            queries: self.engine.queries().into_iter().map(|query| query.id).collect(),
            settings: self.settings.all().map(|(name, value, ..)| (name.to_owned(), value.to_owned())).collect(),
        }
    }
}

struct Rows(RowStream);

impl RowSource for Rows {
    fn columns(&self) -> &[(String, String)] {
        &self.0.columns
    }

    fn next(&mut self, timeout: Duration) -> Event {
        match self.0.next(timeout) {
            StreamEvent::Rows(rows) => Event::Rows(rows),
            StreamEvent::Progress { behind, total } => Event::Progress { behind, total },
            StreamEvent::End => Event::End,
            StreamEvent::Failed(reason) => Event::Failed(reason),
            StreamEvent::Idle => Event::Idle,
        }
    }
}
