//! Which keys the conditions of a batch query name.

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

/// So many keys are looked up one by one; for more the table is read whole.
const KEYS_MAX: usize = 10_000;

/// The values that a condition binds a column to: `k = 1`, `1 = k` or `k IN (1, 2)`.
pub(crate) fn bound_values<'e>(condition: &'e Expr, column: &str) -> Option<Vec<&'e ScalarValue>> {
    let is_column = |expr: &Expr| matches!(expr, Expr::Column(found) if found.name == column);
    match condition {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => match (&**left, &**right) {
            (key, Expr::Literal(value, _)) | (Expr::Literal(value, _), key) if is_column(key) => Some(vec![value]),
            _ => None,
        },
        Expr::InList(list) if !list.negated && is_column(&list.expr) => {
            let value = |item: &'e Expr| match item {
                Expr::Literal(value, _) => Some(value),
                _ => None,
            };
            list.list.iter().map(value).collect()
        }
        _ => None,
    }
}

/// The keys that rows must have for all conditions to be true, as columns; none if the conditions do not bind every
/// column of the key.
pub(crate) fn wanted_keys(conditions: &[Expr], keys: &[(&str, DataType)]) -> Option<Vec<ArrayRef>> {
    let mut columns: Vec<ArrayRef> = Vec::new();
    let mut count = 1usize;
    for (name, ty) in keys {
        let mut values = conditions.iter().find_map(|condition| bound_values(condition, name))?;
        // Nothing is equal to null, and a key that is named twice has its rows once.
        values.retain(|value| !value.is_null());
        values.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
        values.dedup();
        if values.iter().any(|value| value.data_type() != *ty) {
            return None;
        }
        count = count.checked_mul(values.len()).filter(|count| *count <= KEYS_MAX)?;
        let values = if values.is_empty() {
            arrow::array::new_empty_array(ty)
        } else {
            ScalarValue::iter_to_array(values.into_iter().cloned()).ok()?
        };
        // Every key so far with every value of this column.
        let width = values.len() as u32;
        let so_far = columns.first().map_or(1, |column| column.len()) as u32;
        let left: UInt32Array = (0..so_far).flat_map(|row| std::iter::repeat_n(row, width as usize)).collect();
        let right: UInt32Array = (0..so_far).flat_map(|_| 0..width).collect();
        columns = columns.iter().map(|column| take(column, &left, None)).collect::<Result<_, _>>().ok()?;
        columns.push(take(&values, &right, None).ok()?);
    }
    (!columns.is_empty()).then_some(columns)
}

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray, Int32Array, StringArray};
    use datafusion::prelude::{ident, lit};

    use super::*;

    #[test]
    fn keys_are_the_product_of_what_each_column_is_bound_to() {
        let keys = [("A", DataType::Int32), ("B", DataType::Utf8)];
        let conditions =
            [ident("A").in_list(vec![lit(2), lit(1), lit(2)], false), lit("x").eq(ident("B")), ident("C").gt(lit(3))];
        let found = wanted_keys(&conditions, &keys).unwrap();
        assert_eq!(found[0].as_primitive(), &Int32Array::from(vec![1, 2]));
        assert_eq!(found[1].as_string::<i32>(), &StringArray::from(vec!["x", "x"]));
    }

    #[test]
    fn a_column_that_is_not_bound_leaves_all_keys() {
        let keys = [("A", DataType::Int32), ("B", DataType::Utf8)];
        assert!(wanted_keys(&[ident("A").eq(lit(1))], &keys).is_none());
        assert!(wanted_keys(&[ident("A").eq(lit(1)), ident("B").gt(lit("x"))], &keys).is_none());
        assert!(wanted_keys(&[ident("A").in_list(vec![lit(1)], true)], &keys[..1]).is_none());
        // Another type than the key's is left to the filter.
        assert!(wanted_keys(&[ident("A").eq(lit(1i64))], &keys[..1]).is_none());
    }
}
