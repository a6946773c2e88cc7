package main

// Target: one target on the selected nodes: its verdicts, what its name resolves to, how long the stages take,
// its certificate.

import (
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func target(reasons []reason, runbook string) *dashboard.DashboardBuilder {
	return newDashboard(targetUID, "target", "What the nodes see of one private service.", runbook).
		WithVariable(address("reasons", numbers(reasons))).
		WithVariable(cluster()).
		WithVariable(pool()).
		WithVariable(node()).
		WithVariable(owner()).
		WithVariable(service()).
		WithVariable(oneTarget()).
		WithVariable(stage()).
		Annotation(transitions()).
		WithRow(row("$target")).
		WithPanel(nodesThatProbe()).
		WithPanel(nodesThatFail()).
		WithPanel(nodesThatSeePublic()).
		WithPanel(certificateOfTarget()).
		WithPanel(workloads()).
		WithPanel(slowProbes()).
		WithPanel(configured()).
		WithRow(row("By node")).
		WithPanel(reasonByNode(reasons)).
		WithPanel(classesByNode()).
		WithPanel(outcomeByNode()).
		WithPanel(agreementByNode()).
		WithRow(row("How long the stages take")).
		WithPanel(quantiles()).
		WithPanel(durations()).
		WithPanel(latest()).
		WithPanel(timeouts()).
		WithRow(row("Certificate and answer")).
		WithPanel(certificatesByNode()).
		WithPanel(ttl()).
		WithPanel(reachable()).
		WithPanel(probes())
}

const perNode = `cluster, network, node`

// transitions are the moments at which the target got another reason on some node, `ok` again included.
func transitions() *dashboard.AnnotationQueryBuilder {
	series := `privatelink_probe_reason{` + ofTarget + `}`
	before := `privatelink_probe_reason{` + ofTarget + `} offset 1m`
	of := perNode + `, reason`
	expr := `count by (cluster, reason) (max by (` + of + `) (` + series + `)` +
		` unless max by (` + of + `) (` + before + `)` +
		` and on (` + perNode + `) ` + before + `)`
	return dashboard.NewAnnotationQueryBuilder().
		Name("Transitions").
		Datasource(source).
		Enable(true).
		IconColor("purple").
		Expr(expr).
		Step("60s").
		TitleFormat("{{reason}}").
		TextFormat("The reason on some nodes has been {{reason}} since then. {{cluster}}").
		TagKeys("reason,cluster").
		UseValueForTime(false)
}

func nodesThatProbe() builder {
	return count("Nodes that probe it", "Nodes with a verdict.",
		orNone(`count(group by (cluster, node) (privatelink_probe_success{`+ofTarget+`}))`), neutral...)
}

func nodesThatFail() builder {
	return count("Nodes on which it fails", "If all fail, look at the service or its zone; if some do, at what they have in common.",
		orNone(`count(group by (cluster, node) (privatelink_probe_success{`+ofTarget+`} == 0))`), noneIsWell...)
}

func nodesThatSeePublic() builder {
	return count("Public on", "Nodes on which an address is public, though a private endpoint is expected.",
		orNone(`count(group by (cluster, node) (privatelink_dns_public_fallback{`+ofTarget+`} == 1))`), noneIsWell...)
}

func certificateOfTarget() builder {
	return count("Certificate expires in", "On the node where it expires first.",
		`min(privatelink_tls_certificate_not_after_timestamp_seconds{`+ofTarget+`}) - time()`, expiry...).
		Unit("s").
		NoValue("no certificate")
}

func workloads() builder {
	return count("Workloads that use it", "As the observer finds them in the cluster. Needs the observer.",
		`sum(max by (cluster) (privatelink_fleet_target_workloads{cluster=~"$cluster", target="$target"}))`, neutral...).
		NoValue("not known")
}

func slowProbes() builder {
	return count("Slowest twentieth from", "The time that the latest probe took, on all but the slowest twentieth of the nodes.",
		`quantile(0.95, max by (`+perNode+`) (privatelink_probe_duration_seconds{`+ofTarget+`, stage="total"}))`, neutral...).
		Unit("s")
}

func configured() builder {
	return list("What is probed", "The target as the agents have it.",
		[]column{
			{"cluster", "cluster", nil},
			{"host", "host", nil},
			{"port", "port", nil},
			{"service", "service", nil},
			{"expect", "expected", nil},
			{"source", "declared by", nil},
			{"owner", "owner", nil},
			{"Value", "nodes", nil},
		},
		rows(`count by (cluster, host, port, service, expect, source, owner) (group by (cluster, node, host, port, service, expect, source, owner) (privatelink_target_info{`+ofTarget+`}))`)).
		Height(4).
		Span(24).
		DataLinks(dataLinks([]dashboard.DashboardLink{toPage("$target"), link("Runbook", "${runbook:raw}", true)}))
}

func reasonByNode(reasons []reason) builder {
	return states("Reason", "The primary reason of each verdict.", byNumber(reasons),
		over(asState(perNode, `max by (`+perNode+`, reason) (privatelink_probe_reason{`+ofTarget+`})`), "{{node}} {{network}} {{cluster}}")).
		DataLinks(dataLinks(ofNodeCell("${__field.labels.node}", "${__value.text}")))
}

func outcomeByNode() builder {
	warns := `max by (` + perNode + `) (increase(privatelink_probes_total{` + ofTarget + `, outcome="warn"}[$__rate_interval]) > bool 0)`
	fails := `max by (` + perNode + `) (privatelink_probe_success{` + ofTarget + `} == bool 0)`
	return states("Outcome", "Warn: the service works, but not as it should. With `metrics: essential` warnings are not told from passes.", outcomes,
		over(`(2 * (`+fails+` > 0) or `+warns+` or `+fails+`)`, "{{node}} {{network}} {{cluster}}")).
		DataLinks(dataLinks(ofNodeCell("${__field.labels.node}", "")))
}

func classesByNode() builder {
	of := func(class string) string {
		return `max by (` + perNode + `) (privatelink_dns_addresses{` + ofTarget + `, class=~"` + class + `"} > bool 0)`
	}
	asMeant := `(0 * group by (` + perNode + `) (privatelink_dns_public_fallback{` + ofTarget + `}) or 8 * group by (` + perNode + `) (privatelink_dns_addresses{` + ofTarget + `}))`
	return states("Classes of the answer", "What the addresses are that the name resolves to. There is a gap while it is not resolved. Needs `metrics: full`.", classes,
		over(`(`+of("expected|private")+` + 2 * `+of("public")+` + 4 * `+of("reserved")+` + `+asMeant+`)`, "{{node}} {{network}} {{cluster}}")).
		DataLinks(dataLinks(ofNodeCell("${__field.labels.node}", "public_fallback")))
}

func agreementByNode() builder {
	return states("Other resolvers", "Whether another resolver gives addresses of the same classes as the one by which the target is judged: pods and nodes may reach different places.", agreements,
		over(`min by (`+perNode+`, resolver) (privatelink_resolver_agrees{`+ofTarget+`})`, "{{resolver}} of {{node}} {{network}} {{cluster}}")).
		NoValue("no other resolver, or no answer").
		DataLinks(dataLinks(ofNodeCell("${__field.labels.node}", "resolver_disagreement")))
}

// histogram is of the target where agents have histograms of targets, else of all targets of the nodes.
func histogram(by, more string) string {
	rate := func(of string) string {
		return `sum by (` + by + `) (rate(privatelink_probe_stage_duration_seconds_bucket{cluster=~"$cluster", node=~"$node", ` + of + more + `}[$__rate_interval]))`
	}
	return rate(`target="$target"`) + ` or on () ` + rate(`target=""`)
}

func quantiles() builder {
	return graph("Stages, half and nineteen of twenty probes",
		"The time within which half of the probes (p50) and 95 % of them (p95) completed each stage. Of this target where the agents run with `--histograms target`, else of all targets of these nodes.", "s",
		over(`histogram_quantile(0.5, `+histogram("le, stage", "")+`)`, "{{stage}} p50"),
		over(`histogram_quantile(0.95, `+histogram("le, stage", "")+`)`, "{{stage}} p95")).
		MaxDataPoints(histogramPoints)
}

func durations() builder {
	return buckets("Stage $stage", "How many probes a second took how long, for the selected stage; of the same probes as beside it.",
		histogram("le", `, stage="$stage"`))
}

func latest() builder {
	probe := `max by (` + perNode + `, stage) (privatelink_probe_duration_seconds{` + ofTarget + `})`
	return graph("Latest probes of this target", "How long the stages of the latest probes took: the median of the nodes, and the slowest node.", "s",
		over(`quantile by (stage) (0.5, `+probe+`)`, "{{stage}} median"),
		over(`max by (stage) (`+probe+`)`, "{{stage}} slowest"))
}

func timeouts() builder {
	return graph("Timeouts and failures", "Probes per second that met a timeout, by stage, even if another address answered; and failed probes, by the stage of their reason.", "cps",
		over(`sum by (stage) (rate(privatelink_probe_timeouts_total{`+ofTarget+`}[$__rate_interval]))`, "{{stage}} timeout"),
		over(`sum by (stage) (rate(privatelink_probe_failures_total{`+ofTarget+`}[$__rate_interval]))`, "{{stage}} failure"))
}

func certificatesByNode() builder {
	return list("Certificate", "What each node was shown.",
		[]column{
			{"cluster", "cluster", nil},
			{"network", "network", nil},
			{"node", "node", nil},
			{"Value #A", "expires", unit("dateTimeAsIso")},
			{"Value #B", "expires in", coloured(nil, dashboard.DynamicConfigValue{Id: "unit", Value: "s"}, dashboard.DynamicConfigValue{Id: "thresholds", Value: map[string]any{"mode": "absolute", "steps": expiry}})},
			{"Value #C", "is for", coloured(mismatches)},
		},
		rows(`1000 * min by (`+perNode+`) (privatelink_tls_certificate_not_after_timestamp_seconds{`+ofTarget+`})`),
		rows(`(min by (`+perNode+`) (privatelink_tls_certificate_not_after_timestamp_seconds{`+ofTarget+`})) - time()`),
		rows(`max by (`+perNode+`) (privatelink_tls_name_mismatch{`+ofTarget+`})`)).
		NoValue("no certificate was received").
		DataLinks(dataLinks(ofNodeCell("${__data.fields.node}", "tls_name_mismatch")))
}

func ttl() builder {
	return graph("Smallest TTL of the answer", "Between the nodes with the smallest and the largest. A cache counts it down.", "s",
		over(`min(privatelink_dns_ttl_seconds{`+ofTarget+`})`, "smallest"),
		over(`max(privatelink_dns_ttl_seconds{`+ofTarget+`})`, "largest"))
}

func reachable() builder {
	return graph("Addresses, and changes of their class", "How many addresses accept a connection, on the node with the fewest; and how often the answer changed between private and public, on all nodes. Changes that go on mean DNS servers with different answers.", "none",
		over(`min(privatelink_reachable_addresses{`+ofTarget+`})`, "reachable"),
		over(`sum(increase(privatelink_dns_class_changes_total{`+ofTarget+`}[$__rate_interval]))`, "changes of class")).
		AxisSoftMin(0)
}

func probes() builder {
	return graph("Probes by outcome", "Completed probes per second, of all nodes.", "cps",
		over(`sum by (outcome) (rate(privatelink_probes_total{`+ofTarget+`}[$__rate_interval]))`, "{{outcome}}")).
		Stacking(common.NewStackingConfigBuilder().Mode(common.StackingModeNormal).Group("A"))
}
