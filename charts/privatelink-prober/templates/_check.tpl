{{/*
Checks that values.schema.json cannot express: several values together, the content of caBundle, and
objects in the cluster. Every check prints one line per mistake, and all lines are reported at once.
The agent checks more when it reads its configuration; `privatelink-prober validate` does the same
before an installation.
*/}}

{{- define "privatelink-prober.check" -}}
{{- $_ := set .Values "config" (default dict .Values.config) -}}{{/* It is null if only comments follow. */}}
{{- $mistakes := include "privatelink-prober.check.install" . -}}
{{- $mistakes = print $mistakes (include "privatelink-prober.check.existing" .) -}}
{{- if not .Values.existingConfigMap -}}
{{- $mistakes = print $mistakes (include "privatelink-prober.check.config" .) -}}
{{- end -}}
{{- if $mistakes -}}
{{- fail (printf "these values cannot work:\n%s" $mistakes) -}}
{{- end -}}
{{- end -}}

{{- define "privatelink-prober.check.install" -}}
{{- range $key := list "config" "clusterDns" "serviceCidrs" -}}
{{- if and $.Values.existingConfigMap (index $.Values $key) }}
  - {{ $key }} has no effect beside existingConfigMap, whose content is used as it is; remove one of them
{{- end -}}
{{- end -}}
{{- $roots := list -}}
{{- range $key := list "caBundle" "existingCaSecret" "existingCaConfigMap" -}}
{{- if index $.Values $key -}}{{- $roots = append $roots $key -}}{{- end -}}
{{- end -}}
{{- if gt (len $roots) 1 }}
  - {{ join " and " $roots }} are given together; keep one of them
{{- end -}}
{{- with .Values.caBundle -}}
{{- if contains "PRIVATE KEY" . }}
  - caBundle contains a private key; write only certificates (and treat the key as disclosed)
{{- else if not (contains "-----BEGIN CERTIFICATE-----" .) }}
  - caBundle contains no certificate; write the PEM itself, which starts with -----BEGIN CERTIFICATE-----: --set-file caBundle=ca.pem
{{- end -}}
{{- end -}}
{{- $registry := default .Values.image.registry .Values.global.imageRegistry | trimSuffix "/" -}}
{{- $host := include "privatelink-prober.hostInRepository" . -}}
{{- if and $host (eq $host (regexReplaceAll ":[0-9]+$" (splitList "/" $registry | first) "")) }}
  - image.repository: {{ .Values.image.repository }} repeats the registry, so the image would be {{ include "privatelink-prober.image" . }}; write only the part after the registry: {{ .Values.image.repository | trimPrefix (print $registry "/") | trimPrefix (print $host "/") }}
{{- end -}}
{{- range .Values.extraArgs -}}
{{- if regexMatch "^--config(=|$)" . }}
  - extraArgs: {{ . }} would add a second configuration, and the chart passes its own; write the configuration under config, or name a ConfigMap in existingConfigMap
{{- else if regexMatch "^--listen(=|$)" . }}
  - extraArgs: {{ . }} would move the port away from 9797, which the probes, the Service and the monitors use; remove it (service.port changes the port of the Service)
{{- end -}}
{{- end -}}
{{- $rolling := dig "rollingUpdate" dict (default dict .Values.updateStrategy) | default dict -}}
{{- if ne (dig "type" "RollingUpdate" (default dict .Values.updateStrategy)) "OnDelete" -}}
{{- $surge := dig "maxSurge" 0 $rolling | toString -}}
{{- $unavailable := dig "maxUnavailable" 1 $rolling | toString -}}
{{- $noSurge := regexMatch "^0+%?$" $surge -}}
{{- $noneUnavailable := regexMatch "^0+%?$" $unavailable -}}
{{- if not (or $noSurge $noneUnavailable) }}
  - updateStrategy.rollingUpdate: maxSurge is {{ $surge }} and maxUnavailable is {{ $unavailable }}, but a DaemonSet may have only one of them; write maxUnavailable: 0 beside maxSurge, or remove maxSurge
{{- else if and $noSurge $noneUnavailable }}
  - updateStrategy.rollingUpdate: with maxUnavailable and maxSurge both 0 no pod could be replaced, and the API server refuses it; set one of them
{{- end -}}
{{- end -}}
{{- with .Values.observer -}}
{{- if .enabled -}}
{{- if and (not .serviceAccount.create) (not .serviceAccount.name) }}
  - observer.serviceAccount.create is false, so its roles would go to the service account `default`, and with it to other pods; write the name of yours in observer.serviceAccount.name
{{- else if eq (include "privatelink-prober.observerAccount" $) (include "privatelink-prober.serviceAccountName" $) }}
  - observer.serviceAccount.name: {{ include "privatelink-prober.observerAccount" $ }} is the agents' service account, which must have no rights; write another
{{- end -}}
{{- range .extraArgs -}}
{{- if regexMatch "^--(config|namespace|pod-name|config-map|lease|listen|cloud|sources|crd|crd-per-namespace|discovered-per-namespace|learn-cluster-dns|watch-namespaces|release-pods|events|history)(=|$)" . }}
  - observer.extraArgs: {{ . }} is what the chart sets by itself, from the other values of observer; remove it
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $epoch := toDate "2006" "1970" -}}
{{- range $key := list "serviceMonitor" "podMonitor" -}}
{{- $monitor := index $.Values $key -}}
{{- $interval := (dateModify $monitor.interval $epoch).Sub $epoch -}}{{/* 0 with the units d, w and y */}}
{{- $timeout := (dateModify $monitor.scrapeTimeout $epoch).Sub $epoch -}}
{{- if and $interval (gt $timeout $interval) }}
  - {{ $key }}.scrapeTimeout: {{ $monitor.scrapeTimeout }} is longer than {{ $key }}.interval ({{ $monitor.interval }}), which Prometheus refuses; shorten it
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
Objects that the user has created. `lookup` finds nothing without a cluster, so they are only checked
where it finds the service account `default`, which every namespace has.
*/}}
{{- define "privatelink-prober.check.existing" -}}
{{- $values := .Values -}}
{{- $namespace := include "privatelink-prober.namespace" . -}}
{{- if and (or $values.existingConfigMap $values.existingCaSecret $values.existingCaConfigMap) (lookup "v1" "ServiceAccount" $namespace "default") -}}
{{- range list (list "existingConfigMap" "ConfigMap" "config.yaml") (list "existingCaSecret" "Secret" $values.existingCaKey) (list "existingCaConfigMap" "ConfigMap" $values.existingCaKey) -}}
{{- $value := index . 0 -}}
{{- $kind := index . 1 -}}
{{- $key := index . 2 -}}
{{- with index $values $value -}}
{{- $found := lookup "v1" $kind $namespace . -}}
{{- if not $found }}
  - {{ $value }}: there is no {{ $kind }} {{ quote . }} in the namespace {{ $namespace }}; create it first, or correct the name
{{- else if not (hasKey (default dict $found.data) $key) }}
  - {{ $value }}: the {{ $kind }} {{ quote . }} has no key {{ quote $key }}; it has {{ default dict $found.data | keys | sortAlpha | join ", " | default "none" }}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "privatelink-prober.check.config" -}}
{{- $config := .Values.config -}}
{{- if not (or $config.targets $config.presets (include "privatelink-prober.findsTargets" .)) }}
  - config.targets is empty and the observer finds none, so there is nothing to probe; write at least one `- host: …` there, or set observer.enabled
{{- end -}}
{{- $count := len (default list $config.targets) -}}
{{- $most := int (dig "limits" "maxTargets" 500 $config) -}}
{{- if gt $count $most }}
  - config.targets has {{ $count }} targets, but config.limits.maxTargets is {{ $most }}; raise the limit, or remove targets
{{- end -}}
{{- range $list := list "resolvers" "targets" -}}
{{- $seen := dict -}}
{{- range $i, $entry := index $config $list -}}
{{- $name := default (printf "%s, port %v" (toString $entry.host | lower | trimSuffix ".") (default "not set" $entry.port)) $entry.name -}}
{{- if hasKey $seen $name }}
  - config.{{ $list }}[{{ $i }}] repeats config.{{ $list }}[{{ get $seen $name }}] ({{ $name }}); remove it, or give it another name
{{- end -}}
{{- $_ := set $seen $name $i -}}
{{- end -}}
{{- end -}}
{{- $resolvers := list -}}
{{- range include "privatelink-prober.resolvers" . | fromYamlArray -}}{{- $resolvers = append $resolvers .name -}}{{- end -}}
{{- range $i, $target := $config.targets -}}
{{- if and $target.resolver (not (has $target.resolver $resolvers)) }}
  - config.targets[{{ $i }}].resolver: there is no resolver {{ quote $target.resolver }}; {{ if and (eq $target.resolver "pod") (not $config.resolvers) }}it needs clusterDns, which is not set, or observer.learnClusterDns{{ else }}there are {{ $resolvers | uniq | join ", " }}{{ end }}
{{- end -}}
{{- end -}}
{{- end -}}
