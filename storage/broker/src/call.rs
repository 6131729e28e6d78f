//! One request on its way to its handler, and the answer on its way back.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::ApiKey;
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};

use crate::api::Api;
use crate::broker::Broker;
use crate::budget::Share;
use crate::parts::Parts;

/// So much of an answer is not counted against the memory that all connections share.
const SMALL_BYTES: usize = 16 << 10;

/// The connection is to be closed: the request cannot be understood, so neither could an answer, or there is no memory for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hangup;

/// An answer as a frame; empty if the client wants none.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    pub(crate) frame: Parts,
    /// Its share of the memory for answers, until it is sent.
    pub(crate) held: Share,
}

/// An answer that may take its time.
pub(crate) type Pending = Pin<Box<dyn Future<Output = Result<Reply, Hangup>> + Send>>;

/// Where a request comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer {
    pub(crate) remote: SocketAddr,
    pub(crate) local: SocketAddr,
}

/// A request without its body.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) broker: Arc<Broker>,
    pub(crate) api: &'static Api,
    pub(crate) version: i16,
    pub(crate) correlation_id: i32,
    pub(crate) client_id: Option<StrBytes>,
    pub(crate) peer: Peer,
}

impl Call {
    /// Decodes the body, which must be of the request's shape.
    pub(crate) fn decode<R: Decodable>(&self, mut body: Bytes) -> Result<R, Hangup> {
        if !self.api.shape.fits(self.version, &body) {
            return Err(Hangup);
        }
        R::decode(&mut body, self.version).map_err(|_| Hangup)
    }

    /// The answer as a frame.
    pub(crate) fn reply<R: Encodable>(&self, response: &R) -> Result<Reply, Hangup> {
        self.reply_in(response, self.version)
    }

    /// The answer in the layout of a version that may not be the request's.
    pub(crate) fn reply_in<R: Encodable>(&self, response: &R, version: i16) -> Result<Reply, Hangup> {
        let mut held = Share::default();
        self.hold(&mut held, response.compute_size(version).map_err(|_| Hangup)?)?;
        Ok(Reply { frame: self.frame(response, version)?.into(), held })
    }

    /// Makes `held` the share of an answer that takes so much memory.
    pub(crate) fn hold(&self, held: &mut Share, bytes: usize) -> Result<(), Hangup> {
        if bytes <= SMALL_BYTES {
            *held = Share::default();
            return Ok(());
        }
        let answers = &self.broker.answers;
        if !answers.try_resize(held, bytes) {
            // It cannot wait: what it is made from is memory, too.
            answers.refuse();
            return Err(Hangup);
        }
        Ok(())
    }

    /// The answer as a frame that somebody else counts.
    pub(crate) fn frame<R: Encodable>(&self, response: &R, version: i16) -> Result<BytesMut, Hangup> {
        let size = response.compute_size(version).map_err(|_| Hangup)?;
        // ApiVersions is answered before the client knows what the broker understands (KIP-511).
        let has_tags = self.api.shape.is_flexible(version) && self.api.key != ApiKey::ApiVersions;
        let mut frame = BytesMut::with_capacity(size + 9);
        frame.put_i32(i32::try_from(size + 4 + usize::from(has_tags)).map_err(|_| Hangup)?);
        frame.put_i32(self.correlation_id);
        if has_tags {
            frame.put_u8(0);
        }
        response.encode(&mut frame, version).map_err(|_| Hangup)?;
        Ok(frame)
    }
}

/// Runs a handler that answers at once.
pub(crate) fn at_once<R: Decodable, A: Encodable>(call: &Call, body: Bytes, handler: fn(&Call, R) -> A) -> Pending {
    let reply = call.decode(body).and_then(|request| call.reply(&handler(call, request)));
    Box::pin(std::future::ready(reply))
}

/// Runs a handler that has to wait for something.
pub(crate) fn later<R, A, F>(call: Call, body: Bytes, handler: fn(Call, R) -> F) -> Pending
where
    R: Decodable + Send + 'static,
    A: Encodable + Send,
    F: Future<Output = A> + Send + 'static,
{
    Box::pin(async move {
        let request = call.decode(body)?;
        let response = handler(call.clone(), request).await;
        call.reply(&response)
    })
}
