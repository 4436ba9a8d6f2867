"""The tables of outcomes: ranks, paired differences with intervals, and scores by set and stage."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata, t

from benchmarks.quality.jobs import BUDGETS, Outcome
from benchmarks.readme import table

Key = tuple[str, int]
"""A set and a seed."""
Outcomes = Mapping[str, Mapping[Key, Mapping[str, Outcome]]]
"""The outcomes by contender, set and seed, and budget; all contenders have the same keys."""
APART = "hard start"
"""A set that means of differences leave out: its start does not learn, which would outweigh all."""
Numbers = NDArray[np.floating[Any]]


def mean_ranks(scores: Numbers, names: Sequence[str]) -> Numbers:
    """The mean rank of each column, the best is 1; equal scores share the mean of their ranks.

    ``scores`` has a row for each set and seed, ``names`` their sets, which count alike.
    """
    ranks = rankdata(-scores, axis=1)
    of = np.array(names)
    means: list[Numbers] = [ranks[of == name].mean(axis=0) for name in dict.fromkeys(names)]
    mean: Numbers = np.mean(means, axis=0)
    return mean


def interval(differences: Sequence[float] | Numbers) -> tuple[float, float, float]:
    """The mean and its 95 % interval by Student's t; infinite of a single difference."""
    d = np.asarray(differences, dtype=float)
    if len(d) < 2:
        return float(d.mean()), -np.inf, np.inf
    half = t.ppf(0.975, len(d) - 1) * d.std(ddof=1) / np.sqrt(len(d))
    return float(d.mean()), float(d.mean() - half), float(d.mean() + half)


def in_words(differences: Sequence[float] | Numbers) -> str:
    """A mean difference in points with its interval."""
    if len(differences) == 0:
        return "–"
    mean, low, high = interval(differences)
    return f"{mean:+.2f}" + (f" ({low:+.2f} to {high:+.2f})" if np.isfinite(low) else "")


def scores_of(found: Mapping[Key, Mapping[str, Outcome]], budget: str) -> Numbers:
    """The mean test scores of a contender, one for each set and seed."""
    return np.array([outcomes[budget].score for outcomes in found.values()])


def ranking(found: Outcomes) -> str:
    """The mean rank of each contender, and what the strategy is ahead of it, at both budgets."""
    names = [name for name, _ in found["chapter3"]]
    counts = np.array(names) != APART
    scores = {budget: [scores_of(one, budget) for one in found.values()] for budget in BUDGETS}
    ranks = {budget: mean_ranks(np.transpose(some), names) for budget, some in scores.items()}
    titles = [f"{what}, {b}" for what in ("mean rank", "chapter3 minus it") for b in BUDGETS]
    rows = []
    for i, contender in enumerate(found):
        cells = [f"{ranks[budget][i]:.2f}" for budget in BUDGETS]
        ahead = [in_words((some[0] - some[i])[counts]) for some in scores.values()]
        rows.append([contender, *cells, *(ahead if i else ["", ""])])
    return table(["contender", *titles], rows)


def by_set(found: Outcomes) -> str:
    """The mean test score of each contender by set with all of the budget."""
    names = np.array([name for name, _ in found["chapter3"]])
    scores = {contender: scores_of(one, "full") for contender, one in found.items()}
    ahead = scores["chapter3"] - scores["untuned"] if "untuned" in scores else None
    rows = []
    for name in dict.fromkeys(names):
        of = names == name
        cells = [f"{some[of].mean():.2f}" for some in scores.values()]
        rows.append([name, str(of.sum()), *cells, "" if ahead is None else in_words(ahead[of])])
    return table(["set", "seeds", *found, "chapter3 minus untuned"], rows)


def by_stage(found: Mapping[Key, Mapping[str, Outcome]]) -> str:
    """What each stage of the strategy gained or lost on the test set, over sets and seeds."""
    gains: dict[str, list[float]] = {}
    for stages in [one["full"].stages for (name, _), one in found.items() if name != APART]:
        for (_, before), (key, after) in zip(stages.items(), [*stages.items()][1:], strict=False):
            gains.setdefault(key, []).append(after - before)
    rows = [[key, *_gained(some)] for key, some in gains.items()]
    return table(["stage", "runs", "changed", "gained, points", "worst"], rows)


def _gained(gains: Sequence[float]) -> list[str]:
    changed = sum(gain != 0 for gain in gains)
    return [str(len(gains)), str(changed), in_words(gains), f"{min(gains):+.2f}"]
