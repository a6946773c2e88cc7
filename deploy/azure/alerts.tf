# The alerts for Azure managed Prometheus, and the rules that they need: one rule group for each group of
# rules.json, which tests/generate writes from the chart. A module for the provider azurerm, version 3.46 or later.

variable "workspace_id" {
  description = "Resource id of the Azure Monitor workspace that has the metrics."
  type        = string
}

variable "cluster_id" {
  description = "Resource id of the AKS cluster."
  type        = string
}

variable "cluster_name" {
  description = "Name of the cluster: the value of the label `cluster` in its metrics."
  type        = string
}

variable "resource_group_name" {
  description = "Resource group of the rule groups."
  type        = string
}

variable "location" {
  description = "Region of the rule groups: that of the workspace."
  type        = string
}

variable "action_group_id" {
  description = "Resource id of the action group that is told. Empty: nobody is."
  type        = string
  default     = ""
}

variable "interval" {
  description = "Time between two evaluations."
  type        = string
  default     = "PT1M"
}

resource "azurerm_monitor_alert_prometheus_rule_group" "privatelink_prober" {
  for_each = { for group in jsondecode(file("${path.module}/rules.json")) : group.name => group }

  name                = "${each.key}-${var.cluster_name}"
  description         = each.value.description
  resource_group_name = var.resource_group_name
  location            = var.location
  cluster_name        = var.cluster_name
  scopes              = [var.workspace_id, var.cluster_id]
  rule_group_enabled  = true
  interval            = var.interval

  dynamic "rule" {
    for_each = each.value.rules

    content {
      record      = lookup(rule.value, "record", null)
      alert       = lookup(rule.value, "alert", null)
      enabled     = true
      expression  = rule.value.expression
      for         = lookup(rule.value, "for", null)
      severity    = lookup(rule.value, "severity", null)
      labels      = lookup(rule.value, "labels", null)
      annotations = lookup(rule.value, "annotations", null)

      dynamic "alert_resolution" {
        for_each = can(rule.value.alert) ? [rule.value.timeToResolve] : []

        content {
          auto_resolved   = true
          time_to_resolve = alert_resolution.value
        }
      }

      dynamic "action" {
        for_each = can(rule.value.alert) && var.action_group_id != "" ? [var.action_group_id] : []

        content {
          action_group_id = action.value
        }
      }
    }
  }
}
