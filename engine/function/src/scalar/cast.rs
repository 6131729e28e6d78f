//! Casts: which there are, and those that the dialect does otherwise than Arrow. A BIGINT beyond the range of INTEGER
//! wraps around, a text is TRUE or not, a time may be written in part, and everything but bytes has a text.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, ListArray, MapArray, StructArray, TimestampMillisecondArray, new_null_array,
};
use arrow::compute::{CastOptions, can_cast_types, cast_with_options};
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type, TimeUnit, TimestampMillisecondType};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use super::display::{java_text, text_of};
use super::kernel::{Outcome, boolean_rows, text_rows};
use crate::pattern::parse_time;
use crate::row_error::note_row_error;

/// Whether values of one type can be cast to another.
#[must_use]
pub fn can_cast(from: &DataType, to: &DataType) -> bool {
    use DataType as T;
    match (from, to) {
        (T::Null, _) => true,
        (from, to) if from == to => true,
        (from, T::Utf8) => *from != T::Binary,
        (T::Utf8, T::Boolean | T::Date32 | T::Time32(_) | T::Timestamp(..)) => true,
        (T::Timestamp(..), T::Date32 | T::Time32(_)) | (T::Date32, T::Timestamp(..)) => true,
        (T::List(from), T::List(to)) => can_cast(from.data_type(), to.data_type()),
        (T::Map(from, _), T::Map(to, _)) => match (entry(from), entry(to)) {
            (Some([key, value]), Some([to_key, to_value])) => can_cast(key, to_key) && can_cast(value, to_value),
            _ => false,
        },
        (T::Struct(from), T::Struct(to)) => to.iter().all(|field| {
            from.find(field.name()).is_none_or(|(_, found)| can_cast(found.data_type(), field.data_type()))
        }),
        (from, to) => (from.is_numeric() || *from == T::Utf8) && to.is_numeric() && can_cast_types(from, to),
    }
}

/// The types of a map's keys and values.
fn entry(entries: &Field) -> Option<[&DataType; 2]> {
    match entries.data_type() {
        DataType::Struct(fields) => match fields.as_ref() {
            [key, value] => Some([key.data_type(), value.data_type()]),
            _ => None,
        },
        _ => None,
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
    use DataType as T;
    match (from, to) {
        (from, to) if from == to => false,
        (T::Int64, T::Int32) | (T::Utf8, T::Boolean | T::Timestamp(TimeUnit::Millisecond, None)) => true,
        (T::Float64 | T::Date32 | T::Time32(_) | T::Timestamp(..), T::Utf8) => true,
        (from, _) => from.is_nested(),
    }
}

/// The values as another type; what cannot be is null.
fn cast(array: &ArrayRef, to: &DataType) -> Outcome {
    use DataType as T;
    match (array.data_type(), to) {
        (from, to) if from == to => Ok(Arc::clone(array)),
        (T::Int64, T::Int32) => {
            Ok(Arc::new(array.as_primitive::<Int64Type>().unary::<_, Int32Type>(|value| value as i32)))
        }
        (T::Utf8, T::Boolean) => {
            let texts = array.as_string::<i32>();
            boolean_rows(texts.len(), |row| texts.is_valid(row).then(|| texts.value(row).eq_ignore_ascii_case("true")))
        }
        (T::Utf8, T::Timestamp(TimeUnit::Millisecond, None)) => timestamps(array),
        (from, T::Utf8) if from.is_nested() => {
            text_rows(array.len(), |row| array.is_valid(row).then(|| java_text(array, row)))
        }
        (T::Float64 | T::Date32 | T::Time32(_) | T::Timestamp(..), T::Utf8) => {
            text_rows(array.len(), |row| text_of(array, row))
        }
        (T::List(_), T::List(item)) => {
            let lists = array.as_list::<i32>();
            let items = cast(lists.values(), item.data_type())?;
            Ok(Arc::new(ListArray::try_new(Arc::clone(item), lists.offsets().clone(), items, lists.nulls().cloned())?))
        }
        (T::Map(..), T::Map(entries, sorted)) => {
            let (maps, T::Struct(fields)) = (array.as_map(), entries.data_type()) else {
                return arrow_cast(array, to);
            };
            let columns = maps.entries().columns().iter().zip(fields).map(|(column, f)| cast(column, f.data_type()));
            let cast = StructArray::try_new(fields.clone(), columns.collect::<std::result::Result<_, _>>()?, None)?;
            let (offsets, nulls) = (maps.offsets().clone(), maps.nulls().cloned());
            Ok(Arc::new(MapArray::try_new(Arc::clone(entries), offsets, cast, nulls, *sorted)?))
        }
        (T::Struct(_), T::Struct(fields)) => {
            let structs = array.as_struct();
            let columns = fields.iter().map(|field| match structs.column_by_name(field.name()) {
                Some(column) => cast(column, field.data_type()),
                None => Ok(new_null_array(field.data_type(), structs.len())),
            });
            let columns = columns.collect::<std::result::Result<_, _>>()?;
            Ok(Arc::new(StructArray::try_new_with_length(
                fields.clone(),
                columns,
                structs.nulls().cloned(),
                structs.len(),
            )?))
        }
        _ => arrow_cast(array, to),
    }
}

/// Texts as times; those that Arrow does not read may be written in part.
fn timestamps(array: &ArrayRef) -> Outcome {
    let texts = array.as_string::<i32>();
    let read = arrow_cast(array, &DataType::Timestamp(TimeUnit::Millisecond, None))?;
    if read.null_count() == texts.null_count() {
        return Ok(read);
    }
    let read = read.as_primitive::<TimestampMillisecondType>();
    let times = (0..texts.len()).map(|row| match texts.is_valid(row) && read.is_null(row) {
        true => {
            let text = texts.value(row);
            let time = parse_time(text);
            if time.is_none() {
                note_row_error("CAST", &format!("\"{text}\" is no time such as 2020-01-31T10:15:30.123"));
            }
            time
        }
        false => read.is_valid(row).then(|| read.value(row)),
    });
    Ok(Arc::new(times.collect::<TimestampMillisecondArray>()))
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
    use arrow::array::{BooleanArray, Int32Array, Int64Array, StringArray};
    use arrow::datatypes::Fields;

    #[test]
    fn a_long_wraps_around_also_within_an_array_and_null_stays_null() {
        let values: ArrayRef = Arc::new(Int64Array::from(vec![Some(1 << 31), None, Some(-5)]));
        let expected = Int32Array::from(vec![Some(i32::MIN), None, Some(-5)]);
        assert_eq!(cast(&values, &DataType::Int32).unwrap().as_primitive::<Int32Type>(), &expected);
        let list = |ty| DataType::List(Arc::new(Field::new("item", ty, true)));
        assert!(own_cast(&list(DataType::Int64), &list(DataType::Int32)).is_some());
        assert!(own_cast(&DataType::Int32, &DataType::Int64).is_none());
        assert!(can_cast(&list(list(DataType::Int64)), &list(DataType::Utf8)));
    }

    #[test]
    fn there_are_casts_that_mean_something() {
        use DataType as T;
        for (from, to) in [(T::Binary, T::Utf8), (T::Utf8, T::Binary), (T::Int32, T::Boolean), (T::Boolean, T::Int64)] {
            assert!(!can_cast(&from, &to), "{from} to {to}");
        }
        let time = T::Timestamp(TimeUnit::Millisecond, None);
        assert!(can_cast(&T::Date32, &time) && can_cast(&T::Utf8, &time) && !can_cast(&T::Int64, &time));
    }

    #[test]
    fn texts_are_true_or_not_and_times_in_part() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("TrUe"), Some("yes"), None]));
        let truths = cast(&texts, &DataType::Boolean).unwrap();
        assert_eq!(truths.as_boolean(), &BooleanArray::from(vec![Some(true), Some(false), None]));
        let texts: ArrayRef =
            Arc::new(StringArray::from(vec![Some("1970-01-02T01"), Some("x"), Some("1970-01-02"), None]));
        let times = cast(&texts, &DataType::Timestamp(TimeUnit::Millisecond, None)).unwrap();
        let expected = TimestampMillisecondArray::from(vec![Some(90_000_000), None, Some(86_400_000), None]);
        assert_eq!(times.as_primitive::<TimestampMillisecondType>(), &expected);
    }

    #[test]
    fn a_struct_keeps_the_fields_of_the_same_name_and_has_null_for_new_ones() {
        let fields = |fields: &[(&str, DataType)]| -> Fields {
            fields.iter().map(|(name, ty)| Field::new(*name, ty.clone(), true)).collect()
        };
        let from = fields(&[("A", DataType::Int32), ("B", DataType::Utf8)]);
        let columns: Vec<ArrayRef> = vec![Arc::new(Int32Array::from(vec![1])), Arc::new(StringArray::from(vec!["x"]))];
        let structs: ArrayRef = Arc::new(StructArray::new(from, columns, None));
        let to = DataType::Struct(fields(&[("C", DataType::Utf8), ("A", DataType::Int64)]));
        assert!(can_cast(structs.data_type(), &to));
        let cast = cast(&structs, &to).unwrap();
        assert!(cast.as_struct().column(0).is_null(0));
        assert_eq!(cast.as_struct().column(1).as_primitive::<Int64Type>().value(0), 1);
    }
}
