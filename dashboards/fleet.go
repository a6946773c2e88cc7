package main

// Fleet: all nodes and all targets: what is wrong now, why, since when, and where nodes disagree.

import (
	"fmt"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func fleet(reasons []reason, runbook string) *dashboard.DashboardBuilder {
	return newDashboard(fleetUID, "fleet", "What all nodes see of all private services.", runbook).
		WithVariable(address("reasons", numbers(reasons))).
		WithVariable(cluster()).
		WithVariable(pool()).
		WithVariable(node()).
		WithVariable(owner()).
		WithVariable(service()).
		WithVariable(targets()).
		WithVariable(show(reasons)).
		WithRow(row("Now")).
		WithPanel(targetsFailing()).
		WithPanel(targetsPublic()).
		WithPanel(nodesFailing()).
		WithPanel(nodesWithoutAgent()).
		WithPanel(firstCertificate()).
		WithPanel(gate()).
		WithPanel(nodesByTarget(reasons)).
		WithRow(row("Why")).
		WithPanel(causes(reasons)).
		WithPanel(patterns()).
		WithPanel(disagreeing(reasons)).
		WithPanel(worstTargets()).
		WithRow(row("Since when")).
		WithPanel(targetsOverTime(reasons)).
		WithPanel(nodesOverTime(reasons)).
		WithPanel(reasonsOverTime()).
		WithPanel(timeoutsOverTime()).
		WithRow(row("Coverage and certificates")).
		WithPanel(coverage()).
		WithPanel(gateOverTime()).
		WithPanel(certificates())
}

// failing are the pairs of node and target that fail.
const failing = `privatelink_probe_success{` + ofTargets + `} == 0`

// amiss are the pairs with the reason that `Show` lets through.
const amiss = `max by (` + pairReason + `) (privatelink_probe_reason{` + ofTargets + `, reason!~"$hide"})`

// amissSince are these at any time since the last step of a graph.
const amissSince = `max by (` + pairReason + `) (max_over_time(privatelink_probe_reason{` + ofTargets + `, reason!~"$hide"}` + sinceLastStep + `))`

func targetsFailing() builder {
	return count("Targets that fail", "Targets that fail on at least one node.",
		orNone(`count(group by (cluster, target) (`+failing+`))`), noneIsWell...)
}

func targetsPublic() builder {
	return count("Public, not private", "Targets with a public address on at least one node, though a private endpoint is expected.",
		orNone(`count(group by (cluster, target) (privatelink_dns_public_fallback{`+ofTargets+`} == 1))`), noneIsWell...)
}

func nodesFailing() builder {
	return count("Nodes that see a failure", "If all nodes see it, look at the service or its zone; if one does, at that node.",
		orNone(`count(group by (cluster, node) (`+failing+`))`), noneIsWell...)
}

func nodesWithoutAgent() builder {
	return count("Nodes without an agent", "Nodes about which nothing is known now, because no agent answers there. Needs the observer.",
		`sum(max by (cluster, state) (privatelink_fleet_nodes{`+ofClusters+`, state!="covered"}))`, noneIsBetter...).
		NoValue("no observer")
}

func firstCertificate() builder {
	return count("First certificate expires in", "The remaining time of the certificate that expires first.",
		`min(min by (cluster, target) (privatelink_tls_certificate_not_after_timestamp_seconds{`+ofTargets+`})) - time()`, expiry...).
		Unit("s")
}

// A replica that leads says all three answers, so `no` and `cannot tell` alone say enough.
const gateAnswer = `max by (cluster) (2 * privatelink_fleet_gate{` + ofClusters + `, answer="no"} or 1 * privatelink_fleet_gate{` + ofClusters + `, answer="cannot_tell"})`

func gate() builder {
	return count("May public access be turned off?",
		"Whether every private target stayed private on every node for the last 24 hours. `privatelink-prober report --gate` says what would break, or what is not known. Needs the observer.",
		`max(`+gateAnswer+`)`, neutral...).
		Mappings(gates).
		NoValue("no observer")
}

func nodesByTarget(reasons []reason) builder {
	return list("Nodes by target",
		"The reason of the latest verdict. `Show` selects which reasons. If a whole column fails, look at the service or its zone; if a whole line fails, look at the node.",
		nil, rows(`label_join(`+amiss+`, "place", " ", "node", "cluster", "network")`)).
		Transformations([]dashboard.DataTransformerConfig{matrix("place", "target", "reason")}).
		Height(11).
		Span(24).
		MinWidth(130).
		NoValue("").
		Mappings(byWord(reasons)).
		CellOptions(colouredText).
		DataLinks(dataLinks(ofCell("${__field.name}", "${__value.text}"))).
		OverrideByRegexp(`^place\\.*`, []dashboard.DynamicConfigValue{
			{Id: "displayName", Value: "node"},
			{Id: "custom.width", Value: 260},
			{Id: "links", Value: []any{}},
		})
}

func causes(reasons []reason) builder {
	of := func(what, dns, series string) string {
		return fmt.Sprintf(`label_replace(label_replace(label_replace(label_replace(%s, "of", "%s", "", ""), `+
			`"section", "$1", "reason", "(.+)"), "section", "%s", "reason", "dns"), "section", "public_fallback", "reason", "public|public_somewhere")`,
			series, what, dns)
	}
	expr := of("most nodes", "dns_down", `privatelink:symptom:everywhere{`+ofClusters+`}`) + ` or ` +
		of("a pool", "node_dns_down", `privatelink:symptom:by_pool{`+ofClusters+`, pool=~"$pool"}`) + ` or ` +
		of("a node", "node_dns_down", `(privatelink:symptom:by_node{`+ofNodes+`} unless on (cluster, network, pool, reason) privatelink:symptom:by_pool)`) + ` or ` +
		of("a service", "dns_fails", `privatelink:symptom:by_target{`+ofServices+`}`)
	return list("Causes, by the rules",
		"What the chart's recording rules blame: the nodes, a pool, a node or a service. The number counts nodes, or for a node the services. Needs these rules; without them it is empty.",
		[]column{
			{"of", "to blame", nil},
			{"cluster", "cluster", nil},
			{"network", "network", nil},
			{"pool", "pool", nil},
			{"node", "node", nil},
			{"target", "target", nil},
			{"owner", "owner", nil},
			{"reason", "reason", coloured(byWord(reasons))},
			{"Value", "count", nil},
			{"section", "section", []dashboard.DynamicConfigValue{{Id: "custom.hidden", Value: true}}},
		},
		rows(expr)).
		DataLinks(dataLinks(ofCell("${__data.fields.target}", "${__data.fields.section}")))
}

func patterns() builder {
	return list("Patterns, by the observer",
		"What failing nodes have in common, and the likely cause. Its page says all of it in sentences. Needs the observer.",
		[]column{
			{"cluster", "cluster", nil},
			{"symptom", "what is seen", nil},
			{"scope", "where", nil},
			{"cause", "likely cause", nil},
			{"Value", "nodes", nil},
		},
		rows(`max by (cluster, symptom, scope, cause) (privatelink_fleet_pattern_nodes{`+ofClusters+`})`)).
		DataLinks(dataLinks([]dashboard.DashboardLink{link("Page of the fleet", "${page:raw}/", true), link("Runbook", "${runbook:raw}", true)}))
}

func disagreeing(reasons []reason) builder {
	all := `max by (` + pairReason + `) (privatelink_probe_reason{` + ofTargets + `})`
	return list("Nodes that disagree with most",
		"Nodes on which a target has another reason than on most nodes, `ok` included.",
		[]column{
			{"cluster", "cluster", nil},
			{"network", "network", nil},
			{"node", "node", nil},
			{"target", "target", nil},
			{"reason", "reason", coloured(byWord(reasons))},
		},
		rows(all+` unless on (cluster, network, target, reason) topk by (cluster, network, target) (1, count by (cluster, network, target, reason) (`+all+`))`)).
		DataLinks(dataLinks(append(ofCell("${__data.fields.target}", "${__data.fields.reason}"), toAgents("${__data.fields.node}"))))
}

func worstTargets() builder {
	told := `max by (cluster, target, service, owner) (privatelink_target_info{` + ofTargets + `})`
	return list("Who is hurt", "The targets that fail, on how many nodes, and how many workloads use them. Workloads need the observer.",
		[]column{
			{"cluster", "cluster", nil},
			{"target", "target", nil},
			{"service", "service", nil},
			{"owner", "owner", nil},
			{"Value #A", "nodes", nil},
			{"Value #B", "workloads", nil},
		},
		rows(`count by (cluster, target) (group by (cluster, node, target) (`+failing+`)) * on (cluster, target) group_left (service, owner) topk by (cluster, target) (1, `+told+`)`),
		rows(`max by (cluster, target) (privatelink_fleet_target_workloads{`+ofServices+`}) * on (cluster, target) group_left (service, owner) topk by (cluster, target) (1, `+told+`) and on (cluster, target) (`+failing+`)`)).
		DataLinks(dataLinks(ofCell("${__data.fields.target}", "")))
}

func targetsOverTime(reasons []reason) builder {
	line := "cluster, target"
	return states("Targets", "The commonest reason of each target, while it is not well. `Show` selects which reasons.", byNumber(reasons),
		over(asState(line, `topk by (`+line+`) (1, count by (`+line+`, reason) (`+amissSince+`))`), "{{target}} {{cluster}}")).
		MaxDataPoints(fleetPoints).
		Interval(fleetStep).
		NoValue("all well").
		DataLinks(dataLinks(ofCell("${__field.labels.target}", "${__value.text}")))
}

func nodesOverTime(reasons []reason) builder {
	line := "cluster, network, node"
	return states("Nodes", "The commonest reason on each node, while something is not well there.", byNumber(reasons),
		over(asState(line, `topk by (`+line+`) (1, count by (`+line+`, reason) (`+amissSince+`))`), "{{node}} {{network}} {{cluster}}")).
		MaxDataPoints(fleetPoints).
		Interval(fleetStep).
		NoValue("all well").
		DataLinks(dataLinks(ofNodeCell("${__field.labels.node}", "${__value.text}")))
}

func reasonsOverTime() builder {
	return bars("Reasons", "How many pairs of node and target have each reason.",
		over(`count by (reason) (`+amissSince+`) or on () label_replace(vector(0), "reason", "none", "", "")`, "{{reason}}")).
		MaxDataPoints(fleetPoints).
		Interval(fleetStep)
}

func timeoutsOverTime() builder {
	return bars("Frequent timeouts", "Pairs of node and target whose probes often meet a timeout, by stage, even if another address answers. Needs the chart's recording rules.",
		over(`count by (stage) (privatelink:timeouts{`+ofTargets+`}) or on () label_replace(vector(0), "stage", "none", "", "")`, "{{stage}}")).
		MaxDataPoints(fleetPoints).
		Interval(fleetStep)
}

func coverage() builder {
	return bars("Nodes by coverage", "Whether an agent covers a node: stale is one that answered before and does not now. Needs the observer.",
		over(`sum by (state) (max by (cluster, state) (privatelink_fleet_nodes{`+ofClusters+`}))`, "{{state}}")).
		Span(8).
		Height(7)
}

func gateOverTime() builder {
	return states("May public access be turned off?", "What the gate answered for the 24 hours before. Needs the observer.", gates,
		over(gateAnswer, "{{cluster}}")).
		Span(8).
		Height(7).
		DataLinks(dataLinks([]dashboard.DashboardLink{link("Page of the fleet", "${page:raw}/", true)}))
}

func certificates() builder {
	return list("Certificates that expire first", "The ten with the shortest remaining time on any node.",
		[]column{
			{"cluster", "cluster", nil},
			{"target", "target", nil},
			{"Value", "expires in", coloured(nil, dashboard.DynamicConfigValue{Id: "unit", Value: "s"}, dashboard.DynamicConfigValue{Id: "thresholds", Value: map[string]any{"mode": "absolute", "steps": expiry}})},
		},
		rows(`bottomk(10, min by (cluster, target) (privatelink_tls_certificate_not_after_timestamp_seconds{`+ofTargets+`}) - time())`)).
		Span(8).
		Height(7).
		DataLinks(dataLinks(ofCell("${__data.fields.target}", "tls_certificate_expiring")))
}
