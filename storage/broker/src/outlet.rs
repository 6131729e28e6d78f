//! Where answers go.

use std::future::Future;
use std::io;
#[cfg(target_os = "linux")]
use std::{io::IoSliceMut, os::fd::BorrowedFd};

use millstream_log::Extent;
#[cfg(target_os = "linux")]
use rustix::io::{Errno, ReadWriteFlags, preadv2};
use tokio::io::{AsyncWrite, AsyncWriteExt, WriteHalf};
use tokio::net::tcp::OwnedWriteHalf;
#[cfg(target_os = "linux")]
use tokio::task::block_in_place;

/// What is sent of a file at a time.
const FILE_BYTES: usize = 1 << 20;
/// What is copied of it where the system cannot send it by itself.
const COPY_BYTES: usize = 64 << 10;

/// The writing half of a connection.
pub(crate) trait Outlet: AsyncWrite + Unpin {
    /// Sends the beginning of an extent, and returns how much of it.
    fn send(&mut self, extent: &Extent) -> impl Future<Output = io::Result<usize>>;
}

impl Outlet for OwnedWriteHalf {
    /// The system takes the bytes from the file's pages: nothing is copied here (sendfile(2)).
    #[cfg(target_os = "linux")]
    async fn send(&mut self, extent: &Extent) -> io::Result<usize> {
        use tokio::io::Interest;
        use tokio::net::TcpStream;
        let Some((file, position)) = extent.in_file() else { return copy(self, extent).await };
        let stream: &TcpStream = (*self).as_ref();
        let length = extent.len().min(FILE_BYTES);
        let send = || Ok(rustix::fs::sendfile(stream, file, Some(&mut { position }), length)?);
        let send = || if is_in_memory(file, position, length) { send() } else { block_in_place(send) };
        match stream.async_io(Interest::WRITABLE, send).await {
            // The file has been cut, and the client has been told that more comes.
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            sent => sent,
        }
    }

    #[cfg(not(target_os = "linux"))]
    async fn send(&mut self, extent: &Extent) -> io::Result<usize> {
        copy(self, extent).await
    }
}

/// Whether the system need not read this part of a file from the disk, as far as its beginning and its end tell: who
/// waits for a disk is not to keep the thread from others.
#[cfg(target_os = "linux")]
fn is_in_memory(file: BorrowedFd<'_>, position: u64, length: usize) -> bool {
    let is_there = |at: u64| {
        let mut byte = [0];
        let read = preadv2(file, &mut [IoSliceMut::new(&mut byte)], at, ReadWriteFlags::NOWAIT);
        // Whatever else is wrong is for who sends it to find.
        read != Err(Errno::AGAIN)
    };
    is_there(position) && is_there(position + (length as u64).saturating_sub(1))
}

impl<S: AsyncWrite> Outlet for WriteHalf<S> {
    async fn send(&mut self, extent: &Extent) -> io::Result<usize> {
        copy(self, extent).await
    }
}

pub(crate) async fn copy(stream: &mut (impl AsyncWrite + Unpin), extent: &Extent) -> io::Result<usize> {
    let mut bytes = vec![0; extent.len().min(COPY_BYTES)];
    let read = extent.read(&mut bytes)?;
    stream.write(bytes.get(..read).unwrap_or_default()).await
}
