//! Checked: what a `PrivateLinkTarget` says, checked by itself: each value is normal and within its bounds.
//!
//! Of an object that fails, only the reason is kept, so that its size is bounded whatever a person wrote.
//! The values mean what `crates/config` makes of them; a test compares the two.

use std::fmt::Display;
use std::time::Duration;

use ipnet::IpNet;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;
use kube::Resource;
use kube::api::ObjectMeta;
use privatelink_discovery::Key;
use privatelink_verdict::catalogue::{self, Service};
use privatelink_verdict::sanitize::{acts, quoted, sentence};
use privatelink_verdict::target::{Expectation, Protocol, Target};
use privatelink_verdict::{duration, host};
use serde::Deserialize;
use serde_json::Value;

use super::health::Shown;
use super::reason::AcceptedReason;
use super::{PrivateLinkTarget, PrivateLinkTargetSpec};

/// The most entries of each list.
const MOST_ENTRIES: usize = 16;

/// The longest name of a region.
const LONGEST_REGION: usize = 40;

/// An object as the API server sends it. Reading it does not fail whatever its spec and status hold, so
/// that one malformed object stops no list and no watch. Its `Debug` shows what a person wrote.
#[derive(Resource, Clone, Debug, Default, Deserialize)]
#[resource(inherit = "PrivateLinkTarget")]
pub struct WatchedTarget {
    /// Name, namespace, age, generation.
    pub metadata: ObjectMeta,
    /// What was written.
    #[serde(default)]
    pub spec: Value,
    /// What the observer wrote.
    #[serde(default)]
    pub status: Value,
}

/// What is kept of an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Declared {
    /// Its namespace and name.
    pub key: Key,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// Of which spec this is.
    pub generation: i64,
    /// Its spec with normal values, or why it cannot be used.
    pub content: Result<PrivateLinkTargetSpec, NotAccepted>,
    /// What the catalogue knows of its host. It is looked up once, since all objects are decided over again
    /// whenever one changes.
    pub service: Option<&'static Service>,
    /// The condition `Accepted` that it has.
    pub condition: Option<Condition>,
    /// What it shows of its health.
    pub shown: Shown,
    /// Of the object.
    pub uid: String,
}

/// Why an object is not probed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAccepted {
    /// Why.
    pub reason: AcceptedReason,
    /// What is wrong and what to do, in a sentence.
    pub message: String,
}

impl NotAccepted {
    pub(super) fn new(reason: AcceptedReason, message: impl Display) -> Self {
        let message = sentence(&message.to_string()).into_owned();
        Self { reason, message }
    }

    /// The server of `MySQL` counts each connection that does not log in, and in the end blocks the node
    /// for everyone.
    pub(super) fn mysql() -> Self {
        Self::new(
            AcceptedReason::ProtocolNotAllowed,
            "spec.protocol: only the operator may let agents connect to MySQL, which counts each probe as \
             a failed connection and in the end blocks the node; remove protocol, and the target is judged \
             on DNS alone",
        )
    }

    fn invalid(message: impl Display) -> Self {
        Self::new(AcceptedReason::InvalidSpec, message)
    }
}

impl Declared {
    /// What is kept of `object`.
    pub fn new(object: WatchedTarget) -> Self {
        let WatchedTarget {
            metadata,
            spec,
            status,
        } = object;
        let key = Key {
            namespace: metadata.namespace.unwrap_or_default(),
            name: metadata.name.unwrap_or_default(),
        };
        let content = read(spec).and_then(|spec| {
            check_name(&key, &spec)?;
            Ok(spec)
        });
        let host = content.as_ref().ok().map(|spec| spec.host.as_str());
        let known = host.and_then(catalogue::lookup);
        Self {
            service: known.map(|known| known.service),
            created: metadata.creation_timestamp.map(|Time(created)| created),
            generation: metadata.generation.unwrap_or_default(),
            content,
            condition: accepted_condition(&status),
            shown: Shown::of(&status),
            uid: metadata.uid.unwrap_or_default(),
            key,
        }
    }
}

/// The name that the target has on the agents.
pub(super) fn target_name(key: &Key) -> String {
    format!("{}:{}", key.namespace, key.name)
}

fn check_name(key: &Key, spec: &PrivateLinkTargetSpec) -> Result<(), NotAccepted> {
    let regions = spec.data_regions.iter().flatten();
    let suffix = regions.map(|region| ":data:".len() + region.len()).max();
    let length = target_name(key).len() + suffix.unwrap_or_default();
    if length > Target::LONGEST_NAME {
        return Err(NotAccepted::invalid(format!(
            "metadata.name: the target's name, NAMESPACE:NAME, would have {length} characters, and {} are \
             allowed; make an object with a shorter name",
            Target::LONGEST_NAME
        )));
    }
    Ok(())
}

/// The condition `Accepted` in a status, if it can be read and the observer may have written it.
fn accepted_condition(status: &Value) -> Option<Condition> {
    let mut conditions = status.get("conditions")?.as_array()?.iter();
    let found = conditions.find(|condition| condition["type"] == super::status::ACCEPTED)?;
    let condition: Condition = serde_json::from_value(found.clone()).ok()?;
    let is_bounded = sentence(&condition.message) == condition.message
        && condition.reason.len() <= 64
        && condition.status.len() <= 8;
    is_bounded.then_some(condition)
}

/// Reads a spec and makes its values normal.
fn read(spec: Value) -> Result<PrivateLinkTargetSpec, NotAccepted> {
    let spec: PrivateLinkTargetSpec = serde_json::from_value(spec)
        .map_err(|error| NotAccepted::invalid(format!("spec: {error}")))?;
    // Destructured, so that the compiler reports a new key that is not checked here.
    let PrivateLinkTargetSpec {
        host,
        port,
        protocol,
        expect,
        expected_cidrs,
        address_families,
        interval,
        timeout,
        server_name,
        http,
        data_regions,
        private_zone,
        owner,
    } = spec;
    let name = |key: &'static str| move |text: &str| parse_name(key, text);
    Ok(PrivateLinkTargetSpec {
        host: parse_name("host", &host)?,
        port: port.map(parse_port).transpose()?,
        protocol: protocol.as_deref().map(parse_protocol).transpose()?,
        expect: expect
            .as_deref()
            .map(|text| {
                let words = Expectation::ALL.iter().map(|word| word.as_str());
                parse_word("expect", text, words)
            })
            .transpose()?,
        expected_cidrs: parse_list("expectedCidrs", expected_cidrs, parse_network)?,
        address_families: parse_list("addressFamilies", address_families, |text| {
            parse_word("addressFamilies", text, ["ipv4", "ipv6"].into_iter())
        })?,
        interval: interval
            .map(|text| parse_duration("interval", &text, Target::INTERVALS))
            .transpose()?,
        timeout: timeout
            .map(|text| parse_duration("timeout", &text, Target::TIMEOUTS))
            .transpose()?,
        server_name: server_name.as_deref().map(name("serverName")).transpose()?,
        http,
        data_regions: parse_list("dataRegions", data_regions, parse_region)?,
        private_zone: private_zone
            .as_deref()
            .map(name("privateZone"))
            .transpose()?,
        owner: owner.as_deref().map(parse_owner).transpose()?,
    })
}

fn parse_name(key: &str, text: &str) -> Result<String, NotAccepted> {
    host::parse(text).map_err(|why| {
        let help = why.help().map(|help| format!("; {help}"));
        NotAccepted::invalid(format!(
            "spec.{key}: {}{}",
            why.message(text),
            help.unwrap_or_default()
        ))
    })
}

fn parse_port(port: i32) -> Result<i32, NotAccepted> {
    if (1..=i32::from(u16::MAX)).contains(&port) {
        return Ok(port);
    }
    Err(NotAccepted::invalid(format!(
        "spec.port: {port} is not between 1 and 65535"
    )))
}

fn parse_protocol(text: &str) -> Result<String, NotAccepted> {
    if text == Protocol::Mysql.as_str() {
        return Err(NotAccepted::mysql());
    }
    parse_word(
        "protocol",
        text,
        Protocol::ALL.iter().map(|word| word.as_str()),
    )
}

fn parse_word(
    key: &str,
    text: &str,
    words: impl Iterator<Item = &'static str>,
) -> Result<String, NotAccepted> {
    let words: Vec<_> = words.collect();
    if words.contains(&text) {
        return Ok(text.to_owned());
    }
    Err(NotAccepted::invalid(format!(
        "spec.{key}: {} is not one of {}",
        quoted(text),
        words.join(", ")
    )))
}

fn parse_duration(
    key: &str,
    text: &str,
    (least, most): (Duration, Duration),
) -> Result<String, NotAccepted> {
    let (shortest, longest) = (duration::show(least), duration::show(most));
    match duration::parse(text) {
        Ok(parsed) if (least..=most).contains(&parsed) => Ok(duration::show(parsed)),
        Ok(_) => Err(NotAccepted::invalid(format!(
            "spec.{key}: {} is not between {shortest} and {longest}",
            quoted(text)
        ))),
        Err(_) => Err(NotAccepted::invalid(format!(
            "spec.{key}: {} is not a duration; write whole numbers with units, longest first: 30s, 10m, \
             1h30m",
            quoted(text)
        ))),
    }
}

fn parse_network(text: &str) -> Result<String, NotAccepted> {
    let network: IpNet = text.parse().map_err(|_| {
        NotAccepted::invalid(format!(
            "spec.expectedCidrs: {} is not a network; write an address and a prefix length: 10.1.2.0/24",
            quoted(text)
        ))
    })?;
    if network != network.trunc() {
        return Err(NotAccepted::invalid(format!(
            "spec.expectedCidrs: {network} has bits set beyond its prefix; write {} for the network, or {} \
             for the one address",
            network.trunc(),
            IpNet::from(network.addr())
        )));
    }
    if let IpNet::V6(v6) = network
        && v6.prefix_len() >= 96
        && v6.addr().to_ipv4_mapped().is_some()
    {
        return Err(NotAccepted::invalid(format!(
            "spec.expectedCidrs: {network} holds IPv4-mapped addresses, which are judged as IPv4; write \
             the IPv4 network"
        )));
    }
    Ok(network.to_string())
}

fn parse_region(text: &str) -> Result<String, NotAccepted> {
    let is_region = !text.is_empty()
        && text.len() <= LONGEST_REGION
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_region {
        return Ok(text.to_ascii_lowercase());
    }
    Err(NotAccepted::invalid(format!(
        "spec.dataRegions: {} is not the name of a region; write it as Azure's tools do: westeurope, not \
         West Europe",
        quoted(text)
    )))
}

fn parse_owner(text: &str) -> Result<String, NotAccepted> {
    let owner = text.trim();
    if owner.is_empty() || owner.len() > Target::LONGEST_OWNER || owner.chars().any(acts) {
        return Err(NotAccepted::invalid(format!(
            "spec.owner: {} cannot be an owner; write 1 to {} printable characters",
            quoted(text),
            Target::LONGEST_OWNER
        )));
    }
    Ok(owner.to_owned())
}

/// The entries in order, each once. Their order means nothing.
fn parse_list(
    key: &str,
    list: Option<Vec<String>>,
    parse: impl Fn(&str) -> Result<String, NotAccepted>,
) -> Result<Option<Vec<String>>, NotAccepted> {
    let Some(list) = list else { return Ok(None) };
    if list.len() > MOST_ENTRIES {
        return Err(NotAccepted::invalid(format!(
            "spec.{key}: there are {} entries, and {MOST_ENTRIES} are allowed",
            list.len()
        )));
    }
    if list.is_empty() && key == "addressFamilies" {
        return Err(NotAccepted::invalid(
            "spec.addressFamilies: nothing would be asked for; write ipv4, ipv6 or both",
        ));
    }
    let mut list: Vec<_> = list
        .iter()
        .map(|text| parse(text))
        .collect::<Result<_, _>>()?;
    list.sort_unstable();
    list.dedup();
    Ok(Some(list))
}
