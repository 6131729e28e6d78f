//! Accepts connections, on threads of its own.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use millstream_log::EmbeddedLog;
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;

use crate::broker::Broker;
use crate::call::Peer;
use crate::{BrokerOptions, Error, Result, connection, flush, groups, retention};

/// So many connections may come at once before they are accepted, as far as the system allows; beyond that clients
/// have to try again, which takes them a second.
const BACKLOG: u32 = 4_096;
/// After so many steps of connections it is looked at what has come in: each may send a MiB, and the flush waits for that.
const EVENT_INTERVAL: u32 = 16;
/// The congestion control of connections within the machine: nothing is congested there, but one that paces (BBR) may
/// spend more on its timers than sending takes. This one every Linux has and lets everybody choose.
#[cfg(target_os = "linux")]
const UNPACED: &str = "reno";
/// How long to wait when the system has no more file handles to give.
const EXHAUSTED_DELAY: Duration = Duration::from_millis(100);

/// A running listener. Dropping it closes its connections.
#[derive(Debug)]
pub struct Listener {
    addresses: Vec<SocketAddr>,
    /// Taken when the listener is dropped.
    runtime: Option<Runtime>,
}

impl Listener {
    /// Listens on every address, each of which must be free.
    ///
    /// # Errors
    /// [`Error::Listen`] if an address cannot be listened on, [`Error::Threads`].
    pub fn start(log: Arc<EmbeddedLog>, options: BrokerOptions) -> Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(workers())
            .thread_name("broker")
            .event_interval(EVENT_INTERVAL)
            .enable_all()
            .build()
            .map_err(Error::Threads)?;
        let context = runtime.enter();
        let mut sockets = Vec::new();
        for address in &options.listeners {
            let failed = |source| Error::Listen { address: address.clone(), source };
            for resolved in address.to_socket_addrs().map_err(failed)? {
                sockets.push(bind(resolved).map_err(failed)?);
            }
        }
        let addresses = sockets.iter().filter_map(|socket| socket.local_addr().ok()).collect();
        let broker = Arc::new(Broker::new(log, options));
        runtime.spawn(flush::drive(Arc::clone(&broker)));
        runtime.spawn(groups::drive(Arc::clone(&broker)));
        runtime.spawn(retention::drive(Arc::clone(&broker)));
        let places = Arc::new(Semaphore::new(broker.options.connections_max));
        for socket in sockets {
            runtime.spawn(accept(socket, Arc::clone(&broker), Arc::clone(&places)));
        }
        drop(context);
        Ok(Self { addresses, runtime: Some(runtime) })
    }

    /// The addresses that clients can connect to.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // The log must be free when this returns; a handler at work ends within moments.
            runtime.shutdown_timeout(Duration::from_secs(5));
        }
    }
}

/// How many threads serve clients: half as many as there are cores, so that the journal and the queries have the others. A
/// second one on two cores wakes and sleeps more than it serves.
fn workers() -> usize {
    thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1))
}

fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // As programs do that listen: connections of before that are still closing do not hold the port.
    socket.set_reuseaddr(cfg!(unix))?;
    #[cfg(target_os = "linux")]
    if address.ip().is_loopback() {
        // Connections have it from here; where it may not be set, the system's.
        let _ = rustix::net::sockopt::set_tcp_congestion(&socket, UNPACED);
    }
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

async fn accept(socket: TcpListener, broker: Arc<Broker>, places: Arc<Semaphore>) {
    loop {
        let Ok((stream, remote)) = socket.accept().await else {
            tokio::time::sleep(EXHAUSTED_DELAY).await;
            continue;
        };
        // Without a place the connection is closed at once.
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        let (Ok(local), Ok(())) = (stream.local_addr(), stream.set_nodelay(true)) else { continue };
        let broker = Arc::clone(&broker);
        tokio::spawn(async move {
            // A connection that ends by an error has nobody left to tell.
            let _ = connection::serve(broker, stream.into_split(), Peer { remote, local }).await;
            drop(place);
        });
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use rustix::net::sockopt::tcp_congestion;
    use tokio::net::TcpStream;

    use super::*;

    #[test]
    fn connections_within_the_machine_are_not_paced() {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
            let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (connection, _) = listener.accept().await.unwrap();
            assert_eq!(tcp_congestion(&connection).unwrap(), UNPACED);
            let everywhere = bind(SocketAddr::from(([0, 0, 0, 0], 0))).unwrap();
            let systems = TcpSocket::new_v4().unwrap();
            assert_eq!(tcp_congestion(&everywhere).unwrap(), tcp_congestion(&systems).unwrap());
        });
    }
}
