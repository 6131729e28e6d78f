//! Bytes that claim to be record batches. A batch that the log takes must come back with the same records, whatever
//! its topic makes of it.

use std::sync::Arc;

use millstream_log::record::{BatchReader, ControlType, split_batch};
use millstream_log::{EmbeddedLog, Isolation, Log, LogOptions, Memory, TopicPartition, TopicSpec};

use crate::reading::{read, read_everything, walk};
use crate::repair;

/// The topics, each with the settings by which it treats batches in its own way.
const TOPICS: &[(&str, &[(&str, &str)])] = &[
    ("plain", &[]),
    ("compacted", &[("cleanup.policy", "compact"), ("segment.bytes", "100"), ("min.cleanable.dirty.ratio", "0")]),
    ("zstd", &[("compression.type", "zstd")]),
    ("uncompressed", &[("compression.type", "uncompressed")]),
    ("append-time", &[("message.timestamp.type", "LogAppendTime"), ("compression.type", "lz4")]),
    ("timely", &[("message.timestamp.before.max.ms", "1000"), ("message.timestamp.after.max.ms", "1000")]),
];

/// The first byte says whether checksums are made to fit.
pub fn run(bytes: &[u8]) {
    let Some((mode, bytes)) = bytes.split_first() else { return };
    let mut bytes = bytes.to_vec();
    if mode & 1 == 1 {
        repair::batches(&mut bytes);
    }
    let mut batches = Vec::new();
    let mut rest = bytes.as_slice();
    while let Ok(Some((_, batch, tail))) = split_batch(rest) {
        let _ = BatchReader::new(batch).and_then(|batch| walk(&batch));
        let _ = ControlType::of(batch);
        batches.push(batch);
        rest = tail;
    }
    let _ = BatchReader::new(rest).and_then(|batch| walk(&batch));
    append(&batches);
}

fn append(batches: &[&[u8]]) {
    let options = LogOptions { io: Arc::new(Memory::new()), ..LogOptions::in_memory() };
    let log = EmbeddedLog::open(options).expect("an empty folder can be opened");
    for (name, settings) in TOPICS {
        let mut spec = TopicSpec::new(*name, 1);
        for (setting, value) in *settings {
            spec.config.set(setting, value).expect("the topic has the setting");
        }
        log.create_topic(&spec).expect("the topic is new");
        let partition = TopicPartition::new(*name, 0);
        let mut sent = Some(0);
        for batch in batches {
            if log.append(&partition, batch.to_vec()).is_ok_and(|ticket| ticket.wait().is_ok()) {
                // Nobody has looked at the records yet, so the batch may be refused as late as here.
                let records = BatchReader::new(batch).and_then(|batch| walk(&batch)).ok();
                sent = sent.zip(records).map(|(sum, records)| sum + records);
            }
        }
        if let Some(sent) = sent {
            let found = read(&log, &partition, Isolation::ReadUncommitted);
            assert_eq!(found.ok(), Some(sent), "{name} does not give back what it took");
        }
    }
    let _ = log.keep_house();
    read_everything(&log);
}
