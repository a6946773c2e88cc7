//! Sequence: records of a name that change from question to question, as behind servers that disagree.

use hickory_proto::rr::RecordType;

use super::records::RecordLine;

/// The records of each phase; after the last phase the first one begins again.
pub(crate) type Phases = Vec<Vec<RecordLine>>;

/// Counts the questions for one name, to know which phase a question sees.
#[derive(Debug)]
pub(crate) struct Sequence {
    phases: Phases,
    /// A questions so far; each begins a phase.
    begun: usize,
    /// Whether the current phase has had its AAAA question.
    paired: bool,
    /// Whether the next phase has had its AAAA question, which came before its A question.
    ahead: bool,
}

impl Sequence {
    pub(crate) fn new(phases: Phases) -> Self {
        Self {
            phases,
            begun: 0,
            paired: false,
            ahead: false,
        }
    }

    /// The records that a question sees. A probe asks A and AAAA in parallel and must see one phase,
    /// whichever comes first. Questions with EDNS are evidence, asked beside the probe's own: they
    /// begin no phase.
    pub(crate) fn phase(&mut self, kind: RecordType, edns: bool) -> &[RecordLine] {
        let sees_next_phase = match kind {
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
        let number = if sees_next_phase {
            self.begun
        } else {
            self.begun.saturating_sub(1)
        };
        number
            .checked_rem(self.phases.len())
            .and_then(|index| self.phases.get(index))
            .map_or(&[], Vec::as_slice)
    }
}
