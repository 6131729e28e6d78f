//! Joining a group.

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::protocol::StrBytes;

use super::{Answer, Answers, Group, Joined, Member, State};
use crate::code::NONE;

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

impl<W> Group<W> {
    /// Takes a member in. It is answered when all have joined, or at once if there is nothing to wait for.
    pub(super) fn join(&mut self, join: Join, now_ms: i64, initial_delay_ms: i32, waiter: W, answers: &mut Answers<W>) {
        match self.admit(&join, now_ms) {
            Err(error) => {
                let id = if error == ResponseError::MemberIdRequired { join.new_id } else { join.member_id };
                answers.push((waiter, Answer::Joined(Joined::failed(error.code(), id))));
            }
            Ok(Admission::New(id)) => self.add(id, join, now_ms, initial_delay_ms, waiter, answers),
            Ok(Admission::Replaces(old)) => self.replace(&old, join, now_ms, waiter, answers),
            Ok(Admission::Known) => self.rejoin(join, now_ms, waiter, answers),
        }
        self.complete_join_if_all_are_here(now_ms, answers);
    }

    fn admit(&mut self, join: &Join, now_ms: i64) -> Result<Admission, ResponseError> {
        if !self.is_compatible(join) {
            return Err(ResponseError::InconsistentGroupProtocol);
        }
        let of_instance = join.instance.as_ref().and_then(|instance| self.instances.get(instance));
        if join.member_id.is_empty() {
            return match of_instance {
                Some(old) => Ok(Admission::Replaces(old.clone())),
                None if join.needs_known_id && join.instance.is_none() => {
                    let until = now_ms.saturating_add(join.session_timeout_ms.into());
                    self.pending.insert(join.new_id.clone(), until);
                    Err(ResponseError::MemberIdRequired)
                }
                None => Ok(Admission::New(join.new_id.clone())),
            };
        }
        if self.pending.remove(&join.member_id).is_some() {
            return Ok(Admission::New(join.member_id.clone()));
        }
        self.check_identity(&join.member_id, join.instance.as_ref())?;
        Ok(Admission::Known)
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

    /// Whether the group and the member have a protocol in common.
    fn is_compatible(&self, join: &Join) -> bool {
        if join.protocol_type.is_empty() || join.protocols.is_empty() {
            return false;
        }
        let others = || self.members.iter().filter(|(id, _)| **id != join.member_id);
        let same_type = self.protocol_type.as_ref() == Some(&join.protocol_type);
        let in_common = |protocol: &str| others().all(|(_, member)| member.supports(protocol));
        self.members.is_empty() || (same_type && join.protocols.iter().any(|(name, _)| in_common(name)))
    }

    fn add(
        &mut self,
        id: StrBytes,
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
            has_synced: false,
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
        if let Some(earlier) = member.joining.replace(waiter) {
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
    New(StrBytes),
    /// It takes the place of this one.
    Replaces(StrBytes),
    Known,
}
