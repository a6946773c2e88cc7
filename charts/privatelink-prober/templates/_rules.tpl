{{/*
The alerts. Every expression aggregates `by (cluster, network, node, target)` before it joins or counts,
because two pods run on a node during a rollout. Series without the labels `cluster` and `network` work
too: to Prometheus a missing label is an empty one. The agents in the network of the nodes
(hostNetwork.enabled) have network="host", and their alerts are alerts of their own. An alert about a
service fires once for each target, with the number of nodes as its value. An alert about a target on a node fires once for each node, or once for the target if
more than prometheusRule.maxNodes nodes are affected.

An agent counts as scraped while privatelink_build_info exists. That series has the label `node` with
every kind of scraping, and it ends at once when a scrape fails.

`rule` writes the fields that all alerts have. `fewNodes` limits the number of nodes that an alert names.
*/}}

{{- define "privatelink-prober.rules" -}}
{{- $rules := .Values.prometheusRule.rules -}}
groups:
  - name: privatelink-services
    rules:
      {{- if $rules.publicFallback.enabled }}
      # All nodes are affected: the cause is the zone, its link to a hub, or the endpoint.
      - alert: PrivateServiceResolvesPublicly
        expr: |
          min by (cluster, network, target) (
            max by (cluster, network, node, target) (privatelink_dns_public_fallback)
          ) == 1
        {{- include "privatelink-prober.rule" (dict "own" $rules.publicFallback "all" $.Values.prometheusRule
            "summary" "{{ $labels.target }} resolves to a public address on every node{{ with $labels.network }} ({{ . }} network){{ end }}"
            "description" "A private endpoint is expected, but no node that resolves {{ $labels.target }} gets only private addresses. Traffic leaves the private path now, and fails once public access is disabled."
            "anchor" "public_fallback") | nindent 8 }}
      {{- end }}
      {{- if $rules.publicFallbackOnNode.enabled }}
      # Some nodes are affected: the cause is the DNS of these nodes.
      - alert: PrivateServiceResolvesPubliclyOnNode
        expr: |
          {{- include "privatelink-prober.fewNodes" (dict "by" "cluster, network, target" "most" $.Values.prometheusRule.maxNodes
              "expr" (include "privatelink-prober.fallbackOnSome" .)) | nindent 10 }}
        {{- include "privatelink-prober.rule" (dict "own" $rules.publicFallbackOnNode "all" $.Values.prometheusRule
            "summary" "{{ $labels.target }} resolves to a public address on {{ with $labels.node }}{{ . }}{{ else }}{{ $value }} nodes{{ end }}, but not on all nodes{{ with $labels.network }} ({{ . }} network){{ end }}"
            "description" "Other nodes get a private address, so the zone and the endpoint exist. Check the DNS servers of {{ with $labels.node }}{{ . }}{{ else }}the nodes that the dashboard shows{{ end }}. A node keeps the DNS servers it started with until it is restarted or reimaged."
            "anchor" "public_fallback") | nindent 8 }}
      {{- end }}
      {{- if $rules.privateRecordMissing.enabled }}
      - alert: PrivateServiceRecordMissing
        expr: |
          count by (cluster, network, target, reason) (
            max by (cluster, network, node, target, reason) (
              privatelink_probe_reason{reason=~"dns_private_record_missing|dns_private_zone_not_linked"}
            )
          )
        {{- include "privatelink-prober.rule" (dict "own" $rules.privateRecordMissing "all" $.Values.prometheusRule
            "summary" "{{ $labels.target }} does not resolve: {{ $labels.reason }}{{ with $labels.network }} ({{ . }} network){{ end }}"
            "description" "On {{ $value }} node(s) {{ $labels.target }} has no address, because its private DNS zone lacks the record, or is not linked to the network whose DNS the node uses."
            "anchor" "{{ $labels.reason }}") | nindent 8 }}
      {{- end }}
      {{- if $rules.timeouts.enabled }}
      # Needs `metrics: full`. Timeouts are counted for each stage, probes for all stages together.
      # `atLeast` ignores a single timeout among the few probes of a target with a long interval.
      - alert: PrivateServiceTimesOut
        expr: |
          {{- include "privatelink-prober.fewNodes" (dict "by" "cluster, network, target, stage" "most" $.Values.prometheusRule.maxNodes
              "expr" (include "privatelink-prober.timeouts" $rules.timeouts)) | nindent 10 }}
        {{- include "privatelink-prober.rule" (dict "own" $rules.timeouts "all" $.Values.prometheusRule
            "summary" "{{ $labels.target }} times out on {{ with $labels.node }}{{ . }}{{ else }}{{ $value }} nodes{{ end }} ({{ $labels.stage }}){{ with $labels.network }} ({{ . }} network){{ end }}"
            "description" (printf "Of the probes of {{ $labels.target }} from {{ with $labels.node }}{{ . }}{{ else }}{{ $value }} nodes{{ end }} within %s, {{ if $labels.node }}{{ $value | humanizePercentage }}{{ else }}many{{ end }} met a timeout in the stage {{ $labels.stage }}: packets are lost or dropped." $rules.timeouts.window)
            "anchor" "{{ $labels.stage }}_timeout") | nindent 8 }}
      {{- end }}
      {{- if $rules.nameMismatch.enabled }}
      - alert: PrivateServiceNameMismatch
        expr: |
          count by (cluster, network, target) (
            max by (cluster, network, node, target) (privatelink_tls_name_mismatch) == 1
          )
        {{- include "privatelink-prober.rule" (dict "own" $rules.nameMismatch "all" $.Values.prometheusRule
            "summary" "{{ $labels.target }} presents a certificate for other names{{ with $labels.network }} ({{ . }} network){{ end }}"
            "description" "On {{ $value }} node(s) the server that answers for {{ $labels.target }} is not that service. Possible causes: a DNS record that points to another endpoint, a device that terminates TLS, or a privatelink alias used as host."
            "anchor" "tls_name_mismatch") | nindent 8 }}
      {{- end }}
      {{- if $rules.certificateExpiring.enabled }}
      - alert: PrivateServiceCertificateExpiring
        expr: |
          min by (cluster, target) (privatelink_tls_certificate_not_after_timestamp_seconds) - time()
          < {{ $rules.certificateExpiring.days }} * 86400
        {{- include "privatelink-prober.rule" (dict "own" $rules.certificateExpiring "all" $.Values.prometheusRule
            "summary" "The certificate of {{ $labels.target }} expires soon"
            "description" "{{ if gt $value 0.0 }}It expires in {{ $value | humanizeDuration }}.{{ else }}It has expired.{{ end }} Azure renews the certificates of its own services; renew any other certificate yourself."
            "anchor" "tls_certificate_expiring") | nindent 8 }}
      {{- end }}
      {{- if $rules.resolversDisagree.enabled }}
      - alert: PrivateServiceResolversDisagree
        expr: |
          count by (cluster, network, target) (
            max by (cluster, network, node, target) (privatelink_probe_reason{reason="resolver_disagreement"})
          )
        {{- include "privatelink-prober.rule" (dict "own" $rules.resolversDisagree "all" $.Values.prometheusRule
            "summary" "Pods and nodes resolve {{ $labels.target }} differently{{ with $labels.network }} ({{ . }} network){{ end }}"
            "description" "On {{ $value }} node(s) one path gets a private address and the other a public one. Applications use the path of pods; image pulls and mounts use the path of nodes."
            "anchor" "resolver_disagreement") | nindent 8 }}
      {{- end }}
      {{- if $rules.failing.enabled }}
      # All other failures, with their reason. Reasons with an enabled alert above are left out. Reasons
      # of the last minutes count, because a target may fail for alternating reasons.
      - alert: PrivateServiceFailing
        expr: |
          {{- $own := list "ok" }}
          {{- if $rules.privateRecordMissing.enabled }}{{ $own = concat $own (list "dns_private_record_missing" "dns_private_zone_not_linked") }}{{ end }}
          {{- if $rules.nameMismatch.enabled }}{{ $own = concat $own (list "tls_name_mismatch" "privatelink_host_used") }}{{ end }}
          {{- $window := ternary "1m" $rules.failing.for (regexMatch "^(0+[a-z]+)+$" $rules.failing.for) }}
          count by (cluster, network, target, reason, stage) (
            max by (cluster, network, node, target, reason, stage) (
              max_over_time(privatelink_probe_reason{reason!~"{{ join "|" $own }}"}[{{ $window }}])
            )
            {{- if and $rules.publicFallback.enabled $rules.publicFallbackOnNode.enabled }}
            unless on (cluster, network, node, target, reason)
            (
              max by (cluster, network, node, target, reason) (
                max_over_time(privatelink_probe_reason{reason=~"public_fallback|public_fallback_zone_linked|no_private_endpoint|mixed_addresses"}[{{ $window }}])
              )
              and on (cluster, network, node, target)
              max by (cluster, network, node, target) (max_over_time(privatelink_dns_public_fallback[{{ $window }}])) == 1
            )
            {{- end }}
            and on (cluster, network, node, target)
            min by (cluster, network, node, target) (privatelink_probe_success) == 0
          )
        {{- include "privatelink-prober.rule" (dict "own" $rules.failing "all" $.Values.prometheusRule
            "summary" "{{ $labels.target }} fails: {{ $labels.reason }}{{ with $labels.network }} ({{ . }} network){{ end }}"
            "description" "The probes of {{ $labels.target }} fail on {{ $value }} node(s) in the stage {{ $labels.stage }}, for the reason {{ $labels.reason }}."
            "anchor" "{{ $labels.reason }}") | nindent 8 }}
      {{- end }}
  - name: privatelink-agents
    rules:
      {{- if $rules.probeStale.enabled }}
      # An agent that is scraped but no longer probes. The cause is the agent, so there is one alert for
      # all its targets.
      - alert: PrivateServiceProbeStale
        expr: |
          count by (cluster, network, node) (
            time() - max by (cluster, network, node, target) (privatelink_probe_last_run_timestamp_seconds)
            > {{ $rules.probeStale.intervals }} * max by (cluster, network, node, target) (privatelink_probe_interval_seconds) + {{ $rules.probeStale.graceSeconds }}
          )
        {{- include "privatelink-prober.rule" (dict "own" $rules.probeStale "all" $.Values.prometheusRule
            "summary" "{{ $value }} target(s) are no longer probed on {{ $labels.node }}{{ with $labels.network }} ({{ . }} network){{ end }}"
            "description" (printf "%v intervals and %v seconds have passed without a probe, so the metrics of these targets on this node are outdated. Check the agent's log and its CPU usage." $rules.probeStale.intervals $rules.probeStale.graceSeconds)
            "anchor" "probe_stale") | nindent 8 }}
      {{- end }}
      {{- if $rules.proberGone.enabled }}
      # Nodes that kube-state-metrics no longer reports are left out. For a cluster without any agent
      # PrivateLinkProberAbsent fires once, instead of this alert for each of its nodes.
      - alert: PrivateLinkProberGone
        expr: |
          (
            max by (cluster, network, node) (max_over_time(privatelink_build_info[{{ $rules.proberGone.lookback }}]))
            unless on (cluster, network, node)
            max by (cluster, network, node) (privatelink_build_info)
          )
          unless on (cluster, node)
          (
            max by (cluster, node) (max_over_time(kube_node_info[{{ $rules.proberGone.lookback }}]))
            unless on (cluster, node)
            max by (cluster, node) (kube_node_info)
            and on (cluster)
            max by (cluster) (kube_node_info)
          )
          and on (cluster, network)
          max by (cluster, network) (privatelink_build_info)
        {{- include "privatelink-prober.rule" (dict "own" $rules.proberGone "all" $.Values.prometheusRule
            "summary" "The agent on {{ $labels.node }} is no longer scraped{{ with $labels.network }} ({{ . }} network){{ end }}"
            "description" "The agent on {{ $labels.node }} was scraped before and is not now. Either it failed to start, or it cannot be reached. If its image cannot be pulled, the path to the registry may be broken."
            "anchor" "prober_gone") | nindent 8 }}
      {{- end }}
      {{- if $rules.nodeWithoutProber.enabled }}
      # Where a cluster has agents in the network of its nodes, every node must have one there too.
      - alert: PrivateLinkNodeWithoutProber
        expr: |
          {{- $nodes := `max by (cluster, node) (kube_node_info{os_image!~"Windows.*", node!~"virtual-.*"})` }}
          {{ $nodes }}
          unless on (cluster, node)
          max by (cluster, node) (max_over_time(privatelink_build_info{network!="host"}[{{ $rules.nodeWithoutProber.lookback }}]))
          and on (cluster)
          max by (cluster) (privatelink_build_info{network!="host"})
          or
          label_replace({{ $nodes }}, "network", "host", "", "")
          unless on (cluster, node)
          max by (cluster, node) (max_over_time(privatelink_build_info{network="host"}[{{ $rules.nodeWithoutProber.lookback }}]))
          and on (cluster)
          max by (cluster) (privatelink_build_info{network="host"})
        {{- include "privatelink-prober.rule" (dict "own" $rules.nodeWithoutProber "all" $.Values.prometheusRule
            "summary" "No agent is scraped on {{ $labels.node }}{{ with $labels.network }} ({{ . }} network){{ end }}"
            "description" "The node exists, but no agent was scraped there. Check the DaemonSet for a pending pod, an image that cannot be pulled, or a taint that is not tolerated."
            "anchor" "node_without_prober") | nindent 8 }}
      {{- end }}
      {{- if $rules.proberAbsent.enabled }}
      # The first part fires for each cluster and network, even if agents of others are scraped.
      - alert: PrivateLinkProberAbsent
        expr: |
          (
            max by (cluster, network) (max_over_time(privatelink_build_info[{{ $rules.proberAbsent.lookback }}]))
            unless on (cluster, network)
            max by (cluster, network) (privatelink_build_info)
          )
          or
          absent(privatelink_build_info{network!="host"})
        {{- include "privatelink-prober.rule" (dict "own" $rules.proberAbsent "all" $.Values.prometheusRule
            "summary" "No agent is scraped{{ with $labels.cluster }} in {{ . }}{{ end }}{{ with $labels.network }} ({{ . }} network){{ end }}"
            "description" "Prometheus has no series of privatelink-prober. Either the agents do not run, or Prometheus does not select their monitor, or a network policy blocks it. No private service is monitored."
            "anchor" "prober_absent") | nindent 8 }}
      {{- end }}
      {{- if $rules.reloadFailed.enabled }}
      - alert: PrivateLinkConfigReloadFailed
        expr: |
          count by (cluster) (
            min by (cluster, node) (
              max by (cluster, network, node) (privatelink_config_last_reload_successful)
            ) == 0
          )
        {{- include "privatelink-prober.rule" (dict "own" $rules.reloadFailed "all" $.Values.prometheusRule
            "summary" "Agents refuse the last change of the configuration"
            "description" "{{ $value }} node(s) continue with the previous configuration. The agent's log names the line. `privatelink-prober validate` reports the same before a change is applied."
            "anchor" "config_reload_failed") | nindent 8 }}
      {{- end }}
{{- end -}}

{{/*
The series of `expr`, which have the labels `by` and `node`. Where more than `most` nodes share `by`: one
series without `node`, whose value is the number of nodes.
*/}}
{{- define "privatelink-prober.fewNodes" -}}
(
{{ .expr | indent 2 }}
)
unless on ({{ .by }})
count by ({{ .by }}) (
{{ .expr | indent 2 }}
) > {{ .most }}
or
count by ({{ .by }}) (
{{ .expr | indent 2 }}
) > {{ .most }}
{{- end -}}

{{- define "privatelink-prober.fallbackOnSome" -}}
max by (cluster, network, node, target) (privatelink_dns_public_fallback) == 1
unless on (cluster, network, target)
min by (cluster, network, target) (
  max by (cluster, network, node, target) (privatelink_dns_public_fallback)
) == 1
{{- end -}}

{{- define "privatelink-prober.timeouts" -}}
sum by (cluster, network, node, target, stage) (increase(privatelink_probe_timeouts_total[{{ .window }}]))
/ on (cluster, network, node, target) group_left ()
(sum by (cluster, network, node, target) (increase(privatelink_probes_total[{{ .window }}])) > 0)
> {{ .ratio }}
and
sum by (cluster, network, node, target, stage) (increase(privatelink_probe_timeouts_total[{{ .window }}])) > {{ subf (float64 .atLeast) 0.5 }}
{{- end -}}

{{/* The fields that all alerts have. `own`: the alert's values; `all`: prometheusRule. */}}
{{- define "privatelink-prober.rule" -}}
for: {{ .own.for }}
labels:
  {{- toYaml (merge (dict "severity" .own.severity) (default dict .all.alertLabels)) | nindent 2 }}
annotations:
  summary: {{ .summary | quote }}
  description: {{ .description | quote }}
  runbook_url: {{ printf "%s#%s" .all.runbookUrl .anchor | quote }}
{{- end -}}
