//! `millstream topics`.

use std::io::Write;

use millstream_log::Log;

use crate::arguments::Arguments;
use crate::embedded::open_log;
use crate::failure::Result;

pub(crate) fn run(arguments: &Arguments) -> Result<u8> {
    let log = open_log(arguments)?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "topic\tpartitions\trecords")?;
    for topic in log.topics()?.iter().filter(|topic| !topic.is_internal()) {
        let mut records = 0;
        for partition in topic.topic_partitions() {
            let (start, end) = log.offsets(&partition)?;
            records += end - start;
        }
        writeln!(out, "{}\t{}\t{records}", topic.name, topic.partitions)?;
    }
    Ok(0)
}
