//! Azure: what Azure Resource Graph says of endpoints, zones and resources. It searches all
//! subscriptions: a private zone is as a rule in that of a hub.

use std::net::IpAddr;

use crate::case::Case;
use crate::catalogue::{self, Service};

/// The private endpoints of the resource, or what would need one; `None` where no name of Azure's leads
/// to it.
pub(super) fn endpoints(case: &Case<'_>) -> Option<String> {
    let host = case.resource();
    let wanted = match catalogue::sharing(host) {
        // Each resource has a name of its own instead, which is to be used.
        Some(service) if !service.may_have_endpoint(host) => {
            return Some(table(&format!(
                "{} | project name, location, ownName = coalesce(tostring(properties.customSubDomainName), \
                 tostring(properties.serviceOperationsHostName)), resourceGroup, subscriptionId",
                of_type(service)
            )));
        }
        // Endpoints name the resource that they lead to by its id.
        Some(service) => format!("/providers/{}/", service.resource_type),
        None => label(case)?.to_owned(),
    };
    Some(table(&format!(
        "resources | where type =~ \"microsoft.network/privateendpoints\" and tostring(properties) contains \"{wanted}\" | project name, resourceGroup, subscriptionId"
    )))
}

/// The resource itself, by its name.
pub(super) fn resource(case: &Case<'_>) -> Option<String> {
    let found = match catalogue::sharing(case.resource()) {
        Some(service) => of_type(service),
        None => by_name(label(case)?),
    };
    Some(table(&format!(
        "{found} | project name, type, resourceGroup, subscriptionId"
    )))
}

/// The network rules of the resource, under the names that the resource providers have for them.
pub(super) fn network_rules(case: &Case<'_>) -> Option<String> {
    let service = case.target.service?;
    let found = match catalogue::sharing(case.resource()) {
        Some(service) => of_type(service),
        None => format!("{} and name =~ \"{}\"", of_type(service), label(case)?),
    };
    Some(format!(
        "{} --query data --output jsonc",
        query(&format!(
            "{found} | project id, publicNetworkAccess = properties.publicNetworkAccess, networkAcls = properties.networkAcls, networkRuleSet = properties.networkRuleSet, ipRules = properties.ipRules, virtualNetworkRules = properties.virtualNetworkRules"
        ))
    ))
}

/// All resources of the service's type. The first label of a host that many share names a region, and no
/// resource.
fn of_type(service: &Service) -> String {
    let resource_type = service.resource_type.to_ascii_lowercase();
    format!("resources | where type =~ \"{resource_type}\"")
}

/// The resource of this name. The hosts of a Log Analytics workspace begin with its id instead, which is
/// among its properties.
fn by_name(label: &str) -> String {
    if is_guid(label) {
        format!("resources | where tostring(properties) contains \"{label}\"")
    } else {
        format!("resources | where name =~ \"{label}\"")
    }
}

fn is_guid(label: &str) -> bool {
    label.len() == 36 && label.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}

/// The name of the resource: the first label of its public name.
fn label<'a>(case: &Case<'a>) -> Option<&'a str> {
    let resource = case.resource();
    catalogue::lookup(resource)?;
    let (label, _) = resource.split_once('.')?;
    // The secondary of a storage account is the same resource.
    Some(label.strip_suffix("-secondary").unwrap_or(label))
}

/// The network interface that has a private address, and its private endpoint.
pub(super) fn owner_of(ip: IpAddr) -> String {
    table(&format!(
        "resources | where type =~ \"microsoft.network/networkinterfaces\" | mv-expand config = properties.ipConfigurations | where config.properties.privateIPAddress == \"{ip}\" | project name, endpoint = properties.privateEndpoint.id"
    ))
}

/// Which networks see the zone, in whatever subscription it is, and whether it falls back to the
/// internet there.
pub(super) fn links(zone: &str) -> String {
    table(&format!(
        "{} | project name, resourceGroup, subscriptionId, network = properties.virtualNetwork.id, fallback = properties.resolutionPolicy",
        links_of(zone)
    ))
}

/// What each zone of the host's zone's name holds for the host, and for which network. There may be
/// several of one name, and the one that is linked here is the question.
pub(super) fn record(case: &Case<'_>, kind: &str) -> Option<String> {
    let zone = case.zone()?;
    let names = case
        .alias
        .into_iter()
        .chain([case.last_name(), case.host()]);
    let record = names
        .filter_map(|name| name.strip_suffix(zone))
        // A zone named like the one record that it holds has it at its apex.
        .find_map(|rest| {
            if rest.is_empty() {
                Some("@")
            } else {
                rest.strip_suffix('.')
            }
        })?;
    let links = query(&format!(
        "{} | project zone = extract(\"^(.*)/[^/]+/[^/]+$\", 1, id), network = properties.virtualNetwork.id",
        links_of(zone)
    ));
    Some(format!(
        "{links} --query 'data[].[zone, network]' --output tsv | while read -r zone network; do echo \"$network\"; az resource show --ids \"$zone/{kind}/{record}\"; done"
    ))
}

fn links_of(zone: &str) -> String {
    format!(
        "resources | where type =~ \"microsoft.network/privatednszones/virtualnetworklinks\" and id contains \"/{zone}/\""
    )
}

fn query(query: &str) -> String {
    format!("az graph query --graph-query '{query}'")
}

/// The rows of a query: the extension's answer has them beside their count (azure-cli-extensions 4101).
fn table(of: &str) -> String {
    format!("{} --query data --output table", query(of))
}
