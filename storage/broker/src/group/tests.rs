mod migration;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use bytes::BufMut;
use kafka_protocol::ResponseError;
use millstream_log::TopicPartition;
use proptest::prelude::*;

use super::consumer::{Partitions, Topics};
use super::consumer_protocol::assignment;
use super::*;
use crate::budget::Budget;
use crate::text::text;

/// Topics of a test.
#[derive(Debug, Clone, Default)]
pub(crate) struct Given(pub(super) BTreeMap<Arc<str>, i32>);

impl Topics for Given {
    fn partitions(&self, topic: &str) -> Option<i32> {
        self.0.get(topic).copied()
    }

    fn names(&self) -> Vec<Arc<str>> {
        self.0.keys().cloned().collect()
    }
}

pub(super) fn given(topics: &[(&str, i32)]) -> Given {
    Given(topics.iter().map(|(name, size)| (Arc::from(*name), *size)).collect())
}

pub(super) fn parts(topic: &str, indexes: impl IntoIterator<Item = i32>) -> Partitions {
    indexes.into_iter().map(|index| TopicPartition::new(topic, index)).collect()
}

/// What a consumer says of itself: version 1 of `ConsumerProtocolSubscription`. An assignment is written like what it owns.
pub(crate) fn subscription(topics: &[&str], owned: &Partitions) -> Bytes {
    let mut bytes = Vec::new();
    bytes.put_i16(1);
    bytes.put_i32(topics.len() as i32);
    for topic in topics {
        bytes.put_i16(topic.len() as i16);
        bytes.put_slice(topic.as_bytes());
    }
    bytes.put_i32(-1);
    let assigned = assignment(1, owned);
    bytes.put_slice(&assigned[2..assigned.len() - 4]);
    bytes.into()
}

/// What a client works on nobody else works on.
pub(super) fn check_one_reader_each<'a>(owned: impl Iterator<Item = &'a Partitions>) -> Result<(), TestCaseError> {
    let mut owners: HashMap<&TopicPartition, usize> = HashMap::new();
    for (at, owned) in owned.enumerate() {
        for partition in owned {
            let other = owners.insert(partition, at);
            prop_assert!(other.is_none(), "{partition:?} is worked on by {other:?} and {at}");
        }
    }
    Ok(())
}

const MEMBERS_MAX: usize = 10;

/// Whoever waits in these tests stays.
impl Waits for usize {
    fn has_gone(&self) -> bool {
        false
    }
}

fn coordinator() -> Coordinator<usize> {
    coordinator_with(16 << 20)
}

/// These go when the test says so.
impl Waits for Rc<Cell<bool>> {
    fn has_gone(&self) -> bool {
        self.get()
    }
}

fn coordinator_with<W: Waits>(memory_bytes: usize) -> Coordinator<W> {
    coordinator_of(Budget::new(memory_bytes))
}

fn coordinator_of<W: Waits>(members_memory: Budget) -> Coordinator<W> {
    let memory = members_memory.clone();
    let consumer = consumer::ConsumerLimits { session_timeout_ms: 1_000, members_max: 10, memory };
    let limits = Limits {
        session_timeout_ms: 100..=100_000,
        initial_delay_ms: 0,
        members_max: MEMBERS_MAX,
        members_memory,
        consumer,
    };
    Coordinator::new(limits)
}

fn join_of(member_id: &str, new_id: &str) -> Join {
    Join {
        member_id: text(member_id),
        new_id: text(new_id),
        instance: None,
        client_id: text("client"),
        client_host: text("/127.0.0.1"),
        session_timeout_ms: 1_000,
        rebalance_timeout_ms: 5_000,
        protocol_type: text("consumer"),
        protocols: vec![(text("range"), Bytes::from_static(b"topics"))],
        needs_known_id: false,
        can_skip_assignment: true,
    }
}

fn identity(member_id: &str, generation: i32) -> Identity {
    Identity { member_id: text(member_id), instance: None, generation }
}

fn joined(answers: &mut Answers<usize>) -> Vec<(usize, Joined)> {
    let joined = |(waiter, answer)| match answer {
        Answer::Joined(joined) => (waiter, joined),
        Answer::Synced(synced) => panic!("{synced:?}"),
    };
    answers.drain(..).map(joined).collect()
}

/// Two members in generation 2, led by the first.
fn stable_pair(groups: &mut Coordinator<usize>) {
    let mut answers = Vec::new();
    groups.join(&text("g"), join_of("", "a"), &Given::default(), 0, 1, &mut answers);
    assert_eq!(joined(&mut answers)[0].1.generation, 1);
    groups.join(&text("g"), join_of("", "b"), &Given::default(), 0, 2, &mut answers);
    assert!(answers.is_empty(), "the second member waits for the first");
    assert_eq!(groups.heartbeat(&text("g"), &identity("a", 1), 1), Err(ResponseError::RebalanceInProgress));
    groups.join(&text("g"), join_of("a", "x"), &Given::default(), 2, 3, &mut answers);
    let both = joined(&mut answers);
    assert_eq!(both.len(), 2);
    assert!(both.iter().all(|(_, joined)| joined.generation == 2 && &*joined.leader == "a"));
    groups.sync(&text("g"), &identity("b", 2), Sync::default(), 3, 4, &mut answers);
    assert!(answers.is_empty(), "the assignment is the leader's to make");
    let assignments = vec![(text("a"), Bytes::from_static(b"0")), (text("b"), Bytes::from_static(b"1"))];
    groups.sync(&text("g"), &identity("a", 2), Sync { assignments, ..Sync::default() }, 4, 5, &mut answers);
    let of = |waiter: usize, answers: &Answers<usize>| match answers.iter().find(|(other, _)| *other == waiter) {
        Some((_, Answer::Synced(synced))) => synced.assignment.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!((&of(4, &answers)[..], &of(5, &answers)[..]), (&b"1"[..], &b"0"[..]));
}

#[test]
fn members_share_what_their_leader_hands_out() {
    let mut groups = coordinator();
    stable_pair(&mut groups);
    assert_eq!(groups.heartbeat(&text("g"), &identity("b", 2), 5), Ok(()));
    assert_eq!(groups.heartbeat(&text("g"), &identity("b", 1), 5), Err(ResponseError::IllegalGeneration));
    assert_eq!(groups.check_commit(&text("g"), &identity("b", 2), [], 5), Ok(()));
    assert_eq!(groups.check_commit(&text("g"), &identity("c", 2), [], 5), Err(ResponseError::UnknownMemberId));
    assert_eq!(groups.check_commit(&text("g"), &identity("", -1), [], 5), Err(ResponseError::UnknownMemberId));
    assert_eq!(groups.check_commit(&text("other"), &identity("", -1), [], 5), Ok(()));
    assert_eq!(groups.check_commit(&text("other"), &identity("", 0), [], 5), Err(ResponseError::GroupIdNotFound));
}

#[test]
fn a_silent_member_is_taken_for_dead_and_its_share_is_handed_out_again() {
    let mut groups = coordinator();
    stable_pair(&mut groups);
    groups.heartbeat(&text("g"), &identity("a", 2), 900).unwrap();
    let mut answers = Vec::new();
    groups.tick(1_500, &mut answers);
    assert_eq!(groups.heartbeat(&text("g"), &identity("b", 2), 1_501), Err(ResponseError::UnknownMemberId));
    assert_eq!(groups.heartbeat(&text("g"), &identity("a", 2), 1_501), Err(ResponseError::RebalanceInProgress));
    groups.join(&text("g"), join_of("a", "x"), &Given::default(), 1_502, 9, &mut answers);
    let alone = joined(&mut answers);
    assert_eq!((alone[0].1.generation, alone[0].1.members.len()), (3, 1));
}

#[test]
fn who_is_silent_is_no_less_so_for_the_rebalance_that_another_one_starts() {
    let mut groups = coordinator();
    stable_pair(&mut groups);
    groups.heartbeat(&text("g"), &identity("a", 2), 500).unwrap();
    let mut answers = Vec::new();
    groups.tick(1_004, &mut answers);
    assert_eq!(groups.group(&text("g")).unwrap().members.keys().collect::<Vec<_>>(), ["a"]);
    // Its session is over, though the rebalance would wait for it till 6,004.
    groups.tick(1_500, &mut answers);
    assert!(groups.group(&text("g")).unwrap().members.is_empty());
}

#[test]
fn who_waited_for_its_assignment_when_a_rebalance_began_has_a_session_to_join_again() {
    let mut groups = coordinator();
    stable_pair(&mut groups);
    let mut answers = Vec::new();
    groups.join(&text("g"), join_of("a", "x"), &Given::default(), 100, 6, &mut answers);
    groups.join(&text("g"), join_of("b", "x"), &Given::default(), 100, 7, &mut answers);
    groups.sync(&text("g"), &identity("b", 3), Sync::default(), 100, 8, &mut answers);
    for now_ms in (600..=2_600).step_by(500) {
        groups.heartbeat(&text("g"), &identity("a", 3), now_ms).unwrap();
        groups.tick(now_ms, &mut answers);
    }
    groups.leave(&text("g"), &text("a"), None, 2_700, &mut answers).unwrap();
    groups.tick(3_600, &mut answers);
    assert_eq!(groups.heartbeat(&text("g"), &identity("b", 3), 3_600), Err(ResponseError::RebalanceInProgress));
}

#[test]
fn who_departs_while_it_waits_does_not_prolong_those_that_departed_before() {
    let mut groups = coordinator_with(16 << 20);
    let (group, mut answers) = (text("g"), Vec::new());
    let here = Rc::new(Cell::new(false));
    groups.join(&group, join_of("", "a"), &Given::default(), 0, Rc::clone(&here), &mut answers);
    let mut members = Vec::new();
    // "a" is alive, but does not join; one after the other joins and goes.
    for (number, now_ms) in (0..3_000).step_by(300).enumerate() {
        let gone = Rc::new(Cell::new(false));
        groups.join(
            &group,
            join_of("", &format!("m{number}")),
            &Given::default(),
            now_ms,
            Rc::clone(&gone),
            &mut answers,
        );
        let _ = groups.heartbeat(&group, &identity("a", 1), now_ms);
        groups.tick(now_ms, &mut answers);
        gone.set(true);
        groups.note_departures(&group, now_ms);
        members.push(groups.group(&group).unwrap().members.len());
    }
    // Each is there for a session of 1 s.
    assert_eq!(members, [2, 3, 4, 5, 5, 5, 5, 5, 5, 5]);
}

#[test]
fn who_does_not_join_in_time_is_left_out() {
    let mut groups = coordinator();
    stable_pair(&mut groups);
    let mut answers = Vec::new();
    groups.join(&text("g"), join_of("", "c"), &Given::default(), 10, 9, &mut answers);
    // "a" and "b" live, but do not join.
    for now_ms in (500..6_000).step_by(500) {
        let _ = groups.heartbeat(&text("g"), &identity("a", 2), now_ms);
        let _ = groups.heartbeat(&text("g"), &identity("b", 2), now_ms);
        groups.tick(now_ms, &mut answers);
    }
    let left = joined(&mut answers);
    assert_eq!((left[0].0, left[0].1.members.len(), &*left[0].1.leader), (9, 1, "c"));
}

#[test]
fn a_new_member_must_come_again_with_its_id() {
    let mut groups = coordinator();
    let mut answers = Vec::new();
    groups.join(&text("g"), Join { needs_known_id: true, ..join_of("", "a") }, &Given::default(), 0, 1, &mut answers);
    let told = joined(&mut answers);
    assert_eq!((told[0].1.error_code, &*told[0].1.member_id), (ResponseError::MemberIdRequired.code(), "a"));
    groups.join(&text("g"), Join { needs_known_id: true, ..join_of("a", "x") }, &Given::default(), 1, 2, &mut answers);
    assert_eq!((joined(&mut answers)[0].1.error_code, groups.groups().count()), (0, 1));
}

#[test]
fn an_instance_that_restarts_keeps_its_share_without_a_rebalance() {
    let mut groups = coordinator();
    let mut answers = Vec::new();
    let instance = Some(text("i"));
    groups.join(
        &text("g"),
        Join { instance: instance.clone(), ..join_of("", "a") },
        &Given::default(),
        0,
        1,
        &mut answers,
    );
    let assignments = vec![(text("a"), Bytes::from_static(b"all"))];
    groups.sync(&text("g"), &identity("a", 1), Sync { assignments, ..Sync::default() }, 0, 2, &mut answers);
    answers.clear();
    groups.join(
        &text("g"),
        Join { instance: instance.clone(), ..join_of("", "b") },
        &Given::default(),
        1,
        3,
        &mut answers,
    );
    let back = joined(&mut answers);
    assert_eq!((back[0].1.generation, &*back[0].1.member_id, back[0].1.skip_assignment), (1, "b", true));
    let fenced = Identity { instance, ..identity("a", 1) };
    assert_eq!(groups.heartbeat(&text("g"), &fenced, 2), Err(ResponseError::FencedInstanceId));
    groups.sync(&text("g"), &identity("b", 1), Sync::default(), 2, 4, &mut answers);
    assert!(matches!(&answers[0].1, Answer::Synced(synced) if &synced.assignment[..] == b"all"));
}

/// What a client does next.
#[derive(Debug, Clone)]
enum Step {
    Join(usize),
    Sync(usize),
    Heartbeat(usize),
    Leave(usize),
    Wait(i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..4usize).prop_map(Step::Join),
        4 => (0..4usize).prop_map(Step::Sync),
        2 => (0..4usize).prop_map(Step::Heartbeat),
        1 => (0..4usize).prop_map(Step::Leave),
        2 => (1..3_000i64).prop_map(Step::Wait),
    ]
}

proptest! {
    /// Whatever the members do: each request is answered once and in the end, no two members of a generation are told
    /// of different leaders or protocols, and generations only grow.
    #[test]
    fn members_of_a_generation_agree(steps in proptest::collection::vec(step(), 1..80)) {
        let mut groups = coordinator();
        let mut answers = Vec::new();
        let (mut now_ms, mut waiter, mut newest) = (0, 0, 0);
        let mut open = BTreeSet::new();
        let mut known: Vec<(StrBytes, i32)> = vec![(StrBytes::default(), 0); 4];
        let mut owner = Vec::new();
        let mut leaders = std::collections::BTreeMap::new();
        for step in steps.into_iter().chain((0..40).map(|_| Step::Wait(1_000))) {
            match step {
                Step::Join(client) => {
                    open.insert(waiter);
                    owner.push(client);
                    let join = join_of(&known[client].0, &format!("{client}-{waiter}"));
                    groups.join(&text("g"), join, &Given::default(), now_ms, waiter, &mut answers);
                    waiter += 1;
                }
                Step::Sync(client) => {
                    open.insert(waiter);
                    owner.push(client);
                    let identity = identity(&known[client].0, known[client].1);
                    groups.sync(&text("g"), &identity, Sync::default(), now_ms, waiter, &mut answers);
                    waiter += 1;
                }
                Step::Heartbeat(client) => {
                    let _ = groups.heartbeat(&text("g"), &identity(&known[client].0, known[client].1), now_ms);
                }
                Step::Leave(client) => {
                    let _ = groups.leave(&text("g"), &known[client].0, None, now_ms, &mut answers);
                }
                Step::Wait(ms) => {
                    // As the driver does: never past what is due.
                    now_ms = (now_ms + ms).min(groups.next_tick_ms().max(now_ms + 1));
                    groups.tick(now_ms, &mut answers);
                }
            }
            for (waiter, answer) in answers.drain(..) {
                prop_assert!(open.remove(&waiter), "answered twice");
                let Answer::Joined(joined) = answer else { continue };
                if joined.error_code == 0 {
                    known[owner[waiter]] = (joined.member_id.clone(), joined.generation);
                    prop_assert!(joined.generation >= newest);
                    newest = joined.generation;
                    let agreed = leaders.entry(joined.generation).or_insert_with(|| joined.leader.clone());
                    prop_assert_eq!(&*agreed, &joined.leader);
                } else if joined.error_code == ResponseError::UnknownMemberId.code() {
                    known[owner[waiter]] = (StrBytes::default(), 0);
                }
            }
        }
        prop_assert!(open.is_empty(), "never answered: {open:?}");
    }
}
