//! Bytes in text (RFC 4648).

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub(crate) fn decode(text: &str) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for digit in text.trim_end_matches('=').bytes() {
        let value = DIGITS.iter().position(|known| *known == digit).ok_or_else(|| format!("{text:?} is not base64"))?;
        bits = bits << 6 | value as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn text_of_every_length_is_decoded() {
        for (text, bytes) in [("", ""), ("IQ==", "!"), ("aGU=", "he"), ("aGVs", "hel"), ("aGVsbG8=", "hello")] {
            assert_eq!(decode(text), Ok(bytes.as_bytes().to_vec()));
        }
        assert!(decode("a-b").is_err());
    }
}
