//! Members that go: of their own will, for a while, or because they were silent for too long.

use kafka_protocol::ResponseError;
use kafka_protocol::protocol::StrBytes;

use super::heartbeat::{check_instance, unknown};
use super::{ConsumerGroup, LEAVE_FOR_A_WHILE_EPOCH, Refusal, refuse};

impl ConsumerGroup {
    /// A member, named by its id and perhaps its instance, goes; `for_a_while` keeps what it owns for its return, until
    /// its session ends.
    pub(crate) fn leave(
        &mut self,
        member_id: &StrBytes,
        instance: Option<&StrBytes>,
        for_a_while: bool,
    ) -> Result<(), Refusal> {
        if let Some(instance) = instance {
            let Some(id) = self.instances.get(instance) else {
                return refuse(ResponseError::UnknownMemberId, format!("Instance id {} is unknown.", &**instance));
            };
            check_instance(instance, id, member_id)?;
        }
        let Some(member) = self.members.get_mut(member_id) else {
            return refuse(ResponseError::UnknownMemberId, unknown(member_id));
        };
        if !for_a_while {
            self.remove(member_id);
            return Ok(());
        }
        member.epoch = LEAVE_FOR_A_WHILE_EPOCH;
        member.revocation_deadline_ms = None;
        // It has closed its partitions, so what it was to give up is free.
        for partition in std::mem::take(&mut member.revoking) {
            self.owned_since.remove(&partition);
        }
        Ok(())
    }

    /// The id of the member that an instance stands for.
    pub(crate) fn member_of_instance(&self, instance: &StrBytes) -> Option<StrBytes> {
        self.instances.get(instance).cloned()
    }

    /// Takes a member out: what it owned is free, and the others are to share it.
    pub(super) fn remove(&mut self, id: &StrBytes) {
        let Some(member) = self.members.remove(id) else { return };
        for partition in member.held() {
            self.owned_since.remove(partition);
        }
        if let Some(instance) = &member.instance {
            self.instances.remove(instance);
        }
        // What only it wanted is no concern of the group any more; that is one change, not two.
        let members = &self.members;
        self.topics.retain(|topic, _| members.values().any(|member| member.subscription.resolved.contains(topic)));
        self.epoch += 1;
    }
}
