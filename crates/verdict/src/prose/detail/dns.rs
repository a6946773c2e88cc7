//! Dns facts in words.

use std::net::SocketAddr;

use super::joined;
use crate::address::Family;
use crate::fact::{DanglingAlias, DnsFact, FailedQuery, MissingRecord, Negative, ZoneAnswers};
use crate::observation::QueryOutcome;
use crate::surroundings::OtherNames;

pub(super) fn clause(fact: &DnsFact) -> String {
    match fact {
        DnsFact::QueryFailed { families, query } => {
            format!("{}: {}", by_type(families), failed(query))
        }
        DnsFact::OtherNames(names) => other_names(*names),
        DnsFact::FamilyFails { families, query } => format!(
            "{}: {}; some clients then fail the whole name",
            by_type(families),
            failed(query)
        ),
        DnsFact::AnsweredLate {
            families,
            at_try,
            lost,
            ..
        } => answered_late(families, *at_try, lost.as_deref()),
        DnsFact::SearchListLeadsElsewhere { name, addresses } => format!(
            "the search list turns the name into {name} = {}",
            joined(addresses, ", ")
        ),
        DnsFact::MarkedStale => {
            "the DNS server marks its answer as stale (extended DNS error)".to_owned()
        }
        DnsFact::RecordsOfAnotherName {
            families,
            name,
            owner,
        } => format!(
            "the answer to {} holds address records of {owner} and none of {name}: stub resolvers \
             ignore them, as where a rewrite turns {name} into {owner} and the answer is not turned back",
            by_type(families)
        ),
        DnsFact::RecordsBeforeTheirAlias { families, owner } => format!(
            "the answer to {} has the addresses of {owner} before the CNAME that leads to it: clients \
             with glibc ignore them, others may not",
            by_type(families)
        ),
        DnsFact::FamilyDenied { families, server } => {
            let by = server.map(|server| format!(" by {server}"));
            format!(
                "{} is answered with NXDOMAIN{} although the name has addresses: clients with musl \
                 (Alpine images) then get no address at all",
                by_type(families),
                by.unwrap_or_default()
            )
        }
        DnsFact::Referral => "the server answers with nothing but other servers to ask: it does \
                              not recurse, and neither do applications"
            .to_owned(),
        DnsFact::NotChased { alias } => format!(
            "the server answers with the alias {alias} alone, without its address: it does not \
             chase aliases, and neither do applications"
        ),
        DnsFact::AskedForItself(Ok(ip)) => format!("asked for the alias itself: {ip}"),
        DnsFact::AskedForItself(Err(outcome)) => format!("asked for the alias itself: {outcome}"),
        DnsFact::PrivateOnlyName { name, zone } => format!(
            "{} exists only in the private zone {zone}, and here it is NXDOMAIN",
            name.as_deref().unwrap_or("the name")
        ),
        DnsFact::InternalName { name, zone } => format!(
            "{} is NXDOMAIN: if its resource is internal, the name exists only in the private zone \
             {zone}, which is not visible here; a resource that was deleted looks the same",
            name.as_deref().unwrap_or("the name")
        ),
        DnsFact::AliasDangles(alias) => dangling(alias),
        DnsFact::RecordMissing(record) => missing(record),
        DnsFact::RecordInOtherZone { name, ip } => {
            let has = ip.map_or_else(|| "one".to_owned(), |ip| ip.to_string());
            format!("{name} has {has}: the record was made in the wrong zone")
        }
        DnsFact::ZoneShadows {
            owner,
            served_by,
            negative,
        } => {
            let by = served_by.as_ref().map(|mname| format!(" of {mname}"));
            format!(
                "the private zone {owner}{} answers for it here ({}) and hides the public name",
                by.unwrap_or_default(),
                rcode(*negative)
            )
        }
        DnsFact::NoAddress {
            negative,
            name,
            server,
        } => no_address(*negative, Some(name), *server),
        DnsFact::LeadsBySrv { name, first, more } => format!(
            "its SRV records ({name}) lead clients to {}",
            hosts(first, *more)
        ),
        DnsFact::ProbablyMeant { instead } => format!("perhaps {instead} was meant"),
        DnsFact::SaidByPrivateZone { owner } => format!("the private zone {owner} says so"),
    }
}

/// `the same resolver answered the names of 30 of 31 other targets when last asked`.
fn other_names(OtherNames { asked, answered }: OtherNames) -> String {
    match answered {
        0 if asked == 1 => {
            "the same resolver did not answer the name of the one other target either".to_owned()
        }
        0 => {
            format!("the same resolver answered none of the names of {asked} other targets either")
        }
        _ if answered == asked => {
            let targets = match asked {
                1 => "name of the one other target".to_owned(),
                asked => format!("names of all {asked} other targets"),
            };
            format!(
                "the same resolver answered the {targets} when last asked: it has trouble with this name, or the \
                 trouble has just begun"
            )
        }
        _ => format!(
            "the same resolver answered the names of {answered} of {asked} other targets when last asked"
        ),
    }
}

/// `NXDOMAIN for kv.vault.azure.net (10.0.0.10:53)`, without the name where it is known already.
pub(in crate::prose) fn no_address(
    negative: Negative,
    name: Option<&str>,
    server: Option<SocketAddr>,
) -> String {
    let name = name.map(|name| format!(" for {name}")).unwrap_or_default();
    let server = server.map(|server| format!(" ({server})"));
    format!("{}{name}{}", rcode(negative), server.unwrap_or_default())
}

/// `a.example.com:27017, b.example.com:27017 and 2 more`.
pub(in crate::prose) fn hosts(first: &[(String, u16)], more: usize) -> String {
    let first = first.iter().map(|(host, port)| format!("{host}:{port}"));
    let mut text = joined(first, ", ");
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

const fn rcode(negative: Negative) -> &'static str {
    match negative {
        Negative::Nxdomain => "NXDOMAIN",
        Negative::Nodata => "no address",
    }
}

/// `A and AAAA`.
fn by_type(families: &[Family]) -> String {
    joined(families.iter().map(|family| family.record_type()), " and ")
}

/// `timeout (10.0.0.10:53, 2 tries)`.
fn failed(query: &FailedQuery) -> String {
    let FailedQuery {
        outcome,
        rcode,
        server,
        detail,
    } = query;
    if let (QueryOutcome::Truncated, Some(detail)) = (outcome, detail) {
        // It says what was truncated, and which server is at fault.
        return detail.clone();
    }
    let mut text = rcode.map_or_else(|| outcome.to_string(), |rcode| rcode.to_string());
    if let Some((server, tries)) = server {
        let plural = if *tries == 1 { "try" } else { "tries" };
        text.push_str(&format!(" ({server}, {tries} {plural})"));
    }
    if let Some(detail) = detail {
        text.push_str(&format!(": {detail}"));
    }
    text
}

fn answered_late(families: &[Family], at_try: u32, lost: Option<&str>) -> String {
    let lost = lost.unwrap_or("an earlier try was lost");
    let how = match at_try {
        ..=1 => "when asked again".to_owned(),
        tries => format!("at try {tries}"),
    };
    format!("{} answered only {how}: {lost}", by_type(families))
}

fn dangling(dangling: &DanglingAlias) -> String {
    let DanglingAlias {
        alias,
        negative,
        last,
        other_zone,
        zone,
    } = dangling;
    let at = last.as_ref().map(|last| format!(" for {last}"));
    let who = other_zone.as_ref().map_or_else(
        || "the public side".to_owned(),
        |soa| format!("a zone {} of {}", soa.owner, soa.mname),
    );
    format!(
        "the alias {alias} leads nowhere ({}{}), and {who} answers for {zone}",
        rcode(*negative),
        at.unwrap_or_default()
    )
}

fn missing(record: &MissingRecord) -> String {
    let MissingRecord { zone, name, .. } = record;
    let seen = zone_answers(zone, &record.answers);
    let rcode = rcode(record.negative);
    match &record.leads_to {
        None => format!("{seen} has no record for {name} ({rcode})"),
        Some(last) => format!("{seen} has no address for {name}: it leads on to {last} ({rcode})"),
    }
}

fn zone_answers(zone: &str, answers: &ZoneAnswers) -> String {
    match answers {
        ZoneAnswers::Linked => format!("the zone {zone} is linked here, but"),
        ZoneAnswers::ServedBy(mname) => format!("the zone {zone} is served by {mname} here, and"),
        ZoneAnswers::InPlace(owner) => {
            format!("the private zone {owner} is linked here and answers in place of {zone}, and")
        }
        ZoneAnswers::Unknown(mname) => {
            format!("{mname} answers for {zone}, be it privately or not, and")
        }
        ZoneAnswers::Silent => format!("the zone {zone} does not say who answers for it, and"),
    }
}
