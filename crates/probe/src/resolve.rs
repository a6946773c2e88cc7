//! Resolve: what a resolver says of a name, per family, and the evidence asked for on trouble.

mod kept;

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use futures_util::future::join_all;
use hickory_proto::rr::{Name, RecordType};
use privatelink_verdict::address::{Family, Rules};
use privatelink_verdict::names::Names;
use privatelink_verdict::observation::{
    Address, AgentFault, NameEvidence, Query, QueryOutcome, QueryTrouble, Rcode, Resolution,
    SrvEvidence, ZoneEvidence,
};
use privatelink_verdict::sanitize::sentence;
use tokio::time::Instant;
use tracing::debug;
use tracing::field::{debug as debug_value, display as display_value};

use super::exchange::{Exchange, ExchangeResult};
use super::nameserver::Nameservers;
use super::rate_limit::DnsBudget;

/// RFC 1035 section 4.1.1.
const SERVFAIL: Rcode = Rcode(2);

/// A resolver, ready to be asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct ResolverClient<'a> {
    /// Its name.
    pub resolver: &'a Arc<str>,
    /// Its servers and options.
    pub nameservers: &'a Nameservers,
    /// What it may spend.
    pub budget: DnsBudget<'a>,
}

impl ResolverClient<'_> {
    /// Asks for the addresses of `host`, which is absolute if it has a dot; without one, it is
    /// completed from the search list, as the C library does.
    pub(super) async fn find(
        &self,
        host: &str,
        families: &[Family],
        rules: &Rules,
        deadline: Instant,
    ) -> Result<Resolution, AgentFault> {
        let edns = self.nameservers.edns;
        if !host.contains('.') {
            for domain in &self.nameservers.search {
                let name = format!("{host}.{domain}");
                let found = self.resolve(&name, families, rules, edns, deadline).await?;
                let failed = found.outcome().is_some_and(QueryOutcome::is_failure);
                if found.answered() || failed {
                    return Ok(found);
                }
            }
        }
        self.resolve(host, families, rules, edns, deadline).await
    }

    /// Asks for every family's addresses of the absolute name `host`, at once, until `deadline`.
    pub(super) async fn resolve(
        &self,
        host: &str,
        families: &[Family],
        rules: &Rules,
        edns: bool,
        deadline: Instant,
    ) -> Result<Resolution, AgentFault> {
        let name = absolute(host)?;
        let name = &name;
        let exchanges = families.iter().map(|family| async move {
            self.ask(name, record_type(*family), edns, deadline).await
        });
        let exchanged = join_all(exchanges).await;
        resolution(self.resolver, host, families, rules, exchanged)
    }

    /// Asks for the SOA of `zone`.
    pub(super) async fn zone(&self, zone: &str, deadline: Instant) -> Option<ZoneEvidence> {
        let name = absolute(zone).ok()?;
        let exchanged = self
            .ask(&name, RecordType::SOA, self.nameservers.edns, deadline)
            .await;
        Some(zone_evidence(zone, exchanged))
    }

    /// Asks for the IPv4 addresses of another name than the host, as evidence.
    pub(super) async fn name(
        &self,
        name: &str,
        rules: &Rules,
        deadline: Instant,
    ) -> Option<NameEvidence> {
        let asked = absolute(name).ok()?;
        let exchanged = self
            .ask(&asked, RecordType::A, self.nameservers.edns, deadline)
            .await;
        Some(name_evidence(name, exchanged, rules))
    }

    /// Asks for the SRV records of `name`.
    pub(super) async fn srv(&self, name: &str, deadline: Instant) -> Option<SrvEvidence> {
        let asked = absolute(name).ok()?;
        let edns = self.nameservers.edns;
        let exchanged = self.ask(&asked, RecordType::SRV, edns, deadline).await;
        Some(srv_evidence(name, exchanged))
    }

    /// What the relative name `host` leads to through the search list, where it leads elsewhere
    /// than to `known`: the C library asks the search list first for a name with few dots. The outer
    /// option is `None` where nothing could be learnt.
    pub(super) async fn search(
        &self,
        host: &str,
        families: &[Family],
        known: &[IpAddr],
        rules: &Rules,
        deadline: Instant,
    ) -> Option<Option<NameEvidence>> {
        if host.matches('.').count() >= self.nameservers.ndots {
            return Some(None);
        }
        debug!("evidence: ask for the name completed from the search list");
        for domain in &self.nameservers.search {
            let name = format!("{host}.{domain}");
            let asked = absolute(&name).ok()?;
            for family in families {
                let kind = record_type(*family);
                let exchanged = self
                    .ask(&asked, kind, self.nameservers.edns, deadline)
                    .await;
                let rcode = exchanged.rcode;
                let evidence = name_evidence(&name, exchanged, rules);
                if !evidence.addresses.is_empty() {
                    let elsewhere = evidence.addresses.iter().any(|ip| !known.contains(ip));
                    return Some(elsewhere.then_some(evidence));
                }
                match evidence.outcome {
                    // glibc asks for the next domain then too (`__res_context_search`); musl gives up.
                    QueryOutcome::ServerFailure if rcode == Some(SERVFAIL) => break,
                    outcome if outcome.is_failure() => return None,
                    // It denies the name, whatever the type (RFC 8020): the common case takes one message.
                    QueryOutcome::Nxdomain => break,
                    _ => {}
                }
            }
        }
        Some(None)
    }

    async fn ask(
        &self,
        name: &Name,
        kind: RecordType,
        edns: bool,
        deadline: Instant,
    ) -> ExchangeResult {
        let ResolverClient {
            nameservers,
            budget,
            ..
        } = *self;
        let exchanged = Exchange {
            name,
            kind,
            edns,
            nameservers,
            deadline,
            budget,
        }
        .run()
        .await;
        let reply = exchanged.reply.as_ref();
        debug!(
            resolver = &**self.resolver,
            %name,
            "type" = %kind,
            edns,
            server = exchanged.server.map(display_value),
            transport = exchanged.transport.as_str(),
            outcome = exchanged.outcome.as_str(),
            rcode = exchanged.rcode.map(display_value),
            tries = exchanged.tries,
            elapsed = ?exchanged.elapsed,
            chain = reply.map(|reply| debug_value(&reply.chain)),
            addresses = reply.map(|reply| debug_value(kept::first(&reply.addresses))),
            ignored_owner = reply.and_then(|reply| reply.ignored_owner.as_deref()),
            soa = reply.and_then(|reply| reply.soa.as_ref()).map(debug_value),
            detail = exchanged.detail.as_deref().map(|text| display_value(sentence(text))),
            "dns query"
        );
        exchanged
    }
}

/// What the exchanges for the addresses of `host` come to, one for each of `families`.
pub(super) fn resolution(
    resolver: &Arc<str>,
    host: &str,
    families: &[Family],
    rules: &Rules,
    mut exchanged: Vec<ExchangeResult>,
) -> Result<Resolution, AgentFault> {
    let left_out: Vec<_> = exchanged
        .iter_mut()
        .map(|exchanged| kept::leave_out(exchanged, rules))
        .collect();
    // A family that could not be asked for want of a descriptor says nothing about its server.
    if let Some(cause) = exchanged.iter().find_map(|e| e.fault.clone()) {
        return Err(AgentFault {
            operation: format!("ask for {host}"),
            cause,
        });
    }
    let mut queries: Vec<Query> = families
        .iter()
        .zip(exchanged)
        .map(|(family, exchanged)| query(host, *family, exchanged))
        .collect();
    if let [first, others @ ..] = &mut queries[..] {
        for query in others {
            share_chain(query, &first.chain);
        }
    }
    // They are kept, so that room for more would be, too.
    let mut addresses = Vec::with_capacity(queries.iter().map(|query| query.addresses.len()).sum());
    let answered = queries.iter().flat_map(|query| &query.addresses);
    addresses.extend(answered.map(|(ip, ttl)| Address {
        ip: *ip,
        class: rules.classify(*ip),
        ttl: *ttl,
    }));
    for Address { ip, class, ttl } in &addresses {
        debug!(
            resolver = &**resolver,
            %ip,
            class = class.as_str(),
            ttl,
            "address classified"
        );
    }
    Ok(Resolution {
        resolver: Arc::clone(resolver),
        queries,
        addresses,
        left_out: kept::total(&left_out),
        ..Resolution::default()
    })
}

/// The hash of the addresses of `resolution`, which does not depend on their order: it is kept of every target, and all
/// that is asked is whether they are the same.
pub(super) fn hash_of_addresses(resolution: &Resolution) -> u64 {
    let mut addresses: Vec<IpAddr> = resolution.addresses.iter().map(|a| a.ip).collect();
    addresses.sort_unstable();
    let mut hash = DefaultHasher::new();
    addresses.hash(&mut hash);
    hash.finish()
}

/// Whether an answer is lost: what `resolution` has is not all that the target has then.
pub(super) fn is_lost(resolution: &Resolution) -> bool {
    let queries = &resolution.queries;
    queries.is_empty() || queries.iter().any(|query| query.outcome.is_failure())
}

pub(super) const fn record_type(family: Family) -> RecordType {
    match family {
        Family::Ipv4 => RecordType::A,
        Family::Ipv6 => RecordType::AAAA,
    }
}

pub(super) fn zone_evidence(zone: &str, exchanged: ExchangeResult) -> ZoneEvidence {
    ZoneEvidence {
        zone: zone.to_owned(),
        outcome: exchanged.outcome,
        soa: exchanged.reply.and_then(|reply| reply.soa).map(Arc::new),
        checked_at: SystemTime::now(),
    }
}

pub(super) fn srv_evidence(name: &str, exchanged: ExchangeResult) -> SrvEvidence {
    SrvEvidence {
        name: name.to_owned(),
        outcome: exchanged.outcome,
        hosts: exchanged.reply.map(|reply| reply.srv).unwrap_or_default(),
        checked_at: SystemTime::now(),
    }
}

pub(super) fn name_evidence(
    name: &str,
    mut exchanged: ExchangeResult,
    rules: &Rules,
) -> NameEvidence {
    kept::leave_out(&mut exchanged, rules);
    let addresses = exchanged
        .reply
        .map(|reply| reply.addresses)
        .unwrap_or_default();
    NameEvidence {
        name: name.to_owned(),
        outcome: exchanged.outcome,
        addresses: addresses.into_iter().map(|(ip, _)| ip).collect(),
        checked_at: SystemTime::now(),
    }
}

/// `host` as an absolute name: never subject to the search list.
pub(super) fn absolute(host: &str) -> Result<Name, AgentFault> {
    let mut name = Name::from_ascii(host).map_err(|error| AgentFault {
        operation: format!("read the name {host}"),
        cause: error.to_string(),
    })?;
    name.set_fqdn(true);
    Ok(name)
}

/// Makes a query that led through the names of another share them with it.
pub(super) fn share_chain(query: &mut Query, chain: &Names) {
    if query.chain == *chain {
        query.chain.clone_from(chain);
    }
}

fn query(host: &str, family: Family, exchanged: ExchangeResult) -> Query {
    let reply = exchanged.reply;
    let trouble = QueryTrouble {
        lost_at: exchanged.lost_at,
        ignored_owner: reply
            .as_ref()
            .and_then(|reply| reply.ignored_owner.as_deref().map(Box::from)),
        extended_errors: reply
            .as_ref()
            .map(|r| r.extended_errors.clone())
            .unwrap_or_default(),
        detail: exchanged.detail.map(String::into_boxed_str),
    };
    Query {
        family,
        server: exchanged.server,
        transport: exchanged.transport,
        outcome: exchanged.outcome,
        rcode: exchanged.rcode,
        flags: reply.as_ref().map(|reply| reply.flags).unwrap_or_default(),
        elapsed: exchanged.elapsed,
        tries: exchanged.tries,
        degraded: exchanged.degraded,
        chain: reply
            .as_ref()
            .map_or_else(|| [host].as_slice().into(), |reply| reply.chain.clone()),
        addresses: reply
            .as_ref()
            .map(|reply| reply.addresses.clone())
            .unwrap_or_default(),
        ttl: reply.as_ref().and_then(|reply| reply.ttl),
        longest_ttl: reply.as_ref().and_then(|reply| reply.longest_ttl),
        trouble: trouble.into(),
        soa: reply.and_then(|reply| reply.soa).map(Arc::new),
    }
}

/// Two things that only a resolv.conf asks for, a search list and EDNS, and answers of any size.
#[cfg(test)]
mod tests {
    use std::time::Duration;

    use privatelink_lab::{RunningWorld, World};
    use privatelink_verdict::address::Class;
    use privatelink_verdict::observation::QueryOutcome;

    use super::*;

    const HOST: &str = "registry.example.com";

    async fn start(dns: &str) -> RunningWorld {
        let world = World::parse(&format!(
            "{{story: x, target: {{host: {HOST}}}, verdict: {{outcome: pass}}, dns: {dns}}}"
        ));
        let running = RunningWorld::start(&world.expect("a world")).await;
        running.expect("a running world")
    }

    fn nameservers(world: &RunningWorld, search: &[&str]) -> Nameservers {
        Nameservers {
            servers: world.dns.clone(),
            search: search.iter().map(|&domain| domain.to_owned()).collect(),
            ndots: 5,
            ..Nameservers::default()
        }
    }

    async fn captured(dns: &str, search: &[&str], ndots: usize) -> Option<NameEvidence> {
        let world = start(dns).await;
        let nameservers = Nameservers {
            ndots,
            ..nameservers(&world, search)
        };
        let client = ResolverClient {
            resolver: &"node".into(),
            nameservers: &nameservers,
            budget: DnsBudget::plenty(),
        };
        let known = [IpAddr::from([127, 0, 1, 1])];
        let deadline = Instant::now() + Duration::from_secs(5);
        let families = [Family::Ipv4, Family::Ipv6];
        let rules = Rules::default();
        let found = client
            .search(HOST, &families, &known, &rules, deadline)
            .await;
        found.flatten()
    }

    #[tokio::test]
    async fn a_wildcard_in_the_search_list_captures_the_relative_name() {
        let dns = "{records: [registry.example.com.corp.test A 127.0.2.1]}";
        let evidence = captured(dns, &["svc.test", "corp.test"], 5).await;
        let evidence = evidence.expect("a capture");
        assert_eq!(evidence.name, "registry.example.com.corp.test");
        assert_eq!(evidence.addresses, [IpAddr::from([127, 0, 2, 1])]);
    }

    #[tokio::test]
    async fn a_search_list_that_leads_nowhere_or_to_the_same_address_captures_nothing() {
        let same = "{records: [registry.example.com.corp.test A 127.0.1.1]}";
        for dns in ["{}", same] {
            assert_eq!(
                captured(dns, &["svc.test", "corp.test"], 5).await,
                None,
                "{dns}"
            );
        }
    }

    #[tokio::test]
    async fn a_name_with_dots_enough_never_meets_the_search_list() {
        let dns = "{records: [registry.example.com.corp.test A 127.0.2.1]}";
        assert_eq!(captured(dns, &["corp.test"], 2).await, None);
        assert!(captured(dns, &["corp.test"], 3).await.is_some());
    }

    #[tokio::test]
    async fn a_search_domain_that_fails_is_passed_over_as_glibc_does() {
        for (then, captures) in [("servfail", true), ("refused", false)] {
            let dns = format!(
                "{{records: [registry.example.com.corp.test A 127.0.2.1], \
                  faults: [{{name: '*.svc.test', then: {then}}}]}}"
            );
            let found = captured(&dns, &["svc.test", "corp.test"], 5).await;
            assert_eq!(found.is_some(), captures, "{then}");
        }
    }

    #[tokio::test]
    async fn an_ipv6_address_alone_captures_too() {
        let dns = "{records: [registry.example.com.svc.test AAAA fd00::99]}";
        let evidence = captured(dns, &["svc.test", "corp.test"], 5).await;
        let evidence = evidence.expect("a capture");
        assert_eq!(
            evidence.addresses,
            ["fd00::99".parse::<IpAddr>().expect("an address")]
        );
    }

    #[tokio::test]
    async fn a_search_domain_that_denies_the_name_is_asked_once() {
        let world = start("{records: [registry.example.com.has.test TXT x]}").await;
        let nameservers = nameservers(&world, &["a.test", "b.test", "has.test"]);
        let client = ResolverClient {
            resolver: &"node".into(),
            nameservers: &nameservers,
            budget: DnsBudget::plenty(),
        };
        let families = [Family::Ipv4, Family::Ipv6];
        let deadline = Instant::now() + Duration::from_secs(5);
        client
            .search(HOST, &families, &[], &Rules::default(), deadline)
            .await;
        // Two domains know no such name, one knows it and has neither kind of address.
        assert_eq!(world.questions(), 4);
    }

    /// What is resolved where the server has these addresses.
    async fn resolved(addresses: impl Iterator<Item = IpAddr>) -> Resolution {
        let records: Vec<String> = addresses.map(|ip| format!("{HOST} A {ip}")).collect();
        let world = start(&format!("{{records: [{}]}}", records.join(", "))).await;
        let nameservers = nameservers(&world, &[]);
        let client = ResolverClient {
            resolver: &"node".into(),
            nameservers: &nameservers,
            budget: DnsBudget::plenty(),
        };
        let rules = Rules::default();
        let deadline = Instant::now() + Duration::from_secs(5);
        let resolved = client.resolve(HOST, &[Family::Ipv4], &rules, false, deadline);
        resolved.await.expect("a resolution")
    }

    #[tokio::test]
    async fn of_a_thousand_addresses_a_few_are_kept_one_of_each_class_and_the_others_counted() {
        let private = |n: u16| IpAddr::from([10, 1, n.to_be_bytes()[0], n.to_be_bytes()[1]]);
        let public = IpAddr::from([20, 1, 2, 3]);
        let found = resolved((0..1000).map(private).chain([public])).await;
        assert_eq!(found.addresses.len(), kept::MAX_ADDRESSES + 1);
        let classes: Vec<Class> = found.classes().iter().collect();
        assert_eq!(classes, [Class::Private, Class::Public]);
        assert!(found.addresses.iter().any(|address| address.ip == public));
        let left_out = 1000 - kept::MAX_ADDRESSES;
        assert_eq!(found.left_out(Class::is_private), left_out);
        assert_eq!(found.left_out(|class| class == Class::Public), 0);
        // Another order, the same addresses: nothing has changed.
        let reversed = resolved([public].into_iter().chain((0..1000).rev().map(private))).await;
        assert_eq!(hash_of_addresses(&reversed), hash_of_addresses(&found));
        // No more than are kept: all of them.
        let few = resolved((0..64).map(private)).await;
        assert_eq!((few.addresses.len(), few.left_out(|_| true)), (64, 0));
    }

    async fn asked_with_edns(dns: &str) -> Query {
        let world = start(dns).await;
        let nameservers = nameservers(&world, &[]);
        let client = ResolverClient {
            resolver: &"node".into(),
            nameservers: &nameservers,
            budget: DnsBudget::plenty(),
        };
        let rules = Rules::default();
        let deadline = Instant::now() + Duration::from_secs(5);
        let resolved = client
            .resolve(HOST, &[Family::Ipv4], &rules, true, deadline)
            .await;
        resolved.expect("a resolution").queries.remove(0)
    }

    #[tokio::test]
    async fn a_server_that_refuses_edns_is_asked_again_without() {
        for refusal in ["formerr", "notimp"] {
            let query = asked_with_edns(&format!(
                "{{records: [{HOST} A 127.0.1.1], faults: [{{edns: true, then: {refusal}}}]}}"
            ))
            .await;
            assert_eq!(query.outcome, QueryOutcome::Answer, "{refusal}");
            assert!(query.degraded, "{refusal}");
            assert_eq!(query.tries, 1, "{refusal}");
        }
    }

    #[tokio::test]
    async fn a_server_that_knows_edns_is_asked_once() {
        let query = asked_with_edns(&format!("{{records: [{HOST} A 127.0.1.1]}}")).await;
        assert_eq!(query.outcome, QueryOutcome::Answer);
        assert!(!query.degraded);
    }
}
