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

/// The integer in digits only that stands from `start` up to `end`; `None` if it has another form or does not fit.
#[inline]
pub(super) fn parse_integer(text: &[u8], start: usize, end: usize) -> Option<i64> {
    let negative = text.get(start) == Some(&b'-');
    let count = end.checked_sub(start + usize::from(negative))?;
    let value = match text.get(..end)?.last_chunk::<16>() {
        Some(last) if (1..=16).contains(&count) => sixteen_digits(*last, count)?,
        // It stands at the very beginning of the text, has more digits, or has none at all.
        _ => text.get(end - count..end).filter(|digits| !digits.is_empty())?.iter().try_fold(0u64, |value, byte| {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 { None } else { value.checked_mul(10)?.checked_add(u64::from(digit)) }
        })?,
    };
    if negative { 0i64.checked_sub_unsigned(value) } else { i64::try_from(value).ok() }
}

/// The number that the last `count` of sixteen bytes, 1 to 16, are as digits.
#[inline]
fn sixteen_digits(bytes: [u8; 16], count: usize) -> Option<u64> {
    let word = u128::from_le_bytes(bytes);
    let (high, low) = (word as u64, (word >> 64) as u64);
    if count <= 8 {
        return eight_digits(low, count);
    }
    Some(eight_digits(high, count - 8)? * 100_000_000 + eight_digits(low, 8)?)
}

/// The number that the last `count` of eight bytes, 1 to 8, are as digits, the first byte the lowest of the word:
/// pairs of digits, then pairs of pairs, then pairs of those are added up within one word.
#[inline]
fn eight_digits(word: u64, count: usize) -> Option<u64> {
    const ZEROS: u64 = 0x3030_3030_3030_3030;
    // The bytes before the digits count as zeros.
    let others = (1u64 << (8 * (8 - count))) - 1;
    let word = word & !others | ZEROS & others;
    let too_small = word.wrapping_sub(ZEROS);
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

    /// The integer, which must be the same whatever stands around it. Behind sixteen bytes the digits are read at
    /// once, however few; those before them must not count, be they digits or a sign.
    fn integer(text: &str) -> Option<i64> {
        let alone = parse_integer(text.as_bytes(), 0, text.len());
        for before in ["{\"n\":12345", "01234567890123456789", "behind all this -"] {
            let within = format!("{before}{text}678}}");
            let end = before.len() + text.len();
            assert_eq!(parse_integer(within.as_bytes(), before.len(), end), alone, "{text:?} behind {before:?}");
        }
        alone
    }

    #[test]
    fn integers_of_any_length_are_read_and_a_wrong_byte_is_seen_wherever_it_stands() {
        for count in 0..=21 {
            for sign in ["", "-"] {
                for digits in ["1234567890123456789012", "9876543210987654321098", "0000000000000000000007"] {
                    let text = format!("{sign}{}", &digits[22 - count..]);
                    assert_eq!(integer(&text), text.parse().ok(), "{text}");
                    for at in sign.len()..text.len() {
                        for wrong in ["/", ":", "-", "+", " ", ".", "\0", "\u{7f}"] {
                            let mut text = text.clone();
                            text.replace_range(at..=at, wrong);
                            // `parse` takes a plus sign, which JSON does not have.
                            let expected = if wrong == "+" { None } else { text.parse().ok() };
                            assert_eq!(integer(&text), expected, "{text:?}");
                        }
                    }
                }
            }
        }
        for (count, text) in [(1, "\u{b5}"), (15, "12345678901234\u{b5}"), (16, "\u{b5}12345678901234")] {
            assert_eq!(integer(text), None, "{count} characters");
        }
    }

    #[test]
    fn numbers_are_read_exactly_or_not_at_all() {
        for text in ["9223372036854775807", "1700000000123", "0012345678", "12345678", "1234567", "42", "7", "0"] {
            for text in [text.to_owned(), format!("-{text}")] {
                assert_eq!(integer(&text), text.parse().ok());
            }
        }
        assert_eq!(integer("-9223372036854775808"), Some(i64::MIN));
        let too_large = ["9223372036854775808", "-9223372036854775809", "9999999999999999999", "10000000000000000000"];
        let no_digits = ["1234567/", "1234:678", "12345678.5", "1x", "x1", "/", "-", "", "--1", "+1", " 1"];
        for bad in too_large.into_iter().chain(no_digits) {
            assert_eq!(integer(bad), None);
        }
        assert_eq!(parse_decimal(b"12.5", 4, 2), Some(1250));
        assert_eq!(parse_decimal(b"-1.25e1", 4, 2), Some(-1250));
        assert_eq!(parse_decimal(b"12.500", 4, 2), Some(1250));
        assert_eq!(parse_decimal(b"12.505", 4, 2), None);
        assert_eq!(parse_decimal(b"100", 4, 2), None);
        assert_eq!(parse_decimal(b"x", 4, 2), None);
    }
}
