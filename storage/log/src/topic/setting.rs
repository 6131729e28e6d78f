//! A topic's settings: each with its name, type, default and check.

mod table;

use super::{CleanupPolicy, TopicConfig};
use crate::{Error, Result};

use table::SETTINGS;

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
        range: Range,
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
        check: Check,
    },
}

/// Which whole numbers are allowed.
#[derive(Debug, Clone, Copy)]
struct Range {
    min: i64,
    max: i64,
    /// One in between that is not.
    gap: Option<i64>,
}

impl Range {
    const fn from(min: i64) -> Self {
        Self { min, max: i64::MAX, gap: None }
    }

    fn parse(self, ty: SettingType, value: &str) -> Result<i64, String> {
        let number = value.parse::<i64>().map_err(|_| "it must be a whole number".to_owned())?;
        let max = if ty == SettingType::Int { self.max.min(i32::MAX.into()) } else { self.max };
        if number < self.min {
            return Err(format!("it must be at least {}", self.min));
        }
        if number > max {
            return Err(format!("it must be at most {max}"));
        }
        if self.gap == Some(number) { Err("it must be another number".to_owned()) } else { Ok(number) }
    }
}

/// What a value without an effect must look like.
#[derive(Debug)]
enum Check {
    Number(Range),
    Boolean,
    /// `*`, or partitions with brokers: `0:1,1:1`.
    Replicas,
    /// Just this one, and why.
    Only(&'static str, &'static str),
}

impl Check {
    fn check(&self, ty: SettingType, value: &str) -> Result<(), String> {
        let is_number = |text: &str| text.parse::<u32>().is_ok();
        let is_replica = |item: &str| item.trim().split_once(':').is_some_and(|(a, b)| is_number(a) && is_number(b));
        match self {
            Self::Number(range) => range.parse(ty, value).map(drop),
            Self::Boolean if !["true", "false"].iter().any(|word| value.eq_ignore_ascii_case(word)) => {
                Err("it must be true or false".to_owned())
            }
            Self::Replicas if value.len() > i16::MAX as usize => Err("it is too long".to_owned()),
            Self::Replicas if !matches!(value, "" | "*") && !value.split(',').all(is_replica) => {
                Err("it must be * or partitions with brokers, such as 0:1,1:1".to_owned())
            }
            Self::Only(word, reason) if !value.eq_ignore_ascii_case(word) => Err((*reason).to_owned()),
            Self::Boolean | Self::Replicas | Self::Only(..) => Ok(()),
        }
    }
}

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
            Access::Policy => {
                // Of two words the order is as it was given.
                let given = config.given.get(self.name).filter(|given| policy(given) == Ok(config.cleanup_policy));
                given.map_or_else(|| name_of(config.cleanup_policy).to_owned(), |given| words(given).join(","))
            }
            Access::Reported { default, .. } => {
                config.given.get(self.name).map_or_else(|| (*default).to_owned(), Clone::clone)
            }
        }
    }

    /// Whether somebody has set it, be it to its default.
    #[must_use]
    pub fn is_set(&self, config: &TopicConfig) -> bool {
        config.given.contains_key(self.name) || self.get(config) != self.default_value()
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
            Access::Number { range, set, .. } => set(config, range.parse(self.ty, value)?),
            Access::Ratio { set, .. } => match value.parse::<f64>() {
                Ok(ratio) if (0.0..=1.0).contains(&ratio) => set(config, (ratio * 1e6).round() as u32),
                _ => return Err("it must be a number from 0 to 1".to_owned()),
            },
            Access::Choice { allowed, set, .. } => match allowed.iter().position(|word| *word == value) {
                Some(at) => set(config, at),
                None => return Err(format!("it must be one of {}", allowed.join(", "))),
            },
            Access::Policy => config.cleanup_policy = policy(value)?,
            Access::Reported { check, .. } => check.check(self.ty, value)?,
        }
        // Booleans are told as they are understood, whatever their case.
        let value = if self.ty == SettingType::Boolean { value.to_ascii_lowercase() } else { value.to_owned() };
        config.given.insert(self.name, value);
        Ok(())
    }
}

fn words(value: &str) -> Vec<&str> {
    if value.trim().is_empty() { Vec::new() } else { value.split(',').map(str::trim).collect() }
}

fn name_of(policy: CleanupPolicy) -> &'static str {
    match policy {
        CleanupPolicy::Delete => "delete",
        CleanupPolicy::Compact => "compact",
        CleanupPolicy::CompactAndDelete => "compact,delete",
        CleanupPolicy::Keep => "",
    }
}

fn policy(value: &str) -> Result<CleanupPolicy, String> {
    let words = words(value);
    if let Some(wrong) = words.iter().find(|word| !matches!(**word, "delete" | "compact")) {
        return Err(format!("\"{wrong}\" is none of delete, compact"));
    }
    Ok(match (words.contains(&"compact"), words.contains(&"delete")) {
        (true, true) => CleanupPolicy::CompactAndDelete,
        (true, false) => CleanupPolicy::Compact,
        (false, true) => CleanupPolicy::Delete,
        (false, false) => CleanupPolicy::Keep,
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
        setting.set(self, &setting.default_value())?;
        self.given.remove(setting.name);
        Ok(())
    }

    /// The settings that somebody has set, with their values.
    pub fn changed(&self) -> impl Iterator<Item = (&'static TopicSetting, String)> + '_ {
        SETTINGS.iter().filter(|setting| setting.is_set(self)).map(|setting| (setting, setting.get(self)))
    }

    /// Refuses settings that contradict each other.
    ///
    /// # Errors
    /// [`Error::InvalidSetting`].
    pub fn check(&self) -> Result<()> {
        if self.min_compaction_lag_ms <= self.max_compaction_lag_ms {
            return Ok(());
        }
        Err(Error::InvalidSetting {
            name: "min.compaction.lag.ms".to_owned(),
            value: self.min_compaction_lag_ms.to_string(),
            reason: format!("max.compaction.lag.ms is less, {}", self.max_compaction_lag_ms),
        })
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
            assert!(setting.is_set(&config), "{}", setting.name);
            assert_eq!(config.changed().count(), 1, "{}", setting.name);
            config.reset(setting.name).unwrap();
            assert_eq!(config, TopicConfig::default());
        }
        assert!(SETTINGS.is_sorted_by_key(|setting| setting.name));
    }

    #[test]
    fn values_survive_the_round_trip_and_wrong_ones_are_refused() {
        let mut config = TopicConfig::default();
        config.set("preallocate", "TRUE").unwrap();
        assert_eq!(config.given.get("preallocate").map(String::as_str), Some("true"));
        config.reset("preallocate").unwrap();
        for (name, value) in [
            ("cleanup.policy", "compact,delete"),
            ("cleanup.policy", "delete,compact"),
            ("cleanup.policy", ""),
            ("retention.ms", "-1"),
            ("min.cleanable.dirty.ratio", "0.01"),
            ("compression.type", "zstd"),
            ("message.timestamp.type", "LogAppendTime"),
            ("preallocate", "true"),
            ("leader.replication.throttled.replicas", "0:1,1:1"),
            ("retention.bytes", "-2"),
            ("remote.log.copy.disable", "true"),
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
            ("compression.gzip.level", "0"),
            ("compression.gzip.level", "10"),
            ("compression.lz4.level", "18"),
            ("compression.zstd.level", "23"),
            ("file.delete.delay.ms", "-1"),
            ("follower.replication.throttled.replicas", "0:1,all"),
            ("index.interval.bytes", "-1"),
            ("local.retention.ms", "-3"),
            ("min.insync.replicas", "0"),
            ("remote.storage.enable", "true"),
            ("segment.index.bytes", "3"),
            ("segment.jitter.ms", "-1"),
        ] {
            assert!(matches!(config.set(name, value), Err(Error::InvalidSetting { .. })), "{name}={value}");
        }
        assert!(matches!(config.set("retention.secs", "1"), Err(Error::UnknownSetting(_))));
    }
}
