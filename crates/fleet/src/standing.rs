//! Standing: how targets that somebody declared stand on all nodes, for the status of what declares them.

use std::collections::BTreeMap;
use std::sync::Arc;

use privatelink_verdict::reason::Reason;
use privatelink_verdict::verdict::Outcome;

use crate::pattern::SAMPLES;
use crate::table::TargetNumbers;
use crate::{Fleet, Moment, View};

/// How the targets of one declaration stand on all nodes. A node counts once, as its worst target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Nodes on which all of them pass.
    pub passing: u32,
    /// Nodes on which one warns and none fails.
    pub warning: u32,
    /// Nodes on which one fails, as a second probe in a row confirmed.
    pub failing: u32,
    /// Nodes on which one fails, perhaps: no second probe has said so yet, or nothing was heard since.
    pub unsure: u32,
    /// Nodes of which it is not known, because no agent covers them or has judged any of the targets lately.
    pub unknown: u32,
    /// Why they do not pass, and on how many nodes: failures first, then the commonest.
    pub reasons: Vec<(Outcome, Reason, u32)>,
    /// At most five of the nodes with the first of these reasons.
    pub samples: Vec<Arc<str>>,
    /// Since when the first node has the worst outcome.
    pub since: Option<Moment>,
}

impl Standing {
    /// How many nodes there are.
    pub const fn nodes(&self) -> u32 {
        self.passing + self.warning + self.failing + self.unsure + self.unknown
    }

    /// Why the targets do not pass, on most of the nodes where they are worst.
    pub fn worst(&self) -> Option<(Outcome, Reason)> {
        let (outcome, reason, _) = self.reasons.first()?;
        Some((*outcome, *reason))
    }
}

impl Fleet {
    /// How each of `declarations`, which is a list of names of targets, stands on all nodes.
    pub fn standings(&self, declarations: &[Vec<String>], now: Moment) -> Vec<Standing> {
        let names = declarations.iter().enumerate();
        let declared = names.flat_map(|(at, names)| names.iter().map(move |name| (&**name, at)));
        let mut counting = Counting {
            declared: declared.collect(),
            numbers: TargetNumbers::default(),
            of_number: Vec::new(),
            drafts: declarations.iter().map(|_| Draft::default()).collect(),
        };
        for seen in self.seen(now) {
            counting.add(&seen.node.name, seen.view, seen.is_covered());
        }
        counting.drafts.into_iter().map(Draft::finish).collect()
    }
}

struct Counting<'a> {
    /// Which declaration has the target of this name.
    declared: BTreeMap<&'a str, usize>,
    numbers: TargetNumbers<'a>,
    /// The same by the numbers of targets.
    of_number: Vec<Option<usize>>,
    drafts: Vec<Draft<'a>>,
}

#[derive(Default)]
struct Draft<'a> {
    standing: Standing,
    reasons: BTreeMap<(Outcome, Reason), OnNodes<'a>>,
    /// Of the node that is being counted.
    worst: Option<Worst>,
}

/// The nodes that have one reason.
struct OnNodes<'a> {
    count: u32,
    /// Some of them.
    samples: Vec<&'a Arc<str>>,
    /// Since when the first of them has it.
    since: Moment,
}

/// What the worst target of a node is.
#[derive(Clone, Copy)]
struct Worst {
    judged: (Outcome, Reason),
    is_sure: bool,
    since: Moment,
}

impl<'a> Counting<'a> {
    fn add(&mut self, node: &'a Arc<str>, view: Option<&'a View>, is_covered: bool) {
        for (position, cell) in view.iter().flat_map(|view| &view.cells).enumerate() {
            let number = self.numbers.of(&cell.target, position);
            if number == self.of_number.len() {
                let declaration = self.declared.get(&*cell.target.name);
                self.of_number.push(declaration.copied());
            }
            let Some(declaration) = self.of_number[number] else {
                continue;
            };
            let Some(judged) = cell.judged else { continue };
            let is_fresh = is_covered && !cell.is_stale;
            if !is_fresh && judged.0 != Outcome::Fail {
                continue;
            }
            let is_sure = is_fresh && (cell.is_confirmed || judged.0 != Outcome::Fail);
            let worst = &mut self.drafts[declaration].worst;
            if worst.is_none_or(|before| (before.judged.0, before.is_sure) < (judged.0, is_sure)) {
                let since = cell.since;
                *worst = Some(Worst {
                    judged,
                    is_sure,
                    since,
                });
            }
        }
        for draft in &mut self.drafts {
            draft.count(node);
        }
    }
}

impl<'a> Draft<'a> {
    fn count(&mut self, node: &'a Arc<str>) {
        let standing = &mut self.standing;
        let Some(worst) = self.worst.take() else {
            standing.unknown += 1;
            return;
        };
        match worst.judged.0 {
            Outcome::Pass => {
                standing.passing += 1;
                return;
            }
            Outcome::Warn => standing.warning += 1,
            Outcome::Fail if !worst.is_sure => {
                standing.unsure += 1;
                return;
            }
            Outcome::Fail => standing.failing += 1,
        }
        let of_reason = self.reasons.entry(worst.judged);
        let of_reason = of_reason.or_insert_with(|| OnNodes {
            count: 0,
            samples: Vec::new(),
            since: worst.since,
        });
        of_reason.count += 1;
        of_reason.since = worst.since.min(of_reason.since);
        if of_reason.samples.len() < SAMPLES {
            of_reason.samples.push(node);
        }
    }

    fn finish(mut self) -> Standing {
        let mut reasons: Vec<_> = self.reasons.into_iter().collect();
        reasons.sort_by_key(|((outcome, _), of)| std::cmp::Reverse((*outcome, of.count)));
        if let Some(((worst, _), of_first)) = reasons.first() {
            let samples = of_first.samples.iter();
            self.standing.samples = samples.map(|node| Arc::clone(node)).collect();
            let as_bad = reasons.iter().filter(|((outcome, _), _)| outcome == worst);
            self.standing.since = as_bad.map(|(_, of)| of.since).min();
        }
        let reasons = reasons.into_iter();
        self.standing.reasons = reasons
            .map(|((outcome, reason), of)| (outcome, reason, of.count))
            .collect();
        self.standing
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use privatelink_verdict::target::Expectation;

    use super::*;
    use crate::{Cell, Coverage, FleetTarget, Node, Traits};

    const NOW: Moment = Moment(1_796_000_000);

    const PASS: Option<(Outcome, Reason)> = Some((Outcome::Pass, Reason::Ok));
    const PUBLIC: Option<(Outcome, Reason)> = Some((Outcome::Fail, Reason::PublicFallback));
    const SILENT: Option<(Outcome, Reason)> = Some((Outcome::Fail, Reason::DnsTimeout));
    const EXPIRING: Option<(Outcome, Reason)> =
        Some((Outcome::Warn, Reason::TlsCertificateExpiring));

    fn cell(name: &str, judged: Option<(Outcome, Reason)>, age: u32) -> Cell {
        Cell {
            target: Arc::new(FleetTarget {
                name: name.to_owned(),
                host: "kv.vault.azure.net".to_owned(),
                service: "key-vault".to_owned(),
                users: None,
            }),
            judged,
            since: Moment(NOW.0 - age),
            is_confirmed: age > 30,
            is_stale: false,
            expect: Expectation::PrivateEndpoint,
            paths: crate::CellPaths::default(),
        }
    }

    /// A fleet of nodes with these cells; `None` for a node without an agent.
    fn fleet(nodes: Vec<(&str, Option<Vec<Cell>>)>) -> Fleet {
        let mut fleet = Fleet::default();
        let members = nodes.iter().map(|(name, _)| Node {
            name: (*name).into(),
            traits: Traits::default(),
            joined: None,
            coverage: Coverage::Covered,
        });
        fleet.set_nodes(members.collect(), NOW);
        for (name, cells) in nodes {
            let Some(cells) = cells else { continue };
            let view = View {
                version: "1".into(),
                agent_started: NOW,
                config_hash: "1".into(),
                config_loaded: true,
                cells,
            };
            assert!(fleet.set_view(name, view, NOW));
        }
        fleet
    }

    fn standings(fleet: &Fleet, declarations: &[&[&str]]) -> Vec<Standing> {
        let declarations = declarations.iter();
        let names = declarations.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        fleet.standings(&names.collect::<Vec<_>>(), NOW)
    }

    #[test]
    fn a_node_counts_once_as_its_worst_target() {
        let fleet = fleet(vec![
            (
                "a",
                Some(vec![
                    cell("s:acr", PASS, 900),
                    cell("s:acr:data:weu", PASS, 900),
                ]),
            ),
            (
                "b",
                Some(vec![
                    cell("s:acr", PASS, 900),
                    cell("s:acr:data:weu", PUBLIC, 60),
                ]),
            ),
            (
                "c",
                Some(vec![
                    cell("s:acr", PUBLIC, 90),
                    cell("s:acr:data:weu", EXPIRING, 900),
                ]),
            ),
            ("d", Some(vec![cell("s:acr", EXPIRING, 900)])),
            ("e", Some(vec![cell("s:acr", SILENT, 70)])),
        ]);
        let [acr] = &standings(&fleet, &[&["s:acr", "s:acr:data:weu"]])[..] else {
            panic!("one declaration");
        };
        assert_eq!(
            (acr.passing, acr.warning, acr.failing, acr.unknown),
            (1, 1, 3, 0)
        );
        let reasons = [
            (Outcome::Fail, Reason::PublicFallback, 2),
            (Outcome::Fail, Reason::DnsTimeout, 1),
            (Outcome::Warn, Reason::TlsCertificateExpiring, 1),
        ];
        assert_eq!(acr.reasons, reasons);
        assert_eq!(acr.samples, ["b".into(), "c".into()]);
        assert_eq!(acr.since, Some(Moment(NOW.0 - 90)));
    }

    #[test]
    fn a_node_without_a_fresh_verdict_is_unknown() {
        let fleet = fleet(vec![
            ("no-agent", None),
            ("other-targets", Some(vec![cell("s:other", PASS, 900)])),
            ("not-probed", Some(vec![cell("s:kv", None, 0)])),
            ("stale", Some(vec![stale(PASS)])),
        ]);
        let expected = Standing {
            unknown: 4,
            ..Standing::default()
        };
        assert_eq!(standings(&fleet, &[&["s:kv"]]), [expected]);
    }

    fn stale(judged: Option<(Outcome, Reason)>) -> Cell {
        Cell {
            is_stale: true,
            ..cell("s:kv", judged, 900)
        }
    }

    #[test]
    fn a_failure_that_was_not_confirmed_or_not_heard_of_since_is_not_sure() {
        let mut fleet = fleet(vec![
            ("one-probe", Some(vec![cell("s:kv", PUBLIC, 10)])),
            ("stale", Some(vec![stale(PUBLIC)])),
            ("silent", Some(vec![cell("s:kv", PUBLIC, 900)])),
        ]);
        let later = NOW.after(Fleet::STALE_AFTER).after(Duration::from_secs(1));
        assert!(fleet.confirm_view("one-probe", later) && fleet.confirm_view("stale", later));
        let names = [vec!["s:kv".to_owned()], vec!["s:none".to_owned()]];
        let found = fleet.standings(&names, later);
        assert_eq!((found[0].failing, found[0].unsure), (0, 3));
        assert_eq!(found[0].worst(), None);
        assert_eq!((found[1].nodes(), found[1].unknown), (3, 3));
    }
}
