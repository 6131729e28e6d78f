//! The ids of topics (KIP-516).

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use millstream_log::Log;
use uuid::Uuid;

const FNV_BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
const FNV_PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;

/// The id of a topic: made from its name (FNV-1a), so that it needs no place on disk.
pub(crate) fn topic_id(name: &str) -> Uuid {
    let mix = |hash: u128, byte: u8| (hash ^ u128::from(byte)).wrapping_mul(FNV_PRIME);
    Uuid::from_u128(name.bytes().fold(FNV_BASIS, mix))
}

/// Finds topics by their ids. A read-write lock: it is read at each fetch and written when a topic is new.
#[derive(Debug, Default)]
pub(crate) struct TopicNames {
    by_id: RwLock<HashMap<Uuid, Arc<str>>>,
}

impl TopicNames {
    /// The name of a topic that exists, or did a moment ago.
    pub(crate) fn name(&self, log: &dyn Log, id: Uuid) -> Option<Arc<str>> {
        let known = self.by_id.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        if known.is_some() {
            return known;
        }
        let topics = log.topics().ok()?;
        let by_id: HashMap<_, _> = topics.into_iter().map(|topic| (topic_id(&topic.name), topic.name)).collect();
        let found = by_id.get(&id).cloned();
        *self.by_id.write().unwrap_or_else(PoisonError::into_inner) = by_id;
        found
    }
}
