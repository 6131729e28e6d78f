//! One connection: requests are answered in the order in which they came.

use std::future::{Future, poll_fn};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use kafka_protocol::protocol::StrBytes;
use millstream_log::EmbeddedLog;
use tokio::io::{AsyncRead, AsyncWrite, split};
use tokio::sync::{Semaphore, mpsc};

use crate::BrokerOptions;
use crate::answers::{self, Due};
use crate::api::{self, Api};
use crate::broker::Broker;
use crate::call::{Call, Peer};
use crate::frame::FrameReader;
use crate::outlet::Outlet;
use crate::text::detached;

/// So many appends of one connection may wait for the disk together; every other request waits for those before it and
/// is waited for, so that a connection never holds more than one answer of some size.
const PIPELINE_MAX: u32 = 16;

/// Serves a client until it goes, does not read, or says something that cannot be understood.
pub(crate) async fn serve(
    broker: Arc<Broker>,
    (read_half, write_half): (impl AsyncRead + Unpin, impl Outlet),
    peer: Peer,
) -> io::Result<()> {
    let (sender, receiver) = mpsc::channel(PIPELINE_MAX as usize);
    let (budget, stalled_max) = (broker.answers.clone(), broker.options.idle_max);
    let mut writing = pin!(answers::send_all(write_half, receiver, budget, stalled_max));
    let mut reading = pin!(read_requests(broker, read_half, peer, sender));
    let is_written = poll_fn(|context| match writing.as_mut().poll(context) {
        Poll::Ready(outcome) => Poll::Ready(outcome.map(|()| true)),
        Poll::Pending => reading.as_mut().poll(context).map_ok(|()| false),
    });
    // Who says no more may have asked for something before, and it is done; any failure ends all that is under way.
    if is_written.await? { Ok(()) } else { writing.await }
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
    let broker = Arc::new(Broker::new(Arc::clone(&log), options));
    let mut serving = pin!(serve(broker, split(stream), Peer { remote: local, local }));
    poll_fn(|context| {
        let served = serving.as_mut().poll(context);
        // There is no listener, whose task does this.
        log.flush();
        served
    })
    .await
}

/// Takes up requests until the client says no more; fails if it has gone while it waited for others.
async fn read_requests(
    broker: Arc<Broker>,
    stream: impl AsyncRead + Unpin,
    peer: Peer,
    sender: mpsc::Sender<Due>,
) -> io::Result<()> {
    let idle_max = broker.options.idle_max;
    let turns = Arc::new(Semaphore::new(PIPELINE_MAX as usize));
    let mut frames = FrameReader::new(stream, broker.requests.clone(), broker.options.request_bytes_max);
    let mut waits_for_others = false;
    loop {
        // Its beginning is read ahead of its turn, so that the end of a client that waits for an answer is noticed; the rest
        // would hold memory while it waits.
        let begun = match frames.begin(idle_max, || turns.available_permits() < PIPELINE_MAX as usize).await {
            Err(error) if is_end(&error) && !waits_for_others => return Ok(()),
            begun => begun?,
        };
        let api = begun.key.and_then(api::find);
        let needed = if api.is_some_and(|api| api.is_pipelined) { 1 } else { PIPELINE_MAX };
        let mut turn = pin!(Arc::clone(&turns).acquire_many_owned(needed));
        let turn = match before_end(turn.as_mut(), &mut frames).await {
            // What came before the end is still to be done.
            Err(error) if is_end(&error) && !waits_for_others && frames.has_all(&begun) => turn.await,
            turn => turn?,
        };
        let frame = match frames.finish(begun).await {
            Err(error) if is_end(&error) => return Ok(()),
            frame => frame?,
        };
        let (Ok(turn), Some((call, body))) = (turn, open(&broker, peer, frame)) else { return Ok(()) };
        waits_for_others = call.api.waits_for_others;
        let answer = api::run(call, body);
        if sender.send(Due { answer, turn }).await.is_err() {
            return Ok(());
        }
    }
}

fn is_end(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::UnexpectedEof
}

/// Waits for something, but not longer than the peer is there.
async fn before_end<T>(
    mut wait: Pin<&mut impl Future<Output = T>>,
    frames: &mut FrameReader<impl AsyncRead + Unpin>,
) -> io::Result<T> {
    let mut end = pin!(frames.end());
    poll_fn(|context| match wait.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Ok(done)),
        Poll::Pending => end.as_mut().poll(context).map(Err),
    })
    .await
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
            // A call may wait for long, and must not keep the whole request.
            Some(detached(&StrBytes::from_utf8(frame.split_to(length)).ok()?))
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
