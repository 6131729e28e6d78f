//! The JSON decoder against serde_json.
//!
//! What is expected of a document is what serde_json makes of the same text.

mod documents;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use millstream_exec::testing::{ColumnBuilder, JsonDecoder};
use millstream_exec::value_at;
use millstream_sql::Value;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value as Json;

use self::documents::{Document, alike, damage, damage_at, damaged, document};

/// The columns that the decoder under test fills.
const COLUMNS: [(&str, DataType); 4] =
    [("TEXT", DataType::Utf8), ("WHOLE", DataType::Int64), ("RATIO", DataType::Float64), ("TRUTH", DataType::Boolean)];

/// What a column should be after a document.
#[derive(Debug)]
enum Expected {
    Is(Value),
    /// A double that serde_json may have rounded another way: its parser is exact only with the feature
    /// `float_roundtrip`.
    About(f64),
    /// Text that reads as this: what is no string stands for its own text.
    TextOf(Json),
    Refused,
    /// serde_json cannot say.
    Unsettled,
}

impl Expected {
    fn is_met_by(&self, found: &Value) -> bool {
        match (self, found) {
            (Self::Is(value), found) => value == found,
            (Self::About(value), Value::Double(found)) => (value - found).abs() <= value.abs() * 1e-12 + 1e-300,
            (Self::About(value), Value::Integer(found)) => (value - *found as f64).abs() <= value.abs() * 1e-12 + 1.0,
            (Self::TextOf(json), Value::String(found)) => {
                serde_json::from_str::<Json>(found).is_ok_and(|found| found == *json)
            }
            (Self::Unsettled, _) => true,
            _ => false,
        }
    }
}

/// What a column of a type should be after a field with this value, `None` if there is no such field.
/// With the value's text it is known exactly.
fn expected(ty: &DataType, json: Option<&Json>, text: Option<&str>) -> Expected {
    let double = |number: &serde_json::Number| number.as_f64().unwrap();
    let exact = || text.map(|text| text.parse::<f64>().unwrap());
    match (ty, json) {
        (_, None | Some(Json::Null)) => Expected::Is(Value::Null),
        (DataType::Utf8, Some(Json::String(found))) => Expected::Is(Value::String(found.clone())),
        (DataType::Utf8, Some(other)) => match text {
            Some(text) => Expected::Is(Value::String(text.to_owned())),
            None => Expected::TextOf(other.clone()),
        },
        (DataType::Boolean, Some(Json::Bool(found))) => Expected::Is(Value::Boolean(*found)),
        // To read a number or a boolean out of a string is the decoder's own rule.
        (_, Some(Json::String(_))) => Expected::Unsettled,
        (DataType::Float64, Some(Json::Number(number))) => match exact() {
            Some(value) => Expected::Is(Value::Double(value)),
            None => Expected::About(double(number)),
        },
        (DataType::Int64, Some(Json::Number(number))) => match (number.as_i64(), double(number).abs(), exact()) {
            (Some(value), ..) => Expected::Is(Value::Integer(value)),
            (None, size, Some(value)) if size < 9.1e18 => Expected::Is(Value::Integer(value as i64)),
            (None, size, None) if size < 9.1e18 => Expected::About(double(number).trunc()),
            (None, size, _) if size > 9.3e18 => Expected::Refused,
            // The decoder draws its line somewhat short of 2^63 where a number has a fraction or an exponent.
            _ => Expected::Unsettled,
        },
        _ => Expected::Refused,
    }
}

/// serde_json's `Value` holds a number as a double and refuses the document if that is infinite. RFC 8259
/// does not bound numbers, and the decoder does not look at one that nobody reads, so that documents
/// which serde_json refuses for this reason say nothing about the decoder.
fn is_out_of_range(error: &serde_json::Error) -> bool {
    error.to_string().starts_with("number out of range")
}

/// What a decoder of objects should make of a document.
#[derive(Debug)]
enum Verdict {
    Row(Vec<Expected>),
    Null,
    Refused,
    Unsettled,
}

/// What serde_json says about bytes.
fn judge(document: &[u8]) -> Verdict {
    match serde_json::from_slice::<Json>(document) {
        Ok(Json::Object(fields)) => {
            let column = |(name, ty): &(&str, DataType)| {
                let mut found = fields.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
                match (found.next(), found.next()) {
                    // Which of `a` and `A` came last, serde_json's map does not tell: `{"a":1,"A":2,"a":3}`.
                    (Some(_), Some(_)) => Expected::Unsettled,
                    (found, _) => expected(ty, found.map(|(_, value)| value), None),
                }
            };
            Verdict::Row(COLUMNS.iter().map(column).collect())
        }
        Ok(Json::Null) => Verdict::Null,
        Ok(_) => Verdict::Refused,
        Err(error) if is_out_of_range(&error) => Verdict::Unsettled,
        Err(_) => Verdict::Refused,
    }
}

/// What follows from a document's fields: it is valid, and of a column's fields the last one counts.
fn judge_fields(document: &Document) -> Verdict {
    let column = |(name, ty): &(&str, DataType)| {
        let is_named =
            |(key, _): &&(String, String)| serde_json::from_str::<String>(key).unwrap().eq_ignore_ascii_case(name);
        let Some((_, text)) = document.fields.iter().rfind(is_named) else { return expected(ty, None, None) };
        match serde_json::from_str::<Json>(text) {
            Ok(json) => expected(ty, Some(&json), Some(text)),
            Err(error) if is_out_of_range(&error) => Expected::Unsettled,
            Err(error) => panic!("the test makes invalid JSON: {error}: {text}"),
        }
    };
    Verdict::Row(COLUMNS.iter().map(column).collect())
}

/// Decodes documents one after the other, as they come in a topic, so that what a decoder remembers of
/// one meets another, and compares rows at the end.
fn check(documents: &[(&[u8], Verdict)]) -> Result<(), TestCaseError> {
    let names = COLUMNS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let (mut bare, mut full) = (JsonDecoder::new(Vec::new(), true), JsonDecoder::new(names, true));
    let mut columns: Vec<ColumnBuilder> = COLUMNS.iter().map(|(_, ty)| ColumnBuilder::new(ty).unwrap()).collect();
    let mut rows: Vec<(usize, &[Expected])> = Vec::new();
    for (row, (document, verdict)) in documents.iter().enumerate() {
        let shown = String::from_utf8_lossy(document);
        let of_none = bare.decode(document, &mut []);
        let of_all = full.decode(document, &mut columns);
        match verdict {
            Verdict::Unsettled => {}
            Verdict::Refused => {
                prop_assert!(of_none.is_err(), "without columns it is accepted: {shown}");
                prop_assert!(of_all.is_err(), "with columns it is accepted: {shown}");
            }
            Verdict::Null => {
                prop_assert_eq!(of_none, Ok(false), "without columns: {}", shown);
                prop_assert_eq!(of_all, Ok(false), "with columns: {}", shown);
            }
            Verdict::Row(expected) => {
                prop_assert_eq!(of_none, Ok(true), "without columns: {}", shown);
                if expected.iter().any(|column| matches!(column, Expected::Refused)) {
                    prop_assert!(of_all.is_err(), "a value of another type is accepted: {shown}");
                } else if !expected.iter().any(|column| matches!(column, Expected::Unsettled)) {
                    prop_assert_eq!(&of_all, &Ok(true), "with columns: {}", shown);
                }
                if of_all == Ok(true) {
                    prop_assert!(columns.iter().all(|column| column.len() == row + 1), "columns are uneven: {shown}");
                    rows.push((row, expected.as_slice()));
                }
            }
        }
        // A document that was refused may have left a value in some of the columns.
        for column in &mut columns {
            while column.len() <= row {
                column.append_null();
            }
        }
    }
    let arrays: Vec<ArrayRef> = columns.iter_mut().map(|column| column.finish().unwrap()).collect();
    for (row, expected) in rows {
        for ((array, expected), (name, _)) in arrays.iter().zip(expected).zip(&COLUMNS) {
            let found = value_at(array, row);
            prop_assert!(expected.is_met_by(&found), "{name} is {found:?}, expected {expected:?}");
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn valid_documents_are_read_as_serde_json_reads_them(documents in vec(document(), 1..6)) {
        for document in &documents {
            let theirs = judge(document.text.as_bytes());
            prop_assert!(!matches!(theirs, Verdict::Refused | Verdict::Null), "the test makes invalid JSON");
        }
        // The second time the decoder knows the names.
        let twice = documents.iter().chain(&documents);
        check(&twice.map(|d| (d.text.as_bytes(), judge_fields(d))).collect::<Vec<_>>())?;
    }

    #[test]
    fn damaged_documents_are_accepted_where_serde_json_accepts_them(documents in vec(damaged(), 1..8)) {
        check(&documents.iter().map(|d| (d.as_slice(), judge(d))).collect::<Vec<_>>())?;
    }

    #[test]
    fn documents_alike_are_read_as_serde_json_reads_them_whole_or_damaged(
        documents in alike(), damages in vec(damage(), 1..5)
    ) {
        let mut seen: Vec<Vec<u8>> = documents.iter().map(|document| document.clone().into_bytes()).collect();
        for (document, damages) in documents.iter().cycle().zip(damages) {
            seen.push(damage_at(document.clone(), damages));
            seen.push(document.clone().into_bytes());
        }
        check(&seen.iter().map(|d| (d.as_slice(), judge(d))).collect::<Vec<_>>())?;
    }

    #[test]
    fn a_column_without_an_object_around_it_takes_any_value(document in damaged()) {
        let mut column = [ColumnBuilder::new(&DataType::Utf8).unwrap()];
        let outcome = JsonDecoder::new(vec!["TEXT".to_owned()], false).decode(&document, &mut column);
        match serde_json::from_slice::<Json>(&document) {
            Ok(json) => {
                prop_assert_eq!(outcome, Ok(true));
                let found = value_at(&column[0].finish().unwrap(), 0);
                let expected = expected(&DataType::Utf8, Some(&json), None);
                prop_assert!(expected.is_met_by(&found), "it is {found:?}, expected {expected:?}");
            }
            Err(error) if is_out_of_range(&error) => {}
            Err(error) => prop_assert!(outcome.is_err(), "accepted in spite of: {error}"),
        }
    }
}

/// A document's only column, or why it was refused.
fn decode(name: &str, ty: &DataType, document: &str) -> Result<Value, String> {
    let mut column = [ColumnBuilder::new(ty).unwrap()];
    JsonDecoder::new(vec![name.to_owned()], true).decode(document.as_bytes(), &mut column)?;
    Ok(value_at(&column[0].finish().unwrap(), 0))
}

#[test]
fn a_document_is_an_object_or_null() {
    let mut column = [ColumnBuilder::new(&DataType::Utf8).unwrap()];
    let mut decoder = JsonDecoder::new(vec!["TEXT".to_owned()], true);
    for document in ["[]", "[{}]", "1", "-0.5e3", "\"{}\"", "true", "", " ", "{} {}", "null null", "\u{feff}{}"] {
        assert!(decoder.decode(document.as_bytes(), &mut column).is_err(), "{document}");
    }
    assert_eq!(decoder.decode(b" null\n", &mut column), Ok(false));
    assert!(column[0].is_empty(), "a null document leaves the columns as they are");
    assert_eq!(decoder.decode(b"\r\n{ }\t", &mut column), Ok(true));
    assert_eq!(column[0].len(), 1);
}

#[test]
fn names_match_whatever_their_case_and_the_last_field_counts() {
    for (document, found) in [
        (r#"{"VIEWS": 1}"#, Value::Integer(1)),
        (r#"{"views": 2, "viewers": 9}"#, Value::Integer(2)),
        (r#"{"V\u0069ews": 3, "view": 9}"#, Value::Integer(3)),
        (r#"{"views": "no number", "VIEWS": 4, "Views": 5}"#, Value::Integer(5)),
        (r#"{"views": 6, "Views": null}"#, Value::Null),
        (r#"{"of": {"views": 7}}"#, Value::Null),
    ] {
        assert_eq!(decode("VIEWS", &DataType::Int64, document), Ok(found), "{document}");
    }
}

#[test]
fn numbers_and_booleans_are_read_out_of_strings() {
    for (ty, text, found) in [
        (DataType::Int64, r#""-12""#, Value::Integer(-12)),
        (DataType::Int64, r#""9223372036854775807""#, Value::Integer(i64::MAX)),
        (DataType::Float64, r#""2.5e-1""#, Value::Double(0.25)),
        (DataType::Boolean, r#""true""#, Value::Boolean(true)),
        (DataType::Boolean, r#""FALSE""#, Value::Boolean(false)),
    ] {
        assert_eq!(decode("V", &ty, &format!("{{\"v\":{text}}}")), Ok(found), "{text} as {ty}");
    }
    for ty in [DataType::Int64, DataType::Float64, DataType::Boolean] {
        assert!(decode("V", &ty, r#"{"v":"neither"}"#).is_err());
    }
}

#[test]
fn nesting_is_bounded_before_the_stack_is() {
    for levels in [1, 2, 99, 127, 128, 200, 100_000] {
        let lists = levels - 1;
        let document = format!("{{\"a\":{}1{}}}", "[".repeat(lists), "]".repeat(lists));
        let ours = JsonDecoder::new(Vec::new(), true).decode(document.as_bytes(), &mut []);
        let theirs = serde_json::from_str::<Json>(&document);
        assert_eq!(ours.is_ok(), theirs.is_ok(), "{levels} levels: {ours:?}");
    }
}
