//! Validate: explains a configuration without probing anything.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use privatelink_verdict::target::{Protocol, Source, Target};

use crate::cli::{EXIT_OK, EXIT_USAGE, Failure, table};
use crate::schedule::FIRST_ROUND;
use privatelink_config::duration;
use privatelink_config::plan::{Demand, Plan};
use privatelink_config::problem::{ConfigError, Problem};
use privatelink_verdict::resolver::{LOCAL_DNS_OF_PODS, Resolver, Servers};

/// DNS queries a second that an inbound endpoint of Azure DNS Private Resolver answers
/// (<https://learn.microsoft.com/azure/dns/dns-private-resolver-scale-qps>).
const RESOLVER_LIMIT: f64 = 10_000.0;

/// Explains a configuration: what would be probed, how, and what is wrong or doubtful with it.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:\n  \
    privatelink-prober validate config.yaml\n  \
    privatelink-prober validate config.yaml --nodes 200      what a whole fleet asks of its DNS\n  \
    privatelink-prober validate config.yaml --strict         in a pipeline: warnings fail too\n  \
    privatelink-prober validate config.yaml more.yaml        several files, merged\n  \
    privatelink-prober validate - < config.yaml\n\n\
    A file after the first that lists targets with `source` is a target list of the observer: what is wrong\nin it \
    is a warning. Any other is merged with the first; the same setting or target in two of them is an\nerror.\n\n\
    Exit codes: 0 usable, 2 not.")]
pub struct ValidateArgs {
    /// Configuration, yours first; `-` reads standard input.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,

    /// How many nodes the load is estimated for.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub nodes: u32,

    /// How to print it.
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t = Format::Table)]
    pub output: Format,

    /// Treat warnings as errors: exit 2.
    #[arg(long)]
    pub strict: bool,
}

/// How a command prints what it found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
}

/// Reads the files, or standard input, and explains them on `out`. Returns the exit code: 0, or 2
/// where JSON says that the configuration cannot be used; in a table's stead that is an error.
pub fn run(args: &ValidateArgs, out: &mut dyn Write) -> Result<u8, Failure> {
    explain(privatelink_config::load(&args.files), args, out)
}

fn explain(
    plan: Result<Plan, ConfigError>,
    args: &ValidateArgs,
    out: &mut dyn Write,
) -> Result<u8, Failure> {
    let plan = plan.map(|mut plan| {
        plan.warnings.extend(overload(&plan, args.nodes));
        plan
    });
    if args.output == Format::Json {
        let refused = plan
            .as_ref()
            .map_or(true, |plan| args.strict && !plan.warnings.is_empty());
        let json = as_json(&plan, args.nodes, !refused);
        writeln!(out, "{json:#}")?;
        return Ok(if refused { EXIT_USAGE } else { EXIT_OK });
    }
    let plan = plan?;
    print(&plan, args.nodes, out)?;
    match plan.warnings.len() {
        1 if args.strict => Err("there is a warning, and --strict allows none".into()),
        count if count > 0 && args.strict => {
            Err(format!("there are {count} warnings, and --strict allows none").into())
        }
        _ => Ok(EXIT_OK),
    }
}

fn print(plan: &Plan, nodes: u32, out: &mut dyn Write) -> io::Result<()> {
    let rows: Vec<[String; 7]> = plan
        .targets
        .iter()
        .map(|target| {
            [
                target.name.clone(),
                format!("{}:{}", target.host, target.port),
                target.service_slug().to_owned(),
                spoken(target).to_owned(),
                target.expect.to_string(),
                target.resolver.to_string(),
                duration::show(target.interval),
            ]
        })
        .collect();
    let head = [
        "TARGET", "HOST", "SERVICE", "PROTOCOL", "EXPECT", "PATH", "EVERY",
    ];
    table::write(out, head, &rows)?;
    writeln!(out)?;
    let rows: Vec<[String; 3]> = plan
        .resolvers
        .iter()
        .map(|resolver| {
            let agreement = if resolver.must_agree {
                "a difference is a finding"
            } else {
                ""
            };
            [
                resolver.name.to_string(),
                servers(resolver).join(", "),
                agreement.to_owned(),
            ]
        })
        .collect();
    table::write(out, ["RESOLVER", "SERVERS", ""], &rows)?;

    let demand = plan.demand();
    writeln!(
        out,
        "\nEach node asks about {} DNS queries, opens {} connections and sends {} service requests \
         a second (limits.maxDnsQps: {}).",
        rate(demand.dns_queries),
        rate(demand.connections),
        rate(demand.service_requests),
        plan.limits.max_dns_qps
    )?;
    if nodes > 1 {
        let all = times(demand, nodes);
        writeln!(
            out,
            "{nodes} nodes: {} DNS queries, {} connections and {} service requests a second. Should all of them \
             start at once: {} DNS queries a second, for {}.",
            rate(all.dns_queries),
            rate(all.connections),
            rate(all.service_requests),
            rate(dns_queries_at_start(plan, nodes)),
            duration::show(FIRST_ROUND)
        )?;
    }
    for note in notes(plan) {
        writeln!(out, "\nnote: {note}")?;
    }
    for (index, warning) in plan.warnings.iter().enumerate() {
        let gap = if index == 0 { "\n" } else { "" };
        writeln!(out, "{gap}warning: {warning}")?;
    }
    Ok(())
}

fn as_json(plan: &Result<Plan, ConfigError>, nodes: u32, valid: bool) -> Value {
    let mut json = json!({
        "schemaVersion": 1,
        "valid": valid,
        "errors": [],
        "warnings": [],
        "notes": [],
        "targets": [],
        "resolvers": [],
        "demand": null,
    });
    match plan {
        Err(error) => json["errors"] = error.problems.iter().map(problem).collect(),
        Ok(plan) => {
            json["warnings"] = plan.warnings.iter().map(String::as_str).collect();
            json["notes"] = notes(plan).into();
            json["targets"] = plan.targets.iter().map(|found| target(found)).collect();
            json["resolvers"] = plan
                .resolvers
                .iter()
                .map(|resolver| {
                    json!({
                        "name": *resolver.name,
                        "servers": servers(resolver),
                        "mustAgree": resolver.must_agree,
                    })
                })
                .collect();
            let demand = plan.demand();
            let rates = |demand: Demand| {
                json!({
                    "dnsQueriesPerSecond": demand.dns_queries,
                    "connectionsPerSecond": demand.connections,
                    "serviceRequestsPerSecond": demand.service_requests,
                })
            };
            json["demand"] = json!({
                "nodes": nodes,
                "perNode": rates(demand),
                "total": rates(times(demand, nodes)),
                "dnsQueriesPerSecondAtStart": dns_queries_at_start(plan, nodes),
            });
        }
    }
    json
}

/// What was decided and might surprise, without being doubtful.
fn notes(plan: &Plan) -> Vec<String> {
    let is_postgres = |target: &Arc<Target>| target.protocol == Protocol::Postgres;
    let postgres = plan.targets.iter().any(is_postgres).then_some(
        "PostgreSQL targets without an interval of their own are probed at most once a minute, \
         whatever the global interval, since the server starts a process for every probe."
            .to_owned(),
    );
    let of_observer = |target: &&Arc<Target>| target.source != Source::Config;
    let observers = match plan.targets.iter().filter(of_observer).count() {
        0 => None,
        count => Some(format!(
            "{count} of these targets {} from a target list of the observer.",
            if count == 1 { "comes" } else { "come" }
        )),
    };
    postgres.into_iter().chain(observers).collect()
}

fn problem(problem: &Problem) -> Value {
    let place = problem.snippet.as_ref();
    json!({
        "message": problem.message,
        "file": place.map(|place| &place.file),
        "line": place.map(|place| place.line),
        "column": place.map(|place| place.column),
        "help": problem.help,
        "corrected": problem.corrected,
    })
}

fn target(target: &Target) -> Value {
    json!({
        "target": target.name,
        "host": target.host,
        "port": target.port,
        "protocol": target.protocol.as_str(),
        "service": target.service_slug(),
        "source": target.source.as_str(),
        "expect": target.expect.as_str(),
        "path": *target.resolver,
        "intervalSeconds": target.interval.as_secs_f64(),
        "timeoutSeconds": target.timeout.as_secs_f64(),
        "serverName": target.server_name(),
        "http": target.is_asked(),
        "dnsOnly": target.dns_only,
        "privateZone": target.private_zone,
        "expectedCidrs": target.rules.expected.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "owner": target.owner,
    })
}

/// What is spoken with the target.
fn spoken(target: &Target) -> &'static str {
    match target.protocol {
        _ if target.dns_only => "DNS alone",
        Protocol::Tls if target.is_asked() => "tls, http",
        protocol => protocol.as_str(),
    }
}

fn servers(resolver: &Resolver) -> Vec<String> {
    match &resolver.servers {
        Servers::Listed(servers) => servers.iter().map(ToString::to_string).collect(),
        Servers::ResolvConf(path) => vec![path.display().to_string()],
        Servers::OfPods { cluster, .. } => {
            let cluster = cluster.iter().map(ToString::to_string);
            cluster
                .chain([format!("or LocalDNS ({LOCAL_DNS_OF_PODS})")])
                .collect()
        }
    }
}

fn times(demand: Demand, nodes: u32) -> Demand {
    let nodes = f64::from(nodes);
    Demand {
        dns_queries: demand.dns_queries * nodes,
        connections: demand.connections * nodes,
        service_requests: demand.service_requests * nodes,
    }
}

/// DNS queries a second of `nodes` that start in the same moment, while each target is probed for the
/// first time. What is asked beside the probes begins after that.
fn dns_queries_at_start(plan: &Plan, nodes: u32) -> f64 {
    let of_target = |target: &Arc<Target>| {
        let families = f64::from(u8::try_from(target.families.len()).unwrap_or(u8::MAX));
        families / target.interval.min(FIRST_ROUND).as_secs_f64()
    };
    let of_node: f64 = plan.targets.iter().map(of_target).sum();
    of_node.min(f64::from(plan.limits.max_dns_qps)) * f64::from(nodes)
}

/// A warning where the nodes may ask more than one Azure DNS Private Resolver answers.
fn overload(plan: &Plan, nodes: u32) -> Option<String> {
    let always = times(plan.demand(), nodes).dns_queries;
    let at_start = dns_queries_at_start(plan, nodes);
    (always.max(at_start) > RESOLVER_LIMIT).then(|| {
        format!(
            "{nodes} nodes ask about {} DNS queries a second, and {} when they start at once; an inbound endpoint \
             of Azure DNS Private Resolver answers {RESOLVER_LIMIT} (if they all ask one, lengthen the intervals, \
             or see https://learn.microsoft.com/azure/dns/dns-private-resolver-scale-qps)",
            rate(always),
            rate(at_start)
        )
    })
}

/// Two digits that mean something.
fn rate(rate: f64) -> String {
    match rate {
        0.0 => "no".to_owned(),
        rate if rate >= 10.0 => format!("{rate:.0}"),
        rate if rate >= 1.0 => format!("{rate:.1}"),
        rate if rate >= 0.01 => format!("{rate:.2}"),
        rate => format!("{rate:.4}"),
    }
}

#[cfg(test)]
mod tests;
