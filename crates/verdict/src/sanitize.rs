//! Sanitize: text that came from outside, made safe to keep and to show: one rule for all of it.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The longest string from the wire that is kept and shown, in bytes (section 4).
pub const WIRE_BYTES: usize = 256;

/// The longest sentence of our own that is shown, in bytes; it may quote the wire.
pub const SENTENCE_BYTES: usize = 1024;

/// The longest text that a message quotes, in characters.
const QUOTED_CHARS: usize = 80;

/// `text` without characters that could act on a terminal or hide in a line, in at most
/// [`WIRE_BYTES`] bytes. What came out of it passes untouched.
pub fn from_wire(text: &str) -> Cow<'_, str> {
    bounded(text, WIRE_BYTES)
}

/// The same for a sentence that may quote the wire, in at most [`SENTENCE_BYTES`] bytes.
pub fn sentence(text: &str) -> Cow<'_, str> {
    bounded(text, SENTENCE_BYTES)
}

/// `text` between backticks, cut at 80 characters and without control characters, so that a message
/// can hold it.
pub fn quoted(text: &str) -> String {
    let mut quoted: String = text.chars().take(QUOTED_CHARS).map(printable).collect();
    if text.chars().nth(QUOTED_CHARS).is_some() {
        quoted.push('…');
    }
    format!("`{quoted}`")
}

/// The character, or what is shown in its place where it would act on a terminal.
pub fn printable(c: char) -> char {
    match c {
        '\t' => ' ',
        c if acts(c) => '\u{fffd}',
        c => c,
    }
}

/// Whether a character does something instead of being seen: controls, and characters that hide or
/// reorder text.
pub fn acts(char: char) -> bool {
    // Nearly all text lies before the first of them.
    if char < UNSEEN[0].0 {
        return char.is_control();
    }
    let begun = UNSEEN.partition_point(|(first, _)| *first <= char);
    UNSEEN[..begun]
        .last()
        .is_some_and(|(_, last)| char <= *last)
}

/// The characters that reorder, join, break or hide text: those of Unicode 16 that are
/// `Default_Ignorable_Code_Point` (DerivedCoreProperties.txt), or of the general categories `Cf`,
/// `Zl` and `Zp` (UnicodeData.txt). In order.
const UNSEEN: &[(char, char)] = &[
    ('\u{ad}', '\u{ad}'),       // soft hyphen
    ('\u{34f}', '\u{34f}'),     // combining grapheme joiner
    ('\u{600}', '\u{605}'),     // Arabic number signs
    ('\u{61c}', '\u{61c}'),     // Arabic letter mark
    ('\u{6dd}', '\u{6dd}'),     // Arabic end of ayah
    ('\u{70f}', '\u{70f}'),     // Syriac abbreviation mark
    ('\u{890}', '\u{891}'),     // Arabic currency marks
    ('\u{8e2}', '\u{8e2}'),     // Arabic disputed end of ayah
    ('\u{115f}', '\u{1160}'),   // Hangul fillers
    ('\u{17b4}', '\u{17b5}'),   // Khmer inherent vowels
    ('\u{180b}', '\u{180f}'),   // Mongolian selectors and vowel separator
    ('\u{200b}', '\u{200f}'),   // zero widths, directional marks
    ('\u{2028}', '\u{202e}'),   // separators, embeddings, overrides
    ('\u{2060}', '\u{206f}'),   // joiners, isolates, deprecated controls
    ('\u{3164}', '\u{3164}'),   // Hangul filler
    ('\u{fe00}', '\u{fe0f}'),   // variation selectors
    ('\u{feff}', '\u{feff}'),   // byte order mark
    ('\u{ffa0}', '\u{ffa0}'),   // half-width Hangul filler
    ('\u{fff0}', '\u{fffb}'),   // unassigned, interlinear annotations
    ('\u{110bd}', '\u{110bd}'), // Kaithi number sign
    ('\u{110cd}', '\u{110cd}'), // Kaithi number sign above
    ('\u{13430}', '\u{1343f}'), // hieroglyph joiners
    ('\u{1bca0}', '\u{1bca3}'), // shorthand controls
    ('\u{1d173}', '\u{1d17a}'), // musical controls
    ('\u{e0000}', '\u{e0fff}'), // tags, more variation selectors
];

/// `text` with every character that acts written as its escape, cut at a character boundary to at
/// most `limit` bytes; a cut ends in `…`.
fn bounded(text: &str, limit: usize) -> Cow<'_, str> {
    if text.len() <= limit && !text.chars().any(acts) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len().min(limit));
    let mut room = 0; // The length up to which a character and a `…` after it still fit.
    for char in text.chars() {
        if acts(char) {
            let _ = write!(safe, "{}", char.escape_default());
        } else {
            safe.push(char);
        }
        if safe.len() > limit {
            safe.truncate(room);
            safe.push('…');
            break;
        }
        if safe.len() + '…'.len_utf8() <= limit {
            room = safe.len();
        }
    }
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_passes_untouched() {
        assert!(matches!(from_wire("CN=Contoso Größe"), Cow::Borrowed(_)));
        for text in [
            "日本語",
            "한국어",
            "العربية",
            "ไทย",
            "हिन्दी",
            "Ελλάδα",
            "a\u{301}",
            "🙂",
            "\u{fffd}",
        ] {
            assert_eq!(from_wire(text), text);
        }
    }

    #[test]
    fn nothing_from_the_wire_can_act_on_a_terminal() {
        assert_eq!(
            from_wire("a\x1b[31mb\r\n\u{202e}c\0"),
            r"a\u{1b}[31mb\r\n\u{202e}c\u{0}"
        );
    }

    #[test]
    fn what_is_not_seen_is_written_out() {
        let controls = ('\0'..=' ')
            .chain('\u{7f}'..='\u{9f}')
            .filter(|c| *c != ' ');
        // Bidi_Control, line ends, zero widths, fillers, annotations, tags, variation selectors.
        let named = [
            '\u{61c}',
            '\u{200e}',
            '\u{200f}',
            '\u{202a}',
            '\u{202b}',
            '\u{202c}',
            '\u{202d}',
            '\u{202e}',
            '\u{2066}',
            '\u{2067}',
            '\u{2068}',
            '\u{2069}',
            '\u{2028}',
            '\u{2029}',
            '\u{ad}',
            '\u{34f}',
            '\u{180e}',
            '\u{200b}',
            '\u{200c}',
            '\u{200d}',
            '\u{2060}',
            '\u{feff}',
            '\u{115f}',
            '\u{1160}',
            '\u{3164}',
            '\u{ffa0}',
            '\u{fff9}',
            '\u{fffa}',
            '\u{fffb}',
            '\u{1d173}',
            '\u{fe0f}',
            '\u{e0100}',
        ];
        let listed = UNSEEN.iter().flat_map(|(first, last)| *first..=*last);
        let tags = '\u{e0000}'..='\u{e007f}';
        for char in controls.chain(named).chain(tags).chain(listed) {
            let shown = from_wire(&format!("a{char}b")).into_owned();
            assert!(shown.is_ascii() && shown.starts_with("a\\"), "{shown:?}");
            assert!(!shown.contains(char::is_control), "{shown:?}");
        }
    }

    #[test]
    fn the_list_is_in_order_and_takes_no_letter() {
        assert!(UNSEEN.iter().all(|(first, last)| first <= last));
        assert!(UNSEEN.windows(2).all(|pair| pair[0].1 < pair[1].0));
        let seen = |c: char| c.is_ascii_graphic() || c == ' ' || c.is_numeric();
        let mut taken = ('\0'..=char::MAX).filter(|c| seen(*c) && acts(*c));
        assert_eq!(taken.next(), None);
    }

    #[test]
    fn long_text_is_cut_at_a_character_and_says_so() {
        let long = "ä".repeat(200);
        let cut = from_wire(&long);
        assert!(cut.len() <= WIRE_BYTES, "{}", cut.len());
        assert!(cut.ends_with("ä…"), "{cut}");
        assert_eq!(from_wire(&"x".repeat(WIRE_BYTES)).len(), WIRE_BYTES);
        let escapes = "\u{1b}".repeat(100);
        assert!(from_wire(&escapes).ends_with(r"\u{1b}…"));
    }

    #[test]
    fn what_was_kept_is_shown_as_it_was_kept() {
        for text in ["a\x1bb\\", &"\u{1b}".repeat(100), &"ä".repeat(200)] {
            let kept = from_wire(text);
            assert!(matches!(from_wire(&kept), Cow::Borrowed(_)), "{kept}");
            assert!(matches!(sentence(&kept), Cow::Borrowed(_)), "{kept}");
        }
    }
}
