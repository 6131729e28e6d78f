//! A member of a group.

use bytes::Bytes;
use kafka_protocol::protocol::StrBytes;

use super::Waits;
use super::consumer_protocol::topics;
use crate::budget::Share;

/// A member, and the requests of it that wait.
#[derive(Debug)]
pub(crate) struct Member<W> {
    pub(crate) instance: Option<StrBytes>,
    pub(crate) client_id: StrBytes,
    pub(crate) client_host: StrBytes,
    pub(super) session_timeout_ms: i32,
    pub(super) rebalance_timeout_ms: i32,
    /// How it can share out the work, best first, with what it says of itself for each.
    pub(super) protocols: Vec<(StrBytes, Bytes)>,
    pub(crate) assignment: Bytes,
    /// Without a sign of life until then it is taken for dead, in ms.
    pub(super) session_deadline_ms: i64,
    pub(super) joining: Option<W>,
    pub(super) syncing: Option<W>,
    /// Whether it has asked for its assignment in this generation.
    pub(super) has_synced: bool,
    /// Whether it has been told its assignment since it last joined. Before that it works on what it said it owned then.
    pub(super) has_assignment: bool,
    /// Whether it has been noted that it departed while it waited. Its session ends then, whoever departs after it.
    pub(super) is_missed: bool,
    /// Its share of the memory for members.
    pub(super) share: Share,
}

/// What a member takes beside what it says of itself: its entries in the group's maps, with room to spare.
const MEMBER_BYTES: usize = 512;

/// What a member of this id that says this of itself takes.
pub(super) fn member_bytes(texts: &[&str], protocols: &[(StrBytes, Bytes)]) -> usize {
    let protocols = protocols.iter().map(|(name, metadata)| 64 + name.len() + metadata.len());
    MEMBER_BYTES + 2 * texts.iter().map(|text| text.len()).sum::<usize>() + protocols.sum::<usize>()
}

impl<W> Member<W> {
    /// What it takes if it is assigned so much.
    pub(super) fn bytes(&self, id: &str, assignment: &[u8]) -> usize {
        let instance = self.instance.as_deref().unwrap_or_default();
        member_bytes(&[id, instance, &self.client_id, &self.client_host], &self.protocols) + assignment.len()
    }

    pub(super) fn supports(&self, protocol: &str) -> bool {
        self.protocols.iter().any(|(name, _)| &**name == protocol)
    }

    /// What it says of itself for a protocol.
    pub(crate) fn metadata(&self, protocol: &str) -> Bytes {
        let found = self.protocols.iter().find(|(name, _)| &**name == protocol);
        found.map(|(_, metadata)| metadata.clone()).unwrap_or_default()
    }

    /// Whether it subscribes to a topic, by what a consumer says of itself; true if that cannot be read.
    pub(crate) fn subscribes(&self, protocol: &str, topic: &str) -> bool {
        let metadata = self.metadata(protocol);
        topics(&metadata).is_none_or(|topics| topics.contains(&topic))
    }

    /// It waits to be told of the next generation; who waited for it until now is returned.
    pub(super) fn wait_to_join(&mut self, waiter: W) -> Option<W> {
        self.has_assignment = false;
        self.joining.replace(waiter)
    }

    /// A sign of life.
    pub(super) fn touch(&mut self, now_ms: i64) {
        self.session_deadline_ms = now_ms.saturating_add(self.session_timeout_ms.into());
        self.is_missed = false;
    }
}

impl<W: Waits> Member<W> {
    /// Who waits for an answer is alive: it is the group that it waits for.
    pub(super) fn is_waiting(&self) -> bool {
        [&self.joining, &self.syncing].into_iter().flatten().any(|waiter| !waiter.has_gone())
    }

    /// Whether it waits to be told of the next generation, and is there to hear it.
    pub(super) fn is_joining(&self) -> bool {
        self.joining.as_ref().is_some_and(|waiter| !waiter.has_gone())
    }

    /// If it has departed while it waited, and just now, its time begins: it is not there to show that it is alive.
    pub(super) fn note_departure(&mut self, now_ms: i64) {
        let has_departed = [&self.joining, &self.syncing].into_iter().flatten().any(Waits::has_gone);
        if has_departed && !self.is_missed {
            self.touch(now_ms);
            self.is_missed = true;
        }
    }
}
