//! The shape of a request's body, walked before it is decoded.
//!
//! The generated decoder reserves room for as many items as a count says, so a few bytes from anybody could ask for
//! gigabytes. A walk over the shape checks every count and length against the bytes that are there, and bounds
//! what the decoded form may take; what passes is safe to decode.

use bytes::{BufMut, BytesMut};

pub(crate) mod requests;

/// A decoded item takes some hundred bytes, so this is some tens of megabytes at most.
const ITEMS_MAX: usize = 200_000;
/// What a length of two bytes can say; Kafka refuses longer ones also where the length is variable. A name may be copied for
/// each item that it belongs to.
const STRING_BYTES_MAX: usize = i16::MAX as usize;

/// One field of a request and the versions that have it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    kind: Kind,
    since: i16,
    until: i16,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// A number of so many bytes.
    Fixed(usize),
    /// UTF-8 behind a length of two bytes.
    String,
    /// Bytes behind a length of four bytes.
    Bytes,
    /// Items of several fields.
    Structs(&'static [Field]),
    /// Items that are one value each.
    Scalars(&'static Field),
    /// A byte that says whether the fields follow.
    Optional(&'static [Field]),
}

const fn of(kind: Kind) -> Field {
    Field { kind, since: 0, until: i16::MAX }
}

const fn fixed(bytes: usize) -> Field {
    of(Kind::Fixed(bytes))
}

const fn string() -> Field {
    of(Kind::String)
}

const fn bytes() -> Field {
    of(Kind::Bytes)
}

const fn structs(fields: &'static [Field]) -> Field {
    of(Kind::Structs(fields))
}

const fn scalars(item: &'static Field) -> Field {
    of(Kind::Scalars(item))
}

const fn optional(fields: &'static [Field]) -> Field {
    of(Kind::Optional(fields))
}

impl Field {
    const fn since(self, version: i16) -> Self {
        Self { since: version, ..self }
    }

    const fn until(self, version: i16) -> Self {
        Self { until: version, ..self }
    }
}

/// A request's fields.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// From this version on lengths are variable and tagged fields follow each struct (KIP-482).
    pub(crate) flexible_since: i16,
    /// So many of the lowest tags have a meaning, and only between brokers: the decoder would read them by that meaning.
    pub(crate) reserved_tags: u32,
    pub(crate) fields: &'static [Field],
}

impl Shape {
    const fn new(flexible_since: i16, fields: &'static [Field]) -> Self {
        Self { flexible_since, reserved_tags: 0, fields }
    }

    const fn with_reserved_tags(self, reserved_tags: u32) -> Self {
        Self { reserved_tags, ..self }
    }

    pub(crate) const fn is_flexible(&self, version: i16) -> bool {
        version >= self.flexible_since
    }

    /// Whether `body` begins with a request of this shape and version. What may follow is ignored, as Kafka does:
    /// librdkafka asks for the metadata of all topics with some bytes too many.
    pub(crate) fn fits(&self, version: i16, body: &[u8]) -> bool {
        let mut walk = Walk {
            rest: body,
            version,
            flexible: self.is_flexible(version),
            reserved_tags: self.reserved_tags,
            items_left: ITEMS_MAX,
        };
        walk.fields(self.fields).is_some()
    }
}

/// Writes an unsigned varint.
pub(crate) fn put_varint(bytes: &mut BytesMut, mut value: u32) {
    while value >= 0x80 {
        bytes.put_u8(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.put_u8(value as u8);
}

/// Takes an unsigned number of variable length off the front.
pub(crate) fn varint(rest: &mut &[u8]) -> Option<u32> {
    let mut value = 0u32;
    for shift in [0, 7, 14, 21, 28] {
        let (&byte, tail) = rest.split_first()?;
        *rest = tail;
        value |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

struct Walk<'a> {
    rest: &'a [u8],
    version: i16,
    flexible: bool,
    reserved_tags: u32,
    items_left: usize,
}

impl Walk<'_> {
    fn skip(&mut self, bytes: usize) -> Option<()> {
        self.rest = self.rest.get(bytes..)?;
        Some(())
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.rest.split_first_chunk()?;
        self.rest = tail;
        Some(*head)
    }

    /// A length or count; null is 0.
    fn length(&mut self, is_wide: bool) -> Option<usize> {
        let length = if self.flexible {
            i64::from(varint(&mut self.rest)?) - 1
        } else if is_wide {
            i64::from(i32::from_be_bytes(self.take()?))
        } else {
            i64::from(i16::from_be_bytes(self.take()?))
        };
        // Less than -1 is refused by the decoder too, but a negative length must not be taken for a small one.
        if length < -1 { None } else { usize::try_from(length.max(0)).ok() }
    }

    fn count(&mut self) -> Option<usize> {
        let count = self.length(true)?;
        self.items_left = self.items_left.checked_sub(count)?;
        (count <= self.rest.len()).then_some(count)
    }

    fn fields(&mut self, fields: &[Field]) -> Option<()> {
        for field in fields {
            if (field.since..=field.until).contains(&self.version) {
                self.value(&field.kind)?;
            }
        }
        if self.flexible { self.tagged() } else { Some(()) }
    }

    fn tagged(&mut self) -> Option<()> {
        let count = varint(&mut self.rest)? as usize;
        self.items_left = self.items_left.checked_sub(count)?;
        for _ in 0..count {
            if varint(&mut self.rest)? < self.reserved_tags {
                return None;
            }
            let size = varint(&mut self.rest)? as usize;
            self.skip(size)?;
        }
        Some(())
    }

    fn value(&mut self, kind: &Kind) -> Option<()> {
        match kind {
            Kind::Fixed(bytes) => self.skip(*bytes),
            Kind::String => {
                let length = self.length(false)?;
                if length > STRING_BYTES_MAX { None } else { self.skip(length) }
            }
            Kind::Bytes => {
                let length = self.length(true)?;
                self.skip(length)
            }
            Kind::Structs(fields) => {
                let count = self.count()?;
                (0..count).try_for_each(|_| self.fields(fields))
            }
            Kind::Scalars(item) => {
                let count = self.count()?;
                (0..count).try_for_each(|_| self.value(&item.kind))
            }
            Kind::Optional(fields) => match self.take()? {
                [1] => self.fields(fields),
                _ => Some(()),
            },
        }
    }
}

#[cfg(test)]
mod tests;
