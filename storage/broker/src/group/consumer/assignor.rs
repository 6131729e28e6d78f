//! Who is to read what.

mod range;
mod uniform;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use kafka_protocol::protocol::StrBytes;

use super::Partitions;

/// A member, as an assignor sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate<'a> {
    pub(crate) id: &'a StrBytes,
    pub(crate) instance: Option<&'a str>,
    /// The topics that it wants, be they there or not.
    pub(crate) topics: &'a BTreeSet<Arc<str>>,
    /// What it was to read until now.
    pub(crate) target: &'a Partitions,
}

/// A way to share partitions out (`group.consumer.assignors`).
///
/// # Contract
/// Every partition of a topic that somebody wants is given to just one of those who want it. The same input has the
/// same outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Assignor {
    /// As even as it can be, and moves as little as it can.
    Uniform,
    /// Of each topic a range in the order of members, so that partitions of one number come together.
    Range,
}

impl Assignor {
    /// The first is the one that members get who do not care.
    pub(crate) const ALL: [Self; 2] = [Self::Uniform, Self::Range];

    /// The name by which clients ask for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Range => "range",
        }
    }

    pub(crate) fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|assignor| assignor.name() == name)
    }

    /// The one that most want.
    pub(super) fn elect<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let mut votes: HashMap<&str, usize> = HashMap::new();
        names.for_each(|name| *votes.entry(name).or_default() += 1);
        let votes_of = |assignor: &Self| votes.get(assignor.name()).copied().unwrap_or(0);
        // Of two with equal votes the first.
        Self::ALL.into_iter().rev().max_by_key(votes_of).unwrap_or(Self::Uniform)
    }

    /// What each is to read, in the order of `candidates`; `topics` are those that exist, with their partitions.
    pub(super) fn assign(self, candidates: &[Candidate<'_>], topics: &BTreeMap<Arc<str>, i32>) -> Vec<Partitions> {
        match self {
            Self::Uniform => uniform::assign(candidates, topics),
            Self::Range => range::assign(candidates, topics),
        }
    }
}

/// The places of those who want a topic.
fn subscribers(candidates: &[Candidate<'_>], topic: &str) -> Vec<usize> {
    let wants = |(_, candidate): &(usize, &Candidate<'_>)| candidate.topics.contains(topic);
    candidates.iter().enumerate().filter(wants).map(|(place, _)| place).collect()
}

#[cfg(test)]
mod tests;
