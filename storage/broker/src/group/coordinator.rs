//! All groups.

mod consumer_groups;
mod migration;

use std::collections::HashMap;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::protocol::StrBytes;
use millstream_log::TopicPartition;

use super::consumer::{ConsumerGroup, ConsumerLimits, Topics};
use super::{Answer, Answers, GROUP_BYTES, Group, Join, Joined, State, Synced, Waits};
use crate::budget::Budget;
use crate::text::detached;
use consumer_groups::ConsumerGroups;

/// What a member may say of itself. In Kafka what all members of a group say is one record of 1 MiB at most.
const MEMBER_BYTES_MAX: usize = 1 << 20;

/// With less memory for groups than that, those without members make room for whoever joins.
const GROUPS_BYTES_MIN: usize = 4 << 20;

/// What the coordinator allows.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    pub(crate) session_timeout_ms: std::ops::RangeInclusive<i32>,
    pub(crate) initial_delay_ms: i32,
    pub(crate) members_max: usize,
    /// Memory for the groups of both kinds, their members, and what these say of themselves and are assigned.
    pub(crate) members_memory: Budget,
    pub(crate) consumer: ConsumerLimits,
}

/// A member, as it names itself in each request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Identity {
    pub(crate) member_id: StrBytes,
    pub(crate) instance: Option<StrBytes>,
    pub(crate) generation: i32,
}

/// What a member says when it asks for its assignment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sync {
    pub(crate) protocol_type: Option<StrBytes>,
    pub(crate) protocol: Option<StrBytes>,
    /// Of the leader: who reads what.
    pub(crate) assignments: Vec<(StrBytes, Bytes)>,
}

/// The coordinator of all groups; `W` is what identifies a waiting request.
#[derive(Debug)]
pub(crate) struct Coordinator<W> {
    groups: HashMap<StrBytes, Group<W>>,
    consumers: ConsumerGroups,
    limits: Limits,
}

impl<W: Waits> Coordinator<W> {
    pub(crate) fn new(limits: Limits) -> Self {
        let consumers = ConsumerGroups::new(limits.consumer.clone());
        Self { groups: HashMap::new(), consumers, limits }
    }

    /// Joins a group, which is made if there is none of that name.
    pub(crate) fn join(
        &mut self,
        group: &StrBytes,
        join: Join,
        topics: &dyn Topics,
        now_ms: i64,
        waiter: W,
        answers: &mut Answers<W>,
    ) {
        if let Err(error) = self.prepare_join(group, &join, now_ms) {
            answers.push((waiter, Answer::Joined(Joined::failed(error.code(), join.member_id))));
        } else if let Some(classic) = self.groups.get_mut(group) {
            classic.join(join.detached(), now_ms, &self.limits, waiter, answers);
        } else {
            let joined = self.join_consumers(group, &join.detached(), topics, now_ms, answers);
            answers.push((waiter, Answer::Joined(joined)));
        }
    }

    /// Checks a wish to join by itself, and makes a classic group if there is none of either kind.
    fn prepare_join(&mut self, group: &StrBytes, join: &Join, now_ms: i64) -> Result<(), ResponseError> {
        if group.is_empty() {
            return Err(ResponseError::InvalidGroupId);
        }
        if !self.limits.session_timeout_ms.contains(&join.session_timeout_ms) {
            return Err(ResponseError::InvalidSessionTimeout);
        }
        if join.bytes() > MEMBER_BYTES_MAX {
            return Err(ResponseError::InvalidRequest);
        }
        self.make_room(group);
        if self.consumers.has_members(group) {
            return Ok(());
        }
        if !join.member_id.is_empty() && !self.groups.contains_key(group) {
            return Err(ResponseError::UnknownMemberId);
        }
        self.consumers.by_name.remove(group);
        self.open(group, now_ms)
    }

    /// Where memory is short, groups without members make way for this one.
    fn make_room(&mut self, group: &StrBytes) {
        if !self.limits.members_memory.has(GROUPS_BYTES_MIN) {
            self.forget_unused(group);
        }
    }

    /// Makes a group if there is none of this name.
    fn open(&mut self, group: &StrBytes, now_ms: i64) -> Result<(), ResponseError> {
        let is_new = !self.groups.contains_key(group);
        let bytes = GROUP_BYTES + 2 * group.len();
        if is_new {
            let share = self.limits.members_memory.try_take(bytes).ok_or(ResponseError::CoordinatorNotAvailable)?;
            self.groups.insert(detached(group), Group::new(now_ms, share));
        }
        Ok(())
    }

    /// Remembers a group of which nothing else is left for as long as any that nobody is in, if there is memory for it.
    pub(crate) fn remember(&mut self, group: &StrBytes, now_ms: i64) {
        if self.consumer_group(group).is_none() {
            self.make_room(group);
            let _ = self.open(group, now_ms);
        }
    }

    /// Forgets all groups without members but this one: memory is short.
    fn forget_unused(&mut self, except: &StrBytes) {
        self.groups.retain(|name, group| name == except || !group.is_unused());
        self.consumers.forget_unused(except);
    }

    /// Asks for the assignment.
    pub(crate) fn sync(
        &mut self,
        group: &StrBytes,
        identity: &Identity,
        sync: Sync,
        now_ms: i64,
        waiter: W,
        answers: &mut Answers<W>,
    ) {
        if let Some(consumers) = self.consumers.by_name.get_mut(group) {
            let synced = consumers.classic_sync(identity, &sync, now_ms);
            let synced = synced.unwrap_or_else(|error| Synced::failed(error.code()));
            answers.push((waiter, Answer::Synced(synced)));
            return;
        }
        let checked = self.member_of(group, identity).and_then(|group| {
            if group.state == State::Preparing {
                return Err(ResponseError::RebalanceInProgress);
            }
            let differs = |said: &Option<StrBytes>, is: &Option<StrBytes>| said.is_some() && said != is;
            if differs(&sync.protocol_type, &group.protocol_type) || differs(&sync.protocol, &group.protocol) {
                return Err(ResponseError::InconsistentGroupProtocol);
            }
            Ok(())
        });
        match (checked, self.groups.get_mut(group)) {
            (Ok(()), Some(group)) => {
                group.sync(&identity.member_id, sync.assignments, now_ms, &self.limits, waiter, answers);
            }
            (checked, _) => {
                let code = checked.err().unwrap_or(ResponseError::UnknownMemberId).code();
                answers.push((waiter, Answer::Synced(Synced::failed(code))));
            }
        }
    }

    /// The group, if the member is one of its current generation.
    fn member_of(&mut self, group: &StrBytes, identity: &Identity) -> Result<&mut Group<W>, ResponseError> {
        let group = self.groups.get_mut(group).ok_or(ResponseError::UnknownMemberId)?;
        group.check_identity(&identity.member_id, identity.instance.as_ref())?;
        if group.generation != identity.generation {
            return Err(ResponseError::IllegalGeneration);
        }
        Ok(group)
    }

    /// A sign of life.
    pub(crate) fn heartbeat(
        &mut self,
        group: &StrBytes,
        identity: &Identity,
        now_ms: i64,
    ) -> Result<(), ResponseError> {
        if let Some(consumers) = self.consumers.by_name.get_mut(group) {
            return consumers.classic_heartbeat(identity, now_ms);
        }
        let group = self.member_of(group, identity)?;
        if let Some(member) = group.members.get_mut(&identity.member_id) {
            member.touch(now_ms);
        }
        if group.state == State::Preparing { Err(ResponseError::RebalanceInProgress) } else { Ok(()) }
    }

    /// A member, named by its id or its instance, goes.
    pub(crate) fn leave(
        &mut self,
        group: &StrBytes,
        member_id: &StrBytes,
        instance: Option<&StrBytes>,
        now_ms: i64,
        answers: &mut Answers<W>,
    ) -> Result<(), ResponseError> {
        let Some(group) = self.groups.get_mut(group) else {
            return self.take_out(group, member_id, instance, now_ms, answers);
        };
        let mut id = member_id.clone();
        if let Some(instance) = instance {
            let current = group.instances.get(instance).ok_or(ResponseError::UnknownMemberId)?;
            if !member_id.is_empty() && current != member_id {
                return Err(ResponseError::FencedInstanceId);
            }
            id = current.clone();
        }
        if group.pending.remove(&id).is_some() {
            group.complete_join_if_all_are_here(now_ms, answers);
            return Ok(());
        }
        if !group.members.contains_key(&id) {
            return Err(ResponseError::UnknownMemberId);
        }
        group.remove(&id, now_ms, answers);
        Ok(())
    }

    /// Whether offsets of these partitions may be committed in the name of this member; a generation below 0 is that of a
    /// client that commits without being one.
    pub(crate) fn check_commit(
        &mut self,
        group: &StrBytes,
        identity: &Identity,
        partitions: impl IntoIterator<Item = TopicPartition>,
        now_ms: i64,
    ) -> Result<(), ResponseError> {
        if let Some(consumers) = self.consumers.by_name.get(group) {
            return consumers.check_commit(&identity.member_id, identity.generation, partitions);
        }
        let Some(known) = self.groups.get_mut(group) else {
            return if identity.generation < 0 { Ok(()) } else { Err(ResponseError::GroupIdNotFound) };
        };
        if identity.generation < 0 && known.state == State::Empty {
            return Ok(());
        }
        known.check_identity(&identity.member_id, identity.instance.as_ref())?;
        if known.generation != identity.generation {
            return Err(ResponseError::IllegalGeneration);
        }
        if known.state == State::Completing {
            return Err(ResponseError::RebalanceInProgress);
        }
        if let Some(member) = known.members.get_mut(&identity.member_id) {
            member.touch(now_ms);
        }
        Ok(())
    }

    /// Whether members of a group need its offsets in a topic; `None` if nobody is in it.
    pub(crate) fn needs_offsets(&self, group: &StrBytes, topic: &str) -> Option<bool> {
        if let Some(classic) = self.groups.get(group).filter(|classic| !classic.members.is_empty()) {
            // Who is no consumer, or has yet to agree on what to read, may need any.
            let is_settled = classic.is_of_consumers() && classic.state == State::Stable;
            return Some(!is_settled || classic.is_subscribed_to(topic));
        }
        let consumers = self.consumers.by_name.get(group).filter(|consumers| !consumers.members.is_empty());
        consumers.map(|consumers| consumers.is_subscribed_to(topic))
    }

    /// The names of all groups of both kinds.
    pub(crate) fn names(&self) -> Vec<StrBytes> {
        self.groups.keys().chain(self.consumers.by_name.keys()).cloned().collect()
    }

    /// The group of this name.
    pub(crate) fn group(&self, name: &StrBytes) -> Option<&Group<W>> {
        self.groups.get(name)
    }

    /// All groups.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (&StrBytes, &Group<W>)> {
        self.groups.iter()
    }

    /// Forgets a group without members; false if there is none of this name.
    pub(crate) fn delete(&mut self, name: &StrBytes) -> Result<bool, ResponseError> {
        let has_members = self.groups.get(name).is_some_and(|group| !group.members.is_empty())
            || self.consumers.by_name.get(name).is_some_and(|group| !group.members.is_empty());
        if has_members {
            return Err(ResponseError::NonEmptyGroup);
        }
        Ok(self.groups.remove(name).is_some() || self.consumers.by_name.remove(name).is_some())
    }

    /// Somebody who waited for an answer of this group has departed.
    pub(crate) fn note_departures(&mut self, group: &StrBytes, now_ms: i64) {
        if let Some(group) = self.groups.get_mut(group) {
            group.note_departures(now_ms);
        }
    }

    /// Does what is due by the clock.
    pub(crate) fn tick(&mut self, now_ms: i64, answers: &mut Answers<W>) {
        self.groups.values_mut().for_each(|group| group.tick(now_ms, answers));
        self.groups.retain(|_, group| !group.is_over(now_ms));
        for (group, generation) in self.consumers.tick(now_ms) {
            self.downgrade(&group, generation, now_ms, answers);
        }
    }

    /// When the clock has something to do next, in ms.
    pub(crate) fn next_tick_ms(&self) -> i64 {
        let classic = self.groups.values().map(Group::next_tick_ms);
        let consumers = self.consumers.by_name.values().map(ConsumerGroup::next_tick_ms);
        classic.chain(consumers).min().unwrap_or(i64::MAX)
    }
}
