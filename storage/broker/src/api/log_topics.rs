//! The topics of the log, as groups ask for them.

use std::sync::Arc;

use millstream_log::{EmbeddedLog, Log};

use crate::group::consumer::Topics;

/// The topics of the log.
pub(super) struct LogTopics<'a>(pub(super) &'a EmbeddedLog);

impl Topics for LogTopics<'_> {
    fn partitions(&self, topic: &str) -> Option<i32> {
        self.0.topic(topic).ok().flatten().map(|info| info.partitions)
    }

    fn names(&self) -> Vec<Arc<str>> {
        self.0.topics().unwrap_or_default().into_iter().map(|info| info.name).collect()
    }
}
