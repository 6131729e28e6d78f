//! A member of a consumer group.

use kafka_protocol::protocol::StrBytes;
use millstream_log::TopicPartition;

use super::Partitions;
use super::classic::ClassicTerms;
use super::subscription::Subscription;

/// Where a member stands on its way to its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum MemberState {
    /// It owns what it was told to; there may be a newer target.
    #[default]
    Stable,
    /// It is to give something up first.
    Unrevoked,
    /// Something that it is to own is still another member's.
    Unreleased,
}

/// A member and what it owns.
#[derive(Debug, Clone, Default)]
pub(crate) struct ConsumerMember {
    pub(crate) state: MemberState,
    pub(crate) epoch: i32,
    /// The epoch before, by which it may come once more if it has not got the answer.
    pub(super) previous_epoch: i32,
    pub(crate) instance: Option<StrBytes>,
    pub(crate) rack: Option<StrBytes>,
    pub(crate) client_id: StrBytes,
    pub(crate) client_host: StrBytes,
    pub(super) rebalance_timeout_ms: i32,
    pub(crate) subscription: Subscription,
    /// The assignor that it would like.
    pub(super) assignor: Option<StrBytes>,
    /// What it may read.
    pub(crate) assigned: Partitions,
    /// What it is to give up, but may still read.
    pub(super) revoking: Partitions,
    /// What it is to own in the end.
    pub(crate) target: Partitions,
    /// Without a heartbeat until then it is taken for dead, in ms.
    pub(super) session_deadline_ms: i64,
    /// Until then it must have given up what it is to give up, in ms.
    pub(super) revocation_deadline_ms: Option<i64>,
    /// Of a member that speaks the classic protocol.
    pub(super) classic: Option<ClassicTerms>,
}

impl ConsumerMember {
    /// Whether it owns just what the target of this epoch says.
    pub(super) fn has_arrived(&self, epoch: i32) -> bool {
        self.state == MemberState::Stable && self.epoch == epoch
    }

    /// What nobody else may own: what it may read, and what it is yet to give up.
    pub(super) fn held(&self) -> impl Iterator<Item = &TopicPartition> {
        self.assigned.iter().chain(&self.revoking)
    }

    pub(super) fn holds(&self, partition: &TopicPartition) -> bool {
        self.assigned.contains(partition) || self.revoking.contains(partition)
    }

    pub(super) fn deadline_ms(&self) -> i64 {
        let of_classic = self.classic.as_ref().map(ClassicTerms::deadline_ms);
        let others = [self.revocation_deadline_ms, of_classic].into_iter().flatten();
        others.fold(self.session_deadline_ms, i64::min)
    }

    /// Whether it speaks the classic protocol.
    pub(crate) fn is_classic(&self) -> bool {
        self.classic.is_some()
    }
}
