//! A data directory that is this process's own.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use millstream_log::{
    EmbeddedLog, Error, Fetched, GroupOffset, Isolation, Log, Ticket, TopicInfo, TopicPartition, TopicSpec, Watch,
    WriteBatch,
};

use super::{Place, Topic};
use crate::failure::Result;

const FETCH_BYTES: usize = 1 << 20;
/// So many batches may be on their way to the disk.
const IN_FLIGHT_MAX: usize = 64;
/// How long a fetch waits for records.
const WAIT_MAX: Duration = Duration::from_secs(1);

pub(super) struct Own {
    log: EmbeddedLog,
    in_flight: VecDeque<Ticket<i64>>,
    /// What wakes a fetch, made by the first one.
    growth: Option<Growth>,
}

struct Growth {
    woken: Receiver<()>,
    _watches: Vec<Watch>,
}

impl Own {
    pub(super) fn new(log: EmbeddedLog) -> Self {
        Self { log, in_flight: VecDeque::new(), growth: None }
    }

    fn read(&self, from: &[(TopicPartition, i64)]) -> Result<Vec<Option<Fetched>>> {
        let fetch = |(partition, offset): &(TopicPartition, i64)| match self.log.fetch(
            partition,
            *offset,
            FETCH_BYTES,
            Isolation::ReadCommitted,
        ) {
            Err(Error::OffsetOutOfRange { .. }) => Ok(None),
            fetched => Ok(Some(fetched?)),
        };
        from.iter().map(fetch).collect()
    }

    fn watch(&self, from: &[(TopicPartition, i64)]) -> Result<Growth> {
        let (wake, woken) = channel();
        let watch = |(partition, _): &(TopicPartition, i64)| {
            let wake = wake.clone();
            Ok(self.log.watch(partition, Arc::new(move || _ = wake.send(())))?)
        };
        Ok(Growth { _watches: from.iter().map(watch).collect::<Result<_>>()?, woken })
    }
}

fn described(topic: &TopicInfo) -> Topic {
    Topic { name: topic.name.to_string(), partitions: topic.partitions }
}

impl Place for Own {
    fn topics(&mut self) -> Result<Vec<Topic>> {
        Ok(self.log.topics()?.iter().map(described).collect())
    }

    fn topic(&mut self, name: &str) -> Result<Option<Topic>> {
        Ok(self.log.topic(name)?.as_ref().map(described))
    }

    fn create(&mut self, name: &str, partitions: i32) -> Result<Topic> {
        Ok(described(&self.log.create_topic(&TopicSpec::new(name, partitions).kept_for_ever())?))
    }

    fn offsets(&mut self, partitions: &[TopicPartition]) -> Result<Vec<(i64, i64)>> {
        partitions.iter().map(|partition| Ok(self.log.offsets(partition)?)).collect()
    }

    fn append(&mut self, to: &TopicPartition, batch: Vec<u8>) -> Result<()> {
        self.in_flight.push_back(self.log.append(to, batch)?);
        if self.in_flight.len() > IN_FLIGHT_MAX
            && let Some(oldest) = self.in_flight.pop_front()
        {
            oldest.wait()?;
        }
        Ok(())
    }

    fn settle(&mut self) -> Result<()> {
        Ok(self.in_flight.drain(..).try_for_each(|ticket| ticket.wait().map(drop))?)
    }

    fn fetch(&mut self, from: &[(TopicPartition, i64)]) -> Result<Vec<Option<Fetched>>> {
        if self.growth.is_none() {
            self.growth = Some(self.watch(from)?);
        }
        let fetched = self.read(from)?;
        let is_new = fetched
            .iter()
            .zip(from)
            .any(|(fetched, (_, offset))| fetched.as_ref().is_none_or(|fetched| fetched.next_offset > *offset));
        if !is_new && let Some(growth) = &self.growth {
            if growth.woken.recv_timeout(WAIT_MAX) == Err(RecvTimeoutError::Disconnected) {
                self.growth = None;
            }
            return self.read(from);
        }
        Ok(fetched)
    }

    fn committed(&mut self, group: &str, partitions: &[TopicPartition]) -> Result<Vec<Option<i64>>> {
        partitions.iter().map(|partition| Ok(self.log.group_offset(group, partition)?)).collect()
    }

    fn commit(&mut self, group: &str, offsets: &[(TopicPartition, i64)]) -> Result<()> {
        let offset = |(partition, next): &(TopicPartition, i64)| GroupOffset::new(group, partition.clone(), *next);
        let offsets = offsets.iter().map(offset).collect();
        Ok(self.log.write(WriteBatch { batches: Vec::new(), offsets })?.wait()?)
    }
}
