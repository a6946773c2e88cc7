//! Dns findings: what the answers, or their absence, say about names and zones.

use super::zone::{is_azures, shadows};
use super::{Case, Findings, ZoneAuthority};
use crate::catalogue;
use crate::observation::{Query, QueryOutcome, Soa};
use crate::reason::Reason;
use crate::verdict::Confidence;

/// Extended DNS errors "Stale Answer" and "Stale NXDOMAIN Answer" (RFC 8914 sections 4.4, 4.20).
const STALE: [u16; 2] = [3, 19];

pub(super) fn find(case: &Case<'_>, findings: &mut Findings) {
    if let Some(fault) = &case.observation.fault {
        findings.add(
            Reason::AgentError,
            None,
            format!("{}: {}", fault.operation, fault.cause),
        );
    }
    let resolution = &case.observation.resolution;
    if !resolution.answered() {
        match resolution.outcome() {
            None => {}
            Some(outcome) if outcome.is_failure() => failed(case, outcome, findings),
            Some(_) => negative(case, findings),
        }
    }
    degraded(case, findings);
    if let Some(search) = &resolution.search {
        let taken = search
            .addresses
            .iter()
            .take(3)
            .map(ToString::to_string)
            .collect::<Vec<_>>();
        findings.add(
            Reason::DnsSearchCapture,
            search.addresses.first().copied(),
            format!(
                "the search list turns the name into {} = {}",
                search.name,
                taken.join(", ")
            ),
        );
    }
    let answers = resolution
        .queries
        .iter()
        .flat_map(|query| &query.extended_errors);
    if answers
        .chain(&resolution.extended_errors)
        .any(|code| STALE.contains(code))
    {
        findings.add(
            Reason::DnsStaleAnswer,
            None,
            "the DNS server marks its answer as stale (extended DNS error)",
        );
    }
}

/// No family has an address, and at least one got no usable message.
fn failed(case: &Case<'_>, outcome: QueryOutcome, findings: &mut Findings) {
    let reason = match outcome {
        QueryOutcome::Timeout => Reason::DnsTimeout,
        QueryOutcome::Unreachable => Reason::DnsServerUnreachable,
        QueryOutcome::ServerFailure => Reason::DnsServerFailure,
        QueryOutcome::Truncated => Reason::DnsTcpFailed,
        QueryOutcome::Invalid => Reason::DnsInvalidAnswer,
        QueryOutcome::Answer | QueryOutcome::Nxdomain | QueryOutcome::Nodata => return,
    };
    let queries = case.observation.resolution.queries.iter();
    for detail in described(queries.filter(|query| query.outcome == outcome)) {
        findings.add(reason, None, detail);
    }
}

/// Every family was answered, and none has an address.
fn negative(case: &Case<'_>, findings: &mut Findings) {
    let resolution = &case.observation.resolution;
    let queries = &resolution.queries;
    let last = case.last_name();
    let rcode = if queries
        .iter()
        .any(|query| query.outcome == QueryOutcome::Nxdomain)
    {
        "NXDOMAIN"
    } else {
        "no address"
    };
    let mut add = |reason: Reason, confidence, detail: String| {
        findings.add_as(reason, reason.severity(), confidence, None, detail);
    };

    if queries.iter().all(Query::is_incomplete) {
        if queries.iter().all(|query| query.flags.referral) {
            let detail = "the server answers with nothing but other servers to ask: it does not \
                          recurse, and neither do applications";
            return add(
                Reason::DnsIncompleteAnswer,
                Confidence::High,
                detail.to_owned(),
            );
        }
        let mut detail = format!(
            "the server answers with the alias {last} alone, without its address: it does not chase \
             aliases, and neither do applications"
        );
        if let Some(evidence) = &resolution.unchased {
            let given = evidence.addresses.first().map(ToString::to_string);
            let given = given.unwrap_or_else(|| evidence.outcome.to_string());
            detail.push_str(&format!("; asked for the alias itself: {given}"));
        }
        // Some caches leave the SOA out of negative answers; then there is nothing to chase.
        let chaseable = resolution
            .unchased
            .as_ref()
            .is_some_and(|evidence| !evidence.addresses.is_empty());
        return add(Reason::DnsIncompleteAnswer, sure_if(chaseable), detail);
    }

    let private_only = [case.host(), last]
        .into_iter()
        .find_map(|name| Some((name, catalogue::private_only_zone(name)?)));
    if let Some((name, outermost)) = private_only
        && rcode == "NXDOMAIN"
        && case.authority != ZoneAuthority::Private
    {
        let confidence = sure_if(case.authority == ZoneAuthority::Public);
        let zone = case.zone().unwrap_or(outermost);
        let subject = if name == case.host() {
            "the name"
        } else {
            name
        };
        let detail =
            format!("{subject} exists only in the private zone {zone}, and here it is NXDOMAIN");
        return add(Reason::DnsPrivateZoneNotLinked, confidence, detail);
    }
    let private_name = case.alias.or(private_only.map(|(name, _)| name));
    match (private_name, case.alias, case.authority) {
        (_, Some(alias), ZoneAuthority::Public) => {
            let (detail, confidence) = dangling(case, alias, rcode);
            return add(Reason::DnsAliasDangling, confidence, detail);
        }
        // Without an alias there is nothing that could dangle.
        (None, ..) | (_, None, ZoneAuthority::Public) => {}
        (Some(name), ..) => {
            let zone = case.zone().unwrap_or(name);
            let confidence = sure_if(case.authority == ZoneAuthority::Private);
            let detail = missing(case, name, zone, rcode);
            return add(Reason::DnsPrivateRecordMissing, confidence, detail);
        }
    }
    let soas = queries.iter().filter_map(|query| query.soa.as_ref());
    if let Some(soa) = { soas }.find(|soa| shadows(case.target, soa)) {
        return add(
            Reason::DnsZoneShadows,
            Confidence::High,
            shadowed(soa, rcode),
        );
    }
    let mut detail = format!("{rcode} for {last}");
    if let Some(server) = resolution.server() {
        detail.push_str(&format!(" ({server})"));
    }
    if let Some(doubt) = catalogue::doubt(case.host()) {
        detail.push_str(&format!("; perhaps {} was meant", doubt.instead()));
    }
    let mut soas = queries.iter().filter_map(|query| query.soa.as_ref());
    if let Some(soa) = soas.find(|soa| is_azures(soa)) {
        detail.push_str(&format!("; the private zone {} says so", soa.owner));
    }
    add(Reason::DnsNameNotFound, Confidence::High, detail);
}

fn dangling(case: &Case<'_>, alias: &str, rcode: &str) -> (String, Confidence) {
    let (zone, last) = (case.zone().unwrap_or(alias), case.last_name());
    let somebodys = case.soa.filter(|soa| shadows(case.target, soa));
    let who = somebodys.map_or_else(
        || "the public side".to_owned(),
        |soa| format!("a zone {} of {}", soa.owner, soa.mname),
    );
    let at = if alias == last {
        String::new()
    } else {
        format!(" for {last}")
    };
    let detail =
        format!("the alias {alias} leads nowhere ({rcode}{at}), and {who} answers for {zone}");
    (detail, sure_if(somebodys.is_none()))
}

fn missing(case: &Case<'_>, name: &str, zone: &str, rcode: &str) -> String {
    let seen = match (case.authority, case.soa) {
        (ZoneAuthority::Private, Some(soa)) if !is_azures(soa) => {
            format!("the zone {zone} is served by {} here, and", soa.mname)
        }
        (ZoneAuthority::Private, _) => format!("the zone {zone} is linked here, but"),
        (_, Some(soa)) if is_azures(soa) => format!(
            "the private zone {} is linked here and answers in place of {zone}, and",
            soa.owner
        ),
        (_, Some(soa)) => format!(
            "{} answers for {zone}, be it privately or not, and",
            soa.mname
        ),
        (_, None) => format!("the zone {zone} does not say who answers for it, and"),
    };
    let last = case.last_name();
    let mut detail = if last == name {
        format!("{seen} has no record for {name} ({rcode})")
    } else {
        format!("{seen} has no address for {name}: it leads on to {last} ({rcode})")
    };
    if let Some(evidence) = &case.observation.resolution.mistaken
        && !evidence.addresses.is_empty()
    {
        detail.push_str(&format!(
            "; {} has one: the record was made in the wrong zone",
            evidence.name
        ));
    }
    detail
}

fn shadowed(soa: &Soa, rcode: &str) -> String {
    let by = if is_azures(soa) {
        String::new()
    } else {
        format!(" of {}", soa.mname)
    };
    format!(
        "the private zone {}{by} answers for it here ({rcode}) and hides the public name",
        soa.owner
    )
}

/// Answered, but not as smoothly as it looks: a warning of its own.
fn degraded(case: &Case<'_>, findings: &mut Findings) {
    let resolution = &case.observation.resolution;
    let queries = || resolution.queries.iter();
    let failed = queries().filter(|query| query.outcome.is_failure() && resolution.answered());
    for told in described(failed) {
        let detail = format!("{told}; some clients then fail the whole name");
        findings.add(Reason::DnsDegraded, None, detail);
    }
    let late = queries().filter(|query| query.degraded && !query.outcome.is_failure());
    let late = late.map(|query| {
        let why = query.detail.as_deref().unwrap_or("an earlier try was lost");
        // The retry without EDNS is not counted as a try.
        let how = match query.tries {
            ..=1 => "when asked again".to_owned(),
            tries => format!("at try {tries}"),
        };
        (query, format!("answered only {how}: {why}"))
    });
    for (families, told) in told_once(late) {
        findings.add(Reason::DnsDegraded, None, format!("{families} {told}"));
    }
}

/// `A and AAAA: timeout (10.0.0.10:53, 2 tries)`: once for all families of which the same is true.
fn described<'a>(queries: impl Iterator<Item = &'a Query>) -> impl Iterator<Item = String> {
    told_once(queries.map(|query| (query, story(query))))
        .into_iter()
        .map(|(families, story)| format!("{families}: {story}"))
}

/// What is told of each family, once where it is the same: `A and AAAA` with it.
fn told_once<'a>(told: impl Iterator<Item = (&'a Query, String)>) -> Vec<(String, String)> {
    let mut once: Vec<(String, String)> = Vec::new();
    for (query, text) in told {
        let family = query.family.record_type();
        match once.iter_mut().find(|(_, known)| *known == text) {
            Some((families, _)) => families.push_str(&format!(" and {family}")),
            None => once.push((family.to_owned(), text)),
        }
    }
    once
}

/// `timeout (10.0.0.10:53, 2 tries)`.
fn story(query: &Query) -> String {
    let detail = query.detail.as_deref();
    if let (QueryOutcome::Truncated, Some(detail)) = (query.outcome, detail) {
        // It says what was truncated, and which server is at fault.
        return detail.to_owned();
    }
    let mut text = match query.rcode {
        Some(rcode) if query.outcome == QueryOutcome::ServerFailure => rcode.to_string(),
        _ => query.outcome.to_string(),
    };
    if let Some(server) = query.server {
        let plural = if query.tries == 1 { "try" } else { "tries" };
        text.push_str(&format!(" ({server}, {} {plural})", query.tries));
    }
    if let Some(detail) = detail {
        text.push_str(&format!(": {detail}"));
    }
    text
}

fn sure_if(told: bool) -> Confidence {
    if told {
        Confidence::High
    } else {
        Confidence::Medium
    }
}
