//! The log of commands: the catalog is what comes of replaying them (`docs/formats/command-log.md`).
//!
//! A record's value is a version byte, the statement, and the settings it was given under; its offset
//! numbers the query that it makes.

use std::sync::Arc;

use millstream_log::record::BatchBuilder;
use millstream_log::{GroupOffset, Log, TopicPartition, TopicSpec, WriteBatch, read_all};

use crate::names;
use crate::{Error, Result, Settings};

const VERSION: u8 = 1;

/// A statement that changed the catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Command {
    pub(crate) statement: String,
    pub(crate) settings: Settings,
}

/// The topic of commands.
pub(crate) struct CommandLog {
    log: Arc<dyn Log>,
    partition: TopicPartition,
    /// The group whose offset says up to where commands have been carried out.
    carried_out: String,
}

impl CommandLog {
    pub(crate) fn open(log: Arc<dyn Log>, service_id: &str) -> Result<Self> {
        let topic = names::command_topic(service_id);
        if log.topic(&topic)?.is_none() {
            log.create_topic(&TopicSpec::new(topic.clone(), 1).kept_for_ever())?;
        }
        let carried_out = names::group(service_id, "carried-out");
        Ok(Self { log, partition: TopicPartition::new(topic, 0), carried_out })
    }

    /// Appends a command and waits until it is on disk; returns its offset.
    pub(crate) fn append(&self, command: &Command) -> Result<i64> {
        let mut batch = BatchBuilder::new();
        batch.push(self.log.now_ms(), None, Some(&encode(command)));
        Ok(self.log.append(&self.partition, batch.finish()?)?.wait()?)
    }

    /// Before which offset everything that commands delete is deleted; `None` if no process has said so yet.
    ///
    /// A later one that deletes is the last, since the next command waits until it is carried out. That must be on
    /// record: the topic may be created again by somebody else, and is not to be deleted at every start.
    pub(crate) fn carried_out(&self) -> Result<Option<i64>> {
        Ok(self.log.group_offset(&self.carried_out, &self.partition)?)
    }

    /// Everything before an offset is carried out.
    pub(crate) fn note_carried_out(&self, offset: i64) -> Result<()> {
        let (group, partition) = (self.carried_out.clone(), self.partition.clone());
        let offsets = vec![GroupOffset::new(group, partition, offset)];
        Ok(self.log.write(WriteBatch { batches: Vec::new(), offsets })?.wait()?)
    }

    /// All commands with their offsets.
    pub(crate) fn read(&self) -> Result<Vec<(i64, Command)>> {
        let mut commands = Vec::new();
        read_all(&*self.log, &self.partition, |batch| {
            for record in batch.iter() {
                let record = record?;
                let damaged = |reason: &str| Error::Command { offset: record.offset, reason: reason.to_owned() };
                let value = record.value.ok_or_else(|| damaged("it is empty"))?;
                commands.push((record.offset, decode(value).map_err(damaged)?));
            }
            Result::<()>::Ok(())
        })?;
        Ok(commands)
    }
}

fn encode(command: &Command) -> Vec<u8> {
    let mut out = vec![VERSION];
    let mut put = |text: &str| {
        out.extend_from_slice(&(text.len() as u32).to_le_bytes());
        out.extend_from_slice(text.as_bytes());
    };
    put(&command.statement);
    for (name, value) in command.settings.changed() {
        put(name);
        put(value);
    }
    out
}

fn decode(value: &[u8]) -> Result<Command, &'static str> {
    let (version, mut rest) = value.split_first().ok_or("it is empty")?;
    if *version != VERSION {
        return Err("it was written by a newer version");
    }
    let mut take = || -> Result<String, &'static str> {
        let (length, tail) = rest.split_first_chunk::<4>().ok_or("it is cut off")?;
        let (text, tail) = tail.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or("it is cut off")?;
        rest = tail;
        String::from_utf8(text.to_vec()).map_err(|_| "it is not UTF-8")
    };
    let statement = take()?;
    let mut settings = Settings::default();
    while let Ok(name) = take() {
        settings.set(&name, &take()?).map_err(|_| "it has a setting that is not known")?;
    }
    Ok(Command { statement, settings })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_survives_the_round_trip() {
        let mut settings = Settings::default();
        settings.set("auto.offset.reset", "earliest").unwrap();
        let command = Command { statement: "CREATE STREAM é".to_owned(), settings };
        assert_eq!(decode(&encode(&command)), Ok(command));
        assert!(decode(&[9, 0]).is_err());
        assert!(decode(&[1, 5, 0, 0, 0, b'x']).is_err());
    }
}
