"""Many small pictures in one figure."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from nndl_exp.nn.arrays import Array

_A_ROW, _WIDTH = 8, 8.0  # inches


def gallery(pictures: Array, names: Sequence[str], **colours: Any) -> Figure:
    """Pictures, of shape (n, height, width), in rows, with a name above each.

    They are drawn as one image: axes for each would take a second for forty of them.
    """
    n, height, width = pictures.shape
    columns = min(n, _A_ROW)
    rows = math.ceil(n / columns)
    lines = max(name.count("\n") + 1 for name in names)
    inch = _WIDTH / (_A_ROW * 1.08 * width)  # of a pixel
    above, right = round((0.06 + 0.15 * lines) / inch), round(0.08 * width)
    image = np.full((rows * (height + above), columns * (width + right)), np.nan)
    figure = Figure(figsize=(image.shape[1] * inch, image.shape[0] * inch))
    axes = figure.add_axes((0, 0, 1, 1), frameon=False, xticks=[], yticks=[])
    for i, (picture, name) in enumerate(zip(pictures, names, strict=True)):
        top, left = (i // columns) * (height + above) + above, (i % columns) * (width + right)
        image[top : top + height, left : left + width] = picture
        axes.text(left + width / 2 - 0.5, top - 0.02 * height - 0.5, name, fontsize=8.5,
                  horizontalalignment="center", verticalalignment="bottom",
                  parse_math=False)  # fmt: skip
    axes.imshow(np.ma.masked_invalid(image), interpolation="none", aspect="auto", **colours)
    return figure
