//! What tells the log of one data directory from all others.
//!
//! ```text
//! "MSU1" | CRC-32C u32 | id, 16 bytes
//! ```

use std::path::Path;

use crate::codec::{Decoder, seal, unseal};
use crate::{Error, Io, Result};

const MAGIC: [u8; 4] = *b"MSU1";
const BYTES: usize = 16;
/// The digits of base 64 for names of files and addresses (RFC 4648).
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The id of a data directory, which gets one when it has none: 22 characters, as Kafka's have.
pub(super) fn read_or_make(io: &dyn Io, dir: &Path) -> Result<String> {
    let path = dir.join("cluster.id");
    if let Some(sealed) = io.read(&path).map_err(Error::io("read", &path))? {
        let read = || {
            let mut content = Decoder::new(unseal(MAGIC, &sealed)?);
            let id = content.bytes(BYTES)?.first_chunk().copied().unwrap_or_default();
            if content.is_empty() { Ok(id) } else { Err(Error::corrupt("bytes follow its end")) }
        };
        let damaged = |error: Error| Error::DamagedClusterId { path: path.clone(), reason: error.to_string() };
        return read().map(text).map_err(damaged);
    }
    let id = made(io.random());
    crate::io::replace(io, &path, &seal(MAGIC, &id))?;
    Ok(text(id))
}

/// A UUID of version 4, variant 1. One whose text begins with a dash would be taken for an option on command lines.
fn made(random: u128) -> [u8; BYTES] {
    let fixed = random & !(0xf << 76) & !(0b11 << 62) | 0x4 << 76 | 0b10 << 62;
    let id = fixed.to_be_bytes();
    if text(id).starts_with('-') { (fixed ^ 1 << 127).to_be_bytes() } else { id }
}

/// In base 64, without padding.
fn text(id: [u8; BYTES]) -> String {
    let bits = u128::from_be_bytes(id);
    let digit = |at: u32| {
        // The last digit has only two bits of the id.
        let six = if at == 21 { bits << 4 } else { bits >> (122 - 6 * at) };
        DIGITS.get((six & 0x3f) as usize).map_or('A', |&digit| char::from(digit))
    };
    (0..22).map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Memory;

    #[test]
    fn an_id_is_made_once() {
        let (disk, dir) = (Memory::new(), Path::new("/data"));
        let id = read_or_make(&disk, dir).unwrap();
        assert_eq!(id.len(), 22);
        assert_eq!(read_or_make(&disk, dir).unwrap(), id);
    }

    #[test]
    fn damage_is_reported_and_the_message_says_how_to_go_on() {
        let (disk, dir) = (Memory::new(), Path::new("/data"));
        let path = dir.join("cluster.id");
        read_or_make(&disk, dir).unwrap();
        disk.open(&path).unwrap().write_at(&[9], 12).unwrap();
        let damaged = read_or_make(&disk, dir).unwrap_err().to_string();
        assert!(damaged.contains("/data/cluster.id is damaged") && damaged.contains("delete it"), "{damaged}");
        disk.remove(&path).unwrap();
        assert_eq!(read_or_make(&disk, dir).unwrap().len(), 22);
    }

    #[test]
    fn the_text_is_base_64() {
        let id = 0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10_u128.to_be_bytes();
        assert_eq!(text(id), "AQIDBAUGBwgJCgsMDQ4PEA");
        assert_eq!(text([0xff; 16]), "_____________________w");
        let dash = made(0xf8 << 120);
        assert!(!text(dash).starts_with('-'), "{}", text(dash));
        assert_eq!((dash[6] >> 4, dash[8] >> 6), (4, 0b10));
    }
}
