//! `EARLIEST_BY_OFFSET` and `LATEST_BY_OFFSET`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, new_null_array};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use datafusion::common::ScalarValue;

use super::{AggregateFunction, GroupStates, argument, at};
use crate::overload::{Param, Returns};

pub(super) fn all() -> Vec<AggregateFunction> {
    let f = AggregateFunction::new;
    vec![
        f("EARLIEST_BY_OFFSET", "The value of the first record whose value is not null.", |args, _| {
            Box::new(ByOffset::new(args, false))
        })
        .overload(&[Param::Any], Returns::Same(0)),
        f("LATEST_BY_OFFSET", "The value of the last record whose value is not null.", |args, _| {
            Box::new(ByOffset::new(args, true))
        })
        .overload(&[Param::Any], Returns::Same(0)),
    ]
}

#[derive(Debug)]
struct ByOffset {
    values: Vec<Option<ScalarValue>>,
    ty: DataType,
    latest: bool,
}

impl ByOffset {
    fn new(args: &[DataType], latest: bool) -> Self {
        Self { values: Vec::new(), ty: args.first().cloned().unwrap_or(DataType::Null), latest }
    }

    fn offer(&mut self, slot: u32, value: ScalarValue) -> Result<(), ArrowError> {
        let latest = self.latest;
        let kept = at(&mut self.values, slot)?;
        if latest || kept.is_none() {
            *kept = Some(value);
        }
        Ok(())
    }
}

fn failed(error: datafusion::common::DataFusionError) -> ArrowError {
    ArrowError::ComputeError(error.to_string())
}

impl GroupStates for ByOffset {
    fn resize(&mut self, slots: usize) {
        self.values.resize(slots, None);
    }

    fn update(&mut self, slots: &[u32], args: &[ArrayRef]) -> Result<(), ArrowError> {
        let values = argument(args, 0)?;
        for (row, &slot) in slots.iter().enumerate() {
            if values.is_valid(row) {
                self.offer(slot, ScalarValue::try_from_array(values, row).map_err(failed)?)?;
            }
        }
        Ok(())
    }

    fn merge(&mut self, into: u32, from: u32) -> Result<(), ArrowError> {
        match at(&mut self.values, from)?.take() {
            Some(value) => self.offer(into, value),
            None => Ok(()),
        }
    }

    fn evaluate(&self, slots: &[u32]) -> Result<ArrayRef, ArrowError> {
        if slots.is_empty() {
            return Ok(new_null_array(&self.ty, 0));
        }
        let null = ScalarValue::try_from(&self.ty).map_err(failed)?;
        let value = |slot: &u32| self.values.get(*slot as usize).cloned().flatten().unwrap_or_else(|| null.clone());
        ScalarValue::iter_to_array(slots.iter().map(value)).map_err(failed)
    }

    fn state(&self, slots: &[u32]) -> Result<Vec<ArrayRef>, ArrowError> {
        let known = |slot: &u32| Some(self.values.get(*slot as usize).is_some_and(Option::is_some));
        Ok(vec![self.evaluate(slots)?, Arc::new(slots.iter().map(known).collect::<BooleanArray>())])
    }

    fn restore(&mut self, slots: &[u32], state: &[ArrayRef]) -> Result<(), ArrowError> {
        let (values, known) = (argument(state, 0)?, argument(state, 1)?.as_boolean());
        for (row, &slot) in slots.iter().enumerate() {
            let value =
                if known.value(row) { Some(ScalarValue::try_from_array(values, row).map_err(failed)?) } else { None };
            *at(&mut self.values, slot)? = value;
        }
        Ok(())
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![self.ty.clone(), DataType::Boolean]
    }

    fn clear(&mut self, slot: u32) {
        if let Some(value) = self.values.get_mut(slot as usize) {
            *value = None;
        }
    }
}
