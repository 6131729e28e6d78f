//! "Did you mean …?"

/// Nobody mistypes a longer name, and the distance takes the product of both lengths to find.
const CHARS_MAX: usize = 100;

/// The candidate that is closest to what was written, if one is close enough to be a slip.
#[must_use]
pub fn closest<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = written.chars().take(CHARS_MAX + 1).count();
    if length > CHARS_MAX {
        return None;
    }
    let written = written.to_uppercase();
    let slips_max = (length / 3).max(1);
    let is_near = |name: &&str| name.chars().take(CHARS_MAX * 2).count().abs_diff(length) <= slips_max;
    let near = candidates.into_iter().filter(is_near);
    let scored = near.map(|name| (distance(&written, &name.to_uppercase()), name));
    scored.filter(|(slips, _)| *slips <= slips_max).min().map(|(_, name)| name)
}

/// Damerau-Levenshtein distance (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], index: usize| row.get(index).copied().unwrap_or(usize::MAX - 1);
            let substituted = at(&last, j) + usize::from(x != y);
            let mut best = substituted.min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if swapped {
                best = best.min(at(&before, j - 1) + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(a.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found_and_other_words_are_not() {
        let names = ["ORDER_ID", "CUSTOMER_ID", "AMOUNT"];
        assert_eq!(closest("custmer_id", names), Some("CUSTOMER_ID"));
        assert_eq!(closest("AMUONT", names), Some("AMOUNT"));
        assert_eq!(closest("PRICE", names), None);
    }
}
