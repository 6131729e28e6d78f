//! Conditions, which are true or false and never null.

use proptest::prelude::*;
use proptest::sample::select;

use super::cases;
use super::change::Change;
use super::history::history;
use super::query::Query;
use super::row::Fields;

/// A condition on the columns of a row.
#[derive(Debug, Clone)]
enum Condition {
    Compare(Operand, &'static str, Operand),
    Between(Operand, Operand, Operand),
    In(Operand, Vec<Operand>),
    IsNull(Operand),
    Like(&'static str),
    Not(Box<Condition>),
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
}

#[derive(Debug, Clone, Copy)]
enum Operand {
    V,
    Number(i32),
    Null,
}

impl Operand {
    fn sql(self) -> String {
        match self {
            Self::V => "v".to_owned(),
            Self::Number(number) => number.to_string(),
            Self::Null => "CAST(NULL AS INT)".to_owned(),
        }
    }

    fn value(self, row: Fields) -> Option<i32> {
        match self {
            Self::V => row.v,
            Self::Number(number) => Some(number),
            Self::Null => None,
        }
    }
}

impl Condition {
    fn sql(&self) -> String {
        match self {
            Self::Compare(a, op, b) => format!("({} {op} {})", a.sql(), b.sql()),
            Self::Between(a, low, high) => format!("({} BETWEEN {} AND {})", a.sql(), low.sql(), high.sql()),
            Self::In(a, list) => {
                let list: Vec<String> = list.iter().map(|item| item.sql()).collect();
                format!("({} IN ({}))", a.sql(), list.join(", "))
            }
            Self::IsNull(a) => format!("({} IS NULL)", a.sql()),
            Self::Like(pattern) => format!("(t LIKE '{pattern}')"),
            Self::Not(a) => format!("(NOT {})", a.sql()),
            Self::And(a, b) => format!("({} AND {})", a.sql(), b.sql()),
            Self::Or(a, b) => format!("({} OR {})", a.sql(), b.sql()),
        }
    }

    /// A comparison with a null is false, and its negation is true.
    fn is_true(&self, row: Fields) -> bool {
        match self {
            Self::Compare(a, op, b) => match (a.value(row), b.value(row)) {
                (Some(a), Some(b)) => match *op {
                    "=" => a == b,
                    "<>" => a != b,
                    "<" => a < b,
                    "<=" => a <= b,
                    ">" => a > b,
                    _ => a >= b,
                },
                _ => false,
            },
            Self::Between(a, low, high) => match (a.value(row), low.value(row), high.value(row)) {
                (Some(a), Some(low), Some(high)) => low <= a && a <= high,
                _ => false,
            },
            Self::In(a, list) => a.value(row).is_some_and(|a| list.iter().any(|item| item.value(row) == Some(a))),
            Self::IsNull(a) => a.value(row).is_none(),
            Self::Like(pattern) => row.t.is_some_and(|t| match pattern.strip_suffix('%') {
                Some(start) => t.starts_with(start),
                None => t == *pattern,
            }),
            Self::Not(a) => !a.is_true(row),
            Self::And(a, b) => a.is_true(row) && b.is_true(row),
            Self::Or(a, b) => a.is_true(row) || b.is_true(row),
        }
    }
}

fn operand() -> impl Strategy<Value = Operand> {
    prop_oneof![4 => Just(Operand::V), 4 => (0..7i32).prop_map(Operand::Number), 1 => Just(Operand::Null)]
}

fn condition() -> impl Strategy<Value = Condition> {
    let op = select(["=", "<>", "<", "<=", ">", ">="].as_slice());
    let leaf = prop_oneof![
        4 => (operand(), op, operand()).prop_map(|(a, op, b)| Condition::Compare(a, op, b)),
        1 => (operand(), operand(), operand()).prop_map(|(a, low, high)| Condition::Between(a, low, high)),
        1 => (operand(), proptest::collection::vec(operand(), 1..4)).prop_map(|(a, list)| Condition::In(a, list)),
        1 => operand().prop_map(Condition::IsNull),
        1 => select(["x", "z%", "%"].as_slice()).prop_map(Condition::Like),
    ];
    leaf.prop_recursive(3, 12, 2, |inner| {
        let pair = || (inner.clone().prop_map(Box::new), inner.clone().prop_map(Box::new));
        prop_oneof![
            2 => inner.clone().prop_map(|a| Condition::Not(Box::new(a))),
            1 => pair().prop_map(|(a, b)| Condition::And(a, b)),
            1 => pair().prop_map(|(a, b)| Condition::Or(a, b)),
        ]
    })
}

proptest! {
    #![proptest_config(cases(128))]

    #[test]
    fn a_comparison_with_a_null_is_false(condition in condition(), history in history(1)) {
        let query = Query::new(&format!("SELECT k, v, t FROM s WHERE {} EMIT CHANGES", condition.sql()));
        for epoch in query.run(&history).epochs {
            let passes = |value: Option<Fields>| value.is_some_and(|fields| condition.is_true(fields));
            let expected: Vec<i64> = epoch.rows.iter().filter(|row| passes(row.value)).map(|row| row.time).collect();
            let found: Vec<i64> = epoch.results.iter().map(|Change { rowtime, .. }| *rowtime).collect();
            prop_assert_eq!(found, expected, "WHERE {}", condition.sql());
        }
    }
}
