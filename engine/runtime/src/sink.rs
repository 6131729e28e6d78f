//! Rows to record batches of a topic's partitions.

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::Int32Type;
use millstream_exec::{Batch, Context, SinkEncoder, headers_of};
use millstream_log::record::BatchBuilder;
use millstream_log::{TopicPartition, partition_for_key};

use crate::Result;
use crate::lanes::Lanes;

/// A record batch is finished once it has so many bytes: Kafka's default `max.message.bytes` is 1 MiB.
const BATCH_BYTES: usize = 900 << 10;

/// Encodes rows and spreads them over partitions by key.
pub(crate) struct Sink {
    encoder: SinkEncoder,
    builders: Builders,
    /// Where rows without a key go: to the partition that they came from, so that they stay in order.
    home: i32,
    /// The column with the number of a row's partition; none: the key decides.
    to: Option<usize>,
}

struct Builders {
    partitions: Vec<TopicPartition>,
    open: Vec<BatchBuilder>,
    finished: Vec<(TopicPartition, Vec<u8>)>,
    finished_bytes: usize,
    failed: Option<crate::Error>,
}

impl Sink {
    pub(crate) fn new(topic: &str, partitions: i32, encoder: SinkEncoder, home: i32) -> Self {
        Self::in_lanes(topic, (partitions, Lanes::ONE), encoder, home)
    }

    /// The sink of a task that has a lane of each partition.
    pub(crate) fn in_lanes(topic: &str, (partitions, lanes): (i32, Lanes), encoder: SinkEncoder, home: i32) -> Self {
        let topic: std::sync::Arc<str> = topic.into();
        let partitions: Vec<_> = (0..partitions.max(1))
            .map(|number| TopicPartition::new(std::sync::Arc::clone(&topic), lanes.partition(number, lanes.of(home))))
            .collect();
        let open = partitions.iter().map(|_| BatchBuilder::new()).collect();
        let builders = Builders { partitions, open, finished: Vec::new(), finished_bytes: 0, failed: None };
        Self { encoder, builders, home, to: None }
    }

    /// Sends each row to the partition whose number is in a column.
    pub(crate) fn directed_by(self, to: Option<usize>) -> Self {
        Self { to, ..self }
    }

    pub(crate) fn write(&mut self, batch: &Batch, context: &mut Context) -> Result<()> {
        let (builders, home) = (&mut self.builders, self.home);
        let count = builders.partitions.len() as i32;
        let to = match self.to {
            Some(at) => batch.column(at)?.as_primitive_opt::<Int32Type>(),
            None => None,
        };
        self.encoder.encode(batch, context, |row, key, value, timestamp_ms| {
            let directed = to.map(|to| to.value(row) % count);
            let partition = match key {
                _ if directed.is_some() => directed.unwrap_or_default(),
                Some(key) if count > 1 => partition_for_key(key.inner(), count),
                Some(_) => 0,
                None => home % count,
            };
            let headers = batch.headers.as_ref().map(|headers| (headers, row));
            builders.push(partition as usize, key.map(|key| key.bytes), value, timestamp_ms, headers);
        })?;
        match builders.failed.take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// How many bytes have been written since they were last taken.
    pub(crate) fn size_bytes(&self) -> usize {
        let open: usize =
            self.builders.open.iter().filter(|batch| !batch.is_empty()).map(BatchBuilder::size_bytes).sum();
        self.builders.finished_bytes + open
    }

    /// Takes everything written so far.
    pub(crate) fn finish(&mut self) -> Result<Vec<(TopicPartition, Vec<u8>)>> {
        for at in 0..self.builders.open.len() {
            self.builders.finish(at);
        }
        match self.builders.failed.take() {
            Some(error) => Err(error),
            None => {
                self.builders.finished_bytes = 0;
                Ok(std::mem::take(&mut self.builders.finished))
            }
        }
    }
}

impl Builders {
    fn push(
        &mut self,
        at: usize,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        timestamp_ms: i64,
        headers: Option<(&ArrayRef, usize)>,
    ) {
        let Some(builder) = self.open.get_mut(at) else { return };
        match headers {
            None => builder.push(timestamp_ms, key, value),
            Some((column, row)) => {
                let mut owned: Vec<(String, Option<Vec<u8>>)> = Vec::new();
                let read = headers_of(column, row, |name, value| {
                    owned.push((name.to_owned(), value.map(<[u8]>::to_vec)));
                });
                if let Err(error) = read {
                    self.failed = Some(error.into());
                }
                let headers: Vec<(&str, Option<&[u8]>)> =
                    owned.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect();
                builder.push_with_headers(timestamp_ms, key, value, &headers);
            }
        }
        if builder.size_bytes() >= BATCH_BYTES {
            self.finish(at);
        }
    }

    fn finish(&mut self, at: usize) {
        let (Some(builder), Some(partition)) = (self.open.get_mut(at), self.partitions.get(at)) else { return };
        if builder.is_empty() {
            return;
        }
        // What follows a full batch will be as large.
        let next = BatchBuilder::with_capacity(builder.size_bytes().min(BATCH_BYTES));
        match std::mem::replace(builder, next).finish() {
            Ok(batch) => {
                self.finished_bytes += batch.len();
                self.finished.push((partition.clone(), batch));
            }
            Err(error) => self.failed = Some(error.into()),
        }
    }
}
