//! Functions whose state is the values themselves: `COLLECT_LIST`, `COLLECT_SET`, `COUNT_DISTINCT`.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

use super::cells::{Cell, Cells, Held, list_of};
use super::{AggregateFunction, GroupStates, Parameters, argument, at, vec_bytes};
use crate::overload::{Param, Returns};

pub(super) fn all() -> Vec<AggregateFunction> {
    let f = AggregateFunction::new;
    let list = || Returns::Computed(|args| list_of(args.first().unwrap_or(&DataType::Null)));
    vec![
        f("COLLECT_LIST", "All values in the order of their arrival, at most 1000 by default.", |args, parameters| {
            Ok(Box::new(Collect::new(args, parameters, Kind::List)?))
        })
        .example("x INT", &["1", "2", "1"], ("COLLECT_LIST(x)", "[1,2,1]"))
        .retracting()
        .limited("ksql.functions.collect_list.limit")
        .overload(&[Param::Any], list()),
        f(
            "COLLECT_SET",
            "The distinct values in the order of their first arrival, at most 1000 by default.",
            |args, parameters| Ok(Box::new(Collect::new(args, parameters, Kind::Set)?)),
        )
        .example("x INT", &["1", "2", "1"], ("COLLECT_SET(x)", "[1,2]"))
        .limited("ksql.functions.collect_set.limit")
        .overload(&[Param::Any], list()),
        f("COUNT_DISTINCT", "The number of distinct values that are not null.", |args, parameters| {
            Ok(Box::new(Collect::new(args, parameters, Kind::CountDistinct)?))
        })
        .example("x INT", &["1", "2", "1"], ("COUNT_DISTINCT(x)", "2"))
        .overload(&[Param::Any], Returns::Type(DataType::Int64)),
    ]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    List,
    Set,
    CountDistinct,
}

#[derive(Debug)]
struct Collect {
    kind: Kind,
    item: DataType,
    cells: Cells,
    /// Later values of a longer list are dropped.
    limit: usize,
    values: Vec<Vec<Cell>>,
    /// What is in `values` already, for the kinds that keep a value once.
    seen: Vec<HashSet<Cell>>,
    held: Held,
}

impl Collect {
    fn new(args: &[DataType], parameters: &Parameters, kind: Kind) -> Result<Self, ArrowError> {
        let item = args.first().cloned().unwrap_or(DataType::Null);
        let limit = if kind == Kind::CountDistinct { usize::MAX } else { parameters.limit };
        let (values, seen, held) = (Vec::new(), Vec::new(), Held::default());
        Ok(Self { kind, cells: Cells::new(&item)?, item, limit, values, seen, held })
    }

    fn add(&mut self, slot: u32, value: &[u8]) -> Result<(), ArrowError> {
        let values = at(&mut self.values, slot)?;
        if values.len() >= self.limit {
            return Ok(());
        }
        if self.kind != Kind::List {
            let seen = at(&mut self.seen, slot)?;
            if seen.contains(value) {
                return Ok(());
            }
            seen.insert(value.into());
            self.held.add(value);
        }
        values.push(value.into());
        self.held.add(value);
        Ok(())
    }

    fn lists(&self, slots: &[u32]) -> Result<ArrayRef, ArrowError> {
        let values = |slot: &u32| self.values.get(*slot as usize).into_iter().flatten().map(AsRef::as_ref).collect();
        let lists: Vec<Vec<&[u8]>> = slots.iter().map(values).collect();
        Ok(Arc::new(self.cells.lists(&lists)?))
    }
}

impl GroupStates for Collect {
    fn resize(&mut self, slots: usize) {
        self.held.resize(slots);
        self.values.resize_with(slots, Vec::new);
        self.seen.resize_with(slots, HashSet::new);
    }

    fn update(&mut self, slots: &[u32], args: &[ArrayRef]) -> Result<(), ArrowError> {
        let values = argument(args, 0)?;
        let nulls = values.logical_nulls().filter(|_| self.kind == Kind::CountDistinct);
        let rows = self.cells.rows(values)?;
        for (row, &slot) in slots.iter().enumerate() {
            if nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)) {
                self.add(slot, rows.row(row).data())?;
            }
        }
        Ok(())
    }

    fn retract(&mut self, slots: &[u32], args: &[ArrayRef]) -> Result<(), ArrowError> {
        let rows = self.cells.rows(argument(args, 0)?)?;
        for (row, &slot) in slots.iter().enumerate() {
            let list = at(&mut self.values, slot)?;
            if let Some(place) = list.iter().position(|other| **other == *rows.row(row).data()) {
                self.held.remove(&list.remove(place));
            }
        }
        Ok(())
    }

    fn merge(&mut self, into: u32, from: u32) -> Result<(), ArrowError> {
        let values = std::mem::take(at(&mut self.values, from)?);
        values.iter().for_each(|value| self.held.remove(value));
        values.iter().try_for_each(|value| self.add(into, value))
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
            let rows = self.cells.rows(&lists.value(row))?;
            for value in &rows {
                self.add(slot, value.data())?;
            }
        }
        Ok(())
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![list_of(&self.item)]
    }

    fn clear(&mut self, slot: u32) {
        if let (Some(values), Some(seen)) = (self.values.get_mut(slot as usize), self.seen.get_mut(slot as usize)) {
            let (values, seen) = (std::mem::take(values), std::mem::take(seen));
            values.iter().chain(&seen).for_each(|cell| self.held.remove(cell));
        }
    }

    fn size_bytes(&self) -> usize {
        vec_bytes(&self.values) + vec_bytes(&self.seen) + self.held.bytes()
    }
}
