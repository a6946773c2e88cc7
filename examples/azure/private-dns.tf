# The private DNS zones of a hub, linked to every virtual network whose DNS answers your nodes, and the private endpoint of
# a key vault whose records a zone group keeps. Most findings of privatelink-prober ask for one of these.

variable "resource_group_name" {
  description = "Resource group of the zones and of the endpoint."
  type        = string
}

variable "location" {
  description = "Region of the private endpoint: that of its subnet."
  type        = string
}

variable "zones" {
  description = "Zones to make: `privatelink-prober services <host>` prints that of a host."
  type        = set(string)
  default = [
    "privatelink.azurecr.io",
    "privatelink.blob.core.windows.net",
    "privatelink.database.windows.net",
    "privatelink.file.core.windows.net",
    "privatelink.servicebus.windows.net",
    "privatelink.vaultcore.azure.net",
  ]
}

variable "virtual_network_ids" {
  description = "Resource ids of the virtual networks whose DNS answers, by a name of your choice: the nodes' own if they use Azure's DNS, else that of the DNS servers."
  type        = map(string)
}

variable "endpoint_subnet_id" {
  description = "Resource id of the subnet of the private endpoint."
  type        = string
}

variable "vault_id" {
  description = "Resource id of the key vault."
  type        = string
}

resource "azurerm_private_dns_zone" "this" {
  for_each = var.zones

  name                = each.value
  resource_group_name = var.resource_group_name
}

resource "azurerm_private_dns_zone_virtual_network_link" "this" {
  for_each = {
    for pair in setproduct(var.zones, keys(var.virtual_network_ids)) : "${pair[0]}/${pair[1]}" => pair
  }

  name                  = each.value[1]
  resource_group_name   = var.resource_group_name
  private_dns_zone_name = azurerm_private_dns_zone.this[each.value[0]].name
  virtual_network_id    = var.virtual_network_ids[each.value[1]]
  registration_enabled  = false
}

resource "azurerm_private_endpoint" "vault" {
  name                = "${basename(var.vault_id)}-endpoint"
  resource_group_name = var.resource_group_name
  location            = var.location
  subnet_id           = var.endpoint_subnet_id

  private_service_connection {
    name                           = "vault"
    private_connection_resource_id = var.vault_id
    subresource_names              = ["vault"]
    is_manual_connection           = false
  }

  # It creates the records, and removes them together with the endpoint.
  private_dns_zone_group {
    name                 = "default"
    private_dns_zone_ids = [azurerm_private_dns_zone.this["privatelink.vaultcore.azure.net"].id]
  }
}
