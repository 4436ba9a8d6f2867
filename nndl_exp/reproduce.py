"""``python -m nndl_exp.reproduce RUN``: train again from the record and compare, bit for bit."""

import sys

import click

from nndl_exp.cli.console import make_screen
from nndl_exp.cli.errors import command_line
from nndl_exp.cli.options import output_option, tracking_option, verbosity_options
from nndl_exp.cli.runs import Found, find_run, find_study
from nndl_exp.config import TrackingConfig
from nndl_exp.display.terminal.screen import Verbosity

HELP = """Train RUN again from its recorded config and compare every epoch and the weights.

RUN is a name (STUDY/17), a run's folder, a best.yaml, an MLflow run id, or a whole study: then
the search itself is repeated, every trial and the table. Exits with 0 if all is identical to
the bit, with 1 if not, or if this processor can't run the kernels of BLAS that it was trained with.
"""


@click.command(name="python -m nndl_exp.reproduce", help=HELP)
@click.argument("run")
@output_option
@tracking_option
@verbosity_options
def command(run: str, output: str, tracking_uri: str | None, verbosity: Verbosity) -> None:
    """Train a run or a study again and compare."""
    found = find_study(run, output) or find_run(run, output, TrackingConfig(uri=tracking_uri))
    from nndl_exp.cli.kernels import elsewhere
    from nndl_exp.cli.reproduction import reproduce_run, reproduce_study

    screen = make_screen(verbosity)
    status = elsewhere(found, _words(run, output, tracking_uri, verbosity), screen)
    if status is not None:
        sys.exit(status)
    if isinstance(found, Found):
        identical = reproduce_run(found.name, found.directory, screen)
    else:
        identical = reproduce_study(*found, screen)
    screen.tell("IDENTICAL" if identical else "DIFFERENT")
    sys.exit(0 if identical else 1)


def _words(run: str, output: str, uri: str | None, verbosity: Verbosity) -> list[str]:
    flags = {Verbosity.QUIET: ["-q"], Verbosity.VERBOSE: ["-v"]}.get(verbosity, [])
    return [*flags, *(["--tracking-uri", uri] if uri else []), "--output", output, "--", run]


main = command_line(command)

if __name__ == "__main__":
    main()
