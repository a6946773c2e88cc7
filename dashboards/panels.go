package main

// Panels: how each kind of panel looks.

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/heatmap"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/statetimeline"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

type builder = cog.Builder[dashboard.Panel]

// Graphs over all nodes and targets have so many points at most, since a fleet has tens of thousands of series.
const fleetPoints = 60

// A step of these graphs is two scrapes at least.
const fleetStep = "2m"

// A graph of the histograms of all nodes has so many points at most, since each node has seventy series.
const histogramPoints = 120

// over asks for all values of the selected time.
func over(expr, legend string) *prometheus.DataqueryBuilder {
	return prometheus.NewDataqueryBuilder().
		Datasource(source).
		Expr(expr).
		LegendFormat(legend).
		Range().
		EditorMode(prometheus.QueryEditorModeCode)
}

// now asks for the latest values.
func now(expr, legend string) *prometheus.DataqueryBuilder {
	return over(expr, legend).Instant()
}

// rows asks for a table whose columns are the labels.
func rows(expr string) *prometheus.DataqueryBuilder {
	return now(expr, "").Format(prometheus.PromQueryFormatTable)
}

// count is a large number of four columns' width. Its background is red, orange or green by the value.
func count(title, description, expr string, steps ...dashboard.Threshold) *stat.PanelBuilder {
	return stat.NewPanelBuilder().
		Title(title).
		Description(description).
		Datasource(source).
		Height(4).
		Span(4).
		WithTarget(now(expr, "").RefId("A")).
		ColorMode(common.BigValueColorModeBackground).
		GraphMode(common.BigValueGraphModeNone).
		TextMode(common.BigValueTextModeValue).
		ReduceOptions(common.NewReduceDataOptionsBuilder().Calcs([]string{"lastNotNull"})).
		Unit("none").
		ColorScheme(dashboard.NewFieldColorBuilder().Mode(dashboard.FieldColorModeIdThresholds)).
		Thresholds(thresholds(steps...))
}

var (
	// None is well, one is a failure.
	noneIsWell = []dashboard.Threshold{{Color: "green"}, {Value: cog.ToPtr(1.0), Color: "red"}}
	// None is well, one is a warning.
	noneIsBetter = []dashboard.Threshold{{Color: "green"}, {Value: cog.ToPtr(1.0), Color: "orange"}}
	// No number is good or bad.
	neutral = []dashboard.Threshold{{Color: "blue"}}
	// The time until a certificate expires: three days, two weeks.
	expiry = []dashboard.Threshold{{Color: "red"}, {Value: cog.ToPtr(259200.0), Color: "orange"}, {Value: cog.ToPtr(1209600.0), Color: "green"}}
)

func thresholds(steps ...dashboard.Threshold) *dashboard.ThresholdsConfigBuilder {
	return dashboard.NewThresholdsConfigBuilder().Mode(dashboard.ThresholdsModeAbsolute).Steps(steps)
}

// list is a table. `columns` says which labels it shows, in which order and by which heads; all others are left out.
func list(title, description string, columns []column, queries ...*prometheus.DataqueryBuilder) *table.PanelBuilder {
	panel := table.NewPanelBuilder().
		Title(title).
		Description(description).
		Datasource(source).
		Height(9).
		Span(12).
		CellHeight(common.TableCellHeightSm).
		Footer(common.NewTableFooterOptionsBuilder().Show(false).Reducer([]string{})).
		Filterable(true).
		Unit("none").
		NoValue("–")
	for i, query := range queries {
		panel.WithTarget(query.RefId(string(rune('A' + i))))
	}
	if len(queries) > 1 {
		panel.WithTransformation(dashboard.DataTransformerConfig{Id: "merge", Options: map[string]any{}})
	}
	names, order, heads := []string{}, map[string]any{}, map[string]any{}
	for i, column := range columns {
		names = append(names, column.of)
		order[column.of] = i
		heads[column.of] = column.head
		if column.properties != nil {
			panel.OverrideByName(column.head, column.properties)
		}
	}
	return panel.
		WithTransformation(dashboard.DataTransformerConfig{Id: "filterFieldsByName", Options: map[string]any{
			"include": map[string]any{"names": names},
		}}).
		WithTransformation(dashboard.DataTransformerConfig{Id: "organize", Options: map[string]any{
			"indexByName": order, "renameByName": heads, "excludeByName": map[string]any{},
		}})
}

// column of a table: a label, or `Value`, or `Value #A` where there are several queries.
type column struct {
	of, head   string
	properties []dashboard.DynamicConfigValue
}

var colouredText = common.TableCellOptions{
	TableColorTextCellOptions: common.NewTableColorTextCellOptions(),
}

func unit(id string) []dashboard.DynamicConfigValue {
	return []dashboard.DynamicConfigValue{{Id: "unit", Value: id}}
}

// coloured shows the text of a cell in the colour of its mapping or threshold.
func coloured(mappings []dashboard.ValueMapping, more ...dashboard.DynamicConfigValue) []dashboard.DynamicConfigValue {
	return append([]dashboard.DynamicConfigValue{
		{Id: "mappings", Value: mappings},
		{Id: "custom.cellOptions", Value: map[string]any{"type": "color-text"}},
	}, more...)
}

// matrix makes of rows with the labels `row`, `column` and `value` a table, whose first column is `row\column`.
func matrix(row, column, value string) dashboard.DataTransformerConfig {
	return dashboard.DataTransformerConfig{Id: "groupingToMatrix", Options: map[string]any{
		"rowField": row, "columnField": column, "valueField": value, "emptyValue": "null",
	}}
}

// states is a timeline with a line for each series, whose value is a state.
func states(title, description string, mappings []dashboard.ValueMapping, queries ...*prometheus.DataqueryBuilder) *statetimeline.PanelBuilder {
	panel := statetimeline.NewPanelBuilder().
		Title(title).
		Description(description).
		Datasource(source).
		Height(9).
		Span(12).
		MergeValues(true).
		ShowValue(common.VisibilityModeAuto).
		RowHeight(0.85).
		FillOpacity(80).
		Unit("none").
		Legend(common.NewVizLegendOptionsBuilder().
			ShowLegend(false).
			DisplayMode(common.LegendDisplayModeList).
			Placement(common.LegendPlacementBottom)).
		Tooltip(common.NewVizTooltipOptionsBuilder().
			Mode(common.TooltipDisplayModeSingle).
			Sort(common.SortOrderNone)).
		ColorScheme(dashboard.NewFieldColorBuilder().Mode(dashboard.FieldColorModeIdFixed).FixedColor("text")).
		Mappings(mappings)
	for i, query := range queries {
		panel.WithTarget(query.RefId(string(rune('A' + i))))
	}
	return panel
}

// graph draws lines.
func graph(title, description, unit string, queries ...*prometheus.DataqueryBuilder) *timeseries.PanelBuilder {
	panel := timeseries.NewPanelBuilder().
		Title(title).
		Description(description).
		Datasource(source).
		Height(8).
		Span(12).
		Unit(unit).
		LineWidth(1).
		FillOpacity(10).
		ShowPoints(common.VisibilityModeNever).
		Legend(common.NewVizLegendOptionsBuilder().
			ShowLegend(true).
			DisplayMode(common.LegendDisplayModeList).
			Placement(common.LegendPlacementBottom)).
		Tooltip(common.NewVizTooltipOptionsBuilder().
			Mode(common.TooltipDisplayModeMulti).
			Sort(common.SortOrderDescending))
	for i, query := range queries {
		panel.WithTarget(query.RefId(string(rune('A' + i))))
	}
	return panel
}

// bars draws how many there are of each, above each other.
func bars(title, description string, queries ...*prometheus.DataqueryBuilder) *timeseries.PanelBuilder {
	return graph(title, description, "none", queries...).
		Min(0).
		Decimals(0).
		FillOpacity(80).
		LineWidth(0).
		DrawStyle(common.GraphDrawStyleBars).
		Stacking(common.NewStackingConfigBuilder().Mode(common.StackingModeNormal).Group("A"))
}

// buckets draws a histogram over time.
func buckets(title, description, expr string) *heatmap.PanelBuilder {
	return heatmap.NewPanelBuilder().
		Title(title).
		Description(description).
		Datasource(source).
		Height(8).
		Span(12).
		WithTarget(over(expr, "{{le}}").Format(prometheus.PromQueryFormatHeatmap).RefId("A")).
		Calculate(false).
		MaxDataPoints(histogramPoints).
		YAxis(heatmap.NewYAxisConfigBuilder().Unit("s")).
		CellValues(heatmap.NewCellValuesBuilder().Unit("cps")).
		Unit("none")
}

func row(title string) *dashboard.RowBuilder {
	return dashboard.NewRowBuilder(title)
}
