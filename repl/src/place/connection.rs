//! A connection that speaks the Kafka protocol, one request after the other.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};

use crate::failure::{Failure, Result};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A server that has not answered for so long, whatever it was asked, has gone.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// No answer that was asked for is longer.
const ANSWER_BYTES_MAX: usize = 256 << 20;

pub(super) struct Connection {
    stream: TcpStream,
    address: String,
    /// The number of the next request, and of the next answer.
    next_sent: i32,
    next_received: i32,
}

impl Connection {
    pub(super) fn open(address: &str) -> Result<Self> {
        let failed = |error: io::Error| Failure::unavailable(format!("cannot connect to {address}: {error}"));
        let resolved = address.to_socket_addrs().map_err(|error| {
            Failure::usage(format!("cannot connect to {address}: {error}\nhelp: an address is HOST:PORT"))
        })?;
        let mut refused = io::Error::new(ErrorKind::NotFound, "it has no address");
        for candidate in resolved {
            match TcpStream::connect_timeout(&reachable(candidate), CONNECT_TIMEOUT) {
                Ok(stream) => {
                    stream.set_nodelay(true).map_err(failed)?;
                    stream.set_read_timeout(Some(ANSWER_TIMEOUT)).map_err(failed)?;
                    stream.set_write_timeout(Some(ANSWER_TIMEOUT)).map_err(failed)?;
                    return Ok(Self { stream, address: address.to_owned(), next_sent: 0, next_received: 0 });
                }
                Err(error) => refused = error,
            }
        }
        Err(failed(refused))
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Sends a request whose answer [`Connection::receive`] gives later; answers come in the order of the requests.
    pub(super) fn send<R: Request>(&mut self, request: &R, version: i16) -> Result<()> {
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.next_sent)
            .with_client_id(Some(StrBytes::from_static_str("millstream")));
        self.next_sent = self.next_sent.wrapping_add(1);
        let mut frame = BytesMut::new();
        frame.put_i32(0);
        let encoded = header.encode(&mut frame, R::header_version(version));
        encoded.and_then(|()| request.encode(&mut frame, version)).map_err(|error| self.garbled(&error))?;
        let length = i32::try_from(frame.len() - 4).map_err(|error| self.garbled(&error))?;
        if let Some(place) = frame.get_mut(..4) {
            place.copy_from_slice(&length.to_be_bytes());
        }
        let sent = self.stream.write_all(&frame);
        sent.map_err(|error| self.broken(&error))
    }

    /// The answer to the oldest request that has none yet, which must be of this type and version.
    pub(super) fn receive<R: Request>(&mut self, version: i16) -> Result<R::Response> {
        let mut frame = self.read_frame().map_err(|error| self.broken(&error))?;
        let header = ResponseHeader::decode(&mut frame, R::Response::header_version(version));
        let header = header.map_err(|error| self.garbled(&error))?;
        if header.correlation_id != self.next_received {
            return Err(self.garbled(&"an answer to another request"));
        }
        self.next_received = self.next_received.wrapping_add(1);
        R::Response::decode(&mut frame, version).map_err(|error| self.garbled(&error))
    }

    /// Sends a request and waits for its answer.
    pub(super) fn ask<R: Request>(&mut self, request: &R, version: i16) -> Result<R::Response> {
        self.send(request, version)?;
        self.receive::<R>(version)
    }

    fn read_frame(&mut self) -> io::Result<Bytes> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let length = usize::try_from(i32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > ANSWER_BYTES_MAX {
            return Err(io::Error::new(ErrorKind::InvalidData, "it does not speak the Kafka protocol"));
        }
        let mut frame = Vec::new();
        // Room is made as bytes come, not as they are announced.
        let read = (&mut self.stream).take(length as u64).read_to_end(&mut frame)?;
        if read < length { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(Bytes::from(frame)) }
    }

    fn broken(&self, error: &io::Error) -> Failure {
        let reason = match error.kind() {
            ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
                "it has closed the connection".to_owned()
            }
            ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                format!("it has not answered for {} s", ANSWER_TIMEOUT.as_secs())
            }
            _ => error.to_string(),
        };
        Failure::unavailable(format!("lost the connection to {}: {reason}", self.address))
    }

    fn garbled(&self, reason: &dyn std::fmt::Display) -> Failure {
        Failure::unavailable(format!("cannot understand {}: {reason}", self.address))
    }
}

/// Who listens everywhere is reached on this machine.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
