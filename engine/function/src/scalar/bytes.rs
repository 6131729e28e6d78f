//! Functions of bytes and of their texts.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BinaryArray, PrimitiveArray, StringArray, StringBuilder};
use arrow::datatypes::{ArrowPrimitiveType, DataType, Float64Type, Int32Type, Int64Type};
use arrow::error::ArrowError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use md5::{Digest, Md5};

use super::kernel::{Outcome, binaries, bytes_at, failed, map_text, strings, text_at, texts_to_text};
use super::{Param, Returns, ScalarFunction};
use Param::{Bytes, String as Text};

const TEXT: Returns = Returns::Type(DataType::Utf8);

pub(super) fn all() -> Vec<ScalarFunction> {
    let f = ScalarFunction::new;
    vec![
        f(
            "TO_BYTES",
            "The bytes that a text in 'hex', 'utf8', 'ascii' or 'base64' stands for.",
            ("TO_BYTES('AQI=', 'base64')", "AQI="),
        )
        .overload(&[Text, Text], Returns::Type(DataType::Binary), to_bytes),
        f(
            "FROM_BYTES",
            "Bytes as text in 'hex', 'utf8', 'ascii' or 'base64'.",
            ("FROM_BYTES(TO_BYTES('hi', 'utf8'), 'hex')", "6869"),
        )
        .overload(&[Bytes, Text], TEXT, from_bytes),
        f(
            "ENCODE",
            "A text in one encoding ('hex', 'utf8', 'ascii' or 'base64') in another one.",
            ("ENCODE('hi', 'utf8', 'base64')", "aGk="),
        )
        .overload(&[Text, Text, Text], TEXT, |args| {
            texts_to_text(args, |[text, from, to]: [&str; 3]| {
                let text = Encoding::named(to)?.text(&Encoding::named(from)?.bytes(text)?);
                Ok(Some(if to.eq_ignore_ascii_case("hex") { text.to_lowercase() } else { text }))
            })
        }),
        f("INT_FROM_BYTES", NUMBER, ("INT_FROM_BYTES(TO_BYTES('000007E5', 'hex'))", "2021"))
            .overload(&[Bytes], INT, |args| number::<Int32Type, 4>(args, i32::from_be_bytes))
            .overload(&[Bytes, Text], INT, |args| number::<Int32Type, 4>(args, i32::from_be_bytes)),
        f("BIGINT_FROM_BYTES", NUMBER, ("BIGINT_FROM_BYTES(TO_BYTES('00000000000007E5', 'hex'))", "2021"))
            .overload(&[Bytes], BIGINT, |args| number::<Int64Type, 8>(args, i64::from_be_bytes))
            .overload(&[Bytes, Text], BIGINT, |args| number::<Int64Type, 8>(args, i64::from_be_bytes)),
        f("DOUBLE_FROM_BYTES", NUMBER, ("DOUBLE_FROM_BYTES(TO_BYTES('4080A6FD9BC9F582', 'hex'))", "532.8738323"))
            .overload(&[Bytes], DOUBLE, |args| number::<Float64Type, 8>(args, f64::from_be_bytes))
            .overload(&[Bytes, Text], DOUBLE, |args| number::<Float64Type, 8>(args, f64::from_be_bytes)),
        f("MD5", "The MD5 sum of a text, in hexadecimal digits.", ("MD5('')", "d41d8cd98f00b204e9800998ecf8427e"))
            .overload(&[Text], TEXT, |args| map_text(args, |text| hex(&Md5::digest(text.as_bytes())).to_lowercase())),
    ]
}

const NUMBER: &str =
    "The number of these bytes, the most significant first; or last, if the second argument is 'LITTLE_ENDIAN'.";
const INT: Returns = Returns::Type(DataType::Int32);
const BIGINT: Returns = Returns::Type(DataType::Int64);
const DOUBLE: Returns = Returns::Type(DataType::Float64);

#[derive(Debug, Clone, Copy)]
enum Encoding {
    Hex,
    Utf8,
    Ascii,
    Base64,
}

impl Encoding {
    fn named(name: &str) -> Result<Self, ArrowError> {
        Ok(match name.to_ascii_lowercase().as_str() {
            "hex" => Self::Hex,
            "utf8" => Self::Utf8,
            "ascii" => Self::Ascii,
            "base64" => Self::Base64,
            _ => return Err(failed(format!("\"{name}\" is no encoding: it is hex, utf8, ascii or base64"))),
        })
    }

    fn bytes(self, text: &str) -> Result<Vec<u8>, ArrowError> {
        match self {
            Self::Hex => bytes_of_hex(text),
            Self::Utf8 => Ok(text.as_bytes().to_vec()),
            Self::Ascii => Ok(text.chars().map(|c| if c.is_ascii() { c as u8 } else { b'?' }).collect()),
            Self::Base64 => BASE64.decode(text).map_err(|error| failed(format!("\"{text}\" is no base64: {error}"))),
        }
    }

    fn text(self, bytes: &[u8]) -> String {
        match self {
            Self::Hex => hex(bytes),
            Self::Utf8 => String::from_utf8_lossy(bytes).into_owned(),
            Self::Ascii => {
                bytes.iter().map(|&b| if b.is_ascii() { char::from(b) } else { char::REPLACEMENT_CHARACTER }).collect()
            }
            Self::Base64 => BASE64.encode(bytes),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// Digits, alone or as `0x…` or `X'…'`; an odd number of them stands for a 0 before them.
fn bytes_of_hex(text: &str) -> Result<Vec<u8>, ArrowError> {
    let quoted = text.strip_prefix(['x', 'X']).and_then(|rest| rest.strip_prefix('\'')?.strip_suffix('\''));
    let digits = quoted.or_else(|| text.strip_prefix("0x")).unwrap_or(text);
    let digits: Option<Vec<u32>> = digits.chars().map(|c| c.to_digit(16)).collect();
    let digits = digits.ok_or_else(|| failed(format!("\"{text}\" is no hexadecimal number")))?;
    let padding = std::iter::repeat_n(0, digits.len() % 2);
    let mut digits = padding.chain(digits);
    Ok(std::iter::from_fn(|| Some((digits.next()? * 16 + digits.next()?) as u8)).collect())
}

fn to_bytes(args: &[ArrayRef]) -> Outcome {
    let (texts, encodings) = (strings(args, 0)?, strings(args, 1)?);
    let bytes = |row| match (text_at(texts, row), text_at(encodings, row)) {
        (Some(text), Some(encoding)) => Encoding::named(encoding)?.bytes(text).map(Some),
        _ => Ok(None),
    };
    let bytes = (0..texts.len()).map(bytes).collect::<Result<Vec<Option<Vec<u8>>>, ArrowError>>()?;
    Ok(Arc::new(bytes.into_iter().collect::<BinaryArray>()))
}

fn from_bytes(args: &[ArrayRef]) -> Outcome {
    let (bytes, encodings) = (binaries(args, 0)?, strings(args, 1)?);
    let mut result = StringBuilder::new();
    for row in 0..bytes.len() {
        result.append_option(match (bytes_at(bytes, row), text_at(encodings, row)) {
            (Some(bytes), Some(encoding)) => Some(Encoding::named(encoding)?.text(bytes)),
            _ => None,
        });
    }
    Ok(Arc::new(result.finish()))
}

fn number<T: ArrowPrimitiveType, const N: usize>(args: &[ArrayRef], of: fn([u8; N]) -> T::Native) -> Outcome {
    let bytes = binaries(args, 0)?;
    let orders = if args.len() > 1 { Some(strings(args, 1)?) } else { None };
    let number = |row| {
        let Some(found) = bytes_at(bytes, row) else { return Ok(None) };
        let wrong = |_| failed(format!("a number of {N} bytes cannot be read from {}", found.len()));
        let mut found = <[u8; N]>::try_from(found).map_err(wrong)?;
        if is_little(orders, row)? {
            found.reverse();
        }
        Ok(Some(of(found)))
    };
    Ok(Arc::new((0..bytes.len()).map(number).collect::<Result<PrimitiveArray<T>, ArrowError>>()?))
}

fn is_little(orders: Option<&StringArray>, row: usize) -> Result<bool, ArrowError> {
    match orders.and_then(|orders| text_at(orders, row)) {
        None | Some("BIG_ENDIAN") => Ok(false),
        Some("LITTLE_ENDIAN") => Ok(true),
        Some(other) => Err(failed(format!("\"{other}\" is no order of bytes: it is BIG_ENDIAN or LITTLE_ENDIAN"))),
    }
}
