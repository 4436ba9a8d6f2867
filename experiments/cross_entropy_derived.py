"""The cross-entropy, found by integrating the slope that one wants.

Chapter 3, "What does the cross-entropy mean? Where does it come from?" · 0.1 minutes
    python -m experiments.cross_entropy_derived

Expected: the cost whose slope by z is a - y, that is dC/da = (a - y) / (a (1 - a)), integrated from
a = 1/2, is the cross-entropy to about 1e-15, for targets between 0 and 1 as well; it is lowest at
a = y. The quadratic cost's slope by z has the factor a (1 - a), which vanishes where a nears 1.
"""

from functools import partial

import numpy as np
from scipy.integrate import quad

from nndl_exp.book import Experiment, main
from nndl_exp.nn.costs import cross_entropy, pair
from nndl_exp.nn.differences import central_differences

OUTPUTS = np.linspace(0.005, 0.995, 199)
TARGETS = (0.0, 0.3, 1.0)


def study(experiment: Experiment) -> None:
    """Integrate for each target, compare with the formula, and draw cost and slope."""
    a = OUTPUTS[:, None]
    z = np.log(a / (1 - a))
    costs, slopes = {}, {}
    for y in TARGETS:
        targets = np.full_like(a, y)
        formula = cross_entropy(z, a, targets)
        integral = np.log(2) + np.array([quad(wanted, 0.5, end, (y,))[0] for end in OUTPUTS])
        difference = float(np.abs(integral - formula).max())
        what = f"largest difference of integral and formula, y = {y:g}"
        experiment.compare(what, 0.0, difference, within=1e-10)
        lowest = OUTPUTS[integral.argmin()]
        what = f"output where the integral is lowest, y = {y:g}"
        experiment.compare(what, min(max(y, OUTPUTS[0]), OUTPUTS[-1]), float(lowest), within=1e-9)
        differences = np.array([
            central_differences(partial(cross_entropy, at, at, np.array([y])), at) for at in z
        ])  # fmt: skip
        difference = float(np.abs(differences.ravel() - (OUTPUTS - y)).max())
        what = f"largest difference of dC/dz and a - y, y = {y:g}"
        experiment.compare(what, 0.0, difference, within=1e-8)
        costs[f"formula, y = {y:g}"] = (OUTPUTS, formula)
        costs[f"integral, y = {y:g}"] = (OUTPUTS[::20], integral[::20])
    for title, name in (("cross-entropy", "cross_entropy"), ("quadratic", "quadratic")):
        slopes[title] = (OUTPUTS, pair(name, "sigmoid").delta(a, np.zeros_like(a))[:, 0])
    figure, (left, right) = experiment.draw.figure(1, 2)
    colours = ("first", "first", "second", "second", "third", "third")
    experiment.draw.lines(left, costs, x="output a", y="cost C", colours=colours, whole=False)
    for line in left.lines[1::2]:
        line.set(linestyle="none", marker="o", markersize=4)
    for line in left.lines[::2]:
        line.set_linestyle("-")
    left.legend(fontsize=8)
    experiment.draw.lines(right, slopes, x="output a", y="slope dC/dz", whole=False)
    right.set_title("target y = 0", fontsize=10)
    experiment.draw.save(figure)


def wanted(a: float, y: float) -> float:
    """The dC/da that makes dC/dz = a - y of a sigmoid neuron."""
    return (a - y) / (a * (1 - a))


if __name__ == "__main__":
    main(study)
