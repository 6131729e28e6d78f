//! A connection that sends requests of any version and reads their responses.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{ApiKey, RequestHeader, RequestKind, ResponseHeader, ResponseKind};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};

/// Every request is answered sooner.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connection to one broker.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    address: String,
}

impl Connection {
    pub(crate) fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap_or_else(|error| panic!("{address}: {error}"));
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { stream, address: address.to_owned() }
    }

    pub(crate) fn send(&mut self, key: ApiKey, version: i16, request: &RequestKind) {
        let header = RequestHeader::default()
            .with_request_api_key(key as i16)
            .with_request_api_version(version)
            .with_correlation_id(7)
            .with_client_id(Some(StrBytes::from_static_str("differential")));
        let mut body = BytesMut::new();
        header.encode(&mut body, key.request_header_version(version)).unwrap();
        request.encode(&mut body, version).unwrap_or_else(|error| panic!("{key:?} {version}: {error}: {request:?}"));
        if std::env::var_os("MILLSTREAM_TRACE").is_some() {
            eprintln!("{} {key:?} {version} -> {request:?}", self.address);
        }
        let mut frame = BytesMut::with_capacity(body.len() + 4);
        frame.put_u32(body.len() as u32);
        frame.put_slice(&body);
        self.stream.write_all(&frame).unwrap();
    }

    /// Whether a response comes within this time.
    pub(crate) fn has_answer(&self, within: Duration) -> bool {
        self.stream.set_read_timeout(Some(within)).unwrap();
        let has_answer = self.stream.peek(&mut [0]).is_ok();
        self.stream.set_read_timeout(Some(PATIENCE)).unwrap();
        has_answer
    }

    /// The response; `None` if the broker closes the connection instead.
    pub(crate) fn receive(&mut self, key: ApiKey, version: i16) -> Option<ResponseKind> {
        let mut length = [0; 4];
        if let Err(error) = self.stream.read_exact(&mut length) {
            assert!(error.kind() != ErrorKind::WouldBlock, "{}: {key:?} {version} is not answered", self.address);
            *self = Self::open(&self.address);
            return None;
        }
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut frame).unwrap();
        let mut frame = Bytes::from(frame);
        ResponseHeader::decode(&mut frame, key.response_header_version(version)).unwrap();
        let response = ResponseKind::decode(key, &mut frame, version)
            .unwrap_or_else(|error| panic!("{}: {key:?} {version}: {error}", self.address));
        assert!(frame.remaining() == 0, "{}: {key:?} {version}: {} bytes are left", self.address, frame.remaining());
        if std::env::var_os("MILLSTREAM_TRACE").is_some() {
            eprintln!("{} {key:?} {version} <- {response:?}", self.address);
        }
        Some(response)
    }
}
