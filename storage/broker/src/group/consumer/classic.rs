//! Members of a consumer group that speak the classic protocol (KIP-848, online migration): while an application moves
//! from one protocol to the other, its consumers of both share the partitions.
//!
//! To such a member its epoch is the generation. It takes each step on the way to its target by joining again, which a
//! heartbeat tells it to, and gets what it may own by `SyncGroup`. Nobody leads.

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::protocol::StrBytes;

use super::heartbeat::{News, check_instance};
use super::{ConsumerGroup, ConsumerLimits, ConsumerMember, JOIN_EPOCH, MemberState, Topics};
use crate::code::NONE;
use crate::group::consumer_protocol::{ConsumerSubscription, PROTOCOL_TYPE, assignment, version};
use crate::group::{Identity, Join, Joined, Sync, Synced};

/// What only members by the classic protocol have.
#[derive(Debug, Clone)]
pub(crate) struct ClassicTerms {
    pub(super) session_timeout_ms: i32,
    /// How it could share out the work if it led, best first, with what it says of itself for each.
    pub(super) protocols: Vec<(StrBytes, Bytes)>,
    /// It has been told to join again, and must until then, in ms.
    join_deadline_ms: Option<i64>,
    /// It has joined, and must ask for its assignment until then, in ms.
    sync_deadline_ms: Option<i64>,
}

impl ClassicTerms {
    pub(super) fn new(session_timeout_ms: i32, protocols: Vec<(StrBytes, Bytes)>) -> Self {
        Self { session_timeout_ms, protocols, join_deadline_ms: None, sync_deadline_ms: None }
    }

    pub(super) fn deadline_ms(&self) -> i64 {
        [self.join_deadline_ms, self.sync_deadline_ms].into_iter().flatten().min().unwrap_or(i64::MAX)
    }

    pub(super) fn supports(&self, protocol: &str) -> bool {
        self.protocols.iter().any(|(name, _)| &**name == protocol)
    }

    /// The protocol that it is told: the one that it likes best, since what it is called makes no difference.
    fn protocol(&self) -> Option<StrBytes> {
        self.protocols.first().map(|(name, _)| name.clone())
    }

    /// The version of what it says of itself.
    pub(super) fn version(&self) -> i16 {
        self.protocols.first().map_or(0, |(_, said)| version(said))
    }
}

impl ConsumerGroup {
    /// A member joins by the classic protocol, or joins again to take the next step.
    pub(crate) fn join(
        &mut self,
        join: &Join,
        topics: &dyn Topics,
        limits: &ConsumerLimits,
        now_ms: i64,
    ) -> Result<Joined, ResponseError> {
        let id = if join.member_id.is_empty() { &join.new_id } else { &join.member_id };
        self.check_room(id, limits).map_err(|(error, _)| error)?;
        if !self.is_compatible(join) {
            return Err(ResponseError::InconsistentGroupProtocol);
        }
        if join.member_id.is_empty() && join.needs_known_id && join.instance.is_none() {
            return Err(ResponseError::MemberIdRequired);
        }
        let mut member = self.admit_classic(join)?;
        let said = join.protocols.first().map(|(_, said)| said.clone()).unwrap_or_default();
        let said = ConsumerSubscription::read(&said, |partition| member.holds(partition));
        let said = said.ok_or(ResponseError::InconsistentGroupProtocol)?;
        let said_before = member.said_bytes();
        let subscribes_anew = member.update_classic(join, &said);
        let terms = ClassicTerms::new(join.session_timeout_ms, join.protocols.clone());
        let sync_deadline_ms = Some(now_ms.saturating_add(join.rebalance_timeout_ms.max(0).into()));
        member.session_deadline_ms = now_ms.saturating_add(join.session_timeout_ms.into());
        member.classic = Some(ClassicTerms { sync_deadline_ms, ..terms });
        let has_other_size = member.said_bytes() != said_before;
        let news = News { subscribes_anew, has_other_size, owned: Some(&said.owned) };
        let member = self.settle(id, member, &news, topics, limits, now_ms).map_err(|(error, _)| error)?;
        Ok(Joined {
            error_code: NONE,
            generation: member.epoch,
            protocol_type: Some(StrBytes::from_static_str(PROTOCOL_TYPE)),
            protocol: member.classic.as_ref().and_then(ClassicTerms::protocol),
            member_id: id.clone(),
            ..Joined::default()
        })
    }

    /// Whether the member and those who speak the classic protocol have a way in common to share out the work: they may
    /// have to by themselves one day.
    fn is_compatible(&self, join: &Join) -> bool {
        let in_common = |name: &str| self.all_terms().all(|terms| terms.supports(name));
        &*join.protocol_type == PROTOCOL_TYPE && join.protocols.iter().any(|(name, _)| in_common(name))
    }

    fn all_terms(&self) -> impl Iterator<Item = &ClassicTerms> {
        self.members.values().filter_map(|member| member.classic.as_ref())
    }

    /// Whether nobody in it speaks the newer protocol.
    pub(crate) fn is_all_classic(&self) -> bool {
        !self.members.is_empty() && self.all_terms().count() == self.members.len()
    }

    /// The member as it was until now, or as a new one. An instance without an id takes the place of its earlier self.
    fn admit_classic(&self, join: &Join) -> Result<ConsumerMember, ResponseError> {
        let Some(instance) = &join.instance else {
            return Ok(self.members.get(&join.member_id).cloned().unwrap_or_default());
        };
        let earlier = self.instances.get(instance);
        let member = || earlier.and_then(|id| self.members.get(id)).cloned().unwrap_or_default();
        if join.member_id.is_empty() {
            return Ok(ConsumerMember { epoch: JOIN_EPOCH, previous_epoch: JOIN_EPOCH, ..member() });
        }
        let id = earlier.ok_or(ResponseError::UnknownMemberId)?;
        check_instance(instance, id, &join.member_id).map_err(|(error, _)| error)?;
        Ok(member())
    }

    /// A sign of life of a member that speaks the classic protocol. It is told to join again if there is a step to take.
    pub(crate) fn classic_heartbeat(&mut self, identity: &Identity, now_ms: i64) -> Result<(), ResponseError> {
        let id = &identity.member_id;
        let member = self.checked(identity)?;
        let is_there = |partition| member.assigned.contains(partition) || !self.owned_since.contains_key(partition);
        let has_step = match member.state {
            MemberState::Stable => false,
            MemberState::Unrevoked => true,
            MemberState::Unreleased => member.target.iter().all(is_there),
        };
        let is_called = has_step || member.epoch < self.epoch;
        self.touch_classic(id, now_ms);
        if is_called { Err(self.call_back(id, now_ms)) } else { Ok(()) }
    }

    /// A member that speaks the classic protocol asks for what it may own.
    pub(crate) fn classic_sync(
        &mut self,
        identity: &Identity,
        sync: &Sync,
        now_ms: i64,
    ) -> Result<Synced, ResponseError> {
        let id = &identity.member_id;
        let member = self.checked(identity)?;
        let terms = member.classic.as_ref().ok_or(ResponseError::UnknownMemberId)?;
        let protocol = terms.protocol();
        let is_other_type = sync.protocol_type.as_ref().is_some_and(|ty| &**ty != PROTOCOL_TYPE);
        if is_other_type || (sync.protocol.is_some() && sync.protocol != protocol) {
            return Err(ResponseError::InconsistentGroupProtocol);
        }
        // Who is to give something up has joined for that already, and must do so first.
        if self.epoch > member.epoch && member.state != MemberState::Unrevoked {
            return Err(self.call_back(id, now_ms));
        }
        let assignment = assignment(terms.version(), &member.assigned);
        self.touch_classic(id, now_ms);
        if let Some(terms) = self.members.get_mut(id).and_then(|member| member.classic.as_mut()) {
            terms.sync_deadline_ms = None;
        }
        Ok(Synced {
            error_code: NONE,
            protocol_type: sync.protocol_type.clone(),
            protocol: sync.protocol.clone(),
            assignment,
        })
    }

    /// The member, if it is one by the classic protocol and knows its epoch.
    fn checked(&self, identity: &Identity) -> Result<&ConsumerMember, ResponseError> {
        if let Some(instance) = &identity.instance {
            let id = self.instances.get(instance).ok_or(ResponseError::UnknownMemberId)?;
            check_instance(instance, id, &identity.member_id).map_err(|(error, _)| error)?;
        }
        let member = self.members.get(&identity.member_id).filter(|member| member.classic.is_some());
        let member = member.ok_or(ResponseError::UnknownMemberId)?;
        if member.epoch == identity.generation { Ok(member) } else { Err(ResponseError::IllegalGeneration) }
    }

    fn touch_classic(&mut self, id: &StrBytes, now_ms: i64) {
        if let Some(member) = self.members.get_mut(id)
            && let Some(terms) = &member.classic
        {
            member.session_deadline_ms = now_ms.saturating_add(terms.session_timeout_ms.into());
        }
    }

    /// Tells a member to join again, for which it has the time of a rebalance.
    fn call_back(&mut self, id: &StrBytes, now_ms: i64) -> ResponseError {
        if let Some(member) = self.members.get_mut(id)
            && let Some(terms) = &mut member.classic
        {
            let until_ms = now_ms.saturating_add(member.rebalance_timeout_ms.max(0).into());
            terms.join_deadline_ms.get_or_insert(until_ms);
        }
        ResponseError::RebalanceInProgress
    }
}

impl ConsumerMember {
    /// Takes over what the member says of itself; true if it wants other topics than before.
    fn update_classic(&mut self, join: &Join, said: &ConsumerSubscription<'_>) -> bool {
        let names = said.topics.iter().map(|name| (*name).into()).collect();
        let subscribes_anew = self.subscription.replace(names);
        self.instance = join.instance.clone().or(self.instance.take());
        self.rack = said.rack.clone().or(self.rack.take());
        self.rebalance_timeout_ms = join.rebalance_timeout_ms;
        (self.client_id, self.client_host) = (join.client_id.clone(), join.client_host.clone());
        subscribes_anew
    }
}
