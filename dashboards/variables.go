package main

// Variables: what a reader selects at the top. `Data source` has no default, so Grafana takes its default
// Prometheus, and a file can be imported as it is.

import (
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// pageAddress is where `kubectl port-forward` of the chart's notes shows the observer's page.
const pageAddress = "http://127.0.0.1:9796"

var source = common.DataSourceRef{Type: cog.ToPtr("prometheus"), Uid: cog.ToPtr("${datasource}")}

func dataSource() *dashboard.DatasourceVariableBuilder {
	return dashboard.NewDatasourceVariableBuilder("datasource").
		Label("Data source").
		Type("prometheus")
}

// The variables in the order in which each narrows the next. Queries name the nodes and targets that are left, which
// costs Prometheus less than to compare each series with a list of them. Without the observer no pool is known, and
// then `Node pool` has no values but All.
func cluster() *dashboard.QueryVariableBuilder {
	return several("cluster", "Cluster", `label_values(privatelink_build_info, cluster)`).AllValue(".*")
}

func pool() *dashboard.QueryVariableBuilder {
	return several("pool", "Node pool", `label_values(privatelink_node_info{cluster=~"$cluster"}, pool)`).AllValue(".*")
}

// Nodes with an agent at any time that is shown, but those that the observer knows to be in other pools.
func node() *dashboard.QueryVariableBuilder {
	return several("node", "Node", `query_result(group by (node) (last_over_time(privatelink_build_info{cluster=~"$cluster"}[$__range])`+
		` unless on (cluster, node) last_over_time(privatelink_node_info{pool!~"$pool"}[$__range])))`).
		Regex(`/node="([^"]+)"/`)
}

func owner() *dashboard.QueryVariableBuilder {
	return several("owner", "Owner", `label_values(privatelink_target_info{cluster=~"$cluster"}, owner)`).AllValue(".*")
}

func service() *dashboard.QueryVariableBuilder {
	return several("service", "Service", `label_values(privatelink_target_info{cluster=~"$cluster", owner=~"$owner"}, service)`).AllValue(".*")
}

func targets() *dashboard.QueryVariableBuilder {
	return several("target", "Target", targetsOfOwner)
}

func oneTarget() *dashboard.QueryVariableBuilder {
	return query("target", "Target", targetsOfOwner)
}

const targetsOfOwner = `label_values(privatelink_target_info{cluster=~"$cluster", owner=~"$owner", service=~"$service"}, target)`

// show is what `hide` leaves out of the queries, by reason.
func show(reasons []reason) *dashboard.CustomVariableBuilder {
	options := strings.Join([]string{
		"what fails : " + below("fail", reasons),
		"what fails or warns : " + below("warn", reasons),
		"everything : nothing",
	}, ", ")
	return dashboard.NewCustomVariableBuilder("hide").
		Label("Show").
		Values(dashboard.StringOrMap{String: &options}).
		Current(selected("what fails", below("fail", reasons)))
}

func stage() *dashboard.CustomVariableBuilder {
	options := "total, dns, connect, tls, http"
	return dashboard.NewCustomVariableBuilder("stage").
		Label("Stage").
		Values(dashboard.StringOrMap{String: &options}).
		Current(selected("total", "total"))
}

// address is a constant that links begin with; the chart replaces it by its own values.
func address(name, value string) cog.Builder[dashboard.VariableModel] {
	return made[dashboard.VariableModel]{dashboard.VariableModel{
		Type:    dashboard.VariableTypeConstant,
		Name:    name,
		Hide:    cog.ToPtr(dashboard.VariableHideHideVariable),
		Query:   &dashboard.StringOrMap{String: &value},
		Current: cog.ToPtr(selected(value, value)),
	}}
}

func several(name, label, text string) *dashboard.QueryVariableBuilder {
	return query(name, label, text).
		Multi(true).
		IncludeAll(true).
		Current(dashboard.VariableOption{
			Selected: cog.ToPtr(true),
			Text:     dashboard.StringOrArrayOfString{ArrayOfString: []string{"All"}},
			Value:    dashboard.StringOrArrayOfString{ArrayOfString: []string{"$__all"}},
		})
}

func query(name, label, text string) *dashboard.QueryVariableBuilder {
	return dashboard.NewQueryVariableBuilder(name).
		Label(label).
		Datasource(source).
		Query(dashboard.StringOrMap{Map: map[string]any{"query": text, "refId": name}}).
		Definition(text).
		Refresh(dashboard.VariableRefreshOnTimeRangeChanged).
		Sort(dashboard.VariableSortAlphabeticalAsc)
}

func selected(text, value string) dashboard.VariableOption {
	return dashboard.VariableOption{
		Selected: cog.ToPtr(true),
		Text:     dashboard.StringOrArrayOfString{String: &text},
		Value:    dashboard.StringOrArrayOfString{String: &value},
	}
}
