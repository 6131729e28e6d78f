//! `AVG`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use arrow::error::ArrowError;

use super::{AggregateFunction, GroupStates, argument, at, vec_bytes};
use crate::overload::{Param, Returns};

pub(super) fn all() -> Vec<AggregateFunction> {
    let make: super::Make = |_, _| Ok(Box::<Average>::default());
    vec![
        AggregateFunction::new("AVG", "The mean of the values that are not null.", make)
            .example("x INT", &["1", "null", "4"], ("AVG(x)", "2.5"))
            .retracting()
            .overload(&[Param::Double], Returns::Type(DataType::Float64)),
    ]
}

#[derive(Debug, Default)]
struct Average {
    sums: Vec<f64>,
    counts: Vec<i64>,
}

impl Average {
    fn add(&mut self, slots: &[u32], args: &[ArrayRef], sign: i64) -> Result<(), ArrowError> {
        let values = argument(args, 0)?.as_primitive::<Float64Type>();
        for (row, (&slot, value)) in slots.iter().zip(values.values()).enumerate() {
            if values.is_valid(row) {
                *at(&mut self.sums, slot)? += value * sign as f64;
                *at(&mut self.counts, slot)? += sign;
            }
        }
        Ok(())
    }

    fn each(&self, slots: &[u32]) -> impl Iterator<Item = (f64, i64)> {
        let state = |slot: &u32| Some((*self.sums.get(*slot as usize)?, *self.counts.get(*slot as usize)?));
        slots.iter().map(move |slot| state(slot).unwrap_or_default())
    }
}

impl GroupStates for Average {
    fn resize(&mut self, slots: usize) {
        self.sums.resize(slots, 0.0);
        self.counts.resize(slots, 0);
    }

    fn update(&mut self, slots: &[u32], args: &[ArrayRef]) -> Result<(), ArrowError> {
        self.add(slots, args, 1)
    }

    fn retract(&mut self, slots: &[u32], args: &[ArrayRef]) -> Result<(), ArrowError> {
        self.add(slots, args, -1)
    }

    fn change(&mut self, slots: &[u32], args: &[ArrayRef], added: &BooleanBuffer) -> Result<(), ArrowError> {
        let values = argument(args, 0)?.as_primitive::<Float64Type>();
        for ((row, &slot), added) in slots.iter().enumerate().zip(added) {
            if values.is_valid(row) {
                let sign = if added { 1 } else { -1 };
                *at(&mut self.sums, slot)? += values.value(row) * sign as f64;
                *at(&mut self.counts, slot)? += sign;
            }
        }
        Ok(())
    }

    fn merge(&mut self, into: u32, from: u32) -> Result<(), ArrowError> {
        let (sum, count) = (*at(&mut self.sums, from)?, *at(&mut self.counts, from)?);
        *at(&mut self.sums, into)? += sum;
        *at(&mut self.counts, into)? += count;
        Ok(())
    }

    fn evaluate(&self, slots: &[u32]) -> Result<ArrayRef, ArrowError> {
        let mean = |(sum, count): (f64, i64)| if count == 0 { 0.0 } else { sum / count as f64 };
        Ok(Arc::new(self.each(slots).map(mean).map(Some).collect::<Float64Array>()))
    }

    fn state(&self, slots: &[u32]) -> Result<Vec<ArrayRef>, ArrowError> {
        let sums: Float64Array = self.each(slots).map(|(sum, _)| Some(sum)).collect();
        let counts: Int64Array = self.each(slots).map(|(_, count)| Some(count)).collect();
        Ok(vec![Arc::new(sums), Arc::new(counts)])
    }

    fn restore(&mut self, slots: &[u32], state: &[ArrayRef]) -> Result<(), ArrowError> {
        let sums = argument(state, 0)?.as_primitive::<Float64Type>();
        let counts = argument(state, 1)?.as_primitive::<Int64Type>();
        for ((&slot, sum), count) in slots.iter().zip(sums.values()).zip(counts.values()) {
            *at(&mut self.sums, slot)? = *sum;
            *at(&mut self.counts, slot)? = *count;
        }
        Ok(())
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![DataType::Float64, DataType::Int64]
    }

    fn clear(&mut self, slot: u32) {
        if let (Some(sum), Some(count)) = (self.sums.get_mut(slot as usize), self.counts.get_mut(slot as usize)) {
            (*sum, *count) = (0.0, 0);
        }
    }

    fn size_bytes(&self) -> usize {
        vec_bytes(&self.sums) + vec_bytes(&self.counts)
    }
}
