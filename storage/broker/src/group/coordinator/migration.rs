//! Groups that become groups of the other kind while members are in them.

use kafka_protocol::ResponseError;
use kafka_protocol::protocol::StrBytes;

use super::Coordinator;
use crate::group::consumer::{Beat, ConsumerGroup, Heartbeat, JOIN_EPOCH, Refusal, Topics, refuse};
use crate::group::{Answers, Waits};
use crate::text::detached;

impl<W: Waits> Coordinator<W> {
    /// A member joins a classic group by the newer protocol, by which that becomes a consumer group. Those who wait there
    /// for an answer are told to join again.
    pub(super) fn upgrade(
        &mut self,
        name: &StrBytes,
        beat: &Heartbeat,
        topics: &dyn Topics,
        now_ms: i64,
        answers: &mut Answers<W>,
    ) -> Result<Beat, Refusal> {
        let Some(classic) = self.groups.get_mut(name).filter(|_| beat.epoch == JOIN_EPOCH) else {
            // It was a member before a restart of the broker: by this code, unlike by another, it joins anew.
            return refuse(ResponseError::UnknownMemberId, format!("Group {} is not a consumer group.", &**name));
        };
        let limits = &self.consumers.limits;
        let mut group = if classic.members.is_empty() {
            ConsumerGroup::named(name)
        } else {
            ConsumerGroup::of_classic(name, classic, topics, limits, now_ms)?
        };
        let answer = group.heartbeat(beat, topics, limits, now_ms)?;
        classic.call_back_all(answers);
        self.groups.remove(name);
        self.consumers.by_name.insert(detached(name), group);
        Ok(answer)
    }

    /// Makes a consumer group a classic one of this generation, if now all its members speak the classic protocol. They
    /// share out the work anew, unless all of it is shared out: then the last one by the newer protocol has not just gone,
    /// but a member has taken its place.
    pub(super) fn downgrade(&mut self, name: &StrBytes, generation: i32, now_ms: i64, answers: &mut Answers<W>) {
        let Some(group) = self.consumers.by_name.get(name).filter(|group| group.is_all_classic()) else { return };
        if group.members.len() > self.limits.members_max {
            return;
        }
        // Without memory for it the group stays what it is, which serves those members, too.
        let Some(mut classic) = group.to_classic(generation, &self.limits, now_ms) else { return };
        if !group.is_stable() {
            classic.prepare(now_ms, answers);
        }
        self.consumers.by_name.remove(name);
        self.groups.insert(detached(name), classic);
    }
}
