package main

// Agents: what runs where, what it takes, and whether it does its work; and the observer beside them.

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func agents(runbook string) *dashboard.DashboardBuilder {
	return newDashboard(agentsUID, "agents", "The agents and the observer themselves.", runbook).
		WithVariable(cluster()).
		WithVariable(pool()).
		WithVariable(node()).
		WithRow(row("Now")).
		WithPanel(nodesWithAgent()).
		WithPanel(versions()).
		WithPanel(refused()).
		WithPanel(skipped()).
		WithPanel(panics()).
		WithPanel(longestSilence()).
		WithPanel(agentByAgent()).
		WithRow(row("What they take")).
		WithPanel(memory()).
		WithPanel(cpu()).
		WithPanel(inFlight()).
		WithPanel(probesPerSecond()).
		WithRow(row("Whether they do their work")).
		WithPanel(silence()).
		WithPanel(skippedOverTime()).
		WithPanel(reloadsByNode()).
		WithPanel(configurations()).
		WithPanel(versionsOverTime()).
		WithPanel(targetsBySource()).
		WithPanel(slowClients()).
		WithRow(row("Observer")).
		WithPanel(observers()).
		WithPanel(leading()).
		WithPanel(sources()).
		WithPanel(published()).
		WithPanel(omitted()).
		WithPanel(requests())
}

const (
	build = `privatelink_build_info{` + ofNodes + `}`
	// A program's own metrics, of the agents alone.
	ofAgent = ` and on (cluster, node, instance) ` + build
	// The same of the replicas of the observer.
	ofObserver = ` and on (cluster, node, instance) privatelink_observer_build_info{` + ofClusters + `}`
)

func nodesWithAgent() builder {
	return count("Nodes with an agent", "Nodes whose agent is scraped.",
		orNone(`count(group by (cluster, node) (`+build+`))`), neutral...)
}

func versions() builder {
	return count("Versions", "How many versions and revisions run. More than one while an update goes on.",
		`count(group by (version, revision) (`+build+`))`,
		dashboard.Threshold{Color: "green"}, dashboard.Threshold{Value: cog.ToPtr(2.0), Color: "orange"})
}

func refused() builder {
	return count("Refused configurations", "Nodes that continue with an older configuration, because they refused its last change.",
		orNone(`count(group by (cluster, node) (privatelink_config_last_reload_successful{`+ofNodes+`} == 0))`), noneIsWell...)
}

func skipped() builder {
	return count("Skipped probes in an hour", "Probes that were left out, because the one before was late.",
		orNone(`sum(increase(privatelink_probes_skipped_total{`+ofNodes+`}[1h]))`), noneIsBetter...).
		Decimals(0)
}

func panics() builder {
	return count("Panics", "Since the agents started. Each is a defect of the agent: please report it.",
		orNone(`sum(privatelink_probe_panics_total{`+ofNodes+`})`), noneIsWell...)
}

func longestSilence() builder {
	return count("Longest since a probe", "Of any target on any node.",
		`time() - min(privatelink_probe_last_run_timestamp_seconds{`+ofNodes+`})`,
		dashboard.Threshold{Color: "green"}, dashboard.Threshold{Value: cog.ToPtr(600.0), Color: "orange"}).
		Unit("s")
}

func agentByAgent() builder {
	of := `cluster, network, node`
	return list("Agents", "One line for each agent.",
		[]column{
			{"cluster", "cluster", nil},
			{"network", "network", nil},
			{"node", "node", nil},
			{"pool", "pool", nil},
			{"version", "version", nil},
			{"revision", "revision", nil},
			{"Value #B", "memory", unit("bytes")},
			{"Value #C", "CPU", unit("percentunit")},
			{"Value #D", "targets", nil},
			{"Value #E", "started", unit("dateTimeFromNow")},
		},
		rows(onPool(`max by (`+of+`, version, revision) (`+build+`)`)),
		rows(`max by (`+of+`) (process_resident_memory_bytes{`+ofNodes+`}`+ofAgent+`)`),
		rows(`max by (`+of+`) (rate(process_cpu_seconds_total{`+ofNodes+`}[$__rate_interval])`+ofAgent+`)`),
		rows(`max by (`+of+`) (sum without (source) (privatelink_targets{`+ofNodes+`}))`),
		rows(`1000 * max by (`+of+`) (process_start_time_seconds{`+ofNodes+`}`+ofAgent+`)`)).
		Span(24).
		DataLinks(dataLinks([]dashboard.DashboardLink{toAgents("${__data.fields.node}"), toPage("${__data.fields.node}"), toRunbook("prober_gone")}))
}

func memory() builder {
	return graph("Memory", "Resident memory of each agent.", "bytes",
		over(`max by (`+perNode+`) (process_resident_memory_bytes{`+ofNodes+`}`+ofAgent+`)`, "{{node}} {{network}} {{cluster}}"))
}

func cpu() builder {
	return graph("CPU", "Share of a core that each agent takes.", "percentunit",
		over(`max by (`+perNode+`) (rate(process_cpu_seconds_total{`+ofNodes+`}[$__rate_interval])`+ofAgent+`)`, "{{node}} {{network}} {{cluster}}"))
}

func inFlight() builder {
	return graph("Probes in flight", "Of the agent with the most, and of all agents together.", "none",
		over(`max(privatelink_probes_in_flight{`+ofNodes+`})`, "most"),
		over(`sum(privatelink_probes_in_flight{`+ofNodes+`})`, "all"))
}

func probesPerSecond() builder {
	return graph("Probes", "Completed probes per second, of all agents. Needs the histograms, which are on unless switched off.", "cps",
		over(`sum(rate(privatelink_probe_stage_duration_seconds_count{`+ofNodes+`, stage="total", target=""}[$__rate_interval]))`, "probes"))
}

func silence() builder {
	return graph("Time since the last probe", "Of the target on each node that waits longest. Beyond its interval the agent does not probe.", "s",
		over(`time() - min by (`+perNode+`) (privatelink_probe_last_run_timestamp_seconds{`+ofNodes+`})`, "{{node}} {{network}} {{cluster}}")).
		MaxDataPoints(fleetPoints)
}

func skippedOverTime() builder {
	return graph("Skipped probes", "Probes that were left out, because the one before was late: by node.", "none",
		over(`sum by (`+perNode+`) (increase(privatelink_probes_skipped_total{`+ofNodes+`}[$__rate_interval]))`, "{{node}} {{network}} {{cluster}}"))
}

func reloadsByNode() builder {
	return states("Configuration", "Whether the latest change of the configuration is in use. `privatelink-prober validate` says what is wrong with it.", reloads,
		over(`min by (`+perNode+`) (privatelink_config_last_reload_successful{`+ofNodes+`})`, "{{node}} {{network}} {{cluster}}")).
		DataLinks(dataLinks(ofNodeCell("${__field.labels.node}", "config_reload_failed")))
}

func configurations() builder {
	return graph("Different configurations", "How many are in use; 1 while all agents of a cluster have the same. And how long ago the first of the agents took its last change.", "none",
		over(`count by (cluster) (count_values by (cluster) ("hash", privatelink_config_hash{`+ofNodes+`}))`, "configurations {{cluster}}"),
		over(`time() - min by (cluster) (privatelink_config_last_reload_success_timestamp_seconds{`+ofNodes+`})`, "oldest {{cluster}}")).
		OverrideByQuery("B", []dashboard.DynamicConfigValue{{Id: "unit", Value: "s"}, {Id: "custom.axisPlacement", Value: "right"}})
}

func versionsOverTime() builder {
	return bars("Agents by version", "While an update goes on there are two.",
		over(`count by (version, revision) (max by (`+perNode+`, version, revision) (`+build+`))`, "{{version}} {{revision}}")).
		Span(8)
}

func targetsBySource() builder {
	return graph("Targets, and refused ones", "On the node with the most, by what declared them.", "none",
		over(`max by (source) (privatelink_targets{`+ofNodes+`})`, "{{source}}"),
		over(`max by (source) (privatelink_targets_rejected{`+ofNodes+`})`, "{{source}} refused")).
		Span(8)
}

func slowClients() builder {
	return graph("Clients turned away", "Requests to the agents that were refused because too many replies were under way, and clients that read too slowly; per second.", "reqps",
		over(`sum(rate(privatelink_http_requests_refused_total{`+ofNodes+`}[$__rate_interval]))`, "refused"),
		over(`sum(rate(privatelink_http_slow_readers_total{`+ofNodes+`}[$__rate_interval]))`, "too slow")).
		Span(8)
}

func observers() builder {
	of := `cluster, node`
	return list("Replicas of the observer", "One line for each replica. Needs the observer.",
		[]column{
			{"cluster", "cluster", nil},
			{"node", "node", nil},
			{"version", "version", nil},
			{"revision", "revision", nil},
			{"Value #B", "leads", coloured(leads)},
			{"Value #C", "publishes", coloured(publishes)},
			{"Value #D", "memory", unit("bytes")},
			{"Value #E", "started", unit("dateTimeFromNow")},
		},
		rows(`max by (`+of+`, version, revision) (privatelink_observer_build_info{`+ofClusters+`})`),
		rows(`max by (`+of+`) (privatelink_observer_leading{`+ofClusters+`})`),
		rows(`min by (`+of+`) (privatelink_observer_publishing{`+ofClusters+`})`),
		rows(`max by (`+of+`) (process_resident_memory_bytes{`+ofClusters+`}`+ofObserver+`)`),
		rows(`1000 * max by (`+of+`) (process_start_time_seconds{`+ofClusters+`}`+ofObserver+`)`)).
		Height(7).
		DataLinks(dataLinks([]dashboard.DashboardLink{link("Page of the fleet", "${page:raw}/", true)}))
}

func leading() builder {
	return states("Leader", "One replica leads, reads the agents and publishes targets. Needs the observer.", leads,
		over(`max by (cluster, node) (privatelink_observer_leading{`+ofClusters+`})`, "{{node}} {{cluster}}")).
		Height(7).
		DataLinks(dataLinks([]dashboard.DashboardLink{link("Page of the fleet", "${page:raw}/", true)}))
}

func sources() builder {
	of := func(state string) string {
		return `privatelink_observer_source_state{` + ofClusters + `, state="` + state + `"}`
	}
	return states("Sources of targets", "Whether what a source says is known. Stale: what was known before stays in use. Forbidden: the service account may not read it. Needs the observer.", sourceStates,
		over(`max by (cluster, source) (0 * `+of("ok")+` or 1 * `+of("stale")+` or 2 * `+of("absent")+` or 3 * `+of("forbidden")+`)`, "{{source}} {{cluster}}")).
		DataLinks(dataLinks([]dashboard.DashboardLink{link("Page of the fleet", "${page:raw}/", true)}))
}

func published() builder {
	return graph("Targets for the agents", "What the observer found or teams declared, and what there is no room for. Needs the observer.", "none",
		over(`max by (cluster, source) (privatelink_observer_targets{`+ofClusters+`})`, "{{source}} {{cluster}}"),
		over(`max by (cluster) (privatelink_observer_targets_left_out{`+ofClusters+`})`, "left out {{cluster}}"))
}

func omitted() builder {
	return list("Uses of services that are no targets", "Objects that use a service, or may use one, and why it is not probed. Needs the observer.",
		[]column{
			{"cluster", "cluster", nil},
			{"source", "source", nil},
			{"reason", "why", nil},
			{"Value", "objects", nil},
		},
		rows(`max by (cluster, source, reason) (privatelink_observer_objects_omitted{`+ofClusters+`})`)).
		Height(8).
		DataLinks(dataLinks([]dashboard.DashboardLink{link("Page of the fleet", "${page:raw}/", true)}))
}

func requests() builder {
	return graph("Requests and events", "Requests of the observer to the API server, and events that were not written, per second. Needs the observer.", "reqps",
		over(`sum by (cluster) (rate(privatelink_observer_api_requests_total{`+ofClusters+`}[$__rate_interval]))`, "requests {{cluster}}"),
		over(`sum by (cluster) (rate(privatelink_events_dropped_total{`+ofClusters+`}[$__rate_interval]))`, "events dropped {{cluster}}"))
}
