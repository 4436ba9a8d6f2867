"""``python -m nndl_exp.predict RUN FILES...``: what a run's network says of a user's examples."""

import sys
from pathlib import Path

import click

from nndl_exp.cli.console import make_console
from nndl_exp.cli.errors import command_line
from nndl_exp.cli.options import output_option, tracking_option
from nndl_exp.cli.runs import find_finished_run
from nndl_exp.config import TrackingConfig

HELP = """What the best network of RUN (a name, a study for its winner, a folder, a best.yaml, an
MLflow id) says of FILES.

For digits and clothes: pictures (PNG, JPEG, ...) of one each, of any size, dark on light or
light on dark; or an .npz whose array x has a row of pixels between 0 and 1 for each example.
For a network trained on your own file: another one of the same kind, with the same columns.
A file that can't be read is reported and passed over; the exit status is then 2.
"""


@click.command(name="python -m nndl_exp.predict", help=HELP)
@click.argument("run")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@output_option
@tracking_option
def command(run: str, files: tuple[Path, ...], output: str, tracking_uri: str | None) -> None:
    """Print what a run's network says of some files."""
    found = find_finished_run(run, output, TrackingConfig(uri=tracking_uri), "predict")
    from nndl_exp.cli.prediction import predict

    if not predict(found.directory, files, make_console()):
        sys.exit(2)


main = command_line(command)

if __name__ == "__main__":
    main()
