"""``python -m nndl_exp.evaluate RUN``: the test set, once for each study."""

import click

from nndl_exp.cli.console import make_screen
from nndl_exp.cli.errors import command_line
from nndl_exp.cli.options import output_option, tracking_option, verbosity_options
from nndl_exp.cli.runs import find_finished_run
from nndl_exp.config import TrackingConfig
from nndl_exp.display.terminal.screen import Verbosity

HELP = """Measure RUN (a name such as STUDY/17, a study for its winner, a folder, a best.yaml, an
MLflow id) on the test set.

Once for each study, when it has ended: whoever chooses between runs by the test set has no test
set left.
"""


@click.command(name="python -m nndl_exp.evaluate", help=HELP)
@click.argument("run")
@click.option("--again", is_flag=True, help="Look once more, and keep a note of it.")
@click.option(
    "--unfinished", is_flag=True, help="Look although the study has not ended, and keep a note."
)
@output_option
@tracking_option
@verbosity_options
def command(
    run: str,
    again: bool,
    unfinished: bool,
    output: str,
    tracking_uri: str | None,
    verbosity: Verbosity,
) -> None:
    """Measure a run on the test set."""
    tracking, screen = TrackingConfig(uri=tracking_uri), make_screen(verbosity)
    found = find_finished_run(run, output, tracking, "be evaluated")
    from nndl_exp.cli.evaluation import evaluate_run

    evaluate_run(found, output, tracking, screen, again=again, unfinished=unfinished)


main = command_line(command)

if __name__ == "__main__":
    main()
