//! Generate: what the program prints about itself: schemas, tables, shell completions, manual pages.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, ValueEnum};

use super::{Cli, EXIT_OK, Failure};
use privatelink_config::diagnostic::quoted;
use privatelink_config::schema as config_schema;
#[cfg(feature = "observer")]
use privatelink_observer::private_link_target;
use privatelink_report::schema as report_schema;
use privatelink_verdict::suggest::did_you_mean;

/// What `schema` may be asked for.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    privatelink-prober schema config > config.schema.json    for an editor's completion\n  \
    privatelink-prober schema reasons                        every reason, with what to do\n  \
    privatelink-prober schema metrics -o json")]
pub(super) struct SchemaArgs {
    /// What to print.
    #[arg(value_enum)]
    what: Subject,
    /// How to print a table. A schema has one format.
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t = TableFormat::Markdown)]
    output: TableFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Subject {
    /// JSON schema of the configuration file.
    Config,
    /// Definition of the kind `PrivateLinkTarget`, as YAML for `kubectl apply`.
    #[cfg(feature = "observer")]
    Crd,
    /// JSON schema of `check -o json` and /api/v1/targets.
    Report,
    /// JSON schema of /api/v1/summary.
    Summary,
    /// Every metric.
    Metrics,
    /// Every reason, with its meaning and remedy.
    Reasons,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum TableFormat {
    /// A Markdown table.
    Markdown,
    /// JSON.
    Json,
}

/// What `completion` may be asked for.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    source <(privatelink-prober completion bash)\n  \
    privatelink-prober completion zsh > ~/.zfunc/_privatelink-prober\n  \
    privatelink-prober completion fish > ~/.config/fish/completions/privatelink-prober.fish")]
pub(super) struct CompletionArgs {
    /// The shell.
    #[arg(value_enum, required_unless_present = "target_names")]
    shell: Option<clap_complete::Shell>,

    /// Print the targets of the configurations that the words of a command line name. The scripts ask
    /// so for what may stand behind `--target`.
    #[arg(long, value_name = "WORD", hide = true, num_args = 0.., allow_hyphen_values = true)]
    target_names: Option<Vec<String>>,
}

/// What `man` may be asked for.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    privatelink-prober man | man -l -\n  \
    privatelink-prober man check | man -l -")]
pub(super) struct ManArgs {
    /// The command whose page it should be; without it, the page of the whole.
    command: Option<String>,
}

pub(super) fn schema(args: &SchemaArgs) -> Result<ExitCode, Failure> {
    let mut out = io::stdout().lock();
    match (args.what, args.output) {
        (Subject::Config, _) => {
            serde_json::to_writer_pretty(&mut out, &config_schema::config())?;
            writeln!(out)?;
        }
        #[cfg(feature = "observer")]
        (Subject::Crd, _) => out.write_all(private_link_target::crd_yaml().as_bytes())?,
        (Subject::Report, _) => report_schema::report(&mut out)?,
        (Subject::Summary, _) => report_schema::summary(&mut out)?,
        (Subject::Metrics, TableFormat::Markdown) => report_schema::metrics_markdown(&mut out)?,
        (Subject::Metrics, TableFormat::Json) => report_schema::metrics_json(&mut out)?,
        (Subject::Reasons, TableFormat::Markdown) => report_schema::reasons_markdown(&mut out)?,
        (Subject::Reasons, TableFormat::Json) => report_schema::reasons_json(&mut out)?,
    }
    Ok(EXIT_OK.into())
}

pub(super) fn completion(args: &CompletionArgs) -> Result<ExitCode, Failure> {
    let mut out = io::stdout().lock();
    if let Some(words) = &args.target_names {
        for name in target_names(words) {
            writeln!(out, "{name}")?;
        }
    } else if let Some(shell) = args.shell {
        out.write_all(completion_script(shell).as_bytes())?;
    }
    Ok(EXIT_OK.into())
}

/// The names of the targets in the files behind `--config`; none where they cannot be read, since the
/// command that is being typed will say why.
fn target_names(words: &[String]) -> Vec<String> {
    let mut files: Vec<PathBuf> = Vec::new();
    // Bash splits `--config=FILE` into three words.
    let mut words = words.iter().map(String::as_str).filter(|word| *word != "=");
    while let Some(word) = words.next() {
        let file = match word.strip_prefix("--config") {
            Some("") => words.next(),
            Some(rest) => rest.strip_prefix('='),
            None => None,
        };
        // Standard input is the shell's.
        let file = file.filter(|file| *file != privatelink_config::STANDARD_INPUT);
        files.extend(file.map(PathBuf::from));
    }
    let plan = privatelink_config::load(&files);
    let targets = plan.map(|plan| plan.targets).unwrap_or_default();
    targets.iter().map(|target| target.name.clone()).collect()
}

fn completion_script(shell: clap_complete::Shell) -> String {
    let mut script = Vec::new();
    let mut command = Cli::command();
    let name = command.get_name().to_owned();
    clap_complete::generate(shell, &mut command, name, &mut script);
    // clap_complete writes the hyphen of the program's name as `__subcmd__` where the script for bash
    // looks a command up, and as `__` where it sets one, so that it would find no command.
    let script = String::from_utf8_lossy(&script)
        .replace("privatelink__subcmd__prober", "privatelink__prober");
    let lines = script.split_inclusive('\n').scan("", |before, line| {
        let completed = completing_targets(shell, before, line);
        *before = line;
        Some(completed)
    });
    lines.collect()
}

/// A line of a script that completes `--target`, made to ask this program for the names; any other as it
/// is. What clap generates knows only words that are always the same.
fn completing_targets(shell: clap_complete::Shell, before: &str, line: &str) -> String {
    use clap_complete::Shell;

    const ASK: &str = "privatelink-prober completion --target-names";
    match shell {
        Shell::Bash if before.trim() == "--target)" => {
            let names = format!("$({ASK} \"${{COMP_WORDS[@]:1}}\" 2>/dev/null)");
            line.replace(
                "compgen -f \"${cur}\"",
                &format!("compgen -W \"{names}\" -- \"${{cur}}\""),
            )
        }
        Shell::Zsh if line.contains("'*--target=[") => {
            let names = format!("${{(f)\"$({ASK} ${{words}} 2>/dev/null)\"}}");
            line.replace(":NAME:_default'", &format!(":NAME:{{compadd -- {names}}}'"))
        }
        Shell::Fish if line.contains(" -l target ") => {
            let names = format!("({ASK} (commandline -opc)[2..] 2>/dev/null)");
            format!("{} -f -a \"{names}\"\n", line.trim_end())
        }
        _ => line.to_owned(),
    }
}

pub(super) fn man(args: &ManArgs) -> Result<ExitCode, Failure> {
    let mut whole = Cli::command();
    whole.build();
    let command = match &args.command {
        None => whole.after_help("Each command has a page: privatelink-prober man COMMAND."),
        Some(name) => match whole.find_subcommand(name) {
            Some(command) => command.clone(),
            None => return Err(no_such_command(name, &whole).into()),
        },
    };
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    io::stdout().write_all(&page)?;
    Ok(EXIT_OK.into())
}

fn no_such_command(name: &str, whole: &clap::Command) -> String {
    let commands = whole.get_subcommands().map(clap::Command::get_name);
    let hint = did_you_mean(name, commands).unwrap_or_else(|| "--help lists them".to_owned());
    format!("there is no command called {}; {hint}", quoted(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_teaches_with_examples() {
        let mut whole = Cli::command();
        whole.build();
        for command in whole.get_subcommands_mut() {
            let name = command.get_name().to_owned();
            if name == "help" {
                continue;
            }
            let help = command.render_long_help().to_string();
            let examples = help.split_once("Examples:").map(|(_, examples)| examples);
            let examples = examples.unwrap_or_else(|| panic!("{name} has no examples"));
            assert!(
                examples.contains(&format!("privatelink-prober {name}")),
                "{name}"
            );
        }
    }

    /// What is typed in an example, up to the words beside it or a redirection.
    fn typed(line: &str) -> Option<Vec<&str>> {
        let line = line.trim().strip_prefix("privatelink-prober ")?;
        let line = line.split("  ").next()?;
        let words = line.split(['>', '<', '|']).next()?.split_whitespace();
        Some(["privatelink-prober"].into_iter().chain(words).collect())
    }

    #[test]
    fn every_example_is_a_command_line_that_is_understood() {
        let mut whole = Cli::command();
        whole.build();
        let mut tried = 0;
        let mut pages = vec![whole.render_long_help().to_string()];
        for command in whole.clone().get_subcommands_mut() {
            pages.push(command.render_long_help().to_string());
        }
        for words in pages.iter().flat_map(|page| page.lines()).filter_map(typed) {
            let parsed = Cli::command().try_get_matches_from(&words);
            assert!(parsed.is_ok(), "{words:?}: {parsed:?}");
            tried += 1;
        }
        assert!(tried > 20, "{tried}");
    }

    #[test]
    fn a_misspelt_command_has_no_page_and_a_hint() {
        let args = ManArgs {
            command: Some("chekc".to_owned()),
        };
        let error = man(&args).expect_err("no such command").to_string();
        assert!(error.ends_with("did you mean `check`?"), "{error}");
    }

    #[test]
    fn bash_zsh_and_fish_ask_for_the_names_of_targets_and_know_the_words_of_flags() {
        use clap_complete::Shell;

        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let script = completion_script(shell);
            let asks = script.matches("completion --target-names").count();
            // `report` has the flag too, which takes one value, and zsh is asked for lists of them alone.
            let commands = if cfg!(feature = "observer") && shell != Shell::Zsh {
                2
            } else {
                1
            };
            assert_eq!(asks, commands, "{shell}");
            for word in [
                "privateEndpoint",
                "serviceEndpoint",
                "postgres",
                "public_fallback",
            ] {
                assert!(script.contains(word), "{shell}: {word}");
            }
        }
    }

    #[test]
    fn the_names_of_targets_come_from_the_files_behind_config() {
        let directory = std::env::temp_dir().join(format!("plp-names-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("a temporary directory");
        let file = directory.join("config.yaml");
        std::fs::write(
            &file,
            "targets: [{host: a.example.com}, {host: b.example.com, name: b}]\n",
        )
        .expect("a temporary file");
        let file = file.display().to_string();
        let names = |words: &[&str]| {
            target_names(
                &words
                    .iter()
                    .map(|word| (*word).to_owned())
                    .collect::<Vec<_>>(),
            )
        };
        let all = ["a.example.com", "b"];
        assert_eq!(names(&["check", "--config", &file, "--target", ""]), all);
        assert_eq!(
            names(&["check", &format!("--config={file}"), "--target"]),
            all
        );
        assert_eq!(names(&["check", "--config", "=", &file, "--target"]), all);
        for nothing in [
            &["check"][..],
            &["--config"],
            &["--config", "-"],
            &["--config", "/none"],
        ] {
            assert_eq!(names(nothing), [""; 0], "{nothing:?}");
        }
        std::fs::remove_dir_all(&directory).expect("the temporary directory");
    }

    #[test]
    fn bash_finds_what_completes_every_command() {
        let script = completion_script(clap_complete::Shell::Bash);
        let set = script.lines().filter_map(|line| {
            let name = line.trim().strip_prefix("cmd=\"")?.strip_suffix('"')?;
            (!name.is_empty()).then_some(name)
        });
        let set: Vec<_> = set.collect();
        assert!(set.len() > 8, "{set:?}");
        for name in set {
            let branch = format!("{name})");
            let is_there = script.lines().any(|line| line.trim() == branch);
            assert!(is_there, "no branch for {name}");
        }
    }
}
