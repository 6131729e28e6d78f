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
    let mut value: i64 = 0;
    for &byte in digits {
        let digit = i64::from(byte.wrapping_sub(b'0'));
        if digit > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_sub(digit)?;
    }
    if negative { Some(value) } else { value.checked_neg() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_exactly_or_not_at_all() {
        assert_eq!(parse_integer(b"-9223372036854775808"), Some(i64::MIN));
        assert_eq!(parse_integer(b"9223372036854775808"), None);
        assert_eq!(parse_decimal(b"12.5", 4, 2), Some(1250));
        assert_eq!(parse_decimal(b"-1.25e1", 4, 2), Some(-1250));
        assert_eq!(parse_decimal(b"12.500", 4, 2), Some(1250));
        assert_eq!(parse_decimal(b"12.505", 4, 2), None);
        assert_eq!(parse_decimal(b"100", 4, 2), None);
        assert_eq!(parse_decimal(b"x", 4, 2), None);
    }
}
