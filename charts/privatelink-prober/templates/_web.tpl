{{/* Web: TLS and passwords of the port of agents and observer, and how each is read. */}}

{{/* `true` if there is a web configuration. */}}
{{- define "privatelink-prober.hasWeb" -}}
{{- if or .Values.web.config .Values.web.existingSecret -}}true{{- end -}}
{{- end -}}

{{/* `true` if the port speaks TLS. */}}
{{- define "privatelink-prober.hasTls" -}}
{{- if or .Values.web.config.tls_server_config (and .Values.web.existingSecret .Values.web.tls) -}}true{{- end -}}
{{- end -}}

{{- define "privatelink-prober.webName" -}}
{{- include "privatelink-prober.fullname" . -}}-web
{{- end -}}

{{- define "privatelink-prober.webServerName" -}}
{{- default (printf "%s.%s.svc" (include "privatelink-prober.fullname" .) (include "privatelink-prober.namespace" .)) .Values.web.serverName -}}
{{- end -}}

{{- define "privatelink-prober.webFile" -}}/etc/privatelink-prober/web/web-config.yaml{{- end -}}
{{- define "privatelink-prober.clientFile" -}}/etc/privatelink-prober/web/client-config.yaml{{- end -}}

{{/* How the observer reads agents. */}}
{{- define "privatelink-prober.client" -}}
{{- $client := deepCopy .Values.web.client -}}
{{- if include "privatelink-prober.hasTls" . -}}
{{- $client = merge $client (dict "tls_config" (dict "ca_file" "ca.crt" "server_name" (include "privatelink-prober.webServerName" .))) -}}
{{- end -}}
{{- toYaml $client -}}
{{- end -}}

{{/* The volume with the web configuration and the files that it names; `observer`: also what the observer needs to read agents. */}}
{{- define "privatelink-prober.webVolume" -}}
- name: web
  projected:
    sources:
      - secret:
          name: {{ default (include "privatelink-prober.webName" .) .Values.web.existingSecret }}
          items:
            - key: web-config.yaml
              path: web-config.yaml
      {{- if .observer }}
      - secret:
          name: {{ include "privatelink-prober.webName" . }}
          items:
            - key: client-config.yaml
              path: client-config.yaml
      {{- end }}
      {{- with .Values.web.secret }}
      - secret:
          name: {{ . }}
      {{- end }}
      {{- if .observer }}
      {{- with .Values.web.clientSecret }}
      - secret:
          name: {{ . }}
      {{- end }}
      {{- end }}
{{- end -}}

{{- define "privatelink-prober.webMount" -}}
- name: web
  mountPath: {{ dir (include "privatelink-prober.webFile" .) }}
  readOnly: true
{{- end -}}

{{/*
How Prometheus reads an endpoint: scheme, TLS, and a password, or a token where the API server says who may read.
`values`: the monitor's; `job`: the observer's, for its endpoint.
*/}}
{{- define "privatelink-prober.endpointSecurity" -}}
{{- $tls := include "privatelink-prober.hasTls" .root -}}
{{- $scheme := default (ternary "https" "" (eq $tls "true")) .values.scheme -}}
{{- $tlsConfig := .values.tlsConfig -}}
{{- if and $tls (eq $scheme "https") (not $tlsConfig) -}}
{{- $tlsConfig = dict "serverName" (include "privatelink-prober.webServerName" .root) -}}
{{- with .root.Values.web.secret -}}
{{- $_ := set $tlsConfig "ca" (dict "secret" (dict "name" . "key" "ca.crt")) -}}
{{- end -}}
{{- end -}}
{{- $settings := dict -}}
{{- with $scheme -}}{{- $_ := set $settings "scheme" . -}}{{- end -}}
{{- with $tlsConfig -}}{{- $_ := set $settings "tlsConfig" . -}}{{- end -}}
{{- if and .job .root.Values.observer.authorization.enabled -}}
{{- with .values.authorization -}}{{- $_ := set $settings "authorization" . -}}{{- end -}}
{{- else -}}
{{- with .values.basicAuth -}}{{- $_ := set $settings "basicAuth" . -}}{{- end -}}
{{- end -}}
{{- with $settings -}}{{- toYaml . -}}{{- end -}}
{{- end -}}
