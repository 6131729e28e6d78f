//! One connection: requests are answered in the order in which they came.

use std::future::{Future, poll_fn};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use kafka_protocol::protocol::StrBytes;
use millstream_log::EmbeddedLog;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, split};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;

use crate::BrokerOptions;
use crate::api::{self, Api};
use crate::broker::Broker;
use crate::budget::Share;
use crate::call::{Call, Peer, Pending};
use crate::frame::{Frame, FrameReader};

/// So many appends of one connection may wait for the disk together; every other request waits for those before it and
/// is waited for, so that a connection never holds more than one answer of some size.
const PIPELINE_MAX: u32 = 16;

/// An answer that is due, and what is released once it is sent.
struct Due {
    answer: Pending,
    _turn: OwnedSemaphorePermit,
    _share: Option<Share>,
}

/// Serves a client until it goes, does not read, or says something that cannot be understood.
pub(crate) async fn serve(
    broker: Arc<Broker>,
    (read_half, write_half): (impl AsyncRead + Unpin, impl AsyncWrite + Unpin),
    peer: Peer,
) -> io::Result<()> {
    let (sender, receiver) = mpsc::channel(PIPELINE_MAX as usize);
    let mut writing = pin!(write_answers(write_half, receiver, broker.options.idle_max));
    let mut reading = pin!(read_requests(broker, read_half, peer, sender));
    // Whichever ends first ends the other, and with it what the client waited for.
    poll_fn(|context| match writing.as_mut().poll(context) {
        Poll::Ready(outcome) => Poll::Ready(outcome),
        Poll::Pending => reading.as_mut().poll(context),
    })
    .await
}

/// Serves one client without a listener: for tests that bring its bytes themselves. It must run on a runtime of
/// several threads, and nobody tells the groups the time.
#[doc(hidden)]
pub async fn serve_stream(
    log: Arc<EmbeddedLog>,
    options: BrokerOptions,
    stream: impl AsyncRead + AsyncWrite,
) -> io::Result<()> {
    let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 9092));
    serve(Arc::new(Broker::new(log, options)), split(stream), Peer { remote: local, local }).await
}

async fn read_requests(
    broker: Arc<Broker>,
    stream: impl AsyncRead + Unpin,
    peer: Peer,
    sender: mpsc::Sender<Due>,
) -> io::Result<()> {
    let idle_max = broker.options.idle_max;
    let turns = Arc::new(Semaphore::new(PIPELINE_MAX as usize));
    let mut frames = FrameReader::new(stream, broker.requests.clone(), broker.options.request_bytes_max);
    loop {
        // Read ahead of its turn, so that the end of a client that waits for an answer is noticed.
        let Frame { bytes, share } =
            frames.next(idle_max, || turns.available_permits() < PIPELINE_MAX as usize).await?;
        let Some((call, body)) = open(&broker, peer, bytes) else { return Ok(()) };
        let needed = if call.api.is_pipelined { 1 } else { PIPELINE_MAX };
        let Ok(turn) = Arc::clone(&turns).acquire_many_owned(needed).await else { return Ok(()) };
        let answer = api::run(call, body);
        if sender.send(Due { answer, _turn: turn, _share: share }).await.is_err() {
            return Ok(());
        }
    }
}

/// Takes the header off a request; `None` if nothing can be answered.
fn open(broker: &Arc<Broker>, peer: Peer, mut frame: bytes::Bytes) -> Option<(Call, bytes::Bytes)> {
    let (&[k0, k1, v0, v1, c0, c1, c2, c3, l0, l1], _) = frame.split_first_chunk::<10>()?;
    let api: &'static Api = api::find(i16::from_be_bytes([k0, k1]))?;
    let version = i16::from_be_bytes([v0, v1]);
    let _ = frame.split_to(10);
    let client_id = match i16::from_be_bytes([l0, l1]) {
        -1 => None,
        length => {
            let length = usize::try_from(length).ok().filter(|length| *length <= frame.len())?;
            Some(StrBytes::from_utf8(frame.split_to(length)).ok()?)
        }
    };
    let call = Call {
        broker: Arc::clone(broker),
        api,
        version,
        correlation_id: i32::from_be_bytes([c0, c1, c2, c3]),
        client_id,
        peer,
    };
    if api.understands(version) && api.shape.is_flexible(version) {
        // Nobody has given tagged fields of the header a meaning.
        skip_tags(&mut frame)?;
    }
    Some((call, frame))
}

fn skip_tags(frame: &mut bytes::Bytes) -> Option<()> {
    let mut rest: &[u8] = frame;
    for _ in 0..crate::shape::varint(&mut rest)? {
        crate::shape::varint(&mut rest)?;
        let size = crate::shape::varint(&mut rest)? as usize;
        rest = rest.get(size..)?;
    }
    let skipped = frame.len() - rest.len();
    let _ = frame.split_to(skipped);
    Some(())
}

async fn write_answers(
    mut stream: impl AsyncWrite + Unpin,
    mut due: mpsc::Receiver<Due>,
    stalled_max: Duration,
) -> io::Result<()> {
    while let Some(Due { answer, _turn, _share }) = due.recv().await {
        let Ok(reply) = answer.await else { return Ok(()) };
        if !reply.frame.is_empty() {
            timeout(stalled_max, stream.write_all(&reply.frame)).await.map_err(|_| io::ErrorKind::TimedOut)??;
        }
    }
    Ok(())
}
