//! Groups of KIP-848 beside the classic ones: of one name there is one group, of one kind or the other.

use std::collections::HashMap;

use kafka_protocol::ResponseError;
use kafka_protocol::protocol::StrBytes;

use super::{Coordinator, GROUPS_BYTES_MIN};
use crate::group::Waits;
use crate::group::consumer::{
    Beat, ConsumerGroup, ConsumerLimits, Heartbeat, JOIN_EPOCH, LEAVE_EPOCH, LEAVE_FOR_A_WHILE_EPOCH, Refusal, Topics,
    refuse,
};
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

    /// A member, named by its id or its instance, is taken out by a `LeaveGroup`, as tools send it.
    pub(super) fn take_out(
        &mut self,
        group: &StrBytes,
        member_id: &StrBytes,
        instance: Option<&StrBytes>,
    ) -> Result<(), ResponseError> {
        let group = self.by_name.get_mut(group).ok_or(ResponseError::UnknownMemberId)?;
        let named = instance.filter(|_| member_id.is_empty()).and_then(|instance| group.member_of_instance(instance));
        let left = group.leave(named.as_ref().unwrap_or(member_id), instance, false).map_err(|(error, _)| error);
        group.give_back(&self.limits);
        left
    }

    pub(super) fn tick(&mut self, now_ms: i64) {
        self.by_name.values_mut().for_each(|group| group.tick(&self.limits, now_ms));
        self.by_name.retain(|_, group| !group.is_over(now_ms));
    }

    /// Forgets all groups without members but this one.
    pub(super) fn forget_unused(&mut self, except: &StrBytes) {
        self.by_name.retain(|name, group| name == except || !group.members.is_empty());
    }

    /// Makes way for a classic group of this name, unless members are in it.
    pub(super) fn yield_to_classic(&mut self, group: &StrBytes) -> Result<(), ResponseError> {
        match self.by_name.get(group) {
            Some(known) if !known.members.is_empty() => Err(ResponseError::InconsistentGroupProtocol),
            Some(_) => {
                self.by_name.remove(group);
                Ok(())
            }
            None => Ok(()),
        }
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
    ) -> Result<Beat, Refusal> {
        self.make_way_for_consumers(group)?;
        if beat.epoch == JOIN_EPOCH && !self.limits.members_memory.has(GROUPS_BYTES_MIN) {
            self.forget_unused(group);
        }
        let consumers = &mut self.consumers;
        if [LEAVE_EPOCH, LEAVE_FOR_A_WHILE_EPOCH].contains(&beat.epoch) {
            let for_a_while = beat.epoch == LEAVE_FOR_A_WHILE_EPOCH;
            let known = consumers.by_name.get_mut(group).ok_or_else(|| not_found(group))?;
            known.leave(&beat.member_id, beat.instance.as_ref(), for_a_while)?;
            known.give_back(&consumers.limits);
            return Ok(Beat { member_id: beat.member_id.clone(), epoch: beat.epoch, assignment: None });
        }
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

    /// A classic group that nobody is in makes way. One with members does not: they cannot move while they are members.
    fn make_way_for_consumers(&mut self, group: &StrBytes) -> Result<(), Refusal> {
        match self.groups.get(group) {
            Some(classic) if !classic.is_unused() => {
                let message = format!(
                    "Cannot upgrade classic group {} to consumer group because online upgrade is disabled.",
                    &**group
                );
                refuse(ResponseError::GroupIdNotFound, message)
            }
            Some(_) => {
                self.groups.remove(group);
                Ok(())
            }
            None => Ok(()),
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
