{{/* Names, labels and the image. */}}

{{- define "privatelink-prober.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "privatelink-prober.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "privatelink-prober.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "privatelink-prober.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{/*
Every node has an agent in the pod network, and with hostNetwork.enabled a second one in the node's own. A
template that makes objects for both is included with `merge (dict "host" true) .` for the second.
*/}}
{{- define "privatelink-prober.agentName" -}}
{{- include "privatelink-prober.fullname" . -}}{{- if .host -}}-host{{- end -}}
{{- end -}}

{{/* The port of the agent's metrics, in its pod. */}}
{{- define "privatelink-prober.port" -}}
{{- if .host -}}{{ .Values.hostNetwork.port }}{{- else -}}9797{{- end -}}
{{- end -}}

{{/* Labels for selectors, which cannot be changed after the installation. */}}
{{- define "privatelink-prober.selectorLabels" -}}
app.kubernetes.io/name: {{ include "privatelink-prober.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: {{ if .observer }}observer{{ else if .host }}host-agent{{ else }}agent{{ end }}
{{- end -}}

{{/* Labels of a pod. By the last one the commands find the pods of any release, whatever its names are. */}}
{{- define "privatelink-prober.podLabels" -}}
{{ include "privatelink-prober.selectorLabels" . }}
app.kubernetes.io/part-of: privatelink-prober
{{- end -}}

{{/* Labels of an object. The chart's own take precedence over commonLabels: selectors need them. */}}
{{- define "privatelink-prober.labels" -}}
{{- $own := include "privatelink-prober.selectorLabels" . | fromYaml -}}
{{- $_ := set $own "app.kubernetes.io/version" (.Chart.AppVersion | toString) -}}
{{- $_ := set $own "app.kubernetes.io/managed-by" .Release.Service -}}
{{- $_ := set $own "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-") -}}
{{- toYaml (merge $own (default dict .Values.commonLabels)) -}}
{{- end -}}

{{- define "privatelink-prober.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "privatelink-prober.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "privatelink-prober.image" -}}
{{- $registry := default .Values.image.registry .Values.global.imageRegistry | trimSuffix "/" -}}
{{- $image := ternary .Values.image.repository (printf "%s/%s" $registry .Values.image.repository) (empty $registry) -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $image .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image (default .Chart.AppVersion .Values.image.tag | toString) -}}
{{- end -}}
{{- end -}}

{{/* The pod's `imagePullSecrets`, or nothing. */}}
{{- define "privatelink-prober.imagePullSecrets" -}}
{{- $secrets := default list .Values.imagePullSecrets -}}
{{- range .Values.global.imagePullSecrets -}}
{{- $secrets = append $secrets (kindIs "string" . | ternary (dict "name" .) .) -}}
{{- end -}}
{{- with uniq $secrets -}}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end -}}
{{- end -}}

{{/* The registry's host that image.repository starts with, or nothing. */}}
{{- define "privatelink-prober.hostInRepository" -}}
{{- $parts := splitList "/" .Values.image.repository -}}
{{- if and (gt (len $parts) 1) (or (contains "." (first $parts)) (eq (first $parts) "localhost")) -}}{{- first $parts -}}{{- end -}}
{{- end -}}

{{- define "privatelink-prober.configMapName" -}}
{{- default (include "privatelink-prober.fullname" .) .Values.existingConfigMap -}}
{{- end -}}

{{/* Where the configuration, the observer's targets and the root certificates are mounted, as directories: a subPath is not updated. */}}
{{- define "privatelink-prober.configFile" -}}/etc/privatelink-prober/config/config.yaml{{- end -}}
{{- define "privatelink-prober.targetFile" -}}/etc/privatelink-prober/targets/targets.yaml{{- end -}}
{{- define "privatelink-prober.clusterDnsFile" -}}/etc/privatelink-prober/targets/cluster-dns{{- end -}}
{{- define "privatelink-prober.caFile" -}}/etc/privatelink-prober/ca/ca.pem{{- end -}}

{{/* `true` if there are root certificates to mount. */}}
{{- define "privatelink-prober.hasCa" -}}
{{- if or .Values.caBundle .Values.existingCaSecret .Values.existingCaConfigMap -}}true{{- end -}}
{{- end -}}

{{/*
The volumes that all pods share: the configuration, the targets that the observer writes, root certificates.
The ConfigMap of the targets may be missing: agents never wait for the observer.
*/}}
{{- define "privatelink-prober.volumes" -}}
- name: config
  configMap:
    name: {{ include "privatelink-prober.configMapName" . }}
{{- if .Values.observer.enabled }}
- name: targets
  configMap:
    name: {{ include "privatelink-prober.targetsName" . }}
    optional: true
{{- end }}
{{- if include "privatelink-prober.hasCa" . }}
- name: ca
  {{- if .Values.existingCaSecret }}
  secret:
    secretName: {{ .Values.existingCaSecret }}
    items:
      - key: {{ .Values.existingCaKey }}
        path: ca.pem
  {{- else }}
  configMap:
    name: {{ default (printf "%s-ca" (include "privatelink-prober.fullname" .)) .Values.existingCaConfigMap }}
    items:
      - key: {{ ternary .Values.existingCaKey "ca.pem" (not (empty .Values.existingCaConfigMap)) }}
        path: ca.pem
  {{- end }}
{{- end }}
{{- end -}}

{{- define "privatelink-prober.volumeMounts" -}}
- name: config
  mountPath: {{ dir (include "privatelink-prober.configFile" .) }}
  readOnly: true
{{- if .Values.observer.enabled }}
- name: targets
  mountPath: {{ dir (include "privatelink-prober.targetFile" .) }}
  readOnly: true
{{- end }}
{{- if include "privatelink-prober.hasCa" . }}
- name: ca
  mountPath: {{ dir (include "privatelink-prober.caFile" .) }}
  readOnly: true
{{- end }}
{{- end -}}

{{/*
Labels and annotations that keep the sidecars of service meshes out. A sidecar accepts every connection
itself, so every port would look open. Some meshes read labels, others annotations.
*/}}
{{- define "privatelink-prober.noSidecarLabels" -}}
sidecar.istio.io/inject: "false"
istio.io/dataplane-mode: none
kuma.io/sidecar-injection: disabled
{{- end -}}

{{- define "privatelink-prober.noSidecarAnnotations" -}}
sidecar.istio.io/inject: "false"
linkerd.io/inject: disabled
dapr.io/enabled: "false"
consul.hashicorp.com/connect-inject: "false"
{{- end -}}
