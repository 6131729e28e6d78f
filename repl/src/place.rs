//! Where the topics are that a command works on: in a data directory of its own, or behind the port of the program
//! that has the directory.

mod connection;
mod own;
mod running;

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use millstream_log::{Error, Fetched, TopicPartition};

use crate::arguments::Arguments;
use crate::embedded::open_log;
use crate::failure::{Failure, Result};

use own::Own;
use running::Running;

/// How long to wait for a program that has the data directory to listen.
const START_MAX: Duration = Duration::from_secs(2);
const START_POLL: Duration = Duration::from_millis(50);

/// A topic as commands see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Topic {
    pub(crate) name: String,
    pub(crate) partitions: i32,
}

impl Topic {
    pub(crate) fn topic_partitions(&self) -> impl Iterator<Item = TopicPartition> + '_ {
        (0..self.partitions).map(|number| TopicPartition::new(self.name.as_str(), number))
    }
}

/// Topics that can be read and written.
pub(crate) trait Place {
    /// All topics by name.
    fn topics(&mut self) -> Result<Vec<Topic>>;

    /// One topic, `None` if there is none of this name.
    fn topic(&mut self, name: &str) -> Result<Option<Topic>>;

    /// Creates a topic whose records are kept for ever.
    fn create(&mut self, name: &str, partitions: i32) -> Result<Topic>;

    /// The first offset there is and the last stable offset, of each partition.
    fn offsets(&mut self, partitions: &[TopicPartition]) -> Result<Vec<(i64, i64)>>;

    /// Appends a batch, which need not be on disk yet; waits while many are on their way.
    fn append(&mut self, to: &TopicPartition, batch: Vec<u8>) -> Result<()>;

    /// Waits until everything appended is on disk.
    fn settle(&mut self) -> Result<()>;

    /// What is committed behind each of these offsets, partition by partition, as soon as there is something anywhere;
    /// after some time, nothing. `None` is where an offset is not in its partition, or not any more.
    fn fetch(&mut self, from: &[(TopicPartition, i64)]) -> Result<Vec<Option<Fetched>>>;

    /// How far a group has come in each partition.
    fn committed(&mut self, group: &str, partitions: &[TopicPartition]) -> Result<Vec<Option<i64>>>;

    /// Remembers how far a group has come.
    fn commit(&mut self, group: &str, offsets: &[(TopicPartition, i64)]) -> Result<()>;
}

/// Opens the data directory, or connects to the program that has it or that the command line names.
pub(crate) fn open(arguments: &Arguments, bootstrap_server: Option<&str>) -> Result<Box<dyn Place>> {
    if let Some(address) = bootstrap_server {
        return Ok(Box::new(Running::connect(address)?));
    }
    let begun = Instant::now();
    loop {
        match (open_log(arguments), listening(&arguments.data)) {
            (Ok(log), _) => return Ok(Box::new(Own::new(log))),
            (Err(Error::Locked { .. }), Some(address)) => return Ok(Box::new(Running::connect(&address)?)),
            // It may just have been started.
            (Err(Error::Locked { .. }), None) if begun.elapsed() < START_MAX => thread::sleep(START_POLL),
            (Err(error), _) => return Err(Failure::unavailable(error.to_string())),
        }
    }
}

/// The file that tells where the program that has a data directory listens, an address a line.
pub(crate) fn listeners_file(data: &Path) -> PathBuf {
    data.join("listeners")
}

fn listening(data: &Path) -> Option<String> {
    let text = std::fs::read_to_string(listeners_file(data)).ok()?;
    text.lines().next().map(str::to_owned)
}
