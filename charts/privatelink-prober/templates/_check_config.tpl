{{/* What can be said of `config` without the catalogue. See _check.tpl for how it is called. */}}

{{- define "privatelink-prober.check.config" -}}
{{- $to := .to -}}
{{- $config := .root.Values.config -}}
{{- if not (or $config.targets $config.presets) -}}
  {{- include "privatelink-prober.mistake" (dict "to" $to "text" "config.targets is empty: there is nothing to probe; write at least one `- host: …` there, or name a ConfigMap in existingConfigMap") -}}
{{- end -}}
{{- range $i, $preset := $config.presets -}}
  {{- if not (regexMatch "^aks-egress(:[a-z0-9]+)?$" (toString $preset)) -}}
    {{- include "privatelink-prober.mistake" (dict "to" $to "text" (printf "config.presets[%d]: there is no preset %q; write aks-egress, or aks-egress:REGION such as aks-egress:westeurope" $i $preset)) -}}
  {{- end -}}
{{- end -}}
{{- $limits := default dict $config.limits -}}
{{- range $bound := list (list "maxTargets" 10000) (list "maxConcurrent" 1000) (list "maxDnsQps" 10000) -}}
  {{- $key := first $bound -}}
  {{- $number := index $limits $key -}}
  {{- if and (hasKey $limits $key) (or (lt (int64 $number) 1) (gt (int64 $number) (int64 (last $bound)))) -}}
    {{- include "privatelink-prober.mistake" (dict "to" $to "text" (printf "config.limits.%s: %v is not between 1 and %d" $key $number (last $bound))) -}}
  {{- end -}}
{{- end -}}
{{- $tls := default dict $config.tls -}}
{{- include "privatelink-prober.check.span" (dict "to" $to "at" "config.limits.minInterval" "in" $limits "key" "minInterval" "least" "1s" "most" "24h") -}}
{{- include "privatelink-prober.check.span" (dict "to" $to "at" "config.httpInterval" "in" $config "key" "httpInterval" "least" "1m" "most" "24h") -}}
{{- include "privatelink-prober.check.span" (dict "to" $to "at" "config.tls.expiryWarning" "in" $tls "key" "expiryWarning" "least" "0s" "most" "87600h") -}}
{{- $least := toString (default "5s" $limits.minInterval) -}}
{{- $scopes := list (dict "at" "config" "value" (merge (dict) $config (dict "interval" "30s"))) -}}
{{- range $i, $target := $config.targets -}}
  {{- $scopes = append $scopes (dict "at" (printf "config.targets[%d]" $i) "value" $target) -}}
{{- end -}}
{{- range $scopes -}}
  {{- include "privatelink-prober.check.span" (dict "to" $to "at" (printf "%s.interval" .at) "in" .value "key" "interval" "least" $least "most" "24h" "why" "config.limits.minInterval") -}}
  {{- include "privatelink-prober.check.span" (dict "to" $to "at" (printf "%s.timeout" .at) "in" .value "key" "timeout" "least" "2s" "most" "10m") -}}
  {{- $at := .at -}}
  {{- $scope := .value -}}
  {{- range $key := list "deniedCidrs" "expectedCidrs" -}}
    {{- include "privatelink-prober.check.cidrs" (dict "to" $to "at" (printf "%s.%s" $at $key) "value" (index $scope $key)) -}}
  {{- end -}}
  {{- range $key := list "private" "public" -}}
    {{- include "privatelink-prober.check.cidrs" (dict "to" $to "at" (printf "%s.classify.%s" $at $key) "value" (index (default dict $scope.classify) $key)) -}}
  {{- end -}}
  {{- if and (hasKey $scope "addressFamilies") (not $scope.addressFamilies) -}}
    {{- include "privatelink-prober.mistake" (dict "to" $to "text" (printf "%s.addressFamilies is empty; write ipv4, ipv6 or both, or remove it" $at)) -}}
  {{- end -}}
{{- end -}}
{{- range $i, $host := $config.allowedHosts -}}
  {{- include "privatelink-prober.check.host" (dict "to" $to "at" (printf "config.allowedHosts[%d]" $i) "value" (trimPrefix "*." $host)) -}}
{{- end -}}
{{- include "privatelink-prober.check.resolvers" . -}}
{{- include "privatelink-prober.check.targets" . -}}
{{- end -}}

{{/* Resolvers of the user's own. */}}
{{- define "privatelink-prober.check.resolvers" -}}
{{- $to := .to -}}
{{- $names := dict -}}
{{- $paths := dict -}}
{{- range $i, $resolver := .root.Values.config.resolvers -}}
  {{- $at := printf "config.resolvers[%d]" $i -}}
  {{- include "privatelink-prober.check.name" (dict "to" $to "at" (printf "%s.name" $at) "value" $resolver.name) -}}
  {{- if hasKey $names $resolver.name -}}
    {{- include "privatelink-prober.mistake" (dict "to" $to "text" (printf "%s.name: %s is called %q too; give one of them another name" $at (get $names $resolver.name) $resolver.name)) -}}
  {{- end -}}
  {{- $_ := set $names $resolver.name $at -}}
  {{- if eq (hasKey $resolver "servers") (hasKey $resolver "resolvConf") -}}
    {{- include "privatelink-prober.mistake" (dict "to" $to "text" (printf "%s: %q needs either servers or resolvConf; write one of them" $at $resolver.name)) -}}
  {{- end -}}
  {{- if and (hasKey $resolver "servers") (not $resolver.servers) -}}
    {{- include "privatelink-prober.mistake" (dict "to" $to "text" (printf "%s.servers is empty; write the address of a DNS server" $at)) -}}
  {{- end -}}
  {{- range $j, $server := $resolver.servers -}}
    {{- include "privatelink-prober.check.server" (dict "to" $to "at" (printf "%s.servers[%d]" $at $j) "value" $server "hint" "write 10.0.0.10, 10.0.0.10:5353 or [fd00::10]:53") -}}
  {{- end -}}
  {{- range $usage := $resolver.pathFor -}}
    {{- if hasKey $paths $usage -}}
      {{- include "privatelink-prober.mistake" (dict "to" $to "text" (printf "%s.pathFor: %s is already the path for %s; remove it from one of them" $at (get $paths $usage) $usage)) -}}
    {{- end -}}
    {{- $_ := set $paths $usage $at -}}
  {{- end -}}
{{- end -}}
{{- end -}}

{{- define "privatelink-prober.check.targets" -}}
{{- $to := .to -}}
{{- $config := .root.Values.config -}}
{{- $resolvers := list -}}
{{- range include "privatelink-prober.resolvers" .root | fromYamlArray -}}
  {{- $resolvers = append $resolvers .name -}}
{{- end -}}
{{- $most := int (default 500 (default dict $config.limits).maxTargets) -}}
{{- if gt (len (default list $config.targets)) $most -}}
  {{- include "privatelink-prober.mistake" (dict "to" $to "text" (printf "config.targets has %d targets, config.limits.maxTargets is %d; raise it, or probe less" (len $config.targets) $most)) -}}
{{- end -}}
{{- include "privatelink-prober.check.companions" . -}}
{{- $names := dict -}}
{{- $endpoints := dict -}}
{{- range $i, $target := $config.targets -}}
  {{- $at := printf "config.targets[%d]" $i -}}
  {{- range $key := list "host" "serverName" "privateZone" -}}
    {{- if hasKey $target $key -}}
      {{- include "privatelink-prober.check.host" (dict "to" $to "at" (printf "%s.%s" $at $key) "value" (get $target $key)) -}}
    {{- end -}}
  {{- end -}}
  {{- if hasKey $target "port" -}}
    {{- if or (lt (int64 $target.port) 1) (gt (int64 $target.port) 65535) -}}
      {{- include "privatelink-prober.mistake" (dict "to" $to "text" (printf "%s.port: %v is no port; write one between 1 and 65535" $at $target.port)) -}}
    {{- end -}}
  {{- end -}}
  {{- if hasKey $target "name" -}}
    {{- include "privatelink-prober.check.name" (dict "to" $to "at" (printf "%s.name" $at) "value" $target.name) -}}
    {{- if hasKey $names $target.name -}}
      {{- include "privatelink-prober.mistake" (dict "to" $to "text" (printf "%s.name: %s is called %q too; give one of them another name" $at (get $names $target.name) $target.name)) -}}
    {{- end -}}
    {{- $_ := set $names $target.name $at -}}
  {{- else -}}
    {{- $endpoint := printf "%s:%v" ($target.host | lower | trimSuffix ".") (default "its usual port" $target.port) -}}
    {{- if hasKey $endpoints $endpoint -}}
      {{- include "privatelink-prober.mistake" (dict "to" $to "text" (printf "%s: %s probes %s at the same port; remove one of them, or give it another port or name" $at (get $endpoints $endpoint) $target.host)) -}}
    {{- end -}}
    {{- $_ := set $endpoints $endpoint $at -}}
  {{- end -}}
  {{- if and (hasKey $target "resolver") (not (has $target.resolver $resolvers)) -}}
    {{- $hint := ternary "set clusterDns, without which there is no such path" (printf "there are %s" (join ", " $resolvers)) (and (eq (toString $target.resolver) "pod") (not $config.resolvers)) -}}
    {{- include "privatelink-prober.mistake" (dict "to" $to "text" (printf "%s.resolver: there is no resolver %q; %s" $at $target.resolver $hint)) -}}
  {{- end -}}
  {{- range $j, $region := $target.dataRegions -}}
    {{- if not (regexMatch "^[A-Za-z0-9]+$" (toString $region)) -}}
      {{- include "privatelink-prober.mistake" (dict "to" $to "text" (printf "%s.dataRegions[%d]: %q is not the name of a region; write it as Azure's tools do: westeurope, not West Europe" $at $j $region)) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- end -}}

{{/* Names in sameService: of targets that are written here. Presets and data regions bring more. */}}
{{- define "privatelink-prober.check.companions" -}}
{{- $to := .to -}}
{{- $config := .root.Values.config -}}
{{- if not $config.presets -}}
{{- $names := list -}}
{{- range $config.targets -}}
  {{- $names = append $names (default (.host | lower | trimSuffix ".") .name) -}}
{{- end -}}
{{- range $i, $target := $config.targets -}}
  {{- range $j, $companion := $target.sameService -}}
    {{- $known := false -}}
    {{- range $names -}}
      {{- if or (eq . $companion) (hasPrefix (printf "%s:" .) $companion) -}}{{- $known = true -}}{{- end -}}
    {{- end -}}
    {{- if not $known -}}
      {{- include "privatelink-prober.mistake" (dict "to" $to "text" (printf "config.targets[%d].sameService[%d]: no target is called %q; there are %s" $i $j $companion (join ", " $names))) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
