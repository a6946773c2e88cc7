//! Check as: a check in an ephemeral container of a pod, printed as one from here, and compared with the agent
//! on the pod's node.

use std::io::Write as _;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use privatelink_observer::as_pod::{
    AsPodError, Ended, Phase, PodComparison, PodName, Prepared, SeenReport,
};
use privatelink_observer::caller::Caller;
use privatelink_verdict::sanitize::{acts, printable, sentence};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::check::{FailOn, Output, terminal_width, warn};
use super::flags::HostFlags;
use super::progress::Waiting;
use super::report::{RELEASE, namespaces};
use super::shutdown::{StopSignal, wait_for_signal};
use super::{EXIT_FAILING, EXIT_OK, Failure, relay, runtime};

/// What a check takes beside the budgets of its probes.
const SLACK: Duration = Duration::from_secs(30);

/// The longest that a running check is waited for.
const LONGEST: Duration = Duration::from_mins(10);

/// Which pod to check as, and of which cluster.
#[derive(Args, Debug)]
#[command(next_help_heading = "As a pod")]
pub(super) struct AsPodArgs {
    /// Check in this pod: in an ephemeral container of it, which has its network, its resolv.conf and its
    /// proxy. The result is compared with that of the agent on the pod's node.
    ///
    /// As in `check --as shop/web-7c9f8d6b5-x2x4k kv-prod.vault.azure.net`. The image is that of the running
    /// agents. The container's record stays in the pod until the pod is
    /// deleted. docs/report.md has the rights that it takes: `patch` on `pods/ephemeralcontainers`, and
    /// others.
    #[arg(
        long = "as", value_name = "NAMESPACE/POD", requires = "hosts",
        conflicts_with_all = ["config", "watch", "explain", "ca_files"]
    )]
    pub(super) pod: Option<PodName>,

    /// Namespace of the release [default: that of the context, else privatelink-prober].
    #[arg(short, long, value_name = "NAMESPACE", requires = "pod")]
    namespace: Option<String>,

    /// Context of the kubeconfig [default: the current one].
    #[arg(long, value_name = "NAME", requires = "pod")]
    context: Option<String>,
}

/// What the container prints: see [`relay`].
#[derive(Deserialize)]
struct Relayed {
    report: Value,
    table: String,
    short: String,
}

/// A comparison as JSON has it.
#[derive(Serialize)]
struct ComparisonReport<'a> {
    target: &'a str,
    comparison: &'static str,
    sentence: &'a str,
}

pub(super) fn check_as(
    pod: &PodName,
    args: &AsPodArgs,
    hosts: &[String],
    flags: &HostFlags,
    output: Output,
    fail_on: FailOn,
) -> Result<ExitCode, Failure> {
    // What is wrong with the command line is found here, before anything is changed.
    let plan = privatelink_config::for_check(&[], hosts, &[], &flags.clone().into())?;
    let budget: Duration = plan.targets.iter().map(|target| target.timeout).sum();
    let limit = LONGEST.min(budget + SLACK);
    let arguments = arguments(hosts, flags, fail_on);
    runtime()?.block_on(async {
        let mut stop = pin!(wait_for_signal());
        let prepared = tokio::select! {
            signal = &mut stop => return Ok(signal?.exit_code().into()),
            prepared = prepared(pod, args) => prepared?,
        };
        tell(&prepared);
        let columns = terminal_width().map(|width| (relay::COLUMNS, width.to_string()));
        let columns: Vec<_> = columns.into_iter().collect();
        let container = prepared.start(&arguments, &columns).await?;
        let done = tokio::select! {
            signal = &mut stop => return Ok(interrupted(signal?, &container, pod)),
            done = finished(&prepared, &container, limit) => done,
        };
        let code = done.and_then(|(ended, compared)| print(&prepared, output, &ended, &compared));
        // Whatever became of it.
        anstream::eprintln!("{}", stays(&container, pod));
        code
    })
}

/// The check, and what the agent says of the same targets.
async fn finished(
    prepared: &Prepared,
    container: &str,
    limit: Duration,
) -> Result<(Ended, Vec<(PodComparison, String)>), Failure> {
    let waiting = Waiting::on(&format!("{container} in {}", prepared.pod));
    let step = |phase: &Phase| waiting.step(&phase.to_string());
    let ended = prepared.ended(container, limit, step).await?;
    let compared = match document(&ended.log) {
        Some(Relayed { report, .. }) => {
            let report: SeenReport = serde_json::from_value(report)?;
            prepared.compare(&report).await
        }
        None => Vec::new(),
    };
    Ok((ended, compared))
}

/// What the check takes, from the first namespace in which an agent runs.
async fn prepared(pod: &PodName, args: &AsPodArgs) -> Result<Prepared, Failure> {
    let caller = Caller::connect(args.context.as_deref(), args.namespace.as_deref()).await?;
    let mut absent = None;
    for namespace in namespaces(&caller, args.namespace.as_deref()) {
        let caller = caller.clone().in_namespace(&namespace);
        match caller.prepare_check(pod, RELEASE).await {
            Err(error @ AsPodError::NoAgent(_)) => absent = Some(error),
            prepared => return Ok(prepared?),
        }
    }
    Err(absent.map_or_else(|| "there is no namespace to look in".into(), Failure::from))
}

/// What somebody who reads the result must know of the pod.
fn tell(prepared: &Prepared) {
    let Prepared { pod, unread, .. } = prepared;
    if prepared.network.is_hosts {
        warn(&format!(
            "{pod} is in the network of its node: the check sees what the node sees, and network policies do \
             not apply to it"
        ));
    }
    if !unread.is_empty() {
        warn(&format!(
            "{} of {pod} is not written in the pod but comes from a Secret, a ConfigMap or a field, which is \
             not read: the check goes without",
            sentence(&unread.join(" and "))
        ));
    }
}

fn arguments(hosts: &[String], flags: &HostFlags, fail_on: FailOn) -> Vec<String> {
    let mut arguments = vec!["check".to_owned(), "--output=relay".to_owned()];
    if fail_on == FailOn::Warn {
        arguments.push("--fail-on=warn".to_owned());
    }
    arguments.extend(flags.to_arguments());
    arguments.push("--".to_owned());
    arguments.extend(hosts.iter().cloned());
    arguments
}

fn interrupted(signal: StopSignal, container: &str, pod: &PodName) -> ExitCode {
    warn(&format!(
        "interrupted by {}: the container goes on and ends by itself",
        signal.as_str()
    ));
    anstream::eprintln!("{}", stays(container, pod));
    signal.exit_code().into()
}

fn stays(container: &str, pod: &PodName) -> String {
    format!(
        "the record of container {container} stays in pod {pod} until the pod is deleted: Kubernetes \
         cannot remove it"
    )
}

/// The document in a container's log, between what it warned of.
fn document(log: &str) -> Option<Relayed> {
    let mut lines = log.lines().filter(|line| line.starts_with('{'));
    lines.find_map(|line| serde_json::from_str(line).ok())
}

fn print(
    prepared: &Prepared,
    output: Output,
    ended: &Ended,
    compared: &[(PodComparison, String)],
) -> Result<ExitCode, Failure> {
    let said = ended.log.lines().filter(|line| !line.starts_with('{'));
    for line in said {
        anstream::eprintln!("{}", sentence(line));
    }
    let code = match ended.exit_code {
        0 => EXIT_OK,
        1 => EXIT_FAILING,
        code => {
            let why = match code {
                2 => "; is the agents' version older than this program?",
                _ => "",
            };
            return Err(format!(
                "the check in {} ended with exit code {code}{why}",
                prepared.pod
            )
            .into());
        }
    };
    let Some(Relayed {
        mut report,
        table,
        short,
    }) = document(&ended.log)
    else {
        return Err("the log of the container has no report; was it rotated?".into());
    };
    let mut out = anstream::stdout().lock();
    let names: Vec<String> = names(&report);
    let compared = names.iter().zip(compared);
    if output == Output::Json {
        let compared = compared.map(|(target, (comparison, sentence))| ComparisonReport {
            target,
            comparison: comparison.as_str(),
            sentence,
        });
        report["comparisons"] = serde_json::to_value(compared.collect::<Vec<_>>())?;
        serde_json::to_writer_pretty(&mut out, &report)?;
        writeln!(out)?;
    } else {
        let text = if output == Output::Short {
            short
        } else {
            table
        };
        write!(out, "{}", painted(&text))?;
        writeln!(out)?;
        for (target, (_, said)) in compared {
            writeln!(out, "{}: {}", sentence(target), sentence(said))?;
        }
    }
    out.flush()?;
    Ok(code.into())
}

/// The names of a report's targets.
fn names(report: &Value) -> Vec<String> {
    let targets = report["targets"].as_array().into_iter().flatten();
    let names = targets.map(|target| target["target"].as_str().unwrap_or_default().to_owned());
    names.collect()
}

/// Text of the container as a terminal may have it: colours and line breaks, and nothing else that acts.
fn painted(text: &str) -> String {
    let mut painted = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let colour = rest.strip_prefix("\u{1b}[").and_then(|style| {
            let digits = style.find(|c: char| !c.is_ascii_digit() && c != ';')?;
            style[digits..].starts_with('m').then_some(2 + digits + 1)
        });
        let taken = colour.unwrap_or(first.len_utf8());
        match colour {
            Some(_) => painted.push_str(&rest[..taken]),
            None if first == '\n' || !acts(first) => painted.push(first),
            None => painted.push(printable(first)),
        }
        rest = &rest[taken..];
    }
    painted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_reaches_the_container_and_hosts_come_last() {
        let flags = HostFlags {
            resolvers: vec!["10.0.0.10".to_owned(), "[fd00::1]:53".to_owned()],
            expect: Some("any".to_owned()),
            expected_cidrs: vec!["10.1.2.0/24".to_owned()],
            classify_private: vec!["100.64.0.0/10".to_owned()],
            classify_public: vec!["10.9.0.0/16".to_owned()],
            private_zone: Some("privatelink.contoso.net".to_owned()),
            server_name: Some("kv".to_owned()),
            ca_files: Vec::new(),
            port: Some("8443".to_owned()),
            protocol: Some("tcp".to_owned()),
            timeout: Some("4s".to_owned()),
            http: true,
            no_http: false,
            ipv4_only: true,
            ipv6_only: false,
        };
        let arguments = arguments(&["kv.contoso.net".to_owned()], &flags, FailOn::Warn);
        assert_eq!(
            arguments.join(" "),
            "check --output=relay --fail-on=warn --resolver=10.0.0.10 --resolver=[fd00::1]:53 \
             --expected-cidr=10.1.2.0/24 --classify-private=100.64.0.0/10 --classify-public=10.9.0.0/16 \
             --expect=any --private-zone=privatelink.contoso.net --server-name=kv --port=8443 --protocol=tcp \
             --timeout=4s --http --ipv4-only -- kv.contoso.net"
        );
        let typed = ["privatelink-prober".to_owned()]
            .into_iter()
            .chain(arguments);
        let parsed = <super::super::Cli as clap::Parser>::try_parse_from(typed);
        assert!(parsed.is_ok(), "{parsed:?}");
    }

    #[test]
    fn a_pod_is_checked_alone_and_with_hosts() {
        let parse = |line: &str| {
            <super::super::Cli as clap::Parser>::try_parse_from(line.split(' ')).map(|_| ())
        };
        let as_pod = "privatelink-prober check --as shop/web-1";
        assert!(
            parse(&format!(
                "{as_pod} -n release --context prod kv.vault.azure.net"
            ))
            .is_ok()
        );
        for wrong in [
            "",
            " --watch a.example.com",
            " --config c.yaml",
            " --ca-file x a.example.com",
        ] {
            assert!(parse(&format!("{as_pod}{wrong}")).is_err(), "{wrong}");
        }
        assert!(parse("privatelink-prober check --as web-1 kv.vault.azure.net").is_err());
        assert!(parse("privatelink-prober check --context prod kv.vault.azure.net").is_err());
    }

    #[test]
    fn the_report_is_found_between_warnings() {
        let log = "warning: {odd}\n{\"report\":{\"targets\":[{\"target\":\"kv\"}]},\"table\":\"t\",\"short\":\"s\"}\n";
        let relayed = document(log).expect("a report");
        assert_eq!((&*relayed.table, &*relayed.short), ("t", "s"));
        assert_eq!(names(&relayed.report), ["kv"]);
        assert!(document("{\"report\":").is_none() && document("").is_none());
    }

    #[test]
    fn of_what_acts_on_a_terminal_only_colours_pass() {
        let text = "\u{1b}[1;31mFAIL\u{1b}[0m kv\n└ \u{1b}[2J\u{1b}]0;title\u{7}\r";
        assert_eq!(
            painted(text),
            "\u{1b}[1;31mFAIL\u{1b}[0m kv\n└ \u{fffd}[2J\u{fffd}]0;title\u{fffd}\u{fffd}"
        );
    }
}
