//! Reason: one of the closed set of ways a private service is broken, in the contract's order.
//!
//! The order of the variants is the order of the contract's table: a stage after another, and within
//! a stage the row that outranks the next. It decides which finding is primary.

use crate::target::words;

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

words! {
    /// Why a verdict is what it is.
    Reason {
        /// We could not probe.
        AgentError = "agent_error",
        /// No DNS server answered in time.
        DnsTimeout = "dns_timeout",
        /// The DNS server's port is closed, or no route leads to it.
        DnsServerUnreachable = "dns_server_unreachable",
        /// SERVFAIL, REFUSED, FORMERR or NOTIMP for every family.
        DnsServerFailure = "dns_server_failure",
        /// Truncated over UDP, and TCP to the server fails.
        DnsTcpFailed = "dns_tcp_failed",
        /// The answer is unparsable, loops, or its chain is too long.
        DnsInvalidAnswer = "dns_invalid_answer",
        /// A CNAME without address or SOA: the server does not chase.
        DnsIncompleteAnswer = "dns_incomplete_answer",
        /// The privatelink zone is linked here, but has no record for the host.
        DnsPrivateRecordMissing = "dns_private_record_missing",
        /// The alias leads nowhere: the resource is gone.
        DnsAliasDangling = "dns_alias_dangling",
        /// A private-only name, and its zone is not linked here.
        DnsPrivateZoneNotLinked = "dns_private_zone_not_linked",
        /// Somebody's private zone hides the service.
        DnsZoneShadows = "dns_zone_shadows",
        /// The name does not exist.
        DnsNameNotFound = "dns_name_not_found",
        /// Answered, but only after a lost try, or for one family only.
        DnsDegraded = "dns_degraded",
        /// The search list captures the relative name.
        DnsSearchCapture = "dns_search_capture",
        /// The server says its answer is stale.
        DnsStaleAnswer = "dns_stale_answer",
        /// An answer is reserved or denied.
        ReservedAddress = "reserved_address",
        /// The answers change their class back and forth.
        AddressFlapping = "address_flapping",
        /// Private and public in one answer.
        MixedAddresses = "mixed_addresses",
        /// A privatelink alias with a public address.
        PublicFallback = "public_fallback",
        /// The same, although the privatelink zone answers privately.
        PublicFallbackZoneLinked = "public_fallback_zone_linked",
        /// A public address and no privatelink alias.
        NoPrivateEndpoint = "no_private_endpoint",
        /// Private, but not where the private endpoints live.
        UnexpectedPrivateAddress = "unexpected_private_address",
        /// Another resolver gives another class.
        ResolverDisagreement = "resolver_disagreement",
        /// Another resolver did not answer.
        ResolverUnavailable = "resolver_unavailable",
        /// Applications would go through a proxy.
        ProxyWouldBeUsed = "proxy_would_be_used",
        /// Nothing answered the connection attempts.
        ConnectTimeout = "connect_timeout",
        /// The port is closed.
        ConnectRefused = "connect_refused",
        /// No route to the address.
        ConnectUnreachable = "connect_unreachable",
        /// Reset while connecting.
        ConnectReset = "connect_reset",
        /// Another port of the service opens, this one times out.
        PortBlocked = "port_blocked",
        /// Some addresses connect, some do not.
        PartiallyReachable = "partially_reachable",
        /// The host is a privatelink name, which no certificate covers.
        PrivatelinkHostUsed = "privatelink_host_used",
        /// The certificate is for other names.
        TlsNameMismatch = "tls_name_mismatch",
        /// The certificate's issuer is not trusted.
        TlsUntrustedIssuer = "tls_untrusted_issuer",
        /// The certificate has expired.
        TlsCertificateExpired = "tls_certificate_expired",
        /// The certificate is not valid yet.
        TlsCertificateNotYetValid = "tls_certificate_not_yet_valid",
        /// The certificate cannot serve a TLS server.
        TlsCertificateInvalid = "tls_certificate_invalid",
        /// The handshake got no answer.
        TlsTimeout = "tls_timeout",
        /// The peer closed or reset mid-handshake.
        TlsInterrupted = "tls_interrupted",
        /// An alert, an incompatible peer, or not TLS at all.
        TlsHandshakeFailed = "tls_handshake_failed",
        /// The certificate ends soon.
        TlsCertificateExpiring = "tls_certificate_expiring",
        /// An Azure service's chain ends in a configured root.
        TlsPrivateRoot = "tls_private_root",
        /// A private address whose service denies this path.
        WrongPrivateEndpoint = "wrong_private_endpoint",
        /// Denied by a network rule, or by the protocol.
        AccessDenied = "access_denied",
        /// A private address, but the service saw a public one.
        PublicPathSeen = "public_path_seen",
        /// The reply is not from that service.
        UnexpectedResponder = "unexpected_responder",
        /// The service gave no reply in time.
        HttpTimeout = "http_timeout",
        /// The service itself answered 5xx or 429.
        ServiceError = "service_error",
        /// Nothing can be asked before login.
        AccessUnverified = "access_unverified",
        /// Nothing to report.
        Ok = "ok",
    }
}

impl Reason {
    /// The stage the reason belongs to.
    pub const fn stage(self) -> Stage {
        match self {
            Self::AgentError => Stage::Agent,
            Self::DnsTimeout
            | Self::DnsServerUnreachable
            | Self::DnsServerFailure
            | Self::DnsTcpFailed
            | Self::DnsInvalidAnswer
            | Self::DnsIncompleteAnswer
            | Self::DnsPrivateRecordMissing
            | Self::DnsAliasDangling
            | Self::DnsPrivateZoneNotLinked
            | Self::DnsZoneShadows
            | Self::DnsNameNotFound
            | Self::DnsDegraded
            | Self::DnsSearchCapture
            | Self::DnsStaleAnswer => Stage::Dns,
            Self::ReservedAddress
            | Self::AddressFlapping
            | Self::MixedAddresses
            | Self::PublicFallback
            | Self::PublicFallbackZoneLinked
            | Self::NoPrivateEndpoint
            | Self::UnexpectedPrivateAddress
            | Self::ResolverDisagreement
            | Self::ResolverUnavailable
            | Self::ProxyWouldBeUsed => Stage::Address,
            Self::ConnectTimeout
            | Self::ConnectRefused
            | Self::ConnectUnreachable
            | Self::ConnectReset
            | Self::PortBlocked
            | Self::PartiallyReachable => Stage::Connect,
            Self::PrivatelinkHostUsed
            | Self::TlsNameMismatch
            | Self::TlsUntrustedIssuer
            | Self::TlsCertificateExpired
            | Self::TlsCertificateNotYetValid
            | Self::TlsCertificateInvalid
            | Self::TlsTimeout
            | Self::TlsInterrupted
            | Self::TlsHandshakeFailed
            | Self::TlsCertificateExpiring
            | Self::TlsPrivateRoot => Stage::Tls,
            Self::WrongPrivateEndpoint
            | Self::AccessDenied
            | Self::PublicPathSeen
            | Self::UnexpectedResponder
            | Self::HttpTimeout
            | Self::ServiceError
            | Self::AccessUnverified => Stage::Http,
            Self::Ok => Stage::None,
        }
    }

    /// The severity a finding of this reason has unless the expectation or a route softens it.
    pub const fn severity(self) -> Severity {
        match self {
            Self::DnsStaleAnswer
            | Self::ResolverUnavailable
            | Self::TlsPrivateRoot
            | Self::ServiceError
            | Self::AccessUnverified
            | Self::Ok => Severity::Info,
            Self::DnsDegraded
            | Self::DnsSearchCapture
            | Self::ResolverDisagreement
            | Self::ProxyWouldBeUsed
            | Self::TlsCertificateExpiring
            | Self::UnexpectedResponder
            | Self::HttpTimeout => Severity::Warn,
            _ => Severity::Fail,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_reasons_is_the_order_of_stages() {
        let stages: Vec<_> = Reason::ALL.iter().map(|reason| reason.stage()).collect();
        assert!(stages.is_sorted(), "{stages:?}");
    }
}
