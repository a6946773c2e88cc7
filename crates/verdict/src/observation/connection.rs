//! Connection: what became of one address: connecting, the handshake, the service's reply.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::{Certificate, Rare, RareFacts};
use crate::address::Family;
use crate::service_evidence::{Proof, Reply, ReplyOutcome, ServiceEvidence};
use crate::words::words;

words! {
    /// How connecting to one address ended.
    TcpOutcome {
        /// Connected.
        Ok = "ok",
        /// No answer in time.
        Timeout = "timeout",
        /// The port is closed.
        Refused = "refused",
        /// No route to the address.
        Unreachable = "unreachable",
        /// Reset while connecting.
        Reset = "reset",
        /// A socket error that is none of the network's.
        Error = "error",
        /// Not dialled.
        Skipped = "skipped",
    }
}

words! {
    /// How a handshake ended, whatever the certificate is worth.
    Handshake {
        /// Completed.
        Ok = "ok",
        /// No answer in time.
        Timeout = "timeout",
        /// Closed or reset before it was complete.
        Interrupted = "interrupted",
        /// An alert, an incompatible peer, or not TLS at all.
        Failed = "failed",
        /// The peer's certificate cannot be read, or does not prove that the peer holds its key.
        BadCertificate = "bad_certificate",
        /// There was no connection to handshake on.
        Skipped = "skipped",
        /// The protocol has no handshake.
        NotApplicable = "not_applicable",
    }
}

words! {
    /// Why an address was not dialled, or its handshake given up.
    Skip {
        /// Reserved or denied.
        Reserved = "reserved",
        /// The pod has no route for its family.
        NoRoute = "no_route",
        /// More addresses than are dialled at once.
        TooMany = "too_many",
        /// The target is judged on DNS alone.
        DnsOnly = "dns_only",
        /// The agent has too many connections open, or too much to read, at this moment.
        Busy = "busy",
    }
}

words! {
    /// By which rule of its own protocol a server turned us away before TLS.
    Refusal {
        /// `MySQL` error 1129: too many broken connections came from this host.
        HostBlocked = "host_blocked",
        /// `MySQL` error 1130: no account may log in from this host.
        HostNotAllowed = "host_not_allowed",
        /// No firewall rule admits the client's address: Azure SQL error 40615, Azure `MySQL` error 9000.
        NoFirewallRule = "no_firewall_rule",
        /// No virtual network rule admits the client's subnet: Azure SQL error 40914.
        NoSubnetRule = "no_subnet_rule",
        /// Public access is off, so that no rule helps: Azure SQL error 47073.
        PublicAccessOff = "public_access_off",
    }
}

/// How a server turned us away before TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// By which rule.
    pub by: Refusal,
    /// The address that the server says it was asked from, where it says one.
    pub seen_from: Option<IpAddr>,
}

words! {
    /// Why a handshake was not completed, where the peer's words or deeds tell.
    NoHandshake {
        /// The peer has no version or cipher suite in common with what was offered.
        NothingInCommon = "nothing_in_common",
        /// The server offers no TLS.
        NoTls = "no_tls",
        /// The server takes no more connections: `PostgreSQL` error 53300, `MySQL` error 1040.
        ServerFull = "server_full",
        /// The server answers with another error of its own protocol before TLS.
        ServerError = "server_error",
        /// The peer speaks another protocol.
        OtherProtocol = "other_protocol",
        /// The peer serves no such name: TLS alert 112, Azure SQL error 40532.
        UnknownName = "unknown_name",
        /// The peer does not let this client in: a TLS alert about the client's certificate or rights.
        ClientRefused = "client_refused",
        /// The peer has trouble of its own: TLS alert 80.
        PeerTrouble = "peer_trouble",
        /// The peer ended the connection before TLS could begin.
        EndedBeforeTls = "ended_before_tls",
        /// A SQL Server demands TLS before anything else (TDS 8).
        TlsFirst = "tls_first",
    }
}

/// The ICMP message (RFC 792, RFC 1812) or `ICMPv6` message (RFC 4443) that ended a connection attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IcmpError {
    /// Whose message: the two have numbers of their own.
    pub family: Family,
    /// Its type.
    pub kind: u8,
    /// Its code.
    pub code: u8,
    /// The router, firewall or host that sent it.
    pub from: Option<IpAddr>,
}

/// What the system knows of why a connection was not opened, beside its error number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// This message came back.
    Icmp(IcmpError),
    /// A route of this machine's own is of type `prohibit` (ip-route(8)).
    ProhibitRoute,
}

/// What became of one address.
#[derive(Clone, Debug, PartialEq)]
pub struct Connection {
    /// The address dialled.
    pub ip: IpAddr,
    /// The port dialled.
    pub port: u16,
    /// Why it was not dialled, if it was not, or not to the end.
    pub skip: Option<Skip>,
    /// How connecting ended.
    pub tcp: TcpOutcome,
    /// Time to the outcome, where it was dialled.
    pub tcp_elapsed: Option<Duration>,
    /// How the handshake ended.
    pub handshake: Handshake,
    /// Time to the outcome, where there was a handshake.
    pub handshake_elapsed: Option<Duration>,
    /// The leaf certificate, if one was received, whether or not it was any good.
    pub certificate: Option<Certificate>,
    /// What the service itself replied, as last asked.
    pub service: Option<Arc<ServiceReply>>,
    /// Time to that reply, where it was asked in this probe.
    pub service_elapsed: Option<Duration>,
    /// What was out of the ordinary.
    pub trouble: Rare<ConnectionTrouble>,
}

/// What is out of the ordinary about a connection.
#[derive(Clone, Debug, PartialEq)]
pub struct ConnectionTrouble {
    /// What the system said, where connecting failed.
    pub tcp_detail: Option<Box<str>>,
    /// What more is known of why connecting failed.
    pub obstacle: Option<Obstacle>,
    /// Another port of the service, and whether it opened.
    pub other_port: Option<(u16, bool)>,
    /// What the peer or the library said, where the handshake failed.
    pub handshake_detail: Option<Box<str>>,
    /// Whether the server ended the connection because it got no client certificate, after it had
    /// presented its own: the handshake then counts as completed.
    pub client_certificate_required: bool,
    /// Why the handshake was not completed, where that is known.
    pub no_handshake: Option<NoHandshake>,
    /// How the server turned us away before TLS, in the words of `handshake_detail`.
    pub refused: Option<Refused>,
}

impl RareFacts for ConnectionTrouble {
    const NONE: &'static Self = &Self {
        tcp_detail: None,
        obstacle: None,
        other_port: None,
        handshake_detail: None,
        client_certificate_required: false,
        no_handshake: None,
        refused: None,
    };
}

/// What became of asking the service at one address.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceReply {
    /// The reply, or why there is none.
    pub reply: Result<Reply, NoReply>,
    /// When it was asked.
    pub checked_at: SystemTime,
}

words! {
    /// Why a service gave no reply.
    NoReply {
        /// Nothing came in time.
        Timeout = "no answer in time",
        /// The connection was closed before the reply was complete.
        Closed = "the connection was closed",
        /// What came is not HTTP/1.1, or larger than any reply of the service.
        Unreadable = "what came is not an HTTP/1.1 reply",
    }
}

impl ServiceReply {
    /// What the reply proves, by what its service says of replies; `None` where nothing came.
    pub fn proof(&self, evidence: Option<&ServiceEvidence>) -> Option<Proof> {
        match &self.reply {
            Ok(reply) => Some(evidence?.prove(reply)),
            // Something answered, and it was not the service.
            Err(NoReply::Unreadable) => Some(Proof {
                outcome: ReplyOutcome::Other,
                evidence: NoReply::Unreadable.to_string(),
                seen_from: None,
                busy: false,
                by_perimeter: false,
            }),
            Err(NoReply::Timeout | NoReply::Closed) => None,
        }
    }

    /// Why there is no reply, in words; empty where there is one.
    pub fn failure(&self) -> &'static str {
        self.reply
            .as_ref()
            .err()
            .map_or("", |failure| failure.as_str())
    }
}

words! {
    /// The contract's one word for a handshake and its certificate together.
    TlsOutcome {
        /// As it should be.
        Ok = "ok",
        /// For other names.
        NameMismatch = "name_mismatch",
        /// By an unknown issuer.
        Untrusted = "untrusted",
        /// Expired.
        Expired = "expired",
        /// Not valid yet.
        NotYetValid = "not_yet_valid",
        /// Cannot serve a TLS server.
        Invalid = "invalid",
        /// No answer in time.
        Timeout = "timeout",
        /// Closed or reset before it was complete.
        Interrupted = "interrupted",
        /// An alert, an incompatible peer, or not TLS at all.
        Failed = "failed",
        /// There was no connection to handshake on.
        Skipped = "skipped",
        /// The protocol has no handshake.
        NotApplicable = "not_applicable",
    }
}

impl Connection {
    /// Whether it was dialled, or had to be counted as dialled in vain for want of any route.
    pub const fn was_dialled(&self) -> bool {
        !matches!(self.tcp, TcpOutcome::Skipped)
    }

    /// The contract's one word for the handshake and the certificate together.
    pub fn tls(&self) -> TlsOutcome {
        match (self.handshake, &self.certificate) {
            (Handshake::Ok, Some(certificate)) => certificate.outcome(),
            (Handshake::Ok, None) => TlsOutcome::Ok,
            (Handshake::Timeout, _) => TlsOutcome::Timeout,
            (Handshake::Interrupted, _) => TlsOutcome::Interrupted,
            (Handshake::BadCertificate, _) => TlsOutcome::Invalid,
            (Handshake::Failed, Some(certificate)) if certificate.outcome() != TlsOutcome::Ok => {
                certificate.outcome()
            }
            (Handshake::Failed, _) => TlsOutcome::Failed,
            (Handshake::Skipped, _) => TlsOutcome::Skipped,
            (Handshake::NotApplicable, _) => TlsOutcome::NotApplicable,
        }
    }
}
