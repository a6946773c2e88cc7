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
{{- else if regexMatch "^--web-config-file(=|$)" . }}
  - extraArgs: {{ . }} is what the chart sets by itself, from web.config; remove it
{{- else if regexMatch "^--listen(=|$)" . }}
  - extraArgs: {{ . }} would move the port away from 9797, which the probes, the Service and the monitors use; remove it (service.port changes the port of the Service)
{{- end -}}
{{- end -}}
{{- with .Values.web -}}
{{- $tls := .config.tls_server_config -}}
{{- if and .config .existingSecret }}
  - web.config has no effect beside web.existingSecret, whose content is used as it is; remove one of them
{{- end -}}
{{- if and .tls (not .existingSecret) }}
  - web.tls says what web.existingSecret has, which is empty; remove web.tls: the chart sees by itself whether web.config has tls_server_config
{{- else if and .tls (not .secret) }}
  - web.tls: Prometheus and the observer verify the certificate by ca.crt of web.secret, which is empty; write the name of the Secret that holds it
{{- end -}}
{{- if and $tls (or $tls.cert_file $tls.key_file) (not .secret) }}
  - web.config.tls_server_config names files, and web.secret is empty; write the name of the Secret that holds them
{{- end -}}
{{- if and (or .secret .client .clientSecret) (not .config) (not .existingSecret) }}
  - web.config is empty, so the port speaks plain HTTP, and the rest of web has no effect; write tls_server_config or basic_auth_users
{{- end -}}
{{- if and .config.basic_auth_users $.Values.observer.enabled $.Values.observer.fleet.enabled (not .client.basic_auth) }}
  - web.config.basic_auth_users: the observer could not read the agents; write a user of them into web.client.basic_auth
{{- end -}}
{{- if and $tls (regexMatch "^RequireAndVerify" (default "" $tls.client_auth_type)) $.Values.observer.enabled $.Values.observer.fleet.enabled (not (dig "tls_config" "cert_file" "" .client)) }}
  - web.config.tls_server_config.client_auth_type: the observer could not read the agents; name its certificate and key in web.client.tls_config
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
{{- if regexMatch "^--(config|namespace|pod-name|config-map|lease|listen|web-config-file|client-config-file|authorize|cloud|sources|crd|crd-per-namespace|discovered-per-namespace|learn-cluster-dns|watch-namespaces|release-pods|events|history)(=|$)" . }}
  - observer.extraArgs: {{ . }} is what the chart sets by itself, from the other values of observer; remove it
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- with .Values }}
{{- if and .serviceMonitor.enabled (not .service.enabled) }}
  - serviceMonitor.enabled: a ServiceMonitor selects the Service, which is off; set service.enabled too, or enable podMonitor instead
{{- end -}}
{{- if and .serviceMonitor.enabled .podMonitor.enabled (eq .serviceMonitor.apiVersion .podMonitor.apiVersion) }}
  - serviceMonitor.enabled, podMonitor.enabled: with both, Prometheus would scrape every agent twice; enable one of them
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
{{- if and (or $values.existingConfigMap $values.existingCaSecret $values.existingCaConfigMap $values.web.existingSecret) (lookup "v1" "ServiceAccount" $namespace "default") -}}
{{- $all := list -}}
{{- $all = append $all (list "existingConfigMap" $values.existingConfigMap "ConfigMap" "config.yaml") -}}
{{- $all = append $all (list "existingCaSecret" $values.existingCaSecret "Secret" $values.existingCaKey) -}}
{{- $all = append $all (list "existingCaConfigMap" $values.existingCaConfigMap "ConfigMap" $values.existingCaKey) -}}
{{- $all = append $all (list "web.existingSecret" $values.web.existingSecret "Secret" "web-config.yaml") -}}
{{- range $all -}}
{{- $value := index . 0 -}}
{{- $kind := index . 2 -}}
{{- $key := index . 3 -}}
{{- with index . 1 -}}
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
  - config.targets is empty and nothing finds targets, so there is nothing to probe; write at least one `- host: …` there, or switch on the observer (observer.enabled) with a source (observer.discovery.sources) or the objects of teams (observer.crd.enabled)
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
