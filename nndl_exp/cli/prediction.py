"""What a run's network says of a user's examples."""

from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
from rich.console import Console

from nndl_exp.cli.errors import report_error
from nndl_exp.datasets import FILES, Reading, framing_of, read_new
from nndl_exp.datasets.npz import read_arrays
from nndl_exp.datasets.pictures import read_picture
from nndl_exp.errors import UserError
from nndl_exp.escaping import printable
from nndl_exp.nn import Network
from nndl_exp.nn.arrays import Array
from nndl_exp.records import RunDirectory


def predict(directory: RunDirectory, files: Sequence[Path], console: Console) -> bool:
    """Print a run's predictions for the examples of some files; whether all could be read."""
    network, reading, complete = directory.network(), directory.reading(), True
    source = directory.config().dataset.name
    for path in files:
        try:
            examples = read_examples(path, source, reading)
        except UserError as e:
            report_error(str(e))
            complete = False
            continue
        for name, x in examples:
            console.print(f"{name}: {answer(network, reading, x.astype(network.dtype))}")
    return complete


def answer(network: Network, reading: Reading, x: Array) -> str:
    """What a network says of one example, x of shape (1, n_in): the most likely classes, or the
    numbers in the unit of the target."""
    if reading.target is not None:
        numbers = reading.target.undo(network.predict(x).astype(np.float64))[0]
        return " · ".join(f"{number:.6g}" for number in numbers)
    p, classes = network.probabilities(x)[0], reading.classes
    order = p.argsort()[::-1][:3]
    guesses = " · ".join(f"{classes[i]} {100 * p[i]:.1f} %" for i in order)
    return f"{classes[order[0]]}   ({guesses})"


def read_examples(path: Path, source: str, reading: Reading) -> list[tuple[str, Array]]:
    """The examples of a file, each with a name and its inputs as an array of shape (1, n_in).

    Raises:
        UserError: the file can't be read, or does not fit the network.
    """
    n_in = reading.n_in
    if source in FILES:
        rows = read_new(source, reading, path)
        for warning in rows.warnings:
            click.echo(printable(f"warning: {path}: {warning}"), err=True)
        return [(f"{path}[{i}]", rows.x[i : i + 1]) for i in range(len(rows.x))]
    if path.suffix == ".npz":
        return _read_npz(path, n_in)
    return [(str(path), read_picture(path, framing_of(source, reading)))]


def _read_npz(path: Path, n_in: int) -> list[tuple[str, Array]]:
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
