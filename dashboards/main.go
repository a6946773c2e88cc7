// Command dashboards writes the Grafana dashboards of the chart.
//
//	dashboards REASONS RUNBOOK FOLDER
//
// REASONS is docs/reasons.md, from which the words and colours of the reasons come, and RUNBOOK the address
// of docs/runbook.md. A dashboard is a file of its own here: fleet.go, target.go, agents.go. What they share
// is in panels.go (how a panel looks), queries.go, variables.go, links.go (where a click leads) and words.go
// (what a word or a number means, and its colour).
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: dashboards REASONS RUNBOOK FOLDER")
		os.Exit(2)
	}
	if err := write(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "dashboards:", err)
		os.Exit(1)
	}
}

func write(reasonsFile, runbook, folder string) error {
	reasons, err := readReasons(reasonsFile)
	if err != nil {
		return err
	}
	// Knows the panels and queries, for the check of what was made.
	plugins.RegisterDefaultPlugins()
	for _, builder := range []*dashboard.DashboardBuilder{
		fleet(reasons, runbook),
		target(reasons, runbook),
		agents(runbook),
	} {
		made, err := builder.Build()
		if err != nil {
			return err
		}
		number(&made)
		text, err := json.MarshalIndent(made, "", "  ")
		if err != nil {
			return err
		}
		if err := check(text); err != nil {
			return fmt.Errorf("%s: %w", *made.Title, err)
		}
		path := filepath.Join(folder, *made.Uid+".json")
		if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// newDashboard has what all have in common.
func newDashboard(uid, title, description, runbook string) *dashboard.DashboardBuilder {
	return dashboard.NewDashboardBuilder("Private Link: "+title).
		Uid(uid).
		Description(description).
		Tags([]string{tag}).
		Editable().
		Tooltip(dashboard.DashboardCursorSyncCrosshair).
		Refresh("1m").
		Time("now-3h", "now").
		Timezone("browser").
		Link(toOthers()).
		Link(toRunbookAtAll()).
		Link(toPageAtAll()).
		WithVariable(dataSource()).
		WithVariable(address("runbook", runbook)).
		WithVariable(address("page", pageAddress))
}

// number gives every panel a number of its own, which links to a panel and a list of changes need.
func number(made *dashboard.Dashboard) {
	for i := range made.Panels {
		id := uint32(i + 1)
		if panel := made.Panels[i].Panel; panel != nil {
			panel.Id = &id
		} else {
			made.Panels[i].RowPanel.Id = id
		}
	}
}

// check reads a dashboard as Grafana's schema has it: a field that the schema does not know, or one that is missing, is an
// error. `Build` has compared the values with their bounds.
func check(text []byte) error {
	var read dashboard.Dashboard
	var found cog.BuildErrors
	// A list without errors is no nil.
	err := read.UnmarshalJSONStrict(text)
	if errors.As(err, &found) && len(found) == 0 {
		return nil
	}
	return err
}
