//! Appends that are enqueued, and go to the disk when whoever enqueued them says so.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use millstream_log::{
    Disk, EmbeddedLog, Error, Flusher, Isolation, Log, LogOptions, Memory, Ticket, TopicPartition, TopicSpec,
    TransactionVersion,
};

use super::{batch, options, read, threaded};

fn fast() -> LogOptions {
    LogOptions { flusher: Flusher::Thread, ..options(Memory::new()) }
}

fn partition() -> TopicPartition {
    TopicPartition::new("t", 0)
}

/// A log that has seen how long its disk takes.
fn open(options: LogOptions) -> EmbeddedLog {
    let log = EmbeddedLog::open(options).unwrap();
    log.create_topic(&TopicSpec::new("t", 1).kept_for_ever()).unwrap();
    for _ in 0..8 {
        log.append(&partition(), batch(&["before"])).unwrap().wait().unwrap();
    }
    log
}

fn enqueue(log: &EmbeddedLog, value: &str) -> Ticket<i64> {
    log.enqueue(&partition(), batch(&[value]), TransactionVersion::Two).unwrap().ticket
}

/// Which thread makes it durable.
fn made_durable_by(ticket: Ticket<i64>) -> Receiver<ThreadId> {
    let (sender, receiver) = channel();
    ticket.on_complete(move |outcome| {
        outcome.unwrap();
        sender.send(thread::current().id()).unwrap();
    });
    receiver
}

#[test]
fn whoever_flushes_waits_for_a_fast_disk_itself() {
    let log = open(fast());
    let is_in_place = |_: &u32| {
        let tickets = ["a", "b", "c"].map(|value| enqueue(&log, value));
        assert!(tickets.iter().all(|ticket| ticket.poll().is_none()), "nobody has flushed");
        let done = tickets.map(made_durable_by);
        log.flush();
        match done[0].try_recv() {
            Ok(thread) => {
                assert!(done[1..].iter().all(|done| done.try_recv() == Ok(thread)));
                thread == thread::current().id()
            }
            // The journal's thread was still at work.
            Err(TryRecvError::Empty) => {
                done.iter().for_each(|done| _ = done.recv().unwrap());
                false
            }
            Err(error) => panic!("{error}"),
        }
    };
    assert!((0..1_000).any(|at| is_in_place(&at)));
}

#[test]
fn nobody_but_the_journals_thread_waits_for_a_slow_disk() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Disk::with_sync_delay(Duration::from_millis(3));
    let log = open(LogOptions { io: Arc::new(disk), ..threaded(dir.path()) });
    for _ in 0..5 {
        let done = made_durable_by(enqueue(&log, "x"));
        log.flush();
        assert_ne!(done.recv().unwrap(), thread::current().id());
    }
}

#[test]
fn much_goes_to_the_disk_without_being_flushed_and_makes_room() {
    let log = open(LogOptions { queue_bytes_max: 500_000, ..fast() });
    let first = enqueue(&log, "first");
    let value = "x".repeat(20_000);
    let last: Vec<_> = (0..100).map(|_| enqueue(&log, &value)).collect();
    first.wait().unwrap();
    log.flush();
    last.into_iter().for_each(|ticket| _ = ticket.wait().unwrap());
    let log = open(LogOptions { queue_bytes_max: 1_000, ..fast() });
    (0..100).for_each(|_| drop(enqueue(&log, "less than much, but more than there is room for")));
    log.flush();
    log.append(&partition(), batch(&["last"])).unwrap().wait().unwrap();
    assert_eq!(read(&log, &partition(), Isolation::ReadCommitted).len(), 109);
}

/// Whoever flushes holds the journal, so a callback must not wait for what only the journal's writer can do.
#[test]
fn a_callback_of_whoever_flushes_appends_more_than_there_is_room_for() {
    let log = Arc::new(open(LogOptions { queue_bytes_max: 1_000, ..fast() }));
    for _ in 0..100 {
        let (done, appended) = channel();
        let again = Arc::clone(&log);
        enqueue(&log, "first").on_complete(move |_| {
            let all: Vec<_> = (0..8).map(|_| enqueue(&again, &"x".repeat(500))).collect();
            done.send(all).unwrap();
        });
        log.flush();
        let all = appended.recv_timeout(Duration::from_secs(20)).unwrap();
        log.flush();
        all.into_iter().for_each(|ticket| _ = ticket.wait().unwrap());
    }
}

#[test]
fn a_disk_that_fails_whoever_flushes_stops_the_log() {
    let disk = Memory::new();
    let log = open(LogOptions { flusher: Flusher::Thread, ..options(disk.clone()) });
    let ticket = enqueue(&log, "refused");
    disk.fail_after(0);
    log.flush();
    assert!(matches!(ticket.wait(), Err(Error::Stopped(_))));
    assert!(matches!(log.append(&partition(), batch(&["refused, too"])), Err(Error::Stopped(_))));
}

#[test]
fn the_journals_thread_syncs_by_the_clock_what_others_have_written() {
    let disk = Memory::with_crashes();
    let log = open(LogOptions { flusher: Flusher::Thread, ..options(disk.clone()) });
    let mut spec = TopicSpec::new("lax", 1).kept_for_ever();
    spec.config.set("flush.ms", "20").unwrap();
    log.create_topic(&spec).unwrap();
    let lax = TopicPartition::new("lax", 0);
    let deadline = Instant::now() + Duration::from_secs(20);
    for count in 1..20 {
        log.enqueue(&lax, batch(&["x"]), TransactionVersion::Two).unwrap();
        log.flush();
        let synced = || EmbeddedLog::open(options(disk.crash(|_| 0))).unwrap();
        while read(&synced(), &lax, Isolation::ReadCommitted).len() < count {
            assert!(Instant::now() < deadline, "{count} were never synced");
            thread::sleep(Duration::from_millis(3));
        }
    }
}

/// Nobody knows what of the queue has been written then.
#[test]
fn a_panic_of_whoever_flushes_stops_the_log() {
    let log = Arc::new(open(fast()));
    enqueue(&log, "x").on_complete(|_| panic!("a callback that has a mistake"));
    let again = Arc::clone(&log);
    let _ = thread::spawn(move || again.flush()).join();
    let deadline = Instant::now() + Duration::from_secs(20);
    while log.append(&partition(), batch(&["x"])).and_then(|ticket| ticket.wait()).is_ok() {
        assert!(Instant::now() < deadline, "the log goes on");
    }
    assert!(matches!(log.append(&partition(), batch(&["x"])), Err(Error::Stopped(_))));
}
