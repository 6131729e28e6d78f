//! Joining a consumer group and staying in it.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::protocol::StrBytes;
use regex::Regex;

use super::assignor::{Assignor, Candidate};
use super::memory::out_of_memory;
use super::{ConsumerGroup, ConsumerLimits, ConsumerMember, JOIN_EPOCH, LEAVE_FOR_A_WHILE_EPOCH};
use super::{Partitions, Refusal, Topics, refuse};

/// What a member says; `None` is what has not changed since the last time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heartbeat {
    pub(crate) member_id: StrBytes,
    /// [`JOIN_EPOCH`] to join.
    pub(crate) epoch: i32,
    pub(crate) instance: Option<StrBytes>,
    pub(crate) rack: Option<StrBytes>,
    pub(crate) rebalance_timeout_ms: Option<i32>,
    pub(crate) topic_names: Option<Vec<Arc<str>>>,
    pub(crate) expression: Option<StrBytes>,
    pub(crate) assignor: Option<StrBytes>,
    pub(crate) owned: Option<Partitions>,
    pub(crate) client_id: StrBytes,
    pub(crate) client_host: StrBytes,
}

impl Heartbeat {
    /// Whether it says everything, as a member does that joins or does not know what the coordinator knows.
    fn is_full(&self) -> bool {
        let has_subscription = self.topic_names.is_some() || self.expression.is_some();
        self.epoch == JOIN_EPOCH || (self.rebalance_timeout_ms.is_some() && has_subscription && self.owned.is_some())
    }
}

/// What is new of a member.
pub(super) struct News<'a> {
    /// It wants other topics than before.
    pub(super) subscribes_anew: bool,
    /// What it says of itself takes another amount of memory than before.
    pub(super) has_other_size: bool,
    /// What it says it owns, if it says so.
    pub(super) owned: Option<&'a Partitions>,
}

/// What a member is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Beat {
    pub(crate) member_id: StrBytes,
    pub(crate) epoch: i32,
    /// What it may own now, if it does not know that already.
    pub(crate) assignment: Option<Partitions>,
}

impl ConsumerGroup {
    /// A member joins or shows that it is alive.
    pub(crate) fn heartbeat(
        &mut self,
        beat: &Heartbeat,
        topics: &dyn Topics,
        limits: &ConsumerLimits,
        now_ms: i64,
    ) -> Result<Beat, Refusal> {
        let id = &beat.member_id;
        self.check_room(id, limits)?;
        let mut member = self.admit(beat)?;
        let assigned_before = member.assigned.clone();
        let said_before = member.said_bytes();
        let subscribes_anew = member.update(beat, self.matcher(beat.expression.as_deref()))?;
        let has_other_size = member.said_bytes() != said_before;
        member.session_deadline_ms = now_ms.saturating_add(limits.session_timeout_ms.into());
        let news = News { subscribes_anew, has_other_size, owned: beat.owned.as_ref() };
        let member = self.settle(id, member, &news, topics, limits, now_ms)?;
        let is_told = beat.is_full() || member.assigned != assigned_before;
        Ok(Beat { member_id: id.clone(), epoch: member.epoch, assignment: is_told.then(|| member.assigned.clone()) })
    }

    /// Whether there is a place for a member of this id.
    pub(super) fn check_room(&self, id: &StrBytes, limits: &ConsumerLimits) -> Result<(), Refusal> {
        if self.members.len() < limits.members_max || self.members.contains_key(id) {
            return Ok(());
        }
        let message = format!("The consumer group has reached its maximum capacity of {} members.", self.members.len());
        refuse(ResponseError::GroupMaxSizeReached, message)
    }

    /// Puts a member where it belongs, as it is after its request, makes a target for everybody if something has changed,
    /// and lets the member take its next step.
    pub(super) fn settle(
        &mut self,
        id: &StrBytes,
        member: ConsumerMember,
        news: &News<'_>,
        topics: &dyn Topics,
        limits: &ConsumerLimits,
        now_ms: i64,
    ) -> Result<&ConsumerMember, Refusal> {
        let is_new = self.epoch == 0 || !self.members.contains_key(id);
        // Who is there already is not to go because it says more than there is memory for. (Another expression of the same
        // length is another one to keep.)
        let needs_room = is_new || news.subscribes_anew || news.has_other_size;
        if needs_room && !self.make_room(id, &member, limits) {
            return out_of_memory();
        }
        let has_merged = self.take_place(id, member);
        self.touch(now_ms);
        let has_changed = self.refresh(topics, is_new || news.subscribes_anew || has_merged, now_ms) || has_merged;
        if (needs_room || has_changed) && !self.take_memory(limits) {
            self.remove(id);
            self.give_back(limits);
            return out_of_memory();
        }
        if has_changed || self.epoch == 0 {
            self.epoch += 1;
        }
        if self.epoch > self.assignment_epoch {
            self.assign();
        }
        self.reconcile(id, news.owned, now_ms);
        self.members.get(id).map_or_else(|| refuse(ResponseError::UnknownMemberId, unknown(id)), Ok)
    }

    /// The member as it was until now, or as a new one.
    fn admit(&self, beat: &Heartbeat) -> Result<ConsumerMember, Refusal> {
        let joins = beat.epoch == JOIN_EPOCH;
        let Some(instance) = &beat.instance else {
            return match self.members.get(&beat.member_id) {
                Some(member) => member.check_epoch(beat).map(|()| member.clone()),
                None if joins => Ok(ConsumerMember::default()),
                None => refuse(ResponseError::UnknownMemberId, unknown(&beat.member_id)),
            };
        };
        let Some(id) = self.instances.get(instance) else {
            // It may be a member already that had no instance, or another one.
            return if joins {
                Ok(self.members.get(&beat.member_id).cloned().unwrap_or_default())
            } else {
                refuse(ResponseError::UnknownMemberId, format!("Instance id {} is unknown.", &**instance))
            };
        };
        let Some(member) = self.members.get(id) else { return Ok(ConsumerMember::default()) };
        // By the classic protocol a static member does not say that it goes.
        let is_left = member.epoch == LEAVE_FOR_A_WHILE_EPOCH || member.is_classic();
        if joins && *id != beat.member_id && !is_left {
            let message = format!(
                "Static member {} with instance id {} was fenced because the instance is still used by the member {}.",
                &*beat.member_id, &**instance, &**id
            );
            return refuse(ResponseError::UnreleasedInstanceId, message);
        }
        if !joins {
            check_instance(instance, id, &beat.member_id)?;
        }
        member.check_epoch(beat).map(|()| member.clone())
    }

    /// Puts the member where it belongs; one that comes back takes the place of its earlier self, with what that owned.
    /// True if by that two members have become one.
    fn take_place(&mut self, id: &StrBytes, member: ConsumerMember) -> bool {
        let earlier = member.instance.as_ref().and_then(|instance| self.instances.insert(instance.clone(), id.clone()));
        let returns = earlier.is_some_and(|earlier| earlier != *id && self.members.remove(&earlier).is_some());
        let before = self.members.remove(id);
        if let Some(before) = &before {
            // Until now it may have been a member without an instance, or another one.
            if let Some(instance) = before.instance.as_ref().filter(|_| before.instance != member.instance) {
                self.instances.remove(instance);
            }
            for partition in before.held().filter(|partition| !member.holds(partition)) {
                self.owned_since.remove(partition);
            }
        }
        self.members.insert(id.clone(), member);
        returns && before.is_some()
    }

    /// Makes a target for everybody by the assignor that most members like.
    fn assign(&mut self) {
        self.assignor = Assignor::elect(self.members.values().filter_map(|member| member.assignor.as_deref()));
        let candidates: Vec<Candidate<'_>> = self
            .members
            .iter()
            .map(|(id, member)| Candidate {
                id,
                instance: member.instance.as_deref(),
                topics: &member.subscription.resolved,
                target: &member.target,
            })
            .collect();
        let targets = self.assignor.assign(&candidates, &self.topics);
        for (member, target) in self.members.values_mut().zip(targets) {
            member.target = target;
        }
        self.assignment_epoch = self.epoch;
    }
}

pub(super) fn unknown(member_id: &str) -> String {
    format!("Member {member_id} is not a member of the group.")
}

pub(super) fn check_instance(instance: &str, id: &str, member_id: &str) -> Result<(), Refusal> {
    if id == member_id {
        return Ok(());
    }
    let message = format!("Static member {member_id} with instance id {instance} was fenced by member {id}.");
    refuse(ResponseError::FencedInstanceId, message)
}

impl ConsumerMember {
    /// A member that does not know its epoch must begin again, unless it just has not got the last answer.
    fn check_epoch(&self, beat: &Heartbeat) -> Result<(), Refusal> {
        let is_subset = || beat.owned.as_ref().is_some_and(|owned| owned.is_subset(&self.assigned));
        let is_previous = beat.epoch == self.previous_epoch && beat.epoch < self.epoch;
        let is_known = beat.epoch == self.epoch || (is_previous && is_subset());
        if beat.epoch == JOIN_EPOCH || is_known {
            return Ok(());
        }
        let than = if beat.epoch > self.epoch { "greater" } else { "smaller" };
        let message = format!(
            "The consumer group member has a {than} member epoch ({}) than the one known by the group coordinator ({}). \
             The member must abandon all its partitions and rejoin.",
            beat.epoch, self.epoch
        );
        refuse(ResponseError::FencedMemberEpoch, message)
    }

    /// Takes over what the member says of itself; true if it wants other topics than before.
    fn update(&mut self, beat: &Heartbeat, known: Option<Arc<Regex>>) -> Result<bool, Refusal> {
        let mut subscribes_anew = false;
        if let Some(expression) = &beat.expression
            && *expression != self.subscription.expression
        {
            self.subscription.set_expression(expression.clone(), known)?;
            subscribes_anew = true;
        }
        if let Some(names) = &beat.topic_names {
            let names = names.iter().cloned().collect();
            subscribes_anew |= self.subscription.names != names;
            self.subscription.names = names;
        }
        if beat.epoch == JOIN_EPOCH {
            (self.epoch, self.previous_epoch) = (JOIN_EPOCH, JOIN_EPOCH);
        }
        self.instance = beat.instance.clone().or(self.instance.take());
        self.rack = beat.rack.clone().or(self.rack.take());
        self.assignor = beat.assignor.clone().or(self.assignor.take());
        self.rebalance_timeout_ms = beat.rebalance_timeout_ms.unwrap_or(self.rebalance_timeout_ms);
        (self.client_id, self.client_host) = (beat.client_id.clone(), beat.client_host.clone());
        self.classic = None;
        Ok(subscribes_anew)
    }
}
