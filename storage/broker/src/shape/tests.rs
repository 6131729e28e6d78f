use bytes::Bytes;
use kafka_protocol::messages::ApiKey;
use kafka_protocol::messages::RequestKind;
use proptest::prelude::*;
use proptest::test_runner::TestRng;

use super::*;
use crate::api;

/// Writes a request by its shape, so that the decoder can be asked whether it reads the same.
struct Writer<'a> {
    out: Vec<u8>,
    version: i16,
    flexible: bool,
    rng: &'a mut TestRng,
}

impl Writer<'_> {
    fn below(&mut self, limit: u32) -> u32 {
        self.rng.next_u32() % limit
    }

    fn length(&mut self, length: usize, is_wide: bool) {
        if self.flexible {
            self.out.push(length as u8 + 1);
        } else if is_wide {
            self.out.extend_from_slice(&(length as i32).to_be_bytes());
        } else {
            self.out.extend_from_slice(&(length as i16).to_be_bytes());
        }
    }

    fn fields(&mut self, fields: &[Field]) {
        for field in fields {
            if (field.since..=field.until).contains(&self.version) {
                self.value(&field.kind);
            }
        }
        if self.flexible {
            match self.below(4) {
                // A tag that nobody knows.
                0 => self.out.extend_from_slice(&[1, 99, 2, 7, 7]),
                _ => self.out.push(0),
            }
        }
    }

    fn value(&mut self, kind: &Kind) {
        match kind {
            Kind::Fixed(bytes) => self.out.extend(std::iter::repeat_n(1, *bytes)),
            Kind::String | Kind::Bytes => {
                let length = self.below(4) as usize;
                self.length(length, matches!(kind, Kind::Bytes));
                self.out.extend(std::iter::repeat_n(b'x', length));
            }
            Kind::Structs(fields) => {
                let count = self.below(4) as usize;
                self.length(count, true);
                (0..count).for_each(|_| self.fields(fields));
            }
            Kind::Scalars(item) => {
                let count = self.below(4) as usize;
                self.length(count, true);
                (0..count).for_each(|_| self.value(&item.kind));
            }
            Kind::Optional(fields) => {
                let present = self.below(2) == 1;
                self.out.push(if present { 1 } else { 0xff });
                if present {
                    self.fields(fields);
                }
            }
        }
    }
}

/// Decodes without any check before; what is left of the bytes.
fn decode(key: ApiKey, version: i16, body: &[u8]) -> Option<usize> {
    let mut body = Bytes::copy_from_slice(body);
    RequestKind::decode(key, &mut body, version).ok().map(|_| body.len())
}

#[test]
fn every_shape_is_what_the_decoder_reads_in_every_version() {
    let mut rng = TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha);
    for api in api::all() {
        for version in api.min..=api.max {
            for _ in 0..200 {
                let flexible = api.shape.is_flexible(version);
                let mut writer = Writer { out: Vec::new(), version, flexible, rng: &mut rng };
                writer.fields(api.shape.fields);
                let body = writer.out;
                assert!(api.shape.fits(version, &body), "{:?} {version}: {body:?}", api.key);
                assert_eq!(decode(api.key, version, &body), Some(0), "{:?} {version}: {body:?}", api.key);
            }
        }
    }
}

#[test]
fn flexible_versions_are_those_of_the_header() {
    for api in api::all() {
        for version in api.min..=api.max {
            let expected = api.key.request_header_version(version) == 2;
            assert_eq!(api.shape.is_flexible(version), expected, "{:?} {version}", api.key);
            let expected = api.key.response_header_version(version) == 1;
            let tagged = api.shape.is_flexible(version) && api.key != ApiKey::ApiVersions;
            assert_eq!(tagged, expected, "{:?} {version}", api.key);
        }
    }
}

#[test]
fn a_few_bytes_cannot_ask_for_gigabytes() {
    let metadata = |body: &[u8]| crate::shape::requests::METADATA.fits(1, body);
    assert!(metadata(&[0, 0, 0, 0]));
    assert!(!metadata(&[0x7f, 0xff, 0xff, 0xff]));
    assert!(!metadata(&[0, 0, 0, 2, 0, 0]));
}

#[test]
fn a_string_is_as_long_as_kafka_takes_it_in_every_layout() {
    // One group: its name, behind a length that is variable, and the tags.
    let groups = |bytes: u32| {
        let mut body = vec![2];
        let length = bytes + 1;
        body.extend_from_slice(&[0x80 | length as u8, 0x80 | (length >> 7) as u8, (length >> 14) as u8]);
        body.resize(body.len() + bytes as usize, b'g');
        body.push(0);
        crate::shape::requests::DELETE_GROUPS.fits(2, &body)
    };
    assert!(groups(32_767) && !groups(32_768) && !groups(1_000_000));
}

proptest! {
    /// What fits is read or refused, and takes memory in proportion to its size.
    #[test]
    fn whatever_fits_is_safe_to_decode(body in proptest::collection::vec(any::<u8>(), 0..64)) {
        for api in api::all() {
            for version in api.min..=api.max {
                if api.shape.fits(version, &body) {
                    // An abort of the process would be the failure.
                    let left = decode(api.key, version, &body);
                    prop_assert!(left.is_none_or(|left| left <= body.len()));
                }
            }
        }
    }
}
