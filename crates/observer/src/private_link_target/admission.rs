//! Admission: which `PrivateLinkTarget`s are probed, and why the others are not.
//!
//! All objects are looked at together, the older first: an older object is never pushed out by a younger
//! one. What an older one does not hold (since it was refused, or is gone) the next one may have.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;
use std::iter;

use ipnet::IpNet;
use k8s_openapi::jiff::Timestamp;
use privatelink_discovery::Key;
use privatelink_verdict::admission::{Allowed, Refusal, admit_known};
use privatelink_verdict::catalogue::{self, Service};
use privatelink_verdict::sanitize::quoted;
use privatelink_verdict::target::{Protocol, Source};
use serde_json::{Value, json};

use super::PrivateLinkTargetSpec;
use super::checked::{Declared, NotAccepted, target_name};
use super::health::Shown;
use super::reason::AcceptedReason;

/// What the operator allows.
#[derive(Clone, Debug, Default)]
pub struct AdmissionRules {
    /// Hosts beside the catalogue's (`allowedHosts`).
    pub allowed: Vec<Allowed>,
    /// Networks that are never dialled (`deniedCidrs`). The agents hold every address to them once more,
    /// after they resolved the name.
    pub denied: Vec<IpNet>,
    /// The hosts and ports of the operator's own targets, which come first.
    pub configured: HashSet<(String, u16)>,
    /// Their names, which no other target can have.
    pub names: HashSet<String>,
    /// How many targets the objects of a namespace may make.
    pub most_per_namespace: usize,
    /// How many targets all objects may make.
    pub most: usize,
}

/// Which objects are probed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Admission {
    /// Those that are, by name.
    pub targets: Vec<AcceptedTarget>,
    /// What is said of each object, by namespace and name.
    pub decisions: Vec<Decision>,
}

/// An object that is probed.
#[derive(Clone, Debug, PartialEq)]
pub struct AcceptedTarget {
    /// `NAMESPACE:NAME`.
    pub name: String,
    /// The host, normalised, and the port; then those of its data endpoints.
    pub endpoints: Vec<(String, u16)>,
    spec: PrivateLinkTargetSpec,
}

/// What is said of an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The object.
    pub key: Key,
    /// Which spec of it.
    pub generation: i64,
    /// Whether it is probed, and why.
    pub reason: AcceptedReason,
    /// The same in a sentence, and what to do.
    pub message: String,
    /// The condition that the object has.
    pub present: Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition>,
    /// The name of the target for which it is probed, if it is.
    pub target: Option<String>,
    /// What the object shows of its health.
    pub shown: Shown,
    /// Of the object.
    pub uid: String,
}

impl AcceptedTarget {
    /// What its targets are called: itself, then its data endpoints.
    pub fn names(&self) -> Vec<String> {
        target_names(&self.name, &self.spec).collect()
    }

    /// The line of the target file that the agents read, which is an entry of its list `targets`.
    pub fn line(&self) -> String {
        let mut keys = json!({"source": Source::Crd.as_str(), "name": self.name});
        if let (Value::Object(keys), Ok(Value::Object(spec))) =
            (&mut keys, serde_json::to_value(&self.spec))
        {
            keys.extend(spec);
        }
        let mut line = String::new();
        let _ = writeln!(line, "- {keys}");
        line
    }
}

/// Decides over all objects. The result depends on the objects and the rules alone, and not on the order
/// of the objects.
pub fn admission<'a>(
    objects: impl IntoIterator<Item = &'a Declared>,
    rules: &AdmissionRules,
) -> Admission {
    let mut objects: Vec<_> = objects.into_iter().collect();
    objects.sort_by_key(|object| {
        let created = object.created.unwrap_or(Timestamp::MAX);
        (created, &object.key.namespace, &object.key.name)
    });
    let mut taken = Taken::default();
    let mut targets = BTreeMap::new();
    let mut decisions = BTreeMap::new();
    for object in objects {
        let decided = decide(object, rules, &mut taken);
        let (reason, message, target) = match decided {
            Ok(Decided::Probed(target)) => {
                let name = target.name.clone();
                let message = format!("It is probed from every node as {name}.");
                targets.insert(name.clone(), *target);
                (AcceptedReason::Accepted, message, Some(name))
            }
            Ok(Decided::SameAs(older)) => (
                AcceptedReason::SameAsOlder,
                format!("It is probed from every node as {older}, which has the same settings."),
                Some(older),
            ),
            Err(NotAccepted { reason, message }) => (reason, message, None),
        };
        let place = (&object.key.namespace, &object.key.name);
        decisions.insert(
            place,
            Decision {
                key: object.key.clone(),
                generation: object.generation,
                reason,
                message,
                present: object.condition.clone(),
                target,
                shown: object.shown.clone(),
                uid: object.uid.clone(),
            },
        );
    }
    Admission {
        targets: targets.into_values().collect(),
        decisions: decisions.into_values().collect(),
    }
}

enum Decided {
    Probed(Box<AcceptedTarget>),
    /// The name of an older target.
    SameAs(String),
}

/// What older objects hold.
#[derive(Default)]
struct Taken {
    /// The name and the spec of the target that has each host and port.
    endpoints: HashMap<(String, u16), (String, PrivateLinkTargetSpec)>,
    by_namespace: HashMap<String, usize>,
    targets: usize,
}

fn decide(
    object: &Declared,
    rules: &AdmissionRules,
    taken: &mut Taken,
) -> Result<Decided, NotAccepted> {
    let mut spec = object.content.clone()?;
    let port = allowed(&spec.host, written_port(&spec), object.service, rules)?;
    check_protocol(&spec, port, object.service)?;
    check_networks(&spec, rules)?;
    let endpoints = endpoints(&spec, port)?;
    spec.port = Some(i32::from(port));
    if let Some((host, port)) = endpoints.iter().find(|one| rules.configured.contains(*one)) {
        return Err(NotAccepted::new(
            AcceptedReason::ConfiguredByOperator,
            format!(
                "spec.host: {} at port {port} is a target of the operator's configuration, with the \
                 settings that are written there; this object can be deleted",
                quoted(host)
            ),
        ));
    }
    if let Some(name) =
        target_names(&target_name(&object.key), &spec).find(|name| rules.names.contains(name))
    {
        return Err(NotAccepted::new(
            AcceptedReason::ConfiguredByOperator,
            format!(
                "metadata.name: a target of the operator's configuration is called {}, and this one would \
                 be called so too; give this object another name",
                quoted(&name)
            ),
        ));
    }
    if let Some((endpoint, (older, settings))) = endpoints
        .iter()
        .find_map(|one| Some((one, taken.endpoints.get(one)?)))
    {
        let without_owner = |spec: &PrivateLinkTargetSpec| PrivateLinkTargetSpec {
            owner: None,
            ..spec.clone()
        };
        if without_owner(settings) == without_owner(&spec) {
            return Ok(Decided::SameAs(older.clone()));
        }
        return Err(NotAccepted::new(
            AcceptedReason::Conflict,
            format!(
                "spec.host: {} at port {} is probed for {older}, which is older and has other settings; \
                 give both the same settings, or delete one of them",
                quoted(&endpoint.0),
                endpoint.1
            ),
        ));
    }
    let in_namespace = taken
        .by_namespace
        .entry(object.key.namespace.clone())
        .or_default();
    if *in_namespace + endpoints.len() > rules.most_per_namespace {
        return Err(NotAccepted::new(
            AcceptedReason::TooManyInNamespace,
            format!(
                "The older objects of this namespace make {in_namespace} targets, this one would make \
                 {} more, and {} are allowed; delete some, or ask the operator to raise \
                 observer.crd.maxPerNamespace",
                endpoints.len(),
                rules.most_per_namespace
            ),
        ));
    }
    if taken.targets + endpoints.len() > rules.most {
        return Err(NotAccepted::new(
            AcceptedReason::TooManyTargets,
            format!(
                "The older objects of all namespaces make {} targets, this one would make {} more, and \
                 there is room for {}; ask the operator to raise limits.maxTargets",
                taken.targets,
                endpoints.len(),
                rules.most
            ),
        ));
    }
    // Last, since each is looked up in the catalogue, and there are few by now.
    for (host, port) in &endpoints[1..] {
        let service = catalogue::lookup(host).map(|known| known.service);
        allowed(host, Some(*port), service, rules)?;
    }
    *in_namespace += endpoints.len();
    taken.targets += endpoints.len();
    let name = target_name(&object.key);
    for endpoint in &endpoints {
        let holder = (name.clone(), spec.clone());
        taken.endpoints.insert(endpoint.clone(), holder);
    }
    Ok(Decided::Probed(Box::new(AcceptedTarget {
        name,
        endpoints,
        spec,
    })))
}

/// What the targets of an object are called whose own is `name`.
fn target_names(name: &str, spec: &PrivateLinkTargetSpec) -> impl Iterator<Item = String> {
    let regions = spec.data_regions.iter().flatten();
    let endpoints = regions.map(|region| format!("{name}:data:{region}"));
    iter::once(name.to_owned()).chain(endpoints.collect::<Vec<_>>())
}

fn written_port(spec: &PrivateLinkTargetSpec) -> Option<u16> {
    spec.port.and_then(|port| u16::try_from(port).ok())
}

/// The host and port, and those of the data endpoints.
fn endpoints(spec: &PrivateLinkTargetSpec, port: u16) -> Result<Vec<(String, u16)>, NotAccepted> {
    let mut endpoints = vec![(spec.host.clone(), port)];
    for region in spec.data_regions.iter().flatten() {
        let host = catalogue::data_endpoint(&spec.host, region);
        let host = host.and_then(|host| privatelink_verdict::host::parse(&host).ok());
        let Some(host) = host else {
            return Err(NotAccepted::new(
                AcceptedReason::InvalidSpec,
                format!(
                    "spec.dataRegions: {} is not the login server of a container registry; remove \
                     dataRegions, or write the host <registry>.azurecr.io",
                    quoted(&spec.host)
                ),
            ));
        };
        endpoints.push((host, port));
    }
    Ok(endpoints)
}

fn allowed(
    host: &str,
    port: Option<u16>,
    service: Option<&'static Service>,
    rules: &AdmissionRules,
) -> Result<u16, NotAccepted> {
    admit_known(host, port, service, &rules.allowed).map_err(|refusal| {
        let shown = quoted(host);
        match refusal {
            Refusal::ClusterInternal => NotAccepted::new(
                AcceptedReason::ClusterInternalHost,
                format!(
                    "spec.host: {shown} is a name of the cluster itself, which is never probed; write the \
                     full name of a service outside it"
                ),
            ),
            Refusal::UnknownHost => NotAccepted::new(
                AcceptedReason::HostNotAllowed,
                format!(
                    "spec.host: {shown} is no name of an Azure service that is known; correct it, or ask \
                     the operator to add it to allowedHosts"
                ),
            ),
            Refusal::Port => {
                let ports = service.map_or(&[][..], |service| &service.ports);
                let ports: Vec<_> = ports.iter().map(|port| port.number.to_string()).collect();
                NotAccepted::new(
                    AcceptedReason::PortNotAllowed,
                    format!(
                        "spec.port: {shown} does not have the port {}; write {}, or ask the operator to add \
                         the host to allowedHosts",
                        port.unwrap_or_default(),
                        ports.join(" or ")
                    ),
                )
            }
        }
    })
}

/// The agent judges `MySQL` on DNS alone unless a protocol is written.
fn check_protocol(
    spec: &PrivateLinkTargetSpec,
    port: u16,
    service: Option<&Service>,
) -> Result<(), NotAccepted> {
    let ports = service.map_or(&[][..], |service| &service.ports);
    let is_mysql = ports
        .iter()
        .any(|listed| listed.number == port && listed.protocol == Protocol::Mysql);
    if is_mysql && spec.protocol.is_some() {
        return Err(NotAccepted::mysql());
    }
    Ok(())
}

fn check_networks(spec: &PrivateLinkTargetSpec, rules: &AdmissionRules) -> Result<(), NotAccepted> {
    let networks = spec.expected_cidrs.iter().flatten();
    for network in networks.filter_map(|text| text.parse::<IpNet>().ok()) {
        if let Some(denied) = rules.denied.iter().find(|denied| denied.contains(&network)) {
            return Err(NotAccepted::new(
                AcceptedReason::NetworkDenied,
                format!(
                    "spec.expectedCidrs: {network} lies in {denied}, whose addresses are never dialled (the \
                     operator's deniedCidrs); write the network of the private endpoint"
                ),
            ));
        }
    }
    Ok(())
}
