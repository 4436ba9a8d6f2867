"""``python -m nndl_exp.predict RUN FILES...``: what a run's network says of a user's examples."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from nndl_exp.cli.console import make_console
from nndl_exp.cli.errors import one_line_errors, report_error
from nndl_exp.cli.options import output_option, tracking_option
from nndl_exp.config import TrackingConfig
from nndl_exp.errors import UserError
from nndl_exp.escaping import printable
from nndl_exp.nn.arrays import Array

if TYPE_CHECKING:
    from nndl_exp.datasets import Reading
    from nndl_exp.nn import Network


@click.command(name="python -m nndl_exp.predict")
@click.argument("run")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@output_option
@tracking_option
def command(run: str, files: tuple[Path, ...], output: str, tracking_uri: str | None) -> None:
    """What the best network of RUN (a name, a study for its winner, a folder, a best.yaml, an
    MLflow id) says of FILES.

    For digits and clothes: pictures (PNG, JPEG, ...) of one each, of any size, dark on light or
    light on dark; or an .npz whose array x has a row of pixels between 0 and 1 for each example.
    For a network trained on your own file: another one of the same kind, with the same columns.
    A file that can't be read is reported and passed over; the exit status is then 2.
    """
    from nndl_exp.cli.runs import find_run

    found = find_run(run, output, TrackingConfig(uri=tracking_uri))
    if found.directory.result() is None:
        raise UserError(f"{found.name} has not ended; only a settled run can predict")
    network, reading = found.directory.network(), found.directory.reading()
    source = found.directory.config().dataset.name
    console, bad = make_console(), False
    for path in files:
        try:
            examples = read_examples(path, source, reading)
        except UserError as e:
            report_error(str(e))
            bad = True
            continue
        for name, x in examples:
            console.print(f"{name}: {answer(network, reading, x.astype(network.dtype))}")
    if bad:
        sys.exit(2)


def answer(network: "Network", reading: "Reading", x: Array) -> str:
    """What a network says of one example, x of shape (1, n_in): the most likely classes, or the
    numbers in the unit of the target."""
    if reading.target is not None:
        numbers = reading.target.undo(network.predict(x).astype(np.float64))[0]
        return " · ".join(f"{number:.6g}" for number in numbers)
    p, classes = network.probabilities(x)[0], reading.classes
    order = p.argsort()[::-1][:3]
    guesses = " · ".join(f"{classes[i]} {100 * p[i]:.1f} %" for i in order)
    return f"{classes[order[0]]}   ({guesses})"


def read_examples(path: Path, source: str, reading: "Reading") -> list[tuple[str, Array]]:
    """The examples of a file, each with a name and its inputs as an array of shape (1, n_in).

    Raises:
        UserError: the file can't be read, or does not fit the network.
    """
    from nndl_exp.datasets import FILES, framing_of, read_new

    n_in = reading.n_in
    if source in FILES:
        rows = read_new(source, reading, path)
        for warning in rows.warnings:
            click.echo(printable(f"warning: {path}: {warning}"), err=True)
        return [(f"{path}[{i}]", rows.x[i : i + 1]) for i in range(len(rows.x))]
    if path.suffix == ".npz":
        return _read_npz(path, n_in)
    from nndl_exp.datasets.pictures import read_picture

    return [(str(path), read_picture(path, framing_of(source, reading)))]


def _read_npz(path: Path, n_in: int) -> list[tuple[str, Array]]:
    from nndl_exp.datasets.npz import read_arrays

    arrays = read_arrays(path)
    if "x" not in arrays:
        raise UserError(f"{path} must hold an array named x: got {', '.join(arrays) or 'none'}")
    x = arrays["x"]
    if x.ndim != 2 or x.shape[1] != n_in or x.dtype.kind not in "fiub" or not len(x):
        raise UserError(
            f"x in {path} must be numbers of shape (n, {n_in}): got {x.shape} {x.dtype}"
        )
    if not np.isfinite(x).all() or x.min() < 0 or x.max() > 1:
        raise UserError(
            f"x in {path} must lie between 0 and 1, scaled as the training pictures were: "
            f"got {x.min():g} to {x.max():g}"
        )
    return [(f"{path}[{i}]", x[i : i + 1]) for i in range(len(x))]


@one_line_errors
def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    command(arguments, standalone_mode=False)


if __name__ == "__main__":
    main()
