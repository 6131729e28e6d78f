//! The ids of topics (KIP-516).

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use millstream_log::{EmbeddedLog, Log};
use uuid::Uuid;

const FNV_BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
const FNV_PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;

/// The id of a topic: made from its name and its number (FNV-1a), so that it needs no place on disk, and that a topic which
/// is created anew has another. Nil if there is no such topic.
pub(crate) fn topic_id(log: &EmbeddedLog, name: &str) -> Uuid {
    let Some(number) = log.topic_number(name) else { return Uuid::nil() };
    let mix = |hash: u128, byte: u8| (hash ^ u128::from(byte)).wrapping_mul(FNV_PRIME);
    Uuid::from_u128(name.bytes().chain(number.to_be_bytes()).fold(FNV_BASIS, mix))
}

/// Finds topics by their ids. A read-write lock: it is read at each fetch and written when a topic is new.
#[derive(Debug, Default)]
pub(crate) struct TopicNames {
    /// Names, and the numbers of the topics that had them then.
    by_id: RwLock<HashMap<Uuid, (Arc<str>, Option<u32>)>>,
}

impl TopicNames {
    /// The name of a topic that exists.
    pub(crate) fn name(&self, log: &EmbeddedLog, id: Uuid) -> Option<Arc<str>> {
        self.name_of_several(log, id, &mut true)
    }

    /// The same for one of several ids of a request, which look through all topics once: `may_look` says whether they still may.
    pub(crate) fn name_of_several(&self, log: &EmbeddedLog, id: Uuid, may_look: &mut bool) -> Option<Arc<str>> {
        let known = self.by_id.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        if let Some((name, number)) = known {
            // It may have been deleted, and another topic may have its name now.
            return (number.is_some() && log.topic_number(&name) == number).then_some(name);
        }
        if !std::mem::take(may_look) {
            return None;
        }
        let topics = log.topics().ok()?.into_iter();
        let by_id: HashMap<_, _> = topics
            .map(|topic| (topic_id(log, &topic.name), (Arc::clone(&topic.name), log.topic_number(&topic.name))))
            .collect();
        let found = by_id.get(&id).map(|(name, _)| Arc::clone(name));
        *self.by_id.write().unwrap_or_else(PoisonError::into_inner) = by_id;
        found
    }
}

#[cfg(test)]
mod tests {
    use millstream_log::{LogOptions, TopicSpec};

    use super::*;

    #[test]
    fn ids_of_one_request_look_through_all_topics_once() {
        let log = EmbeddedLog::open(LogOptions::in_memory()).unwrap();
        let names = TopicNames::default();
        let mut may_look = true;
        assert_eq!(names.name_of_several(&log, Uuid::from_u128(1), &mut may_look), None);
        log.create_topic(&TopicSpec::new("t", 1)).unwrap();
        let id = topic_id(&log, "t");
        assert_eq!(names.name_of_several(&log, id, &mut may_look), None);
        assert_eq!(names.name(&log, id).as_deref(), Some("t"));
        assert_eq!(names.name_of_several(&log, id, &mut may_look).as_deref(), Some("t"));
    }
}
