//! Where answers go.

use std::future::Future;
use std::io;

use millstream_log::Extent;
use tokio::io::{AsyncWrite, AsyncWriteExt, WriteHalf};
use tokio::net::tcp::OwnedWriteHalf;

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
