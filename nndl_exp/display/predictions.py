"""Predictions of a classifier for labelled examples: confusion matrix, confidence, calibration."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nndl_exp.errors import UserError
from nndl_exp.nn.arrays import Array, Indices

BINS = 15
"""Bins of a reliability diagram, as many as Guo et al. (2017) take."""


@dataclass(frozen=True)
class Predictions:
    """``labels`` of shape (n,) and the predicted ``probabilities`` of each class, (n, classes).

    The predicted class is the most probable one, and its probability the confidence.
    """

    labels: Indices
    probabilities: Array

    @property
    def classes(self) -> Indices:
        """The predicted class of each example, (n,); the first of equals."""
        predicted: Indices = self.probabilities.argmax(axis=1)
        return predicted

    @property
    def confidence(self) -> Array:
        """The probability of the predicted class, (n,)."""
        sure: Array = self.probabilities.max(axis=1)
        return sure

    @property
    def right(self) -> NDArray[np.bool_]:
        """True where the prediction is right, (n,)."""
        return np.asarray(self.classes == self.labels)

    def confusion(self) -> Indices:
        """The number of examples of each class (row) that are predicted as each class (column)."""
        n = self.probabilities.shape[1]
        counts: Indices = np.bincount(self.labels * n + self.classes, minlength=n * n)
        return counts.reshape(n, n)

    def confidently_wrong(self, count: int) -> Indices:
        """The numbers of the wrong examples, at most ``count``, the most confident first."""
        wrong = np.flatnonzero(~self.right)
        order = np.argsort(-self.confidence[wrong], kind="stable")
        return wrong[order][:count]


@dataclass(frozen=True)
class Calibration:
    """Accuracy of a classifier by its confidence, in bins of equal width.

    ``edges`` has one value more than there are bins; ``counts``, ``confidence`` and ``accuracy``
    are of shape (bins,), the last two means over the bin's examples, NaN where it has none.
    ``error`` is the expected calibration error (ECE) of Guo, Pleiss, Sun and Weinberger, "On
    Calibration of Modern Neural Networks", ICML 2017, equation 3: the mean of |accuracy -
    confidence| over the bins, weighted by their counts.
    """

    edges: Array
    counts: Indices
    confidence: Array
    accuracy: Array
    error: float


def calibration(predictions: Predictions, bins: int = BINS) -> Calibration:
    """The calibration in bins ((m-1)/M, m/M] of the confidence, m = 1 .. M.

    Raises:
        UserError: fewer than one bin.
    """
    if bins < 1:
        raise UserError(f"bins must be at least 1: got {bins}")
    confidence, edges = predictions.confidence, np.linspace(0, 1, bins + 1)
    at = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    counts = np.bincount(at, minlength=bins)
    sums = [
        np.bincount(at, values, bins) for values in (confidence, predictions.right.astype(float))
    ]
    with np.errstate(invalid="ignore"):
        sure, accuracy = (total / counts for total in sums)
    gaps = np.abs(sums[1] - sums[0])  # counts times |accuracy - confidence|
    return Calibration(edges, counts, sure, accuracy, float(gaps.sum() / len(confidence)))
