use millstream_log::record::BatchBuilder;
use millstream_log::{
    EmbeddedLog, Error, GroupOffset, Isolation, Log, LogOptions, Memory, Producer, TopicPartition, TopicSpec,
    TransactionState, TransactionVersion, WriteBatch,
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

    let offset = GroupOffset::new("g", partition.clone(), 1);
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

/// The log after a power failure that took all that could go.
fn after_crash(disk: &Memory, log: EmbeddedLog) -> (Memory, EmbeddedLog) {
    std::mem::forget(log);
    let image = disk.crash(|_| 0);
    let log = EmbeddedLog::open(options(image.clone())).unwrap();
    (image, log)
}

fn offset(group: &str, partition: &TopicPartition, offset: i64) -> GroupOffset {
    GroupOffset::new(group, partition.clone(), offset)
}

#[test]
fn an_open_transaction_survives_a_crash_with_its_offsets_and_is_ended_by_whoever_knows_its_producer() {
    for commit in [true, false] {
        let disk = Memory::with_crashes();
        let partition = TopicPartition::new("t", 0);
        let log = EmbeddedLog::open(options(disk.clone())).unwrap();
        log.create_topic(&TopicSpec::new("t", 1).kept_for_ever()).unwrap();
        let producer = log.init_producer("me").unwrap();
        log.append(&partition, transactional(producer, 0, "resumed")).unwrap();
        log.add_offsets(producer, &[offset("g", &partition, 7)], TransactionVersion::Two).unwrap();
        let (disk, log) = after_crash(&disk, log);
        assert_eq!(values(&log, &partition, Isolation::ReadCommitted), [""; 0]);
        assert_eq!(log.group_offset("g", &partition).unwrap(), None);
        assert!(log.is_group_offset_pending("g", &partition));
        assert_eq!(log.transaction("me").unwrap().state, TransactionState::Ongoing);
        log.append(&partition, transactional(producer, 1, "more")).unwrap();
        log.end_transaction(producer, commit, &[]).unwrap().wait().unwrap();
        let (_, log) = after_crash(&disk, log);
        let expected: &[&str] = if commit { &["resumed", "more"] } else { &[] };
        assert_eq!(values(&log, &partition, Isolation::ReadCommitted), expected);
        assert_eq!(log.group_offset("g", &partition).unwrap(), commit.then_some(7));
        assert!(!log.is_group_offset_pending("g", &partition));
        assert_eq!(log.transaction("me").unwrap().producer, producer);
        // To be asked again is no error, to be asked for the contrary is.
        log.end_transaction(producer, commit, &[]).unwrap();
        let contrary = log.end_transaction(producer, !commit, &[]);
        assert!(matches!(contrary, Err(Error::InvalidTransactionState { .. })), "{contrary:?}");
    }
}

#[test]
fn a_transaction_is_aborted_when_its_time_is_over_and_its_producer_is_fenced() {
    let disk = Memory::with_crashes();
    let partition = TopicPartition::new("t", 0);
    let log = EmbeddedLog::open(options(disk.clone())).unwrap();
    log.create_topic(&TopicSpec::new("t", 1).kept_for_ever()).unwrap();
    assert!(matches!(
        log.init_transactional_producer("me", 3_600_000, None),
        Err(Error::InvalidTransactionTimeout { .. })
    ));
    let old = log.init_transactional_producer("me", 10_000, None).unwrap();
    log.append(&partition, transactional(old, 0, "late")).unwrap();
    disk.advance_clock(9_000);
    // A restart does not make it younger.
    let (disk, log) = after_crash(&disk, log);
    log.keep_house().unwrap();
    assert_eq!(log.partition_offsets(&partition).unwrap().last_stable, 0);
    disk.advance_clock(1_001);
    log.keep_house().unwrap();
    assert_eq!(log.partition_offsets(&partition).unwrap().last_stable, 2);
    assert_eq!(values(&log, &partition, Isolation::ReadCommitted), [""; 0]);
    assert!(matches!(log.append(&partition, transactional(old, 1, "later")), Err(Error::Fenced { .. })));
    assert!(matches!(log.end_transaction(old, true, &[]), Err(Error::Fenced { .. })));
    // Its producer may go on with the next epoch, another one that was fenced may not.
    let next = log.init_transactional_producer("me", 10_000, Some(old)).unwrap();
    assert_eq!((next.id, next.epoch), (old.id, old.epoch + 2));
    assert!(matches!(log.init_transactional_producer("me", 10_000, Some(old)), Err(Error::Fenced { .. })));
}

#[test]
fn with_an_epoch_for_each_transaction_a_late_end_ends_nothing_else() {
    let log = EmbeddedLog::open(LogOptions::in_memory()).unwrap();
    log.create_topic(&TopicSpec::new("t", 1).kept_for_ever()).unwrap();
    let partition = TopicPartition::new("t", 0);
    let first = log.init_producer("me").unwrap();
    log.append(&partition, transactional(first, 0, "one")).unwrap();
    let (_, second) = log.end_transaction_and_bump(first, true).unwrap();
    assert_eq!(second.epoch, first.epoch + 1);
    assert_eq!(log.end_transaction_and_bump(first, true).unwrap().1, second);
    log.append(&partition, transactional(second, 0, "two")).unwrap();
    assert!(matches!(log.end_transaction_and_bump(first, true), Err(Error::Fenced { .. })));
    assert!(matches!(log.end_transaction(first, true, &[]), Err(Error::Fenced { .. })));
    assert_eq!(values(&log, &partition, Isolation::ReadCommitted), ["one"]);
    log.end_transaction_and_bump(second, true).unwrap();
    assert_eq!(values(&log, &partition, Isolation::ReadCommitted), ["one", "two"]);
}

#[test]
fn a_transactional_id_that_nobody_uses_is_forgotten() {
    let disk = Memory::new();
    let log = EmbeddedLog::open(options(disk.clone())).unwrap();
    let producer = log.init_producer("me").unwrap();
    log.add_partitions(producer, &[]).unwrap();
    assert_eq!(log.transactions().len(), 1);
    log.end_transaction(producer, true, &[]).unwrap();
    disk.advance_clock(8 * 24 * 3_600_000);
    log.keep_house().unwrap();
    assert!(log.transactions().is_empty());
    drop(log);
    let log = EmbeddedLog::open(options(disk)).unwrap();
    assert!(log.transactions().is_empty());
    assert!(log.init_producer("me").unwrap().id > producer.id);
}

/// A transaction over two partitions and a group's offset, over power failures at every operation.
#[test]
fn a_transaction_is_whole_or_not_at_all() {
    let parts = [TopicPartition::new("t", 0), TopicPartition::new("t", 1)];
    let run = |disk: &Memory| -> Result<usize, (usize, Error)> {
        let log =
            EmbeddedLog::open(LogOptions { journal_bytes_max: 1_500, ..options(disk.clone()) }).map_err(|e| (0, e))?;
        log.create_topic(&TopicSpec::new("t", 2).kept_for_ever()).map_err(|e| (0, e))?;
        let producer = log.init_producer("me").map_err(|e| (0, e))?;
        for number in 0..15 {
            let one = || -> Result<(), Error> {
                for partition in &parts {
                    log.append(partition, transactional(producer, number, &number.to_string()))?;
                }
                log.add_offsets(producer, &[offset("g", &parts[0], i64::from(number) + 1)], TransactionVersion::Two)?;
                log.end_transaction(producer, true, &[])?.wait()
            };
            one().map_err(|error| (number as usize, error))?;
        }
        std::mem::forget(log);
        Ok(15)
    };
    let disk = Memory::with_crashes();
    run(&disk).unwrap();
    for operation in (0..disk.operations()).step_by(2) {
        for keep in [false, true] {
            let disk = Memory::with_crashes();
            disk.fail_after(operation);
            let committed = run(&disk).unwrap_or_else(|(committed, _)| committed);
            let image = disk.crash(|possibilities| if keep { possibilities - 1 } else { 0 });
            let log = EmbeddedLog::open(options(image)).unwrap();
            if log.topic("t").unwrap().is_none() {
                assert_eq!(committed, 0);
                continue;
            }
            let found = values(&log, &parts[0], Isolation::ReadCommitted);
            assert_eq!(found, values(&log, &parts[1], Isolation::ReadCommitted), "operation {operation}");
            assert!(found.len() >= committed, "operation {operation}: {} of {committed}", found.len());
            let position = log.group_offset("g", &parts[0]).unwrap().unwrap_or(0);
            assert_eq!(position, found.len() as i64, "operation {operation}");
        }
    }
}

/// Two transactions move one offset, and the one that wrote first ends last: what compaction would leave is what counts.
#[test]
fn of_two_offsets_the_one_that_came_later_counts_whichever_transaction_ends_first() {
    let disk = Memory::new();
    let log = EmbeddedLog::open(options(disk.clone())).unwrap();
    log.create_topic(&TopicSpec::new("t", 2)).unwrap();
    let (first, second) = (log.init_producer("first").unwrap(), log.init_producer("second").unwrap());
    let at = |partition: i32| TopicPartition::new("t", partition);
    let add = |producer, partition: i32, to: i64| {
        log.add_offsets(producer, &[offset("g", &at(partition), to)], TransactionVersion::Two).unwrap();
    };
    add(first, 0, 38);
    add(first, 1, 38);
    add(second, 0, 11);
    let offsets = vec![offset("g", &at(1), 12)];
    log.write(WriteBatch { batches: Vec::new(), offsets }).unwrap().wait().unwrap();
    for producer in [second, first] {
        log.end_transaction(producer, true, &[]).unwrap();
    }
    let found = |log: &EmbeddedLog| [0, 1].map(|partition| log.group_offset("g", &at(partition)).unwrap());
    assert_eq!(found(&log), [Some(11), Some(12)]);
    drop(log);
    assert_eq!(found(&EmbeddedLog::open(options(disk)).unwrap()), [Some(11), Some(12)]);
}

#[test]
fn what_was_committed_after_an_offset_of_a_transaction_stays_and_what_they_take_is_counted() {
    let disk = Memory::with_crashes();
    let (earlier, later) = (TopicPartition::new("t", 0), TopicPartition::new("t", 1));
    let log = EmbeddedLog::open(options(disk.clone())).unwrap();
    log.create_topic(&TopicSpec::new("t", 2)).unwrap();
    let empty = log.group_offsets_bytes();
    let producer = log.init_producer("me").unwrap();
    let write = |log: &EmbeddedLog, offsets| {
        log.write(WriteBatch { batches: Vec::new(), offsets }).unwrap().wait().unwrap();
    };
    write(&log, vec![offset("g", &earlier, 1)]);
    let both = [offset("g", &earlier, 7), offset("g", &later, 7)];
    log.add_offsets(producer, &both, TransactionVersion::Two).unwrap();
    write(&log, vec![offset("g", &later, 3)]);
    log.end_transaction(producer, true, &[]).unwrap().wait().unwrap();
    let expected = [Some(7), Some(3)];
    let found = |log: &EmbeddedLog| [&earlier, &later].map(|partition| log.group_offset("g", partition).unwrap());
    assert_eq!(found(&log), expected);
    assert!(log.group_offsets_bytes() > empty && log.group_offsets_growth(&both) == 0);
    let (_, log) = after_crash(&disk, log);
    assert_eq!(found(&log), expected);
    log.delete_group("g").unwrap();
    assert_eq!(log.group_offsets_bytes(), empty);
}

#[test]
fn an_offset_that_is_deleted_does_not_come_back_with_a_transaction_that_took_it_before() {
    let disk = Memory::with_crashes();
    let (deleted, other) = (TopicPartition::new("t", 0), TopicPartition::new("t", 1));
    let log = EmbeddedLog::open(options(disk.clone())).unwrap();
    log.create_topic(&TopicSpec::new("t", 2)).unwrap();
    let empty = log.group_offsets_bytes();
    let producer = log.init_producer("me").unwrap();
    let both = |next| [offset("g", &deleted, next), offset("g", &other, next)];
    log.write(WriteBatch { batches: Vec::new(), offsets: both(1).to_vec() }).unwrap().wait().unwrap();
    log.add_offsets(producer, &both(7), TransactionVersion::Two).unwrap();
    log.delete_group_offsets("g", std::slice::from_ref(&deleted)).unwrap();
    log.end_transaction(producer, true, &[]).unwrap().wait().unwrap();
    let found = |log: &EmbeddedLog| [&deleted, &other].map(|partition| log.group_offset("g", partition).unwrap());
    assert_eq!(found(&log), [None, Some(7)]);
    let (_, log) = after_crash(&disk, log);
    assert_eq!(found(&log), [None, Some(7)]);
    // What it takes after that counts.
    let producer = log.init_producer("me").unwrap();
    log.add_offsets(producer, &both(9), TransactionVersion::Two).unwrap();
    log.end_transaction(producer, true, &[]).unwrap().wait().unwrap();
    assert_eq!(found(&log), [Some(9), Some(9)]);
    log.delete_group("g").unwrap();
    assert_eq!((log.group_offsets_bytes(), log.pending_offsets_bytes(&[])), (empty, 0));
}
