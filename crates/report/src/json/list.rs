//! List: an object whose last field is a long list, made an element at a time.

use std::io;

use serde::Serialize;

use crate::pieces::Pieces;

/// How an object ends whose last field is an empty list.
const END: &str = "]}";

/// The text of an object whose last field is a list.
#[derive(Debug)]
pub(super) struct ListInPieces<I> {
    /// What comes before the next element, or the end.
    before: String,
    elements: I,
    has_ended: bool,
}

impl<I> ListInPieces<I> {
    /// The text of `object`, whose last field is an empty list, with `elements` in it.
    pub(super) fn new(object: &impl Serialize, elements: I) -> serde_json::Result<Self> {
        let mut before = serde_json::to_string(object)?;
        debug_assert!(before.ends_with("[]}"), "{before}");
        before.truncate(before.len() - END.len());
        Ok(Self {
            before,
            elements,
            has_ended: false,
        })
    }
}

impl<I: Iterator<Item: Serialize>> Pieces for ListInPieces<I> {
    fn next_piece(&mut self, out: &mut Vec<u8>) -> io::Result<bool> {
        if self.has_ended {
            return Ok(false);
        }
        if let Some(element) = self.elements.next() {
            out.extend_from_slice(self.before.as_bytes());
            serde_json::to_writer(out, &element)?;
            ",".clone_into(&mut self.before);
        } else {
            if self.before != "," {
                out.extend_from_slice(self.before.as_bytes());
            }
            out.extend_from_slice(END.as_bytes());
            out.push(b'\n');
            self.has_ended = true;
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Object {
        name: &'static str,
        list: Vec<u8>,
    }

    #[test]
    fn the_text_is_that_of_the_whole_object() {
        for list in [vec![], vec![1], vec![1, 2, 3]] {
            let object = |list| Object { name: "n,", list };
            let pieces = ListInPieces::new(&object(vec![]), list.iter()).expect("JSON");
            let text = pieces.whole().expect("memory takes all");
            let whole = serde_json::to_string(&object(list)).expect("JSON");
            assert_eq!(String::from_utf8(text).expect("UTF-8"), whole + "\n");
        }
    }
}
