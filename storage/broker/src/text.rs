//! Strings between the protocol's messages and the log.

use kafka_protocol::protocol::StrBytes;

/// A string of a message.
pub(crate) fn text(value: impl Into<String>) -> StrBytes {
    StrBytes::from_string(value.into())
}
