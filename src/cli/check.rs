//! Check: one probe of each target now, printed for a person or a program.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write, stdout};
use std::path::PathBuf;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use clap::{Args, ValueEnum};
use privatelink_verdict::reason::Reason;
use privatelink_verdict::suggest::did_you_mean;
use privatelink_verdict::target::{Protocol, Target};
use privatelink_verdict::verdict::Outcome;
use tokio::time::sleep;

use super::flags::{HostFlags, Words};
use super::progress::Progress;
use super::relay;
use super::shutdown::{StopSignal, wait_for_signal};
use super::{EXIT_FAILING, EXIT_OK, Failure, node_name, runtime};
use crate::agent::Agent;
use privatelink_board::Probed;
use privatelink_config::diagnostic::{Diagnostic, quoted};
use privatelink_config::duration;
use privatelink_config::plan::Plan;
use privatelink_machine::Machine;
use privatelink_report::json::Report;
use privatelink_report::metrics::Histograms;
use privatelink_report::time::millis_utc;
use privatelink_report::{runbook, tree};

/// Probe once, now, and print what was found, per target.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    privatelink-prober check kv-prod.vault.azure.net contoso.azurecr.io\n  \
    privatelink-prober check kv-prod.vault.azure.net --expected-cidr 10.1.2.0/24\n  \
    privatelink-prober check kv-prod.vault.azure.net --resolver 10.0.0.10 --resolver 168.63.129.16\n  \
    privatelink-prober check --config config.yaml --target contoso-acr --watch 10s\n  \
    privatelink-prober check --config config.yaml --fail-on warn -o json\n  \
    privatelink-prober check --config - < config.yaml\n  \
    privatelink-prober check --explain public_fallback\n\n\
    Exit codes: 0 all pass or warn, 1 some target fails, 2 usage or configuration error; \
    interrupted:\n130 (Ctrl-C) or 143 (SIGTERM), and what was found until then is printed.")]
pub(super) struct CheckArgs {
    /// Hosts to probe. Port, protocol and private DNS zone come from the catalogue.
    #[arg(value_name = "HOST", required_unless_present_any = ["config", "explain"])]
    hosts: Vec<String>,

    /// Configuration to take targets and settings from; repeat for more files, `-` reads standard
    /// input. With hosts, they are its only targets.
    #[arg(long, value_name = "FILE")]
    config: Vec<PathBuf>,

    /// Only this target of the configuration; repeat for more.
    #[arg(long, value_name = "NAME", requires = "config")]
    target: Vec<String>,

    #[command(flatten)]
    flags: HostFlags,

    #[cfg(feature = "observer")]
    #[command(flatten)]
    as_pod: super::check_as::AsPodArgs,

    /// How to print.
    #[arg(
        short,
        long,
        value_name = "FORMAT",
        value_enum,
        default_value_t,
        help_heading = "Output"
    )]
    output: Output,

    /// Probe again after this pause (5s by default, or as in --watch 30s), until interrupted.
    #[arg(
        long, value_name = "DURATION", num_args = 0..=1, require_equals = true,
        default_missing_value = "5s",
        value_parser = duration, help_heading = "Output"
    )]
    watch: Option<Duration>,

    /// Print what the runbook says of a reason, and probe nothing.
    #[arg(
        long, value_name = "REASON", conflicts_with_all = ["hosts", "config"],
        value_parser = Words(reasons), hide_possible_values = true, help_heading = "Output"
    )]
    explain: Option<String>,

    /// The outcome from which on the exit code is 1.
    #[arg(
        long,
        value_name = "OUTCOME",
        value_enum,
        default_value_t,
        help_heading = "Output"
    )]
    fail_on: FailOn,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// A tree per target.
    #[default]
    Table,
    /// Everything that was found, as JSON: `schema report` has its schema.
    Json,
    /// A line per target.
    Short,
    /// All of these in one document, for `check --as`, which reads it in the container's log.
    #[value(hide = true)]
    Relay,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum FailOn {
    /// Warnings too.
    Warn,
    /// Failures alone.
    #[default]
    Fail,
}

/// How many of the targets that were not probed are named.
const NAMED: usize = 5;

/// The arguments with the interval of `--watch` tied to it: `--watch 2s` becomes `--watch=2s`. The
/// option's value is optional, so that clap alone would take either any host behind it for an interval,
/// or any interval for a host.
pub(super) fn tie_interval(args: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut tied: Vec<OsString> = Vec::new();
    for arg in args {
        let is_interval = arg.to_str().is_some_and(is_interval);
        match tied.last_mut() {
            Some(watch) if watch == "--watch" && is_interval => {
                watch.push("=");
                watch.push(arg);
            }
            _ => tied.push(arg),
        }
    }
    tied
}

/// Whether a word behind `--watch` is its interval, right or wrong. A host that begins with a digit has a
/// dot.
fn is_interval(word: &str) -> bool {
    let is_one_word = word.bytes().all(|byte| byte.is_ascii_alphanumeric());
    duration::resembles(word) || is_one_word && word.starts_with(|c: char| c.is_ascii_digit())
}

pub(super) fn check(args: CheckArgs) -> Result<ExitCode, Failure> {
    let CheckArgs {
        hosts,
        config,
        target,
        flags,
        #[cfg(feature = "observer")]
        as_pod,
        output,
        watch,
        explain,
        fail_on,
    } = args;
    if let Some(reason) = explain {
        writeln!(anstream::stdout(), "{}", explanation(&reason)?)?;
        return Ok(EXIT_OK.into());
    }
    #[cfg(feature = "observer")]
    if let Some(pod) = &as_pod.pod {
        return super::check_as::check_as(pod, &as_pod, &hosts, &flags, output, fail_on);
    }
    let plan = privatelink_config::for_check(&config, &hosts, &target, &flags.into())?;
    for warning in &plan.warnings {
        warn(warning);
    }
    let began = SystemTime::now();
    let given = std::env::var("NODE_NAME").ok();
    runtime()?.block_on(async {
        let node = node_name::or_hostname(given.as_deref());
        let mut agent = Agent::new(Machine::real(), node, &plan, Histograms::Off);
        let mut stop = pin!(wait_for_signal());
        let mut code = EXIT_OK.into();
        for number in 1_u64.. {
            let progress = match watch {
                Some(_) => Progress::of_round(number, None, plan.targets.len()),
                None => Progress::new(plan.targets.len()),
            };
            let form = Form {
                output,
                began,
                watched: watch.is_some(),
            };
            if let Some(signal) = round(&mut agent, &mut stop, progress).await {
                return interrupted(signal?, &agent, &plan, form);
            }
            let probed = results(&agent, &plan)?;
            form.print(&probed)?;
            code = exit_code(&probed, fail_on);
            let Some(pause) = watch else { return Ok(code) };
            let pause = pause.max(least_pause(&plan));
            tokio::select! {
                // All that was found is printed.
                signal = &mut stop => return Ok(signal?.exit_code().into()),
                () = sleep(pause) => {}
            }
        }
        Ok(code)
    })
}

fn reasons() -> Vec<&'static str> {
    let all = Reason::ALL.iter().filter(|reason| **reason != Reason::Ok);
    all.map(|reason| reason.as_str()).collect()
}

/// The section of the runbook about a reason. Case does not matter, nor a dash for `_`.
fn explanation(reason: &str) -> Result<&'static str, String> {
    let reason = reason.trim().to_ascii_lowercase().replace(['-', ' '], "_");
    runbook::section(&reason).ok_or_else(|| {
        let known = Reason::ALL.iter().map(|reason| reason.as_str());
        let hint = did_you_mean(&reason, known);
        let hint = hint.unwrap_or_else(|| "`schema reasons` lists them".to_owned());
        format!("there is no reason called {}; {hint}", quoted(&reason))
    })
}

/// How long `--watch` waits at least: a `MySQL` server counts every probe against this host, and in
/// the end blocks it, so its interval holds here too.
fn least_pause(plan: &Plan) -> Duration {
    let counted = plan
        .targets
        .iter()
        .filter(|target| target.protocol == Protocol::Mysql && !target.dns_only);
    counted
        .map(|target| target.interval)
        .max()
        .unwrap_or_default()
}

/// Probes every target once, with a progress line on a terminal. Ends early when `stop` is ready, and
/// returns what it gave.
pub(super) async fn round<S>(
    agent: &mut Agent,
    stop: impl Future<Output = S>,
    mut progress: Progress,
) -> Option<S> {
    let step = |target: &Target| progress.step(&target.name);
    agent.round_until(stop, step).await
}

/// Prints what was found before the round was interrupted, and says what was not.
fn interrupted(
    signal: StopSignal,
    agent: &Agent,
    plan: &Plan,
    form: Form,
) -> Result<ExitCode, Failure> {
    let probed = agent.latest();
    if !probed.is_empty() || (form.output == Output::Json && !form.watched) {
        // Without clearing the screen, which may show the round before in full.
        let mut out = anstream::stdout().lock();
        form.write(&mut out, &probed, SystemTime::now())?;
        out.flush()?;
    }
    let is_missing = |name: &&str| probed.iter().all(|probed| probed.target.name != *name);
    let names = plan.targets.iter().map(|target| target.name.as_str());
    let missing: Vec<_> = names.filter(is_missing).collect();
    warn(&interruption(signal, probed.len(), &missing));
    Ok(signal.exit_code().into())
}

/// How many targets were probed until the interruption, and which were not.
fn interruption(signal: StopSignal, probed: usize, missing: &[&str]) -> String {
    let total = probed + missing.len();
    let mut text = format!(
        "interrupted by {}: {probed} of {total} targets were probed",
        signal.as_str()
    );
    if !missing.is_empty() {
        let named = missing.iter().take(NAMED).copied().collect::<Vec<_>>();
        text.push_str(&format!("; not probed: {}", named.join(", ")));
    }
    if missing.len() > NAMED {
        text.push_str(&format!(" and {} more", missing.len() - NAMED));
    }
    text
}

/// The latest probe of every target, in the plan's order. After a round each target has one, unless
/// its probe panicked.
pub(super) fn results(agent: &Agent, plan: &Plan) -> Result<Vec<Arc<Probed>>, Failure> {
    let latest = agent.latest();
    match plan.targets.len() - latest.len() {
        0 => Ok(latest),
        missing => Err(format!(
            "the probes of {missing} targets panicked, which is a defect of this program; please report \
             it with the message above"
        )
        .into()),
    }
}

/// How what was found is printed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    pub(super) output: Output,
    /// When the first round began.
    pub(super) began: SystemTime,
    /// Whether another round will follow.
    pub(super) watched: bool,
}

impl Form {
    /// Prints what was found of each target. Where rounds follow one another, a terminal shows the
    /// latest alone, a pipe all of them: each with its time, and as JSON on one line.
    pub(super) fn print(self, probed: &[Arc<Probed>]) -> Result<(), Failure> {
        let mut out = anstream::stdout().lock();
        if self.watched && self.output != Output::Json && stdout().is_terminal() {
            write!(out, "\x1b[2J\x1b[H")?;
        }
        self.write(&mut out, probed, SystemTime::now())?;
        out.flush()?;
        Ok(())
    }

    fn write(
        self,
        out: &mut impl Write,
        probed: &[Arc<Probed>],
        now: SystemTime,
    ) -> io::Result<()> {
        let Self {
            output,
            began,
            watched,
        } = self;
        let probed = || probed.iter().map(Arc::as_ref);
        if watched && output != Output::Json {
            writeln!(out, "{}", millis_utc(now).unwrap_or_default())?;
        }
        let report = || {
            let given = std::env::var("NODE_NAME").ok();
            Report::of_check(&node_name::or_hostname(given.as_deref()), began, probed())
        };
        match output {
            Output::Table => tree::tree(out, probed(), terminal_width())?,
            Output::Short => tree::short(out, probed())?,
            Output::Json if watched => serde_json::to_writer(&mut *out, &report())?,
            Output::Json => serde_json::to_writer_pretty(&mut *out, &report())?,
            Output::Relay => relay::write(out, &report(), probed)?,
        }
        if watched || matches!(output, Output::Json | Output::Relay) {
            writeln!(out)?;
        }
        Ok(())
    }
}

/// The columns of the terminal that is written to; `None` where there is none, and nothing is to be
/// wrapped: programs read by the line.
pub(super) fn terminal_width() -> Option<usize> {
    let (terminal_size::Width(columns), _) = terminal_size::terminal_size_of(stdout())?;
    Some(columns.into())
}

pub(super) fn warn(warning: &str) {
    let yellow = anstyle::AnsiColor::Yellow.on_default().bold();
    anstream::eprintln!("{yellow}warning{yellow:#}: {warning}");
}

fn exit_code(probed: &[Arc<Probed>], fail_on: FailOn) -> ExitCode {
    let failing = |outcome| match fail_on {
        FailOn::Warn => outcome != Outcome::Pass,
        FailOn::Fail => outcome == Outcome::Fail,
    };
    let any = probed.iter().any(|probed| failing(probed.verdict.outcome));
    if any { EXIT_FAILING } else { EXIT_OK }.into()
}

/// A pause between rounds, at least a second.
pub(super) fn duration(text: &str) -> Result<Duration, Diagnostic> {
    let pause = duration::parse(text)?;
    if pause < Duration::from_secs(1) {
        return Err(Diagnostic::new("the pause must be at least 1s"));
    }
    Ok(pause)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use privatelink_board::fixtures;

    fn printed(output: Output, watched: bool) -> String {
        let form = Form {
            output,
            began: fixtures::now(),
            watched,
        };
        let mut out = anstream::StripStream::new(Vec::new());
        for _ in 0..2 {
            let probed = [Arc::new(fixtures::healthy())];
            form.write(&mut out, &probed, fixtures::now())
                .expect("memory to write to");
        }
        String::from_utf8(out.into_inner()).expect("text")
    }

    #[test]
    fn watched_json_is_a_document_a_line() {
        let text = printed(Output::Json, true);
        let documents: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        assert_eq!(documents.len(), 2);
        assert_eq!(documents[1]["targets"][0]["outcome"], "pass");
        let once = printed(Output::Json, false);
        assert!(once.lines().count() > 20, "for people too: {once}");
    }

    #[test]
    fn a_reason_is_explained_whatever_its_case_and_separators() {
        for said in [
            "public_fallback",
            "public-fallback",
            "Public-Fallback",
            "PUBLIC FALLBACK",
        ] {
            let section = explanation(said).expect(said);
            assert!(section.starts_with("## public_fallback\n"), "{section}");
        }
        let error = explanation("public-falback").expect_err("no reason");
        assert!(
            error.ends_with("did you mean `public_fallback`?"),
            "{error}"
        );
    }

    #[test]
    fn an_interval_behind_watch_belongs_to_it_and_a_host_does_not() {
        for (typed, tied) in [
            (
                "check --watch 2s a.example.com",
                "check --watch=2s a.example.com",
            ),
            (
                "check a.example.com --watch 1m30s",
                "check a.example.com --watch=1m30s",
            ),
            (
                "check --watch 5 a.example.com",
                "check --watch=5 a.example.com",
            ),
            ("check --watch a.example.com", "check --watch a.example.com"),
            (
                "check --watch 10-4-0-7.example.com",
                "check --watch 10-4-0-7.example.com",
            ),
            ("check --watch 2s 3s", "check --watch=2s 3s"),
            ("check --watch 2x", "check --watch=2x"),
            ("check 2s --watch", "check 2s --watch"),
        ] {
            let args = tie_interval(typed.split(' ').map(OsString::from));
            assert_eq!(args.join(" ".as_ref()), *tied, "{typed}");
        }
    }

    #[test]
    fn an_interruption_says_what_was_not_probed() {
        let missing = ["a", "b", "c", "d", "e", "f", "g"];
        assert_eq!(
            interruption(StopSignal::Interrupt, 3, &missing),
            "interrupted by SIGINT: 3 of 10 targets were probed; not probed: a, b, c, d, e and 2 more"
        );
        assert_eq!(
            interruption(StopSignal::Terminate, 1, &[]),
            "interrupted by SIGTERM: 1 of 1 targets were probed"
        );
    }

    #[test]
    fn a_watched_round_begins_with_its_time() {
        for output in [Output::Table, Output::Short] {
            let text = printed(output, true);
            let times = text
                .lines()
                .filter(|line| *line == "2026-11-03T08:15:30.250Z");
            assert_eq!(times.count(), 2, "{text}");
            assert!(!printed(output, false).contains("2026-11-03"));
        }
    }
}
