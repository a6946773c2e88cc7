//! Probe: a target and the facts of one probe, as a test words them: healthy unless it says otherwise.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ipnet::IpNet;
use privatelink_verdict::address::{Family, Rules};
use privatelink_verdict::catalogue;
use privatelink_verdict::fact::Fact;
use privatelink_verdict::history::History;
use privatelink_verdict::judge::judge;
use privatelink_verdict::observation::{
    Address, AgentFault, Comparison, Observation, Query, QueryOutcome, Resolution, Soa, Timing,
    ZoneEvidence,
};
use privatelink_verdict::reason::{Reason, Severity};
use privatelink_verdict::surroundings::{Companion, Neighbour, OtherNames, Surroundings};
use privatelink_verdict::target::{Expectation, Protocol, Source, Target};
use privatelink_verdict::verdict::{Outcome, Verdict};
use privatelink_verdict::zone::{ZoneAuthority, zone_authority};

use crate::observed::{Change, connected, nodata, undialled};

pub(crate) const VAULT: &str = "kv-prod.vault.azure.net";
pub(crate) const VAULT_ALIAS: &str = "kv-prod.privatelink.vaultcore.azure.net";
pub(crate) const VAULT_ZONE: &str = "privatelink.vaultcore.azure.net";
/// The name that the alias has in public DNS.
pub(crate) const VAULT_PUBLIC: &str = "data-prod-weu.vaultcore.azure.net";

/// A target and the facts of one probe of it.
#[derive(Clone)]
pub(crate) struct Probe {
    pub(crate) target: Target,
    chain: Vec<String>,
    addresses: Vec<IpAddr>,
    asked: Vec<(Family, Query)>,
    resolution: Resolution,
    others: Vec<(bool, Probe)>,
    earlier: Vec<Vec<IpAddr>>,
    connections: Vec<(Option<IpAddr>, Change)>,
    fault: Option<AgentFault>,
    proxy: Option<&'static str>,
    surroundings: Surroundings,
    checked_at: SystemTime,
}

impl Probe {
    /// A host that the catalogue may know, expected behind a private endpoint.
    pub(crate) fn of(host: &str) -> Self {
        let service = catalogue::lookup(host).map(|found| found.service);
        Self {
            target: Target {
                name: host.to_owned(),
                host: host.to_owned(),
                port: 443,
                protocol: Protocol::Tls,
                dns_only: false,
                service,
                source: Source::Config,
                expect: Expectation::PrivateEndpoint,
                rules: Arc::default(),
                families: &[Family::Ipv4, Family::Ipv6],
                resolver: "pod".into(),
                interval: Duration::from_secs(30),
                timeout: Duration::from_secs(10),
                server_name: None,
                http: false,
                private_zone: None,
                expiry_warning: Duration::from_hours(336),
                companions: Vec::new(),
                owner: None,
                users: None,
            },
            chain: Vec::new(),
            addresses: Vec::new(),
            asked: Vec::new(),
            resolution: Resolution::default(),
            others: Vec::new(),
            earlier: Vec::new(),
            connections: Vec::new(),
            fault: None,
            proxy: None,
            surroundings: Surroundings::default(),
            checked_at: SystemTime::UNIX_EPOCH,
        }
    }

    /// The vault whose alias resolves to a private address: a probe without anything to find.
    pub(crate) fn healthy_vault() -> Self {
        Self::of(VAULT).via([VAULT_ALIAS]).resolves_to(["10.1.2.3"])
    }

    /// The vault whose alias ends in public DNS.
    pub(crate) fn public_vault() -> Self {
        Self::of(VAULT)
            .via([VAULT_ALIAS, VAULT_PUBLIC])
            .resolves_to(["52.168.109.101"])
    }

    /// Beside a target of the same service that came to this.
    pub(crate) fn beside_companion(
        mut self,
        target: &str,
        outcome: Outcome,
        reason: Reason,
    ) -> Self {
        let target = target.to_owned();
        self.surroundings.companions.push(Companion {
            target,
            outcome,
            reason,
        });
        self
    }

    /// The same resolver was asked for the names of so many other targets, and answered so many of them.
    pub(crate) fn beside_names(mut self, asked: usize, answered: usize) -> Self {
        self.surroundings.other_names = OtherNames { asked, answered };
        self
    }

    /// Beside another endpoint, which answers or does not.
    pub(crate) fn beside_endpoint(mut self, address: &str, answers: bool) -> Self {
        self.surroundings.neighbours.push(Neighbour {
            ip: ip(address),
            answers,
        });
        self
    }

    pub(crate) fn expecting(mut self, expect: Expectation) -> Self {
        self.target.expect = expect;
        self
    }

    pub(crate) fn expected_in<const N: usize>(mut self, nets: [&str; N]) -> Self {
        self.rules().expected = nets.map(net).to_vec();
        self
    }

    pub(crate) fn denying(mut self, denied: &str) -> Self {
        self.rules().denied.push(net(denied));
        self
    }

    pub(crate) fn asking_only(mut self, family: Family) -> Self {
        self.target.families = match family {
            Family::Ipv4 => &[Family::Ipv4],
            Family::Ipv6 => &[Family::Ipv6],
        };
        self
    }

    pub(crate) fn with_private_zone(mut self, zone: &str) -> Self {
        self.target.private_zone = Some(zone.to_owned());
        self
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut Target)) -> Self {
        change(&mut self.target);
        self
    }

    /// The target's rules, to change them.
    pub(crate) fn rules(&mut self) -> &mut Rules {
        Arc::make_mut(&mut self.target.rules)
    }

    /// The resolver that is asked.
    pub(crate) fn by(mut self, resolver: &str) -> Self {
        self.target.resolver = resolver.into();
        self
    }

    /// The names of the chain after the host.
    pub(crate) fn via<const N: usize>(mut self, names: [&str; N]) -> Self {
        self.chain = names.map(str::to_owned).to_vec();
        self
    }

    /// The addresses of both families; a family without any has no data.
    pub(crate) fn resolves_to<const N: usize>(mut self, addresses: [&str; N]) -> Self {
        self.addresses = addresses.map(ip).to_vec();
        self
    }

    /// What became of the A query, whatever the addresses are.
    pub(crate) fn a(self, query: Query) -> Self {
        self.asked(Family::Ipv4, query)
    }

    /// What became of the AAAA query.
    pub(crate) fn aaaa(self, query: Query) -> Self {
        self.asked(Family::Ipv6, query)
    }

    /// What became of both.
    pub(crate) fn both(self, query: Query) -> Self {
        self.a(query.clone()).aaaa(query)
    }

    fn asked(mut self, family: Family, mut query: Query) -> Self {
        query.family = family;
        self.asked.push((family, query));
        self
    }

    /// What the resolver said when asked for the SOA of the zone.
    pub(crate) fn asked_for_soa(mut self, soa: Option<Soa>) -> Self {
        self.resolution.evidence.zone = Some(Arc::new(ZoneEvidence {
            zone: "the one asked for".to_owned(),
            outcome: soa
                .as_ref()
                .map_or(QueryOutcome::Timeout, |_| QueryOutcome::Nodata),
            soa: soa.map(Arc::new),
            checked_at: SystemTime::UNIX_EPOCH,
        }));
        self
    }

    pub(crate) fn evidence(mut self, change: impl FnOnce(&mut Resolution)) -> Self {
        change(&mut self.resolution);
        self
    }

    /// Another resolver's view, of which a difference is a finding.
    pub(crate) fn must_agree_with(mut self, other: Self) -> Self {
        self.others.push((true, other));
        self
    }

    /// Another resolver's view, which may differ.
    pub(crate) fn may_differ_from(mut self, other: Self) -> Self {
        self.others.push((false, other));
        self
    }

    /// The answers of earlier probes, oldest first; empty where there was none.
    pub(crate) fn after<const N: usize>(mut self, earlier: [&[&str]; N]) -> Self {
        for answer in earlier {
            self.earlier
                .push(answer.iter().map(|text| ip(text)).collect());
        }
        self
    }

    /// Completed so many seconds after the earlier probes.
    pub(crate) fn seconds_later(mut self, seconds: u64) -> Self {
        self.checked_at = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        self
    }

    /// Changes what became of connecting to one address.
    pub(crate) fn at(mut self, address: &str, change: Change) -> Self {
        self.connections.push((Some(ip(address)), change));
        self
    }

    /// Changes what became of connecting to every address.
    pub(crate) fn everywhere(mut self, change: Change) -> Self {
        self.connections.push((None, change));
        self
    }

    pub(crate) fn at_fault(mut self, operation: &str, cause: &str) -> Self {
        self.fault = Some(AgentFault {
            operation: operation.to_owned(),
            cause: cause.to_owned(),
        });
        self
    }

    pub(crate) fn behind_proxy(mut self, variable: &'static str) -> Self {
        self.proxy = Some(variable);
        self
    }

    pub(crate) fn resolution(&self) -> Resolution {
        let queries: Vec<Query> = match self.fault {
            Some(_) => Vec::new(),
            None => self.families().map(|family| self.query(family)).collect(),
        };
        let addresses = queries.iter().flat_map(|query| &query.addresses);
        let addresses = addresses
            .map(|(ip, ttl)| Address {
                ip: *ip,
                class: self.target.rules.classify(*ip),
                ttl: *ttl,
            })
            .collect();
        Resolution {
            resolver: self.target.resolver.clone(),
            queries,
            addresses,
            ..self.resolution.clone()
        }
    }

    fn families(&self) -> impl Iterator<Item = Family> {
        self.target.families.iter().copied()
    }

    fn query(&self, family: Family) -> Query {
        let mut asked = self.asked.iter().rev();
        let given = asked.find(|(of, _)| *of == family);
        let mut query = given.map_or_else(nodata, |(_, query)| query.clone());
        query.family = family;
        if query.chain.is_empty() && !query.outcome.is_failure() {
            query.chain = [self.target.host.clone()]
                .into_iter()
                .chain(self.chain.clone())
                .collect();
        }
        let of_family = |ip: &&IpAddr| ip.is_ipv4() == (family == Family::Ipv4);
        if given.is_none() || query.outcome == QueryOutcome::Answer {
            query.addresses = self
                .addresses
                .iter()
                .filter(of_family)
                .map(|ip| (*ip, 10))
                .collect();
            if !query.addresses.is_empty() {
                query.outcome = QueryOutcome::Answer;
            }
        }
        query
    }

    pub(crate) fn observation(&self) -> Observation {
        let resolution = self.resolution();
        let connections = resolution.addresses.iter().map(|address| {
            let mut connection = if self.target.rules.may_dial(address.ip) {
                connected(address.ip)
            } else {
                undialled(address.ip)
            };
            for (ip, change) in &self.connections {
                if ip.is_none_or(|ip| ip == address.ip) {
                    change(&mut connection);
                }
            }
            connection
        });
        Observation {
            checked_at: self.checked_at,
            timing: Timing::default(),
            fault: self.fault.clone().map(Box::new),
            connections: connections.collect(),
            comparisons: self
                .others
                .iter()
                .map(|(must_agree, other)| Comparison {
                    must_agree: *must_agree,
                    resolution: other.resolution(),
                    checked_at: other.checked_at,
                })
                .collect(),
            proxy: self.proxy,
            resolution,
        }
    }

    pub(crate) fn history(&self) -> History {
        let mut history = History::default();
        for addresses in &self.earlier {
            let mut probe = self.clone();
            probe.addresses.clone_from(addresses);
            probe.asked.clear();
            history.record(&probe.observation());
        }
        history
    }

    pub(crate) fn verdict(&self) -> Verdict {
        judge(
            &self.target,
            &self.observation(),
            &self.history(),
            &self.surroundings,
        )
    }

    /// Every finding's reason and severity, in the verdict's order.
    pub(crate) fn findings(&self) -> Vec<(Reason, Severity)> {
        let findings = self.verdict().findings;
        findings.iter().map(|f| (f.reason, f.severity)).collect()
    }

    /// The facts of the finding of `reason`, which there must be.
    pub(crate) fn facts(&self, reason: Reason) -> Vec<Fact> {
        let verdict = self.verdict();
        let found = verdict.findings.iter().find(|f| f.reason == reason);
        let found = found.unwrap_or_else(|| panic!("no {reason} in {verdict:#?}"));
        found.facts.clone()
    }

    pub(crate) fn authority(&self) -> ZoneAuthority {
        zone_authority(&self.target, &self.observation())
    }
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse()
        .unwrap_or_else(|_| panic!("not an address: {text}"))
}

pub(crate) fn net(text: &str) -> IpNet {
    text.parse()
        .unwrap_or_else(|_| panic!("not a network: {text}"))
}
