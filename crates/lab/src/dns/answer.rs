//! Answer: what a recursive server says to a question, given the records it can reach.

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{Name, RData, Record, RecordType};
use serde::Deserialize;

use super::records::{self, Records};

/// Aliases that the server follows at most: real ones give up, too.
const LONGEST_CHAIN: usize = 64;

/// Which SOA a negative answer carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum NegativeSoa {
    /// That of the closest zone among the records; without one, that of Azure's public zone of the last
    /// two labels.
    #[default]
    Closest,
    /// That of the public zone around the privatelink zone: with fallback to the internet, Azure's public
    /// servers answer, even where a private zone is linked.
    Public,
    /// None: some servers and forwarders strip the section.
    None,
}

/// The sections of an answer, before any fault.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) code: ResponseCode,
    pub(crate) answers: Vec<Record>,
    pub(crate) authorities: Vec<Record>,
}

/// Answers as a recursive resolver does: the whole chain of aliases in the answer section, and the
/// RCODE of its last name (RFC 6604 section 3), also when that is NXDOMAIN.
pub(crate) fn answer(
    records: &Records,
    soa: NegativeSoa,
    asked: &Name,
    kind: RecordType,
) -> Answer {
    let mut answers: Vec<Record> = Vec::new();
    let mut last = asked.clone();
    loop {
        let found = records.of(&last, kind).cloned().map(|mut record| {
            // In the case of the question: real servers answer so, since they compress names.
            record.name = last.clone();
            record
        });
        let before = answers.len();
        answers.extend(found);
        if answers.len() > before {
            return positive(answers);
        }
        let Some((alias, target)) = records.alias(&last) else {
            break;
        };
        let is_circle = answers.iter().any(|record| record.name == *target) || *target == last;
        let mut alias = alias.clone();
        alias.name = last;
        last = target.clone();
        answers.push(alias);
        if is_circle || answers.len() >= LONGEST_CHAIN {
            return positive(answers);
        }
    }
    let code = if records.exists(&last) {
        ResponseCode::NoError
    } else {
        ResponseCode::NXDomain
    };
    Answer {
        code,
        answers,
        authorities: negative_authority(records, soa, &last),
    }
}

/// The answer that gives `asked` the alias `target` and nothing else.
pub(crate) fn alias(asked: &Name, target: Name) -> Record {
    let target = RData::CNAME(hickory_proto::rr::rdata::CNAME(target));
    Record::from_rdata(asked.clone(), 60, target)
}

fn positive(answers: Vec<Record>) -> Answer {
    Answer {
        code: ResponseCode::NoError,
        answers,
        authorities: Vec::new(),
    }
}

fn negative_authority(records: &Records, soa: NegativeSoa, last: &Name) -> Vec<Record> {
    let public = |labels: usize| {
        let zone = last.trim_to(labels.min(usize::from(last.num_labels())));
        records::azure_soa(zone.to_lowercase(), false).ok()
    };
    let soa = match soa {
        NegativeSoa::None => None,
        NegativeSoa::Public => public(labels_after_privatelink(last).unwrap_or(2)),
        NegativeSoa::Closest => records.zone_of(last).cloned().or_else(|| public(2)),
    };
    soa.into_iter().collect()
}

/// How many labels follow the privatelink label of `name`.
fn labels_after_privatelink(name: &Name) -> Option<usize> {
    let mut labels = name.iter().rev();
    labels.position(|label| label.starts_with(b"privatelink"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::records::RecordLine;

    fn ask(lines: &[&str], asked: &str, kind: RecordType) -> Answer {
        let lines: Vec<RecordLine> = lines
            .iter()
            .map(|line| RecordLine::try_from((*line).to_owned()).expect("a record"))
            .collect();
        let asked = Name::from_ascii(asked).expect("a name");
        answer(&lines.iter().collect(), NegativeSoa::Closest, &asked, kind)
    }

    fn shown(records: &[Record]) -> Vec<String> {
        records
            .iter()
            .map(|record| format!("{} {}", record.name, record.data))
            .collect()
    }

    #[test]
    fn the_whole_chain_comes_before_the_address() {
        let answer = ask(
            &[
                "a.test CNAME b.test",
                "b.test CNAME c.test",
                "c.test A 127.0.2.1",
            ],
            "A.test.",
            RecordType::A,
        );
        assert_eq!(answer.code, ResponseCode::NoError);
        assert_eq!(
            shown(&answer.answers),
            ["A.test. b.test.", "b.test. c.test.", "c.test. 127.0.2.1"]
        );
        assert_eq!(answer.authorities, []);
    }

    #[test]
    fn a_chain_that_ends_nowhere_keeps_its_aliases_beside_nxdomain() {
        let answer = ask(
            &[
                "kv.vault.test CNAME kv.privatelink.test",
                "privatelink.test SOA private",
            ],
            "kv.vault.test.",
            RecordType::AAAA,
        );
        assert_eq!(answer.code, ResponseCode::NXDomain);
        assert_eq!(
            shown(&answer.answers),
            ["kv.vault.test. kv.privatelink.test."]
        );
        let soa = shown(&answer.authorities).join("");
        assert!(
            soa.starts_with("privatelink.test. azureprivatedns.net."),
            "{soa}"
        );
    }

    #[test]
    fn a_name_with_other_records_or_names_below_it_has_no_data_instead() {
        let records = &["a.b.test TXT hello"];
        for asked in ["a.b.test.", "b.test."] {
            let answer = ask(records, asked, RecordType::A);
            assert_eq!(answer.code, ResponseCode::NoError, "{asked}");
            assert_eq!(answer.answers, [], "{asked}");
        }
        assert_eq!(
            ask(records, "c.b.test.", RecordType::A).code,
            ResponseCode::NXDomain
        );
    }

    #[test]
    fn without_a_zone_the_authority_is_azures_public_one_for_two_labels() {
        let answer = ask(&[], "x.privatelink.westeurope.azmk8s.io.", RecordType::A);
        let soa = shown(&answer.authorities).join("");
        assert!(soa.starts_with("azmk8s.io. ns1-01.azure-dns.com."), "{soa}");
    }

    #[test]
    fn a_zone_answers_for_its_own_soa() {
        let answer = ask(&["z.test SOA private"], "z.test.", RecordType::SOA);
        assert_eq!(answer.answers.len(), 1);
        assert_eq!(answer.authorities, []);
    }

    #[test]
    fn a_loop_of_aliases_ends() {
        let lines = &[
            "a.test CNAME b.test",
            "b.test CNAME a.test",
            "c.test CNAME c.test",
        ];
        assert_eq!(ask(lines, "a.test.", RecordType::A).answers.len(), 2);
        assert_eq!(ask(lines, "c.test.", RecordType::A).answers.len(), 1);
    }
}
