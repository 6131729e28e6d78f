//! How the listener behaves.

use std::time::Duration;

/// Settings of the listener; where Kafka's broker has the setting, its name is given.
#[derive(Debug, Clone)]
pub struct BrokerOptions {
    /// `listeners`: the addresses to listen on, each `HOST:PORT`; port 0 is any that is free.
    pub listeners: Vec<String>,
    /// `advertised.listeners`: what clients are told to connect to, `HOST:PORT`; if there is none, the address that they
    /// did connect to.
    pub advertised: Option<(String, u16)>,
    /// `auto.create.topics.enable`.
    pub auto_create_topics: bool,
    /// `num.partitions` of a topic that is created without saying how many.
    pub partitions_default: i32,
    /// `max.connections`: further ones are closed at once.
    pub connections_max: usize,
    /// `connections.max.idle.ms`.
    pub idle_max: Duration,
    /// `socket.request.max.bytes`.
    pub request_bytes_max: usize,
    /// `queued.max.request.bytes`: what the requests of all connections may take together.
    pub requests_bytes_max: usize,
    /// `fetch.max.bytes` of one response.
    pub response_bytes_max: usize,
    /// What answers may take together; beyond that a connection that asks for a large one is closed.
    pub answers_bytes_max: usize,
    /// What fetches may take together while they wait for records; beyond that those of many partitions do not wait.
    pub waits_bytes_max: usize,
    /// `group.min.session.timeout.ms` and `group.max.session.timeout.ms`.
    pub session_timeout_ms: std::ops::RangeInclusive<i32>,
    /// `group.initial.rebalance.delay.ms`: how long the first member of a group waits for others.
    pub initial_rebalance_delay_ms: i32,
    /// `group.max.size`.
    pub group_members_max: usize,
    /// What all groups may take with their members, their metadata and their assignments.
    pub groups_bytes_max: usize,
    /// `group.consumer.session.timeout.ms`.
    pub consumer_session_timeout_ms: i32,
    /// `group.consumer.heartbeat.interval.ms`.
    pub consumer_heartbeat_interval_ms: i32,
    /// `group.consumer.max.size`.
    pub consumer_group_members_max: usize,
    /// `offsets.retention.minutes`: offsets are kept for so long after nobody has been in their group, or after the last
    /// commit where nobody ever is. Those of the engine's queries are kept in any case.
    pub offsets_retention_minutes: i32,
    /// What the committed offsets of all groups may take in memory; beyond that only those that are there can move.
    pub offsets_bytes_max: usize,
    /// What offsets may take until their transactions end; beyond that no transaction takes any.
    pub pending_offsets_bytes_max: usize,
    /// What all transactional ids may take in memory; beyond that only those that are there can be used, in
    /// transactions of few partitions.
    pub transactions_bytes_max: usize,
    /// How many partitions clients may bring the topics to, all together.
    pub partitions_max: usize,
    /// `transaction.max.timeout.ms`.
    pub transaction_timeout_ms_max: i32,
}

impl Default for BrokerOptions {
    fn default() -> Self {
        Self {
            listeners: vec!["127.0.0.1:9092".to_owned()],
            advertised: None,
            auto_create_topics: true,
            partitions_default: 1,
            connections_max: 10_000,
            idle_max: Duration::from_secs(600),
            request_bytes_max: 100 << 20,
            requests_bytes_max: 256 << 20,
            response_bytes_max: 16 << 20,
            answers_bytes_max: 64 << 20,
            waits_bytes_max: 64 << 20,
            session_timeout_ms: 6_000..=1_800_000,
            initial_rebalance_delay_ms: 0,
            group_members_max: 5_000,
            groups_bytes_max: 128 << 20,
            consumer_session_timeout_ms: 45_000,
            consumer_heartbeat_interval_ms: 5_000,
            consumer_group_members_max: 5_000,
            offsets_retention_minutes: 7 * 24 * 60,
            offsets_bytes_max: 128 << 20,
            pending_offsets_bytes_max: 64 << 20,
            transactions_bytes_max: 64 << 20,
            partitions_max: 20_000,
            transaction_timeout_ms_max: 900_000,
        }
    }
}
