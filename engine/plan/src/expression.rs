//! Expressions of the dialect as DataFusion expressions.
//!
//! Comparisons are two-valued: with a null they are false, so each is lowered to `(…) IS TRUE` before
//! anybody can turn NOT(a = b) into a <> b.

mod bound;
mod lambda;

use arrow::datatypes::{DataType, SchemaRef, TimeUnit};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::{BinaryExpr, Case, Cast, Expr, ExprSchemable, Like, Operator, TryCast};
use datafusion::prelude::lit;
use millstream_function::{Param, can_cast, like_pattern, own_cast, parse_time, registry, time_unit};
use millstream_sql::ast::{BinaryOp, Ident, UnaryOp};
use millstream_sql::{Diagnostic, Expr as Ast, ExprKind, Span, Value};

pub use bound::{ColumnName, bound, constant};

use crate::coercion::{common_nested_type, structure};
use crate::types::type_name;
use crate::{Catalog, Result, arrow_type, create::column_type};

/// What an expression may refer to.
pub(crate) trait Names {
    /// The column that a name stands for.
    fn column(&self, source: Option<&Ident>, name: &Ident) -> Result<Expr>;

    /// A whole expression that stands for a column, such as a grouping expression after grouping.
    fn replace(&self, _ast: &Ast) -> Result<Option<Expr>> {
        Ok(None)
    }

    /// The schema that the columns are of.
    fn schema(&self) -> SchemaRef;

    /// Whether it is a lambda's body that is resolved.
    fn in_lambda(&self) -> bool {
        false
    }
}

/// Resolves expressions against names and a catalog.
pub(crate) struct Resolver<'a> {
    pub(crate) names: &'a dyn Names,
    pub(crate) catalog: &'a Catalog,
}

pub(crate) fn wrong(message: String, place: Span, label: &str) -> Box<Diagnostic> {
    Box::new(Diagnostic::new("E0240", message).at(place, label))
}

/// The type of an expression over rows of a schema.
pub(crate) fn type_in(expr: &Expr, schema: &SchemaRef, place: Span) -> Result<DataType> {
    let schema = DFSchema::try_from(SchemaRef::clone(schema));
    schema.and_then(|schema| expr.get_type(&schema)).map_err(|error| wrong(error.to_string(), place, ""))
}

impl Resolver<'_> {
    /// The type of a resolved expression.
    pub(crate) fn type_of(&self, expr: &Expr, place: Span) -> Result<DataType> {
        type_in(expr, &self.names.schema(), place)
    }

    pub(crate) fn typed(&self, ast: &Ast) -> Result<(Expr, DataType)> {
        let expr = self.resolve(ast)?;
        let ty = self.type_of(&expr, ast.span)?;
        Ok((expr, ty))
    }

    /// A condition.
    pub(crate) fn predicate(&self, ast: &Ast) -> Result<Expr> {
        let (expr, ty) = self.typed(ast)?;
        match ty {
            DataType::Boolean => Ok(lower_predicate(expr)),
            other => {
                let message = format!("a condition must be BOOLEAN, this is {}", type_name(&other));
                let help = "compare it with something, as in x = 1";
                Err(Box::new(wrong(message, ast.span, "not a condition").help(help)))
            }
        }
    }

    /// Resolves an expression.
    pub(crate) fn resolve(&self, ast: &Ast) -> Result<Expr> {
        if let Some(expr) = self.names.replace(ast)? {
            return Ok(expr);
        }
        match &ast.kind {
            ExprKind::Literal(value) => Ok(lit(scalar(value))),
            ExprKind::Column { source, name } => self.names.column(source.as_ref(), name),
            ExprKind::Unary { op, operand } => self.unary(*op, operand),
            ExprKind::Binary { op: op @ (BinaryOp::And | BinaryOp::Or), left, right } => self.logical(*op, left, right),
            ExprKind::Binary { op, left, right } if op.is_comparison() => self.comparison(*op, left, right),
            ExprKind::Binary { op, left, right } => self.arithmetic(*op, left, right, ast.span),
            ExprKind::IsNull { operand, negated } => {
                let operand = Box::new(self.resolve(operand)?);
                Ok(if *negated { Expr::IsNotNull(operand) } else { Expr::IsNull(operand) })
            }
            ExprKind::IsDistinct { left, right, negated } => {
                let (left, right) = self.unified(left, right)?;
                let op = if *negated { Operator::IsNotDistinctFrom } else { Operator::IsDistinctFrom };
                Ok(binary(left, op, right))
            }
            ExprKind::Between { operand, low, high, negated } => {
                let low = self.comparison(BinaryOp::GtEq, operand, low)?;
                let high = self.comparison(BinaryOp::LtEq, operand, high)?;
                Ok(negate(binary(low, Operator::And, high), *negated))
            }
            ExprKind::In { operand, list, negated } => {
                let equal = list.iter().map(|item| self.equal_to_literal(operand, item));
                Ok(negate(any_of(equal.collect::<Result<_>>()?), *negated))
            }
            ExprKind::Like { operand, pattern, escape, negated } => {
                let (operand, mut pattern) = (self.text(operand)?, self.text(pattern)?);
                // DataFusion knows no other escape character than the backslash.
                if let Some(escape) = escape.filter(|escape| *escape != '\\') {
                    pattern = like_pattern().call(vec![pattern, lit(escape.to_string())]);
                }
                let like = Like::new(false, Box::new(operand), Box::new(pattern), None, false);
                Ok(negate(Expr::IsTrue(Box::new(Expr::Like(like))), *negated))
            }
            ExprKind::Case { operand, branches, otherwise } => {
                self.case(operand.as_deref(), branches, otherwise.as_deref())
            }
            ExprKind::Cast { operand, ty } => {
                let place = Ident { name: operand.to_string(), span: ast.span };
                let target = arrow_type(&column_type(ty, self.catalog, &place)?);
                let (operand, from) = self.typed(operand)?;
                if !can_cast(&from, &target) {
                    let message = format!("cannot cast {} to {}", type_name(&from), type_name(&target));
                    let mut refusal = wrong(message, ast.span, "");
                    refusal.help = cast_help(&from, &target).map(str::to_owned);
                    return Err(refusal);
                }
                Ok(match own_cast(&from, &target) {
                    Some(cast) => cast.call(vec![operand]),
                    None => Expr::TryCast(TryCast::new(Box::new(operand), target)),
                })
            }
            ExprKind::Field { operand, name } => self.field(operand, name),
            ExprKind::Index { operand, index } => {
                self.call("ELEMENT_AT", vec![self.typed(operand)?, self.typed(index)?], ast.span)
            }
            ExprKind::Call { name, args, star, .. } => self.function(name, args, *star, ast.span),
            ExprKind::Array(items) => {
                if items.is_empty() {
                    let help = "an ARRAY needs an element that tells its type: ARRAY[CAST(NULL AS STRING)]";
                    return Err(Box::new(wrong("the array has no elements".to_owned(), ast.span, "").help(help)));
                }
                let (items, _) = self.coerced(items)?;
                Ok(datafusion::functions_nested::expr_fn::make_array(items))
            }
            ExprKind::Struct(fields) => {
                let mut args = Vec::new();
                for (name, value) in fields {
                    args.push((name.name.clone(), self.resolve(value)?));
                }
                Ok(structure(args))
            }
            ExprKind::Map(entries) => self.map(entries, ast.span),
            ExprKind::Lambda { .. } => {
                Err(wrong("a lambda can only be an argument of a function".to_owned(), ast.span, ""))
            }
        }
    }

    fn unary(&self, op: UnaryOp, operand: &Ast) -> Result<Expr> {
        let (expr, ty) = self.typed(operand)?;
        match op {
            UnaryOp::Not if ty == DataType::Boolean => Ok(Expr::Not(Box::new(expr))),
            UnaryOp::Minus if ty.is_numeric() => Ok(Expr::Negative(Box::new(expr))),
            UnaryOp::Plus if ty.is_numeric() => Ok(expr),
            UnaryOp::Not => Err(wrong(format!("NOT needs a BOOLEAN, this is {}", type_name(&ty)), operand.span, "")),
            _ => Err(wrong(format!("a sign needs a number, this is {}", type_name(&ty)), operand.span, "")),
        }
    }

    fn logical(&self, op: BinaryOp, left: &Ast, right: &Ast) -> Result<Expr> {
        let side = |ast: &Ast| {
            let (expr, ty) = self.typed(ast)?;
            if matches!(ty, DataType::Boolean | DataType::Null) {
                return Ok(expr);
            }
            Err(wrong(format!("{} needs BOOLEANs, this is {}", op.symbol(), type_name(&ty)), ast.span, ""))
        };
        let (left, right) = (side(left)?, side(right)?);
        if self.names.in_lambda() {
            return Ok(lambda::lazy(op, left, right));
        }
        let operator = if op == BinaryOp::And { Operator::And } else { Operator::Or };
        Ok(binary(left, operator, right))
    }

    pub(crate) fn comparison(&self, op: BinaryOp, left: &Ast, right: &Ast) -> Result<Expr> {
        let place = left.span.to(right.span);
        let (left, right) = self.unified(left, right)?;
        let ty = self.type_of(&left, place)?;
        let has_order = !ty.is_nested() && ty != DataType::Boolean;
        if !has_order && !matches!(op, BinaryOp::Eq | BinaryOp::NotEq) {
            let message = format!("cannot compare values of type {} with {}", type_name(&ty), op.symbol());
            let help = match ty {
                DataType::Boolean => "compare them with = or <>",
                _ => "compare them with = or <>, or compare their elements",
            };
            return Err(Box::new(Diagnostic::new("E0241", message).at(place, "they have no order").help(help)));
        }
        if ty == DataType::Null {
            let help = "NULL equals nothing, not even NULL: write IS NULL or IS DISTINCT FROM";
            return Err(Box::new(Diagnostic::new("E0241", "cannot compare NULL with NULL").at(place, "").help(help)));
        }
        let operator = match op {
            BinaryOp::Eq => Operator::Eq,
            BinaryOp::NotEq => Operator::NotEq,
            BinaryOp::Lt => Operator::Lt,
            BinaryOp::LtEq => Operator::LtEq,
            BinaryOp::Gt => Operator::Gt,
            _ => Operator::GtEq,
        };
        Ok(Expr::IsTrue(Box::new(binary(left, operator, right))))
    }

    /// Both sides, cast to a type that they can be compared in.
    fn unified(&self, left: &Ast, right: &Ast) -> Result<(Expr, Expr)> {
        let (left_expr, left_type) = self.typed(left)?;
        let (right_expr, right_type) = self.typed(right)?;
        // A literal date or time is one of the day.
        let is_day = |ty: &DataType| matches!(ty, DataType::Date32 | DataType::Time32(_));
        if let (true, ExprKind::Literal(Value::String(_))) = (is_day(&left_type), &right.kind) {
            return Ok((left_expr, cast_to(right_expr, &right_type, &left_type)));
        }
        if let (true, ExprKind::Literal(Value::String(_))) = (is_day(&right_type), &left.kind) {
            return Ok((cast_to(left_expr, &left_type, &right_type), right_expr));
        }
        // A literal time may be compared with ms and with times.
        if let Some(ms) = time_literal(right).filter(|_| is_time(&left_type)) {
            return Ok((left_expr, cast_to(lit(ms), &DataType::Int64, &left_type)));
        }
        if let Some(ms) = time_literal(left).filter(|_| is_time(&right_type)) {
            return Ok((cast_to(lit(ms), &DataType::Int64, &right_type), right_expr));
        }
        match common_type(&left_type, &right_type) {
            Some(ty) => Ok((cast_to(left_expr, &left_type, &ty), cast_to(right_expr, &right_type, &ty))),
            None => {
                let message = format!("cannot compare {} with {}", type_name(&left_type), type_name(&right_type));
                let mut diagnostic = Diagnostic::new("E0241", message).at(left.span.to(right.span), "");
                diagnostic.help = Some("make both sides of one type with CAST(… AS …)".to_owned());
                Err(Box::new(diagnostic))
            }
        }
    }

    fn arithmetic(&self, op: BinaryOp, left: &Ast, right: &Ast, place: Span) -> Result<Expr> {
        let (mut left_expr, left_type) = self.typed(left)?;
        let (mut right_expr, right_type) = self.typed(right)?;
        if self.names.in_lambda() {
            (left_expr, right_expr) = (lambda::present(left_expr), lambda::present(right_expr));
        }
        let is_text = |ty: &DataType| matches!(ty, DataType::Utf8);
        if matches!(op, BinaryOp::Add | BinaryOp::Concat) && (is_text(&left_type) || is_text(&right_type)) {
            let text = |expr, from: &DataType| cast_to(expr, from, &DataType::Utf8);
            if is_text(&left_type) && is_text(&right_type)
                || left_type == DataType::Null
                || right_type == DataType::Null
            {
                let (left, right) = (text(left_expr, &left_type), text(right_expr, &right_type));
                return Ok(binary(left, Operator::StringConcat, right));
            }
        }
        let operator = match op {
            BinaryOp::Add => Operator::Plus,
            BinaryOp::Subtract => Operator::Minus,
            BinaryOp::Multiply => Operator::Multiply,
            BinaryOp::Divide => Operator::Divide,
            _ => Operator::Modulo,
        };
        let numbers = (left_type.is_numeric() || left_type == DataType::Null)
            && (right_type.is_numeric() || right_type == DataType::Null);
        if op == BinaryOp::Concat || !numbers {
            let message =
                format!("cannot apply {} to {} and {}", op.symbol(), type_name(&left_type), type_name(&right_type));
            return Err(Box::new(wrong(message, place, "").help(CONVERT)));
        }
        let is_decimal = |ty: &DataType| matches!(ty, DataType::Decimal128(..));
        if (is_decimal(&left_type) || is_decimal(&right_type))
            && left_type != DataType::Float64
            && right_type != DataType::Float64
        {
            let decimal = |expr, ty: &DataType| cast_to(expr, ty, &as_decimal(ty));
            return Ok(binary(decimal(left_expr, &left_type), operator, decimal(right_expr, &right_type)));
        }
        let ty = common_type(&left_type, &right_type).filter(|ty| *ty != DataType::Null).unwrap_or(DataType::Int32);
        Ok(binary(cast_to(left_expr, &left_type, &ty), operator, cast_to(right_expr, &right_type, &ty)))
    }

    fn text(&self, ast: &Ast) -> Result<Expr> {
        match self.typed(ast)? {
            (expr, DataType::Utf8) => Ok(expr),
            (expr, DataType::Null) => Ok(cast_to(expr, &DataType::Null, &DataType::Utf8)),
            (_, other) => Err(wrong(format!("LIKE needs a STRING, this is {}", type_name(&other)), ast.span, "")),
        }
    }

    fn case(&self, operand: Option<&Ast>, branches: &[(Ast, Ast)], otherwise: Option<&Ast>) -> Result<Expr> {
        let results: Vec<Ast> = branches.iter().map(|(_, then)| then).chain(otherwise).cloned().collect();
        let mut results = self.all_of_one_type(&results)?.into_iter();
        let mut when_then = Vec::new();
        for (when, _) in branches {
            let when = match operand {
                Some(operand) => self.comparison(BinaryOp::Eq, operand, when)?,
                None => self.predicate(when)?,
            };
            if let Some(then) = results.next() {
                when_then.push((Box::new(when), Box::new(then)));
            }
        }
        Ok(Expr::Case(Case::new(None, when_then, results.next().map(Box::new))))
    }

    fn all_of_one_type(&self, items: &[Ast]) -> Result<Vec<Expr>> {
        let mut common = DataType::Null;
        let mut typed = Vec::new();
        for item in items {
            let (expr, ty) = self.typed(item)?;
            common = common_type(&common, &ty).ok_or_else(|| {
                let message =
                    format!("expected {} like the values before it, found {}", type_name(&common), type_name(&ty));
                wrong(message, item.span, "of another type")
            })?;
            typed.push((expr, ty));
        }
        Ok(typed.into_iter().map(|(expr, ty)| cast_to(expr, &ty, &common)).collect())
    }

    fn field(&self, operand: &Ast, name: &Ident) -> Result<Expr> {
        let (expr, ty) = self.typed(operand)?;
        let DataType::Struct(fields) = &ty else {
            let message = format!("\"->\" needs a STRUCT, this is {}", type_name(&ty));
            return Err(wrong(message, operand.span, ""));
        };
        if fields.iter().any(|field| *field.name() == name.name) {
            return Ok(datafusion::functions::core::expr_fn::get_field(expr, name.name.as_str()));
        }
        let names: Vec<String> = fields.iter().map(|field| field.name().clone()).collect();
        let diagnostic = Diagnostic::new("E0205", format!("the struct has no field \"{}\"", name.name));
        Err(Box::new(
            diagnostic
                .at(name.span, "not found")
                .note(format!("it has: {}", names.join(", ")))
                .suggest(&name.name, &names),
        ))
    }

    fn function(&self, name: &Ident, args: &[Ast], star: bool, place: Span) -> Result<Expr> {
        if registry().aggregate(&name.name).is_some() {
            let message = format!("aggregate function {} cannot be used here", name.name);
            let help = "aggregates belong into SELECT and HAVING of a query with GROUP BY";
            return Err(Box::new(Diagnostic::new("E0242", message).at(place, "").help(help)));
        }
        if registry().table(&name.name).is_some() {
            let message = format!("table function {} cannot be used here", name.name);
            let help = "table functions belong into SELECT of a query without GROUP BY, and not into each other";
            return Err(Box::new(Diagnostic::new("E0242", message).at(place, "").help(help)));
        }
        if args.iter().any(|arg| matches!(arg.kind, ExprKind::Lambda { .. })) {
            return self.higher_order(name, args, place);
        }
        if star && registry().scalar(&name.name).is_some() {
            return Err(wrong(format!("function {} does not take *", name.name), place, ""));
        }
        // DataFusion's COALESCE and CASE are lazy; ours need no more than values.
        let typed = |(place, arg): (usize, &Ast)| match unit_argument(&name.name, place, arg) {
            Some(unit) => Ok((lit(unit), DataType::Utf8)),
            None => self.typed(arg),
        };
        let args = args.iter().enumerate().map(typed).collect::<Result<Vec<_>>>()?;
        self.call(&name.name, args, name.span)
    }

    fn call(&self, name: &str, args: Vec<(Expr, DataType)>, place: Span) -> Result<Expr> {
        let Some((function, udf)) = registry().scalar(name) else {
            let message = format!("function {name} does not exist");
            let mut diagnostic =
                Diagnostic::new("E0206", message).at(place, "not found").suggest(name, &registry().names());
            if diagnostic.help.is_none() {
                diagnostic.help = Some("SHOW FUNCTIONS lists what there is".to_owned());
            }
            return Err(Box::new(diagnostic));
        };
        let types: Vec<DataType> = args.iter().map(|(_, ty)| ty.clone()).collect();
        let coercion = function.choose(&types).or_else(|| function.choose(&with_times(&args)?));
        let Some(coercion) = coercion else {
            return Err(no_overload(name, &types, &function.overloads, place));
        };
        let args = args.into_iter().zip(&coercion.args).map(|((expr, from), to)| cast_to(expr, &from, to));
        Ok(udf.call(args.collect()))
    }
}

/// The unit of time that an argument is, if the function takes one there: a word that is no column.
fn unit_argument(function: &str, place: usize, arg: &Ast) -> Option<&'static str> {
    let word = match &arg.kind {
        ExprKind::Column { source: None, name } => &name.name,
        ExprKind::Literal(Value::String(text)) => text,
        _ => return None,
    };
    let (function, _) = registry().scalar(function)?;
    let takes_unit = function.overloads.iter().any(|overload| overload.params.get(place) == Some(&Param::TimeUnit));
    if takes_unit { time_unit(word) } else { None }
}

/// The arguments' types if literal texts beside dates, times or timestamps are meant to be such, too.
fn with_times(args: &[(Expr, DataType)]) -> Option<Vec<DataType>> {
    let is_time = |ty: &&DataType| matches!(ty, DataType::Date32 | DataType::Time32(_) | DataType::Timestamp(..));
    let time = args.iter().map(|(_, ty)| ty).find(is_time)?;
    let meant = |(expr, ty): &(Expr, DataType)| match (expr, ty) {
        (Expr::Literal(..), DataType::Utf8) => time.clone(),
        _ => ty.clone(),
    };
    Some(args.iter().map(meant).collect())
}

/// What to say when no signature of a function takes these arguments.
pub(crate) fn no_overload(
    name: &str,
    found: &[DataType],
    overloads: &[millstream_function::Overload],
    place: Span,
) -> Box<Diagnostic> {
    let types: Vec<String> = found.iter().map(type_name).collect();
    let known: Vec<String> = overloads.iter().map(|overload| overload.describe(name)).collect();
    let message = format!("function {name} does not take ({})", types.join(", "));
    Box::new(Diagnostic::new("E0207", message).at(place, "").note(format!("it takes: {}", known.join(", "))))
}

/// What to do about a value of another type.
const CONVERT: &str = "convert it with CAST(… AS …)";

pub(crate) fn binary(left: Expr, op: Operator, right: Expr) -> Expr {
    Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right)))
}

/// Whether one of the terms is true, as a tree of little height: a list may have thousands of items, and
/// a chain as long would overflow the stack of whoever walks it.
fn any_of(mut terms: Vec<Expr>) -> Expr {
    while terms.len() > 1 {
        let mut pairs = terms.into_iter();
        terms = std::iter::from_fn(|| {
            let left = pairs.next()?;
            Some(match pairs.next() {
                Some(right) => binary(left, Operator::Or, right),
                None => left,
            })
        })
        .collect();
    }
    terms.pop().unwrap_or_else(|| lit(false))
}

fn negate(expr: Expr, negated: bool) -> Expr {
    if negated { Expr::Not(Box::new(expr)) } else { expr }
}

/// Casts unless the type is right already. An error of the cast is the row's error.
pub(crate) fn cast_to(expr: Expr, from: &DataType, to: &DataType) -> Expr {
    if from == to { expr } else { Expr::Cast(Cast::new(Box::new(expr), to.clone())) }
}

/// The type that values of both types can be compared in.
pub(crate) fn common_type(a: &DataType, b: &DataType) -> Option<DataType> {
    use DataType as T;
    Some(match (a, b) {
        (a, b) if a == b => a.clone(),
        (T::Null, other) | (other, T::Null) => other.clone(),
        (T::Float64, other) | (other, T::Float64) if other.is_numeric() => T::Float64,
        (T::Int32, T::Int64) | (T::Int64, T::Int32) => T::Int64,
        (T::Decimal128(..), other) | (other, T::Decimal128(..)) if other.is_numeric() => {
            let (T::Decimal128(p1, s1), T::Decimal128(p2, s2)) = (as_decimal(a), as_decimal(b)) else { return None };
            let scale = s1.max(s2);
            let whole = (p1 as i8 - s1).max(p2 as i8 - s2);
            T::Decimal128((whole + scale).clamp(1, 38) as u8, scale)
        }
        _ => return common_nested_type(a, b),
    })
}

pub(crate) fn as_decimal(ty: &DataType) -> DataType {
    match ty {
        DataType::Int64 => DataType::Decimal128(19, 0),
        DataType::Decimal128(..) => ty.clone(),
        _ => DataType::Decimal128(10, 0),
    }
}

fn is_time(ty: &DataType) -> bool {
    matches!(ty, DataType::Int64 | DataType::Timestamp(TimeUnit::Millisecond, None))
}

fn time_literal(ast: &Ast) -> Option<i64> {
    match &ast.kind {
        ExprKind::Literal(Value::String(text)) => parse_time(text),
        _ => None,
    }
}

/// What does what a cast between these types does not.
fn cast_help(from: &DataType, to: &DataType) -> Option<&'static str> {
    use DataType as T;
    Some(match (from, to) {
        (T::Binary, T::Utf8) => "use FROM_BYTES(bytes, 'utf8')",
        (T::Utf8, T::Binary) => "use TO_BYTES(text, 'utf8')",
        (T::Boolean, to) if to.is_numeric() => "use CASE WHEN condition THEN 1 ELSE 0 END",
        (from, T::Boolean) if from.is_numeric() => "compare it: number <> 0",
        (from, T::Timestamp(..)) if from.is_numeric() => "use FROM_UNIXTIME(milliseconds)",
        (from, T::Date32) if from.is_numeric() => "use FROM_DAYS(days)",
        (T::Timestamp(..), to) if to.is_numeric() => "use UNIX_TIMESTAMP(timestamp)",
        (T::Date32, to) if to.is_numeric() => "use UNIX_DATE(date)",
        _ => return None,
    })
}

/// In a condition null counts as false anyway, so `IS TRUE` around its comparisons is needless as long
/// as no NOT lies between.
#[must_use]
pub fn lower_predicate(expr: Expr) -> Expr {
    match expr {
        Expr::IsTrue(inner) => *inner,
        Expr::BinaryExpr(BinaryExpr { left, op: op @ (Operator::And | Operator::Or), right }) => {
            binary(lower_predicate(*left), op, lower_predicate(*right))
        }
        other => other,
    }
}

/// The scalar of a literal.
fn scalar(value: &Value) -> ScalarValue {
    match value {
        Value::Null | Value::Array(_) | Value::Map(_) | Value::Struct(_) => ScalarValue::Null,
        Value::Boolean(value) => ScalarValue::Boolean(Some(*value)),
        Value::Integer(value) => match i32::try_from(*value) {
            Ok(value) => ScalarValue::Int32(Some(value)),
            Err(_) => ScalarValue::Int64(Some(*value)),
        },
        Value::Double(value) => ScalarValue::Float64(Some(*value)),
        Value::Decimal(unscaled, scale) => {
            let digits = unscaled.unsigned_abs().to_string().len().max(usize::from(*scale) + 1);
            ScalarValue::Decimal128(Some(*unscaled), digits.min(38) as u8, *scale as i8)
        }
        Value::String(text) => ScalarValue::Utf8(Some(text.clone())),
        Value::Bytes(bytes) => ScalarValue::Binary(Some(bytes.clone())),
        Value::Date(days) => ScalarValue::Date32(Some(*days)),
        Value::Time(ms) => ScalarValue::Time32Millisecond(Some(*ms)),
        Value::Timestamp(ms) => ScalarValue::TimestampMillisecond(Some(*ms), None),
    }
}
