//! `millstream topics`.

use std::io::Write;

use crate::arguments::{Arguments, Topics};
use crate::embedded::is_users;
use crate::failure::Result;
use crate::place;

pub(crate) fn run(arguments: &Arguments, command: &Topics) -> Result<u8> {
    let mut place = place::open(arguments, command.bootstrap_server.as_deref())?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "topic\tpartitions\trecords")?;
    for topic in place.topics()?.iter().filter(|topic| is_users(&topic.name)) {
        let partitions: Vec<_> = topic.topic_partitions().collect();
        let records: i64 = place.offsets(&partitions)?.iter().map(|(start, end)| end - start).sum();
        writeln!(out, "{}\t{}\t{records}", topic.name, topic.partitions)?;
    }
    Ok(0)
}
