//! Resolve: what a resolver says of a name, per family, and the evidence asked for on trouble.

use std::net::IpAddr;
use std::time::SystemTime;

use futures_util::future::join_all;
use hickory_proto::rr::{Name, RecordType};
use privatelink_verdict::address::{Family, Rules};
use privatelink_verdict::observation::{
    Address, AgentFault, NameEvidence, Query, Resolution, ZoneEvidence,
};
use tokio::time::Instant;

use super::exchange::{Ask, Exchanged};
use super::nameserver::Nameservers;
use super::pace::Pace;

/// A resolver, ready to be asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Path<'a> {
    /// Its name.
    pub resolver: &'a str,
    /// Its servers and options.
    pub nameservers: &'a Nameservers,
    /// What counts the messages.
    pub pace: &'a Pace,
}

impl Path<'_> {
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
        let exchanges = families.iter().map(|family| {
            let kind = match family {
                Family::Ipv4 => RecordType::A,
                Family::Ipv6 => RecordType::AAAA,
            };
            self.ask(&name, kind, edns, deadline)
        });
        let exchanged = join_all(exchanges).await;
        let answered = exchanged.iter().any(|exchanged| exchanged.reply.is_some());
        if !answered && let Some(cause) = exchanged.iter().find_map(|e| e.fault.clone()) {
            return Err(AgentFault {
                operation: format!("ask for {host}"),
                cause,
            });
        }
        let queries: Vec<Query> = families
            .iter()
            .zip(exchanged)
            .map(|(family, exchanged)| query(host, *family, exchanged))
            .collect();
        let addresses = queries.iter().flat_map(|query| &query.addresses);
        let addresses = addresses
            .map(|(ip, ttl)| Address {
                ip: *ip,
                class: rules.classify(*ip),
                ttl: *ttl,
            })
            .collect();
        Ok(Resolution {
            resolver: self.resolver.to_owned(),
            queries,
            addresses,
            ..Resolution::default()
        })
    }

    /// Asks for the SOA of `zone`.
    pub(super) async fn zone(&self, zone: &str, deadline: Instant) -> Option<ZoneEvidence> {
        let name = absolute(zone).ok()?;
        let exchanged = self
            .ask(&name, RecordType::SOA, self.nameservers.edns, deadline)
            .await;
        Some(ZoneEvidence {
            zone: zone.to_owned(),
            outcome: exchanged.outcome,
            soa: exchanged.reply.and_then(|reply| reply.soa),
            checked_at: SystemTime::now(),
        })
    }

    /// Asks for the IPv4 addresses of another name than the host, as evidence.
    pub(super) async fn name(&self, name: &str, deadline: Instant) -> Option<NameEvidence> {
        let asked = absolute(name).ok()?;
        let exchanged = self
            .ask(&asked, RecordType::A, self.nameservers.edns, deadline)
            .await;
        let addresses = exchanged
            .reply
            .map(|reply| reply.addresses)
            .unwrap_or_default();
        Some(NameEvidence {
            name: name.to_owned(),
            outcome: exchanged.outcome,
            addresses: addresses.into_iter().map(|(ip, _)| ip).collect(),
            checked_at: SystemTime::now(),
        })
    }

    /// What the relative name `host` leads to through the search list, where it leads elsewhere
    /// than to `known`: the C library asks the search list first for a name with few dots.
    pub(super) async fn search(
        &self,
        host: &str,
        known: &[IpAddr],
        deadline: Instant,
    ) -> Option<NameEvidence> {
        if host.matches('.').count() >= self.nameservers.ndots {
            return None;
        }
        for domain in &self.nameservers.search {
            let evidence = self.name(&format!("{host}.{domain}"), deadline).await?;
            if !evidence.addresses.is_empty() {
                let elsewhere = evidence.addresses.iter().any(|ip| !known.contains(ip));
                return elsewhere.then_some(evidence);
            }
            // The C library gives up the search on a server failure (it is no answer to skip).
            if evidence.outcome.is_failure() {
                return None;
            }
        }
        None
    }

    async fn ask(&self, name: &Name, kind: RecordType, edns: bool, deadline: Instant) -> Exchanged {
        let Path {
            nameservers, pace, ..
        } = *self;
        Ask {
            name,
            kind,
            edns,
            nameservers,
            deadline,
            pace,
        }
        .exchange()
        .await
    }
}

/// `host` as an absolute name: never subject to the search list.
fn absolute(host: &str) -> Result<Name, AgentFault> {
    let mut name = Name::from_ascii(host).map_err(|error| AgentFault {
        operation: format!("read the name {host}"),
        cause: error.to_string(),
    })?;
    name.set_fqdn(true);
    Ok(name)
}

fn query(host: &str, family: Family, exchanged: Exchanged) -> Query {
    let reply = exchanged.reply;
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
            .map_or_else(|| vec![host.to_owned()], |reply| reply.chain.clone()),
        addresses: reply
            .as_ref()
            .map(|reply| reply.addresses.clone())
            .unwrap_or_default(),
        ttl: reply.as_ref().and_then(|reply| reply.ttl),
        extended_errors: reply
            .as_ref()
            .map(|r| r.extended_errors.clone())
            .unwrap_or_default(),
        soa: reply.and_then(|reply| reply.soa),
        detail: exchanged.detail,
    }
}
