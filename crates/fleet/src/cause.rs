//! Cause: what most likely makes nodes share a symptom, with what it means and what to do about it.
//!
//! What is seen comes first, and where it is seen second: a symptom that says by itself what is wrong has the
//! same cause wherever it is seen, and only where a symptom leaves several readings, the place decides.

use std::cmp::Ordering;

use crate::symptom::{PathScope, Symptom};
use crate::words::advised_words;

advised_words! {
    /// What most likely makes nodes share a symptom.
    Cause;
    Agent = "agent",
        means "No probe could be made here, which says nothing about the services.",
        remedy "Read with kubectl logs what the agent could not do.";
    ZoneLink = "zone_link",
        means "The private DNS zone of these names is not linked to the virtual network whose DNS answers here.",
        remedy "Link the zone to the virtual network whose DNS servers answer, and look in the activity log for who removed the link.";
    DnsForwarding = "dns_forwarding",
        means "The DNS servers that all nodes use no longer see any of the private DNS zones.",
        remedy "Look at the DNS servers of the virtual network and where they forward to: every private zone at once is rarely a missing link.";
    PoolDns = "pool_dns",
        means "DNS answers these nodes otherwise than the others, and no zone link explains that: all nodes of a cluster are in one virtual network.",
        remedy "Compare resolv.conf, start time and LocalDNS with a node of another pool, then the way to the DNS servers, and whether these answer by source.";
    PoolLocalDns = "pool_local_dns",
        means "What answers the pods of these nodes differs: LocalDNS, which is set for each pool, or the way to CoreDNS; coredns-custom serves all pools alike.",
        remedy "Compare the LocalDNS settings of the pool with those of another pool, then NSG, routes and network policies between these nodes and CoreDNS.";
    NodeDns = "node_dns",
        means "DNS answers differ here from those of other nodes: a node takes its DNS servers when it starts, so these are probably from before or after a change.",
        remedy "Compare resolv.conf, and what each server in it answers, with a node that is well; restart or reimage the node if its servers are the old ones.";
    CachedAnswer = "cached_answer",
        means "Other names are answered well here, so LocalDNS, CoreDNS or a DNS server probably still holds an old answer for this one.",
        remedy "Ask again when the answer's time to live is over; if it stays, ask each DNS server of the node for this name, and one of another node.";
    OldDnsSettings = "old_dns_settings",
        means "Nodes that started before a change of the DNS servers still use the old ones; those that started later are well.",
        remedy "Compare resolv.conf of an old and a new node, then restart or reimage the old ones: a node takes changed DNS servers only when it starts.";
    NewDnsSettings = "new_dns_settings",
        means "Nodes that started lately took other DNS servers than the older nodes have, and these do not answer as they should.",
        remedy "Compare resolv.conf of a new and an old node, and correct the virtual network's DNS servers before more nodes start or are upgraded.";
    NodeDnsServers = "node_dns_servers",
        means "The virtual network's DNS, which nodes use for image pulls and mounts, does not see the zone; pods resolve it by other means.",
        remedy "Link the zone to the virtual network, or forward it in the virtual network's DNS servers: kubelet and containerd never use coredns-custom.";
    PodForwarder = "pod_forwarder",
        means "CoreDNS or LocalDNS, which pods use, forwards these names to servers that do not answer as the nodes' own DNS does.",
        remedy "Look at the ConfigMap coredns-custom in kube-system for a server block or forwarder of these names, and correct or remove it.";
    NodeLocalDns = "node_local_dns",
        means "What answers pods here differs from other nodes: LocalDNS, the CoreDNS pod that is reached, or the way to it.",
        remedy "Ask LocalDNS and each CoreDNS pod from here and from a node that is well; then look at kube-proxy, the CNI and port 53.";
    ClusterDns = "cluster_dns",
        means "The DNS of the cluster does not answer pods, or answers with errors, while the nodes' own DNS works.",
        remedy "Look at the CoreDNS pods in kube-system, their number and log, at the servers that they forward to, and at network policies on port 53.";
    DnsServers = "dns_servers",
        means "The DNS servers that all nodes use do not answer, or answer with errors.",
        remedy "Ask them directly: if nothing answers, check that they run and that UDP and TCP port 53 is open; if errors do, look at what they forward to.";
    ZoneForwarder = "zone_forwarder",
        means "The DNS servers answer, and fail for some names only: what they forward these names to does not.",
        remedy "Look at the forwarders for these zones, and ask the server behind them directly.";
    AvailabilityZoneDns = "availability_zone_dns",
        means "Only nodes of one availability zone are answered so: one of several DNS servers or forwarders probably serves this zone, and differs.",
        remedy "Compare resolv.conf and the answers of each DNS server with a node of another zone, and make all servers answer alike.";
    DnsServersDiffer = "dns_servers_differ",
        means "The DNS servers in use do not answer alike: one of them fails or sees other zones, or A and AAAA come from different places.",
        remedy "Ask each server in resolv.conf, and each that CoreDNS forwards to, alone, and make all of them answer alike.";
    EndpointRecord = "endpoint_record",
        means "The private DNS zone is there, and the record of the private endpoint is missing from it.",
        remedy "Attach a DNS zone group to the private endpoint, or create the record in the zone that is linked here.";
    SecondZone = "second_zone",
        means "What answers here sees another private DNS zone of this name, or another record in it, than what answers elsewhere.",
        remedy "Find all private DNS zones of this name and on which server each is seen, compare their records with the private endpoint's address, and keep one.";
    WrongRecord = "wrong_record",
        means "DNS holds an address that is not of the target's private endpoint: a wrong or old record, or the answer of a DNS filter.",
        remedy "Compare the addresses with those of the private endpoint's network interface, and correct the record or the server that changes the answer.";
    ShadowingZone = "shadowing_zone",
        means "Somebody's private DNS zone hides these public names from what answers here.",
        remedy "Unlink the zone that hides the names, or add the missing records to it.";
    ResourceGone = "resource_gone",
        means "The name leads nowhere: the resource was deleted, or the name is wrong.",
        remedy "Check that the resource exists under this name and in this cloud.";
    NoEndpoint = "no_endpoint",
        means "DNS shows no approved private endpoint, on any node.",
        remedy "Create or approve a private endpoint for the resource, or expect a public address where that is meant.";
    EndpointApproval = "endpoint_approval",
        means "The private endpoint belongs to another resource, or its connection is not approved.",
        remedy "Look at the state of the private endpoint connection at the resource, and approve it or correct the record.";
    Endpoint = "endpoint",
        means "Only this service does not answer, and on all nodes: its private endpoint was deleted or moved, or its own subnet is closed.",
        remedy "Compare the address with the private endpoint's network interface, then look at the NSG of the endpoint's subnet.";
    Refused = "refused",
        means "Something at the address refuses or resets: the address is wrong or used again, the port is not the service's, or a firewall rejects; an NSG only drops.",
        remedy "Compare the address with the private endpoint's network interface and the port with the service's, then look for a firewall that rejects.";
    Firewall = "firewall",
        means "No node reaches several services: something that all nodes share drops or loses packets, such as a firewall, a peering or a gateway.",
        remedy "Look at what lies between the nodes and the subnets of the endpoints: firewall rules, peerings, gateways, and the routes to them.";
    PoolRoute = "pool_route",
        means "Packets of these nodes are dropped or sent elsewhere: the route table or the NSG of their subnet probably differs.",
        remedy "Compare route table and NSG of their subnet with those of a pool that is well, then look at the NSG of the subnet that they do not reach.";
    AvailabilityZone = "availability_zone",
        means "Only nodes of one availability zone are affected: a firewall or gateway instance that serves this zone, or the zone itself, probably fails.",
        remedy "Look at the health of firewalls and gateways in each zone, and at Azure's own status of that zone.";
    NodeImage = "node_image",
        means "Nodes with other images are well: this image connects otherwise, or something changed when it was installed.",
        remedy "Compare routes and firewall rules of a node with this image and one with another, and pause the upgrade until you know.";
    NewNodes = "new_nodes",
        means "Older nodes are well: what nodes get when they are made was changed, or their addresses are not allowed where they connect.",
        remedy "Compare a new node with an old one: its subnet, address, NSG, route table, image and start-up configuration.";
    OldNodes = "old_nodes",
        means "Newer nodes are well: they got a change that the older ones lack, such as of routes, addresses that a firewall allows, or the image.",
        remedy "Compare the address, routes and image of an old node with those of a new one, and reimage one old node to see whether it helps.";
    NodeNetwork = "node_network",
        means "Nearly everything fails here and works on other nodes, so it is the network of this node.",
        remedy "Compare routes, DNS and packet loss with a node that is well and keep what you find; then drain and restart the node, or replace it.";
    OneFlow = "one_flow",
        means "Other targets work here, so it is a single connection or question: lost packets, one of several addresses, or one instance of a firewall or server.",
        remedy "See whether it lasts; if it does, compare the address and the way that this node takes to it with those of a node that is well.";
    OneInstance = "one_instance",
        means "Nodes of several pools are affected and others are not: perhaps one of several instances of a firewall, gateway or load balancer fails.",
        remedy "Look at the health of each instance on the way, and which of them the traffic of an affected node takes.";
    OtherResponder = "other_responder",
        means "Something else than the service answers: the address is another's, or a firewall or proxy on the way redirects the connection.",
        remedy "Compare the address with the private endpoint's network interface; if it is right, look at who issued the certificate, and for what redirects.";
    DeviceInPath = "device_in_path",
        means "A firewall or proxy on the way opens, cuts or redirects these connections.",
        remedy "Exempt these hosts from TLS inspection and redirection, at the firewall or proxy that the traffic takes, or trust its root (tls.caFiles).";
    PublicPath = "public_path",
        means "The private address is dialled, and the service sees a public one: something on the way resolves the name again, or translates the source.",
        remedy "Look at firewall rules by host name, which resolve names again, at proxies, and at source NAT on the way to the endpoint.";
    Proxy = "proxy",
        means "A proxy is configured for applications, and NO_PROXY does not spare these hosts.",
        remedy "Add the hosts or their suffixes to NO_PROXY; if only some nodes have it, see whether they started before or after the proxy was set.";
    SearchList = "search_list",
        means "A search domain has a wildcard record, which answers for these names when they are asked without a trailing dot.",
        remedy "Remove the wildcard record from the search domain in resolv.conf, or use names with a trailing dot.";
    TargetHost = "target_host",
        means "The targets name privatelink aliases, which no certificate covers.",
        remedy "Write the public name of the resource in place of its privatelink alias.";
    Clock = "clock",
        means "Other nodes find these certificates valid: the clock here is probably wrong, or another certificate is presented.",
        remedy "Check the time and its synchronization, then compare the certificate that is presented here with the one on a node that is well.";
    Certificate = "certificate",
        means "The certificate that is presented has to be renewed: all nodes see it alike.",
        remedy "Renew it where it is presented; where Azure renews it, find what presents one of its own on the way.";
    NetworkRules = "network_rules",
        means "The network rules of the service do not let requests from here in.",
        remedy "Allow the subnets or outbound addresses of these nodes in the service's network rules, or use its private endpoint.";
    Service = "service",
        means "The service itself does not reply as it should, on all nodes alike.",
        remedy "Look at the health of the service, and at proxies between it and the nodes.";
    Unknown = "unknown",
        means "No cause is known that fits these nodes and spares the others.",
        remedy "Compare a node that has it with one that does not: start time, DNS servers, subnet, image.";
}

/// What is known of a pattern when its cause is looked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circumstances {
    pub(crate) symptom: Symptom,
    pub(crate) path: PathScope,
    pub(crate) whom: Whom,
    pub(crate) breadth: Breadth,
    pub(crate) on_node: OnNode,
}

/// Whom it concerns, as far as that matters for a cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whom {
    All,
    /// All nodes of a pool or a subnet.
    Pool,
    /// All nodes of an availability zone.
    Zone,
    /// All nodes with an image, which is older or newer than all others; `Equal` where that is not known.
    Image(Ordering),
    /// All nodes that joined since a moment.
    Newer,
    /// All nodes that joined before a moment.
    Older,
    /// One node, or a few of which each is a case of its own.
    Node,
    /// Some nodes of a pool or the like, of which others are well. So it is nothing that all of them have.
    Part,
    /// Many nodes with nothing in common.
    Some,
}

/// How many of the targets have the symptom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Breadth {
    /// Every target, of two services at least.
    Everything,
    /// Every target, and all are of one service.
    OnlyService,
    /// Targets of several services, and others are well.
    SeveralServices,
    /// All targets of one service, and those of others are well.
    WholeService,
    /// Some targets of a service, while others of the same service are well.
    PartOfService,
}

/// How many of the targets that its nodes have are in a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnNode {
    /// One of several.
    OneTarget,
    Several,
    /// Three of four at least, or the only one.
    NearlyAll,
}

/// The likely cause.
pub(crate) fn likely(case: Circumstances) -> Cause {
    use Symptom as S;
    match case.symptom {
        S::AgentTrouble => Cause::Agent,
        S::SearchCapture => Cause::SearchList,
        S::ProxyUsed => Cause::Proxy,
        S::AliasAsHost => Cause::TargetHost,
        S::ZoneShadows => Cause::ShadowingZone,
        S::AnswersDiffer => Cause::DnsServersDiffer,
        S::Refused => Cause::Refused,
        S::OtherCertificate => Cause::OtherResponder,
        S::Untrusted => Cause::DeviceInPath,
        S::CertificateDates if case.whom == Whom::All => Cause::Certificate,
        S::CertificateDates => Cause::Clock,
        S::Denied => Cause::NetworkRules,
        S::PublicPath => Cause::PublicPath,
        S::DnsUnanswered | S::DnsFailure => of_servers(case),
        S::ZoneNotSeen
        | S::RecordMissing
        | S::NameUnknown
        | S::NoEndpoint
        | S::WrongAddress
        | S::DeniedPrivately => of_answers(case),
        S::PacketsDropped | S::NoRoute | S::PartlyReachable | S::TlsBroken | S::ServiceTrouble => {
            of_connections(case)
        }
    }
}

/// DNS servers do not answer, or with errors.
fn of_servers(case: Circumstances) -> Cause {
    let is_silent = case.symptom == Symptom::DnsUnanswered;
    match (case.whom.by_start(), case.path) {
        (Whom::Node, _) if case.on_node == OnNode::OneTarget => Cause::OneFlow,
        (Whom::All, PathScope::PodPathOnly) => Cause::ClusterDns,
        (Whom::Pool, PathScope::PodPathOnly) => Cause::PoolLocalDns,
        (_, PathScope::PodPathOnly) => Cause::NodeLocalDns,
        (Whom::All, _) => match case.breadth {
            Breadth::Everything | Breadth::OnlyService => Cause::DnsServers,
            _ => Cause::ZoneForwarder,
        },
        (Whom::Newer, _) => Cause::NewDnsSettings,
        (Whom::Older, _) => Cause::OldDnsSettings,
        (Whom::Pool, _) if is_silent => Cause::PoolRoute,
        (Whom::Pool | Whom::Image(_), _) => Cause::PoolDns,
        (Whom::Zone, _) => Cause::AvailabilityZoneDns,
        (Whom::Node, PathScope::EveryPath) if is_silent && case.on_node == OnNode::NearlyAll => {
            Cause::NodeNetwork
        }
        (Whom::Node, _) => Cause::NodeDns,
        (Whom::Part | Whom::Some, _) => Cause::DnsServersDiffer,
    }
}

/// DNS answers, and not as it should.
fn of_answers(case: Circumstances) -> Cause {
    let is_part = case.breadth == Breadth::PartOfService;
    let is_zone_seen = match case.symptom {
        Symptom::RecordMissing | Symptom::WrongAddress | Symptom::DeniedPrivately => true,
        symptom => symptom == Symptom::ZoneNotSeen && is_part,
    };
    match (case.whom.by_start(), case.path) {
        (Whom::Node, _) if is_part || case.on_node == OnNode::OneTarget => Cause::CachedAnswer,
        (Whom::All, PathScope::PodPathOnly) => Cause::PodForwarder,
        (Whom::Pool, PathScope::PodPathOnly) => Cause::PoolLocalDns,
        (_, PathScope::PodPathOnly) => Cause::NodeLocalDns,
        (Whom::All, PathScope::NodePathOnly) if !is_zone_seen => Cause::NodeDnsServers,
        (Whom::All, PathScope::NodePathOnly) => Cause::SecondZone,
        (Whom::All, _) => everywhere(case),
        (Whom::Newer, _) => Cause::NewDnsSettings,
        (Whom::Older, _) => Cause::OldDnsSettings,
        (Whom::Node | Whom::Part | Whom::Some, _) => Cause::NodeDns,
        (Whom::Zone, _) => Cause::AvailabilityZoneDns,
        (Whom::Pool | Whom::Image(_), _) if is_zone_seen => Cause::SecondZone,
        (Whom::Pool | Whom::Image(_), _) => Cause::PoolDns,
    }
}

/// All nodes get the same wrong answer.
fn everywhere(case: Circumstances) -> Cause {
    match case.symptom {
        Symptom::ZoneNotSeen => match case.breadth {
            Breadth::Everything => Cause::DnsForwarding,
            // Another name of the same zone is answered well.
            Breadth::PartOfService => Cause::EndpointRecord,
            _ => Cause::ZoneLink,
        },
        Symptom::RecordMissing => Cause::EndpointRecord,
        Symptom::NameUnknown => Cause::ResourceGone,
        Symptom::NoEndpoint => Cause::NoEndpoint,
        Symptom::DeniedPrivately => Cause::EndpointApproval,
        Symptom::WrongAddress => Cause::WrongRecord,
        _ => Cause::Unknown,
    }
}

/// Names resolve, and connections or handshakes do not succeed, or nothing sensible replies.
fn of_connections(case: Circumstances) -> Cause {
    use Symptom as S;
    let is_connected = matches!(case.symptom, S::TlsBroken | S::ServiceTrouble);
    match case.whom {
        Whom::Node if case.on_node == OnNode::NearlyAll => Cause::NodeNetwork,
        Whom::Node => Cause::OneFlow,
        Whom::Pool if is_connected => Cause::DeviceInPath,
        Whom::Pool => Cause::PoolRoute,
        Whom::Zone => Cause::AvailabilityZone,
        Whom::Image(_) => Cause::NodeImage,
        Whom::Newer => Cause::NewNodes,
        Whom::Older => Cause::OldNodes,
        Whom::Part => Cause::Unknown,
        Whom::Some => Cause::OneInstance,
        Whom::All => match (case.symptom, case.breadth.is_of_several()) {
            (S::PartlyReachable, _) => Cause::WrongRecord,
            (S::TlsBroken | S::ServiceTrouble, true) => Cause::DeviceInPath,
            (S::TlsBroken | S::ServiceTrouble, false) => Cause::Service,
            (_, true) => Cause::Firewall,
            (_, false) => Cause::Endpoint,
        },
    }
}

impl Whom {
    /// An image holds no DNS settings. But a node starts when it gets one, and takes the DNS servers of then.
    const fn by_start(self) -> Self {
        match self {
            Self::Image(Ordering::Greater) => Self::Newer,
            Self::Image(Ordering::Less) => Self::Older,
            whom => whom,
        }
    }
}

impl Breadth {
    /// Whether it is about several services.
    pub(crate) const fn is_of_several(self) -> bool {
        matches!(self, Self::Everything | Self::SeveralServices)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_has_one_sentence_of_meaning_and_one_of_remedy_and_no_two_are_alike() {
        let mut seen = std::collections::BTreeSet::new();
        for cause in Cause::ALL {
            for sentence in [cause.meaning(), cause.remedy()] {
                let body = sentence.strip_suffix('.').expect("a full stop");
                assert!(!body.contains(". "), "{cause}: two sentences: {sentence}");
                assert!(body.starts_with(char::is_uppercase), "{cause}: {sentence}");
                assert!(!body.contains(['`', '*', '"']), "{cause}: {sentence}");
                assert!(sentence.len() <= 200, "{cause}: {} bytes", sentence.len());
                assert!(seen.insert(sentence), "{cause}: twice: {sentence}");
            }
        }
    }
}
