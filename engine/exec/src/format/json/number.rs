//! Numbers in text.

/// A number of any form as a double.
pub(crate) fn parse_double(text: &[u8]) -> Option<f64> {
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}

/// A decimal with up to `scale` places, without its point; `None` if it has more digits than fit.
pub(crate) fn parse_decimal(text: &[u8], precision: u8, scale: i8) -> Option<i128> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (negative, digits) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value: i128 = 0;
    for digit in whole.chars().chain(fraction.chars()) {
        value = value.checked_mul(10)?.checked_add(i128::from(digit.to_digit(10)?))?;
    }
    if value == 0 {
        return Some(0);
    }
    let mut shift = i64::from(scale) + i64::from(exponent) - fraction.len() as i64;
    while shift > 0 {
        value = value.checked_mul(10)?;
        shift -= 1;
    }
    while shift < 0 {
        // Places that the type does not have are only left out if they are zero.
        if value % 10 != 0 {
            return None;
        }
        value /= 10;
        shift += 1;
    }
    let fits = value < 10i128.checked_pow(u32::from(precision)).unwrap_or(i128::MAX);
    fits.then_some(if negative { -value } else { value })
}

/// An integer in digits only; `None` if it has another form or does not fit.
#[inline]
pub(super) fn parse_integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    let (eights, rest) = digits.as_chunks::<8>();
    // Nineteen digits fit into 64 bits without a sign.
    let mut value: u64 = 0;
    for eight in eights {
        value = value * 100_000_000 + eight_digits(*eight)?;
    }
    for &byte in rest {
        let digit = u64::from(byte.wrapping_sub(b'0'));
        if digit > 9 {
            return None;
        }
        value = value * 10 + digit;
    }
    if negative { 0i64.checked_sub_unsigned(value) } else { i64::try_from(value).ok() }
}

/// The number that eight digits are: pairs of digits, then pairs of pairs, then pairs of those are added up within
/// one word.
#[inline]
fn eight_digits(digits: [u8; 8]) -> Option<u64> {
    let word = u64::from_le_bytes(digits);
    let too_small = word.wrapping_sub(0x3030_3030_3030_3030);
    let too_large = word.wrapping_add(0x4646_4646_4646_4646);
    if (too_small | too_large) & 0x8080_8080_8080_8080 != 0 {
        return None;
    }
    let pairs = too_small.wrapping_mul(10).wrapping_add(too_small >> 8);
    let low = (pairs & 0x0000_00FF_0000_00FF).wrapping_mul(0x000F_4240_0000_0064);
    let high = ((pairs >> 16) & 0x0000_00FF_0000_00FF).wrapping_mul(0x0000_2710_0000_0001);
    Some(low.wrapping_add(high) >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_exactly_or_not_at_all() {
        assert_eq!(parse_integer(b"-9223372036854775808"), Some(i64::MIN));
        assert_eq!(parse_integer(b"9223372036854775808"), None);
        assert_eq!(parse_integer(b"-9223372036854775809"), None);
        assert_eq!(parse_integer(b"9223372036854775807"), Some(i64::MAX));
        assert_eq!(parse_integer(b"9999999999999999999"), None);
        assert_eq!(parse_integer(b"1700000000123"), Some(1_700_000_000_123));
        assert_eq!(parse_integer(b"0012345678"), Some(12_345_678));
        for bad in [b"1234567/".as_slice(), b"1234:678", b"12345678.5", b"-", b""] {
            assert_eq!(parse_integer(bad), None);
        }
        assert_eq!(parse_decimal(b"12.5", 4, 2), Some(1250));
        assert_eq!(parse_decimal(b"-1.25e1", 4, 2), Some(-1250));
        assert_eq!(parse_decimal(b"12.500", 4, 2), Some(1250));
        assert_eq!(parse_decimal(b"12.505", 4, 2), None);
        assert_eq!(parse_decimal(b"100", 4, 2), None);
        assert_eq!(parse_decimal(b"x", 4, 2), None);
    }
}
