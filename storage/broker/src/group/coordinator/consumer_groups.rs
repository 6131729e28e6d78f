//! Groups of KIP-848 beside the classic ones: of one name there is one group, of one kind or the other.

use std::collections::HashMap;

use kafka_protocol::ResponseError;
use kafka_protocol::protocol::StrBytes;

use super::Coordinator;
use crate::group::consumer::{
    Beat, ConsumerGroup, ConsumerLimits, Heartbeat, JOIN_EPOCH, LEAVE_EPOCH, LEAVE_FOR_A_WHILE_EPOCH, Refusal, Topics,
    refuse,
};
use crate::group::{Answers, Join, Joined, Waits};
use crate::text::detached;

/// All consumer groups.
#[derive(Debug)]
pub(super) struct ConsumerGroups {
    pub(super) by_name: HashMap<StrBytes, ConsumerGroup>,
    pub(super) limits: ConsumerLimits,
}

impl ConsumerGroups {
    pub(super) fn new(limits: ConsumerLimits) -> Self {
        Self { by_name: HashMap::new(), limits }
    }

    /// Does what is due by the clock. Returned are the groups from which members were taken out, and the epochs before.
    pub(super) fn tick(&mut self, now_ms: i64) -> Vec<(StrBytes, i32)> {
        let mut smaller = Vec::new();
        for (name, group) in &mut self.by_name {
            let epoch = group.epoch;
            if group.tick(&self.limits, now_ms) {
                smaller.push((name.clone(), epoch));
            }
        }
        self.by_name.retain(|_, group| !group.is_over(now_ms));
        smaller
    }

    pub(super) fn has_members(&self, group: &StrBytes) -> bool {
        self.by_name.get(group).is_some_and(|group| !group.members.is_empty())
    }

    /// Forgets all groups without members but this one.
    pub(super) fn forget_unused(&mut self, except: &StrBytes) {
        self.by_name.retain(|name, group| name == except || !group.members.is_empty());
    }
}

impl<W: Waits> Coordinator<W> {
    /// A member of a consumer group joins, shows that it is alive, or goes.
    pub(crate) fn consumer_heartbeat(
        &mut self,
        group: &StrBytes,
        beat: &Heartbeat,
        topics: &dyn Topics,
        now_ms: i64,
        answers: &mut Answers<W>,
    ) -> Result<Beat, Refusal> {
        if beat.epoch == JOIN_EPOCH {
            self.make_room(group);
        }
        if [LEAVE_EPOCH, LEAVE_FOR_A_WHILE_EPOCH].contains(&beat.epoch) {
            let for_a_while = beat.epoch == LEAVE_FOR_A_WHILE_EPOCH;
            self.leave_consumers(group, &beat.member_id, beat.instance.as_ref(), for_a_while, now_ms, answers)?;
            return Ok(Beat { member_id: beat.member_id.clone(), epoch: beat.epoch, assignment: None });
        }
        if self.groups.contains_key(group) {
            return self.upgrade(group, beat, topics, now_ms, answers);
        }
        let consumers = &mut self.consumers;
        if beat.epoch == JOIN_EPOCH && !consumers.by_name.contains_key(group) {
            let mut new = ConsumerGroup::named(group);
            let answer = new.heartbeat(beat, topics, &consumers.limits, now_ms)?;
            consumers.by_name.insert(detached(group), new);
            return Ok(answer);
        }
        match consumers.by_name.get_mut(group) {
            Some(known) => known.heartbeat(beat, topics, &consumers.limits, now_ms),
            // It was a member before a restart of the broker: by this code, unlike by another, it joins anew.
            None => refuse(ResponseError::UnknownMemberId, format!("Group {} not found.", &**group)),
        }
    }

    /// A member, named by its id and perhaps its instance, goes.
    pub(super) fn leave_consumers(
        &mut self,
        name: &StrBytes,
        member_id: &StrBytes,
        instance: Option<&StrBytes>,
        for_a_while: bool,
        now_ms: i64,
        answers: &mut Answers<W>,
    ) -> Result<(), Refusal> {
        let group = self.consumers.by_name.get_mut(name).ok_or_else(|| not_found(name))?;
        let generation = group.epoch;
        group.leave(member_id, instance, for_a_while)?;
        group.give_back(&self.consumers.limits);
        if !for_a_while {
            self.downgrade(name, generation, now_ms, answers);
        }
        Ok(())
    }

    /// A member, named by its id or its instance, is taken out by a `LeaveGroup`.
    pub(super) fn take_out(
        &mut self,
        name: &StrBytes,
        member_id: &StrBytes,
        instance: Option<&StrBytes>,
        now_ms: i64,
        answers: &mut Answers<W>,
    ) -> Result<(), ResponseError> {
        let group = self.consumers.by_name.get(name).ok_or(ResponseError::UnknownMemberId)?;
        let named = instance.filter(|_| member_id.is_empty()).and_then(|instance| group.member_of_instance(instance));
        let member_id = named.as_ref().unwrap_or(member_id);
        self.leave_consumers(name, member_id, instance, false, now_ms, answers).map_err(|(error, _)| error)
    }

    /// A member joins by the classic protocol a consumer group that others are in.
    pub(super) fn join_consumers(
        &mut self,
        name: &StrBytes,
        join: &Join,
        topics: &dyn Topics,
        now_ms: i64,
        answers: &mut Answers<W>,
    ) -> Joined {
        let Some(group) = self.consumers.by_name.get_mut(name) else {
            return Joined::failed(ResponseError::UnknownMemberId.code(), join.member_id.clone());
        };
        match group.join(join, topics, &self.consumers.limits, now_ms) {
            Ok(joined) => {
                let generation = group.epoch;
                self.downgrade(name, generation, now_ms, answers);
                match self.groups.get(name) {
                    // It is asked by that protocol for its assignment.
                    Some(classic) => Joined { protocol: classic.protocol.clone(), ..joined },
                    None => joined,
                }
            }
            Err(error) => {
                let is_new = error == ResponseError::MemberIdRequired;
                // As in Kafka, who is refused here does not hear its id again.
                Joined::failed(error.code(), if is_new { join.new_id.clone() } else { StrBytes::default() })
            }
        }
    }

    /// Whether offsets may be fetched in the name of this member; only consumer groups care.
    pub(crate) fn check_fetch(&self, group: &StrBytes, member_id: &StrBytes, epoch: i32) -> Result<(), ResponseError> {
        self.consumers.by_name.get(group).map_or(Ok(()), |group| group.check_fetch(member_id, epoch))
    }

    /// The consumer group of this name.
    pub(crate) fn consumer_group(&self, name: &StrBytes) -> Option<&ConsumerGroup> {
        self.consumers.by_name.get(name)
    }

    /// All consumer groups.
    pub(crate) fn consumer_groups(&self) -> impl Iterator<Item = (&StrBytes, &ConsumerGroup)> {
        self.consumers.by_name.iter()
    }
}

fn not_found(group: &str) -> Refusal {
    (ResponseError::GroupIdNotFound, format!("Group {group} not found."))
}
