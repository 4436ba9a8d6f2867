"""A user's own picture files: what is ink in them, and what is paper."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from nndl_exp.datasets.framing import Framing, Ink
from nndl_exp.errors import UserError
from nndl_exp.nn.arrays import Array

_FAINTEST = 0.1  # of the contrast; less is paper


def read_picture(path: Path, framing: Framing) -> Array:
    """A picture file as one example, (1, n_in), prepared as the pictures of a source were.

    Any size, dark on light or light on dark: the background is what the border mostly is.

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
    return framing.frame(ink)


def _grey(image: Image.Image, paper: str) -> NDArray[np.float64]:
    """The picture in grey, 0 for black to 1 for white; what is transparent shows the paper."""
    if "A" in image.getbands() or "transparency" in image.info:
        background = Image.new("RGBA", image.size, paper)
        background.alpha_composite(image.convert("RGBA"))
        image = background
    return np.asarray(image.convert("L"), dtype=np.float64) / 255


def _ink(grey: NDArray[np.float64]) -> Ink | None:
    """The drawing, from 0 for paper to 1 for the strongest ink; None if there is none."""
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    ink: Ink = np.abs(grey - np.median(border))
    if ink.max() < _FAINTEST:
        return None
    ink /= ink.max()
    ink[ink < _FAINTEST] = 0
    return ink
