//! Groups that move from the classic protocol to that of KIP-848 or back while members are in them
//! (`group.consumer.migration.policy` is `bidirectional`, as Kafka has it).

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::protocol::StrBytes;
use millstream_log::TopicPartition;

use super::classic::ClassicTerms;
use super::memory::{NAME_BYTES, out_of_memory};
use super::subscription::Subscription;
use super::{ConsumerGroup, ConsumerLimits, ConsumerMember, MemberState, Refusal, Topics, refuse};
use crate::group::consumer_protocol::{ConsumerAssignment, ConsumerSubscription, PROTOCOL_TYPE, assignment};
use crate::group::member::{Member, member_bytes};
use crate::group::{GROUP_BYTES, Group, Limits, State, Waits};
use crate::text::detached;

impl ConsumerGroup {
    /// The members of a classic group as a consumer group, with what they work on. (Kafka takes what they are assigned,
    /// which they may not have heard of yet.)
    pub(crate) fn of_classic<W>(
        name: &str,
        classic: &Group<W>,
        topics: &dyn Topics,
        limits: &ConsumerLimits,
        now_ms: i64,
    ) -> Result<Self, Refusal> {
        let refuse = |reason: &str| {
            let message = format!("Cannot upgrade classic group {name} to consumer group because {reason}");
            refuse(ResponseError::GroupIdNotFound, message)
        };
        if !classic.is_of_consumers() {
            return refuse("the group does not use the consumer embedded protocol.");
        }
        if classic.members.len() > limits.members_max {
            return refuse("the group size exceeds the consumer group maximum size.");
        }
        let mut reserved = 0;
        let (epoch, instances) = (classic.generation, classic.instances.clone());
        let mut group = Self { epoch, assignment_epoch: epoch, instances, ..Self::named(name) };
        for (id, classic_member) in &classic.members {
            // A group that has yet to agree on a protocol has none.
            let first = || classic_member.protocols.first().map(|(name, _)| name);
            let protocol = classic.protocol.as_ref().or_else(first).cloned().unwrap_or_default();
            let metadata = classic_member.metadata(&protocol);
            let exists = |partition: &TopicPartition| {
                (0..topics.partitions(&partition.topic).unwrap_or(0)).contains(&partition.partition)
            };
            let said = ConsumerSubscription::read(&metadata, exists);
            let assigned = ConsumerAssignment::read(&classic_member.assignment, exists);
            let (Some(said), Some(assigned)) = (said, assigned) else {
                return refuse("the embedded consumer protocol is malformed.");
            };
            if assigned.has_user_data {
                return refuse(
                    "an unsupported custom assignor is in use. Please refer to the documentation or switch to a \
                     default assignor before re-attempting the upgrade.",
                );
            }
            // Each topic's name is kept twice, and small names take more than what they are read from.
            reserved += 2 * (metadata.len() + said.topics.len() * NAME_BYTES);
            reserved += classic_member.bytes(id, &classic_member.assignment);
            if !group.reserve(reserved, limits) {
                return out_of_memory();
            }
            let names = said.topics.iter().map(|name| Arc::from(*name)).collect();
            let mut assigned = if classic_member.has_assignment { assigned.partitions } else { said.owned };
            // No partition has two owners, whatever the leader thought.
            assigned.retain(|partition| !group.owned_since.contains_key(partition));
            group.owned_since.extend(assigned.iter().map(|partition| (partition.clone(), epoch)));
            let member = ConsumerMember {
                state: MemberState::Stable,
                epoch,
                previous_epoch: epoch,
                instance: classic_member.instance.clone(),
                rack: said.rack,
                client_id: classic_member.client_id.clone(),
                client_host: classic_member.client_host.clone(),
                rebalance_timeout_ms: classic_member.rebalance_timeout_ms,
                subscription: Subscription::to(names),
                target: assigned.clone(),
                assigned,
                session_deadline_ms: now_ms.saturating_add(classic_member.session_timeout_ms.into()),
                classic: Some(ClassicTerms::new(classic_member.session_timeout_ms, classic_member.protocols.clone())),
                ..ConsumerMember::default()
            };
            group.members.insert(id.clone(), member);
        }
        // What they read already is no news to the group.
        group.refresh(topics, true, now_ms);
        Ok(group)
    }

    /// The members as a classic group, each with what it may own or has yet to give up; `None` unless all speak the classic
    /// protocol, and if there is no memory for it. (Kafka takes their targets: if then a member by the newer protocol comes
    /// before they have joined again, what one is to give up may be another's already.)
    pub(crate) fn to_classic<W: Waits>(&self, generation: i32, limits: &Limits, now_ms: i64) -> Option<Group<W>> {
        let share = limits.members_memory.try_take(GROUP_BYTES + 2 * self.name_bytes)?;
        let mut group = Group::new(now_ms, share);
        group.generation = generation;
        group.state = State::Stable;
        group.deadline_ms = i64::MAX;
        group.protocol_type = Some(StrBytes::from_static_str(PROTOCOL_TYPE));
        group.instances = self.instances.clone();
        group.leader = self.members.keys().next().cloned();
        for (id, member) in &self.members {
            let terms = member.classic.as_ref()?;
            let instance = member.instance.as_deref().unwrap_or_default();
            let texts = [&**id, instance, &member.client_id, &member.client_host];
            let assignment = assignment(terms.version(), &member.held().cloned().collect());
            let bytes = member_bytes(&texts, &terms.protocols) + assignment.len();
            let mut classic = Member {
                instance: member.instance.clone(),
                client_id: member.client_id.clone(),
                client_host: member.client_host.clone(),
                session_timeout_ms: terms.session_timeout_ms,
                rebalance_timeout_ms: member.rebalance_timeout_ms,
                protocols: terms.protocols.clone(),
                assignment,
                session_deadline_ms: 0,
                joining: None,
                syncing: None,
                has_synced: true,
                has_assignment: true,
                is_missed: false,
                share: limits.members_memory.try_take(bytes)?,
            };
            classic.touch(now_ms);
            group.members.insert(detached(id), classic);
        }
        group.protocol = group.vote();
        Some(group)
    }
}
