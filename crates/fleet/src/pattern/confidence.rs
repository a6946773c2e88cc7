//! Confidence: how sure a cause is, and why it is not surer. It is high only where what is seen leaves no other
//! reading.

use privatelink_verdict::verdict::Confidence;

use super::place::{self, LeftOut};
use super::together::Draft;
use crate::cause::{Breadth, Cause, Circumstances, OnNode, Whom};
use crate::scope::Scope;
use crate::table::{Table, Trait};

/// How sure `cause` is, and why it is not surer; nothing where it is sure.
pub(super) fn of(
    table: &Table<'_>,
    draft: &Draft,
    all: &[Draft],
    cause: Cause,
    case: Circumstances,
    left_out: &LeftOut,
) -> (Confidence, &'static str) {
    if let Some(doubt) = low(table, draft, all, cause, case) {
        (Confidence::Low, doubt)
    } else if let Some(doubt) = medium(table, draft, cause, case, left_out) {
        (Confidence::Medium, doubt)
    } else {
        (Confidence::High, "")
    }
}

fn low(
    table: &Table<'_>,
    draft: &Draft,
    all: &[Draft],
    cause: Cause,
    case: Circumstances,
) -> Option<&'static str> {
    let place = &draft.place;
    let is_same = |other: &&Draft| (other.symptom, other.path) == (draft.symptom, draft.path);
    let others = || {
        all.iter()
            .filter(is_same)
            .filter(|other| other.place != *place)
    };
    let is_also_alone = others().any(|other| other.place.is_each_alone());
    let shares_target = |other: &Draft| {
        other
            .illnesses
            .iter()
            .any(|it| draft.illnesses.contains(it))
    };
    let is_also_elsewhere = others().any(shares_target);
    if table.heard.len() * 2 <= table.len() {
        return Some("most nodes are silent");
    }
    match case.whom {
        Whom::Part => Some("other nodes there are well"),
        Whom::Some => Some("the nodes have nothing in common"),
        _ if cause == Cause::Unknown => Some("no known cause fits"),
        Whom::Node if place.nodes.len() > 1 => Some("the nodes have nothing in common"),
        Whom::Node if is_evident(cause) => None,
        Whom::Node if case.on_node == OnNode::OneTarget => Some("one target on one node"),
        Whom::Node if matches!(cause, Cause::OneFlow | Cause::CachedAnswer) => {
            Some("a few targets on one node")
        }
        Whom::Node if place::is_all_that_is_known_of_a_pool(table, place) => {
            Some("nothing is known of other nodes of its pool")
        }
        Whom::Node if is_also_alone || is_also_elsewhere => Some("other nodes have it too"),
        _ => None,
    }
}

fn medium(
    table: &Table<'_>,
    draft: &Draft,
    cause: Cause,
    case: Circumstances,
    left_out: &LeftOut,
) -> Option<&'static str> {
    let place = &draft.place;
    let of_all = case.whom == Whom::All;
    if place.nodes.len() == 1 {
        return Some("one node only");
    }
    if place.nodes.len() == 2 && !of_all {
        return Some("two nodes only");
    }
    if place.nodes.len() < place.of.len() {
        return Some("some nodes are well");
    }
    if is_evident(cause) {
        return None;
    }
    if of_all && left_out.lacking > 0 {
        return Some("other nodes do not have the target");
    }
    if cause == Cause::PoolRoute {
        let is_subnet = place.scope == Scope::Subnet || place::is_own(table, place, Trait::Subnet);
        return match case.breadth {
            _ if !is_subnet => Some("other nodes are in their subnet, or it is not known"),
            Breadth::Everything | Breadth::SeveralServices => None,
            _ => Some("one service only"),
        };
    }
    let is_inferred = matches!(case.whom, Whom::Image(_))
        || (cause == Cause::Clock && case.on_node != OnNode::NearlyAll);
    (is_inferred || is_one_of_several(cause)).then_some("other causes look the same")
}

/// Whether the symptom alone proves it.
const fn is_evident(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::Agent
            | Cause::SearchList
            | Cause::Proxy
            | Cause::TargetHost
            | Cause::ShadowingZone
            | Cause::NetworkRules
    )
}

/// Whether what is seen would be the same with another cause.
const fn is_one_of_several(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::PoolDns
            | Cause::PoolLocalDns
            | Cause::NodeDns
            | Cause::NodeLocalDns
            | Cause::AvailabilityZoneDns
            | Cause::DnsServersDiffer
            | Cause::SecondZone
            | Cause::WrongRecord
            | Cause::Refused
            | Cause::AvailabilityZone
            | Cause::NodeImage
            | Cause::NewNodes
            | Cause::OldNodes
            | Cause::NodeNetwork
            | Cause::OtherResponder
            | Cause::DeviceInPath
            | Cause::PublicPath
            | Cause::Service
    )
}
