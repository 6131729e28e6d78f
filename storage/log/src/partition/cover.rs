//! Which segments a rewritten one takes the place of.
//!
//! ```text
//! "MSR2" | CRC-32C u32 | end offset i64 | segments i32 | base offset i64 *
//! ```
//!
//! Written before the rewritten segment gets its name, removed after the segments that it covers are: without
//! it, segments that overlap are damage, and nothing is removed on the word of a damaged header.

use std::path::{Path, PathBuf};

use crate::codec::{Decoder, Encode, seal, unseal, unseal_v2};
use crate::segment::Segment;
use crate::{Error, Io, Result};

const MAGIC: [u8; 4] = *b"MSR2";
const MAGIC_1: [u8; 4] = *b"MSR1";
const SUFFIX: &str = ".covers";

/// What the segment of a base offset covers.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cover {
    /// The first segment, whose name the rewritten one gets.
    pub(super) base_offset: i64,
    /// Where the rewritten segment ends: one of its name that does not is still the old one.
    pub(super) end_offset: i64,
    /// The segments after the first.
    pub(super) others: Vec<i64>,
}

impl Cover {
    /// Whether `segment` is the rewritten one and has what that of `base_offset` had.
    pub(super) fn holds(&self, segment: &Segment, base_offset: i64) -> bool {
        segment.base_offset == self.base_offset
            && segment.next_offset == self.end_offset
            && self.others.contains(&base_offset)
    }

    fn path(dir: &Path, base_offset: i64) -> PathBuf {
        dir.join(format!("{base_offset:020}{SUFFIX}"))
    }

    pub(super) fn write(&self, io: &dyn Io, dir: &Path) -> Result<()> {
        let mut content = Vec::new();
        content.put_i64(self.end_offset);
        content.put_i32(self.others.len() as i32);
        self.others.iter().for_each(|base| content.put_i64(*base));
        crate::io::replace(io, &Self::path(dir, self.base_offset), &seal(MAGIC, &content))
    }

    pub(super) fn remove(&self, io: &dyn Io, dir: &Path) -> Result<()> {
        let path = Self::path(dir, self.base_offset);
        io.remove(&path).map_err(Error::io("remove", &path))
    }

    /// The covers in a folder. One that cannot be read says nothing.
    pub(super) fn read_all(io: &dyn Io, dir: &Path, names: &[String]) -> Result<Vec<Self>> {
        let mut covers = Vec::new();
        for base_offset in names.iter().filter_map(|name| name.strip_suffix(SUFFIX)?.parse().ok()) {
            let path = Self::path(dir, base_offset);
            let Some(sealed) = io.read(&path).map_err(Error::io("read", &path))? else { continue };
            let content = unseal(MAGIC, &sealed).or_else(|_| unseal_v2(MAGIC_1, &sealed));
            covers.extend(content.and_then(|content| Self::decode(base_offset, content)));
        }
        Ok(covers)
    }

    fn decode(base_offset: i64, content: &[u8]) -> Result<Self> {
        let mut from = Decoder::new(content);
        let end_offset = from.i64()?;
        let others = (0..from.count()?).map(|_| from.i64()).collect::<Result<_>>()?;
        Ok(Self { base_offset, end_offset, others })
    }
}
