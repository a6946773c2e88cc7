//! Fault: what is done to the agent or to what it probes, as campaign.yaml says it.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::agent::Surroundings;
use crate::world::{GROUPS, Group};

const CAMPAIGN: &str = include_str!("campaign.yaml");

/// Faults that are done together.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Phase {
    #[serde(rename = "phase")]
    pub(crate) name: String,
    seconds: u64,
    /// In the bounded run, which leaves the phase out where there is none.
    bounded: Option<u64>,
    /// How many milliseconds later than in the first phase a healthy probe may start.
    pub(crate) delay: Option<u32>,
    pub(crate) faults: Vec<Fault>,
}

/// One fault, and the verdicts that are right while it lasts.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fault {
    #[serde(rename = "fault")]
    pub(crate) name: String,
    on: Vec<String>,
    #[serde(rename = "do")]
    pub(crate) action: Action,
    /// Reasons that are right; empty: any.
    pub(crate) must: Vec<String>,
}

/// What is done, and undone at the end of the phase.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Action {
    /// The DNS server of the group has these faults of the lab.
    Dns(Value),
    /// The DNS server of the group is killed.
    StopDns,
    /// It is killed and started every second.
    FlapDns,
    /// The services of the group are this endpoint of the lab.
    Peer(Value),
    /// Rules of iptables for what arrives, in which ADDRESS is the group's address and service port.
    Packets(Vec<String>),
    /// SIGSTOP, and SIGCONT at the end.
    Pause,
    /// The agent's wall clock is so many seconds ahead.
    Clock(i64),
    /// The agent may open so many descriptors more than it has.
    Descriptors(u64),
    /// Every local port that the kernel gives is taken.
    NoPorts,
    /// The configuration is replaced so many times, and is as before at the end.
    Replace {
        times: u32,
        /// In the bounded run.
        bounded: u32,
    },
    /// The CA file holds another authority.
    Authority,
    /// This signal ends the agent while all peers hang; then it is started again.
    End(String),
    /// The agent is ended and started in these surroundings.
    Start(Surroundings),
}

impl Phase {
    /// How long its faults last once the verdicts must be right; `None` where the phase is left out.
    pub(crate) fn lasts(&self, is_bounded: bool) -> Option<Duration> {
        let seconds = if is_bounded {
            self.bounded
        } else {
            Some(self.seconds)
        };
        seconds.map(Duration::from_secs)
    }

    /// Whether all that may fail in it is the agent's own trouble.
    pub(crate) fn is_agents_own_trouble(&self) -> bool {
        let reasons: BTreeSet<&str> = self
            .faults
            .iter()
            .flat_map(|it| &it.must)
            .map(String::as_str)
            .collect();
        reasons.contains("agent_error")
    }
}

impl Fault {
    /// The groups that it is done to.
    pub(crate) fn groups(&self) -> Vec<&'static Group> {
        match self.on.as_slice() {
            [all] if all == "all" => GROUPS.iter().collect(),
            names => names.iter().map(|name| Group::named(name)).collect(),
        }
    }

    pub(crate) fn targets(&self) -> BTreeSet<String> {
        let groups = self.groups().into_iter();
        groups.flat_map(Group::names).collect()
    }
}

/// All phases, in order.
pub(crate) fn phases() -> Vec<Phase> {
    serde_saphyr::from_str(CAMPAIGN).expect("campaign.yaml")
}
