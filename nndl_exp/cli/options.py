"""Options that several commands take."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import click

from nndl_exp.config import default_output
from nndl_exp.display.terminal.screen import Verbosity
from nndl_exp.errors import UserError

output_option = click.option(
    "--output",
    default=default_output,
    show_default="nndl-output, or NNDL_OUTPUT",
    help="The folder that the runs are kept in.",
)


def output_of_group(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--output`` of a command in a group that has it too: typed before or after its name."""

    @click.option("--output", default=None, help="The folder that the runs are kept in.")
    @click.pass_obj
    @functools.wraps(command)
    def placed(kept: str, /, *args: Any, output: str | None, **kwargs: Any) -> Any:
        return command(output or kept, *args, **kwargs)

    return placed


tracking_option = click.option(
    "--tracking-uri",
    envvar="NNDL_TRACKING_URI",
    default=None,
    help="MLflow's tracking URI, if not the database in the output folder.",
)

_QUIET, _VERBOSE = ("-q", "--quiet"), ("-v", "--verbose")
FLAGS = (*_QUIET, *_VERBOSE)
"""What is typed for how much a command tells."""


def verbosity_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """-q and -v of a command, which is given them as ``verbosity``."""

    @click.option(*_QUIET, is_flag=True, help="Print the verdict, errors and warnings only.")
    @click.option(*_VERBOSE, is_flag=True, help="Tell more: what is done when, how long it takes.")
    @functools.wraps(command)
    def told(*args: Any, quiet: bool, verbose: bool, **kwargs: Any) -> Any:
        return command(*args, verbosity=_verbosity(quiet, verbose), **kwargs)

    return told


def verbosity_of(words: Sequence[str]) -> tuple[Verbosity, list[str]]:
    """How much the words of a command line ask to be told, and the other words.

    Raises:
        UserError: they ask for less and for more.
    """
    quiet, verbose = (any(word in flags for word in words) for flags in (_QUIET, _VERBOSE))
    return _verbosity(quiet, verbose), [word for word in words if word not in FLAGS]


def _verbosity(quiet: bool, verbose: bool) -> Verbosity:
    if quiet and verbose:
        raise UserError("-q and -v can't be given together: a command tells less, or more")
    if quiet:
        return Verbosity.QUIET
    return Verbosity.VERBOSE if verbose else Verbosity.NORMAL
