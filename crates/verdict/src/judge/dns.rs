//! Dns findings: what the answers, or their absence, say about names and zones.

use super::{Case, Findings};
use crate::address::Family;
use crate::catalogue;
use crate::fact::{
    DanglingAlias, DnsFact, Fact, FailedQuery, LISTED, MissingRecord, Negative, ZoneAnswers,
};
use crate::observation::{Query, QueryOutcome};
use crate::reason::Reason;
use crate::surroundings::{Surroundings, is_silence};
use crate::verdict::Confidence;
use crate::zone::{ZoneAuthority, is_azure_private_dns, shadows};

/// Extended DNS errors "Stale Answer" and "Stale NXDOMAIN Answer" (RFC 8914 sections 4.4, 4.20).
const STALE: [u16; 2] = [3, 19];
/// Addresses of the search list's answer that a fact keeps.
const CAPTURED: usize = 3;

pub(super) fn find(case: &Case<'_>, surroundings: &Surroundings, findings: &mut Findings) {
    if let Some(fault) = &case.observation.fault {
        let fact = Fact::AgentFault {
            operation: fault.operation.clone(),
            cause: fault.cause.clone(),
        };
        findings.add(Reason::AgentError, None, [fact]);
    }
    let resolution = &case.observation.resolution;
    if !resolution.answered() {
        match resolution.outcome() {
            None => {}
            Some(outcome) if outcome.is_failure() => failed(case, outcome, surroundings, findings),
            Some(_) => negative(case, findings),
        }
    }
    degraded(case, findings);
    if let Some(search) = &resolution.search {
        let fact = DnsFact::SearchListLeadsElsewhere {
            name: search.name.clone(),
            addresses: search.addresses.iter().take(CAPTURED).copied().collect(),
        };
        let address = search.addresses.first().copied();
        findings.add(Reason::DnsSearchCapture, address, [fact]);
    }
    let answers = resolution
        .queries
        .iter()
        .flat_map(|query| &query.trouble.extended_errors);
    if answers
        .chain(&resolution.evidence.extended_errors)
        .any(|code| STALE.contains(code))
    {
        findings.add(Reason::DnsStaleAnswer, None, [DnsFact::MarkedStale]);
    }
}

/// No family has an address, and at least one got no usable message.
fn failed(
    case: &Case<'_>,
    outcome: QueryOutcome,
    surroundings: &Surroundings,
    findings: &mut Findings,
) {
    let reason = match outcome {
        QueryOutcome::Timeout => Reason::DnsTimeout,
        QueryOutcome::Unreachable => Reason::DnsServerUnreachable,
        QueryOutcome::ServerFailure => Reason::DnsServerFailure,
        QueryOutcome::Truncated => Reason::DnsTcpFailed,
        QueryOutcome::Invalid => Reason::DnsInvalidAnswer,
        QueryOutcome::Answer | QueryOutcome::Nxdomain | QueryOutcome::Nodata => return,
    };
    let queries = case.observation.resolution.queries.iter();
    let failed = || queries.clone().filter(|query| query.outcome == outcome);
    for fact in ignored_records(case, failed()) {
        findings.add(reason, None, [fact]);
    }
    let failed = failed().filter(|query| query.trouble.ignored_owner.is_none());
    for (families, query) in by_family(failed.map(|query| (query.family, failed_query(query)))) {
        findings.add(reason, None, [DnsFact::QueryFailed { families, query }]);
    }
    // It tells a server that is silent from one that has trouble with this name.
    let other_names = surroundings.other_names;
    if is_silence(outcome) && other_names.asked > 0 {
        findings.add(reason, None, [DnsFact::OtherNames(other_names)]);
    }
}

/// Whose address records clients ignore, in those of `queries` that hold no others.
fn ignored_records<'a>(
    case: &Case<'_>,
    queries: impl Iterator<Item = &'a Query>,
) -> impl Iterator<Item = DnsFact> {
    let ignored = queries.filter_map(|query| {
        let name = query.chain.last().unwrap_or(case.host());
        let owner = query.trouble.ignored_owner.clone()?;
        Some((query.family, (name.to_owned(), owner.into_string())))
    });
    by_family(ignored)
        .into_iter()
        .map(|(families, (name, owner))| {
            if name == owner {
                DnsFact::RecordsBeforeTheirAlias { families, owner }
            } else {
                DnsFact::RecordsOfAnotherName {
                    families,
                    name,
                    owner,
                }
            }
        })
}

/// Every family was answered, and none has an address.
fn negative(case: &Case<'_>, findings: &mut Findings) {
    let resolution = &case.observation.resolution;
    let queries = &resolution.queries;
    if queries.iter().all(Query::is_incomplete) {
        return incomplete(case, findings);
    }
    let last = case.last_name();
    let nxdomain = |query: &Query| query.outcome == QueryOutcome::Nxdomain;
    let negative = if queries.iter().any(nxdomain) {
        Negative::Nxdomain
    } else {
        Negative::Nodata
    };
    let mut add = |reason: Reason, confidence, facts: Vec<DnsFact>| {
        findings.add_as(reason, reason.severity(), confidence, None, facts);
    };
    let private_only = [case.host(), last]
        .into_iter()
        .find_map(|name| Some((name, catalogue::private_only_zone(name)?)));
    if let Some((name, outermost)) = private_only
        && negative == Negative::Nxdomain
        && case.authority != ZoneAuthority::Private
    {
        let confidence = sure_if(case.authority == ZoneAuthority::Public);
        let fact = DnsFact::PrivateOnlyName {
            name: (name != case.host()).then(|| name.to_owned()),
            zone: case.zone().unwrap_or(outermost).to_owned(),
        };
        return add(Reason::DnsPrivateZoneNotLinked, confidence, vec![fact]);
    }
    let mut soas = queries.iter().filter_map(|query| query.soa.as_ref());
    let shadow = soas.find(|soa| shadows(case.target, soa));
    // The names of internal resources: without a private zone they look as those of deleted ones.
    let internal = [case.host(), last]
        .into_iter()
        .filter(|_| case.alias.is_none() && shadow.is_none())
        .find_map(|name| Some((name, catalogue::internal_zone(name)?)));
    if let Some((name, zone)) = internal
        && negative == Negative::Nxdomain
        && case.authority != ZoneAuthority::Private
    {
        let fact = DnsFact::InternalName {
            name: (name != case.host()).then(|| name.to_owned()),
            zone: zone.to_owned(),
        };
        return add(
            Reason::DnsPrivateZoneNotLinked,
            Confidence::Medium,
            vec![fact],
        );
    }
    let private_only =
        private_only.or(internal.filter(|_| case.authority == ZoneAuthority::Private));
    let private_name = case.alias.or(private_only.map(|(name, _)| name));
    match (private_name, case.alias, case.authority) {
        (_, Some(alias), ZoneAuthority::Public) => {
            let (facts, confidence) = dangling(case, alias, negative);
            return add(Reason::DnsAliasDangling, confidence, facts);
        }
        // Without an alias there is nothing that could dangle.
        (None, ..) | (_, None, ZoneAuthority::Public) => {}
        (Some(name), ..) => {
            let confidence = sure_if(case.authority == ZoneAuthority::Private);
            let facts = missing(case, name, negative);
            return add(Reason::DnsPrivateRecordMissing, confidence, facts);
        }
    }
    if let Some(soa) = shadow {
        let fact = DnsFact::ZoneShadows {
            owner: soa.owner.clone(),
            served_by: (!is_azure_private_dns(soa)).then(|| soa.mname.clone()),
            negative,
        };
        return add(Reason::DnsZoneShadows, Confidence::High, vec![fact]);
    }
    // A server that knows neither the name nor its zone may be lame, or filter.
    let is_sure = negative == Negative::Nxdomain
        || queries.iter().any(|q| q.soa.is_some())
        || leads_by_srv(case).is_some();
    add(
        Reason::DnsNameNotFound,
        sure_if(is_sure),
        not_found(case, negative),
    );
}

/// Every family was answered with less than an answer.
fn incomplete(case: &Case<'_>, findings: &mut Findings) {
    let resolution = &case.observation.resolution;
    let reason = Reason::DnsIncompleteAnswer;
    if resolution.queries.iter().all(|query| query.flags.referral) {
        return findings.add(reason, None, [DnsFact::Referral]);
    }
    let mut facts = vec![DnsFact::NotChased {
        alias: case.last_name().to_owned(),
    }];
    let unchased = resolution.evidence.unchased.as_ref();
    facts.extend(unchased.map(|evidence| {
        let address = evidence.addresses.first().copied();
        DnsFact::AskedForItself(address.ok_or(evidence.outcome))
    }));
    // Some caches leave the SOA out of negative answers; then there is nothing to chase.
    let chaseable = unchased.is_some_and(|evidence| !evidence.addresses.is_empty());
    findings.add_as(reason, reason.severity(), sure_if(chaseable), None, facts);
}

fn dangling(case: &Case<'_>, alias: &str, negative: Negative) -> (Vec<DnsFact>, Confidence) {
    let last = case.last_name();
    let other_zone = case.soa.filter(|soa| shadows(case.target, soa));
    let dangling = DanglingAlias {
        alias: alias.to_owned(),
        negative,
        last: (alias != last).then(|| last.to_owned()),
        other_zone: other_zone.cloned(),
        zone: case.zone().unwrap_or(alias).to_owned(),
    };
    let mut facts = vec![DnsFact::AliasDangles(dangling)];
    facts.extend(said_by_private_zone(case));
    let is_sure = other_zone.is_none() && facts.len() == 1;
    (facts, sure_if(is_sure))
}

fn missing(case: &Case<'_>, name: &str, negative: Negative) -> Vec<DnsFact> {
    let answers = match (case.authority, case.soa) {
        (ZoneAuthority::Private, Some(soa)) if !is_azure_private_dns(soa) => {
            ZoneAnswers::ServedBy(soa.mname.clone())
        }
        (ZoneAuthority::Private, _) => ZoneAnswers::Linked,
        (_, Some(soa)) if is_azure_private_dns(soa) => ZoneAnswers::InPlace(soa.owner.clone()),
        (_, Some(soa)) => ZoneAnswers::Unknown(soa.mname.clone()),
        (_, None) => ZoneAnswers::Silent,
    };
    let last = case.last_name();
    let mut facts = vec![DnsFact::RecordMissing(MissingRecord {
        zone: case.zone().unwrap_or(name).to_owned(),
        answers,
        name: name.to_owned(),
        leads_to: (last != name).then(|| last.to_owned()),
        negative,
    })];
    let mistaken = case.observation.resolution.evidence.mistaken.as_ref();
    facts.extend(
        mistaken
            .filter(|evidence| !evidence.addresses.is_empty())
            .map(|evidence| DnsFact::RecordInOtherZone {
                name: evidence.name.clone(),
                ip: None,
            }),
    );
    facts
}

fn not_found(case: &Case<'_>, negative: Negative) -> Vec<DnsFact> {
    let resolution = &case.observation.resolution;
    let mut facts = vec![DnsFact::NoAddress {
        negative,
        name: case.last_name().to_owned(),
        server: resolution.server(),
    }];
    if let Some(fact) = leads_by_srv(case) {
        facts.push(fact);
        return facts;
    }
    facts.extend(
        catalogue::doubt(case.host()).map(|doubt| DnsFact::ProbablyMeant {
            instead: doubt.instead().to_owned(),
        }),
    );
    facts.extend(said_by_private_zone(case));
    facts
}

/// The hosts that clients of the host really connect to.
fn leads_by_srv(case: &Case<'_>) -> Option<DnsFact> {
    let srv = case.observation.resolution.evidence.srv.as_ref()?;
    (!srv.hosts.is_empty()).then(|| DnsFact::LeadsBySrv {
        name: srv.name.clone(),
        first: srv.hosts.iter().take(LISTED).cloned().collect(),
        more: srv.hosts.len().saturating_sub(LISTED),
    })
}

/// The private zone of Azure that the negative answer comes from.
fn said_by_private_zone(case: &Case<'_>) -> Option<DnsFact> {
    let queries = case.observation.resolution.queries.iter();
    let mut soas = queries.filter_map(|query| query.soa.as_ref());
    let azure = soas.find(|soa| is_azure_private_dns(soa))?;
    Some(DnsFact::SaidByPrivateZone {
        owner: azure.owner.clone(),
    })
}

/// Answered, and not without loss: a warning of its own.
fn degraded(case: &Case<'_>, findings: &mut Findings) {
    let resolution = &case.observation.resolution;
    let queries = || resolution.queries.iter();
    let failed = || queries().filter(|query| query.outcome.is_failure() && resolution.answered());
    for fact in ignored_records(case, failed()) {
        findings.add(Reason::DnsDegraded, None, [fact]);
    }
    let failed = failed().filter(|query| query.trouble.ignored_owner.is_none());
    for (families, query) in by_family(failed.map(|query| (query.family, failed_query(query)))) {
        let fact = DnsFact::FamilyFails { families, query };
        findings.add(Reason::DnsDegraded, None, [fact]);
    }
    // RFC 8020: NXDOMAIN denies the name, whatever the type. musl believes it, and drops the addresses.
    let denied =
        queries().filter(|query| query.outcome == QueryOutcome::Nxdomain && resolution.answered());
    for (families, server) in by_family(denied.map(|query| (query.family, query.server))) {
        let fact = DnsFact::FamilyDenied { families, server };
        findings.add(Reason::DnsDegraded, None, [fact]);
    }
    let late = queries().filter(|query| query.degraded && !query.outcome.is_failure());
    // The retry without EDNS is not counted as a try.
    let late = late.map(|query| {
        let lost_at = query.trouble.lost_at;
        let lost_at = lost_at.filter(|server| Some(*server) != query.server);
        let lost = query.trouble.detail.as_deref().map(str::to_owned);
        let late = (query.tries.max(1), lost, lost_at);
        (query.family, late)
    });
    for (families, (at_try, lost, lost_at)) in by_family(late) {
        let fact = DnsFact::AnsweredLate {
            families,
            at_try,
            lost,
            lost_at,
        };
        findings.add(Reason::DnsDegraded, None, [fact]);
    }
}

/// What is true of each family, once for all families of which it is the same.
fn by_family<T: PartialEq>(facts: impl Iterator<Item = (Family, T)>) -> Vec<(Vec<Family>, T)> {
    let mut once: Vec<(Vec<Family>, T)> = Vec::new();
    for (family, fact) in facts {
        match once.iter_mut().find(|(_, known)| *known == fact) {
            Some((families, _)) => families.push(family),
            None => once.push((vec![family], fact)),
        }
    }
    once
}

fn failed_query(query: &Query) -> FailedQuery {
    let is = |outcome| query.outcome == outcome;
    // The detail of a truncated answer says what was truncated, and which server is at fault.
    let server = query
        .server
        .filter(|_| !(is(QueryOutcome::Truncated) && query.trouble.detail.is_some()));
    FailedQuery {
        outcome: query.outcome,
        rcode: query.rcode.filter(|_| is(QueryOutcome::ServerFailure)),
        server: server.map(|server| (server, query.tries)),
        detail: query.trouble.detail.as_deref().map(str::to_owned),
    }
}

fn sure_if(is_certain: bool) -> Confidence {
    if is_certain {
        Confidence::High
    } else {
        Confidence::Medium
    }
}
