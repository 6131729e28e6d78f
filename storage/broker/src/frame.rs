//! Frames: a length of four bytes and as many bytes.

use std::future::{pending, poll_fn};
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};
use tokio::time::timeout;

use crate::budget::{Budget, Share};
use crate::pace::Pace;

/// So much of a frame is not counted against the memory that all connections share: a batch as clients make them by
/// default, with what is around it.
const SMALL_BYTES: usize = 17 << 10;
/// Each piece of a frame must come within this time, and if there is no memory for it, somebody else's must be free.
const PIECE_BYTES: usize = 1 << 20;
const PIECE_MAX: Duration = Duration::from_secs(30);
/// But who holds some waits only so long for more: many that do keep it from everybody.
const HOLDING_MAX: Duration = Duration::from_secs(3);
/// So much is there at most of what is not counted: a small frame, and what of the next one came with it, since each read
/// takes the system a microsecond.
const UNCOUNTED_BYTES_MAX: usize = 24 << 10;

/// A frame's bytes and their share of the memory for requests, which goes with the last part of them.
struct Counted {
    bytes: Bytes,
    _share: Share,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// A frame of which the beginning is there: all of it if it is small.
#[derive(Debug)]
pub(crate) struct Begun {
    length: usize,
    /// The kind of request; `None` if it is too short for one.
    pub(crate) key: Option<i16>,
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

    /// Reads the beginning of the next frame, or why there will be none: the peer has gone, is too slow, or does not
    /// speak this protocol. `is_busy` says whether an answer is due, so that silence is no idleness.
    pub(crate) async fn begin(&mut self, idle_max: Duration, is_busy: impl Fn() -> bool) -> io::Result<Begun> {
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
        timeout(PIECE_MAX, self.fill_small(length)).await??;
        let key = self.buffer.first_chunk::<2>().filter(|_| length >= 2);
        Ok(Begun { length, key: key.map(|key| i16::from_be_bytes(*key)) })
    }

    /// Reads ahead as far as it is not counted, and returns once the peer has gone.
    pub(crate) async fn end(&mut self) -> io::Error {
        match self.fill_small(SMALL_BYTES).await {
            Ok(()) => pending().await,
            Err(error) => error,
        }
    }

    /// Whether all of the frame that has begun is there.
    pub(crate) fn has_all(&self, begun: &Begun) -> bool {
        self.buffer.len() >= begun.length
    }

    /// The frame that has begun.
    pub(crate) async fn finish(&mut self, Begun { length, .. }: Begun) -> io::Result<Bytes> {
        let share = self.fill(length).await?;
        let rest = self.buffer.split_off(length.min(self.buffer.len()));
        // An empty rest would keep the frame's memory while the connection is idle.
        let rest = if rest.is_empty() { BytesMut::new() } else { rest };
        let bytes = std::mem::replace(&mut self.buffer, rest).freeze();
        Ok(if share.is_some() { Bytes::from_owner(Counted { bytes, _share: share }) } else { bytes })
    }

    /// Reads what there is, as far as it is not counted. There is no buffer while there is nothing: most connections are idle.
    async fn read_some(&mut self) -> io::Result<()> {
        poll_fn(|context| {
            let mut space = [MaybeUninit::uninit(); UNCOUNTED_BYTES_MAX];
            let room = UNCOUNTED_BYTES_MAX.saturating_sub(self.buffer.len());
            let mut read = ReadBuf::uninit(space.get_mut(..room).unwrap_or_default());
            ready!(Pin::new(&mut self.stream).poll_read(context, &mut read))?;
            self.buffer.extend_from_slice(read.filled());
            Poll::Ready(at_least_one(read.filled().len()))
        })
        .await
    }

    /// Reads what is not counted of a frame.
    async fn fill_small(&mut self, length: usize) -> io::Result<()> {
        while self.buffer.len() < length.min(SMALL_BYTES) {
            self.read_some().await?;
        }
        Ok(())
    }

    /// Reads a frame that has begun, of which what exceeds a small one is shared memory.
    async fn fill(&mut self, length: usize) -> io::Result<Share> {
        let mut share = Share::default();
        let mut room = SMALL_BYTES;
        while room < length {
            // Twice what has come, so that announcing much takes little from others; while there is plenty, a piece at once,
            // since growing is copying.
            room = if self.budget.is_plenty() { room.max(PIECE_BYTES / 2) * 2 } else { room * 2 };
            let patience = if share.is_some() { HOLDING_MAX } else { PIECE_MAX };
            timeout(patience, self.budget.grow(&mut share, room.min(length) - SMALL_BYTES, length)).await?;
            self.fill_to(length.min(room)).await?;
        }
        Ok(share)
    }

    /// Reads until the buffer has `length` bytes, and not more unless it has.
    async fn fill_to(&mut self, length: usize) -> io::Result<()> {
        self.buffer.reserve(length.saturating_sub(self.buffer.len()));
        while self.buffer.len() < length {
            let piece = length.min(self.buffer.len() + PIECE_BYTES);
            let mut pace = Pace::new(Some(&self.budget), PIECE_MAX);
            while self.buffer.len() < piece {
                let missing = (length - self.buffer.len()) as u64;
                let mut stream = (&mut self.stream).take(missing);
                at_least_one(pace.part(stream.read_buf(&mut self.buffer)).await?)?;
            }
        }
        Ok(())
    }
}

fn at_least_one(read: usize) -> io::Result<()> {
    if read == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::task::Context;

    use tokio::runtime::Builder;

    use super::*;

    /// Bytes that are all there, and how often they were asked for.
    struct Sent {
        bytes: Vec<u8>,
        reads: usize,
    }

    impl AsyncRead for Sent {
        fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            let some = into.remaining().min(self.bytes.len());
            into.put_slice(&self.bytes[..some]);
            self.bytes.drain(..some);
            self.reads += 1;
            Poll::Ready(Ok(()))
        }
    }

    /// How many reads frames of such lengths take.
    fn reads(lengths: &[usize]) -> usize {
        let frame = |(at, length): (usize, &usize)| vec![at as u8; *length];
        let sent: Vec<Vec<u8>> = lengths.iter().enumerate().map(frame).collect();
        let bytes = sent.iter().flat_map(|frame| [&(frame.len() as u32).to_be_bytes(), &frame[..]].concat()).collect();
        let stream = Sent { bytes, reads: 0 };
        let mut frames = FrameReader::new(stream, Budget::new(1 << 30), 1 << 30);
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        for expected in &sent {
            let frame = runtime.block_on(async {
                let begun = frames.begin(PIECE_MAX, || false).await?;
                assert_eq!(begun.length, expected.len());
                frames.finish(begun).await
            });
            assert_eq!(frame.unwrap(), expected);
            assert!(frames.buffer.len() <= UNCOUNTED_BYTES_MAX);
        }
        assert!(frames.buffer.is_empty());
        let end = runtime.block_on(frames.begin(PIECE_MAX, || false));
        assert_eq!(end.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        frames.stream.reads - 1
    }

    #[test]
    fn small_frames_take_a_read_each_or_less() {
        assert_eq!(reads(&[]), 0);
        assert_eq!(reads(&[0, 1, 4000, 4000]), 1);
        assert!(reads(&[16_400; 32]) <= 32);
    }

    #[test]
    fn frames_of_any_length_follow_each_other() {
        let edges = [SMALL_BYTES, UNCOUNTED_BYTES_MAX, PIECE_BYTES].map(|edge| [edge - 5, edge - 4, edge, edge + 1, 3]);
        reads(&edges.concat());
    }
}
