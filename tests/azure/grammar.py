"""Parses every `az` command of the product with the parser of the real Azure CLI, and runs none.

Usage: grammar.py FILE...     .json: a report of the agent; others: text that people read

A command that people paste has to be whole. A command that a sentence names (`az aks rotate-certs`) may
leave out what it requires. Exits with 1 if a command or an option does not exist.
"""

import argparse
import json
import logging
import os
import re
import shlex
import sys
import tempfile

home = tempfile.TemporaryDirectory()
os.environ.update(
    AZURE_CONFIG_DIR=home.name,
    AZURE_EXTENSION_DIR=f"{home.name}/extensions",
    AZURE_CORE_COLLECT_TELEMETRY="no",
    # An unknown command must not be looked up on the internet.
    AZURE_EXTENSION_USE_DYNAMIC_INSTALL="no",
)

from azure.cli.core import get_default_cli
from azure.cli.core.parser import AzCliCommandParser
from knack.events import EVENT_INVOKER_POST_PARSE_ARGS


class Parsed(BaseException):
    """The command was parsed; here it ends, before it would run."""


class Refused(BaseException):
    """The command was refused, by this parser, for this reason."""

    def __init__(self, parser, reason):
        super().__init__(reason)
        self.parser, self.reason = parser, reason


def parsed(*_args, **_kwargs):
    raise Parsed


def refused(parser, reason):
    raise Refused(parser, reason)


def graph_query():
    """`az graph query` is in an extension, which is in no package registry: its options are those of
    src/resource-graph/azext_resourcegraph/_params.py in azure-cli-extensions."""
    parser = argparse.ArgumentParser(prog="az graph query", allow_abbrev=False)
    parser.error = lambda reason: refused(parser, reason)
    parser.add_argument("--graph-query", "--q", "-q", required=True)
    for option in ["--first", "--skip"]:
        parser.add_argument(option, type=int)
    parser.add_argument("--skip-token")
    for names in [["--subscriptions", "-s"], ["--management-groups"]]:
        parser.add_argument(*names, nargs="*")
    parser.add_argument("--allow-partial-scopes", "-a")
    # Every command of az has these.
    parser.add_argument("--query")
    parser.add_argument("--output", "-o", choices="json jsonc yaml yamlc table tsv none".split())
    return parser


AzCliCommandParser.error = refused
cli = get_default_cli()
cli.register_event(EVENT_INVOKER_POST_PARSE_ARGS, parsed)
GRAPH_QUERY = graph_query()


def problem(words, whole):
    """What the parser says against the command `words`, or None."""
    # A variable to fill in may stand for a number.
    words = ["1" if re.fullmatch(r"\$\w+", word) else word for word in words]
    try:
        if words[:2] == ["graph", "query"]:
            GRAPH_QUERY.parse_args(words[2:])
        else:
            cli.invoke(list(words))
    except Parsed:
        return None
    except Refused as answer:
        options = answer.parser._option_string_actions
        unknown = [word for word in words if word.startswith("-") and word not in options]
        is_short = "required" in answer.reason or "expected" in answer.reason
        return None if is_short and not whole and not unknown else answer.reason
    except SystemExit:
        return "refused, as az says above"
    return None if words[:2] == ["graph", "query"] else "nothing was parsed"


def az_commands(line):
    """The words after `az` of each az command in a line of shell."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    commands, current, skip = [], None, False
    for word in lexer:
        if skip:
            skip = False
        elif set(word) <= set("<>&"):
            skip = True
        elif set(word) <= set("();|&"):
            current = None
        elif current is not None:
            current.append(word)
        elif word == "az":
            current = []
            commands.append(current)
    return commands


def from_report(text):
    """The command of each finding, and the commands that its sentences name."""
    for target in json.loads(text)["targets"]:
        sentences = [target.get("remedy") or ""]
        for finding in target["findings"]:
            sentences.append(finding["meaning"])
            if finding["command"]:
                yield finding["command"], True
        for sentence in sentences:
            for named in re.findall(r"\baz (?:[a-z-]+ ?)+", sentence):
                yield named, False


def from_text(text):
    """The commands of code blocks, and those that are named in backticks, comments or parentheses."""
    text = text.replace("\\\n", " ")
    for line in text.splitlines():
        if re.match(r"\s*az ", line):
            yield line, True
    named = re.findall(r"(?:`|# |\()(az [a-z][^`)\n]*(?:\n[^`)\n]+)?)(?=[`)\n])", text)
    for command in named:
        yield command.split("  ")[0], False


def main(paths):
    # That no subscription is known does not matter here.
    logging.disable(logging.WARNING)
    for nonsense in ["network vnt show", "network vnet show --bogus 1", "graph query -q x --bogus 1"]:
        assert problem(nonsense.split(), True), f"the parser takes anything: az {nonsense}"
    seen, wrong = set(), 0
    for path in paths:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        found = from_report(text) if path.endswith(".json") else from_text(text)
        for line, whole in found:
            try:
                commands = az_commands(line)
            except ValueError as error:
                wrong += 1
                print(f"{path}: {line}\n    {error}")
                continue
            for words in commands:
                key = (tuple(words), whole)
                if key in seen:
                    continue
                seen.add(key)
                reason = problem(words, whole)
                if reason:
                    wrong += 1
                    print(f"{path}: az {shlex.join(words)}\n    {reason}")
    print(f"{len(seen)} different az commands, {wrong} wrong")
    return 1 if wrong or not seen else 0


sys.exit(main(sys.argv[1:]))
