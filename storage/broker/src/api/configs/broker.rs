//! The settings of the broker: what clients and tools ask for, and what topics have unless they are given something else.

use kafka_protocol::messages::describe_configs_response::DescribeConfigsResourceResult;
use millstream_log::{LogOptions, SettingType, TopicSetting};

use super::super::group_offsets::METADATA_BYTES_MAX;
use super::{DEFAULT, SET_OF_BROKER, synonym, type_code};
use crate::BrokerOptions;
use crate::broker::NODE_ID;
use crate::call::Call;
use crate::text::text;

/// The settings of topics with the broker's name for their default, where it differs. Kafka has none for what it gives in
/// several units, and for what belongs to one topic.
const DEFAULTS_OF_TOPICS: [(&str, &str); 24] = [
    ("cleanup.policy", "log.cleanup.policy"),
    ("compression.gzip.level", "compression.gzip.level"),
    ("compression.lz4.level", "compression.lz4.level"),
    ("compression.type", "compression.type"),
    ("compression.zstd.level", "compression.zstd.level"),
    ("delete.retention.ms", "log.cleaner.delete.retention.ms"),
    ("file.delete.delay.ms", "log.segment.delete.delay.ms"),
    ("flush.messages", "log.flush.interval.messages"),
    ("index.interval.bytes", "log.index.interval.bytes"),
    ("local.retention.bytes", "log.local.retention.bytes"),
    ("local.retention.ms", "log.local.retention.ms"),
    ("max.compaction.lag.ms", "log.cleaner.max.compaction.lag.ms"),
    ("max.message.bytes", "message.max.bytes"),
    ("message.timestamp.after.max.ms", "log.message.timestamp.after.max.ms"),
    ("message.timestamp.before.max.ms", "log.message.timestamp.before.max.ms"),
    ("message.timestamp.type", "log.message.timestamp.type"),
    ("min.cleanable.dirty.ratio", "log.cleaner.min.cleanable.ratio"),
    ("min.compaction.lag.ms", "log.cleaner.min.compaction.lag.ms"),
    ("min.insync.replicas", "min.insync.replicas"),
    ("preallocate", "log.preallocate"),
    ("retention.bytes", "log.retention.bytes"),
    ("segment.bytes", "log.segment.bytes"),
    ("segment.index.bytes", "log.index.size.max.bytes"),
    ("unclean.leader.election.enable", "unclean.leader.election.enable"),
];

/// What the broker calls the default of a topic's setting.
pub(super) fn default_name(setting: &TopicSetting) -> Option<&'static str> {
    DEFAULTS_OF_TOPICS.iter().find(|(name, _)| *name == setting.name).map(|(_, of_broker)| *of_broker)
}

fn described(name: &'static str, ty: SettingType, value: String, source: i8) -> DescribeConfigsResourceResult {
    DescribeConfigsResourceResult::default()
        .with_name(text(name))
        .with_read_only(true)
        .with_config_source(source)
        .with_synonyms(vec![synonym(name, &value, source)])
        .with_value(Some(text(value)))
        .with_config_type(type_code(ty))
}

/// All of them. None can be changed while the broker runs.
pub(super) fn settings(call: &Call) -> Vec<DescribeConfigsResourceResult> {
    let (options, log) = (&call.broker.options, call.broker.log.options());
    let usual = own(&BrokerOptions::default(), &LogOptions::on_disk(&log.dir));
    let own = own(options, log).into_iter().zip(usual).map(|((name, ty, value), (_, _, usual))| {
        let source = if value == usual { DEFAULT } else { SET_OF_BROKER };
        described(name, ty, value, source)
    });
    let given = [
        ("broker.id", SettingType::Int, NODE_ID.to_string()),
        ("node.id", SettingType::Int, NODE_ID.to_string()),
        ("log.dirs", SettingType::String, log.dir.to_string_lossy().into_owned()),
    ];
    let given = given.into_iter().map(|(name, ty, value)| described(name, ty, value, SET_OF_BROKER));
    let of_topics = DEFAULTS_OF_TOPICS.iter().filter_map(|(name, of_broker)| {
        let setting = TopicSetting::find(name)?;
        Some(described(of_broker, setting.ty, setting.default_value(), DEFAULT))
    });
    let mut all: Vec<_> = own.chain(given).chain(of_topics).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

type Setting = (&'static str, SettingType, String);

/// The settings that somebody can have chosen, and those that are always the same.
fn own(options: &BrokerOptions, log: &LogOptions) -> Vec<Setting> {
    use SettingType::{Boolean, Int, List, Long, String};
    let on = || "true".to_owned();
    let listener = |address: &std::string::String| format!("PLAINTEXT://{address}");
    let listeners = options.listeners.iter().map(listener).collect::<Vec<_>>().join(",");
    let advertised = options.advertised.as_ref().map_or_else(std::string::String::new, |(host, port)| {
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        listener(&format!("{host}:{port}"))
    });
    vec![
        ("advertised.listeners", String, advertised),
        ("auto.create.topics.enable", Boolean, options.auto_create_topics.to_string()),
        ("connections.max.idle.ms", Long, options.idle_max.as_millis().to_string()),
        ("default.replication.factor", Int, "1".to_owned()),
        ("delete.topic.enable", Boolean, on()),
        ("fetch.max.bytes", Int, options.response_bytes_max.to_string()),
        ("group.consumer.assignors", List, "uniform,range".to_owned()),
        ("group.consumer.heartbeat.interval.ms", Int, options.consumer_heartbeat_interval_ms.to_string()),
        ("group.consumer.max.size", Int, options.consumer_group_members_max.to_string()),
        ("group.consumer.migration.policy", String, "bidirectional".to_owned()),
        ("group.consumer.session.timeout.ms", Int, options.consumer_session_timeout_ms.to_string()),
        ("group.coordinator.rebalance.protocols", List, "classic,consumer".to_owned()),
        ("group.initial.rebalance.delay.ms", Int, options.initial_rebalance_delay_ms.to_string()),
        ("group.max.size", Int, options.group_members_max.to_string()),
        ("group.max.session.timeout.ms", Int, options.session_timeout_ms.end().to_string()),
        ("group.min.session.timeout.ms", Int, options.session_timeout_ms.start().to_string()),
        ("listeners", String, listeners),
        ("log.cleaner.backoff.ms", Long, log.compaction_check_interval_ms.to_string()),
        ("log.cleaner.enable", Boolean, on()),
        ("log.retention.check.interval.ms", Long, log.retention_check_interval_ms.to_string()),
        ("max.connections", Int, options.connections_max.to_string()),
        ("num.partitions", Int, options.partitions_default.to_string()),
        ("offset.metadata.max.bytes", Int, METADATA_BYTES_MAX.to_string()),
        ("offsets.retention.minutes", Int, options.offsets_retention_minutes.to_string()),
        ("offsets.topic.num.partitions", Int, "1".to_owned()),
        ("offsets.topic.replication.factor", Int, "1".to_owned()),
        ("producer.id.expiration.ms", Int, log.producer_id_expiration_ms.to_string()),
        ("queued.max.request.bytes", Long, options.requests_bytes_max.to_string()),
        ("socket.request.max.bytes", Int, options.request_bytes_max.to_string()),
        ("transaction.max.timeout.ms", Int, options.transaction_timeout_ms_max.to_string()),
        ("transaction.state.log.min.isr", Int, "1".to_owned()),
        ("transaction.state.log.num.partitions", Int, "1".to_owned()),
        ("transaction.state.log.replication.factor", Int, "1".to_owned()),
        ("transactional.id.expiration.ms", Int, log.transactional_id_expiration_ms.to_string()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_that_tools_ask_for_are_described() {
        let options = BrokerOptions { group_members_max: 7, ..BrokerOptions::default() };
        let own = own(&options, &LogOptions::in_memory());
        let value = |wanted: &str| own.iter().find(|(name, _, _)| *name == wanted).map(|(_, _, value)| value.as_str());
        assert_eq!([value("group.max.size"), value("offset.metadata.max.bytes")], [Some("7"), Some("4096")]);
    }
}
