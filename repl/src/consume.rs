//! `millstream consume`.

use std::io::Write;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use millstream_log::{EmbeddedLog, GroupOffset, Isolation, Log, TopicPartition, Watch, WriteBatch};

use crate::arguments::{Arguments, Consume};
use crate::embedded::open_log;
use crate::failure::{Failure, Result};

const FETCH_BYTES: usize = 1 << 20;

struct Reader {
    partition: TopicPartition,
    position: i64,
    end: i64,
    _watch: Watch,
}

pub(crate) fn run(arguments: &Arguments, consume: &Consume) -> Result<u8> {
    let log = open_log(arguments)?;
    let (wake, woken) = channel();
    let mut readers = readers(&log, consume, &wake)?;
    let mut left = consume.max_messages.unwrap_or(u64::MAX);
    while left > 0 {
        let before = left;
        for reader in &mut readers {
            left = print(&log, reader, consume, left)?;
        }
        let done = readers.iter().all(|reader| reader.position >= reader.end);
        if consume.exit_at_end && done {
            break;
        }
        if left == before && !wait(&woken) {
            break;
        }
    }
    Ok(0)
}

fn wait(woken: &Receiver<()>) -> bool {
    let alive = woken.recv().is_ok();
    while woken.try_recv().is_ok() {}
    alive
}

fn readers(log: &EmbeddedLog, consume: &Consume, wake: &Sender<()>) -> Result<Vec<Reader>> {
    let topic = log.topic(&consume.topic)?;
    let topic =
        topic.ok_or_else(|| Failure::new(millstream_log::Error::UnknownTopic(consume.topic.clone()).to_string()))?;
    let reader = |partition: TopicPartition| {
        let (start, end) = log.offsets(&partition)?;
        let committed = match &consume.group {
            Some(group) => log.group_offset(group, &partition)?,
            None => None,
        };
        let from = committed.unwrap_or(if consume.from_beginning { start } else { end });
        let wake = wake.clone();
        let watch = log.watch(&partition, Arc::new(move || _ = wake.send(())))?;
        Ok(Reader { partition, position: from.max(start), end, _watch: watch })
    };
    topic.topic_partitions().map(reader).collect()
}

/// Prints a fetch's records as lines and notes the group's progress once they are out.
fn print(log: &EmbeddedLog, reader: &mut Reader, consume: &Consume, mut left: u64) -> Result<u64> {
    let fetched = log.fetch(&reader.partition, reader.position, FETCH_BYTES, Isolation::ReadCommitted)?;
    let mut out = std::io::stdout().lock();
    let mut next = fetched.next_offset;
    'batches: for batch in fetched.batches() {
        for record in batch?.iter() {
            let record = record?;
            if record.offset < reader.position {
                continue;
            }
            if left == 0 {
                next = record.offset;
                break 'batches;
            }
            out.write_all(record.value.unwrap_or(b"null"))?;
            out.write_all(b"\n")?;
            left -= 1;
        }
    }
    out.flush()?;
    if next > reader.position {
        reader.position = next;
        if let Some(group) = &consume.group {
            let offset = GroupOffset::new(group.clone(), reader.partition.clone(), next);
            log.write(WriteBatch { batches: Vec::new(), offsets: vec![offset] })?.wait()?;
        }
    }
    Ok(left)
}
