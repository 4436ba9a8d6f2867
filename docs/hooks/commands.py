"""reference/commands.md: what each command says to --help, asked when the site is built."""

import re

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from nndl_exp.__main__ import HYDRA_COMMANDS, nndl
from nndl_exp.cli.conf import CONF

INTRODUCTION = """# Commands

What each command says to `--help`. `python -m nndl_exp.NAME` and `nndl NAME` are the same;
`nndl-train` and `nndl-sweep` too, and with `eval "$(nndl-train -sc install=bash)"` tab completes
their settings. A mistake ends with one line that begins with `error:` and status 2; `reproduce`
ends with status 1 where something is different.
"""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the page."""
    files.append(File.generated(config, "reference/commands.md", content=page()))
    return files


def page() -> str:
    """Each command with its help."""
    context = click.Context(nndl, info_name="nndl")
    parts = [INTRODUCTION]
    for name in nndl.list_commands(context):
        parts.append(f"## {name}\n")
        if name in HYDRA_COMMANDS:
            parts += [HYDRA_COMMANDS[name] + "\n", block(header_of(name))]
            parts.append("The groups and settings that follow there: [settings](settings.md).\n")
            continue
        command = nndl.get_command(context, name)
        assert command is not None
        parts += list(helps(command, f"python -m nndl_exp.{name}"))
    return "\n".join(parts)


def helps(command: click.Command, name: str) -> list[str]:
    """The help of a command, then of those below it."""
    context = click.Context(command, info_name=name, max_content_width=100, terminal_width=100)
    found = [block(command.get_help(context))]
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            below = command.get_command(context, inner)
            assert below is not None
            found += [f"### {inner}\n", *helps(below, f"{name} {inner}")]
    return found


def header_of(name: str) -> str:
    """What Hydra's help of a command begins with, from its configuration."""
    text = (CONF / f"{name}.yaml").read_text()
    found = re.search(r"header: \|\n((?: {6}.*\n|\n)+)", text)
    assert found, name
    return re.sub(r"^ {6}", "", found[1], flags=re.MULTILINE)


def block(text: str) -> str:
    """Text as it is."""
    return f"```text\n{text.strip()}\n```\n"
