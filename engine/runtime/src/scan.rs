//! What batch queries read of a source's topic.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use millstream_exec::SourceDecoder;
use millstream_log::{Log, TopicPartition};
use millstream_plan::{ROWTIME, ScanColumn, ScanRole, Source};

use crate::Result;
use crate::input::Input;

/// All columns of a source by the names that batch SQL uses, with the system columns that are wanted.
pub(crate) fn columns_of(source: &Source, system: &[&str]) -> Vec<ScanColumn> {
    let column = |name: &str, ty, role| ScanColumn { name: name.to_owned(), ty, role };
    let mut columns = Vec::new();
    for (at, key) in source.key.iter().enumerate() {
        columns.push(column(&key.name, key.arrow_type(), ScanRole::Key(at)));
    }
    if source.window.is_some() {
        columns.push(column("WINDOWSTART", DataType::Int64, ScanRole::WindowStart));
        columns.push(column("WINDOWEND", DataType::Int64, ScanRole::WindowEnd));
    }
    for (at, value) in source.value.iter().enumerate() {
        columns.push(column(&value.name, value.arrow_type(), ScanRole::Value(at)));
    }
    for (at, header) in source.headers.iter().enumerate() {
        columns.push(column(&header.column.name, header.column.arrow_type(), ScanRole::Header(at)));
    }
    for name in system {
        match *name {
            "ROWPARTITION" => columns.push(column(name, DataType::Int32, ScanRole::RowPartition)),
            "ROWOFFSET" => columns.push(column(name, DataType::Int64, ScanRole::RowOffset)),
            _ => {}
        }
    }
    columns
}

/// Their schema, with ROWTIME behind them.
pub(crate) fn schema_of(columns: &[ScanColumn]) -> SchemaRef {
    let fields = columns.iter().map(|column| Field::new(&column.name, column.ty.clone(), true));
    Arc::new(Schema::new(fields.chain([Field::new(ROWTIME, DataType::Int64, true)]).collect::<Vec<_>>()))
}

/// The inputs of all partitions of a source.
pub(crate) fn inputs(log: &dyn Log, source: &Source, columns: &[ScanColumn]) -> Result<Vec<Input>> {
    let schema = schema_of(columns);
    let partitions = log.topic(&source.topic)?.map_or(0, |topic| topic.partitions);
    let input = |number: i32| {
        let partition = TopicPartition::new(source.topic.as_str(), number);
        let (start, _) = log.offsets(&partition)?;
        let decoder = SourceDecoder::new(source, columns, SchemaRef::clone(&schema))?;
        Input::new(log, partition, number as usize, decoder, start, None)
    };
    (0..partitions).map(input).collect()
}

/// The columns of these names, in this order, each of which may be null.
pub(crate) fn project(rows: &RecordBatch, wanted: &[String]) -> Result<RecordBatch> {
    let places = wanted.iter().map(|name| rows.schema().index_of(name)).collect::<std::result::Result<Vec<_>, _>>()?;
    let projected = rows.project(&places)?;
    let fields: Vec<Field> =
        projected.schema().fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(projected.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), projected.columns().to_vec(), &options)?)
}
