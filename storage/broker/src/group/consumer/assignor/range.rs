//! The range assignor: members in order, and for each a range of each topic.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use millstream_log::TopicPartition;

use super::{Candidate, subscribers};
use crate::group::consumer::Partitions;

pub(super) fn assign(candidates: &[Candidate<'_>], topics: &BTreeMap<Arc<str>, i32>) -> Vec<Partitions> {
    let mut targets = vec![Partitions::new(); candidates.len()];
    for (topic, &partitions) in topics {
        let mut members: Vec<(&Candidate<'_>, usize)> =
            subscribers(candidates, topic).into_iter().filter_map(|at| Some((candidates.get(at)?, at))).collect();
        members.sort_by(|(one, _), (other, _)| order(one, other));
        let Ok(count) = i32::try_from(members.len()) else { continue };
        let mut begin = 0;
        for (number, (_, place)) in (0..count).zip(members) {
            // Those in front get the partitions that are too many to be even.
            let end = begin + partitions / count + i32::from(number < partitions % count);
            if let Some(target) = targets.get_mut(place) {
                target.extend((begin..end).map(|index| TopicPartition::new(Arc::clone(topic), index)));
            }
            begin = end;
        }
    }
    targets
}

/// Static members come first, in the order of their instances, so that a restart changes nothing.
fn order(one: &Candidate<'_>, other: &Candidate<'_>) -> Ordering {
    match (one.instance, other.instance) {
        (Some(one), Some(other)) => one.cmp(other),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => one.id.cmp(other.id),
    }
}
