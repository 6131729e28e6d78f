//! `Fetch`: the log's batches as they are, now or as soon as there are any.

mod read;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{FetchRequest, FetchResponse};
use millstream_log::{Log, TopicPartition, Watch};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use crate::call::{Call, Hangup, Pending, Reply};

use read::Reading;

const TOPIC_IDS_SINCE: i16 = 13;
/// A client that wants to wait longer asks again.
const WAIT_MAX: Duration = Duration::from_secs(300);
const NO_SESSION: i32 = 0;

/// A partition that is asked for.
struct Wanted {
    /// `None` if no topic has the id.
    partition: Option<TopicPartition>,
    index: i32,
    offset: i64,
    bytes_max: i32,
    leader_epoch: i32,
}

pub(super) fn run(call: Call, body: Bytes) -> Pending {
    Box::pin(answer(call, body))
}

async fn answer(call: Call, body: Bytes) -> Result<Reply, Hangup> {
    let request: FetchRequest = call.decode(body)?;
    if request.session_id != NO_SESSION {
        // None is ever begun: every response names all its partitions (KIP-227 lets a broker decline).
        let code = ResponseError::FetchSessionIdNotFound.code();
        return call.reply(&FetchResponse::default().with_error_code(code));
    }
    let wanted = wanted(&call, &request);
    let wait = Duration::from_millis(request.max_wait_ms.max(0).unsigned_abs().into()).min(WAIT_MAX);
    let deadline = Instant::now() + wait;
    let reading = Reading::new(&call, &request, &wanted);
    let mut read = reading.read();
    if !(read.is_enough || wait.is_zero() || wanted.is_empty()) {
        let grown = Arc::new(Notify::new());
        let _watches = watch(&call, &wanted, &grown);
        loop {
            // Read again before waiting: the partitions may have grown before they were watched.
            read = reading.read();
            if read.is_enough || timeout_at(deadline, grown.notified()).await.is_err() {
                break;
            }
        }
    }
    let response = read.response(request);
    let mut reply = call.reply(&response)?;
    reply.share = reading.share;
    Ok(reply)
}

fn wanted(call: &Call, request: &FetchRequest) -> Vec<Wanted> {
    let mut wanted = Vec::new();
    for topic in &request.topics {
        let name: Option<Arc<str>> = if call.version >= TOPIC_IDS_SINCE {
            call.broker.topic_names.name(&call.broker.log, topic.topic_id)
        } else {
            Some(topic.topic.as_str().into())
        };
        wanted.extend(topic.partitions.iter().map(|asked| Wanted {
            partition: name.as_ref().map(|name| TopicPartition::new(Arc::clone(name), asked.partition)),
            index: asked.partition,
            offset: asked.fetch_offset,
            bytes_max: asked.partition_max_bytes,
            leader_epoch: asked.current_leader_epoch,
        }));
    }
    wanted
}

/// Lets every growth of a partition wake who waits for `grown`.
fn watch(call: &Call, wanted: &[Wanted], grown: &Arc<Notify>) -> Vec<Watch> {
    let partitions = wanted.iter().filter_map(|wanted| wanted.partition.as_ref());
    let watch = |partition| {
        let grown = Arc::clone(grown);
        call.broker.log.watch(partition, Arc::new(move || grown.notify_one())).ok()
    };
    partitions.filter_map(watch).collect()
}
