//! Report: every node's view of every target, and whether public access may be turned off.

use std::fmt;
use std::io::{IsTerminal as _, Write as _, stderr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use clap::{Args, ValueEnum};
use privatelink_config::STANDARD_INPUT;
use privatelink_config::diagnostic::Diagnostic;
use privatelink_fleet::query::{GateQuery, Selector};
use privatelink_fleet::report::AnsweredBy;
use privatelink_fleet::{FleetQuery, FleetReport, Moment};
use privatelink_machine::file::{read_bounded, standard_input};
use privatelink_observer::caller::{Caller, NotAnswered};
use privatelink_report::fleet::{document, markdown, terminal};
use privatelink_report::version::VERSION;
use privatelink_verdict::sanitize::sentence;

use super::check::{duration, terminal_width};
use super::progress::Progress;
use super::{EXIT_OK, Failure, runtime};

/// The namespace that the installation guide names.
const NAMESPACE: &str = "privatelink-prober";

/// The largest answer that is read from a file, in bytes.
const LARGEST: usize = 64 << 20;

/// The pods of a release, whatever `nameOverride` calls it.
pub(super) const RELEASE: &str = "app.kubernetes.io/part-of=privatelink-prober";

/// Print every node's view of every target: what failing nodes have in common, and the likely cause. With
/// `--gate`: may public access be turned off?
#[derive(Args, Debug)]
#[command(
    after_help = "The observer answers, through the API server; where there is none, every agent is asked.\n\
    It takes the rights of docs/report.md: `get` on `services/proxy`, or `list` on pods and `get` on \
    `pods/proxy`.\n\nExamples:\n  \
    privatelink-prober report\n  \
    privatelink-prober report --target kv-prod.vault.azure.net --selector pool=apps\n  \
    privatelink-prober report --since 2h -o markdown\n  \
    privatelink-prober report --gate --window 7h --allow-uncovered\n  \
    privatelink-prober report --gate -o html > CHG0042.html\n\n\
    Exit codes: 0; with --gate 0 yes, 1 no, 3 cannot tell; 2 usage error or no answer."
)]
pub(super) struct ReportArgs {
    /// Namespace of the release [default: that of the context, else privatelink-prober].
    #[arg(short, long, value_name = "NAMESPACE", help_heading = "Cluster")]
    namespace: Option<String>,

    /// Context of the kubeconfig [default: the current one].
    #[arg(long, value_name = "NAME", help_heading = "Cluster")]
    context: Option<String>,

    /// Service of the observer.
    #[arg(
        long,
        value_name = "NAME",
        default_value = "privatelink-prober-observer",
        help_heading = "Cluster"
    )]
    observer: String,

    /// Ask every agent instead of the observer.
    #[arg(long, help_heading = "Cluster")]
    from_agents: bool,

    /// Print an answer of `/api/v1/fleet` that was fetched by other means: a file, or `-` for standard input.
    #[arg(
        long, value_name = "FILE", help_heading = "Cluster", conflicts_with_all = [
            "namespace", "context", "from_agents", "target", "selector", "since", "gate",
        ]
    )]
    from: Option<PathBuf>,

    /// Only this target, by its name or its host.
    #[arg(long, value_name = "NAME")]
    target: Option<String>,

    /// Only these nodes: `pool=apps,zone=westeurope-1`; also node, region, subnet, image, instanceType.
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    selector: Option<Selector>,

    /// Only what began, or was well again, within this time: `2h`.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    since: Option<Duration>,

    /// May public access be turned off? Judges the addresses of every private target on every node, on
    /// every path, over the window.
    #[arg(long, help_heading = "Gate")]
    gate: bool,

    /// How far back the gate looks.
    #[arg(
        long, value_name = "DURATION", value_parser = window, default_value = "24h",
        requires = "gate", help_heading = "Gate"
    )]
    window: Duration,

    /// Excuse nodes that can have no agent, or have none.
    #[arg(long, requires = "gate", help_heading = "Gate")]
    allow_uncovered: bool,

    /// How to print.
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t)]
    output: Output,
}

/// How far back the gate looks.
fn window(text: &str) -> Result<Duration, Diagnostic> {
    let window = privatelink_config::duration::parse(text)?;
    if window < GateQuery::SHORTEST {
        return Err(Diagnostic::new("the window must be at least 1m"));
    }
    Ok(window)
}

/// How a report is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Output {
    /// Patterns, and a matrix of targets and nodes.
    #[default]
    Table,
    /// Everything, as JSON.
    Json,
    /// For a change ticket or a chat.
    Markdown,
    /// One file that loads nothing, for a change ticket.
    Html,
}

/// Nobody answered.
#[derive(Debug)]
struct NoAnswer {
    context: String,
    namespaces: Vec<String>,
    source: NotAnswered,
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "neither an observer nor an agent answers in {} (context {}); name the namespace of the release \
             with --namespace",
            self.namespaces.join(" or "),
            self.context
        )
    }
}

impl std::error::Error for NoAnswer {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

pub(super) fn report(args: ReportArgs) -> Result<ExitCode, Failure> {
    let ReportArgs {
        namespace,
        context,
        observer,
        from_agents,
        from,
        target,
        selector,
        since,
        gate,
        window,
        allow_uncovered,
        output,
    } = args;
    if let Some(file) = from {
        return shown(&fetched(&file)?, output);
    }
    let now = Moment::from(SystemTime::now());
    let query = FleetQuery {
        target,
        selector: selector.unwrap_or_default(),
        since: since.map(|since| now.before(since)),
        gate: gate.then(|| GateQuery {
            window_seconds: window.as_secs(),
            allow_uncovered,
            ..GateQuery::default()
        }),
    };
    let report = runtime()?.block_on(async {
        let caller = Caller::connect(context.as_deref(), namespace.as_deref()).await?;
        let namespaces = namespaces(&caller, namespace.as_deref());
        let observer = (!from_agents).then_some(&*observer);
        answered(&caller, namespaces, observer, &query).await
    })?;
    shown(&report, output)
}

fn shown(report: &FleetReport, output: Output) -> Result<ExitCode, Failure> {
    print(report, output)?;
    let code = report.gate.as_ref().map_or(EXIT_OK, |gate| gate.exit_code);
    Ok(code.into())
}

/// An answer of the observer in a file.
fn fetched(file: &Path) -> Result<FleetReport, Failure> {
    let text = if file.as_os_str() == STANDARD_INPUT {
        standard_input(LARGEST)
    } else {
        read_bounded(file, LARGEST)
    };
    let text = text.map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    serde_json::from_slice(&text).map_err(|error| {
        let said = String::from_utf8_lossy(&text);
        let said = sentence(said.lines().next().unwrap_or_default()).into_owned();
        format!(
            "{} holds no answer of /api/v1/fleet ({error}); it begins with: {said}",
            file.display()
        )
        .into()
    })
}

/// Where the release may be: in the namespace given, else in that of the context, else where the installation
/// guide puts it.
pub(super) fn namespaces(caller: &Caller, given: Option<&str>) -> Vec<String> {
    let mut namespaces = vec![caller.namespace.clone()];
    if given.is_none() && caller.namespace != NAMESPACE {
        namespaces.push(NAMESPACE.to_owned());
    }
    namespaces
}

/// The report of the first namespace in which somebody answers.
async fn answered(
    caller: &Caller,
    namespaces: Vec<String>,
    observer: Option<&str>,
    query: &FleetQuery,
) -> Result<FleetReport, Failure> {
    let mut absent = None;
    for namespace in &namespaces {
        let caller = caller.clone().in_namespace(namespace);
        if let Some(service) = observer {
            match caller.ask_observer(service, &query.to_url()).await {
                Ok(report) => return Ok(report),
                Err(error @ NotAnswered::Absent { .. }) => absent = Some(error),
                Err(error) => return Err(error.into()),
            }
        }
        match from_agents(&caller, query).await {
            Ok(report) => return Ok(report),
            Err(error @ NotAnswered::Absent { .. }) => {
                absent.get_or_insert(error);
            }
            Err(error) => return Err(error.into()),
        }
    }
    let source = absent.ok_or("there is no namespace to look in")?;
    Err(Box::new(NoAnswer {
        context: caller.context.clone(),
        namespaces,
        source,
    }))
}

async fn from_agents(caller: &Caller, query: &FleetQuery) -> Result<FleetReport, NotAnswered> {
    let mut progress: Option<Progress> = None;
    let asked = |done: usize, all: usize| match &mut progress {
        Some(progress) if done > 0 => progress.step("agents"),
        _ => {
            if !stderr().is_terminal() {
                // A log shows that the observer was not asked, or did not answer.
                anstream::eprintln!("asking {all} agents one by one");
            }
            progress = Some(Progress::asking(all));
        }
    };
    let asked = caller.ask_agents(RELEASE, asked).await?;
    drop(progress);
    let mut query = query.clone();
    if let Some(gate) = &mut query.gate {
        gate.nodes_not_listed = !asked.may_list_nodes;
        if asked.has_observer {
            // What it found and could not name, the agents do not know.
            gate.sources_unknown = vec!["observer".to_owned()];
        }
    }
    let mut report = asked.fleet.report(&query, SystemTime::now().into());
    report.answered_by = AnsweredBy {
        source: "agents".to_owned(),
        name: caller.context.clone(),
        version: VERSION.to_owned(),
    };
    Ok(report)
}

fn print(report: &FleetReport, output: Output) -> Result<(), Failure> {
    let mut out = anstream::stdout();
    match output {
        Output::Table => terminal(&mut out, report, terminal_width())?,
        Output::Json => {
            serde_json::to_writer_pretty(&mut out, report)?;
            writeln!(out)?;
        }
        Output::Markdown => write!(out, "{}", markdown(report))?,
        Output::Html => writeln!(out, "{}", document(report))?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use privatelink_fleet::Fleet;

    use super::*;

    fn written(name: &str, text: &str) -> PathBuf {
        let name = format!("report-{name}-{}.json", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).expect("a file");
        path
    }

    #[test]
    fn an_answer_that_was_fetched_elsewhere_is_read_as_it_was_written() {
        let report = Fleet::default().report(&FleetQuery::default(), Moment(1));
        let text = serde_json::to_string(&report).expect("JSON");
        let file = written("answer", &text);
        let read = fetched(&file).expect("a report");
        assert_eq!(serde_json::to_string(&read).expect("JSON"), text);
        std::fs::remove_file(file).expect("the file");
    }

    #[test]
    fn of_what_is_no_answer_the_beginning_is_shown() {
        let file = written(
            "refusal",
            "a bearer token that the API server knows is needed\n",
        );
        let error = fetched(&file).expect_err("no report").to_string();
        assert!(error.contains("begins with: a bearer token"), "{error}");
        std::fs::remove_file(file).expect("the file");
    }
}
