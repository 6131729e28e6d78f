//! Documents to rows of the columns that somebody reads.
//!
//! A document is passed over once; its syntax is checked everywhere, but of the fields nobody asked for
//! nothing is kept. Wanted values are remembered by their place and converted at the end, so that of a
//! repeated field the last one counts.

use std::borrow::Cow;

use arrow::datatypes::DataType;

use super::super::Unreadable;
use super::document::{Document, Specials};
use super::number::{parse_decimal, parse_double, parse_integer};
use super::scan::{Malformed, Scanner};
use super::shape::{Lead, NO_COLUMN, Shape};
use super::value::{Kind, Raw};
use crate::column::ColumnBuilder;

/// Decodes JSON documents.
#[derive(Debug)]
pub struct JsonDecoder {
    fields: Fields,
    /// Whether the document is an object with the columns as fields, or the only column itself.
    wrapped: bool,
    specials: Specials,
}

/// The fields that are columns.
#[derive(Debug)]
struct Fields {
    names: Vec<String>,
    shape: Shape,
    /// Where the last document has them.
    found: Vec<Raw>,
}

impl JsonDecoder {
    /// A decoder for these columns, whose names match whatever their case.
    #[must_use]
    pub fn new(names: Vec<String>, wrapped: bool) -> Self {
        let found = vec![Raw::MISSING; names.len()];
        let fields = Fields { names, shape: Shape::default(), found };
        Self { fields, wrapped, specials: Specials::default() }
    }

    /// Appends one row to the columns; false if the document is `null`, which leaves them as they are.
    ///
    /// # Errors
    /// Why the document cannot be read. Columns may then be one row longer than others.
    pub fn decode(&mut self, document: &[u8], columns: &mut [ColumnBuilder]) -> Result<bool, Unreadable> {
        let document = self.specials.note(document);
        let mut scanner = Scanner::new(document, 0);
        scanner.skip_space();
        let is_object = document.bytes.get(scanner.at) == Some(&b'{');
        if !(self.wrapped && is_object) {
            let raw = whole_value(&mut scanner).map_err(|malformed| scanner.explain(malformed))?;
            return match columns {
                _ if self.wrapped && raw.kind == Kind::Null => Ok(false),
                _ if self.wrapped => Err("expected a JSON object".to_owned()),
                [column] => {
                    append(document, raw, column).map(|()| true).map_err(|reason| self.fields.blame(0, &reason))
                }
                _ => Ok(true),
            };
        }
        self.fields.find(&mut scanner).map_err(|malformed| scanner.explain(malformed))?;
        for (at, (column, raw)) in columns.iter_mut().zip(&self.fields.found).enumerate() {
            if !append_simple(document, *raw, column) {
                append_other(document, *raw, column).map_err(|reason| self.fields.blame(at, &reason))?;
            }
        }
        Ok(true)
    }
}

impl Fields {
    fn blame(&self, column: usize, reason: &str) -> Unreadable {
        format!("column \"{}\": {reason}", self.names.get(column).map_or("", String::as_str))
    }

    /// Passes over an object, from its opening brace to the document's end.
    fn find(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Malformed> {
        self.found.iter_mut().for_each(|found| found.kind = Kind::Missing);
        let mut place = 0;
        loop {
            place += self.find_familiar(place, &scanner.document, &mut scanner.at);
            let column = match self.shape.recognize(place, scanner.document.bytes, scanner.at) {
                Some(lead) => {
                    scanner.at = lead.value_at;
                    lead.column
                }
                None => match self.read_lead(place, scanner)? {
                    Some(column) => column,
                    None => return end(scanner),
                },
            };
            // The colon may be farther from the value than last time.
            scanner.skip_space();
            let raw = scanner.raw_value(1)?;
            if let Some(found) = self.found.get_mut(column) {
                *found = raw;
            }
            place += 1;
        }
    }

    /// Passes over fields that look as those of the last document did, and counts them. It stands alone, so that
    /// all it needs stays in registers.
    #[inline(never)]
    fn find_familiar(&mut self, place: usize, document: &Document<'_>, at: &mut usize) -> usize {
        let (mut count, mut next) = (0, *at);
        while let Some(Lead { value_at, column }) = self.shape.recognize(place + count, document.bytes, next) {
            let Some((kind, end)) = document.simple_value(value_at) else { break };
            if let Some(found) = self.found.get_mut(column) {
                *found = Raw::new(kind, value_at, end);
            }
            next = end;
            count += 1;
        }
        *at = next;
        count
    }

    /// Reads all that stands before the value at a place and looks the column up; nothing if the object ends.
    fn read_lead(&mut self, place: usize, scanner: &mut Scanner<'_>) -> Result<Option<usize>, Malformed> {
        let lead_at = scanner.at;
        if !another(place, scanner)? {
            return Ok(None);
        }
        scanner.expect(b'"', "a field's name")?;
        let start = scanner.at;
        let escaped = scanner.string()?;
        let bytes = scanner.document.bytes;
        let name = bytes.get(start..scanner.at - 1).unwrap_or_default();
        scanner.colon()?;
        let unescaped = if escaped { Cow::Owned(unescape(name)) } else { Cow::Borrowed(name) };
        let column = self.names.iter().position(|column| column.as_bytes().eq_ignore_ascii_case(&unescaped));
        let column = column.unwrap_or(NO_COLUMN);
        self.shape.note(place, bytes.get(lead_at..scanner.at).unwrap_or_default(), column);
        Ok(Some(column))
    }
}

/// Passes over what stands before a field's name; false if the object ends instead.
fn another(place: usize, scanner: &mut Scanner<'_>) -> Result<bool, Malformed> {
    if place > 0 {
        return scanner.comma(b'}');
    }
    scanner.at += 1;
    scanner.skip_space();
    Ok(!scanner.accept(b'}'))
}

fn whole_value(scanner: &mut Scanner<'_>) -> Result<Raw, Malformed> {
    let raw = scanner.raw_value(0)?;
    end(scanner)?;
    Ok(raw)
}

fn end(scanner: &mut Scanner<'_>) -> Result<(), Malformed> {
    scanner.skip_space();
    if scanner.at == scanner.document.bytes.len() { Ok(()) } else { Err(scanner.expected("the end of the document")) }
}

fn mismatch(raw: Raw, ty: &str) -> Unreadable {
    let found = match raw.kind {
        Kind::Missing => "nothing",
        Kind::Null => "null",
        Kind::True | Kind::False => "a boolean",
        Kind::Number => "a number",
        Kind::String | Kind::EscapedString => "a string",
        Kind::Array => "an array",
        Kind::Object => "an object",
    };
    format!("expected {ty}, found {found}")
}

/// Converts a value and appends it.
fn append(document: Document<'_>, raw: Raw, column: &mut ColumnBuilder) -> Result<(), Unreadable> {
    if append_simple(document, raw, column) { Ok(()) } else { append_other(document, raw, column) }
}

/// Appends a value of the kinds that most values are, if it is one: a branch is foretold more often than a jump by
/// type, and who cannot fail needs no place for a reason.
// A call would pass the document and the value through memory.
#[inline(always)]
fn append_simple(document: Document<'_>, raw: Raw, column: &mut ColumnBuilder) -> bool {
    let (start, end) = raw.place();
    match (raw.kind, column) {
        (Kind::String, ColumnBuilder::Bytes(builder)) if builder.is_text() => {
            builder.append_part(document.bytes, start, end);
            true
        }
        (Kind::Number, ColumnBuilder::BigInt(values, nulls, _)) => match parse_integer(document.bytes, start, end) {
            Some(value) => {
                values.push(value);
                nulls.append_non_null();
                true
            }
            None => false,
        },
        _ => false,
    }
}

/// Appends a value of any kind, or says why it does not fit the column.
fn append_other(document: Document<'_>, raw: Raw, column: &mut ColumnBuilder) -> Result<(), Unreadable> {
    if matches!(raw.kind, Kind::Null | Kind::Missing) {
        column.append_null();
        return Ok(());
    }
    let bytes = raw.bytes(document.bytes);
    let is_text = matches!(raw.kind, Kind::String | Kind::EscapedString);
    let numeric = is_text || raw.kind == Kind::Number;
    match column {
        ColumnBuilder::Boolean(values, nulls) => {
            values.push(match raw.kind {
                Kind::True => true,
                Kind::False => false,
                Kind::String if bytes.eq_ignore_ascii_case(b"true") => true,
                Kind::String if bytes.eq_ignore_ascii_case(b"false") => false,
                _ => return Err(mismatch(raw, "BOOLEAN")),
            });
            nulls.append_non_null();
        }
        ColumnBuilder::Int(values, nulls, ty) => {
            let value = integer(bytes, numeric).and_then(|value| i32::try_from(value).ok());
            let name = if *ty == DataType::Int32 { "an INT" } else { "a whole number of days or milliseconds" };
            values.push(value.ok_or_else(|| mismatch(raw, name))?);
            nulls.append_non_null();
        }
        ColumnBuilder::BigInt(values, nulls, _) => {
            values.push(integer(bytes, numeric).ok_or_else(|| mismatch(raw, "a BIGINT"))?);
            nulls.append_non_null();
        }
        ColumnBuilder::Double(values, nulls) => {
            let value = if numeric { parse_double(bytes) } else { None };
            values.push(value.ok_or_else(|| mismatch(raw, "a DOUBLE"))?);
            nulls.append_non_null();
        }
        ColumnBuilder::Decimal(values, nulls, precision, scale) => {
            let value = if numeric { parse_decimal(bytes, *precision, *scale) } else { None };
            values.push(value.ok_or_else(|| mismatch(raw, &format!("a DECIMAL({precision}, {scale})")))?);
            nulls.append_non_null();
        }
        ColumnBuilder::Bytes(builder) if builder.is_text() => {
            match raw.kind {
                Kind::EscapedString => builder.bytes.extend_from_slice(&unescape(bytes)),
                // Whatever is no string stands for its own text.
                _ => builder.bytes.extend_from_slice(bytes),
            }
            builder.end_row();
        }
        ColumnBuilder::Bytes(builder) => {
            let decoded = if is_text { decode_base64(bytes) } else { None };
            builder.bytes.extend_from_slice(&decoded.ok_or_else(|| mismatch(raw, "BYTES in base64"))?);
            builder.end_row();
        }
        ColumnBuilder::List(items, offsets, nulls, _) => {
            if raw.kind != Kind::Array {
                return Err(mismatch(raw, "an ARRAY"));
            }
            each_item(document, raw, |raw| append(document, raw, items))?;
            offsets.push(items.len() as i32);
            nulls.append_non_null();
        }
        ColumnBuilder::Map(keys, values, offsets, nulls, _) => {
            if raw.kind != Kind::Object {
                return Err(mismatch(raw, "a MAP"));
            }
            each_field(document, raw, |name, raw| {
                if let ColumnBuilder::Bytes(keys) = &mut **keys {
                    keys.bytes.extend_from_slice(&name);
                    keys.end_row();
                }
                append(document, raw, values)
            })?;
            offsets.push(values.len() as i32);
            nulls.append_non_null();
        }
        ColumnBuilder::Struct(columns, nulls, fields) => {
            if raw.kind != Kind::Object {
                return Err(mismatch(raw, "a STRUCT"));
            }
            let mut found = vec![Raw::MISSING; columns.len()];
            each_field(document, raw, |name, raw| {
                let column = fields.iter().position(|field| field.name().as_bytes().eq_ignore_ascii_case(&name));
                if let Some(place) = column.and_then(|column| found.get_mut(column)) {
                    *place = raw;
                }
                Ok(())
            })?;
            for (column, raw) in columns.iter_mut().zip(found) {
                append(document, raw, column)?;
            }
            nulls.append_non_null();
        }
        ColumnBuilder::Null(rows) => *rows += 1,
    }
    Ok(())
}

/// A whole number; one with a fraction is cut.
#[inline]
fn integer(bytes: &[u8], numeric: bool) -> Option<i64> {
    if !numeric {
        return None;
    }
    parse_integer(bytes, 0, bytes.len()).or_else(|| {
        let value = parse_double(bytes)?;
        // Beyond 2^63 the cast would saturate instead of failing.
        (value.is_finite() && value.abs() < 9.2e18).then_some(value as i64)
    })
}

/// Hands on the items of an array that has been passed over before.
fn each_item(
    document: Document<'_>,
    raw: Raw,
    mut visit: impl FnMut(Raw) -> Result<(), Unreadable>,
) -> Result<(), Unreadable> {
    let mut scanner = Scanner::new(document, raw.inside());
    scanner.skip_space();
    if scanner.accept(b']') {
        return Ok(());
    }
    loop {
        let item = scanner.raw_value(1).map_err(|malformed| scanner.explain(malformed))?;
        visit(item)?;
        if !scanner.comma(b']').map_err(|malformed| scanner.explain(malformed))? {
            return Ok(());
        }
    }
}

/// Hands on the fields of an object that has been passed over before.
fn each_field(
    document: Document<'_>,
    raw: Raw,
    mut visit: impl FnMut(Vec<u8>, Raw) -> Result<(), Unreadable>,
) -> Result<(), Unreadable> {
    let mut scanner = Scanner::new(document, raw.inside());
    scanner.skip_space();
    if scanner.accept(b'}') {
        return Ok(());
    }
    loop {
        let (name, value) = named_value(&mut scanner).map_err(|malformed| scanner.explain(malformed))?;
        visit(name, value)?;
        if !scanner.comma(b'}').map_err(|malformed| scanner.explain(malformed))? {
            return Ok(());
        }
    }
}

fn named_value(scanner: &mut Scanner<'_>) -> Result<(Vec<u8>, Raw), Malformed> {
    scanner.expect(b'"', "a field's name")?;
    let start = scanner.at;
    let escaped = scanner.string()?;
    let name = scanner.document.bytes.get(start..scanner.at - 1).unwrap_or_default();
    let name = if escaped { unescape(name) } else { name.to_vec() };
    scanner.colon()?;
    Ok((name, scanner.raw_value(1)?))
}

/// A string's text; its escapes have been checked by the scanner.
fn unescape(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(rest.get(..at).unwrap_or_default());
        let escape = rest.get(at + 1).copied().unwrap_or(b'\\');
        let mut used = at + 2;
        match escape {
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'u' => {
                let unit = |from: usize| hex(rest.get(from..from + 4).unwrap_or_default());
                let mut code = unit(at + 2);
                used = at + 6;
                if (0xD800..0xDC00).contains(&code) {
                    code = 0x10000 + ((code - 0xD800) << 10) + (unit(at + 8).wrapping_sub(0xDC00) & 0x3FF);
                    used = at + 12;
                }
                let c = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
            other => out.push(other),
        }
        rest = rest.get(used..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    out
}

/// The number that hexadecimal digits are.
fn hex(digits: &[u8]) -> u32 {
    digits.iter().fold(0, |value, digit| value << 4 | char::from(*digit).to_digit(16).unwrap_or(0))
}

/// Bytes of their base64.
pub(crate) fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    let digits = text.strip_suffix(b"==").or_else(|| text.strip_suffix(b"=")).unwrap_or(text);
    let mut out = Vec::with_capacity(digits.len() * 3 / 4);
    let (mut bits, mut count) = (0u32, 0);
    for &byte in digits {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(digit);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    (digits.len() % 4 != 1).then_some(out)
}

#[cfg(test)]
mod tests;
