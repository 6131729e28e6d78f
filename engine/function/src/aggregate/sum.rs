//! `SUM`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowNativeTypeOp, AsArray, PrimitiveArray};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{ArrowPrimitiveType, DataType, Decimal128Type, Float64Type, Int32Type, Int64Type};
use arrow::error::ArrowError;

use super::{AggregateFunction, GroupStates, argument, at, vec_bytes};
use crate::overload::{Param, Returns};

pub(super) fn all() -> Vec<AggregateFunction> {
    vec![
        AggregateFunction::new("SUM", "The sum of the values that are not null, of the values' type.", make)
            .example("x INT", &["1", "null", "3"], ("SUM(x)", "4"))
            .retracting()
            .overload(&[Param::Int], Returns::Type(DataType::Int32))
            .overload(&[Param::BigInt], Returns::Type(DataType::Int64))
            .overload(&[Param::Double], Returns::Type(DataType::Float64))
            .overload(&[Param::Decimal], Returns::Same(0)),
    ]
}

fn make(args: &[DataType], _: &super::Parameters) -> Result<Box<dyn GroupStates>, ArrowError> {
    states(args.first().unwrap_or(&DataType::Int64))
}

/// States of sums of numbers of a type.
pub(super) fn states(ty: &DataType) -> Result<Box<dyn GroupStates>, ArrowError> {
    Ok(match ty {
        DataType::Int32 => Box::new(Sum::<Int32Type>::new(DataType::Int32)),
        DataType::Float64 => Box::new(Sum::<Float64Type>::new(DataType::Float64)),
        DataType::Decimal128(precision, _) => {
            let greatest = 10i128.checked_pow((*precision).into()).map_or(i128::MAX, |power| power - 1);
            Box::new(Sum::<Decimal128Type> { range: Some((-greatest, greatest)), ..Sum::new(ty.clone()) })
        }
        DataType::Int64 => Box::new(Sum::<Int64Type>::new(DataType::Int64)),
        other => return Err(ArrowError::InvalidArgumentError(format!("there is no sum of {other}"))),
    })
}

#[derive(Debug)]
struct Sum<T: ArrowPrimitiveType> {
    sums: Vec<T::Native>,
    ty: DataType,
    /// The least and the greatest sum, where the type has bounds of its own: a `DECIMAL`'s digits.
    range: Option<(T::Native, T::Native)>,
}

impl<T: ArrowPrimitiveType> Sum<T> {
    fn new(ty: DataType) -> Self {
        Self { sums: Vec::new(), ty, range: None }
    }

    /// Applies each value to the sum of its slot; `apply` is also told the row.
    fn each(
        &mut self,
        slots: &[u32],
        args: &[ArrayRef],
        apply: impl Fn(usize, T::Native, T::Native) -> Result<T::Native, ArrowError>,
    ) -> Result<(), ArrowError> {
        let Some((least, greatest)) = self.range else { return self.each_unbounded(slots, args, apply) };
        self.each_unbounded(slots, args, |row, sum, value| {
            let sum = apply(row, sum, value)?;
            if sum.is_lt(least) || sum.is_gt(greatest) {
                return Err(ArrowError::ArithmeticOverflow("the sum has more digits than its type".to_owned()));
            }
            Ok(sum)
        })
    }

    fn each_unbounded(
        &mut self,
        slots: &[u32],
        args: &[ArrayRef],
        apply: impl Fn(usize, T::Native, T::Native) -> Result<T::Native, ArrowError>,
    ) -> Result<(), ArrowError> {
        let values = argument(args, 0)?.as_primitive::<T>();
        for (row, (&slot, &value)) in slots.iter().zip(values.values()).enumerate() {
            if values.is_valid(row) {
                let sum = at(&mut self.sums, slot)?;
                *sum = apply(row, *sum, value)?;
            }
        }
        Ok(())
    }
}

impl<T: ArrowPrimitiveType> GroupStates for Sum<T> {
    fn resize(&mut self, slots: usize) {
        self.sums.resize(slots, T::Native::default());
    }

    fn update(&mut self, slots: &[u32], args: &[ArrayRef]) -> Result<(), ArrowError> {
        self.each(slots, args, |_, sum, value| sum.add_checked(value))
    }

    fn retract(&mut self, slots: &[u32], args: &[ArrayRef]) -> Result<(), ArrowError> {
        self.each(slots, args, |_, sum, value| sum.sub_checked(value))
    }

    fn change(&mut self, slots: &[u32], args: &[ArrayRef], added: &BooleanBuffer) -> Result<(), ArrowError> {
        self.each(
            slots,
            args,
            |row, sum, value| {
                if added.value(row) { sum.add_checked(value) } else { sum.sub_checked(value) }
            },
        )
    }

    fn merge(&mut self, into: u32, from: u32) -> Result<(), ArrowError> {
        let from = *at(&mut self.sums, from)?;
        let sum = at(&mut self.sums, into)?;
        *sum = sum.add_checked(from)?;
        Ok(())
    }

    fn evaluate(&self, slots: &[u32]) -> Result<ArrayRef, ArrowError> {
        let sum = |slot: &u32| self.sums.get(*slot as usize).copied().unwrap_or_default();
        let sums = PrimitiveArray::<T>::from_iter_values(slots.iter().map(sum));
        Ok(Arc::new(sums.with_data_type(self.ty.clone())))
    }

    fn state(&self, slots: &[u32]) -> Result<Vec<ArrayRef>, ArrowError> {
        Ok(vec![self.evaluate(slots)?])
    }

    fn restore(&mut self, slots: &[u32], state: &[ArrayRef]) -> Result<(), ArrowError> {
        let sums = argument(state, 0)?.as_primitive::<T>();
        for (&slot, &sum) in slots.iter().zip(sums.values()) {
            *at(&mut self.sums, slot)? = sum;
        }
        Ok(())
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![self.ty.clone()]
    }

    fn clear(&mut self, slot: u32) {
        if let Some(sum) = self.sums.get_mut(slot as usize) {
            *sum = T::Native::default();
        }
    }

    fn size_bytes(&self) -> usize {
        vec_bytes(&self.sums)
    }
}
