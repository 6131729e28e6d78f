//! Kafka's record batch v2 (magic 2, KIP-98), the one format on disk and on the wire.

mod builder;
mod compression;
mod control;
mod header;
mod reader;
mod retain;
mod rewrite;
mod varint;

pub use builder::BatchBuilder;
pub use compression::Compression;
pub use control::{ControlType, control_batch};
pub use header::{BatchHeader, HEADER_BYTES, NO_PRODUCER_ID, set_base_offset, split_batch};
pub(crate) use header::{crc_matches, set_place};
pub use reader::{BatchReader, HeaderIter, Record};
pub(crate) use retain::retain_records;
pub(crate) use rewrite::{Rewrite, rewrite};
