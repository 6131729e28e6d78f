//! The checkpoint: from where the journal must be replayed, and what the partitions were then.
//!
//! ```text
//! "MSC3" | CRC-32C u32 | journal number i64 | partitions i32 | partition*
//! partition   id i32 | log start offset i64 | log start segment i64 | next offset i64
//!             | active segment i64 | its size in bytes i64 | producers
//! ```

use std::collections::HashMap;
use std::path::Path;

use crate::codec::{Decoder, Encode, seal, unseal, unseal_v2};
use crate::producer_state::ProducerStates;
use crate::{Error, Io, Result};

const MAGIC: [u8; 4] = *b"MSC3";
const MAGIC_2: [u8; 4] = *b"MSC2";

/// One partition, as its synced files hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PartitionCheckpoint {
    pub(crate) log_start_offset: i64,
    pub(crate) log_start_segment: i64,
    pub(crate) next_offset: i64,
    /// The base offset of the last segment, -1 if there is none.
    pub(crate) active_base: i64,
    pub(crate) active_size_bytes: u64,
    pub(crate) producers: ProducerStates,
}

impl Default for PartitionCheckpoint {
    fn default() -> Self {
        Self {
            log_start_offset: 0,
            log_start_segment: 0,
            next_offset: 0,
            active_base: -1,
            active_size_bytes: 0,
            producers: ProducerStates::default(),
        }
    }
}

/// All partitions, and the first journal that has what they lack.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    pub(crate) journal: u64,
    pub(crate) partitions: HashMap<u32, PartitionCheckpoint>,
}

impl Checkpoint {
    pub(crate) fn read(io: &dyn Io, path: &Path) -> Result<Option<Self>> {
        let Some(sealed) = io.read(path).map_err(Error::io("read", path))? else { return Ok(None) };
        let decoded = if sealed.starts_with(&MAGIC_2) {
            let now_ms = io.now_ms();
            let producers = |from: &mut Decoder<'_>| ProducerStates::decode_v2(from, now_ms);
            unseal_v2(MAGIC_2, &sealed).and_then(|content| Self::decode(content, producers))
        } else {
            unseal(MAGIC, &sealed).and_then(|content| Self::decode(content, ProducerStates::decode))
        };
        decoded.map(Some).map_err(|error| Error::damaged(path, 0, error.to_string()))
    }

    pub(crate) fn write(&self, io: &dyn Io, path: &Path) -> Result<()> {
        crate::io::replace(io, path, &seal(MAGIC, &self.encode()))
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.put_i64(self.journal as i64);
        out.put_i32(self.partitions.len() as i32);
        for (id, partition) in &self.partitions {
            out.put_i32(*id as i32);
            out.put_i64(partition.log_start_offset);
            out.put_i64(partition.log_start_segment);
            out.put_i64(partition.next_offset);
            out.put_i64(partition.active_base);
            out.put_i64(partition.active_size_bytes as i64);
            partition.producers.encode(&mut out);
        }
        out
    }

    fn decode(content: &[u8], producers: impl Fn(&mut Decoder<'_>) -> Result<ProducerStates>) -> Result<Self> {
        let mut from = Decoder::new(content);
        let mut checkpoint = Self { journal: from.i64()? as u64, ..Self::default() };
        for _ in 0..from.count()? {
            let id = from.i32()? as u32;
            let partition = PartitionCheckpoint {
                log_start_offset: from.i64()?,
                log_start_segment: from.i64()?,
                next_offset: from.i64()?,
                active_base: from.i64()?,
                active_size_bytes: from.i64()? as u64,
                producers: producers(&mut from)?,
            };
            checkpoint.partitions.insert(id, partition);
        }
        if from.is_empty() { Ok(checkpoint) } else { Err(Error::corrupt("bytes follow its end")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Memory;

    #[test]
    fn a_checkpoint_survives_the_round_trip_and_damage_is_found() {
        let io = Memory::new();
        let path = Path::new("/data/checkpoint");
        let partition = PartitionCheckpoint { next_offset: 9, active_base: 4, ..PartitionCheckpoint::default() };
        let checkpoint = Checkpoint { journal: 3, partitions: HashMap::from([(1, partition)]) };
        checkpoint.write(&io, path).unwrap();
        assert_eq!(Checkpoint::read(&io, path).unwrap().unwrap(), checkpoint);
        for position in 0..io.read(path).unwrap().unwrap().len() {
            let damaged = io.deep_clone();
            damaged.flip(path, position, 0x10);
            assert!(matches!(Checkpoint::read(&damaged, path), Err(Error::Damaged { .. })));
        }
    }
}
