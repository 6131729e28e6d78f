//! Functions of URLs (RFC 3986).

use std::sync::Arc;

use arrow::array::Int32Array;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

use super::kernel::{failed, map_text, strings, texts_to_text};
use super::{Param, Returns, ScalarFunction};
use Param::String as Text;

const TEXT: Returns = Returns::Type(DataType::Utf8);

/// The kernel of a function that takes one part of a URL.
macro_rules! part {
    ($name:literal, $description:literal, $example:literal = $result:literal, $part:expr) => {
        ScalarFunction::new($name, $description, ($example, $result)).overload(&[Text], TEXT, |args| {
            let part: for<'a> fn(&Url<'a>) -> Option<String> = $part;
            texts_to_text(args, |[text]: [&str; 1]| Ok(part(&Url::parse(text)?)))
        })
    };
}

pub(super) fn all() -> Vec<ScalarFunction> {
    let f = ScalarFunction::new;
    vec![
        f("URL_ENCODE_PARAM", "The text as a parameter of a URL.", ("URL_ENCODE_PARAM('a b&c')", "a+b%26c")).overload(
            &[Text],
            TEXT,
            |args| map_text(args, encode),
        ),
        f("URL_DECODE_PARAM", "What a parameter of a URL stands for.", ("URL_DECODE_PARAM('a+b%26c')", "a b&c"))
            .overload(&[Text], TEXT, |args| texts_to_text(args, |[text]: [&str; 1]| decode(text, true).map(Some))),
        f(
            "URL_EXTRACT_PARAMETER",
            "The value of a parameter of a URL; null if it has none.",
            ("URL_EXTRACT_PARAMETER('http://x.org/?a=1&b=2', 'b')", "2"),
        )
        .overload(&[Text, Text], TEXT, |args| {
            texts_to_text(args, |[text, name]: [&str; 2]| {
                let query = Url::parse(text)?.query.map(|query| decode(query, false)).transpose()?;
                let found = query.as_deref().and_then(|query| {
                    query.split('&').find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name))
                });
                Ok(found.map(|(_, value)| value.to_owned()))
            })
        }),
        part!(
            "URL_EXTRACT_PROTOCOL",
            "The protocol of a URL.",
            "URL_EXTRACT_PROTOCOL('http://x.org/a')" = "http",
            |url| { url.scheme.map(str::to_owned) }
        ),
        part!("URL_EXTRACT_HOST", "The host of a URL.", "URL_EXTRACT_HOST('http://me@x.org:80/a')" = "x.org", |url| {
            url.host().map(str::to_owned)
        }),
        part!("URL_EXTRACT_PATH", "The path of a URL.", "URL_EXTRACT_PATH('http://x.org/a/b?c#d')" = "/a/b", |url| {
            decode(url.path, false).ok()
        }),
        part!("URL_EXTRACT_QUERY", "The query of a URL.", "URL_EXTRACT_QUERY('http://x.org/a?b=1#c')" = "b=1", |url| {
            url.query.and_then(|query| decode(query, false).ok())
        }),
        part!(
            "URL_EXTRACT_FRAGMENT",
            "The fragment of a URL.",
            "URL_EXTRACT_FRAGMENT('http://x.org/a#b')" = "b",
            |url| { url.fragment.and_then(|fragment| decode(fragment, false).ok()) }
        ),
        f(
            "URL_EXTRACT_PORT",
            "The port of a URL; null if it names none.",
            ("URL_EXTRACT_PORT('http://x.org:8080/a')", "8080"),
        )
        .overload(&[Text], Returns::Type(DataType::Int32), |args| {
            let port = |text: Option<&str>| match text {
                Some(text) => Ok(Url::parse(text)?.port()),
                None => Ok(None),
            };
            let ports = strings(args, 0)?.iter().map(port);
            Ok(Arc::new(ports.collect::<Result<Int32Array, ArrowError>>()?))
        }),
    ]
}

/// The parts of a URL as they are written.
struct Url<'a> {
    scheme: Option<&'a str>,
    authority: Option<&'a str>,
    path: &'a str,
    query: Option<&'a str>,
    fragment: Option<&'a str>,
}

impl<'a> Url<'a> {
    fn parse(text: &'a str) -> Result<Self, ArrowError> {
        let strange = |c: char| c.is_whitespace() || c.is_control() || "\"<>\\^`{|}".contains(c);
        if let Some(c) = text.chars().find(|c| strange(*c)) {
            return Err(failed(format!("\"{text}\" is no URL: {c:?} must be written with %")));
        }
        let (rest, fragment) = text.split_once('#').map_or((text, None), |(rest, part)| (rest, Some(part)));
        let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, part)| (rest, Some(part)));
        let is_scheme = |text: &str| {
            text.starts_with(|c: char| c.is_ascii_alphabetic())
                && text.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
        };
        let (scheme, rest) = match rest.split_once(':') {
            Some((scheme, rest)) if is_scheme(scheme) => (Some(scheme), rest),
            _ => (None, rest),
        };
        let (authority, path) = match rest.strip_prefix("//") {
            Some(rest) => {
                let (authority, path) =
                    rest.split_at_checked(rest.find('/').unwrap_or(rest.len())).unwrap_or((rest, ""));
                (Some(authority), path)
            }
            None => (None, rest),
        };
        Ok(Self { scheme, authority, path, query, fragment })
    }

    /// Host and port.
    fn host_and_port(&self) -> Option<(&'a str, Option<&'a str>)> {
        let authority = self.authority?;
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        Some(match host.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (host, None),
        })
    }

    fn host(&self) -> Option<&'a str> {
        self.host_and_port().map(|(host, _)| host).filter(|host| !host.is_empty())
    }

    fn port(&self) -> Option<i32> {
        self.host_and_port()?.1?.parse().ok()
    }
}

/// As HTML forms encode (`application/x-www-form-urlencoded`).
fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'*' | b'_' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn decode(text: &str, plus_is_space: bool) -> Result<String, ArrowError> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' if plus_is_space => b' ',
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let pair = digit(bytes.next()).zip(digit(bytes.next()));
                let (high, low) =
                    pair.ok_or_else(|| failed(format!("\"{text}\" has a % without two digits behind it")))?;
                (high * 16 + low) as u8
            }
            byte => byte,
        });
    }
    Ok(String::from_utf8_lossy(&out).into_owned())
}
