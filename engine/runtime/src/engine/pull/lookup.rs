//! Whether a condition names the keys to look up, so that no table has to be read whole.

use millstream_plan::Source;
use millstream_sql::ast::BinaryOp;
use millstream_sql::{Expr, ExprKind, SqlType};

/// How a conjunction binds a key column.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bound {
    Equal,
    Range,
}

/// Whether every alternative of a condition binds each key column to constants, once; by a range only where the key
/// is one STRING, whose bytes have the order of the text.
pub(super) fn is_by_key(filter: Option<&Expr>, source: &Source, by_range: bool) -> bool {
    let Some(filter) = filter else { return false };
    alternatives(filter).iter().all(|terms| {
        let bounds: Vec<Vec<Bound>> = source
            .key
            .iter()
            .map(|column| terms.iter().filter_map(|term| bound(term, &column.name)).collect())
            .collect();
        match (bounds.as_slice(), source.key.as_slice()) {
            ([single], [key]) if single.as_slice() == [Bound::Range] => {
                by_range && key.ty == SqlType::String && source.window.is_none()
            }
            _ => bounds.iter().all(|bounds| bounds.as_slice() == [Bound::Equal]),
        }
    })
}

/// The alternatives of a condition, each a list of terms that must all hold. One that is nested too deeply to be
/// spread out is a single term.
fn alternatives(expr: &Expr) -> Vec<Vec<&Expr>> {
    const ALTERNATIVES_MAX: usize = 1000;
    match &expr.kind {
        ExprKind::Binary { op: BinaryOp::Or, left, right } => {
            let mut all = alternatives(left);
            all.append(&mut alternatives(right));
            all
        }
        ExprKind::Binary { op: BinaryOp::And, left, right } => {
            let (left, right) = (alternatives(left), alternatives(right));
            if left.len().saturating_mul(right.len()) > ALTERNATIVES_MAX {
                return vec![vec![expr]];
            }
            left.iter().flat_map(|a| right.iter().map(|b| a.iter().chain(b).copied().collect())).collect()
        }
        _ => vec![vec![expr]],
    }
}

/// How a term binds a column, if it does.
fn bound(term: &Expr, column: &str) -> Option<Bound> {
    let is_key = |expr: &Expr| matches!(&expr.kind, ExprKind::Column { name, .. } if name.name == column);
    match &term.kind {
        ExprKind::Binary { op, left, right } if op.is_comparison() && *op != BinaryOp::NotEq => {
            let binds = is_key(left) && is_constant(right) || is_key(right) && is_constant(left);
            binds.then_some(if *op == BinaryOp::Eq { Bound::Equal } else { Bound::Range })
        }
        ExprKind::In { operand, list, negated: false } => {
            (is_key(operand) && list.iter().all(is_constant)).then_some(Bound::Equal)
        }
        ExprKind::Between { operand, low, high, negated: false } => {
            (is_key(operand) && is_constant(low) && is_constant(high)).then_some(Bound::Range)
        }
        _ => None,
    }
}

fn is_constant(expr: &Expr) -> bool {
    let mut constant = true;
    expr.walk(&mut |expr| constant &= !matches!(expr.kind, ExprKind::Column { .. }));
    constant
}

#[cfg(test)]
mod tests {
    use super::*;
    use millstream_plan::{Catalog, Defaults, plan_source};
    use millstream_sql::{Statement, parse_expression, parse_statement};

    fn by_key(columns: &str, filter: &str) -> bool {
        let create = format!("CREATE TABLE t ({columns}) WITH (KAFKA_TOPIC='t', FORMAT='JSON')");
        let Ok(Statement::CreateSource(create)) = parse_statement(&create) else { panic!("{create}") };
        let source = plan_source(&create, &Catalog::default(), &Defaults::default(), "").unwrap();
        is_by_key(Some(&parse_expression(filter).unwrap()), &source, true)
    }

    #[test]
    fn keys_are_found_in_conditions() {
        let one = "id STRING PRIMARY KEY, v INT";
        for filter in ["id = 'a'", "'a' = id AND v > 1", "id = 'a' OR id IN ('b', 'c')", "id >= 'a'", "id = UCASE('a')"]
        {
            assert!(by_key(one, filter), "{filter}");
        }
        for filter in [
            "v = 1",
            "id <> 'a'",
            "id = 'a' OR v = 1",
            "id = CAST(v AS STRING)",
            "id > 'a' AND id < 'b'",
            "NOT id = 'a'",
        ] {
            assert!(!by_key(one, filter), "{filter}");
        }
        let two = "a INT PRIMARY KEY, b INT PRIMARY KEY, v INT";
        assert!(by_key(two, "a = 1 AND (b = 2 OR b = 3)"));
        assert!(!by_key(two, "a = 1"));
        assert!(!by_key("a INT PRIMARY KEY, v INT", "a > 1"));
    }
}
