use proptest::prelude::*;

use super::*;
use crate::text::text;
use millstream_log::TopicPartition;

/// A member: the topics it wants, and what it had.
#[derive(Debug, Clone)]
struct Given {
    id: StrBytes,
    topics: BTreeSet<Arc<str>>,
    target: Partitions,
}

fn given(number: usize, topics: &[&str]) -> Given {
    let topics = topics.iter().map(|topic| Arc::from(*topic)).collect();
    Given { id: text(format!("m{number}")), topics, target: Partitions::new() }
}

fn run(assignor: Assignor, members: &[Given], topics: &BTreeMap<Arc<str>, i32>) -> Vec<Partitions> {
    let candidate = |given: &'static Given| Candidate {
        id: &given.id,
        instance: None,
        topics: &given.topics,
        target: &given.target,
    };
    let leaked: &'static [Given] = Box::leak(members.to_vec().into_boxed_slice());
    let candidates: Vec<_> = leaked.iter().map(candidate).collect();
    assignor.assign(&candidates, topics)
}

fn topics(sizes: &[(&str, i32)]) -> BTreeMap<Arc<str>, i32> {
    sizes.iter().map(|(name, size)| (Arc::from(*name), *size)).collect()
}

fn indexes(target: &Partitions, topic: &str) -> Vec<i32> {
    target.iter().filter(|partition| &*partition.topic == topic).map(|partition| partition.partition).collect()
}

#[test]
fn ranges_of_topics_with_equal_partitions_come_together() {
    let members = [given(0, &["a", "b"]), given(1, &["a", "b"])];
    let targets = run(Assignor::Range, &members, &topics(&[("a", 5), ("b", 5)]));
    for topic in ["a", "b"] {
        assert_eq!((indexes(&targets[0], topic), indexes(&targets[1], topic)), (vec![0, 1, 2], vec![3, 4]));
    }
}

#[test]
fn a_third_member_takes_from_the_others_no_more_than_its_share() {
    let mut members = vec![given(0, &["a"]), given(1, &["a"])];
    let all = topics(&[("a", 9)]);
    let before = run(Assignor::Uniform, &members, &all);
    for (member, target) in members.iter_mut().zip(&before) {
        member.target = target.clone();
    }
    members.push(given(2, &["a"]));
    let after = run(Assignor::Uniform, &members, &all);
    assert_eq!(after.iter().map(BTreeSet::len).collect::<Vec<_>>(), [3, 3, 3]);
    assert!(after[0].is_subset(&before[0]) && after[1].is_subset(&before[1]));
}

#[test]
fn the_assignor_that_most_want_is_elected() {
    assert_eq!(Assignor::elect(["range", "range", "uniform"].into_iter()), Assignor::Range);
    assert_eq!(Assignor::elect(["range", "uniform"].into_iter()), Assignor::Uniform);
    assert_eq!(Assignor::elect(std::iter::empty()), Assignor::Uniform);
    assert_eq!(Assignor::elect(["other"].into_iter()), Assignor::Uniform);
}

fn any_group() -> impl Strategy<Value = (Vec<Given>, BTreeMap<Arc<str>, i32>)> {
    let sizes = proptest::collection::vec(0..12i32, 4);
    let member = (proptest::collection::vec(any::<bool>(), 4), proptest::collection::vec((0..4usize, 0..14i32), 0..12));
    (sizes, proptest::collection::vec(member, 1..7)).prop_map(|(sizes, members)| {
        let name = |at: usize| Arc::<str>::from(format!("t{at}"));
        let topics = sizes.iter().enumerate().map(|(at, size)| (name(at), *size)).collect();
        let member = |(number, (wants, had)): (usize, (Vec<bool>, Vec<(usize, i32)>))| Given {
            id: text(format!("m{number}")),
            topics: wants.iter().enumerate().filter(|(_, wants)| **wants).map(|(at, _)| name(at)).collect(),
            target: had.into_iter().map(|(at, index)| TopicPartition::new(name(at), index)).collect(),
        };
        (members.into_iter().enumerate().map(member).collect(), topics)
    })
}

proptest! {
    #[test]
    fn every_partition_goes_to_one_who_wants_it((members, topics) in any_group()) {
        for assignor in Assignor::ALL {
            let targets = run(assignor, &members, &topics);
            let mut given_out = Partitions::new();
            for (member, target) in members.iter().zip(&targets) {
                for partition in target {
                    prop_assert!(member.topics.contains(&partition.topic), "{partition:?} is not wanted");
                    prop_assert!(given_out.insert(partition.clone()), "{partition:?} is given out twice");
                }
            }
            for (topic, size) in &topics {
                if members.iter().any(|member| member.topics.contains(topic)) {
                    for index in 0..*size {
                        prop_assert!(given_out.remove(&TopicPartition::new(Arc::clone(topic), index)));
                    }
                }
            }
            prop_assert!(given_out.is_empty(), "{given_out:?} does not exist");
        }
    }

    /// Nobody could give a partition to somebody who has two less and wants it.
    #[test]
    fn the_uniform_assignor_is_even((members, topics) in any_group()) {
        let targets = run(Assignor::Uniform, &members, &topics);
        for (giver, had) in members.iter().zip(&targets) {
            for (taker, has) in members.iter().zip(&targets) {
                let wants = |partition: &TopicPartition| taker.topics.contains(&partition.topic);
                let could_move = had.len() > has.len() + 1 && had.iter().any(wants);
                prop_assert!(!could_move, "{} has {}, {} {}", &*giver.id, had.len(), &*taker.id, has.len());
            }
        }
    }

    /// What is even already stays as it is.
    #[test]
    fn the_uniform_assignor_settles((mut members, topics) in any_group()) {
        let first = run(Assignor::Uniform, &members, &topics);
        for (member, target) in members.iter_mut().zip(&first) {
            member.target = target.clone();
        }
        prop_assert_eq!(run(Assignor::Uniform, &members, &topics), first);
    }
}
