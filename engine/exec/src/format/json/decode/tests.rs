//! Documents at the limits of what a decoder remembers of the one before.

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field};

use super::JsonDecoder;
use crate::column::ColumnBuilder;
use crate::value_at;

/// The values of columns after some documents as they are shown, a row each.
fn decode(columns: &[(&str, DataType)], documents: &[String]) -> Vec<Vec<String>> {
    let names = columns.iter().map(|(name, _)| (*name).to_owned()).collect();
    let mut decoder = JsonDecoder::new(names, true);
    let mut builders: Vec<ColumnBuilder> = columns.iter().map(|(_, ty)| ColumnBuilder::new(ty).unwrap()).collect();
    for document in documents {
        assert_eq!(decoder.decode(document.as_bytes(), &mut builders), Ok(true), "{document}");
    }
    let arrays: Vec<ArrayRef> = builders.iter_mut().map(|builder| builder.finish().unwrap()).collect();
    (0..documents.len()).map(|row| arrays.iter().map(|array| value_at(array, row).to_string()).collect()).collect()
}

#[test]
fn fields_beyond_those_that_are_remembered_are_found_each_time() {
    let document = |add: i64| {
        let fields: Vec<String> = (0..1100).map(|at| format!("\"f{at}\":{}", at + add)).collect();
        format!("{{{}}}", fields.join(","))
    };
    let columns = ["F0", "F998", "F999", "F1000", "F1099"].map(|name| (name, DataType::Int64));
    let rows = decode(&columns, &[document(0), document(5000), document(0)]);
    let expected = |add: i64| [0, 998, 999, 1000, 1099].map(|at| (at + add).to_string()).to_vec();
    assert_eq!(rows, [expected(0), expected(5000), expected(0)]);
}

#[test]
fn a_field_behind_more_bytes_than_are_remembered_is_found_each_time() {
    for space in [950, 990, 1000, 1100] {
        let document =
            |number: i64| format!("{{\"a\":{number},{}\"b\" : {number}1,\"c\":{number}2}}", " ".repeat(space));
        let columns = ["A", "B", "C"].map(|name| (name, DataType::Int64));
        let rows = decode(&columns, &[document(1), document(2), document(3)]);
        assert_eq!(
            rows,
            [1, 2, 3].map(|number| [number, number * 10 + 1, number * 10 + 2]
                .map(|number: i64| number.to_string())
                .to_vec())
        );
    }
}

/// A lead of a block's length, or a byte more or less, before a value that ends the document.
#[test]
fn a_lead_at_the_end_of_a_document_is_read_as_anywhere() {
    for length in 13..=18 {
        // A comma, quotes and a colon.
        let name = "n".repeat(length - 4);
        let columns = [("A", DataType::Int64), (name.as_str(), DataType::Int64)];
        for value in ["7", "-7", "1234567890123456", "12345678901234567"] {
            let document = |first: i64| format!("{{\"a\":{first},\"{name}\":{value}}}");
            let expected = ["1", "2"].map(|first| vec![first.to_owned(), value.to_owned()]);
            assert_eq!(decode(&columns, &[document(1), document(2)]), expected, "a lead of {length} bytes, {value}");
        }
        let mut decoder = JsonDecoder::new(vec!["A".to_owned()], true);
        let whole = format!("{{\"a\":1,\"{name}\":7}}");
        for end in [whole.len() - 1, whole.len() - 2, whole.len() - 3] {
            let mut column = [ColumnBuilder::new(&DataType::Int64).unwrap()];
            assert_eq!(decoder.decode(whole.as_bytes(), &mut column), Ok(true));
            assert!(decoder.decode(&whole.as_bytes()[..end], &mut column).is_err(), "cut off at {end}");
        }
    }
}

/// Items of lists are read as columns are, quickly or not.
#[test]
fn items_of_lists_are_read_as_values_of_columns_are() {
    let list = |ty: DataType| DataType::List(Field::new("item", ty, true).into());
    let columns = [("N", list(DataType::Int64)), ("T", list(DataType::Utf8))];
    let document = r#"{"n":[1,-2,3.9,"4",null,1234567890123456],"t":["short","a text of more than sixteen bytes","\u0041",5,null]}"#;
    let expected =
        ["[1,-2,3,4,null,1234567890123456]", r#"["short","a text of more than sixteen bytes","A","5",null]"#]
            .map(str::to_owned)
            .to_vec();
    assert_eq!(decode(&columns, &[document.to_owned(), document.to_owned()]), [expected.clone(), expected]);
}

/// Bytes that are no text are named by the string that they stand in, wherever else the document has some.
#[test]
fn a_string_that_is_not_utf8_is_named() {
    let refusal = |document: &[u8]| {
        let mut column = [ColumnBuilder::new(&DataType::Utf8).unwrap()];
        JsonDecoder::new(vec!["T".to_owned()], true).decode(document, &mut column).unwrap_err()
    };
    let not_utf8 = |start: usize| format!("not valid JSON: the string at byte {start} is not UTF-8");
    for bad in
        [b"\xC3".as_slice(), b"\x80", b"\xED\xA0\x80", b"\xF5\x80\x80\x80", b"\xC3\\n", b"long enough to be long \xFF"]
    {
        assert_eq!(refusal(&[b"{\"t\":\"", bad, b"\"}"].concat()), not_utf8(6));
        assert_eq!(refusal(&[b"{\"", bad, b"\":1}"].concat()), not_utf8(2));
        assert_eq!(refusal(&["{\"ä\":\"ö\",\"t\":[\"é\",\"".as_bytes(), bad, b"\"]}"].concat()), not_utf8(22));
    }
    // What comes first is what is said.
    assert!(refusal(b"{\"t\":x,\"\xFF\"}").contains("byte 5: expected a value"));
    assert!(refusal(b"{\"t\":\xFF}").contains("byte 5: expected a value"));
    assert!(refusal("{\"t\":é}".as_bytes()).contains("byte 5: expected a value"));
}
