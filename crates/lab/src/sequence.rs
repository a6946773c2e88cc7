//! Sequence: answers that alternate, as behind servers that do not agree.

use hickory_proto::rr::RecordType;

use super::records::Line;

/// Answers that alternate.
#[derive(Debug)]
pub(super) struct Sequence {
    phases: Vec<Vec<Line>>,
    /// A questions so far.
    begun: usize,
    /// Whether the current phase has had its AAAA question.
    paired: bool,
    /// Whether the next phase has had its AAAA question, before its A question.
    ahead: bool,
}

impl Sequence {
    pub(super) fn new(phases: Vec<Vec<Line>>) -> Self {
        Self {
            phases,
            begun: 0,
            paired: false,
            ahead: false,
        }
    }

    /// The records that a question sees. A probe asks A and AAAA in parallel and must see one
    /// phase, whichever comes first. Questions with EDNS are asked on the side: they begin nothing.
    pub(super) fn phase(&mut self, kind: RecordType, edns: bool) -> &[Line] {
        let next = match kind {
            RecordType::A if !edns => {
                self.paired = self.ahead;
                self.ahead = false;
                self.begun += 1;
                false
            }
            RecordType::AAAA if !edns && (self.paired || self.begun == 0) => {
                self.ahead = true;
                true
            }
            RecordType::AAAA if !edns => {
                self.paired = true;
                false
            }
            _ => false,
        };
        let current = if next {
            self.begun
        } else {
            self.begun.saturating_sub(1)
        };
        current
            .checked_rem(self.phases.len())
            .and_then(|index| self.phases.get(index))
            .map_or(&[], Vec::as_slice)
    }
}
