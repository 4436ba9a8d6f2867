"""How sure an accuracy is."""

import math

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
    comparison tells smaller ones. With one right and one wrong example more, which keeps it above 0
    where none is wrong (Agresti and Caffo 2000).
    """
    p = (accuracy * n + 1) / (n + 2)
    return _Z * math.sqrt(2 * p * (1 - p) / (n + 2))
