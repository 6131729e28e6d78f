//! Offsets that nobody needs any more expire.
//!
//! As in Kafka those of a group go when nobody has been in it for `offsets.retention.minutes`, where nobody ever is so long
//! after they were committed, and so do those that a group with members has in topics that it does not read any more. What
//! the engine's queries have committed the log itself keeps.

use std::sync::Arc;
use std::time::Duration;

use millstream_log::{Log, Result};
use tokio::task::block_in_place;
use tokio::time::sleep;

use crate::broker::Broker;
use crate::group::EMPTY_GROUP_MS;
use crate::text::text;

/// A group that nobody is in any more is known for a while, so it is seen at least once after that.
const CHECK_INTERVAL: Duration = Duration::from_millis(EMPTY_GROUP_MS as u64 / 2);

/// Looks for such offsets from time to time.
pub(crate) async fn drive(broker: Arc<Broker>) {
    loop {
        sleep(CHECK_INTERVAL).await;
        // An error stops the log, which tells whoever writes next.
        let _ = block_in_place(|| expire_offsets(&broker));
    }
}

fn expire_offsets(broker: &Broker) -> Result<()> {
    let log = &broker.log;
    let before_ms = log.now_ms().saturating_sub(i64::from(broker.options.offsets_retention_minutes) * 60_000);
    let in_use = broker.groups.look(|groups| groups.names());
    log.note_groups_in_use(&in_use.iter().map(|name| &**name).collect::<Vec<_>>())?;
    let mut overdue = log.overdue_offsets(before_ms);
    broker.groups.look(|groups| {
        overdue.retain(|offset| match groups.needs_offsets(&text(&*offset.group), &offset.partition.topic) {
            Some(is_needed) => !is_needed,
            None => offset.is_group_unused,
        });
    });
    log.expire_offsets(&overdue, before_ms)
}

#[cfg(test)]
mod tests;
