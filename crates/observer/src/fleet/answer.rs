//! Answer: what `/api/v1/fleet` says, by whichever replica it is asked: the one that leads reads the agents,
//! and the others pass the question on to it, one hop and no further.

use std::time::SystemTime;

use privatelink_discovery::Omission;
use privatelink_fleet::query::BadQuery;
use privatelink_fleet::report::AnsweredBy;
use privatelink_fleet::{FleetQuery, FleetReport, Moment};
use privatelink_report::version::VERSION;

use super::ask::{NoReply, OF_THE_LEADER, Replied, Reply, ask};
use super::members::Nodes;
use crate::Observer;
use crate::source_state::SourceState;
use crate::watch::Watched as _;

/// Where a replica answers by itself alone.
pub const OWN: &str = "/api/v1/fleet/own";

/// Why there is no picture of the fleet.
#[derive(Debug, thiserror::Error)]
pub enum NoFleet {
    /// The observer does not read the agents.
    #[error("this observer does not read the agents (chart: observer.fleet.enabled)")]
    Off,
    /// The query cannot be answered.
    #[error("{0}")]
    Query(#[from] BadQuery),
    /// No replica leads.
    #[error(
        "no replica of the observer leads just now, so nobody reads the agents; try again in some seconds"
    )]
    NoLeader,
    /// This replica has just begun to lead.
    #[error("the agents are being read for the first time; try again in some seconds")]
    NotReadYet,
    /// The replica that leads does not answer.
    #[error("the replica that leads, {0}, does not answer: {1}")]
    Leader(String, String),
    /// The report cannot be written.
    #[error("the report cannot be written")]
    Unwritten(#[source] serde_json::Error),
}

impl Observer {
    /// The picture of the fleet as this replica reads it, if it leads.
    pub fn own_fleet(&self, query: &FleetQuery, now: SystemTime) -> Result<FleetReport, NoFleet> {
        if self.options.release.is_none() {
            return Err(NoFleet::Off);
        }
        if !self.leadership.is_leading() {
            return Err(NoFleet::NoLeader);
        }
        let now = Moment::from(now);
        let mut query = query.clone();
        if let Some(gate) = &mut query.gate {
            gate.unnamed_services = self.unnamed_services();
            let nodes = self.shared.states().of_kind(Nodes::NAME);
            gate.nodes_not_listed = nodes.is_none_or(|nodes| nodes.state != SourceState::Ok);
        }
        let mut report = self.shared.fleet().report(&query, now);
        if report.nodes.all == 0 || !self.shared.is_fleet_read() {
            return Err(NoFleet::NotReadYet);
        }
        report.answered_by = AnsweredBy {
            source: "observer".to_owned(),
            name: self.options.pod.clone(),
            version: VERSION.to_owned(),
        };
        Ok(report)
    }

    /// The JSON of [`Self::own_fleet`], for the query of a URL.
    pub fn own_fleet_json(&self, query: &str) -> Result<Vec<u8>, NoFleet> {
        let now = SystemTime::now();
        let query = FleetQuery::from_url(query, now.into())?;
        let report = self.own_fleet(&query, now)?;
        serde_json::to_vec(&report).map_err(NoFleet::Unwritten)
    }

    /// The same of the replica that leads, whichever that is.
    pub async fn fleet_json(&self, query: &str) -> Result<Vec<u8>, NoFleet> {
        match self.own_fleet_json(query) {
            Err(NoFleet::NoLeader) => {}
            answer => return answer,
        }
        let holder = self.leadership.holder();
        let pod = holder.split('_').next().unwrap_or_default();
        let leader = self.shared.members().observer(pod);
        let Some(at) = leader.filter(|_| pod != self.options.pod) else {
            return Err(NoFleet::NoLeader);
        };
        match ask(at, &format!("{OWN}?{query}"), None, OF_THE_LEADER).await {
            Ok(Replied { reply, .. }) => match reply {
                Reply::Whole { body, .. } => Ok(body),
                Reply::Unchanged => Err(NoFleet::NoLeader),
            },
            Err(error) => Err(leader_failed(pod, &error)),
        }
    }

    /// Objects that use, or may use, a service that no agent watches because discovery cannot name it, or has no
    /// room for it.
    fn unnamed_services(&self) -> u32 {
        let discovered = self.shared.discovered();
        let hides_a_service = |omission: Omission| match omission {
            Omission::NoName
            | Omission::InSecret
            | Omission::InEnvironment
            | Omission::ServiceUnknown
            | Omission::UnknownCloud
            | Omission::TooMany
            | Omission::NamespaceFull => true,
            Omission::Placeholder
            | Omission::NotAHost
            | Omission::InvalidImage
            | Omission::ClusterInternal
            | Omission::NotAllowed
            | Omission::PortNotAllowed
            | Omission::Unused => false,
        };
        let omitted = discovered.omitted.iter();
        let objects = omitted
            .filter(|omitted| hides_a_service(omitted.omission))
            .map(|omitted| omitted.objects);
        u32::try_from(objects.sum::<usize>()).unwrap_or(u32::MAX)
    }
}

fn leader_failed(pod: &str, error: &NoReply) -> NoFleet {
    NoFleet::Leader(pod.to_owned(), error.to_string())
}
