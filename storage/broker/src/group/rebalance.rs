//! The phases of a rebalance, and members that go.

use std::collections::HashMap;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::protocol::StrBytes;

use super::{Answer, Answers, EMPTY_GROUP_MS, Group, Limits, State, Synced, Waits};
use crate::code::NONE;

/// What a member gets that its leader does not name.
static NO_ASSIGNMENT: Bytes = Bytes::new();

impl<W: Waits> Group<W> {
    /// Lets all members join again, unless they are at it.
    pub(super) fn prepare(&mut self, now_ms: i64, answers: &mut Answers<W>) {
        if self.state == State::Preparing {
            return;
        }
        for member in self.members.values_mut() {
            member.has_synced = false;
            if let Some(waiter) = member.syncing.take() {
                // While it waited its session did not go on. That of the others does: who is silent is as dead as before.
                member.touch(now_ms);
                let code = ResponseError::RebalanceInProgress.code();
                answers.push((waiter, Answer::Synced(Synced::failed(code))));
            }
        }
        self.state = State::Preparing;
        self.deadline_ms = now_ms.saturating_add(self.rebalance_timeout_ms());
    }

    /// Tells all who wait for an answer to join again.
    pub(super) fn call_back_all(&mut self, answers: &mut Answers<W>) {
        let code = ResponseError::RebalanceInProgress.code();
        for (id, member) in &mut self.members {
            let joining = member.joining.take();
            answers.extend(joining.map(|waiter| (waiter, Answer::Joined(super::Joined::failed(code, id.clone())))));
            let syncing = member.syncing.take();
            answers.extend(syncing.map(|waiter| (waiter, Answer::Synced(Synced::failed(code)))));
        }
    }

    fn rebalance_timeout_ms(&self) -> i64 {
        self.members.values().map(|member| member.rebalance_timeout_ms.max(0).into()).max().unwrap_or(0)
    }

    pub(super) fn complete_join_if_all_are_here(&mut self, now_ms: i64, answers: &mut Answers<W>) {
        let all_are_here = self.pending.is_empty() && self.members.values().all(|member| member.joining.is_some());
        if self.state == State::Preparing && all_are_here && now_ms >= self.hold_until_ms {
            self.complete_join(now_ms, answers);
        }
    }

    /// The next generation is whoever has joined; a static member keeps its place until its session ends.
    fn complete_join(&mut self, now_ms: i64, answers: &mut Answers<W>) {
        let is_kept = |member: &super::Member<W>| member.joining.is_some() || member.instance.is_some();
        let gone: Vec<_> = self.members.iter().filter(|(_, m)| !is_kept(m)).map(|(id, _)| id.clone()).collect();
        gone.iter().for_each(|id| self.forget(id, answers));
        self.generation = self.generation.wrapping_add(1).max(1);
        self.hold_until_ms = i64::MIN;
        if self.members.is_empty() {
            self.state = State::Empty;
            self.protocol = None;
            self.deadline_ms = now_ms.saturating_add(EMPTY_GROUP_MS);
            return;
        }
        let has_joined = |id: &StrBytes| self.members.get(id).is_some_and(super::Member::is_joining);
        if !self.leader.as_ref().is_some_and(has_joined) {
            let joined = self.members.iter().find(|(_, member)| member.is_joining());
            let any = joined.or_else(|| self.members.iter().next());
            self.leader = any.map(|(id, _)| id.clone());
        }
        self.protocol = self.vote();
        self.state = State::Completing;
        self.deadline_ms = now_ms.saturating_add(self.rebalance_timeout_ms());
        let ids: Vec<StrBytes> = self.members.keys().cloned().collect();
        for id in ids {
            let joined = self.joined(&id);
            if let Some(member) = self.members.get_mut(&id) {
                member.touch(now_ms);
                if let Some(waiter) = member.joining.take() {
                    answers.push((waiter, Answer::Joined(joined)));
                }
            }
        }
    }

    /// Of the protocols that all support, the one that most members like best.
    pub(super) fn vote(&self) -> Option<StrBytes> {
        let supported = |name: &str| self.members.values().all(|member| member.supports(name));
        let mut votes: HashMap<&StrBytes, usize> = HashMap::new();
        for member in self.members.values() {
            if let Some((name, _)) = member.protocols.iter().find(|(name, _)| supported(name)) {
                *votes.entry(name).or_default() += 1;
            }
        }
        // Of two with equal votes the name decides, so that the outcome does not depend on the order of hashes.
        votes.into_iter().max_by_key(|(name, votes)| (*votes, *name)).map(|(name, _)| name.clone())
    }

    /// Waits for the assignment, or brings it if the member is the leader.
    pub(super) fn sync(
        &mut self,
        member_id: &StrBytes,
        assignments: Vec<(StrBytes, Bytes)>,
        now_ms: i64,
        limits: &Limits,
        waiter: W,
        answers: &mut Answers<W>,
    ) {
        let synced = |assignment: Bytes, group: &Self| Synced {
            error_code: NONE,
            protocol_type: group.protocol_type.clone(),
            protocol: group.protocol.clone(),
            assignment,
        };
        let Some(member) = self.members.get_mut(member_id) else { return };
        member.touch(now_ms);
        match self.state {
            State::Empty => {
                let code = ResponseError::UnknownMemberId.code();
                answers.push((waiter, Answer::Synced(Synced::failed(code))));
            }
            State::Preparing => {
                let code = ResponseError::RebalanceInProgress.code();
                answers.push((waiter, Answer::Synced(Synced::failed(code))));
            }
            State::Stable => {
                member.has_assignment = true;
                let assignment = member.assignment.clone();
                answers.push((waiter, Answer::Synced(synced(assignment, self))));
            }
            State::Completing => {
                member.has_synced = true;
                if let Some(earlier) = member.syncing.replace(waiter) {
                    let code = ResponseError::UnknownMemberId.code();
                    answers.push((earlier, Answer::Synced(Synced::failed(code))));
                }
                if self.leader.as_ref() != Some(member_id) {
                    return;
                }
                let assignments = assignments.into_iter().collect();
                if self.make_room_to_assign(&assignments, limits) {
                    self.assign(&assignments, now_ms, &synced, answers);
                } else if let Some(waiter) = self.members.get_mut(member_id).and_then(|leader| leader.syncing.take()) {
                    let code = ResponseError::CoordinatorNotAvailable.code();
                    answers.push((waiter, Answer::Synced(Synced::failed(code))));
                }
            }
        }
    }

    /// Makes every member's share as large as what it is to be assigned needs; false if there is not so much memory.
    fn make_room_to_assign(&mut self, assignments: &HashMap<StrBytes, Bytes>, limits: &Limits) -> bool {
        let resize = |(id, member): (&StrBytes, &mut super::Member<W>), new: Option<&HashMap<StrBytes, Bytes>>| {
            let assignment = new.map_or(&member.assignment, |new| new.get(id).unwrap_or(&NO_ASSIGNMENT));
            let bytes = member.bytes(id, assignment);
            limits.members_memory.try_resize(&mut member.share, bytes)
        };
        let has_room = self.members.iter_mut().all(|member| resize(member, Some(assignments)));
        if !has_room {
            // What was taken for some of them goes back.
            self.members.iter_mut().for_each(|member| _ = resize(member, None));
        }
        has_room
    }

    fn assign(
        &mut self,
        assignments: &HashMap<StrBytes, Bytes>,
        now_ms: i64,
        synced: &dyn Fn(Bytes, &Self) -> Synced,
        answers: &mut Answers<W>,
    ) {
        for (id, member) in &mut self.members {
            // A copy, so that it does not keep the whole request.
            member.assignment = Bytes::copy_from_slice(assignments.get(id).unwrap_or(&NO_ASSIGNMENT));
        }
        self.state = State::Stable;
        self.deadline_ms = i64::MAX;
        let template = synced(Bytes::new(), self);
        for member in self.members.values_mut() {
            member.touch(now_ms);
            if let Some(waiter) = member.syncing.take() {
                member.has_assignment = true;
                let answer = Synced { assignment: member.assignment.clone(), ..template.clone() };
                answers.push((waiter, Answer::Synced(answer)));
            }
        }
    }

    /// A member goes, of its own will or for good.
    pub(super) fn remove(&mut self, id: &StrBytes, now_ms: i64, answers: &mut Answers<W>) {
        self.forget(id, answers);
        if matches!(self.state, State::Stable | State::Completing) {
            self.prepare(now_ms, answers);
        }
        self.complete_join_if_all_are_here(now_ms, answers);
    }

    fn forget(&mut self, id: &StrBytes, answers: &mut Answers<W>) {
        let Some(mut member) = self.members.remove(id) else { return };
        if let Some(instance) = &member.instance {
            self.instances.remove(instance);
        }
        let code = ResponseError::UnknownMemberId.code();
        if let Some(waiter) = member.joining.take() {
            answers.push((waiter, Answer::Joined(super::Joined::failed(code, id.clone()))));
        }
        if let Some(waiter) = member.syncing.take() {
            answers.push((waiter, Answer::Synced(Synced::failed(code))));
        }
        if self.leader.as_ref() == Some(id) {
            let waiting = self.members.iter().find(|(_, member)| member.is_joining());
            self.leader = waiting.or_else(|| self.members.iter().next()).map(|(id, _)| id.clone());
        }
    }

    /// Somebody who waited has departed.
    pub(super) fn note_departures(&mut self, now_ms: i64) {
        self.members.values_mut().for_each(|member| member.note_departure(now_ms));
    }

    /// Whether it can be forgotten.
    pub(super) fn is_over(&self, now_ms: i64) -> bool {
        self.state == State::Empty && self.is_unused() && self.deadline_ms <= now_ms
    }

    /// Does what is due by the clock.
    pub(super) fn tick(&mut self, now_ms: i64, answers: &mut Answers<W>) {
        self.pending.retain(|_, pending| pending.until_ms > now_ms);
        if self.hold_until_ms <= now_ms {
            self.hold_until_ms = i64::MIN;
        }
        let is_dead = |member: &super::Member<W>| !member.is_waiting() && member.session_deadline_ms <= now_ms;
        let dead: Vec<_> = self.members.iter().filter(|(_, m)| is_dead(m)).map(|(id, _)| id.clone()).collect();
        dead.iter().for_each(|id| self.remove(id, now_ms, answers));
        match self.state {
            State::Preparing if self.deadline_ms <= now_ms => {
                self.pending.clear();
                self.complete_join(now_ms, answers);
            }
            State::Completing if self.deadline_ms <= now_ms => {
                let late = self.members.iter().filter(|(_, member)| !member.has_synced);
                let late: Vec<_> = late.map(|(id, _)| id.clone()).collect();
                late.iter().for_each(|id| self.forget(id, answers));
                self.prepare(now_ms, answers);
            }
            _ => {}
        }
        self.complete_join_if_all_are_here(now_ms, answers);
    }

    /// When the clock has something to do next, in ms.
    pub(super) fn next_tick_ms(&self) -> i64 {
        let sessions = self.members.values().filter(|member| !member.is_waiting()).map(|m| m.session_deadline_ms);
        let pending = self.pending.values().map(|pending| pending.until_ms);
        let phase = match self.state {
            State::Preparing if self.hold_until_ms > i64::MIN => self.deadline_ms.min(self.hold_until_ms),
            State::Preparing | State::Completing => self.deadline_ms,
            // An id that was given out keeps it, until that has expired.
            State::Empty if self.is_unused() => self.deadline_ms,
            State::Empty | State::Stable => i64::MAX,
        };
        sessions.chain(pending).min().unwrap_or(i64::MAX).min(phase)
    }
}
