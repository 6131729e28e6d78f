//! Zig-zag variable-length integers, as record fields use them.

/// No integer takes more bytes.
pub(super) const MAX_BYTES: usize = 10;

/// Appends `value` zig-zag encoded.
#[inline]
pub(super) fn write(out: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    // Nearly all are one or two bytes long.
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
#[inline(always)]
pub(super) fn read(bytes: &mut &[u8]) -> Option<i64> {
    // Nearly all are one or two bytes long.
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
