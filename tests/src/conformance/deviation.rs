//! Cases that the engine deliberately does not follow.

/// So many there may be.
pub(crate) const DEVIATIONS_MAX: usize = 20;

const LIST: &str = include_str!("../../deviations.toml");

/// A case with the reason why the engine does better.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Deviation {
    pub(crate) file: String,
    pub(crate) case: String,
    pub(crate) reason: String,
}

/// The list in `tests/deviations.toml`.
///
/// # Errors
/// A line that cannot be read.
pub(crate) fn deviations() -> Result<Vec<Deviation>, String> {
    parse(LIST)
}

/// Reads the part of TOML that the list needs: tables of strings on one line.
fn parse(text: &str) -> Result<Vec<Deviation>, String> {
    let mut list: Vec<Deviation> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if line == "[[deviation]]" {
            list.push(Deviation::default());
            continue;
        }
        let wrong = || format!("tests/deviations.toml cannot be read: {line}");
        let (name, value) = line.split_once('=').ok_or_else(wrong)?;
        let value = value.trim().strip_prefix('"').and_then(|value| value.strip_suffix('"')).ok_or_else(wrong)?;
        let value = value.replace("\\\"", "\"");
        let entry = list.last_mut().ok_or_else(wrong)?;
        match name.trim() {
            "file" => entry.file = value,
            "case" => entry.case = value,
            "reason" => entry.reason = value,
            _ => return Err(wrong()),
        }
    }
    match list.iter().find(|entry| entry.file.is_empty() || entry.case.is_empty() || entry.reason.is_empty()) {
        Some(entry) => Err(format!("tests/deviations.toml: an entry lacks file, case or reason: {entry:?}")),
        None => Ok(list),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_read() {
        let list =
            parse("# x\n[[deviation]]\nfile = \"a.json\"\ncase = \"says \\\"b\\\"\"\nreason = \"c = d\"\n").unwrap();
        let entry = |file: &str, case: &str, reason: &str| Deviation {
            file: file.to_owned(),
            case: case.to_owned(),
            reason: reason.to_owned(),
        };
        assert_eq!(list, [entry("a.json", "says \"b\"", "c = d")]);
        assert!(parse("[[deviation]]\nfile = \"a\"\n").is_err());
        assert!(parse("file = \"a\"\n").is_err());
        assert!(deviations().unwrap().len() <= DEVIATIONS_MAX);
    }
}
