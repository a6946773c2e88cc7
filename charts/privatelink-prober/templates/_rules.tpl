{{/*
The rules. The first group records facts, and the others alert on them; each cause makes one alert.

Every expression aggregates `by (cluster, network, node, target)` before it joins or counts, because two
pods run on a node during a rollout. Series without the labels `cluster` and `network` work too: to
Prometheus a missing label is an empty one. The agents in the network of the nodes (hostNetwork.enabled)
have network="host", and their alerts are alerts of their own.

`privatelink:symptom` says what is wrong with a target as seen from a node, and only that: one reason for
each of them, the one that explains most. It has no series for what is well, so all that is made of it
costs little while all is well. Its label `reason` is a reason of docs/reasons.md, or
  dns               no DNS server answers for the target, or too many questions get no answer
  public            the target is public, and on no node private
  public_somewhere  the target is public, and on other nodes private
The rules after it say what is to blame, and each symptom is told by one of them:
  everywhere   most nodes, each with most of its targets
  by_pool      the nodes of a pool, or more than `maxNodes` nodes
  by_node      a node: it has the symptom with most of its targets, or DNS is to blame and other nodes are well
  by_target    a service: all the rest

An agent counts as scraped while privatelink_build_info exists. That series has the label `node` with
every kind of scraping, and it ends at once when a scrape fails.

`alert` writes an alert with all that its values change.
*/}}

{{- define "privatelink-prober.rules" -}}
{{- $all := .Values.prometheusRule -}}
{{- $rules := $all.rules -}}
{{- $window := $rules.timeouts.window -}}
{{- $epoch := toDate "2006" "1970" -}}
{{- $windowSeconds := ((dateModify $window $epoch).Sub $epoch).Seconds | int -}}
{{- $pair := "cluster, network, node, target" -}}
{{- $dns := "dns_timeout|dns_server_unreachable|dns_server_failure|dns_tcp_failed" -}}
{{- $timeouts := "connect_timeout|port_blocked|tls_timeout|http_timeout" -}}
{{- $missing := "dns_private_record_missing|dns_private_zone_not_linked" -}}
{{- /* A window without any length would see nothing. */}}
{{- $recent := ternary "1m" $rules.failing.for (regexMatch "^(0+[a-z]+)+$" $rules.failing.for) -}}
groups:
  # Timeouts cost most by far, so they have a group of their own. They need `metrics: full`.
  - name: privatelink-timeouts
    rules:
      - record: privatelink:interval_seconds
        expr: max by (cluster, target) (privatelink_probe_interval_seconds)
      # The share of the probes that met a timeout, where some of the latest did. `atLeast` ignores a single timeout
      # among the few probes of a target with a long interval.
      - record: privatelink:timeouts
        expr: |
          max by ({{ $pair }}, stage) (
            increase(privatelink_probe_timeouts_total[{{ $window }}]) > {{ subf (float64 $rules.timeouts.atLeast) 0.5 }}
            and
            increase(privatelink_probe_timeouts_total[{{ div $windowSeconds 2 }}s]) > 0
          )
          * on (cluster, target) group_left () privatelink:interval_seconds / {{ $windowSeconds }}
          > {{ $rules.timeouts.ratio }}

  - name: privatelink-recorded
    rules:
      # Failing, and public, as seen from a node.
      - record: privatelink:failing
        expr: group by ({{ $pair }}) (privatelink_probe_success == 0)
      - record: privatelink:public
        expr: group by ({{ $pair }}) (privatelink_dns_public_fallback == 1)
      # What is wrong. Of what follows `or on`, only targets count that nothing before it explains. Reasons of
      # the last minutes count while a target fails, because it may fail for alternating reasons.
      - record: privatelink:symptom
        expr: |
          label_replace(
            group by ({{ $pair }}) (max_over_time(privatelink_probe_reason{reason=~"{{ $dns }}"}[{{ $recent }}]))
            and on ({{ $pair }}) privatelink:failing
            or
            group by ({{ $pair }}) (privatelink:timeouts{stage="dns"}),
            "reason", "dns", "", ""
          )
          or on ({{ $pair }})
          group by ({{ $pair }}, reason) (privatelink_probe_reason{reason="address_flapping"})
          or on ({{ $pair }})
          label_replace(
            privatelink:public
            unless on (cluster, network, target) (privatelink_dns_public_fallback == 0),
            "reason", "public", "", ""
          )
          or on ({{ $pair }})
          label_replace(privatelink:public, "reason", "public_somewhere", "", "")
          or on ({{ $pair }})
          group by ({{ $pair }}, reason) (
            max_over_time(privatelink_probe_reason{reason=~"{{ $timeouts }}"}[{{ $recent }}])
            and on ({{ $pair }}) (privatelink:failing or on ({{ $pair }}) privatelink:timeouts)
          )
          or on ({{ $pair }})
          group by ({{ $pair }}, reason) (
            label_replace(privatelink:timeouts, "reason", "${1}_timeout", "stage", "(.+)")
          )
          or on ({{ $pair }})
          group by ({{ $pair }}, reason) (
            max_over_time(privatelink_probe_reason{reason!="ok"}[{{ $recent }}])
            and on ({{ $pair }}) privatelink:failing
          )
          or on ({{ $pair }})
          group by ({{ $pair }}, reason) (privatelink_probe_reason{reason="resolver_disagreement"})
      # What is told of a target and of a node. Agents may differ about it while a change spreads.
      - record: privatelink:target
        expr: |
          group by (cluster, target, host, service, owner) (
            topk by (cluster, target) (1,
              count by (cluster, target, host, service, owner) (privatelink_target_info)
            )
          )
          or on (cluster, target)
          group by (cluster, target) (privatelink:symptom)
      - record: privatelink:pool
        expr: group by (cluster, node, pool) (topk by (cluster, node) (1, privatelink_node_info))
      # The nodes that have an agent; with their pool where the observer says it.
      - record: privatelink:node
        expr: |
          group by (cluster, network, node) (privatelink_build_info)
          * on (cluster, node) group_left (pool) privatelink:pool
          or on (cluster, network, node)
          group by (cluster, network, node) (privatelink_build_info)
      # Nodes with whose targets the same is wrong, as a rule; the value is the number of these targets.
      - record: privatelink:symptom:most_of_node
        expr: |
          count by (cluster, network, node, reason) (privatelink:symptom{reason!="public"}) >= {{ $all.minTargets }}
          > on (cluster, network, node) group_left ()
          0.5 * max by (cluster, network, node) (sum without (source) (privatelink_targets))
      # The value is the number of nodes.
      - record: privatelink:symptom:everywhere
        expr: |
          count by (cluster, network, reason) (privatelink:symptom:most_of_node{reason!="public_somewhere"})
          > on (cluster, network) group_left ()
          0.5 * count by (cluster, network) (privatelink:node)
      # DNS is to blame for a target that has its symptom on most nodes, and the node's DNS for another.
      - record: privatelink:symptom:by_target
        expr: |
          (
            count by (cluster, network, target, reason) (
              privatelink:symptom{reason!~"public_somewhere|dns|resolver_disagreement"}
              unless on (cluster, network, node, reason) privatelink:symptom:most_of_node
            )
            or
            count by (cluster, network, target, reason) (
              privatelink:symptom{reason=~"dns|resolver_disagreement"}
              unless on (cluster, network, node, reason) privatelink:symptom:most_of_node
            )
            > on (cluster, network) group_left ()
            0.5 * count by (cluster, network) (privatelink:node)
          )
          * on (cluster, target) group_left (host, service, owner) privatelink:target
      # The value is the number of targets.
      - record: privatelink:symptom:by_node
        expr: |
          (
            privatelink:symptom:most_of_node
            or
            count by (cluster, network, node, reason) (
              privatelink:symptom{reason=~"public_somewhere|dns|resolver_disagreement"}
              unless on (cluster, network, target, reason) privatelink:symptom:by_target
            )
          )
          * on (cluster, network, node) group_left (pool) privatelink:node
          unless on (cluster, network, reason) privatelink:symptom:everywhere
      # The value is the number of nodes.
      - record: privatelink:symptom:by_pool
        expr: |
          count by (cluster, network, pool, reason) (privatelink:symptom:by_node) > {{ $all.maxNodes }}
          or
          count by (cluster, network, pool, reason) (privatelink:symptom:by_node{pool!=""})
          == on (cluster, network, pool) group_left ()
          (count by (cluster, network, pool) (privatelink:node) > 1)
      - record: privatelink:certificate:not_after_timestamp_seconds
        expr: min by (cluster, target) (privatelink_tls_certificate_not_after_timestamp_seconds)

  - name: privatelink-services
    rules:
      {{- $nodes := "{{ $value }} {{ if eq $value 1.0 }}node{{ else }}nodes{{ end }}" }}
      {{- $host := "{{ with $labels.host }} ({{ . }}){{ end }}" }}
      {{- $network := "{{ with $labels.network }} ({{ . }} network){{ end }}" }}
      {{- $users := "{{ with printf `max(privatelink_fleet_target_workloads{cluster='%s',target='%s'}) > 0` $labels.cluster $labels.target | query }} Workloads that use it: {{ . | first | value }}.{{ end }}" }}
      {{- $among := "{{ with printf `privatelink:symptom{cluster='%s',network='%s',target='%s',reason='%s'}` $labels.cluster $labels.network $labels.target $labels.reason | query }} Among the nodes:{{ range $i, $seen := . | sortByLabel `node` }}{{ if lt $i 5 }} {{ $seen.Labels.node }}{{ end }}{{ end }}.{{ end }}" }}
      {{- $services := "{{ if $labels.node }}{{ with printf `privatelink:symptom{cluster='%s',network='%s',node='%s',reason='%s'}` $labels.cluster $labels.network $labels.node $labels.reason | query }} Among the services:{{ range $i, $seen := . | sortByLabel `target` }}{{ if lt $i 5 }} {{ $seen.Labels.target }}{{ end }}{{ end }}.{{ end }}{{ end }}" }}
      {{- if not $all.queries }}{{ $users = "" }}{{ $among = "" }}{{ $services = "" }}{{ end }}
      {{- $blamed := "{{ with $labels.node }}{{ . }}{{ else }}{{ $value }} nodes{{ end }}{{ with $labels.pool }} (pool {{ . }}){{ end }}" }}
      # No node gets a private address: the cause is the zone, its link to a hub, or the endpoint.
      {{- include "privatelink-prober.alert" (dict "all" $all "root" . "key" "publicFallback" "name" "PrivateServiceResolvesPublicly"
          "expr" `privatelink:symptom:by_target{reason="public"}`
          "summary" (print "{{ $labels.target }} resolves to a public address on every node" $network)
          "description" (print "A private endpoint is expected, but no node that resolves {{ $labels.target }}" $host " gets only private addresses. Traffic leaves the private path now, and fails once public access is disabled." $users)
          "anchor" "public_fallback") | nindent 6 }}
      # Other nodes get a private address: the cause is the DNS of these nodes.
      {{- include "privatelink-prober.alert" (dict "all" $all "root" . "key" "publicFallbackOnPool" "name" "PrivateServiceResolvesPubliclyOnPool"
          "expr" `privatelink:symptom:by_pool{reason="public_somewhere"}`
          "summary" (print "Services resolve to public addresses on {{ with $labels.pool }}pool {{ . }}{{ else }}{{ $value }} nodes{{ end }}, but not on all nodes" $network)
          "description" "On {{ $value }} nodes{{ with $labels.pool }} of pool {{ . }}{{ end }} some names have public addresses that other nodes resolve to private ones, so the zones and the endpoints exist. Look for what differs between pools, whose nodes are all in one virtual network: when they took their DNS servers, LocalDNS settings, routes and security groups. A node keeps the DNS servers it started with until it is restarted or reimaged."
          "anchor" "public_fallback") | nindent 6 }}
      {{- include "privatelink-prober.alert" (dict "all" $all "root" . "key" "publicFallbackOnNode" "name" "PrivateServiceResolvesPubliclyOnNode"
          "expr" `privatelink:symptom:by_node{reason="public_somewhere"} unless on (cluster, network, pool, reason) privatelink:symptom:by_pool`
          "summary" (print "{{ $value }} {{ if eq $value 1.0 }}service resolves to a public address{{ else }}services resolve to public addresses{{ end }} on " $blamed ", but not on all nodes" $network)
          "description" (print "Other nodes get private addresses, so the zones and the endpoints exist. Check the DNS servers of {{ $labels.node }}. A node keeps the DNS servers it started with until it is restarted or reimaged." $services)
          "anchor" "public_fallback") | nindent 6 }}
      {{- include "privatelink-prober.alert" (dict "all" $all "root" . "key" "privateRecordMissing" "name" "PrivateServiceRecordMissing"
          "expr" (printf `privatelink:symptom:by_target{reason=~"%s"}` $missing)
          "summary" (print "{{ $labels.target }} does not resolve: {{ $labels.reason }}" $network)
          "description" (print "On " $nodes " {{ $labels.target }}" $host " has no address, because its private DNS zone lacks the record, or is not linked to the network whose DNS the node uses." $among $users)
          "anchor" "{{ $labels.reason }}") | nindent 6 }}
      {{- include "privatelink-prober.alert" (dict "all" $all "root" . "key" "dnsFails" "name" "PrivateServiceDnsFails"
          "expr" `privatelink:symptom:by_target{reason="dns"}`
          "summary" (print "No DNS server answers for {{ $labels.target }}" $network)
          "description" (print "On " $nodes " no DNS server answers for {{ $labels.target }}" $host ", or too many questions get no answer, while other names resolve. Check the server that its zone is forwarded to." $among $users)
          "anchor" "dns_fails") | nindent 6 }}
      {{- include "privatelink-prober.alert" (dict "all" $all "root" . "key" "timeouts" "name" "PrivateServiceTimesOut"
          "expr" (printf `privatelink:symptom:by_target{reason=~"%s"}` $timeouts)
          "summary" (print "{{ $labels.target }} times out on " $nodes ": {{ $labels.reason }}" $network)
          "description" (print (printf "More than %s of the probes of {{ $labels.target }}" (printf "%.0f %%" (mulf 100 (float64 $rules.timeouts.ratio)))) $host " from " $nodes (printf " met a timeout within %s: packets are lost or dropped. Most other services answer these nodes." $window) $among $users)
          "anchor" "{{ $labels.reason }}") | nindent 6 }}
      {{- include "privatelink-prober.alert" (dict "all" $all "root" . "key" "nameMismatch" "name" "PrivateServiceNameMismatch"
          "expr" `privatelink:symptom:by_target{reason=~"tls_name_mismatch|privatelink_host_used"}`
          "summary" (print "{{ $labels.target }} presents a certificate for other names" $network)
          "description" (print "On " $nodes " the server that answers for {{ $labels.target }}" $host " is not that service. Possible causes: a DNS record that points to another endpoint, a device that terminates TLS, or a privatelink alias used as host." $among $users)
          "anchor" "{{ $labels.reason }}") | nindent 6 }}
      # An expired certificate is a failure like others.
      {{- include "privatelink-prober.alert" (dict "all" $all "root" . "key" "certificateExpiring" "name" "PrivateServiceCertificateExpiring"
          "expr" (printf "(privatelink:certificate:not_after_timestamp_seconds - time() < %v * 86400 > 0)\n* on (cluster, target) group_left (host, service, owner) privatelink:target\nor on (cluster, target)\n(privatelink:certificate:not_after_timestamp_seconds - time() < %v * 86400 > 0)" $rules.certificateExpiring.days $rules.certificateExpiring.days)
          "summary" "The certificate of {{ $labels.target }} expires soon"
          "description" (print "The certificate of {{ $labels.target }}" $host " expires in {{ $value | humanizeDuration }}. Azure renews the certificates of its own services; renew any other certificate yourself." $users)
          "anchor" "tls_certificate_expiring") | nindent 6 }}
      # The two warnings are told of whatever they concern. On a node whose DNS is public for some services,
      # that is the cause.
      {{- include "privatelink-prober.alert" (dict "all" $all "root" . "key" "resolversDisagree" "name" "PrivateServiceResolversDisagree"
          "expr" (include "privatelink-prober.blame" `reason="resolver_disagreement"` | printf "(\n%s\n)\nunless on (cluster, network, node) (privatelink:symptom:by_node{reason=\"public_somewhere\"} or privatelink:symptom:by_node{reason=\"dns\"})")
          "summary" (print "Pods and nodes resolve {{ or $labels.target `services` }} differently{{ with $labels.node }} on {{ . }}{{ end }}{{ with $labels.pool }} (pool {{ . }}){{ end }}" $network)
          "description" (print "One path gets private addresses and the other public ones. Applications use the path of pods; image pulls and mounts use the path of nodes. {{ if $labels.node }}Services: {{ $value }}{{ else }}Nodes: {{ $value }}{{ end }}." $users)
          "anchor" "resolver_disagreement") | nindent 6 }}
      {{- include "privatelink-prober.alert" (dict "all" $all "root" . "key" "flapping" "name" "PrivateServiceAddressFlaps"
          "expr" (include "privatelink-prober.blame" `reason="address_flapping"`)
          "summary" (print "The addresses of {{ or $labels.target `services` }} change between private and public{{ with $labels.node }} on {{ . }}{{ end }}{{ with $labels.pool }} (pool {{ . }}){{ end }}" $network)
          "description" (print "One question gets a private address and the next a public one. As a rule two DNS servers of the path give different answers; the agent's page says which. {{ if $labels.node }}Services: {{ $value }}{{ else }}Nodes: {{ $value }}{{ end }}." $users)
          "anchor" "address_flapping") | nindent 6 }}
      # All other failures, with their reason. Reasons with an enabled alert above are left out.
      {{- $told := list "public" "public_somewhere" }}
      {{- range $key, $reasons := dict "privateRecordMissing" $missing "dnsFails" "dns" "timeouts" $timeouts "nameMismatch" "tls_name_mismatch|privatelink_host_used" "resolversDisagree" "resolver_disagreement" "flapping" "address_flapping" }}
      {{- if (index $rules $key).enabled }}{{ $told = append $told $reasons }}{{ end }}
      {{- end }}
      {{- include "privatelink-prober.alert" (dict "all" $all "root" . "key" "failing" "name" "PrivateServiceFailing"
          "expr" (printf `privatelink:symptom:by_target{reason!~"%s"}` (join "|" $told))
          "summary" (print "{{ $labels.target }} fails: {{ $labels.reason }}" $network)
          "description" (print "The probes of {{ $labels.target }}" $host " fail on " $nodes " for the reason {{ $labels.reason }}." $among $users)
          "anchor" "{{ $labels.reason }}") | nindent 6 }}

  - name: privatelink-nodes
    rules:
      {{- include "privatelink-prober.alert" (dict "all" $all "root" . "key" "dnsDown" "name" "PrivateLinkDnsDown"
          "expr" `privatelink:symptom:everywhere{reason="dns"}`
          "summary" (print "DNS fails on most nodes{{ with $labels.cluster }} of {{ . }}{{ end }}" $network)
          "description" "On {{ $value }} nodes no DNS server answers for most services, or too many questions get no answer. What fails because of it has no alert of its own. Check the DNS servers of the cluster and of its virtual network, and the way to them."
          "anchor" "dns_down") | nindent 6 }}
      {{- include "privatelink-prober.alert" (dict "all" $all "root" . "key" "nodeDnsDown" "name" "PrivateLinkNodeDnsDown"
          "expr" (include "privatelink-prober.blameNodes" `reason="dns"`)
          "summary" (print "DNS fails on " $blamed $network)
          "description" (print "{{ with $labels.node }}No DNS server of {{ . }} answers for {{ $value }} services, or too many questions get no answer{{ else }}On {{ $value }} nodes no DNS server answers for some services, or too many questions get no answer{{ end }}; other nodes resolve them. What fails because of it has no alert of its own." $services)
          "anchor" "node_dns_down") | nindent 6 }}
      {{- include "privatelink-prober.alert" (dict "all" $all "root" . "key" "nodeTimesOut" "name" "PrivateLinkNodeTimesOut"
          "expr" (include "privatelink-prober.blameNodes" (printf `reason=~"%s"` $timeouts))
          "summary" (print "Most services time out on " $blamed ": {{ $labels.reason }}" $network)
          "description" "{{ with $labels.node }}{{ $value }} services time out from {{ . }}{{ else }}Most services time out from {{ $value }} nodes{{ end }}, and not from the others, so the way from there is at fault: routes, network security groups, firewalls, network policies, or the node itself."
          "anchor" "node_times_out") | nindent 6 }}
      {{- include "privatelink-prober.alert" (dict "all" $all "root" . "key" "nodeFails" "name" "PrivateLinkNodeFails"
          "expr" (include "privatelink-prober.blameNodes" (printf `reason!~"dns|public_somewhere|%s|resolver_disagreement|address_flapping"` $timeouts))
          "summary" (print "Most services fail on " $blamed ": {{ $labels.reason }}" $network)
          "description" "{{ with $labels.node }}{{ $value }} services fail from {{ . }}{{ else }}Most services fail from {{ $value }} nodes{{ end }} for the reason {{ $labels.reason }}, and not from the others, so the node or its network is at fault."
          "anchor" "node_fails") | nindent 6 }}
      {{- include "privatelink-prober.alert" (dict "all" $all "root" . "key" "failingEverywhere" "name" "PrivateLinkMostServicesFail"
          "expr" `privatelink:symptom:everywhere{reason!~"dns|resolver_disagreement|address_flapping"}`
          "summary" (print "Most services fail on most nodes{{ with $labels.cluster }} of {{ . }}{{ end }}: {{ $labels.reason }}" $network)
          "description" "Most services fail on {{ $value }} nodes for the reason {{ $labels.reason }}, so they have a cause in common: a firewall, a route or a peering that all of them use."
          "anchor" "most_services_fail") | nindent 6 }}

  - name: privatelink-agents
    rules:
      - record: privatelink:agent:stale_targets
        expr: |
          count by (cluster, network, node) (
            time() - max by ({{ $pair }}) (privatelink_probe_last_run_timestamp_seconds)
            > on (cluster, target) group_left ()
            ({{ $rules.probeStale.intervals }} * privatelink:interval_seconds + {{ $rules.probeStale.graceSeconds }})
          )
      # Nodes that kube-state-metrics, or the observer, no longer reports are left out. A cluster without any
      # agent is not told node by node.
      - record: privatelink:agent:gone
        expr: |
          (
            max by (cluster, network, node) (max_over_time(privatelink_build_info[{{ $rules.proberGone.lookback }}]))
            unless on (cluster, network, node)
            max by (cluster, network, node) (privatelink_build_info)
          )
          {{- range $nodes := list "kube_node_info" "privatelink_node_info" }}
          unless on (cluster, node)
          (
            max by (cluster, node) (max_over_time({{ $nodes }}[{{ $rules.proberGone.lookback }}]))
            unless on (cluster, node)
            max by (cluster, node) ({{ $nodes }})
            and on (cluster)
            max by (cluster) ({{ $nodes }})
          )
          {{- end }}
          and on (cluster, network)
          max by (cluster, network) (privatelink_build_info)
      # Where a cluster has agents in the network of its nodes, every node must have one there too.
      - record: privatelink:agent:missing
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
      # An agent that is scraped but no longer probes. The cause is the agent, so there is one alert for
      # all its targets.
      {{- include "privatelink-prober.alert" (dict "all" $all "root" . "key" "probeStale" "name" "PrivateServiceProbeStale"
          "expr" (include "privatelink-prober.fewNodes" (dict "most" $all.maxNodes "record" "privatelink:agent:stale_targets"))
          "summary" (print "{{ with $labels.node }}{{ $value }} target(s) are no longer probed on {{ . }}{{ else }}Targets are no longer probed on {{ $value }} nodes{{ end }}" $network)
          "description" (printf "%v intervals and %v seconds have passed without a probe, so the metrics of these targets on {{ or $labels.node `these nodes` }} are outdated. Check the agent's log and its CPU usage." $rules.probeStale.intervals $rules.probeStale.graceSeconds)
          "anchor" "probe_stale") | nindent 6 }}
      {{- include "privatelink-prober.alert" (dict "all" $all "root" . "key" "proberGone" "name" "PrivateLinkProberGone"
          "expr" (include "privatelink-prober.fewNodes" (dict "most" $all.maxNodes "record" "privatelink:agent:gone"))
          "summary" (print "The agent on {{ with $labels.node }}{{ . }}{{ else }}{{ $value }} nodes{{ end }} is no longer scraped" $network)
          "description" "The agent on {{ with $labels.node }}{{ . }}{{ else }}{{ $value }} nodes{{ end }} was scraped before and is not now. Either it failed to start, or it cannot be reached. If its image cannot be pulled, the path to the registry may be broken."
          "anchor" "prober_gone") | nindent 6 }}
      {{- include "privatelink-prober.alert" (dict "all" $all "root" . "key" "nodeWithoutProber" "name" "PrivateLinkNodeWithoutProber"
          "expr" (include "privatelink-prober.fewNodes" (dict "most" $all.maxNodes "record" "privatelink:agent:missing"))
          "summary" (print "No agent is scraped on {{ with $labels.node }}{{ . }}{{ else }}{{ $value }} nodes{{ end }}" $network)
          "description" "{{ if $labels.node }}The node exists{{ else }}The nodes exist{{ end }}, but no agent was scraped there. Check the DaemonSet for a pending pod, an image that cannot be pulled, or a taint that is not tolerated."
          "anchor" "node_without_prober") | nindent 6 }}
      # The first part fires for each cluster and network, even if agents of others are scraped.
      {{- include "privatelink-prober.alert" (dict "all" $all "root" . "key" "proberAbsent" "name" "PrivateLinkProberAbsent"
          "expr" (printf "(\n  max by (cluster, network) (max_over_time(privatelink_build_info[%s]))\n  unless on (cluster, network)\n  max by (cluster, network) (privatelink_build_info)\n)\nor\nabsent(privatelink_build_info{network!=\"host\"})" $rules.proberAbsent.lookback)
          "summary" (print "No agent is scraped{{ with $labels.cluster }} in {{ . }}{{ end }}" $network)
          "description" "Prometheus has no series of privatelink-prober. Either the agents do not run, or Prometheus does not select their monitor, or a network policy blocks it. No private service is monitored."
          "anchor" "prober_absent") | nindent 6 }}
      {{- include "privatelink-prober.alert" (dict "all" $all "root" . "key" "reloadFailed" "name" "PrivateLinkConfigReloadFailed"
          "expr" "count by (cluster) (\n  min by (cluster, node) (\n    max by (cluster, network, node) (privatelink_config_last_reload_successful)\n  ) == 0\n)"
          "summary" "Agents refuse the last change of the configuration"
          "description" "{{ $value }} node(s) continue with the previous configuration. The agent's log names the line. `privatelink-prober validate` reports the same before a change is applied."
          "anchor" "config_reload_failed") | nindent 6 }}
      # The series of an observer have the node that it runs on.
      {{- include "privatelink-prober.alert" (dict "all" $all "root" . "key" "webReloadFailed" "name" "PrivateLinkWebConfigReloadFailed"
          "expr" "count by (cluster) (\n  min by (cluster, node) (\n    max by (cluster, network, node) (privatelink_web_config_last_reload_successful)\n    or\n    label_replace(\n      max by (cluster, node) (privatelink_observer_web_config_last_reload_successful),\n      \"network\", \"observer\", \"\", \"\"\n    )\n  ) == 0\n)"
          "summary" "Agents or the observer refuse the last change of the web configuration"
          "description" "On {{ $value }} node(s) agents or the observer continue with the previous web configuration: a certificate that was renewed is not served, and a password that was changed does not count. The log names the file and the line."
          "anchor" "web_config_reload_failed") | nindent 6 }}
      {{- include "privatelink-prober.alert" (dict "all" $all "root" . "key" "targetsRejected" "name" "PrivateLinkTargetsRejected"
          "expr" "max by (cluster, source) (privatelink_targets_rejected) > 0"
          "summary" "{{ $value }} target(s) are refused, and not probed"
          "description" "Agents refuse {{ $value }} target(s) of the source {{ $labels.source }}, and probe all others. The agent's log says which, and why."
          "anchor" "targets_rejected") | nindent 6 }}
{{- with $all.extraGroups }}
{{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Whatever has the symptom: most nodes, a pool, a node, or a target. */}}
{{- define "privatelink-prober.blame" -}}
privatelink:symptom:everywhere{{ "{" }}{{ . }}}
or
privatelink:symptom:by_target{{ "{" }}{{ . }}}
or
{{ include "privatelink-prober.blameNodes" . }}
{{- end -}}

{{/* A pool, or a node. */}}
{{- define "privatelink-prober.blameNodes" -}}
privatelink:symptom:by_pool{{ "{" }}{{ . }}}
or
privatelink:symptom:by_node{{ "{" }}{{ . }}} unless on (cluster, network, pool, reason) privatelink:symptom:by_pool
{{- end -}}

{{/*
The series of `record`, which has one for each node. Where there are more than `most`: one series without
`node`, whose value is the number of nodes.
*/}}
{{- define "privatelink-prober.fewNodes" -}}
(
  {{ .record }} * on (cluster, node) group_left (pool) privatelink:pool
  or on (cluster, network, node)
  {{ .record }}
)
unless on (cluster, network)
count by (cluster, network) ({{ .record }}) > {{ .most }}
or
count by (cluster, network) ({{ .record }}) > {{ .most }}
{{- end -}}

{{/*
An alert. `key`: the name of its values below prometheusRule.rules; `all`: prometheusRule. An expression in
its values takes the place of `expr`.
*/}}
{{- define "privatelink-prober.alert" -}}
{{- $own := index .all.rules .key -}}
{{- if $own.enabled -}}
{{- $url := include "privatelink-prober.runbook" .root -}}
- alert: {{ .name }}
  expr: |
    {{- default .expr $own.expr | trim | nindent 4 }}
  for: {{ $own.for }}
  {{- with $own.keepFiringFor }}
  keep_firing_for: {{ . }}
  {{- end }}
  labels:
    {{- toYaml (merge (dict "severity" $own.severity) (default dict $own.labels) (default dict .all.alertLabels)) | nindent 4 }}
  annotations:
    {{- range $name, $text := merge dict (default dict $own.annotations) (dict "summary" .summary "description" .description "runbook_url" (printf "%s#%s" $url .anchor)) }}
    {{ $name }}: {{ $text | quote }}
    {{- end }}
{{- end -}}
{{- end -}}

{{/* The address of docs/runbook.md. */}}
{{- define "privatelink-prober.runbook" -}}
{{- default (printf "%s/docs/runbook.md" .Chart.Home) .Values.prometheusRule.runbookUrl -}}
{{- end -}}
