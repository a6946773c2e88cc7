//! Service facts in words.

use privatelink_verdict::fact::ServiceFact;
use privatelink_verdict::observation::{NoReply, Refusal, Refused};

use super::{reads, text};
use crate::probe::ip;

#[test]
fn what_services_reply() {
    let ip = ip("10.1.2.3");
    let evidence = || text("ForbiddenByFirewall");
    let refused = |by, said| ServiceFact::RefusedByProtocol {
        ip,
        refused: Refused {
            by,
            seen_from: None,
        },
        said,
    };
    let from = crate::probe::ip("20.1.2.3");
    reads([
        (
            ServiceFact::NoReply {
                ip,
                why: NoReply::Timeout,
            },
            "10.1.2.3 gave no reply: no answer in time",
        ),
        (
            ServiceFact::SeenFrom {
                ip,
                from,
                evidence: evidence(),
            },
            "dialled at 10.1.2.3, the service saw the request come from 20.1.2.3: ForbiddenByFirewall",
        ),
        (
            ServiceFact::PathDenied {
                ip,
                evidence: evidence(),
            },
            "the service behind 10.1.2.3 denies this path: ForbiddenByFirewall",
        ),
        (
            ServiceFact::DenialNamesPublic { from },
            "it saw 20.1.2.3, so the path may turn public in between",
        ),
        (
            ServiceFact::TlsInspected,
            "TLS is inspected on this path, by a device that may have resolved the name anew",
        ),
        (
            ServiceFact::AccessDenied {
                ip,
                evidence: evidence(),
            },
            "the service denies access over 10.1.2.3: ForbiddenByFirewall",
        ),
        (
            ServiceFact::PublicAccessOff,
            "public access is off altogether, so no rule helps",
        ),
        (
            refused(Refusal::HostBlocked, None),
            "10.1.2.3: the server has blocked this host",
        ),
        (
            refused(Refusal::HostNotAllowed, None),
            "10.1.2.3: no account of the server may log in from this host",
        ),
        (
            refused(Refusal::HostNotAllowed, Some(text("error 1130"))),
            "10.1.2.3: error 1130",
        ),
        (
            ServiceFact::NotTheService {
                ip,
                evidence: evidence(),
            },
            "what answers at 10.1.2.3 is not the service: ForbiddenByFirewall",
        ),
        (
            ServiceFact::ServiceTrouble {
                ip,
                evidence: text("status 503"),
            },
            "the service at 10.1.2.3 has trouble of its own: status 503",
        ),
        (
            ServiceFact::AccessUnknown {
                could_be_asked: true,
            },
            "the service was not asked (http is off): whether it lets this subnet in is not known",
        ),
        (
            ServiceFact::AccessUnknown {
                could_be_asked: false,
            },
            "the service can be asked nothing before login: whether it lets this subnet in is not \
             known",
        ),
    ]);
}
