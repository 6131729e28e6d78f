//! The scalar functions that are used most, batch by batch, against the same work done otherwise.
//!
//! Each is called as the engine calls it, with the columns and literals of a batch. Beside it stands
//! DataFusion's function that does the same, or where there is none a plain loop over a vector of the same
//! values. Both must give the same results; the ratio of the times is the figure that counts.

mod data;
mod sides;

use std::hint::black_box;
use std::time::Instant;

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::util::display::array_value_to_string;

use crate::Result;

/// The number of values of a batch.
const ROWS: usize = 8192;
/// The number of batches that are computed in a row.
const BATCHES: usize = 24;

/// What computes a function for a batch.
type Side = Box<dyn Fn() -> Result<ArrayRef>>;

struct Case {
    name: &'static str,
    /// The expression, as a user writes it.
    expression: &'static str,
    ours: Side,
    /// What does the same, and its name.
    other: (&'static str, Side),
}

pub(crate) fn run(runs: usize, only: &str, json: bool) -> Result<()> {
    if !json {
        println!("function           ns/value   other ns  ratio  expression, other");
    }
    for case in sides::cases()?.iter().filter(|case| case.name.contains(&only.to_uppercase())) {
        check(case)?;
        let (mut ours, mut others) = (Vec::new(), Vec::new());
        for _ in 0..runs {
            ours.push(ns_per_value(&case.ours)?);
            others.push(ns_per_value(&case.other.1)?);
        }
        let (ns, other_ns) = (median(ours), median(others));
        let (name, expression, other, ratio) = (case.name, case.expression, case.other.0, ns / other_ns);
        if json {
            println!(
                "{{\"function\":\"{name}\",\"ns_per_value\":{ns:.2},\"other\":\"{other}\",\"other_ns_per_value\":{other_ns:.2},\"ratio\":{ratio:.2}}}"
            );
        } else {
            println!("{name:<18} {ns:>8.2} {other_ns:>10.2} {ratio:>6.2}  {expression}, {other}");
        }
    }
    Ok(())
}

/// What is faster but wrong is no measure.
fn check(case: &Case) -> Result<()> {
    let (ours, other) = ((case.ours)()?, (case.other.1)()?);
    for row in 0..ROWS {
        let (found, expected) = (array_value_to_string(&ours, row)?, array_value_to_string(&other, row)?);
        if found != expected {
            return Err(
                format!("{}: '{found}' in row {row}, but {} gives '{expected}'", case.name, case.other.0).into()
            );
        }
    }
    Ok(())
}

fn ns_per_value(side: &Side) -> Result<f64> {
    let started = Instant::now();
    for _ in 0..BATCHES {
        black_box(side()?);
    }
    Ok(started.elapsed().as_secs_f64() * 1e9 / (BATCHES * ROWS) as f64)
}

fn median(mut runs: Vec<f64>) -> f64 {
    runs.sort_by(f64::total_cmp);
    runs.get(runs.len() / 2).copied().unwrap_or(f64::NAN)
}
