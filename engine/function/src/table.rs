//! Table functions: any number of rows from the values of one.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, UInt64Array, UInt64Builder};
use arrow::buffer::OffsetBuffer;
use arrow::compute::take;
use arrow::datatypes::{DataType, Field};
use arrow::error::ArrowError;

use crate::documentation::Example;
use crate::overload::{Coercion, Overload, Param, Returns, choose};

/// Computes for each row the list of the values that it becomes; none where the list is null or empty.
type Kernel = fn(&[ArrayRef]) -> Result<ListArray, ArrowError>;

/// A table function: its documentation, its signature and its kernel.
#[derive(Debug)]
pub struct TableFunction {
    /// Its name in upper case.
    pub name: &'static str,
    /// What it does, in a sentence.
    pub description: &'static str,
    /// Expressions and what they give.
    pub examples: Vec<Example>,
    /// Its signatures; what they return is the type of one row.
    pub overloads: Vec<Overload>,
    kernel: Kernel,
}

impl TableFunction {
    /// The overload for these arguments.
    #[must_use]
    pub fn choose(&self, args: &[DataType]) -> Option<Coercion> {
        choose(&self.overloads, args)
    }

    /// The rows of each row.
    ///
    /// # Errors
    /// If a row becomes too many.
    pub fn invoke(&self, args: &[ArrayRef]) -> Result<ListArray, ArrowError> {
        (self.kernel)(args)
    }
}

/// All table functions.
pub(crate) fn all() -> Vec<TableFunction> {
    let function = |name, description, returns, kernel, example: (&'static str, &'static str)| TableFunction {
        name,
        description,
        examples: vec![Example { columns: "", rows: &[], expression: example.0, result: example.1 }],
        overloads: vec![Overload { params: &[Param::Array], variadic: false, literals: &[], returns }],
        kernel,
    };
    let item = |args: &[DataType]| match args.first() {
        Some(DataType::List(item)) => item.data_type().clone(),
        _ => DataType::Null,
    };
    vec![
        function(
            "EXPLODE",
            "A row for each item of an array; none if it is empty or null.",
            Returns::Computed(item),
            explode,
            ("EXPLODE(ARRAY[1, 2])", "1\n2"),
        ),
        function(
            "CUBE_EXPLODE",
            "A row for each way to put null in the place of items of an array of up to 16 items that are not null.",
            Returns::Same(0),
            cube,
            ("CUBE_EXPLODE(ARRAY[1, 2])", "[null,null]\n[null,2]\n[1,null]\n[1,2]"),
        ),
    ]
}

fn list(args: &[ArrayRef]) -> Result<&ListArray, ArrowError> {
    let list = args.first().and_then(|arg| arg.as_list_opt::<i32>());
    list.ok_or_else(|| ArrowError::InvalidArgumentError("a table function's argument is no array".to_owned()))
}

fn explode(args: &[ArrayRef]) -> Result<ListArray, ArrowError> {
    list(args).cloned()
}

/// An array with so many items that are not null becomes 2^16 rows.
const CUBE_ITEMS_MAX: u32 = 16;

fn cube(args: &[ArrayRef]) -> Result<ListArray, ArrowError> {
    let list = list(args)?;
    let values = list.values();
    let nulls = values.logical_nulls();
    let is_item = |at: usize| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(at));
    let mut places = UInt64Builder::new();
    let (mut lengths, mut counts) = (Vec::new(), Vec::new());
    for row in 0..list.len() {
        let start = list.value_offsets().get(row).map_or(0, |offset| *offset as usize);
        let length = if list.is_valid(row) { list.value_length(row) as usize } else { 0 };
        let items = (start..start + length).filter(|at| is_item(*at)).count() as u32;
        if items > CUBE_ITEMS_MAX {
            let message =
                format!("an array of {items} items has too many combinations: CUBE_EXPLODE takes {CUBE_ITEMS_MAX}");
            return Err(ArrowError::ComputeError(message));
        }
        let combinations = if length == 0 { 0 } else { 1u32 << items };
        for combination in 0..combinations {
            // The first item changes least often.
            let mut bit = items;
            for at in start..start + length {
                if is_item(at) {
                    bit -= 1;
                    places.append_option((combination >> bit & 1 == 1).then_some(at as u64));
                } else {
                    places.append_null();
                }
            }
            lengths.push(length);
        }
        counts.push(combinations as usize);
    }
    let places: UInt64Array = places.finish();
    let field = match list.data_type() {
        DataType::List(field) => Arc::clone(field),
        other => Arc::new(Field::new("item", other.clone(), true)),
    };
    let rows = ListArray::try_new(field, OffsetBuffer::from_lengths(lengths), take(values, &places, None)?, None)?;
    let row = Arc::new(Field::new("item", rows.data_type().clone(), true));
    ListArray::try_new(row, OffsetBuffer::from_lengths(counts), Arc::new(rows), None)
}
