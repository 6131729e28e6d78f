//! Data directories as earlier versions left them, in the middle of their work.

use std::path::Path;

use millstream_log::{EmbeddedLog, Isolation, Log, TopicPartition};

use super::{batch, read, threaded};

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Checkpoint MSC2, topics MST2, producers' states without time and with the last sequence only; in its journal
/// a transaction is open.
#[test]
fn the_second_version_is_read() {
    let dir = tempfile::tempdir().unwrap();
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/2"), dir.path());
    let (t, c) = (TopicPartition::new("t", 0), TopicPartition::new("c", 0));
    for _ in 0..2 {
        let log = EmbeddedLog::open(threaded(dir.path())).unwrap();
        let values: Vec<_> =
            read(&log, &t, Isolation::ReadCommitted).into_iter().map(|(_, value)| value).take(4).collect();
        assert_eq!(values, ["a", "b", "idempotent", "c"]);
        assert_eq!(read(&log, &c, Isolation::ReadCommitted), [(0, "v".to_owned())]);
        assert_eq!(log.group_offset("g", &t).unwrap(), Some(2));
        let topic = log.topic("c").unwrap().unwrap();
        assert_eq!((topic.partitions, topic.config.retention_ms, topic.config.segment_bytes), (1, -1, 16 << 20));
        let known = log.producers(&t).unwrap().into_iter().find(|producer| producer.producer.id == 77);
        assert_eq!(known.map(|producer| producer.last_sequence), Some(0));
        assert!(log.init_idempotent_producer().unwrap().id > 77);
        log.append(&t, batch(&["goes on"])).unwrap().wait().unwrap();
    }
}
