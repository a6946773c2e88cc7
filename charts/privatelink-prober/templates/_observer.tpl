{{/* The observer: which sources and namespaces it reads, and the rules of its roles. */}}

{{- define "privatelink-prober.observerName" -}}
{{- include "privatelink-prober.fullname" . -}}-observer
{{- end -}}

{{/* The name of the cluster-wide roles: another release may have the same name in another namespace. */}}
{{- define "privatelink-prober.observerClusterName" -}}
{{- printf "%s-%s" (include "privatelink-prober.namespace" .) (include "privatelink-prober.observerName" .) -}}
{{- end -}}

{{/* The ConfigMap in which the observer writes the targets that the agents read. */}}
{{- define "privatelink-prober.targetsName" -}}
{{- include "privatelink-prober.fullname" . -}}-targets
{{- end -}}

{{/* The ConfigMap in which the observer keeps what the gate needs to know of the past. */}}
{{- define "privatelink-prober.historyName" -}}
{{- include "privatelink-prober.fullname" . -}}-history
{{- end -}}

{{/* `true` if the observer writes events on the nodes, which it must be able to watch. */}}
{{- define "privatelink-prober.writesNodeEvents" -}}
{{- with .Values.observer -}}
{{- if and .fleet.enabled .fleet.events (not .namespaces) -}}true{{- end -}}
{{- end -}}
{{- end -}}

{{/* `true` if it writes events on PrivateLinkTargets. */}}
{{- define "privatelink-prober.writesTargetEvents" -}}
{{- with .Values.observer -}}
{{- if and .fleet.enabled .fleet.events .crd.enabled -}}true{{- end -}}
{{- end -}}
{{- end -}}

{{- define "privatelink-prober.observerAccount" -}}
{{- if .Values.observer.serviceAccount.create -}}
{{- default (include "privatelink-prober.observerName" .) .Values.observer.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.observer.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* `true` if the observer finds targets. */}}
{{- define "privatelink-prober.findsTargets" -}}
{{- $observer := .Values.observer -}}
{{- if and $observer.enabled (or $observer.crd.enabled (include "privatelink-prober.sources" .)) -}}true{{- end -}}
{{- end -}}

{{/* The sources of discovery that are on, with commas between them. */}}
{{- define "privatelink-prober.sources" -}}
{{- $on := list -}}
{{- if .Values.observer.discovery.enabled -}}
{{- range $source, $enabled := .Values.observer.discovery.sources -}}
{{- if $enabled -}}{{- $on = append $on $source -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- join "," $on -}}
{{- end -}}

{{/*
The kinds that discovery reads, with the sources that read each. A test compares this table with the one in
crates/discovery/src/kind.rs.
*/}}
{{- define "privatelink-prober.kinds" -}}
{{- $workloads := "images,secretProviderClasses,volumes,apiServer,annotations,environment" -}}
- {group: "", resource: pods, sources: {{ $workloads | quote }}}
- {group: apps, resource: deployments, sources: {{ $workloads | quote }}}
- {group: apps, resource: statefulsets, sources: {{ $workloads | quote }}}
- {group: apps, resource: daemonsets, sources: {{ $workloads | quote }}}
- {group: batch, resource: jobs, sources: {{ $workloads | quote }}}
- {group: batch, resource: cronjobs, sources: {{ $workloads | quote }}}
- {group: secrets-store.csi.x-k8s.io, resource: secretproviderclasses, sources: secretProviderClasses}
- {group: "", resource: persistentvolumes, sources: volumes, cluster: true}
- {group: storage.k8s.io, resource: storageclasses, sources: volumes, cluster: true}
- {group: "", resource: namespaces, sources: annotations, cluster: true}
- {group: "", resource: services, sources: externalNames}
- {group: source.toolkit.fluxcd.io, resource: ocirepositories, sources: flux}
- {group: source.toolkit.fluxcd.io, resource: helmrepositories, sources: flux}
- {group: image.toolkit.fluxcd.io, resource: imagerepositories, sources: flux}
- {group: external-secrets.io, resource: secretstores, sources: externalSecrets}
- {group: external-secrets.io, resource: clustersecretstores, sources: externalSecrets, cluster: true}
- {group: spv.no, resource: azurekeyvaultsecrets, sources: akv2k8s}
- {group: keda.sh, resource: scaledobjects, sources: keda}
- {group: keda.sh, resource: scaledjobs, sources: keda}
- {group: velero.io, resource: backupstoragelocations, sources: velero}
- {group: dapr.io, resource: components, sources: dapr}
{{- end -}}

{{/* What the observer may do with the objects that it reads, as the `rules` of a role. */}}
{{- define "privatelink-prober.observerRules" -}}
{{- $on := splitList "," (include "privatelink-prober.sources" .) -}}
{{- $byGroup := dict -}}
{{- range include "privatelink-prober.kinds" . | fromYamlArray -}}
{{- $kind := . -}}
{{- $isRead := false -}}
{{- range splitList "," $kind.sources -}}{{- if has . $on -}}{{- $isRead = true -}}{{- end -}}{{- end -}}
{{- if and $isRead (not (and $kind.cluster $.Values.observer.namespaces)) -}}
{{- $_ := set $byGroup $kind.group (append (get $byGroup $kind.group | default list) $kind.resource) -}}
{{- end -}}
{{- end -}}
{{- range $group, $resources := $byGroup }}
- apiGroups: [{{ $group | quote }}]
  resources: [{{ join ", " $resources }}]
  verbs: [list, watch]
{{- end }}
{{- if and .Values.observer.fleet.enabled (not .Values.observer.namespaces) }}
- apiGroups: [""]
  resources: [nodes]
  verbs: [list, watch]
{{- end }}
{{- if .Values.observer.crd.enabled }}
- apiGroups: [privatelink-prober.dev]
  resources: [privatelinktargets]
  verbs: [list, watch]
- apiGroups: [privatelink-prober.dev]
  resources: [privatelinktargets/status]
  verbs: [patch]
{{- end }}
{{- if include "privatelink-prober.writesTargetEvents" . }}
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end }}
{{- end -}}
