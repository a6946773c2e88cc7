//! Cause: what most likely makes nodes share a symptom, with what it means and what to do about it.

use crate::scope::Scope;
use crate::symptom::{PathScope, Symptom};
use crate::words::advised_words;

advised_words! {
    /// What most likely makes nodes share a symptom.
    Cause;
    Agent = "agent",
        means "The agents could not probe, which says nothing about the services.",
        remedy "Read what the agent on one of these nodes could not do: kubectl logs shows it.";
    ZoneLink = "zone_link",
        means "The private DNS zone of these targets is not linked to the virtual network whose DNS answers these nodes.",
        remedy "Link the zone to the virtual network whose DNS servers these nodes use, and look in the activity log for who removed the link.";
    DnsForwarding = "dns_forwarding",
        means "The DNS servers that all nodes use no longer see any of the private DNS zones.",
        remedy "Look at the DNS servers of the virtual network and where they forward to: every private zone at once is rarely a missing link.";
    PoolDns = "pool_dns",
        means "These nodes get their answers from another DNS view than the other nodes: their virtual network or subnet lacks the zone's link.",
        remedy "Compare the virtual network, its DNS servers and the zone's links of these nodes with those of a pool that is well.";
    NodeDns = "node_dns",
        means "The DNS settings of this node differ from those of the other nodes: they are probably from before a change.",
        remedy "Restart or reimage the node, because a node takes changed DNS servers only when it starts; then compare its resolv.conf with another node's.";
    OldDnsSettings = "old_dns_settings",
        means "The nodes that joined before a change of the DNS settings still use the old ones; those that joined later are well.",
        remedy "Restart or reimage the older nodes, because a node takes changed DNS servers only when it starts.";
    NewDnsSettings = "new_dns_settings",
        means "The DNS settings that nodes get when they join were changed: the nodes that joined since then have it, the older ones do not.",
        remedy "Undo or complete the change of the virtual network's DNS servers before more nodes join or restart.";
    NodeDnsServers = "node_dns_servers",
        means "The virtual network's DNS, which nodes use for image pulls and mounts, does not see the zone; pods resolve it by other means.",
        remedy "Link the zone to the virtual network, or forward it in the virtual network's DNS servers: kubelet and containerd never use coredns-custom.";
    PodForwarder = "pod_forwarder",
        means "CoreDNS or LocalDNS, which pods use, forwards these names to servers that do not see the zone; the nodes' own DNS does.",
        remedy "Look at the ConfigMap coredns-custom in kube-system for a server block or forwarder of these names, and correct or remove it.";
    NodeLocalDns = "node_local_dns",
        means "What answers pods on this node differs from the other nodes: its LocalDNS, or the CoreDNS pod that it reaches.",
        remedy "Compare what LocalDNS and each CoreDNS pod answer on this node, and restart the one that answers otherwise.";
    ClusterDns = "cluster_dns",
        means "The DNS of the cluster does not answer pods, while the nodes' own DNS works.",
        remedy "Look at the CoreDNS pods in kube-system, their number and log, and at network policies on port 53.";
    DnsServers = "dns_servers",
        means "The DNS servers that all nodes use do not answer, or answer with errors.",
        remedy "Check that the virtual network's DNS servers run, and that UDP and TCP port 53 to them is open.";
    ZoneForwarder = "zone_forwarder",
        means "The DNS servers answer, and fail for some names only: what they forward these names to does not.",
        remedy "Look at the forwarders for these zones, and ask the server behind them directly.";
    DnsServersDiffer = "dns_servers_differ",
        means "The DNS servers behind one resolver do not answer alike, or A and AAAA come from different places.",
        remedy "Ask each DNS server alone, and make all of them answer alike.";
    EndpointRecord = "endpoint_record",
        means "The private DNS zone is there, and the record of the private endpoint is missing from it.",
        remedy "Attach a DNS zone group to the private endpoint, or create the record in the zone that is linked here.";
    WrongRecord = "wrong_record",
        means "The record points at an address that is not the target's private endpoint.",
        remedy "Compare the record with the addresses of the private endpoint's network interface, and correct it.";
    ShadowingZone = "shadowing_zone",
        means "Somebody's private DNS zone hides these public names on all nodes.",
        remedy "Unlink the zone that hides the names, or add the missing records to it.";
    ResourceGone = "resource_gone",
        means "No node knows the name: the resource was deleted, or the name is wrong.",
        remedy "Check that the resource exists under this name and in this cloud.";
    NoEndpoint = "no_endpoint",
        means "The resource has no approved private endpoint.",
        remedy "Create or approve a private endpoint for the resource, or expect a public address where that is meant.";
    EndpointApproval = "endpoint_approval",
        means "The private endpoint belongs to another resource, or its connection is not approved.",
        remedy "Look at the state of the private endpoint connection at the resource, and approve it or correct the record.";
    Endpoint = "endpoint",
        means "Only this service does not answer, and on all nodes: its private endpoint was deleted or moved, or its own subnet is closed.",
        remedy "Compare the address with the private endpoint's network interface, then look at the NSG of the endpoint's subnet.";
    Firewall = "firewall",
        means "No node reaches several services: something that all nodes share drops or loses packets, such as a firewall, a peering or a gateway.",
        remedy "Look at what lies between the nodes and the subnets of the endpoints: firewall rules, peerings, gateways, and the routes to them.";
    PoolRoute = "pool_route",
        means "Packets of these nodes take another way: the route table, the NSG or the peering of their subnet differs.",
        remedy "Compare the route table and the NSG of the subnet of these nodes with those of a pool that is well.";
    AvailabilityZone = "availability_zone",
        means "Only nodes of one availability zone have it: an instance of a DNS forwarder, firewall or gateway in that zone fails.",
        remedy "Look at the health of what runs once for each zone: DNS servers, firewalls, gateways, and at Azure's own status of that zone.";
    NodeImage = "node_image",
        means "Only nodes with this version of the node image have it.",
        remedy "Compare a node of this image with one of another, stop the upgrade, and go back to the image that is well.";
    NewNodes = "new_nodes",
        means "Only nodes that joined since a certain moment have it: something that nodes get when they are made was changed.",
        remedy "Compare a new node with an old one: its subnet, NSG, route table, image and start-up configuration.";
    OldNodes = "old_nodes",
        means "Only nodes that joined before a certain moment have it: they still have what was changed since.",
        remedy "Compare an old node with a new one, and restart or reimage the old ones.";
    NodeNetwork = "node_network",
        means "The network of this one node does not work as that of the others.",
        remedy "Drain and restart the node, and reimage or replace it if that does not help.";
    DeviceInPath = "device_in_path",
        means "A firewall or proxy on the way opens, cuts or redirects the connections of these nodes.",
        remedy "Exempt these hosts from TLS inspection and from rules that resolve names again, at the firewall or proxy that the nodes' traffic takes.";
    Proxy = "proxy",
        means "A proxy is configured for applications, and NO_PROXY does not spare these hosts.",
        remedy "Add the hosts or their suffixes to NO_PROXY.";
    SearchList = "search_list",
        means "A wildcard record in a search domain captures these names when they are asked without a trailing dot.",
        remedy "Remove the wildcard record from the search domain, or use names with a trailing dot.";
    TargetHost = "target_host",
        means "The targets name privatelink aliases, which no certificate covers.",
        remedy "Write the public name of the resource in place of its privatelink alias.";
    Clock = "clock",
        means "The clock of this node is probably wrong: other nodes find the same certificates valid.",
        remedy "Check the time on the node and its time synchronization, or replace the node.";
    Certificate = "certificate",
        means "The certificate that the service presents is at fault, for all nodes alike.",
        remedy "Renew the certificate where it is presented.";
    NetworkRules = "network_rules",
        means "The network rules of the service do not let these nodes in.",
        remedy "Allow the subnets or outbound addresses of these nodes in the service's network rules, or use its private endpoint.";
    Service = "service",
        means "The service itself does not reply as it should, on all nodes alike.",
        remedy "Look at the health of the service, and at proxies between it and the nodes.";
    Unknown = "unknown",
        means "What these nodes share is not known.",
        remedy "Compare a node that has it with one that has not: restart dates, DNS servers, subnet, image.";
}

/// What is known of a pattern when its cause is looked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circumstances {
    pub(crate) symptom: Symptom,
    pub(crate) path: PathScope,
    pub(crate) scope: Scope,
    pub(crate) breadth: Breadth,
}

/// How many of the targets have the symptom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Breadth {
    /// Every target, of two services at least.
    Everything,
    /// Targets of several services, and others are well.
    SeveralServices,
    /// All targets of one service.
    WholeService,
    /// Some targets of a service, while others of the same service are well.
    PartOfService,
}

/// The likely cause.
pub(crate) fn likely(case: Circumstances) -> Cause {
    use Symptom as S;
    match case.symptom {
        S::AgentTrouble => Cause::Agent,
        S::SearchCapture => Cause::SearchList,
        S::ProxyUsed => Cause::Proxy,
        S::AliasAsHost => Cause::TargetHost,
        S::Denied => Cause::NetworkRules,
        S::AnswersDiffer if case.scope != Scope::OneNode => Cause::DnsServersDiffer,
        S::DnsUnanswered | S::DnsFailure => of_servers(case),
        S::ZoneNotSeen
        | S::RecordMissing
        | S::NameUnknown
        | S::ZoneShadows
        | S::NoEndpoint
        | S::WrongAddress
        | S::AnswersDiffer
        | S::OtherCertificate
        | S::DeniedPrivately => of_answers(case),
        S::CertificateDates => match case.scope {
            Scope::AllNodes => Cause::Certificate,
            Scope::OneNode => Cause::Clock,
            scope => of_way(scope, Cause::DeviceInPath),
        },
        S::Untrusted | S::PublicPath | S::TlsBroken => of_tls(case),
        S::PacketsDropped | S::NoRoute | S::Refused | S::PartlyReachable | S::ServiceTrouble => {
            of_connections(case)
        }
    }
}

/// DNS servers do not answer, or with errors.
fn of_servers(case: Circumstances) -> Cause {
    match (case.scope, case.path) {
        (Scope::Image, _) => Cause::NodeImage,
        (Scope::JoinedLater, _) => Cause::NewDnsSettings,
        (Scope::JoinedEarlier, _) => Cause::OldDnsSettings,
        (Scope::OneNode, PathScope::PodPathOnly) => Cause::NodeLocalDns,
        (Scope::OneNode, PathScope::NodePathOnly) => Cause::NodeDns,
        (Scope::OneNode, _) => Cause::NodeNetwork,
        (_, PathScope::PodPathOnly) => Cause::ClusterDns,
        (Scope::Zone, _) => Cause::AvailabilityZone,
        (Scope::Pool | Scope::Subnet, _) if case.symptom == Symptom::DnsUnanswered => {
            Cause::PoolRoute
        }
        (Scope::Pool | Scope::Subnet, _) => Cause::PoolDns,
        (Scope::AllNodes, _) if case.breadth == Breadth::Everything => Cause::DnsServers,
        (Scope::AllNodes, _) if case.symptom == Symptom::DnsFailure => Cause::ZoneForwarder,
        (Scope::AllNodes, _) => Cause::DnsServers,
        (Scope::SomeNodes, _) => Cause::Unknown,
    }
}

/// DNS answers, and not as it should.
fn of_answers(case: Circumstances) -> Cause {
    match (case.scope, case.path) {
        (Scope::Image, _) => Cause::NodeImage,
        (Scope::JoinedLater, _) => Cause::NewDnsSettings,
        (Scope::JoinedEarlier, _) => Cause::OldDnsSettings,
        (Scope::OneNode, PathScope::PodPathOnly) => Cause::NodeLocalDns,
        (Scope::OneNode | Scope::SomeNodes, _) => Cause::NodeDns,
        (_, PathScope::PodPathOnly) => Cause::PodForwarder,
        (Scope::Zone, _) => Cause::AvailabilityZone,
        (Scope::Pool | Scope::Subnet, _) => Cause::PoolDns,
        (Scope::AllNodes, PathScope::NodePathOnly) => Cause::NodeDnsServers,
        (Scope::AllNodes, _) => everywhere(case),
    }
}

/// All nodes get the same wrong answer.
fn everywhere(case: Circumstances) -> Cause {
    match case.symptom {
        Symptom::ZoneNotSeen => match case.breadth {
            Breadth::Everything => Cause::DnsForwarding,
            // Another name of the same zone is answered well.
            Breadth::PartOfService => Cause::EndpointRecord,
            Breadth::SeveralServices | Breadth::WholeService => Cause::ZoneLink,
        },
        Symptom::RecordMissing => Cause::EndpointRecord,
        Symptom::NameUnknown => Cause::ResourceGone,
        Symptom::ZoneShadows => Cause::ShadowingZone,
        Symptom::NoEndpoint => Cause::NoEndpoint,
        Symptom::DeniedPrivately => Cause::EndpointApproval,
        Symptom::WrongAddress | Symptom::OtherCertificate => Cause::WrongRecord,
        _ => Cause::Unknown,
    }
}

fn of_tls(case: Circumstances) -> Cause {
    match case.scope {
        Scope::AllNodes if case.symptom == Symptom::TlsBroken && !case.is_broad() => Cause::Service,
        Scope::OneNode if case.symptom == Symptom::TlsBroken => Cause::NodeNetwork,
        scope => of_way(scope, Cause::DeviceInPath),
    }
}

/// Something on the way of some nodes, which is not on the way of the others.
const fn of_way(scope: Scope, otherwise: Cause) -> Cause {
    match scope {
        Scope::Image => Cause::NodeImage,
        Scope::JoinedLater => Cause::NewNodes,
        Scope::JoinedEarlier => Cause::OldNodes,
        Scope::SomeNodes => Cause::Unknown,
        _ => otherwise,
    }
}

fn of_connections(case: Circumstances) -> Cause {
    match case.scope {
        Scope::OneNode => Cause::NodeNetwork,
        Scope::Pool | Scope::Subnet => Cause::PoolRoute,
        Scope::Zone => Cause::AvailabilityZone,
        Scope::AllNodes if case.symptom == Symptom::ServiceTrouble => Cause::Service,
        Scope::AllNodes if case.is_broad() => Cause::Firewall,
        Scope::AllNodes => Cause::Endpoint,
        scope => of_way(scope, Cause::Unknown),
    }
}

impl Circumstances {
    /// Whether it is about several services.
    const fn is_broad(self) -> bool {
        matches!(self.breadth, Breadth::Everything | Breadth::SeveralServices)
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
