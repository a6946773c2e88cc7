{{/* Single values: hosts, names, networks, servers, durations. See _check.tpl for how they are called. */}}

{{- define "privatelink-prober.check.host" -}}
{{- $host := toString .value -}}
{{- $say := "" -}}
{{- $alone := regexReplaceAll "^([^/]*://)?([^/:?]*).*$" $host "${2}" -}}
{{- $port := regexReplaceAll "^[^:]*:([0-9]+)$" $host "${1}" -}}
{{- if not $host -}}
  {{- $say = "is empty; write the name that applications use" -}}
{{- else if include "privatelink-prober.isIp" (trimAll "[]" $host) -}}
  {{- $say = "is an IP address; write the name that applications use: the probe is about how it resolves and which certificate answers to it" -}}
{{- else if contains "://" $host -}}
  {{- $say = printf "is a URL; write the host alone: %s" $alone -}}
{{- else if contains "/" $host -}}
  {{- $say = printf "holds a path; write the host alone: %s" $alone -}}
{{- else if and (contains ":" $host) (ne $port $host) -}}
  {{- $say = printf "holds a port; write the host alone, %s, and port: %s" $alone $port -}}
{{- else if contains "*" $host -}}
  {{- $say = "is a wildcard, which cannot be resolved; write a name that exists below it" -}}
{{- else if not (regexMatch "^[ -~]*$" $host) -}}
  {{- $say = "is not ASCII; write the form that starts with xn--, as applications send it" -}}
{{- else if gt (len (trimSuffix "." $host)) 253 -}}
  {{- $say = "is longer than the 253 characters of a DNS name; correct it" -}}
{{- else if not (regexMatch "^([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\\.)*[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\\.?$" $host) -}}
  {{- $say = "is not a host name; write labels of up to 63 letters, digits and hyphens with single dots between them" -}}
{{- end -}}
{{- if $say -}}
  {{- include "privatelink-prober.mistake" (dict "to" .to "text" (printf "%s: %q %s" .at $host $say)) -}}
{{- end -}}
{{- end -}}

{{- define "privatelink-prober.check.name" -}}
{{- if not (regexMatch "^[A-Za-z0-9][A-Za-z0-9._:-]{0,252}$" (toString .value)) -}}
  {{- include "privatelink-prober.mistake" (dict "to" .to "text" (printf "%s: %q cannot be a name; start with a letter or digit and go on with letters, digits, and . _ : -" .at (toString .value))) -}}
{{- end -}}
{{- end -}}

{{- define "privatelink-prober.isIpv4" -}}
{{- if regexMatch "^((25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(\\.|$)){4}$" . -}}
{{- if not (hasSuffix "." .) -}}true{{- end -}}
{{- end -}}
{{- end -}}

{{/* Near enough for IPv6: hexadecimal groups and at least two colons. */}}
{{- define "privatelink-prober.isIp" -}}
{{- if or (include "privatelink-prober.isIpv4" .) (regexMatch "^[0-9A-Fa-f]{0,4}(:[0-9A-Fa-f]{0,4}){2,7}(:?[0-9]+(\\.[0-9]+){3})?$" .) -}}true{{- end -}}
{{- end -}}

{{/* The address of a DNS server: IP, IP:PORT or [IPv6]:PORT. `hint` is what to do. */}}
{{- define "privatelink-prober.check.server" -}}
{{- $server := toString .value -}}
{{- $ip := regexReplaceAll "^\\[(.*)\\](:[0-9]{1,5})?$" $server "${1}" -}}
{{- if not (contains "[" $server) -}}
  {{- $ip = regexReplaceAll "^([0-9.]+):[0-9]{1,5}$" $server "${1}" -}}
{{- end -}}
{{- if not (include "privatelink-prober.isIp" $ip) -}}
  {{- $what := ternary "is a name, which would need a DNS server to resolve" "is not the address of a DNS server" (regexMatch "[G-Zg-z]" $server) -}}
  {{- include "privatelink-prober.mistake" (dict "to" .to "text" (printf "%s: %q %s; %s" .at $server $what .hint)) -}}
{{- end -}}
{{- end -}}

{{- define "privatelink-prober.check.cidrs" -}}
{{- $to := .to -}}
{{- $at := .at -}}
{{- range $i, $cidr := .value -}}
  {{- include "privatelink-prober.check.cidr" (dict "to" $to "at" (printf "%s[%d]" $at $i) "value" $cidr) -}}
{{- end -}}
{{- end -}}

{{/* A network; of IPv4 also that no bits are set beyond the prefix. */}}
{{- define "privatelink-prober.check.cidr" -}}
{{- $cidr := toString .value -}}
{{- $parts := splitList "/" $cidr -}}
{{- $ip := first $parts -}}
{{- $say := "" -}}
{{- if and (eq (len $parts) 1) (include "privatelink-prober.isIp" $ip) -}}
  {{- $say = printf "is an address; a network needs its prefix length, a single address is written %s/%s" $ip (ternary "32" "128" (ne (include "privatelink-prober.isIpv4" $ip) "")) -}}
{{- else if not (and (eq (len $parts) 2) (include "privatelink-prober.isIp" $ip) (regexMatch "^(0|[1-9][0-9]{0,2})$" (last $parts))) -}}
  {{- $say = "is not a network; write an address and a prefix length: 10.1.2.0/24" -}}
{{- else if gt (atoi (last $parts)) (ternary 32 128 (ne (include "privatelink-prober.isIpv4" $ip) "")) -}}
  {{- $say = printf "has too long a prefix; the longest is /%s" (ternary "32" "128" (ne (include "privatelink-prober.isIpv4" $ip) "")) -}}
{{- else if include "privatelink-prober.isIpv4" $ip -}}
  {{- $number := 0 -}}
  {{- range splitList "." $ip -}}{{- $number = add (mul $number 256) (atoi .) -}}{{- end -}}
  {{- $size := 1 -}}
  {{- range until (int (sub 32 (atoi (last $parts)))) -}}{{- $size = mul $size 2 -}}{{- end -}}
  {{- $start := sub $number (mod $number $size) -}}
  {{- if ne $start $number -}}
    {{- $network := printf "%d.%d.%d.%d" (div $start 16777216) (mod (div $start 65536) 256) (mod (div $start 256) 256) (mod $start 256) -}}
    {{- $say = printf "has bits set beyond its prefix; write %s/%s for the network, or %s/32 for the one address" $network (last $parts) $ip -}}
  {{- end -}}
{{- end -}}
{{- if $say -}}
  {{- include "privatelink-prober.mistake" (dict "to" .to "text" (printf "%s: %q %s" .at $cidr $say)) -}}
{{- end -}}
{{- end -}}

{{/* A duration in milliseconds; nothing if it is none. */}}
{{- define "privatelink-prober.milliseconds" -}}
{{- $pattern := "^(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s)?(?:([0-9]+)ms)?$" -}}
{{- if and . (regexMatch $pattern .) -}}
{{- $part := regexReplaceAll $pattern . "${1},${2},${3},${4}" | splitList "," -}}
{{- add (mul (atoi (index $part 0)) 3600000) (mul (atoi (index $part 1)) 60000) (mul (atoi (index $part 2)) 1000) (atoi (index $part 3)) -}}
{{- end -}}
{{- end -}}

{{/* The duration `key` of the map `in`, if it is there, between `least` and `most`; `why` names the lower bound. */}}
{{- define "privatelink-prober.check.span" -}}
{{- if hasKey .in .key -}}
{{- $span := toString (index .in .key) -}}
{{- $length := include "privatelink-prober.milliseconds" $span -}}
{{- $least := include "privatelink-prober.milliseconds" .least -}}
{{- $say := "" -}}
{{- if not $length -}}
  {{- $hint := ternary (printf "add a unit: %ss or %sm" $span $span) "write whole numbers with units, longest first: 30s, 10m, 1h30m" (regexMatch "^[0-9]+$" $span) -}}
  {{- $say = printf "is not a duration; %s" $hint -}}
{{- else if and $least (lt (int64 $length) (int64 $least)) -}}
  {{- $say = printf "is too short; write %s%s or more" .least (ternary (printf " (%s)" .why) "" (hasKey . "why")) -}}
{{- else if gt (int64 $length) (int64 (include "privatelink-prober.milliseconds" .most)) -}}
  {{- $say = printf "is too long; write %s or less" .most -}}
{{- end -}}
{{- if $say -}}
  {{- include "privatelink-prober.mistake" (dict "to" .to "text" (printf "%s: %q %s" .at $span $say)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A duration as Prometheus reads it; `positive`: longer than nothing. */}}
{{- define "privatelink-prober.check.prometheusSpan" -}}
{{- $span := toString .value -}}
{{- $say := "" -}}
{{- if regexMatch "^[0-9]+$" $span -}}
  {{- $say = printf "is not a duration; add a unit: %ss or %sm" $span $span -}}
{{- else if not (and $span (regexMatch "^([0-9]+y)?([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$" $span)) -}}
  {{- $say = "is not a duration; write whole numbers with units, longest first: 30s, 5m, 1h30m" -}}
{{- else if and .positive (not (regexMatch "[1-9]" $span)) -}}
  {{- $say = "is no time at all; write 1s or more" -}}
{{- end -}}
{{- if $say -}}
  {{- include "privatelink-prober.mistake" (dict "to" .to "text" (printf "%s: %q %s" .at $span $say)) -}}
{{- end -}}
{{- end -}}
