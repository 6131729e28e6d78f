use millstream_log::record::BatchBuilder;
use millstream_log::{
    EmbeddedLog, Error, GroupOffset, Isolation, Log, LogOptions, Memory, Producer, TopicPartition, TopicSpec,
};

use super::{batch, options, read};

fn transactional(producer: Producer, sequence: i32, value: &str) -> Vec<u8> {
    let mut builder = BatchBuilder::new().with_producer(producer.id, producer.epoch, sequence).transactional();
    builder.push(0, None, Some(value.as_bytes()));
    builder.finish().unwrap()
}

fn values(log: &EmbeddedLog, partition: &TopicPartition, isolation: Isolation) -> Vec<String> {
    read(log, partition, isolation).into_iter().map(|(_, value)| value).collect()
}

#[test]
fn an_open_transaction_holds_readers_back_and_an_aborted_one_is_skipped() {
    let log = EmbeddedLog::open(LogOptions::in_memory()).unwrap();
    log.create_topic(&TopicSpec::new("t", 1).kept_for_ever()).unwrap();
    let partition = TopicPartition::new("t", 0);
    let producer = log.init_producer("me").unwrap();

    log.append(&partition, batch(&["before"])).unwrap();
    log.append(&partition, transactional(producer, 0, "one")).unwrap();
    log.append(&partition, batch(&["after"])).unwrap();
    assert_eq!(values(&log, &partition, Isolation::ReadCommitted), ["before"]);
    assert_eq!(values(&log, &partition, Isolation::ReadUncommitted), ["before", "one", "after"]);

    let offset = GroupOffset { group: "g".to_owned(), partition: partition.clone(), offset: 1 };
    log.end_transaction(producer, true, std::slice::from_ref(&offset)).unwrap().wait().unwrap();
    assert_eq!(values(&log, &partition, Isolation::ReadCommitted), ["before", "one", "after"]);
    assert_eq!(log.group_offset("g", &partition).unwrap(), Some(1));

    log.append(&partition, transactional(producer, 1, "two")).unwrap();
    log.end_transaction(producer, false, &[]).unwrap().wait().unwrap();
    assert_eq!(values(&log, &partition, Isolation::ReadCommitted), ["before", "one", "after"]);
}

#[test]
fn a_new_producer_of_the_same_id_fences_the_old_one_and_aborts_what_it_left() {
    let log = EmbeddedLog::open(LogOptions::in_memory()).unwrap();
    log.create_topic(&TopicSpec::new("t", 1).kept_for_ever()).unwrap();
    let partition = TopicPartition::new("t", 0);
    let old = log.init_producer("me").unwrap();
    log.append(&partition, transactional(old, 0, "lost")).unwrap();
    let new = log.init_producer("me").unwrap();
    assert_eq!((new.id, new.epoch), (old.id, old.epoch + 1));
    assert!(matches!(log.append(&partition, transactional(old, 1, "late")), Err(Error::Fenced { .. })));
    assert!(matches!(log.end_transaction(old, true, &[]), Err(Error::Fenced { .. })));
    log.append(&partition, transactional(new, 0, "kept")).unwrap();
    log.end_transaction(new, true, &[]).unwrap();
    assert_eq!(values(&log, &partition, Isolation::ReadCommitted), ["kept"]);
}

#[test]
fn a_transaction_open_at_a_crash_is_aborted_and_epochs_go_on() {
    let disk = Memory::with_crashes();
    let partition = TopicPartition::new("t", 0);
    let before = {
        let log = EmbeddedLog::open(options(disk.clone())).unwrap();
        log.create_topic(&TopicSpec::new("t", 1).kept_for_ever()).unwrap();
        let producer = log.init_producer("me").unwrap();
        log.append(&partition, transactional(producer, 0, "kept")).unwrap();
        log.end_transaction(producer, true, &[]).unwrap();
        log.append(&partition, transactional(producer, 1, "lost")).unwrap();
        std::mem::forget(log);
        producer
    };
    let log = EmbeddedLog::open(options(disk.crash(|_| 0))).unwrap();
    assert_eq!(values(&log, &partition, Isolation::ReadCommitted), ["kept"]);
    // Whoever had the transaction open must not commit the rest of it as if it were whole.
    assert!(matches!(log.end_transaction(before, true, &[]), Err(Error::Fenced { .. })));
    assert!(log.init_producer("me").unwrap().epoch > before.epoch);
}
