//! Wrap: coloured text in lines of a bounded width.

const RESET: &str = "\x1b[0m";

/// `text` in lines of at most `room` visible characters, broken at spaces, and within a word where it is
/// longer than a line; all but the first are indented by `hang`, which is less than `room`. A style ends before a break, where the stem of a branch follows in its own,
/// and begins anew after it.
pub(super) fn wrap(text: &str, room: usize, hang: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut column = 0;
    let mut style = String::new();
    let words = text.split_inclusive(' ');
    for word in words.flat_map(|word| pieces(word, room - hang)) {
        if column > hang && column + visible(word.trim_end()) > room {
            let mut full = std::mem::take(&mut line).trim_end().to_owned();
            if !style.is_empty() {
                full.push_str(RESET);
            }
            lines.push(full);
            line = format!("{:hang$}{style}", "");
            column = hang;
        }
        line.push_str(word);
        column += visible(word);
        for escape in escapes(word) {
            if escape == RESET {
                style.clear();
            } else {
                style.push_str(escape);
            }
        }
    }
    lines.push(line);
    lines
}

/// A word in pieces of at most `room` visible characters. The space after it does not count.
fn pieces(word: &str, room: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = word;
    while visible(rest.trim_end()) > room {
        let mut seen = 0;
        let mut escape = false;
        let end = rest.char_indices().find(|(_, c)| {
            if seen == room && !escape && *c != '\x1b' {
                return true;
            }
            match c {
                '\x1b' => escape = true,
                'm' if escape => escape = false,
                _ => seen += usize::from(!escape),
            }
            false
        });
        let (piece, after) = rest.split_at(end.map_or(rest.len(), |(at, _)| at));
        pieces.push(piece);
        rest = after;
    }
    pieces.push(rest);
    pieces
}

/// How many characters of `text` are seen: escape sequences are not.
pub(super) fn visible(text: &str) -> usize {
    let hidden: usize = escapes(text).map(str::len).sum();
    text.chars().count() - hidden
}

/// The escape sequences in `text`. Each ends in `m`, because the tree writes nothing but colours, and
/// text from the wire has lost its escapes.
fn escapes(text: &str) -> impl Iterator<Item = &str> {
    let starts = text.match_indices('\x1b').map(|(at, _)| at);
    starts.filter_map(|at| {
        let end = text[at..].find('m')?;
        Some(&text[at..=at + end])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_broken_at_spaces_and_hangs() {
        let lines = wrap("means  one two three four", 16, 7);
        assert_eq!(lines, ["means  one two", "       three", "       four"]);
        let long = "means  a-name-longer-than-a-line or two";
        assert_eq!(
            wrap(long, 16, 7),
            [
                "means  a-name-lo",
                "       nger-than",
                "       -a-line",
                "       or two"
            ],
            "a word is broken where it is longer than a line, and nothing is left empty"
        );
    }

    #[test]
    fn a_style_ends_before_a_break_and_goes_on_after_it() {
        let lines = wrap("\x1b[2mone two\x1b[0m fives", 4, 0);
        assert_eq!(
            lines,
            ["\x1b[2mone\x1b[0m", "\x1b[2mtwo\x1b[0m", "five", "s"]
        );
        let lines = wrap("\x1b[2mabcdefgh\x1b[0m", 4, 0);
        assert_eq!(lines, ["\x1b[2mabcd\x1b[0m", "\x1b[2mefgh\x1b[0m"]);
    }
}
