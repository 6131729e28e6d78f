//! `millstream consume`.

use std::io::{BufWriter, Write};

use millstream_log::{Fetched, TopicPartition};

use crate::arguments::{Arguments, Consume};
use crate::failure::{Failure, Result};
use crate::place::{self, Place};

const OUTPUT_BYTES: usize = 64 << 10;

/// How far a partition has been read, and where it ended when the command began.
struct Reader {
    partition: TopicPartition,
    position: i64,
    end: i64,
}

pub(crate) fn run(arguments: &Arguments, consume: &Consume) -> Result<u8> {
    let mut place = place::open(arguments, consume.bootstrap_server.as_deref())?;
    let mut readers = readers(&mut *place, consume)?;
    let mut left = consume.max_messages.unwrap_or(u64::MAX);
    while left > 0 {
        // So that a partition with much to read does not hold up the others.
        let first = 1.min(readers.len());
        readers.rotate_left(first);
        let is_wanted = |reader: &&mut Reader| !consume.exit_at_end || reader.position < reader.end;
        let mut wanted: Vec<&mut Reader> = readers.iter_mut().filter(is_wanted).collect();
        if wanted.is_empty() {
            break;
        }
        read(&mut *place, &mut wanted, consume.group.as_deref(), &mut left)?;
    }
    Ok(0)
}

/// Prints at most `left` records of what there is, and remembers for the group how far it came.
fn read(place: &mut dyn Place, wanted: &mut [&mut Reader], group: Option<&str>, left: &mut u64) -> Result<()> {
    let positions: Vec<_> = wanted.iter().map(|reader| (reader.partition.clone(), reader.position)).collect();
    let (mut passed, mut outcome) = (Vec::new(), Ok(()));
    for (reader, fetched) in wanted.iter_mut().zip(place.fetch(&positions)?) {
        let Some(fetched) = fetched else {
            reader.start_over(place)?;
            continue;
        };
        let from = reader.position;
        match print(&fetched, from, left) {
            Ok(position) => reader.position = position,
            Err(failure) => {
                outcome = Err(failure);
                break;
            }
        }
        if reader.position > from {
            passed.push((reader.partition.clone(), reader.position));
        }
    }
    // Only what is out counts as read.
    if let Some(group) = group.filter(|_| !passed.is_empty()) {
        place.commit(group, &passed)?;
    }
    outcome
}

impl Reader {
    /// Goes on with the first record there is: those at its position have been deleted, or the whole topic was and
    /// another one has its name.
    fn start_over(&mut self, place: &mut dyn Place) -> Result<()> {
        let offsets = place.offsets(std::slice::from_ref(&self.partition))?;
        let start = offsets.first().map_or(0, |(start, _)| *start);
        let (partition, position) = (&self.partition, self.position);
        let reason = if position < start { "has been deleted" } else { "is not there" };
        let notice = format!("offset {position} of {partition} {reason}; going on from offset {start}");
        writeln!(std::io::stderr(), "{notice}")?;
        self.position = start;
        Ok(())
    }
}

fn readers(place: &mut dyn Place, consume: &Consume) -> Result<Vec<Reader>> {
    let topic = place.topic(&consume.topic)?;
    let topic =
        topic.ok_or_else(|| Failure::new(millstream_log::Error::UnknownTopic(consume.topic.clone()).to_string()))?;
    let partitions: Vec<_> = topic.topic_partitions().collect();
    let offsets = place.offsets(&partitions)?;
    let committed = match &consume.group {
        Some(group) => place.committed(group, &partitions)?,
        None => vec![None; partitions.len()],
    };
    let readers = partitions.into_iter().zip(offsets).zip(committed).map(|((partition, (start, end)), committed)| {
        let position = committed.unwrap_or(if consume.from_beginning { start } else { end });
        Reader { partition, position: position.max(start), end }
    });
    Ok(readers.collect())
}

/// Prints at most `left` of the records from an offset on as lines; returns the offset after the last.
fn print(fetched: &Fetched, from: i64, left: &mut u64) -> Result<i64> {
    let mut out = BufWriter::with_capacity(OUTPUT_BYTES, std::io::stdout().lock());
    for batch in fetched.batches() {
        for record in batch?.iter() {
            let record = record?;
            if record.offset < from {
                continue;
            }
            if *left == 0 {
                out.flush()?;
                return Ok(record.offset);
            }
            out.write_all(record.value.unwrap_or(b"null"))?;
            out.write_all(b"\n")?;
            *left -= 1;
        }
    }
    out.flush()?;
    Ok(fetched.next_offset)
}
