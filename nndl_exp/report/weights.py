"""The weights of a network's first layer, as pictures of what each hidden neuron looks for."""

import math
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from nndl_exp.nn.arrays import Array
from nndl_exp.records import RunDirectory
from nndl_exp.report.saving import save

MOST = 100
"""So many neurons are shown at most, the first ones."""


def draw_weights(directory: RunDirectory, name: str) -> Path | None:
    """Draw the first-layer weights of a settled run's best network into its folder; the file.

    None where the inputs are not pixels.
    """
    shape, network = directory.reading().shape, directory.network()
    if shape is None:
        return None
    path = directory.path / "first_layer_weights.png"
    save(first_layer(network.weights[0], shape, name), path, dpi=100)
    return path


def first_layer(w: Array, shape: tuple[int, int], name: str) -> Figure:
    """The rows of ``w``, of shape (n_out, height * width), as tiles of ``shape``; 0 is white."""
    shown = w[:MOST]
    most = float(np.abs(shown).max()) or 1.0
    columns = math.ceil(math.sqrt(len(shown)))
    figure = Figure(figsize=(7.2, 6.8))
    figure.subplots_adjust(left=0.02, right=0.94, bottom=0.02, top=0.93)
    axes = figure.subplots()
    # Not smoothed: a weight is a square of one colour, and the file less than half as large.
    picture = axes.imshow(
        tiled(shown, shape, columns), "RdBu_r", interpolation="nearest", vmin=-most, vmax=most
    )
    axes.set_axis_off()
    figure.colorbar(picture, ax=axes, fraction=0.04, pad=0.02)
    of = f"{len(shown)} of {len(w)}" if len(shown) < len(w) else f"{len(w)}"
    figure.suptitle(f"{name}: first-layer weights of {of} neurons", fontsize=10)
    return figure


def tiled(w: Array, shape: tuple[int, int], columns: int) -> Array:
    """One picture of all rows, left to right and top to bottom, with a pixel of NaN between."""
    rows, (height, width) = math.ceil(len(w) / columns), shape
    sheet = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1), np.nan)
    for i, weights in enumerate(w):
        top, left = i // columns * (height + 1), i % columns * (width + 1)
        sheet[top : top + height, left : left + width] = weights.reshape(shape)
    return sheet
