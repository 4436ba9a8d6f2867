"""Options that several commands take."""

from collections.abc import Callable, Sequence
from typing import Any

import click

from nndl_exp.cli.runs import default_output
from nndl_exp.report.screen import Verbosity

output_option = click.option(
    "--output",
    default=default_output,
    show_default="nndl-output, or NNDL_OUTPUT",
    help="The folder that the runs are kept in.",
)
tracking_option = click.option(
    "--tracking-uri",
    envvar="NNDL_TRACKING_URI",
    default=None,
    help="MLflow's tracking URI, if not the database in the output folder.",
)

FLAGS = {
    "-q": Verbosity.QUIET,
    "--quiet": Verbosity.QUIET,
    "-v": Verbosity.VERBOSE,
    "--verbose": Verbosity.VERBOSE,
}
"""What is typed for how much a command tells; of several the last one counts."""


def verbosity_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """-q and -v of a command, which is given them as ``verbosity``."""

    def read(context: click.Context, parameter: click.Parameter, value: str) -> Verbosity:
        return Verbosity[value]

    quiet = click.option(
        "-q", "--quiet", "verbosity", flag_value="QUIET", default="NORMAL", callback=read,
        help="Print the verdict, errors and warnings only.",
    )  # fmt: skip
    verbose = click.option(
        "-v", "--verbose", "verbosity", flag_value="VERBOSE", callback=read,
        help="Tell more: what is done when, and how long it takes.",
    )  # fmt: skip
    return quiet(verbose(command))


def verbosity_of(words: Sequence[str]) -> tuple[Verbosity, list[str]]:
    """How much the words of a command line ask to be told, and the other words."""
    asked = [FLAGS[word] for word in words if word in FLAGS]
    rest = [word for word in words if word not in FLAGS]
    return asked[-1] if asked else Verbosity.NORMAL, rest
