//! A member's way to its target, one step a heartbeat.

use std::collections::HashMap;

use kafka_protocol::protocol::StrBytes;
use millstream_log::TopicPartition;

use super::{ConsumerGroup, ConsumerMember, JOIN_EPOCH, MemberState, Partitions};

impl ConsumerGroup {
    /// Lets a member take the next step; `owned` is what it says it owns, if it says so.
    pub(super) fn reconcile(&mut self, id: &StrBytes, owned: Option<&Partitions>, now_ms: i64) {
        let Some(mut member) = self.members.remove(id) else { return };
        let is_new = member.epoch == JOIN_EPOCH;
        let held: Vec<_> = member.held().cloned().collect();
        if member.step(self.assignment_epoch, owned, &self.owned_since) {
            let until = now_ms.saturating_add(member.rebalance_timeout_ms.max(0).into());
            // Who speaks the classic protocol has deadlines of its own.
            let is_timed = member.state == MemberState::Unrevoked && !member.is_classic();
            member.revocation_deadline_ms = is_timed.then_some(until);
            // Who begins anew has nothing from before.
            for partition in held.iter().filter(|partition| is_new || !member.holds(partition)) {
                self.owned_since.remove(partition);
            }
            for partition in member.held() {
                self.owned_since.entry(partition.clone()).or_insert(member.epoch);
            }
        }
        self.members.insert(id.clone(), member);
    }
}

impl ConsumerMember {
    /// Moves on if it can; false if everything stays as it is. `all_owned` is what has an owner, this member or another.
    fn step(
        &mut self,
        target_epoch: i32,
        owned: Option<&Partitions>,
        all_owned: &HashMap<TopicPartition, i32>,
    ) -> bool {
        let still_owns = |given_up: &Partitions| owned.is_none_or(|owned| !owned.is_disjoint(given_up));
        let is_subscribed = |partition: &TopicPartition| self.subscription.resolved.contains(&partition.topic);
        match self.state {
            MemberState::Stable if self.epoch == target_epoch && self.assigned.iter().all(is_subscribed) => {
                return false;
            }
            MemberState::Unrevoked if still_owns(&self.revoking) => return false,
            _ => {}
        }
        let target: Partitions = self.target.iter().filter(|partition| is_subscribed(partition)).cloned().collect();
        let kept: Partitions = self.assigned.intersection(&target).cloned().collect();
        let mut revoking: Partitions = self.assigned.difference(&target).cloned().collect();
        if still_owns(&self.revoking) {
            revoking.extend(self.revoking.iter().cloned());
        }
        // What it was given but does not own yet needs no giving up: it is told, and would not notice that it has to
        // answer. (So a client must not take on what it was given by an answer after a later request, as in Kafka.)
        if !revoking.is_empty() && still_owns(&revoking) {
            self.assigned = kept;
            self.revoking = revoking;
            self.previous_epoch = self.epoch;
            // Who has given something up and is to give up more is one epoch further, if not at its target's.
            self.epoch += i32::from(self.state == MemberState::Unrevoked);
            self.state = MemberState::Unrevoked;
            return true;
        }
        // What it has just given up is free for others only after this step, and for itself too.
        let given_up = std::mem::take(&mut self.revoking);
        let is_others = |partition: &TopicPartition| all_owned.contains_key(partition) && !kept.contains(partition);
        let is_free = |partition: &&TopicPartition| !is_others(partition) && !given_up.contains(*partition);
        self.assigned = target.iter().filter(is_free).cloned().collect();
        let is_complete = self.assigned.len() == target.len();
        self.state = if is_complete { MemberState::Stable } else { MemberState::Unreleased };
        self.previous_epoch = self.epoch;
        self.epoch = target_epoch;
        true
    }
}
