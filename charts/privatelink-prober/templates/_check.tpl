{{/*
What values.schema.json cannot say, or says badly. Everything is looked at before anything is refused,
so that one attempt shows every mistake. Helm cannot run the agent, which checks more (a word against
the catalogue, a certificate): `privatelink-prober validate` does the same beforehand.

Each definition takes a dict: `to`, where mistakes are collected; `at`, the value's name; `value`.
*/}}

{{- define "privatelink-prober.check" -}}
{{- $to := dict "mistakes" list -}}
{{- if not .Values.config -}}{{/* `config:` with nothing, or comments alone, below */}}
{{- $_ := set .Values "config" dict -}}
{{- end -}}
{{- include "privatelink-prober.check.sources" (dict "to" $to "root" .) -}}
{{- include "privatelink-prober.check.install" (dict "to" $to "root" .) -}}
{{- if not .Values.existingConfigMap -}}
{{- include "privatelink-prober.check.config" (dict "to" $to "root" .) -}}
{{- end -}}
{{- if $to.mistakes -}}
{{- fail (printf "these values cannot work:\n\n  - %s\n" ($to.mistakes | uniq | join "\n  - ")) -}}
{{- end -}}
{{- end -}}

{{- define "privatelink-prober.mistake" -}}
{{- $_ := set .to "mistakes" (append .to.mistakes .text) -}}
{{- end -}}

{{/* Where the configuration, the roots and the addresses come from. */}}
{{- define "privatelink-prober.check.sources" -}}
{{- $to := .to -}}
{{- $values := .root.Values -}}
{{- if $values.existingConfigMap -}}
  {{- range $key := list "config" "clusterDns" "serviceCidrs" -}}
    {{- if index $values $key -}}
      {{- include "privatelink-prober.mistake" (dict "to" $to "text" (printf "%s has no effect beside existingConfigMap, whose content is used as it is; remove one of them" $key)) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- if $values.clusterDns -}}
  {{- include "privatelink-prober.check.server" (dict "to" $to "at" "clusterDns" "value" $values.clusterDns "hint" "write the address that `kubectl -n kube-system get service kube-dns -o jsonpath='{.spec.clusterIP}'` prints, or 169.254.10.11 with LocalDNS") -}}
{{- end -}}
{{- range $i, $cidr := $values.serviceCidrs -}}
  {{- include "privatelink-prober.check.cidr" (dict "to" $to "at" (printf "serviceCidrs[%d]" $i) "value" $cidr) -}}
{{- end -}}
{{- $roots := list -}}
{{- range $key := list "caBundle" "existingCaSecret" "existingCaConfigMap" -}}
  {{- if index $values $key -}}{{- $roots = append $roots $key -}}{{- end -}}
{{- end -}}
{{- if gt (len $roots) 1 -}}
  {{- include "privatelink-prober.mistake" (dict "to" $to "text" (printf "%s are given together; keep one of them" (join " and " $roots))) -}}
{{- end -}}
{{- if $values.caBundle -}}
  {{- if contains "PRIVATE KEY" $values.caBundle -}}
    {{- include "privatelink-prober.mistake" (dict "to" $to "text" "caBundle holds a private key; write the certificates alone (and consider the key disclosed)") -}}
  {{- else if not (contains "-----BEGIN CERTIFICATE-----" $values.caBundle) -}}
    {{- include "privatelink-prober.mistake" (dict "to" $to "text" "caBundle holds no certificate; write the PEM itself, which starts with -----BEGIN CERTIFICATE-----: --set-file caBundle=ca.pem") -}}
  {{- end -}}
{{- end -}}
{{- include "privatelink-prober.check.existing" . -}}
{{- end -}}

{{/*
Objects of the user's, where Helm can look: the namespace has the service account `default` if it
exists and a cluster answers at all.
*/}}
{{- define "privatelink-prober.check.existing" -}}
{{- $to := .to -}}
{{- $namespace := include "privatelink-prober.namespace" .root -}}
{{- $wanted := list -}}
{{- with .root.Values.existingConfigMap -}}{{- $wanted = append $wanted (dict "value" "existingConfigMap" "kind" "ConfigMap" "name" . "key" "config.yaml") -}}{{- end -}}
{{- $caKey := .root.Values.existingCaKey -}}
{{- with .root.Values.existingCaSecret -}}{{- $wanted = append $wanted (dict "value" "existingCaSecret" "kind" "Secret" "name" . "key" $caKey) -}}{{- end -}}
{{- with .root.Values.existingCaConfigMap -}}{{- $wanted = append $wanted (dict "value" "existingCaConfigMap" "kind" "ConfigMap" "name" . "key" $caKey) -}}{{- end -}}
{{- if $wanted -}}
{{- if lookup "v1" "ServiceAccount" $namespace "default" -}}
  {{- range $wanted -}}
    {{- $found := lookup "v1" .kind $namespace .name -}}
    {{- if not $found -}}
      {{- include "privatelink-prober.mistake" (dict "to" $to "text" (printf "%s: there is no %s %q in the namespace %s; create it first, or correct the name" .value .kind .name $namespace)) -}}
    {{- else if not (hasKey (default dict $found.data) .key) -}}
      {{- include "privatelink-prober.mistake" (dict "to" $to "text" (printf "%s: the %s %q has no key %q; it has %s" .value .kind .name .key (default dict $found.data | keys | sortAlpha | join ", " | default "none"))) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* How the agent is installed. */}}
{{- define "privatelink-prober.check.install" -}}
{{- $to := .to -}}
{{- $values := .root.Values -}}
{{- range $at, $registry := dict "image.registry" $values.image.registry "global.imageRegistry" $values.global.imageRegistry -}}
  {{- if contains "://" $registry -}}
    {{- include "privatelink-prober.mistake" (dict "to" $to "text" (printf "%s: %q is a URL; write the host alone: %s" $at $registry (regexReplaceAll "^[^:]*://([^/]*).*$" $registry "${1}"))) -}}
  {{- end -}}
{{- end -}}
{{- if regexMatch "[:@]" $values.image.repository -}}
  {{- include "privatelink-prober.mistake" (dict "to" $to "text" (printf "image.repository: %q holds a port, tag or digest; write those to image.registry, image.tag and image.digest" $values.image.repository)) -}}
{{- end -}}
{{- if and $values.image.digest (not (regexMatch "^sha256:[0-9a-f]{64}$" $values.image.digest)) -}}
  {{- include "privatelink-prober.mistake" (dict "to" $to "text" (printf "image.digest: %q is no digest; write sha256: and 64 hexadecimal digits" $values.image.digest)) -}}
{{- end -}}
{{- if not (has $values.dnsPolicy (list "Default" "None")) -}}
  {{- include "privatelink-prober.mistake" (dict "to" $to "text" (printf "dnsPolicy: with %q the path `node` would ask the cluster's DNS; write Default (the node's resolv.conf), or None with dnsConfig" $values.dnsPolicy)) -}}
{{- else if and (eq $values.dnsPolicy "None") (not $values.dnsConfig.nameservers) -}}
  {{- include "privatelink-prober.mistake" (dict "to" $to "text" "dnsPolicy: None leaves the pod without a DNS server; write dnsConfig.nameservers, or dnsPolicy: Default") -}}
{{- end -}}
{{- if and $values.serviceMonitor.enabled $values.podMonitor.enabled -}}
  {{- include "privatelink-prober.mistake" (dict "to" $to "text" "serviceMonitor.enabled and podMonitor.enabled would scrape every agent twice; keep one of them") -}}
{{- end -}}
{{- include "privatelink-prober.check.monitoring" . -}}
{{- if and $values.serviceMonitor.enabled (not $values.service.enabled) -}}
  {{- include "privatelink-prober.mistake" (dict "to" $to "text" "serviceMonitor.enabled needs the service; set service.enabled, or use podMonitor") -}}
{{- end -}}
{{- end -}}

{{/* Durations as Prometheus writes them. */}}
{{- define "privatelink-prober.check.monitoring" -}}
{{- $to := .to -}}
{{- $values := .root.Values -}}
{{- range $key := list "serviceMonitor" "podMonitor" -}}
  {{- $monitor := index $values $key -}}
  {{- range $span := list "interval" "scrapeTimeout" -}}
    {{- include "privatelink-prober.check.prometheusSpan" (dict "to" $to "at" (printf "%s.%s" $key $span) "value" (index $monitor $span) "positive" true) -}}
  {{- end -}}
  {{- $interval := include "privatelink-prober.milliseconds" (toString $monitor.interval) -}}
  {{- $timeout := include "privatelink-prober.milliseconds" (toString $monitor.scrapeTimeout) -}}
  {{- if and $interval $timeout (gt (int64 $timeout) (int64 $interval)) -}}
    {{- include "privatelink-prober.mistake" (dict "to" $to "text" (printf "%s.scrapeTimeout: %s is longer than %s.interval, which is %s, and Prometheus would refuse that; shorten it" $key $monitor.scrapeTimeout $key $monitor.interval)) -}}
  {{- end -}}
{{- end -}}
{{- range $name, $rule := $values.prometheusRule.rules -}}
  {{- range $span := list "for" "window" "lookback" -}}
    {{- if hasKey $rule $span -}}
      {{- include "privatelink-prober.check.prometheusSpan" (dict "to" $to "at" (printf "prometheusRule.rules.%s.%s" $name $span) "value" (index $rule $span) "positive" (ne $span "for")) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- end -}}
