// The rules for Azure managed Prometheus, from those of the chart: tests/chart/generate writes deploy/azure/rules.json
// by it. Azure writes durations as ISO 8601 and severities as numbers, and calls `keep_firing_for` `timeToResolve`,
// which is between 1 and 15 minutes.
local severities = { critical: 1, warning: 3 };
local descriptions = {
  'privatelink-timeouts': 'Which services time out, for the alerts of privatelink-prober.',
  'privatelink-recorded': 'What the alerts of privatelink-prober are made of.',
  'privatelink-services': 'Alerts of privatelink-prober about services.',
  'privatelink-nodes': 'Alerts of privatelink-prober about nodes and their DNS.',
  'privatelink-agents': 'Alerts about the agents of privatelink-prober.',
};
local iso(duration) = 'PT' + std.asciiUpper(duration);
local azure(rule) =
  if 'record' in rule then { record: rule.record, expression: std.stripChars(rule.expr, '\n') } else {
    alert: rule.alert,
    expression: std.stripChars(rule.expr, '\n'),
    'for': iso(rule['for']),
    severity: severities[rule.labels.severity],
    labels: rule.labels,
    annotations: rule.annotations,
    timeToResolve: iso(std.get(rule, 'keep_firing_for', '1m')),
  };

[
  { name: group.name, description: descriptions[group.name], rules: std.map(azure, group.rules) }
  for group in std.parseYaml(std.extVar('rules')).groups
]
