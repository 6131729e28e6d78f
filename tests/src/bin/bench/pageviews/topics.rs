//! The page views and the users as topics.

use millstream_log::record::BatchBuilder;
use millstream_log::{Log, TopicPartition, TopicSpec, partition_for_key};
use millstream_tests::page_views::{USERS, city, page_views};

use crate::Result;

/// Writes so many page views and all users into topics of so many partitions.
pub(crate) fn write_topics(log: &dyn Log, partitions: i32, rows: u64) -> Result<()> {
    let views = page_views(rows).map(|view| (view.time_ms, view.user, view.json));
    write_topic(log, &format!("pageviews_{partitions}"), partitions, views)?;
    let users =
        (0..USERS).map(|user| (0, format!("user_{user:06}"), format!("{{\"city\":\"{}\"}}", city(user)).into_bytes()));
    write_topic(log, &format!("users_{partitions}"), partitions, users)
}

fn write_topic(
    log: &dyn Log,
    topic: &str,
    partitions: i32,
    rows: impl Iterator<Item = (i64, String, Vec<u8>)>,
) -> Result<()> {
    log.create_topic(&TopicSpec::new(topic, partitions).kept_for_ever())?;
    let mut builders: Vec<BatchBuilder> = (0..partitions).map(|_| BatchBuilder::new()).collect();
    let send = |at: usize, builder: &mut BatchBuilder| -> Result<()> {
        let batch = std::mem::replace(builder, BatchBuilder::new()).finish()?;
        log.append(&TopicPartition::new(topic, at as i32), batch)?.wait()?;
        Ok(())
    };
    for (time_ms, key, value) in rows {
        let at = partition_for_key(key.as_bytes(), partitions) as usize;
        if let Some(builder) = builders.get_mut(at) {
            builder.push(time_ms, Some(key.as_bytes()), Some(&value));
            if builder.size_bytes() > 256 << 10 {
                send(at, builder)?;
            }
        }
    }
    for (at, builder) in builders.iter_mut().enumerate().filter(|(_, builder)| !builder.is_empty()) {
        send(at, builder)?;
    }
    Ok(())
}
