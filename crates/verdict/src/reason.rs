//! Reason: one of the closed set of ways a private service is broken, in the contract's order.
//!
//! Everything about a reason is in its row: the word, the stage, the severity, what it means and what
//! to do about it in general. The order of the rows is the order of the contract's table: a stage after
//! another, and within a stage the row that outranks the next. It decides which finding is primary.
//!
//! A new reason takes its row here, the code in `judge/` that finds it, its section in docs/runbook.md and
//! its scenarios; facts of its own take a variant in `fact/` and its words in `prose/detail/`.

use crate::words::words;

words! {
    /// The part of a probe that a reason belongs to, in the order a probe goes through them.
    Stage {
        /// Our own fault, not the service's.
        Agent = "agent",
        /// Asking for the name.
        Dns = "dns",
        /// What the addresses are.
        Address = "address",
        /// Opening a connection.
        Connect = "connect",
        /// The handshake and the certificate.
        Tls = "tls",
        /// The service's own reply.
        Http = "http",
        /// No reason.
        None = "none",
    }
}

words! {
    /// How much a finding matters.
    Severity {
        /// Worth knowing; never decides a verdict.
        Info = "info",
        /// Works, but not as it should.
        Warn = "warn",
        /// Broken.
        Fail = "fail",
    }
}

macro_rules! reasons {
    ($(
        #[doc = $doc:literal]
        $variant:ident = $word:literal, $stage:ident, $severity:ident,
        means $meaning:literal,
        remedy $remedy:literal;
    )+) => {
        words! {
            /// Why a verdict is what it is.
            Reason { $(#[doc = $doc] $variant = $word,)+ }
        }

        impl Reason {
            /// The stage the reason belongs to.
            pub const fn stage(self) -> Stage {
                match self { $(Self::$variant => Stage::$stage,)+ }
            }

            /// The severity of a finding of this reason, unless the expectation or a route lowers it.
            pub const fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity,)+ }
            }

            /// What the reason means in general, in one sentence.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)+ }
            }

            /// What to do about it in general, in one sentence: the first of the reason's section in
            /// docs/runbook.md.
            pub const fn remedy(self) -> &'static str {
                match self { $(Self::$variant => $remedy,)+ }
            }
        }
    };
}

reasons! {
    /// We could not probe.
    AgentError = "agent_error", Agent, Fail,
        means "The agent could not probe, which says nothing about the service.",
        remedy "Read the detail to see what the agent could not do, and repair its resolv.conf, limits or sockets on this node.";
    /// No DNS server answered in time.
    DnsTimeout = "dns_timeout", Dns, Fail,
        means "No DNS server answered in time.",
        remedy "Make UDP and TCP port 53 from here to the DNS server work: check that the server runs, then network policies, NSGs, firewalls and routes.";
    /// The DNS server's port is closed, or no route leads to it.
    DnsServerUnreachable = "dns_server_unreachable", Dns, Fail,
        means "Nothing listens on the DNS server's port, or no route leads to it.",
        remedy "Correct the DNS server's address, start the server, or add the route to it.";
    /// SERVFAIL, REFUSED, FORMERR or NOTIMP for every family.
    DnsServerFailure = "dns_server_failure", Dns, Fail,
        means "The DNS server answers, but refuses the question or cannot resolve it.",
        remedy "Look at the DNS server's log and at the forwarders behind it: it is reached, but refuses or cannot resolve this name.";
    /// Truncated over UDP, and TCP to the server fails.
    DnsTcpFailed = "dns_tcp_failed", Dns, Fail,
        means "The answer is too long for UDP, and asking again over TCP fails.",
        remedy "Allow TCP port 53 to the DNS server beside UDP, because this answer is too long for UDP.";
    /// The answer is unparsable, loops, or its chain is too long.
    DnsInvalidAnswer = "dns_invalid_answer", Dns, Fail,
        means "The answer cannot be parsed, or its CNAMEs loop, are too many, or contradict each other.",
        remedy "Ask the same server with dig, and repair the CNAMEs of the answer or the device that garbles it.";
    /// A CNAME without address or SOA: the server does not chase.
    DnsIncompleteAnswer = "dns_incomplete_answer", Dns, Fail,
        means "The server leaves a CNAME, or the whole way, for the client to follow, which clients do not do.",
        remedy "Make the DNS server follow CNAMEs itself, by recursion or by forwarding everything to one resolver that does.";
    /// The privatelink zone is linked here, but has no record for the host.
    DnsPrivateRecordMissing = "dns_private_record_missing", Dns, Fail,
        means "The private DNS zone is visible here, but holds no record for this host.",
        remedy "Create the missing record in the private DNS zone, best by attaching a DNS zone group to the private endpoint.";
    /// The alias leads nowhere: the resource is gone.
    DnsAliasDangling = "dns_alias_dangling", Dns, Fail,
        means "The host's privatelink alias leads nowhere even in public DNS: the resource is gone.",
        remedy "Check that the resource still exists under this name, and recreate it or stop using the name.";
    /// A private-only name, and its zone is not linked here.
    DnsPrivateZoneNotLinked = "dns_private_zone_not_linked", Dns, Fail,
        means "The name exists only in a private DNS zone, and that zone is not visible here.",
        remedy "Link the private DNS zone of this name to the virtual network whose DNS answers here, or forward the zone to a resolver that sees it.";
    /// Somebody's private zone hides the service.
    DnsZoneShadows = "dns_zone_shadows", Dns, Fail,
        means "A private DNS zone for the host, its public suffix or a parent of it hides the public name.",
        remedy "Unlink the private DNS zone that hides the service, or add the missing record to it.";
    /// The name does not exist.
    DnsNameNotFound = "dns_name_not_found", Dns, Fail,
        means "No DNS server knows an address for the host.",
        remedy "Check the host for a typing error, another cloud's suffix or a deleted resource.";
    /// Answered, but only after a lost try, or for one family only.
    DnsDegraded = "dns_degraded", Dns, Warn,
        means "The name was resolved only after a lost try, or for one address family while the other fails.",
        remedy "Find the DNS server or the address family that loses queries, and repair it or take it out of use.";
    /// The search list captures the relative name.
    DnsSearchCapture = "dns_search_capture", Dns, Warn,
        means "Without a trailing dot the name resolves to something else, through the search list.",
        remedy "Use the absolute name with a trailing dot, or remove the wildcard record from the search domain that captures it.";
    /// The server says its answer is stale.
    DnsStaleAnswer = "dns_stale_answer", Dns, Info,
        means "The DNS server says that its answer comes from an expired cache.",
        remedy "Restore the DNS server's upstream, which it could not reach when it answered from its expired cache.";
    /// An answer is reserved or denied.
    ReservedAddress = "reserved_address", Address, Fail,
        means "An answer is an address that no service has, or one that the configuration denies.",
        remedy "Correct the record: no service has the address that it holds, or the configuration denies it.";
    /// The answers change their class back and forth.
    AddressFlapping = "address_flapping", Address, Fail,
        means "The answers change back and forth between classes of addresses.",
        remedy "Make all DNS servers behind this resolver answer alike, because the name changes its address class between them.";
    /// Private and public in one answer.
    MixedAddresses = "mixed_addresses", Address, Fail,
        means "One answer holds private and public addresses together.",
        remedy "Make A and AAAA of the name come from the private zone alone, because clients pick any address of the answer.";
    /// A privatelink alias with a public address.
    PublicFallback = "public_fallback", Address, Fail,
        means "The host has a privatelink alias, but resolves to a public address on this path.",
        remedy "Link the private DNS zone to the virtual network whose DNS answers here, or make the DNS server forward the public zone to a resolver that sees the private one.";
    /// The same, although the privatelink zone answers privately.
    PublicFallbackZoneLinked = "public_fallback_zone_linked", Address, Fail,
        means "The host resolves to a public address although the privatelink zone answers privately here.",
        remedy "Create the host's record in the linked zone and turn fallback to internet (NxDomainRedirect) off, or if the record exists, forward the whole public zone to the resolver that sees it.";
    /// A public address and no privatelink alias.
    NoPrivateEndpoint = "no_private_endpoint", Address, Fail,
        means "The host has no privatelink alias: its resource has no approved private endpoint.",
        remedy "Create or approve a private endpoint for the resource, or change the target's expectation if public access is meant.";
    /// Private, but not where the private endpoints live.
    UnexpectedPrivateAddress = "unexpected_private_address", Address, Fail,
        means "The address is private, but not where the target's private endpoint should be.",
        remedy "Compare the address with the private endpoint's network interface, and correct the record, the expectedCidrs or the expectation.";
    /// Another resolver gives another class.
    ResolverDisagreement = "resolver_disagreement", Address, Warn,
        means "Another resolver gives another class of address, so pods and the node reach different places.",
        remedy "Link the zone to, or repair the forwarding of, the resolver that answers otherwise: image pulls and mounts use the node's, applications the pod's.";
    /// Another resolver did not answer.
    ResolverUnavailable = "resolver_unavailable", Address, Info,
        means "Another resolver did not answer, so it could not be compared.",
        remedy "Check the other resolver's server and the network policy towards it.";
    /// Applications would go through a proxy.
    ProxyWouldBeUsed = "proxy_would_be_used", Address, Warn,
        means "A proxy is configured for applications, and NO_PROXY does not spare the host.",
        remedy "Add the host or its suffix to NO_PROXY, so that applications take the path that is probed here.";
    /// Nothing answered the connection attempts.
    ConnectTimeout = "connect_timeout", Connect, Fail,
        means "Nothing answered the connection attempts.",
        remedy "Find what drops packets to this address and port: an NSG, a firewall, a route, a missing peering or a network policy.";
    /// The port is closed.
    ConnectRefused = "connect_refused", Connect, Fail,
        means "Something at the address answers, but nothing listens on the port.",
        remedy "Check that address and port are the service's, because something there answers that the port is closed.";
    /// No route to the address.
    ConnectUnreachable = "connect_unreachable", Connect, Fail,
        means "No route leads to the address.",
        remedy "Add the route, peering or address family that leads to the address, because the node or a router on the way knows none.";
    /// Reset while connecting.
    ConnectReset = "connect_reset", Connect, Fail,
        means "The connection is reset while it is being opened.",
        remedy "Look for the firewall or proxy that resets connections to this address, and allow this one.";
    /// Another port of the service opens, this one times out.
    PortBlocked = "port_blocked", Connect, Fail,
        means "Another port of the service at the same address opens, this one does not.",
        remedy "Open this port in the NSG, firewall or network policy that lets the service's other port through.";
    /// Some addresses connect, some do not.
    PartiallyReachable = "partially_reachable", Connect, Fail,
        means "Some addresses of the answer connect and some do not.",
        remedy "Look up which network interface has the address that fails: if none has, remove its record, left behind by a deleted private endpoint; if one has, repair the path to it.";
    /// The host is a privatelink name, which no certificate covers.
    PrivatelinkHostUsed = "privatelink_host_used", Tls, Fail,
        means "The host is a privatelink alias, and certificates cover only the public name.",
        remedy "Connect to the public name of the resource instead of its privatelink alias.";
    /// The certificate is for other names.
    TlsNameMismatch = "tls_name_mismatch", Tls, Fail,
        means "The certificate is for other names than the host.",
        remedy "Find out what answers at this address: a record that points at another endpoint, or a device that terminates TLS.";
    /// The certificate's issuer is not trusted.
    TlsUntrustedIssuer = "tls_untrusted_issuer", Tls, Fail,
        means "The certificate's chain ends in no root that the agent trusts.",
        remedy "Add the issuer's root to tls.caFiles if you trust it, or else find the device that inspects TLS on this path and exempt the host.";
    /// The certificate has expired.
    TlsCertificateExpired = "tls_certificate_expired", Tls, Fail,
        means "The certificate, or one of its chain, has expired.",
        remedy "Renew the certificate where it is presented, at the service or at the proxy in between, and check the node's clock.";
    /// The certificate is not valid yet.
    TlsCertificateNotYetValid = "tls_certificate_not_yet_valid", Tls, Fail,
        means "The certificate is not valid yet by the node's clock.",
        remedy "Check the node's clock, and if it is right, present a certificate that is already valid.";
    /// The certificate cannot serve a TLS server.
    TlsCertificateInvalid = "tls_certificate_invalid", Tls, Fail,
        means "The certificate cannot serve a TLS server.",
        remedy "Replace the certificate by one made for a TLS server, with the right purpose and a signature that clients can verify.";
    /// The handshake got no answer.
    TlsTimeout = "tls_timeout", Tls, Fail,
        means "The connection opens, but the handshake gets no answer.",
        remedy "Look for a firewall that drops the handshake after letting the connection open, an overloaded service, or a path MTU problem.";
    /// The peer closed or reset mid-handshake.
    TlsInterrupted = "tls_interrupted", Tls, Fail,
        means "The peer closed or reset the connection during the handshake.",
        remedy "Look for a firewall or proxy that cuts connections by the name in the handshake, and allow this host there.";
    /// An alert, an incompatible peer, or not TLS at all.
    TlsHandshakeFailed = "tls_handshake_failed", Tls, Fail,
        means "The peer refused the handshake, has no TLS version in common, or does not speak TLS.",
        remedy "Check that port and protocol belong together, and that the service accepts TLS 1.2 or 1.3.";
    /// The certificate ends soon.
    TlsCertificateExpiring = "tls_certificate_expiring", Tls, Warn,
        means "The certificate ends soon.",
        remedy "Renew the certificate before the date shown.";
    /// The certificate is right, and then a client certificate is demanded.
    TlsClientCertificateRequired = "tls_client_certificate_required", Tls, Info,
        means "The server presented the right certificate and then ended the connection, because the agent has no client certificate.",
        remedy "Nothing to do: name and path are proven, and applications that have a client certificate get in.";
    /// An Azure service's chain ends in a configured root.
    TlsPrivateRoot = "tls_private_root", Tls, Info,
        means "An Azure service's certificate ends in one of your own roots, as where a firewall inspects TLS.",
        remedy "Exempt the host from TLS inspection if inspection is not meant.";
    /// A private address whose service denies this path.
    WrongPrivateEndpoint = "wrong_private_endpoint", Http, Fail,
        means "The address is private, but the service behind it denies this path.",
        remedy "Check the private endpoint behind this address: it belongs to another resource, or its connection is not approved.";
    /// Denied by a network rule, or by the protocol.
    AccessDenied = "access_denied", Http, Fail,
        means "The service is reached and denies access from here.",
        remedy "Allow this path in the service's network rules, or make the name resolve to a private endpoint.";
    /// A private address, but the service saw a public one.
    PublicPathSeen = "public_path_seen", Http, Fail,
        means "A private address was dialled, but the service saw the request come from a public one.",
        remedy "Find the firewall or proxy that resolves the name again on the way, and make it resolve privately or pass the connection through.";
    /// The reply is not from that service.
    UnexpectedResponder = "unexpected_responder", Http, Warn,
        means "What replies is not the service.",
        remedy "Find out what replies in place of the service: a proxy's block page, a portal, or a record that points elsewhere.";
    /// The service gave no reply in time.
    HttpTimeout = "http_timeout", Http, Warn,
        means "The handshake succeeded, but the service gave no reply in time.",
        remedy "Look at the service's health and at the proxies in between, because the handshake succeeded and then no reply came.";
    /// The service itself answered 5xx or 429.
    ServiceError = "service_error", Http, Info,
        means "The service itself answered with an error or throttled the request.",
        remedy "Look at the service's health and its throttling limits: the path to it works.";
    /// Nothing can be asked before login.
    AccessUnverified = "access_unverified", Http, Info,
        means "Nothing can be asked of this service before login, so its access rules are untested.",
        remedy "Test access with a real login, because this service reveals nothing about its rules before one.";
    /// Nothing to report.
    Ok = "ok", None, Info,
        means "Nothing is wrong.",
        remedy "Nothing to do.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_reasons_is_the_order_of_stages() {
        let stages: Vec<_> = Reason::ALL.iter().map(|reason| reason.stage()).collect();
        assert!(stages.is_sorted(), "{stages:?}");
    }

    fn sentences() -> impl Iterator<Item = (Reason, &'static str)> {
        let reasons = Reason::ALL.iter();
        reasons.flat_map(|reason| [(*reason, reason.meaning()), (*reason, reason.remedy())])
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
