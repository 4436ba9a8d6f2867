"""Artificial expansion of the training data (chapter 3): pictures shifted, turned and bent.

The pictures of an example set are rows of ``x`` with values between 0 (background) and 1. New ones
are made either as each epoch goes, so that no two epochs are alike, or once, as a larger set.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d, map_coordinates

from nndl_exp.errors import UserError
from nndl_exp.nn.arrays import Array

Transform = Callable[[Array, np.random.Generator], Array]
"""New pictures, (k, height, width), of the pictures given, with random numbers from the stream."""


@dataclass(frozen=True)
class Expansion:
    """How more pictures are made.

    ``shape`` is the (height, width) of a picture. ``transform`` makes a random variant of each,
    ``copies`` is how many variants of a picture a larger set has besides itself, ``once`` whether
    to make such a set at all.
    """

    shape: tuple[int, int]
    transform: Transform
    copies: int
    once: bool
    moves: tuple[tuple[int, int], ...] = ()

    def vary(self, x: Array, rng: np.random.Generator) -> Array:
        """A variant of each row of x, (k, n_in), of the dtype of x."""
        pictures = self.transform(x.reshape(-1, *self.shape), rng)
        return pictures.reshape(x.shape)

    def enlarge(self, x: Array, y: Array, rng: np.random.Generator) -> tuple[Array, Array]:
        """The set with the variants of all its pictures behind it, in 256 shades of grey.

        x comes back as uint8, in 256ths as the digits are, of shape ((1 + copies) n, n_in): a
        quarter of the memory; ``mini_batches`` knows what it means.

        Raises:
            UserError: values that are not shades of grey.
        """
        larger = np.empty((1 + self.copies, *x.shape), np.uint8)
        if x.min() < 0 or x.max() > 1:
            raise UserError(
                "training.expansion.once takes pictures with values between 0 and 1: "
                f"got {x.min():g} to {x.max():g}"
            )
        for copy in range(1 + self.copies):
            for start in range(0, len(x), _ROWS_AT_ONCE):
                rows = slice(start, start + _ROWS_AT_ONCE)
                larger[copy, rows] = np.minimum(
                    np.rint(256 * self._variant(x[rows], copy, rng)), 255
                )
        return larger.reshape(-1, x.shape[1]), np.tile(y, (1 + self.copies, 1))

    def _variant(self, x: Array, copy: int, rng: np.random.Generator) -> Array:
        if copy == 0:
            return x
        if self.moves:
            return shift(x.reshape(-1, *self.shape), *self.moves[copy - 1]).reshape(x.shape)
        return self.vary(x, rng)


_ROWS_AT_ONCE = 1000


def shift(pictures: Array, down: int, right: int) -> Array:
    """Pictures (k, height, width) moved by whole pixels; what moves in is background, 0."""
    moved = np.zeros_like(pictures)
    height, width = pictures.shape[1:]
    to_y, from_y = _overlap(down, height)
    to_x, from_x = _overlap(right, width)
    moved[:, to_y, to_x] = pictures[:, from_y, from_x]
    return moved


def _overlap(by: int, size: int) -> tuple[slice, slice]:
    by = max(-size, min(by, size))
    return slice(max(by, 0), size + min(by, 0)), slice(max(-by, 0), size - max(by, 0))


def random_shifts(pixels: int) -> Transform:
    """Each picture moved down and right by -pixels .. pixels, all equally likely."""

    def transform(pictures: Array, rng: np.random.Generator) -> Array:
        moves = rng.integers(-pixels, pixels + 1, size=(len(pictures), 2))
        shifted = np.empty_like(pictures)
        for move in np.unique(moves, axis=0):
            rows = np.flatnonzero((moves == move).all(axis=1))
            shifted[rows] = shift(pictures[rows], int(move[0]), int(move[1]))
        return shifted

    return transform


def random_distortions(pixels: int, rotation: float, alpha: float, sigma: float) -> Transform:
    """Each picture turned, moved and bent, by one interpolation (Simard et al. 2003).

    The angle is uniform between ± ``rotation`` degrees, the move between ± ``pixels`` down and
    right. Each pixel is displaced by ``alpha`` times a random field, uniform between ± 1 and
    smoothed by a Gaussian of ``sigma`` pixels; alpha = 0 bends nothing.
    """

    def transform(pictures: Array, rng: np.random.Generator) -> Array:
        k, height, width = pictures.shape
        angle = np.radians(rng.uniform(-rotation, rotation, (k, 1, 1)))
        moves = rng.uniform(-pixels, pixels, (2, k, 1, 1))
        y = np.arange(height)[:, np.newaxis] - (height - 1) / 2
        x = np.arange(width) - (width - 1) / 2
        cos, sin = np.cos(angle), np.sin(angle)
        at = np.empty((k, 2, height, width), np.float32)
        at[:, 0] = cos * y + sin * x + (height - 1) / 2 - moves[0]
        at[:, 1] = cos * x - sin * y + (width - 1) / 2 - moves[1]
        if alpha:
            field = 2 * rng.random(at.shape, np.float32) - 1
            at += alpha * (smoothing(height, sigma) @ field @ smoothing(width, sigma).T)
        varied = np.empty_like(pictures)
        for picture, points, to in zip(pictures, at, varied, strict=True):
            map_coordinates(picture, points, output=to, order=1, mode="constant")
        return varied

    return transform


def smoothing(size: int, sigma: float) -> Array:
    """The matrix that smooths along one axis of a picture, with background around it.

    A product with it for each axis smooths a thousand small fields 20 times as fast as
    ``gaussian_filter``, which goes through them pixel by pixel.
    """
    matrix: Array = gaussian_filter1d(
        np.eye(size, dtype=np.float32), sigma, axis=0, mode="constant"
    )
    return matrix


def make_expansion(
    name: str,
    *,
    shape: tuple[int, int] | None,
    once: bool,
    copies: int,
    shift: int,
    rotation: float,
    alpha: float,
    sigma: float,
) -> Expansion | None:
    """The expansion of a name: ``none``, ``shifts`` or ``distortions``.

    ``shifts``, once, are the book's: down, up, right and left by ``shift`` pixels, five times the
    data. The other numbers are those of the transforms.

    Raises:
        UserError: the examples have no ``shape``: they are not pictures; or nothing of them would
            be left.
    """
    if name == "none":
        return None
    if shape is None:
        raise UserError(
            f"training.expansion.name must be none for examples that are not pictures: got {name}"
        )
    if shift >= min(shape):
        raise UserError(
            f"training.expansion.shift must be less than a picture's side ({min(shape)}): "
            f"got {shift}"
        )
    if name == "shifts":
        moves = ((shift, 0), (-shift, 0), (0, shift), (0, -shift))
        return Expansion(shape, random_shifts(shift), len(moves), once, moves)
    return Expansion(shape, random_distortions(shift, rotation, alpha, sigma), copies, once)
