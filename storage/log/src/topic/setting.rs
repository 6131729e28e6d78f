//! The table of a topic's settings: each with its name, type, default and check.

use super::{CleanupPolicy, TopicConfig};
use crate::record::Compression;
use crate::{Error, Result};

/// The type of a setting's value, in Kafka's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingType {
    /// `true` or `false`.
    Boolean,
    /// One of some words, or text.
    String,
    /// A whole number of 32 bits.
    Int,
    /// A whole number of 64 bits.
    Long,
    /// A number.
    Double,
    /// Words with commas between them.
    List,
}

/// One setting of a topic.
#[derive(Debug)]
pub struct TopicSetting {
    /// Kafka's name.
    pub name: &'static str,
    /// The type of its value.
    pub ty: SettingType,
    /// What it does.
    pub effect: &'static str,
    access: Access,
}

#[derive(Debug)]
enum Access {
    Number {
        min: i64,
        get: fn(&TopicConfig) -> i64,
        set: fn(&mut TopicConfig, i64),
    },
    /// A number from 0 to 1, in millionths.
    Ratio {
        get: fn(&TopicConfig) -> u32,
        set: fn(&mut TopicConfig, u32),
    },
    Choice {
        allowed: &'static [&'static str],
        get: fn(&TopicConfig) -> usize,
        set: fn(&mut TopicConfig, usize),
    },
    Policy,
    /// Without an effect: kept as it was given.
    Reported {
        default: &'static str,
    },
}

const NOT_USED: &str = "accepted and reported; one process without replicas has no use for it";

const fn number(
    name: &'static str,
    ty: SettingType,
    min: i64,
    get: fn(&TopicConfig) -> i64,
    set: fn(&mut TopicConfig, i64),
    effect: &'static str,
) -> TopicSetting {
    TopicSetting { name, ty, effect, access: Access::Number { min, get, set } }
}

const fn reported(name: &'static str, ty: SettingType, default: &'static str, effect: &'static str) -> TopicSetting {
    TopicSetting { name, ty, effect, access: Access::Reported { default } }
}

const COMPRESSIONS: [(&str, Option<Compression>); 6] = [
    ("producer", None),
    ("uncompressed", Some(Compression::None)),
    ("gzip", Some(Compression::Gzip)),
    ("snappy", Some(Compression::Snappy)),
    ("lz4", Some(Compression::Lz4)),
    ("zstd", Some(Compression::Zstd)),
];

static SETTINGS: [TopicSetting; 31] = [
    TopicSetting {
        name: "cleanup.policy",
        ty: SettingType::List,
        effect: "`delete` deletes old segments, `compact` keeps the newest record of each key, `compact,delete` does both",
        access: Access::Policy,
    },
    reported("compression.gzip.level", SettingType::Int, "-1", "accepted and reported; the codec's own level is used"),
    reported("compression.lz4.level", SettingType::Int, "9", "accepted and reported; the codec's own level is used"),
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
    reported("compression.zstd.level", SettingType::Int, "3", "accepted and reported; the codec's own level is used"),
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
    reported("follower.replication.throttled.replicas", SettingType::List, "", NOT_USED),
    reported(
        "index.interval.bytes",
        SettingType::Int,
        "4096",
        "accepted and reported; the index is in memory, an entry every 4096 bytes",
    ),
    reported("leader.replication.throttled.replicas", SettingType::List, "", NOT_USED),
    reported("local.retention.bytes", SettingType::Long, "-2", NOT_USED),
    reported("local.retention.ms", SettingType::Long, "-2", NOT_USED),
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
    reported("min.insync.replicas", SettingType::Int, "1", NOT_USED),
    reported(
        "preallocate",
        SettingType::Boolean,
        "false",
        "accepted and reported; the journal's files are written over instead",
    ),
    reported("remote.storage.enable", SettingType::Boolean, "false", NOT_USED),
    number(
        "retention.bytes",
        SettingType::Long,
        -1,
        |config| config.retention_bytes,
        |config, bytes| config.retention_bytes = bytes,
        "a partition's oldest segments are deleted while it has more bytes; -1 is no limit",
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
    reported("segment.index.bytes", SettingType::Int, "10485760", "accepted and reported; the index is in memory"),
    reported("segment.jitter.ms", SettingType::Long, "0", "accepted and reported"),
    number(
        "segment.ms",
        SettingType::Long,
        1,
        |config| config.segment_ms,
        |config, ms| config.segment_ms = ms,
        "how far apart in time the first and the last record of a file may be",
    ),
    reported("unclean.leader.election.enable", SettingType::Boolean, "false", NOT_USED),
];

impl TopicSetting {
    /// All settings, by name.
    #[must_use]
    pub fn all() -> &'static [Self] {
        &SETTINGS
    }

    /// The setting of this name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.name == name)
    }

    /// Its value in a topic's settings.
    #[must_use]
    pub fn get(&self, config: &TopicConfig) -> String {
        match &self.access {
            Access::Number { get, .. } => get(config).to_string(),
            Access::Ratio { get, .. } => (f64::from(get(config)) / 1e6).to_string(),
            Access::Choice { allowed, get, .. } => allowed.get(get(config)).copied().unwrap_or_default().to_owned(),
            Access::Policy => match config.cleanup_policy {
                CleanupPolicy::Delete => "delete",
                CleanupPolicy::Compact => "compact",
                CleanupPolicy::CompactAndDelete => "compact,delete",
            }
            .to_owned(),
            Access::Reported { default } => {
                config.reported.get(self.name).map_or_else(|| (*default).to_owned(), Clone::clone)
            }
        }
    }

    /// What it is when nobody sets it.
    #[must_use]
    pub fn default_value(&self) -> String {
        self.get(&TopicConfig::default())
    }

    /// The words that its value may be, where only some are allowed.
    #[must_use]
    pub fn allowed(&self) -> &'static [&'static str] {
        match &self.access {
            Access::Choice { allowed, .. } => allowed,
            Access::Policy => &["delete", "compact"],
            _ if self.ty == SettingType::Boolean => &["true", "false"],
            _ => &[],
        }
    }

    /// Sets it.
    ///
    /// # Errors
    /// [`Error::InvalidSetting`] if it cannot have this value.
    pub fn set(&self, config: &mut TopicConfig, value: &str) -> Result<()> {
        let value = value.trim();
        self.try_set(config, value).map_err(|reason| Error::InvalidSetting {
            name: self.name.to_owned(),
            value: value.to_owned(),
            reason,
        })
    }

    fn try_set(&self, config: &mut TopicConfig, value: &str) -> Result<(), String> {
        match &self.access {
            Access::Number { min, set, .. } => set(config, self.number(value, *min)?),
            Access::Ratio { set, .. } => match value.parse::<f64>() {
                Ok(ratio) if (0.0..=1.0).contains(&ratio) => set(config, (ratio * 1e6).round() as u32),
                _ => return Err("it must be a number from 0 to 1".to_owned()),
            },
            Access::Choice { allowed, set, .. } => match allowed.iter().position(|word| *word == value) {
                Some(at) => set(config, at),
                None => return Err(format!("it must be one of {}", allowed.join(", "))),
            },
            Access::Policy => config.cleanup_policy = policy(value)?,
            Access::Reported { .. } => {
                match self.ty {
                    SettingType::Int | SettingType::Long => {
                        let least = if self.name == "min.insync.replicas" { 1 } else { i64::MIN };
                        self.number(value, least)?;
                    }
                    SettingType::Boolean if !matches!(value, "true" | "false") => {
                        return Err("it must be true or false".to_owned());
                    }
                    _ if value.len() > i16::MAX as usize => return Err("it is too long".to_owned()),
                    _ => {}
                }
                config.reported.insert(self.name, value.to_owned());
            }
        }
        Ok(())
    }

    fn number(&self, value: &str, min: i64) -> Result<i64, String> {
        let number = value.parse::<i64>().map_err(|_| "it must be a whole number".to_owned())?;
        let max = if self.ty == SettingType::Int { i64::from(i32::MAX) } else { i64::MAX };
        if number < min {
            return Err(format!("it must be at least {min}"));
        }
        if number > max { Err(format!("it must be at most {max}")) } else { Ok(number) }
    }
}

fn policy(value: &str) -> Result<CleanupPolicy, String> {
    let words: Vec<&str> = value.split(',').map(str::trim).collect();
    if let Some(wrong) = words.iter().find(|word| !matches!(**word, "delete" | "compact")) {
        return Err(format!("\"{wrong}\" is none of delete, compact"));
    }
    Ok(match (words.contains(&"compact"), words.contains(&"delete")) {
        (true, true) => CleanupPolicy::CompactAndDelete,
        (true, false) => CleanupPolicy::Compact,
        _ => CleanupPolicy::Delete,
    })
}

impl TopicConfig {
    /// Sets what `name` names.
    ///
    /// # Errors
    /// [`Error::UnknownSetting`], [`Error::InvalidSetting`].
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        expect(name)?.set(self, value)
    }

    /// Gives what `name` names its default again.
    ///
    /// # Errors
    /// [`Error::UnknownSetting`].
    pub fn reset(&mut self, name: &str) -> Result<()> {
        let setting = expect(name)?;
        if let Access::Reported { .. } = setting.access {
            self.reported.remove(setting.name);
            return Ok(());
        }
        setting.set(self, &setting.default_value())
    }

    /// The settings that are not at their default, with their values.
    pub fn changed(&self) -> impl Iterator<Item = (&'static TopicSetting, String)> + '_ {
        let with_value = |setting: &'static TopicSetting| (setting, setting.get(self));
        SETTINGS.iter().map(with_value).filter(|(setting, value)| *value != setting.default_value())
    }
}

fn expect(name: &str) -> Result<&'static TopicSetting> {
    TopicSetting::find(name).ok_or_else(|| Error::UnknownSetting(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_takes_its_own_default_and_names_are_sorted() {
        for setting in TopicSetting::all() {
            let mut config = TopicConfig::default();
            setting.set(&mut config, &setting.default_value()).unwrap();
            assert_eq!(config.changed().count(), 0, "{}", setting.name);
        }
        assert!(SETTINGS.is_sorted_by_key(|setting| setting.name));
    }

    #[test]
    fn values_survive_the_round_trip_and_wrong_ones_are_refused() {
        let mut config = TopicConfig::default();
        for (name, value) in [
            ("cleanup.policy", "compact,delete"),
            ("retention.ms", "-1"),
            ("min.cleanable.dirty.ratio", "0.01"),
            ("compression.type", "zstd"),
            ("message.timestamp.type", "LogAppendTime"),
            ("preallocate", "true"),
        ] {
            config.set(name, value).unwrap();
            assert_eq!(TopicSetting::find(name).unwrap().get(&config), value);
            assert!(config.changed().any(|(setting, _)| setting.name == name));
            config.reset(name).unwrap();
            assert_eq!(config, TopicConfig::default());
        }
        for (name, value) in [
            ("cleanup.policy", "keep"),
            ("retention.ms", "-2"),
            ("retention.ms", "soon"),
            ("segment.bytes", "3000000000"),
            ("min.cleanable.dirty.ratio", "1.5"),
            ("preallocate", "yes"),
        ] {
            assert!(matches!(config.set(name, value), Err(Error::InvalidSetting { .. })), "{name}={value}");
        }
        assert!(matches!(config.set("retention.secs", "1"), Err(Error::UnknownSetting(_))));
    }
}
