package main

// Links: where a click on a cell leads. What `${…}` stands for in the cells of each panel is an argument.

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

const (
	fleetUID  = "privatelink-fleet"
	targetUID = "privatelink-target"
	agentsUID = "privatelink-agents"

	tag = "privatelink-prober"
	// What the linked dashboard takes over.
	kept = "${datasource:queryparam}&${cluster:queryparam}&${pool:queryparam}&${__url_time_range}"
)

// ofCell leads from a cell about a target to the dashboard of the target, to the section of the runbook, and
// to the page with everything that the observer knows of it.
func ofCell(target, reason string) []dashboard.DashboardLink {
	return []dashboard.DashboardLink{toTarget(target), toRunbook(reason), toPage(target)}
}

func ofNodeCell(node, reason string) []dashboard.DashboardLink {
	return []dashboard.DashboardLink{toAgents(node), toRunbook(reason), toPage(node)}
}

func toTarget(target string) dashboard.DashboardLink {
	return link("Target", "/d/"+targetUID+"?"+kept+"&var-target="+target, false)
}

func toAgents(node string) dashboard.DashboardLink {
	return link("Agent of the node", "/d/"+agentsUID+"?"+kept+"&var-node="+node, false)
}

func toRunbook(reason string) dashboard.DashboardLink {
	return link("Runbook", "${runbook:raw}#"+reason, true)
}

func toPage(text string) dashboard.DashboardLink {
	return link("Page of the fleet", "${page:raw}/?q="+text, true)
}

func link(title, url string, newTab bool) dashboard.DashboardLink {
	return dashboard.DashboardLink{Title: title, Type: dashboard.DashboardLinkTypeLink, Url: &url, TargetBlank: newTab, Tags: []string{}}
}

// toOthers leads from a dashboard to the others.
func toOthers() *dashboard.DashboardLinkBuilder {
	return dashboard.NewDashboardLinkBuilder("privatelink-prober").
		Type(dashboard.DashboardLinkTypeDashboards).
		Tags([]string{tag}).
		AsDropdown(false).
		IncludeVars(true).
		KeepTime(true)
}

func toRunbookAtAll() *dashboard.DashboardLinkBuilder {
	return dashboard.NewDashboardLinkBuilder("Runbook").
		Type(dashboard.DashboardLinkTypeLink).
		Url("${runbook:raw}").
		TargetBlank(true)
}

func toPageAtAll() *dashboard.DashboardLinkBuilder {
	return dashboard.NewDashboardLinkBuilder("Page of the fleet").
		Type(dashboard.DashboardLinkTypeLink).
		Url("${page:raw}").
		Tooltip("What the observer knows of all nodes").
		TargetBlank(true)
}

func dataLinks(links []dashboard.DashboardLink) []cog.Builder[dashboard.DashboardLink] {
	var builders []cog.Builder[dashboard.DashboardLink]
	for _, link := range links {
		builders = append(builders, made[dashboard.DashboardLink]{link})
	}
	return builders
}

// made is a builder of what is there already.
type made[T any] struct{ it T }

func (made made[T]) Build() (T, error) { return made.it, nil }
