{{/* The agent's configuration: what the user wrote, and what the chart adds. */}}

{{/* The address of the cluster's DNS server: clusterDns, else that of the service kube-dns, else nothing. */}}
{{- define "privatelink-prober.clusterDns" -}}
{{- if .Values.clusterDns -}}
{{- .Values.clusterDns -}}
{{- else -}}
{{- $service := lookup "v1" "Service" "kube-system" "kube-dns" -}}
{{- if $service -}}
{{- $ip := $service.spec.clusterIP -}}
{{- if and $ip (ne $ip "None") -}}{{- $ip -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
`true` if the observer learns that address: where nobody wrote it and Helm cannot look it up. With a list of
namespaces the observer has no right outside of them.
*/}}
{{- define "privatelink-prober.learnsClusterDns" -}}
{{- $namespaces := .Values.observer.namespaces -}}
{{- $mayRead := or (not $namespaces) (has "kube-system" (default list $namespaces)) -}}
{{- $isAsked := not (or .Values.existingConfigMap (default dict .Values.config).resolvers) -}}
{{- if and .Values.observer.enabled .Values.observer.learnClusterDns $mayRead $isAsked (not (include "privatelink-prober.clusterDns" .)) -}}true{{- end -}}
{{- end -}}

{{/* The service ranges as a YAML list: serviceCidrs, else those of the ServiceCIDR objects, else none. */}}
{{- define "privatelink-prober.serviceCidrs" -}}
{{- $cidrs := default list .Values.serviceCidrs -}}
{{- if and (not $cidrs) (.Capabilities.APIVersions.Has "networking.k8s.io/v1/ServiceCIDR") -}}
{{- $found := lookup "networking.k8s.io/v1" "ServiceCIDR" "" "" -}}
{{- range default list $found.items -}}
{{- $cidrs = concat $cidrs (default list .spec.cidrs) -}}
{{- end -}}
{{- end -}}
{{- toYaml (uniq $cidrs) -}}
{{- end -}}

{{/*
The resolvers as a YAML list: the user's, else the paths `pod`, if its address is known or will be learned,
and `node`. The path `node` reads the pod's resolv.conf, which is the node's with dnsPolicy Default. Targets that no
pathFor covers are judged by the first resolver.
*/}}
{{- define "privatelink-prober.resolvers" -}}
{{- if .Values.config.resolvers -}}
{{- toYaml .Values.config.resolvers -}}
{{- else -}}
{{- $resolvers := list (dict "name" "node" "resolvConf" "/etc/resolv.conf" "mustAgree" true "pathFor" (list "registries" "volumes")) -}}
{{- $pod := dict "name" "pod" "localDns" true "mustAgree" true -}}
{{- if include "privatelink-prober.learnsClusterDns" . -}}
{{- $resolvers = prepend $resolvers (set $pod "serversFile" (include "privatelink-prober.clusterDnsFile" .)) -}}
{{- else -}}
{{- with include "privatelink-prober.clusterDns" . -}}
{{- $resolvers = prepend $resolvers (set $pod "servers" (list .)) -}}
{{- end -}}
{{- end -}}
{{- toYaml $resolvers -}}
{{- end -}}
{{- end -}}

{{- define "privatelink-prober.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- $_ := set $config "resolvers" (include "privatelink-prober.resolvers" . | fromYamlArray) -}}
{{- with include "privatelink-prober.serviceCidrs" . | fromYamlArray -}}
{{- $_ := set $config "deniedCidrs" (concat (default list $config.deniedCidrs) . | uniq) -}}
{{- end -}}
{{- if include "privatelink-prober.hasCa" . -}}
{{- $tls := default dict $config.tls -}}
{{- $files := append (default list $tls.caFiles) (include "privatelink-prober.caFile" .) -}}
{{- $_ := set $config "tls" (merge (dict "caFiles" (uniq $files)) $tls) -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}
