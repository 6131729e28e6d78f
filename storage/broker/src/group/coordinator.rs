//! All groups.

mod consumer_groups;

use std::collections::HashMap;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::protocol::StrBytes;

use super::consumer::{ConsumerGroup, ConsumerLimits};
use super::{Answer, Answers, Group, Join, Joined, State, Synced};
use consumer_groups::ConsumerGroups;

/// A group's name can be anything, so only so many groups without members are remembered.
const EMPTY_GROUPS_MAX: usize = 10_000;

/// What the coordinator allows.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    pub(crate) session_timeout_ms: std::ops::RangeInclusive<i32>,
    pub(crate) initial_delay_ms: i32,
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

impl<W> Coordinator<W> {
    pub(crate) fn new(limits: Limits) -> Self {
        let consumers = ConsumerGroups::new(limits.consumer.clone());
        Self { groups: HashMap::new(), consumers, limits }
    }

    /// Joins a group, which is made if there is none of that name.
    pub(crate) fn join(&mut self, group: StrBytes, join: Join, now_ms: i64, waiter: W, answers: &mut Answers<W>) {
        let refused = if group.is_empty() {
            Some(ResponseError::InvalidGroupId)
        } else if !self.limits.session_timeout_ms.contains(&join.session_timeout_ms) {
            Some(ResponseError::InvalidSessionTimeout)
        } else if !join.member_id.is_empty() && !self.groups.contains_key(&group) {
            Some(ResponseError::UnknownMemberId)
        } else {
            self.consumers.yield_to_classic(&group).err()
        };
        match refused {
            Some(error) => {
                answers.push((waiter, Answer::Joined(Joined::failed(error.code(), join.member_id))));
            }
            None => {
                self.make_room();
                let group = self.groups.entry(group).or_default();
                group.join(join, now_ms, self.limits.initial_delay_ms, waiter, answers);
            }
        }
    }

    fn make_room(&mut self) {
        if self.groups.len() >= EMPTY_GROUPS_MAX {
            self.groups.retain(|_, group| !(group.members.is_empty() && group.pending.is_empty()));
        }
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
        let checked = self.member_of(group, identity).and_then(|group| {
            let differs = |said: &Option<StrBytes>, is: &Option<StrBytes>| said.is_some() && said != is;
            if differs(&sync.protocol_type, &group.protocol_type) || differs(&sync.protocol, &group.protocol) {
                return Err(ResponseError::InconsistentGroupProtocol);
            }
            Ok(group)
        });
        match checked {
            Ok(group) => group.sync(&identity.member_id, sync.assignments, now_ms, waiter, answers),
            Err(error) => answers.push((waiter, Answer::Synced(Synced::failed(error.code())))),
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
            return self.consumers.take_out(group, member_id, instance);
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

    /// Whether offsets may be committed in the name of this member; a generation below 0 is that of a client that
    /// commits without being one.
    pub(crate) fn check_commit(
        &mut self,
        group: &StrBytes,
        identity: &Identity,
        now_ms: i64,
    ) -> Result<(), ResponseError> {
        if let Some(consumers) = self.consumers.by_name.get(group) {
            return consumers.check_commit(&identity.member_id, identity.generation);
        }
        let Some(known) = self.groups.get_mut(group) else {
            return if identity.generation < 0 { Ok(()) } else { Err(ResponseError::IllegalGeneration) };
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

    /// Does what is due by the clock.
    pub(crate) fn tick(&mut self, now_ms: i64, answers: &mut Answers<W>) {
        self.groups.values_mut().for_each(|group| group.tick(now_ms, answers));
        self.consumers.by_name.values_mut().for_each(|group| group.tick(now_ms));
    }

    /// When the clock has something to do next, in ms.
    pub(crate) fn next_tick_ms(&self) -> i64 {
        let classic = self.groups.values().map(Group::next_tick_ms);
        let consumers = self.consumers.by_name.values().map(ConsumerGroup::next_tick_ms);
        classic.chain(consumers).min().unwrap_or(i64::MAX)
    }
}
