//! Operands of arithmetic in lambdas: there, as in ksqlDB, a null fails the whole row instead of being null itself.

use std::sync::{Arc, LazyLock};

use arrow::array::Array;
use arrow::datatypes::DataType;
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::failed;

/// The operand, which must not be null.
#[must_use]
pub fn present(operand: Expr) -> Expr {
    static PRESENT: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        Arc::new(ScalarUDF::new_from_impl(Present { signature: Signature::any(1, Volatility::Immutable) }))
    });
    PRESENT.call(vec![operand])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Present {
    signature: Signature,
}

impl ScalarUDFImpl for Present {
    fn name(&self) -> &str {
        "PRESENT"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        match args {
            [operand] => Ok(operand.clone()),
            _ => plan_err!("PRESENT takes one argument"),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(operand) = args.args.into_iter().next() else { return plan_err!("PRESENT takes one argument") };
        let has_null = match &operand {
            ColumnarValue::Array(array) => array.null_count() > 0,
            ColumnarValue::Scalar(value) => value.is_null(),
        };
        if has_null { Err(failed("an operand is null").into()) } else { Ok(operand) }
    }
}
