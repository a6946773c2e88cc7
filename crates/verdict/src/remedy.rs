//! Remedy: what to do about a reason, and what the reason means, each in a sentence.

use crate::reason::Reason;

/// What to do, in one sentence: the first of the reason's section in docs/runbook.md.
pub const fn remedy(reason: Reason) -> &'static str {
    advice(reason).remedy
}

/// What the reason means, in one sentence.
pub const fn meaning(reason: Reason) -> &'static str {
    advice(reason).meaning
}

/// Both sentences about a reason: plain text, for terminals and JSON.
struct Advice {
    meaning: &'static str,
    remedy: &'static str,
}

#[expect(
    clippy::too_many_lines,
    reason = "one table, in the order of the reasons"
)]
const fn advice(reason: Reason) -> Advice {
    let (meaning, remedy) = match reason {
        Reason::AgentError => (
            "The agent could not probe, which says nothing about the service.",
            "Read the detail to see what the agent could not do, and repair its resolv.conf, limits or sockets on this node.",
        ),
        Reason::DnsTimeout => (
            "No DNS server answered in time.",
            "Make UDP and TCP port 53 from here to the DNS server work: check that the server runs, then network policies, NSGs, firewalls and routes.",
        ),
        Reason::DnsServerUnreachable => (
            "Nothing listens on the DNS server's port, or no route leads to it.",
            "Correct the DNS server's address, start the server, or add the route to it.",
        ),
        Reason::DnsServerFailure => (
            "The DNS server answers, but refuses the question or cannot resolve it.",
            "Look at the DNS server's log and at the forwarders behind it: it is reached, but refuses or cannot resolve this name.",
        ),
        Reason::DnsTcpFailed => (
            "The answer is too long for UDP, and asking again over TCP fails.",
            "Allow TCP port 53 to the DNS server beside UDP, because this answer is too long for UDP.",
        ),
        Reason::DnsInvalidAnswer => (
            "The answer cannot be parsed, loops, or chains too many names.",
            "Ask the same server with dig, and repair the record that loops or the device that garbles the answer.",
        ),
        Reason::DnsIncompleteAnswer => (
            "The server leaves a CNAME, or the whole way, for the client to follow, which clients do not do.",
            "Make the DNS server follow CNAMEs itself, by recursion or by forwarding everything to one resolver that does.",
        ),
        Reason::DnsPrivateRecordMissing => (
            "The privatelink zone is visible here, but holds no record for this host.",
            "Create the missing record in the private DNS zone, best by attaching a DNS zone group to the private endpoint.",
        ),
        Reason::DnsAliasDangling => (
            "The host's privatelink alias leads nowhere even in public DNS: the resource is gone.",
            "Check that the resource still exists under this name, and recreate it or stop using the name.",
        ),
        Reason::DnsPrivateZoneNotLinked => (
            "The name exists only in a private DNS zone, and that zone is not visible here.",
            "Link the private DNS zone of this name to the virtual network whose DNS answers here, or forward the zone to a resolver that sees it.",
        ),
        Reason::DnsZoneShadows => (
            "A private DNS zone for the public suffix, or a parent of it, hides the public names below it.",
            "Unlink the private DNS zone that hides the service, or add the missing record to it.",
        ),
        Reason::DnsNameNotFound => (
            "No DNS server knows an address for the host.",
            "Check the host for a typing error, another cloud's suffix or a deleted resource.",
        ),
        Reason::DnsDegraded => (
            "The name was resolved only after a lost try, or for one address family while the other fails.",
            "Find the DNS server or the address family that loses queries, and repair it or take it out of use.",
        ),
        Reason::DnsSearchCapture => (
            "Without a trailing dot the name resolves to something else, through the search list.",
            "Use the absolute name with a trailing dot, or remove the wildcard record from the search domain that captures it.",
        ),
        Reason::DnsStaleAnswer => (
            "The DNS server says that its answer comes from an expired cache.",
            "Restore the DNS server's upstream, which it could not reach when it answered from its expired cache.",
        ),
        Reason::ReservedAddress => (
            "An answer is an address that no service has, or one that the configuration denies.",
            "Correct the record: it points at a loopback, link-local, platform or denied address.",
        ),
        Reason::AddressFlapping => (
            "The answers change back and forth between private and public.",
            "Make all DNS servers behind this resolver answer alike, because the name changes its address class between them.",
        ),
        Reason::MixedAddresses => (
            "One answer holds private and public addresses together.",
            "Make A and AAAA of the name come from the private zone alone, because clients pick any address of the answer.",
        ),
        Reason::PublicFallback => (
            "The host has a privatelink alias, but resolves to a public address on this path.",
            "Link the private DNS zone to the virtual network whose DNS answers here, or make the DNS server forward the public zone to a resolver that sees the private one.",
        ),
        Reason::PublicFallbackZoneLinked => (
            "The host resolves to a public address although the privatelink zone answers privately here.",
            "Create the host's record in the linked zone and turn fallback to internet (NxDomainRedirect) off, or if the record exists, forward the whole public zone to the resolver that sees it.",
        ),
        Reason::NoPrivateEndpoint => (
            "The host has no privatelink alias: its resource has no approved private endpoint.",
            "Create or approve a private endpoint for the resource, or change the target's expectation if public access is meant.",
        ),
        Reason::UnexpectedPrivateAddress => (
            "The address is private, but not where the target's private endpoint should be.",
            "Compare the address with the private endpoint's network interface, and correct the record, the expectedCidrs or the expectation.",
        ),
        Reason::ResolverDisagreement => (
            "Another resolver gives another class of address, so pods and the node reach different places.",
            "Link the zone to, or repair the forwarding of, the resolver that answers otherwise: image pulls and mounts use the node's, applications the pod's.",
        ),
        Reason::ResolverUnavailable => (
            "Another resolver did not answer, so it could not be compared.",
            "Check the other resolver's server and the network policy towards it.",
        ),
        Reason::ProxyWouldBeUsed => (
            "A proxy is configured for applications, and NO_PROXY does not spare the host.",
            "Add the host or its suffix to NO_PROXY, so that applications take the path that is probed here.",
        ),
        Reason::ConnectTimeout => (
            "Nothing answered the connection attempts.",
            "Find what drops packets to this address and port: an NSG, a firewall, a route, a missing peering or a network policy.",
        ),
        Reason::ConnectRefused => (
            "Something at the address answers, but nothing listens on the port.",
            "Check that address and port are the service's, because something there answers that the port is closed.",
        ),
        Reason::ConnectUnreachable => (
            "No route leads to the address.",
            "Add the route, peering or address family that leads to the address, because the node or a router on the way knows none.",
        ),
        Reason::ConnectReset => (
            "The connection is reset while it is being opened.",
            "Look for the firewall or proxy that resets connections to this address, and allow this one.",
        ),
        Reason::PortBlocked => (
            "Another port of the service at the same address opens, this one does not.",
            "Open this port in the NSG, firewall or network policy that lets the service's other port through.",
        ),
        Reason::PartiallyReachable => (
            "Some addresses of the answer connect and some do not.",
            "Remove the records of addresses that no longer answer, as a private endpoint that was deleted and made again leaves behind.",
        ),
        Reason::PrivatelinkHostUsed => (
            "The host is a privatelink alias, and certificates cover only the public name.",
            "Connect to the public name of the resource instead of its privatelink alias.",
        ),
        Reason::TlsNameMismatch => (
            "The certificate is for other names than the host.",
            "Find out what answers at this address: a record that points at another endpoint, or a device that terminates TLS.",
        ),
        Reason::TlsUntrustedIssuer => (
            "The certificate's chain ends in no root that the agent trusts.",
            "Add the issuer's root to tls.caFiles if you trust it, or else find the device that inspects TLS on this path and exempt the host.",
        ),
        Reason::TlsCertificateExpired => (
            "The certificate, or one of its chain, has expired.",
            "Renew the certificate where it is presented, at the service or at the proxy in between, and check the node's clock.",
        ),
        Reason::TlsCertificateNotYetValid => (
            "The certificate is not valid yet by the node's clock.",
            "Check the node's clock, and if it is right, present a certificate that is already valid.",
        ),
        Reason::TlsCertificateInvalid => (
            "The certificate cannot serve a TLS server.",
            "Replace the certificate by one made for a TLS server, with the right purpose and a signature that clients can verify.",
        ),
        Reason::TlsTimeout => (
            "The connection opens, but the handshake gets no answer.",
            "Look for a firewall that drops the handshake after letting the connection open, an overloaded service, or a path MTU problem.",
        ),
        Reason::TlsInterrupted => (
            "The peer closed or reset the connection during the handshake.",
            "Look for a firewall or proxy that cuts connections by the name in the handshake, and allow this host there.",
        ),
        Reason::TlsHandshakeFailed => (
            "The peer refused the handshake, has no TLS version in common, or does not speak TLS.",
            "Check that port and protocol belong together, and that the service accepts TLS 1.2 or 1.3.",
        ),
        Reason::TlsCertificateExpiring => (
            "The certificate ends soon.",
            "Renew the certificate before the date shown.",
        ),
        Reason::TlsPrivateRoot => (
            "An Azure service's certificate ends in one of your own roots, as where a firewall inspects TLS.",
            "Exempt the host from TLS inspection if inspection is not meant.",
        ),
        Reason::WrongPrivateEndpoint => (
            "The address is private, but the service behind it denies this path.",
            "Check the private endpoint behind this address: it belongs to another resource, or its connection is not approved.",
        ),
        Reason::AccessDenied => (
            "The service is reached and denies access from here.",
            "Allow this path in the service's network rules, or make the name resolve to a private endpoint.",
        ),
        Reason::PublicPathSeen => (
            "A private address was dialled, but the service saw the request come from a public one.",
            "Find the firewall or proxy that resolves the name again on the way, and make it resolve privately or pass the connection through.",
        ),
        Reason::UnexpectedResponder => (
            "What replies is not the service.",
            "Find out what replies in place of the service: a proxy's block page, a portal, or a record that points elsewhere.",
        ),
        Reason::HttpTimeout => (
            "The handshake succeeded, but the service gave no reply in time.",
            "Look at the service's health and at the proxies in between, because the handshake succeeded and then no reply came.",
        ),
        Reason::ServiceError => (
            "The service itself answered with an error or throttled the request.",
            "Look at the service's health and its throttling limits: the path to it works.",
        ),
        Reason::AccessUnverified => (
            "Nothing can be asked of this service before login, so its access rules are untested.",
            "Test access with a real login, because this service reveals nothing about its rules before one.",
        ),
        Reason::Ok => ("Nothing is wrong.", "Nothing to do."),
    };
    Advice { meaning, remedy }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentences() -> impl Iterator<Item = (Reason, &'static str)> {
        let reasons = Reason::ALL.iter();
        reasons.flat_map(|reason| [(*reason, meaning(*reason)), (*reason, remedy(*reason))])
    }

    #[test]
    fn every_reason_has_one_sentence_of_meaning_and_one_of_remedy() {
        for (reason, sentence) in sentences() {
            let body = sentence.strip_suffix('.');
            let body = body.unwrap_or_else(|| panic!("{reason}: no full stop: {sentence}"));
            assert!(!body.contains(". "), "{reason}: two sentences: {sentence}");
            assert!(
                body.starts_with(|c: char| c.is_uppercase()),
                "{reason}: {sentence}"
            );
        }
    }

    #[test]
    fn sentences_are_plain_text_and_fit_a_terminal() {
        for (reason, sentence) in sentences() {
            assert!(
                !sentence.contains(['`', '*', '#', '[', '\n', '\t', '"']),
                "{reason}: {sentence}"
            );
            assert!(sentence.len() <= 200, "{reason}: {} bytes", sentence.len());
            assert!(!sentence.contains("  "), "{reason}: {sentence}");
        }
    }

    #[test]
    fn no_two_reasons_say_the_same() {
        let mut seen = std::collections::BTreeMap::new();
        for (reason, sentence) in sentences() {
            let other = seen.insert(sentence, reason);
            assert_eq!(other, None, "{reason}: {sentence}");
        }
    }
}
