//! The registry of topics, one small file that is replaced as a whole.
//!
//! ```text
//! "MST3" | CRC-32C u32 | next partition id i32 | topics i32 | topic*
//! topic   name | first partition id i32 | partitions i32 | compact i16
//!         | retention ms i64 | retention bytes i64 | segment bytes i64 | delete retention ms i64
//! ```

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::codec::{Decoder, Encode, seal, unseal, unseal_v2};
use crate::partition::Partition;
use crate::{Error, Io, Result, TopicConfig, TopicInfo, TopicPartition, TopicSpec};

const MAGIC: [u8; 4] = *b"MST3";
const MAGIC_2: [u8; 4] = *b"MST2";

/// All topics of a log.
#[derive(Debug, Default)]
pub(super) struct Topics {
    next_id: u32,
    by_name: BTreeMap<Arc<str>, Topic>,
    by_id: HashMap<u32, Arc<Partition>>,
}

#[derive(Debug)]
struct Topic {
    info: TopicInfo,
    first_id: u32,
    partitions: Vec<Arc<Partition>>,
}

fn path(dir: &Path) -> PathBuf {
    dir.join("topics.meta")
}

pub(super) fn partitions_dir(dir: &Path) -> PathBuf {
    dir.join("topics")
}

/// A partition's folder. The id makes it differ from that of a topic of the same name that was deleted
/// while its files are still being removed.
fn folder(partition: &TopicPartition, id: u32) -> String {
    let name: String = partition.topic.chars().take(200).collect();
    format!("{name}-{}.{id}", partition.partition)
}

impl Topics {
    pub(super) fn read(io: &dyn Io, dir: &Path) -> Result<Option<Self>> {
        let path = path(dir);
        let Some(sealed) = io.read(&path).map_err(Error::io("read", &path))? else { return Ok(None) };
        let content = if sealed.starts_with(&MAGIC_2) { unseal_v2(MAGIC_2, &sealed) } else { unseal(MAGIC, &sealed) };
        let decoded = content.and_then(|content| Self::decode(dir, content));
        decoded.map(Some).map_err(|error| Error::damaged(&path, 0, error.to_string()))
    }

    pub(super) fn write(&self, io: &dyn Io, dir: &Path) -> Result<()> {
        crate::io::replace(io, &path(dir), &seal(MAGIC, &self.encode()))
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.put_i32(self.next_id as i32);
        out.put_i32(self.by_name.len() as i32);
        for topic in self.by_name.values() {
            let TopicConfig { compact, retention_ms, retention_bytes, segment_bytes, delete_retention_ms } =
                topic.info.config;
            out.put_string(&topic.info.name);
            out.put_i32(topic.first_id as i32);
            out.put_i32(topic.info.partitions);
            out.put_i16(i16::from(compact));
            out.put_i64(retention_ms);
            out.put_i64(retention_bytes);
            out.put_i64(segment_bytes as i64);
            out.put_i64(delete_retention_ms);
        }
        out
    }

    fn decode(dir: &Path, content: &[u8]) -> Result<Self> {
        let mut from = Decoder::new(content);
        let next_id = from.i32()? as u32;
        let mut topics = Self::default();
        for _ in 0..from.count()? {
            let name = from.string()?;
            let first_id = from.i32()? as u32;
            let partitions = from.i32()?;
            let config = TopicConfig {
                compact: from.i16()? != 0,
                retention_ms: from.i64()?,
                retention_bytes: from.i64()?,
                segment_bytes: from.i64()? as u64,
                delete_retention_ms: from.i64()?,
            };
            topics.next_id = first_id;
            topics.insert(dir, &TopicSpec { name, partitions, config });
        }
        topics.next_id = next_id;
        if from.is_empty() { Ok(topics) } else { Err(Error::corrupt("bytes follow its end")) }
    }

    /// Adds a topic without records.
    pub(super) fn insert(&mut self, dir: &Path, spec: &TopicSpec) -> TopicInfo {
        let info =
            TopicInfo { name: spec.name.as_str().into(), partitions: spec.partitions, config: spec.config.clone() };
        let first_id = self.next_id;
        let mut partitions = Vec::new();
        for name in info.topic_partitions() {
            let dir = partitions_dir(dir).join(folder(&name, self.next_id));
            let partition = Arc::new(Partition::empty(self.next_id, name, dir, info.config.clone()));
            self.by_id.insert(self.next_id, Arc::clone(&partition));
            partitions.push(partition);
            self.next_id += 1;
        }
        self.by_name.insert(Arc::clone(&info.name), Topic { info: info.clone(), first_id, partitions });
        info
    }

    pub(super) fn remove(&mut self, name: &str) -> Option<Vec<Arc<Partition>>> {
        let topic = self.by_name.remove(name)?;
        for partition in &topic.partitions {
            self.by_id.remove(&partition.id);
        }
        Some(topic.partitions)
    }

    pub(super) fn infos(&self) -> impl Iterator<Item = &TopicInfo> {
        self.by_name.values().map(|topic| &topic.info)
    }

    pub(super) fn info(&self, name: &str) -> Option<&TopicInfo> {
        self.by_name.get(name).map(|topic| &topic.info)
    }

    pub(super) fn partition(&self, name: &TopicPartition) -> Result<&Arc<Partition>> {
        let topic = self.by_name.get(&*name.topic).ok_or_else(|| Error::UnknownTopic(name.topic.to_string()))?;
        let index = usize::try_from(name.partition).ok();
        index.and_then(|index| topic.partitions.get(index)).ok_or_else(|| Error::UnknownPartition(name.clone()))
    }

    pub(super) fn partition_by_id(&self, id: u32) -> Option<&Arc<Partition>> {
        self.by_id.get(&id)
    }

    pub(super) fn partitions(&self) -> impl Iterator<Item = &Arc<Partition>> {
        self.by_name.values().flat_map(|topic| &topic.partitions)
    }
}
