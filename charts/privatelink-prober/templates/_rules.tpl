{{/*
The alerts. Every one aggregates `by (cluster, node, target)` before it joins or counts: two pods share
a node during a rollout. `cluster` may be absent, which is a label like any other. Alerts that concern
the service, not a node, are one per target, with the number of nodes as their value. Alerts that name
the node become one per target beyond prometheusRule.maxNodes, or one broken service would be as many
alerts as there are nodes.

Agents are recognised by privatelink_build_info, which carries `node` however they are scraped: a
scrape that fails ends the series at once.

`rule` writes what all alerts have; `fewNodes` keeps an expression's nodes apart while they are few.
*/}}

{{- define "privatelink-prober.rules" -}}
{{- $rules := .Values.prometheusRule.rules -}}
groups:
  - name: privatelink-services
    rules:
      {{- if $rules.publicFallback.enabled }}
      # The same everywhere: the zone, its link to a hub, or the endpoint itself.
      - alert: PrivateServiceResolvesPublicly
        expr: |
          min by (cluster, target) (
            max by (cluster, node, target) (privatelink_dns_public_fallback)
          ) == 1
        {{- include "privatelink-prober.rule" (dict "own" $rules.publicFallback "all" $.Values.prometheusRule
            "summary" "{{ $labels.target }} resolves to a public address on every node"
            "description" "A private endpoint is expected, but no node that resolves {{ $labels.target }} gets a private address alone. Traffic leaves the private path now, and stops when public access is turned off."
            "anchor" "public_fallback") | nindent 8 }}
      {{- end }}
      {{- if $rules.publicFallbackOnNode.enabled }}
      # One node against all: that node's DNS.
      - alert: PrivateServiceResolvesPubliclyOnNode
        expr: |
          {{- include "privatelink-prober.fewNodes" (dict "by" "cluster, target" "most" $.Values.prometheusRule.maxNodes
              "expr" (include "privatelink-prober.fallbackOnSome" .)) | nindent 10 }}
        {{- include "privatelink-prober.rule" (dict "own" $rules.publicFallbackOnNode "all" $.Values.prometheusRule
            "summary" "{{ $labels.target }} resolves to a public address on {{ with $labels.node }}{{ . }}{{ else }}{{ $value }} nodes{{ end }}, but not everywhere"
            "description" "Other nodes get a private address, so the zone and the endpoint exist: look at the DNS servers of {{ with $labels.node }}{{ . }}{{ else }}the nodes that the dashboard shows{{ end }}. Nodes keep the servers they started with until they are restarted or reimaged."
            "anchor" "public_fallback") | nindent 8 }}
      {{- end }}
      {{- if $rules.privateRecordMissing.enabled }}
      - alert: PrivateServiceRecordMissing
        expr: |
          count by (cluster, target, reason) (
            max by (cluster, node, target, reason) (
              privatelink_probe_reason{reason=~"dns_private_record_missing|dns_private_zone_not_linked"}
            )
          )
        {{- include "privatelink-prober.rule" (dict "own" $rules.privateRecordMissing "all" $.Values.prometheusRule
            "summary" "{{ $labels.target }} does not resolve: {{ $labels.reason }}"
            "description" "On {{ $value }} node(s) {{ $labels.target }} has no address, because its private DNS zone lacks the record or is not linked where the node asks."
            "anchor" "{{ $labels.reason }}") | nindent 8 }}
      {{- end }}
      {{- if $rules.timeouts.enabled }}
      # Needs `metrics: full`. A node and target has one number of probes and one of timeouts per stage.
      # One timeout among the few probes of a target that is seldom asked is not yet a pattern.
      - alert: PrivateServiceTimesOut
        expr: |
          {{- include "privatelink-prober.fewNodes" (dict "by" "cluster, target, stage" "most" $.Values.prometheusRule.maxNodes
              "expr" (include "privatelink-prober.timeouts" $rules.timeouts)) | nindent 10 }}
        {{- include "privatelink-prober.rule" (dict "own" $rules.timeouts "all" $.Values.prometheusRule
            "summary" "{{ $labels.target }} times out on {{ with $labels.node }}{{ . }}{{ else }}{{ $value }} nodes{{ end }} ({{ $labels.stage }})"
            "description" (printf "Of the probes of {{ $labels.target }} from {{ with $labels.node }}{{ . }}{{ else }}{{ $value }} nodes{{ end }} within %s, {{ if $labels.node }}{{ $value | humanizePercentage }}{{ else }}many{{ end }} met a timeout in the stage {{ $labels.stage }}: packets are lost or dropped." $rules.timeouts.window)
            "anchor" "{{ $labels.stage }}_timeout") | nindent 8 }}
      {{- end }}
      {{- if $rules.nameMismatch.enabled }}
      - alert: PrivateServiceNameMismatch
        expr: |
          count by (cluster, target) (
            max by (cluster, node, target) (privatelink_tls_name_mismatch) == 1
          )
        {{- include "privatelink-prober.rule" (dict "own" $rules.nameMismatch "all" $.Values.prometheusRule
            "summary" "{{ $labels.target }} presents a certificate for other names"
            "description" "On {{ $value }} node(s) what answers for {{ $labels.target }} is not that service: a record that points at another endpoint, a device that terminates TLS, or a privatelink alias used as host."
            "anchor" "tls_name_mismatch") | nindent 8 }}
      {{- end }}
      {{- if $rules.certificateExpiring.enabled }}
      - alert: PrivateServiceCertificateExpiring
        expr: |
          min by (cluster, target) (privatelink_tls_certificate_not_after_timestamp_seconds) - time()
          < {{ $rules.certificateExpiring.days }} * 86400
        {{- include "privatelink-prober.rule" (dict "own" $rules.certificateExpiring "all" $.Values.prometheusRule
            "summary" "The certificate of {{ $labels.target }} ends soon"
            "description" "{{ if gt $value 0.0 }}It ends in {{ $value | humanizeDuration }}.{{ else }}It has expired.{{ end }} Certificates of Azure's own services are renewed without you; others are not."
            "anchor" "tls_certificate_expiring") | nindent 8 }}
      {{- end }}
      {{- if $rules.resolversDisagree.enabled }}
      - alert: PrivateServiceResolversDisagree
        expr: |
          count by (cluster, target) (
            max by (cluster, node, target) (privatelink_probe_reason{reason="resolver_disagreement"})
          )
        {{- include "privatelink-prober.rule" (dict "own" $rules.resolversDisagree "all" $.Values.prometheusRule
            "summary" "Pods and nodes resolve {{ $labels.target }} differently"
            "description" "On {{ $value }} node(s) one path gets a private address and the other a public one. Applications use the pods' path; image pulls and mounts use the node's."
            "anchor" "resolver_disagreement") | nindent 8 }}
      {{- end }}
      {{- if $rules.failing.enabled }}
      # Whatever else is wrong, with its reason; what has an alert of its own above is left to that. Reasons
      # of the last minutes count, since a target may fail now for this and now for that reason.
      - alert: PrivateServiceFailing
        expr: |
          {{- $own := list "ok" }}
          {{- if $rules.privateRecordMissing.enabled }}{{ $own = concat $own (list "dns_private_record_missing" "dns_private_zone_not_linked") }}{{ end }}
          {{- if $rules.nameMismatch.enabled }}{{ $own = concat $own (list "tls_name_mismatch" "privatelink_host_used") }}{{ end }}
          {{- $window := ternary "1m" $rules.failing.for (regexMatch "^(0+[a-z]+)+$" $rules.failing.for) }}
          count by (cluster, target, reason, stage) (
            max by (cluster, node, target, reason, stage) (
              max_over_time(privatelink_probe_reason{reason!~"{{ join "|" $own }}"}[{{ $window }}])
            )
            {{- if and $rules.publicFallback.enabled $rules.publicFallbackOnNode.enabled }}
            unless on (cluster, node, target, reason)
            (
              max by (cluster, node, target, reason) (
                max_over_time(privatelink_probe_reason{reason=~"public_fallback|public_fallback_zone_linked|no_private_endpoint|mixed_addresses"}[{{ $window }}])
              )
              and on (cluster, node, target)
              max by (cluster, node, target) (max_over_time(privatelink_dns_public_fallback[{{ $window }}])) == 1
            )
            {{- end }}
            and on (cluster, node, target)
            min by (cluster, node, target) (privatelink_probe_success) == 0
          )
        {{- include "privatelink-prober.rule" (dict "own" $rules.failing "all" $.Values.prometheusRule
            "summary" "{{ $labels.target }} fails: {{ $labels.reason }}"
            "description" "The probes of {{ $labels.target }} fail on {{ $value }} node(s) in the stage {{ $labels.stage }}, for the reason {{ $labels.reason }}."
            "anchor" "{{ $labels.reason }}") | nindent 8 }}
      {{- end }}
  - name: privatelink-agents
    rules:
      {{- if $rules.probeStale.enabled }}
      # An agent that is stuck looks stuck, though it is scraped. What is stuck is the agent, so one alert
      # for all its targets.
      - alert: PrivateServiceProbeStale
        expr: |
          count by (cluster, node) (
            time() - max by (cluster, node, target) (privatelink_probe_last_run_timestamp_seconds)
            > {{ $rules.probeStale.intervals }} * max by (cluster, node, target) (privatelink_probe_interval_seconds) + {{ $rules.probeStale.graceSeconds }}
          )
        {{- include "privatelink-prober.rule" (dict "own" $rules.probeStale "all" $.Values.prometheusRule
            "summary" "{{ $value }} target(s) were last probed on {{ $labels.node }} too long ago"
            "description" (printf "%v intervals and %v seconds have passed without a probe, so what the metrics say of these targets on this node is old. Look at the agent's log and its CPU." $rules.probeStale.intervals $rules.probeStale.graceSeconds)
            "anchor" "probe_stale") | nindent 8 }}
      {{- end }}
      {{- if $rules.proberGone.enabled }}
      # Where kube-state-metrics knows nodes, a node that was removed does not count. A cluster without any
      # agent is one alert below, and not one for each of its nodes here.
      - alert: PrivateLinkProberGone
        expr: |
          (
            max by (cluster, node) (max_over_time(privatelink_build_info[{{ $rules.proberGone.lookback }}]))
            unless on (cluster, node)
            max by (cluster, node) (privatelink_build_info)
          )
          unless on (cluster, node)
          (
            max by (cluster, node) (max_over_time(kube_node_info[{{ $rules.proberGone.lookback }}]))
            unless on (cluster, node)
            max by (cluster, node) (kube_node_info)
            and on (cluster)
            max by (cluster) (kube_node_info)
          )
          and on (cluster)
          max by (cluster) (privatelink_build_info)
        {{- include "privatelink-prober.rule" (dict "own" $rules.proberGone "all" $.Values.prometheusRule
            "summary" "Nobody probes from {{ $labels.node }} any more"
            "description" "The agent on {{ $labels.node }} was scraped before and is not now. It may have failed to start (an image that cannot be pulled is what a broken path to the registry looks like), or cannot be reached."
            "anchor" "prober_gone") | nindent 8 }}
      {{- end }}
      {{- if $rules.nodeWithoutProber.enabled }}
      - alert: PrivateLinkNodeWithoutProber
        expr: |
          max by (cluster, node) (kube_node_info{os_image!~"Windows.*", node!~"virtual-.*"})
          unless on (cluster, node)
          max by (cluster, node) (max_over_time(privatelink_build_info[{{ $rules.nodeWithoutProber.lookback }}]))
          and on (cluster)
          max by (cluster) (privatelink_build_info)
        {{- include "privatelink-prober.rule" (dict "own" $rules.nodeWithoutProber "all" $.Values.prometheusRule
            "summary" "Nobody probes from {{ $labels.node }}"
            "description" "The node exists, and no agent was scraped there. Look at the DaemonSet: a pod that is pending, an image that cannot be pulled, a taint that is not tolerated."
            "anchor" "node_without_prober") | nindent 8 }}
      {{- end }}
      {{- if $rules.proberAbsent.enabled }}
      # By cluster where some were seen lately, so that other clusters' agents hide nothing.
      - alert: PrivateLinkProberAbsent
        expr: |
          (
            max by (cluster) (max_over_time(privatelink_build_info[{{ $rules.proberAbsent.lookback }}]))
            unless on (cluster)
            max by (cluster) (privatelink_build_info)
          )
          or
          absent(privatelink_build_info)
        {{- include "privatelink-prober.rule" (dict "own" $rules.proberAbsent "all" $.Values.prometheusRule
            "summary" "No agent is scraped at all{{ with $labels.cluster }} in {{ . }}{{ end }}"
            "description" "Prometheus has no series of privatelink-prober: it is not running, its monitor is not selected, or a network policy keeps Prometheus out. Private services are unwatched."
            "anchor" "prober_absent") | nindent 8 }}
      {{- end }}
      {{- if $rules.reloadFailed.enabled }}
      - alert: PrivateLinkConfigReloadFailed
        expr: |
          count by (cluster) (
            max by (cluster, node) (privatelink_config_last_reload_successful) == 0
          )
        {{- include "privatelink-prober.rule" (dict "own" $rules.reloadFailed "all" $.Values.prometheusRule
            "summary" "The configuration's last edit is refused"
            "description" "{{ $value }} node(s) go on with the configuration before it. The agents' log names the line; `privatelink-prober validate` says the same beforehand."
            "anchor" "config_reload_failed") | nindent 8 }}
      {{- end }}
{{- end -}}

{{/*
The expression `expr`, whose series have the labels `by` and `node`, as long as no more than `most` nodes
share `by`; beyond, their number without `node`.
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
max by (cluster, node, target) (privatelink_dns_public_fallback) == 1
unless on (cluster, target)
min by (cluster, target) (
  max by (cluster, node, target) (privatelink_dns_public_fallback)
) == 1
{{- end -}}

{{- define "privatelink-prober.timeouts" -}}
sum by (cluster, node, target, stage) (increase(privatelink_probe_timeouts_total[{{ .window }}]))
/ on (cluster, node, target) group_left ()
(sum by (cluster, node, target) (increase(privatelink_probes_total[{{ .window }}])) > 0)
> {{ .ratio }}
and
sum by (cluster, node, target, stage) (increase(privatelink_probe_timeouts_total[{{ .window }}])) > {{ subf (float64 .atLeast) 0.5 }}
{{- end -}}

{{/* What all alerts have. `own`: the alert's values; `all`: prometheusRule. */}}
{{- define "privatelink-prober.rule" -}}
for: {{ .own.for }}
labels:
  {{- toYaml (merge (dict "severity" .own.severity) (default dict .all.alertLabels)) | nindent 2 }}
annotations:
  summary: {{ .summary | quote }}
  description: {{ .description | quote }}
  runbook_url: {{ printf "%s#%s" .all.runbookUrl .anchor | quote }}
{{- end -}}
