//! Zig-zag variable-length integers, as record fields use them.
//!
//! Each record takes half a dozen of them, nearly all one or two bytes long, so that a call costs more than what it
//! does.

/// No integer takes more bytes.
pub(super) const MAX_BYTES: usize = 10;

/// Appends `value` zig-zag encoded.
#[inline]
pub(super) fn write(out: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    // Two bytes go out at once; a single one is what the loop ends with.
    if (0x80..0x4000).contains(&rest) {
        out.extend_from_slice(&[rest as u8 | 0x80, (rest >> 7) as u8]);
        return;
    }
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// The number of bytes [`write`] appends for `value`: 1 to 10.
#[inline]
pub(super) fn len(value: i64) -> usize {
    let zigzag = ((value << 1) ^ (value >> 63)) as u64;
    if zigzag < 0x4000 {
        return 1 + usize::from(zigzag >= 0x80);
    }
    let bits = 64 - (zigzag | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

/// Reads one integer from the front of `bytes` and moves past it; `None` if it is cut off or
/// longer than ten bytes.
// As a call it would keep the place in memory instead of in a register.
#[inline(always)]
pub(super) fn read(bytes: &mut &[u8]) -> Option<i64> {
    let (zigzag, rest) = match bytes {
        [byte @ 0..0x80, rest @ ..] => (u32::from(*byte), rest),
        [low, high @ 0..0x80, rest @ ..] => (u32::from(low & 0x7f) | u32::from(*high) << 7, rest),
        _ => return read_long(bytes),
    };
    *bytes = rest;
    Some(i64::from(zigzag >> 1) ^ -i64::from(zigzag & 1))
}

fn read_long(bytes: &mut &[u8]) -> Option<i64> {
    let mut value = 0u64;
    for shift in (0..70).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte < 0x80 {
            return Some((value >> 1) as i64 ^ -((value & 1) as i64));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The edges between one, two and three bytes, and the ends.
    #[test]
    fn integers_at_the_edges_take_the_bytes_they_should() {
        for (value, bytes) in [
            (0, [0].as_slice()),
            (-1, &[1]),
            (63, &[0x7E]),
            (-64, &[0x7F]),
            (64, &[0x80, 1]),
            (-65, &[0x81, 1]),
            (-63, &[0x7D]),
            (8191, &[0xFE, 0x7F]),
            (-8191, &[0xFD, 0x7F]),
            (-8192, &[0xFF, 0x7F]),
            (8192, &[0x80, 0x80, 1]),
            (-8193, &[0x81, 0x80, 1]),
            (i64::MAX, &[0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1]),
            (i64::MIN, &[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1]),
        ] {
            let mut out = b"before".to_vec();
            write(&mut out, value);
            assert_eq!(out, [b"before", bytes].concat(), "{value}");
            assert_eq!(len(value), bytes.len(), "{value}");
            let behind = [bytes, b"behind"].concat();
            let mut rest = behind.as_slice();
            assert_eq!(read(&mut rest), Some(value));
            assert_eq!(rest, b"behind");
            for length in 0..bytes.len() {
                assert_eq!(read(&mut &bytes[..length]), None, "{value} cut off behind {length} bytes");
            }
        }
    }

    proptest! {
        #[test]
        fn every_integer_survives_the_round_trip(value in any::<i64>(), shift in 0u32..64) {
            let value = value >> shift;
            let mut out = Vec::new();
            write(&mut out, value);
            prop_assert_eq!(out.len(), len(value));
            let mut rest = out.as_slice();
            prop_assert_eq!(read(&mut rest), Some(value));
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..16)) {
            let _ = read(&mut bytes.as_slice());
        }
    }
}
