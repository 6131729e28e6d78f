//! Frames: a length of four bytes and as many bytes.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

/// Smaller frames are not counted against the memory that all connections share.
const SMALL_BYTES: usize = 64 << 10;
/// A frame that has begun must end within this time and what its size takes at a slow line's speed.
const SLOWEST: Duration = Duration::from_secs(30);
const SLOWEST_BYTES_PER_SECOND: u64 = 64 << 10;
/// What is read at a time while the length is not known.
const READ_BYTES: usize = 8 << 10;

/// Memory that connections share, in units of 1 KiB.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    free: Arc<Semaphore>,
    units: usize,
}

impl Budget {
    pub(crate) fn new(bytes: usize) -> Self {
        let units = (bytes >> 10).min(Semaphore::MAX_PERMITS).min(u32::MAX as usize);
        Self { free: Arc::new(Semaphore::new(units)), units }
    }

    fn units_of(&self, bytes: usize) -> u32 {
        u32::try_from((bytes >> 10).clamp(1, self.units)).unwrap_or(u32::MAX)
    }

    /// Waits for so much memory.
    async fn take(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.free).acquire_many_owned(self.units_of(bytes)).await.ok()
    }

    /// So much memory if it is free.
    pub(crate) fn try_take(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.free).try_acquire_many_owned(self.units_of(bytes)).ok()
    }
}

/// One request's bytes, and its share of the memory for requests until it has been answered.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) bytes: Bytes,
    pub(crate) share: Option<OwnedSemaphorePermit>,
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
            self.buffer.reserve(READ_BYTES);
            match timeout(idle_max, self.stream.read_buf(&mut self.buffer)).await {
                Ok(read) => at_least_one(read?)?,
                Err(_) if self.buffer.is_empty() && is_busy() => {}
                Err(_) => return Err(io::ErrorKind::TimedOut.into()),
            }
        };
        if length > self.bytes_max {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame is longer than socket.request.max.bytes"));
        }
        let share = if length > SMALL_BYTES { self.budget.take(length).await } else { None };
        self.buffer.advance(4);
        self.buffer.reserve(length.saturating_sub(self.buffer.len()));
        let deadline = Instant::now() + SLOWEST + Duration::from_secs(length as u64 / SLOWEST_BYTES_PER_SECOND);
        while self.buffer.len() < length {
            match timeout_at(deadline, self.stream.read_buf(&mut self.buffer)).await {
                Ok(read) => at_least_one(read?)?,
                Err(_) => return Err(io::ErrorKind::TimedOut.into()),
            }
        }
        Ok(Frame { bytes: self.buffer.split_to(length).freeze(), share })
    }
}

fn at_least_one(read: usize) -> io::Result<()> {
    if read == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}
