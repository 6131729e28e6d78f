//! The JSON decoder against serde_json, and the functions' documentation against what they compute.
//!
//! Documents are made as text, so that everything the grammar allows comes up: odd spacing, escapes in
//! names, surrogates, numbers of every form, fields that come twice. What is expected of them is what
//! serde_json makes of the same text.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use millstream_exec::testing::{ColumnBuilder, JsonDecoder};
use millstream_exec::value_at;
use millstream_sql::Value;
use proptest::collection::vec;
use proptest::num::f64 as doubles;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Value as Json;

/// The columns that the decoder under test fills.
const COLUMNS: [(&str, DataType); 4] =
    [("TEXT", DataType::Utf8), ("WHOLE", DataType::Int64), ("RATIO", DataType::Float64), ("TRUTH", DataType::Boolean)];

const ESCAPES: &[&str] = &[r#"\""#, r"\\", r"\/", r"\b", r"\f", r"\n", r"\r", r"\t"];

/// Numbers at the edges of what integers and doubles hold. The last two are out of a double's range.
const NUMBERS: &[&str] = &[
    "-0",
    "0.0",
    "-0.0e-0",
    "1E5",
    "2.5e-3",
    "0e99999999999",
    "1e-400",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "-9223372036854775809",
    "18446744073709551616",
    "1.7976931348623157e308",
    "1e400",
    "-1e99999999999",
];

/// What a damaged byte becomes more often than another: whatever means something to the grammar or to UTF-8.
const BYTES: &[u8] = b"{}[]\",:\\u0-+.eE \n\t\0\x1f\x7f\x80\xbf\xc3\xe2\xed\xa0\xf0\xf4\xff";

/// An object as text, with its fields' names and values as they are written.
#[derive(Debug, Clone)]
struct Document {
    text: String,
    fields: Vec<(String, String)>,
}

fn space() -> impl Strategy<Value = &'static str> {
    select(vec!["", "", "", " ", "\n", "\t ", "\r\n", "  \t  \n  "])
}

fn spaces() -> impl Strategy<Value = [&'static str; 4]> {
    [space(), space(), space(), space()]
}

/// A character as one or two `\u` escapes.
fn as_units(c: char) -> String {
    let mut units = [0; 2];
    let unit = |unit: &u16| if unit.is_multiple_of(2) { format!("\\u{unit:04X}") } else { format!("\\u{unit:04x}") };
    c.encode_utf16(&mut units).iter().map(unit).collect()
}

/// A character as it is, where a string may hold it so.
fn as_it_is(c: char) -> String {
    if c < ' ' || c == '"' || c == '\\' { as_units(c) } else { c.to_string() }
}

/// A string with its quotes.
fn string() -> BoxedStrategy<String> {
    let piece = prop_oneof![
        4 => "[ !#-\\[\\]-~]{1,9}",
        // The scanner looks at words of 64 bytes: a run may cross one, and what follows it lies at any place of a word.
        3 => (0usize..=140).prop_map(|length| "x".repeat(length)),
        2 => any::<char>().prop_map(as_it_is),
        2 => any::<char>().prop_map(as_units),
        2 => select(ESCAPES).prop_map(str::to_owned),
    ];
    vec(piece, 0..5).prop_map(|pieces| format!("\"{}\"", pieces.concat())).boxed()
}

fn number() -> BoxedStrategy<String> {
    let double = doubles::POSITIVE | doubles::NEGATIVE | doubles::NORMAL | doubles::SUBNORMAL;
    prop_oneof![
        2 => (-100i64..100).prop_map(|number| number.to_string()),
        2 => any::<i64>().prop_map(|number| number.to_string()),
        1 => any::<u64>().prop_map(|number| number.to_string()),
        1 => double.prop_map(|number| format!("{number:?}")),
        3 => "-?(0|[1-9][0-9]{0,24})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?",
        1 => select(NUMBERS).prop_map(str::to_owned),
    ]
    .boxed()
}

fn word() -> BoxedStrategy<String> {
    select(vec!["true", "false", "null"]).prop_map(str::to_owned).boxed()
}

/// A value of any kind, nested less than 100 levels deep, which is well within what both sides take.
fn value() -> BoxedStrategy<String> {
    let leaf = prop_oneof![string(), number(), word()].boxed();
    let nested = leaf.clone().prop_recursive(4, 24, 4, |item| {
        let items = vec((space(), item.clone(), space()), 0..5).prop_map(|items| {
            let items: Vec<String> = items.iter().map(|(a, item, b)| format!("{a}{item}{b}")).collect();
            format!("[{}]", items.join(","))
        });
        let fields = vec((spaces(), (string(), item)), 0..5);
        prop_oneof![items, (space(), fields).prop_map(|(space, fields)| object(space, &fields))]
    });
    let deep = (vec(any::<bool>(), 1..95), leaf).prop_map(|(levels, leaf)| {
        let wrap = |inner: String, list: bool| if list { format!("[{inner}]") } else { format!("{{\"a\":{inner}}}") };
        levels.into_iter().fold(leaf, wrap)
    });
    prop_oneof![12 => nested, 1 => deep].boxed()
}

/// An object of these fields, with the spaces around their names and values.
fn object(space: &str, fields: &[([&str; 4], (String, String))]) -> String {
    let field = |([a, b, c, d], (name, value)): &([&str; 4], (String, String))| format!("{a}{name}{b}:{c}{value}{d}");
    let fields: Vec<String> = fields.iter().map(field).collect();
    format!("{{{space}{}}}", fields.join(","))
}

/// A column's name in small letters, which a decoder may remember from the document before, or in mixed
/// case with some letters escaped.
fn spelled(name: &'static str) -> BoxedStrategy<String> {
    let mixed = vec(0u8..8, name.len()).prop_map(move |ways| {
        let letter = |(c, way): (char, &u8)| match way {
            0 => as_units(c.to_ascii_lowercase()),
            1..=4 => c.to_ascii_lowercase().to_string(),
            _ => c.to_string(),
        };
        format!("\"{}\"", name.chars().zip(&ways).map(letter).collect::<String>())
    });
    prop_oneof![Just(format!("\"{}\"", name.to_lowercase())), mixed].boxed()
}

/// A field that nobody reads, or a column's, mostly with a value that the column takes.
fn field() -> BoxedStrategy<(String, String)> {
    let column = |name, fitting: BoxedStrategy<String>| {
        (spelled(name), prop_oneof![8 => fitting, 1 => Just("null".to_owned()), 1 => value()])
    };
    prop_oneof![
        2 => (string(), value()),
        1 => column("TEXT", string()),
        1 => column("WHOLE", number()),
        1 => column("RATIO", number()),
        1 => column("TRUTH", word()),
    ]
    .boxed()
}

fn document() -> impl Strategy<Value = Document> {
    (spaces(), vec((spaces(), field()), 0..8)).prop_map(|([before, open, after, _], fields)| {
        let text = format!("{before}{}{after}", object(open, &fields));
        Document { text, fields: fields.into_iter().map(|(_, field)| field).collect() }
    })
}

#[derive(Debug, Clone, Copy)]
enum Damage {
    Flip(u8),
    Set(u8),
    Insert(u8),
    Remove,
    Cut,
}

/// Documents such as a topic is full of: the same fields in the same places, with short plain texts and whole
/// numbers, written close together or with a space here and there. A field may be left out, which moves those behind
/// it, or have a value of another kind among the familiar ones.
fn alike() -> impl Strategy<Value = Vec<String>> {
    let text = prop_oneof![
        8 => "[ !#-\\[\\]-~]{0,40}",
        2 => "[ !#-\\[\\]-~]{60,70}",
        2 => "[é\u{7f}-\u{ffff}]{1,5}",
        1 => select(ESCAPES).prop_map(str::to_owned)
    ];
    let text = text.prop_map(|text| format!("\"{text}\"")).boxed();
    let number = prop_oneof![
        4 => "-?(0|[1-9][0-9]{0,19})",
        1 => "-?[0-9]{1,3}\\.[0-9]",
        1 => Just("null".to_owned())
    ];
    // Mostly a value as the others', then one of any kind, then none.
    let way = prop_oneof![12 => Just(None), 1 => value().prop_map(Some), 1 => Just(Some(String::new()))];
    let names = vec((select(vec!["text", "whole", "other", "a field that nobody reads"]), any::<bool>()), 1..6);
    let gap = select(vec!["", "", "", "", " "]);
    let values = vec(vec((text, number.boxed(), way, gap), 6), 1..5);
    (names, values, any::<bool>()).prop_map(|(names, rows, spaced)| {
        let space = if spaced { " " } else { "" };
        rows.iter()
            .map(|values| {
                let field =
                    |((name, is_text), (text, number, way, gap)): (&(&str, bool), &(String, String, _, &str))| {
                        let usual = if *is_text && *name != "whole" { text } else { number };
                        let value = Option::as_ref(way).unwrap_or(usual);
                        (!value.is_empty()).then(|| format!("\"{name}\":{space}{value}{gap}"))
                    };
                let fields: Vec<String> = names.iter().zip(values).filter_map(field).collect();
                format!("{{{}}}", fields.join(&format!(",{space}")))
            })
            .collect()
    })
}

/// What happens to a document on its way.
fn damage() -> impl Strategy<Value = Vec<(Index, Damage)>> {
    let byte = || prop_oneof![3 => select(BYTES), 1 => any::<u8>()];
    let damage = prop_oneof![
        3 => (0u8..8).prop_map(Damage::Flip),
        2 => byte().prop_map(Damage::Set),
        2 => byte().prop_map(Damage::Insert),
        1 => Just(Damage::Remove),
        1 => Just(Damage::Cut),
    ];
    vec((any::<Index>(), damage), 0..4)
}

fn damage_at(text: String, damages: Vec<(Index, Damage)>) -> Vec<u8> {
    let mut bytes = text.into_bytes();
    for (place, damage) in damages {
        if bytes.is_empty() {
            break;
        }
        let at = place.index(bytes.len());
        match damage {
            Damage::Flip(bit) => bytes[at] ^= 1u8 << bit,
            Damage::Set(byte) => bytes[at] = byte,
            Damage::Insert(byte) => bytes.insert(at, byte),
            Damage::Remove => _ = bytes.remove(at),
            Damage::Cut => bytes.truncate(at),
        }
    }
    bytes
}

/// A document or another value, damaged at up to three places.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let text = prop_oneof![3 => document().prop_map(|document| document.text), 1 => value()];
    (text, damage()).prop_map(|(text, damages)| damage_at(text, damages))
}

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
