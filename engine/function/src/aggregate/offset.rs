//! `EARLIEST_BY_OFFSET` and `LATEST_BY_OFFSET`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, new_null_array};
use arrow::datatypes::{DataType, Int64Type};
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
        .example("x INT", &["1", "2"], ("EARLIEST_BY_OFFSET(x)", "1"))
        .overload(&[Param::Any], Returns::Same(0)),
        f("LATEST_BY_OFFSET", "The value of the last record whose value is not null.", |args, _| {
            Box::new(ByOffset::new(args, true))
        })
        .example("x INT", &["1", "2"], ("LATEST_BY_OFFSET(x)", "2"))
        .overload(&[Param::Any], Returns::Same(0)),
    ]
}

#[derive(Debug)]
struct ByOffset {
    values: Vec<Option<Arrived>>,
    ty: DataType,
    latest: bool,
    /// The number that the next value gets.
    next: i64,
}

/// A value and its place in the order of arrival, which is not the order of sessions that merge.
#[derive(Debug, Clone)]
struct Arrived {
    number: i64,
    value: ScalarValue,
}

impl ByOffset {
    fn new(args: &[DataType], latest: bool) -> Self {
        Self { values: Vec::new(), ty: args.first().cloned().unwrap_or(DataType::Null), latest, next: 0 }
    }

    fn offer(&mut self, slot: u32, arrived: Arrived) -> Result<(), ArrowError> {
        let latest = self.latest;
        let kept = at(&mut self.values, slot)?;
        if kept.as_ref().is_none_or(|kept| (arrived.number > kept.number) == latest) {
            *kept = Some(arrived);
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
                let value = ScalarValue::try_from_array(values, row).map_err(failed)?;
                self.offer(slot, Arrived { number: self.next, value })?;
                self.next += 1;
            }
        }
        Ok(())
    }

    fn merge(&mut self, into: u32, from: u32) -> Result<(), ArrowError> {
        match at(&mut self.values, from)?.take() {
            Some(arrived) => self.offer(into, arrived),
            None => Ok(()),
        }
    }

    fn evaluate(&self, slots: &[u32]) -> Result<ArrayRef, ArrowError> {
        if slots.is_empty() {
            return Ok(new_null_array(&self.ty, 0));
        }
        let null = ScalarValue::try_from(&self.ty).map_err(failed)?;
        let arrived = |slot: &u32| self.values.get(*slot as usize)?.as_ref();
        let value = |slot: &u32| arrived(slot).map_or_else(|| null.clone(), |arrived| arrived.value.clone());
        ScalarValue::iter_to_array(slots.iter().map(value)).map_err(failed)
    }

    fn state(&self, slots: &[u32]) -> Result<Vec<ArrayRef>, ArrowError> {
        let number = |slot: &u32| self.values.get(*slot as usize)?.as_ref().map(|arrived| arrived.number);
        Ok(vec![self.evaluate(slots)?, Arc::new(slots.iter().map(number).collect::<Int64Array>())])
    }

    fn restore(&mut self, slots: &[u32], state: &[ArrayRef]) -> Result<(), ArrowError> {
        let (values, numbers) = (argument(state, 0)?, argument(state, 1)?.as_primitive::<Int64Type>());
        for (row, (&slot, number)) in slots.iter().zip(numbers).enumerate() {
            let value = |number| {
                Ok::<_, ArrowError>(Arrived {
                    number,
                    value: ScalarValue::try_from_array(values, row).map_err(failed)?,
                })
            };
            *at(&mut self.values, slot)? = number.map(value).transpose()?;
            self.next = self.next.max(number.map_or(0, |number| number + 1));
        }
        Ok(())
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![self.ty.clone(), DataType::Int64]
    }

    fn clear(&mut self, slot: u32) {
        if let Some(value) = self.values.get_mut(slot as usize) {
            *value = None;
        }
    }
}
