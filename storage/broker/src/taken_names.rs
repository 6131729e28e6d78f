//! Names that a new topic cannot have.
//!
//! Where metrics are named after topics `.` becomes `_`, so Kafka lets no client create `a_b` where there is `a.b`. What
//! the engine creates is not asked about.

use std::collections::HashMap;
use std::sync::Arc;

use millstream_log::{EmbeddedLog, Log};

const ALIKE: [char; 2] = ['.', '_'];

/// The names of the topics that there are, by what metrics would call them.
#[derive(Debug, Default)]
pub(crate) struct TakenNames {
    by_metric: HashMap<String, Arc<str>>,
}

impl TakenNames {
    /// As far as they can collide with any of the names that are asked for.
    pub(crate) fn for_names<'a>(log: &EmbeddedLog, mut asked: impl Iterator<Item = &'a str>) -> Self {
        if !asked.any(|name| name.contains(ALIKE)) {
            return Self::default();
        }
        let topics = log.topics().unwrap_or_default().into_iter();
        let named = topics.filter(|topic| topic.name.contains(ALIKE));
        Self { by_metric: named.map(|topic| (metric(&topic.name), topic.name)).collect() }
    }

    /// The other topic that metrics could not tell from one of this name.
    pub(crate) fn colliding(&self, name: &str) -> Option<&str> {
        let taken = self.by_metric.get(&metric(name))?;
        (**taken != *name).then_some(taken)
    }
}

fn metric(topic: &str) -> String {
    topic.replace('.', "_")
}
