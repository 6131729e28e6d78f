//! `PRINT`: a topic's records as they are.

use std::sync::Arc;

use millstream_log::{Isolation, Log, TopicPartition};
use millstream_sql::ast::{Print, PrintFrom};
use millstream_sql::{Diagnostic, Value};

use super::Engine;
use crate::tail::{Reader, Tail};
use crate::{Result, Row, RowStream, Skipped, StreamEvent};

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
        let (mut positions, mut tail, mut earlier) = (Vec::new(), Tail::new(), 0);
        for partition in topic.topic_partitions() {
            let (start, end) = self.log.offsets(&partition)?;
            tail.watch(&*self.log, &partition)?;
            let from = match print.from {
                PrintFrom::Beginning => start,
                PrintFrom::End => end,
                PrintFrom::Offset(offset) => offset.clamp(start, end),
                PrintFrom::Last(count) => end.saturating_sub(count).max(start),
            };
            earlier += from.min(end) - start;
            positions.push((partition, from));
        }
        let mut printer =
            Printer { log: Arc::clone(&self.log), positions, interval: print.interval, limit: print.limit, seen: 0 };
        let columns = ["rowtime", "partition", "offset", "key", "value"];
        let types = ["TIMESTAMP", "INTEGER", "BIGINT", "STRING", "STRING"];
        let columns = columns.iter().zip(types).map(|(name, ty)| ((*name).to_owned(), ty.to_owned())).collect();
        let mut stream = tail.start("PRINT", columns, move |reader| printer.until_done(reader))?;
        stream.skipped = (earlier > 0).then(|| Skipped { source: print.topic.name.clone(), records: earlier });
        Ok(stream)
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

/// Text as it is; four and eight other bytes as the integer that format KAFKA writes so; else in hexadecimal.
fn show(bytes: Option<&[u8]>) -> Value {
    let Some(bytes) = bytes else { return Value::Null };
    if let Some(text) = std::str::from_utf8(bytes).ok().filter(|text| !text.chars().any(is_unprintable)) {
        return Value::String(text.to_owned());
    }
    let int = <[u8; 4]>::try_from(bytes).map(i32::from_be_bytes).map(i64::from);
    let number = int.or_else(|_| <[u8; 8]>::try_from(bytes).map(i64::from_be_bytes));
    Value::String(match number {
        Ok(number) => number.to_string(),
        Err(_) => bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect(),
    })
}

fn is_unprintable(c: char) -> bool {
    c.is_control() && !c.is_whitespace()
}
