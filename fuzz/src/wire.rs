//! A client in memory: it has said all that it will say, and takes every answer.

use std::io::Result;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What has gone over the wire.
#[derive(Default)]
pub struct Traffic {
    unread: Vec<u8>,
    position: usize,
    /// What the broker has written.
    pub answers: Vec<u8>,
}

impl Traffic {
    /// Grows with every byte that is read or written.
    pub fn progress(&self) -> usize {
        self.position + self.answers.len()
    }
}

/// The broker's end of the wire. Where the client's bytes end there is silence, not the end of the connection, so
/// that the last answer is given.
#[derive(Clone, Default)]
pub struct Wire(Arc<Mutex<Traffic>>);

impl Wire {
    /// A client that says this.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(Traffic { unread: bytes, ..Traffic::default() })))
    }

    /// Looks at the traffic.
    pub fn look<T>(&self, look: impl FnOnce(&mut Traffic) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        self.look(|traffic| {
            let rest = &traffic.unread[traffic.position..];
            if rest.is_empty() {
                return Poll::Pending;
            }
            let length = rest.len().min(buffer.remaining());
            buffer.put_slice(&rest[..length]);
            traffic.position += length;
            Poll::Ready(Ok(()))
        })
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        self.look(|traffic| traffic.answers.extend_from_slice(bytes));
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }
}
