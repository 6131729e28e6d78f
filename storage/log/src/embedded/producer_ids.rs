//! Producer ids, none of which is handed out twice.
//!
//! ```text
//! "MSP1" | CRC-32C u32 | reserved i64
//! ```
//!
//! The file says below which number ids may have been handed out; it moves on by a block at a time, before
//! the first id of the block is given to anybody.

use std::path::{Path, PathBuf};

use crate::codec::{Decoder, Encode, seal, unseal};
use crate::{Error, Io, Result};

const MAGIC: [u8; 4] = *b"MSP1";
/// So many ids are reserved by one write.
const BLOCK: i64 = 1_000;

#[derive(Debug, Default)]
pub(super) struct ProducerIds {
    next: i64,
    reserved: i64,
}

fn path(dir: &Path) -> PathBuf {
    dir.join("producer.ids")
}

impl ProducerIds {
    /// What may have been handed out; nothing if the file is missing, as in data directories of before.
    pub(super) fn read(io: &dyn Io, dir: &Path) -> Result<Self> {
        let path = path(dir);
        let Some(sealed) = io.read(&path).map_err(Error::io("read", &path))? else { return Ok(Self::default()) };
        let reserved = unseal(MAGIC, &sealed).and_then(|content| Decoder::new(content).i64());
        let reserved = reserved.map_err(|error| Error::damaged(&path, 0, error.to_string()))?;
        Ok(Self { next: reserved, reserved })
    }

    /// This id is in use, whatever the file says.
    pub(super) fn note(&mut self, id: i64) {
        self.next = self.next.max(id.saturating_add(1));
    }

    /// An id that nobody has.
    pub(super) fn take(&mut self, io: &dyn Io, dir: &Path) -> Result<i64> {
        if self.next >= self.reserved {
            let reserved = self.next.saturating_add(BLOCK);
            let mut content = Vec::new();
            content.put_i64(reserved);
            crate::io::replace(io, &path(dir), &seal(MAGIC, &content))?;
            self.reserved = reserved;
        }
        let id = self.next;
        self.next += 1;
        Ok(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Memory;

    #[test]
    fn no_id_is_handed_out_twice_whenever_the_power_fails() {
        let dir = Path::new("/data");
        for operation in 0..20 {
            let disk = Memory::with_crashes();
            disk.fail_after(operation);
            let mut ids = ProducerIds::default();
            let taken: Vec<i64> = (0..2_500).map_while(|_| ids.take(&disk, dir).ok()).collect();
            let image = disk.crash(|_| 0);
            let next = ProducerIds::read(&image, dir).unwrap().take(&image, dir).unwrap();
            assert!(taken.iter().all(|&id| id < next), "operation {operation}");
        }
    }
}
