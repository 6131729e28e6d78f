//! Joining a group.

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::protocol::StrBytes;

use super::member::member_bytes;
use super::{Answer, Answers, Group, Joined, Limits, Member, Pending, State, Waits};
use crate::budget::Share;
use crate::code::NONE;
use crate::text::detached;

/// A member's wish to join.
#[derive(Debug, Clone)]
pub(crate) struct Join {
    /// Empty for a new member.
    pub(crate) member_id: StrBytes,
    /// The id it gets if it is new.
    pub(crate) new_id: StrBytes,
    pub(crate) instance: Option<StrBytes>,
    pub(crate) client_id: StrBytes,
    pub(crate) client_host: StrBytes,
    pub(crate) session_timeout_ms: i32,
    pub(crate) rebalance_timeout_ms: i32,
    pub(crate) protocol_type: StrBytes,
    pub(crate) protocols: Vec<(StrBytes, Bytes)>,
    /// Whether a new member must come again with its id before it counts (KIP-394).
    pub(crate) needs_known_id: bool,
    /// Whether the client understands that a leader may have nothing to assign.
    pub(crate) can_skip_assignment: bool,
}

impl Join {
    /// What the member will take.
    pub(super) fn bytes(&self) -> usize {
        let id = if self.member_id.is_empty() { &self.new_id } else { &self.member_id };
        let instance = self.instance.as_deref().unwrap_or_default();
        member_bytes(&[id, instance, &self.client_id, &self.client_host], &self.protocols)
    }

    /// The same in memory of its own, so that a member does not keep the whole request.
    pub(super) fn detached(self) -> Self {
        let protocols = self.protocols.iter();
        Self {
            member_id: detached(&self.member_id),
            instance: self.instance.as_ref().map(detached),
            client_id: detached(&self.client_id),
            protocol_type: detached(&self.protocol_type),
            protocols: protocols.map(|(name, said)| (detached(name), Bytes::copy_from_slice(said))).collect(),
            ..self
        }
    }
}

impl<W: Waits> Group<W> {
    /// Takes a member in. It is answered when all have joined, or at once if there is nothing to wait for.
    pub(super) fn join(&mut self, join: Join, now_ms: i64, limits: &Limits, waiter: W, answers: &mut Answers<W>) {
        match self.admit(&join, now_ms, limits) {
            Err(error) => {
                let id = if error == ResponseError::MemberIdRequired { join.new_id } else { join.member_id };
                answers.push((waiter, Answer::Joined(Joined::failed(error.code(), id))));
            }
            Ok(Admission::New(id, share)) => {
                self.add((id, share), join, now_ms, limits.initial_delay_ms, waiter, answers)
            }
            Ok(Admission::Replaces(old)) => {
                let id = join.new_id.clone();
                self.replace(&old, join, now_ms, waiter, answers);
                self.give_back(&id, limits);
            }
            Ok(Admission::Known) => {
                let id = join.member_id.clone();
                self.rejoin(join, now_ms, waiter, answers);
                self.give_back(&id, limits);
            }
        }
        self.complete_join_if_all_are_here(now_ms, answers);
    }

    fn admit(&mut self, join: &Join, now_ms: i64, limits: &Limits) -> Result<Admission, ResponseError> {
        if !self.is_compatible(join) {
            return Err(ResponseError::InconsistentGroupProtocol);
        }
        let of_instance = join.instance.as_ref().and_then(|instance| self.instances.get(instance));
        if join.member_id.is_empty() {
            let Some(old) = of_instance.cloned() else { return self.admit_stranger(join, now_ms, limits) };
            self.make_room_for(&old, join, limits)?;
            return Ok(Admission::Replaces(old));
        }
        if let Some(Pending { until_ms, mut share }) = self.pending.remove(&join.member_id) {
            if limits.members_memory.try_resize(&mut share, join.bytes()) {
                return Ok(Admission::New(join.member_id.clone(), share));
            }
            self.pending.insert(join.member_id.clone(), Pending { until_ms, share });
            return Err(ResponseError::CoordinatorNotAvailable);
        }
        self.check_identity(&join.member_id, join.instance.as_ref())?;
        self.make_room_for(&join.member_id, join, limits)?;
        Ok(Admission::Known)
    }

    /// Takes in somebody without an id, who gets one, and joins by it at once or when it comes again.
    fn admit_stranger(&mut self, join: &Join, now_ms: i64, limits: &Limits) -> Result<Admission, ResponseError> {
        if self.members.len() + self.pending.len() >= limits.members_max {
            return Err(ResponseError::GroupMaxSizeReached);
        }
        let comes_again = join.needs_known_id && join.instance.is_none();
        let bytes = if comes_again { member_bytes(&[&join.new_id], &[]) } else { join.bytes() };
        // It is told to try again: members that are silent make room.
        let share = limits.members_memory.try_take(bytes).ok_or(ResponseError::CoordinatorNotAvailable)?;
        if comes_again {
            let until_ms = now_ms.saturating_add(join.session_timeout_ms.into());
            self.pending.insert(join.new_id.clone(), Pending { until_ms, share });
            return Err(ResponseError::MemberIdRequired);
        }
        Ok(Admission::New(join.new_id.clone(), share))
    }

    /// Makes a member's share large enough for what it says of itself now, beside what it is assigned.
    fn make_room_for(&mut self, id: &StrBytes, join: &Join, limits: &Limits) -> Result<(), ResponseError> {
        let Some(member) = self.members.get_mut(id) else { return Ok(()) };
        let bytes = (join.bytes() + member.assignment.len()).max(member.bytes(id, &member.assignment));
        let has_room = limits.members_memory.try_resize(&mut member.share, bytes);
        if has_room { Ok(()) } else { Err(ResponseError::CoordinatorNotAvailable) }
    }

    /// Makes a member's share as small as what it takes.
    fn give_back(&mut self, id: &StrBytes, limits: &Limits) {
        let Some(member) = self.members.get_mut(id) else { return };
        let bytes = member.bytes(id, &member.assignment);
        limits.members_memory.try_resize(&mut member.share, bytes);
    }

    /// Whether the member exists, and is still the one that its instance stands for.
    pub(super) fn check_identity(&self, member_id: &str, instance: Option<&StrBytes>) -> Result<(), ResponseError> {
        if let Some(instance) = instance {
            return match self.instances.get(instance) {
                Some(id) if &**id == member_id => Ok(()),
                Some(_) => Err(ResponseError::FencedInstanceId),
                None => Err(ResponseError::UnknownMemberId),
            };
        }
        if self.members.contains_key(member_id.as_bytes()) { Ok(()) } else { Err(ResponseError::UnknownMemberId) }
    }

    /// Whether the group and the member have a protocol in common. A member that is there counts as it is, as in Kafka.
    fn is_compatible(&self, join: &Join) -> bool {
        if join.protocol_type.is_empty() || join.protocols.is_empty() {
            return false;
        }
        let same_type = self.protocol_type.as_ref() == Some(&join.protocol_type);
        let in_common = |protocol: &str| self.members.values().all(|member| member.supports(protocol));
        self.members.is_empty() || (same_type && join.protocols.iter().any(|(name, _)| in_common(name)))
    }

    fn add(
        &mut self,
        (id, share): (StrBytes, Share),
        join: Join,
        now_ms: i64,
        initial_delay_ms: i32,
        waiter: W,
        answers: &mut Answers<W>,
    ) {
        if self.members.is_empty() {
            self.protocol_type = Some(join.protocol_type.clone());
        }
        if let Some(instance) = &join.instance {
            self.instances.insert(instance.clone(), id.clone());
        }
        self.leader.get_or_insert_with(|| id.clone());
        let mut member = Member {
            instance: join.instance,
            client_id: join.client_id,
            client_host: join.client_host,
            session_timeout_ms: join.session_timeout_ms,
            rebalance_timeout_ms: join.rebalance_timeout_ms,
            protocols: join.protocols,
            assignment: Bytes::new(),
            session_deadline_ms: 0,
            joining: Some(waiter),
            syncing: None,
            is_missed: false,
            has_synced: false,
            has_assignment: false,
            share,
        };
        member.touch(now_ms);
        self.members.insert(id, member);
        if self.state == State::Empty {
            self.hold_until_ms = now_ms.saturating_add(initial_delay_ms.into());
        }
        self.prepare(now_ms, answers);
    }

    /// A member that is there comes again.
    fn rejoin(&mut self, join: Join, now_ms: i64, waiter: W, answers: &mut Answers<W>) {
        let id = join.member_id.clone();
        let Some(member) = self.members.get_mut(&id) else { return };
        member.touch(now_ms);
        let has_changed = member.protocols != join.protocols;
        let is_leader = self.leader.as_ref() == Some(&id);
        let keeps_generation = match self.state {
            State::Empty | State::Preparing => false,
            // It has not got the answer to its join.
            State::Completing => !has_changed,
            State::Stable => !has_changed && !is_leader,
        };
        if keeps_generation {
            member.has_assignment = false;
            answers.push((waiter, Answer::Joined(self.joined(&id))));
            return;
        }
        self.update(&id, join, waiter, answers);
        self.prepare(now_ms, answers);
    }

    fn update(&mut self, id: &StrBytes, join: Join, waiter: W, answers: &mut Answers<W>) {
        let Some(member) = self.members.get_mut(id) else { return };
        member.protocols = join.protocols;
        member.session_timeout_ms = join.session_timeout_ms;
        member.rebalance_timeout_ms = join.rebalance_timeout_ms;
        member.client_id = join.client_id;
        member.client_host = join.client_host;
        if let Some(earlier) = member.wait_to_join(waiter) {
            let code = ResponseError::UnknownMemberId.code();
            answers.push((earlier, Answer::Joined(Joined::failed(code, id.clone()))));
        }
    }

    /// An instance has come back and takes its earlier self's place (KIP-345).
    fn replace(&mut self, old: &StrBytes, join: Join, now_ms: i64, waiter: W, answers: &mut Answers<W>) {
        let Some(mut member) = self.members.remove(old) else { return };
        let fenced = ResponseError::FencedInstanceId.code();
        if let Some(earlier) = member.joining.take() {
            answers.push((earlier, Answer::Joined(Joined::failed(fenced, old.clone()))));
        }
        if let Some(earlier) = member.syncing.take() {
            answers.push((earlier, Answer::Synced(super::Synced::failed(fenced))));
        }
        let id = join.new_id.clone();
        if let Some(instance) = &join.instance {
            self.instances.insert(instance.clone(), id.clone());
        }
        let was_leader = self.leader.as_ref() == Some(old);
        if was_leader {
            self.leader = Some(id.clone());
        }
        member.touch(now_ms);
        member.has_assignment = false;
        let has_changed = member.protocols != join.protocols;
        self.members.insert(id.clone(), member);
        let can_skip_assignment = join.can_skip_assignment;
        if self.state == State::Stable && !has_changed {
            let mut joined = self.joined(&id);
            if was_leader && can_skip_assignment {
                joined.skip_assignment = true;
            } else if was_leader {
                // It must not take itself for the leader: nobody waits for an assignment.
                joined.leader = old.clone();
                joined.members.clear();
            }
            answers.push((waiter, Answer::Joined(joined)));
            return;
        }
        self.update(&id, join, waiter, answers);
        self.prepare(now_ms, answers);
    }

    /// The answer to a member of the current generation.
    pub(super) fn joined(&self, id: &StrBytes) -> Joined {
        let protocol = self.protocol.clone().unwrap_or_default();
        let is_leader = self.leader.as_ref() == Some(id);
        let member =
            |(id, member): (&StrBytes, &Member<W>)| (id.clone(), member.instance.clone(), member.metadata(&protocol));
        Joined {
            error_code: NONE,
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader: self.leader.clone().unwrap_or_default(),
            skip_assignment: false,
            member_id: id.clone(),
            members: if is_leader { self.members.iter().map(member).collect() } else { Vec::new() },
        }
    }
}

/// How a member comes in.
enum Admission {
    New(StrBytes, Share),
    /// It takes the place of this one.
    Replaces(StrBytes),
    Known,
}
