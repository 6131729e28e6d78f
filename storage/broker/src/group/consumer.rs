//! Consumer groups by the protocol of KIP-848: the coordinator says who reads what, and each member moves there at its
//! own pace, by heartbeats.
//!
//! ```text
//! a member joins, goes, or subscribes to something else; a topic grows
//!   │ group epoch + 1
//!   ▼
//! the assignor makes a target assignment of that epoch
//!   │ each member by its own heartbeats
//!   ▼
//! it gives up what is not in its target ──► then it has the new epoch, and what of its target nobody owns any more
//! ```
//!
//! Members that speak the classic protocol may be in it, too: see [`classic`].
//!
//! As a classic group it is a state machine without a clock, a thread or randomness of its own. It lives in memory: after
//! a restart its members join anew, and go on from their committed offsets.

pub(crate) mod assignor;
mod classic;
mod heartbeat;
mod leave;
mod member;
mod memory;
mod migration;
mod reconcile;
mod subscription;

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::protocol::StrBytes;
use millstream_log::TopicPartition;

use super::EMPTY_GROUP_MS;
use crate::budget::{Budget, Share};
use assignor::Assignor;
pub(crate) use heartbeat::{Beat, Heartbeat};
pub(crate) use member::{ConsumerMember, MemberState};
pub(crate) use subscription::Topics;

/// The epoch by which a member joins.
pub(crate) const JOIN_EPOCH: i32 = 0;
/// The epoch by which a member leaves.
pub(crate) const LEAVE_EPOCH: i32 = -1;
/// The epoch by which a static member leaves for a while: its partitions are kept for it.
pub(crate) const LEAVE_FOR_A_WHILE_EPOCH: i32 = -2;

/// What a member owns or is to own.
pub(crate) type Partitions = BTreeSet<TopicPartition>;

/// The partitions of each topic.
pub(crate) fn partitions_by_topic(partitions: &Partitions) -> BTreeMap<Arc<str>, Vec<i32>> {
    let mut by_topic: BTreeMap<Arc<str>, Vec<i32>> = BTreeMap::new();
    for partition in partitions {
        by_topic.entry(Arc::clone(&partition.topic)).or_default().push(partition.partition);
    }
    by_topic
}

/// Why a request is refused: a code, and a sentence for whoever looks after the client.
pub(crate) type Refusal = (ResponseError, String);

pub(crate) fn refuse<T>(error: ResponseError, message: impl Into<String>) -> Result<T, Refusal> {
    Err((error, message.into()))
}

/// What is the same for all consumer groups.
#[derive(Debug, Clone)]
pub(crate) struct ConsumerLimits {
    pub(crate) session_timeout_ms: i32,
    pub(crate) members_max: usize,
    /// Memory for the groups of both kinds.
    pub(crate) memory: Budget,
}

/// One consumer group.
#[derive(Debug)]
pub(crate) struct ConsumerGroup {
    /// Counts what has happened to members and topics.
    pub(crate) epoch: i32,
    /// The epoch that the members' targets are made for.
    pub(crate) assignment_epoch: i32,
    pub(crate) assignor: Assignor,
    pub(crate) members: BTreeMap<StrBytes, ConsumerMember>,
    /// The members that keep their identity over restarts, by that identity.
    instances: HashMap<StrBytes, StrBytes>,
    /// What has an owner, also while that one is to give it up, and the epoch by which it got it. No partition ever has
    /// two owners.
    owned_since: HashMap<TopicPartition, i32>,
    /// The topics that members subscribe to, and how many partitions they have, as last seen.
    topics: BTreeMap<Arc<str>, i32>,
    /// When to look at the topics again, in ms.
    refresh_at_ms: i64,
    /// When it is forgotten if nobody is in it, in ms.
    forget_at_ms: i64,
    /// The memory for groups that it has with its members.
    share: Option<Share>,
    name_bytes: usize,
}

impl Default for ConsumerGroup {
    fn default() -> Self {
        Self {
            epoch: 0,
            assignment_epoch: 0,
            assignor: Assignor::Uniform,
            members: BTreeMap::new(),
            instances: HashMap::new(),
            owned_since: HashMap::new(),
            topics: BTreeMap::new(),
            refresh_at_ms: i64::MIN,
            forget_at_ms: i64::MIN,
            share: None,
            name_bytes: 0,
        }
    }
}

impl ConsumerGroup {
    /// A group of this name that nobody is in.
    pub(crate) fn named(name: &str) -> Self {
        Self { name_bytes: name.len(), ..Self::default() }
    }

    /// The name by which tools know its state.
    pub(crate) fn state_name(&self) -> &'static str {
        if self.members.is_empty() {
            "Empty"
        } else if self.epoch > self.assignment_epoch {
            "Assigning"
        } else if self.is_stable() {
            "Stable"
        } else {
            "Reconciling"
        }
    }

    /// Whether every member owns what it is to own, and nothing is to be shared out anew.
    pub(crate) fn is_stable(&self) -> bool {
        let has_arrived = |member: &ConsumerMember| member.has_arrived(self.assignment_epoch);
        self.epoch == self.assignment_epoch && self.members.values().all(has_arrived)
    }

    /// Whether any member reads this topic.
    pub(crate) fn is_subscribed_to(&self, topic: &str) -> bool {
        self.members.values().any(|member| member.subscription.resolved.contains(topic))
    }

    /// Whether offsets of these partitions may be committed in the name of this member. It may not have heard of its
    /// newest epoch yet: by an earlier one it commits what it has owned since then without a break (KIP-1251).
    pub(crate) fn check_commit(
        &self,
        member_id: &StrBytes,
        epoch: i32,
        partitions: impl IntoIterator<Item = TopicPartition>,
    ) -> Result<(), ResponseError> {
        if epoch < 0 && self.members.is_empty() {
            return Ok(());
        }
        let member = self.members.get(member_id).ok_or(ResponseError::UnknownMemberId)?;
        if member.is_classic() {
            return if member.epoch == epoch { Ok(()) } else { Err(ResponseError::IllegalGeneration) };
        }
        let has_owned_since = |partition| {
            let since = self.owned_since.get(&partition);
            member.holds(&partition) && since.is_some_and(|since| *since <= epoch)
        };
        match epoch.cmp(&member.epoch) {
            Ordering::Equal => Ok(()),
            Ordering::Less if partitions.into_iter().all(has_owned_since) => Ok(()),
            Ordering::Less | Ordering::Greater => Err(ResponseError::StaleMemberEpoch),
        }
    }

    /// Whether offsets may be fetched in the name of this member.
    pub(crate) fn check_fetch(&self, member_id: &StrBytes, epoch: i32) -> Result<(), ResponseError> {
        let member = self.members.get(member_id).ok_or(ResponseError::UnknownMemberId)?;
        match member.epoch == epoch {
            true => Ok(()),
            false if member.is_classic() => Err(ResponseError::IllegalGeneration),
            false => Err(ResponseError::StaleMemberEpoch),
        }
    }

    /// Takes those out whose time is over: they were silent, or did not do in time what they were told to. False if there
    /// are none.
    pub(crate) fn tick(&mut self, limits: &ConsumerLimits, now_ms: i64) -> bool {
        let is_late = |member: &ConsumerMember| member.deadline_ms() <= now_ms;
        let late: Vec<_> = self.members.iter().filter(|(_, m)| is_late(m)).map(|(id, _)| id.clone()).collect();
        if !late.is_empty() {
            late.iter().for_each(|id| self.remove(id));
            self.give_back(limits);
        }
        !late.is_empty()
    }

    /// Whether nobody has been in it for long.
    pub(crate) fn is_over(&self, now_ms: i64) -> bool {
        self.members.is_empty() && self.forget_at_ms <= now_ms
    }

    /// A sign that it is in use.
    fn touch(&mut self, now_ms: i64) {
        self.forget_at_ms = now_ms.saturating_add(EMPTY_GROUP_MS);
    }

    /// When the clock has something to do next, in ms.
    pub(crate) fn next_tick_ms(&self) -> i64 {
        self.members.values().map(ConsumerMember::deadline_ms).min().unwrap_or(self.forget_at_ms)
    }
}

#[cfg(test)]
mod tests;
