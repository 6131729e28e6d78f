//! The functions, and what does the same.

use std::sync::Arc;

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::ScalarValue;
use datafusion::common::config::ConfigOptions;
use datafusion::functions::{datetime, math, string, unicode};
use datafusion::functions_nested::{array_has::array_has_udf, string::string_to_array_udf};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF};
use millstream_function::{own_cast, registry};
use serde_json::Value;

use super::data::{
    arrays, documents, double_column, doubles, integer_column, integers, other_integers, text_column, texts,
    time_column, times,
};
use super::{Case, ROWS, Side};
use crate::Result;

/// A function that is called with a batch's columns and literals, as the engine and DataFusion do it.
fn call(udf: Arc<ScalarUDF>, args: Vec<ColumnarValue>) -> Result<Side> {
    let fields: Vec<_> = args.iter().map(|arg| Arc::new(Field::new("argument", arg.data_type(), true))).collect();
    let literals: Vec<Option<&ScalarValue>> = args
        .iter()
        .map(|arg| match arg {
            ColumnarValue::Scalar(value) => Some(value),
            ColumnarValue::Array(_) => None,
        })
        .collect();
    let returns = udf.return_field_from_args(ReturnFieldArgs { arg_fields: &fields, scalar_arguments: &literals })?;
    let config = Arc::new(ConfigOptions::default());
    Ok(Box::new(move || {
        let args = ScalarFunctionArgs {
            args: args.clone(),
            arg_fields: fields.clone(),
            number_rows: ROWS,
            return_field: Arc::clone(&returns),
            config_options: Arc::clone(&config),
        };
        Ok(udf.invoke_with_args(args)?.into_array(ROWS)?)
    }))
}

fn ours(name: &str, args: Vec<ColumnarValue>) -> Result<Side> {
    let (_, udf) = registry().scalar(name).ok_or_else(|| format!("there is no function {name}"))?;
    call(Arc::clone(udf), args)
}

fn column(array: &ArrayRef) -> ColumnarValue {
    ColumnarValue::Array(Arc::clone(array))
}

fn text(text: &str) -> ColumnarValue {
    ColumnarValue::Scalar(ScalarValue::from(text))
}

fn int(value: i32) -> ColumnarValue {
    ColumnarValue::Scalar(ScalarValue::Int32(Some(value)))
}

fn bigint(value: i64) -> ColumnarValue {
    ColumnarValue::Scalar(ScalarValue::Int64(Some(value)))
}

/// Functions in the order of how often the conformance cases and the documentation of ksqlDB use them, more or less.
pub(super) fn cases() -> Result<Vec<Case>> {
    let mut cases = texts_cases()?;
    cases.extend(number_cases()?);
    cases.extend(other_cases()?);
    Ok(cases)
}

fn texts_cases() -> Result<Vec<Case>> {
    let values = text_column(&texts());
    let s = || column(&values);
    let case = |name, expression, args, other, udf, other_args| -> Result<Case> {
        Ok(Case { name, expression, ours: ours(name, args)?, other: (other, call(udf, other_args)?) })
    };
    Ok(vec![
        case("UCASE", "UCASE(s)", vec![s()], "upper", string::upper(), vec![s()])?,
        case("TRIM", "TRIM(s)", vec![s()], "btrim", string::btrim(), vec![s()])?,
        case(
            "SUBSTRING",
            "SUBSTRING(s, 3, 6)",
            vec![s(), int(3), int(6)],
            "substr",
            unicode::substr(),
            vec![s(), bigint(3), bigint(6)],
        )?,
        case(
            "CONCAT",
            "CONCAT(s, '-', s)",
            vec![s(), text("-"), s()],
            "concat",
            string::concat(),
            vec![s(), text("-"), s()],
        )?,
        case("LEN", "LEN(s)", vec![s()], "character_length", unicode::character_length(), vec![s()])?,
        case(
            "REPLACE",
            "REPLACE(s, 'a', 'bb')",
            vec![s(), text("a"), text("bb")],
            "replace",
            string::replace(),
            vec![s(), text("a"), text("bb")],
        )?,
        case(
            "SPLIT",
            "SPLIT(s, ' ')",
            vec![s(), text(" ")],
            "string_to_array",
            string_to_array_udf(),
            vec![s(), text(" ")],
        )?,
    ])
}

fn number_cases() -> Result<Vec<Case>> {
    let (i, d) = (integer_column(&integers()), double_column(&doubles()));
    let to_int = own_cast(&DataType::Int64, &DataType::Int32).ok_or("there is no cast from BIGINT to INT")?;
    let cast_from = Arc::clone(&i);
    let cast = move || Ok(datafusion::arrow::compute::cast(&cast_from, &DataType::Int32)?);
    let (left, right) = (integers(), other_integers());
    let (coalesced, others) = (column(&i), column(&integer_column(&right)));
    let first = move || -> Result<ArrayRef> {
        let values: Vec<Option<i64>> = left.iter().zip(&right).map(|(left, right)| left.or(*right)).collect();
        Ok(integer_column(&values))
    };
    Ok(vec![
        Case {
            name: "CAST",
            expression: "CAST(i AS INT)",
            ours: call(Arc::new(to_int), vec![column(&i)])?,
            other: ("arrow's cast", Box::new(cast)),
        },
        Case {
            name: "COALESCE",
            expression: "COALESCE(i, j)",
            ours: ours("COALESCE", vec![coalesced, others])?,
            other: ("a loop", Box::new(first)),
        },
        Case {
            name: "ABS",
            expression: "ABS(i)",
            ours: ours("ABS", vec![column(&i)])?,
            other: ("abs", call(math::abs(), vec![column(&i)])?),
        },
        Case {
            name: "ROUND",
            expression: "ROUND(d, 2)",
            ours: ours("ROUND", vec![column(&d), int(2)])?,
            other: ("round", call(math::round(), vec![column(&d), int(2)])?),
        },
    ])
}

fn other_cases() -> Result<Vec<Case>> {
    let (documents, times, lists) = (documents(), times(), arrays());
    let json = text_column(&documents);
    let t = time_column(&times);
    let formatted = call(datetime::to_char(), vec![column(&t), text("%Y-%m-%d %H:%M:%S%.3f")])?()?;
    let title = move || -> Result<ArrayRef> {
        let find = |text: &String| {
            let document: Value = serde_json::from_str(text).ok()?;
            document.get("page")?.get("title")?.as_str().map(str::to_owned)
        };
        let titles: Vec<Option<String>> = documents.iter().map(|text| text.as_ref().and_then(find)).collect();
        Ok(text_column(&titles))
    };
    Ok(vec![
        Case {
            name: "EXTRACTJSONFIELD",
            expression: "EXTRACTJSONFIELD(json, '$.page.title')",
            ours: ours("EXTRACTJSONFIELD", vec![column(&json), text("$.page.title")])?,
            other: ("a loop with serde_json", Box::new(title)),
        },
        Case {
            name: "FORMAT_TIMESTAMP",
            expression: "FORMAT_TIMESTAMP(t, 'yyyy-MM-dd HH:mm:ss.SSS')",
            ours: ours("FORMAT_TIMESTAMP", vec![column(&t), text("yyyy-MM-dd HH:mm:ss.SSS")])?,
            other: ("to_char", call(datetime::to_char(), vec![column(&t), text("%Y-%m-%d %H:%M:%S%.3f")])?),
        },
        Case {
            name: "PARSE_TIMESTAMP",
            expression: "PARSE_TIMESTAMP(s, 'yyyy-MM-dd HH:mm:ss.SSS')",
            ours: ours("PARSE_TIMESTAMP", vec![column(&formatted), text("yyyy-MM-dd HH:mm:ss.SSS")])?,
            other: (
                "to_timestamp_millis",
                call(
                    datetime::to_timestamp_millis(&ConfigOptions::default()),
                    vec![column(&formatted), text("%Y-%m-%d %H:%M:%S%.3f")],
                )?,
            ),
        },
        Case {
            name: "ARRAY_CONTAINS",
            expression: "ARRAY_CONTAINS(tags, 'tag_7')",
            ours: ours("ARRAY_CONTAINS", vec![column(&lists), text("tag_7")])?,
            other: ("array_has", call(array_has_udf(), vec![column(&lists), text("tag_7")])?),
        },
    ])
}
