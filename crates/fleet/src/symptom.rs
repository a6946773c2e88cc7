//! Symptom: what is seen of a target on a node, so coarse that one cause shows the same on all nodes, and
//! on which path.

use privatelink_verdict::address::Class;
use privatelink_verdict::reason::Reason;
use privatelink_verdict::verdict::Outcome;
use privatelink_verdict::words;

use crate::{Cell, PathView};

words! {
    /// What is seen of a target: a family of reasons. Those of names come before those of connections.
    Symptom {
        /// The agent could not probe.
        AgentTrouble = "agent_trouble",
        /// No DNS server answers.
        DnsUnanswered = "dns_unanswered",
        /// DNS servers answer with errors, or only after a lost try.
        DnsFailure = "dns_failure",
        /// The private DNS zone is not seen: names resolve to public addresses, or not at all.
        ZoneNotSeen = "zone_not_seen",
        /// The private DNS zone is seen, and has no record for the name.
        RecordMissing = "record_missing",
        /// A private DNS zone hides the name.
        ZoneShadows = "zone_shadows",
        /// No DNS server knows the name.
        NameUnknown = "name_unknown",
        /// The name has no privatelink alias.
        NoEndpoint = "no_endpoint",
        /// The address is not one that the target may have.
        WrongAddress = "wrong_address",
        /// Answers differ from time to time, or hold private and public addresses together.
        AnswersDiffer = "answers_differ",
        /// The search list captures the name.
        SearchCapture = "search_capture",
        /// Applications would use a proxy.
        ProxyUsed = "proxy_used",
        /// Nothing answers connection attempts.
        PacketsDropped = "packets_dropped",
        /// No route leads to the address.
        NoRoute = "no_route",
        /// Connections are refused or reset.
        Refused = "refused",
        /// Some addresses connect, some do not.
        PartlyReachable = "partly_reachable",
        /// The host is a privatelink alias.
        AliasAsHost = "alias_as_host",
        /// The certificate is for other names.
        OtherCertificate = "other_certificate",
        /// The issuer of the certificate is not trusted.
        Untrusted = "untrusted",
        /// The certificate has expired, soon will, or is not valid yet.
        CertificateDates = "certificate_dates",
        /// The TLS handshake does not succeed.
        TlsBroken = "tls_broken",
        /// The service denies access at its private address.
        DeniedPrivately = "denied_privately",
        /// The service denies access.
        Denied = "denied",
        /// The service sees requests come from a public address.
        PublicPath = "public_path",
        /// What replies is not the service, or it does not reply in time.
        ServiceTrouble = "service_trouble",
    }
}

words! {
    /// Which path to a target has the symptom.
    PathScope {
        /// Every path on which the name was asked.
        EveryPath = "every_path",
        /// The path that pods use; the node's is well.
        PodPathOnly = "pod_path_only",
        /// The path that kubelet, image pulls and mounts use; the pods' is well.
        NodePathOnly = "node_path_only",
        /// Some paths of other names; at least one is well.
        SomePaths = "some_paths",
        /// The symptom comes after names were resolved, so paths do not matter.
        AnyPath = "any_path",
    }
}

/// The names that the chart gives to the two paths.
const POD: &str = "pod";
const NODE: &str = "node";

impl Symptom {
    /// The symptom that a reason belongs to; `None` for what is never primary.
    pub const fn of(reason: Reason) -> Option<Self> {
        Some(match reason {
            Reason::AgentError => Self::AgentTrouble,
            Reason::DnsTimeout | Reason::DnsServerUnreachable => Self::DnsUnanswered,
            Reason::DnsServerFailure
            | Reason::DnsTcpFailed
            | Reason::DnsInvalidAnswer
            | Reason::DnsIncompleteAnswer
            | Reason::DnsDegraded => Self::DnsFailure,
            Reason::PublicFallback
            | Reason::DnsPrivateZoneNotLinked
            | Reason::ResolverDisagreement => Self::ZoneNotSeen,
            Reason::DnsPrivateRecordMissing | Reason::PublicFallbackZoneLinked => {
                Self::RecordMissing
            }
            Reason::DnsAliasDangling | Reason::DnsNameNotFound => Self::NameUnknown,
            Reason::DnsZoneShadows => Self::ZoneShadows,
            Reason::DnsSearchCapture => Self::SearchCapture,
            Reason::NoPrivateEndpoint => Self::NoEndpoint,
            Reason::ReservedAddress | Reason::UnexpectedPrivateAddress => Self::WrongAddress,
            Reason::AddressFlapping | Reason::MixedAddresses => Self::AnswersDiffer,
            Reason::ProxyWouldBeUsed => Self::ProxyUsed,
            Reason::ConnectTimeout | Reason::PortBlocked => Self::PacketsDropped,
            Reason::ConnectUnreachable => Self::NoRoute,
            Reason::ConnectRefused | Reason::ConnectReset => Self::Refused,
            Reason::PartiallyReachable => Self::PartlyReachable,
            Reason::PrivatelinkHostUsed => Self::AliasAsHost,
            Reason::TlsNameMismatch => Self::OtherCertificate,
            Reason::TlsUntrustedIssuer => Self::Untrusted,
            Reason::TlsCertificateExpired
            | Reason::TlsCertificateNotYetValid
            | Reason::TlsCertificateExpiring => Self::CertificateDates,
            Reason::TlsCertificateInvalid
            | Reason::TlsTimeout
            | Reason::TlsInterrupted
            | Reason::TlsHandshakeFailed => Self::TlsBroken,
            Reason::WrongPrivateEndpoint => Self::DeniedPrivately,
            Reason::AccessDenied => Self::Denied,
            Reason::PublicPathSeen => Self::PublicPath,
            Reason::UnexpectedResponder | Reason::HttpTimeout => Self::ServiceTrouble,
            Reason::DnsStaleAnswer
            | Reason::ResolverUnavailable
            | Reason::TlsClientCertificateRequired
            | Reason::TlsPrivateRoot
            | Reason::ServiceError
            | Reason::AccessUnverified
            | Reason::Ok => return None,
        })
    }

    /// What targets with it do, for these reasons, to follow their names in a sentence.
    pub fn phrase_for(self, reasons: &[Reason], one: bool) -> &'static str {
        let (of_one, of_several) = match reasons {
            [Reason::TlsCertificateExpired] => (
                "presents an expired certificate",
                "present expired certificates",
            ),
            [Reason::TlsCertificateExpiring] => (
                "presents a certificate that expires soon",
                "present certificates that expire soon",
            ),
            [Reason::TlsCertificateNotYetValid] => (
                "presents a certificate that is not yet valid",
                "present certificates that are not yet valid",
            ),
            _ => return self.phrase(one),
        };
        if one { of_one } else { of_several }
    }

    /// What targets with it do.
    const fn phrase(self, one: bool) -> &'static str {
        let (of_one, of_several) = match self {
            Self::AgentTrouble => ("could not be probed", "could not be probed"),
            Self::DnsUnanswered => ("gets no answer from DNS", "get no answer from DNS"),
            Self::DnsFailure => ("gets errors from DNS", "get errors from DNS"),
            Self::ZoneNotSeen => (
                "does not resolve to its private endpoint",
                "do not resolve to their private endpoints",
            ),
            Self::RecordMissing => (
                "has no record in its private DNS zone",
                "have no records in their private DNS zones",
            ),
            Self::ZoneShadows => (
                "is hidden by a private DNS zone",
                "are hidden by a private DNS zone",
            ),
            Self::NameUnknown => ("leads nowhere in DNS", "lead nowhere in DNS"),
            Self::NoEndpoint => (
                "resolves without a private endpoint",
                "resolve without private endpoints",
            ),
            Self::WrongAddress => (
                "resolves to an address that it should not have",
                "resolve to addresses that they should not have",
            ),
            Self::AnswersDiffer => (
                "gets answers that contradict each other",
                "get answers that contradict each other",
            ),
            Self::SearchCapture => (
                "resolves to something else without a trailing dot",
                "resolve to something else without a trailing dot",
            ),
            Self::ProxyUsed => (
                "would be reached through a proxy",
                "would be reached through a proxy",
            ),
            Self::PacketsDropped => (
                "does not answer connection attempts",
                "do not answer connection attempts",
            ),
            Self::NoRoute => ("has no route", "have no route"),
            Self::Refused => ("refuses connections", "refuse connections"),
            Self::PartlyReachable => (
                "answers at some of its addresses only",
                "answer at some of their addresses only",
            ),
            Self::AliasAsHost => (
                "is named by its privatelink alias",
                "are named by their privatelink aliases",
            ),
            Self::OtherCertificate => (
                "presents a certificate for other names",
                "present certificates for other names",
            ),
            Self::Untrusted => (
                "presents a certificate of an issuer that is not trusted",
                "present certificates of an issuer that is not trusted",
            ),
            Self::CertificateDates => (
                "presents a certificate that is not valid now, or soon will not be",
                "present certificates that are not valid now, or soon will not be",
            ),
            Self::TlsBroken => ("completes no TLS handshake", "complete no TLS handshake"),
            Self::DeniedPrivately => (
                "denies access at its private address",
                "deny access at their private addresses",
            ),
            Self::Denied => ("denies access", "deny access"),
            Self::PublicPath => (
                "sees requests from a public address",
                "see requests from public addresses",
            ),
            Self::ServiceTrouble => ("does not reply as it should", "do not reply as they should"),
        };
        if one { of_one } else { of_several }
    }

    /// Whether a path does not have it: where servers are at fault it is answered, else it is answered
    /// with private addresses alone.
    fn is_well(self, path: PathView<'_>) -> bool {
        let mut classes = path.classes.iter();
        let is_of_servers = matches!(self, Self::DnsUnanswered | Self::DnsFailure);
        !path.classes.is_empty() && (is_of_servers || classes.all(Class::is_private))
    }

    /// Whether it is about what a private DNS zone holds, or whether it is seen.
    pub(crate) const fn is_of_zones(self) -> bool {
        matches!(
            self,
            Self::ZoneNotSeen
                | Self::RecordMissing
                | Self::WrongAddress
                | Self::AnswersDiffer
                | Self::DeniedPrivately
        )
    }

    /// Whether it is about names and addresses, so that it has a path.
    pub const fn is_of_names(self) -> bool {
        matches!(
            self,
            Self::DnsUnanswered
                | Self::DnsFailure
                | Self::ZoneNotSeen
                | Self::RecordMissing
                | Self::NameUnknown
                | Self::ZoneShadows
                | Self::NoEndpoint
                | Self::WrongAddress
                | Self::AnswersDiffer
        )
    }
}

/// What is wrong with a cell that was judged lately; `None` where it passes or was not judged.
pub(crate) fn of_cell(cell: &Cell) -> Option<(Symptom, PathScope)> {
    let (outcome, reason) = cell.judged.filter(|_| !cell.is_stale)?;
    if outcome == Outcome::Pass {
        return None;
    }
    let symptom = Symptom::of(reason)?;
    Some((symptom, path_scope(symptom, cell)))
}

/// Which paths of a cell have the symptom: those that are not well, if some other one is.
fn path_scope(symptom: Symptom, cell: &Cell) -> PathScope {
    if !symptom.is_of_names() {
        return PathScope::AnyPath;
    }
    let mut ill = ill_paths(symptom, cell).peekable();
    let any_is_well = cell.paths.iter().any(|path| symptom.is_well(path));
    if !any_is_well || ill.peek().is_none() {
        return PathScope::EveryPath;
    }
    let mut scope = None;
    for path in ill {
        let this = match &**path.resolver {
            POD => PathScope::PodPathOnly,
            NODE => PathScope::NodePathOnly,
            _ => PathScope::SomePaths,
        };
        scope = match scope {
            None => Some(this),
            Some(before) if before == this => Some(this),
            Some(_) => Some(PathScope::SomePaths),
        };
    }
    scope.unwrap_or(PathScope::EveryPath)
}

/// The paths of a cell that have the symptom.
pub(crate) fn ill_paths(symptom: Symptom, cell: &Cell) -> impl Iterator<Item = PathView<'_>> {
    cell.paths
        .iter()
        .filter(move |path| !symptom.is_well(*path))
}

/// Whether a cell that does not pass is about a path that its users do not take: the judged path is well.
pub(crate) fn is_about_another_path(cell: &Cell) -> bool {
    matches!(cell.judged, Some((_, Reason::ResolverDisagreement)))
}
