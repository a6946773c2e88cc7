// The rules as a mixin for jsonnet: `(import 'mixin.libsonnet').prometheusAlerts` and `.prometheusRules`.
local groups = std.parseYaml(importstr 'prometheus-rules.yaml').groups;
local only(field) = [
  group { rules: [rule for rule in group.rules if field in rule] }
  for group in groups
  if std.length([rule for rule in group.rules if field in rule]) > 0
];

{
  prometheusAlerts+:: { groups+: only('alert') },
  prometheusRules+:: { groups+: only('record') },
}
