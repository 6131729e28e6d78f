//! JSON.

mod decode;
mod encode;
mod number;
mod scan;

pub use decode::JsonDecoder;
pub(crate) use encode::{JsonEncoder, base64};
pub(crate) use number::{parse_decimal, parse_double};
