//! Values of one type out of several: in lists, arrays and maps a literal takes the type of what stands beside it.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::ScalarValue;
use datafusion::functions::core::expr_fn::{coalesce, get_field, named_struct};
use datafusion::functions_nested::expr_fn::make_array;
use datafusion::logical_expr::{Case, Expr, Operator};
use datafusion::prelude::lit;
use millstream_sql::ast::BinaryOp;
use millstream_sql::{Expr as Ast, ExprKind, Span, Value, parse_expression};

use crate::Result;
use crate::expression::{Resolver, as_decimal, binary, cast_to, common_type, wrong};
use crate::types::type_name;

/// A struct of these fields; one without fields too.
pub(crate) fn structure(fields: Vec<(String, Expr)>) -> Expr {
    if fields.is_empty() {
        return Expr::Literal(
            ScalarValue::Struct(Arc::new(arrow::array::StructArray::new_empty_fields(1, None))),
            None,
        );
    }
    named_struct(fields.into_iter().flat_map(|(name, value)| [lit(name), value]).collect())
}

/// The type that arrays, maps or structs of both types can be held in; a struct of both has the fields of both.
pub(crate) fn common_nested_type(a: &DataType, b: &DataType) -> Option<DataType> {
    Some(match (a, b) {
        (DataType::List(a), DataType::List(b)) => {
            let item = common_type(a.data_type(), b.data_type())?;
            DataType::List(Arc::new(Field::new("item", item, true)))
        }
        (DataType::Map(a, _), DataType::Map(b, _)) => {
            let ((a_key, a_value), (b_key, b_value)) = (entry(a.data_type())?, entry(b.data_type())?);
            map_type(common_type(a_key, b_key)?, common_type(a_value, b_value)?)
        }
        (DataType::Struct(a), DataType::Struct(b)) => DataType::Struct(common_fields(a, b)?),
        _ => return None,
    })
}

fn common_fields(a: &Fields, b: &Fields) -> Option<Fields> {
    let mut fields = Vec::new();
    for field in a {
        let other = b.iter().find(|other| other.name() == field.name());
        let ty = other.map_or(Some(field.data_type().clone()), |o| common_type(field.data_type(), o.data_type()))?;
        fields.push(Field::new(field.name(), ty, true));
    }
    let is_new = |field: &&Arc<Field>| !a.iter().any(|other| other.name() == field.name());
    fields.extend(b.iter().filter(is_new).map(|field| Field::clone(field)));
    Some(fields.into())
}

fn entry(entries: &DataType) -> Option<(&DataType, &DataType)> {
    match entries {
        DataType::Struct(fields) => match fields.as_ref() {
            [key, value] => Some((key.data_type(), value.data_type())),
            _ => None,
        },
        _ => None,
    }
}

fn map_type(key: DataType, value: DataType) -> DataType {
    let entries = vec![Field::new("key", key, false), Field::new("value", value, true)];
    DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entries.into()), false)), false)
}

/// The number that a text is, with the sign it may have.
fn number(text: &str) -> Option<ScalarValue> {
    let literal = parse_expression(text.trim()).ok()?;
    match literal.kind {
        ExprKind::Literal(Value::Integer(value)) => Some(match i32::try_from(value) {
            Ok(value) => ScalarValue::Int32(Some(value)),
            Err(_) => ScalarValue::Int64(Some(value)),
        }),
        ExprKind::Literal(Value::Decimal(unscaled, scale)) => decimal(unscaled, scale),
        ExprKind::Literal(Value::Double(value)) => {
            // An exponent says how large a number is, not that it is inexact.
            let text = format!("{value}");
            let fraction = text.split_once('.').map_or("", |(_, fraction)| fraction);
            decimal(text.replace('.', "").parse().ok()?, u8::try_from(fraction.len()).ok()?)
        }
        _ => None,
    }
}

fn decimal(unscaled: i128, scale: u8) -> Option<ScalarValue> {
    let digits = unscaled.unsigned_abs().to_string().len().max(usize::from(scale) + 1);
    (digits <= 38).then(|| ScalarValue::Decimal128(Some(unscaled), digits as u8, scale as i8))
}

/// The truth value that a text begins: `t`, `tr` and `yes` are true, `no` is false.
fn truth(text: &str) -> Option<bool> {
    let text = text.trim().to_ascii_lowercase();
    let begins = |word: &str| !text.is_empty() && word.starts_with(&text);
    match (begins("true") || begins("yes"), begins("false") || begins("no")) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    }
}

/// What a literal is as another type, if it can be.
fn converted(literal: &Value, target: &DataType) -> Option<Expr> {
    match (literal, target) {
        (Value::String(text), DataType::Boolean) => truth(text).map(lit),
        (Value::String(text), ty) if ty.is_numeric() => {
            let value = number(text)?;
            Some(cast_to(Expr::Literal(value.clone(), None), &value.data_type(), ty))
        }
        (Value::Boolean(_) | Value::Integer(_) | Value::Decimal(..) | Value::Double(_), DataType::Utf8) => {
            Some(lit(literal.to_literal().to_lowercase()))
        }
        (Value::String(_), DataType::Date32 | DataType::Time32(_) | DataType::Timestamp(..)) => {
            let Value::String(text) = literal else { return None };
            Some(cast_to(lit(text.as_str()), &DataType::Utf8, target))
        }
        _ => None,
    }
}

impl Resolver<'_> {
    /// `operand = item` in a list: a literal is compared as what the operand is.
    pub(crate) fn equal_to_literal(&self, operand: &Ast, item: &Ast) -> Result<Expr> {
        let (left, left_type) = self.typed(operand)?;
        let Some(ty) = self.joined(&left_type, item)? else { return self.comparison(BinaryOp::Eq, operand, item) };
        if ty == DataType::Null {
            return self.comparison(BinaryOp::Eq, operand, item);
        }
        let equal = binary(self.as_type(operand, left, &left_type, &ty)?, Operator::Eq, self.to_type(item, &ty)?);
        Ok(Expr::IsTrue(Box::new(equal)))
    }

    /// All items as one type, and that type.
    pub(crate) fn coerced(&self, items: &[Ast]) -> Result<(Vec<Expr>, DataType)> {
        let mut common = DataType::Null;
        for item in items {
            common = self.joined(&common, item)?.ok_or_else(|| {
                let found = self.typed(item).map_or_else(|_| "another".to_owned(), |(_, ty)| type_name(&ty));
                let message = format!("expected {} like the values before it, found {found}", type_name(&common));
                wrong(message, item.span, "of another type")
            })?;
        }
        Ok((items.iter().map(|item| self.to_type(item, &common)).collect::<Result<_>>()?, common))
    }

    /// `MAP(key := value, …)`. A key is a text; one that is null is the text `null`, as it is in JSON.
    pub(crate) fn map(&self, entries: &[(Ast, Ast)], place: Span) -> Result<Expr> {
        let help = "a MAP needs an entry that tells its types: MAP('key' := value)";
        if entries.is_empty() {
            return Err(Box::new(wrong("the map has no entries".to_owned(), place, "").help(help)));
        }
        let (keys, values): (Vec<Ast>, Vec<Ast>) = entries.iter().cloned().unzip();
        let ((keys, key_type), (values, _)) = (self.coerced(&keys)?, self.coerced(&values)?);
        if key_type == DataType::Null {
            let message = "the keys of the map are NULL, which has no type".to_owned();
            return Err(Box::new(wrong(message, place, "").help(help)));
        }
        let keys = keys.into_iter().map(|key| match (&key, &key_type) {
            (Expr::Literal(value, _), _) if !value.is_null() => key,
            (_, DataType::Utf8) => coalesce(vec![key, lit("null")]),
            _ => key,
        });
        let (keys, values) = (make_array(keys.collect()), make_array(values));
        Ok(datafusion::functions_nested::map::map_udf().call(vec![keys, values]))
    }

    /// The type of values of this type and an item; `None` if there is none.
    fn joined(&self, common: &DataType, item: &Ast) -> Result<Option<DataType>> {
        let (_, ty) = self.typed(item)?;
        if let (DataType::List(element), ExprKind::Array(items)) = (common, &item.kind) {
            let mut element = element.data_type().clone();
            for item in items {
                match self.joined(&element, item)? {
                    Some(ty) => element = ty,
                    None => return Ok(None),
                }
            }
            return Ok(Some(DataType::List(Arc::new(Field::new("item", element, true)))));
        }
        if let Some(ty) = common_type(common, &ty) {
            return Ok(Some(ty));
        }
        let ExprKind::Literal(literal) = &item.kind else { return Ok(None) };
        Ok(match (literal, common) {
            (Value::String(text), common) if common.is_numeric() => {
                number(text).and_then(|value| common_type(common, &as_exact(&value.data_type())))
            }
            _ => converted(literal, common).map(|_| common.clone()),
        })
    }

    /// An item as this type.
    fn to_type(&self, item: &Ast, target: &DataType) -> Result<Expr> {
        let (expr, ty) = self.typed(item)?;
        self.as_type(item, expr, &ty, target)
    }

    fn as_type(&self, item: &Ast, expr: Expr, ty: &DataType, target: &DataType) -> Result<Expr> {
        if ty == target {
            return Ok(expr);
        }
        match (&item.kind, target) {
            (ExprKind::Literal(literal), target) => {
                Ok(converted(literal, target).unwrap_or_else(|| cast_to(expr, ty, target)))
            }
            (ExprKind::Array(items), DataType::List(element)) => {
                let items = items.iter().map(|item| self.to_type(item, element.data_type()));
                Ok(make_array(items.collect::<Result<_>>()?))
            }
            (_, DataType::Struct(fields)) => Ok(restructured(expr, ty, fields)),
            _ => Ok(cast_to(expr, ty, target)),
        }
    }
}

/// Text with a point or exponent is exact, and so are the numbers beside it.
fn as_exact(ty: &DataType) -> DataType {
    match ty {
        DataType::Decimal128(..) => as_decimal(ty),
        _ => ty.clone(),
    }
}

/// A struct with these fields, of which those that it has not are null.
pub(crate) fn restructured(expr: Expr, from: &DataType, fields: &Fields) -> Expr {
    let DataType::Struct(own) = from else { return cast_to(expr, from, &DataType::Struct(fields.clone())) };
    let value = |field: &Arc<Field>| {
        let value = match own.iter().find(|other| other.name() == field.name()) {
            Some(other) => {
                let value = get_field(expr.clone(), field.name().as_str());
                match field.data_type() {
                    ty if ty == other.data_type() => value,
                    DataType::Struct(inner) => restructured(value, other.data_type(), inner),
                    ty => cast_to(value, other.data_type(), ty),
                }
            }
            None => cast_to(lit(ScalarValue::Null), &DataType::Null, field.data_type()),
        };
        (field.name().clone(), value)
    };
    let made = structure(fields.iter().map(value).collect());
    let is_there = Expr::IsNotNull(Box::new(expr));
    Expr::Case(Case::new(None, vec![(Box::new(is_there), Box::new(made))], None))
}
