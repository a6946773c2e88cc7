//! Service facts in words.

use crate::fact::ServiceFact;
use crate::observation::Refusal;

pub(super) fn clause(fact: &ServiceFact) -> String {
    match fact {
        ServiceFact::NoReply { ip, why } => format!("{ip} gave no reply: {why}"),
        ServiceFact::SeenFrom { ip, from, evidence } => {
            format!("dialled at {ip}, the service saw the request come from {from}: {evidence}")
        }
        ServiceFact::PathDenied { ip, evidence } => {
            format!("the service behind {ip} denies this path: {evidence}")
        }
        ServiceFact::DenialNamesPublic { from } => {
            format!("it saw {from}, so the path may turn public in between")
        }
        ServiceFact::TlsInspected => {
            "TLS is inspected on this path, by a device that may have resolved \
                               the name anew"
                .to_owned()
        }
        ServiceFact::AccessDenied { ip, evidence } => {
            format!("the service denies access over {ip}: {evidence}")
        }
        ServiceFact::ByPerimeter => {
            "a network security perimeter says so, whose rules do not apply to \
                                     private endpoints"
                .to_owned()
        }
        ServiceFact::PublicAccessOff => {
            "public access is off altogether, so no rule helps".to_owned()
        }
        ServiceFact::RefusedByProtocol { ip, refused, said } => {
            let said = said.as_deref().unwrap_or(match refused.by {
                Refusal::HostBlocked => "the server has blocked this host",
                Refusal::HostNotAllowed => "no account of the server may log in from this host",
                Refusal::NoFirewallRule => "no firewall rule of the server admits this host",
                Refusal::NoSubnetRule => "no network rule of the server admits this subnet",
                Refusal::PublicAccessOff => "public access to the server is off",
            });
            format!("{ip}: {said}")
        }
        ServiceFact::NotTheService { ip, evidence } => {
            format!("what answers at {ip} is not the service: {evidence}")
        }
        ServiceFact::ServiceTrouble { ip, evidence } => {
            format!("the service at {ip} has trouble of its own: {evidence}")
        }
        ServiceFact::AccessUnknown { could_be_asked } => {
            let why = if *could_be_asked {
                "the service was not asked (http is off)"
            } else {
                "the service can be asked nothing before login"
            };
            format!("{why}: whether it lets this subnet in is not known")
        }
    }
}
