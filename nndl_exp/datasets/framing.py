"""How a drawing becomes an example: fitted into its frame as the pictures of a source were."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nndl_exp.errors import UserError
from nndl_exp.nn.arrays import Array

Ink = NDArray[np.float64]
"""A drawing of shape (height, width), from 0 for paper to 1 for the strongest ink."""


@dataclass(frozen=True)
class Framing:
    """How the pictures of a source were made.

    The drawing is cut out and scaled to fit into a ``box`` of (height, width) dots; it keeps its
    proportions, unless one side may be ``stretched`` up to so many times to fill the box. It is put
    into a frame with its centre of mass in the middle (``by_mass``), or the centre of its bounds. A
    pixel is a square of ``dots`` x ``dots`` dots; where these are more than one they are black or
    white, and their mean is its grey value. ``shape`` is the (height, width) of a picture in
    pixels, ``peak`` the value of full ink. ``pen`` is how wide a pen comes nearest to the strokes
    of the source, as a part of the side of the paper that is drawn on.
    """

    shape: tuple[int, int]
    box: tuple[int, int]
    by_mass: bool = True
    stretched: float = 1.0
    dots: int = 1
    peak: float = 255 / 256
    pen: float = 0.08

    @classmethod
    def like_digits(cls, shape: tuple[int, int]) -> "Framing":
        """As MNIST's digits lie in 28 x 28 pixels (LeCun et al. 1998, section III.A), in others."""
        height, width = (max(1, round(side * 20 / 28)) for side in shape)
        return cls(shape, (height, width))

    def frame(self, ink: Ink) -> Array:
        """A drawing of any size as an example, of shape (1, height * width) and from 0 to 1.

        Raises:
            UserError: nothing is drawn.
        """
        if not ink.any():
            raise UserError("a drawing must show something: all of it is paper")
        found = _cut(ink)
        drawing = self._place(_scaled(found, self._size(found.shape)))
        if self.dots > 1:
            height, width = self.shape
            cells = (drawing >= 0.5).reshape(height, self.dots, width, self.dots)
            drawing = cells.mean(axis=(1, 3))
        return (drawing * self.peak).astype(np.float32).reshape(1, -1)

    def text(self) -> str:
        """What is done to a drawing, for who looks at the outcome."""
        height, width = self.shape
        rows, columns = (side // self.dots for side in self.box)
        middle = "its centre of mass" if self.by_mass else "it"
        return (
            f"{height} × {width} pixels: scaled to fit {rows} × {columns}, {middle} in the middle"
        )

    def _size(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """Height and width of a drawing in the box, at least a dot."""
        height, width = shape
        most_down, most_across = self.box[0] / height, self.box[1] / width
        down = min(most_down, most_across * self.stretched)
        across = min(most_across, most_down * self.stretched)
        return max(1, round(height * down)), max(1, round(width * across))

    def _place(self, drawing: Ink) -> Ink:
        height, width = (side * self.dots for side in self.shape)
        frame = np.zeros((height, width))
        rows, columns = drawing.shape
        if self.by_mass:
            # MNIST's lie where the centre of mass, rounded, is pixel 14 of 0 .. 27.
            mass = drawing.sum()
            y = drawing.sum(axis=1) @ np.arange(rows) / mass
            x = drawing.sum(axis=0) @ np.arange(columns) / mass
            top, left = round(height / 2 - y), round(width / 2 - x)
        else:
            top, left = -((rows - height) // 2), -((columns - width) // 2)
        top = min(max(0, top), height - rows)
        left = min(max(0, left), width - columns)
        frame[top : top + rows, left : left + columns] = drawing
        return frame


def _cut(ink: Ink) -> Ink:
    """The drawing without the paper around it."""
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _scaled(ink: Ink, size: tuple[int, int]) -> Ink:
    """The drawing in another (height, width), smoothly; its strongest ink is 1 again."""
    from PIL import Image  # only who draws needs it

    grey = Image.fromarray(np.rint(ink * 255).astype(np.uint8))
    scaled = np.asarray(grey.resize(size[::-1], Image.Resampling.BOX), dtype=np.float64)
    return scaled / max(1.0, float(scaled.max()))
