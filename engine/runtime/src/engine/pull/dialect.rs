//! Calls that only the dialect can write, inside batch SQL: lambdas, `STRUCT(a := 1)`, `MAP('k' := v)` and units of
//! time.
//!
//! Each such call is lifted out of the text and becomes a function of the columns that it names. The types of these
//! are known only when DataFusion plans the query; then the dialect's own planner resolves the call.

use std::fmt::Write;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::DataType;
use datafusion::common::{DFSchema, DataFusionError, Result as PlanResult};
use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use datafusion::physical_expr::PhysicalExpr;
use millstream_function::{Param, registry};
use millstream_plan::{Catalog, ColumnName, arrow_type, bound, sql_type};
use millstream_sql::ast::quote_if_needed;
use millstream_sql::{Diagnostic, Expr, ExprKind, Span, Token, parse_expression, tokenize};

/// The text with each call lifted, and the functions that stand for them.
pub(super) fn lift(text: &str, catalog: &Catalog) -> Result<(String, Vec<ScalarUDF>), Box<Diagnostic>> {
    let (mut lifted, mut udfs, mut end) = (String::new(), Vec::new(), 0);
    for span in calls(text) {
        let source = span.of(text);
        let ast = parse_expression(source).map_err(|diagnostic| Box::new(moved(diagnostic, span.start)))?;
        let mut columns = Vec::new();
        free_columns(&ast, &mut Vec::new(), &mut columns);
        let name = format!("DIALECT_{}", udfs.len());
        lifted.push_str(text.get(end..span.start).unwrap_or_default());
        let args: Vec<String> = columns.iter().map(written).collect();
        let _ = write!(lifted, "{name}({})", args.join(", "));
        end = span.end;
        // Batch SQL looks every function up in lower case.
        udfs.push(Call::udf(name.to_lowercase(), ast, columns, catalog.clone()));
    }
    lifted.push_str(text.get(end..).unwrap_or_default());
    Ok((lifted, udfs))
}

fn moved(mut diagnostic: Diagnostic, by: usize) -> Diagnostic {
    for label in &mut diagnostic.labels {
        label.span = Span::new(label.span.start + by, label.span.end + by);
    }
    diagnostic
}

fn written((source, name): &ColumnName) -> String {
    let source = source.as_ref().map(|source| format!("{}.", quote_if_needed(source))).unwrap_or_default();
    format!("{source}{}", quote_if_needed(name))
}

/// What stands before an opening bracket.
#[derive(Clone, Copy, PartialEq)]
enum Before {
    /// The name of a function that can be lifted; where the name begins.
    Call(usize),
    /// Something that must stay where it is, such as an aggregate or a subquery.
    Barrier,
    Nothing,
}

/// The outermost calls that have to be lifted.
fn calls(text: &str) -> Vec<Span> {
    let tokens: Vec<Token> = tokenize(text).into_iter().filter(|token| !token.kind.is_trivia()).collect();
    let mut open: Vec<(Before, bool)> = Vec::new();
    let mut found: Vec<Span> = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        match token.span.of(text) {
            "(" => {
                let word = at.checked_sub(1).and_then(|at| tokens.get(at));
                let next = tokens.get(at + 1).map(|token| token.span.of(text).to_ascii_uppercase());
                let is_query = matches!(next.as_deref(), Some("SELECT" | "WITH" | "VALUES"));
                let name = word.map(|word| word.span.of(text).to_ascii_uppercase()).unwrap_or_default();
                let before = match word {
                    _ if is_query || name == "IN" || registry().aggregate(&name).is_some() => Before::Barrier,
                    Some(word) if is_callable(&name) => Before::Call(word.span.start),
                    _ => Before::Nothing,
                };
                open.push((before, takes_unit(&name)));
                if takes_unit(&name) {
                    mark(&mut open);
                }
            }
            "=>" | ":=" => mark(&mut open),
            ")" => {
                if let Some((Before::Call(start), true)) = open.pop() {
                    // What is lifted inside is lifted with it.
                    found.retain(|span| span.start < start);
                    found.push(Span::new(start, token.span.end));
                }
            }
            _ => {}
        }
    }
    found
}

/// Marks the outermost call around this place up to a barrier.
fn mark(open: &mut [(Before, bool)]) {
    let inside = open.iter_mut().rev().take_while(|(before, _)| *before != Before::Barrier);
    if let Some((_, marked)) = inside.filter(|(before, _)| matches!(before, Before::Call(_))).last() {
        *marked = true;
    }
}

fn is_callable(name: &str) -> bool {
    matches!(name, "STRUCT" | "MAP") || registry().scalar(name).is_some()
}

fn takes_unit(name: &str) -> bool {
    let function = registry().scalar(name);
    function.is_some_and(|(function, _)| {
        function.overloads.iter().any(|overload| overload.params.first() == Some(&Param::TimeUnit))
    })
}

/// The columns of an expression, each once, without the parameters of lambdas and units of time.
fn free_columns(ast: &Expr, parameters: &mut Vec<String>, found: &mut Vec<ColumnName>) {
    match &ast.kind {
        ExprKind::Column { source, name } => {
            let column = (source.as_ref().map(|source| source.name.clone()), name.name.clone());
            let is_parameter = source.is_none() && parameters.contains(&name.name);
            if !is_parameter && !found.contains(&column) {
                found.push(column);
            }
        }
        ExprKind::Lambda { params, body } => {
            let outside = parameters.len();
            parameters.extend(params.iter().map(|param| param.name.clone()));
            free_columns(body, parameters, found);
            parameters.truncate(outside);
        }
        ExprKind::Call { name, args, .. } => {
            let units = usize::from(takes_unit(&name.name));
            args.iter().skip(units).for_each(|arg| free_columns(arg, parameters, found));
        }
        _ => ast.children().into_iter().for_each(|child| free_columns(child, parameters, found)),
    }
}

/// A lifted call as DataFusion sees it.
#[derive(Debug)]
struct Call {
    name: String,
    ast: Expr,
    columns: Vec<ColumnName>,
    catalog: Catalog,
    signature: Signature,
}

impl Call {
    fn udf(name: String, ast: Expr, columns: Vec<ColumnName>, catalog: Catalog) -> ScalarUDF {
        let signature = match columns.len() {
            0 => Signature::nullary(Volatility::Immutable),
            count => Signature::any(count, Volatility::Immutable),
        };
        ScalarUDF::new_from_impl(Self { name, ast, columns, catalog, signature })
    }

    /// The call over columns of these types, compiled.
    fn resolve(&self, types: &[DataType]) -> PlanResult<(Arc<dyn PhysicalExpr>, arrow::datatypes::SchemaRef)> {
        let types: Vec<DataType> = types.iter().map(dialect_type).collect();
        let (expr, schema) = bound(&self.ast, &self.columns, &types, &self.catalog)
            .map_err(|diagnostic| DataFusionError::Plan(diagnostic.message))?;
        let df_schema = DFSchema::try_from(Arc::clone(&schema))?;
        let props = ExecutionProps::new();
        let expr = datafusion::physical_expr::create_physical_expr(&expr, &df_schema, &props, &Default::default())?;
        Ok((expr, schema))
    }
}

/// The type that the dialect has for such values: batch SQL has several kinds of texts and integers.
fn dialect_type(ty: &DataType) -> DataType {
    match sql_type(ty) {
        Some(sql) if *ty != DataType::Null => arrow_type(&sql),
        _ => ty.clone(),
    }
}

impl PartialEq for Call {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.ast == other.ast
    }
}

impl Eq for Call {}

impl Hash for Call {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for Call {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, args: &[DataType]) -> PlanResult<DataType> {
        let (expr, schema) = self.resolve(args)?;
        expr.data_type(&schema)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> PlanResult<ColumnarValue> {
        let rows = args.number_rows;
        let arrays = args.args.into_iter().map(|arg| arg.into_array(rows)).collect::<PlanResult<Vec<ArrayRef>>>()?;
        let types: Vec<DataType> = arrays.iter().map(|array| array.data_type().clone()).collect();
        let (expr, schema) = self.resolve(&types)?;
        let cast =
            |(array, field): (&ArrayRef, &Arc<arrow::datatypes::Field>)| arrow::compute::cast(array, field.data_type());
        let columns = arrays.iter().zip(schema.fields()).map(cast).collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(schema, columns, &options)?;
        Ok(ColumnarValue::Array(expr.evaluate(&batch)?.into_array(rows)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lifted(text: &str) -> String {
        lift(text, &Catalog::default()).unwrap().0
    }

    #[test]
    fn calls_of_the_dialect_become_functions_of_their_columns() {
        for (text, expected) in [
            ("SELECT a, UCASE(b) FROM t", "SELECT a, UCASE(b) FROM t"),
            ("SELECT TRANSFORM(a, x => x + t.b) FROM t", "SELECT DIALECT_0(A, T.B) FROM t"),
            ("SELECT SUM(REDUCE(a, 0, (s, x) => s + x)) FROM t", "SELECT SUM(DIALECT_0(A)) FROM t"),
            ("SELECT LEN(FILTER(a, x => (x > 1))) FROM t", "SELECT DIALECT_0(A) FROM t"),
            ("SELECT DATEADD(DAYS, n, d), STRUCT(p := q) FROM t", "SELECT DIALECT_0(N, D), DIALECT_1(Q) FROM t"),
            ("SELECT * FROM (SELECT MAP('k' := v) AS m FROM t)", "SELECT * FROM (SELECT DIALECT_0(V) AS m FROM t)"),
        ] {
            assert_eq!(lifted(text), expected);
        }
    }

    #[test]
    fn what_is_wrong_with_a_call_is_told_at_its_place() {
        let text = "SELECT TRANSFORM(a, x => ) FROM t";
        let diagnostic = lift(text, &Catalog::default()).unwrap_err();
        assert_eq!(diagnostic.labels[0].span.of(text), ")");
    }
}
