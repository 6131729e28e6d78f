//! `SUM_LIST`.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

use super::{AggregateFunction, GroupStates, argument, sum};
use crate::overload::{Param, Returns};

pub(super) fn all() -> Vec<AggregateFunction> {
    let item = |args: &[DataType]| match args.first() {
        Some(DataType::List(item)) => item.data_type().clone(),
        _ => DataType::Null,
    };
    vec![
        AggregateFunction::new(
            "SUM_LIST",
            "The sum of all items that are not null of all lists of numbers.",
            |args, _| {
                let item = match args.first() {
                    Some(DataType::List(item)) => item.data_type().clone(),
                    _ => DataType::Null,
                };
                Ok(Box::new(SumList { sum: sum::states(&item)? }))
            },
        )
        .example("x ARRAY<INT>", &["[1, 2]", "[3, null]"], ("SUM_LIST(x)", "6"))
        .retracting()
        .overload(&[Param::Array], Returns::Computed(item)),
    ]
}

/// The sum of the items, which take the place of their lists.
struct SumList {
    sum: Box<dyn GroupStates>,
}

/// The items of all lists, and the slot of each.
fn items(slots: &[u32], args: &[ArrayRef]) -> Result<(Vec<u32>, ArrayRef), ArrowError> {
    let lists = argument(args, 0)?.as_list::<i32>();
    let mut of_items = Vec::new();
    for (row, &slot) in slots.iter().enumerate() {
        let count = if lists.is_valid(row) { lists.value_length(row) as usize } else { 0 };
        of_items.extend(std::iter::repeat_n(slot, count));
    }
    let valid = arrow::compute::filter(lists, &arrow::compute::is_not_null(lists)?)?;
    let valid = valid.as_list::<i32>();
    let (start, end) = (valid.value_offsets().first(), valid.value_offsets().last());
    let (start, end) = (start.copied().unwrap_or(0) as usize, end.copied().unwrap_or(0) as usize);
    Ok((of_items, valid.values().slice(start, end - start)))
}

impl GroupStates for SumList {
    fn resize(&mut self, slots: usize) {
        self.sum.resize(slots);
    }

    fn update(&mut self, slots: &[u32], args: &[ArrayRef]) -> Result<(), ArrowError> {
        let (slots, items) = items(slots, args)?;
        self.sum.update(&slots, &[items])
    }

    fn retract(&mut self, slots: &[u32], args: &[ArrayRef]) -> Result<(), ArrowError> {
        let (slots, items) = items(slots, args)?;
        self.sum.retract(&slots, &[items])
    }

    fn merge(&mut self, into: u32, from: u32) -> Result<(), ArrowError> {
        self.sum.merge(into, from)
    }

    fn evaluate(&self, slots: &[u32]) -> Result<ArrayRef, ArrowError> {
        self.sum.evaluate(slots)
    }

    fn state(&self, slots: &[u32]) -> Result<Vec<ArrayRef>, ArrowError> {
        self.sum.state(slots)
    }

    fn restore(&mut self, slots: &[u32], state: &[ArrayRef]) -> Result<(), ArrowError> {
        self.sum.restore(slots, state)
    }

    fn state_types(&self) -> Vec<DataType> {
        self.sum.state_types()
    }

    fn clear(&mut self, slot: u32) {
        self.sum.clear(slot);
    }

    fn size_bytes(&self) -> usize {
        self.sum.size_bytes()
    }
}
