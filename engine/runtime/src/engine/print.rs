//! `PRINT`: a topic's records as they are.

use std::sync::Arc;

use millstream_log::{Isolation, Log, TopicPartition};
use millstream_sql::ast::Print;
use millstream_sql::{Diagnostic, Value};

use super::Engine;
use crate::tail::{Reader, Tail};
use crate::{Result, Row, RowStream, StreamEvent};

const FETCH_BYTES: usize = 256 << 10;

struct Printer {
    log: Arc<dyn Log>,
    positions: Vec<(TopicPartition, i64)>,
    interval: u64,
    limit: Option<u64>,
    seen: u64,
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
        let (mut positions, mut tail) = (Vec::new(), Tail::new());
        for partition in topic.topic_partitions() {
            let (start, end) = self.log.offsets(&partition)?;
            tail.watch(&*self.log, &partition)?;
            positions.push((partition, if print.from_beginning { start } else { end }));
        }
        let mut printer =
            Printer { log: Arc::clone(&self.log), positions, interval: print.interval, limit: print.limit, seen: 0 };
        let columns = ["rowtime", "partition", "offset", "key", "value"];
        let types = ["TIMESTAMP", "INTEGER", "BIGINT", "STRING", "STRING"];
        let columns = columns.iter().zip(types).map(|(name, ty)| ((*name).to_owned(), ty.to_owned())).collect();
        tail.start("PRINT", columns, move |reader| printer.until_done(reader))
    }
}

impl Printer {
    fn until_done(&mut self, reader: &Reader) -> Result<()> {
        while !reader.has_gone() && self.limit != Some(0) {
            let before: i64 = self.positions.iter().map(|(_, position)| position).sum();
            let rows = self.next_rows()?;
            if rows.is_empty() {
                if before == self.positions.iter().map(|(_, position)| position).sum::<i64>() {
                    reader.wait();
                }
                continue;
            }
            if !reader.hand_on(StreamEvent::Rows(rows.into_iter().map(Row::from).collect())) || self.limit == Some(0) {
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
                for record in batch?.iter() {
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
            *position = fetched.next_offset;
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
