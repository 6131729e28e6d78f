//! Topics and groups of the cluster.

use std::time::Duration;

use futures_executor::block_on;
use millstream_log::{Error, Result, TopicConfig, TopicInfo, TopicPartition, TopicSetting, TopicSpec};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::error::{cluster, is_unknown_topic};

/// How long the cluster may take to answer.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

/// What librdkafka says of one topic or group: its name, and what is wrong.
type Answer = Result<String, (String, RDKafkaErrorCode)>;
type Outcome = Result<(), RDKafkaErrorCode>;

/// Asks the cluster for changes that no record carries.
pub(crate) struct Admin {
    client: AdminClient<DefaultClientContext>,
    servers: String,
}

/// The settings that a new topic of a cluster gets; all others are the cluster's.
const SENT: [&str; 5] = ["cleanup.policy", "delete.retention.ms", "retention.bytes", "retention.ms", "segment.bytes"];

impl Admin {
    pub(crate) fn new(config: &ClientConfig, servers: &str) -> Result<Self> {
        let client = config.create().map_err(|error| cluster("connect to", servers, error))?;
        Ok(Self { client, servers: servers.to_owned() })
    }

    fn options() -> AdminOptions {
        AdminOptions::new().operation_timeout(Some(TIMEOUT)).request_timeout(Some(TIMEOUT))
    }

    pub(crate) fn create_topic(&self, spec: &TopicSpec) -> Result<TopicInfo> {
        let settings: Vec<_> = TopicSetting::all()
            .iter()
            .filter(|setting| SENT.contains(&setting.name))
            .map(|setting| (setting.name, setting.get(&spec.config)))
            .collect();
        let topic = NewTopic::new(&spec.name, spec.partitions, TopicReplication::Fixed(-1));
        let topic = settings.iter().fold(topic, |topic, (name, value)| topic.set(name, value));
        let answer = block_on(self.client.create_topics([&topic], &Self::options()));
        match self.only("create a topic on", answer)? {
            Ok(()) => {
                self.await_metadata(&spec.name)?;
                Ok(TopicInfo {
                    name: spec.name.as_str().into(),
                    partitions: spec.partitions,
                    config: spec.config.clone(),
                })
            }
            Err(RDKafkaErrorCode::TopicAlreadyExists) => Err(Error::TopicExists(spec.name.clone())),
            Err(code) => Err(Error::InvalidTopic { topic: spec.name.clone(), reason: code.to_string() }),
        }
    }

    pub(crate) fn delete_topic(&self, name: &str) -> Result<()> {
        let answer = block_on(self.client.delete_topics(&[name], &Self::options()));
        match self.only("delete a topic on", answer)? {
            Ok(()) => Ok(()),
            Err(RDKafkaErrorCode::UnknownTopicOrPartition) => Err(Error::UnknownTopic(name.to_owned())),
            Err(code) => Err(cluster("delete a topic on", &self.servers, KafkaError::AdminOp(code))),
        }
    }

    pub(crate) fn delete_records(&self, partition: &TopicPartition, before: i64) -> Result<()> {
        let failed = |error| cluster("delete records of", &self.servers, error);
        let mut offsets = TopicPartitionList::new();
        let before = Offset::Offset(before);
        offsets.add_partition_offset(&partition.topic, partition.partition, before).map_err(failed)?;
        let answer = block_on(self.client.delete_records(&offsets, &Self::options())).map_err(failed)?;
        answer.elements().iter().try_for_each(|element| element.error()).map_err(failed)
    }

    pub(crate) fn delete_group(&self, group: &str) -> Result<()> {
        let answer = block_on(self.client.delete_groups(&[group], &Self::options()));
        match self.only("delete a group on", answer)? {
            Ok(()) | Err(RDKafkaErrorCode::GroupIdNotFound) => Ok(()),
            Err(code) => Err(cluster("delete a group on", &self.servers, KafkaError::AdminOp(code))),
        }
    }

    /// All topics, or the one of this name; a topic's configuration is asked for only by name.
    pub(crate) fn topics(&self, name: Option<&str>) -> Result<Vec<TopicInfo>> {
        let fetched = self.client.inner().fetch_metadata(name, TIMEOUT);
        let metadata = fetched.map_err(|error| cluster("list the topics of", &self.servers, error))?;
        let there = metadata.topics().iter().filter(|topic| topic.error().is_none() && !topic.partitions().is_empty());
        let info = |topic: &rdkafka::metadata::MetadataTopic| -> Result<TopicInfo> {
            let config = if name.is_some() { self.config(topic.name())? } else { TopicConfig::default() };
            Ok(TopicInfo { name: topic.name().into(), partitions: topic.partitions().len() as i32, config })
        };
        there.map(info).collect()
    }

    fn config(&self, topic: &str) -> Result<TopicConfig> {
        let answer = block_on(self.client.describe_configs([&ResourceSpecifier::Topic(topic)], &Self::options()));
        let failed = |error| cluster("describe a topic of", &self.servers, error);
        let resource = answer.map_err(failed)?.into_iter().next().and_then(std::result::Result::ok);
        let mut config = TopicConfig::default();
        for entry in resource.map(|resource| resource.entries).unwrap_or_default() {
            let Some(value) = entry.value else { continue };
            // What a cluster has beyond the settings that are known here is of no use here.
            let _ = config.set(&entry.name, &value);
        }
        Ok(config)
    }

    /// A topic is created before every broker has heard of it.
    fn await_metadata(&self, name: &str) -> Result<()> {
        let deadline = std::time::Instant::now() + TIMEOUT;
        while self.topics(Some(name)).is_ok_and(|topics| topics.is_empty()) && std::time::Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// The answer about the only topic or group that was named.
    fn only(&self, action: &'static str, answer: Result<Vec<Answer>, KafkaError>) -> Result<Outcome> {
        match answer {
            Ok(answers) => {
                let first = answers.into_iter().next();
                Ok(first.map_or(Ok(()), |answer| answer.map(drop).map_err(|(_, code)| code)))
            }
            Err(error) if is_unknown_topic(&error) => Ok(Err(RDKafkaErrorCode::UnknownTopicOrPartition)),
            Err(error) => Err(cluster(action, &self.servers, error)),
        }
    }
}
