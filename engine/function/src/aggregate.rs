//! Aggregate functions as columns of group states.

mod average;
mod cells;
mod collect;
mod count;
mod extreme;
mod offset;
mod spread;
mod sum;
mod sum_list;
mod tally;
mod top;

use arrow::array::ArrayRef;
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

use crate::documentation::Example;
pub(crate) use crate::overload::Overload;
use crate::overload::{Coercion, Param, Returns, choose};

/// The states of one aggregate function for all groups of an operator, one slot a group.
///
/// # Contract
/// - *Slots*: the operator numbers its groups; a slot is empty until [`GroupStates::resize`] has made
///   room for it and again after [`GroupStates::clear`]. `slots` is as long as the arguments, one slot a
///   row, and rows are taken in order.
/// - *Reading is free*: [`GroupStates::evaluate`] and [`GroupStates::state`] change nothing.
/// - *Restoring*: `restore(slots, state(slots))` brings any state back; its columns are
///   [`GroupStates::state_types`].
/// - *Errors*: an overflow is an error, and the states are then not to be used again.
pub trait GroupStates: Send {
    /// Makes room for slots below `slots`.
    fn resize(&mut self, slots: usize);

    /// Adds rows to their groups.
    ///
    /// # Errors
    /// An overflow.
    fn update(&mut self, slots: &[u32], args: &[ArrayRef]) -> Result<(), ArrowError>;

    /// Takes rows that were added out of their groups again.
    ///
    /// # Errors
    /// If the function cannot forget, as [`AggregateFunction::retracts`] tells beforehand.
    fn retract(&mut self, _slots: &[u32], _args: &[ArrayRef]) -> Result<(), ArrowError> {
        Err(ArrowError::NotYetImplemented("the aggregate cannot take back a row".to_owned()))
    }

    /// Adds rows to their groups where `added` is true and takes them out again elsewhere, one after the other.
    ///
    /// # Errors
    /// An overflow, or if the function cannot forget.
    fn change(&mut self, slots: &[u32], args: &[ArrayRef], added: &BooleanBuffer) -> Result<(), ArrowError> {
        let mut from = 0;
        while from < slots.len() {
            let is_add = added.value(from);
            let count = (from..slots.len()).take_while(|at| added.value(*at) == is_add).count();
            let args: Vec<ArrayRef> = args.iter().map(|arg| arg.slice(from, count)).collect();
            let slots = slots.get(from..from + count).unwrap_or_default();
            if is_add {
                self.update(slots, &args)?
            } else {
                self.retract(slots, &args)?
            }
            from += count;
        }
        Ok(())
    }

    /// Adds the group `from` to the group `into`, as sessions that meet do; `from` is later.
    ///
    /// # Errors
    /// An overflow.
    fn merge(&mut self, into: u32, from: u32) -> Result<(), ArrowError>;

    /// The results of these groups.
    ///
    /// # Errors
    /// A result that its type cannot hold.
    fn evaluate(&self, slots: &[u32]) -> Result<ArrayRef, ArrowError>;

    /// The states of these groups, for the changelog.
    ///
    /// # Errors
    /// None in practice.
    fn state(&self, slots: &[u32]) -> Result<Vec<ArrayRef>, ArrowError>;

    /// Brings states back.
    ///
    /// # Errors
    /// If the columns are of other types.
    fn restore(&mut self, slots: &[u32], state: &[ArrayRef]) -> Result<(), ArrowError>;

    /// The types of the state's columns.
    fn state_types(&self) -> Vec<DataType>;

    /// Empties a slot.
    fn clear(&mut self, slot: u32);

    /// How much memory all states take, about; told without looking at each of them.
    fn size_bytes(&self) -> usize;
}

/// A value of an argument that must be known beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Literal {
    /// A whole number.
    Integer(i64),
    /// True or false.
    Boolean(bool),
}

/// What a function wants to know beside its arguments' types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameters {
    /// Its literal arguments.
    pub literals: Vec<Literal>,
    /// How many values it keeps of a group, if it keeps values; see [`AggregateFunction::limit_setting`].
    pub limit: usize,
}

/// As in ksqlDB.
const LIMIT_DEFAULT: usize = 1000;

impl Parameters {
    /// These literals, and the limit that holds unless a setting says otherwise.
    #[must_use]
    pub fn new(literals: Vec<Literal>) -> Self {
        Self { literals, limit: LIMIT_DEFAULT }
    }
}

/// Makes the states for arguments of some types, literals not among them.
type Make = fn(&[DataType], &Parameters) -> Result<Box<dyn GroupStates>, ArrowError>;

/// An aggregate function: its documentation and how to keep its states.
#[derive(Debug)]
pub struct AggregateFunction {
    /// Its name in upper case.
    pub name: &'static str,
    /// What it does, in a sentence.
    pub description: &'static str,
    /// Expressions and what they give.
    pub examples: Vec<Example>,
    /// Its signatures.
    pub overloads: Vec<Overload>,
    /// Whether it can take rows back, and so be used on tables.
    pub retracts: bool,
    /// The setting that says how many values it keeps of a group.
    pub limit_setting: Option<&'static str>,
    make: Make,
}

impl AggregateFunction {
    fn new(name: &'static str, description: &'static str, make: Make) -> Self {
        Self {
            name,
            description,
            examples: Vec::new(),
            overloads: Vec::new(),
            retracts: false,
            limit_setting: None,
            make,
        }
    }

    /// An expression and what it gives after these rows; see [`Example`].
    fn example(
        mut self,
        columns: &'static str,
        rows: &'static [&'static str],
        (expression, result): (&'static str, &'static str),
    ) -> Self {
        self.examples.push(Example { columns, rows, expression, result });
        self
    }

    fn retracting(mut self) -> Self {
        self.retracts = true;
        self
    }

    fn limited(mut self, setting: &'static str) -> Self {
        self.limit_setting = Some(setting);
        self
    }

    fn overload(self, params: &'static [Param], returns: Returns) -> Self {
        self.overload_with(params, &[], returns)
    }

    /// A signature with literals behind its other arguments.
    fn overload_with(mut self, params: &'static [Param], literals: &'static [Param], returns: Returns) -> Self {
        self.overloads.push(Overload { params, variadic: false, literals, returns });
        self
    }

    /// The same with the last argument before the literals repeated any number of times.
    fn overload_variadic(mut self, params: &'static [Param], literals: &'static [Param], returns: Returns) -> Self {
        self.overloads.push(Overload { params, variadic: true, literals, returns });
        self
    }

    /// The overload for these arguments.
    #[must_use]
    pub fn choose(&self, args: &[DataType]) -> Option<Coercion> {
        choose(&self.overloads, args)
    }

    /// Empty states for arguments of these types.
    ///
    /// # Errors
    /// If no state can hold values of them.
    pub fn states(&self, args: &[DataType], parameters: &Parameters) -> Result<Box<dyn GroupStates>, ArrowError> {
        (self.make)(args, parameters)
    }
}

/// All aggregate functions.
pub(crate) fn all() -> Vec<AggregateFunction> {
    let all = [
        count::all(),
        sum::all(),
        sum_list::all(),
        average::all(),
        extreme::all(),
        collect::all(),
        top::all(),
        offset::all(),
        tally::all(),
        spread::all(),
    ];
    all.into_iter().flatten().collect()
}

fn argument(args: &[ArrayRef], index: usize) -> Result<&ArrayRef, ArrowError> {
    args.get(index).ok_or_else(|| ArrowError::InvalidArgumentError(format!("argument {} is missing", index + 1)))
}

/// What a vector of states takes, without what they own on the heap.
fn vec_bytes<T>(states: &Vec<T>) -> usize {
    states.capacity() * size_of::<T>()
}

/// The slot's place in a vector of states.
fn at<T>(states: &mut [T], slot: u32) -> Result<&mut T, ArrowError> {
    states.get_mut(slot as usize).ok_or_else(|| ArrowError::ComputeError(format!("there is no group {slot}")))
}
