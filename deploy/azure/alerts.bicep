// The alerts for Azure managed Prometheus, and the rules that they need: one rule group for each group of
// rules.json, which tests/generate writes from the chart.
//
//   az deployment group create --resource-group <group> --template-file alerts.bicep --parameters \
//     workspaceId=<id of the Azure Monitor workspace> clusterId=<id of the cluster> clusterName=<its name> actionGroupId=<id>

@description('Resource id of the Azure Monitor workspace that has the metrics.')
param workspaceId string

@description('Resource id of the AKS cluster.')
param clusterId string

@description('Name of the cluster: the value of the label `cluster` in its metrics.')
param clusterName string

@description('Resource id of the action group that is told. Empty: nobody is.')
param actionGroupId string = ''

@description('Region of the rule groups: that of the workspace.')
param location string = resourceGroup().location

@description('Time between two evaluations.')
param interval string = 'PT1M'

resource ruleGroups 'Microsoft.AlertsManagement/prometheusRuleGroups@2023-03-01' = [for group in loadJsonContent('rules.json'): {
  name: '${group.name}-${clusterName}'
  location: location
  properties: {
    description: group.description
    enabled: true
    clusterName: clusterName
    scopes: [
      workspaceId
      clusterId
    ]
    interval: interval
    rules: [for rule in group.rules: contains(rule, 'record') ? {
      record: rule.record
      expression: rule.expression
    } : {
      alert: rule.alert
      expression: rule.expression
      for: rule.for
      severity: rule.severity
      labels: rule.labels
      annotations: rule.annotations
      resolveConfiguration: {
        autoResolved: true
        timeToResolve: rule.timeToResolve
      }
      actions: empty(actionGroupId) ? [] : [
        {
          actionGroupId: actionGroupId
        }
      ]
    }]
  }
}]
