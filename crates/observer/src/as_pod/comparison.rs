//! Comparison: what a check in a pod and the agent on the pod's node say together about one target.

use std::collections::BTreeSet;
use std::net::IpAddr;

use privatelink_verdict::reason::{Reason, Stage};
use privatelink_verdict::sanitize::from_wire;
use privatelink_verdict::verdict::Outcome;
use serde::Deserialize;

/// A report as `check -o json` and the agents' API write it, as far as it is compared.
#[derive(Clone, Debug, Deserialize)]
pub struct SeenReport {
    /// The targets.
    pub targets: Vec<SeenFrom>,
}

/// One target of it. Words are text, because the other side may be of a later version.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct SeenFrom {
    /// The name.
    pub target: String,
    /// The host.
    pub host: String,
    /// The port.
    pub port: u16,
    outcome: Option<String>,
    reason: Option<String>,
    stage: Option<String>,
    dns: Option<SeenDns>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct SeenDns {
    addresses: Vec<SeenAddress>,
}

#[derive(Clone, Debug, Deserialize)]
struct SeenAddress {
    ip: IpAddr,
    class: String,
}

/// What is known of the pod beside the check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PodNetwork {
    /// It is in the network of its node.
    pub is_hosts: bool,
    /// Its nameservers are not those that pods of the cluster get: `dnsPolicy`, `dnsConfig`.
    pub has_own_dns: bool,
}

/// Both sides of one target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodComparison {
    /// Both reach it.
    BothReach,
    /// Both fail for the same reason.
    FailAlike,
    /// Both fail, each for its own reason.
    FailDifferently,
    /// The agent alone fails.
    OnlyAgentFails,
    /// The agent reaches the address that the pod dials in vain.
    PodDropped,
    /// The agent's DNS server answers, and the pod's does not.
    PodDnsSilent,
    /// They get other addresses.
    ResolvedOtherwise,
    /// The check in the pod does not trust the certificate, which the agent's root certificates may do.
    RootsMissing,
    /// The pod alone fails, for another reason.
    OnlyPodFails,
    /// The agent does not probe it.
    NoTarget,
    /// The agent has not probed it yet.
    NotProbedYet,
    /// The agent did not answer, may not be asked, or there is none.
    NotAsked,
}

impl PodComparison {
    /// Every comparison.
    pub const ALL: [Self; 12] = [
        Self::BothReach,
        Self::FailAlike,
        Self::FailDifferently,
        Self::OnlyAgentFails,
        Self::PodDropped,
        Self::PodDnsSilent,
        Self::ResolvedOtherwise,
        Self::RootsMissing,
        Self::OnlyPodFails,
        Self::NoTarget,
        Self::NotProbedYet,
        Self::NotAsked,
    ];

    /// The word for it in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BothReach => "bothReach",
            Self::FailAlike => "failAlike",
            Self::FailDifferently => "failDifferently",
            Self::OnlyAgentFails => "onlyAgentFails",
            Self::PodDropped => "podDropped",
            Self::PodDnsSilent => "podDnsSilent",
            Self::ResolvedOtherwise => "resolvedOtherwise",
            Self::RootsMissing => "rootsMissing",
            Self::OnlyPodFails => "onlyPodFails",
            Self::NoTarget => "noTarget",
            Self::NotProbedYet => "notProbedYet",
            Self::NotAsked => "notAsked",
        }
    }

    /// Compares what the pod saw with what the agent on its node saw last.
    pub fn of(pod: &SeenFrom, agent: &SeenFrom) -> Self {
        if agent.outcome.is_none() {
            return Self::NotProbedYet;
        }
        let both_answered = !pod.classes().is_empty() && !agent.classes().is_empty();
        let differ = both_answered && pod.classes() != agent.classes();
        match (pod.fails(), agent.fails()) {
            (false, false) if differ => Self::ResolvedOtherwise,
            (false, false) => Self::BothReach,
            (false, true) => Self::OnlyAgentFails,
            (true, true) if pod.reason == agent.reason => Self::FailAlike,
            (true, true) => Self::FailDifferently,
            (true, false) if pod.is_any(&[Reason::DnsTimeout, Reason::DnsServerUnreachable]) => {
                Self::PodDnsSilent
            }
            (true, false) if differ || pod.is_at(Stage::Dns) || pod.is_at(Stage::Address) => {
                Self::ResolvedOtherwise
            }
            (true, false) if pod.is_at(Stage::Connect) => {
                if pod.addresses().is_disjoint(&agent.addresses()) {
                    Self::ResolvedOtherwise
                } else {
                    Self::PodDropped
                }
            }
            (true, false) if pod.is_any(&[Reason::TlsUntrustedIssuer]) => Self::RootsMissing,
            (true, false) => Self::OnlyPodFails,
        }
    }

    /// What it means, in one sentence.
    pub fn sentence(
        self,
        node: &str,
        pod: &SeenFrom,
        agent: &SeenFrom,
        network: PodNetwork,
    ) -> String {
        let agent_on = format!("the agent on {}", from_wire(node));
        let (seen, agents) = (pod.reason(), agent.reason());
        // What a pod in its node's network shares with its node is not what is between.
        let policy = if network.is_hosts {
            "a firewall rule of the node for this process"
        } else {
            "an egress policy of the pod's namespace"
        };
        let resolver = if network.has_own_dns {
            "the pod's own nameservers (dnsPolicy, dnsConfig) differ from the cluster's"
        } else {
            "its resolv.conf leads to another DNS server, or to an older answer"
        };
        match self {
            Self::BothReach => format!("the pod and {agent_on} both reach it"),
            Self::FailAlike => format!(
                "{agent_on} fails alike ({agents}): the cause is not the pod's, so look at the report of the fleet"
            ),
            Self::FailDifferently => format!(
                "the pod fails ({seen}) and so does {agent_on} ({agents}), for another reason: repair the \
                 agent's first, which every pod of the node may have"
            ),
            Self::OnlyAgentFails => format!(
                "the pod reaches it, {agent_on} does not ({agents}): the agent's resolver or network policy \
                 differs from the pod's, or it was healed since the agent's last probe"
            ),
            Self::PodDropped => format!(
                "{agent_on} reaches it, the pod does not ({seen}): {policy} drops or refuses it"
            ),
            Self::PodDnsSilent if network.has_own_dns => format!(
                "{agent_on} gets an answer from DNS, the pod does not ({seen}): the pod's own nameserver \
                 (dnsPolicy, dnsConfig) is silent, or {policy} drops port 53"
            ),
            Self::PodDnsSilent => format!(
                "{agent_on} gets an answer from DNS, the pod does not ({seen}): {policy} drops port 53"
            ),
            Self::ResolvedOtherwise => format!(
                "the pod gets {}, {agent_on} gets {}: {resolver}",
                pod.answer(),
                agent.answer()
            ),
            Self::RootsMissing => format!(
                "the pod reaches it, and {agent_on} trusts the certificate: the check in the pod has not the \
                 root certificates (caFile) of the agents' configuration, or a proxy of the pod's own is between"
            ),
            Self::OnlyPodFails => format!(
                "{agent_on} reaches it, the pod does not ({seen}): something of the pod's own is between, a \
                 sidecar, a proxy or {policy}"
            ),
            Self::NoTarget => {
                format!("{agent_on} has no such target, so there is nothing to compare with")
            }
            Self::NotProbedYet => format!("{agent_on} has not probed it yet"),
            Self::NotAsked => format!(
                "{agent_on} did not answer, you may not ask it, or it asks for a password: so there is nothing to \
                 compare with"
            ),
        }
    }
}

impl SeenFrom {
    fn fails(&self) -> bool {
        self.outcome.as_deref() == Some(Outcome::Fail.as_str())
    }

    fn is_any(&self, reasons: &[Reason]) -> bool {
        let is = |reason: &Reason| self.reason.as_deref() == Some(reason.as_str());
        reasons.iter().any(is)
    }

    fn is_at(&self, stage: Stage) -> bool {
        self.stage.as_deref() == Some(stage.as_str())
    }

    /// The primary reason, as the agent's text.
    fn reason(&self) -> String {
        from_wire(self.reason.as_deref().unwrap_or("unknown")).into_owned()
    }

    fn seen_addresses(&self) -> &[SeenAddress] {
        self.dns.as_ref().map_or(&[], |dns| &dns.addresses)
    }

    fn addresses(&self) -> BTreeSet<IpAddr> {
        self.seen_addresses().iter().map(|one| one.ip).collect()
    }

    fn classes(&self) -> BTreeSet<&str> {
        let addresses = self.seen_addresses().iter();
        addresses.map(|one| one.class.as_str()).collect()
    }

    /// The first addresses with their class, or that there is none.
    fn answer(&self) -> String {
        let named = self.seen_addresses().iter().take(2);
        let named = named.map(|one| format!("{} ({})", one.ip, from_wire(&one.class)));
        let named: Vec<_> = named.collect();
        if named.is_empty() {
            return format!("no address ({})", self.reason());
        }
        named.join(" and ")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    fn seen(reason: &str, stage: &str, addresses: &[(&str, &str)]) -> SeenFrom {
        let outcome = match reason {
            "ok" => "pass",
            "dns_degraded" => "warn",
            _ => "fail",
        };
        let addresses = addresses.iter();
        let addresses: Vec<_> = addresses
            .map(|(ip, class)| json!({"ip": ip, "class": class, "ttlSeconds": 60}))
            .collect();
        from_value(json!({
            "target": "kv", "host": "kv.vault.azure.net", "port": 443, "outcome": outcome,
            "reason": reason, "stage": stage, "dns": {"addresses": addresses, "resolver": "pod"},
        }))
        .expect("a target")
    }

    fn ok() -> SeenFrom {
        seen("ok", "none", &[("10.1.2.4", "private")])
    }

    fn said(pod: &SeenFrom, agent: &SeenFrom, network: PodNetwork) -> String {
        PodComparison::of(pod, agent).sentence("node-b", pod, agent, network)
    }

    #[test]
    fn each_pair_is_compared_as_its_facts_say() {
        use PodComparison::*;
        let private = [("10.1.2.4", "private")];
        let other = [("10.9.9.9", "private")];
        let public = [("198.51.100.4", "public")];
        let timeout = seen("connect_timeout", "connect", &private);
        for (pod, agent, expected) in [
            (ok(), ok(), BothReach),
            (seen("dns_degraded", "dns", &private), ok(), BothReach),
            (timeout.clone(), timeout.clone(), FailAlike),
            (
                timeout.clone(),
                seen("tls_expired", "tls", &private),
                FailDifferently,
            ),
            (ok(), timeout.clone(), OnlyAgentFails),
            (timeout, ok(), PodDropped),
            (
                seen("connect_refused", "connect", &private),
                ok(),
                PodDropped,
            ),
            (
                seen("connect_timeout", "connect", &other),
                ok(),
                ResolvedOtherwise,
            ),
            (
                seen("public_fallback", "address", &public),
                ok(),
                ResolvedOtherwise,
            ),
            (
                seen("connect_timeout", "connect", &public),
                ok(),
                ResolvedOtherwise,
            ),
            (
                seen("dns_name_not_found", "dns", &[]),
                ok(),
                ResolvedOtherwise,
            ),
            (seen("ok", "none", &public), ok(), ResolvedOtherwise),
            (seen("dns_timeout", "dns", &[]), ok(), PodDnsSilent),
            (
                seen("dns_server_unreachable", "dns", &[]),
                ok(),
                PodDnsSilent,
            ),
            (
                seen("tls_untrusted_issuer", "tls", &private),
                ok(),
                RootsMissing,
            ),
            (
                seen("tls_name_mismatch", "tls", &private),
                ok(),
                OnlyPodFails,
            ),
            (
                seen("a_later_reason", "later", &private),
                ok(),
                OnlyPodFails,
            ),
            (ok(), SeenFrom::default(), NotProbedYet),
        ] {
            assert_eq!(
                PodComparison::of(&pod, &agent),
                expected,
                "{pod:?} {agent:?}"
            );
        }
    }

    #[test]
    fn a_dropped_connection_names_the_egress_policy_and_the_node() {
        let timeout = seen("connect_timeout", "connect", &[("10.1.2.4", "private")]);
        assert_eq!(
            said(&timeout, &ok(), PodNetwork::default()),
            "the agent on node-b reaches it, the pod does not (connect_timeout): an egress policy of the \
             pod's namespace drops or refuses it"
        );
        let hosts = PodNetwork {
            is_hosts: true,
            has_own_dns: false,
        };
        assert!(
            !said(&timeout, &ok(), hosts).contains("egress policy"),
            "it does not apply there"
        );
    }

    #[test]
    fn an_own_resolver_is_named_where_the_answers_differ() {
        let own = PodNetwork {
            is_hosts: false,
            has_own_dns: true,
        };
        let public = seen("public_fallback", "address", &[("198.51.100.4", "public")]);
        assert_eq!(
            said(&public, &ok(), own),
            "the pod gets 198.51.100.4 (public), the agent on node-b gets 10.1.2.4 (private): the pod's own \
             nameservers (dnsPolicy, dnsConfig) differ from the cluster's"
        );
        let silent = seen("dns_timeout", "dns", &[]);
        assert!(said(&silent, &ok(), own).contains("own nameserver"));
        assert!(!said(&silent, &ok(), PodNetwork::default()).contains("own nameserver"));
    }

    #[test]
    fn every_comparison_has_a_word_and_a_sentence_of_its_own() {
        let (pod, agent) = (ok(), ok());
        let both = |one: PodComparison| {
            (
                one.as_str(),
                one.sentence("node-b", &pod, &agent, PodNetwork::default()),
            )
        };
        let words: BTreeSet<_> = PodComparison::ALL.map(|one| both(one).0).into();
        let sentences: BTreeSet<_> = PodComparison::ALL.map(|one| both(one).1).into();
        assert_eq!((words.len(), sentences.len()), (12, 12));
    }

    #[test]
    fn text_of_an_agent_acts_on_no_terminal() {
        let pod = seen("connect_timeout", "connect", &[("10.1.2.4", "private")]);
        let agent = seen("\u{1b}[2Jowned", "connect", &[("10.1.2.4", "\u{1b}[2J")]);
        assert!(!said(&pod, &agent, PodNetwork::default()).contains('\u{1b}'));
    }
}
