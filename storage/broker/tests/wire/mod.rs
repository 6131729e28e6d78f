//! Speaks the protocol by hand, as no client would.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use millstream_broker::{BrokerOptions, Listener};
use millstream_log::{EmbeddedLog, LogOptions};

pub(crate) fn start(options: BrokerOptions) -> (Arc<EmbeddedLog>, Listener, SocketAddr) {
    start_over(LogOptions::in_memory(), options)
}

pub(crate) fn start_over(log: LogOptions, options: BrokerOptions) -> (Arc<EmbeddedLog>, Listener, SocketAddr) {
    let log = Arc::new(EmbeddedLog::open(log).unwrap());
    let options = BrokerOptions { listeners: vec!["127.0.0.1:0".to_owned()], ..options };
    let listener = Listener::start(Arc::clone(&log), options).unwrap();
    let address = listener.addresses()[0];
    (log, listener, address)
}

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

/// A request's frame: header version 1 and the body.
pub(crate) fn frame(key: i16, version: i16, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend_from_slice(&(10 + body.len() as i32).to_be_bytes());
    out.extend_from_slice(&key.to_be_bytes());
    out.extend_from_slice(&version.to_be_bytes());
    out.extend_from_slice(&7i32.to_be_bytes());
    out.extend_from_slice(&(-1i16).to_be_bytes());
    out.extend_from_slice(body);
    out
}

pub(crate) fn read_frame(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut body = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut body)?;
    Ok(body)
}

/// Whether an ordinary client is still served, and at once.
pub(crate) fn assert_serves(address: SocketAddr) {
    let begun = Instant::now();
    let mut stream = connect(address);
    stream.write_all(&frame(18, 0, &[])).unwrap();
    let answer = read_frame(&mut stream).unwrap();
    assert_eq!(&answer[..6], &[0, 0, 0, 7, 0, 0]);
    assert!(begun.elapsed() < Duration::from_secs(2));
}

pub(crate) fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
