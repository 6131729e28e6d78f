//! `MIN` and `MAX`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowNativeTypeOp, AsArray, BinaryArray, PrimitiveArray, StringArray};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Float64Type, Int32Type, Int64Type, Time32MillisecondType,
    TimeUnit, TimestampMillisecondType,
};
use arrow::error::ArrowError;

use super::cells::{Cell, Held};
use super::{AggregateFunction, GroupStates, argument, at, vec_bytes};
use crate::overload::{Param, Returns};

pub(super) fn all() -> Vec<AggregateFunction> {
    let function = |name, description, example, make| {
        let params: [&'static [Param]; 9] = [
            &[Param::Int],
            &[Param::BigInt],
            &[Param::Double],
            &[Param::Decimal],
            &[Param::String],
            &[Param::Bytes],
            &[Param::Date],
            &[Param::Time],
            &[Param::Timestamp],
        ];
        let function = AggregateFunction::new(name, description, make).example("x INT", &["2", "null", "3"], example);
        params.into_iter().fold(function, |function, params| function.overload(params, Returns::Same(0)))
    };
    vec![
        function("MIN", "The least of the values that are not null.", ("MIN(x)", "2"), |args, _| Ok(make(args, false))),
        function("MAX", "The greatest of the values that are not null.", ("MAX(x)", "3"), |args, _| {
            Ok(make(args, true))
        }),
    ]
}

fn make(args: &[DataType], greatest: bool) -> Box<dyn GroupStates> {
    use DataType as T;
    let ty = args.first().cloned().unwrap_or(T::Int64);
    match ty {
        T::Int32 => Box::new(Extreme::<Int32Type>::new(ty, greatest)),
        T::Float64 => Box::new(Extreme::<Float64Type>::new(ty, greatest)),
        T::Decimal128(..) => Box::new(Extreme::<Decimal128Type>::new(ty, greatest)),
        T::Date32 => Box::new(Extreme::<Date32Type>::new(ty, greatest)),
        T::Time32(TimeUnit::Millisecond) => Box::new(Extreme::<Time32MillisecondType>::new(ty, greatest)),
        T::Timestamp(TimeUnit::Millisecond, _) => Box::new(Extreme::<TimestampMillisecondType>::new(ty, greatest)),
        T::Utf8 | T::Binary => {
            Box::new(ExtremeBytes { best: Vec::new(), held: Held::default(), is_text: ty == T::Utf8, greatest })
        }
        _ => Box::new(Extreme::<Int64Type>::new(ty, greatest)),
    }
}

#[derive(Debug)]
struct Extreme<T: ArrowPrimitiveType> {
    best: Vec<Option<T::Native>>,
    ty: DataType,
    greatest: bool,
}

impl<T: ArrowPrimitiveType> Extreme<T> {
    fn new(ty: DataType, greatest: bool) -> Self {
        Self { best: Vec::new(), ty, greatest }
    }

    fn offer(&mut self, slot: u32, value: T::Native) -> Result<(), ArrowError> {
        let greatest = self.greatest;
        let best = at(&mut self.best, slot)?;
        if best.is_none_or(|best| if greatest { value.is_gt(best) } else { value.is_lt(best) }) {
            *best = Some(value);
        }
        Ok(())
    }
}

impl<T: ArrowPrimitiveType> GroupStates for Extreme<T> {
    fn resize(&mut self, slots: usize) {
        self.best.resize(slots, None);
    }

    fn update(&mut self, slots: &[u32], args: &[ArrayRef]) -> Result<(), ArrowError> {
        let values = argument(args, 0)?.as_primitive::<T>();
        for (row, (&slot, &value)) in slots.iter().zip(values.values()).enumerate() {
            if values.is_valid(row) {
                self.offer(slot, value)?;
            }
        }
        Ok(())
    }

    fn merge(&mut self, into: u32, from: u32) -> Result<(), ArrowError> {
        match *at(&mut self.best, from)? {
            Some(value) => self.offer(into, value),
            None => Ok(()),
        }
    }

    fn evaluate(&self, slots: &[u32]) -> Result<ArrayRef, ArrowError> {
        let best = |slot: &u32| self.best.get(*slot as usize).copied().flatten();
        let best: PrimitiveArray<T> = slots.iter().map(best).collect();
        Ok(Arc::new(best.with_data_type(self.ty.clone())))
    }

    fn state(&self, slots: &[u32]) -> Result<Vec<ArrayRef>, ArrowError> {
        Ok(vec![self.evaluate(slots)?])
    }

    fn restore(&mut self, slots: &[u32], state: &[ArrayRef]) -> Result<(), ArrowError> {
        let best = argument(state, 0)?.as_primitive::<T>();
        for (&slot, value) in slots.iter().zip(best) {
            *at(&mut self.best, slot)? = value;
        }
        Ok(())
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![self.ty.clone()]
    }

    fn clear(&mut self, slot: u32) {
        if let Some(best) = self.best.get_mut(slot as usize) {
            *best = None;
        }
    }

    fn size_bytes(&self) -> usize {
        vec_bytes(&self.best)
    }
}

/// Text and bytes, which compare alike: UTF-8 sorts as its code points do.
#[derive(Debug)]
struct ExtremeBytes {
    best: Vec<Option<Cell>>,
    held: Held,
    is_text: bool,
    greatest: bool,
}

impl ExtremeBytes {
    fn offer(&mut self, slot: u32, value: &[u8]) -> Result<(), ArrowError> {
        let greatest = self.greatest;
        let best = at(&mut self.best, slot)?;
        if best.as_deref().is_none_or(|best| if greatest { value > best } else { value < best }) {
            self.held.replace(best.as_deref(), Some(value));
            *best = Some(value.into());
        }
        Ok(())
    }

    fn value<'a>(&self, array: &'a ArrayRef, row: usize) -> Option<&'a [u8]> {
        let value = if self.is_text {
            array.as_string::<i32>().value(row).as_bytes()
        } else {
            array.as_binary::<i32>().value(row)
        };
        array.is_valid(row).then_some(value)
    }
}

impl GroupStates for ExtremeBytes {
    fn resize(&mut self, slots: usize) {
        self.held.resize(slots);
        self.best.resize(slots, None);
    }

    fn update(&mut self, slots: &[u32], args: &[ArrayRef]) -> Result<(), ArrowError> {
        let values = argument(args, 0)?;
        for (row, &slot) in slots.iter().enumerate() {
            if let Some(value) = self.value(values, row) {
                self.offer(slot, value)?;
            }
        }
        Ok(())
    }

    fn merge(&mut self, into: u32, from: u32) -> Result<(), ArrowError> {
        let Some(value) = at(&mut self.best, from)?.take() else { return Ok(()) };
        self.held.replace(Some(&value), None);
        self.offer(into, &value)
    }

    fn evaluate(&self, slots: &[u32]) -> Result<ArrayRef, ArrowError> {
        let best = slots.iter().map(|slot| self.best.get(*slot as usize)?.as_deref());
        if self.is_text {
            let texts = best.map(|bytes| bytes.and_then(|bytes| std::str::from_utf8(bytes).ok()));
            return Ok(Arc::new(texts.collect::<StringArray>()));
        }
        Ok(Arc::new(best.collect::<BinaryArray>()))
    }

    fn state(&self, slots: &[u32]) -> Result<Vec<ArrayRef>, ArrowError> {
        Ok(vec![self.evaluate(slots)?])
    }

    fn restore(&mut self, slots: &[u32], state: &[ArrayRef]) -> Result<(), ArrowError> {
        let values = argument(state, 0)?;
        for (row, &slot) in slots.iter().enumerate() {
            let value = self.value(values, row).map(Box::from);
            let best = at(&mut self.best, slot)?;
            self.held.replace(best.as_deref(), value.as_deref());
            *best = value;
        }
        Ok(())
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![if self.is_text { DataType::Utf8 } else { DataType::Binary }]
    }

    fn clear(&mut self, slot: u32) {
        if let Some(best) = self.best.get_mut(slot as usize) {
            self.held.replace(best.take().as_deref(), None);
        }
    }

    fn size_bytes(&self) -> usize {
        vec_bytes(&self.best) + self.held.bytes()
    }
}
