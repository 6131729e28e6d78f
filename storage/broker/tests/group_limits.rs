//! Groups take a bounded part of the memory, whoever joins them, and those that are there go on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod typed;
mod wire;

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    ApiKey, ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, DescribeGroupsRequest,
    DescribeGroupsResponse, GroupId, HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse,
    LeaveGroupRequest, LeaveGroupResponse, ListGroupsRequest, ListGroupsResponse, SyncGroupRequest, SyncGroupResponse,
};
use millstream_broker::BrokerOptions;
use millstream_log::{Log, TopicSpec};
use typed::{ask, assert_produces_and_fetches, frame_of, receive, text, topic_name};
use wire::{assert_serves, connect, frame, read_frame, resident_kib, start};

/// Before its version 4 a member joins without coming a second time.
const JOIN: i16 = 3;
const JOIN_TWICE: i16 = 4;
const SECOND: Duration = Duration::from_secs(1);

/// Each test measures the process.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn group_id(name: &str) -> GroupId {
    GroupId(text(name))
}

fn join_request(group: &str, member_id: &str, metadata_bytes: usize) -> JoinGroupRequest {
    let protocol = JoinGroupRequestProtocol::default()
        .with_name(text("range"))
        .with_metadata(Bytes::from(vec![7; metadata_bytes]));
    JoinGroupRequest::default()
        .with_group_id(group_id(group))
        .with_member_id(text(member_id))
        .with_session_timeout_ms(30_000)
        .with_rebalance_timeout_ms(60_000)
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol])
}

fn join(stream: &mut TcpStream, group: &str, member_id: &str, metadata_bytes: usize) -> JoinGroupResponse {
    ask(stream, ApiKey::JoinGroup, JOIN, &join_request(group, member_id, metadata_bytes))
}

fn sync(stream: &mut TcpStream, group: &str, member: &JoinGroupResponse, assignment_bytes: usize) -> i16 {
    let assignment = SyncGroupRequestAssignment::default()
        .with_member_id(member.member_id.clone())
        .with_assignment(Bytes::from(vec![7; assignment_bytes]));
    let request = SyncGroupRequest::default()
        .with_group_id(group_id(group))
        .with_generation_id(member.generation_id)
        .with_member_id(member.member_id.clone())
        .with_assignments(vec![assignment]);
    ask::<SyncGroupResponse>(stream, ApiKey::SyncGroup, 3, &request).error_code
}

fn heartbeat(stream: &mut TcpStream, group: &str, member: &JoinGroupResponse) -> i16 {
    let request = HeartbeatRequest::default()
        .with_group_id(group_id(group))
        .with_generation_id(member.generation_id)
        .with_member_id(member.member_id.clone());
    ask::<HeartbeatResponse>(stream, ApiKey::Heartbeat, 3, &request).error_code
}

fn leave(stream: &mut TcpStream, group: &str, member: &JoinGroupResponse) -> i16 {
    let request = LeaveGroupRequest::default().with_group_id(group_id(group)).with_member_id(member.member_id.clone());
    ask::<LeaveGroupResponse>(stream, ApiKey::LeaveGroup, 2, &request).error_code
}

fn members_of(address: SocketAddr, group: &str) -> usize {
    let request = DescribeGroupsRequest::default().with_groups(vec![group_id(group)]);
    let described: DescribeGroupsResponse = ask(&mut connect(address), ApiKey::DescribeGroups, 0, &request);
    described.groups[0].members.len()
}

/// Waits until a group has so many members.
fn await_members(address: SocketAddr, group: &str, count: usize) {
    let begun = Instant::now();
    while members_of(address, group) != count {
        assert!(begun.elapsed() < Duration::from_secs(20), "{} members, not {count}", members_of(address, group));
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn code(error: ResponseError) -> i16 {
    error.code()
}

#[test]
fn what_members_say_is_bounded_and_those_who_are_there_go_on() {
    let _alone = ONE_AT_A_TIME.lock();
    let (log, _listener, address) = start(BrokerOptions { groups_bytes_max: 8 << 20, ..BrokerOptions::default() });
    log.create_topic(&TopicSpec::new("t", 1)).unwrap();
    let mut client = connect(address);
    let there = join(&mut client, "there", "", 1_000);
    assert_eq!((there.error_code, sync(&mut client, "there", &there, 100)), (0, 0));

    let before = resident_kib();
    let mut hostile = connect(address);
    let mut joined = Vec::new();
    let mut refused = 0;
    for number in 0..400 {
        let group = format!("g{number}");
        // What they say is a tenth of the request.
        let request = join_request(&group, "", 100 << 10);
        hostile.write_all(&frame_of(ApiKey::JoinGroup, JOIN, &request, 900 << 10)).unwrap();
        let answer: JoinGroupResponse = receive(&mut hostile, ApiKey::JoinGroup, JOIN);
        match answer.error_code {
            0 => joined.push((group, answer)),
            error => {
                assert_eq!(error, code(ResponseError::CoordinatorNotAvailable));
                refused += 1;
            }
        }
    }
    assert!(joined.len() > 60 && joined.len() < 82 && refused > 300, "{} joined", joined.len());
    let grown = resident_kib().saturating_sub(before);
    assert!(grown < 48 << 10, "{grown} KiB");

    assert_produces_and_fetches(address, SECOND);
    assert_eq!(heartbeat(&mut client, "there", &there), 0);
    let again = join(&mut client, "there", &there.member_id, 1_000);
    assert_eq!((again.error_code, again.generation_id), (0, there.generation_id + 1));
    assert_eq!(sync(&mut client, "there", &again, 100), 0);
    // What is said is replaced, not added to.
    for round in 0..200 {
        let again = join(&mut client, "there", &there.member_id, 900 + round % 7);
        assert_eq!((again.error_code, sync(&mut client, "there", &again, 90)), (0, 0));
    }

    for (group, member) in &joined {
        assert_eq!(leave(&mut hostile, group, member), 0);
    }
    assert_eq!(join(&mut client, "new", "", 100 << 10).error_code, 0);
}

#[test]
fn a_member_that_says_too_much_is_refused_for_good() {
    let _alone = ONE_AT_A_TIME.lock();
    let (_log, _listener, address) = start(BrokerOptions::default());
    let answer = join(&mut connect(address), "g", "", 2 << 20);
    assert_eq!(answer.error_code, code(ResponseError::InvalidRequest));
    assert_serves(address);
}

#[test]
fn assignments_are_bounded_and_their_group_goes_on() {
    let _alone = ONE_AT_A_TIME.lock();
    let (_log, _listener, address) = start(BrokerOptions { groups_bytes_max: 1 << 20, ..BrokerOptions::default() });
    let mut client = connect(address);
    let member = join(&mut client, "g", "", 100);
    assert_eq!(sync(&mut client, "g", &member, 2 << 20), code(ResponseError::CoordinatorNotAvailable));
    assert_eq!(sync(&mut client, "g", &member, 1_000), 0);
    // It takes the place of the one before.
    for _ in 0..5 {
        let member = join(&mut client, "g", &member.member_id, 100);
        assert_eq!(sync(&mut client, "g", &member, 600 << 10), 0);
    }
}

/// An answer is a copy of what members say, and what the system keeps of it is less.
#[test]
fn large_answers_that_nobody_reads_are_bounded() {
    let _alone = ONE_AT_A_TIME.lock();
    let (log, _listener, address) = start(BrokerOptions { answers_bytes_max: 24 << 20, ..BrokerOptions::default() });
    log.create_topic(&TopicSpec::new("t", 1)).unwrap();
    let groups: Vec<String> = (0..20).map(|number| format!("g{number}")).collect();
    let mut client = connect(address);
    for group in &groups {
        let member = join(&mut client, group, "", 1_000_000);
        assert_eq!((member.error_code, sync(&mut client, group, &member, 10)), (0, 0));
    }
    let request = DescribeGroupsRequest::default().with_groups(groups.iter().map(|group| group_id(group)).collect());
    let describe = frame_of(ApiKey::DescribeGroups, 0, &request, 0);
    let before = resident_kib();
    let _stuck: Vec<TcpStream> = (0..16)
        .map(|_| {
            let mut stream = connect(address);
            stream.write_all(&describe).unwrap();
            std::thread::sleep(Duration::from_millis(50));
            stream
        })
        .collect();
    let grown = resident_kib().saturating_sub(before);
    assert!(grown < 80 << 10, "{grown} KiB");
    assert_eq!(members_of(address, "g0"), 1);
    assert_produces_and_fetches(address, SECOND);
    // Who is refused is disconnected, and those who do not read give way by that.
    let begun = Instant::now();
    let length = loop {
        let mut client = connect(address);
        client.write_all(&describe).unwrap();
        if let Ok(answer) = read_frame(&mut client) {
            break answer.len();
        }
        assert!(begun.elapsed() < Duration::from_secs(8), "there is no room for a large answer");
        std::thread::sleep(Duration::from_millis(200));
    };
    assert!(length > 20_000_000);
}

#[test]
fn a_group_is_full_by_its_members_and_by_ids_that_were_given_out() {
    let _alone = ONE_AT_A_TIME.lock();
    let options = BrokerOptions { group_members_max: 3, consumer_group_members_max: 3, ..BrokerOptions::default() };
    let (log, _listener, address) = start(options);
    log.create_topic(&TopicSpec::new("t", 1)).unwrap();
    let mut client = connect(address);
    for _ in 0..3 {
        let given: JoinGroupResponse = ask(&mut client, ApiKey::JoinGroup, JOIN_TWICE, &join_request("ids", "", 10));
        assert_eq!(given.error_code, code(ResponseError::MemberIdRequired));
    }
    let full: JoinGroupResponse = ask(&mut client, ApiKey::JoinGroup, JOIN_TWICE, &join_request("ids", "", 10));
    assert_eq!(full.error_code, code(ResponseError::GroupMaxSizeReached));

    // All join at once, and one too many.
    let mut clients: Vec<_> = (0..4).map(|_| connect(address)).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        client.write_all(&frame_of(ApiKey::JoinGroup, JOIN, &join_request("members", "", 10), 0)).unwrap();
        await_members(address, "members", 3.min(number + 1));
    }
    let full: JoinGroupResponse = receive(&mut clients[3], ApiKey::JoinGroup, JOIN);
    assert_eq!(full.error_code, code(ResponseError::GroupMaxSizeReached));
    assert_eq!(members_of(address, "members"), 3);
    assert_produces_and_fetches(address, SECOND);
}

#[test]
fn members_of_consumer_groups_take_of_the_same_memory() {
    let _alone = ONE_AT_A_TIME.lock();
    let (log, _listener, address) = start(BrokerOptions { groups_bytes_max: 16 << 20, ..BrokerOptions::default() });
    log.create_topic(&TopicSpec::new("t", 1)).unwrap();
    log.create_topic(&TopicSpec::new("large", 10_000)).unwrap();
    let before = resident_kib();
    let mut client = connect(address);
    let mut beat = |group: String, member: String, names: Option<Vec<String>>, expression: Option<String>| {
        let names = names.map(|names| names.iter().map(|name| topic_name(name)).collect());
        let request = ConsumerGroupHeartbeatRequest::default()
            .with_group_id(group_id(&group))
            .with_member_id(text(member))
            .with_rebalance_timeout_ms(60_000)
            .with_subscribed_topic_names(names)
            .with_subscribed_topic_regex(expression.map(text))
            .with_topic_partitions(Some(Vec::new()));
        ask::<ConsumerGroupHeartbeatResponse>(&mut client, ApiKey::ConsumerGroupHeartbeat, 1, &request).error_code
    };
    let (mut codes, mut expressions) = (Vec::new(), Vec::new());
    let many = |number: usize| (0..1_000).map(|name| format!("{number}-{name}-{}", "n".repeat(200))).collect();
    for number in 0..200 {
        codes.push(beat("names".to_owned(), format!("m{number}"), Some(many(number)), None));
        expressions.push(beat("expressions".to_owned(), format!("m{number}"), None, Some(format!("[a-z]+{number}"))));
        // Its target and what it owns are 10,000 partitions.
        codes.push(beat(format!("large{number}"), "m".to_owned(), Some(vec!["large".to_owned()]), None));
        codes.push(beat(format!("all{number}"), "m".to_owned(), None, Some(".*".to_owned())));
    }
    let short = code(ResponseError::CoordinatorNotAvailable);
    // An expression counts as 1 MiB.
    assert!(expressions.iter().filter(|code| **code == 0).count() < 16);
    codes.extend(expressions);
    assert!(codes.iter().all(|code| [0, short].contains(code)));
    assert!(codes.iter().filter(|code| **code == short).count() > 500);
    let grown = resident_kib().saturating_sub(before);
    assert!(grown < 64 << 10, "{grown} KiB");
    assert_produces_and_fetches(address, SECOND);
}

#[test]
fn groups_that_everybody_has_left_make_room() {
    let _alone = ONE_AT_A_TIME.lock();
    let (_log, _listener, address) = start(BrokerOptions { groups_bytes_max: 5 << 20, ..BrokerOptions::default() });
    let mut client = connect(address);
    for number in 0..3_000 {
        let group = format!("{number}-{}", "g".repeat(10_000));
        let member = join(&mut client, &group, "", 10);
        assert_eq!((member.error_code, leave(&mut client, &group, &member)), (0, 0), "{number}");
    }
    let listed: ListGroupsResponse = ask(&mut client, ApiKey::ListGroups, 0, &ListGroupsRequest::default());
    assert!(listed.groups.len() < 300, "{} groups", listed.groups.len());
}

#[test]
fn a_client_that_departs_while_it_waits_is_noticed() {
    let _alone = ONE_AT_A_TIME.lock();
    // A few more than are open at a time, since one that has gone is noticed a moment later, and fewer than come in all.
    let options = BrokerOptions { session_timeout_ms: 500..=60_000, connections_max: 7, ..BrokerOptions::default() };
    let (log, _listener, address) = start(options);
    log.create_topic(&TopicSpec::new("t", 1)).unwrap();
    let mut there = connect(address);
    let member = join(&mut there, "g", "", 10);
    assert_eq!(sync(&mut there, "g", &member, 10), 0);
    // It waits for the one who is there, and sends a request behind; then it goes.
    let request = join_request("g", "", 10).with_session_timeout_ms(6_000);
    for number in 0..10 {
        let mut waiting = connect(address);
        waiting.write_all(&frame_of(ApiKey::JoinGroup, JOIN, &request, 0)).unwrap();
        waiting.write_all(&frame(18, 0, &[])).unwrap();
        await_members(address, "g", 2 + number);
    }
    // Its connections are gone at once, or these would find no place.
    let places: Vec<_> = (0..2)
        .map(|_| {
            let mut place = connect(address);
            place.write_all(&frame(18, 0, &[])).unwrap();
            read_frame(&mut place).unwrap();
            place
        })
        .collect();
    drop(places);
    // Their sessions end.
    await_members(address, "g", 1);
    assert_produces_and_fetches(address, SECOND);
    let again = join(&mut there, "g", &member.member_id, 10);
    assert_eq!((again.error_code, again.members.len()), (0, 1));
}
