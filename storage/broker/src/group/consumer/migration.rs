//! Groups that move from the classic protocol to that of KIP-848 or back while members are in them
//! (`group.consumer.migration.policy` is `bidirectional`, as Kafka has it).
//!
//! What is not known to be given up has an owner: a member of a classic group may not have heard of its assignment yet, or
//! be about to give up what it is not assigned any more. (Kafka takes what the members are assigned, and on the way back
//! what they are to own, for what they own.)

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::protocol::StrBytes;
use millstream_log::TopicPartition;

use super::classic::ClassicTerms;
use super::memory::{NAME_BYTES, out_of_memory};
use super::subscription::Subscription;
use super::{ConsumerGroup, ConsumerLimits, ConsumerMember, MemberState, Partitions, Refusal, Topics};
use crate::group::consumer_protocol::{
    ConsumerAssignment, ConsumerSubscription, PROTOCOL_TYPE, assignment, topics as topics_of,
};
use crate::group::member::{Member, member_bytes};
use crate::group::{GROUP_BYTES, Group, Limits, State, Waits};
use crate::text::detached;

/// What the members of a group that moves over may say of themselves and be assigned, together. In Kafka a classic group
/// is one record of 1 MiB at most.
const MOVED_BYTES_MAX: usize = 4 << 20;

/// The assignors that clients come with. Some write data of their own into assignments (librdkafka's sticky ones do), but none
/// reads them there, so that nothing is lost by a move. (Kafka refuses to move such a group.)
const DEFAULT_ASSIGNORS: [&str; 4] = ["range", "roundrobin", "sticky", "cooperative-sticky"];

/// A member of a classic group as one of a consumer group, and what it may work on.
struct Moved {
    member: ConsumerMember,
    /// What it was told to own, if it was told since it last joined.
    told: Option<Partitions>,
    /// What it said that it owned when it joined, and was not told.
    claimed: Partitions,
}

impl ConsumerGroup {
    /// The members of a classic group as a consumer group, with what they work on.
    pub(crate) fn of_classic<W>(
        name: &str,
        classic: &Group<W>,
        topics: &dyn Topics,
        limits: &ConsumerLimits,
        now_ms: i64,
    ) -> Result<Self, Refusal> {
        check(name, classic, limits)?;
        let epoch = classic.generation;
        let instances = classic.instances.clone();
        let mut group = Self { epoch, assignment_epoch: epoch, instances, ..Self::named(name) };
        let is_default = |protocol: &StrBytes| DEFAULT_ASSIGNORS.contains(&&**protocol);
        let is_custom = !classic.protocol.as_ref().is_some_and(is_default);
        let mut moved = BTreeMap::new();
        let existing = Existing { topics, sizes: RefCell::default() };
        let mut reserved = 0;
        for (id, member) in &classic.members {
            let protocol = protocol_of(member, classic);
            let metadata = member.metadata(&protocol);
            let names = topics_of(&metadata).map_or(0, |names| names.len());
            // Each topic's name is kept twice, and small names take more than what they are read from.
            reserved += member.bytes(id, &member.assignment) + 2 * (metadata.len() + names * NAME_BYTES);
            if !group.reserve(reserved, limits) {
                return out_of_memory();
            }
            let (read, has_user_data) =
                Moved::read(member, &metadata, epoch, &existing, now_ms).ok_or_else(|| refusal(name, MALFORMED))?;
            if has_user_data && is_custom {
                return Err(refusal(name, CUSTOM_ASSIGNOR));
            }
            moved.insert(id, read);
        }
        let is_shared_out = group.find_owners(&mut moved) && classic.state == State::Stable;
        group.members = moved.into_iter().map(|(id, moved)| (id.clone(), moved.member)).collect();
        if is_shared_out {
            // What they read is no news to the group. Otherwise it is, and all is shared out anew.
            group.refresh(topics, true, now_ms);
        }
        Ok(group)
    }

    /// Says what is whose: no partition has two owners, whatever the leader thought, and what one was told another one only
    /// claims. False if not all of it is known, or something has yet to be given up.
    fn find_owners(&mut self, moved: &mut BTreeMap<&StrBytes, Moved>) -> bool {
        let epoch = self.epoch;
        let mut is_shared_out = true;
        for Moved { member, told, .. } in moved.values_mut() {
            member.assigned = told.iter().flatten().filter(|partition| self.own(partition, epoch)).cloned().collect();
            is_shared_out &= told.as_ref() == Some(&member.assigned);
        }
        for Moved { member, told, claimed } in moved.values_mut() {
            claimed.retain(|partition| self.own(partition, epoch));
            let claimed = std::mem::take(claimed);
            if told.is_none() {
                member.assigned = claimed;
            } else if !claimed.is_empty() {
                // It gives that up by joining again.
                (member.revoking, member.state) = (claimed, MemberState::Unrevoked);
                is_shared_out = false;
            }
            member.target = member.assigned.clone();
        }
        is_shared_out
    }

    /// Takes note that a partition has an owner; false if it had one.
    fn own(&mut self, partition: &TopicPartition, epoch: i32) -> bool {
        self.owned_since.insert(partition.clone(), epoch).is_none()
    }

    /// The members as a classic group, each with what it may own or has yet to give up; `None` unless all speak the classic
    /// protocol, and if there is no memory for it.
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

/// Whether a classic group can move over, as far as that is seen without reading what its members say.
fn check<W>(name: &str, classic: &Group<W>, limits: &ConsumerLimits) -> Result<(), Refusal> {
    let bytes = |member: &Member<W>| member.metadata(&protocol_of(member, classic)).len() + member.assignment.len();
    if !classic.is_of_consumers() {
        Err(refusal(name, "the group does not use the consumer embedded protocol."))
    } else if classic.members.len() > limits.members_max {
        Err(refusal(name, "the group size exceeds the consumer group maximum size."))
    } else if classic.members.values().map(bytes).sum::<usize>() > MOVED_BYTES_MAX {
        Err(refusal(name, "its members say too much of themselves, or are assigned too much."))
    } else {
        Ok(())
    }
}

const MALFORMED: &str = "the embedded consumer protocol is malformed.";
const CUSTOM_ASSIGNOR: &str = "an unsupported custom assignor is in use. Please refer to the documentation or switch to a \
                               default assignor before re-attempting the upgrade.";

fn refusal(name: &str, reason: &str) -> Refusal {
    (ResponseError::GroupIdNotFound, format!("Cannot upgrade classic group {name} to consumer group because {reason}"))
}

/// The protocol by which a member says what it reads: one that has come since the members have agreed on theirs may not know
/// that.
fn protocol_of<W>(member: &Member<W>, group: &Group<W>) -> StrBytes {
    let agreed = group.protocol.as_ref().filter(|protocol| member.supports(protocol));
    agreed.or(member.protocols.first().map(|(name, _)| name)).cloned().unwrap_or_default()
}

impl Moved {
    /// Reads what a member says, and whether its assignor says something more to it; `None` if that is malformed.
    fn read<W>(
        member: &Member<W>,
        metadata: &[u8],
        epoch: i32,
        existing: &Existing<'_>,
        now_ms: i64,
    ) -> Option<(Self, bool)> {
        let said = ConsumerSubscription::read(metadata, |partition| existing.has(partition))?;
        let is_wanted = |partition: &TopicPartition| member.has_assignment && existing.has(partition);
        let assigned = ConsumerAssignment::read(&member.assignment, is_wanted)?;
        let claimed = said.owned.difference(&assigned.partitions).cloned().collect();
        let told = member.has_assignment.then_some(assigned.partitions);
        let member = ConsumerMember {
            epoch,
            previous_epoch: epoch,
            instance: member.instance.clone(),
            rack: said.rack,
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            rebalance_timeout_ms: member.rebalance_timeout_ms,
            subscription: Subscription::to(said.topics.iter().map(|name| Arc::from(*name)).collect()),
            session_deadline_ms: now_ms.saturating_add(member.session_timeout_ms.into()),
            classic: Some(ClassicTerms::new(member.session_timeout_ms, member.protocols.clone())),
            ..ConsumerMember::default()
        };
        Some((Self { member, told, claimed }, assigned.has_user_data))
    }
}

/// The partitions that there are; each topic that there is is looked up once.
struct Existing<'a> {
    topics: &'a dyn Topics,
    sizes: RefCell<HashMap<Arc<str>, i32>>,
}

impl Existing<'_> {
    fn has(&self, partition: &TopicPartition) -> bool {
        let mut sizes = self.sizes.borrow_mut();
        let size = sizes.get(&partition.topic).copied().or_else(|| {
            let size = self.topics.partitions(&partition.topic)?;
            sizes.insert(Arc::clone(&partition.topic), size);
            Some(size)
        });
        size.is_some_and(|size| (0..size).contains(&partition.partition))
    }
}
