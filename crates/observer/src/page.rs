//! Page: the observer's page: the picture of all nodes, what it knows of each source, the targets that it found
//! with their users, and what it could not know. It is whole without scripts; every link is relative.

use std::time::{Duration, SystemTime};

use maud::{Markup, html};
use privatelink_discovery::{Discovered, DiscoveredTarget, Omitted, Source, Switch};
use privatelink_fleet::query::GateQuery;
use privatelink_fleet::{FleetQuery, FleetReport, Moment, NodesByTrait};
use privatelink_report::fleet::FleetPage;
use privatelink_report::page::components::{age, age_with_time, label, table};
use privatelink_report::page::{View, document, footer};
use privatelink_report::time::long_duration;
use privatelink_report::version::VERSION;

use crate::Observer;
use crate::fleet::answer::NoFleet;
use crate::private_link_target::admission::{Admission, Decision};
use crate::source_state::{SourceState, StateSince};

/// A source by its word, what it is, and its state.
type Known = (&'static str, &'static str, StateSince);

impl Observer {
    /// The page as `view` asks for it, as of `now`.
    pub fn page(&self, view: &View, now: SystemTime) -> String {
        let sources = self.sources();
        let discovered = self.shared.discovered().clone();
        let admission = self.shared.admission().clone();
        let owners = self.shared.rules.borrow().owners.clone();
        let fleet = self.fleet_of_page(view, now);
        let fleet = fleet.as_ref().map(|(report, by_trait)| FleetPage {
            report,
            by_trait: by_trait.as_ref(),
            owners: &owners,
            view,
        });
        let found = discovered.targets.len();
        let (state, title) = match &fleet {
            Ok(fleet) => fleet.title(),
            Err(_) => ("unknown", format!("{found} targets found")),
        };
        let body = html! {
            (self.header(fleet.as_ref().ok(), &title, now))
            main {
                (self.trouble())
                (troubled_sources(&sources))
                @match &fleet {
                    Ok(fleet) => (fleet.section()),
                    Err(error) => (self.no_fleet(error)),
                }
                h2 { "Declared and found targets, and sources" }
                @if !admission.decisions.is_empty() { (declared(&admission)) }
                (targets(&discovered, self.options.linger, now))
                (self.source_table(&sources, now))
                @if !discovered.omitted.is_empty() { (omissions(&discovered.omitted)) }
            }
            (footer(&html! {
                a href="metrics" { "metrics" } " · "
                a href="api/v1/fleet" { "JSON" } " · "
                a href="readyz" { "readiness" }
            }))
        };
        document(
            &format!("{title} · privatelink-prober observer"),
            state,
            &body,
        )
        .into_string()
    }

    /// The picture of all nodes, where the agents are read, and the nodes as the page groups them.
    fn fleet_of_page(
        &self,
        view: &View,
        now: SystemTime,
    ) -> Result<(FleetReport, Option<NodesByTrait>), NoFleet> {
        let query = FleetQuery {
            gate: Some(GateQuery::default()),
            ..FleetQuery::default()
        };
        let report = self.own_fleet(&query, now)?;
        let by_trait = self
            .shared
            .fleet()
            .by_trait(view.by(), &query, Moment::from(now));
        Ok((report, by_trait))
    }

    fn header(&self, fleet: Option<&FleetPage<'_>>, title: &str, now: SystemTime) -> Markup {
        let holder = self.leadership.holder();
        let pod = pod_of(&holder);
        html! {
            header {
                div {
                    p.quiet {
                        "privatelink-prober observer · replica " strong { (self.options.pod) }
                        @if self.leadership.is_leading() { ", which leads" }
                        @else if pod.is_empty() { "; no replica leads" }
                        @else { "; " strong { (pod) } " leads" }
                        " · version " (VERSION) " · up " (age(self.started, now))
                    }
                    h1 { (title) }
                    @if let Some(fleet) = fleet { p { (fleet.summary()) } }
                }
                @if let Some(fleet) = fleet { (fleet.counts()) }
            }
        }
    }

    fn no_fleet(&self, why: &NoFleet) -> Markup {
        let holder = self.leadership.holder();
        let leader = pod_of(&holder);
        html! {
            @match why {
                NoFleet::Off => {}
                NoFleet::NoLeader if !leader.is_empty() => {
                    h2 { "Targets on nodes" }
                    p.quiet {
                        "The replica " strong { (leader) } " leads and reads the agents: its page shows the nodes."
                    }
                }
                error => {
                    h2 { "Targets on nodes" }
                    p.notice { (error) }
                }
            }
        }
    }

    /// What keeps the list from the agents.
    fn trouble(&self) -> Markup {
        let publishing = self.shared.publishing().clone();
        html! {
            @if !publishing.is_empty() {
                p.notice.fail {
                    (label("fail", "Not published")) " The ConfigMap " code { (self.options.config_map) }
                    " cannot be read or written, so agents go on with what they have: " (publishing)
                }
            }
            @if self.leadership.holder().is_empty() {
                p.notice.fail {
                    (label("fail", "No leader")) " No replica holds the lease " code { (self.options.lease) }
                    ", so nothing is written. The log says why."
                }
            }
        }
    }

    fn source_table(&self, sources: &[Known], now: SystemTime) -> Markup {
        let known = sources.iter().map(|(source, about, known)| {
            [
                state(known.state),
                html! {
                    code { (source) } small { (about) }
                    @if !known.error.is_empty() { small { (known.error) } }
                },
                age_with_time(known.since, now),
            ]
        });
        let off = Source::ALL
            .iter()
            .filter(|source| !self.options.sources.contains(source));
        let off = off.map(|source| {
            [
                label("unknown", "off"),
                html! {
                    code { (source) } small { (source.description()) }
                    @if source.switch() == Switch::Off { small { "Off unless it is switched on." } }
                },
                html! { "—" },
            ]
        });
        html! {
            section #sources {
                (table("Sources", ["State", "Source", "For"], known.chain(off), |row| row))
            }
        }
    }
}

/// The pod of a holder of the lease.
fn pod_of(holder: &str) -> &str {
    holder.split('_').next().unwrap_or_default()
}

/// Sources of which something is not known, since then targets may be missing.
fn troubled_sources(sources: &[Known]) -> Markup {
    let is_troubled =
        |known: &&Known| matches!(known.2.state, SourceState::Forbidden | SourceState::Stale);
    html! {
        @if sources.iter().any(|known| is_troubled(&known)) {
            p.notice.warn {
                (label("warn", "Sources")) " Targets may be missing: "
                @for (index, (source, _, known)) in sources.iter().filter(is_troubled).enumerate() {
                    @if index > 0 { ", " }
                    a href="#sources" { (source) } " is " (known.state.as_str())
                }
            }
        }
    }
}

fn targets(discovered: &Discovered, linger: Duration, now: SystemTime) -> Markup {
    let row = |target: &DiscoveredTarget| {
        [
            html! { (target.host) ":" (target.port) },
            html! {
                @for (index, source) in target.sources.iter().enumerate() {
                    @if index > 0 { ", " }
                    (source)
                }
            },
            users(target, linger),
            age_with_time(target.first_seen, now),
        ]
    };
    html! {
        section #found {
            @if discovered.left_out > 0 {
                p.notice.fail {
                    (label("fail", "No room")) " " (discovered.left_out) " of the targets found have no room, \
                     and are not probed. Raise limits.maxTargets."
                }
            }
            @if discovered.targets.is_empty() {
                h3 { "Targets found" }
                p.notice { "Nothing was found: no object of the cluster that may be read names a private service." }
            } @else {
                (table("Targets found", ["Target", "Named by", "Used by", "For"], &discovered.targets, row))
            }
        }
    }
}

fn users(target: &DiscoveredTarget, linger: Duration) -> Markup {
    html! {
        @match &target.users {
            None => small {
                "no object any more; the target goes " (long_duration(linger)) " after the last one"
            },
            Some(users) => {
                (users.workloads) @if users.workloads == 1 { " workload" } @else { " workloads" }
                " in " (users.namespaces)
                @if users.namespaces == 1 { " namespace" } @else { " namespaces" }
                small { (users.examples.join(", ")) }
            },
        }
    }
}

fn declared(admission: &Admission) -> Markup {
    let row = |decision: &Decision| {
        [
            if decision.reason.is_accepted() {
                label("pass", "accepted")
            } else {
                label("warn", "refused")
            },
            html! { (decision.key.namespace) "/" (decision.key.name) },
            html! { (decision.message) },
        ]
    };
    let columns = ["State", "Object", "What is said of it"];
    table("Declared targets", columns, &admission.decisions, row)
}

fn omissions(omitted: &[Omitted]) -> Markup {
    let row = |omitted: &Omitted| {
        [
            html! { (omitted.objects) },
            html! { code { (omitted.source) } small { (omitted.examples.join(", ")) } },
            html! { (omitted.omission.description()) },
        ]
    };
    let title = "Used, or perhaps used, and no target";
    table(title, ["Objects", "Source", "Why"], omitted, row)
}

fn state(state: SourceState) -> Markup {
    let class = match state {
        SourceState::Ok => "pass",
        SourceState::Absent => "unknown",
        SourceState::Stale => "warn",
        SourceState::Forbidden => "fail",
    };
    label(class, state.as_str())
}
