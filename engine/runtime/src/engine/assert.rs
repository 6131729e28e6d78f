//! `ASSERT`: whether something is there.

use std::time::{Duration, Instant};

use millstream_sql::ast::{Assert, Asserted, Properties};
use millstream_sql::{Diagnostic, Value};

use super::Engine;
use crate::{Result, Settings};

/// How often is looked: what is waited for has no watcher.
const LOOK_EVERY: Duration = Duration::from_millis(20);

impl Engine {
    /// Waits until it is as asserted, or fails.
    pub(super) fn assert(&self, assert: &Assert, settings: &Settings) -> Result<String> {
        let default = match assert.what {
            Asserted::Topic { .. } => "ksql.assert.topic.default.timeout.ms",
            Asserted::Schema { .. } => "ksql.assert.schema.default.timeout.ms",
        };
        let timeout_ms =
            assert.timeout_ms.map_or_else(|| settings.number(default), |ms| u64::try_from(ms).unwrap_or(0));
        let (started, timeout) = (Instant::now(), Duration::from_millis(timeout_ms));
        let what = match &assert.what {
            Asserted::Topic { name, .. } => format!("topic \"{}\"", name.name),
            Asserted::Schema { subject, id } => {
                let subject = subject.as_ref().map(|subject| format!(" of subject \"{subject}\""));
                let id = id.map(|id| format!(" with id {id}"));
                format!("schema{}{}", subject.unwrap_or_default(), id.unwrap_or_default())
            }
        };
        loop {
            let difference = match &assert.what {
                Asserted::Topic { name, with } => self.difference(&name.name, with)?,
                // There is no schema registry, and so no schema.
                Asserted::Schema { .. } => Some("does not exist".to_owned()),
            };
            match (assert.exists, difference) {
                (true, None) => return Ok(format!("{what} exists")),
                (false, Some(_)) => return Ok(format!("{what} does not exist")),
                (_, difference) if started.elapsed() >= timeout => {
                    let how = difference.unwrap_or_else(|| "exists".to_owned());
                    let diagnostic = Diagnostic::new("E0360", format!("assertion failed: {what} {how}"));
                    return Err(diagnostic.help("TIMEOUT 10 SECONDS behind the statement waits longer").into());
                }
                _ => std::thread::sleep(LOOK_EVERY.min(timeout)),
            }
        }
    }

    /// How a topic differs from what is expected of it; `None`: it does not.
    fn difference(&self, topic: &str, with: &Properties) -> Result<Option<String>> {
        let Some(topic) = self.log.topic(topic)? else { return Ok(Some("does not exist".to_owned())) };
        let there = [("PARTITIONS", topic.partitions), ("REPLICAS", 1)];
        let differs = there.into_iter().find_map(|(name, is)| {
            let wanted = &with.get(name)?.value;
            (*wanted != Value::Integer(is.into())).then(|| format!("has {is} {}, not {wanted}", name.to_lowercase()))
        });
        Ok(differs)
    }
}
