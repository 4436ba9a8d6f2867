"""Dividing examples into a training, a validation and a test set."""

from collections.abc import Sequence

import numpy as np

from nndl_exp.errors import UserError
from nndl_exp.nn.arrays import Indices


def split(
    n: int, fractions: Sequence[float], seed: int, labels: Indices | None = None
) -> list[Indices]:
    """The rows of each set, as many sets as there are fractions.

    Each row is in one set, chosen by chance that only ``seed`` decides. With ``labels`` (n,) the
    sets are stratified: each has nearly the same share of every class, and so has the beginning
    of each set, which is what remains where a set is cut to its first rows.

    Raises:
        UserError: a set would be left without a row.
    """
    chance = np.random.default_rng(seed).random(n)
    if labels is None:
        order = chance.argsort(kind="stable")
    else:
        # A row's place within its class, from 0 to 1: sorted by it, classes are spread evenly.
        place = np.empty(n)
        for c in np.unique(labels):
            rows = np.flatnonzero(labels == c)
            rank = chance[rows].argsort(kind="stable").argsort(kind="stable")
            place[rows] = (rank + 0.5) / len(rows)
        order = np.lexsort((chance, place))
    ends = np.rint(np.cumsum(fractions) * n).astype(np.int64)
    ends[-1] = n
    parts: list[Indices] = list(np.split(order, ends[:-1]))
    if not all(len(part) for part in parts):
        sizes = ", ".join(str(len(part)) for part in parts)
        raise UserError(
            f"dataset.fractions must leave every set at least one of {n} examples: "
            f"got {list(fractions)}, which makes sets of {sizes}"
        )
    return parts
