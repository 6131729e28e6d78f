mod model;

use super::*;
use crate::group::tests::{Given, given, parts};
use crate::text::text;

pub(super) fn limits() -> ConsumerLimits {
    ConsumerLimits { session_timeout_ms: 10_000, members_max: 4, memory: Budget::new(16 << 20) }
}

fn joining(id: &str, topics: &[&str]) -> Heartbeat {
    Heartbeat {
        member_id: text(id),
        rebalance_timeout_ms: Some(5_000),
        topic_names: Some(topics.iter().map(|name| Arc::from(*name)).collect()),
        owned: Some(Partitions::new()),
        ..Heartbeat::default()
    }
}

fn alive(id: &str, epoch: i32, owned: Option<Partitions>) -> Heartbeat {
    Heartbeat { member_id: text(id), epoch, owned, ..Heartbeat::default() }
}

fn code<T: std::fmt::Debug>(outcome: Result<T, Refusal>) -> ResponseError {
    outcome.unwrap_err().0
}

/// A group under a clock that the test moves.
struct Run {
    group: ConsumerGroup,
    topics: Given,
    limits: ConsumerLimits,
    now_ms: i64,
}

impl Run {
    fn new(topics: &[(&str, i32)]) -> Self {
        Self { group: ConsumerGroup::default(), topics: given(topics), limits: limits(), now_ms: 0 }
    }

    fn beat(&mut self, beat: &Heartbeat) -> Result<Beat, Refusal> {
        self.group.heartbeat(beat, &self.topics, &self.limits, self.now_ms)
    }

    fn join(&mut self, id: &str, topics: &[&str]) -> Beat {
        self.beat(&joining(id, topics)).unwrap()
    }

    /// Whether a member may commit for these partitions of `t`.
    fn commit(&self, id: &str, epoch: i32, indexes: std::ops::Range<i32>) -> Result<(), ResponseError> {
        self.group.check_commit(&text(id), epoch, parts("t", indexes))
    }
}

#[test]
fn a_partition_is_given_up_before_it_is_given_away() {
    let mut run = Run::new(&[("t", 4)]);
    let first = run.join("a", &["t"]);
    assert_eq!((first.epoch, first.assignment), (1, Some(parts("t", 0..4))));
    assert_eq!(run.group.state_name(), "Stable");
    let second = run.join("b", &["t"]);
    assert_eq!((second.epoch, second.assignment), (2, Some(Partitions::new())), "all is still the first one's");
    assert_eq!(run.group.state_name(), "Reconciling");

    let told = run.beat(&alive("a", 1, None)).unwrap();
    assert_eq!((told.epoch, told.assignment), (1, Some(parts("t", 0..2))), "it keeps its epoch until it has given up");
    assert_eq!(run.beat(&alive("a", 1, None)).unwrap().assignment, None);
    assert_eq!(run.beat(&alive("b", 2, None)).unwrap().assignment, None);
    let told = run.beat(&alive("a", 1, Some(parts("t", 0..2)))).unwrap();
    assert_eq!((told.epoch, told.assignment), (2, None));
    let told = run.beat(&alive("b", 2, None)).unwrap();
    assert_eq!((told.epoch, told.assignment), (2, Some(parts("t", 2..4))));
    assert_eq!(run.group.state_name(), "Stable");
}

#[test]
fn who_is_to_give_something_up_keeps_the_rest_until_then_whatever_it_subscribes_to() {
    let mut run = Run::new(&[("t", 4), ("u", 1)]);
    run.join("a", &["t"]);
    run.join("b", &["t"]);
    assert_eq!(run.beat(&alive("a", 1, None)).unwrap().assignment, Some(parts("t", 0..2)));
    let other_topics = Heartbeat { topic_names: Some(vec![Arc::from("u")]), ..alive("a", 1, None) };
    let told = run.beat(&other_topics).unwrap();
    assert_eq!((told.epoch, told.assignment), (1, None));
    let told = run.beat(&alive("a", 1, Some(parts("t", 0..2)))).unwrap();
    assert_eq!((told.epoch, told.assignment), (2, Some(Partitions::new())));
    let told = run.beat(&alive("a", 1, Some(Partitions::new()))).unwrap();
    assert_eq!((told.epoch, told.assignment), (3, Some(parts("u", 0..1))));
}

/// As in Kafka, where what a member gives up is free only once that is recorded.
#[test]
fn what_a_member_has_given_up_comes_back_to_it_a_step_later() {
    let mut run = Run::new(&[("t", 4)]);
    run.join("a", &["t"]);
    run.join("b", &["t"]);
    assert_eq!(run.beat(&alive("a", 1, None)).unwrap().assignment, Some(parts("t", 0..2)));
    run.group.leave(&text("b"), None, false).unwrap();
    let told = run.beat(&alive("a", 1, Some(parts("t", 0..2)))).unwrap();
    assert_eq!((told.epoch, told.assignment), (3, None));
    let told = run.beat(&alive("a", 3, Some(parts("t", 0..2)))).unwrap();
    assert_eq!((told.epoch, told.assignment), (3, Some(parts("t", 0..4))));
    assert_eq!(run.group.state_name(), "Stable");
}

#[test]
fn who_goes_leaves_everything_to_the_others() {
    let mut run = Run::new(&[("t", 3)]);
    run.join("a", &["t"]);
    run.join("b", &["t"]);
    run.group.leave(&text("a"), None, false).unwrap();
    assert_eq!(run.group.state_name(), "Assigning");
    let told = run.beat(&alive("b", 2, Some(Partitions::new()))).unwrap();
    assert_eq!((told.epoch, told.assignment), (3, Some(parts("t", 0..3))));
    assert_eq!(code(run.group.leave(&text("a"), None, false)), ResponseError::UnknownMemberId);
    run.group.leave(&text("b"), None, false).unwrap();
    assert_eq!(run.group.state_name(), "Empty");
}

#[test]
fn who_goes_with_topics_of_its_own_changes_the_group_once() {
    let mut run = Run::new(&[("t", 1), ("u", 1)]);
    run.join("a", &["t"]);
    run.join("b", &["u"]);
    run.group.leave(&text("b"), None, false).unwrap();
    run.now_ms = 5_000;
    assert_eq!(run.beat(&alive("a", 1, Some(parts("t", 0..1)))).unwrap().epoch, 3);
}

#[test]
fn a_member_that_has_lost_count_is_fenced() {
    let mut run = Run::new(&[("t", 2)]);
    run.join("a", &["t"]);
    assert_eq!(code(run.beat(&alive("x", 1, None))), ResponseError::UnknownMemberId);
    assert_eq!(code(run.beat(&alive("a", 7, None))), ResponseError::FencedMemberEpoch);
    run.topics = given(&[("t", 3)]);
    run.now_ms = 2_000;
    assert_eq!(run.beat(&alive("a", 1, None)).unwrap().epoch, 2);
    // The answer was lost, and it owns nothing that it must not.
    let told = run.beat(&alive("a", 1, Some(parts("t", 0..2)))).unwrap();
    assert_eq!(told.epoch, 2);
    assert_eq!(code(run.beat(&alive("a", 1, Some(parts("t", 0..9))))), ResponseError::FencedMemberEpoch);
    assert_eq!(code(run.beat(&alive("a", 1, None))), ResponseError::FencedMemberEpoch);
    // It begins again, and gets everything.
    assert_eq!(run.join("a", &["t"]).assignment, Some(parts("t", 0..3)));
}

#[test]
fn commits_and_fetches_of_offsets_carry_the_epoch() {
    let mut run = Run::new(&[("t", 2)]);
    assert_eq!(run.commit("", -1, 0..2), Ok(()), "a tool may, while nobody is there");
    run.join("a", &["t"]);
    assert_eq!(run.commit("a", 1, 0..2), Ok(()));
    assert_eq!(run.commit("a", 2, 0..2), Err(ResponseError::StaleMemberEpoch));
    assert_eq!(run.group.check_fetch(&text("a"), 0), Err(ResponseError::StaleMemberEpoch));
    assert_eq!(run.group.check_fetch(&text("a"), 2), Err(ResponseError::StaleMemberEpoch));
    assert_eq!(run.commit("b", 1, 0..2), Err(ResponseError::UnknownMemberId));
    assert_eq!(run.commit("", -1, 0..2), Err(ResponseError::UnknownMemberId));
}

#[test]
fn by_an_earlier_epoch_a_member_commits_what_it_has_owned_since() {
    let mut run = Run::new(&[("t", 2)]);
    let stale = Err(ResponseError::StaleMemberEpoch);
    run.join("a", &["t"]);
    run.topics = given(&[("t", 3)]);
    run.now_ms = 2_000;
    assert_eq!(run.beat(&alive("a", 1, None)).unwrap().epoch, 2);
    assert_eq!(run.commit("a", 1, 0..2), Ok(()), "the answer with the new epoch is on its way");
    assert_eq!(run.commit("a", 1, 0..3), stale, "the third it has since epoch 2");
    assert_eq!(run.commit("a", 0, 0..1), stale);
    assert_eq!(run.commit("a", -1, 0..1), stale);
    run.join("b", &["t"]);
    assert_eq!(run.beat(&alive("a", 2, None)).unwrap().assignment, Some(parts("t", 0..2)));
    assert_eq!(run.commit("a", 1, 0..2), Ok(()));
    assert_eq!(run.commit("a", 1, 2..3), stale, "what is to be given up is not older for that");
    assert_eq!(run.beat(&alive("a", 2, Some(parts("t", 0..2)))).unwrap().epoch, 3);
    assert_eq!(run.commit("a", 2, 0..2), Ok(()));
    assert_eq!(run.commit("a", 2, 2..3), stale, "it is not its own any more");
    // It had the third from epoch 2 on, and now it has it from a later one on.
    run.group.leave(&text("b"), None, false).unwrap();
    assert_eq!(run.beat(&alive("a", 3, None)).unwrap().assignment, Some(parts("t", 0..3)));
    assert_eq!(run.commit("a", 3, 0..2), Ok(()));
    assert_eq!(run.commit("a", 3, 0..3), stale);
    assert_eq!(run.commit("a", 4, 0..3), Ok(()));
    // Who begins again has nothing from before.
    assert_eq!(run.join("a", &["t"]).epoch, 4);
    assert_eq!(run.commit("a", 3, 0..1), stale);
}

#[test]
fn what_a_member_is_to_give_up_it_commits_until_it_has() {
    let mut run = Run::new(&[("t", 2)]);
    run.join("a", &["t"]);
    // It moves on to epoch 2 with what it had, and then has to give half of it up.
    let more = Heartbeat { topic_names: Some(vec![Arc::from("t"), Arc::from("u")]), ..alive("a", 1, None) };
    assert_eq!(run.beat(&more).unwrap().epoch, 2);
    run.join("b", &["t"]);
    assert_eq!(run.beat(&alive("a", 2, None)).unwrap().assignment, Some(parts("t", 0..1)));
    assert_eq!(run.commit("a", 1, 0..2), Ok(()));
    assert_eq!(run.beat(&alive("a", 2, Some(parts("t", 0..1)))).unwrap().epoch, 3);
    assert_eq!(run.commit("a", 1, 0..1), Ok(()));
    assert_eq!(run.commit("a", 1, 0..2), Err(ResponseError::StaleMemberEpoch));
}

#[test]
fn silence_and_holding_on_end_a_membership() {
    let mut run = Run::new(&[("t", 2)]);
    run.join("a", &["t"]);
    run.now_ms = 6_000;
    run.join("b", &["t"]);
    run.beat(&alive("a", 1, None)).unwrap();
    assert_eq!(run.group.next_tick_ms(), 11_000, "by then the first must have given something up");
    run.now_ms = 10_999;
    run.beat(&alive("a", 1, Some(parts("t", 0..2)))).unwrap();
    run.group.tick(&run.limits, run.now_ms);
    assert_eq!(run.group.members.len(), 2);
    run.now_ms = 11_000;
    run.group.tick(&run.limits, run.now_ms);
    assert_eq!(code(run.beat(&alive("a", 1, None))), ResponseError::UnknownMemberId);
    assert_eq!(run.beat(&alive("b", 2, None)).unwrap().assignment, Some(parts("t", 0..2)));
    run.group.tick(&run.limits, 20_999);
    assert_eq!(run.group.members.len(), 1);
    run.group.tick(&run.limits, 21_000);
    assert_eq!(run.group.state_name(), "Empty");
}

#[test]
fn a_static_member_comes_back_to_what_it_had() {
    let mut run = Run::new(&[("t", 4)]);
    let of = |id: &str, instance: &str| Heartbeat { instance: Some(text(instance)), ..joining(id, &["t"]) };
    run.beat(&of("a1", "a")).unwrap();
    run.beat(&of("b1", "b")).unwrap();
    let hold = |id: &str, instance: &str, epoch: i32, owned: Partitions| Heartbeat {
        instance: Some(text(instance)),
        ..alive(id, epoch, Some(owned))
    };
    run.beat(&hold("a1", "a", 1, parts("t", 0..4))).unwrap();
    run.beat(&hold("a1", "a", 1, parts("t", 0..2))).unwrap();
    assert_eq!(run.beat(&hold("b1", "b", 2, Partitions::new())).unwrap().assignment, Some(parts("t", 2..4)));

    assert_eq!(code(run.beat(&of("a2", "a"))), ResponseError::UnreleasedInstanceId);
    run.group.leave(&text("a1"), Some(&text("a")), true).unwrap();
    assert_eq!(run.beat(&hold("b1", "b", 2, parts("t", 2..4))).unwrap().assignment, None, "its place is kept");
    let back = run.beat(&of("a2", "a")).unwrap();
    assert_eq!((back.epoch, back.assignment), (2, Some(parts("t", 0..2))), "nobody else notices");
    assert_eq!(code(run.beat(&hold("a1", "a", 2, Partitions::new()))), ResponseError::FencedInstanceId);
    assert_eq!(code(run.beat(&hold("c", "c", 2, Partitions::new()))), ResponseError::UnknownMemberId);
    assert_eq!(code(run.group.leave(&text("a1"), Some(&text("a")), false)), ResponseError::FencedInstanceId);
    assert_eq!(run.group.state_name(), "Stable");
    // If it does not come back its time ends.
    run.group.leave(&text("a2"), Some(&text("a")), true).unwrap();
    run.now_ms = 9_000;
    run.beat(&hold("b1", "b", 2, parts("t", 2..4))).unwrap();
    run.group.tick(&run.limits, 10_000);
    assert_eq!(run.beat(&hold("b1", "b", 2, parts("t", 2..4))).unwrap().assignment, Some(parts("t", 0..4)));
}

#[test]
fn a_member_may_become_static_and_become_another_one() {
    let mut run = Run::new(&[("t", 4)]);
    let of = |id: &str, instance: &str| Heartbeat { instance: Some(text(instance)), ..joining(id, &["t"]) };
    run.join("a", &["t"]);
    assert_eq!(run.beat(&of("a", "i")).unwrap().assignment, Some(parts("t", 0..4)), "it has lost nothing");
    assert_eq!(run.beat(&of("a", "j")).unwrap().assignment, Some(parts("t", 0..4)));
    assert_eq!(run.group.member_of_instance(&text("i")), None);
    // A member takes the place of one that has gone for a while, and leaves its own.
    run.join("b", &["t"]);
    let rest = Heartbeat { instance: Some(text("j")), ..alive("a", 1, Some(parts("t", 0..2))) };
    run.beat(&alive("a", 1, None)).unwrap();
    run.beat(&rest).unwrap();
    assert_eq!(run.beat(&alive("b", 2, None)).unwrap().assignment, Some(parts("t", 2..4)));
    run.group.leave(&text("a"), Some(&text("j")), true).unwrap();
    assert_eq!(run.beat(&of("b", "j")).unwrap().assignment, Some(parts("t", 0..4)));
    assert_eq!(run.group.members.len(), 1);
    run.group.leave(&text("b"), Some(&text("j")), false).unwrap();
    assert!(run.group.owned_since.is_empty());
}

#[test]
fn who_has_left_for_a_while_is_not_called_back_by_a_late_heartbeat() {
    let mut run = Run::new(&[("t", 1)]);
    run.beat(&Heartbeat { instance: Some(text("i")), ..joining("a", &["t"]) }).unwrap();
    run.join("b", &["t"]);
    let late = Heartbeat { instance: Some(text("i")), ..alive("a", 1, Some(parts("t", 0..1))) };
    assert_eq!(run.beat(&late).unwrap().epoch, 2);
    run.group.leave(&text("a"), Some(&text("i")), true).unwrap();
    assert_eq!(code(run.beat(&late)), ResponseError::FencedMemberEpoch);
    assert_eq!(run.commit("a", 1, 0..1), Err(ResponseError::StaleMemberEpoch));
    let back = run.beat(&Heartbeat { instance: Some(text("i")), ..joining("c", &["t"]) }).unwrap();
    assert_eq!((back.epoch, back.assignment), (2, Some(parts("t", 0..1))));
    assert_eq!(run.commit("c", 1, 0..1), Err(ResponseError::StaleMemberEpoch), "it begins anew");
    assert_eq!(run.commit("a", 1, 0..1), Err(ResponseError::UnknownMemberId));
}

#[test]
fn an_expression_finds_topics_as_they_come() {
    let mut run = Run::new(&[("orders-1", 1), ("other", 1)]);
    let by_expression =
        |expression: &str| Heartbeat { topic_names: None, expression: Some(text(expression)), ..joining("a", &[]) };
    let refused = run.beat(&by_expression("orders-(")).unwrap_err();
    assert_eq!(refused.0, ResponseError::InvalidRegularExpression);
    assert!(refused.1.contains("orders-("), "{}", refused.1);
    // It would take gigabytes.
    assert_eq!(code(run.beat(&by_expression("((a{1000}){1000}){1000}"))), ResponseError::InvalidRegularExpression);
    assert_eq!(code(run.beat(&by_expression("a)|(b"))), ResponseError::InvalidRegularExpression);
    assert!(run.group.members.is_empty());
    let told = run.beat(&by_expression("orders-[0-9]")).unwrap();
    assert_eq!(told.assignment, Some(parts("orders-1", 0..1)));
    run.topics = given(&[("orders-1", 1), ("orders-2", 2), ("my-orders-3", 1)]);
    assert_eq!(run.beat(&alive("a", 1, None)).unwrap().assignment, None, "not yet: it has just been looked");
    run.now_ms = 1_000;
    let told = run.beat(&alive("a", 1, None)).unwrap();
    assert_eq!(told.assignment, Some(&parts("orders-1", 0..1) | &parts("orders-2", 0..2)));
    // Names and an expression add up; an empty expression takes it back.
    let named = Heartbeat { topic_names: Some(vec![Arc::from("my-orders-3")]), ..alive("a", 2, None) };
    assert_eq!(run.beat(&named).unwrap().assignment.unwrap().len(), 4);
    let taken_back = Heartbeat { expression: Some(text("")), ..alive("a", 3, Some(parts("orders-1", 0..1))) };
    assert_eq!(run.beat(&taken_back).unwrap().assignment, Some(parts("my-orders-3", 0..1)));
}

#[test]
fn each_expression_of_a_group_takes_memory_also_one_that_replaces_another() {
    let mut run = Run::new(&[]);
    run.limits.memory = Budget::new(3 << 20);
    let by = |id: &str, expression: &str| Heartbeat {
        topic_names: None,
        expression: Some(text(expression)),
        ..joining(id, &[])
    };
    for id in ["a", "b", "c"] {
        run.beat(&by(id, "x[0-9]")).unwrap();
    }
    run.beat(&by("b", "y[0-9]")).unwrap();
    assert_eq!(code(run.beat(&by("c", "z[0-9]"))), ResponseError::CoordinatorNotAvailable);
    // Those who are there go on.
    run.beat(&by("b", "x[0-9]")).unwrap();
    run.beat(&by("c", "y[0-9]")).unwrap();
}

#[test]
fn a_full_group_takes_nobody_in() {
    let mut run = Run::new(&[("t", 2)]);
    for id in ["a", "b", "c", "d"] {
        run.join(id, &["t"]);
    }
    assert_eq!(code(run.beat(&joining("e", &["t"]))), ResponseError::GroupMaxSizeReached);
    run.join("d", &["t"]);
}

#[test]
fn a_topic_that_is_deleted_is_taken_away() {
    let mut run = Run::new(&[("t", 2), ("u", 1)]);
    run.join("a", &["t", "u"]);
    run.topics = given(&[("u", 1)]);
    run.now_ms = 1_000;
    let told = run.beat(&alive("a", 1, Some(&parts("t", 0..2) | &parts("u", 0..1)))).unwrap();
    assert_eq!((told.epoch, told.assignment), (1, Some(parts("u", 0..1))));
    assert_eq!(run.beat(&alive("a", 1, Some(parts("u", 0..1)))).unwrap().epoch, 2);
    assert_eq!(run.group.state_name(), "Stable");
}
