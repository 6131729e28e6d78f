//! Frames: a length of four bytes and as many bytes.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};
use tokio::time::{Instant, timeout, timeout_at};

use crate::budget::{Budget, Share};

/// So much of a frame is not counted against the memory that all connections share.
const SMALL_BYTES: usize = 16 << 10;
/// A frame of up to this size, which is what clients send unless told otherwise, gets all of its memory at once; a
/// larger one twice what it has each time, so that announcing much takes nothing from others.
const STEP_BYTES: usize = 1 << 20;
/// Each piece of a frame must come within this time, and if there is no memory for it, somebody else's must be free.
const PIECE_BYTES: usize = 1 << 20;
const PIECE_MAX: Duration = Duration::from_secs(30);
/// What is read at a time while the length is not known.
const READ_BYTES: usize = 8 << 10;

/// One request's bytes, and its share of the memory for requests until it has been answered.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) bytes: Bytes,
    pub(crate) share: Option<Share>,
}

/// Reads frames.
pub(crate) struct FrameReader<R> {
    stream: R,
    buffer: BytesMut,
    budget: Budget,
    bytes_max: usize,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    pub(crate) fn new(stream: R, budget: Budget, bytes_max: usize) -> Self {
        Self { stream, buffer: BytesMut::new(), budget, bytes_max }
    }

    /// The next frame, or why there will be none: the peer has gone, is too slow, or does not speak this protocol.
    /// `is_busy` says whether an answer is due, so that silence is no idleness.
    pub(crate) async fn next(&mut self, idle_max: Duration, is_busy: impl Fn() -> bool) -> io::Result<Frame> {
        let length = loop {
            if let Some(length) = self.buffer.first_chunk::<4>() {
                break usize::try_from(i32::from_be_bytes(*length)).unwrap_or(usize::MAX);
            }
            match timeout(idle_max, self.read_some()).await {
                Ok(read) => read?,
                Err(_) if self.buffer.is_empty() && is_busy() => {}
                Err(_) => return Err(io::ErrorKind::TimedOut.into()),
            }
        };
        if length > self.bytes_max {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame is longer than socket.request.max.bytes"));
        }
        self.buffer.advance(4);
        let share = self.fill(length).await?;
        let rest = self.buffer.split_off(length.min(self.buffer.len()));
        // An empty rest would keep the frame's memory while the connection is idle.
        let rest = if rest.is_empty() { BytesMut::new() } else { rest };
        Ok(Frame { bytes: std::mem::replace(&mut self.buffer, rest).freeze(), share })
    }

    /// Reads what there is. There is no buffer while there is nothing: most connections are idle.
    async fn read_some(&mut self) -> io::Result<()> {
        poll_fn(|context| {
            let mut space = [MaybeUninit::uninit(); READ_BYTES];
            let mut read = ReadBuf::uninit(&mut space);
            ready!(Pin::new(&mut self.stream).poll_read(context, &mut read))?;
            self.buffer.extend_from_slice(read.filled());
            Poll::Ready(at_least_one(read.filled().len()))
        })
        .await
    }

    /// Reads until the buffer has `length` bytes, of which what exceeds a small frame is shared memory.
    async fn fill(&mut self, length: usize) -> io::Result<Option<Share>> {
        let mut share = None;
        let mut room = SMALL_BYTES;
        self.fill_to(length.min(room)).await?;
        while room < length {
            room = (2 * room).max(STEP_BYTES);
            let growing = self.budget.grow(&mut share, room.min(length));
            if room == STEP_BYTES {
                growing.await;
            } else {
                // Frames that hold memory while they wait for more could wait for each other.
                timeout(PIECE_MAX, growing).await?;
            }
            self.fill_to(length.min(room)).await?;
        }
        Ok(share)
    }

    /// Reads until the buffer has `length` bytes, and not more unless it has.
    async fn fill_to(&mut self, length: usize) -> io::Result<()> {
        self.buffer.reserve(length.saturating_sub(self.buffer.len()));
        while self.buffer.len() < length {
            let piece = length.min(self.buffer.len() + PIECE_BYTES);
            let deadline = Instant::now() + PIECE_MAX;
            while self.buffer.len() < piece {
                let missing = (length - self.buffer.len()) as u64;
                let mut stream = (&mut self.stream).take(missing);
                at_least_one(timeout_at(deadline, stream.read_buf(&mut self.buffer)).await??)?;
            }
        }
        Ok(())
    }
}

fn at_least_one(read: usize) -> io::Result<()> {
    if read == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}
