//! Functions whose state is the values themselves: `COLLECT_LIST`, `COLLECT_SET`, `COUNT_DISTINCT`, `TOPK`,
//! `TOPKDISTINCT`.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, ListArray, new_empty_array};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field};
use arrow::error::ArrowError;
use datafusion::common::ScalarValue;

use super::{AggregateFunction, GroupStates, argument, at};
use crate::overload::{Param, Returns};

/// As in ksqlDB: later values of a longer list are dropped.
const COLLECTED_MAX: usize = 1000;

pub(super) fn all() -> Vec<AggregateFunction> {
    let f = AggregateFunction::new;
    let list = || Returns::Computed(|args| list_of(args.first()));
    vec![
        f("COLLECT_LIST", "All values in the order of their arrival, at most 1000.", |args, _| {
            Box::new(Collect::new(args, Kind::List))
        })
        .example("x INT", &["1", "2", "1"], ("COLLECT_LIST(x)", "[1,2,1]"))
        .retracting()
        .overload(&[Param::Any], list()),
        f("COLLECT_SET", "The distinct values in the order of their first arrival, at most 1000.", |args, _| {
            Box::new(Collect::new(args, Kind::Set))
        })
        .example("x INT", &["1", "2", "1"], ("COLLECT_SET(x)", "[1,2]"))
        .overload(&[Param::Any], list()),
        f("COUNT_DISTINCT", "The number of distinct values that are not null.", |args, _| {
            Box::new(Collect::new(args, Kind::CountDistinct))
        })
        .example("x INT", &["1", "2", "1"], ("COUNT_DISTINCT(x)", "2"))
        .overload(&[Param::Any], Returns::Type(DataType::Int64)),
        f("TOPK", "The k greatest values, greatest first.", |args, literals| {
            Box::new(Collect::new(args, Kind::Top { k: first(literals), distinct: false }))
        })
        .example("x INT", &["1", "3", "3", "2"], ("TOPK(x, 2)", "[3,3]"))
        .with_literals(1)
        .overload(&[Param::Any, Param::Int], list()),
        f("TOPKDISTINCT", "The k greatest distinct values, greatest first.", |args, literals| {
            Box::new(Collect::new(args, Kind::Top { k: first(literals), distinct: true }))
        })
        .example("x INT", &["1", "3", "3", "2"], ("TOPKDISTINCT(x, 2)", "[3,2]"))
        .with_literals(1)
        .overload(&[Param::Any, Param::Int], list()),
    ]
}

fn first(literals: &[i64]) -> usize {
    literals.first().and_then(|k| usize::try_from(*k).ok()).unwrap_or(1)
}

fn list_of(item: Option<&DataType>) -> DataType {
    DataType::List(Arc::new(Field::new("item", item.cloned().unwrap_or(DataType::Null), true)))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    List,
    Set,
    CountDistinct,
    Top { k: usize, distinct: bool },
}

#[derive(Debug)]
struct Collect {
    kind: Kind,
    item: DataType,
    values: Vec<Vec<ScalarValue>>,
    /// What is in `values` already, for the kinds that keep a value once.
    seen: Vec<HashSet<ScalarValue>>,
}

impl Collect {
    fn new(args: &[DataType], kind: Kind) -> Self {
        let item = args.first().cloned().unwrap_or(DataType::Null);
        Self { kind, item, values: Vec::new(), seen: Vec::new() }
    }

    fn add(&mut self, slot: u32, value: ScalarValue) -> Result<(), ArrowError> {
        let values = at(&mut self.values, slot)?;
        match self.kind {
            Kind::List if values.len() < COLLECTED_MAX => values.push(value),
            Kind::List => {}
            Kind::Set => {
                if values.len() < COLLECTED_MAX && at(&mut self.seen, slot)?.insert(value.clone()) {
                    values.push(value);
                }
            }
            Kind::CountDistinct => {
                if !value.is_null() && at(&mut self.seen, slot)?.insert(value.clone()) {
                    values.push(value);
                }
            }
            Kind::Top { k, distinct } => {
                if value.is_null() || (distinct && values.contains(&value)) {
                    return Ok(());
                }
                let greater = |other: &ScalarValue| !matches!(other.partial_cmp(&value), Some(Ordering::Less) | None);
                let place = values.partition_point(greater);
                values.insert(place, value);
                values.truncate(k);
            }
        }
        Ok(())
    }

    fn lists(&self, slots: &[u32]) -> Result<ArrayRef, ArrowError> {
        let states: Vec<&[ScalarValue]> =
            slots.iter().map(|slot| self.values.get(*slot as usize).map_or(&[][..], Vec::as_slice)).collect();
        let offsets = OffsetBuffer::from_lengths(states.iter().map(|values| values.len()));
        let flat = states.into_iter().flatten().cloned().collect::<Vec<_>>();
        let items = if flat.is_empty() {
            new_empty_array(&self.item)
        } else {
            ScalarValue::iter_to_array(flat).map_err(|error| ArrowError::ComputeError(error.to_string()))?
        };
        let field = Arc::new(Field::new("item", self.item.clone(), true));
        Ok(Arc::new(ListArray::try_new(field, offsets, items, None)?))
    }
}

fn value_at(array: &ArrayRef, row: usize) -> Result<ScalarValue, ArrowError> {
    ScalarValue::try_from_array(array, row).map_err(|error| ArrowError::ComputeError(error.to_string()))
}

impl GroupStates for Collect {
    fn resize(&mut self, slots: usize) {
        self.values.resize_with(slots, Vec::new);
        self.seen.resize_with(slots, HashSet::new);
    }

    fn update(&mut self, slots: &[u32], args: &[ArrayRef]) -> Result<(), ArrowError> {
        let values = argument(args, 0)?;
        for (row, &slot) in slots.iter().enumerate() {
            self.add(slot, value_at(values, row)?)?;
        }
        Ok(())
    }

    fn retract(&mut self, slots: &[u32], args: &[ArrayRef]) -> Result<(), ArrowError> {
        let values = argument(args, 0)?;
        for (row, &slot) in slots.iter().enumerate() {
            let value = value_at(values, row)?;
            let list = at(&mut self.values, slot)?;
            if let Some(place) = list.iter().position(|other| *other == value) {
                list.remove(place);
            }
        }
        Ok(())
    }

    fn merge(&mut self, into: u32, from: u32) -> Result<(), ArrowError> {
        for value in std::mem::take(at(&mut self.values, from)?) {
            self.add(into, value)?;
        }
        Ok(())
    }

    fn evaluate(&self, slots: &[u32]) -> Result<ArrayRef, ArrowError> {
        if self.kind != Kind::CountDistinct {
            return self.lists(slots);
        }
        let count = |slot: &u32| self.values.get(*slot as usize).map(|values| values.len() as i64);
        Ok(Arc::new(slots.iter().map(count).collect::<Int64Array>()))
    }

    fn state(&self, slots: &[u32]) -> Result<Vec<ArrayRef>, ArrowError> {
        Ok(vec![self.lists(slots)?])
    }

    fn restore(&mut self, slots: &[u32], state: &[ArrayRef]) -> Result<(), ArrowError> {
        let lists = argument(state, 0)?.as_list::<i32>();
        for (row, &slot) in slots.iter().enumerate() {
            self.clear(slot);
            let items = lists.value(row);
            for item in 0..items.len() {
                let value = value_at(&items, item)?;
                if matches!(self.kind, Kind::Set | Kind::CountDistinct) {
                    at(&mut self.seen, slot)?.insert(value.clone());
                }
                at(&mut self.values, slot)?.push(value);
            }
        }
        Ok(())
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![list_of(Some(&self.item))]
    }

    fn clear(&mut self, slot: u32) {
        if let (Some(values), Some(seen)) = (self.values.get_mut(slot as usize), self.seen.get_mut(slot as usize)) {
            *values = Vec::new();
            *seen = HashSet::new();
        }
    }
}
