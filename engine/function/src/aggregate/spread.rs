//! How far values lie apart, and whether they go together: `STDDEV_SAMPLE`, `STDDEV_SAMP` and `CORRELATION`.
//!
//! Each is computed from sums over a group's rows, so that a state is a few numbers a slot.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array};
use arrow::datatypes::{DataType, Float64Type};
use arrow::error::ArrowError;

use super::{AggregateFunction, GroupStates, argument, at, vec_bytes};
use crate::overload::{Param, Returns};

pub(super) fn all() -> Vec<AggregateFunction> {
    let f = AggregateFunction::new;
    let double = || Returns::Type(DataType::Float64);
    vec![
        f("STDDEV_SAMPLE", "The standard deviation of a sample.", |_, _| {
            Ok(Box::new(Sums::<Deviation>::new(|sums| sums.variance().sqrt())))
        })
        .example("x INT", &["2", "4", "6"], ("STDDEV_SAMPLE(x)", "2.0"))
        .retracting()
        .overload(&[Param::Double], double()),
        f(
            "STDDEV_SAMP",
            "The variance of a sample, which is what ksqlDB computes under this name; the standard deviation is STDDEV_SAMPLE.",
            |_, _| Ok(Box::new(Sums::<Deviation>::new(Deviation::variance))),
        )
        .example("x INT", &["2", "4", "6"], ("STDDEV_SAMP(x)", "4.0"))
        .retracting()
        .overload(&[Param::Double], double()),
        f(
            "CORRELATION",
            "Pearson's correlation of two columns; rows where one of them is null do not count. NaN where one of them does not vary.",
            |_, _| Ok(Box::new(Sums::<Correlation>::new(Correlation::coefficient))),
        )
        .example("x INT, y INT", &["1, 2", "2, 4", "3, 6"], ("CORRELATION(x, y)", "1.0"))
        .retracting()
        .overload(&[Param::Double, Param::Double], double()),
    ]
}

/// Numbers that are gathered over rows.
trait Gathered: Default + Clone + Send {
    /// How many columns a row has.
    const COLUMNS: usize;

    fn add(&mut self, row: &[f64]);
    fn remove(&mut self, row: &[f64]);
    fn merge(&mut self, other: &Self);
    fn numbers(&self) -> Vec<f64>;
    fn from_numbers(numbers: &[f64]) -> Self;
}

/// The squared distances from the mean, kept up to date with each row (Welford).
#[derive(Debug, Default, Clone)]
struct Deviation {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Deviation {
    fn variance(&self) -> f64 {
        if self.count < 2.0 { 0.0 } else { self.squares.max(0.0) / (self.count - 1.0) }
    }
}

impl Gathered for Deviation {
    const COLUMNS: usize = 1;

    fn add(&mut self, row: &[f64]) {
        let [x] = row else { return };
        self.count += 1.0;
        let before = x - self.mean;
        self.mean += before / self.count;
        self.squares += before * (x - self.mean);
    }

    fn remove(&mut self, row: &[f64]) {
        let [x] = row else { return };
        if self.count <= 1.0 {
            *self = Self::default();
            return;
        }
        let after = x - self.mean;
        self.mean = (self.count * self.mean - x) / (self.count - 1.0);
        self.squares -= after * (x - self.mean);
        self.count -= 1.0;
    }

    fn merge(&mut self, other: &Self) {
        let count = self.count + other.count;
        if count > 0.0 {
            let between = other.mean - self.mean;
            self.squares += other.squares + between * between * self.count * other.count / count;
            self.mean += between * other.count / count;
            self.count = count;
        }
    }

    fn numbers(&self) -> Vec<f64> {
        vec![self.count, self.mean, self.squares]
    }

    fn from_numbers(numbers: &[f64]) -> Self {
        match *numbers {
            [count, mean, squares] => Self { count, mean, squares },
            _ => Self::default(),
        }
    }
}

/// Sums of the values, their squares and their products: exact for whole numbers, so that columns that do not
/// vary are found out also after rows were taken back.
#[derive(Debug, Default, Clone)]
struct Correlation {
    count: f64,
    x: f64,
    y: f64,
    xx: f64,
    yy: f64,
    xy: f64,
}

impl Correlation {
    fn coefficient(&self) -> f64 {
        let x = self.count * self.xx - self.x * self.x;
        let y = self.count * self.yy - self.y * self.y;
        (self.count * self.xy - self.x * self.y) / (x * y).sqrt()
    }

    fn change(&mut self, row: &[f64], by: f64) {
        let [x, y] = row else { return };
        self.count += by;
        self.x += by * x;
        self.y += by * y;
        self.xx += by * x * x;
        self.yy += by * y * y;
        self.xy += by * x * y;
    }
}

impl Gathered for Correlation {
    const COLUMNS: usize = 2;

    fn add(&mut self, row: &[f64]) {
        self.change(row, 1.0);
    }

    fn remove(&mut self, row: &[f64]) {
        self.change(row, -1.0);
    }

    fn merge(&mut self, other: &Self) {
        let sum: Vec<f64> = self.numbers().iter().zip(other.numbers()).map(|(a, b)| a + b).collect();
        *self = Self::from_numbers(&sum);
    }

    fn numbers(&self) -> Vec<f64> {
        vec![self.count, self.x, self.y, self.xx, self.yy, self.xy]
    }

    fn from_numbers(numbers: &[f64]) -> Self {
        match *numbers {
            [count, x, y, xx, yy, xy] => Self { count, x, y, xx, yy, xy },
            _ => Self::default(),
        }
    }
}

struct Sums<G> {
    sums: Vec<G>,
    result: fn(&G) -> f64,
}

impl<G: Gathered> Sums<G> {
    fn new(result: fn(&G) -> f64) -> Self {
        Self { sums: Vec::new(), result }
    }

    fn each(&mut self, slots: &[u32], args: &[ArrayRef], apply: fn(&mut G, &[f64])) -> Result<(), ArrowError> {
        let columns = (0..G::COLUMNS).map(|at| Ok(argument(args, at)?.as_primitive::<Float64Type>()));
        let columns = columns.collect::<Result<Vec<_>, ArrowError>>()?;
        let mut values = Vec::with_capacity(G::COLUMNS);
        for (row, &slot) in slots.iter().enumerate() {
            values.clear();
            values.extend(columns.iter().filter(|column| column.is_valid(row)).map(|column| column.value(row)));
            if values.len() == G::COLUMNS {
                apply(at(&mut self.sums, slot)?, &values);
            }
        }
        Ok(())
    }
}

impl<G: Gathered> GroupStates for Sums<G> {
    fn resize(&mut self, slots: usize) {
        self.sums.resize_with(slots, G::default);
    }

    fn update(&mut self, slots: &[u32], args: &[ArrayRef]) -> Result<(), ArrowError> {
        self.each(slots, args, G::add)
    }

    fn retract(&mut self, slots: &[u32], args: &[ArrayRef]) -> Result<(), ArrowError> {
        self.each(slots, args, G::remove)
    }

    fn merge(&mut self, into: u32, from: u32) -> Result<(), ArrowError> {
        let from = at(&mut self.sums, from)?.clone();
        at(&mut self.sums, into)?.merge(&from);
        Ok(())
    }

    fn evaluate(&self, slots: &[u32]) -> Result<ArrayRef, ArrowError> {
        let result = |slot: &u32| self.sums.get(*slot as usize).map(self.result);
        Ok(Arc::new(slots.iter().map(result).collect::<Float64Array>()))
    }

    fn state(&self, slots: &[u32]) -> Result<Vec<ArrayRef>, ArrowError> {
        let numbers = |slot: &u32| self.sums.get(*slot as usize).map(G::numbers).unwrap_or_default();
        let numbers: Vec<Vec<f64>> = slots.iter().map(numbers).collect();
        let column = |at: usize| -> ArrayRef {
            Arc::new(numbers.iter().map(|numbers| numbers.get(at).copied()).collect::<Float64Array>())
        };
        Ok((0..self.state_types().len()).map(column).collect())
    }

    fn restore(&mut self, slots: &[u32], state: &[ArrayRef]) -> Result<(), ArrowError> {
        let columns: Vec<_> = state.iter().map(|column| column.as_primitive::<Float64Type>().values()).collect();
        for (row, &slot) in slots.iter().enumerate() {
            let numbers: Vec<f64> = columns.iter().filter_map(|column| column.get(row).copied()).collect();
            *at(&mut self.sums, slot)? = G::from_numbers(&numbers);
        }
        Ok(())
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![DataType::Float64; G::default().numbers().len()]
    }

    fn clear(&mut self, slot: u32) {
        if let Some(sums) = self.sums.get_mut(slot as usize) {
            *sums = G::default();
        }
    }

    fn size_bytes(&self) -> usize {
        vec_bytes(&self.sums)
    }
}
