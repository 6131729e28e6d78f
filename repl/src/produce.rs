//! `millstream produce`: lines to records.

use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal, Read, Write};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use millstream_log::record::BatchBuilder;
use millstream_log::{TopicPartition, partition_for_key};
use millstream_sql::Value;
use serde_json::{Map, Value as Json};

use crate::arguments::{Arguments, LineFormat, Produce};
use crate::failure::{Failure, Result};
use crate::place::{self, Place};

const BATCH_BYTES: usize = 256 << 10;
/// How often the progress is shown.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

struct Record {
    key: Option<String>,
    value: Vec<u8>,
    timestamp_ms: Option<i64>,
}

pub(crate) fn run(arguments: &Arguments, produce: &Produce) -> Result<u8> {
    let mut place = place::open(arguments, produce.bootstrap_server.as_deref())?;
    let mut writer = Writer::open(&mut *place, produce)?;
    let (source, size) = open(produce)?;
    let mut lines = BufReader::with_capacity(1 << 20, source);
    let mut progress = Progress::new(size);
    let outcome = write_lines(&mut lines, produce, &mut writer, &mut progress);
    // What was read before an error is in the topic, unless that is where the error lies.
    let finished = writer.finish();
    let count = writer.count;
    finished.map_err(|failure| Failure {
        message: format!("{}\nhelp: of {count} lines that were read some may be in the topic", failure.message),
        ..failure
    })?;
    outcome?;
    progress.end(count, &produce.topic)?;
    Ok(0)
}

fn write_lines(
    lines: &mut BufReader<Box<dyn Read>>,
    produce: &Produce,
    writer: &mut Writer<'_>,
    progress: &mut Progress,
) -> Result<()> {
    let header = if produce.format == LineFormat::Csv { read_header(lines)? } else { Vec::new() };
    let mut line = Vec::new();
    let mut number = usize::from(!header.is_empty());
    loop {
        if lines.buffer().is_empty() {
            // The next line may be long in coming.
            writer.send_all()?;
        }
        line.clear();
        let read = lines.read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(());
        }
        number += 1;
        while line.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
            line.pop();
        }
        if line.is_empty() {
            continue;
        }
        let record = parse(&line, produce, &header).map_err(|reason| {
            Failure::new(format!("line {number}: {reason}\nhelp: the lines before it are in the topic"))
        })?;
        writer.add(&record)?;
        progress.add(read, writer.count)?;
    }
}

fn open(produce: &Produce) -> Result<(Box<dyn Read>, Option<u64>)> {
    match &produce.file {
        Some(path) if path.as_os_str() != "-" => {
            let failed = |error| Failure::usage(format!("cannot read {}: {error}", path.display()));
            let file = File::open(path).map_err(failed)?;
            let size = file.metadata().map_err(failed)?.len();
            Ok((Box::new(file), Some(size)))
        }
        _ => Ok((Box::new(std::io::stdin()), None)),
    }
}

/// Spreads records over partitions.
struct Writer<'a> {
    place: &'a mut dyn Place,
    partitions: Vec<(TopicPartition, BatchBuilder)>,
    count: u64,
    next_partition: usize,
}

impl<'a> Writer<'a> {
    fn open(place: &'a mut dyn Place, produce: &Produce) -> Result<Self> {
        let topic = match place.topic(&produce.topic)? {
            Some(topic) => topic,
            None => place.create(&produce.topic, produce.partitions.unwrap_or(1))?,
        };
        if produce.partitions.is_some_and(|count| count != topic.partitions) {
            let message = format!("topic \"{}\" has {} partitions", topic.name, topic.partitions);
            return Err(Failure::usage(format!("{message}\nhelp: leave --partitions out")));
        }
        let partitions = topic.topic_partitions().map(|partition| (partition, BatchBuilder::new())).collect();
        Ok(Self { place, partitions, count: 0, next_partition: 0 })
    }

    fn add(&mut self, record: &Record) -> Result<()> {
        let count = self.partitions.len();
        let at = match &record.key {
            Some(key) => partition_for_key(key.as_bytes(), count as i32) as usize,
            None => self.next_partition,
        };
        // No batch becomes larger than it is to be for a line that would fit into one of its own.
        let size_bytes = record.value.len() + record.key.as_ref().map_or(0, String::len);
        if self.partitions.get(at).is_some_and(|(_, builder)| builder.size_bytes() + size_bytes > BATCH_BYTES) {
            self.send(at)?;
        }
        let timestamp_ms = record.timestamp_ms.unwrap_or_else(now_ms);
        if let Some((_, builder)) = self.partitions.get_mut(at) {
            builder.push(timestamp_ms, record.key.as_ref().map(String::as_bytes), Some(&record.value));
            self.count += 1;
            if builder.size_bytes() >= BATCH_BYTES {
                self.next_partition = (at + 1) % count;
                self.send(at)?;
            }
        }
        Ok(())
    }

    fn send(&mut self, at: usize) -> Result<()> {
        let Some((partition, builder)) = self.partitions.get_mut(at) else { return Ok(()) };
        if builder.is_empty() {
            return Ok(());
        }
        let batch = std::mem::replace(builder, BatchBuilder::new()).finish()?;
        self.place.append(partition, batch)
    }

    fn send_all(&mut self) -> Result<()> {
        (0..self.partitions.len()).try_for_each(|at| self.send(at))
    }

    /// Waits until everything is on disk.
    fn finish(&mut self) -> Result<()> {
        self.send_all()?;
        self.place.settle()
    }
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

fn parse(line: &[u8], produce: &Produce, header: &[String]) -> std::result::Result<Record, String> {
    if produce.format == LineFormat::Raw {
        if produce.key.is_some() || produce.timestamp.is_some() {
            return Err("--key and --timestamp need --format json or csv".to_owned());
        }
        return Ok(Record { key: None, value: line.to_vec(), timestamp_ms: None });
    }
    let (object, value) = if produce.format == LineFormat::Json {
        if produce.key.is_none() && produce.timestamp.is_none() {
            serde_json::from_slice::<serde::de::IgnoredAny>(line)
                .map_err(|error| format!("not valid JSON: {error}"))?;
            return Ok(Record { key: None, value: line.to_vec(), timestamp_ms: None });
        }
        let object: Map<String, Json> =
            serde_json::from_slice(line).map_err(|error| format!("not a JSON object: {error}"))?;
        (object, line.to_vec())
    } else {
        let object = csv_object(line, header)?;
        let value = serde_json::to_vec(&object).map_err(|error| error.to_string())?;
        (object, value)
    };
    let field = |name: &String| object.get(name).ok_or_else(|| format!("there is no field \"{name}\""));
    let key = match produce.key.as_ref().map(field).transpose()? {
        None | Some(Json::Null) => None,
        Some(Json::String(text)) => Some(text.clone()),
        Some(other) => Some(other.to_string()),
    };
    let timestamp_ms = match produce.timestamp.as_ref().map(field).transpose()? {
        None | Some(Json::Null) => None,
        Some(time) => Some(time_ms(time).ok_or_else(|| format!("{time} is no time"))?),
    };
    Ok(Record { key, value, timestamp_ms })
}

fn time_ms(time: &Json) -> Option<i64> {
    match time {
        Json::Number(number) => number.as_i64(),
        Json::String(text) => text.parse().ok().or_else(|| millstream_runtime::parse_time(text)),
        _ => None,
    }
    .filter(|ms| *ms >= 0)
}

fn read_header(lines: &mut impl BufRead) -> Result<Vec<String>> {
    let mut header = String::new();
    lines.read_line(&mut header)?;
    split_csv(header.trim_end().trim_start_matches('\u{feff}'))
        .map_err(|reason| Failure::new(format!("line 1: {reason}")))
}

/// A line of values as an object: numbers as numbers, `NA` and nothing as null.
fn csv_object(line: &[u8], header: &[String]) -> std::result::Result<Map<String, Json>, String> {
    let line = std::str::from_utf8(line).map_err(|_| "not UTF-8".to_owned())?;
    let values = split_csv(line)?;
    if values.len() != header.len() {
        return Err(format!("expected {} values as in the header, found {}", header.len(), values.len()));
    }
    let value = |text: &String| match text.as_str() {
        "" | "NA" => Json::Null,
        text => match serde_json::from_str::<serde_json::Number>(text) {
            Ok(number) => Json::Number(number),
            Err(_) => Json::String(text.to_owned()),
        },
    };
    Ok(header.iter().zip(&values).map(|(name, text)| (name.clone(), value(text))).collect())
}

/// The values of a line with their quotes taken off (RFC 4180).
fn split_csv(line: &str) -> std::result::Result<Vec<String>, String> {
    let mut values = Vec::new();
    let mut chars = line.chars().peekable();
    loop {
        let mut value = String::new();
        if chars.next_if_eq(&'"').is_some() {
            loop {
                match chars.next() {
                    Some('"') if chars.next_if_eq(&'"').is_some() => value.push('"'),
                    Some('"') => break,
                    Some(c) => value.push(c),
                    None => return Err("a quote is never closed".to_owned()),
                }
            }
        } else {
            while let Some(c) = chars.next_if(|c| *c != ',') {
                value.push(c);
            }
        }
        values.push(value);
        match chars.next() {
            Some(',') => {}
            None => return Ok(values),
            Some(c) => return Err(format!("expected a comma behind a closing quote, found {c:?}")),
        }
    }
}

/// A bar on the terminal's error output, nothing elsewhere.
struct Progress {
    size: Option<u64>,
    read: u64,
    started: Instant,
    shown: Option<Instant>,
    is_terminal: bool,
}

impl Progress {
    fn new(size: Option<u64>) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        Self { size, read: 0, started: Instant::now(), shown: None, is_terminal }
    }

    fn add(&mut self, bytes: usize, count: u64) -> Result<()> {
        self.read += bytes as u64;
        if !self.is_terminal || self.shown.is_some_and(|shown| shown.elapsed() < PROGRESS_EVERY) {
            return Ok(());
        }
        self.shown = Some(Instant::now());
        let mut out = std::io::stderr().lock();
        match self.size.filter(|size| *size > 0) {
            Some(size) => {
                let done = (self.read * 30 / size).min(30) as usize;
                let percent = self.read * 100 / size;
                write!(
                    out,
                    "\r\x1b[K[{}{}] {percent:>3} % · {count} records",
                    "#".repeat(done),
                    " ".repeat(30 - done)
                )?;
            }
            None => write!(out, "\r\x1b[K{count} records")?,
        }
        Ok(out.flush()?)
    }

    fn end(&self, count: u64, topic: &str) -> Result<()> {
        let seconds = self.started.elapsed().as_secs_f64();
        let rate = Value::Integer((count as f64 / seconds.max(1e-9)) as i64);
        let clear = if self.is_terminal { "\r\x1b[K" } else { "" };
        writeln!(std::io::stderr(), "{clear}{count} records to topic {topic} in {seconds:.2} s ({rate} a second)")?;
        Ok(())
    }
}
