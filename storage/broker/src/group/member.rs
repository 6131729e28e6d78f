//! A member of a group.

use bytes::Bytes;
use kafka_protocol::protocol::StrBytes;

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
}

impl<W> Member<W> {
    pub(super) fn supports(&self, protocol: &str) -> bool {
        self.protocols.iter().any(|(name, _)| &**name == protocol)
    }

    /// What it says of itself for a protocol.
    pub(crate) fn metadata(&self, protocol: &str) -> Bytes {
        let found = self.protocols.iter().find(|(name, _)| &**name == protocol);
        found.map(|(_, metadata)| metadata.clone()).unwrap_or_default()
    }

    /// Whether it subscribes to a topic, by what a consumer says of itself (`ConsumerProtocolSubscription`: version,
    /// topics, …); true if that cannot be read.
    pub(crate) fn subscribes(&self, protocol: &str, topic: &str) -> bool {
        let metadata = self.metadata(protocol);
        topics(&metadata).is_none_or(|topics| topics.contains(&topic.as_bytes()))
    }

    /// A sign of life.
    pub(super) fn touch(&mut self, now_ms: i64) {
        self.session_deadline_ms = now_ms.saturating_add(self.session_timeout_ms.into());
    }

    /// Who waits for an answer is alive: it is the group that it waits for.
    pub(super) fn is_waiting(&self) -> bool {
        self.joining.is_some() || self.syncing.is_some()
    }
}

fn topics(metadata: &[u8]) -> Option<Vec<&[u8]>> {
    let (_version, rest) = metadata.split_first_chunk::<2>()?;
    let (count, mut rest) = rest.split_first_chunk::<4>()?;
    let mut topics = Vec::new();
    for _ in 0..i32::from_be_bytes(*count) {
        let (length, tail) = rest.split_first_chunk::<2>()?;
        let (topic, tail) = tail.split_at_checked(u16::from_be_bytes(*length).into())?;
        topics.push(topic);
        rest = tail;
    }
    Some(topics)
}
