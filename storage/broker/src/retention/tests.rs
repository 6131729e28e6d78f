use bytes::Bytes;
use kafka_protocol::protocol::StrBytes;
use millstream_log::{
    ENGINE_PREFIX, EmbeddedLog, GroupOffset, LogOptions, Memory, TopicPartition, TopicSpec, WriteBatch,
};
use tokio::sync::oneshot;

use super::*;
use crate::BrokerOptions;
use crate::group::consumer::Partitions;
use crate::group::tests::{Given, subscription};
use crate::group::{Answer, Identity, Join, Joined, Sync};

const MINUTE_MS: i64 = 60_000;
const RETENTION_MS: i64 = 7 * 24 * 60 * MINUTE_MS;
const GROUP: &str = "g";

fn open(disk: &Memory) -> Broker {
    let log = EmbeddedLog::open(LogOptions { io: Arc::new(disk.clone()), ..LogOptions::in_memory() }).unwrap();
    Broker::new(Arc::new(log), BrokerOptions::default())
}

/// A broker with the topics `a` and `b`.
fn broker(disk: &Memory) -> Broker {
    let broker = open(disk);
    ["a", "b"].iter().for_each(|topic| drop(broker.log.create_topic(&TopicSpec::new(*topic, 1)).unwrap()));
    broker
}

fn commit(broker: &Broker, group: &str, topic: &str) {
    let offsets = vec![GroupOffset::new(group, TopicPartition::new(topic, 0), 3)];
    broker.log.write(WriteBatch { batches: Vec::new(), offsets }).unwrap().wait().unwrap();
}

/// Lets time pass, and says which topics the group has offsets in then.
fn topics_after(disk: &Memory, broker: &Broker, ms: i64, group: &str) -> Vec<String> {
    disk.advance_clock(ms);
    let now_ms = broker.log.now_ms();
    broker.groups.change(|groups, answers| groups.tick(now_ms, answers));
    expire_offsets(broker).unwrap();
    let mut topics: Vec<_> =
        broker.log.group_offsets(group).iter().map(|offset| offset.partition.topic.to_string()).collect();
    topics.sort();
    topics
}

fn joining(topic: &str) -> Join {
    Join {
        member_id: StrBytes::default(),
        new_id: text("member"),
        instance: None,
        client_id: text("client"),
        client_host: text("/127.0.0.1"),
        session_timeout_ms: 1_800_000,
        rebalance_timeout_ms: 5_000,
        protocol_type: text("consumer"),
        protocols: vec![(text("range"), subscription(&[topic], &Partitions::new()))],
        needs_known_id: false,
        can_skip_assignment: true,
    }
}

/// The member joins the group and is told what to read.
fn join(broker: &Broker, topic: &str) -> Identity {
    let now_ms = broker.log.now_ms();
    let (waiter, mut answer) = oneshot::channel();
    broker.groups.change(|groups, answers| {
        groups.join(&text(GROUP), joining(topic), &Given::default(), now_ms, waiter, answers)
    });
    let Ok(Answer::Joined(Joined { error_code: 0, generation, member_id, .. })) = answer.try_recv() else { panic!() };
    let identity = Identity { member_id, generation, instance: None };
    let (waiter, mut answer) = oneshot::channel();
    let sync = Sync { assignments: vec![(identity.member_id.clone(), Bytes::from_static(b"all"))], ..Sync::default() };
    broker.groups.change(|groups, answers| groups.sync(&text(GROUP), &identity, sync, now_ms, waiter, answers));
    assert!(matches!(answer.try_recv(), Ok(Answer::Synced(_))));
    identity
}

fn beat(broker: &Broker, member: &Identity) {
    let now_ms = broker.log.now_ms();
    broker.groups.change(|groups, _| groups.heartbeat(&text(GROUP), member, now_ms)).unwrap();
}

fn leave(broker: &Broker, member: &Identity) {
    let now_ms = broker.log.now_ms();
    broker
        .groups
        .change(|groups, answers| groups.leave(&text(GROUP), &member.member_id, None, now_ms, answers))
        .unwrap();
}

#[test]
fn offsets_of_a_client_without_a_group_go_so_long_after_they_were_committed() {
    let disk = Memory::new();
    let broker = broker(&disk);
    commit(&broker, GROUP, "a");
    assert_eq!(topics_after(&disk, &broker, RETENTION_MS / 2, GROUP), ["a"]);
    commit(&broker, GROUP, "b");
    assert_eq!(topics_after(&disk, &broker, RETENTION_MS / 2 + MINUTE_MS, GROUP), ["b"]);
    drop(broker);
    let broker = open(&disk);
    assert_eq!(topics_after(&disk, &broker, 0, GROUP), ["b"], "it stays gone");
    assert_eq!(topics_after(&disk, &broker, RETENTION_MS / 2, GROUP), Vec::<String>::new());
}

#[test]
fn offsets_of_queries_stay_for_ever() {
    let disk = Memory::new();
    let broker = broker(&disk);
    let group = format!("{ENGINE_PREFIX}default_query_CSAS_OUT_1");
    commit(&broker, &group, "a");
    assert_eq!(topics_after(&disk, &broker, 1_000 * RETENTION_MS, &group), ["a"]);
}

#[test]
fn a_group_with_members_loses_what_it_has_in_topics_that_it_reads_no_more() {
    let disk = Memory::new();
    let broker = broker(&disk);
    let member = join(&broker, "a");
    ["a", "b"].iter().for_each(|topic| commit(&broker, GROUP, topic));
    for minutes in (0..RETENTION_MS / MINUTE_MS).step_by(29) {
        assert_eq!(topics_after(&disk, &broker, 0, GROUP), ["a", "b"], "after {minutes} minutes");
        disk.advance_clock(29 * MINUTE_MS);
        beat(&broker, &member);
    }
    assert_eq!(topics_after(&disk, &broker, MINUTE_MS, GROUP), ["a"]);
}

#[test]
fn a_group_that_nobody_is_in_any_more_keeps_its_offsets_for_as_long_again_also_over_restarts() {
    let disk = Memory::new();
    let broker = broker(&disk);
    join(&broker, "a");
    commit(&broker, GROUP, "a");
    // A restart, before which all members have lost touch.
    disk.advance_clock(RETENTION_MS);
    let broker = {
        expire_offsets(&broker).unwrap();
        drop(broker);
        open(&disk)
    };
    assert_eq!(topics_after(&disk, &broker, RETENTION_MS / 2, GROUP), ["a"]);
    let member = join(&broker, "a");
    disk.advance_clock(MINUTE_MS);
    leave(&broker, &member);
    assert_eq!(topics_after(&disk, &broker, 9 * MINUTE_MS, GROUP), ["a"]);
    assert_eq!(topics_after(&disk, &broker, 2 * MINUTE_MS, GROUP), ["a"], "it is forgotten, not its offsets");
    assert!(broker.groups.look(|groups| groups.names()).is_empty());
    assert_eq!(topics_after(&disk, &broker, RETENTION_MS - 3 * MINUTE_MS, GROUP), ["a"]);
    drop(broker);
    let broker = open(&disk);
    assert_eq!(topics_after(&disk, &broker, 2 * MINUTE_MS, GROUP), ["a"], "after a restart an hour longer");
    assert_eq!(topics_after(&disk, &broker, 60 * MINUTE_MS, GROUP), Vec::<String>::new());
}
