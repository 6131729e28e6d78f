//! Documents as text, whole and damaged.
//!
//! Everything that the grammar allows comes up: odd spacing, escapes in names, surrogates, numbers of every form, fields
//! that come twice.

use proptest::collection::vec;
use proptest::num::f64 as doubles;
use proptest::prelude::*;
use proptest::sample::{Index, select};

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
pub(super) struct Document {
    pub(super) text: String,
    pub(super) fields: Vec<(String, String)>,
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

pub(super) fn document() -> impl Strategy<Value = Document> {
    (spaces(), vec((spaces(), field()), 0..8)).prop_map(|([before, open, after, _], fields)| {
        let text = format!("{before}{}{after}", object(open, &fields));
        Document { text, fields: fields.into_iter().map(|(_, field)| field).collect() }
    })
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Damage {
    Flip(u8),
    Set(u8),
    Insert(u8),
    Remove,
    Cut,
}

/// Documents such as a topic is full of: the same fields in the same places, with short plain texts and whole
/// numbers, written close together or with a space here and there. A field may be left out, which moves those behind
/// it, or have a value of another kind among the familiar ones.
pub(super) fn alike() -> impl Strategy<Value = Vec<String>> {
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
pub(super) fn damage() -> impl Strategy<Value = Vec<(Index, Damage)>> {
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

pub(super) fn damage_at(text: String, damages: Vec<(Index, Damage)>) -> Vec<u8> {
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
pub(super) fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let text = prop_oneof![3 => document().prop_map(|document| document.text), 1 => value()];
    (text, damage()).prop_map(|(text, damages)| damage_at(text, damages))
}
