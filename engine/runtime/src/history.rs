//! A stream from its beginning to now, for batch queries.

use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use millstream_exec::{Batch, Context};
use millstream_log::Log;
use millstream_plan::{ScanColumn, Source};

use crate::Result;
use crate::input::Input;
use crate::scan::{inputs, project};

/// The records that a stream has at the moment when a query begins to read it, partition after partition. They are
/// read as the query takes them, so that a history may be longer than the memory.
pub(crate) struct History {
    pub(crate) log: Arc<dyn Log>,
    pub(crate) source: Arc<Source>,
    /// What is decoded.
    pub(crate) columns: Vec<ScanColumn>,
    /// What is handed on, in this order; it may have ROWTIME beside the columns.
    pub(crate) schema: SchemaRef,
}

impl std::fmt::Debug for History {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "History({})", self.source.name)
    }
}

impl PartitionStream for History {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let wanted = self.schema.fields().iter().map(|field| field.name().clone()).collect();
        let open = inputs(&*self.log, &self.source, &self.columns).and_then(|inputs| {
            let ends = inputs.iter().map(|input| Ok(self.log.offsets(&input.partition)?.1)).collect::<Result<_>>()?;
            Ok(Reading { log: Arc::clone(&self.log), inputs, ends, wanted, context: Context::default() })
        });
        let (reading, failure) = match open {
            Ok(reading) => (Some(reading), None),
            Err(error) => (None, Some(Err(error))),
        };
        let batches = failure.into_iter().chain(reading.into_iter().flatten());
        let batches = batches.map(|batch| batch.map_err(|error| DataFusionError::External(Box::new(error))));
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), futures_util::stream::iter(batches)))
    }
}

struct Reading {
    log: Arc<dyn Log>,
    /// The partitions that are left, the next one last.
    inputs: Vec<Input>,
    ends: Vec<i64>,
    wanted: Vec<String>,
    context: Context,
}

impl Reading {
    fn read(&mut self) -> Result<Option<RecordBatch>> {
        while let (Some(input), Some(end)) = (self.inputs.first_mut(), self.ends.first()) {
            if input.fill(&*self.log, Some(*end), &mut self.context)?
                && let Some(batch) = input.take()
            {
                return project(&live_rows(batch)?, &self.wanted).map(Some);
            }
            self.inputs.remove(0);
            self.ends.remove(0);
        }
        Ok(None)
    }
}

impl Iterator for Reading {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.read();
        if batch.is_err() {
            // What comes after a failure would be a result with a hole.
            self.inputs.clear();
        }
        batch.transpose()
    }
}

/// A record without a value is no row of a stream.
fn live_rows(batch: Batch) -> Result<RecordBatch> {
    let Some(live) = batch.live.clone() else { return Ok(batch.rows) };
    Ok(batch.filter(&BooleanArray::new(live, None))?.rows)
}
