//! The uniform assignor: everybody keeps what is fair, and only what is too much moves.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use millstream_log::TopicPartition;

use super::{Candidate, subscribers};
use crate::group::consumer::Partitions;

/// Members by how much they have: the first has least.
type Loads = BTreeSet<(usize, usize)>;

pub(super) fn assign(candidates: &[Candidate<'_>], topics: &BTreeMap<Arc<str>, i32>) -> Vec<Partitions> {
    let mut sharing = Sharing { targets: kept(candidates, topics) };
    let mut wanted: Vec<(&Arc<str>, i32, Vec<usize>)> = topics
        .iter()
        .map(|(topic, partitions)| (topic, *partitions, subscribers(candidates, topic)))
        .filter(|(_, _, members)| !members.is_empty())
        .collect();
    // Topics with few readers first, for the others can make up for them.
    wanted.sort_by_key(|(_, _, members)| members.len());
    for (topic, partitions, members) in &wanted {
        sharing.hand_out(topic, *partitions, members);
    }
    while wanted.iter().fold(false, |moved, (topic, _, members)| sharing.even_out(topic, members) || moved) {}
    sharing.targets
}

/// What each has already and may keep: no partition is kept by two, whatever the targets before say.
fn kept(candidates: &[Candidate<'_>], topics: &BTreeMap<Arc<str>, i32>) -> Vec<Partitions> {
    let mut taken = Partitions::new();
    let mut keep = |candidate: &Candidate<'_>| -> Partitions {
        let exists = |at: &&TopicPartition| topics.get(&at.topic).is_some_and(|partitions| at.partition < *partitions);
        let wanted = candidate.target.iter().filter(|at| candidate.topics.contains(&at.topic)).filter(exists);
        wanted.filter(|at| taken.insert((*at).clone())).cloned().collect()
    };
    candidates.iter().map(&mut keep).collect()
}

struct Sharing {
    targets: Vec<Partitions>,
}

impl Sharing {
    fn loads(&self, members: &[usize]) -> Loads {
        members.iter().map(|&place| (self.targets.get(place).map_or(0, BTreeSet::len), place)).collect()
    }

    /// Gives the partitions of a topic that nobody has to whoever has least.
    fn hand_out(&mut self, topic: &Arc<str>, partitions: i32, members: &[usize]) {
        let of_topic = |target: &Partitions| range_of(target, topic).cloned().collect::<Vec<_>>();
        let had: Partitions = members.iter().filter_map(|&at| self.targets.get(at)).flat_map(of_topic).collect();
        let mut loads = self.loads(members);
        for index in 0..partitions {
            let partition = TopicPartition::new(Arc::clone(topic), index);
            if had.contains(&partition) {
                continue;
            }
            let Some((load, place)) = loads.pop_first() else { return };
            if let Some(target) = self.targets.get_mut(place) {
                target.insert(partition);
            }
            loads.insert((load + 1, place));
        }
    }

    /// Moves partitions of a topic from those who have most to those who have least; true if any moved.
    fn even_out(&mut self, topic: &Arc<str>, members: &[usize]) -> bool {
        let mut loads = self.loads(members);
        let mut has_moved = false;
        loop {
            let Some(&(least, to)) = loads.first() else { return has_moved };
            let has_some = |place: usize| self.targets.get(place).and_then(|target| range_of(target, topic).last());
            let giver = loads.iter().rev().take_while(|(load, _)| *load > least + 1);
            let Some((load, from, moved)) =
                giver.filter_map(|&(load, place)| Some((load, place, has_some(place)?.clone()))).next()
            else {
                return has_moved;
            };
            if let Some(target) = self.targets.get_mut(from) {
                target.remove(&moved);
            }
            if let Some(target) = self.targets.get_mut(to) {
                target.insert(moved);
            }
            loads.remove(&(load, from));
            loads.remove(&(least, to));
            loads.extend([(load - 1, from), (least + 1, to)]);
            has_moved = true;
        }
    }
}

/// The partitions of one topic.
fn range_of<'a>(target: &'a Partitions, topic: &Arc<str>) -> impl DoubleEndedIterator<Item = &'a TopicPartition> {
    let end = |index| TopicPartition::new(Arc::clone(topic), index);
    target.range(end(0)..=end(i32::MAX))
}
