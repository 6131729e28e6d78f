//! `Fetch`: the log's batches as they are, now or as soon as there are any.

mod frame;
mod read;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{FetchRequest, FetchResponse};
use millstream_log::{Log, TopicPartition, Watch};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout_at};

use crate::budget::Share;
use crate::call::{Call, Hangup, Pending, Reply};
use crate::topic_id::topic_name;

use read::{Asked, Reading};

const TOPIC_IDS_SINCE: i16 = 13;
/// A client that wants to wait longer asks again.
const WAIT_MAX: Duration = Duration::from_secs(300);
const NO_SESSION: i32 = 0;
/// How long a fetch of many partitions takes that has no room to wait.
const PAUSE_MAX: Duration = Duration::from_millis(500);
/// What a partition takes while it is waited for: its answer so far, and who is to be told.
const WAIT_BYTES: usize = 1 << 10;
/// So many partitions are always waited for.
const FEW_PARTITIONS: usize = 16;

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
    let reading = Reading::new(&call, &request, &wanted);
    let asked = Asked::all(&request);
    let wait = Duration::from_millis(request.max_wait_ms.max(0).unsigned_abs().into()).min(WAIT_MAX);
    let deadline = Instant::now() + wait;
    // It may wait for long, and must not keep the whole request.
    drop(request);
    let grown = Arc::new(Notify::new());
    let mut waiting = None;
    let mut is_last = wait.is_zero() || wanted.is_empty();
    let mut pause = Duration::ZERO;
    let read = loop {
        let read = reading.read()?;
        if read.is_enough || is_last {
            break read;
        }
        if waiting.is_some() {
            // Who waits keeps nothing of what was found.
            drop(read);
            is_last = timeout_at(deadline, grown.notified()).await.is_err();
        } else if let Some(room) = room_to_wait(&call, wanted.len()) {
            // Read again before waiting: the partitions may have grown before they were watched.
            waiting = Some((room, watch(&call, &wanted, &grown)));
        } else {
            pause = if read.has_records() { Duration::ZERO } else { wait.min(PAUSE_MAX) };
            break read;
        }
    };
    let reply = read.reply(&call, asked)?;
    drop(wanted);
    if !pause.is_zero() {
        // Who cannot wait for records would ask again at once.
        sleep(pause).await;
    }
    Ok(reply)
}

/// Memory in which to wait for records of so many partitions; `None` if there is none, as few take it for granted.
fn room_to_wait(call: &Call, partitions: usize) -> Option<Share> {
    if partitions <= FEW_PARTITIONS {
        return Some(Share::default());
    }
    call.broker.waits.try_take(partitions * WAIT_BYTES)
}

fn wanted(call: &Call, request: &FetchRequest) -> Vec<Wanted> {
    let mut wanted = Vec::new();
    for topic in &request.topics {
        let name: Option<Arc<str>> = if call.version >= TOPIC_IDS_SINCE {
            topic_name(&call.broker.log, topic.topic_id)
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
