//! One of the two brokers, and what it has told: ids that the other one gives otherwise.

use std::collections::{BTreeMap, HashMap};

use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use crate::wire::Connection;

/// A producer as its broker knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KnownProducer {
    pub(crate) id: i64,
    pub(crate) epoch: i16,
}

/// A member of a group as its broker knows it.
#[derive(Debug, Clone, Default)]
pub(crate) struct KnownMember {
    pub(crate) id: StrBytes,
    pub(crate) generation: i32,
}

#[derive(Debug)]
pub(crate) struct Side {
    /// The first is for most requests, others for members of groups, that may have to wait.
    pub(crate) connections: Vec<Connection>,
    pub(crate) topic_ids: BTreeMap<String, Uuid>,
    /// By the script's names.
    pub(crate) producers: BTreeMap<String, KnownProducer>,
    pub(crate) members: BTreeMap<String, KnownMember>,
    /// Every id of a topic, a producer or a member that was ever told, and whose it is.
    pub(crate) names: HashMap<String, String>,
}

impl Side {
    pub(crate) fn new(address: &str, connections: usize) -> Self {
        Self {
            connections: (0..connections).map(|_| Connection::open(address)).collect(),
            topic_ids: BTreeMap::new(),
            producers: BTreeMap::new(),
            members: BTreeMap::new(),
            names: HashMap::new(),
        }
    }

    pub(crate) fn topic_id(&self, name: &str) -> Uuid {
        self.topic_ids.get(name).copied().unwrap_or(Uuid::from_u128(0xdead))
    }

    pub(crate) fn set_topic_id(&mut self, name: &str, id: Uuid) {
        self.names.insert(id.to_string(), format!("id of {name}"));
        self.topic_ids.insert(name.to_owned(), id);
    }

    /// Who has no id yet comes with one that nobody was given. With transactions (`x`) it is another than without: of a
    /// transaction that it refuses, Kafka remembers the sequence number, and holds it against later batches of any kind.
    pub(crate) fn producer(&self, name: &str) -> KnownProducer {
        let stranger = KnownProducer { id: if name.contains('x') { 999_998 } else { 999_999 }, epoch: 0 };
        self.producers.get(name).copied().unwrap_or(stranger)
    }

    pub(crate) fn set_producer(&mut self, name: &str, id: i64, epoch: i16) {
        let known = self.producers.get(name);
        let generation = if known.is_some_and(|known| known.id == id) { "" } else { "'" };
        self.names.entry(id.to_string()).or_insert_with(|| format!("{name}{generation}"));
        self.producers.insert(name.to_owned(), KnownProducer { id, epoch });
    }

    pub(crate) fn producer_name(&self, id: i64) -> String {
        self.names.get(&id.to_string()).cloned().unwrap_or_else(|| id.to_string())
    }

    pub(crate) fn member(&self, name: &str) -> KnownMember {
        self.members.get(name).cloned().unwrap_or_default()
    }

    pub(crate) fn set_member(&mut self, name: &str, id: &StrBytes, generation: i32) {
        if !id.is_empty() {
            self.names.entry(id.to_string()).or_insert_with(|| name.to_owned());
        }
        self.members.insert(name.to_owned(), KnownMember { id: id.clone(), generation });
    }

    /// Puts the script's names in place of what this broker calls things.
    pub(crate) fn canonical(&self, path: &str, text: &str) -> String {
        let field = path.rsplit('.').next().unwrap_or_default();
        let plain = text.trim_matches('"');
        if ["topic_id", "producer_id", "member_id", "leader", "active_producers"].contains(&field) {
            return self.names.get(plain).cloned().unwrap_or_else(|| text.to_owned());
        }
        text.to_owned()
    }
}
