// The private DNS zone of key vaults, linked to every virtual network whose DNS answers your nodes, and the private
// endpoint of a vault whose records a zone group keeps. Most findings of privatelink-prober ask for one of these.
//
//   az deployment group create --resource-group <hub group> --template-file private-dns.bicep --parameters \
//     virtualNetworkIds='["<id of the hub>"]' endpointSubnetId=<id> vaultId=<id>

@description('Resource ids of the virtual networks whose DNS answers: the nodes\' own if they use Azure\'s DNS, else that of the DNS servers.')
param virtualNetworkIds array

@description('Resource id of the subnet of the private endpoint.')
param endpointSubnetId string

@description('Resource id of the key vault.')
param vaultId string

@description('Region of the private endpoint: that of its subnet.')
param location string = resourceGroup().location

var vaultZone = 'privatelink.vaultcore.azure.net'

resource zone 'Microsoft.Network/privateDnsZones@2020-06-01' = {
  name: vaultZone
  location: 'global'
}

resource links 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2020-06-01' = [for id in virtualNetworkIds: {
  parent: zone
  name: last(split(id, '/'))
  location: 'global'
  properties: {
    registrationEnabled: false
    virtualNetwork: {
      id: id
    }
  }
}]

resource endpoint 'Microsoft.Network/privateEndpoints@2023-11-01' = {
  name: '${last(split(vaultId, '/'))}-endpoint'
  location: location
  properties: {
    subnet: {
      id: endpointSubnetId
    }
    privateLinkServiceConnections: [
      {
        name: 'vault'
        properties: {
          privateLinkServiceId: vaultId
          groupIds: [
            'vault'
          ]
        }
      }
    ]
  }
}

// It creates the records, and removes them together with the endpoint.
resource zoneGroup 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2023-11-01' = {
  parent: endpoint
  name: 'default'
  properties: {
    privateDnsZoneConfigs: [
      {
        name: 'vault'
        properties: {
          privateDnsZoneId: zone.id
        }
      }
    ]
  }
}
