"""``python -m experiments``: which scripts there are, and the page of all their results."""

import importlib
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from nndl_exp.book.comparison import Comparison, table
from nndl_exp.book.experiment import lead, output_of
from nndl_exp.book.header import Header
from nndl_exp.cli.console import make_console
from nndl_exp.cli.errors import one_line_errors
from nndl_exp.errors import UserError
from nndl_exp.records import atomic

PAGE, PICTURES = "RESULTS.md", "figures"
_HEAD = """# The book, regenerated

Made by `python -m experiments all`; rows of Replay that compare whole published files take
`published=DIR`, the folder `fig/` of the book's repository. ± is where one more run would lie with
95 % (Student's t): a number of the book, which is one run, agrees where it lies inside.
"""


@one_line_errors
def command(folder: Path) -> None:
    """The command line: nothing for the list; ``all [SETTING=VALUE]`` for every script and the page
    of their results; ``page`` for the page alone, from what each script left when it ran last."""
    words = sys.argv[1:]
    if not words:
        show_list(folder)
    elif words[0] == "all":
        run_all(folder, words[1:])
    elif words[0] == "page":
        write_page(folder, words[1:])
    else:
        known = ", ".join(header.name for _, header in scripts(folder))
        raise UserError(
            f"python -m experiments takes nothing, all or page: got {words[0]}; a script is run by "
            f"python -m experiments.NAME ({known})"
        )


def scripts(folder: Path) -> list[tuple[ModuleType, Header]]:
    """The scripts of a folder, in the order of the book."""
    names = sorted(path.stem for path in folder.glob("*.py") if path.stem[:1] != "_")
    modules = [importlib.import_module(f"{folder.name}.{name}") for name in names]
    pairs = [(module, Header.of(module)) for module in modules]
    return sorted(pairs, key=lambda pair: (pair[1].section.split(",")[0], pair[1].name))


def show_list(folder: Path) -> None:
    """Print the scripts with their sections, minutes, and what came out last."""
    console, output = make_console(), output_of([])
    console.print(f"{'python -m experiments.':<38}minutes  last time                section")
    for _, header in scripts(folder):
        result = read(output, header.name)
        said = "not run" if result is None else verdicts(result)
        console.print(f"{header.name:<38}{header.minutes:>7g}  {said:<24} {header.section}")


def run_all(folder: Path, words: Sequence[str]) -> None:
    """Run every script, then write the page."""
    for module, _ in scripts(folder):
        lead(module, words)
    write_page(folder, words)


def write_page(folder: Path, words: Sequence[str]) -> None:
    """Write the page of results, and copy the figures beside it.

    Raises:
        UserError: a script has not been run.
    """
    output, headers = output_of(words), [header for _, header in scripts(folder)]
    if missing := [header.name for header in headers if read(output, header.name) is None]:
        raise UserError(
            f"the page must have a result of every script: got none of {', '.join(missing)} in "
            f"{output}; python -m experiments all runs them"
        )
    pages = [page(output, header, folder) for header in headers]
    text = "\n".join([_HEAD, *pages])
    atomic.write(folder / PAGE, text.encode())
    make_console().print(f"saved    {folder / PAGE}")


def page(output: Path, header: Header, folder: Path) -> str:
    """The part of a script on the page; its pictures are copied beside the page."""
    result = read(output, header.name)
    assert result is not None
    rows = rows_of(result)
    digits = "the full digits" if result["full"] else "the 5,000 digits"
    lines = [f"## {header.title}", "", f"{header.section} · `python -m experiments.{header.name}`"]
    lines += [f"· {result['seconds'] / 60:.1f} minutes, {digits}", ""]
    lines += table(rows) if rows else []
    (folder / PICTURES).mkdir(exist_ok=True)
    for name in result["figures"]:
        if name.endswith(".png"):
            source = output / "experiments" / header.name / name
            shutil.copyfile(source, folder / PICTURES / name)
            lines += ["", f"![{header.title}]({PICTURES}/{name})"]
    return "\n".join([*lines, ""])


def read(output: Path, name: str) -> dict[str, Any] | None:
    """What a script left the last time that it ran; None if it did not."""
    path = output / "experiments" / name / "result.json"
    return json.loads(path.read_text()) if path.is_file() else None


def rows_of(result: dict[str, Any]) -> list[Comparison]:
    """The rows of a result's table."""
    return [Comparison(**{**row, "here": tuple(row["here"])}) for row in result["rows"]]


def verdicts(result: dict[str, Any]) -> str:
    """How many numbers of the book were met."""
    compared = [row for row in rows_of(result) if row.book is not None]
    agree = sum(row.verdict == "agrees" for row in compared)
    return f"{agree} of {len(compared)} agree"
