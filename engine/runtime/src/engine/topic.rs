//! The topics of streams and tables: what WITH says of them, and what those are like that are there already.

use millstream_log::{CleanupPolicy, TopicConfig, TopicSpec};
use millstream_plan::{Source, retention_ms};
use millstream_sql::ast::Properties;
use millstream_sql::{Diagnostic, Value};

use super::Engine;
use crate::Result;

impl Engine {
    /// The number of partitions of a source's topic, which is there or is to be made.
    pub(super) fn partitions(&self, source: &Source, with: &Properties, place: millstream_sql::Span) -> Result<i32> {
        let given = with.get("PARTITIONS");
        let count = given.and_then(|property| match &property.value {
            Value::Integer(count) => i32::try_from(*count).ok(),
            Value::String(count) => count.parse().ok(),
            _ => None,
        });
        match (self.log.topic(&source.topic)?, given, count) {
            (Some(topic), Some(property), Some(count)) if count != topic.partitions => {
                let message = format!("topic \"{}\" has {} partitions, not {count}", topic.name, topic.partitions);
                Err(Diagnostic::new("E0315", message).at(property.value_span, "").help("leave PARTITIONS out").into())
            }
            (Some(topic), _, _) => Ok(topic.partitions),
            (None, Some(_), Some(count)) if count > 0 => Ok(count),
            (None, Some(property), _) => {
                let diagnostic = Diagnostic::new("E0211", "PARTITIONS must be a whole number from 1 on");
                Err(diagnostic.at(property.value_span, "").into())
            }
            (None, None, _) => {
                let message = format!("topic \"{}\" does not exist", source.topic);
                let place = with.get("KAFKA_TOPIC").map_or(place, |property| property.value_span);
                let help = "SHOW TOPICS lists the topics there are; to make it, add PARTITIONS=1 to WITH (…)";
                Err(Diagnostic::new("E0316", message).at(place, "not found").help(help).into())
            }
        }
    }

    /// Makes a source's topic if it is not there.
    pub(super) fn ensure_topic(&self, source: &Source, with: Option<&Properties>) -> Result<()> {
        let kept = with.map(retention_ms).transpose()?.flatten();
        let is_compacted = source.is_table() && source.window.is_none();
        if let Some((_, place)) = kept.filter(|_| is_compacted) {
            let message = "a table without windows keeps the last row of each key, however old it is";
            let diagnostic = Diagnostic::new("E0211", message).at(place, "");
            return Err(diagnostic.help("leave RETENTION_MS out").into());
        }
        if let Some(topic) = self.log.topic(&source.topic)? {
            if topic.partitions != source.partitions {
                let message = format!(
                    "topic \"{}\" has {} partitions, the query needs {}",
                    topic.name, topic.partitions, source.partitions
                );
                return Err(Diagnostic::new("E0315", message).help("choose another topic with KAFKA_TOPIC").into());
            }
            return match kept {
                Some((ms, place)) if ms != topic.config.retention_ms => {
                    let found = topic.config.retention_ms;
                    let message = format!("topic \"{}\" has a retention.ms of {found}, not {ms}", topic.name);
                    let help = "leave RETENTION_MS out; Kafka clients can alter the topic";
                    Err(Diagnostic::new("E0315", message).at(place, "").help(help).into())
                }
                _ => Ok(()),
            };
        }
        let mut config = TopicConfig {
            cleanup_policy: if is_compacted { CleanupPolicy::Compact } else { CleanupPolicy::Delete },
            // Records are kept until somebody says otherwise: with event times of long ago a default of
            // seven days would delete them at once.
            retention_ms: -1,
            ..TopicConfig::default()
        };
        if let Some((ms, _)) = kept {
            // Set as a Kafka client sets it, so that it counts as set and not as a default.
            config.set("retention.ms", &ms.to_string())?;
        }
        self.log.create_topic(&TopicSpec { name: source.topic.clone(), partitions: source.partitions, config })?;
        Ok(())
    }
}
