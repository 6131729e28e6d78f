//! JSON.

mod block;
mod decode;
mod document;
mod encode;
mod number;
mod scan;
mod shape;
mod value;

pub use decode::JsonDecoder;
pub(crate) use decode::decode_base64;
pub(crate) use encode::{JsonEncoder, JsonRows, base64};
pub(crate) use number::{parse_decimal, parse_double};
