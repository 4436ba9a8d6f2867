"""Drawing the first-layer weights of a recorded run."""

from pathlib import Path

from nndl_exp.display.figures.saving import save
from nndl_exp.display.figures.winner import first_layer_weights
from nndl_exp.records import RunDirectory


def draw_weights(directory: RunDirectory) -> Path:
    """Draw the weights of a settled run's best network into its folder; the file.

    The inputs of the network must be pictures.
    """
    path = directory.path / "first_layer_weights.png"
    save(first_layer_weights(directory.network(), directory.reading()), path, dpi=100)
    return path
