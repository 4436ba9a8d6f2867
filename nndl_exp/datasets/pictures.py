"""A user's own pictures as MNIST's digits: white on black, 20 pixels high, centred in 28 x 28."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from nndl_exp.errors import UserError
from nndl_exp.nn.arrays import Array

SIDE, INNER = 28, 20
_FAINTEST = 0.1  # of the contrast; less is paper


def read_picture(path: Path) -> Array:
    """A picture file as one row of 784 pixels between 0 and 1, prepared as MNIST's were.

    Any size, dark on light or light on dark: the background is what the border mostly is. The
    digit is cut out, scaled so that its longer side has 20 pixels, and put with its centre of mass
    in the middle (LeCun et al. 1998, section III.A).

    Raises:
        UserError: the file is no picture, or shows nothing.
    """
    try:
        with Image.open(path) as image:
            image.load()
            inks = [_ink(_grey(image, paper)) for paper in ("white", "black")]
    except FileNotFoundError:
        raise UserError(f"no such file: {path}") from None
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError):
        raise UserError(f"{path} is not a picture that can be read (PNG, JPEG, ...)") from None
    ink = inks[0] if inks[0] is not None else inks[1]
    if ink is None:
        raise UserError(f"{path} shows nothing: all its pixels are alike")
    return _centre(_scale(ink)).astype(np.float32).reshape(1, SIDE * SIDE) * np.float32(255 / 256)


def _grey(image: Image.Image, paper: str) -> NDArray[np.float64]:
    """The picture in grey, 0 for black to 1 for white; what is transparent shows the paper."""
    if "A" in image.getbands() or "transparency" in image.info:
        background = Image.new("RGBA", image.size, paper)
        background.alpha_composite(image.convert("RGBA"))
        image = background
    return np.asarray(image.convert("L"), dtype=np.float64) / 255


def _ink(grey: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """The drawing, from 0 for paper to 1 for the strongest ink, cut to its bounds; None if none."""
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    ink = np.abs(grey - np.median(border))
    if ink.max() < _FAINTEST:
        return None
    ink = ink / ink.max()
    ink[ink < _FAINTEST] = 0
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    cut: NDArray[np.float64] = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return cut


def _scale(ink: NDArray[np.float64]) -> NDArray[np.float64]:
    height, width = ink.shape
    factor = INNER / max(height, width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    image = Image.fromarray((ink * 255).astype(np.uint8))
    scaled = np.asarray(image.resize(size, Image.Resampling.BOX), dtype=np.float64)
    return scaled / max(1.0, float(scaled.max()))


def _centre(digit: NDArray[np.float64]) -> NDArray[np.float64]:
    canvas = np.zeros((SIDE, SIDE))
    height, width = digit.shape
    mass = digit.sum()
    y = (digit.sum(axis=1) @ np.arange(height)) / mass
    x = (digit.sum(axis=0) @ np.arange(width)) / mass
    top = min(max(0, round((SIDE - 1) / 2 - y)), SIDE - height)
    left = min(max(0, round((SIDE - 1) / 2 - x)), SIDE - width)
    canvas[top : top + height, left : left + width] = digit
    return canvas
