//! `EARLIEST_BY_OFFSET` and `LATEST_BY_OFFSET`.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, ListArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Int64Type};
use arrow::error::ArrowError;

use super::cells::{Cells, Held, list_of};
use super::{AggregateFunction, GroupStates, Literal, Parameters, argument, at, vec_bytes};
use crate::overload::{Param, Returns};

pub(super) fn all() -> Vec<AggregateFunction> {
    let overloads = |function: AggregateFunction| {
        let list = || Returns::Computed(|args| list_of(args.first().unwrap_or(&DataType::Null)));
        function
            .overload(&[Param::Any], Returns::Same(0))
            .overload_with(&[Param::Any], &[Param::Boolean], Returns::Same(0))
            .overload_with(&[Param::Any], &[Param::Int], list())
            .overload_with(&[Param::Any], &[Param::Int, Param::Boolean], list())
    };
    let f = AggregateFunction::new;
    vec![
        overloads(f(
            "EARLIEST_BY_OFFSET",
            "The value of the first record, with n the list of the first n values. Nulls are passed over unless the last argument is false.",
            |args, parameters| Ok(Box::new(ByOffset::new(args, parameters, false)?)),
        ))
        .example("x INT", &["1", "2"], ("EARLIEST_BY_OFFSET(x)", "1"))
        .example("x INT", &["null", "1", "2", "3"], ("EARLIEST_BY_OFFSET(x, 2)", "[1,2]"))
        .example("x INT", &["null", "1"], ("EARLIEST_BY_OFFSET(x, false)", "NULL")),
        overloads(f(
            "LATEST_BY_OFFSET",
            "The value of the last record, with n the list of the last n values. Nulls are passed over unless the last argument is false.",
            |args, parameters| Ok(Box::new(ByOffset::new(args, parameters, true)?)),
        ))
        .example("x INT", &["1", "2"], ("LATEST_BY_OFFSET(x)", "2"))
        .example("x INT", &["1", "2", "3", "null"], ("LATEST_BY_OFFSET(x, 2)", "[2,3]"))
        .example("x INT", &["1", "null"], ("LATEST_BY_OFFSET(x, false)", "NULL")),
    ]
}

#[derive(Debug)]
struct ByOffset {
    ty: DataType,
    cells: Cells,
    latest: bool,
    ignore_nulls: bool,
    /// How many values are kept; `None`: one, which is the result and not a list of it.
    count: Option<usize>,
    values: Vec<VecDeque<Arrived>>,
    held: Held,
    /// The number that the next value gets.
    next: i64,
}

/// A value and its place in the order of arrival, which is not the order of sessions that merge.
#[derive(Debug)]
struct Arrived {
    number: i64,
    cell: Vec<u8>,
}

impl ByOffset {
    fn new(args: &[DataType], parameters: &Parameters, latest: bool) -> Result<Self, ArrowError> {
        let (mut count, mut ignore_nulls) = (None, true);
        for literal in &parameters.literals {
            match literal {
                Literal::Integer(n) => count = Some(usize::try_from(*n).unwrap_or(1)),
                Literal::Boolean(ignore) => ignore_nulls = *ignore,
            }
        }
        let ty = args.first().cloned().unwrap_or(DataType::Null);
        let cells = Cells::new(&ty)?;
        let (values, held) = (Vec::new(), Held::default());
        Ok(Self { ty, cells, latest, ignore_nulls, count, values, held, next: 0 })
    }

    /// Takes in the value that came last of all.
    fn arrive(&mut self, slot: u32, cell: &[u8]) -> Result<(), ArrowError> {
        let number = self.next;
        self.next += 1;
        let room = self.count.unwrap_or(1);
        let kept = at(&mut self.values, slot)?;
        if kept.len() < room {
            kept.push_back(Arrived { number, cell: cell.to_vec() });
            self.held.add(cell);
            return Ok(());
        }
        if !self.latest {
            return Ok(());
        }
        // The oldest one's memory is used again.
        if let Some(mut oldest) = kept.pop_front() {
            self.held.replace(Some(&oldest.cell), Some(cell));
            oldest.number = number;
            oldest.cell.clear();
            oldest.cell.extend_from_slice(cell);
            kept.push_back(oldest);
        }
        Ok(())
    }

    fn kept(&self, slot: u32) -> impl Iterator<Item = &Arrived> {
        self.values.get(slot as usize).into_iter().flatten()
    }

    fn lists(&self, slots: &[u32]) -> Result<ListArray, ArrowError> {
        let cells = |slot: &u32| self.kept(*slot).map(|arrived| arrived.cell.as_slice()).collect();
        let lists: Vec<Vec<&[u8]>> = slots.iter().map(cells).collect();
        self.cells.lists(&lists)
    }
}

impl GroupStates for ByOffset {
    fn resize(&mut self, slots: usize) {
        self.held.resize(slots);
        self.values.resize_with(slots, VecDeque::new);
    }

    fn update(&mut self, slots: &[u32], args: &[ArrayRef]) -> Result<(), ArrowError> {
        let values = argument(args, 0)?;
        let nulls = values.logical_nulls().filter(|_| self.ignore_nulls);
        let rows = self.cells.rows(values)?;
        for (row, &slot) in slots.iter().enumerate() {
            if nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)) {
                self.arrive(slot, rows.row(row).data())?;
            }
        }
        Ok(())
    }

    fn merge(&mut self, into: u32, from: u32) -> Result<(), ArrowError> {
        let others = std::mem::take(at(&mut self.values, from)?);
        let room = self.count.unwrap_or(1);
        let kept = at(&mut self.values, into)?;
        kept.extend(others);
        kept.make_contiguous().sort_by_key(|arrived| arrived.number);
        let surplus = if self.latest {
            let rest = kept.split_off(kept.len().saturating_sub(room));
            std::mem::replace(kept, rest)
        } else {
            kept.split_off(room.min(kept.len()))
        };
        surplus.iter().for_each(|arrived| self.held.remove(&arrived.cell));
        Ok(())
    }

    fn evaluate(&self, slots: &[u32]) -> Result<ArrayRef, ArrowError> {
        if self.count.is_some() {
            return Ok(Arc::new(self.lists(slots)?));
        }
        let null = self.cells.rows(&arrow::array::new_null_array(&self.ty, 1))?;
        let null = null.row(0);
        let cell = |slot: &u32| self.kept(*slot).next().map_or(null.data(), |arrived| arrived.cell.as_slice());
        self.cells.array(slots.iter().map(cell))
    }

    fn state(&self, slots: &[u32]) -> Result<Vec<ArrayRef>, ArrowError> {
        let lists = self.lists(slots)?;
        let numbers = slots.iter().flat_map(|slot| self.kept(*slot).map(|arrived| Some(arrived.number)));
        let numbers: ArrayRef = Arc::new(numbers.collect::<Int64Array>());
        let field = Arc::new(Field::new("item", DataType::Int64, true));
        let offsets = OffsetBuffer::clone(lists.offsets());
        Ok(vec![Arc::new(lists), Arc::new(ListArray::try_new(field, offsets, numbers, None)?)])
    }

    fn restore(&mut self, slots: &[u32], state: &[ArrayRef]) -> Result<(), ArrowError> {
        let (lists, numbers) = (argument(state, 0)?.as_list::<i32>(), argument(state, 1)?.as_list::<i32>());
        for (row, &slot) in slots.iter().enumerate() {
            self.clear(slot);
            let rows = self.cells.rows(&lists.value(row))?;
            rows.iter().for_each(|cell| self.held.add(cell.data()));
            let numbers = numbers.value(row);
            let numbers = numbers.as_primitive::<Int64Type>().values();
            let arrived = rows.iter().zip(numbers);
            let arrived = arrived.map(|(cell, number)| Arrived { number: *number, cell: cell.data().to_vec() });
            *at(&mut self.values, slot)? = arrived.collect();
            self.next = self.next.max(numbers.last().map_or(0, |number| number + 1));
        }
        Ok(())
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![list_of(&self.ty), list_of(&DataType::Int64)]
    }

    fn clear(&mut self, slot: u32) {
        if let Some(values) = self.values.get_mut(slot as usize) {
            std::mem::take(values).iter().for_each(|arrived| self.held.remove(&arrived.cell));
        }
    }

    fn size_bytes(&self) -> usize {
        vec_bytes(&self.values) + self.held.bytes()
    }
}
