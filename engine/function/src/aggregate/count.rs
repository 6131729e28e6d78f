//! `COUNT`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{DataType, Int64Type};
use arrow::error::ArrowError;

use super::{AggregateFunction, GroupStates, argument, at, vec_bytes};
use crate::overload::{Param, Returns};

pub(super) fn all() -> Vec<AggregateFunction> {
    let make: super::Make = |_, _| Ok(Box::<Count>::default());
    vec![
        AggregateFunction::new("COUNT", "The number of rows, or of those whose argument is not null.", make)
            .example("x INT", &["1", "null", "3"], ("COUNT(*)", "3"))
            .example("x INT", &["1", "null", "3"], ("COUNT(x)", "2"))
            .retracting()
            .overload(&[], Returns::Type(DataType::Int64))
            .overload(&[Param::Any], Returns::Type(DataType::Int64)),
    ]
}

#[derive(Debug, Default)]
struct Count {
    counts: Vec<i64>,
}

impl Count {
    fn add(&mut self, slots: &[u32], args: &[ArrayRef], by: i64) -> Result<(), ArrowError> {
        let nulls = args.first().and_then(|arg| arg.logical_nulls());
        for (row, &slot) in slots.iter().enumerate() {
            if nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)) {
                *at(&mut self.counts, slot)? += by;
            }
        }
        Ok(())
    }
}

impl GroupStates for Count {
    fn resize(&mut self, slots: usize) {
        self.counts.resize(slots, 0);
    }

    fn update(&mut self, slots: &[u32], args: &[ArrayRef]) -> Result<(), ArrowError> {
        self.add(slots, args, 1)
    }

    fn retract(&mut self, slots: &[u32], args: &[ArrayRef]) -> Result<(), ArrowError> {
        self.add(slots, args, -1)
    }

    fn change(&mut self, slots: &[u32], args: &[ArrayRef], added: &BooleanBuffer) -> Result<(), ArrowError> {
        let nulls = args.first().and_then(|arg| arg.logical_nulls());
        for ((row, &slot), added) in slots.iter().enumerate().zip(added) {
            if nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)) {
                *at(&mut self.counts, slot)? += if added { 1 } else { -1 };
            }
        }
        Ok(())
    }

    fn merge(&mut self, into: u32, from: u32) -> Result<(), ArrowError> {
        let from = *at(&mut self.counts, from)?;
        *at(&mut self.counts, into)? += from;
        Ok(())
    }

    fn evaluate(&self, slots: &[u32]) -> Result<ArrayRef, ArrowError> {
        let count = |slot: &u32| self.counts.get(*slot as usize).copied().unwrap_or_default();
        Ok(Arc::new(Int64Array::from_iter_values(slots.iter().map(count))))
    }

    fn state(&self, slots: &[u32]) -> Result<Vec<ArrayRef>, ArrowError> {
        Ok(vec![self.evaluate(slots)?])
    }

    fn restore(&mut self, slots: &[u32], state: &[ArrayRef]) -> Result<(), ArrowError> {
        let counts = argument(state, 0)?.as_primitive::<Int64Type>();
        for (&slot, count) in slots.iter().zip(counts.values()) {
            *at(&mut self.counts, slot)? = *count;
        }
        Ok(())
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![DataType::Int64]
    }

    fn clear(&mut self, slot: u32) {
        if let Some(count) = self.counts.get_mut(slot as usize) {
            *count = 0;
        }
    }

    fn size_bytes(&self) -> usize {
        vec_bytes(&self.counts)
    }
}
