//! What all connections share.

use std::fmt;
use std::sync::Arc;

use kafka_protocol::protocol::StrBytes;
use millstream_log::{EmbeddedLog, Log, Result, Ticket, TopicInfo, TopicSpec};
use tokio::sync::{Notify, oneshot};
use tokio::task::block_in_place;

use crate::BrokerOptions;
use crate::budget::Budget;
use crate::call::Peer;
use crate::groups::Groups;
use crate::taken_names::TakenNames;
use crate::text::text;

/// The id of the one broker there is.
pub(crate) const NODE_ID: i32 = 1;
/// The epoch of the leader of every partition: it never changes.
pub(crate) const LEADER_EPOCH: i32 = 0;

/// The broker behind all connections.
pub(crate) struct Broker {
    pub(crate) log: Arc<EmbeddedLog>,
    pub(crate) options: BrokerOptions,
    pub(crate) groups: Groups,
    /// Told of whatever was enqueued in the log and is to be flushed.
    pub(crate) appended: Notify,
    /// Memory for requests, for answers, and for fetches that wait.
    pub(crate) requests: Budget,
    pub(crate) answers: Budget,
    pub(crate) waits: Budget,
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker").finish_non_exhaustive()
    }
}

impl Broker {
    pub(crate) fn new(log: Arc<EmbeddedLog>, options: BrokerOptions) -> Self {
        Self {
            log,
            groups: Groups::new(&options),
            appended: Notify::new(),
            requests: Budget::new(options.requests_bytes_max),
            answers: Budget::new(options.answers_bytes_max),
            waits: Budget::new(options.waits_bytes_max),
            options,
        }
    }

    /// The address that this client is to connect to.
    pub(crate) fn address(&self, peer: &Peer) -> (StrBytes, i32) {
        match &self.options.advertised {
            Some((host, port)) => (text(host.as_str()), i32::from(*port)),
            None => (text(peer.local.ip().to_canonical().to_string()), i32::from(peer.local.port())),
        }
    }

    /// Whether clients may add so many partitions.
    pub(crate) fn has_room_for_partitions(&self, count: i32) -> bool {
        let topics = self.log.topics().unwrap_or_default();
        let there: usize = topics.iter().map(|topic| topic.partitions.unsigned_abs() as usize).sum();
        there.saturating_add(count.unsigned_abs() as usize) <= self.options.partitions_max
    }

    /// The topic of this name, created if clients may do that by naming it.
    pub(crate) fn topic_or_create(&self, name: &str, may_create: bool) -> Result<TopicInfo> {
        if let Some(topic) = self.log.topic(name)? {
            return Ok(topic);
        }
        if !(may_create && self.options.auto_create_topics) {
            return Err(millstream_log::Error::UnknownTopic(name.to_owned()));
        }
        let spec = TopicSpec::new(name, self.options.partitions_default);
        let collides = || TakenNames::for_names(&self.log, [name].into_iter()).colliding(name).is_some();
        if !self.has_room_for_partitions(spec.partitions) || collides() {
            return Err(millstream_log::Error::UnknownTopic(name.to_owned()));
        }
        match block_in_place(|| self.log.create_topic(&spec)) {
            // Another client was faster.
            Err(millstream_log::Error::TopicExists(_)) => {
                self.log.topic(name)?.ok_or_else(|| millstream_log::Error::UnknownTopic(name.to_owned()))
            }
            created => created,
        }
    }
}

/// Waits until a ticket's append is on disk.
pub(crate) async fn settled<T: Clone + Send + 'static>(ticket: Ticket<T>) -> Result<T> {
    let (sender, receiver) = oneshot::channel();
    ticket.on_complete(move |outcome| _ = sender.send(outcome));
    match receiver.await {
        Ok(outcome) => outcome,
        // The log is dropped only after all connections.
        Err(_) => Err(millstream_log::Error::CorruptBatch("the log has gone".to_owned())),
    }
}
