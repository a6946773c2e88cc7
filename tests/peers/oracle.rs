//! Oracle: another resolver asks the same servers. `hickory-resolver` is what many Rust programs resolve
//! with; where it finds addresses, the probe must find the same ones (docs/adr/0001).

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ServerOrderingStrategy,
};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{RData, RecordType};
use hickory_resolver::{Resolver, TokioResolver};

use super::agent::Checked;
use super::child::Folder;
use super::dns::Bind;
use super::zones::{ALIAS, Authority, HOST, privatelink, vault_zones};

/// Of an answer whose addresses are all of one class, the probe keeps as many, the lowest (docs/adr/0016).
pub(crate) const KEPT: usize = 64;

/// Asserts that the probe found the addresses that the other resolver finds at `server`, and that it
/// followed the same aliases.
pub(crate) fn assert_agrees(checked: &Checked, server: SocketAddr, what: &str) {
    let dns = &checked.target["dns"];
    let ours: BTreeSet<IpAddr> = dns["addresses"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|address| address["ip"].as_str()?.parse().ok())
        .collect();
    let a = lookup(server, RecordType::A);
    let answers = [&a, &lookup(server, RecordType::AAAA)];
    let theirs: BTreeSet<IpAddr> = answers.into_iter().flatten().flat_map(addresses).collect();
    let kept = theirs.into_iter().take(KEPT).collect();
    assert_eq!(ours, kept, "{what}: {checked}");
    if let Ok(answer) = a {
        let aliases: Vec<String> = answer.answers().iter().filter_map(alias).collect();
        let chain = dns["chain"].as_array().expect("a chain");
        let ours: Vec<&str> = chain
            .iter()
            .skip(1)
            .filter_map(|name| name.as_str())
            .collect();
        assert_eq!(ours, aliases, "{what}: {checked}");
    }
}

/// Why the probe is not built on it: of an answer without an address the aliases are lost, and the SOA is
/// that of a second question, which nobody asked for.
#[test]
fn of_a_missing_record_the_other_resolver_keeps_only_the_name_that_it_asked_last() {
    let folder = Folder::new("oracle");
    let zone = privatelink(Authority::Private);
    let bind = Bind::start(
        &folder,
        &vault_zones(&["kv-prod"], zone, [127, 0, 2, 10].into()),
    );
    let error = lookup(bind.address(), RecordType::A).expect_err("there is no record");
    let NetError::Dns(DnsError::NoRecordsFound(lost)) = error else {
        panic!("{error}");
    };
    assert_eq!(lost.response_code, ResponseCode::NXDomain);
    assert_eq!(lost.query.name().to_ascii(), format!("{ALIAS}."));
    assert!(lost.soa.is_some());
}

fn lookup(server: SocketAddr, kind: RecordType) -> Result<Lookup, NetError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let lookup = async { resolver(server)?.lookup(format!("{HOST}."), kind).await };
    runtime.expect("a runtime").block_on(lookup)
}

/// One that asks `server` alone and remembers nothing.
fn resolver(server: SocketAddr) -> Result<TokioResolver, NetError> {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = server.port();
        connection
    });
    let server = NameServerConfig::new(server.ip(), true, connections.into());
    let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
    let mut builder = Resolver::builder_with_config(config, TokioRuntimeProvider::default());
    let options = builder.options_mut();
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    options.server_ordering_strategy = ServerOrderingStrategy::UserProvidedOrder;
    options.timeout = Duration::from_secs(5);
    builder.build()
}

fn addresses(answer: &Lookup) -> Vec<IpAddr> {
    let address = |data: &RData| data.ip_addr();
    answer
        .answers()
        .iter()
        .filter_map(|record| address(&record.data))
        .collect()
}

fn alias(record: &hickory_resolver::proto::rr::Record) -> Option<String> {
    match &record.data {
        RData::CNAME(name) => Some(name.0.to_ascii().trim_end_matches('.').to_owned()),
        _ => None,
    }
}
