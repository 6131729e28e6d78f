//! What a consumer group takes of the memory for groups.

use std::collections::BTreeSet;
use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::protocol::StrBytes;

use super::{ConsumerGroup, ConsumerLimits, ConsumerMember, Refusal, refuse, subscription};
use subscription::Subscription;

/// What a group, a member, a name in a set, a protocol and a partition take beside what is counted by its length, with room to
/// spare. A partition is in its member's target, in what it owns or is to give up, and in what the group knows to have an
/// owner.
const GROUP_BYTES: usize = 1_024;
const MEMBER_BYTES: usize = 1_024;
pub(super) const NAME_BYTES: usize = 64;
const PROTOCOL_BYTES: usize = 64;
const PARTITION_BYTES: usize = 256;

pub(super) fn out_of_memory<T>() -> Result<T, Refusal> {
    refuse(ResponseError::CoordinatorNotAvailable, "The memory for groups is used up, try again later.")
}

impl ConsumerMember {
    /// What it says of itself.
    pub(super) fn said_bytes(&self) -> usize {
        let texts = [&self.instance, &self.rack, &self.assignor].into_iter().flatten().map(|text| text.len());
        let names = self.subscription.names.iter().map(|name| name.len() + NAME_BYTES);
        let client = self.client_id.len() + self.client_host.len() + self.subscription.expression.len();
        let protocols = self.classic.iter().flat_map(|terms| &terms.protocols);
        let protocols = protocols.map(|(name, said)| PROTOCOL_BYTES + name.len() + said.len());
        2 * texts.sum::<usize>() + names.sum::<usize>() + client + protocols.sum::<usize>()
    }

    fn bytes(&self, id: &str) -> usize {
        let Subscription { names, resolved, .. } = &self.subscription;
        // Its topics may have yet to be looked at.
        MEMBER_BYTES + 2 * id.len() + self.said_bytes() + resolved.len().max(names.len()) * NAME_BYTES
    }
}

impl ConsumerGroup {
    fn bytes(&self) -> usize {
        let topic = |(name, partitions): (&Arc<str>, &i32)| {
            NAME_BYTES + name.len() + usize::try_from(*partitions).unwrap_or(0) * PARTITION_BYTES
        };
        // Who came by the classic protocol may have partitions of topics that nobody subscribes to.
        let others = self.owned_since.keys().filter(|partition| !self.topics.contains_key(&partition.topic));
        let matchers: BTreeSet<_> =
            self.members.values().filter_map(|member| member.subscription.matcher_id()).collect();
        GROUP_BYTES
            + self.name_bytes
            + self.members.iter().map(|(id, member)| member.bytes(id)).sum::<usize>()
            + self.topics.iter().map(topic).sum::<usize>()
            + others.count() * PARTITION_BYTES
            + matchers.len() * subscription::MATCHER_BYTES
    }

    /// Takes as much memory as it needs, if that is free.
    pub(super) fn take_memory(&mut self, limits: &ConsumerLimits) -> bool {
        self.reserve(self.bytes(), limits)
    }

    /// Takes as much memory as it needs with this member, if that is free.
    pub(super) fn make_room(&mut self, id: &StrBytes, member: &ConsumerMember, limits: &ConsumerLimits) -> bool {
        let before = self.members.get(id).map_or(0, |before| before.bytes(id));
        self.reserve(self.bytes() + member.bytes(id).saturating_sub(before), limits)
    }

    /// Takes so much memory, if that is free.
    pub(super) fn reserve(&mut self, bytes: usize, limits: &ConsumerLimits) -> bool {
        if self.share.is_none() {
            self.share = limits.memory.try_take(GROUP_BYTES);
        }
        self.share.as_mut().is_some_and(|share| limits.memory.try_resize(share, bytes))
    }

    /// Gives back what it does not need any more.
    pub(crate) fn give_back(&mut self, limits: &ConsumerLimits) {
        // To make it smaller never fails.
        _ = self.take_memory(limits);
    }
}
