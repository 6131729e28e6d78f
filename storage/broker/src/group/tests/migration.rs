//! Groups whose members move from one protocol to the other, one after another.

mod model;

use super::*;
use crate::group::consumer::{Beat, Heartbeat, JOIN_EPOCH, LEAVE_EPOCH, LEAVE_FOR_A_WHILE_EPOCH, Refusal};
use crate::group::consumer_protocol::{ConsumerAssignment, assignment};

/// A group under a clock that the test moves.
struct Run {
    groups: Coordinator<usize>,
    topics: Given,
    now_ms: i64,
}

impl Run {
    fn new(topics: &[(&str, i32)]) -> Self {
        Self { groups: coordinator(), topics: given(topics), now_ms: 0 }
    }

    fn join_as(&mut self, join: Join) -> Joined {
        let mut answers = Vec::new();
        self.groups.join(&text("g"), join, &self.topics, self.now_ms, 0, &mut answers);
        let answered = answers.into_iter().find(|(waiter, _)| *waiter == 0);
        match answered {
            Some((_, Answer::Joined(joined))) => joined,
            other => panic!("{other:?}"),
        }
    }

    fn join(&mut self, id: &str, new_id: &str, owned: &Partitions) -> Joined {
        self.join_as(classic(id, new_id, owned))
    }

    fn sync(&mut self, id: &str, generation: i32, assignments: Vec<(StrBytes, Bytes)>) -> Result<Partitions, i16> {
        let mut answers = Vec::new();
        let sync = Sync { assignments, ..Sync::default() };
        self.groups.sync(&text("g"), &identity(id, generation), sync, self.now_ms, 0, &mut answers);
        match answers.pop() {
            Some((0, Answer::Synced(synced))) if synced.error_code == 0 => Ok(assigned(&synced)),
            Some((0, Answer::Synced(synced))) => Err(synced.error_code),
            other => panic!("{other:?}"),
        }
    }

    fn heartbeat(&mut self, id: &str, generation: i32) -> Result<(), ResponseError> {
        self.groups.heartbeat(&text("g"), &identity(id, generation), self.now_ms)
    }

    fn beat(&mut self, beat: &Heartbeat) -> Result<Beat, Refusal> {
        self.groups.consumer_heartbeat(&text("g"), beat, &self.topics, self.now_ms, &mut Vec::new())
    }

    fn is_classic(&self) -> bool {
        assert!(self.groups.group(&text("g")).is_none() || self.groups.consumer_group(&text("g")).is_none());
        self.groups.group(&text("g")).is_some()
    }

    /// A classic member "a" that reads all of `t`, which has so many partitions.
    fn alone(partitions: i32) -> Self {
        let mut run = Self::new(&[("t", partitions)]);
        let joined = run.join("", "a", &Partitions::new());
        let all = vec![(text("a"), assignment(1, &parts("t", 0..partitions)))];
        assert_eq!(run.sync("a", joined.generation, all), Ok(parts("t", 0..partitions)));
        run
    }
}

fn classic(id: &str, new_id: &str, owned: &Partitions) -> Join {
    let protocols = ["cooperative-sticky", "range"].map(|name| (text(name), subscription(&["t"], owned)));
    Join { protocols: protocols.into(), ..join_of(id, new_id) }
}

fn assigned(synced: &Synced) -> Partitions {
    ConsumerAssignment::read(&synced.assignment, |_| true).unwrap().partitions
}

fn newer(id: &str, epoch: i32, owned: Option<Partitions>) -> Heartbeat {
    let joins = epoch == JOIN_EPOCH;
    Heartbeat {
        member_id: text(id),
        epoch,
        rebalance_timeout_ms: joins.then_some(5_000),
        topic_names: joins.then(|| vec![Arc::from("t")]),
        owned: if joins { Some(Partitions::new()) } else { owned },
        ..Heartbeat::default()
    }
}

const REBALANCE: i16 = 27;

#[test]
fn a_group_moves_over_with_its_members_and_back() {
    let mut run = Run::alone(4);
    let first = run.beat(&newer("c", JOIN_EPOCH, None)).unwrap();
    assert!(!run.is_classic());
    assert_eq!((first.epoch, first.assignment), (2, Some(Partitions::new())), "all is still the classic member's");
    // It hears of that, and joins again with what it owns.
    assert_eq!(run.heartbeat("a", 1), Err(ResponseError::RebalanceInProgress));
    let joined = run.join("a", "x", &parts("t", 0..4));
    assert_eq!((joined.error_code, joined.generation, &*joined.leader), (0, 1, ""), "it has yet to give something up");
    assert_eq!(joined.protocol.as_deref(), Some("cooperative-sticky"));
    let kept = run.sync("a", 1, Vec::new()).unwrap();
    assert_eq!(kept.len(), 2);
    assert_eq!(run.heartbeat("a", 1), Err(ResponseError::RebalanceInProgress));
    assert_eq!(run.join("a", "x", &kept).generation, 2);
    assert_eq!(run.sync("a", 2, Vec::new()), Ok(kept.clone()));
    assert_eq!(run.heartbeat("a", 2), Ok(()));
    let told = run.beat(&newer("c", 2, None)).unwrap();
    let rest: Partitions = parts("t", 0..4).difference(&kept).cloned().collect();
    assert_eq!((told.epoch, told.assignment), (2, Some(rest)));
    // Commits are by the generation, which is the epoch.
    let commit = |run: &mut Run, generation| run.groups.check_commit(&text("g"), &identity("a", generation), [], 0);
    assert_eq!(commit(&mut run, 2), Ok(()));
    assert_eq!(commit(&mut run, 1), Err(ResponseError::IllegalGeneration));

    run.beat(&newer("c", LEAVE_EPOCH, None)).unwrap();
    assert!(run.is_classic());
    assert_eq!(run.heartbeat("a", 2), Err(ResponseError::RebalanceInProgress));
    let joined = run.join("a", "x", &kept);
    assert_eq!((joined.generation, &*joined.leader, joined.members.len()), (3, "a", 1));
}

#[test]
fn who_revokes_all_before_it_joins_needs_no_second_time() {
    let mut run = Run::alone(4);
    run.beat(&newer("c", JOIN_EPOCH, None)).unwrap();
    let joined = run.join("a", "x", &Partitions::new());
    assert_eq!(joined.generation, 2);
    assert_eq!(run.sync("a", 2, Vec::new()).unwrap().len(), 2);
    assert_eq!(run.beat(&newer("c", 2, None)).unwrap().assignment.unwrap().len(), 2);
}

#[test]
fn who_waits_when_its_group_moves_over_is_told_to_join_again() {
    let mut run = Run::alone(2);
    let mut answers = Vec::new();
    // "b" waits for "a" to join.
    run.groups.join(&text("g"), classic("", "b", &Partitions::new()), &run.topics, 0, 7, &mut answers);
    assert!(answers.is_empty());
    run.groups.consumer_heartbeat(&text("g"), &newer("c", JOIN_EPOCH, None), &run.topics, 0, &mut answers).unwrap();
    let told = joined(&mut answers);
    assert_eq!((told[0].0, told[0].1.error_code, &*told[0].1.member_id), (7, REBALANCE, "b"));
    assert_eq!(run.join("b", "x", &Partitions::new()).error_code, 0);
    assert_eq!(run.groups.consumer_group(&text("g")).unwrap().members.len(), 3);
}

#[test]
fn a_classic_member_joins_a_consumer_group() {
    let mut run = Run::new(&[("t", 2)]);
    run.beat(&newer("c", JOIN_EPOCH, None)).unwrap();
    let needs_id = Join { needs_known_id: true, ..classic("", "a", &Partitions::new()) };
    let told = run.join_as(needs_id);
    assert_eq!((told.error_code, &*told.member_id), (ResponseError::MemberIdRequired.code(), "a"));
    let joined = run.join("a", "x", &Partitions::new());
    assert_eq!((joined.error_code, joined.generation), (0, 2));
    assert_eq!(run.sync("a", 2, Vec::new()), Ok(Partitions::new()), "nothing is free yet");
    assert_eq!(run.heartbeat("a", 2), Ok(()), "and it is not told to come before there is");
    let kept = run.beat(&newer("c", 1, None)).unwrap().assignment.unwrap();
    run.beat(&newer("c", 1, Some(kept))).unwrap();
    assert_eq!(run.heartbeat("a", 2), Err(ResponseError::RebalanceInProgress));
    assert_eq!(run.join("a", "x", &Partitions::new()).generation, 2);
    assert_eq!(run.sync("a", 2, Vec::new()).unwrap().len(), 1);
}

#[test]
fn what_is_not_a_classic_consumers_is_refused() {
    let mut run = Run::new(&[("t", 2)]);
    run.beat(&newer("c", JOIN_EPOCH, None)).unwrap();
    let joins = || classic("", "a", &Partitions::new());
    let inconsistent = ResponseError::InconsistentGroupProtocol.code();
    assert_eq!(run.join_as(Join { protocol_type: text("connect"), ..joins() }).error_code, inconsistent);
    assert_eq!(run.join_as(Join { protocols: Vec::new(), ..joins() }).error_code, inconsistent);
    let malformed = vec![(text("range"), Bytes::from_static(b"?"))];
    assert_eq!(run.join_as(Join { protocols: malformed, ..joins() }).error_code, inconsistent);
    assert_eq!(run.join_as(joins()).error_code, 0);
    let others = vec![(text("roundrobin"), subscription(&["t"], &Partitions::new()))];
    assert_eq!(
        run.join_as(Join { protocols: others, ..classic("", "b", &Partitions::new()) }).error_code,
        inconsistent
    );
    // Neither is a member by the newer protocol one by the classic one.
    assert_eq!(run.heartbeat("c", 1), Err(ResponseError::UnknownMemberId));
    assert_eq!(run.sync("c", 1, Vec::new()), Err(ResponseError::UnknownMemberId.code()));
    assert_eq!(run.heartbeat("a", 7), Err(ResponseError::IllegalGeneration));
    let sync = Sync { protocol: Some(text("range")), ..Sync::default() };
    let mut answers = Vec::new();
    run.groups.sync(&text("g"), &identity("a", 2), sync, 0, 0, &mut answers);
    assert!(matches!(&answers[0].1, Answer::Synced(synced) if synced.error_code == inconsistent));
}

#[test]
fn a_group_that_is_not_of_consumers_stays_what_it_is() {
    let mut run = Run::new(&[("t", 2)]);
    run.join_as(Join { protocol_type: text("connect"), ..classic("", "a", &Partitions::new()) });
    let (code, message) = run.beat(&newer("c", JOIN_EPOCH, None)).unwrap_err();
    assert_eq!(code, ResponseError::GroupIdNotFound);
    assert!(message.contains("does not use the consumer embedded protocol"), "{message}");
    assert!(run.is_classic());

    let mut run = Run::new(&[("t", 2)]);
    let mine = vec![(text("mine"), subscription(&["t"], &Partitions::new()))];
    let joined = run.join_as(Join { protocols: mine, ..classic("", "a", &Partitions::new()) });
    run.sync("a", joined.generation, vec![(text("a"), with_data(0..2))]).unwrap();
    let (code, message) = run.beat(&newer("c", JOIN_EPOCH, None)).unwrap_err();
    assert_eq!(code, ResponseError::GroupIdNotFound);
    assert!(message.contains("custom assignor"), "{message}");
    assert!(run.is_classic());
    assert_eq!(run.heartbeat("a", joined.generation), Ok(()));

    // Nobody reads what a default assignor writes there, as librdkafka's do.
    let mut run = Run::new(&[("t", 2)]);
    let joined = run.join("", "a", &Partitions::new());
    run.sync("a", joined.generation, vec![(text("a"), with_data(0..2))]).unwrap();
    run.beat(&newer("c", JOIN_EPOCH, None)).unwrap();
    assert!(!run.is_classic());
}

/// An assignment whose assignor says something more.
fn with_data(indexes: std::ops::Range<i32>) -> Bytes {
    let mut bytes = assignment(1, &parts("t", indexes)).to_vec();
    bytes.truncate(bytes.len() - 4);
    bytes.extend_from_slice(&[0, 0, 0, 1, 42]);
    bytes.into()
}

#[test]
fn an_instance_keeps_its_part_when_it_comes_by_the_other_protocol() {
    let mut run = Run::new(&[("t", 2)]);
    let instance = Some(text("i"));
    let newer = |id: &str, epoch| Heartbeat { instance: instance.clone(), ..newer(id, epoch, None) };
    let joins = |id: &str, new_id: &str| Join { instance: instance.clone(), ..classic(id, new_id, &Partitions::new()) };
    let joined = run.join_as(joins("", "a"));
    let all = vec![(text("a"), assignment(1, &parts("t", 0..2)))];
    run.sync("a", joined.generation, all).unwrap();
    // A static member does not say that it goes, by the classic protocol.
    let beat = run.beat(&newer("b", JOIN_EPOCH)).unwrap();
    assert_eq!(beat.assignment, Some(parts("t", 0..2)));
    assert!(!run.is_classic());
    let fenced = Identity { instance: instance.clone(), ..identity("a", 1) };
    assert_eq!(run.groups.heartbeat(&text("g"), &fenced, 0), Err(ResponseError::FencedInstanceId));
    run.beat(&newer("b", LEAVE_FOR_A_WHILE_EPOCH)).unwrap();
    // The last one by the newer protocol is replaced: all is shared out, and the group a classic one at once.
    let back = run.join_as(joins("", "d"));
    assert_eq!((back.error_code, back.generation), (0, beat.epoch));
    assert!(run.is_classic());
    assert_eq!(run.sync("d", back.generation, Vec::new()), Ok(parts("t", 0..2)));
    assert_eq!(run.join_as(joins("a", "x")).error_code, ResponseError::FencedInstanceId.code());
}

#[test]
fn a_member_is_told_the_protocol_by_which_its_group_goes_on() {
    let mut run = Run::new(&[("t", 2)]);
    let said = subscription(&["t"], &Partitions::new());
    let join = |names: [&str; 2], new_id: &str, instance: Option<&str>| Join {
        instance: instance.map(text),
        protocols: names.map(|name| (text(name), said.clone())).into(),
        ..join_of("", new_id)
    };
    run.beat(&Heartbeat { instance: Some(text("i")), ..newer("n", JOIN_EPOCH, None) }).unwrap();
    let first = run.join_as(join(["range", "cooperative-sticky"], "a", None));
    assert_eq!(first.protocol.as_deref(), Some("range"));
    run.sync("a", first.generation, Vec::new()).unwrap();
    let of_instance = |epoch, owned| Heartbeat { instance: Some(text("i")), ..newer("n", epoch, owned) };
    let kept = run.beat(&of_instance(1, None)).unwrap().assignment;
    run.beat(&of_instance(1, kept)).unwrap();
    let again = Join { member_id: text("a"), ..join(["range", "cooperative-sticky"], "x", None) };
    let generation = run.join_as(again).generation;
    run.sync("a", generation, Vec::new()).unwrap();

    run.beat(&of_instance(LEAVE_FOR_A_WHILE_EPOCH, None)).unwrap();
    let last = run.join_as(join(["cooperative-sticky", "range"], "b", Some("i")));
    assert!(run.is_classic());
    let agreed = run.groups.group(&text("g")).unwrap().protocol.clone();
    assert_eq!((last.protocol.clone(), last.protocol.as_deref()), (agreed, Some("range")));
    // Who was told another one just before is called back all the same.
    run.groups.leave(&text("g"), &text(""), Some(&text("i")), 0, &mut Vec::new()).unwrap();
    let sync = Sync { protocol: Some(text("cooperative-sticky")), ..Sync::default() };
    let mut answers = Vec::new();
    run.groups.sync(&text("g"), &identity("a", generation), sync, 0, 0, &mut answers);
    assert!(matches!(&answers[0].1, Answer::Synced(synced) if synced.error_code == REBALANCE), "{answers:?}");
}

#[test]
fn partitions_that_nobody_has_when_a_group_moves_over_are_shared_out() {
    let mut run = Run::new(&[("t", 4)]);
    let instances = [Some(text("i")), Some(text("j"))];
    let joins = |at: usize, id: &str, new_id: &str| Join {
        instance: instances[at].clone(),
        ..classic(id, new_id, &Partitions::new())
    };
    let mut answers = Vec::new();
    run.join_as(joins(0, "", "a"));
    run.groups.join(&text("g"), joins(1, "", "b"), &run.topics, 0, 1, &mut answers);
    run.groups.join(&text("g"), joins(0, "a", "x"), &run.topics, 0, 2, &mut answers);
    let shares = [("a", 0..2), ("b", 2..4)].map(|(id, share)| (text(id), assignment(1, &parts("t", share))));
    run.sync("a", 2, shares.into()).unwrap();
    run.sync("b", 2, Vec::new()).unwrap();
    // "b" gives up everything to join again, and while it waits for "a", that comes back by the newer protocol.
    let more = vec![(text("range"), subscription(&["t", "u"], &Partitions::new()))];
    run.groups.join(
        &text("g"),
        Join { protocols: more.clone(), ..joins(1, "b", "x") },
        &run.topics,
        0,
        3,
        &mut answers,
    );
    let back = Heartbeat { instance: instances[0].clone(), ..newer("c", JOIN_EPOCH, None) };
    let beat = run.beat(&back).unwrap();
    let joined = run.join_as(Join { protocols: more, ..joins(1, "b", "x") });
    let shared = run.sync("b", joined.generation, Vec::new()).unwrap();
    assert_eq!((beat.assignment.unwrap().len(), shared.len()), (2, 2));
}

#[test]
fn a_classic_member_that_does_not_do_in_time_what_it_is_told_to_is_taken_out() {
    // It is told to join again, lives, but does not join.
    let mut run = Run::alone(2);
    run.beat(&newer("c", JOIN_EPOCH, None)).unwrap();
    for now_ms in (500..6_000).step_by(500) {
        run.now_ms = now_ms;
        let _ = run.heartbeat("a", 1);
        run.beat(&newer("c", 2, None)).unwrap();
        run.groups.tick(now_ms, &mut Vec::new());
    }
    assert_eq!(run.heartbeat("a", 1), Err(ResponseError::UnknownMemberId));
    // One that has joined does not ask for its assignment.
    run.join("", "b", &Partitions::new());
    for now_ms in (6_000..12_000).step_by(500) {
        run.now_ms = now_ms;
        let _ = run.heartbeat("b", 4);
        let _ = run.beat(&newer("c", JOIN_EPOCH, None));
        run.groups.tick(now_ms, &mut Vec::new());
    }
    assert_eq!(run.heartbeat("b", 4), Err(ResponseError::UnknownMemberId));
}

#[test]
fn the_memory_for_groups_bounds_members_of_both_protocols() {
    let mut run = Run::new(&[("t", 2)]);
    run.groups = coordinator_with(64 << 10);
    run.beat(&newer("c", JOIN_EPOCH, None)).unwrap();
    let large = || {
        let said = [subscription(&["t"], &Partitions::new()), vec![0; 128 << 10].into()].concat();
        vec![(text("range"), said.into())]
    };
    let refused = run.join_as(Join { protocols: large(), ..classic("", "a", &Partitions::new()) });
    assert_eq!(refused.error_code, ResponseError::CoordinatorNotAvailable.code());
    assert_eq!(run.groups.consumer_group(&text("g")).unwrap().members.len(), 1);
    assert_eq!(run.join("", "b", &Partitions::new()).error_code, 0);
    // Who is there stays there, whatever it says next.
    let refused = run.join_as(Join { protocols: large(), ..classic("b", "x", &Partitions::new()) });
    assert_eq!(refused.error_code, ResponseError::CoordinatorNotAvailable.code());
    assert_eq!(run.heartbeat("b", 2), Ok(()));

    // Where there is none for what the members take as ones of a consumer group, the group stays what it is.
    let mut run = Run::new(&[("t", 2)]);
    let memory = Budget::new(24 << 10);
    run.groups = coordinator_of(memory.clone());
    let names: Vec<String> = (0..200).map(|number| format!("{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let many = vec![(text("range"), subscription(&names, &Partitions::new()))];
    let joined = run.join_as(Join { protocols: many, ..classic("", "a", &Partitions::new()) });
    let (code, _) = run.beat(&newer("c", JOIN_EPOCH, None)).unwrap_err();
    assert_eq!(code, ResponseError::CoordinatorNotAvailable);
    assert!(run.is_classic());
    assert_eq!(run.heartbeat("a", joined.generation), Ok(()));
    drop(run);
    assert!(memory.has(24 << 10), "all of it is given back");
}
