"""Softmax: its signs, its inverse, its Jacobian, and softmax(c z) as c grows.

Chapter 3, "Softmax" · 0.1 minutes
    python -m experiments.softmax

Expected: an output grows with its own z and falls with every other; ln a is z up to a constant. The
Jacobian is diag(a) - a aᵀ, symmetric and of rank K - 1: a common shift of z changes nothing. For
c → ∞ softmax(c z) puts all on the largest z, ties sharing it, and for c → 0 all outputs are 1/K.
"""

from functools import partial

import numpy as np

from nndl_exp.book import Experiment, main
from nndl_exp.nn.activations import ACTIVATIONS, softmax
from nndl_exp.nn.arrays import Array
from nndl_exp.nn.differences import central_differences

K = 10
EXAMPLES = 100
PICTURE = np.array([2.0, 1.5, 1.0, -0.5, -1.0])
SCALES = np.logspace(-2, 2, 200)


def study(experiment: Experiment) -> None:
    """Check each property on random z, and draw the limit and a Jacobian."""
    signs = symmetric = off = shift = 0.0
    ranks = []
    for z in np.random.default_rng(0).normal(scale=2, size=(EXAMPLES, K)):
        a = softmax(z)
        numerical = central_differences(partial(softmax, z), z).T
        signs += float((np.sign(numerical) != 2 * np.eye(K) - 1).sum())
        ours = jacobian(a)
        off = max(off, *(float(np.abs(ours - other).max())
                         for other in (numerical, np.diag(a) - np.outer(a, a))))  # fmt: skip
        symmetric = max(symmetric, float(np.abs(ours - ours.T).max()))
        ranks.append(int(np.linalg.matrix_rank(ours)))
        shift = max(shift, float(np.ptp(z - np.log(a))))
    experiment.compare("entries of the Jacobian with the wrong sign", 0, signs)
    what = "largest difference of the Jacobian, diag(a) - a aᵀ and differences"
    experiment.compare(what, 0.0, off, within=1e-9)
    what = "largest difference of the Jacobian and its transpose"
    experiment.compare(what, 0.0, symmetric, within=1e-15)
    experiment.compare(f"least rank of {EXAMPLES} Jacobians, K = {K}", K - 1, min(ranks))
    experiment.compare(f"largest rank of {EXAMPLES} Jacobians, K = {K}", K - 1, max(ranks))
    what = "spread of z_j - ln a_j over j"
    experiment.compare(what, 0.0, shift, within=1e-12)

    largest = softmax(1e3 * PICTURE)
    experiment.compare("output of the largest z, c = 1000", 1.0, float(largest[0]), within=1e-12)
    tied = softmax(1e3 * np.array([2.0, 2.0, 1.0]))
    experiment.compare("output of each of two largest, c = 1000", 0.5, float(tied[0]), within=1e-12)
    even = softmax(1e-9 * PICTURE)
    experiment.compare("largest output of five, c = 1e-9", 0.2, float(even.max()), within=1e-8)

    figure, (left, right) = experiment.draw.figure(1, 2)
    curves = np.array([softmax(c * PICTURE) for c in SCALES])
    lines = {f"z = {z:g}": (SCALES, curves[:, j]) for j, z in enumerate(PICTURE)}
    experiment.draw.lines(left, lines, x="c", y="softmax(c z)", whole=False)
    left.set(xscale="log", title="From all alike to the largest")
    experiment.draw.matrix(right, jacobian(softmax(PICTURE)), x="k, of z_k", y="j, of a_j")
    right.set_title("Jacobian ∂a_j/∂z_k, c = 1")
    experiment.draw.save(figure)


def jacobian(a: Array) -> Array:
    """The library's Jacobian: what passes back from each output by itself."""
    return ACTIVATIONS["softmax"].backward(np.eye(len(a)), a[None])


if __name__ == "__main__":
    main(study)
