//! The registry of topics, one small file that is replaced as a whole.
//!
//! ```text
//! "MST3" | CRC-32C u32 | next partition id i32 | topics i32 | topic*
//! topic   name | partitions i32 | partition id i32 * | settings i32 | (name | value)*
//! ```

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::codec::{Decoder, Encode, seal, unseal, unseal_v2};
use crate::partition::Partition;
use crate::topic::NAME_BYTES_MAX;
use crate::{CleanupPolicy, Error, Io, Result, TopicConfig, TopicInfo, TopicPartition, TopicSpec};

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

fn decode_topic(from: &mut Decoder<'_>) -> Result<(TopicSpec, Vec<u32>)> {
    let name = from.string()?;
    let ids = (0..from.count()?).map(|_| Ok(from.i32()? as u32)).collect::<Result<Vec<_>>>()?;
    let mut spec = TopicSpec::new(name, ids.len() as i32);
    for _ in 0..from.count()? {
        let (name, value) = (from.string()?, from.string()?);
        match spec.config.set(&name, &value) {
            // An earlier version took it; the default holds.
            Err(Error::InvalidSetting { .. }) => {}
            set => set?,
        }
    }
    Ok((spec, ids))
}

/// Version 2: partitions with consecutive ids, and five settings.
fn decode_topic_v2(from: &mut Decoder<'_>) -> Result<(TopicSpec, Vec<u32>)> {
    let name = from.string()?;
    let first_id = from.i32()? as u32;
    let partitions = from.i32()?;
    let cleanup_policy = if from.i16()? != 0 { CleanupPolicy::Compact } else { CleanupPolicy::Delete };
    let config = TopicConfig {
        cleanup_policy,
        retention_ms: from.i64()?,
        retention_bytes: from.i64()?,
        segment_bytes: from.i64()? as u64,
        delete_retention_ms: from.i64()?,
        ..TopicConfig::default()
    };
    let spec = TopicSpec { name, partitions, config };
    // Before room is made for so many.
    spec.check()?;
    let ids = (first_id..first_id.saturating_add(partitions.unsigned_abs())).collect();
    Ok((spec, ids))
}

impl Topics {
    pub(super) fn read(io: &dyn Io, dir: &Path) -> Result<Option<Self>> {
        let path = path(dir);
        let Some(sealed) = io.read(&path).map_err(Error::io("read", &path))? else { return Ok(None) };
        let content = if sealed.starts_with(&MAGIC_2) { unseal_v2(MAGIC_2, &sealed) } else { unseal(MAGIC, &sealed) };
        let topic = if sealed.starts_with(&MAGIC_2) { decode_topic_v2 } else { decode_topic };
        let decoded = content.and_then(|content| Self::decode(dir, content, topic));
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
            out.put_string(&topic.info.name);
            out.put_i32(topic.info.partitions);
            topic.partitions.iter().for_each(|partition| out.put_i32(partition.id as i32));
            let settings: Vec<_> = topic.info.config.changed().collect();
            out.put_i32(settings.len() as i32);
            for (setting, value) in settings {
                out.put_string(setting.name);
                out.put_string(&value);
            }
        }
        out
    }

    fn decode(
        dir: &Path,
        content: &[u8],
        topic: fn(&mut Decoder<'_>) -> Result<(TopicSpec, Vec<u32>)>,
    ) -> Result<Self> {
        let mut from = Decoder::new(content);
        let next_id = u32::try_from(from.i32()?).map_err(|_| Error::corrupt("the next id is negative"))?;
        let mut topics = Self { next_id, ..Self::default() };
        for _ in 0..from.count()? {
            let (spec, ids) = topic(&mut from)?;
            spec.check()?;
            if topics.by_name.contains_key(spec.name.as_str()) {
                return Err(Error::corrupt(format!("topic \"{}\" is there twice", spec.name)));
            }
            let known = topics.by_id.len();
            topics.insert_as(dir, &spec, &ids);
            if topics.by_id.len() != known + ids.len() || ids.iter().any(|id| *id >= next_id) {
                return Err(Error::corrupt(format!("a partition of topic \"{}\" has an impossible id", spec.name)));
            }
        }
        if from.is_empty() { Ok(topics) } else { Err(Error::corrupt("bytes follow its end")) }
    }

    /// Adds a topic without records.
    pub(super) fn insert(&mut self, dir: &Path, spec: &TopicSpec) -> TopicInfo {
        let ids = self.take_ids(spec.partitions);
        self.insert_as(dir, spec, &ids)
    }

    fn take_ids(&mut self, count: i32) -> Vec<u32> {
        let first = self.next_id;
        self.next_id += count.unsigned_abs();
        (first..self.next_id).collect()
    }

    fn insert_as(&mut self, dir: &Path, spec: &TopicSpec, ids: &[u32]) -> TopicInfo {
        let info = TopicInfo { name: spec.name.as_str().into(), partitions: 0, config: spec.config.clone() };
        let name = Arc::clone(&info.name);
        self.by_name.insert(Arc::clone(&name), Topic { info, partitions: Vec::new() });
        self.grow(dir, &name, ids);
        TopicInfo { name, partitions: spec.partitions, config: spec.config.clone() }
    }

    /// Gives a topic more partitions, which are returned; none if there is no such topic.
    pub(super) fn add_partitions(&mut self, dir: &Path, name: &str, count: i32) -> Vec<Arc<Partition>> {
        let ids = self.take_ids(count);
        self.grow(dir, name, &ids)
    }

    fn grow(&mut self, dir: &Path, name: &str, ids: &[u32]) -> Vec<Arc<Partition>> {
        let Some(topic) = self.by_name.get_mut(name) else { return Vec::new() };
        let config = Arc::new(topic.info.config.clone());
        let mut added = Vec::new();
        for &id in ids {
            let name = TopicPartition::new(Arc::clone(&topic.info.name), topic.info.partitions);
            let dir = partitions_dir(dir).join(folder(&name, id));
            let partition = Arc::new(Partition::empty(id, name, dir, Arc::clone(&config)));
            self.by_id.insert(id, Arc::clone(&partition));
            topic.partitions.push(Arc::clone(&partition));
            topic.info.partitions += 1;
            added.push(partition);
        }
        added
    }

    /// Takes the newest partitions of a topic away again.
    pub(super) fn shrink(&mut self, name: &str, partitions: i32) {
        let Some(topic) = self.by_name.get_mut(name) else { return };
        for partition in topic.partitions.drain(partitions.unsigned_abs() as usize..) {
            self.by_id.remove(&partition.id);
        }
        topic.info.partitions = partitions;
    }

    /// Gives a topic other settings.
    pub(super) fn configure(&mut self, name: &str, config: TopicConfig) {
        let Some(topic) = self.by_name.get_mut(name) else { return };
        let shared = Arc::new(config.clone());
        topic.partitions.iter().for_each(|partition| partition.configure(&shared));
        topic.info.config = config;
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

    /// The id of a topic's first partition, which no other topic had, has or will have.
    pub(super) fn number(&self, name: &str) -> Option<u32> {
        Some(self.by_name.get(name)?.partitions.first()?.id)
    }

    /// The topic of that number.
    pub(super) fn of_number(&self, number: u32) -> Option<Arc<str>> {
        let first = &self.by_id.get(&number)?.name;
        (first.partition == 0).then(|| Arc::clone(&first.topic))
    }

    pub(super) fn partition(&self, name: &TopicPartition) -> Result<&Arc<Partition>> {
        // Somebody may ask for many partitions of a topic whose name is longer than any.
        let beginning = || name.topic.chars().take(NAME_BYTES_MAX).collect();
        let topic = self.by_name.get(&*name.topic).ok_or_else(|| Error::UnknownTopic(beginning()))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(topics: &[(&str, &[i32])]) -> Result<Topics> {
        let mut content = Vec::new();
        content.put_i32(10);
        content.put_i32(topics.len() as i32);
        for (name, ids) in topics {
            content.put_string(name);
            content.put_i32(ids.len() as i32);
            ids.iter().for_each(|id| content.put_i32(*id));
            content.put_i32(0);
        }
        Topics::decode(Path::new("/log"), &content, decode_topic)
    }

    #[test]
    fn a_registry_that_cannot_be_is_damage() {
        assert!(decode(&[("a", &[0, 1]), ("b", &[9])]).is_ok());
        let impossible: [&[(&str, &[i32])]; 6] = [
            &[("../a", &[0])],
            &[("a", &[])],
            &[("a", &[0]), ("a", &[1])],
            &[("a", &[0]), ("b", &[0])],
            &[("a", &[3, 3])],
            &[("a", &[10])],
        ];
        for topics in impossible {
            assert!(decode(topics).is_err(), "{topics:?}");
        }
    }

    #[test]
    fn a_registry_of_version_2_makes_no_room_for_partitions_that_there_cannot_be() {
        let mut content = Vec::new();
        content.put_i32(10);
        content.put_i32(1);
        content.put_string("a");
        content.put_i32(0);
        content.put_i32(i32::MAX);
        content.put_i16(0);
        (0..4).for_each(|_| content.put_i64(0));
        assert!(Topics::decode(Path::new("/log"), &content, decode_topic_v2).is_err());
    }
}
