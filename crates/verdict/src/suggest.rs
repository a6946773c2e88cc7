//! Suggest: which of the valid words was probably meant by one that is not valid.

use std::cmp::Ordering;

/// How like what is written a word must be to be meant, 0 to 1.
const ENOUGH: f64 = 0.6;

/// As many letters of a word as are compared: comparing costs their square.
const LETTERS: usize = 128;

/// A part of a word shorter than this is no hint at it.
const SHORTEST_PART: usize = 4;

/// Those of `valid` that are near enough to `written` to be meant, the nearest first.
pub fn nearest<'a>(
    written: &str,
    valid: impl IntoIterator<Item = &'a str>,
) -> impl Iterator<Item = &'a str> {
    let written = plain(written);
    let mut near: Vec<(f64, &str)> = valid
        .into_iter()
        .map(|word| (likeness(&written, &plain(word)), word))
        .filter(|(likeness, _)| *likeness >= ENOUGH)
        .collect();
    // By name among equals, so that the answer does not hang on the order of `valid`.
    let order = |(a, x): &(f64, &str), (b, y): &(f64, &str)| -> Ordering {
        b.total_cmp(a).then_with(|| x.cmp(y))
    };
    near.sort_by(order);
    near.into_iter().map(|(_, word)| word)
}

/// `did you mean `x`?`, with the nearest of `valid`, if one is near enough.
pub fn did_you_mean<'a>(written: &str, valid: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let near = nearest(written, valid).next()?;
    Some(format!("did you mean `{near}`?"))
}

/// Case and word separators are what people get wrong most: they cost nothing.
fn plain(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .take(LETTERS)
        .collect()
}

fn likeness(written: &str, word: &str) -> f64 {
    // Half a word is meant as the whole one: `private` for `privateEndpoint`, `prod` for `kv-prod`.
    if written.len() >= SHORTEST_PART {
        if word.starts_with(written) {
            return 0.9;
        }
        if word.contains(written) {
            return 0.8;
        }
    }
    // Every letter that one has more than the other is an edit: no need to look for them.
    let letters = |text: &str| f64::from(u8::try_from(text.chars().count()).unwrap_or(u8::MAX));
    let (a, b) = (letters(written), letters(word));
    if a.min(b) < ENOUGH * a.max(b) {
        return 0.0;
    }
    strsim::normalized_damerau_levenshtein(written, word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first<'a>(written: &str, valid: &[&'a str]) -> Option<&'a str> {
        nearest(written, valid.iter().copied()).next()
    }

    #[test]
    fn the_nearest_spelling_forgives_case_and_separators_and_knows_when_to_be_silent() {
        let valid = ["interval", "timeout", "expectedCidrs"];
        assert_eq!(first("intervall", &valid), Some("interval"));
        assert_eq!(first("expected_cidrs", &valid), Some("expectedCidrs"));
        assert_eq!(first("Timeout", &valid), Some("timeout"));
        assert_eq!(first("expected", &valid), Some("expectedCidrs"));
        assert_eq!(first("color", &valid), None);
        assert_eq!(first("", &valid), None);
    }

    #[test]
    fn a_part_is_meant_as_the_whole_but_less_than_a_beginning() {
        let valid = ["old-kv-prod", "sql-prod", "prod-db", "kv-test"];
        let near: Vec<_> = nearest("prod", valid).collect();
        assert_eq!(near, ["prod-db", "old-kv-prod", "sql-prod"]);
        assert_eq!(first("db", &valid), None, "too short to say anything");
    }

    #[test]
    fn a_slip_of_any_kind_is_near_and_the_smallest_is_nearest() {
        let valid = ["public_fallback", "public_expected", "no_such_name"];
        for slip in ["public_falback", "pubilc_fallback", "public-fallbak"] {
            assert_eq!(first(slip, &valid), Some("public_fallback"), "{slip}");
        }
    }

    #[test]
    fn a_text_of_any_length_is_near_to_nothing() {
        let long = "x".repeat(1 << 20);
        let names: Vec<String> = (0..10_000)
            .map(|n| format!("kv-{n}.vault.azure.net"))
            .collect();
        assert_eq!(nearest(&long, names.iter().map(String::as_str)).count(), 0);
    }
}
