//! What the two versions of transactions promise (KIP-890).

use millstream_log::record::{BatchBuilder, BatchHeader};
use millstream_log::{
    EmbeddedLog, Error, GroupOffset, Isolation, Log, LogOptions, Memory, Producer, TopicPartition, TopicSpec,
    TransactionState, TransactionVersion,
};

use super::{options, read};

fn transactional(producer: Producer, sequence: i32, value: &str) -> Vec<u8> {
    let mut builder = BatchBuilder::new().with_producer(producer.id, producer.epoch, sequence).transactional();
    builder.push(0, None, Some(value.as_bytes()));
    builder.finish().unwrap()
}

fn committed(log: &EmbeddedLog, partition: &TopicPartition) -> Vec<String> {
    read(log, partition, Isolation::ReadCommitted).into_iter().map(|(_, value)| value).collect()
}

fn log_with_topic() -> (EmbeddedLog, TopicPartition) {
    let log = EmbeddedLog::open(LogOptions::in_memory()).unwrap();
    log.create_topic(&TopicSpec::new("t", 1).kept_for_ever()).unwrap();
    (log, TopicPartition::new("t", 0))
}

#[test]
fn in_version_1_a_late_batch_begins_no_transaction() {
    let (log, partition) = log_with_topic();
    let producer = log.init_producer("me").unwrap();
    let append = |sequence, value: &str| {
        log.append_by(&partition, transactional(producer, sequence, value), TransactionVersion::One).map(drop)
    };
    assert!(matches!(append(0, "early"), Err(Error::NotInTransaction { .. })));
    log.add_partitions(producer, std::slice::from_ref(&partition)).unwrap();
    append(0, "in time").unwrap();
    log.end_transaction(producer, true, &[]).unwrap();
    assert!(matches!(append(1, "late"), Err(Error::NotInTransaction { .. })));
    assert_eq!(log.transaction("me").unwrap().state, TransactionState::CompleteCommit);
    let offsets = [GroupOffset::new("g", partition.clone(), 1)];
    let late = log.add_offsets(producer, &offsets, TransactionVersion::One);
    assert!(matches!(late, Err(Error::NotInTransaction { .. })));
    log.announce_offsets(producer).unwrap();
    log.add_offsets(producer, &offsets, TransactionVersion::One).unwrap();
    log.end_transaction(producer, true, &[]).unwrap();
    assert_eq!(log.group_offset("g", &partition).unwrap(), Some(1));
    assert_eq!(committed(&log, &partition), ["in time"]);
}

#[test]
fn in_version_2_markers_have_the_next_epoch_and_late_batches_are_fenced() {
    let (log, partition) = log_with_topic();
    let first = log.init_producer("me").unwrap();
    log.append(&partition, transactional(first, 0, "one")).unwrap();
    let (_, second) = log.end_transaction_and_bump(first, false).unwrap();
    let fetched = log.fetch(&partition, 1, 1 << 20, Isolation::ReadUncommitted).unwrap();
    let marker = BatchHeader::parse(&fetched.bytes).unwrap();
    assert_eq!((marker.is_control(), marker.producer_epoch), (true, second.epoch));
    assert!(matches!(log.append(&partition, transactional(first, 1, "late")), Err(Error::Fenced { .. })));
    assert!(matches!(log.append(&partition, transactional(second, 1, "gap")), Err(Error::OutOfOrderSequence { .. })));
    log.append(&partition, transactional(second, 0, "two")).unwrap();
    log.end_transaction_and_bump(second, true).unwrap();
    assert_eq!(committed(&log, &partition), ["two"]);
}

/// Of two batches on their way the first one is refused. The second one, if it were taken, would leave no place for the
/// first one to come again.
#[test]
fn in_version_2_a_refused_batch_is_in_the_transaction_and_holds_back_what_follows() {
    let (log, partition) = log_with_topic();
    let producer = log.init_producer("me").unwrap();
    let mut damaged = transactional(producer, 0, "first");
    *damaged.last_mut().unwrap() ^= 1;
    assert!(matches!(log.append(&partition, damaged), Err(Error::CorruptBatch(_))));
    let info = log.transaction("me").unwrap();
    assert_eq!((info.state, info.partitions.contains(&partition)), (TransactionState::Ongoing, true));
    let second = || log.append(&partition, transactional(producer, 1, "second"));
    assert!(matches!(second(), Err(Error::OutOfOrderSequence { expected: 0, .. })));
    log.append(&partition, transactional(producer, 0, "first")).unwrap();
    second().unwrap();
    let (_, producer) = log.end_transaction_and_bump(producer, true).unwrap();
    assert_eq!(committed(&log, &partition), ["first", "second"]);

    // What comes late from the transaction before holds nobody back.
    let late = Producer { epoch: producer.epoch - 1, ..producer };
    log.append(&partition, transactional(producer, 0, "third")).unwrap();
    assert!(matches!(log.append(&partition, transactional(late, 0, "first")), Err(Error::Fenced { .. })));
    log.append(&partition, transactional(producer, 1, "fourth")).unwrap();
    let (_, producer) = log.end_transaction_and_bump(producer, true).unwrap();

    // An abort has a marker in the partition, though there is nothing else of its transaction.
    let before = log.partition_offsets(&partition).unwrap().high_watermark;
    log.append(&partition, transactional(producer, 0, &"v".repeat(2_000_000))).unwrap_err();
    log.end_transaction_and_bump(producer, false).unwrap();
    let after = log.partition_offsets(&partition).unwrap();
    assert_eq!((after.high_watermark, after.last_stable), (before + 1, before + 1));
}

#[test]
fn in_version_2_there_must_be_a_transaction_to_commit_but_not_to_abort() {
    let (log, partition) = log_with_topic();
    let mut producer = log.init_producer("me").unwrap();
    let refused = |outcome: Result<_, Error>| matches!(outcome, Err(Error::InvalidTransactionState { .. }));
    assert!(refused(log.end_transaction_and_bump(producer, true).map(drop)));
    for _ in 0..2 {
        producer = log.end_transaction_and_bump(producer, false).unwrap().1;
    }
    assert_eq!(producer.epoch, 2);
    log.append(&partition, transactional(producer, 0, "v")).unwrap();
    let next = log.end_transaction_and_bump(producer, true).unwrap().1;
    assert!(refused(log.end_transaction_and_bump(next, true).map(drop)));
    // The same end once more, whose answer was lost; but not the contrary.
    assert_eq!(log.end_transaction_and_bump(producer, true).unwrap().1, next);
    assert!(refused(log.end_transaction_and_bump(producer, false).map(drop)));
}

#[test]
fn who_was_fenced_by_a_stranger_does_not_come_back() {
    let (log, _) = log_with_topic();
    let old = log.init_producer("me").unwrap();
    let new = log.init_producer("me").unwrap();
    assert!(matches!(log.init_transactional_producer("me", 60_000, Some(old)), Err(Error::Fenced { .. })));
    let newer = log.init_transactional_producer("me", 60_000, Some(new)).unwrap();
    // Its answer was lost.
    assert_eq!(log.init_transactional_producer("me", 60_000, Some(new)).unwrap().epoch, newer.epoch + 1);
}

#[test]
fn when_there_are_no_more_epochs_the_producer_gets_a_new_id() {
    let (log, partition) = log_with_topic();
    let mut producer = log.init_producer("me").unwrap();
    let id = producer.id;
    while producer.epoch < i16::MAX - 1 {
        producer = log.end_transaction_and_bump(producer, false).unwrap().1;
        assert_eq!(producer.id, id);
    }
    log.append(&partition, transactional(producer, 0, "last of its id")).unwrap();
    let (_, next) = log.end_transaction_and_bump(producer, true).unwrap();
    assert!(next.id > id && next.epoch == 0, "{next:?}");
    assert_eq!(log.end_transaction_and_bump(producer, true).unwrap().1, next, "asked once more");
    assert!(matches!(log.append(&partition, transactional(producer, 1, "late")), Err(Error::Fenced { .. })));
    log.append(&partition, transactional(next, 0, "first of its id")).unwrap();
    log.end_transaction_and_bump(next, true).unwrap();
    assert_eq!(committed(&log, &partition), ["last of its id", "first of its id"]);

    // A stranger takes over while a transaction of the last epoch is open.
    let mut producer = log.init_producer("other").unwrap();
    while producer.epoch < i16::MAX - 1 {
        producer = log.init_producer("other").unwrap();
    }
    log.append(&partition, transactional(producer, 0, "lost")).unwrap();
    let next = log.init_producer("other").unwrap();
    assert!(next.id > producer.id && next.epoch == 0);
    log.append(&partition, transactional(next, 0, "kept")).unwrap();
    log.end_transaction_and_bump(next, true).unwrap();
    assert_eq!(committed(&log, &partition), ["last of its id", "first of its id", "kept"]);
}

/// The power fails at every operation; the producer asks for its last end again and goes on with what it is told.
#[test]
fn a_commit_whose_answer_the_power_took_is_asked_for_again() {
    const ROUNDS: i32 = 6;
    let parts = [TopicPartition::new("t", 0), TopicPartition::new("t", 1)];
    // Whether its end was asked for, and what came of that.
    let transaction = |log: &EmbeddedLog, producer: Producer, number: i32| -> (bool, Result<Producer, Error>) {
        let write = || -> Result<(), Error> {
            for partition in &parts {
                log.append(partition, transactional(producer, 0, &number.to_string()))?.wait()?;
            }
            let offset = GroupOffset::new("g", parts[0].clone(), i64::from(number) + 1);
            log.add_offsets(producer, &[offset], TransactionVersion::Two)?.wait()
        };
        if let Err(error) = write() {
            return (false, Err(error));
        }
        let ended = log.end_transaction_and_bump(producer, true);
        (true, ended.and_then(|(ticket, next)| ticket.wait().map(|()| next)))
    };
    let begin = |disk: &Memory| -> Result<(EmbeddedLog, Producer), Error> {
        let log = EmbeddedLog::open(options(disk.clone()))?;
        log.create_topic(&TopicSpec::new("t", 2).kept_for_ever())?;
        let producer = log.init_producer("me")?;
        Ok((log, producer))
    };
    let whole = Memory::with_crashes();
    let (log, mut producer) = begin(&whole).unwrap();
    let prepared = whole.operations();
    for number in 0..ROUNDS {
        producer = transaction(&log, producer, number).1.unwrap();
    }
    let mut repeated = 0;
    for operation in prepared..whole.operations() {
        for keep in [false, true] {
            let disk = Memory::with_crashes();
            disk.fail_after(operation);
            let Ok((log, mut producer)) = begin(&disk) else { continue };
            let (mut done, mut is_in_doubt) = (0, false);
            while done < ROUNDS {
                let (was_asked, outcome) = transaction(&log, producer, done);
                is_in_doubt = was_asked;
                let Ok(next) = outcome else { break };
                (producer, done) = (next, done + 1);
            }
            std::mem::forget(log);
            let log = EmbeddedLog::open(options(disk.crash(|possible| if keep { possible - 1 } else { 0 }))).unwrap();
            if done < ROUNDS {
                // The client does not know how its last commit went, or must get rid of what it could not write.
                producer = log.end_transaction_and_bump(producer, is_in_doubt).unwrap().1;
                (repeated, done) = (repeated + i32::from(is_in_doubt), done + i32::from(is_in_doubt));
            }
            while done < ROUNDS {
                producer = transaction(&log, producer, done).1.unwrap();
                done += 1;
            }
            for partition in &parts {
                let found = committed(&log, partition);
                let whole: Vec<_> = (0..ROUNDS).map(|number| number.to_string()).collect();
                assert_eq!(found, whole, "operation {operation}");
            }
            assert_eq!(log.group_offset("g", &parts[0]).unwrap(), Some(i64::from(ROUNDS)));
        }
    }
    assert!(repeated > 0, "no commit was ever in doubt");
}
