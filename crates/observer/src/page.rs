//! Page: the observer's page: what it knows of each source, the targets that it found with their users,
//! and what it could not know. Without a script; every link is relative.

use std::time::{Duration, SystemTime};

use maud::{DOCTYPE, Markup, html};
use privatelink_discovery::{Discovered, DiscoveredTarget, Omitted, Source, Switch};
use privatelink_fleet::FleetQuery;
use privatelink_fleet::query::GateQuery;
use privatelink_report::fleet::section;
use privatelink_report::time::{long_duration, millis_utc};
use privatelink_report::version::VERSION;

use crate::Observer;
use crate::fleet::answer::NoFleet;
use crate::private_link_target::admission::Admission;
use crate::source_state::{SourceState, StateSince};

impl Observer {
    /// The page, as of `now`.
    pub fn page(&self, now: SystemTime) -> String {
        let sources = self.sources();
        let discovered = self.shared.discovered().clone();
        let admission = self.shared.admission().clone();
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    title { (discovered.targets.len()) " targets found · privatelink-prober observer" }
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta http-equiv="refresh" content="10";
                    link rel="stylesheet" href="style.css";
                }
                body {
                    (self.header(&discovered, now))
                    (self.trouble())
                    main {
                        (self.fleet_section(now))
                        @if !admission.decisions.is_empty() {
                            h2 { "Declared targets" }
                            (declared(&admission))
                        }
                        h2 { "Targets found" }
                        (targets(&discovered, self.options.linger, now))
                        h2 { "Sources" }
                        (self.source_table(&sources, now))
                        @if !discovered.omitted.is_empty() {
                            h2 { "Used, or perhaps used, and no target" }
                            (omissions(&discovered.omitted))
                        }
                    }
                    footer {
                        "Updates every 10 s · " a href="metrics" { "metrics" } " · "
                        a href="readyz" { "readiness" }
                    }
                }
            }
        };
        page.into_string()
    }

    fn header(&self, discovered: &Discovered, now: SystemTime) -> Markup {
        let holder = self.leadership.holder();
        let pod = holder.split('_').next().unwrap_or_default();
        html! {
            header {
                div {
                    h1 { "privatelink-prober observer" }
                    p {
                        "replica " strong { (self.options.pod) }
                        @if self.leadership.is_leading() { ", which leads" }
                        @else if pod.is_empty() { "; no replica leads" }
                        @else { "; " strong { (pod) } " leads" }
                        " · version " (VERSION) " · up " (age(self.started, now))
                    }
                }
                ul.counts {
                    li.pass { strong { (discovered.targets.len()) } " found" }
                    @if discovered.left_out > 0 {
                        li.fail { strong { (discovered.left_out) } " without room" }
                    }
                }
            }
        }
    }

    /// One picture of all nodes, where the agents are read.
    fn fleet_section(&self, now: SystemTime) -> Markup {
        let query = FleetQuery {
            gate: Some(GateQuery::default()),
            ..FleetQuery::default()
        };
        let report = match self.own_fleet(&query, now) {
            Err(NoFleet::Off) => return html! {},
            report => report,
        };
        let holder = self.leadership.holder();
        let leader = holder.split('_').next().unwrap_or_default();
        html! {
            h2 { "Nodes" }
            @match report {
                Ok(report) => (section(&report)),
                Err(NoFleet::NoLeader) if !leader.is_empty() => p.quiet {
                    "The replica " strong { (leader) } " leads and reads the agents: its page shows the nodes."
                },
                Err(error) => p.notice { (error) },
            }
        }
    }

    /// What keeps the list from the agents.
    fn trouble(&self) -> Markup {
        let publishing = self.shared.publishing().clone();
        html! {
            @if !publishing.is_empty() {
                p.notice.fail {
                    "The ConfigMap " code { (self.options.config_map) } " cannot be read or written, so agents \
                     go on with what they have: " (publishing)
                }
            }
            @if self.leadership.holder().is_empty() {
                p.notice.fail {
                    "No replica holds the lease " code { (self.options.lease) } ", so nothing is written. The \
                     log says why."
                }
            }
        }
    }

    fn source_table(
        &self,
        sources: &[(&'static str, &'static str, StateSince)],
        now: SystemTime,
    ) -> Markup {
        html! {
            table.targets {
                thead { tr { th scope="col" { "State" } th scope="col" { "Source" } th scope="col" { "For" } } }
                tbody {
                    @for (source, about, known) in sources {
                        tr {
                            td { (state(known.state)) }
                            th scope="row" {
                                code { (source) }
                                small { (about) }
                                @if !known.error.is_empty() { small { (known.error) } }
                            }
                            td.since { (age_with_time(known.since, now)) }
                        }
                    }
                    @for source in Source::ALL {
                        @if !self.options.sources.contains(source) {
                            tr {
                                td { span.state.unknown { "off" } }
                                th scope="row" {
                                    code { (source) }
                                    small { (source.description()) }
                                    @if source.switch() == Switch::Off { small { "Off unless it is switched on." } }
                                }
                                td {}
                            }
                        }
                    }
                }
            }
        }
    }
}

fn targets(discovered: &Discovered, linger: Duration, now: SystemTime) -> Markup {
    html! {
        @if discovered.targets.is_empty() {
            p.notice { "Nothing was found: no object of the cluster that may be read names a private service." }
        } @else {
            table.targets {
                thead {
                    tr {
                        th scope="col" { "Target" } th scope="col" { "Named by" } th scope="col" { "Used by" }
                        th scope="col" { "For" }
                    }
                }
                tbody { @for target in &discovered.targets { (row(target, linger, now)) } }
            }
        }
    }
}

fn row(target: &DiscoveredTarget, linger: Duration, now: SystemTime) -> Markup {
    html! {
        tr {
            th scope="row" { (target.host) ":" (target.port) }
            td {
                @for (index, source) in target.sources.iter().enumerate() {
                    @if index > 0 { ", " }
                    (source)
                }
            }
            td {
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
            td.since { (age_with_time(target.first_seen, now)) }
        }
    }
}

fn declared(admission: &Admission) -> Markup {
    html! {
        table.targets {
            thead {
                tr { th scope="col" { "State" } th scope="col" { "Object" } th scope="col" { "What is said of it" } }
            }
            tbody {
                @for decision in &admission.decisions {
                    tr {
                        td {
                            @if decision.reason.is_accepted() { span.state.pass { "accepted" } }
                            @else { span.state.warn { "refused" } }
                        }
                        th scope="row" { (decision.key.namespace) "/" (decision.key.name) }
                        td { (decision.message) }
                    }
                }
            }
        }
    }
}

fn omissions(omitted: &[Omitted]) -> Markup {
    html! {
        table.targets {
            thead {
                tr { th scope="col" { "Objects" } th scope="col" { "Source" } th scope="col" { "Why" } }
            }
            tbody {
                @for omitted in omitted {
                    tr {
                        td { (omitted.objects) }
                        th scope="row" { code { (omitted.source) } small { (omitted.examples.join(", ")) } }
                        td { (omitted.omission.description()) }
                    }
                }
            }
        }
    }
}

fn state(state: SourceState) -> Markup {
    let class = match state {
        SourceState::Ok => "pass",
        SourceState::Absent => "unknown",
        SourceState::Stale => "warn",
        SourceState::Forbidden => "fail",
    };
    html! { span class={"state " (class)} { (state.as_str()) } }
}

fn age(time: SystemTime, now: SystemTime) -> String {
    long_duration(now.duration_since(time).unwrap_or(Duration::ZERO))
}

fn age_with_time(time: SystemTime, now: SystemTime) -> Markup {
    let utc = millis_utc(time).unwrap_or_default();
    html! { time datetime=(utc) title=(utc) { (age(time, now)) } }
}
