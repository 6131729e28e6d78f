//! Table functions in `SELECT`.

use std::cell::RefCell;

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::logical_expr::Expr;
use millstream_function::registry;
use millstream_sql::ast::Ident;
use millstream_sql::{Diagnostic, Expr as Ast, ExprKind};

use crate::expression::{Names, Resolver, cast_to, no_overload};
use crate::node::{Node, Op, Relation, TableCall};
use crate::scope::{Scope, batch_schema, column};
use crate::{Catalog, ROWTIME, Result};

/// The names of a `SELECT` with table functions: those of its sources, and a column for each call.
pub(super) struct Exploded<'a> {
    input: Resolver<'a>,
    scope: &'a Scope,
    calls: RefCell<Vec<TableCall>>,
}

fn call_name(at: usize) -> String {
    format!("TABLE.{at}")
}

impl<'a> Exploded<'a> {
    pub(super) fn new(scope: &'a Scope, catalog: &'a Catalog) -> Self {
        Self { input: Resolver { names: scope, catalog }, scope, calls: RefCell::default() }
    }

    /// Registers a call and returns its place.
    fn call(&self, name: &Ident, args: &[Ast]) -> Result<usize> {
        let Some(function) = registry().table(&name.name) else {
            return Err(Box::new(
                Diagnostic::new("E0206", format!("function {} does not exist", name.name)).at(name.span, ""),
            ));
        };
        let typed = args.iter().map(|arg| {
            let expr = self.input.resolve(arg)?;
            let ty = self.input.type_of(&expr, arg.span)?;
            Ok((expr, ty))
        });
        let typed = typed.collect::<Result<Vec<_>>>()?;
        let types: Vec<DataType> = typed.iter().map(|(_, ty)| ty.clone()).collect();
        let Some(coercion) = function.choose(&types) else {
            return Err(no_overload(&name.name, &types, &function.overloads, name.span));
        };
        let args = typed.into_iter().zip(&coercion.args).map(|((expr, from), to)| cast_to(expr, &from, to)).collect();
        let mut calls = self.calls.borrow_mut();
        calls.push(TableCall { function: name.name.clone(), args, returns: coercion.returns });
        Ok(calls.len() - 1)
    }

    fn columns(&self, before: &SchemaRef) -> SchemaRef {
        let columns = before.fields().iter().filter(|field| field.name() != ROWTIME);
        let columns = columns.map(|field| (field.name().clone(), field.data_type().clone()));
        let calls = self.calls.borrow();
        let results = calls.iter().enumerate().map(|(at, call)| (call_name(at), call.returns.clone()));
        batch_schema(columns.chain(results))
    }

    /// Adds the operator that computes the calls, if there are any.
    pub(super) fn applied(&self, input: Node, place: millstream_sql::Span) -> Result<Node> {
        if self.calls.borrow().is_empty() {
            return Ok(input);
        }
        if input.relation == Relation::Table {
            let message = "a table function makes several rows of one, which a table cannot have under one key";
            let help = "read the table's topic as a stream: CREATE STREAM … WITH (KAFKA_TOPIC = …)";
            return Err(Box::new(Diagnostic::new("E0259", message).at(place, "").help(help)));
        }
        let schema = self.columns(&input.schema);
        let (keys, relation) = (input.keys.clone(), input.relation);
        let calls = self.calls.borrow().clone();
        Ok(Node { op: Op::Explode { input: Box::new(input), calls }, schema, keys, relation })
    }
}

impl Names for Exploded<'_> {
    fn replace(&self, ast: &Ast) -> Result<Option<Expr>> {
        match &ast.kind {
            ExprKind::Call { name, args, .. } if registry().table(&name.name).is_some() => {
                Ok(Some(column(&call_name(self.call(name, args)?))))
            }
            _ => self.scope.replace(ast),
        }
    }

    fn column(&self, source: Option<&Ident>, name: &Ident) -> Result<Expr> {
        self.scope.column(source, name)
    }

    fn schema(&self) -> SchemaRef {
        self.columns(&Names::schema(self.scope))
    }
}
