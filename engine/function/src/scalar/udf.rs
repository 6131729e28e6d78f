//! Scalar functions as DataFusion sees them.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{DataFusionError, Result, ScalarValue, plan_err};
use datafusion::logical_expr::type_coercion::functions::fields_with_udf;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::ScalarFunction;
use crate::overload::Coercion;

/// A function, and perhaps another one of the same name for arguments that it does not take.
#[derive(Debug)]
pub(crate) struct Udf {
    function: Arc<ScalarFunction>,
    otherwise: Option<Arc<ScalarUDF>>,
    signature: Signature,
    /// The name in lower case: batch SQL looks every function up by that.
    aliases: [String; 1],
}

impl Udf {
    pub(crate) fn of(function: &Arc<ScalarFunction>, otherwise: Option<Arc<ScalarUDF>>) -> ScalarUDF {
        let volatility = if function.volatile { Volatility::Volatile } else { Volatility::Immutable };
        let (function, signature) = (Arc::clone(function), Signature::user_defined(volatility));
        let aliases = [function.name.to_ascii_lowercase()];
        ScalarUDF::new_from_impl(Self { function, otherwise, signature, aliases })
    }

    /// The overload for what batch SQL hands over: it has more kinds of numbers and of texts, and its
    /// integer literals are all long.
    fn choose_widely(&self, args: &[DataType]) -> Option<Coercion> {
        let as_ours: Vec<DataType> = args.iter().map(dialect_type).collect();
        self.function.choose(&as_ours).or_else(|| {
            let short = |ty: &DataType| if *ty == DataType::Int64 { DataType::Int32 } else { ty.clone() };
            self.function.choose(&as_ours.iter().map(short).collect::<Vec<_>>())
        })
    }

    fn refused<T>(&self, args: &[DataType]) -> Result<T> {
        plan_err!("function {} does not take {args:?}", self.function.name)
    }
}

/// The type of the dialect that is next to a type of batch SQL.
fn dialect_type(ty: &DataType) -> DataType {
    use DataType as T;
    match ty {
        T::Utf8View | T::LargeUtf8 => T::Utf8,
        T::BinaryView | T::LargeBinary => T::Binary,
        T::Int8 | T::Int16 | T::UInt8 | T::UInt16 => T::Int32,
        T::UInt32 | T::UInt64 => T::Int64,
        T::Float16 | T::Float32 => T::Float64,
        other => other.clone(),
    }
}

impl PartialEq for Udf {
    fn eq(&self, other: &Self) -> bool {
        self.function.name == other.function.name
    }
}

impl Eq for Udf {}

impl Hash for Udf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.function.name.hash(state);
    }
}

impl ScalarUDFImpl for Udf {
    fn name(&self) -> &str {
        self.function.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        match self.function.choose(args) {
            Some(coercion) => Ok(coercion.returns),
            None => self.refused(args),
        }
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let types: Vec<DataType> = args.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        match (self.function.choose(&types), &self.otherwise) {
            (Some(coercion), _) => Ok(Arc::new(Field::new(self.name(), coercion.returns, true))),
            (None, Some(otherwise)) => otherwise.return_field_from_args(args),
            (None, None) => self.refused(&types),
        }
    }

    fn coerce_types(&self, args: &[DataType]) -> Result<Vec<DataType>> {
        match (self.choose_widely(args), &self.otherwise) {
            (Some(coercion), _) => Ok(coercion.args),
            (None, Some(otherwise)) => {
                let field = |ty: &DataType| Arc::new(Field::new("argument", ty.clone(), true));
                let coerced = fields_with_udf(&args.iter().map(field).collect::<Vec<_>>(), otherwise.as_ref())?;
                Ok(coerced.iter().map(|field| field.data_type().clone()).collect())
            }
            (None, None) => self.refused(args),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let types: Vec<DataType> = args.args.iter().map(ColumnarValue::data_type).collect();
        if let Some(otherwise) = &self.otherwise
            && self.function.choose(&types).is_none()
        {
            return otherwise.invoke_with_args(args);
        }
        let all_scalars = !args.args.is_empty() && args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if all_scalars && !self.function.volatile { 1 } else { args.number_rows };
        let mut arrays = Vec::with_capacity(args.args.len());
        for arg in args.args {
            arrays.push(arg.into_array(rows)?);
        }
        let result = self.function.invoke(&arrays, rows)?;
        if all_scalars && rows == 1 && result.len() == 1 {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?));
        }
        if result.len() != rows {
            return Err(DataFusionError::Execution(format!("function {} lost rows", self.function.name)));
        }
        Ok(ColumnarValue::Array(result))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batch_sql_may_hand_over_its_own_kinds_of_numbers_and_texts() {
        let registry = crate::registry();
        let (function, _) = registry.scalar("REGEXP_EXTRACT").unwrap();
        let udf = Udf::of(function, None);
        let coerced = udf.coerce_types(&[DataType::Utf8View, DataType::Utf8, DataType::Int64]).unwrap();
        assert_eq!(coerced, [DataType::Utf8, DataType::Utf8, DataType::Int32]);
        assert!(udf.coerce_types(&[DataType::Utf8, DataType::Boolean]).is_err());
    }
}
