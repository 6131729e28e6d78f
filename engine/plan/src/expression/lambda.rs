//! Calls with lambdas: `TRANSFORM(numbers, x => x + delta)`.
//!
//! A parameter becomes a column of the lambda's own schema; every other column of the body is captured and
//! becomes an argument of the call.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, ScalarValue};
use datafusion::logical_expr::{Case, Expr, ScalarUDF};
use datafusion::prelude::lit;
use millstream_function::lambda::{HigherOrder, Lambda, higher_order_udf};
use millstream_sql::ast::{BinaryOp, Ident};
use millstream_sql::{Diagnostic, Expr as Ast, ExprKind, Span};

use super::{Names, Resolver, cast_to, common_type, wrong};
use crate::Result;
use crate::types::type_name;

/// The names in a lambda's body: its parameters before everything outside.
struct LambdaNames<'a> {
    outside: &'a dyn Names,
    /// Names and the columns that stand for them.
    parameters: Vec<(String, Field)>,
}

impl Names for LambdaNames<'_> {
    fn column(&self, source: Option<&Ident>, name: &Ident) -> Result<Expr> {
        let parameter = self.parameters.iter().find(|(parameter, _)| source.is_none() && *parameter == name.name);
        match parameter {
            Some((_, field)) => Ok(Expr::Column(Column::new_unqualified(field.name()))),
            None => self.outside.column(source, name),
        }
    }

    fn replace(&self, ast: &Ast) -> Result<Option<Expr>> {
        let mut uses_parameter = false;
        ast.walk(&mut |ast| {
            if let ExprKind::Column { source: None, name } = &ast.kind {
                uses_parameter |= self.parameters.iter().any(|(parameter, _)| *parameter == name.name);
            }
        });
        if uses_parameter { Ok(None) } else { self.outside.replace(ast) }
    }

    fn schema(&self) -> SchemaRef {
        let outside = self.outside.schema();
        let is_shadowed = |field: &&Arc<Field>| self.parameters.iter().any(|(_, own)| own.name() == field.name());
        let others = outside.fields().iter().filter(|field| !is_shadowed(field)).map(|field| field.as_ref().clone());
        Arc::new(Schema::new(self.parameters.iter().map(|(_, field)| field.clone()).chain(others).collect::<Vec<_>>()))
    }

    fn in_lambda(&self) -> bool {
        true
    }
}

impl Resolver<'_> {
    /// A call with a lambda.
    pub(super) fn higher_order(&self, name: &Ident, args: &[Ast], place: Span) -> Result<Expr> {
        let Some(function) = HigherOrder::named(&name.name) else {
            let message = format!("function {} takes no lambda", name.name);
            let help = "TRANSFORM, FILTER and REDUCE do";
            return Err(Box::new(wrong(message, place, "").help(help)));
        };
        let states = usize::from(function == HigherOrder::Reduce);
        let (values, lambdas) = args.split_at_checked(1 + states).unwrap_or((args, &[]));
        let values = values.iter().map(|value| self.typed(value)).collect::<Result<Vec<_>>>()?;
        let mut values = values.into_iter();
        let Some((collection, collection_type)) = values.next() else {
            return Err(self.misused(function, "has no collection", place));
        };
        let state = values.next();
        let state_type = state.as_ref().map(|(_, ty)| ty.clone());
        if state_type == Some(DataType::Null) {
            let diagnostic = wrong("the state that REDUCE begins with has no type".to_owned(), place, "");
            return Err(Box::new(diagnostic.help("give it one: CAST(NULL AS BIGINT)")));
        }
        let Some(parameters) = function.parameters(&collection_type, state_type.as_ref()) else {
            let problem = format!("needs an ARRAY or a MAP, this is {}", type_name(&collection_type));
            return Err(self.misused(function, &problem, place));
        };
        let count = function.lambda_count(&collection_type);
        if lambdas.len() != count {
            let found = lambdas.len();
            return Err(self.misused(function, &format!("takes {count} lambda(s) here, found {found}"), place));
        }
        let mut call: Vec<Expr> = std::iter::once(collection).chain(state.map(|(state, _)| state)).collect();
        let mut resolved = Vec::new();
        for (index, lambda) in lambdas.iter().enumerate() {
            let expected = function.expected(&collection_type, state_type.as_ref(), index);
            let lambda = self.lambda(function, lambda, &parameters, expected)?;
            call.extend(lambda.captured.iter().map(|field| Expr::Column(Column::new_unqualified(field.name()))));
            resolved.push(lambda);
        }
        let udf = higher_order_udf(function, &collection_type, resolved);
        let udf: ScalarUDF = udf.map_err(|error| wrong(error.to_string(), place, ""))?;
        Ok(udf.call(call))
    }

    fn misused(&self, function: HigherOrder, problem: &str, place: Span) -> Box<Diagnostic> {
        let help = format!("DESCRIBE FUNCTION {} shows how it is called", function.name());
        Box::new(wrong(format!("function {} {problem}", function.name()), place, "").help(help))
    }

    fn lambda(
        &self,
        function: HigherOrder,
        ast: &Ast,
        types: &[DataType],
        expected: Option<DataType>,
    ) -> Result<Lambda> {
        let ExprKind::Lambda { params, body } = &ast.kind else {
            let found = format!("takes a lambda here, found {ast}");
            return Err(self.misused(function, &found, ast.span));
        };
        if params.len() != types.len() {
            let types: Vec<String> = types.iter().map(type_name).collect();
            let problem = format!(
                "takes a lambda of {} parameters here ({}), this has {}",
                types.len(),
                types.join(", "),
                params.len()
            );
            return Err(self.misused(function, &problem, ast.span));
        }
        if let Some(twice) = params
            .iter()
            .enumerate()
            .find_map(|(at, param)| params.iter().take(at).any(|earlier| earlier.name == param.name).then_some(param))
        {
            return Err(wrong(format!("the lambda has two parameters {}", twice.name), twice.span, "again"));
        }
        let field = |(param, ty): (&Ident, &DataType)| {
            (param.name.clone(), Field::new(format!("{}=>", param.name), ty.clone(), true))
        };
        let names = LambdaNames { outside: self.names, parameters: params.iter().zip(types).map(field).collect() };
        let inner = Resolver { names: &names, catalog: self.catalog };
        let (mut resolved, found) = inner.typed(body)?;
        if let Some(expected) = expected {
            let fits = common_type(&found, &expected).is_some_and(|common| common == expected)
                || found.is_numeric() && expected.is_numeric();
            if !fits {
                let message = format!("the lambda must give {}, this is {}", type_name(&expected), type_name(&found));
                return Err(wrong(message, body.span, "of another type"));
            }
            resolved = cast_to(resolved, &found, &expected);
        }
        let parameters: Vec<Field> = names.parameters.iter().map(|(_, field)| field.clone()).collect();
        let captured = captured(&resolved, &parameters, &names.schema());
        Ok(Lambda { parameters, captured, body: resolved })
    }
}

/// The columns of an expression that are no parameters.
fn captured(body: &Expr, parameters: &[Field], schema: &SchemaRef) -> Vec<Field> {
    let mut found: Vec<Field> = Vec::new();
    // The visitor never fails.
    let _ = body.apply(|expr| {
        if let Expr::Column(column) = expr {
            let is_new = !parameters.iter().chain(&found).any(|field| field.name() == column.name());
            if let Ok(field) = schema.field_with_name(column.name())
                && is_new
            {
                found.push(field.clone().with_nullable(true));
            }
        }
        Ok(TreeNodeRecursion::Continue)
    });
    found
}

/// An operand of arithmetic in a lambda, which must not be null.
pub(super) fn present(operand: Expr) -> Expr {
    match &operand {
        Expr::Literal(value, _) if *value != ScalarValue::Null => operand,
        _ => millstream_function::lambda::present(operand),
    }
}

/// AND and OR in a lambda: the right side is computed only where the left one does not decide, since it might fail.
pub(super) fn lazy(op: BinaryOp, left: Expr, right: Expr) -> Expr {
    let (then, otherwise) = if op == BinaryOp::And { (right, lit(false)) } else { (lit(true), right) };
    Expr::Case(Case::new(None, vec![(Box::new(left), Box::new(then))], Some(Box::new(otherwise))))
}
