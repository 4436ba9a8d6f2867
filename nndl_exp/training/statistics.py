"""How sure an accuracy is."""

import math

import numpy as np

from nndl_exp.nn.arrays import Array

_Z = 1.959963984540054  # the 97.5 % point of the normal distribution


def wilson_interval(accuracy: float, n: int) -> tuple[float, float]:
    """The 95 % interval of a proportion measured on n examples (Wilson 1927).

    Unlike accuracy ± 1.96 standard errors it stays between 0 and 1 and holds near its ends.
    """
    centre = (accuracy + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * math.sqrt(accuracy * (1 - accuracy) / n + _Z**2 / (4 * n**2))
    return max(0.0, centre - half), min(1.0, centre + half)


def half_width(accuracy: float, n: int) -> float:
    """Half the width of the 95 % interval."""
    low, high = wilson_interval(accuracy, n)
    return (high - low) / 2


def resolution(accuracy: float, n: int) -> float:
    """The least difference between two such accuracies on n examples that noise does not explain.

    At 95 %, for classifiers whose mistakes are independent; where they share mistakes, a paired
    comparison tells smaller ones.
    """
    return _Z * math.sqrt(2 * accuracy * (1 - accuracy) / n)


FEWEST_EXAMPLES, FEWEST_DIFFERENT = 30, 6


def no_interval(differences: Array) -> str | None:
    """Why ``paired_interval`` is not valid for these differences; None where it is.

    It needs 30 examples, of which 6 differ. If 5 differ, and all in favour of the same classifier,
    that happens by chance in 6 % of cases (sign test), yet no resample says so; if none differs,
    the interval has no width.
    """
    n, different = differences.shape[1], int(np.count_nonzero(differences.any(axis=0)))
    if not different:
        return f"all {n:,} examples come out the same"
    if different < FEWEST_DIFFERENT:
        return f"only {different} of {n:,} examples differ"
    return f"{n} examples are too few" if n < FEWEST_EXAMPLES else None


def paired_interval(
    differences: Array, *, confidence: float, seed: int, resamples: int = 2000
) -> tuple[float, float]:
    """The interval of a mean difference between two classifiers, by a bootstrap over both factors.

    Args:
        differences: of shape (seeds, images), what one classifier gains over the other with that
            seed on that image: -1, 0 or 1 for right and wrong.
        confidence: of the interval, such as 0.95.
        seed: of the resampling.
        resamples: how many means of seeds and images drawn with replacement are taken.
    """
    rng = np.random.default_rng(seed)
    n_seeds, n_images = differences.shape
    means = np.empty(resamples)
    for i in range(resamples):
        rows = rng.integers(n_seeds, size=n_seeds)
        columns = rng.integers(n_images, size=n_images)
        # The mean over the drawn rows first: their counts are few.
        means[i] = differences[rows].mean(axis=0)[columns].mean()
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, (tail, 1 - tail))
    return float(low), float(high)
