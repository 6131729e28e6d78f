//! Strings between the protocol's messages, the log, and what is kept in memory.

use kafka_protocol::protocol::StrBytes;

/// A string of a message.
pub(crate) fn text(value: impl Into<String>) -> StrBytes {
    StrBytes::from_string(value.into())
}

/// The same string in memory of its own: one of a request is a part of the request's bytes, and keeps all of them.
pub(crate) fn detached(value: &StrBytes) -> StrBytes {
    text(&**value)
}
