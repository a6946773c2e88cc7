// Command history writes a block of four hours for a Prometheus, as if it had scraped a fleet every 30 seconds:
// three hours in which all is well, half an hour in which DNS of one node is dead, and half an hour in which DNS of
// all nodes is. tests/grafana/measure asks the dashboards' queries of it.
//
//	history FOLDER NODES TARGETS END
//
// What only the dashboard of one target asks exists for ten targets.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"strconv"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
)

const (
	second = int64(1000)
	minute = 60 * second
	scrape = 30 * second
	hours  = 4 * 60 * minute
	// Of how many targets all metrics exist.
	whole = 10
)

func main() {
	if len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "usage: history FOLDER NODES TARGETS END")
		os.Exit(2)
	}
	if err := write(os.Args[1], number(os.Args[2]), number(os.Args[3]), int64(number(os.Args[4]))*second); err != nil {
		fmt.Fprintln(os.Stderr, "history:", err)
		os.Exit(1)
	}
}

func number(text string) int {
	number, err := strconv.Atoi(text)
	if err != nil {
		fmt.Fprintln(os.Stderr, "history:", err)
		os.Exit(2)
	}
	return number
}

// series is a series with its value at a time; NaN is none.
type series struct {
	labels labels.Labels
	at     func(time int64) float64
	ref    storage.SeriesRef
	exists bool
}

func write(folder string, nodes, targets int, end int64) error {
	logger := slog.New(slog.NewTextHandler(io.Discard, nil))
	writer, err := tsdb.NewBlockWriter(logger, folder, 2*hours)
	if err != nil {
		return err
	}
	all := fleet(nodes, targets, end)
	for time := end - hours; time <= end; time += scrape {
		appender := writer.Appender(context.Background())
		for i := range all {
			if err := all[i].append(appender, time); err != nil {
				return err
			}
		}
		if err := appender.Commit(); err != nil {
			return err
		}
	}
	_, err = writer.Flush(context.Background())
	return err
}

func (series *series) append(appender storage.Appender, time int64) error {
	sample := series.at(time)
	if math.IsNaN(sample) {
		if !series.exists {
			return nil
		}
		sample = math.Float64frombits(value.StaleNaN)
	}
	series.exists = !math.IsNaN(sample)
	ref, err := appender.Append(series.ref, series.labels, time, sample)
	series.ref = ref
	return err
}

func fleet(nodes, targets int, end int64) []series {
	var all []series
	start := end - hours
	add := func(name string, at func(int64) float64, pairs ...string) {
		of := labels.FromStrings(append([]string{"__name__", name, "cluster", "c", "job", "agents"}, pairs...)...)
		all = append(all, series{labels: of, at: at})
	}
	constant := func(value float64) func(int64) float64 { return func(int64) float64 { return value } }
	growing := func(perScrape float64) func(int64) float64 {
		return func(time int64) float64 { return perScrape * float64((time-start)/scrape) }
	}
	none := math.NaN()
	for n := range nodes {
		node := []string{"node", fmt.Sprintf("aks-pool%d-%08d-vmss%06d", n%4, n%4, n), "instance", fmt.Sprintf("10.%d.%d.7:9797", n/200, n%200)}
		with := func(pairs ...string) []string { return append(pairs, node...) }
		sick := func(time int64) bool { return time > end-30*minute || n == 7 && time > end-60*minute }
		whileWell := func(value float64) func(int64) float64 {
			return func(time int64) float64 {
				if sick(time) {
					return none
				}
				return value
			}
		}
		flag := func(well, ill float64) func(int64) float64 {
			return func(time int64) float64 {
				if sick(time) {
					return ill
				}
				return well
			}
		}
		add("privatelink_node_info", constant(1), with("pool", fmt.Sprintf("pool%d", n%4), "zone", "1", "region", "westeurope", "instance_type", "Standard_D4s_v5")...)
		add("privatelink_build_info", constant(1), with("version", "0.1.0", "revision", "abc")...)
		for _, source := range []string{"config", "crd", "discovered"} {
			add("privatelink_targets", constant(float64(targets)), with("source", source)...)
			add("privatelink_targets_rejected", constant(0), with("source", source)...)
		}
		add("privatelink_config_last_reload_successful", constant(1), with()...)
		add("privatelink_config_last_reload_success_timestamp_seconds", constant(float64(start/second)), with()...)
		add("privatelink_config_hash", constant(12345), with()...)
		add("privatelink_probes_in_flight", constant(3), with()...)
		for _, counter := range []string{"privatelink_probes_skipped_total", "privatelink_probe_panics_total", "privatelink_http_requests_refused_total", "privatelink_http_slow_readers_total"} {
			add(counter, constant(0), with()...)
		}
		add("process_resident_memory_bytes", constant(12e6), with()...)
		add("process_cpu_seconds_total", growing(0.03), with()...)
		add("process_start_time_seconds", constant(float64(start/second)), with()...)
		for _, stage := range []string{"dns", "connect", "tls", "http", "total"} {
			add("privatelink_probe_stage_duration_seconds_count", growing(float64(targets)), with("stage", stage)...)
			for i, bound := range []string{"0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1.0", "2.5", "5.0", "10.0", "+Inf"} {
				add("privatelink_probe_stage_duration_seconds_bucket", growing(float64(targets)*float64(i+1)/14), with("stage", stage, "le", bound)...)
			}
		}
		for t := range targets {
			target := fmt.Sprintf("kv-team%02d-prod.vault.azure.net", t)
			with := func(pairs ...string) []string { return with(append(pairs, "target", target)...) }
			add("privatelink_probe_success", flag(1, 0), with()...)
			add("privatelink_probe_reason", whileWell(1), with("reason", "ok", "stage", "none")...)
			add("privatelink_probe_reason", flag(none, 1), with("reason", "dns_timeout", "stage", "dns")...)
			add("privatelink_probe_interval_seconds", constant(30), with()...)
			add("privatelink_probe_last_run_timestamp_seconds", func(time int64) float64 { return float64(time/second) - 7 }, with()...)
			add("privatelink_target_info", constant(1), with("host", target, "port", "443", "service", "key-vault", "expect", "privateEndpoint", "source", "config", "owner", fmt.Sprintf("team%d", t%7))...)
			add("privatelink_dns_public_fallback", whileWell(0), with()...)
			add("privatelink_tls_name_mismatch", whileWell(0), with()...)
			add("privatelink_tls_certificate_not_after_timestamp_seconds", whileWell(float64(end/second)+4e6), with()...)
			// What the rule makes of it.
			add("privatelink:timeouts", flag(none, 1), with("stage", "dns")...)
			if t >= whole {
				continue
			}
			for _, outcome := range []string{"pass", "warn", "fail"} {
				add("privatelink_probes_total", growing(1), with("outcome", outcome)...)
			}
			for _, stage := range []string{"agent", "dns", "address", "connect", "tls", "http"} {
				add("privatelink_probe_failures_total", growing(0), with("stage", stage)...)
				add("privatelink_probe_timeouts_total", growing(0), with("stage", stage)...)
			}
			for _, stage := range []string{"dns", "connect", "tls", "http", "total"} {
				add("privatelink_probe_duration_seconds", constant(0.02), with("stage", stage)...)
			}
			for _, class := range []string{"expected", "private", "public", "reserved"} {
				add("privatelink_dns_addresses", whileWell(1), with("class", class)...)
			}
			add("privatelink_dns_class_changes_total", constant(0), with()...)
			add("privatelink_dns_ttl_seconds", whileWell(10), with()...)
			add("privatelink_resolver_agrees", whileWell(1), with("resolver", "node")...)
			add("privatelink_reachable_addresses", whileWell(1), with()...)
		}
	}
	return all
}
