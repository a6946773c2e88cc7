//! Answer: what `/api/v1/fleet` says, by whichever replica it is asked: the one that leads reads the agents,
//! and the others pass the question on to it, one hop and no further.

use std::time::{Duration, SystemTime};

use http::HeaderValue;
use privatelink_discovery::Omission;
use privatelink_fleet::query::BadQuery;
use privatelink_fleet::report::AnsweredBy;
use privatelink_fleet::{FleetQuery, FleetReport};
use privatelink_report::version::VERSION;

use super::ask::{NoReply, OF_THE_LEADER, Replied, Reply, ask};
use super::members::Nodes;
use crate::Observer;
use crate::private_link_target::admission::Decision;
use crate::private_link_target::reason::AcceptedReason;
use crate::source_state::{SourceState, StateSince};
use crate::watch::Watched as _;

/// How long a source may be stale that was listed before: as long as the gate bears the silence of an agent.
const BORNE: Duration = Duration::from_mins(5);

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
    #[error(
        "the agents, or what the cluster uses, are being read for the first time; try again in some seconds"
    )]
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
        let mut query = query.clone();
        if let Some(gate) = &mut query.gate {
            gate.unnamed_services = self.unnamed_services();
            gate.published = self.published();
            gate.sources_unknown = self.sources_unknown(now);
            let nodes = self.shared.states().of_kind(Nodes::NAME);
            gate.nodes_not_listed = nodes.is_none_or(|nodes| is_unknown(&nodes, now));
        }
        if !self.is_ready() || !self.shared.is_fleet_read() {
            return Err(NoFleet::NotReadYet);
        }
        let mut report = self.shared.fleet().report(&query, now.into());
        if report.nodes.all == 0 {
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

    /// The same of the replica that leads, whichever that is. `authorization` is the header of who asks: the
    /// replica that leads judges by it too.
    pub async fn fleet_json(
        &self,
        query: &str,
        authorization: Option<&HeaderValue>,
    ) -> Result<Vec<u8>, NoFleet> {
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
        let mut access = self.shared.rules.borrow().agents.clone();
        if let Some(authorization) = authorization {
            access.authorization = Some(authorization.clone());
        }
        let path = format!("{OWN}?{query}");
        match ask(&access, at, &path, None, OF_THE_LEADER).await {
            Ok(Replied { reply, .. }) => match reply {
                Reply::Whole { body, .. } => Ok(body),
                Reply::Unchanged => Err(NoFleet::NoLeader),
            },
            Err(error) => Err(leader_failed(pod, &error)),
        }
    }

    /// The sources of targets of which it is not known what they say.
    fn sources_unknown(&self, now: SystemTime) -> Vec<String> {
        let sources = self.sources_of_targets();
        let sources = sources
            .into_iter()
            .filter(|(_, _, state)| is_unknown(state, now));
        sources.map(|(word, _, _)| word.to_owned()).collect()
    }

    /// The hosts of the targets that agents are given.
    fn published(&self) -> Vec<String> {
        let mut hosts: Vec<String> = self
            .shared
            .discovered()
            .targets
            .iter()
            .map(|target| target.host.clone())
            .collect();
        let admission = self.shared.admission();
        let declared = admission.targets.iter().flat_map(|one| &one.endpoints);
        hosts.extend(declared.map(|(host, _)| host.clone()));
        hosts
    }

    /// Objects that use, or may use, a service that discovery cannot name, and targets and objects of teams that there
    /// is no room for: no agent watches these.
    fn unnamed_services(&self) -> u32 {
        let discovered = self.shared.discovered();
        let hides_a_service = |omission: Omission| match omission {
            Omission::NoName
            | Omission::InSecret
            | Omission::InEnvironment
            | Omission::ServiceUnknown
            | Omission::UnknownCloud
            | Omission::TooMany => true,
            // These are counted as targets that are left out.
            Omission::NamespaceFull
            | Omission::Placeholder
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
        let has_no_room = |decision: &&Decision| {
            matches!(
                decision.reason,
                AcceptedReason::TooManyInNamespace | AcceptedReason::TooManyTargets
            )
        };
        let unnamed = objects.sum::<usize>() + discovered.left_out;
        drop(discovered);
        let admission = self.shared.admission();
        let refused = admission.decisions.iter().filter(has_no_room).count();
        drop(admission);
        let unnamed = unnamed + refused + self.shared.declared().left_out();
        u32::try_from(unnamed).unwrap_or(u32::MAX)
    }
}

/// Whether it is not known what a source says.
fn is_unknown(source: &StateSince, now: SystemTime) -> bool {
    match source.state {
        SourceState::Ok | SourceState::Absent => false,
        SourceState::Forbidden => true,
        // What was known stays in use, and hardly changes in that time.
        SourceState::Stale => {
            let stale_for = now.duration_since(source.since).unwrap_or_default();
            !source.was_known || stale_for > BORNE
        }
    }
}

fn leader_failed(pod: &str, error: &NoReply) -> NoFleet {
    NoFleet::Leader(pod.to_owned(), error.to_string())
}

#[cfg(test)]
mod tests {
    use privatelink_fleet::Fleet;

    use super::*;
    use crate::ObserverRules;
    use crate::private_link_target::objects::Declarations;

    #[test]
    fn a_source_that_cannot_be_read_is_unknown_to_the_gate_and_one_that_was_lost_just_now_is_not() {
        let observer = Observer::of_fleet(Fleet::default(), ObserverRules::default());
        let declared = (Declarations::NAME, String::new());
        observer.shared.states().add(declared.clone());
        let start = SystemTime::now();
        let unknown_after = |after| observer.sources_unknown(start + after);
        let is = |state| observer.shared.states().set(&declared, state, "why", start);
        let (soon, later) = (Duration::from_secs(299), Duration::from_secs(301));
        assert_eq!(unknown_after(soon), ["crd"], "it was never listed");
        is(SourceState::Ok);
        assert_eq!(unknown_after(later), [""; 0]);
        is(SourceState::Stale);
        assert_eq!(unknown_after(soon), [""; 0]);
        assert_eq!(unknown_after(later), ["crd"]);
        is(SourceState::Forbidden);
        assert_eq!(unknown_after(soon), ["crd"]);
        is(SourceState::Absent);
        assert_eq!(unknown_after(later), [""; 0]);
    }
}
