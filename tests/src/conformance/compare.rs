//! Whether what came is what was expected.

use millstream_plan::Source;
use millstream_sql::SqlType;

use super::case::Record;
use super::case_log::Stored;
use super::codec::{decode_key, decode_value, part_type};
use super::json::Json;

/// Doubles may differ by so much.
const DOUBLE_TOLERANCE: f64 = 1e-6;

/// The first difference between the records that were expected of a topic and those it has.
pub(crate) fn records(
    expected: &[&Record],
    found: &[Stored],
    source: &Source,
    check_zero_timestamps: bool,
) -> Result<(), String> {
    for (at, (expected, found)) in expected.iter().zip(found).enumerate() {
        record(expected, found, source, check_zero_timestamps)
            .map_err(|difference| format!("record {at}: {difference}"))?;
    }
    if expected.len() == found.len() {
        return Ok(());
    }
    let surplus = match (expected.get(found.len()), found.get(expected.len())) {
        (Some(missing), _) => format!("missing {} = {}", missing.key, missing.value),
        (_, Some(more)) => {
            format!(
                "one more is {} = {}",
                decode_key(more.key.as_deref(), source).0,
                decode_value(more.value.as_deref(), source)
            )
        }
        _ => String::new(),
    };
    Err(format!("expected {} records, found {}: {surplus}", expected.len(), found.len()))
}

pub(crate) fn record(expected: &Record, found: &Stored, source: &Source, check_zero: bool) -> Result<(), String> {
    let (key, window) = decode_key(found.key.as_deref(), source);
    let key_type = part_type(source.key_format, &source.key, true);
    value(&expected.key, &key, Some(&key_type)).map_err(|difference| format!("key{difference}"))?;
    if expected.window != window {
        return Err(format!("window: expected {:?}, found {window:?}", expected.window));
    }
    let decoded = decode_value(found.value.as_deref(), source);
    let value_type = part_type(source.value_format, &source.value, false);
    value(&expected.value, &decoded, Some(&value_type)).map_err(|difference| format!("value{difference}"))?;
    if let Some(expected) = expected.timestamp_ms.filter(|time| *time != 0 || check_zero)
        && expected != found.timestamp_ms
    {
        return Err(format!("timestamp: expected {expected}, found {}", found.timestamp_ms));
    }
    if expected.headers != found.headers {
        return Err(format!("headers: expected {:?}, found {:?}", expected.headers, found.headers));
    }
    Ok(())
}

/// The first difference of two values, with the path that leads to it. Without a type numbers with a point
/// are doubles.
pub(crate) fn value(expected: &Json, found: &Json, ty: Option<&SqlType>) -> Result<(), String> {
    let differs = || Err(format!(": expected {expected}, found {found}"));
    match (expected, found) {
        (Json::Object(_), Json::Object(_)) => fields(expected.fields(), found.fields(), ty),
        (Json::Array(expected), Json::Array(items)) => {
            let item_type = match ty {
                Some(SqlType::Array(item)) => Some(&**item),
                _ => None,
            };
            if expected.len() != items.len() {
                return differs();
            }
            for (at, (expected, item)) in expected.iter().zip(items).enumerate() {
                value(expected, item, item_type).map_err(|difference| format!("[{at}]{difference}"))?;
            }
            Ok(())
        }
        (Json::Number(_) | Json::String(_), Json::Number(_) | Json::String(_)) => {
            if scalars_match(expected, found, ty) { Ok(()) } else { differs() }
        }
        _ if expected == found => Ok(()),
        _ => differs(),
    }
}

fn fields(expected: &[(String, Json)], found: &[(String, Json)], ty: Option<&SqlType>) -> Result<(), String> {
    let is_found = |name: &str| found.iter().find(|(other, _)| other == name);
    for (name, wanted) in expected {
        let Some((name, item)) = is_found(name).or_else(|| is_found(&name.to_uppercase())) else {
            return Err(format!("->{name}: expected {wanted}, found no such field"));
        };
        let item_type = match ty {
            Some(SqlType::Struct(fields)) => fields.iter().find(|field| field.name == *name).map(|field| &field.ty),
            Some(SqlType::Map(_, value)) => Some(&**value),
            _ => None,
        };
        value(wanted, item, item_type).map_err(|difference| format!("->{name}{difference}"))?;
    }
    let is_expected = |name: &str| expected.iter().any(|(other, _)| other == name || other.to_uppercase() == name);
    match found.iter().find(|(name, _)| !is_expected(name)) {
        Some((name, item)) => Err(format!("->{name}: expected no such field, found {item}")),
        None => Ok(()),
    }
}

fn scalars_match(expected: &Json, found: &Json, ty: Option<&SqlType>) -> bool {
    let (left, right) = (expected.to_text(), found.to_text());
    match (ty, expected, found) {
        (Some(SqlType::Decimal(..)), ..) => match (expected, Decimal::parse(&left), Decimal::parse(&right)) {
            (Json::String(_), Some(left), Some(right)) => left == right,
            // A number in the case may have lost the zeros at its end.
            (_, Some(left), Some(right)) => left.trimmed() == right.trimmed(),
            _ => false,
        },
        (_, Json::Number(_), Json::Number(_)) => numbers_match(&left, &right),
        (_, Json::String(_), Json::String(_)) => left == right,
        _ => false,
    }
}

fn numbers_match(expected: &str, found: &str) -> bool {
    if let (Ok(expected), Ok(found)) = (expected.parse::<i128>(), found.parse::<i128>()) {
        return expected == found;
    }
    match (expected.parse::<f64>(), found.parse::<f64>()) {
        (Ok(expected), Ok(found)) => expected == found || (expected - found).abs() <= DOUBLE_TOLERANCE,
        _ => false,
    }
}

/// A number's digits without its point, and how many of them stand behind the point.
#[derive(Debug, PartialEq)]
struct Decimal {
    is_negative: bool,
    digits: String,
    scale: i64,
}

impl Decimal {
    fn parse(text: &str) -> Option<Self> {
        text.parse::<f64>().ok()?;
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{}{fraction}", whole.trim_start_matches(['-', '+']));
        let digits = digits.trim_start_matches('0').to_owned();
        let is_negative = whole.starts_with('-') && !digits.is_empty();
        Some(Self { is_negative, digits, scale: fraction.len() as i64 - exponent.parse::<i64>().ok()? })
    }

    /// The same number without zeros at its end.
    fn trimmed(mut self) -> Self {
        while self.digits.ends_with('0') {
            self.digits.pop();
            self.scale -= 1;
        }
        if self.digits.is_empty() {
            self.scale = 0;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(expected: &str, found: &str, ty: Option<&SqlType>) -> bool {
        value(&Json::parse(expected).unwrap(), &Json::parse(found).unwrap(), ty).is_ok()
    }

    #[test]
    fn values_are_compared_as_the_cases_mean_them() {
        assert!(same(r#"{"a":1,"B":[1.0000001,null]}"#, r#"{"A":1,"B":[1.0,null]}"#, None));
        assert!(!same(r#"{"A":1}"#, r#"{"a":1}"#, None));
        assert!(!same(r#"{"A":null}"#, "{}", None));
        assert!(!same("{}", r#"{"A":null}"#, None));
        assert!(!same("9007199254740993", "9007199254740992", None));
        assert!(!same("\"1\"", "1", None));
        let decimal = SqlType::Decimal(6, 2);
        assert!(same("\"1.10\"", "1.10", Some(&decimal)));
        assert!(!same("\"1.1\"", "1.10", Some(&decimal)));
        assert!(same("1.1", "\"1.10\"", Some(&decimal)));
        assert!(same("0", "0.00", Some(&decimal)));
        assert!(!same("-1.1", "1.10", Some(&decimal)));
    }
}
