//! Casts that the dialect does otherwise than Arrow: a BIGINT beyond the range of INTEGER wraps around, and arrays,
//! maps and structs have a text.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, MapArray, StructArray};
use arrow::compute::{CastOptions, can_cast_types, cast_with_options};
use arrow::datatypes::{DataType, Fields, Int32Type, Int64Type};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use super::display::java_text;
use super::kernel::{Outcome, text_rows};

/// Whether values of one type can be cast to another.
#[must_use]
pub fn can_cast(from: &DataType, to: &DataType) -> bool {
    match (from, to) {
        (from, DataType::Utf8) if from.is_nested() => true,
        (DataType::List(from), DataType::List(to)) | (DataType::Map(from, _), DataType::Map(to, _)) => {
            can_cast(from.data_type(), to.data_type())
        }
        (DataType::Struct(from), DataType::Struct(to)) if has_all(from, to) => to.iter().all(|field| {
            from.find(field.name()).is_some_and(|(_, found)| can_cast(found.data_type(), field.data_type()))
        }),
        _ => can_cast_types(from, to),
    }
}

/// The cast between two types, if the dialect does it otherwise than Arrow.
#[must_use]
pub fn own_cast(from: &DataType, to: &DataType) -> Option<ScalarUDF> {
    differs(from, to).then(|| ScalarUDF::new_from_impl(OwnCast { to: to.clone(), signature: signature() }))
}

fn signature() -> Signature {
    Signature::any(1, Volatility::Immutable)
}

fn differs(from: &DataType, to: &DataType) -> bool {
    match (from, to) {
        (DataType::Int64, DataType::Int32) => true,
        (from, DataType::Utf8) => from.is_nested(),
        (DataType::List(from), DataType::List(to)) | (DataType::Map(from, _), DataType::Map(to, _)) => {
            differs(from.data_type(), to.data_type())
        }
        (DataType::Struct(from), DataType::Struct(to)) if has_all(from, to) => to
            .iter()
            .any(|field| from.find(field.name()).is_some_and(|(_, f)| differs(f.data_type(), field.data_type()))),
        _ => false,
    }
}

/// Whether every field of one struct has its like in the other.
fn has_all(from: &Fields, to: &Fields) -> bool {
    to.iter().all(|field| from.find(field.name()).is_some())
}

/// The values as another type; what cannot be is null.
fn cast(array: &ArrayRef, to: &DataType) -> Outcome {
    match (array.data_type(), to) {
        (DataType::Int64, DataType::Int32) => {
            Ok(Arc::new(array.as_primitive::<Int64Type>().unary::<_, Int32Type>(|value| value as i32)))
        }
        (from, DataType::Utf8) if from.is_nested() => {
            text_rows(array.len(), |row| array.is_valid(row).then(|| java_text(array, row)))
        }
        (DataType::List(_), DataType::List(item)) => {
            let lists = array.as_list::<i32>();
            let items = cast(lists.values(), item.data_type())?;
            Ok(Arc::new(ListArray::try_new(Arc::clone(item), lists.offsets().clone(), items, lists.nulls().cloned())?))
        }
        (DataType::Map(..), DataType::Map(entries, sorted)) => {
            let (maps, DataType::Struct(fields)) = (array.as_map(), entries.data_type()) else {
                return arrow_cast(array, to);
            };
            let columns = maps.entries().columns().iter().zip(fields).map(|(column, f)| cast(column, f.data_type()));
            let cast = StructArray::try_new(fields.clone(), columns.collect::<std::result::Result<_, _>>()?, None)?;
            let (offsets, nulls) = (maps.offsets().clone(), maps.nulls().cloned());
            Ok(Arc::new(MapArray::try_new(Arc::clone(entries), offsets, cast, nulls, *sorted)?))
        }
        (DataType::Struct(from), DataType::Struct(fields)) if has_all(from, fields) => {
            let structs = array.as_struct();
            let columns = fields.iter().filter_map(|f| Some(cast(structs.column_by_name(f.name())?, f.data_type())));
            let columns = columns.collect::<std::result::Result<_, _>>()?;
            Ok(Arc::new(StructArray::try_new(fields.clone(), columns, structs.nulls().cloned())?))
        }
        _ => arrow_cast(array, to),
    }
}

fn arrow_cast(array: &ArrayRef, to: &DataType) -> Outcome {
    cast_with_options(array, to, &CastOptions::default())
}

/// The cast as DataFusion sees it.
#[derive(Debug, PartialEq, Eq, Hash)]
struct OwnCast {
    to: DataType,
    signature: Signature,
}

impl ScalarUDFImpl for OwnCast {
    fn name(&self) -> &'static str {
        "CAST"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _args: &[DataType]) -> Result<DataType> {
        Ok(self.to.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match args.args.as_slice() {
            [ColumnarValue::Array(array)] => Ok(ColumnarValue::Array(cast(array, &self.to)?)),
            [ColumnarValue::Scalar(value)] => {
                let array = cast(&value.to_array()?, &self.to)?;
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?))
            }
            _ => exec_err!("CAST takes one value"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Int32Array, Int64Array};
    use arrow::datatypes::Field;

    #[test]
    fn a_long_wraps_around_also_within_an_array_and_null_stays_null() {
        let values: ArrayRef = Arc::new(Int64Array::from(vec![Some(1 << 31), None, Some(-5)]));
        let expected = Int32Array::from(vec![Some(i32::MIN), None, Some(-5)]);
        assert_eq!(cast(&values, &DataType::Int32).unwrap().as_primitive::<Int32Type>(), &expected);
        let list = |ty| DataType::List(Arc::new(Field::new("item", ty, true)));
        assert!(own_cast(&list(DataType::Int64), &list(DataType::Int32)).is_some());
        assert!(own_cast(&list(DataType::Int32), &list(DataType::Int64)).is_none());
        assert!(can_cast(&list(list(DataType::Int64)), &list(DataType::Utf8)));
    }
}
