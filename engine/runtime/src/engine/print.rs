//! `PRINT`: a topic's records as they are.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};

use millstream_log::record::BatchReader;
use millstream_log::{Isolation, Log, TopicPartition, Watch};
use millstream_sql::ast::Print;
use millstream_sql::{Diagnostic, Value};

use super::Engine;
use super::push::Bell;
use crate::{Error, Result, RowStream, StreamEvent};

const EVENTS_MAX: usize = 64;
const FETCH_BYTES: usize = 256 << 10;

struct Printer {
    log: Arc<dyn Log>,
    positions: Vec<(TopicPartition, i64)>,
    interval: u64,
    limit: Option<u64>,
    seen: u64,
    events: SyncSender<StreamEvent>,
    bell: Arc<Bell>,
    cancelled: Arc<AtomicBool>,
    _watches: Vec<Watch>,
}

impl Engine {
    pub(super) fn print(&self, print: &Print) -> Result<RowStream> {
        let Some(topic) = self.log.topic(&print.topic.name)? else {
            let names: Vec<String> = self.log.topics()?.iter().map(|topic| topic.name.to_string()).collect();
            let diagnostic = Diagnostic::new("E0340", format!("topic \"{}\" does not exist", print.topic.name));
            let mut diagnostic = diagnostic.at(print.topic.span, "not found").suggest(&print.topic.name, &names);
            if diagnostic.help.is_none() {
                diagnostic.help = Some("SHOW TOPICS lists the topics there are".to_owned());
            }
            return Err(diagnostic.into());
        };
        let bell = Arc::new(Bell::default());
        let (mut positions, mut watches) = (Vec::new(), Vec::new());
        for partition in topic.topic_partitions() {
            let (start, end) = self.log.offsets(&partition)?;
            let ringer = Arc::clone(&bell);
            watches.push(self.log.watch(&partition, Arc::new(move || ringer.ring()))?);
            positions.push((partition, if print.from_beginning { start } else { end }));
        }
        let (events, receiver) = sync_channel(EVENTS_MAX);
        let cancelled = Arc::new(AtomicBool::new(false));
        let printer = Printer {
            log: Arc::clone(&self.log),
            positions,
            interval: print.interval,
            limit: print.limit,
            seen: 0,
            events,
            bell: Arc::clone(&bell),
            cancelled: Arc::clone(&cancelled),
            _watches: watches,
        };
        let thread = std::thread::Builder::new().name("print".to_owned());
        thread.spawn(move || printer.run()).map_err(|source| Error::Start { what: "PRINT", source })?;
        let columns = ["rowtime", "partition", "offset", "key", "value"];
        let types = ["TIMESTAMP", "INTEGER", "BIGINT", "STRING", "STRING"];
        let columns = columns.iter().zip(types).map(|(name, ty)| ((*name).to_owned(), ty.to_owned())).collect();
        Ok(RowStream::new(columns, receiver, cancelled, move || bell.ring()))
    }
}

impl Printer {
    fn run(mut self) {
        let event = match self.until_done() {
            Ok(()) => StreamEvent::End,
            Err(error) => StreamEvent::Failed(error.to_string()),
        };
        // The reader may have gone.
        let _ = self.events.send(event);
    }

    fn until_done(&mut self) -> Result<()> {
        while !self.cancelled.load(Ordering::Acquire) && self.limit != Some(0) {
            let before: i64 = self.positions.iter().map(|(_, position)| position).sum();
            let rows = self.next_rows()?;
            if rows.is_empty() {
                if before == self.positions.iter().map(|(_, position)| position).sum::<i64>() {
                    self.bell.wait();
                }
                continue;
            }
            if self.events.send(StreamEvent::Rows(rows)).is_err() || self.limit == Some(0) {
                return Ok(());
            }
        }
        Ok(())
    }

    fn next_rows(&mut self) -> Result<Vec<Vec<Value>>> {
        let mut rows = Vec::new();
        for (partition, position) in &mut self.positions {
            let fetched = self.log.fetch(partition, *position, FETCH_BYTES, Isolation::ReadCommitted)?;
            for batch in fetched.batches() {
                for record in BatchReader::new(batch?)?.iter() {
                    let record = record?;
                    if record.offset < *position || self.limit == Some(0) {
                        continue;
                    }
                    self.seen += 1;
                    if (self.seen - 1).is_multiple_of(self.interval) {
                        if let Some(limit) = &mut self.limit {
                            *limit -= 1;
                        }
                        rows.push(vec![
                            Value::Timestamp(record.timestamp_ms),
                            Value::Integer(partition.partition.into()),
                            Value::Integer(record.offset),
                            show(record.key),
                            show(record.value),
                        ]);
                    }
                }
            }
            *position = fetched.next_offset(*position);
        }
        Ok(rows)
    }
}

/// Text as it is; other bytes in hexadecimal.
fn show(bytes: Option<&[u8]>) -> Value {
    let Some(bytes) = bytes else { return Value::Null };
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(|c| c.is_control() && !c.is_whitespace()) => Value::String(text.to_owned()),
        _ => Value::String(bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect()),
    }
}
