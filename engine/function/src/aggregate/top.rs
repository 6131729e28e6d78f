//! `TOPK` and `TOPKDISTINCT`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StructArray};
use arrow::datatypes::{DataType, Field, Fields};
use arrow::error::ArrowError;

use super::cells::{Cell, Cells, Held, list_of};
use super::{AggregateFunction, GroupStates, Literal, Parameters, argument, at, vec_bytes};
use crate::overload::{Param, Returns};

pub(super) fn all() -> Vec<AggregateFunction> {
    let f = AggregateFunction::new;
    let list = || Returns::Computed(|args| list_of(&item_type(args)));
    vec![
        f(
            "TOPK",
            "The k greatest values, greatest first; with further columns the rows that have them, as structs of sort_col, col0, col1 and so on.",
            |args, parameters| Ok(Box::new(Top::new(args, parameters, false)?)),
        )
        .example("x INT", &["1", "3", "3", "2"], ("TOPK(x, 2)", "[3,3]"))
        .example("x INT, y STRING", &["1, \"a\"", "3, \"b\""], ("TOPK(x, y, 1)[1]->`col0`", "b"))
        .overload_with(&[Param::Any], &[Param::Int], list())
        .overload_variadic(&[Param::Any, Param::Other], &[Param::Int], list()),
        f("TOPKDISTINCT", "The k greatest distinct values, greatest first.", |args, parameters| {
            Ok(Box::new(Top::new(args, parameters, true)?))
        })
        .example("x INT", &["1", "3", "3", "2"], ("TOPKDISTINCT(x, 2)", "[3,2]"))
        .overload_with(&[Param::Any], &[Param::Int], list()),
    ]
}

/// What the lists are of: the values, or structs of all arguments.
fn item_type(args: &[DataType]) -> DataType {
    match args {
        [] => DataType::Null,
        [only] => only.clone(),
        _ => DataType::Struct(fields(args)),
    }
}

fn fields(args: &[DataType]) -> Fields {
    let name = |at: usize| if at == 0 { "sort_col".to_owned() } else { format!("col{}", at - 1) };
    args.iter().enumerate().map(|(at, ty)| Field::new(name(at), ty.clone(), true)).collect()
}

#[derive(Debug)]
struct Top {
    k: usize,
    distinct: bool,
    args: Vec<DataType>,
    item: DataType,
    /// Of what decides.
    ranks: Cells,
    items: Cells,
    /// The greatest first; of like ones what came first.
    best: Vec<Vec<Entry>>,
    held: Held,
}

#[derive(Debug)]
struct Entry {
    rank: Cell,
    /// `None`: it is the rank.
    item: Option<Cell>,
}

impl Entry {
    fn item(&self) -> &[u8] {
        self.item.as_deref().unwrap_or(&self.rank)
    }

    fn cells(&self) -> impl Iterator<Item = &Cell> {
        std::iter::once(&self.rank).chain(&self.item)
    }
}

impl Top {
    fn new(args: &[DataType], parameters: &Parameters, distinct: bool) -> Result<Self, ArrowError> {
        let k = match parameters.literals.first() {
            Some(Literal::Integer(k)) => usize::try_from(*k).unwrap_or(1),
            _ => 1,
        };
        let item = item_type(args);
        let ranks = Cells::new(args.first().unwrap_or(&DataType::Null))?;
        let (items, best, held) = (Cells::new(&item)?, Vec::new(), Held::default());
        Ok(Self { k, distinct, args: args.to_vec(), ranks, items, item, best, held })
    }

    fn offer(&mut self, slot: u32, rank: &[u8], item: Option<&[u8]>) -> Result<(), ArrowError> {
        let best = at(&mut self.best, slot)?;
        let place = best.partition_point(|entry| *entry.rank >= *rank);
        let is_known = self.distinct && place > 0 && best.get(place - 1).is_some_and(|entry| *entry.rank == *rank);
        if place < self.k && !is_known {
            let entry = Entry { rank: rank.into(), item: item.map(Cell::from) };
            entry.cells().for_each(|cell| self.held.add(cell));
            best.insert(place, entry);
            if best.len() > self.k
                && let Some(last) = best.pop()
            {
                last.cells().for_each(|cell| self.held.remove(cell));
            }
        }
        Ok(())
    }
}

impl GroupStates for Top {
    fn resize(&mut self, slots: usize) {
        self.held.resize(slots);
        self.best.resize_with(slots, Vec::new);
    }

    fn update(&mut self, slots: &[u32], args: &[ArrayRef]) -> Result<(), ArrowError> {
        let values = argument(args, 0)?;
        let nulls = values.logical_nulls();
        let ranks = self.ranks.rows(values)?;
        let items = if self.args.len() > 1 {
            let columns = args.iter().take(self.args.len()).cloned().collect();
            let rows: ArrayRef = Arc::new(StructArray::try_new(fields(&self.args), columns, None)?);
            Some(self.items.rows(&rows)?)
        } else {
            None
        };
        for (row, &slot) in slots.iter().enumerate() {
            if nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)) {
                self.offer(slot, ranks.row(row).data(), items.as_ref().map(|items| items.row(row).data()))?;
            }
        }
        Ok(())
    }

    fn merge(&mut self, into: u32, from: u32) -> Result<(), ArrowError> {
        for entry in std::mem::take(at(&mut self.best, from)?) {
            entry.cells().for_each(|cell| self.held.remove(cell));
            self.offer(into, &entry.rank, entry.item.as_deref())?;
        }
        Ok(())
    }

    fn evaluate(&self, slots: &[u32]) -> Result<ArrayRef, ArrowError> {
        let best = |slot: &u32| self.best.get(*slot as usize).into_iter().flatten().map(Entry::item).collect();
        let lists: Vec<Vec<&[u8]>> = slots.iter().map(best).collect();
        Ok(Arc::new(self.items.lists(&lists)?))
    }

    fn state(&self, slots: &[u32]) -> Result<Vec<ArrayRef>, ArrowError> {
        Ok(vec![self.evaluate(slots)?])
    }

    fn restore(&mut self, slots: &[u32], state: &[ArrayRef]) -> Result<(), ArrowError> {
        let lists = argument(state, 0)?.as_list::<i32>();
        for (row, &slot) in slots.iter().enumerate() {
            self.clear(slot);
            let items = lists.value(row);
            let args: Vec<ArrayRef> =
                if self.args.len() > 1 { items.as_struct().columns().to_vec() } else { vec![Arc::clone(&items)] };
            self.update(&vec![slot; items.len()], &args)?;
        }
        Ok(())
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![list_of(&self.item)]
    }

    fn clear(&mut self, slot: u32) {
        if let Some(best) = self.best.get_mut(slot as usize) {
            let best = std::mem::take(best);
            best.iter().flat_map(Entry::cells).for_each(|cell| self.held.remove(cell));
        }
    }

    fn size_bytes(&self) -> usize {
        vec_bytes(&self.best) + self.held.bytes()
    }
}
