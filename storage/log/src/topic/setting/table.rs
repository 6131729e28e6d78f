//! The table of settings, by name.

use super::{Access, Check, Range, SettingType, TopicSetting};
use crate::TopicConfig;
use crate::record::Compression;

const NOT_USED: &str = "accepted and reported; one process without replicas has no use for it";

const fn number(
    name: &'static str,
    ty: SettingType,
    min: i64,
    get: fn(&TopicConfig) -> i64,
    set: fn(&mut TopicConfig, i64),
    effect: &'static str,
) -> TopicSetting {
    TopicSetting { name, ty, effect, access: Access::Number { range: Range::from(min), get, set } }
}

const fn reported(
    name: &'static str,
    ty: SettingType,
    default: &'static str,
    check: Check,
    effect: &'static str,
) -> TopicSetting {
    TopicSetting { name, ty, effect, access: Access::Reported { default, check } }
}

const fn at_least(min: i64) -> Check {
    Check::Number(Range::from(min))
}

const COMPRESSIONS: [(&str, Option<Compression>); 6] = [
    ("producer", None),
    ("uncompressed", Some(Compression::None)),
    ("gzip", Some(Compression::Gzip)),
    ("snappy", Some(Compression::Snappy)),
    ("lz4", Some(Compression::Lz4)),
    ("zstd", Some(Compression::Zstd)),
];

pub(super) static SETTINGS: [TopicSetting; 33] = [
    TopicSetting {
        name: "cleanup.policy",
        ty: SettingType::List,
        effect: "`delete` deletes old segments, `compact` keeps the newest record of each key, `compact,delete` does both, and without either everything is kept",
        access: Access::Policy,
    },
    TopicSetting {
        name: "compression.gzip.level",
        ty: SettingType::Int,
        effect: "how much work gzip takes where batches are compressed anew: 1 to 9, or -1",
        access: Access::Number {
            range: Range { min: -1, max: 9, gap: Some(0) },
            get: |config| config.gzip_level.into(),
            set: |config, level| config.gzip_level = level as i32,
        },
    },
    reported(
        "compression.lz4.level",
        SettingType::Int,
        "9",
        Check::Number(Range { min: 1, max: 17, gap: None }),
        "accepted and reported; lz4 has one level here",
    ),
    TopicSetting {
        name: "compression.type",
        ty: SettingType::String,
        effect: "how batches are stored: as the producer compressed them, or compressed anew",
        access: Access::Choice {
            allowed: &["producer", "uncompressed", "gzip", "snappy", "lz4", "zstd"],
            get: |config| COMPRESSIONS.iter().position(|(_, codec)| *codec == config.compression).unwrap_or(0),
            set: |config, at| config.compression = COMPRESSIONS.get(at).and_then(|(_, codec)| *codec),
        },
    },
    TopicSetting {
        name: "compression.zstd.level",
        ty: SettingType::Int,
        effect: "how much work zstd takes where batches are compressed anew: -131072 to 22",
        access: Access::Number {
            range: Range { min: -131_072, max: 22, gap: None },
            get: |config| config.zstd_level.into(),
            set: |config, level| config.zstd_level = level as i32,
        },
    },
    number(
        "delete.retention.ms",
        SettingType::Long,
        0,
        |config| config.delete_retention_ms,
        |config, ms| config.delete_retention_ms = ms,
        "how long compaction keeps tombstones and the markers of transactions",
    ),
    reported(
        "file.delete.delay.ms",
        SettingType::Long,
        "60000",
        at_least(0),
        "accepted and reported; readers keep the file they read",
    ),
    number(
        "flush.messages",
        SettingType::Long,
        1,
        |config| config.flush_messages,
        |config, count| config.flush_messages = count,
        "so many batches may be acknowledged before they are on disk; with 1 each is on disk first (unless `flush.ms` says otherwise)",
    ),
    number(
        "flush.ms",
        SettingType::Long,
        0,
        |config| config.flush_ms,
        |config, ms| config.flush_ms = ms,
        "an acknowledged batch is on disk at most so much later, a second if only `flush.messages` is set; with 0 before it is acknowledged",
    ),
    reported("follower.replication.throttled.replicas", SettingType::List, "", Check::Replicas, NOT_USED),
    reported(
        "index.interval.bytes",
        SettingType::Int,
        "4096",
        at_least(0),
        "accepted and reported; the index is in memory, an entry every 4096 bytes",
    ),
    reported("leader.replication.throttled.replicas", SettingType::List, "", Check::Replicas, NOT_USED),
    reported("local.retention.bytes", SettingType::Long, "-2", at_least(-2), NOT_USED),
    reported("local.retention.ms", SettingType::Long, "-2", at_least(-2), NOT_USED),
    number(
        "max.compaction.lag.ms",
        SettingType::Long,
        1,
        |config| config.max_compaction_lag_ms,
        |config, ms| config.max_compaction_lag_ms = ms,
        "older records are compacted, however few they are",
    ),
    number(
        "max.message.bytes",
        SettingType::Int,
        0,
        |config| config.max_message_bytes as i64,
        |config, bytes| config.max_message_bytes = bytes as u64,
        "a larger batch of a producer is refused",
    ),
    number(
        "message.timestamp.after.max.ms",
        SettingType::Long,
        0,
        |config| config.timestamp_after_max_ms,
        |config, ms| config.timestamp_after_max_ms = ms,
        "a producer's record further ahead of the clock is refused",
    ),
    number(
        "message.timestamp.before.max.ms",
        SettingType::Long,
        0,
        |config| config.timestamp_before_max_ms,
        |config, ms| config.timestamp_before_max_ms = ms,
        "a producer's record that is older is refused",
    ),
    TopicSetting {
        name: "message.timestamp.type",
        ty: SettingType::String,
        effect: "`CreateTime` keeps the producer's timestamps, `LogAppendTime` sets them to the time of the append",
        access: Access::Choice {
            allowed: &["CreateTime", "LogAppendTime"],
            get: |config| usize::from(config.log_append_time),
            set: |config, at| config.log_append_time = at == 1,
        },
    },
    TopicSetting {
        name: "min.cleanable.dirty.ratio",
        ty: SettingType::Double,
        effect: "what part of a partition must wait for compaction before it is worth the work",
        access: Access::Ratio {
            get: |config| config.min_cleanable_dirty_ppm,
            set: |config, ppm| config.min_cleanable_dirty_ppm = ppm,
        },
    },
    number(
        "min.compaction.lag.ms",
        SettingType::Long,
        0,
        |config| config.min_compaction_lag_ms,
        |config, ms| config.min_compaction_lag_ms = ms,
        "younger records are not compacted",
    ),
    reported("min.insync.replicas", SettingType::Int, "1", at_least(1), NOT_USED),
    reported(
        "preallocate",
        SettingType::Boolean,
        "false",
        Check::Boolean,
        "accepted and reported; the journal's files are written over instead",
    ),
    reported("remote.log.copy.disable", SettingType::Boolean, "false", Check::Boolean, NOT_USED),
    reported("remote.log.delete.on.disable", SettingType::Boolean, "false", Check::Boolean, NOT_USED),
    reported(
        "remote.storage.enable",
        SettingType::Boolean,
        "false",
        Check::Only("false", "there is no remote storage; leave it out"),
        "`true` is refused: all records are in the data directory",
    ),
    number(
        "retention.bytes",
        SettingType::Long,
        i64::MIN,
        |config| config.retention_bytes,
        |config, bytes| config.retention_bytes = bytes,
        "a partition's oldest segments are deleted while it has more bytes; a negative number is no limit",
    ),
    number(
        "retention.ms",
        SettingType::Long,
        -1,
        |config| config.retention_ms,
        |config, ms| config.retention_ms = ms,
        "segments whose every record is older are deleted; -1 keeps them for ever",
    ),
    number(
        "segment.bytes",
        SettingType::Int,
        14,
        |config| config.segment_bytes as i64,
        |config, bytes| config.segment_bytes = bytes as u64,
        "when a partition starts its next file",
    ),
    reported(
        "segment.index.bytes",
        SettingType::Int,
        "10485760",
        at_least(4),
        "accepted and reported; the index is in memory",
    ),
    number(
        "segment.jitter.ms",
        SettingType::Long,
        0,
        |config| config.segment_jitter_ms,
        |config, ms| config.segment_jitter_ms = ms,
        "by how much less than `segment.ms` that may be, another time for each file: partitions do not start theirs all at once",
    ),
    number(
        "segment.ms",
        SettingType::Long,
        1,
        |config| config.segment_ms,
        |config, ms| config.segment_ms = ms,
        "how far apart in time the first and the last record of a file may be",
    ),
    reported("unclean.leader.election.enable", SettingType::Boolean, "false", Check::Boolean, NOT_USED),
];
